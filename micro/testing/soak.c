/* Loops of tools/soak.py over the C API, compiled with a network into a library. */
#include <stdlib.h>
#include <string.h>

#include "enhance_nano.h"
#include "micro/contract/static_model.h"

#define HOP 128

static uint64_t Digest(uint64_t digest, const void* bytes, size_t count) { /* FNV-1a */
  const unsigned char* at = bytes;
  for (size_t i = 0; i < count; ++i) digest = (digest ^ at[i]) * 0x100000001B3u;
  return digest;
}

/* Creates a state in memory of the heap, which the caller frees. */
groupcomm_state* soak_create(void** memory) {
  groupcomm_state* state = NULL;
  *memory = aligned_alloc(16, (GROUPCOMM_ENHANCE_NANO_BYTES + 15) / 16 * 16);
  groupcomm_create(&groupcomm_enhance_nano, *memory, GROUPCOMM_ENHANCE_NANO_BYTES, &state);
  return state;
}

/* Processes sound (hops, HOP) into out (hops, HOP). Returns a digest of output and masks, 0 on
   failure. features (hops, inputs) and masks (hops, outputs) may be null. */
uint64_t soak_run(groupcomm_state* state, const int16_t* sound, int64_t hops, int16_t* out,
                  int8_t* features, int8_t* masks) {
  const size_t inputs = groupcomm_enhance_nano.inputs, outputs = groupcomm_enhance_nano.outputs;
  uint64_t digest = 0xCBF29CE484222325u;
  for (int64_t i = 0; i < hops; ++i) {
    if (groupcomm_process(state, sound + i * HOP, out + i * HOP) != GROUPCOMM_OK) return 0;
    digest = Digest(digest, out + i * HOP, HOP * sizeof(*out));
    digest = Digest(digest, groupcomm_masks(state), outputs);
    if (features != NULL) memcpy(features + i * inputs, groupcomm_features(state), inputs);
    if (masks != NULL) memcpy(masks + i * outputs, groupcomm_masks(state), outputs);
  }
  return digest;
}

/* Resets a state `count` times and processes one to eight hops after each hundredth time. Returns
   how often the digest differed from that of a new state. */
int64_t soak_reset(groupcomm_state* state, const int16_t* sound, int64_t count) {
  uint64_t expected[9] = {0};
  int16_t out[8 * HOP];
  int64_t wrong = 0;
  for (int hops = 1; hops <= 8; ++hops) {
    void* memory;
    expected[hops] = soak_run(soak_create(&memory), sound, hops, out, NULL, NULL);
    free(memory);
  }
  for (int64_t i = 0; i < count; ++i) {
    if (groupcomm_reset(state) != GROUPCOMM_OK) return count;
    const int hops = 1 + (int)(i / 100 % 8);
    if (i % 100 == 0) wrong += soak_run(state, sound, hops, out, NULL, NULL) != expected[hops];
  }
  return wrong;
}

/* Creates a state in memory of the heap `count` times, processes a hop and frees the memory.
   Returns how often the digest differed from the first. */
int64_t soak_life(const int16_t* sound, int64_t count) {
  uint64_t first = 0;
  int16_t out[HOP];
  int64_t wrong = 0;
  for (int64_t i = 0; i < count; ++i) {
    void* memory;
    groupcomm_state* const state = soak_create(&memory);
    if (state == NULL) return count;
    const uint64_t digest = soak_run(state, sound, 1, out, NULL, NULL);
    if (i == 0) first = digest;
    wrong += digest != first || digest == 0;
    free(memory);
  }
  return wrong;
}
