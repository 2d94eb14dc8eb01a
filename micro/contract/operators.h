/* X(name in the schema and in bundle.json, name in MicroMutableOpResolver). In a build of TFLM
   from source, each of them is linked into the program. Define a shorter list before the build
   where flash is limited. Written by `python tools/contract.py` from
   micro/contract/contract.toml; do not edit. */
#ifndef GROUPCOMM_MICRO_CONTRACT_OPERATORS_H_
#define GROUPCOMM_MICRO_CONTRACT_OPERATORS_H_
/* clang-format off */

#ifndef GROUPCOMM_OPERATORS
#define GROUPCOMM_OPERATORS(X) \
  X(ADD, Add) \
  X(CONCATENATION, Concatenation) \
  X(CONV_2D, Conv2D) \
  X(DEPTHWISE_CONV_2D, DepthwiseConv2D) \
  X(DEQUANTIZE, Dequantize) \
  X(EXPAND_DIMS, ExpandDims) \
  X(FULLY_CONNECTED, FullyConnected) \
  X(GATHER, Gather) \
  X(LOGISTIC, Logistic) \
  X(MEAN, Mean) \
  X(MUL, Mul) \
  X(PACK, Pack) \
  X(PAD, Pad) \
  X(PRELU, Prelu) \
  X(QUANTIZE, Quantize) \
  X(RELU, Relu) \
  X(RESHAPE, Reshape) \
  X(SPLIT, Split) \
  X(SQUEEZE, Squeeze) \
  X(STRIDED_SLICE, StridedSlice) \
  X(SUB, Sub) \
  X(SUM, Sum) \
  X(TANH, Tanh) \
  X(TRANSPOSE, Transpose) \
  X(UNIDIRECTIONAL_SEQUENCE_LSTM, UnidirectionalSequenceLSTM) \
  X(UNPACK, Unpack)
#endif

/* clang-format on */
#endif /* GROUPCOMM_MICRO_CONTRACT_OPERATORS_H_ */
