#include "micro/boards/host/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace groupcomm::host {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 30;  // limit of a file that is read at once

}  // namespace

bool ReadFile(const std::string& path, std::vector<uint8_t>* content, std::string* error) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) {
    *error = path + ": cannot read (" + std::strerror(errno) + "); check the path";
    return false;
  }
  if (!S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) > kMaxBytes) {
    *error = path + ": not a file, or larger than 1 GiB; check the path";
    return false;
  }
  FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) {
    *error = path + ": cannot read (" + std::strerror(errno) + "); check its permissions";
    return false;
  }
  content->resize(status.st_size);
  const size_t got = std::fread(content->data(), 1, content->size(), file);
  std::fclose(file);
  if (got != content->size()) {
    *error = path + ": ended after " + std::to_string(got) + " of " +
             std::to_string(content->size()) + " bytes; read it again";
    return false;
  }
  return true;
}

bool MakeFolder(const std::string& path, std::string* error) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (!code && !std::filesystem::is_directory(path, code) && !code)
    code = std::make_error_code(std::errc::not_a_directory);
  if (code)
    *error =
        path + ": cannot create this folder (" + code.message() + "); choose another output folder";
  return !code;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::move(other.temporary_)),
      file_(std::exchange(other.file_, nullptr)) {
  other.temporary_.clear();
}

AtomicFile::~AtomicFile() {
  if (file_ != nullptr) std::fclose(file_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

bool AtomicFile::Fail(std::string* error) {
  *error = path_ + ": cannot write (" + std::strerror(errno) +
           "); free some space or choose another place";
  return false;
}

bool AtomicFile::Open(const std::string& path, std::string* error) {
  path_ = path;
  const std::filesystem::path p(path);
  std::string name = (p.parent_path() / (".part-XXXXXX" + p.filename().string())).string();
  const int fd = mkstemps(name.data(), static_cast<int>(p.filename().string().size()));
  if (fd < 0) return Fail(error);
  temporary_ = name;
  const mode_t mask = umask(0);
  umask(mask);
  // mkstemp creates private files; this gives the usual permissions
  file_ = fchmod(fd, 0666 & ~mask) == 0 ? fdopen(fd, "wb") : nullptr;
  if (file_ == nullptr) {
    Fail(error);
    close(fd);
    return false;
  }
  return true;
}

bool AtomicFile::Write(const void* data, size_t bytes, std::string* error) {
  return bytes == 0 || std::fwrite(data, 1, bytes, file_) == bytes || Fail(error);
}

bool AtomicFile::Commit(std::string* error) {
  const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
  if (!closed || std::rename(temporary_.c_str(), path_.c_str()) != 0) return Fail(error);
  temporary_.clear();
  return true;
}

}  // namespace groupcomm::host
