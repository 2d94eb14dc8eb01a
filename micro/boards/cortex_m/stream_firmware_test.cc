// stream_firmware_test FIRMWARE PCM BUDGET: compares the stream on a board with the stream on this
// host.
//
// Every board computes the same bits as the host, operation by operation. No hop takes more than
// BUDGET instructions.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "micro/boards/cortex_m/echo.h"
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

template <typename T>
void Compare(const char* what, const std::vector<T>& board, const std::vector<T>& host) {
  CHECK_EQ(board.size(), host.size());
  int different = 0;
  for (size_t i = 0; i < host.size(); ++i) different += board[i] != host[i];
  std::printf("%s: %d of %zu differ\n", what, different, host.size());
  CHECK_EQ(different, 0);
  CHECK_TRUE(std::set<T>(host.begin(), host.end()).size() > 100);  // sound, and not silence
}

}  // namespace
}  // namespace groupcomm::board

int main(int argc, char** argv) {
  using namespace groupcomm;         // NOLINT
  using namespace groupcomm::board;  // NOLINT
  CHECK_EQ(argc, 4);
  const std::string folder = std::getenv("TEST_TMPDIR"), sound = folder + "/sound",
                    features = folder + "/features";
  const std::string count = folder + "/count.json";
  CHECK_EQ(std::system((std::string(argv[1]) + " --count " + count + " " + argv[2] + " " + sound +
                        " " + features)
                           .c_str()),
           0);

  const std::vector<int16_t> pcm = Read<int16_t>(argv[2]);
  const SignalPath& path = PassthroughPath();
  const int hop = kPassthroughHop, inputs = kPassthroughInputs,
            hops = static_cast<int>(pcm.size()) / hop;
  CHECK_LE(100, hops);
  std::vector<int16_t> expected(hops * hop);             // (hops, hop)
  std::vector<int8_t> expected_features(hops * inputs);  // (hops, inputs)
  PassthroughEngine engine;
  std::vector<std::max_align_t> memory(StreamBytes(path) / sizeof(std::max_align_t) + 1);
  Stream* stream;
  CHECK_STATUS(StreamCreate(path, &engine, memory.data(), StreamBytes(path), &stream),
               GROUPCOMM_OK);
  for (int i = 0; i < hops; ++i) {
    CHECK_STATUS(StreamProcess(stream, pcm.data() + i * hop, expected.data() + i * hop),
                 GROUPCOMM_OK);
    std::memcpy(expected_features.data() + i * inputs, StreamFeatures(stream), inputs);
  }
  Compare("samples", Read<int16_t>(sound), expected);
  Compare("features", Read<int8_t>(features), expected_features);

  const std::vector<char> json = Read<char>(count);
  const std::string counted(json.begin(), json.end());
  long long runs = 0, least = 0, worst = 0;
  const size_t at = counted.find("{\"span\": 0, ");
  CHECK_TRUE(at != std::string::npos);
  CHECK_EQ(std::sscanf(counted.c_str() + at,
                       "{\"span\": 0, \"runs\": %lld, \"least\": %lld, \"worst\": %lld", &runs,
                       &least, &worst),
           3);
  std::printf("instructions per hop: %lld to %lld\n", least, worst);
  CHECK_EQ(runs, hops);
  CHECK_LE(worst, std::atoll(argv[3]));
}
