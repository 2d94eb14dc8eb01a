/* A network as plain C: what a file written by `groupcomm compile` exports. Written by `python
   tools/contract.py` from micro/contract/contract.toml; do not edit. */
#ifndef GROUPCOMM_MICRO_CONTRACT_STATIC_MODEL_H_
#define GROUPCOMM_MICRO_CONTRACT_STATIC_MODEL_H_
/* clang-format off */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* between the 256 values of a feature */
#define GC_FEATURE_THRESHOLDS 255

typedef struct { /* real value = (q - zero_point) * scale */
  float scale;
  int32_t zero_point;
} gc_quantization;

/* The signal path around a network. tf_model/signal.py defines it. */
typedef struct {
  /* Hz */
  int32_t sample_rate;
  /* samples of a frame, a power of two; GROUPCOMM_WINDOW allows only that one */
  int32_t window;
  /* samples between frames; it divides half the window */
  int32_t hop;
  /* feature = power ** (exponent / 2); 1 with waveform */
  float exponent;
  /* decay per hop of the running level that normalizes the features; 0: not normalized */
  float level_decay;
  /* decay per hop of the running mean that is subtracted from the samples; 0: not subtracted */
  float dc_decay;
  /* 1: the network maps the samples of a frame, divided by their level, to those of the sources */
  int32_t waveform;
  /* number of bands of equal width for features and masks; 0: bin after bin */
  int32_t bands;
  /* with bands, number of bins of the upper half that share one value; otherwise 1 */
  int32_t pool;
  /* number of values of the band below and of the band above that are inputs of each band */
  int32_t neighbours;
  /* number of output signals */
  int32_t sources;
  /* of the network's input */
  gc_quantization features;
  /* of the network's output */
  gc_quantization masks;
  /* (window) periodic square-root Hann window; ones with waveform */
  const float* analysis;
  /* (GC_FEATURE_THRESHOLDS) powers at which a feature takes its next value, as bits of a float; null with waveform */
  const int32_t* feature_thresholds;
} gc_signal_path;

typedef struct gc_model {
  /* a C identifier */
  const char* name;
  /* of the .tflite, as in bundle.json */
  uint32_t model_crc32;
  gc_signal_path signal;
  /* number of features of a hop */
  int32_t inputs;
  /* number of masks of a hop, of all sources */
  int32_t outputs;
  /* of the network: state and activations, aligned to 16 bytes */
  uint32_t memory_bytes;
  /* restores the initial state in memory (memory_bytes); null without the network as C */
  void (*reset)(void* memory);
  /* runs one hop: features (inputs), masks (outputs); the state in memory persists */
  void (*run)(void* memory, const int8_t* features, int8_t* masks);
} gc_model;

#ifdef __cplusplus
}
#endif

/* clang-format on */
#endif /* GROUPCOMM_MICRO_CONTRACT_STATIC_MODEL_H_ */
