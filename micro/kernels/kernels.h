/* Int8 and 16x8 kernels (int16 activations, int8 weights) with the arithmetic of TensorFlow Lite
   Micro, bit for bit.

   Plain C99: no heap, no globals, no floating point. All that is known before the first sample is
   in the parameters, which convert/tflite/kernel_params computes from an operator of a .tflite
   file. Tensors are dense and row-major. An output must not overlap an input unless its comment
   allows it. Every kernel has a portable variant. Some have a second one for the DSP extension
   (Cortex-M4, M7, M33) and a third for Helium (Cortex-M55). The compiler options select the variant;
   all give the same results. */
#ifndef GROUPCOMM_MICRO_KERNELS_KERNELS_H_
#define GROUPCOMM_MICRO_KERNELS_KERNELS_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A scale: x * multiplier * 2^(shift - 31), rounded twice as TFLM rounds it. The multiplier is 0 or
   in 2^30 .. 2^31 - 1; the shift is in -31 .. 30. */
typedef struct {
  int32_t multiplier, shift;
} gc_scale;

typedef struct {
  int32_t rows, inputs, outputs;
  const int8_t* weights;         /* (outputs, inputs) */
  const int32_t* bias;           /* (outputs), with -input_zero_point * sum(weights) folded in */
  const int32_t* multiplier;     /* (outputs) */
  const int8_t* shift;           /* (outputs) */
  int32_t zero_point, low, high; /* of the output */
  int32_t usual_scales; /* whether no multiplier is 0 and no shift above 0; 0 is always correct */
} gc_fully_connected;

void gc_fully_connected_s8(const gc_fully_connected* p, const int8_t* in /* (rows, inputs) */,
                           int8_t* out /* (rows, outputs) */);

/* All zero points are 0. The lower 16 bits of the multipliers are 0, because TFLM uses only the
   upper ones; the shifts are below 8. */
void gc_fully_connected_s16(const gc_fully_connected* p, const int16_t* in /* (rows, inputs) */,
                            int16_t* out /* (rows, outputs) */);

/* The windows of a convolution, one for each output position. Window (y, x) begins at row
   y * stride_height - top and column x * stride_width - left of the input; its elements are
   dilation_height rows and dilation_width columns apart. Outside of the input is padding. For
   TRANSPOSE_CONV, padding is also between the rows of the input, which are spread_height rows apart,
   and between its columns. */
typedef struct {
  int32_t batches, in_height, in_width, channels; /* of the input */
  int32_t out_height, out_width;                  /* number of windows */
  int32_t height, width;                          /* of a window */
  int32_t stride_height, stride_width, dilation_height, dilation_width;
  int32_t top, left;
  int32_t spread_height, spread_width; /* 1: no padding in between; DEPTHWISE_CONV_2D and pooling */
  int32_t zero_point;                  /* of the input, the value of the padding */
} gc_window;

/* CONV_2D and TRANSPOSE_CONV: the sums of gc_fully_connected_s8 over windows of height * width * channels inputs. */
typedef struct {
  gc_window window;
  gc_fully_connected dots; /* rows: as many windows as the scratch has space for */
} gc_convolution;

void gc_convolution_s8(const gc_convolution* p,
                       const int8_t* in /* (batches, in_height, in_width, channels) */,
                       int8_t* out /* (batches, out_height, out_width, dots.outputs) */,
                       void* scratch /* (dots.rows, dots.inputs) */);

/* DEPTHWISE_CONV_2D. Output o is a sum over channel o / (outputs / channels) of the window. */
typedef struct {
  gc_window window;
  int32_t outputs;               /* a multiple of channels */
  const int8_t* weights;         /* (height, width, outputs) */
  const int32_t* bias;           /* (outputs), with -input_zero_point * sum(weights) folded in */
  const int32_t* multiplier;     /* (outputs) */
  const int8_t* shift;           /* (outputs) */
  int32_t zero_point, low, high; /* of the output */
} gc_depthwise_convolution;

void gc_depthwise_convolution_s8(const gc_depthwise_convolution* p,
                                 const int8_t* in /* (batches, in_height, in_width, channels) */,
                                 int8_t* out /* (batches, out_height, out_width, outputs) */,
                                 void* scratch /* (height, width, channels) */);

/* AVERAGE_POOL_2D and MAX_POOL_2D, of the values of each window that are not padding. Input and
   output have the same scale and zero point. */
typedef struct {
  gc_window window;
  int32_t low, high; /* of the output */
} gc_average_pool;
typedef gc_average_pool gc_max_pool;

void gc_average_pool_s8(const gc_average_pool* p,
                        const int8_t* in /* (batches, in_height, in_width, channels) */,
                        int8_t* out /* (batches, out_height, out_width, channels) */);
void gc_max_pool_s8(const gc_max_pool* p,
                    const int8_t* in /* (batches, in_height, in_width, channels) */,
                    int8_t* out /* (batches, out_height, out_width, channels) */);

