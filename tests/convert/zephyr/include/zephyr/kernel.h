#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int64_t ticks;
} k_timeout_t;
#define K_FOREVER (k_timeout_t{-1})
#define K_NO_WAIT (k_timeout_t{0})
#define K_SECONDS(s) (k_timeout_t{s})

struct k_msgq {
  uint8_t* bytes;
  uint32_t size, put, got; /* in messages of one byte */
};
#define K_MSGQ_DEFINE(name, message_size, size, align) \
  static uint8_t name##_bytes[size];                   \
  struct k_msgq name = {name##_bytes, (size) / ((message_size) == 1), 0, 0}
int k_msgq_put(struct k_msgq* queue, const void* data, k_timeout_t timeout);
int k_msgq_get(struct k_msgq* queue, void* data, k_timeout_t timeout);
int32_t k_sleep(k_timeout_t timeout);

#ifdef __cplusplus
}
#endif
