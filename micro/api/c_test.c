/* The API from C99: the calls of a program, and every misuse that has a status. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "enhance_nano.h"

#define CHECK(condition)                                   \
  if (!(condition)) {                                      \
    printf("%s:%d: " #condition "\n", __FILE__, __LINE__); \
    return 1;                                              \
  }

static GROUPCOMM_ALIGNED unsigned char memory[GROUPCOMM_ENHANCE_NANO_BYTES];
static int16_t in[GROUPCOMM_ENHANCE_NANO_HOP];
static int16_t out[GROUPCOMM_ENHANCE_NANO_SOURCES * GROUPCOMM_ENHANCE_NANO_HOP];

int main(void) {
  const gc_model* model = &groupcomm_enhance_nano;
  const size_t needed = groupcomm_bytes(model);
  groupcomm_state* state = NULL;
  gc_model other = *model;
  CHECK(needed > 0 && needed <= sizeof(memory) && sizeof(memory) < needed + 256);

  CHECK(groupcomm_create(model, memory, needed - 1, &state) == GROUPCOMM_MEMORY_TOO_SMALL);
  CHECK(state == NULL);
  CHECK(groupcomm_create(model, memory, 0, &state) == GROUPCOMM_MEMORY_TOO_SMALL);
  CHECK(groupcomm_create(model, memory + 8, needed, &state) == GROUPCOMM_MEMORY_NOT_ALIGNED);
  CHECK(groupcomm_create(model, NULL, needed, &state) == GROUPCOMM_BAD_ARGUMENT);
  CHECK(groupcomm_create(NULL, memory, needed, &state) == GROUPCOMM_BAD_ARGUMENT);
  CHECK(groupcomm_create(model, memory, needed, NULL) == GROUPCOMM_BAD_ARGUMENT);
  other.signal.hop = 96;
  CHECK(groupcomm_bytes(&other) == 0);
  CHECK(groupcomm_create(&other, memory, sizeof(memory), &state) == GROUPCOMM_BAD_CONFIG);
  other = *model;
  other.outputs += 1;
  CHECK(groupcomm_create(&other, memory, sizeof(memory), &state) == GROUPCOMM_ENGINE_MISMATCH);
  other = *model;
  other.run = NULL;
  CHECK(groupcomm_bytes(&other) == 0);
  CHECK(groupcomm_create(&other, memory, sizeof(memory), &state) == GROUPCOMM_BAD_MODEL);
  CHECK(state == NULL);
  CHECK(strcmp(groupcomm_status_text(GROUPCOMM_MEMORY_NOT_ALIGNED),
               "memory is not aligned to 16 bytes") == 0);

  CHECK(groupcomm_create(model, memory, needed, &state) == GROUPCOMM_OK);
  CHECK(groupcomm_model(state) == model);
  CHECK(groupcomm_latency(state) == GROUPCOMM_ENHANCE_NANO_WINDOW - GROUPCOMM_ENHANCE_NANO_HOP);
  CHECK(groupcomm_set_attenuation_limit(state, -1.0f) == GROUPCOMM_BAD_ARGUMENT);
  CHECK(groupcomm_set_attenuation_limit(state, (float)NAN) == GROUPCOMM_BAD_ARGUMENT);
  CHECK(groupcomm_process(state, in, out) == GROUPCOMM_OK);
  CHECK(groupcomm_reset(state) == GROUPCOMM_OK);
  return 0;
}
