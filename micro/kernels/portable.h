/* The portable variant of each kernel under a name of its own, beside the variant that the target
   selects; for tests. */
#ifndef GROUPCOMM_MICRO_KERNELS_PORTABLE_H_
#define GROUPCOMM_MICRO_KERNELS_PORTABLE_H_

#include "micro/kernels/kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

void gc_fully_connected_s8_portable(const gc_fully_connected* p, const int8_t* in, int8_t* out);
void gc_fully_connected_s16_portable(const gc_fully_connected* p, const int16_t* in, int16_t* out);
void gc_lstm_s8_portable(const gc_lstm* p, const int8_t* in, int8_t* hidden, int16_t* cell,
                         int8_t* out, void* scratch);
void gc_lstm_s16_portable(const gc_lstm* p, const int16_t* in, int16_t* hidden, int16_t* cell,
                          int16_t* out, void* scratch);
void gc_add_s8_portable(const gc_add* p, const int8_t* a, const int8_t* b, int8_t* out);
void gc_mul_s8_portable(const gc_mul* p, const int8_t* a, const int8_t* b, int8_t* out);
void gc_mean_s8_portable(const gc_mean* p, const int8_t* in, int8_t* out);
void gc_add_s16_portable(const gc_add* p, const int16_t* a, const int16_t* b, int16_t* out);
void gc_mul_s16_portable(const gc_mul* p, const int16_t* a, const int16_t* b, int16_t* out);
void gc_mean_s16_portable(const gc_mean* p, const int16_t* in, int16_t* out);
void gc_logistic_s16_portable(const gc_logistic* p, const int16_t* in, int16_t* out);
void gc_tanh_s16_portable(const gc_tanh* p, const int16_t* in, int16_t* out);
void gc_requantize_s8_portable(const gc_requantize* p, const int8_t* in, int8_t* out);
void gc_requantize_s8_s16_portable(const gc_requantize* p, const int8_t* in, int16_t* out);
void gc_requantize_s16_s8_portable(const gc_requantize* p, const int16_t* in, int8_t* out);
void gc_requantize_s16_portable(const gc_requantize* p, const int16_t* in, int16_t* out);
void gc_lookup_s8_portable(const int8_t* table, int32_t count, const int8_t* in, int8_t* out);

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_MICRO_KERNELS_PORTABLE_H_ */
