"""Write a float `.tflite` as integers: int8, or int16 activations with int8 weights (16x8).

TensorFlow's converter also quantizes, but it accepts no external ranges, rejects the fused LSTM
with int16 activations, and writes names, metadata and descriptions that no runtime reads.

The integer types follow the TFLite quantization specification. An int8 activation has one scale and
a zero point; an int16 activation has the zero point 0. Weights are symmetric, and those of
FULLY_CONNECTED have one scale for each output. A bias has the scale of the products that it is
added to. LOGISTIC and TANH have a fixed output scale. The cell of an LSTM is int16, and its scale
is a power of two.

Every other scale has 12 significant bits, see `short_scale`. The product of two such scales is
exact in float32, so every release of TFLM computes the same multipliers (`convert.tflite.releases`)
and the same bytes.
"""

import dataclasses
import math

import numpy as np

from convert.quantization.calibration import Method, TensorStats, choose_range, merge
from convert.tflite import flatbuffer, graph
from convert.tflite.graph import LstmGate, LstmState, Operator, Quantization, Tensor
from convert.tflite.schema import schema
from groupcomm.errors import UserError

_FIXED_OUTPUT_SCALE = {  # of the output in int8 and in int16
    "LOGISTIC": {"int8": Quantization.of(2.0**-8, -128), "int16": Quantization.of(2.0**-15)},
    "TANH": {"int8": Quantization.of(2.0**-7), "int16": Quantization.of(2.0**-15)},
}
# Versions of the operators that accept int8. TFLite requires them; TFLM does not read them.
_VERSIONS: dict[type[Operator], int] = {
    graph.FullyConnected: 4,
    graph.DepthwiseConvolution: 3,
} | dict.fromkeys(
    (graph.Add, graph.Mul, graph.Mean, graph.Logistic, graph.Tanh, graph.Gather)
    + (graph.Concatenation, graph.StridedSlice),
    2,
)
# Lowest and highest value of each activation, by tensor index. The range contains 0.
Ranges = dict[int, tuple[float, float]]
# The largest scale of a cell. Beyond 16 the cell saturates, where its tanh has long been 1; the
# resolution of common values matters more.
CELL_SCALE = 2.0**-11


def activations(model: bytes) -> list[int]:
    """List the activations of a model: its input, the output of every operator, and its states.

    Parameters
    ----------
    model : bytes
        A float `.tflite`.

    Returns
    -------
    list of int
        Tensor indices. Constants and shapes are not among them.
    """
    return [t.index for t in _activations(flatbuffer.read(model).graph)]


def _activations(network: graph.Graph) -> list[Tensor]:
    used = {t for op in network.operators for t in (*op.inputs, *op.outputs) if t is not None}
    return [t for t in network.tensors if t in used and t.dtype == "float32" and t.data is None]


@dataclasses.dataclass(frozen=True)
class ScaleGroup:
    """Activations that share one scale.

    They are connected by operators that only move values, or they are one state.

    Attributes
    ----------
    tensors : tuple of int
        Tensor indices.
    kind : str
        ``"cell"`` for the cell of an LSTM, ``"LOGISTIC"`` or ``"TANH"`` for a fixed output scale,
        ``""`` for all others.
    """

    tensors: tuple[int, ...]
    kind: str


def scale_groups(model: bytes) -> list[ScaleGroup]:
    """Group all `activations` of a model by common scale.

    Parameters
    ----------
    model : bytes
        A float `.tflite`.

    Returns
    -------
    list of ScaleGroup
    """
    network = flatbuffer.read(model).graph
    leader = {t: t for t in _activations(network)}
    kinds: dict[Tensor, str] = {}

    def first(t: Tensor) -> Tensor:
        while leader[t] is not t:
            t = leader[t]
        return t

    for op in network.operators:
        if isinstance(op, graph.Move):
            for t in op.inputs:
                if t in leader:
                    leader[first(t)] = first(op.output)
        elif isinstance(op, graph.Lstm):
            leader[first(op.state.hidden)] = first(op.output)
            kinds[op.state.cell] = "cell"
        elif op.name in _FIXED_OUTPUT_SCALE:
            kinds[op.output] = op.name
    members: dict[Tensor, list[Tensor]] = {}
    for t in leader:
        members.setdefault(first(t), []).append(t)
    return [
        ScaleGroup(
            tuple(t.index for t in several), next((kinds[t] for t in several if t in kinds), "")
        )
        for several in members.values()
    ]


