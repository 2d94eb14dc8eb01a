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

import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras as keras

from convert.contract import LSTM
from convert.quantization import export, quantizer
from convert.tflite import counts
from convert.tflite.schema import schema
from groupcomm.errors import UserError
from tf_model.networks import streaming

GATE_STEPS = 4096.0  # steps in 1.0, of an LSTM's gate before its activation
_DTYPES = {
    schema.TensorType.FLOAT32: np.float32,
    schema.TensorType.INT32: np.int32,
    schema.TensorType.INT64: np.int64,
}


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
        When the converter computed with weights, so that a constant of the `.tflite` is not a
        weight.
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
        parsed = schema.ModelT.InitFromPackedBuf(content, 0)
        [self._graph] = parsed.subgraphs
        self._names = [
            counts.operator_name(parsed.operatorCodes[op.opcodeIndex])
            for op in self._graph.operators
        ]
        self._constants = {
            i: np.frombuffer(
                np.asarray(parsed.buffers[t.buffer].data, np.uint8).tobytes(), _DTYPES[t.type]
            ).reshape(t.shape)
            for i, t in enumerate(self._graph.tensors)
            if parsed.buffers[t.buffer].data is not None and t.type in _DTYPES
        }
        self._groups = quantizer.scale_groups(content)
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
        [features_index] = self._graph.inputs
        points, seen = (
            [QuantPoint("values", self._group_of[int(features_index)], "features")],
            {self._group_of[int(features_index)]},
        )
        for k, (name, op) in enumerate(zip(self._names, self._graph.operators, strict=True)):
            label = f"{k} {name.removeprefix('UNIDIRECTIONAL_SEQUENCE_')}"
            lstm = name == "UNIDIRECTIONAL_SEQUENCE_LSTM"
            constant = name in ("ADD", "MUL") and any(
                int(i) not in self._group_of for i in op.inputs
            )
            if name == "FULLY_CONNECTED" or lstm or constant:
                points.append(QuantPoint("weights", k, label))
            if lstm:
                points += [QuantPoint("gates", k, label), QuantPoint("cell", k, label)]
            group = self._group_of[int(op.outputs[0])]
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

    def _limits(self, index: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the lowest and highest of an activation's 256 values."""
        n = self._group_of[index]
        fixed = {"LOGISTIC": (0.0, 255 / 256), "TANH": (-1.0, 127 / 128)}.get(self._groups[n].kind)
        return tuple(map(tf.constant, fixed)) if fixed else self._trained(n)

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
        [features_index], [masks_index] = self._graph.inputs, self._graph.outputs
        features = tf.reshape(features, [-1, *self._shape(features_index)])
        self._record_range_use(
            "values",
            self._group_of[int(features_index)],
            features,
            *self._limits(int(features_index)),
        )
        values = {int(features_index): self._fake_quantize(int(features_index), features)}

        def value(i: int) -> tf.Tensor:
            """Return an activation [shape=(batch * frames, ...)], or a constant without it."""
            i = int(i)
            return (
                values[i]
                if i in values
                else weights[i]
                if i in weights
                else tf.constant(self._constants[i])
            )

        for k, (name, op) in enumerate(zip(self._names, self._graph.operators, strict=True)):
            out = int(op.outputs[0])
            shape = [-1, *self._shape(out)]
            inputs = [int(i) for i in op.inputs]
            options = op.builtinOptions
            if name == "FULLY_CONNECTED":
                w, scale = self._quantize_matrix(k, value(inputs[1]), by_output=True)
                y = tf.linalg.matmul(
                    tf.reshape(value(inputs[0]), [-1, w.shape[1]]), w, transpose_b=True
                )
                if len(inputs) > 2 and inputs[2] >= 0:
                    y += self._quantize_bias(
                        k, value(inputs[2]), self._scale(inputs[0]) * scale[:, 0]
                    )
                y = self._round_twice(y, self._scale(inputs[0]) * scale[:, 0], out)
            elif name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
                y = self._lstm(k, op, value, values, batch, frames)
            elif name in ("ADD", "MUL"):
                y = (tf.add if name == "ADD" else tf.multiply)(
                    *(self._operand(k, value(i), i in values, shape) for i in inputs)
                )
            elif name == "MEAN":
                axes = [
                    int(a) % len(self._shape(inputs[0])) for a in self._constants[inputs[1]].ravel()
                ]
                count = np.prod([self._shape(inputs[0])[a] for a in axes])
                y = tf.reduce_mean(value(inputs[0]), [a + 1 for a in axes])
                y = self._round_twice(y, self._scale(inputs[0]), out, int(np.log2(count)))
            elif name in ("LOGISTIC", "TANH"):
                y = (tf.sigmoid if name == "LOGISTIC" else tf.tanh)(value(inputs[0]))
            elif name in ("RESHAPE", "SQUEEZE"):
                y = value(inputs[0])
                if inputs[0] not in values:  # a constant that sets a state, in every frame
                    y = tf.broadcast_to(y[None], [batch * frames, *y.shape])
            elif name == "GATHER":
                y = tf.gather(
                    value(inputs[0]),
                    self._constants[inputs[1]],
                    axis=options.axis % (len(shape) - 1) + 1,
                )
            elif name == "CONCATENATION":
                y = tf.concat([value(i) for i in inputs], options.axis % (len(shape) - 1) + 1)
            else:
                raise UserError(f"operator {name}: quantization-aware training does not support it")
            if getattr(options, "fusedActivationFunction", 0) == schema.ActivationFunctionType.RELU:
                y = tf.nn.relu(y)
            y = tf.reshape(y, shape)
            # Moved values and the output of an LSTM are already rounded.
            if out in self._group_of and self._groups[self._group_of[out]].kind != "cell":
                self._record_range_use("values", self._group_of[out], y, *self._limits(out))
            values[out] = (
                y
                if name in ("RESHAPE", "SQUEEZE", "GATHER", "UNIDIRECTIONAL_SEQUENCE_LSTM")
                else self._fake_quantize(out, y)
            )
        return tf.reshape(values[int(masks_index)], [batch, frames, -1])

    def _shape(self, index: int) -> list[int]:
        return [int(n) for n in self._graph.tensors[index].shape]

    def _fake_quantize(self, index: int, x: tf.Tensor) -> tf.Tensor:
        """Round an activation."""
        rounded = tf.quantization.fake_quant_with_min_max_vars(x, *self._limits(index))
        return self._select("values", self._group_of[index], rounded, x)

    def _quantize_matrix(
        self, k: int, w: tf.Tensor, *, by_output: bool
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Round a matrix [shape=(outputs, inputs)] symmetrically; return it and its scales.

        The matrix has one scale for each output, or one for all.
        """
        bits = self._bits if by_output else 8
        top, axis = float(quantizer.qmax(bits)), 1 if by_output and bits == 8 else None
        most = tf.stop_gradient(tf.reduce_max(tf.abs(w), axis, keepdims=True))
        scale = tf.where(most > 0, most, top) / top
        return self._select("weights", k, _round_to_grid(w, scale), w), scale

    def _quantize_bias(self, k: int, bias: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
        return self._select("weights", k, _round_to_grid(bias, scale), bias)

    def _scale(self, index: int) -> tf.Tensor:
        """Return the scale of an activation."""
        low, high = self._limits(index)
        return tf.stop_gradient(high - low) / 255

    def _round_twice(self, x: tf.Tensor, sums: tf.Tensor, out: int, more: int = 0) -> tf.Tensor:
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
            "values", self._group_of[out], _round_to_grid(x, self._scale(out), part), x
        )

    def _operand(self, k: int, x: tf.Tensor, activation: bool, shape: list[int]) -> tf.Tensor:
        """Return an operand of a sum or product. A constant has a scale of its own."""
        if activation:
            return tf.reshape(x, [-1, *[1] * (len(shape) - len(x.shape)), *x.shape[1:]])
        low, high = (
            tf.stop_gradient(r)
            for r in (tf.minimum(tf.reduce_min(x), 0.0), tf.maximum(tf.reduce_max(x), 0.0))
        )
        return self._select(
            "weights", k, tf.quantization.fake_quant_with_min_max_vars(x, low, high), x
        )[None]

    def _lstm(self, k, op, value, values, batch, frames) -> tf.Tensor:
        inputs = [int(i) for i in op.inputs]
        hidden, cell, out = inputs[LSTM.hidden_state], inputs[LSTM.cell_state], int(op.outputs[0])
        x, (units, width) = value(inputs[0]), self._shape(inputs[1])
        shape = self._shape(inputs[0])
        rows, steps = (shape[1], shape[0]) if op.builtinOptions.timeMajor else (shape[0], shape[1])
        # A recurrence across the groups of a frame starts from the state that operators wrote.
        across_groups = hidden in values
        if across_groups:
            order = [1, 0, 2, 3] if op.builtinOptions.timeMajor else [2, 0, 1, 3]
            x = tf.reshape(tf.transpose(tf.reshape(x, [-1, *shape]), order), [steps, -1, width])
            begin = [tf.reshape(value(i), [-1, units]) for i in (hidden, cell)]
        else:
            x = tf.reshape(
                tf.transpose(tf.reshape(x, [batch, frames, rows, width]), [1, 0, 2, 3]),
                [frames, -1, width],
            )
            begin = [tf.zeros([batch * rows, units])] * 2
        kernels, scales = zip(
            *(
                self._quantize_matrix(k, value(i), by_output=False)
                for i in inputs[LSTM.input_weights]
            ),
            strict=True,
        )
        recurrent = tf.transpose(
            tf.concat(
                [
                    self._quantize_matrix(k, value(i), by_output=False)[0]
                    for i in inputs[LSTM.recurrent_weights]
                ],
                0,
            )
        )
        each = self._scale(inputs[0])
        bias = tf.concat(
            [
                self._quantize_bias(k, value(i), each * scale[0, 0])
                for i, scale in zip(inputs[LSTM.biases], scales, strict=True)
            ],
            0,
        )
        scale = self._cell_scales[cell]

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
            h = self._fake_quantize(out, tf.sigmoid(o) * tf.tanh(c))
            return tf.concat([h, c], -1), [h, c]

        _, both, _ = keras.backend.rnn(step, from_input, begin, time_major=True)
        y, cells = tf.split(both, 2, axis=-1)
        self._record_range_use("cell", k, cells, -32768 * scale, 32767 * scale)
        if across_groups:
            y = tf.reshape(y, [steps, -1, rows, units])
            return tf.transpose(y, [1, 0, 2, 3] if op.builtinOptions.timeMajor else [1, 2, 0, 3])
        return tf.transpose(tf.reshape(y, [frames, batch, rows, units]), [1, 0, 2, 3])


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
    parsed = schema.ModelT.InitFromPackedBuf(content, 0)
    [graph] = parsed.subgraphs
    indices = {}
    for op in graph.operators:
        for i in map(int, op.inputs):
            tensor = graph.tensors[i]
            data = parsed.buffers[tensor.buffer].data
            is_float = tensor.type == schema.TensorType.FLOAT32
            # Zeros are the values that reset a state.
            if i < 0 or data is None or not is_float or not np.any(data):
                continue
            found = np.frombuffer(np.asarray(data, np.uint8).tobytes(), np.float32).reshape(
                tensor.shape
            )
            place = np.rint(found).astype(np.int64) - 1
            if not np.array_equal(place + 1, found) or place.min() < 0 or place.max() >= starts[-1]:
                raise UserError(
                    f"{name}: tensor {i} of its .tflite has values that are not weights; "
                    "quantization-aware training does not support it"
                )
            indices[i] = place.astype(np.int32)
    return content, indices


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