typedef struct {
  const int8_t* input_weights;     /* (units, inputs) */
  const int8_t* recurrent_weights; /* (units, units) */
  const int32_t* input_bias; /* (units), with -input_zero_point * sum(input_weights) folded in */
  const int32_t*
      recurrent_bias; /* (units), -hidden_zero_point * sum(recurrent_weights); NULL for int16 */
  gc_scale input, recurrent; /* of the sums, to units of 1 / 4096 */
} gc_lstm_gate;

typedef struct {
  int32_t steps, batch, inputs, units;
  gc_lstm_gate input, forget, cell, output;
  gc_scale update; /* of input gate * cell gate, to the scale of the cell */
  gc_scale hidden; /* of output gate * tanh(cell), to the scale of the output */
  /* (cell * multiplier, rounded) >> shift is in units of 1 / 12288 */
  int32_t tanh_multiplier, tanh_shift;
  int32_t cell_clip;    /* 0: no clipping */
  int32_t zero_point;   /* of the output, which is the hidden state */
  int32_t largest_bias; /* of all gates, in magnitude; at most INT32_MAX */
} gc_lstm;

/* Size of the scratch of gc_lstm_s8 and gc_lstm_s16 in bytes, the same on every target. The scratch
   is aligned to 8 bytes. */
#define GC_LSTM_SCRATCH_BYTES(batch, inputs, units)          \
  (GC_LSTM_SCRATCH_ROWS(batch, inputs, units) > 64 * (units) \
       ? GC_LSTM_SCRATCH_ROWS(batch, inputs, units)          \
       : 64 * (units))
#define GC_LSTM_SCRATCH_ROWS(batch, inputs, units)                             \
  (((batch) + 1) / 2 * (32 * (((inputs) + 7) / 8 + ((units) + 7) / 8) + 112) + \
   64 * ((((inputs) > (units) ? (inputs) : (units)) + 7) / 8))

/* Runs `steps` time steps, each for every row of the batch; all rows share the weights. The state
   persists from step to step and from call to call. Before the first call, every cell is 0 and
   every byte of hidden is the zero point, as after TFLM's reset. */
void gc_lstm_s8(const gc_lstm* p, const int8_t* in /* (steps, batch, inputs) */,
                int8_t* hidden /* (batch, units), in and out */,
                int16_t* cell /* (batch, units), in and out */,
                int8_t* out /* (steps, batch, units) */,
                void* scratch /* (GC_LSTM_SCRATCH_BYTES) */);

/* All zero points are 0. The scales of the sums follow the rules of gc_fully_connected_s16. */
void gc_lstm_s16(const gc_lstm* p, const int16_t* in /* (steps, batch, inputs) */,
                 int16_t* hidden /* (batch, units), in and out */,
                 int16_t* cell /* (batch, units), in and out */,
                 int16_t* out /* (steps, batch, units) */,
                 void* scratch /* (GC_LSTM_SCRATCH_BYTES) */);

/* SVDF: a product with a matrix, then for each of its outputs, which are called filters, the sum of
   products of its last values and their weights. An output is the sum of `rank` filters. The state is
   int8 or int16, and so are the weights of time. */
typedef struct {
  int32_t batch, inputs, filters, rank, memory;
  const int8_t* feature_weights; /* (filters, inputs) */
  const int32_t* feature_bias;   /* (filters), -input_zero_point * sum(feature_weights) */
  const void* time_weights;      /* (filters, memory) */
  const int32_t* bias; /* (filters / rank), with -state_zero_point * sum(time_weights) folded in */
  gc_scale feature, scale; /* of the sums, to the scales of the state and of the output */
  int32_t state_zero_point, zero_point;
} gc_svdf;

/* The state has the last values of each filter, the newest one last. It persists from call to call.
   Before the first call, each value is the zero point, as after TFLM's reset. */
void gc_svdf_s8(const gc_svdf* p, const int8_t* in /* (batch, inputs) */,
                int8_t* state /* (batch, filters, memory), in and out */,
                int8_t* out /* (batch, filters / rank) */);
void gc_svdf_s8_s16(const gc_svdf* p, const int8_t* in /* (batch, inputs) */,
                    int16_t* state /* (batch, filters, memory), in and out */,
                    int8_t* out /* (batch, filters / rank) */);

/* An operand of an element-wise kernel: element (r, c) of the output reads in[r * row + c * step].
   A stride of 0 broadcasts. */
typedef struct {
  int32_t row, step;
  int32_t zero_point;
} gc_operand;

typedef struct {
  int32_t rows, columns; /* of the output */
  gc_operand a, b;
  gc_scale a_scale, b_scale;     /* of (value - zero point) * 2^20 */
  gc_scale scale;                /* of the sum */
  int32_t zero_point, low, high; /* of the output */
} gc_add;

void gc_add_s8(const gc_add* p, const int8_t* a, const int8_t* b,
               int8_t* out /* (rows, columns), may be a or b of the same shape */);

