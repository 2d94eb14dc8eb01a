// Reads whole files, and writes files completely or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace groupcomm::host {

// Reads a file; on failure `error` is one line with the path and the reason.
bool ReadFile(const std::string& path, std::vector<uint8_t>* content, std::string* error);

// Creates a folder and its parents where they are missing.
bool MakeFolder(const std::string& path, std::string* error);

// A file that gets its name only at Commit. Before that, and when the program fails, a file of that
// name does not exist or is the old one.
class AtomicFile {
 public:
  AtomicFile() = default;
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();  // removes what was not committed

  bool Open(const std::string& path, std::string* error);
  bool Write(const void* data /* (bytes) */, size_t bytes, std::string* error);
  bool Commit(std::string* error);

 private:
  bool Fail(std::string* error);

  std::string path_, temporary_;
  FILE* file_ = nullptr;
};

}  // namespace groupcomm::host
