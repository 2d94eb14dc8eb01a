#include "micro/boards/host/wav.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "WAV and bundle files are little-endian and are read without conversion"
#endif

namespace groupcomm::host {
namespace {

constexpr uint16_t kPcm = 1, kExtensible = 0xFFFE;
// Returns whether a size is that of programs which cannot seek back to the header: sox and arecord
// write about 2^31, ffmpeg about 2^32. A recorder that is killed leaves 0.
bool IsUnknownLength(uint32_t bytes) {
  constexpr uint32_t kSlack = 256;
  return bytes == 0 || (bytes >= 0x7FFFF000u - kSlack && bytes <= 0x80000000u + kSlack) ||
         bytes >= 0xFFFFF000u - kSlack;
}
constexpr const char* kWayOut = "`groupcomm process` converts other sound files";

struct Chunk {
  char id[4];
  uint32_t bytes;
};

struct Format {
  uint16_t kind, channels;
  uint32_t sample_rate, bytes_per_second;
  uint16_t block, bits;
};

struct Header {
  char riff[4];
  uint32_t bytes;
  char wave[4], fmt[4];
  uint32_t fmt_bytes;
  Format format;
  Chunk data;
};

static_assert(sizeof(Chunk) == 8 && sizeof(Format) == 16 && sizeof(Header) == 44,
              "the structs have the layout of the file");

// Returns whether a chunk's identifier (4) is `name`.
bool IdEquals(const char* id, const char* name) { return std::memcmp(id, name, 4) == 0; }

}  // namespace

WavReader::~WavReader() {
  if (file_ != nullptr) std::fclose(file_);
}

bool WavReader::Open(const std::string& path, int sample_rate, std::string* error) {
  path_ = path;
  const auto fail = [&](const std::string& words) {
    *error = path + ": " + words;
    return false;
  };
  struct stat status;
  if (stat(path.c_str(), &status) != 0 || (file_ = std::fopen(path.c_str(), "rb")) == nullptr) {
    return fail(std::string("cannot read (") + std::strerror(errno) + "); check the path");
  }
  if (!S_ISREG(status.st_mode)) return fail("not a file; check the path");

  char riff[12];
  if (std::fread(riff, 1, sizeof(riff), file_) != sizeof(riff) || !IdEquals(riff, "RIFF") ||
      !IdEquals(riff + 8, "WAVE")) {
    return fail(std::string("not a WAV file; ") + kWayOut);
  }
  uint32_t riff_bytes;
  std::memcpy(&riff_bytes, riff + 4, sizeof(riff_bytes));
  Format format{};
  bool described = false;
  for (;;) {
    Chunk chunk;
    if (std::fread(&chunk, sizeof(chunk), 1, file_) != 1)
      return fail("a WAV file without sound; record or export it again");
    if (IdEquals(chunk.id, "data")) {
      if (!described)
        return fail("sound before its format (no fmt chunk); record or export it again");
      const int64_t there = status.st_size - std::ftell(file_);
      // The sizes of an empty file are right when other chunks follow.
      const bool ends_here = riff_bytes == 0 || riff_bytes + int64_t{8} <= std::ftell(file_);
      const bool unknown =
          IsUnknownLength(chunk.bytes) && (chunk.bytes == 0 ? ends_here : chunk.bytes > there);
      const int64_t bytes = unknown ? there : chunk.bytes;
      if (bytes > there) {
        return fail("cut short: its header says " + std::to_string(bytes) +
                    " bytes of sound, there are " + std::to_string(there) + "; copy it again");
      }
      samples_ = left_ = bytes / static_cast<int64_t>(sizeof(int16_t));
      if (samples_ == 0) return fail("a WAV file without sound; record or export it again");
      return true;
    }
    long skip =
        static_cast<long>(chunk.bytes) + chunk.bytes % 2;  // chunks are padded to even lengths
    if (IdEquals(chunk.id, "fmt ")) {
      // size of the extension, valid bits, speakers, then the format again at the start of a GUID
      uint8_t extension[10] = {};
      if (chunk.bytes < sizeof(format) || std::fread(&format, sizeof(format), 1, file_) != 1) {
        return fail("damaged format; record or export it again");
      }
      skip -= sizeof(format);
      if (format.kind == kExtensible && chunk.bytes >= sizeof(format) + sizeof(extension)) {
        if (std::fread(extension, sizeof(extension), 1, file_) != 1)
          return fail("damaged format; record or export it again");
        skip -= sizeof(extension);
        std::memcpy(&format.kind, extension + 8, sizeof(format.kind));
      }
      if (format.kind != kPcm || format.channels != 1 || format.bits != 16 ||
          format.sample_rate != static_cast<uint32_t>(sample_rate)) {
        return fail(std::to_string(format.sample_rate) + " Hz, " + std::to_string(format.channels) +
                    " channels, " + std::to_string(format.bits) + " bits, format " +
                    std::to_string(format.kind) + "; needed are " + std::to_string(sample_rate) +
                    " Hz, 1 channel, 16 bits, format 1 (PCM); " + kWayOut);
      }
      described = true;
    }
    if (std::fseek(file_, skip, SEEK_CUR) != 0)
      return fail("damaged chunk; record or export it again");
  }
}

bool WavReader::Read(int16_t* pcm /* (count) */, int count, std::string* error) {
  const size_t wanted = std::min<int64_t>(count, left_);
  if (std::fread(pcm, sizeof(int16_t), wanted, file_) != wanted) {
    *error = path_ + ": cannot read the rest of the file; copy it again";
    return false;
  }
  left_ -= wanted;
  std::fill(pcm + wanted, pcm + count, int16_t{0});
  return true;
}

bool WavWriter::Open(const std::string& path, int sample_rate, int64_t samples,
                     std::string* error) {
  const uint32_t bytes = static_cast<uint32_t>(samples * sizeof(int16_t));
  const uint32_t rate = sample_rate;
  const Header header{{'R', 'I', 'F', 'F'},
                      bytes + static_cast<uint32_t>(sizeof(Header)) - 8,
                      {'W', 'A', 'V', 'E'},
                      {'f', 'm', 't', ' '},
                      sizeof(Format),
                      {kPcm, 1, rate, rate * 2, 2, 16},
                      {{'d', 'a', 't', 'a'}, bytes}};
  return file_.Open(path, error) && file_.Write(&header, sizeof(header), error);
}

}  // namespace groupcomm::host
