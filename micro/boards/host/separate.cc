// Processes a WAV file with the separator, hop by hop as on a board. The output has the length of
// the input and is aligned with it: the delay of the stream is dropped at the start, and zeros
// flush the stream at the end.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <cstdlib>
#include <string>
#include <vector>

#include "micro/boards/host/arguments.h"
#include "micro/boards/host/bundle.h"
#include "micro/boards/host/files.h"
#include "micro/boards/host/wav.h"
#include "micro/api/engine_api.h"

using namespace groupcomm;        // NOLINT
using namespace groupcomm::host;  // NOLINT

int main(int argc, char** argv) {
  Program program("separate",
                  "--bundle DIR --input X.wav --output DIR [--features FILE] [--masks FILE] "
                  "[--attenuation-limit DB]");
  if (!program.Parse(argc, argv, {"--bundle", "--input", "--output"},
                     {"--features", "--masks", "--attenuation-limit"}))
    return program.exit_code();

  std::string error;
  Bundle bundle;
  BundleEngine engine;
  WavReader input;
  if (!LoadBundle(program["--bundle"], &bundle, &error) || !engine.Init(bundle, &error) ||
      !input.Open(program["--input"], bundle.network.signal.sample_rate, &error) ||
      !MakeFolder(program["--output"], &error)) {
    return program.Fail(error);
  }
  const gc_model& network = bundle.network;
  const int hop = network.signal.hop, sources = network.signal.sources;

  std::vector<std::string> paths;
  std::vector<WavWriter> outputs(sources);
  for (int i = 0; i < sources; ++i) {
    const std::string source = sources == 1 ? "speech" : "speaker" + std::to_string(i + 1);
    const std::string name =
        std::filesystem::path(program["--input"]).stem().string() + "_" + source + ".wav";
    paths.push_back((std::filesystem::path(program["--output"]) / name).string());
    if (!outputs[i].Open(paths[i], bundle.network.signal.sample_rate, input.samples(), &error))
      return program.Fail(error);
  }
  AtomicFile features, masks;
  if (program.Has("--features") && !features.Open(program["--features"], &error))
    return program.Fail(error);
  if (program.Has("--masks") && !masks.Open(program["--masks"], &error)) return program.Fail(error);

  std::vector<uint8_t> memory(BytesOnEngine(network));
  std::vector<int16_t> in(hop);             // (hop)
  std::vector<int16_t> out(sources * hop);  // (sources, hop)
  groupcomm_state* state;
  const Status status =
      CreateOnEngine(network, engine.engine(), memory.data(), memory.size(), &state);
  if (status != GROUPCOMM_OK) return program.Fail(program["--bundle"] + ": " + StatusText(status));

  if (program.Has("--attenuation-limit")) {
    const std::string& text = program["--attenuation-limit"];
    char* end;
    const float decibels = std::strtof(text.c_str(), &end);
    if (end == text.c_str() || *end != '\0' ||
        groupcomm_set_attenuation_limit(state, decibels) != GROUPCOMM_OK)
      return program.Fail("--attenuation-limit " + text + " is not a number of dB from 0");
  }

  // The latency is a whole number of hops, because the hop divides half the window.
  const int64_t delay = groupcomm_latency(state) / hop,
                hops = (input.samples() + hop - 1) / hop + delay;
  int64_t left = input.samples();
  for (int64_t i = 0; i < hops; ++i) {
    if (!input.Read(in.data(), hop, &error)) return program.Fail(error);
    if (groupcomm_process(state, in.data(), out.data()) != GROUPCOMM_OK) {
      return program.Fail(program["--bundle"] + ": hop " + std::to_string(i) + ": " +
                          engine.engine()->error());
    }
    if (program.Has("--features") &&
        !features.Write(groupcomm_features(state), network.inputs, &error))
      return program.Fail(error);
    if (program.Has("--masks") && !masks.Write(groupcomm_masks(state), network.outputs, &error))
      return program.Fail(error);
    if (i < delay) continue;
    const int count = static_cast<int>(std::min<int64_t>(hop, left));
    for (int s = 0; s < sources; ++s) {
      if (!outputs[s].Write(out.data() + s * hop, count, &error)) return program.Fail(error);
    }
    left -= count;
  }

  for (WavWriter& output : outputs) {
    if (!output.Commit(&error)) return program.Fail(error);
  }
  if (program.Has("--features") && !features.Commit(&error)) return program.Fail(error);
  if (program.Has("--masks") && !masks.Commit(&error)) return program.Fail(error);
  for (const std::string& path : paths) std::printf("%s\n", path.c_str());
  return 0;
}
