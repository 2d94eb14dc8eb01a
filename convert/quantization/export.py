"""Convert Keras networks to a float `.tflite`."""

from __future__ import annotations

import copy
import struct
from typing import TYPE_CHECKING

import flatbuffers
import numpy as np

from convert.tflite import counts
from convert.tflite.schema import schema
from groupcomm.console import quiet

# Only for types: it imports TensorFlow, which reading a bundle does not need.
if TYPE_CHECKING:
    from tf_model.training import checkpoint


def _converter(model, *, shape: tuple[int, int], given: str = "features", result: str = "masks"):
    import tensorflow as tf

    # The LSTM fuses, and its state becomes variable tensors, only in a concrete function with a
    # batch of one and a named input.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=given)])
    def serve(x):
        return {result: model(x)}

    module = tf.Module()
    # The module has the weights and not the model. Otherwise every layer would be traced and saved
    # by itself, which takes ten times as long.
    module.weights, module.serve = model.weights, serve
    return tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()], module)


def _without_cell_clip(content: bytes) -> bytes:
    """Remove the cell clip of fused LSTMs from a model.

    The converter sets it to 10. Keras' LSTM has no clip, so the results would differ for a trained
    cell that exceeds 10 on real sound. In int8 the cell saturates where its int16 range ends.
    """
    buffer = bytearray(content)
    model = schema.Model.GetRootAs(buffer)
    for g in range(model.SubgraphsLength()):
        graph = model.Subgraphs(g)
        for i in range(graph.OperatorsLength()):
            op = graph.Operators(i)
            if op.BuiltinOptionsType() != schema.BuiltinOptions.UnidirectionalSequenceLSTMOptions:
                continue
            options = schema.UnidirectionalSequenceLSTMOptions()
            options.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
            # Offset of the field cell_clip; 0 where the field has its default, no clip.
            offset = options._tab.Offset(6)
            if offset:
                struct.pack_into("<f", buffer, options._tab.Pos + offset, 0.0)
    return bytes(buffer)


def reset_sequence_state(content: bytes) -> bytes:
    """Make every fused LSTM that reads a sequence in one Invoke start from the zero state.

    A fused LSTM starts with the state that the last Invoke left, in TFLite and in TFLM. A stream
    needs this from hop to hop, but across the groups of one hop it is wrong. Therefore two
    operators in front of such an LSTM write its hidden state (the zero point) and its cells (0)
    from constants. The states are ordinary tensors. No caller has to reset anything, in any
    runtime.

    The operator is SQUEEZE, which copies bytes of any type in every version of TFLM. RESHAPE,
    STRIDED_SLICE and CONCATENATION are not suitable: TFLite runs them only once where their input
    is constant.

    Parameters
    ----------
    content : bytes
        A `.tflite`.

    Returns
    -------
    bytes
        The same object when there is nothing to change.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    [graph] = model.subgraphs
    operators = []
    for op, kept in zip(graph.operators, counts.persistent_states(model), strict=True):
        if counts.sequence_steps(model, op) > 1:
            operators += [_insert_state_reset(model, graph, state) for state in kept]
        operators.append(op)
    if len(operators) == len(graph.operators):
        return content
    graph.operators = operators
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _insert_state_reset(
    model: schema.ModelT, graph: schema.SubGraphT, state: int
) -> schema.OperatorT:
    """Create a SQUEEZE of a new constant of zeros, with one more axis, into a state."""
    zeros = copy.copy(graph.tensors[state])
    zeros.name, zeros.isVariable, zeros.shape = zeros.name + b"/zero", False, [1, *zeros.shape]
    zero_point = (
        0
        if zeros.quantization is None or zeros.quantization.zeroPoint is None
        else int(zeros.quantization.zeroPoint[0])
    )
    dtype = {
        schema.TensorType.INT8: np.int8,
        schema.TensorType.INT16: np.int16,
        schema.TensorType.FLOAT32: np.float32,
    }[zeros.type]
    buffer = schema.BufferT()
    buffer.data = np.full(zeros.shape, zero_point, dtype).ravel().view(np.uint8)
    zeros.buffer = len(model.buffers)
    model.buffers.append(buffer)
    graph.tensors.append(zeros)
    names = [counts.operator_name(code) for code in model.operatorCodes]
    if "SQUEEZE" not in names:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SQUEEZE
        code.version = 1
        model.operatorCodes.append(code)
        names.append("SQUEEZE")
    op = schema.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = (
        names.index("SQUEEZE"),
        [len(graph.tensors) - 1],
        [state],
    )
    op.builtinOptionsType, op.builtinOptions = (
        schema.BuiltinOptions.SqueezeOptions,
        schema.SqueezeOptionsT(),
    )
    op.builtinOptions.squeezeDims = [0]
    return op


def to_float(trained: checkpoint.Checkpoint, *, seconds: float = 4.0) -> bytes:
    """Convert the export view of a network to a float32 `.tflite`.

    Parameters
    ----------
    trained : Checkpoint
        A network of the streaming family, which takes one hop [shape=(1, inputs)] and outputs
        [shape=(1, sources * values)], or of the papers' family, see `tasnet.build`.
    seconds : float
        Length of the mixture, for a network that takes the whole mixture at once. Others take one
        hop.

    Returns
    -------
    bytes

    Raises
    ------
    UserError
        When the mixture is shorter than a window.
    """
    from tf_model.networks import tasnet

    if not isinstance(trained.net, tasnet.TasNet):
        return streaming_float(trained.model("export"), trained.net)
    with quiet():
        shape = (1, tasnet.export_samples(trained.net, seconds))
        return _without_cell_clip(
            _converter(
                trained.model("export"), shape=shape, given="mixture", result="estimates"
            ).convert()
        )


def streaming_float(model, net) -> bytes:
    """Convert the export view of a network of the streaming family to a float32 `.tflite`.

    Parameters
    ----------
    model : keras.Model
        The export view.
    net : Streaming
        Its sizes.

    Returns
    -------
    bytes
    """
    with quiet():
        return reset_sequence_state(
            _without_cell_clip(_converter(model, shape=(1, net.signal.n_features)).convert())
        )
