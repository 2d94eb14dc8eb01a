#include "micro/engine/tflm_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "micro/contract/lstm_inputs.h"
#include "micro/kernels/kernels.h"

// Prepare computes the same parameters from the model as convert/tflite/kernel_params, with the same
// rounding.
namespace groupcomm {
namespace {

// The description of a tensor in the model, available during Prepare.
class Description {
 public:
  Description(tflm::Context* context, const tflm::IntArray* tensors, int i)
      : context_(tflm::GetMicroContext(context)),
        tensor_(i < tensors->size && tensors->data[i] >= 0
                    ? context_->AllocateTempTfLiteTensor(tensors->data[i])
                    : nullptr) {}
  // For the return from a function, which is a move before C++17; Arduino's compiler uses C++14.
  Description(Description&& other) : context_(other.context_), tensor_(other.tensor_) {
    other.tensor_ = nullptr;
  }
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;
  ~Description() {
    if (tensor_ != nullptr) context_->DeallocateTempTfLiteTensor(tensor_);
  }

  explicit operator bool() const { return tensor_ != nullptr; }
  const tflm::Tensor* operator->() const { return tensor_; }

  int32_t size() const {
    int32_t size = 1;
    for (int i = 0; i < tensor_->dims->size; ++i) size *= tensor_->dims->data[i];
    return size;
  }

  bool IsMatrix(int32_t rows, int32_t columns) const {
    const auto* dims = tensor_->dims;
    return dims->size == 2 && dims->data[0] == rows && dims->data[1] == columns;
  }

  // Scales and zero points, one for the tensor or one for each channel; nullptr if there are none.
  const tflm::AffineQuantization* quantization() const {
    const auto& q = tensor_->quantization;
    return q.type == tflm::kAffine ? static_cast<const tflm::AffineQuantization*>(q.params)
                                   : nullptr;
  }

  bool HasOneScale(tflm::Type type) const {
    return tensor_->type == type && quantization() != nullptr && quantization()->scale->size == 1;
  }

  bool IsWeights() const {
    return tensor_->type == tflm::kInt8 && tensor_->allocation_type == tflm::kConstant;
  }

  // int8 with one scale, or int16 with one scale and zero point 0.
  bool IsActivation(bool wide) const {
    return HasOneScale(wide ? tflm::kInt16 : tflm::kInt8) &&
           !(wide && tensor_->params.zero_point != 0);
  }

  bool IsBias(bool wide, int32_t count) const {
    return tensor_->type == (wide ? tflm::kInt64 : tflm::kInt32) &&
           tensor_->allocation_type == tflm::kConstant && size() == count;
  }

  bool IsState(tflm::Type type, int32_t count) const {
    return HasOneScale(type) && tensor_->is_variable && size() == count;
  }

