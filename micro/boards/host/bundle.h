// Reads a bundle (docs/reference/bundle.md) and checks it completely.
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
  gc_model network;             // its tables are the next two; it has no network as plain C
  std::vector<float> analysis;  // (window)
  std::vector<int32_t> feature_thresholds;  // (GC_FEATURE_THRESHOLDS)
  std::vector<std::string> operators;
  std::vector<uint8_t> model;  // aligned to 16 bytes, which operator new guarantees
  size_t arena_bytes;

  struct {
    int hops;
    std::vector<uint8_t> pcm;       // (hops, hop) int16
    std::vector<uint8_t> features;  // (hops, inputs) int8
    std::vector<uint8_t> masks;     // (hops, outputs) int8
  } golden;
};

// Loads and checks a bundle. On failure `error` is one line with the file, the value and a remedy.
bool LoadBundle(const std::string& folder, Bundle* bundle, std::string* error);

// Parses "tflm" (TFLM's kernels) or "groupcomm"; returns false for any other word.
bool ReadKernels(const std::string& word, Kernels* kernels, std::string* error);

// Returns the size of an arena for these kernels. bundle.json gives the size for TFLM's kernels.
// This project's kernels store more there, and a host has enough memory.
size_t ArenaRoom(const Bundle& bundle, Kernels kernels);

// An engine with the bundle's model in an arena of its own. By default it uses TFLM's kernels,
// which are the reference. The bundle must outlive it.
class BundleEngine {
 public:
  bool Init(const Bundle& bundle, std::string* error, Kernels kernels = TflmKernels);

  TflmEngine* engine() { return &engine_; }

 private:
  std::vector<uint8_t> arena_;
  TflmEngine engine_;
};

// Tries an arena of this size in a separate process, because in an arena that is too small some of
// TFLM's kernels write to address 0 instead of reporting the failed allocation.
enum class Fit { kFits, kRefused, kCrashed };
Fit TryArena(const Bundle& bundle, size_t arena_bytes, Kernels kernels = TflmKernels);

}  // namespace groupcomm::host
