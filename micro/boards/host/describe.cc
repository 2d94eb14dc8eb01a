// Prints one JSON object: which operators the TFLM in this program has, by their codes in the
// flatbuffer schema, and how much memory a bundle needs.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "micro/boards/host/arguments.h"
#include "micro/boards/host/bundle.h"

using namespace groupcomm;        // NOLINT
using namespace groupcomm::host;  // NOLINT

namespace {

// Returns the smallest arena, a multiple of 16 bytes, in which the model can be allocated. It
// assumes that every larger size suffices.
size_t SmallestArena(const Bundle& bundle, Kernels kernels) {
  // in units of 16 bytes; low fails, high suffices
  size_t low = 0, high = (ArenaRoom(bundle, kernels) + 15) / 16;
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    (TryArena(bundle, middle * 16, kernels) == Fit::kFits ? high : low) = middle;
  }
  return high * 16;
}

}  // namespace

int main(int argc, char** argv) {
  Program program("describe", "[--bundle DIR] [--codes CODE,CODE,...] [--kernels tflm|groupcomm]");
  if (!program.Parse(argc, argv, {}, {"--bundle", "--codes", "--kernels"}))
    return program.exit_code();
  if (!program.Has("--bundle") && !program.Has("--codes"))
    return program.Fail("no option is given; give --bundle, --codes or both");

  std::string json;  // only keys and numbers, so nothing needs quoting
  if (program.Has("--codes")) {
    Operators operators;
    const std::string& codes = program["--codes"];
    for (const char* at = codes.c_str();; ++at) {
      char* end;
      const long code = std::strtol(at, &end, 10);
      if (end == at || (*end != ',' && *end != '\0') || code < 0 || code > INT32_MAX) {
        return program.Fail("--codes " + codes + " is not a list of codes; write it like 9,14,44");
      }
      json += (json.empty() ? "\"" : ", \"") + std::to_string(code) +
              "\": " + (operators.Has(code) ? "true" : "false");
      if (*(at = end) == '\0') break;
    }
    json = "\"codes\": {" + json + "}";
  }
  if (program.Has("--bundle")) {
    std::string error;
    Bundle bundle;
    BundleEngine engine;
    Kernels kernels = TflmKernels;
    if (program.Has("--kernels") && !ReadKernels(program["--kernels"], &kernels, &error))
      return program.Fail(error);
    if (!LoadBundle(program["--bundle"], &bundle, &error) || !engine.Init(bundle, &error, kernels))
      return program.Fail(error);
    json += (json.empty() ? "\"model_bytes\": " : ", \"model_bytes\": ") +
            std::to_string(bundle.model.size());
    json += ", \"stream_bytes\": " + std::to_string(StreamBytes(bundle.network.signal));
    json += ", \"arena\": {\"bundle\": " + std::to_string(bundle.arena_bytes);
    json += ", \"used\": " + std::to_string(engine.engine()->arena_used());
    json += ", \"smallest\": " + std::to_string(SmallestArena(bundle, kernels)) + "}";
  }
  std::printf("{%s}\n", json.c_str());
  return 0;
}
