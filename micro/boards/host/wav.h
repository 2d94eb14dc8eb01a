// Reads and writes WAV files of one channel and 16-bit PCM, hop by hop.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "micro/boards/host/files.h"

namespace groupcomm::host {

class WavReader {
 public:
  WavReader() = default;
  WavReader(const WavReader&) = delete;
  WavReader& operator=(const WavReader&) = delete;
  ~WavReader();

  // Opens a mono 16-bit PCM file of this rate. Any other file is an error that describes the file.
  bool Open(const std::string& path, int sample_rate, std::string* error);

  int64_t samples() const { return samples_; }

  // Reads the next samples, and zeros after the end of the sound.
  bool Read(int16_t* pcm /* (count) */, int count, std::string* error);

 private:
  std::string path_;
  FILE* file_ = nullptr;
  int64_t samples_ = 0;
  int64_t left_ = 0;
};

class WavWriter {
 public:
  bool Open(const std::string& path, int sample_rate, int64_t samples, std::string* error);
  bool Write(const int16_t* pcm /* (count) */, int count, std::string* error) {
    return file_.Write(pcm, count * sizeof(int16_t), error);
  }
  bool Commit(std::string* error) { return file_.Commit(error); }

 private:
  AtomicFile file_;
};

}  // namespace groupcomm::host
