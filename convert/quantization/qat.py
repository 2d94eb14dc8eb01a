"""Quantization-aware training: the float `.tflite` in TensorFlow, rounded where TFLM rounds.

tfmot wraps Keras layers and does not support recurrent ones. TensorFlow's converter fails on
FakeQuant beside a fused LSTM. This module uses neither. It runs the graph that `quantizer.quantize`
converts, operator by operator, on many sounds and frames at once. Its constants are the Keras
weights, in the order and layout of the flatbuffer. A `tf.quantization.fake_quant_with_min_max_vars`
is at every tensor that becomes integers. Its ranges are trained with the weights, and
`quantizer.quantize` uses them. Training and conversion share one graph and one list of tensors, so
the network that runs is the one that was trained.

Rounding passes gradients straight through; saturation does not (Jacob et al., "Quantization and
training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018; trained
ranges: Jain et al., "Trained quantization thresholds", MLSys 2020).

Two roundings are not modelled, because they are far below a step of int8: those of the multipliers
of TFLM's rescaling, and those of an LSTM's gates after their activation (int16 in units of 1 /
32768). An LSTM's gates before their activation (saturating int16 in units of 1 / 4096), its cell
and its hidden state are rounded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from convert.quantization import export, ptq, quantizer
from convert.quantization.calibration import Method
from convert.tflite import flatbuffer, graph
from convert.tflite.graph import Tensor
from groupcomm.errors import UserError
from tf_model.networks import streaming
from tf_model.training import checkpoint

GATE_STEPS = 4096.0  # steps in 1.0, of an LSTM's gate before its activation


@dataclasses.dataclass(frozen=True)
class QuantPoint:
    """A point where a network is rounded.

    Attributes
    ----------
    what : str
        ``"weights"`` of an operator (its bias too), ``"gates"`` or ``"cell"`` of an LSTM, or
        ``"values"``: activations with one scale.
    number : int
        Index of the operator in the graph. For values, index of their group in
        `quantizer.scale_groups`.
    name : str
        Display name of the operator that computes it.
    """

    what: str
    number: int
    name: str


class FakeQuantized(tf.Module):
    """A streaming network that rounds as its integer `.tflite` does, with gradients.

    Parameters
    ----------
    name : str
        Name of the network.
    model : keras.Model
        Its sequence view, whose weights are the constants.
    net : Streaming
        Its sizes.
    ranges : dict of int to tuple of float
        Initial range of every activation, see `quantizer.choose_ranges`.
    weights : int
        Bits of the weights of FULLY_CONNECTED, see `quantizer.quantize`.
    selective : bool
        Round only at the points that `enable_only` enables, initially none. This takes 1.5 times as
        long.

    Attributes
    ----------
    points : list of QuantPoint
        All points where the network is rounded, in the order of the graph.
    lows, highs : list of tf.Variable
        Ranges of the groups of `quantizer.scale_groups`.

    Raises
    ------
    UserError
        When there is no rounded form of an operator, or the converter computed with weights, so
        that a constant of the `.tflite` is not a weight.
    """

    def __init__(
        self,
        name: str,
        model: keras.Model,
        *,
        net,
        ranges: quantizer.Ranges,
        weights: int = 8,
        selective: bool = False,
    ):
        super().__init__(name="qat")
        self._weights, self._bits = model.weights, weights
        content, self._weight_indices = _trace(name, model, net)
        self._graph = flatbuffer.read(content).graph
        for op in self._graph.operators:
            _function(op)
        self._groups = quantizer.scale_groups(content)
        # By index, because tf.Module sorts the keys of its dictionaries.
        self._group_of = {i: n for n, group in enumerate(self._groups) for i in group.tensors}
        self._cell_scales = {
            i: float(quantizer.cell_scale(*ranges[i]))
            for group in self._groups
            if group.kind == "cell"
            for i in group.tensors
        }
        self.lows, self.highs = (
            [
                tf.Variable(
                    ranges[group.tensors[0]][end],
                    dtype=tf.float32,
                    trainable=not group.kind,
                    name=f"{side}_{n}",
                )
                for n, group in enumerate(self._groups)
            ]
            for end, side in ((0, "low"), (1, "high"))
        )

        self.points = self._list_points()
        self._index = {(point.what, point.number): i for i, point in enumerate(self.points)}
        self._switches = (
            tf.Variable(tf.zeros(len(self.points), tf.bool), trainable=False) if selective else None
        )
        self._range_use: dict[tuple[str, int], tf.Tensor] | None = None

    def _list_points(self) -> list[QuantPoint]:
        """List the points in the order of the graph."""
        features = self._group_of[self._graph.inputs[0].index]
        points, seen = [QuantPoint("values", features, "features")], {features}
        for k, op in enumerate(self._graph.operators):
            label = f"{k} {op.name.removeprefix('UNIDIRECTIONAL_SEQUENCE_')}"
            has_constant = isinstance(op, graph.Binary) and any(
                t.index not in self._group_of for t in op.inputs
            )
            if has_constant or isinstance(op, graph.FullyConnected | graph.Lstm):
                points.append(QuantPoint("weights", k, label))
            if isinstance(op, graph.Lstm):
                points += [QuantPoint("gates", k, label), QuantPoint("cell", k, label)]
            group = self._group_of[op.output.index]
            if group not in seen and self._groups[group].kind != "cell":
                seen.add(group)
                points.append(QuantPoint("values", group, label))
        return points

    def enable_only(self, points: set[QuantPoint]) -> None:
        """Round at these points and nowhere else.

        Parameters
        ----------
        points : set of QuantPoint
        """
        self._switches.assign([point in points for point in self.points])

    def range_utilization(self, features: tf.Tensor) -> tf.Tensor:
        """Measure the fraction of its range that each point uses.

        Parameters
        ----------
        features : tf.Tensor [shape=(batch, frames, inputs), dtype=float32]

        Returns
        -------
        tf.Tensor [shape=(points,), dtype=float32]
            Values above 1 are clipped. NaN marks a point without a range of its own.
        """
        self._range_use = {}
        self(features)
        seen = [
            self._range_use.get((point.what, point.number), np.float32(np.nan))
            for point in self.points
        ]
        self._range_use = None
        return tf.stack(seen)

    def _record_range_use(
        self, what: str, number: int, x: tf.Tensor, low: tf.Tensor, high: tf.Tensor
    ) -> None:
        if self._range_use is None:
            return
        used = tf.maximum(tf.reduce_max(x) / high, tf.math.divide_no_nan(tf.reduce_min(x), low))
        self._range_use[what, number] = tf.maximum(used, self._range_use.get((what, number), 0.0))

    def _select(self, what: str, number: int, rounded: tf.Tensor, exact: tf.Tensor) -> tf.Tensor:
        """Return the rounded value if the point is enabled, else the exact one."""
        return (
            rounded
            if self._switches is None
            else tf.where(self._switches[self._index[what, number]], rounded, exact)
        )

    def metadata(self) -> dict:
        """Return what `ptq.integers` reads from a checkpoint.

        Returns
        -------
        dict
            ``ranges``: [tensor, low, high] of each activation. ``weights``: bits of the weights of
            FULLY_CONNECTED.
        """
        return {
            "ranges": [
                [i, *map(float, self._trained(n))] for i, n in sorted(self._group_of.items())
            ],
            "weights": self._bits,
        }

    def _trained(self, n: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the trained range of a group, extended to include 0."""
        return tf.minimum(self.lows[n], 0.0), tf.maximum(self.highs[n], 1e-6)

    def _limits(self, t: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the lowest and highest of an activation's 256 values."""
        n = self._group_of[t.index]
        fixed = {"LOGISTIC": (0.0, 255 / 256), "TANH": (-1.0, 127 / 128)}.get(self._groups[n].kind)
        return tuple(map(tf.constant, fixed)) if fixed else _short_range(*self._trained(n))

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Compute masks.

        Parameters
        ----------
        features : tf.Tensor [shape=(batch, frames, inputs), dtype=float32]

        Returns
        -------
        tf.Tensor [shape=(batch, frames, sources * values), dtype=float32]
        """
        batch, frames = tf.shape(features)[0], tf.shape(features)[1]
        flat = tf.concat([tf.reshape(w, [-1]) for w in self._weights], 0)
        weights = {i: tf.gather(flat, place) for i, place in self._weight_indices.items()}
        [given], [masks] = self._graph.inputs, self._graph.outputs
        features = tf.reshape(features, [-1, *given.shape])
        self._record_range_use(
            "values", self._group_of[given.index], features, *self._limits(given)
        )
        run = _Run(
            {given: self._fake_quantize(given, features)},
            {t: weights[t.index] for t in self._graph.tensors if t.index in weights},
            batch,
            frames,
        )
        for k, op in enumerate(self._graph.operators):
            y = self._compute(k, op, run)
            if op.activation == "RELU":
                y = tf.nn.relu(y)
            out = op.output
            y = tf.reshape(y, [-1, *out.shape])
            # Moved values and the output of an LSTM are already rounded.
            if (
                out.index in self._group_of
                and self._groups[self._group_of[out.index]].kind != "cell"
            ):
                self._record_range_use("values", self._group_of[out.index], y, *self._limits(out))
            rounded = isinstance(op, graph.Lstm) or (
                isinstance(op, graph.Move) and not isinstance(op, graph.Concatenation)
            )
            run.values[out] = y if rounded else self._fake_quantize(out, y)
        return tf.reshape(run.values[masks], [batch, frames, -1])

    def _compute(self, k: int, op: graph.Operator, run: _Run) -> tf.Tensor:
        """Compute operator k of the graph."""
        return _function(op)(self, k, op, run)

    def _fully_connected(self, k: int, op: graph.FullyConnected, run: _Run) -> tf.Tensor:
        w, scale = self._quantize_matrix(k, run.value(op.weights), by_output=True)
        y = tf.linalg.matmul(tf.reshape(run.value(op.input), [-1, w.shape[1]]), w, transpose_b=True)
        products = self._scale(op.input) * scale[:, 0]
        if op.bias is not None:
            y += self._quantize_bias(k, run.value(op.bias), products)
        return self._round_twice(y, products, op.output)

    def _binary(self, k: int, op: graph.Binary, run: _Run) -> tf.Tensor:
        combine = tf.add if isinstance(op, graph.Add) else tf.multiply
        rank = len(op.output.shape)
        return combine(
            *(self._operand(k, run.value(t), t in run.values, rank) for t in (op.a, op.b))
        )

    def _mean(self, k: int, op: graph.Mean, run: _Run) -> tf.Tensor:
        shape = op.input.shape
        axes = [int(a) % len(shape) for a in op.axes.data.ravel()]
        count = np.prod([shape[a] for a in axes])
        y = tf.reduce_mean(run.value(op.input), [a + 1 for a in axes])
        return self._round_twice(y, self._scale(op.input), op.output, int(np.log2(count)))

    def _same_values(self, k: int, op: graph.Move, run: _Run) -> tf.Tensor:
        y = run.value(op.input)
        if op.input not in run.values:  # a constant that sets a state, in every frame
            y = tf.broadcast_to(y[None], [run.batch * run.frames, *y.shape])
        return y

    def _gather(self, k: int, op: graph.Gather, run: _Run) -> tf.Tensor:
        axis = op.axis % len(op.output.shape) + 1
        return tf.gather(run.value(op.input), op.positions.data, axis=axis)

    def _concatenation(self, k: int, op: graph.Concatenation, run: _Run) -> tf.Tensor:
        axis = op.axis % len(op.output.shape) + 1
        return tf.concat([run.value(t) for t in op.inputs], axis)

    def _fake_quantize(self, t: Tensor, x: tf.Tensor) -> tf.Tensor:
        """Round an activation."""
        rounded = tf.quantization.fake_quant_with_min_max_vars(x, *self._limits(t))
        return self._select("values", self._group_of[t.index], rounded, x)

    def _quantize_matrix(
        self, k: int, w: tf.Tensor, *, by_output: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Round a matrix [shape=(outputs, inputs)] symmetrically; return it and its scales.

        The matrix has one scale for each output, or one for all.
        """
        bits = self._bits if by_output else 8
        top, axis = float(quantizer.qmax(bits)), 1 if by_output and bits == 8 else None
        most = tf.stop_gradient(tf.reduce_max(tf.abs(w), axis, keepdims=True))
        scale = _short_scale(tf.where(most > 0, most, top) / top)
        return self._select("weights", k, _round_to_grid(w, scale), w), scale

    def _quantize_bias(self, k: int, bias: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
        return self._select("weights", k, _round_to_grid(bias, scale), bias)

    def _scale(self, t: Tensor) -> tf.Tensor:
        """Return the scale of an activation."""
        low, high = self._limits(t)
        return tf.stop_gradient(high - low) / 255

    def _round_twice(self, x: tf.Tensor, sums: tf.Tensor, out: Tensor, more: int = 0) -> tf.Tensor:
        """Round a sum of products as TFLM does, in two steps.

        TFLM first rounds to a fraction of the output's scale, which depends on the right shift of
        its multiplier, and then to the scale. Where the shift is small, many values are then
        halfway between two integers, and the rounding of halves matters: `tf.quantization` rounds
        them up, TFLM away from zero. This is the case beside 4-bit weights, and for MEAN, which
        divides by ``2 ** more`` by shifting.
        """
        left = tf.math.ceil(tf.math.log(sums / self._scale(out)) / np.float32(np.log(2.0))) - more
        part = tf.pow(2.0, tf.minimum(left, 0.0))
        return self._select(
            "values", self._group_of[out.index], _round_to_grid(x, self._scale(out), part), x
        )

    def _operand(self, k: int, x: tf.Tensor, activation: bool, rank: int) -> tf.Tensor:
        """Return an operand of a sum or product. A constant has a scale of its own."""
        if activation:
            return tf.reshape(x, [-1, *[1] * (rank + 1 - len(x.shape)), *x.shape[1:]])
        low, high = (
            tf.stop_gradient(r)
            for r in (tf.minimum(tf.reduce_min(x), 0.0), tf.maximum(tf.reduce_max(x), 0.0))
        )
        return self._select(
            "weights",
            k,
            tf.quantization.fake_quant_with_min_max_vars(x, *_short_range(low, high)),
            x,
        )[None]

    def _lstm(self, k: int, op: graph.Lstm, run: _Run) -> tf.Tensor:
        hidden, cell = op.states
        x, (units, width) = run.value(op.input), op.input_gate.weights.shape
        shape, rows, steps = op.input.shape, op.batch, op.steps
        # A recurrence across the groups of a frame starts from the state that operators wrote.
        across_groups = hidden in run.values
        if across_groups:
            order = [1, 0, 2, 3] if op.time_major else [2, 0, 1, 3]
            x = tf.reshape(tf.transpose(tf.reshape(x, [-1, *shape]), order), [steps, -1, width])
            begin = [tf.reshape(run.value(t), [-1, units]) for t in (hidden, cell)]
        else:
            x = tf.reshape(
                tf.transpose(tf.reshape(x, [run.batch, run.frames, rows, width]), [1, 0, 2, 3]),
                [run.frames, -1, width],
            )
            begin = [tf.zeros([run.batch * rows, units])] * 2

        def matrix(t: Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._quantize_matrix(k, run.value(t), by_output=False)

        kernels, scales = zip(*(matrix(gate.weights) for gate in op.gates), strict=True)
        recurrent = tf.transpose(tf.concat([matrix(gate.recurrent)[0] for gate in op.gates], 0))
        each = self._scale(op.input)
        bias = tf.concat(
            [
                self._quantize_bias(k, run.value(gate.bias), each * scale[0, 0])
                for gate, scale in zip(op.gates, scales, strict=True)
            ],
            0,
        )
        scale = self._cell_scales[cell.index]

        def gate(x):
            return self._select("gates", k, _round_gate(x), x)

        from_input = gate(tf.tensordot(x, tf.transpose(tf.concat(kernels, 0)), 1) + bias)

        def step(gates, state):
            h, c = state
            summed = gates + gate(tf.matmul(h, recurrent))
            i, f, g, o = tf.split(self._select("gates", k, _clip_gate(summed), summed), 4, axis=-1)
            kept, new = tf.sigmoid(f) * c, tf.sigmoid(i) * tf.tanh(g)
            rounded = tf.clip_by_value(
                _round_to_grid(kept, scale) + _round_to_grid(new, scale),
                -32768 * scale,
                32767 * scale,
            )
            c = self._select("cell", k, rounded, kept + new)
            h = self._fake_quantize(op.output, tf.sigmoid(o) * tf.tanh(c))
            return tf.concat([h, c], -1), [h, c]

        _, both, _ = keras.backend.rnn(step, from_input, begin, time_major=True)
        y, cells = tf.split(both, 2, axis=-1)
        self._record_range_use("cell", k, cells, -32768 * scale, 32767 * scale)
        if across_groups:
            y = tf.reshape(y, [steps, -1, rows, units])
            return tf.transpose(y, [1, 0, 2, 3] if op.time_major else [1, 2, 0, 3])
        return tf.transpose(tf.reshape(y, [run.frames, run.batch, rows, units]), [1, 0, 2, 3])


@dataclasses.dataclass(frozen=True)
class _Run:
    """The tensors of one call of `FakeQuantized`.

    Attributes
    ----------
    values : dict of Tensor to tf.Tensor
        Activations [shape=(batch * frames, ...)].
    weights : dict of Tensor to tf.Tensor
        Constants that are trained.
    batch, frames : tf.Tensor
    """

    values: dict[Tensor, tf.Tensor]
    weights: dict[Tensor, tf.Tensor]
    batch: tf.Tensor
    frames: tf.Tensor

    def value(self, t: Tensor) -> tf.Tensor:
        """Return an activation [shape=(batch * frames, ...)], or a constant without that axis."""
        if t in self.values:
            return self.values[t]
        return self.weights[t] if t in self.weights else tf.constant(t.data)


_COMPUTE = {
    graph.FullyConnected: FakeQuantized._fully_connected,
    graph.Lstm: FakeQuantized._lstm,
    graph.Add: FakeQuantized._binary,
    graph.Mul: FakeQuantized._binary,
    graph.Mean: FakeQuantized._mean,
    graph.Logistic: lambda self, k, op, run: tf.sigmoid(run.value(op.input)),
    graph.Tanh: lambda self, k, op, run: tf.tanh(run.value(op.input)),
    graph.Gather: FakeQuantized._gather,
    graph.Concatenation: FakeQuantized._concatenation,
    graph.Reshape: FakeQuantized._same_values,
    graph.Squeeze: FakeQuantized._same_values,
}


def _function(op: graph.Operator) -> Callable:
    """Return the function that computes an operator."""
    compute = next((f for kind, f in _COMPUTE.items() if isinstance(op, kind)), None)
    if compute is None:
        raise UserError(
            f"operator {op.name}: quantization-aware training does not support it; "
            "quantize after training (groupcomm convert)"
        )
    return compute


def fake_quantized(
    trained: checkpoint.Checkpoint, model: keras.Model, *, method: Method, weights: int
) -> FakeQuantized:
    """Observe the activations of a trained network, and let it round within these ranges.

    Parameters
    ----------
    trained : Checkpoint
    model : keras.Model
        Its sequence view, whose weights are trained.
    method : str
        How to choose the first ranges, see `quantizer.choose_ranges`.
    weights : int
        Bits of the weights of FULLY_CONNECTED.

    Returns
    -------
    FakeQuantized
    """
    content, _, observed = ptq.observe(trained)
    ranges = quantizer.choose_ranges(content, observed, method, is_16x8=False)
    return FakeQuantized(trained.name, model, net=trained.net, ranges=ranges, weights=weights)


def _trace(name: str, model: keras.Model, net) -> tuple[bytes, dict[int, np.ndarray]]:
    """Convert a network to float, and find every constant's elements among the network's weights.

    The conversion uses a network whose weights are their own positions, counted from 1 over all
    weights. A constant that does not consist of such positions was computed from weights.

    Returns
    -------
    content : bytes
        The float `.tflite`.
    indices : dict of int to np.ndarray [dtype=int32]
        For each float constant that is not zero, the position of every element.
    """
    sizes = [int(np.prod(w.shape)) for w in model.weights]
    starts = np.cumsum([0, *sizes])
    if starts[-1] >= 2**24:
        raise UserError(
            f"{name}: {starts[-1]} weights; quantization-aware training supports at most "
            f"{2**24 - 1}, the integers that float32 represents exactly"
        )
    numbered = [
        np.arange(a + 1, b + 1, dtype=np.float32).reshape(w.shape)
        for a, b, w in zip(starts, starts[1:], model.weights, strict=False)
    ]
    exported = streaming.build(net, "export")
    exported.set_weights(numbered)
    content = export.streaming_float(exported, net)
    indices = {}
    for op in flatbuffer.read(content).graph.operators:
        for t in op.inputs:
            # Zeros are the values that reset a state.
            if t is None or t.dtype != "float32" or t.data is None or not np.any(t.data):
                continue
            place = np.rint(t.data).astype(np.int64) - 1
            known = place.min() >= 0 and place.max() < starts[-1]
            if not known or not np.array_equal(place + 1, t.data):
                raise UserError(
                    f"{name}: tensor {t.index} of its .tflite has values that are not weights; "
                    "quantization-aware training does not support it"
                )
            indices[t.index] = place.astype(np.int32)
    return content, indices


def _short_scale(scale: tf.Tensor) -> tf.Tensor:
    """Round scales up to 12 significant bits, as `quantizer.short_scale` does."""
    # A float32 has 24 significant bits. Adding to its integer representation carries into the
    # exponent, which is what rounding up requires.
    bits = tf.bitcast(tf.stop_gradient(scale), tf.int32)
    rounded = tf.bitwise.bitwise_and(bits + (2**12 - 1), -(2**12))
    return tf.bitcast(rounded, tf.float32)


def _short_range(low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the lowest and highest of 256 values, as `quantizer.scale_of` chooses them.

    Gradients pass straight through.
    """
    scale = _short_scale((high - low) / 255)
    zero_point = tf.clip_by_value(tf.round(-low / scale), 0.0, 255.0)
    ends = (-zero_point * scale, (255 - zero_point) * scale)
    return tuple(x + tf.stop_gradient(end - x) for x, end in zip((low, high), ends, strict=True))


def _round_to_grid(x: tf.Tensor, scale, part=1.0) -> tf.Tensor:
    """Round to multiples of ``part * scale`` and then of ``scale``, halves away from zero.

    Gradients pass straight through.
    """
    # These are whole numbers, so half a step is represented exactly.
    parts = tf.floor(tf.abs(x) / (part * scale) + 0.5)
    return x + tf.stop_gradient(tf.sign(x) * tf.floor(parts * part + 0.5) * scale - x)


def _clip_gate(x: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(x, -32768 / GATE_STEPS, 32767 / GATE_STEPS)


def _round_gate(x: tf.Tensor) -> tf.Tensor:
    """Round half of an LSTM's gate before its activation: int16 that saturates."""
    return _clip_gate(_round_to_grid(x, 1 / GATE_STEPS))
