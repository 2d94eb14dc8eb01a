/* GroupComm Micro: speech enhancement and separation on a microcontroller, in C99 or C++.
 *
 *   #include "enhance_nano.h"                       written by `groupcomm compile enhance-nano`
 *
 *   static GROUPCOMM_ALIGNED unsigned char memory[GROUPCOMM_ENHANCE_NANO_BYTES];
 *   groupcomm_state* state;
 *   groupcomm_create(&groupcomm_enhance_nano, memory, sizeof(memory), &state);
 *   while (...) groupcomm_process(state, in, out);
 *
 * A state is one stream through one network, in memory of the caller. Nothing ends it: the caller
 * may use the memory again. Several states, of one or of several networks, share nothing. A state
 * belongs to one thread at a time. No function allocates memory or uses a global variable.
 *
 * Sound is mono int16 PCM at the sample rate of the network (16 kHz in all released networks). */
#ifndef GROUPCOMM_MICRO_INCLUDE_GROUPCOMM_H_
#define GROUPCOMM_MICRO_INCLUDE_GROUPCOMM_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  GROUPCOMM_OK = 0,
  GROUPCOMM_BAD_ARGUMENT,       /* a null pointer, or a number outside of its range */
  GROUPCOMM_BAD_CONFIG,         /* sizes or scales of the network are not consistent */
  GROUPCOMM_BAD_MODEL,          /* another model, or an operator that it needs is missing */
  GROUPCOMM_MEMORY_TOO_SMALL,   /* less than groupcomm_bytes */
  GROUPCOMM_MEMORY_NOT_ALIGNED, /* not at a multiple of 16 bytes */
  GROUPCOMM_ENGINE_MISMATCH,    /* features and masks of an engine are not those of the model */
  GROUPCOMM_ENGINE_FAILED       /* the network could not compute a hop */
} groupcomm_status;

/* A stream through a network. */
typedef struct groupcomm_state groupcomm_state;

/* A network; `groupcomm compile` writes one. See micro/contract/static_model.h. */
struct gc_model;

/* Alignment of the memory of a state. */
#define GROUPCOMM_ALIGNED __attribute__((aligned(16)))

/* Describes a status in a few words. */
const char* groupcomm_status_text(groupcomm_status status);

/* Returns the bytes of memory that groupcomm_create needs; 0 for a model that it refuses. The
   header of a network has an upper bound as a constant: GROUPCOMM_NAME_BYTES. */
size_t groupcomm_bytes(const struct gc_model* model);

/* Creates a state in memory of the caller, and sets *state to it; to null on failure.

   model   outlives the state.
   memory  (bytes), at a multiple of 16. It outlives the state.

   Returns GROUPCOMM_BAD_ARGUMENT, GROUPCOMM_BAD_CONFIG, GROUPCOMM_BAD_MODEL (a model without its
   network as C), GROUPCOMM_ENGINE_MISMATCH (the network has other sizes than the signal path),
   GROUPCOMM_MEMORY_TOO_SMALL or GROUPCOMM_MEMORY_NOT_ALIGNED on failure. */
groupcomm_status groupcomm_create(const struct gc_model* model, void* memory, size_t bytes,
                                  groupcomm_state** state);

/* Processes one hop. It must end before the next hop has been recorded, or sound is lost.

   in   (hop) samples
   out  (sources, hop) samples, groupcomm_latency samples behind the input; not the memory of in

   On failure, out is silence and the stream can continue. */
groupcomm_status groupcomm_process(groupcomm_state* state, const int16_t* in, int16_t* out);

/* Returns to the start of a stream: forgets all sound so far. Limit and bypass stay as they are. */
groupcomm_status groupcomm_reset(groupcomm_state* state);

/* Delay of the output in samples: window - hop. With the time to record a hop, sound is delayed by
   one window. */
int groupcomm_latency(const groupcomm_state* state);

/* Limits by how many dB a sound is attenuated: every mask is raised to limit + (1 - limit) * mask,
   with limit = 10 ** (-decibels / 20). Some of the noise remains, and speech is distorted less. A
   network without masks, from samples to samples, gets this share of its input added to the output.

   decibels  0: the output is the delayed input, except for its DC where the network removes that;
             INFINITY: no limit, as after groupcomm_create. It may change between two hops.

   Returns GROUPCOMM_BAD_ARGUMENT for a negative number and for NaN. */
groupcomm_status groupcomm_set_attenuation_limit(groupcomm_state* state, float decibels);

/* Switches a bypass on (not 0) or off (0). With it, every source is the delayed input. The network
   runs on, so that it is adapted to the sound when the bypass ends. */
void groupcomm_set_bypass(groupcomm_state* state, int on);

/* The network of a state. */
const struct gc_model* groupcomm_model(const groupcomm_state* state);

/* Input (inputs) and output (outputs) of the network in the last hop, to compare them with another
   implementation. With bands, they are in the order of the bundle format. */
const int8_t* groupcomm_features(const groupcomm_state* state);
const int8_t* groupcomm_masks(const groupcomm_state* state);

/* Runs the network alone for one hop: features (inputs) to masks (outputs). Its recurrent state
   advances; a stream must be reset before it continues. */
groupcomm_status groupcomm_run_network(groupcomm_state* state, const int8_t* features,
                                       int8_t* masks);

/* An upper bound of groupcomm_bytes on any core, for the header of a network. `row` is the number
   of features in the order of frequency where bands receive values of their neighbours, else 0;
   `means` the number of running means where DC is removed, else 0. */
#define GROUPCOMM_STATE_BYTES(window, sources, inputs, outputs, row, means, network) \
  (GROUPCOMM_OBJECT_BYTES + 2 * (window) + 4 * (3 + (sources)) * (window) +          \
   GROUPCOMM_ALIGN(4 * (means)) + GROUPCOMM_ALIGN(inputs) + GROUPCOMM_ALIGN(row) +   \
   GROUPCOMM_ALIGN(outputs) + (network))
#define GROUPCOMM_OBJECT_BYTES GROUPCOMM_ALIGN(64 + 24 * sizeof(void*))
#define GROUPCOMM_ALIGN(bytes) (((bytes) + 15) / 16 * 16)

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_MICRO_INCLUDE_GROUPCOMM_H_ */
