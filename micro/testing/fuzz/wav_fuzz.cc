// Fuzzes the reader of WAV files: the input is a file. What is read has the length that was said.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

#include "micro/boards/host/wav.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = memfd_create("fuzz.wav", 0);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  if (ftruncate(file, size) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size))
    std::abort();
  groupcomm::host::WavReader reader;
  std::string error;
  if (!reader.Open(path, 16000, &error)) {
    if (error.empty() || error.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  if (reader.samples() <= 0 || reader.samples() > static_cast<int64_t>(size / 2)) std::abort();
  int16_t pcm[128];
  for (int64_t left = reader.samples(); left > -128; left -= 128)  // one block behind the end
    if (!reader.Read(pcm, 128, &error)) std::abort();
  return 0;
}
