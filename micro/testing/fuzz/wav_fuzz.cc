// Fuzzes the reader of WAV files: the input is a file. What is read has the length that was said.
// The file is in memory: the linker puts the functions below in the place of those of the C library
// (-Wl,--wrap), because system calls take ten times as long as the reader.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "micro/boards/host/wav.h"

namespace {

const char* const kPath = "fuzz.wav";

struct {
  const uint8_t* data;  // (size)
  size_t size;
  int64_t at;
  bool open;
} file;

bool IsOurs(const FILE* stream) { return reinterpret_cast<const void*>(stream) == &file; }

}  // namespace

// Other files are those of libFuzzer.
extern "C" {

FILE* __real_fopen(const char* path, const char* mode);
int __real_fclose(FILE* stream);
size_t __real_fread(void* to, size_t size, size_t count, FILE* stream);
int __real_fseek(FILE* stream, long offset, int whence);
long __real_ftell(FILE* stream);
int __real_stat(const char* path, struct stat* status);

FILE* __wrap_fopen(const char* path, const char* mode) {
  if (std::strcmp(path, kPath) != 0) return __real_fopen(path, mode);
  if (file.open) std::abort();
  file.at = 0, file.open = true;
  return reinterpret_cast<FILE*>(&file);
}

int __wrap_fclose(FILE* stream) {
  if (!IsOurs(stream)) return __real_fclose(stream);
  file.open = false;
  return 0;
}

size_t __wrap_fread(void* to, size_t size, size_t count, FILE* stream) {
  if (!IsOurs(stream)) return __real_fread(to, size, count, stream);
  const int64_t there = std::max<int64_t>(0, static_cast<int64_t>(file.size) - file.at);
  const size_t bytes = std::min<size_t>(size * count, there);
  if (bytes != 0) std::memcpy(to, file.data + file.at, bytes);
  file.at += bytes;
  return bytes / size;
}

int __wrap_fseek(FILE* stream, long offset, int whence) {
  if (!IsOurs(stream)) return __real_fseek(stream, offset, whence);
  if (whence != SEEK_CUR) std::abort();
  if (file.at + offset < 0) return errno = EINVAL, -1;
  file.at += offset;  // also behind the end
  return 0;
}

long __wrap_ftell(FILE* stream) { return IsOurs(stream) ? file.at : __real_ftell(stream); }

int __wrap_stat(const char* path, struct stat* status) {
  if (std::strcmp(path, kPath) != 0) return __real_stat(path, status);
  *status = {};
  status->st_mode = S_IFREG;
  status->st_size = file.size;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  file.data = data, file.size = size;
  static std::string error;
  {
    groupcomm::host::WavReader reader;
    error.clear();
    if (!reader.Open(kPath, 16000, &error)) {
      if (error.empty() || error.find('\n') != std::string::npos) std::abort();
    } else {
      if (reader.samples() <= 0 || reader.samples() > static_cast<int64_t>(size / 2)) std::abort();
      int16_t pcm[128];
      for (int64_t left = reader.samples(); left > -128; left -= 128)  // one block behind the end
        if (!reader.Read(pcm, 128, &error)) std::abort();
    }
  }
  if (file.open) std::abort();
  return 0;
}

}  // extern "C"
