/* A network as plain C: the one thing that a file written by `groupcomm compile` exports. */
#ifndef GROUPCOMM_MICRO_ENGINE_STATIC_MODEL_H_
#define GROUPCOMM_MICRO_ENGINE_STATIC_MODEL_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct { /* real value = (q - zero_point) * scale */
  float scale;
  int32_t zero_point;
} gc_quantization;

typedef struct {
  const char* name;
  uint32_t model_crc32; /* of the .tflite that it was made from, as in bundle.json */
  /* The signal path: StreamConfig, micro/stream/stream.h. */
  int32_t window, hop, sources;
  float exponent;
  gc_quantization features, masks;
  float kept;
  int32_t bands, pool, neighbours;
  float dc_kept;
  const float* analysis; /* (window) */
  const int32_t* steps;  /* (255) */
  int32_t inputs, outputs; /* features in, masks out */
  uint32_t memory_bytes; /* state and activations, at a multiple of 16 */
  void (*reset)(void* memory);
  /* One hop: features (inputs) to masks (outputs); the state in memory goes on. */
  void (*run)(void* memory, const int8_t* features, int8_t* masks);
} gc_model;

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_MICRO_ENGINE_STATIC_MODEL_H_ */
