// The hop-by-hop separator: PCM in, PCM of every source out. Five functions on an opaque state that
// is in the caller's memory:
//
//   Stream* s;
//   StreamCreate(config, &engine, memory, StreamBytes(config), &s);
//   while (...) StreamProcess(s, in, out);   // out is StreamLatency(s) samples behind in
//   StreamReset(s);
//   StreamDestroy(s);
//
// tf_model/signal.py defines the signal path; this is the same in C++. Nothing is allocated.
#pragma once

#include <cstddef>
#include <cstdint>

#include "micro/engine/engine.h"

namespace groupcomm {

struct Quantization {  // real value = (q - zero_point) * scale
  float scale;
  int zero_point;
};

struct StreamConfig {
  // samples of a frame: a power of two in 32..4096; GROUPCOMM_WINDOW allows only that one
  int window;
  int hop;         // samples between frames; it divides half the window
  int sources;     // number of masks of the network, 1..8
  float exponent;  // feature = power ** (exponent / 2)
  Quantization features;
  Quantization masks;
  // decay per hop of the running level that normalizes the features; 0: not normalized
  float kept;
  int bands;  // number of bands of equal width for features and masks; 0: bin after bin
  int pool;   // with bands, number of bins of the upper half that share one value; otherwise 1
  // with bands, number of values of the band below and of the band above that are inputs of each
  // band; otherwise 0
  int neighbours;
  // decay per hop of the running mean that is subtracted from the samples; 0: not subtracted
  float dc_kept;

  // `StreamTables` or `groupcomm compile` computes these tables; they outlive the stream.
  const float* analysis;  // (window)
  const int32_t* steps;   // (kFeatureSteps)
};

constexpr int kFeatureSteps = 255;  // thresholds between the 256 values of a feature

class Stream;

// Number of frequency bins of a frame.
constexpr int StreamBins(const StreamConfig& config) { return config.window / 2 + 1; }

// Number of values of a frame, and of masks of a source. Without bands these are the bins; with
// bands, the single bins and the pools.
constexpr int StreamValues(const StreamConfig& config) {
  return config.bands ? config.window / 4 + config.window / 4 / config.pool : StreamBins(config);
}

// Number of features of a frame, including those that each band receives from its neighbours.
constexpr int StreamInputs(const StreamConfig& config) {
  return StreamValues(config) + 2 * config.bands * config.neighbours;
}

// Bytes of memory that StreamCreate needs; 0 for an invalid config.
size_t StreamBytes(const StreamConfig& config);

// An upper bound of StreamBytes on any core, as a constant expression: for the size of an array. It
// does not depend on tables, scales and exponent.
constexpr size_t StreamMemory(const StreamConfig& config) {
  const size_t window = config.window, values = StreamValues(config), sources = config.sources,
               neighbours = config.neighbours;
  const size_t means = config.dc_kept > 0 ? window / config.hop : 0;
  // frame, spectrum, time signal of one source; overlap of each source
  const size_t floats = (3 + sources) * window + means;
  const size_t bytes = 2 * window /* history */ + StreamInputs(config) +
                       (neighbours ? values + 2 * neighbours : 0) + sources * values;
  constexpr size_t kObject = 256, kAlignments = 8 * 16;
  return (kObject + kAlignments + sizeof(float) * floats + bytes + 15) / 16 * 16;
}

// Creates a stream in `memory`, which is aligned to 16 bytes. Memory and engine belong to the
// caller and outlive the stream.
Status StreamCreate(const StreamConfig& config, Engine* engine, void* memory /* (bytes) */,
                    size_t bytes, Stream** stream);

// Processes one hop. When the engine fails, `out` is silence and the stream can continue.
Status StreamProcess(Stream* stream, const int16_t* in /* (hop) */,
                     int16_t* out /* (sources, hop) */);

// Restores the state after StreamCreate, including that of the engine.
Status StreamReset(Stream* stream);

// Delay of the output in samples: window - hop.
int StreamLatency(const Stream* stream);

// Ends the stream. The caller can use its memory again.
void StreamDestroy(Stream* stream);

// The input and output of the engine at the last hop, to compare with another implementation.
const int8_t* StreamFeatures(
    const Stream* stream);                        // (bands or 1, neighbours + width + neighbours)
const int8_t* StreamMasks(const Stream* stream);  // (bands or 1, sources, width)

}  // namespace groupcomm