 private:
  tflm::KernelContext* context_;
  tflm::Tensor* tensor_;
};

tflm::Result Refuse(tflm::Context* context, const tflm::Node* node, const char* op,
                    const char* reason) {
  auto* refusal = static_cast<KernelRefusal*>(tflm::GetMicroContext(context)->external_context());
  if (refusal != nullptr)
    *refusal = {op, reason, node->outputs->size > 0 ? node->outputs->data[0] : -1};
  return tflm::kError;
}

// Allocates persistent memory; call it after all descriptions are made. Persistent memory grows
// from one end of the arena and the descriptions from the other, and TFLM does not detect when they
// meet. In an arena that is too small, the parameters would be computed from overwritten
// descriptions.
template <typename T>
T* Allocate(tflm::Context* context, size_t count) {
  tflm::KernelContext* interpreter = tflm::GetMicroContext(context);
  uint8_t* end = interpreter->AllocateTempBuffer(1, 1);  // the end of the descriptions
  if (end == nullptr) return nullptr;
  interpreter->DeallocateTempBuffer(end);
  void* memory = interpreter->AllocatePersistentBuffer(count * sizeof(T));
  return reinterpret_cast<uintptr_t>(memory) > reinterpret_cast<uintptr_t>(end)
             ? static_cast<T*>(memory)
             : nullptr;
}

const char* ActivationRefusal(bool wide) {
  return wide ? "its input or output is not int16 with one scale and zero point 0"
              : "its input or output is not int8 with one scale";
}

const char* BiasRefusal(bool wide) {
  return wide ? "its bias is not constant int64, one for each output"
              : "its bias is not constant int32, one for each output";
}

// Computes the multiplier and shift that are nearest to a real number. Returns false when the
// number is not a scale, or needs a shift that no kernel supports.
bool ToScale(double real, gc_scale* scale) {
  if (!(real >= 0) || std::isinf(real)) return false;
  int shift;
  double multiplier = std::floor(std::frexp(real, &shift) * 2147483648.0 + 0.5);
  if (multiplier == 2147483648.0) {
    multiplier /= 2;
    ++shift;
  }
  const bool none = multiplier == 0 || shift < -31;
  *scale = none ? gc_scale{0, 0} : gc_scale{static_cast<int32_t>(multiplier), shift};
  return none || shift <= 30;
}

// ToScale for sums of products. For int16, TFLM uses only 16 bits of the multiplier.
bool ToSumScale(double real, bool wide, gc_scale* scale) {
  if (!ToScale(real, scale)) return false;
  if (wide)
    scale->multiplier =
        (scale->multiplier >= 0x7fff0000 ? 0x7fff : (scale->multiplier + (1 << 15)) >> 16) << 16;
  return !wide || scale->shift <= 7;
}

// Converts biases of 64 bits to 32. Returns false when one does not fit.
bool Narrow(const int64_t* bias /* (count) or nullptr */, int32_t count,
            int32_t* narrow /* (count) */) {
  for (int32_t i = 0; i < count; ++i) {
    narrow[i] = bias != nullptr ? static_cast<int32_t>(bias[i]) : 0;
    if (bias != nullptr && narrow[i] != bias[i]) return false;
  }
  return true;
}

// Computes bias - zero_point * sum(weights), which accounts for the zero point of the inputs in
// every sum. An overflow wraps, as in the kernels and in TFLM.
void Fold(const int32_t* bias /* (rows) or nullptr */, int32_t zero_point,
          const int8_t* weights /* (rows, columns) */, int32_t rows, int32_t columns,
          int32_t* folded /* (rows) */) {
  for (int32_t row = 0; row < rows; ++row) {
    uint32_t sum = 0;
    for (int32_t i = 0; i < columns; ++i)
      sum += static_cast<uint32_t>(static_cast<int32_t>(*weights++));
    folded[row] = static_cast<int32_t>((bias != nullptr ? static_cast<uint32_t>(bias[row]) : 0) -
                                       static_cast<uint32_t>(zero_point) * sum);
  }
}

// Computes the lowest and highest output of a fused activation. Returns false for an activation
// that does more than limit the range.
bool ToRange(tflm::Activation activation, bool wide, float scale, int32_t zero_point, int32_t* low,
             int32_t* high) {
  const int32_t most_steps = wide ? 32767 : 127, least_steps = -most_steps - 1;
  const auto quantized = [&](float x) {  // values beyond 65536 units are out of range in any case
    return zero_point +
           static_cast<int32_t>(std::fmin(std::fmax(std::round(x / scale), -65536.0f), 65536.0f));
  };
  float least = -INFINITY, most = INFINITY;
  if (activation == tflm::kActRelu || activation == tflm::kActRelu6) {
    least = 0;
    if (activation == tflm::kActRelu6) most = 6;
  } else if (activation == tflm::kActReluN1To1) {
    least = -1;
    most = 1;
  } else if (activation != tflm::kActNone) {
    return false;
  }
  *low = std::isinf(least) || quantized(least) < least_steps ? least_steps : quantized(least);
  *high = std::isinf(most) || quantized(most) > most_steps ? most_steps : quantized(most);
  return true;
}

tflm::Result PrepareFullyConnected(tflm::Context* context, tflm::Node* node) {
  const auto refuse = [&](const char* reason) {
    return Refuse(context, node, "FULLY_CONNECTED", reason);
  };
  const bool has_bias = node->inputs->size > 2 && node->inputs->data[2] >= 0;
  const Description x(context, node->inputs, 0), weights(context, node->inputs, 1),
      bias(context, node->inputs, 2);
  const Description out(context, node->outputs, 0);
  // no memory for the descriptions
  if (!x || !weights || !out || (has_bias && !bias)) return tflm::kError;
  const bool wide = x->type == tflm::kInt16;
  if (!x.IsActivation(wide) || !out.IsActivation(wide)) return refuse(ActivationRefusal(wide));
  if (!weights.IsWeights() || weights->dims->size != 2)
    return refuse("its weights are not a constant int8 matrix");
  const int32_t outputs = weights->dims->data[0], inputs = weights->dims->data[1];
  if (outputs < 1 || inputs < 1 || x.size() % inputs != 0) {
    return refuse("the size of its input is not a multiple of the columns of its weights");
  }
  const int32_t rows = x.size() / inputs;
  if (out.size() != rows * outputs)
    return refuse("the size of its output does not match its input and its weights");
  if (has_bias && !bias.IsBias(wide, outputs)) return refuse(BiasRefusal(wide));
  const auto* quantization = weights.quantization();
  if (quantization == nullptr) return refuse("its weights have no scale");
  const int scales = quantization->scale->size;
  if (scales != 1 && (scales != outputs || quantization->quantized_dimension != 0)) {
    return refuse("the scales of its weights are not one for each output");
  }
  for (int i = 0; i < quantization->zero_point->size; ++i) {
    if (quantization->zero_point->data[i] != 0) return refuse("its weights have a zero point");
  }
  int32_t low, high;
  const auto& options = *static_cast<const tflm::FullyConnectedOptions*>(node->builtin_data);
  if (!ToRange(options.activation, wide, out->params.scale, out->params.zero_point, &low, &high)) {
    return refuse("its fused activation does more than limit the range");
  }

  auto* kernel = Allocate<gc_fully_connected>(context, 1);
  auto* folded = Allocate<int32_t>(context, outputs);
  auto* multiplier = Allocate<int32_t>(context, outputs);
  auto* shift = Allocate<int8_t>(context, outputs);
  if (kernel == nullptr || folded == nullptr || multiplier == nullptr || shift == nullptr)
    return tflm::kError;
  for (int32_t i = 0; i < outputs; ++i) {
    const float scale = quantization->scale->data[scales == 1 ? 0 : i];
    gc_scale to_output;  // in double precision, as in TFLM: the product of two floats is exact
    if (!ToSumScale(static_cast<double>(x->params.scale) * scale / out->params.scale, wide,
                    &to_output)) {
      return refuse("its scales are invalid or too far apart");
    }
    multiplier[i] = to_output.multiplier;
    shift[i] = static_cast<int8_t>(to_output.shift);
  }
  if (!wide) {
    Fold(has_bias ? bias->data.i32 : nullptr, x->params.zero_point, weights->data.int8, outputs,
         inputs, folded);
  } else if (!Narrow(has_bias ? bias->data.i64 : nullptr, outputs, folded)) {
    return refuse("its bias needs more than 32 bits");
  }
  bool usual = true;
  for (int32_t i = 0; i < outputs; ++i) usual = usual && multiplier[i] != 0 && shift[i] <= 0;
  *kernel = {rows,   inputs,     outputs, weights->data.int8,
             folded, multiplier, shift,   out->params.zero_point,
             low,    high,       usual};
  node->user_data = kernel;
  return tflm::kOk;
}

tflm::EvalTensor* Eval(tflm::Context* context, const tflm::IntArray* tensors, int i) {
  return tflm::GetMicroContext(context)->GetEvalTensor(tensors->data[i]);
}

tflm::Result InvokeFullyConnected(tflm::Context* context, tflm::Node* node) {
  const auto* kernel = static_cast<const gc_fully_connected*>(node->user_data);
  const tflm::EvalTensor *in = Eval(context, node->inputs, 0),
                         *out = Eval(context, node->outputs, 0);
  if (in->type == tflm::kInt16) {
    gc_fully_connected_s16(kernel, in->data.i16, out->data.i16);
  } else {
    gc_fully_connected_s8(kernel, in->data.int8, out->data.int8);
  }
  return tflm::kOk;
}

struct Lstm {
  gc_lstm kernel;
  int scratch;  // index of the scratch buffer
};

tflm::Result PrepareLstm(tflm::Context* context, tflm::Node* node) {
  const auto refuse = [&](const char* reason) {
    return Refuse(context, node, "UNIDIRECTIONAL_SEQUENCE_LSTM", reason);
  };
  for (int i = 0; i < node->inputs->size || i <= GC_LSTM_CELL_STATE; ++i) {
    const bool needed = i < GC_LSTM_PEEPHOLES || (i >= GC_LSTM_BIASES && i < GC_LSTM_PROJECTION) ||
                        i == GC_LSTM_HIDDEN_STATE || i == GC_LSTM_CELL_STATE;
    if (needed != (i < node->inputs->size && node->inputs->data[i] >= 0)) {
      return refuse(
          "it has peepholes, a projection, layer normalization or coupled gates, or lacks a bias");
    }
  }
  const Description x(context, node->inputs, GC_LSTM_INPUT),
      hidden(context, node->inputs, GC_LSTM_HIDDEN_STATE),
      cells(context, node->inputs, GC_LSTM_CELL_STATE);
  const Description out(context, node->outputs, 0);
  const auto gate = [&](int first, int i) { return Description(context, node->inputs, first + i); };
#define GROUPCOMM_GATES(first)                                     \
  {                                                                \
    gate(first, 0), gate(first, 1), gate(first, 2), gate(first, 3) \
  }
  const Description weights[4] = GROUPCOMM_GATES(GC_LSTM_INPUT_WEIGHTS);
  const Description recurrent[4] = GROUPCOMM_GATES(GC_LSTM_RECURRENT_WEIGHTS);
  const Description bias[4] = GROUPCOMM_GATES(GC_LSTM_BIASES);
#undef GROUPCOMM_GATES
  bool described = x && hidden && cells && out;
  for (int i = 0; i < 4; ++i) described = described && weights[i] && recurrent[i] && bias[i];
  if (!described) return tflm::kError;  // no memory for the descriptions
  const bool wide = x->type == tflm::kInt16;
  if (!x.IsActivation(wide) || !out.IsActivation(wide)) return refuse(ActivationRefusal(wide));
  const auto& options = *static_cast<const tflm::LstmOptions*>(node->builtin_data);
  if (options.activation != tflm::kActTanh) return refuse("its activation is not TANH");
  if (x->dims->size != 3) return refuse("its input does not have three dimensions");
  const int32_t steps = x->dims->data[options.time_major ? 0 : 1],
                batch = x->dims->data[options.time_major ? 1 : 0];
  if (steps != 1 && batch != 1 && !options.time_major) {
    return refuse("it has several time steps and a batch, and time is not the first dimension");
  }
  const int32_t inputs = x->dims->data[2];
  const int32_t units = weights[0]->dims->size == 2 ? weights[0]->dims->data[0] : 0;
  if (out.size() != steps * batch * units)
    return refuse(
        "its output is not one row of units for each time step and each row of the batch");
  if (!hidden.IsState(out->type, batch * units))
    return refuse("its hidden state is not a variable tensor of its output's type");
  if (!cells.IsState(tflm::kInt16, batch * units) || cells->params.zero_point != 0) {
    return refuse("its cell state is not a variable int16 tensor with zero point 0");
  }
  if (hidden->params.scale != out->params.scale ||
      hidden->params.zero_point != out->params.zero_point) {
    return refuse("its hidden state and its output are quantized differently");
  }
  int exponent;  // the scale of the cell state is 2^(exponent - 1)
  if (std::frexp(cells->params.scale, &exponent) != 0.5f || exponent < -29 || exponent > 1) {
    return refuse("the scale of its cell state is not a power of two from 2^-30 to 1");
  }

  auto* lstm = Allocate<Lstm>(context, 1);
  auto* biases = Allocate<int32_t>(context, 8 * units);  // (gates, input and recurrent, units)
  if (lstm == nullptr || biases == nullptr) return tflm::kError;
  gc_lstm* k = &lstm->kernel;
  *k = {};
  k->steps = steps;
  k->batch = batch;
  k->inputs = inputs;
  k->units = units;
  gc_lstm_gate* gates[] = {&k->input, &k->forget, &k->cell, &k->output};
  for (int i = 0; i < 4; ++i) {
    const Description &w = weights[i], &r = recurrent[i];
    if (!w.IsWeights() || !w.HasOneScale(tflm::kInt8) || !w.IsMatrix(units, inputs) ||
        w->params.zero_point != 0 || !r.IsWeights() || !r.HasOneScale(tflm::kInt8) ||
        !r.IsMatrix(units, units) || r->params.zero_point != 0) {
      return refuse("its weights are not constant int8 matrices with one scale and zero point 0");
    }
    if (!bias[i].IsBias(wide, units)) return refuse(BiasRefusal(wide));
    int32_t *input_bias = biases + 2 * i * units, *recurrent_bias = input_bias + units;
    if (!wide) {
      Fold(bias[i]->data.i32, x->params.zero_point, w->data.int8, units, inputs, input_bias);
      Fold(nullptr, hidden->params.zero_point, r->data.int8, units, units, recurrent_bias);
    } else if (!Narrow(bias[i]->data.i64, units, input_bias)) {
      return refuse("its bias needs more than 32 bits");
    }
    for (int32_t j = 0; j < (wide ? 1 : 2) * units; ++j) {
      const int64_t magnitude = std::abs(static_cast<int64_t>(input_bias[j]));
      k->largest_bias = static_cast<int32_t>(
          std::min<int64_t>(std::max<int64_t>(k->largest_bias, magnitude), INT32_MAX));
    }
    *gates[i] = {w->data.int8, r->data.int8, input_bias, wide ? nullptr : recurrent_bias, {}, {}};
    // The input of the activations is in units of 1 / 4096.
    if (!ToSumScale(static_cast<double>(x->params.scale) * w->params.scale * 4096, wide,
                    &gates[i]->input) ||
        !ToSumScale(static_cast<double>(hidden->params.scale) * r->params.scale * 4096, wide,
                    &gates[i]->recurrent)) {
      return refuse("its scales are invalid or too far apart");
    }
  }
  constexpr double kProduct = 1.0 / (1 << 30);  // scale of the product of two activations
  if (!ToScale(kProduct / cells->params.scale, &k->update) ||
      !ToScale(kProduct / hidden->params.scale, &k->hidden)) {
    return refuse("its scales are invalid or too far apart");
  }
  const int shift = 12 + exponent - 1;
  k->tanh_multiplier = shift < 0 ? 3 : 3 << shift;
  k->tanh_shift = shift < 0 ? -shift : 0;
  const double clip = static_cast<double>(options.cell_clip) / cells->params.scale;
  k->cell_clip = clip > 0 ? static_cast<int32_t>(std::fmin(clip, 32767.0)) : 0;
  k->zero_point = hidden->params.zero_point;
  if (tflm::GetMicroContext(context)->RequestScratchBufferInArena(
          GC_LSTM_SCRATCH_BYTES(batch, inputs, units), &lstm->scratch) != tflm::kOk) {
    return tflm::kError;
  }
  node->user_data = lstm;
  return tflm::kOk;
}

tflm::Result InvokeLstm(tflm::Context* context, tflm::Node* node) {
  const auto* lstm = static_cast<const Lstm*>(node->user_data);
  const tflm::EvalTensor *in = Eval(context, node->inputs, 0),
                         *hidden = Eval(context, node->inputs, GC_LSTM_HIDDEN_STATE);
  const tflm::EvalTensor *cells = Eval(context, node->inputs, GC_LSTM_CELL_STATE),
                         *out = Eval(context, node->outputs, 0);
  void* scratch = tflm::GetMicroContext(context)->GetScratchBuffer(lstm->scratch);
  if (in->type == tflm::kInt16) {
    gc_lstm_s16(&lstm->kernel, in->data.i16, hidden->data.i16, cells->data.i16, out->data.i16,
                scratch);
  } else {
    gc_lstm_s8(&lstm->kernel, in->data.int8, hidden->data.int8, cells->data.i16, out->data.int8,
               scratch);
  }
  return tflm::kOk;
}

// The state is in variable tensors of the model, which the interpreter resets. There is nothing
// else to reset or free.
const tflm::Registration kFullyConnected = {nullptr,
                                            nullptr,
                                            PrepareFullyConnected,
                                            InvokeFullyConnected,
                                            nullptr,
                                            tflm::BuiltinOperator_FULLY_CONNECTED,
                                            nullptr};
const tflm::Registration kLstm = {nullptr,     nullptr,
                                  PrepareLstm, InvokeLstm,
                                  nullptr,     tflm::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM,
                                  nullptr};

}  // namespace

const tflm::Registration* GroupCommKernels(tflm::Operator code) {
  if (code == tflm::BuiltinOperator_FULLY_CONNECTED) return &kFullyConnected;
  if (code == tflm::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM) return &kLstm;
  return nullptr;
}

}  // namespace groupcomm