def choose_ranges(
    model: bytes, observed: dict[int, TensorStats], method: Method, *, is_16x8: bool
) -> Ranges:
    """Choose the range of every activation of a model.

    The range of a cell is always its minimum and maximum.

    Parameters
    ----------
    model : bytes
        A float streaming `.tflite`.
    observed : dict of int to TensorStats
        Statistics of every one of its `activations`.
    method : str
        How to choose a range from the statistics, see `calibration.choose_range`.
    is_16x8 : bool
        Whether the activations become int16.

    Returns
    -------
    dict of int to tuple of float
        Lowest and highest value by tensor index.
    """
    found = {}
    for group in scale_groups(model):
        values = merge([observed[i] for i in group.tensors])
        of_cell = group.kind == "cell"
        found |= dict.fromkeys(
            group.tensors,
            choose_range(values, "min-max" if of_cell else method, 65535 if is_16x8 else 255),
        )
    return found


def quantize(model: bytes, ranges: Ranges, *, is_16x8: bool, weights: int = 8) -> bytes:
    """Quantize a float streaming `.tflite`.

    Parameters
    ----------
    model : bytes
        The output of `export.to_float`.
    ranges : dict of int to tuple of float
        Range of every one of its `activations`, from `choose_ranges` or from training. Tensors that
        share a scale have equal ranges.
    is_16x8 : bool
        Whether the tensors between the input and the output become int16. The input and the output
        stay int8.
    weights : int
        Bits of the weights of FULLY_CONNECTED, 8 or 4. With 4 bits a matrix has one scale, because
        TFLM accepts no more. The weights of an LSTM always have 8 bits, the only width that TFLM
        accepts there.

    Returns
    -------
    bytes
        The integer `.tflite`.

    Raises
    ------
    UserError
        When the model has an operator that cannot be quantized.
    """
    return flatbuffer.write(_Quantizer(model, ranges, is_16x8=is_16x8, weights=weights).model())


