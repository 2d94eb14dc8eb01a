"""TFLM's integer arithmetic in NumPy, bit for bit.

A stream is processed operator by operator, all of its hops at once. Only an LSTM, whose state
passes from hop to hop, processes them one after the other. Where operators assign a state for the
next hop, those between its first use and its assignment process one hop after the other. Every
function takes the parameters that `kernel_params.prepare` computes for an operator, and arrays
whose first axis is hops.
"""

import dataclasses
import functools
from typing import Any

import numpy as np

from convert import contract
from convert.tflite import fixed_point, flatbuffer, graph, kernel_params, runtimes
from convert.tflite.fixed_point import Scale, rescale, wrap
from convert.tflite.graph import Tensor


class Simulation(runtimes.Runtime):
    """Runs an int8 or 16x8 `.tflite` operator by operator.

    Parameters
    ----------
    model : bytes

    Raises
    ------
    UserError
        For an operator that `kernel_params.prepare` does not support.
    """

    def __init__(self, model: bytes):
        network = flatbuffer.read(model).graph
        self._steps = list(kernel_params.prepare_all(network.operators).items())
        self._inputs, self._outputs = network.inputs, network.outputs
        self._assigned = network.assigned_states()
        self._parts = _parts(network.operators, self._assigned)
        self.width = self._inputs[0].shape[-1]
        self.reset()

    def reset(self) -> None:
        """Set the state to its initial values."""
        self._states: dict[Tensor, np.ndarray] = {}

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Process the next hops; see `runtimes.Runtime`."""
        return self.run(features).reshape(len(features), -1)

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        """Run the graph on several inputs, and keep the state.

        Parameters
        ----------
        *inputs : np.ndarray [shape=(hops, ...)]
            Inputs of the graph in their order.

        Returns
        -------
        np.ndarray [shape=(hops, ...)]
            First output of the graph.
        """
        return self.run_all(*inputs)[0]

    def run_all(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """Run the graph as `run` does, and return all outputs."""
        hops = len(inputs[0])
        values = {t: x.reshape(hops, *t.shape) for t, x in zip(self._inputs, inputs, strict=True)}
        for start, stop, in_turn in self._parts:
            steps = self._steps[start:stop]
            if not in_turn:
                self._run(steps, values, hops)
                continue
            needed = {t for op, _ in steps for t in op.inputs if t in values}
            runs = [{t: values[t][i : i + 1] for t in needed} for i in range(hops)]
            for of_hop in runs:
                self._run(steps, of_hop, 1)
                self._states |= {t: of_hop[t][0] for t in self._assigned if t in of_hop}
            made = [t for op, _ in steps for t in op.outputs]
            values |= {t: np.concatenate([of_hop[t] for of_hop in runs]) for t in made}
        return [values[t] for t in self._outputs]

    def _run(
        self,
        steps: list[tuple[graph.Operator, Any]],
        values: dict[Tensor, np.ndarray],
        hops: int,
    ) -> None:
        """Run some operators on all hops; add their outputs to ``values``."""

        def value(t: Tensor) -> np.ndarray:
            if t in values:
                return values[t]
            kept = self._states.get(t, np.full(t.shape, t.zero_point, t.dtype))
            return np.broadcast_to(kept if t.data is None else t.data, (hops, *t.shape))

        for op, prepared in steps:
            shape, dtype = (hops, *op.output.shape), np.dtype(op.output.dtype)
            if isinstance(op, graph.Move):
                given = [None if t is None else value(t) for t in op.inputs]
                values |= zip(op.outputs, move(prepared, given, op.outputs), strict=True)
                continue
            if isinstance(op, graph.Lstm):
                made = self._lstm(prepared, op, value(op.input), values)
            elif isinstance(op, graph.Svdf):
                made = self._svdf(prepared, op.state, value(op.input))
            elif isinstance(op, graph.Binary):
                rank = max(len(op.a.shape), len(op.b.shape))
                a, b = (_of_rank(value(t), rank) for t in (op.a, op.b))
                made = OPERATORS[type(prepared)](prepared, a, b)
            else:
                made = OPERATORS[type(prepared)](prepared, value(op.input))
            values[op.output] = made.reshape(shape).astype(dtype)

    def _lstm(
        self,
        p: kernel_params.Lstm,
        op: graph.Lstm,
        x: np.ndarray,
        values: dict[Tensor, np.ndarray],
    ) -> np.ndarray:
        """Run an LSTM over the hops.

        The state passes from hop to hop, unless earlier operators write it: then each hop starts
        from what they wrote.
        """
        hidden, cell = op.states
        x = x.reshape(len(x), p.steps, p.batch, p.inputs)
        if hidden in values:
            start = (values[t].reshape(-1, p.units) for t in (hidden, cell))
            # The hops form a batch.
            out, *_ = lstm(p, np.moveaxis(x, 0, 1).reshape(p.steps, -1, p.inputs), *start)
            return np.moveaxis(out.reshape(p.steps, len(x), p.batch, p.units), 1, 0)
        start = (
            self._states.get(hidden, np.full((p.batch, p.units), p.zero_point)),
            self._states.get(cell, np.zeros((p.batch, p.units), np.int64)),
        )
        out, self._states[hidden], self._states[cell] = lstm(
            p, x.reshape(-1, p.batch, p.inputs), *start
        )
        return out

    def _svdf(self, p: kernel_params.Svdf, state: Tensor, x: np.ndarray) -> np.ndarray:
        """Run an SVDF over the hops, and keep the last values of its filters."""
        start = np.full((p.batch, p.filters, p.memory), p.state_zero_point, state.dtype)
        out, self._states[state] = svdf(p, x, self._states.get(state, start))
        return out


def _parts(operators: list[graph.Operator], assigned: list[Tensor]) -> list[tuple[int, int, bool]]:
    """Divide the operators into those that run on all hops at once, and those that run in turn.

    Parameters
    ----------
    operators : list of Operator
    assigned : list of Tensor
        States that an operator assigns for the next hop.

    Returns
    -------
    list of (int, int, bool)
        Number of the first operator of each part, and of the one after the last. The flag is true
        where the part contains all operators from the first that reads a state to the last that
        assigns it, so that each hop must pass all of them before the next one.
    """
    in_turn = [False] * len(operators)
    for state in assigned:
        uses = [i for i, op in enumerate(operators) if state in (*op.inputs, *op.outputs)]
        last = max(i for i in uses if state in operators[i].outputs)
        in_turn[uses[0] : last + 1] = [True] * (last + 1 - uses[0])
    ends = [i for i in range(1, len(operators)) if in_turn[i] != in_turn[i - 1]]
    starts = [0, *ends]
    return [
        (start, stop, in_turn[start])
        for start, stop in zip(starts, [*ends, len(operators)], strict=True)
    ]


def _of_rank(x: np.ndarray, rank: int) -> np.ndarray:
    """Insert axes of length 1 after the hops, so that two operands broadcast as in the operator."""
    return x.reshape(len(x), *(1,) * (rank + 1 - x.ndim), *x.shape[1:])


def _products(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Multiply x [shape=(..., inputs)] by weights [shape=(outputs, inputs)].

    float64 represents such sums exactly. The result is [shape=(..., outputs), dtype=int64].
    """
    return (x.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)


