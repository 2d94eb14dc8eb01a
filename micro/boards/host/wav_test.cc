#include "micro/boards/host/wav.h"

#include <cstdlib>
#include <cstring>
#include <vector>

#include "micro/testing/check.h"

namespace groupcomm::host {
namespace {

const std::string kPath = std::string(std::getenv("TEST_TMPDIR")) + "/x.wav";

class Bytes : public std::vector<uint8_t> {
 public:
  Bytes& Text(const char* text) {
    insert(end(), text, text + 4);
    return *this;
  }
  Bytes& U16(uint16_t x) { return push_back(x & 255), push_back(x >> 8), *this; }
  Bytes& U32(uint32_t x) { return U16(x & 0xFFFF).U16(x >> 16); }
  Bytes& Format(uint16_t kind, uint16_t channels, uint32_t rate, uint16_t bits) {
    return Text("fmt ")
        .U32(16)
        .U16(kind)
        .U16(channels)
        .U32(rate)
        .U32(rate * channels * bits / 8)
        .U16(channels * bits / 8)
        .U16(bits);
  }
};

Bytes Riff() { return Bytes().Text("RIFF").U32(0).Text("WAVE"); }
Bytes Good() { return Riff().Format(1, 1, 16000, 16); }

// Returns "" when the file opens, otherwise the error.
std::string Open(const Bytes& bytes, WavReader* reader) {
  AtomicFile file;
  std::string error;
  if (!file.Open(kPath, &error) || !file.Write(bytes.data(), bytes.size(), &error) ||
      !file.Commit(&error))
    CHECK_EQ(error, "");
  if (!reader->Open(kPath, 16000, &error)) {
    CHECK_CONTAINS(error, kPath + ": ");
    CHECK_TRUE(!testing::Contains(error, "\n"));
    return error;
  }
  return "";
}

void Refuses(const Bytes& bytes, const char* words) {
  WavReader reader;
  CHECK_CONTAINS(Open(bytes, &reader), words);
}

void Reads(const Bytes& bytes, std::vector<int16_t> expected) {
  WavReader reader;
  CHECK_EQ(Open(bytes, &reader), "");
  CHECK_EQ(reader.samples(), static_cast<int64_t>(expected.size()));
  std::vector<int16_t> got(expected.size() + 3, 7);
  std::string error;
  CHECK_TRUE(reader.Read(got.data(), 2, &error) &&
             reader.Read(got.data() + 2, static_cast<int>(got.size()) - 2, &error));
  expected.resize(got.size());  // zeros after the end
  CHECK_TRUE(got == expected);
}

void RoundTrip() {
  const std::vector<int16_t> pcm = {0, -32768, 32767, 5};
  WavWriter writer;
  std::string error;
  std::remove(kPath.c_str());
  CHECK_TRUE(writer.Open(kPath, 16000, 4, &error) && writer.Write(pcm.data(), 4, &error));
  FILE* early = std::fopen(kPath.c_str(), "rb");
  CHECK_TRUE(early == nullptr);  // a file of this name exists only when it is complete
  CHECK_TRUE(writer.Commit(&error));
  WavReader reader;
  std::vector<int16_t> got(4);
  CHECK_TRUE(reader.Open(kPath, 16000, &error) && reader.Read(got.data(), 4, &error));
  CHECK_TRUE(got == pcm);
}

}  // namespace
}  // namespace groupcomm::host

int main() {
  using namespace groupcomm::host;  // NOLINT
  Reads(Good().Text("data").U32(6).U16(1).U16(2).U16(0xFFFF), {1, 2, -1});
  // written to a pipe, or by a program that was killed
  for (const uint32_t size : {0xFFFFFFFFu, 0xFFFFFFDBu, 0x7FFFF000u, 0x80000000u, 0u})
    Reads(Good().Text("data").U32(size).U16(1).U16(2), {1, 2});
  Reads(Good().Text("LIST").U32(3).U32(0).Text("data").U32(4).U16(1).U16(2),
        {1, 2});  // a chunk of odd length is padded
  Reads(Good().Text("data").U32(4).U16(1).U16(2).Text("LIST").U32(0), {1, 2});
  Bytes extensible =
      Riff().Text("fmt ").U32(40).U16(0xFFFE).U16(1).U32(16000).U32(32000).U16(2).U16(16);
  extensible.U16(22).U16(16).U32(4).U16(1).U32(0).U32(0).U32(0).U16(0);
  Reads(extensible.Text("data").U32(4).U16(1).U16(2), {1, 2});
  RoundTrip();

  Refuses(Bytes(), "not a WAV file; `groupcomm process` converts");
  Refuses(Bytes().Text("This").Text(" is ").Text("text"), "not a WAV file");
  Refuses(Riff(), "without sound");
  Refuses(Riff().Text("data").U32(2).U16(1), "sound before its format");
  Refuses(Good(), "without sound");
  Refuses(Good().Text("data").U32(0), "without sound");
  Refuses(Good().Text("data").U32(6).U16(1),
          "cut short: its header says 6 bytes of sound, there are 2");
  Refuses(Riff().Text("fmt ").U32(4).U32(1), "damaged format");
  Refuses(Riff().Text("fmt ").U32(16).U32(1), "damaged format");
  Refuses(Riff().Format(1, 2, 44100, 16),
          "44100 Hz, 2 channels, 16 bits, format 1; needed are 16000 Hz, 1 channel");
  Refuses(Riff().Format(3, 1, 16000, 32), "32 bits, format 3; needed");
  Refuses(Riff().Format(1, 1, 16000, 24), "24 bits, format 1; needed");
  WavReader none, folder;
  std::string error;
  CHECK_TRUE(!none.Open("no/such.wav", 16000, &error));
  CHECK_CONTAINS(error, "no/such.wav: cannot read (No such file");
  CHECK_TRUE(!folder.Open("/", 16000, &error));
  CHECK_CONTAINS(error, "not a file");
}