class _Quantizer:
    """Builds the integer graph from the float graph, tensor by tensor."""

    def __init__(self, model: bytes, ranges: Ranges, *, is_16x8: bool, weights: int):
        self._source = flatbuffer.read(model).graph
        self._type = "int16" if is_16x8 else "int8"
        self._matrix_type = "int4" if weights == 4 else "int8"
        self._ranges = ranges
        self._new: dict[Tensor, Tensor] = {}  # by tensor of the float graph
        self._scales: dict[Tensor, Quantization] = {}
        self._kinds: dict[Tensor, str] = {}  # of the groups, where they have one
        self._graph = graph.Graph([], [])
        by_index = {t.index: t for t in self._source.tensors}
        for group in scale_groups(model):
            self._set_scale([by_index[i] for i in group.tensors], group.kind)

    def model(self) -> graph.Model:
        """Return the integer model."""
        network = self._graph
        [features], [masks] = self._source.inputs, self._source.outputs
        wide = self._type == "int16"
        network.inputs = [self._int8_boundary(features) if wide else self._tensor(features)]
        if wide:
            self._requantize(network.inputs[0], self._tensor(features))
        for op in self._source.operators:
            self._operator(op)
        network.outputs = [self._int8_boundary(masks) if wide else self._tensor(masks)]
        if wide:
            self._requantize(self._tensor(masks), network.outputs[0])
        return graph.Model([network])

    def _set_scale(self, tensors: list[Tensor], kind: str) -> None:
        low, high = self._ranges[tensors[0].index]
        if kind == "cell":
            scale = Quantization.of(cell_scale(low, high))
        elif kind:
            scale = _FIXED_OUTPUT_SCALE[kind][self._type]
        else:
            scale = scale_of(low, high, self._type)
        self._scales |= dict.fromkeys(tensors, scale)
        self._kinds |= dict.fromkeys(tensors, kind)

    def _add(self, shape, dtype: str, quantization=None, data=None, *, variable=False) -> Tensor:
        tensor = Tensor(tuple(shape), dtype, data, quantization, variable)
        self._graph.tensors.append(tensor)
        return tensor

    def _tensor(self, source: Tensor) -> Tensor:
        """Return an activation, or a constant unchanged; it is added on its first use."""
        if source not in self._new:
            if source in self._scales:
                dtype = "int16" if self._kinds[source] == "cell" else self._type
                new = self._add(
                    source.shape, dtype, self._scales[source], variable=source.is_variable
                )
            else:
                new = self._add(source.shape, source.dtype, data=source.data)
            self._new[source] = new
        return self._new[source]

    def _int8_boundary(self, source: Tensor) -> Tensor:
        """Add the int8 input or output of a 16x8 network."""
        kind = self._kinds[source]
        scale = (
            _FIXED_OUTPUT_SCALE[kind]["int8"]
            if kind
            else scale_of(*self._ranges[source.index], "int8")
        )
        return self._add(source.shape, "int8", scale)

    def _requantize(self, source: Tensor, to: Tensor) -> None:
        self._graph.operators.append(
            graph.operator("QUANTIZE", [source], [to], options=schema.QuantizeOptionsT())
        )

    def _operator(self, op: Operator) -> None:
        if not isinstance(op, _SUPPORTED):
            supported = sorted(graph.names(_SUPPORTED))
            raise UserError(
                f"operator {op.name} cannot be quantized; supported: {', '.join(supported)}"
            )
        if isinstance(op, graph.Gather) and self._type == "int16":
            raise UserError(
                "operator GATHER: TFLM does not support it with int16; "
                "use a network with TAC, or quantize to int8"
            )
        if isinstance(op, graph.DepthwiseConvolution) and self._type == "int16":
            raise UserError(
                f"operator {op.name}: micro/kernels has no kernel of it for int16; quantize to int8"
            )
        changes = {"version": _VERSIONS.get(type(op), 1), "extra": {}}
        if isinstance(op, graph.Lstm):
            new = self._lstm(op, changes)
        elif isinstance(op, graph.FullyConnected | graph.DepthwiseConvolution):
            new = op.like(self._products_of(op), [self._tensor(op.output)], **changes)
        else:
            inputs = [self._operand(t, op) for t in op.inputs]
            new = op.like(inputs, [self._tensor(t) for t in op.outputs], **changes)
        self._graph.operators.append(new)

    def _operand(self, source: Tensor, op: Operator) -> Tensor:
        """Add an input of an element-wise or moving operator.

        A constant operand of a sum or a product has a scale of its own. A constant that is only
        moved has the scale of its destination.
        """
        values = source.data
        if values is None or values.dtype != np.float32:
            return self._tensor(source)
        dtype = "int16" if self._kinds.get(op.output) == "cell" else self._type
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        scale = (
            self._scales[op.output] if isinstance(op, graph.Move) else scale_of(low, high, dtype)
        )
        return self._add(
            values.shape, dtype, scale, _round(values, scale.scale, scale.zero_point, dtype)
        )

    def _weights(self, source: Tensor, *, by_output: bool) -> Tensor:
        """Add a symmetric weight matrix.

        It is int8, or int4 where 4 bits were requested for FULLY_CONNECTED (``by_output``).
        """
        w = source.data
        dtype = self._matrix_type if by_output else "int8"
        top = qmax(4 if dtype == "int4" else 8)
        most = (
            np.abs(w).max(1)
            if by_output and dtype == "int8"
            else np.abs(w).max(keepdims=True).ravel()
        )
        scales = short_scale(np.where(most > 0, most, top) / top)
        return self._add(
            w.shape, dtype, Quantization.of(scales), _round(w, scales[:, None], 0, "int8")
        )

    def _channel_weights(self, source: Tensor) -> Tensor:
        """Add the weights of DEPTHWISE_CONV_2D in int8, with one scale for each channel."""
        w = source.data
        most, top = np.abs(w).max((0, 1, 2)), qmax(8)
        scales = short_scale(np.where(most > 0, most, top) / top)
        scale = dataclasses.replace(Quantization.of(scales), axis=3)
        return self._add(w.shape, "int8", scale, _round(w, scales, 0, "int8"))

    def _bias(self, source: Tensor, scales: np.ndarray) -> Tensor:
        """Add a bias as integers in the scale of the products.

        The scale is written only beside int4 weights, where TFLM requires it.
        """
        dtype = "int64" if self._type == "int16" else "int32"
        scale = Quantization.of(scales) if self._matrix_type == "int4" else None
        return self._add(source.shape, dtype, scale, _round(source.data, scales, 0, dtype))

    def _products(self, x: Tensor, weights: Tensor) -> np.ndarray:
        """Return the scales of the products of an activation and weights."""
        return np.float64(self._scales[x].scale) * weights.scales

    def _products_of(
        self, op: graph.FullyConnected | graph.DepthwiseConvolution
    ) -> list[Tensor | None]:
        """Add the inputs of an operator that multiplies by weights."""
        # The order in which tensors are added is their order in the file.
        if isinstance(op, graph.FullyConnected):
            weights = self._weights(op.weights, by_output=True)
        else:
            weights = self._channel_weights(op.weights)
        inputs = [self._tensor(op.input), weights]
        if len(op.inputs) > 2:
            inputs.append(op.bias and self._bias(op.bias, self._products(op.input, weights)))
        return inputs

    def _lstm(self, op: graph.Lstm, changes: dict) -> Operator:
        x = self._tensor(op.input)
        gates = self._gates(op)
        state = LstmState(self._tensor(op.state.hidden), self._tensor(op.state.cell))
        # TFLite requires five intermediates: four for layer normalization, which is absent, and the
        # output before a projection.
        intermediates = [self._add((0,), "float32") for _ in range(4)]
        intermediates.append(self._add((0,), "int8", self._scales[op.output]))
        output = self._tensor(op.output)
        return graph.Lstm.with_gates(
            op, x, gates, state, output, intermediates=intermediates, **changes
        )

    def _gates(self, op: graph.Lstm) -> list[LstmGate]:
        weights, biases = [], []
        for gate in op.gates:
            weights.append(self._weights(gate.weights, by_output=False))
            biases.append(self._bias(gate.bias, self._products(op.input, weights[-1])))
        recurrent = [self._weights(gate.recurrent, by_output=False) for gate in op.gates]
        return [LstmGate(*parts) for parts in zip(weights, recurrent, biases, strict=True)]


