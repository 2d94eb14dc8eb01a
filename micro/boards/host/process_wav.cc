// process_wav: a WAV file through a network as C, which the build names. The output of each source
// is a WAV file as long as the input and aligned with it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include GROUPCOMM_NETWORK_HEADER
#include "micro/boards/host/arguments.h"
#include "micro/boards/host/wav.h"

using namespace groupcomm::host;  // NOLINT

int main(int argc, char** argv) {
  Program program("process_wav", "--input X.wav --output DIR [--attenuation-limit DB]");
  if (!program.Parse(argc, argv, {"--input", "--output"}, {"--attenuation-limit"}))
    return program.exit_code();
  const gc_signal_path& path = GROUPCOMM_NETWORK.signal;
  const int hop = path.hop, sources = path.sources;

  std::vector<uint8_t> memory(groupcomm_bytes(&GROUPCOMM_NETWORK));
  groupcomm_state* state;
  const groupcomm_status status =
      groupcomm_create(&GROUPCOMM_NETWORK, memory.data(), memory.size(), &state);
  if (status != GROUPCOMM_OK) return program.Fail(groupcomm_status_text(status));
  if (program.Has("--attenuation-limit")) {
    const std::string& text = program["--attenuation-limit"];
    char* end;
    const float decibels = std::strtof(text.c_str(), &end);
    if (end == text.c_str() || *end != '\0' ||
        groupcomm_set_attenuation_limit(state, decibels) != GROUPCOMM_OK)
      return program.Fail("--attenuation-limit " + text + " is not a number of dB from 0");
  }

  std::string error;
  WavReader input;
  if (!input.Open(program["--input"], path.sample_rate, &error) ||
      !MakeFolder(program["--output"], &error))
    return program.Fail(error);
  const std::filesystem::path folder(program["--output"]);
  const std::string stem = std::filesystem::path(program["--input"]).stem().string();
  std::vector<WavWriter> outputs(sources);
  for (int s = 0; s < sources; ++s) {
    const std::string name = sources == 1 ? "speech" : "speaker" + std::to_string(s + 1);
    const std::string file = (folder / (stem + "_" + name + ".wav")).string();
    if (!outputs[s].Open(file, path.sample_rate, input.samples(), &error))
      return program.Fail(error);
  }

  // The latency is a whole number of hops, because the hop divides half the window.
  std::vector<int16_t> in(hop), out(sources * hop);  // (hop), (sources, hop)
  const int64_t delay = groupcomm_latency(state) / hop;
  int64_t left = input.samples();
  for (int64_t i = 0; left > 0; ++i) {
    if (!input.Read(in.data(), hop, &error)) return program.Fail(error);
    if (groupcomm_process(state, in.data(), out.data()) != GROUPCOMM_OK)
      return program.Fail("the network failed on hop " + std::to_string(i));
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
  return 0;
}
