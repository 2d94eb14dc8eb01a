// The hop-by-hop stream around an engine: PCM in, PCM of every source out. The C API
// (micro/include/groupcomm.h) is a thin layer over it.
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
// bands, the single bins and the pools; with waveform, the samples.
constexpr int StreamValues(const SignalPath& path) {
  return path.waveform ? path.window
         : path.bands  ? path.window / 4 + path.window / 4 / path.pool
                       : StreamBins(path);
}

// Number of features of a frame, including those that each band receives from its neighbours.
constexpr int StreamInputs(const SignalPath& path) {
  return StreamValues(path) + 2 * path.bands * path.neighbours;
}

// Bytes of memory that StreamCreate needs; 0 for an invalid path.
size_t StreamBytes(const SignalPath& path);

// The part of them that is not a buffer, at most.
constexpr size_t kStreamObjectBytes = (48 + 18 * sizeof(void*)) / 16 * 16;

// Creates a stream in `memory`, which is aligned to 16 bytes. Path, memory and engine belong to the
// caller and outlive the stream.
Status StreamCreate(const SignalPath& path, Engine* engine, void* memory /* (bytes) */,
                    size_t bytes, Stream** stream);

// Processes one hop. When the engine fails, `out` is silence and the stream can continue.
Status StreamProcess(Stream* stream, const int16_t* in /* (hop) */,
                     int16_t* out /* (sources, hop) */);

// Restores the state after StreamCreate, including that of the engine. Lowest gain and bypass stay.
Status StreamReset(Stream* stream);

// The least factor of a mask: mask becomes gain + (1 - gain) * mask. 0 after StreamCreate. With
// waveform, every source becomes gain * input + (1 - gain) * source.
void StreamSetLowestGain(Stream* stream, float gain);

// With a bypass, the output is the delayed input. Engine and synthesis run on.
void StreamSetBypass(Stream* stream, bool on);

// Delay of the output in samples: window - hop.
int StreamLatency(const Stream* stream);

// The input and output of the engine at the last hop, to compare with another implementation.
const int8_t* StreamFeatures(
    const Stream* stream);                        // (bands or 1, neighbours + width + neighbours)
const int8_t* StreamMasks(const Stream* stream);  // (bands or 1, sources, width)

}  // namespace groupcomm
