#include "micro/kernels/portable.h"

#define GC_PORTABLE_ONLY
#define gc_fully_connected_s8 gc_fully_connected_s8_portable
#define gc_fully_connected_s16 gc_fully_connected_s16_portable
#define gc_lstm_s8 gc_lstm_s8_portable
#define gc_lstm_s16 gc_lstm_s16_portable
#define gc_add_s8 gc_add_s8_portable
#define gc_mul_s8 gc_mul_s8_portable
#define gc_mean_s8 gc_mean_s8_portable
#define gc_add_s16 gc_add_s16_portable
#define gc_mul_s16 gc_mul_s16_portable
#define gc_mean_s16 gc_mean_s16_portable
#define gc_logistic_s16 gc_logistic_s16_portable
#define gc_tanh_s16 gc_tanh_s16_portable
#define gc_requantize_s8 gc_requantize_s8_portable
#define gc_requantize_s8_s16 gc_requantize_s8_s16_portable
#define gc_requantize_s16_s8 gc_requantize_s16_s8_portable
#define gc_requantize_s16 gc_requantize_s16_portable
#define gc_lookup_s8 gc_lookup_s8_portable

#include "micro/kernels/add.c"
#include "micro/kernels/fully_connected.c"
#include "micro/kernels/lookup.c"
#include "micro/kernels/lstm.c"
#include "micro/kernels/mean.c"
#include "micro/kernels/mul.c"
#include "micro/kernels/requantize.c"
