"""Convert Keras networks to TFLite: float, and integers by post-training quantization."""

from __future__ import annotations

import copy
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import flatbuffers
import numpy as np

from calibration_data import clips
from convert import flatbuffer, integer, ranges
from convert.tflite_schema import schema
from groupcomm.console import quiet
from groupcomm.errors import UserError
from tf_model import signal as sig

if TYPE_CHECKING:  # tf_model.checkpoint imports TensorFlow, which reading a bundle does not need
    from tf_model import checkpoint


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
    for op, kept in zip(graph.operators, flatbuffer.persistent_states(model), strict=True):
        if flatbuffer.sequence_steps(model, op) > 1:
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
    names = [flatbuffer.operator_name(code) for code in model.operatorCodes]
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


def calibration_features(signal: sig.Signal, folder: Path | None = None) -> list[np.ndarray]:
    """Compute the features of the calibration clips.

    Parameters
    ----------
    signal : Signal
    folder : Path or None
        A folder of sound files. None selects the committed clips.

    Returns
    -------
    list of np.ndarray [shape=(frames, inputs), dtype=float32]
        One array for each clip.
    """
    sounds = clips.calibration_clips() if folder is None else clips.own_clips(folder)
    return [sig.features(sig.stft(clip.audio, signal), signal) for clip in sounds]


def integers(
    trained: checkpoint.Checkpoint,
    *,
    method: ranges.Method | None,
    is_16x8: bool,
    weights: int = 8,
    calibration: Path | None = None,
) -> tuple[bytes, int]:
    """Convert a network to an integer `.tflite`.

    Parameters
    ----------
    trained : Checkpoint
        A network of the streaming family.
    method : str or None
        How to choose ranges from the values of the float network on the calibration clips. None
        selects the ranges that were trained.
    is_16x8 : bool
    weights : int
        See `integer.quantize`.
    calibration : Path or None
        A folder of sound files to use in place of the committed clips.

    Returns
    -------
    model : bytes
    hops : int
        Number of hops that the ranges were chosen on, 0 for trained ranges.

    Raises
    ------
    UserError
        When the network is not of the streaming family, has an operator that cannot be quantized,
        or has no trained ranges although they were requested.
    """
    if method is None:
        return integer.quantize(
            to_float(trained), trained_ranges(trained), is_16x8=is_16x8, weights=weights
        ), 0
    model, sounds, observed = observe(trained, calibration)
    chosen = integer.choose_ranges(model, observed, method, is_16x8=is_16x8)
    return integer.quantize(model, chosen, is_16x8=is_16x8, weights=weights), sum(map(len, sounds))


def trained_ranges(trained: checkpoint.Checkpoint) -> integer.Ranges:
    """Return the ranges that `groupcomm qat` trained.

    Parameters
    ----------
    trained : Checkpoint

    Returns
    -------
    dict of int to tuple of float
        Lowest and highest value by tensor index.

    Raises
    ------
    UserError
        When there are none.
    """
    if "ranges" not in trained.training:
        raise UserError(
            f"{trained.name}: no ranges were trained; train them with `groupcomm qat`, "
            "or choose a method with --ranges"
        )
    return {i: (low, high) for i, low, high in trained.training["ranges"]}


def observe(
    trained: checkpoint.Checkpoint, calibration: Path | None = None
) -> tuple[bytes, list[np.ndarray], dict[int, ranges.TensorStats]]:
    """Convert a network to float and collect statistics of its activations.

    Parameters
    ----------
    trained : Checkpoint
    calibration : Path or None
        A folder of sound files to use in place of the committed clips.

    Returns
    -------
    model : bytes
        The float `.tflite`.
    features : list of np.ndarray [shape=(frames, inputs), dtype=float32]
        Features of each clip.
    statistics : dict of int to TensorStats
        Statistics by tensor index.

    Raises
    ------
    UserError
        When the network is not of the streaming family.
    """
    from tf_model.networks import tasnet

    if isinstance(trained.net, tasnet.TasNet):
        raise UserError(
            f"{trained.name}: time-domain networks are not quantized yet; convert with --float, "
            "or use a network of the streaming family"
        )
    model = to_float(trained)
    sounds = calibration_features(trained.net.signal, calibration)
    return model, sounds, ranges.collect_statistics(model, integer.activations(model), sounds)


def quantize(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Quantize to int8 in float32 arithmetic, as the C++ code does.

    Parameters
    ----------
    x : np.ndarray [shape=(...), dtype=float32]
    scale : float
    zero_point : int

    Returns
    -------
    np.ndarray [shape=(...), dtype=int8]
        ``clamp(rint(x / scale) + zero_point)``.
    """
    q = np.rint(np.asarray(x, np.float32) / np.float32(scale)) + np.float32(zero_point)
    return np.clip(q, -128, 127).astype(np.int8)


def dequantize(q: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """Return ``(q - zero_point) * scale`` in float32.

    Parameters
    ----------
    q : np.ndarray [shape=(...), dtype=int8]
    scale : float
    zero_point : int

    Returns
    -------
    np.ndarray [shape=(...), dtype=float32]
    """
    return (q.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