_SUPPORTED = (
    graph.FullyConnected,
    graph.DepthwiseConvolution,
    graph.Lstm,
    graph.Add,
    graph.Mul,
    graph.Mean,
    graph.Reshape,
    graph.Squeeze,
    graph.Gather,
    graph.Concatenation,
    graph.StridedSlice,
    graph.Logistic,
    graph.Tanh,
)


def scale_of(low: float, high: float, dtype: str = "int8") -> Quantization:
    """Compute the quantization of an activation: affine for int8, symmetric for int16.

    Parameters
    ----------
    low, high : float
        The range. It contains 0.
    dtype : str
        Type of the activation.

    Returns
    -------
    Quantization
    """
    if dtype == "int16":
        return Quantization.of(short_scale(max(-low, high, 1e-9) / 32767))
    scale = short_scale(max(high - low, 1e-9) / 255)
    return Quantization.of(scale, int(np.clip(np.rint(-128 - low / np.float64(scale)), -128, 127)))


def short_scale(scale: float | np.ndarray) -> np.ndarray:
    """Round scales up to 12 significant bits, so that no range shrinks.

    Parameters
    ----------
    scale : float or np.ndarray [shape=(n,)]
        Positive scales.

    Returns
    -------
    np.ndarray [dtype=float32]
        Of the same shape. The relative change is below 2^-11.
    """
    mantissa, exponent = np.frexp(np.asarray(scale, np.float64))
    return np.ldexp(np.ceil(mantissa * 2.0**12), exponent - 12).astype(np.float32)


def qmax(bits: int) -> int:
    """Return the largest integer of a symmetric weight with this number of bits."""
    return 2 ** (bits - 1) - 1


def power_of_two_scale(most: float) -> np.float32:
    """Return the smallest power of two that is a scale of an int16 whose range includes ``most``.

    It is at least 2^-15: TFLite, unlike TFLM, computes wrong results with a smaller one.
    """
    return np.float32(2.0 ** math.ceil(math.log2(max(most / 32767, 2.0**-15))))


def cell_scale(low: float, high: float) -> np.float32:
    """Return the scale of an LSTM's cell with values from ``low`` to ``high``."""
    return min(power_of_two_scale(max(-low, high)), np.float32(CELL_SCALE))


def _round(x: np.ndarray, scale, zero_point: int, dtype: str) -> np.ndarray:
    limits = np.iinfo(dtype)
    return np.clip(
        np.rint(x / np.asarray(scale, np.float64)) + zero_point, limits.min, limits.max
    ).astype(dtype)