/* a_scale and b_scale are of value * 2^15; all zero points are 0. */
void gc_add_s16(const gc_add* p, const int16_t* a, const int16_t* b,
                int16_t* out /* (rows, columns), may be a or b of the same shape */);

/* SUB: a - b. */
typedef gc_add gc_sub;
void gc_sub_s8(const gc_sub* p, const int8_t* a, const int8_t* b,
               int8_t* out /* (rows, columns), may be a or b of the same shape */);

/* SQUARED_DIFFERENCE: (a - b)^2. a_scale and b_scale are of (value - zero point) * 2^7, and scale is
   of the square. */
typedef gc_add gc_squared_difference;
void gc_squared_difference_s8(const gc_squared_difference* p, const int8_t* a, const int8_t* b,
                              int8_t* out /* (rows, columns), may be a or b of the same shape */);

typedef struct {
  int32_t rows, columns; /* of the output */
  gc_operand a, b;
  gc_scale scale;                /* of the product */
  int32_t zero_point, low, high; /* of the output */
} gc_mul;

void gc_mul_s8(const gc_mul* p, const int8_t* a, const int8_t* b,
               int8_t* out /* (rows, columns), may be a or b of the same shape */);
void gc_mul_s16(const gc_mul* p, const int16_t* a, const int16_t* b,
                int16_t* out /* as above */); /* all zero points are 0 */

/* PRELU: a * slope b where a is negative, a elsewhere. */
typedef struct {
  int32_t rows, columns; /* of the output */
  gc_operand a, b;
  gc_scale positive, negative; /* of a, and of products of a and b */
  int32_t zero_point;          /* of the output */
} gc_prelu;

void gc_prelu_s8(const gc_prelu* p, const int8_t* a, const int8_t* b,
                 int8_t* out /* (rows, columns), may be a */);

typedef struct {
  int32_t outer, count, inner;
  int32_t bias;       /* -input_zero_point * count */
  gc_scale scale;     /* of the sum, includes 1 / count; multipliers below 2^30 are allowed */
  int32_t zero_point; /* of the output */
} gc_mean;

void gc_mean_s8(const gc_mean* p, const int8_t* in /* (outer, count, inner) */,
                int8_t* out /* (outer, inner) */);

void gc_mean_s16(const gc_mean* p, const int16_t* in /* (outer, count, inner) */,
                 int16_t* out /* (outer, inner) */); /* zero points 0 */

/* LOGISTIC and TANH of int16; the outputs are in units of 1 / 32768. */
typedef struct {
  int32_t count;
  /* (value * multiplier, rounded) >> shift is in units of 1 / 12288; multiplier < 2^15 */
  int32_t multiplier, shift;
} gc_logistic;
typedef gc_logistic gc_tanh;

void gc_logistic_s16(const gc_logistic* p, const int16_t* in /* (count) */,
                     int16_t* out /* (count), may be in */);
void gc_tanh_s16(const gc_tanh* p, const int16_t* in /* (count) */,
                 int16_t* out /* (count), may be in */);

/* LOGISTIC, TANH, RELU6, LEAKY_RELU, HARD_SWISH, RSQRT, QUANTIZE between int8 and uint8, and any
   other function of one byte. */
void gc_lookup_s8(const int8_t* table /* (256), by the value read as uint8_t */, int32_t count,
                  const int8_t* in /* (count) */, int8_t* out /* (count), may be in */);

/* SOFTMAX of int8 along the last axis; the unit of the output is 1 / 256, its zero point -128. */
typedef struct {
  int32_t rows, columns;       /* columns <= 511 */
  const int32_t* exponentials; /* (256) in units of 2^-31, by the distance to the largest input */
} gc_softmax;

void gc_softmax_s8(const gc_softmax* p, const int8_t* in /* (rows, columns) */,
                   int8_t* out /* (rows, columns), may be in */);

/* QUANTIZE between int8 and int16, RELU and its variants. */
typedef struct {
  int32_t count;
  int32_t input_zero_point;
  gc_scale scale;
  int32_t zero_point, low, high; /* of the output */
} gc_requantize;

void gc_requantize_s8(const gc_requantize* p, const int8_t* in /* (count) */,
                      int8_t* out /* (count), may be in */);
void gc_requantize_s8_s16(const gc_requantize* p, const int8_t* in /* (count) */,
                          int16_t* out /* (count) */);
void gc_requantize_s16_s8(const gc_requantize* p, const int16_t* in /* (count) */,
                          int8_t* out /* (count) */);
void gc_requantize_s16(const gc_requantize* p, const int16_t* in /* (count) */,
                       int16_t* out /* (count), may be in */);

/* Copies rows of bytes between tensors of any type, for all operators that move values. The strides
   are the distances between rows in bytes; they can be negative. */
void gc_copy_s8(int32_t rows, int32_t columns, const int8_t* in /* (rows, in_stride) */,
                int32_t in_stride, int8_t* out /* (rows, stride) */, int32_t stride);

#ifdef __cplusplus
}
#endif

#endif /* GROUPCOMM_MICRO_KERNELS_KERNELS_H_ */
