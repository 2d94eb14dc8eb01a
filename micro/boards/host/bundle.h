// Reads a bundle, docs/reference/bundle.md, and checks all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "micro/engine/tflm_engine.h"
#include "micro/stream/stream.h"

namespace groupcomm::host {

struct Bundle {
  std::string folder;
  int sample_rate;
  StreamConfig stream;  // its tables are the next two
  std::vector<float> analysis;
  std::vector<int32_t> steps;
  std::vector<std::string> operators;
  std::vector<uint8_t> model;  // at a multiple of 16, which is what operator new gives
  size_t arena_bytes;

  struct {
    int hops;
    std::vector<uint8_t> pcm;       // (hops, hop) int16
    std::vector<uint8_t> features;  // (hops, inputs) int8
    std::vector<uint8_t> masks;     // (hops, outputs) int8
  } golden;
};

// On failure `error` is one line that names the file, the value and the way out.
bool LoadBundle(const std::string& folder, Bundle* bundle, std::string* error);

// "library" or "ours"; false for another word.
bool ReadKernels(const std::string& word, Kernels* kernels, std::string* error);

// What an arena may take with these kernels. bundle.json says what the library's need; others keep more there, and a host has it.
size_t ArenaRoom(const Bundle& bundle, Kernels kernels);

// An engine with the bundle's model in an arena of its own, on the library's kernels: what all others are held against. The bundle
// outlives it.
class BundleEngine {
 public:
  bool Init(const Bundle& bundle, std::string* error, Kernels kernels = LibraryKernels);

  TflmEngine* engine() { return &engine_; }

 private:
  std::vector<uint8_t> arena_;
  TflmEngine engine_;
};

// What TFLM does with an arena of this size. Found in a process of its own, because in too small an arena some of its kernels do
// not report the failed allocation but write to address 0.
enum class Fit { kFits, kRefused, kCrashed };
Fit TryArena(const Bundle& bundle, size_t arena_bytes, Kernels kernels = LibraryKernels);

}  // namespace groupcomm::host
