/* First position of each kind among the inputs of UNIDIRECTIONAL_SEQUENCE_LSTM. Those of four
   are of the input, forget, cell and output gate. Written by `python tools/contract.py` from
   micro/contract/contract.toml; do not edit. */
#ifndef GROUPCOMM_MICRO_CONTRACT_LSTM_INPUTS_H_
#define GROUPCOMM_MICRO_CONTRACT_LSTM_INPUTS_H_
/* clang-format off */

enum gc_lstm_inputs {
  GC_LSTM_INPUT = 0,
  GC_LSTM_INPUT_WEIGHTS = 1, /* (4) */
  GC_LSTM_RECURRENT_WEIGHTS = 5, /* (4) */
  GC_LSTM_PEEPHOLES = 9, /* (3) */
  GC_LSTM_BIASES = 12, /* (4) */
  GC_LSTM_PROJECTION = 16, /* (2) */
  GC_LSTM_HIDDEN_STATE = 18,
  GC_LSTM_CELL_STATE = 19,
  GC_LSTM_LAYER_NORMS = 20, /* (4) */
};

/* clang-format on */
#endif /* GROUPCOMM_MICRO_CONTRACT_LSTM_INPUTS_H_ */
