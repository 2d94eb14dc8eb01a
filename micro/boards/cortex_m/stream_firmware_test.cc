// The stream on a board against the stream on this host, on the same sound: stream_firmware_test FIRMWARE PCM
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "micro/boards/cortex_m/pass_through.h"
#include "micro/boards/host/files.h"
#include "micro/testing/check.h"

namespace groupcomm::board {
namespace {

template <typename T>
std::vector<T> Read(const std::string& path) {
  std::vector<uint8_t> content;
  std::string error;
  if (!host::ReadFile(path, &content, &error)) std::fprintf(stderr, "%s\n", error.c_str());
  std::vector<T> values(content.size() / sizeof(T));
  std::memcpy(values.data(), content.data(), values.size() * sizeof(T));
  return values;
}

// How many values differ, and by how much at most.
template <typename T>
int Worst(const char* what, const std::vector<T>& board, const std::vector<T>& host) {
  CHECK_EQ(board.size(), host.size());
  int worst = 0, different = 0;
  for (size_t i = 0; i < host.size(); ++i) {
    worst = std::max(worst, std::abs(board[i] - host[i]));
    different += board[i] != host[i];
  }
  std::printf("%s: %d of %zu differ, by %d at most\n", what, different, host.size(), worst);
  return worst;
}

}  // namespace
}  // namespace groupcomm::board

int main(int, char** argv) {
  using namespace groupcomm;         // NOLINT
  using namespace groupcomm::board;  // NOLINT
  const std::string folder = std::getenv("TEST_TMPDIR"), sound = folder + "/sound", features = folder + "/features";
  CHECK_EQ(std::system((std::string(argv[1]) + " " + argv[2] + " " + sound + " " + features).c_str()), 0);

  const std::vector<int16_t> pcm = Read<int16_t>(argv[2]);
  const int hop = kPassThrough.hop, bins = StreamBins(kPassThrough), hops = static_cast<int>(pcm.size()) / hop;
  CHECK_LE(100, hops);
  std::vector<int16_t> expected(hops * hop);          // (hops, hop)
  std::vector<int8_t> expected_features(hops * bins);  // (hops, bins)
  PassThrough engine;
  std::vector<std::max_align_t> memory(StreamBytes(kPassThrough) / sizeof(std::max_align_t));
  Stream* stream;
  CHECK_STATUS(StreamCreate(kPassThrough, &engine, memory.data(), StreamBytes(kPassThrough), &stream), Status::kOk);
  for (int i = 0; i < hops; ++i) {
    CHECK_STATUS(StreamProcess(stream, pcm.data() + i * hop, expected.data() + i * hop), Status::kOk);
    std::memcpy(expected_features.data() + i * bins, StreamFeatures(stream), bins);
  }
  const int worst_sound = Worst("samples", Read<int16_t>(sound), expected);
  const int worst_feature = Worst("features", Read<int8_t>(features), expected_features);
  CHECK_LE(worst_sound, 1);
  CHECK_LE(worst_feature, 1);
}
