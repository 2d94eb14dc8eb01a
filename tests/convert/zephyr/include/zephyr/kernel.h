#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int64_t ticks;
} k_timeout_t;
#ifdef __cplusplus
#define STAND_IN_TIMEOUT(t) (k_timeout_t{t})
#else
#define STAND_IN_TIMEOUT(t) ((k_timeout_t){t})
#endif
#define K_FOREVER STAND_IN_TIMEOUT(-1)
#define K_NO_WAIT STAND_IN_TIMEOUT(0)
#define K_SECONDS(s) STAND_IN_TIMEOUT(s)
#define ARG_UNUSED(x) (void)(x)

struct k_msgq {
  uint8_t* bytes;
  uint32_t size, put, got; /* in messages of one byte */
};
#define K_MSGQ_DEFINE(name, message_size, size, align) \
  static uint8_t name##_bytes[size];                   \
  struct k_msgq name = {name##_bytes, (size) / ((message_size) == 1), 0, 0}
int k_msgq_put(struct k_msgq* queue, const void* data, k_timeout_t timeout);
int k_msgq_get(struct k_msgq* queue, void* data, k_timeout_t timeout);

struct k_mem_slab {
  char* buffer;
  uint32_t block_size, num_blocks;
  uint32_t used; /* one bit for each block */
};
#define K_MEM_SLAB_DEFINE_STATIC(name, size, count, align)                     \
  static char __attribute__((aligned(align))) name##_buffer[(count) * (size)]; \
  static struct k_mem_slab name = {name##_buffer, size, count, 0}
int k_mem_slab_alloc(struct k_mem_slab* slab, void** mem, k_timeout_t timeout);
void k_mem_slab_free(struct k_mem_slab* slab, void* mem);

struct k_sem {
  unsigned count, limit;
};
#define K_SEM_DEFINE(name, initial, limit) struct k_sem name = {initial, limit}
void k_sem_give(struct k_sem* sem);
int k_sem_take(struct k_sem* sem, k_timeout_t timeout);

/* There is one thread only, so that this one never runs. */
typedef void (*k_thread_entry_t)(void* p1, void* p2, void* p3);
struct stand_in_thread {
  k_thread_entry_t entry;
  char* stack;
};
#define K_THREAD_DEFINE(name, stack_size, entry, p1, p2, p3, prio, options, delay) \
  static char name##_stack[stack_size];                                            \
  extern const struct stand_in_thread name;                                        \
  const struct stand_in_thread name = {entry, name##_stack}

int32_t k_sleep(k_timeout_t timeout);

#ifdef __cplusplus
}
#endif
