"""What to change in a model that TFLM refuses, by the reason of the refusal."""

from __future__ import annotations

from convert.tflite.graph import Operator

# For operators that converted audio networks often contain and TFLM lacks.
WITHOUT_KERNEL = {
    "WHILE": "a recurrent layer did not fuse: build it with tf_keras.layers.LSTM, "
    "and convert with a fixed batch and one time step",
    "IF": "remove the condition from the graph; convert one branch",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "use two unidirectional LSTMs, "
    "or TAC where the recurrence is across groups",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "use tf_keras.layers.LSTM, which TFLM has",
    "GELU": "use ReLU, or approximate it with LOGISTIC and MUL",
    "RFFT2D": "keep the STFT outside the network, as micro/stream does",
    "STFT": "keep the STFT outside the network, as micro/stream does",
    "COMPLEX_ABS": "keep the STFT outside the network, as micro/stream does",
    "POW": "write tf.square or tf.sqrt, not **",
    "TILE": "repeat with CONCATENATION, or with MUL by a tensor of ones",
}
REPLACE = (
    "replace the layer by operators that TFLM has, "
    "or register your own kernel in the resolver of micro/engine"
)
FLEX = (
    "it is an operator of TensorFlow, which only the Flex delegate runs: convert without "
    "SELECT_TF_OPS, so that the converter names the layer, and replace that layer"
)
CUSTOM = "it is a custom operator: register its kernel in the resolver, or replace it"
FLOAT16 = (
    "the weights are float16, for GPUs; TFLM computes in int8, int16 or float32: quantize fully to "
    "int8 with a representative dataset, or convert without float16"
)
DYNAMIC_RANGE = (
    "the weights are int8 but the activations float32 (dynamic range quantization): quantize fully "
    "to int8 with a representative dataset"
)
AXES = "TFLM has this operator for at most 4 axes: reshape before and after, or slice fewer axes"
FREE_SHAPE = (
    "its shape is known only when the model runs, and TFLM plans memory before: convert with a "
    "fixed batch and a fixed number of time steps"
)
TYPES = "TFLM has this operator, but not for these tensors ({}): change their types or the layer"
SMALLER = "change what TFLM names here, or make the network smaller"


def way_out(op: Operator | None, lacks: bool) -> str:
    """Say what to change so that TFLM accepts an operator.

    Parameters
    ----------
    op : Operator or None
        None where it is not known which operator TFLM refuses.
    lacks : bool
        Whether TFLM has no kernel for it in any form.

    Returns
    -------
    str
    """
    if op is None:
        return SMALLER
    if op.is_custom:
        return FLEX if op.name.startswith("Flex") else CUSTOM
    if lacks:
        return WITHOUT_KERNEL.get(op.name, REPLACE)
    tensors = [t for t in (*op.inputs, *op.outputs) if t is not None]
    if any(t.dtype == "float16" for t in tensors):
        return FLOAT16
    if is_hybrid(op):
        return DYNAMIC_RANGE
    if any(len(t.shape) > 4 for t in tensors):
        return AXES
    if any(-1 in (t.shape_signature or ()) for t in tensors):
        return FREE_SHAPE
    return TYPES.format(", ".join(dict.fromkeys(t.dtype for t in tensors)))


def is_hybrid(op: Operator) -> bool:
    """Return whether an operator multiplies float32 activations with integer weights."""
    constant = {t.dtype for t in op.inputs if t is not None and t.data is not None and t.size > 1}
    made = {t.dtype for t in op.inputs if t is not None and t.data is None}
    return "float32" in made and bool(constant & {"int8", "int4", "uint8"})
