// The hop-by-hop separator: PCM in, PCM of every source out. Five verbs around an opaque state that lives in the caller's memory:
//
//   Stream* s;
//   StreamCreate(config, &engine, memory, StreamBytes(config), &s);
//   while (...) StreamProcess(s, in, out);   // out is StreamLatency(s) samples behind in
//   StreamReset(s);
//   StreamDestroy(s);
//
// The definition of the signal path is tf_model/signal.py; this is its twin. Nothing is allocated.
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
  int window;      // samples of a frame: a power of two in 32..4096; where GROUPCOMM_WINDOW is defined, that one
  int hop;         // samples between frames: divides half the window
  int sources;     // masks of the network, 1..8
  float exponent;  // feature = power ** (exponent / 2)
  Quantization features;
  Quantization masks;
  float kept;      // what the running level, to which features are relative, keeps of itself from hop to hop; 0: there is none
  int bands;       // features and masks come in so many bands of equal width; 0: bin after bin
  int pool;        // with bands, bins of the upper half count by so many; 1 without
  int neighbours;  // with bands, values of the band below and of that above that each band sees; 0 without
  float dc_kept;   // what the running mean, which is subtracted from the samples, keeps of itself from hop to hop; 0: it is not

  // `StreamTables` makes them, or `groupcomm compile`; they outlive the stream.
  const float* analysis;  // (window)
  const int32_t* steps;   // (kFeatureSteps)
};

constexpr int kFeatureSteps = 255;  // between the 256 values of a feature

class Stream;

// Frequency bins of a frame.
constexpr int StreamBins(const StreamConfig& config) { return config.window / 2 + 1; }

// What the network sees of them, and masks of a source: bins, or with bands those alone and those in pools.
constexpr int StreamValues(const StreamConfig& config) {
  return config.bands ? config.window / 4 + config.window / 4 / config.pool : StreamBins(config);
}

// Features of a frame, those that a band sees of its neighbours included.
constexpr int StreamInputs(const StreamConfig& config) { return StreamValues(config) + 2 * config.bands * config.neighbours; }

// Memory that StreamCreate needs; 0 for a config that it refuses.
size_t StreamBytes(const StreamConfig& config);

// No less than that, on any core and before the program runs: for an array. Tables, scales and exponent do not count.
constexpr size_t StreamMemory(const StreamConfig& config) {
  const size_t window = config.window, values = StreamValues(config), sources = config.sources, neighbours = config.neighbours;
  const size_t means = config.dc_kept > 0 ? window / config.hop : 0;
  const size_t floats = (3 + sources) * window + means;  // frame, spectrum, time of one source, overlap of each
  const size_t bytes = 2 * window /* history */ + StreamInputs(config) + (neighbours ? values + 2 * neighbours : 0) + sources * values;
  constexpr size_t kObject = 256, kAlignments = 8 * 16;
  return (kObject + kAlignments + sizeof(float) * floats + bytes + 15) / 16 * 16;
}

// Makes a stream in `memory`, aligned to 16, which belongs to the caller like the engine; both outlive the stream.
Status StreamCreate(const StreamConfig& config, Engine* engine, void* memory, size_t bytes, Stream** stream);

// One hop. When the engine fails, `out` is silence and the stream may go on.
Status StreamProcess(Stream* stream, const int16_t* in /* (hop) */, int16_t* out /* (sources, hop) */);

// Back to the state after StreamCreate, the engine's included.
Status StreamReset(Stream* stream);

// Samples by which the output is behind the input: window - hop.
int StreamLatency(const Stream* stream);

// Ends the stream; its memory is the caller's again.
void StreamDestroy(Stream* stream);

// What the engine saw and gave at the last hop, to hold against another implementation.
const int8_t* StreamFeatures(const Stream* stream);  // (bands or 1, neighbours + width + neighbours)
const int8_t* StreamMasks(const Stream* stream);     // (bands or 1, sources, width)

}  // namespace groupcomm
