"""Convert Keras networks to a float `.tflite`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from convert.tflite import flatbuffer, graph, variables
from convert.tflite.schema import schema
from groupcomm.console import quiet
from groupcomm.files import temporary_files

# Only for types: it imports TensorFlow, which reading a bundle does not need.
if TYPE_CHECKING:
    from tf_model.training import checkpoint


def _converter(model, *, shape: tuple[int, int], given: str = "features", result: str = "masks"):
    import tensorflow as tf

    from tf_model.layers.causal_depthwise import CausalDepthwise

    # The LSTM fuses, and its state becomes variable tensors, only in a concrete function with a
    # batch of one and a named input.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=given)], autograph=False)
    def serve(x):
        return {result: model(x)}

    module = tf.Module()
    # The module has the weights and not the model. Otherwise every layer would be traced and saved
    # by itself, which takes ten times as long.
    module.weights, module.serve = model.weights, serve
    module.states = [
        part.state
        for part in model.submodules
        if isinstance(part, CausalDepthwise) and part.state is not None
    ]
    return tf.lite.TFLiteConverter.from_concrete_functions([serve.get_concrete_function()], module)


def _without_cell_clip(content: bytes) -> bytes:
    """Remove the cell clip of fused LSTMs from a model.

    The converter sets it to 10. Keras' LSTM has no clip, so the results would differ for a trained
    cell that exceeds 10 on real sound. In int8 the cell saturates where its int16 range ends.
    """
    model = flatbuffer.read(content)
    for op in model.operators:
        if isinstance(op, graph.Lstm):
            op.options.cellClip = 0.0
    return flatbuffer.write(model)


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
    model = flatbuffer.read(content)
    network = model.graph
    operators: list[graph.Operator] = []
    for op in network.operators:
        if isinstance(op, graph.Lstm) and op.steps > 1:
            operators += [_state_reset(state) for state in network.persistent_states(op)]
        operators.append(op)
    if len(operators) == len(network.operators):
        return content
    network.operators = operators
    return flatbuffer.write(model)


def _state_reset(state: graph.Tensor) -> graph.Operator:
    """Create a SQUEEZE of a new constant of zeros, with one more axis, into a state."""
    shape = (1, *state.shape)
    zeros = graph.Tensor(
        shape,
        state.dtype,
        np.full(shape, state.zero_point, state.dtype),
        state.quantization,
        name=f"{state.name or state.index}/zero",
    )
    options = schema.SqueezeOptionsT()
    options.squeezeDims = [0]
    return graph.operator("SQUEEZE", [zeros], [state], options=options)


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
    digest = trained.sha256() if trained.weights else None
    return _to_float(trained.net, trained.weights, digest, seconds)


@functools.lru_cache(maxsize=2)
def _to_float(net, weights, digest: str | None, seconds: float) -> bytes:
    """Convert a network once in a process.

    The digest of the weights is a part of the key, because a file can be written again.
    """
    from tf_model.networks import tasnet
    from tf_model.training import checkpoint

    model = checkpoint.Checkpoint("", net, {}, weights).model("export")
    if not isinstance(net, tasnet.TasNet):
        return streaming_float(model, net)
    with quiet(), temporary_files():
        shape = (1, tasnet.export_samples(net, seconds))
        return _without_cell_clip(
            _converter(model, shape=shape, given="mixture", result="estimates").convert()
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
    with quiet(), temporary_files():
        converted = _converter(model, shape=(1, net.signal.n_features)).convert()
    with_tensors = variables.to_tensors(flatbuffer.read(converted))
    return reset_sequence_state(_without_cell_clip(flatbuffer.write(with_tensors)))
