"""Networks of any sizes with random weights as int8 models, without Keras and without training.

The operators, scales and zero points are those of two released bundles, so the kernels take the
same paths as with trained weights. Such a network is for counting instructions.
"""

import dataclasses
import functools

import numpy as np

from convert import bundle as bundles
from convert.measure import cost_model
from convert.tflite import flatbuffer, graph
from convert.tflite.graph import Operator, Quantization, Tensor
from tf_model.networks import Streaming

# Positions of the operators that are copied: those of `enhance-nano`, and of `enhance-blstm`.
_BANDS, _POSITION, _DOWN, _UP, _BOTTLENECK = 1, 2, 4, 5, 7
_TRANSFORM, _MEAN, _AVERAGE, _COMMON, _OWN, _TAC, _TAC_COMMON = 8, 9, 10, 11, 12, 13, 14
_PROJECTION, _RESIDUAL, _MASKS, _SIGMOID = 17, 18, 35, 36
_BINS, _REVERSE, _CLEAR, _ACROSS, _ACROSS_OUT, _BACK_OUT, _BLSTM = 0, 2, 4, 6, 7, 13, 14


@functools.cache
def _operators(name: str) -> list[Operator]:
    return flatbuffer.read(bundles.load(name).model).graph.operators


class _Writer:
    """Writes operators after those of bundles, with other shapes and random constants."""

    def __init__(self, seed: int):
        self._random = np.random.default_rng(seed)
        self.nano, self.blstm = _operators("enhance-nano"), _operators("enhance-blstm")
        self.operators: list[Operator] = []

    def _constant(self, like: Tensor, shape: tuple[int, ...]) -> Tensor:
        low, high = (-127, 127) if like.dtype == "int8" else (-1000, 1000)
        data = self._random.integers(low, high, shape, endpoint=True).astype(like.dtype)
        quantization = like.quantization
        if quantization is not None and len(quantization.scales) > 1:  # one for each output
            quantization = Quantization.of(np.resize(quantization.scales, shape[0]))
        return Tensor(shape, like.dtype, data, quantization)

    def _write(self, op: Operator, inputs: list[Tensor | None], shape: tuple[int, ...]) -> Tensor:
        output = Tensor(shape, "int8", quantization=op.outputs[0].quantization)
        self.operators.append(op.like(inputs, [output]))
        return output

    def _move(self, op: Operator, x: Tensor, shape: tuple[int, ...], values) -> Tensor:
        positions = Tensor((len(values),), "int32", np.array(values, np.int32))
        output = Tensor(shape, "int8", quantization=x.quantization)
        self.operators.append(op.like([x, positions], [output]))
        return output

    def reshape(self, x: Tensor, *shape: int) -> Tensor:
        """Write a RESHAPE."""
        return self._move(self.nano[0], x, shape, shape)

    def reverse(self, x: Tensor) -> Tensor:
        """Write a GATHER that reverses the order of the rows."""
        return self._move(self.blstm[_REVERSE], x, x.shape, range(x.shape[0])[::-1])

    def dense(self, op: Operator, x: Tensor, outputs: int) -> Tensor:
        """Write a FULLY_CONNECTED."""
        inputs = x.shape[-1]
        weights, bias = op.inputs[1:3]
        made = [
            None if t is None else self._constant(t, shape)
            for t, shape in ((weights, (outputs, inputs)), (bias, (outputs,)))
        ]
        return self._write(op, [x, *made], (x.size // inputs, outputs))

    def add(self, op: Operator, a: Tensor, b: Tensor) -> Tensor:
        """Write an ADD; b may be one row."""
        return self._write(op, [a, b], a.shape)

    def position(self, x: Tensor) -> Tensor:
        """Write the ADD of a constant for each band."""
        op = self.nano[_POSITION]
        constant = next(t for t in op.inputs if t.data is not None)
        return self.add(op, x, self._constant(constant, x.shape))

    def mean(self, x: Tensor) -> Tensor:
        """Write the MEAN over the groups."""
        op = self.nano[_MEAN]
        return self._write(op, [x, op.inputs[1]], (1, x.shape[1]))

    def logistic(self, x: Tensor) -> Tensor:
        """Write the LOGISTIC of the masks."""
        return self._write(self.nano[_SIGMOID], [x], x.shape)

    def group_lstm(self, number: int) -> Operator:
        """Return one of the LSTMs of the groups: their scales differ, and so do the loops."""
        every = [op for op in self.nano if isinstance(op, graph.Lstm)]
        return every[number % len(every)]

    def lstm(self, op: Operator, x: Tensor, units: int) -> Tensor:
        """Write an LSTM over x [shape=(batch, steps, inputs)]; one of several steps is reset."""
        assert isinstance(op, graph.Lstm)
        batch, steps, inputs = x.shape
        gates = [
            graph.LstmGate(
                self._constant(gate.weights, (units, inputs)),
                self._constant(gate.recurrent, (units, units)),
                self._constant(gate.bias, (units,)),
            )
            for gate in op.gates
        ]
        states = [dataclasses.replace(t, shape=(batch, units), index=-1) for t in op.states]
        if steps > 1:
            for state in states:
                zeros = np.full((1, batch, units), state.zero_point, state.dtype)
                constant = Tensor(zeros.shape, state.dtype, zeros, state.quantization)
                self.operators.append(self.blstm[_CLEAR].like([constant], [state]))
        output = Tensor((batch, steps, units), "int8", quantization=op.output.quantization)
        self.operators.append(graph.Lstm.with_gates(op, x, gates, graph.LstmState(*states), output))
        return output


def _group_comm(w: _Writer, x: Tensor, net: Streaming) -> Tensor:
    nano, blstm, (groups, width) = w.nano, w.blstm, x.shape
    if net.group_comm == "tac":
        own = w.dense(nano[_TRANSFORM], x, net.tac)
        common = w.dense(nano[_AVERAGE], w.mean(own), net.tac)
        common = w.dense(nano[_COMMON], common, width)
        y = w.add(nano[_TAC], x, w.dense(nano[_OWN], own, width))
        return w.add(nano[_TAC_COMMON], y, common)
    if net.group_comm == "none":
        return x
    halves = []
    for op in (_BACK_OUT, _ACROSS_OUT):  # the backward direction is first
        rows = w.reverse(x) if op == _BACK_OUT else x
        y = w.lstm(blstm[_ACROSS], w.reshape(rows, 1, groups, width), net.blstm)
        y = w.dense(blstm[op], y, width)
        halves.append(w.reverse(y) if op == _BACK_OUT else y)
    return w.add(blstm[_BLSTM + 1], x, w.add(blstm[_BLSTM], *halves))


def _block(w: _Writer, x: Tensor, net: Streaming, number: int) -> Tensor:
    nano, (groups, width) = w.nano, x.shape
    if net.bottleneck:
        y = w.dense(nano[_DOWN], w.reshape(x, 1, groups * width), net.bottleneck)
        y = w.dense(nano[_UP], y, groups * width)
        x = w.add(nano[_BOTTLENECK], x, w.reshape(y, groups, width))
    x = _group_comm(w, x, net)
    y = w.lstm(w.group_lstm(number), w.reshape(x, groups, 1, width), net.hidden)
    return w.add(nano[_RESIDUAL], x, w.dense(nano[_PROJECTION], y, width))


def graph_of(net: Streaming, seed: int = 0) -> graph.Graph:
    """Write a network with random weights.

    Parameters
    ----------
    net : Streaming
        Without `memory`, whose LSTM cannot be quantized.
    seed : int

    Returns
    -------
    Graph
        Its operators have the shapes and the order of those that `groupcomm convert` writes.
    """
    w, signal, width = _Writer(seed), net.signal, net.features // net.groups
    like = w.nano[0].inputs[0]
    assert like is not None
    features = Tensor((1, signal.n_features), "int8", quantization=like.quantization)
    if signal.bands:
        x = w.reshape(features, net.groups, signal.n_features // net.groups)
        x = w.position(w.dense(w.nano[_BANDS], x, width))
    else:
        x = w.dense(w.blstm[_BINS], features, net.features)
        x = w.reshape(x, net.groups, width)
    for number in range(net.blocks):
        x = _block(w, x, net, seed + number)
    if signal.bands:
        masks = w.logistic(w.dense(w.nano[_MASKS], x, net.sources * signal.band_width))
        masks = w.reshape(masks, 1, masks.size)
    else:
        x = w.reshape(x, 1, net.features)
        masks = w.logistic(w.dense(w.nano[_MASKS], x, net.sources * signal.bins))
    return graph.Graph([features], [masks], w.operators)


def lstm_of(
    batch: int, steps: int, inputs: int, units: int, seed: int = 0
) -> tuple[graph.Graph, list[cost_model.Call]]:
    """Write one LSTM with random weights.

    Parameters
    ----------
    batch, steps, inputs, units : int
    seed : int

    Returns
    -------
    Graph
    list of Call
        The calls of its kernels.
    """
    w = _Writer(seed)
    op = w.group_lstm(seed) if steps == 1 else w.blstm[_ACROSS]
    x = Tensor((batch, steps, inputs), "int8", quantization=op.inputs[0].quantization)
    y = w.lstm(op, x, units)
    return graph.Graph([x], [y], w.operators), cost_model.lstm(batch, steps, inputs, units)


def dense_of(
    rows: int, inputs: int, outputs: int, *, relu: bool, seed: int = 0
) -> tuple[graph.Graph, list[cost_model.Call]]:
    """Write one FULLY_CONNECTED with random weights; see `lstm_of`."""
    w = _Writer(seed)
    op = w.nano[_TRANSFORM if relu else _OWN]
    x = Tensor((rows, inputs), "int8", quantization=op.inputs[0].quantization)
    y = w.dense(op, x, outputs)
    return graph.Graph([x], [y], w.operators), [cost_model.dense(rows, inputs, outputs, relu=relu)]
