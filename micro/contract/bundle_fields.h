/* bundle.json as the C++ code reads it, with StreamValues of micro/stream/stream.h. Written by
   `python tools/contract.py` from micro/contract/contract.toml; do not edit. */
#ifndef GROUPCOMM_MICRO_CONTRACT_BUNDLE_FIELDS_H_
#define GROUPCOMM_MICRO_CONTRACT_BUNDLE_FIELDS_H_
/* clang-format off */

#include "micro/contract/static_model.h"

#define GC_BUNDLE_SCHEMA 2
#define GC_BUNDLE_MAX_ARENA_BYTES 16777216

/* X(field, rule, object and key in bundle.json, lowest, highest) for the gc_signal_path* s. A field
   is checked before it appears in the limits of another one. */
#define GC_SIGNAL_FIELDS(X, s) \
  X(sample_rate, integer, signal, "sample_rate", 8000, 48000) \
  X(window, power_of_two, signal, "window", 32, 4096) \
  X(hop, integer, signal, "hop", 1, (s)->window / 2) \
  X(exponent, positive, signal, "exponent", 0, 0) \
  X(level_decay, decay, signal, "level", 0, 0) \
  X(dc_decay, optional_decay, signal, "dc", 0, 0) \
  X(waveform, optional_flag, signal, "waveform", 0, 0) \
  X(bands, integer, signal, "bands", 0, (s)->waveform ? 0 : (s)->window / 4) \
  X(pool, integer, signal, "pool", 1, (s)->bands ? (s)->window / 4 : 1) \
  X(neighbours, integer, signal, "neighbours", 0, (s)->bands ? StreamValues(*(s)) / (s)->bands : 0) \
  X(sources, integer, top, "sources", 1, 8) \
  X(features, quantization, top, "features", 0, 0) \
  X(masks, quantization, top, "masks", 0, 0)

/* X(field, object and key in bundle.json, what it divides where it is not 0, the same in words) */
#define GC_SIGNAL_DIVISORS(X, s) \
  X(pool, signal, "pool", (s)->window / 4, "window / 4") \
  X(bands, signal, "bands", StreamValues(*(s)), "values") \
  X(hop, signal, "hop", (s)->window / 2, "window / 2")

/* clang-format on */
#endif /* GROUPCOMM_MICRO_CONTRACT_BUNDLE_FIELDS_H_ */
