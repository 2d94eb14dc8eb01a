#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int64_t ticks;
} k_timeout_t;
#define K_FOREVER (k_timeout_t{-1})
#define K_SECONDS(s) (k_timeout_t{s})

struct k_sem {
  unsigned count, limit;
};
#define K_SEM_DEFINE(name, initial, limit) struct k_sem name = {initial, limit}
void k_sem_give(struct k_sem* sem);
int k_sem_take(struct k_sem* sem, k_timeout_t timeout);
int32_t k_sleep(k_timeout_t timeout);

#ifdef __cplusplus
}
#endif
