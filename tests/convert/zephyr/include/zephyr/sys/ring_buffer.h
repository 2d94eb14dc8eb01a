#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct ring_buf {
  uint8_t* bytes;
  uint32_t size, put, got;
};
#define RING_BUF_DECLARE(name, size) \
  static uint8_t name##_bytes[size]; \
  static struct ring_buf name = {name##_bytes, size, 0, 0}
uint32_t ring_buf_put(struct ring_buf* ring, const uint8_t* bytes, uint32_t size);
uint32_t ring_buf_get(struct ring_buf* ring, uint8_t* bytes, uint32_t size);

#ifdef __cplusplus
}
#endif