def _rescale_int64(x: np.ndarray, multiplier, shift) -> np.ndarray:
    """Scale 64-bit sums to int16 by the upper half of the multiplier; round once, halves up."""
    return wrap((x * (multiplier >> 16) + (np.int64(1) << (14 - shift))) >> (15 - shift))


def _limits(x: np.ndarray) -> tuple[int, int]:
    return np.iinfo(x.dtype).min, np.iinfo(x.dtype).max


def fully_connected(p: kernel_params.FullyConnected, x: np.ndarray) -> np.ndarray:
    """Compute FULLY_CONNECTED.

    Parameters
    ----------
    p : FullyConnected
    x : np.ndarray [shape=(..., inputs), dtype=int8 or int16]

    Returns
    -------
    np.ndarray [shape=(hops, rows, outputs), dtype=int64]
    """
    sums = _products(x.reshape(len(x), p.rows, p.inputs), p.weights) + p.bias
    multiplier, shift = p.multiplier.astype(np.int64), p.shift.astype(np.int64)
    if x.dtype == np.int16:
        return np.clip(_rescale_int64(sums, multiplier, shift), p.low, p.high)
    return np.clip(rescale(sums, Scale(multiplier, shift)) + p.zero_point, p.low, p.high)


def _windows(p: kernel_params.Window, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all windows of an input.

    Parameters
    ----------
    p : Window
    x : np.ndarray [shape=(hops, ...), dtype=int8]

    Returns
    -------
    values : np.ndarray [shape=(hops, windows, height * width, channels), dtype=int64]
        Padding has the input's zero point.
    inside : np.ndarray [shape=(windows, height * width, 1), dtype=bool]
        Whether a value is not padding.
    """
    x = x.reshape(len(x), p.batches, p.in_height, p.in_width, p.channels).astype(np.int64)
    rows = (
        np.arange(p.out_height)[:, None] * p.stride_height
        + np.arange(p.height) * p.dilation_height
        - p.top
    )
    columns = (
        np.arange(p.out_width)[:, None] * p.stride_width
        + np.arange(p.width) * p.dilation_width
        - p.left
    )
    inside = np.einsum(  # (out_height, out_width, height, width)
        "ab,cd->acbd",
        (rows % p.spread_height == 0) & (rows >= 0) & (rows < p.in_height * p.spread_height),
        (columns % p.spread_width == 0) & (columns >= 0) & (columns < p.in_width * p.spread_width),
    )
    at = (
        np.clip(rows // p.spread_height, 0, p.in_height - 1)[:, None, :, None],
        np.clip(columns // p.spread_width, 0, p.in_width - 1)[None, :, None, :],
    )
    values = np.where(inside[..., None], x[:, :, *at], p.zero_point)
    taps = p.height * p.width
    return (
        values.reshape(len(x), p.count, taps, p.channels),
        np.tile(inside.reshape(-1, taps, 1), (p.batches, 1, 1)),
    )


def convolution(p: kernel_params.Convolution, x: np.ndarray) -> np.ndarray:
    """Compute CONV_2D of an input [shape=(hops, ...), dtype=int8]."""
    windows, _ = _windows(p.window, x)
    return fully_connected(dataclasses.replace(p.dots, rows=p.window.count), windows)


def depthwise_convolution(p: kernel_params.DepthwiseConvolution, x: np.ndarray) -> np.ndarray:
    """Compute DEPTHWISE_CONV_2D of an input [shape=(hops, ...), dtype=int8]."""
    windows, _ = _windows(p.window, x)
    windows = windows.repeat(p.outputs // p.window.channels, axis=-1)
    weights = p.weights.reshape(-1, p.outputs).astype(np.int64)
    sums = (windows * weights).sum(2) + p.bias
    scale = Scale(p.multiplier.astype(np.int64), p.shift.astype(np.int64))
    return np.clip(rescale(sums, scale) + p.zero_point, p.low, p.high)


def average_pool(p: kernel_params.AveragePool, x: np.ndarray) -> np.ndarray:
    """Compute AVERAGE_POOL_2D of an input [shape=(hops, ...), dtype=int8]."""
    windows, inside = _windows(p.window, x)
    sums, counts = (windows * inside).sum(2), inside.sum(1)
    magnitudes = (np.abs(sums) + counts // 2) // counts
    return np.clip(np.sign(sums) * magnitudes, p.low, p.high)


def max_pool(p: kernel_params.MaxPool, x: np.ndarray) -> np.ndarray:
    """Compute MAX_POOL_2D of an input [shape=(hops, ...), dtype=int8]."""
    windows, inside = _windows(p.window, x)
    return np.clip(np.where(inside, windows, -128).max(2), p.low, p.high)


def _operands(
    p: kernel_params.Add, a: np.ndarray, b: np.ndarray, left: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """Return both operands of a sum with a common scale."""
    x, y = (
        (v.astype(np.int64) - operand.zero_point) << left for v, operand in ((a, p.a), (b, p.b))
    )
    return rescale(x, p.a_scale), rescale(y, p.b_scale)


def add(p: kernel_params.Add, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute ADD of two arrays [shape=(hops, ...), dtype=int8 or int16] that broadcast."""
    x, y = _operands(p, a, b, 15 if a.dtype == np.int16 else 20)
    return np.clip(rescale(x + y, p.scale) + p.zero_point, p.low, p.high)


def sub(p: kernel_params.Sub, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute SUB of two arrays [shape=(hops, ...), dtype=int8] that broadcast."""
    x, y = _operands(p, a, b)
    return np.clip(rescale(x - y, p.scale) + p.zero_point, p.low, p.high)


def squared_difference(
    p: kernel_params.SquaredDifference, a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """Compute SQUARED_DIFFERENCE of two arrays [shape=(hops, ...), dtype=int8] that broadcast."""
    x, y = _operands(p, a, b, 7)
    return np.clip(rescale((x - y) ** 2, p.scale) + p.zero_point, p.low, p.high)


def mul(p: kernel_params.Mul, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute MUL of two arrays [shape=(hops, ...), dtype=int8 or int16] that broadcast."""
    product = (a.astype(np.int64) - p.a.zero_point) * (b.astype(np.int64) - p.b.zero_point)
    return np.clip(rescale(product, p.scale) + p.zero_point, p.low, p.high)


def prelu(p: kernel_params.Prelu, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute PRELU of values a and slopes b [shape=(hops, ...), dtype=int8], which broadcast."""
    x, slope = a.astype(np.int64) - p.a.zero_point, b.astype(np.int64) - p.b.zero_point
    y = np.where(x >= 0, rescale(x, p.positive), rescale(x * slope, p.negative))
    return np.clip(y + p.zero_point, -128, 127)


def mean(p: kernel_params.Mean, x: np.ndarray) -> np.ndarray:
    """Compute MEAN.

    Parameters
    ----------
    p : Mean
    x : np.ndarray [shape=(hops, ...), dtype=int8 or int16]

    Returns
    -------
    np.ndarray [shape=(hops, outer, inner), dtype=int64]
    """
    sums = x.reshape(len(x), p.outer, p.count, p.inner).sum(2, dtype=np.int64) + p.bias
    return np.clip(rescale(sums, p.scale) + p.zero_point, *_limits(x))


def lookup(p: kernel_params.Lookup, x: np.ndarray) -> np.ndarray:
    """Compute a function of one byte."""
    return p.table[x.view(np.uint8)]


def requantize(p: kernel_params.Requantize, x: np.ndarray) -> np.ndarray:
    """Compute QUANTIZE or RELU."""
    return np.clip(
        rescale(x.astype(np.int64) - p.input_zero_point, p.scale) + p.zero_point, p.low, p.high
    )


def move(
    parts: list[kernel_params.Copy | kernel_params.Fill],
    inputs: list[np.ndarray | None],
    outputs: list[Tensor],
) -> list[np.ndarray]:
    """Compute an operator that moves bytes.

    Parameters
    ----------
    parts : list of Copy or Fill
    inputs : list of np.ndarray or None
        [shape=(hops, ...)]; None for an optional input that is absent.
    outputs : list of Tensor

    Returns
    -------
    list of np.ndarray
        [shape=(hops, ...)] for each output.
    """
    hops = next(len(x) for x in inputs if x is not None)
    made = [np.zeros((hops, t.byte_size), np.int8) for t in outputs]
    for p in parts:
        if isinstance(p, kernel_params.Fill):
            made[0][:] = p.value
            continue
        source = np.ascontiguousarray(inputs[p.input]).reshape(hops, -1).view(np.int8)
        rows, columns = np.arange(p.rows)[:, None], np.arange(p.columns)
        made[p.output][:, p.offset + rows * p.stride + columns] = source[
            :, p.in_offset + rows * p.in_stride + columns
        ]
    return [x.view(t.dtype).reshape(hops, *t.shape) for x, t in zip(made, outputs, strict=True)]


@functools.cache
def _curve() -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of `contract.tanh_table`, each [shape=(512,), dtype=int64]."""
    values, steps = contract.tanh_table().T
    return values, steps


def _point(k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, steps = _curve()
    return values[k + 256], steps[k + 256]


def tanh16(x: np.ndarray) -> np.ndarray:
    """Return tanh in units of 1 / 32768 of an argument in units of 1 / 12288."""
    value, step = _point(np.clip(x >> 8, -256, 255))
    return (value * 256 + step * (x & 255) + 128 + (x >> 31)) >> 8


def logistic16(x: np.ndarray) -> np.ndarray:
    """Return the logistic function in units of 1 / 32768.

    The argument is in units of 1 / 12288, and its magnitude is at most 255 * 512.
    """
    value, step = _point(x >> 9)
    return (value * 512 + step * (x & 511) + (1 << 24) + 512 + (x >> 31)) >> 10


def _argument(p: kernel_params.Logistic, x: np.ndarray) -> np.ndarray:
    return (x.astype(np.int64) * p.multiplier + (1 << p.shift >> 1)) >> p.shift


def logistic(p: kernel_params.Logistic, x: np.ndarray) -> np.ndarray:
    """Compute LOGISTIC of int16. The result is at least 1 and at most 32767."""
    end = 255 << 9
    return np.clip(logistic16(np.clip(_argument(p, x), -end, end)), 1, 32767)


def tanh(p: kernel_params.Tanh, x: np.ndarray) -> np.ndarray:
    """Compute TANH of int16."""
    return tanh16(_argument(p, x))


def _clamp16(x: np.ndarray) -> np.ndarray:
    return np.clip(x, -32768, 32767)


def lstm(
    p: kernel_params.Lstm, x: np.ndarray, hidden: np.ndarray, cell: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute UNIDIRECTIONAL_SEQUENCE_LSTM over the steps of a sequence or the hops of a stream.

    Parameters
    ----------
    p : Lstm
    x : np.ndarray [shape=(steps, batch, inputs), dtype=int8 or int16]
    hidden, cell : np.ndarray [shape=(batch, units), dtype=int64]
        State before the first step.

    Returns
    -------
    out : np.ndarray [shape=(steps, batch, units), dtype=int64]
    hidden, cell : np.ndarray [shape=(batch, units), dtype=int64]
        State after the last step.
    """
    wide = x.dtype == np.int16
    gates = (p.input, p.forget, p.cell, p.output)

    def summed(products, bias, scale):
        if wide:
            return _clamp16(
                _rescale_int64(
                    products + (0 if bias is None else bias), scale.multiplier, scale.shift
                )
            )
        return _clamp16(rescale(products + bias, scale))

    # (steps, batch, units) each
    from_input = [summed(_products(x, g.input_weights), g.input_bias, g.input) for g in gates]
    # (units, 4 * units)
    recurrent = np.concatenate([g.recurrent_weights for g in gates]).T.astype(np.float64)
    half = 1 << (p.tanh_shift - 1) if p.tanh_shift else 0
    hidden, cell = hidden.astype(np.int64), cell.astype(np.int64)
    out = np.empty((*x.shape[:2], p.units), np.int64)
    for step in range(len(x)):
        products = np.split((hidden.astype(np.float64) @ recurrent).astype(np.int64), 4, axis=-1)
        i, f, c, o = (
            3 * _clamp16(g_input[step] + summed(product, g.recurrent_bias, g.recurrent))
            for g, g_input, product in zip(gates, from_input, products, strict=True)
        )
        i, f, c, o = logistic16(i), logistic16(f), tanh16(c), logistic16(o)
        kept = _clamp16(rescale(f * cell, Scale(1 << 30, -14)))  # gate unit: 1 / 32768
        cell = _clamp16(kept + _clamp16(rescale(i * c, p.update)))
        if p.cell_clip:
            cell = np.clip(cell, -p.cell_clip, p.cell_clip)
        squashed = tanh16((cell * p.tanh_multiplier + half) >> p.tanh_shift)
        y = rescale(squashed * o, p.hidden) + p.zero_point
        hidden = out[step] = _clamp16(y) if wide else np.clip(y, -128, 127)
    return out, hidden, cell


def svdf(p: kernel_params.Svdf, x: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute SVDF over the hops of a stream.

    Parameters
    ----------
    p : Svdf
    x : np.ndarray [shape=(hops, ...), dtype=int8]
    state : np.ndarray [shape=(batch, filters, memory), dtype=int8 or int16]
        Before the first hop.

    Returns
    -------
    out : np.ndarray [shape=(hops, batch, filters / rank), dtype=int64]
    state : np.ndarray [shape=(batch, filters, memory), dtype=int8 or int16]
        After the last hop.
    """
    sums = _products(x.reshape(len(x), p.batch, p.inputs), p.feature_weights) + p.feature_bias
    made = np.clip(rescale(sums, p.feature), *_limits(state)) + p.state_zero_point
    made = made.astype(state.dtype)  # TFLM adds the zero point last, and wraps
    seen = np.concatenate([state, np.moveaxis(made, 0, -1)], -1)
    windows = np.lib.stride_tricks.sliding_window_view(seen, p.memory, -1)[:, :, 1:]
    filtered = np.einsum("bfhm,fm->hbf", windows, p.time_weights, dtype=np.int64)
    sums = filtered.reshape(len(x), p.batch, -1, p.rank).sum(-1) + p.bias
    out = np.clip(rescale(wrap(sums), p.scale) + p.zero_point, -128, 127)
    return out, seen[..., len(seen[0, 0]) - p.memory :]


def softmax(p: kernel_params.Softmax, x: np.ndarray) -> np.ndarray:
    """Compute SOFTMAX.

    Parameters
    ----------
    p : Softmax
    x : np.ndarray [shape=(..., columns), dtype=int8]

    Returns
    -------
    np.ndarray [shape=x.shape, dtype=int64]
    """
    steps = x.max(-1, keepdims=True).astype(np.int64) - x
    parts = p.exponentials.astype(np.int64)[steps]
    sums = ((parts + (1 << 11)) >> 12).sum(-1, keepdims=True)  # in units of 2^-19
    headroom = 31 - np.floor(np.log2(sums)).astype(np.int64)
    inverse = np.vectorize(fixed_point.inverse)((sums << headroom) - 2**31)
    products = (inverse * parts + (1 << 30)) >> 31
    right = 12 - headroom + 31 - 8
    return np.minimum(((products + (1 << (right - 1))) >> right) - 128, 127)


OPERATORS = {
    kernel_params.Softmax: softmax,
    kernel_params.FullyConnected: fully_connected,
    kernel_params.Convolution: convolution,
    kernel_params.DepthwiseConvolution: depthwise_convolution,
    kernel_params.AveragePool: average_pool,
    kernel_params.MaxPool: max_pool,
    kernel_params.Add: add,
    kernel_params.Sub: sub,
    kernel_params.SquaredDifference: squared_difference,
    kernel_params.Mul: mul,
    kernel_params.Prelu: prelu,
    kernel_params.Mean: mean,
    kernel_params.Lookup: lookup,
    kernel_params.Requantize: requantize,
    kernel_params.Logistic: logistic,
    kernel_params.Tanh: tanh,
}
