// Runs quantized features through the engine, hop by hop, to compare its masks with those of
// another implementation, and to measure its time.
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "micro/boards/host/arguments.h"
#include "micro/boards/host/bundle.h"
#include "micro/boards/host/files.h"

using namespace groupcomm;        // NOLINT
using namespace groupcomm::host;  // NOLINT

int main(int argc, char** argv) {
  Program program("replay",
                  "--bundle DIR --features FILE --masks FILE [--repeat N] [--reset yes|no] "
                  "[--kernels tflm|groupcomm] [--times FILE]");
  if (!program.Parse(argc, argv, {"--bundle", "--features", "--masks"},
                     {"--repeat", "--reset", "--kernels", "--times"})) {
    return program.exit_code();
  }
  const std::string between = program.Has("--reset") ? program["--reset"] : "yes";
  if (between != "yes" && between != "no")
    return program.Fail("--reset " + between + " is neither yes nor no");
  long passes = 1;
  if (program.Has("--repeat")) {
    char* end;
    errno = 0;
    passes = std::strtol(program["--repeat"].c_str(), &end, 10);
    if (errno || end == program["--repeat"].c_str() || *end || passes < 1) {
      return program.Fail("--repeat " + program["--repeat"] +
                          " is not a positive integer; give the number of passes");
    }
  }

  std::string error;
  Bundle bundle;
  BundleEngine engine;
  Kernels kernels = TflmKernels;
  if (program.Has("--kernels") && !ReadKernels(program["--kernels"], &kernels, &error))
    return program.Fail(error);
  std::vector<uint8_t> features;  // (hops, inputs)
  if (!LoadBundle(program["--bundle"], &bundle, &error) || !engine.Init(bundle, &error, kernels) ||
      !ReadFile(program["--features"], &features, &error)) {
    return program.Fail(error);
  }
  const size_t inputs = StreamInputs(bundle.network.signal);
  if (features.empty() || features.size() % inputs != 0) {
    return program.Fail(program["--features"] + ": " + std::to_string(features.size()) +
                        " bytes are not whole hops of " + std::to_string(inputs) +
                        " values; give raw int8 of this bundle's signal path");
  }
  std::vector<int8_t> hop(bundle.network.signal.sources *
                          StreamValues(bundle.network.signal));  // (masks)
  AtomicFile masks, times;
  const bool timed = program.Has("--times");
  if (!masks.Open(program["--masks"], &error) || (timed && !times.Open(program["--times"], &error)))
    return program.Fail(error);
  for (long pass = 0; pass < passes; ++pass) {
    if (pass > 0 && between == "yes" && engine.engine()->Reset() != GROUPCOMM_OK)
      return program.Fail(engine.engine()->error());
    for (size_t at = 0; at < features.size(); at += inputs) {
      const int8_t* given = reinterpret_cast<const int8_t*>(features.data()) + at;
      const auto begin = std::chrono::steady_clock::now();
      if (engine.engine()->Run(given, hop.data()) != GROUPCOMM_OK)
        return program.Fail(engine.engine()->error());
      const std::chrono::duration<float, std::micro> taken =
          std::chrono::steady_clock::now() - begin;
      const float microseconds = taken.count();
      if (!masks.Write(hop.data(), hop.size(), &error)) return program.Fail(error);
      if (timed && !times.Write(&microseconds, sizeof(microseconds), &error))
        return program.Fail(error);
    }
  }
  return masks.Commit(&error) && (!timed || times.Commit(&error)) ? 0 : program.Fail(error);
}
