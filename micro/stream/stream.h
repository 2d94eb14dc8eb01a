// The hop-by-hop separator: PCM in, PCM of every source out. Five functions on an opaque state that
// is in the caller's memory:
//
//   Stream* s;
//   StreamCreate(path, &engine, memory, StreamBytes(path), &s);
//   while (...) StreamProcess(s, in, out);   // out is StreamLatency(s) samples behind in
//   StreamReset(s);
//   StreamDestroy(s);
//
// tf_model/signal.py defines the signal path; this is the same in C++. Nothing is allocated.
#pragma once

#include <cstddef>
#include <cstdint>

#include "micro/contract/static_model.h"
#include "micro/engine/engine.h"

namespace groupcomm {

// The sizes and tables around a network. The tables outlive the stream: `groupcomm compile` writes
// them, or `StreamTables` computes them.
using SignalPath = gc_signal_path;

class Stream;

// Number of frequency bins of a frame.
constexpr int StreamBins(const SignalPath& path) { return path.window / 2 + 1; }

// Number of values of a frame, and of masks of a source. Without bands these are the bins; with
// bands, the single bins and the pools.
constexpr int StreamValues(const SignalPath& path) {
  return path.bands ? path.window / 4 + path.window / 4 / path.pool : StreamBins(path);
}

// Number of features of a frame, including those that each band receives from its neighbours.
constexpr int StreamInputs(const SignalPath& path) {
  return StreamValues(path) + 2 * path.bands * path.neighbours;
}

// Bytes of memory that StreamCreate needs; 0 for an invalid one.
size_t StreamBytes(const SignalPath& path);

// An upper bound of StreamBytes on any core, as a constant expression: for the size of an array. It
// does not depend on tables, scales and exponent.
constexpr size_t StreamMemory(const SignalPath& path) {
  const size_t window = path.window, values = StreamValues(path), sources = path.sources,
               neighbours = path.neighbours;
  const size_t means = path.dc_decay > 0 ? window / path.hop : 0;
  // frame, spectrum, time signal of one source; overlap of each source
  const size_t floats = (3 + sources) * window + means;
  const size_t bytes = 2 * window /* history */ + StreamInputs(path) +
                       (neighbours ? values + 2 * neighbours : 0) + sources * values;
  constexpr size_t kObject = 256, kAlignments = 8 * 16;
  return (kObject + kAlignments + sizeof(float) * floats + bytes + 15) / 16 * 16;
}

// Creates a stream in `memory`, which is aligned to 16 bytes. Path, memory and engine belong to the
// caller and outlive the stream.
Status StreamCreate(const SignalPath& path, Engine* engine, void* memory /* (bytes) */,
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
