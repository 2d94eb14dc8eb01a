/* A network as plain C: the only symbol that a file written by `groupcomm compile` exports. */
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
  uint32_t model_crc32; /* of its .tflite, as in bundle.json */
  /* The signal path: see StreamConfig in micro/stream/stream.h. */
  int32_t window, hop, sources;
  float exponent;
  gc_quantization features, masks;
  float kept;
  int32_t bands, pool, neighbours;
  float dc_kept;
  const float* analysis;   /* (window) */
  const int32_t* steps;    /* (255) */
  int32_t inputs, outputs; /* number of features and of masks */
  uint32_t memory_bytes;   /* state and activations, aligned to 16 bytes */
  void (*reset)(void* memory /* (memory_bytes) */);
  /* Runs one hop: features (inputs), masks (outputs). The state in memory (memory_bytes)
     persists. */
  void (*run)(void* memory, const int8_t* features, int8_t* masks);
} gc_model;

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_MICRO_ENGINE_STATIC_MODEL_H_ */
