"""Keras to TFLite: float, and integers by post-training quantization."""

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

if TYPE_CHECKING:  # a checkpoint's module takes TensorFlow, which reading a bundle does not need
    from tf_model import checkpoint


def _converter(model, *, shape: tuple[int, int], given: str = "features", result: str = "masks"):
    import tensorflow as tf

    # One concrete function with a batch of one and a named input: the LSTM fuses, and its state becomes variable tensors.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=given)])
    def serve(x):
        return {result: model(x)}

    module = tf.Module()
    # The weights and not the model: every layer of a model would be traced and saved by itself, which takes ten times as long.
    module.weights, module.serve = model.weights, serve
    return tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()], module)


def _without_cell_clip(content: bytes) -> bytes:
    """The same model with the fused LSTMs' cell clip taken out, in place.

    The converter sets it to 10, which Keras' LSTM does not have: a trained cell that goes beyond 10 on real sound would differ. In
    int8 the cell saturates where its int16 range ends.
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
            offset = options._tab.Offset(
                6
            )  # of the field cell_clip; 0 where it has its default, no clip
            if offset:
                struct.pack_into("<f", buffer, options._tab.Pos + offset, 0.0)
    return bytes(buffer)


def reset_sequence_state(content: bytes) -> bytes:
    """The same model, in which every fused LSTM that reads a sequence in one Invoke begins it from zero.

    The fused LSTM begins with the state that the last Invoke left, in TFLite and in TFLM, whatever it reads. From hop to hop that is what
    a stream needs; across the groups of one hop it is wrong. So two operators in front of such an LSTM write its hidden state (the zero
    point) and its cells (0), which are tensors like others, from constants. No caller has to reset anything, in any runtime.

    SQUEEZE copies bytes of any type in every version of TFLM. RESHAPE, STRIDED_SLICE and CONCATENATION would not do: TFLite runs them once
    and for all where their input is constant.
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
    """SQUEEZE of a new constant of zeros with one axis more, into a state."""
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
    """Float32 `.tflite` of a network's export view.

    Parameters
    ----------
    trained : of the streaming family: one hop, [1, inputs] -> [1, sources * values]. Of the papers' family: see `tasnet.build`.
    seconds : length of the mixture, for a network that hears all of it at once; others take one hop.

    Raises
    ------
    UserError
        For a mixture shorter than a window.
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
    """Float32 `.tflite` of the export view of a network of the streaming family."""
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
        A folder of sound files; None: the committed clips.

    Returns
    -------
    list of np.ndarray [shape=(frames, inputs), float32]
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
    """Integer `.tflite`, see `integer.quantize`.

    Parameters
    ----------
    trained : a network of the streaming family.
    method : how ranges are chosen from what the float network reaches on the calibration clips; None: those that were trained.
    is_16x8, weights : see `integer.quantize`.
    calibration : a folder of sound files in place of the committed clips.

    Returns
    -------
    (model, hops) : the flatbuffer and the number of hops that set its ranges, 0 where they were trained.

    Raises
    ------
    UserError
        For a network of another family than the streaming one, one with an operator that cannot be quantized, or one without trained ranges
        where those are asked.
    """
    if method is None:
        return integer.quantize(
            to_float(trained), trained_ranges(trained), is_16x8=is_16x8, weights=weights
        ), 0
    model, sounds, observed = observe(trained, calibration)
    chosen = integer.choose_ranges(model, observed, method, is_16x8=is_16x8)
    return integer.quantize(model, chosen, is_16x8=is_16x8, weights=weights), sum(map(len, sounds))


def trained_ranges(trained: checkpoint.Checkpoint) -> integer.Ranges:
    """Ranges that `groupcomm qat` has trained.

    Raises
    ------
    UserError
        When there are none.
    """
    if "ranges" not in trained.training:
        raise UserError(
            f"{trained.name}: no ranges were trained; train them with `groupcomm qat`, or choose how to find them with --ranges"
        )
    return {i: (low, high) for i, low, high in trained.training["ranges"]}


def observe(
    trained: checkpoint.Checkpoint, calibration: Path | None = None
) -> tuple[bytes, list[np.ndarray], dict[int, ranges.TensorStats]]:
    """A network's float `.tflite`, the features of the calibration clips, and what its activations reach on them.

    Raises
    ------
    UserError
        For a network of another family than the streaming one.
    """
    from tf_model.networks import tasnet

    if isinstance(trained.net, tasnet.TasNet):
        raise UserError(
            f"{trained.name}: time-domain networks are not quantized yet; convert with --float, or take a network of the streaming family"
        )
    model = to_float(trained)
    sounds = calibration_features(trained.net.signal, calibration)
    return model, sounds, ranges.collect_statistics(model, integer.activations(model), sounds)


def quantize(x: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """``clamp(rint(x / scale) + zero_point)`` to int8, in float32 as the runner on the board does it."""
    q = np.rint(np.asarray(x, np.float32) / np.float32(scale)) + np.float32(zero_point)
    return np.clip(q, -128, 127).astype(np.int8)


def dequantize(q: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """``(q - zero_point) * scale`` in float32."""
    return (q.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
