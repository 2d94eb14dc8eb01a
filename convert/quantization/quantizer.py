"""Write a float `.tflite` as integers: int8, or int16 activations with int8 weights (16x8).

TensorFlow's converter also quantizes, but it accepts no external ranges, rejects the fused LSTM
with int16 activations, and writes names, metadata and descriptions that no runtime reads.

The integer types follow the TFLite quantization specification. An int8 activation has one scale and
a zero point; an int16 activation has the zero point 0. Weights are symmetric, and those of
FULLY_CONNECTED have one scale for each output. A bias has the scale of the products that it is
added to. LOGISTIC and TANH have a fixed output scale. The cell of an LSTM is int16, and its scale
is a power of two.
"""

import dataclasses
import math

import flatbuffers
import numpy as np

from convert.contract import LSTM
from convert.quantization.calibration import Method, TensorStats, choose_range, merge
from convert.tflite import counts
from convert.tflite.schema import schema
from groupcomm.errors import UserError

_FLOAT, _INT4, _INT8, _INT16, _INT32, _INT64 = (
    getattr(schema.TensorType, name)
    for name in ("FLOAT32", "INT4", "INT8", "INT16", "INT32", "INT64")
)
_DTYPES = {_INT8: np.int8, _INT16: np.int16, _INT32: np.int32, _INT64: np.int64}
# Operators that only move values: their inputs and their output share one scale.
_SAME_SCALE_OPS = {"RESHAPE", "SQUEEZE", "GATHER", "CONCATENATION"}
_FIXED_OUTPUT_SCALE = {  # (scale, zero point) of the output in int8 and in int16
    "LOGISTIC": ((2.0**-8, -128), (2.0**-15, 0)),
    "TANH": ((2.0**-7, 0), (2.0**-15, 0)),
}
# Versions of the operators that accept int8. TFLite requires them; TFLM does not read them.
_VERSIONS = {"FULLY_CONNECTED": 4} | dict.fromkeys(
    ("ADD", "MUL", "MEAN", "LOGISTIC", "TANH", "GATHER"), 2
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
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    [graph] = parsed.subgraphs
    used = {int(i) for op in graph.operators for i in (*op.inputs, *op.outputs) if i >= 0}
    return sorted(
        i
        for i in used
        if graph.tensors[i].type == _FLOAT and parsed.buffers[graph.tensors[i].buffer].data is None
    )


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
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    leader = {i: i for i in activations(model)}
    kinds: dict[int, str] = {}

    def first(i: int) -> int:
        while leader[i] != i:
            i = leader[i]
        return i

    for op in parsed.subgraphs[0].operators:
        name, out = (
            counts.operator_name(parsed.operatorCodes[op.opcodeIndex]),
            int(op.outputs[0]),
        )
        if name in _SAME_SCALE_OPS:
            for i in op.inputs:
                if i in leader:
                    leader[first(int(i))] = first(out)
        elif name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            leader[first(int(op.inputs[LSTM.hidden_state]))] = first(out)
            kinds[int(op.inputs[LSTM.cell_state])] = "cell"
        elif name in _FIXED_OUTPUT_SCALE:
            kinds[out] = name
    members: dict[int, list[int]] = {}
    for i in leader:
        members.setdefault(first(i), []).append(i)
    return [
        ScaleGroup(tuple(several), next((kinds[i] for i in several if i in kinds), ""))
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
        How to choose a range from the statistics, see `ranges.choose_range`.
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
    return _Writer(model, ranges, is_16x8, weights).content()


class _Writer:
    """Builds the integer model from the float model, tensor by tensor."""

    def __init__(self, model: bytes, ranges: Ranges, is_16x8: bool, weights: int):
        self._source = schema.ModelT.InitFromPackedBuf(model, 0)
        [self._graph] = self._source.subgraphs
        self._type = _INT16 if is_16x8 else _INT8
        self._matrix_type = _INT4 if weights == 4 else _INT8
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.buffers, self._model.operatorCodes = [schema.BufferT()], []
        self._codes: dict[str, int] = {}
        self._constants: dict[bytes, int] = {}
        self._new_index: dict[int, int] = {}  # by index in the float model
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = [], []
        self._model.subgraphs = [graph]
        self._ranges, self._parameters = ranges, {}
        self._cells, self._fixed_outputs = set(), {}
        for group in scale_groups(model):
            self._set_scale(group)
        [features], [masks] = self._graph.inputs, self._graph.outputs
        graph.inputs = [self._int8_boundary(features) if is_16x8 else self._tensor(features)]
        if is_16x8:
            self._operator(
                "QUANTIZE", graph.inputs, [self._tensor(features)], schema.QuantizeOptionsT()
            )
        for op in self._graph.operators:
            self._quantize_operator(op)
        graph.outputs = [self._int8_boundary(masks) if is_16x8 else self._tensor(masks)]
        if is_16x8:
            self._operator(
                "QUANTIZE", [self._tensor(masks)], graph.outputs, schema.QuantizeOptionsT()
            )

    def content(self) -> bytes:
        return pack(self._model)

    def _name(self, op: schema.OperatorT) -> str:
        return counts.operator_name(self._source.operatorCodes[op.opcodeIndex])

    def _data(self, index: int) -> np.ndarray | None:
        """Return the values of a constant, or None for another tensor."""
        tensor = self._graph.tensors[index]
        data = self._source.buffers[tensor.buffer].data
        if data is None:
            return None
        dtype = {_FLOAT: np.float32, **_DTYPES}[tensor.type]
        return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype).reshape(_shape(tensor))

    def _set_scale(self, group: ScaleGroup) -> None:
        low, high = self._ranges[group.tensors[0]]
        if group.kind == "cell":
            self._cells |= set(group.tensors)
            scale, zero_point = cell_scale(low, high), 0
        elif group.kind:
            self._fixed_outputs |= dict.fromkeys(group.tensors, group.kind)
            scale, zero_point = _FIXED_OUTPUT_SCALE[group.kind][self._type == _INT16]
        else:
            scale, zero_point = scale_of(low, high, self._type)
        self._parameters |= dict.fromkeys(group.tensors, (np.float32(scale), zero_point))

    def _add_tensor(
        self,
        shape,
        kind: int,
        scale=None,
        zero_point: int = 0,
        data: np.ndarray | None = None,
        variable: bool = False,
    ) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.isVariable, tensor.buffer = list(shape), kind, variable, 0
        if scale is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
            tensor.quantization.zeroPoint = np.full(
                tensor.quantization.scale.size, zero_point, np.int64
            )
        if data is not None:
            content = (
                _pack_int4(data)
                if kind == _INT4
                else np.ascontiguousarray(data, _DTYPES[kind]).tobytes()
            )
            if content not in self._constants:
                self._constants[content] = len(self._model.buffers)
                self._model.buffers.append(schema.BufferT())
                self._model.buffers[-1].data = np.frombuffer(content, np.uint8)
            tensor.buffer = self._constants[content]
        tensors = self._model.subgraphs[0].tensors
        tensors.append(tensor)
        return len(tensors) - 1

    def _tensor(self, index: int) -> int:
        """Add an activation, or a constant unchanged, on its first use; return its new index."""
        if index not in self._new_index:
            tensor = self._graph.tensors[index]
            if index in self._parameters:
                kind = _INT16 if index in self._cells else self._type
                new = self._add_tensor(
                    _shape(tensor), kind, *self._parameters[index], variable=tensor.isVariable
                )
            else:
                new = self._add_tensor(_shape(tensor), tensor.type, data=self._data(index))
            self._new_index[index] = new
        return self._new_index[index]

    def _int8_boundary(self, index: int) -> int:
        """Add the int8 input or output of a 16x8 network."""
        curve = self._fixed_outputs.get(index)
        scale = _FIXED_OUTPUT_SCALE[curve][0] if curve else scale_of(*self._ranges[index], _INT8)
        return self._add_tensor(_shape(self._graph.tensors[index]), _INT8, *scale)

    def _operator(
        self,
        name: str,
        inputs: list[int],
        outputs: list[int],
        options,
        intermediates: list[int] | None = None,
    ) -> None:
        if name not in self._codes:
            code = schema.OperatorCodeT()
            builtin = getattr(schema.BuiltinOperator, name)
            code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
            code.version = _VERSIONS.get(name, 1)
            self._codes[name] = len(self._model.operatorCodes)
            self._model.operatorCodes.append(code)
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = self._codes[name], inputs, outputs
        if options is not None:
            op.builtinOptions = options
            op.builtinOptionsType = getattr(
                schema.BuiltinOptions, type(options).__name__.removesuffix("T")
            )
        if intermediates:
            op.intermediates = intermediates
        self._model.subgraphs[0].operators.append(op)

    def _quantize_operator(self, op: schema.OperatorT) -> None:
        name = self._name(op)
        if name not in _OPERATORS:
            raise UserError(
                f"operator {name} cannot be quantized; supported: {', '.join(sorted(_OPERATORS))}"
            )
        if name == "GATHER" and self._type == _INT16:
            raise UserError(
                "operator GATHER: TFLM does not support it with int16; "
                "use a network with TAC, or quantize to int8"
            )
        intermediates = None
        if name == "FULLY_CONNECTED":
            inputs = self._fully_connected(op)
        elif name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            inputs = self._lstm(op)
            # TFLite requires five intermediates: four for layer normalization, which is absent, and
            # the output before a projection.
            scale, zero_point = self._parameters[op.outputs[0]]
            intermediates = [self._add_tensor((0,), _FLOAT) for _ in range(4)] + [
                self._add_tensor((0,), _INT8, scale, zero_point)
            ]
        else:
            inputs = [self._operand(int(i), int(op.outputs[0]), name) for i in op.inputs]
        self._operator(
            name,
            inputs,
            [self._tensor(int(i)) for i in op.outputs],
            op.builtinOptions,
            intermediates,
        )

    def _operand(self, index: int, output: int, name: str) -> int:
        """Add an input of an element-wise or moving operator.

        A constant operand of a sum or a product has a scale of its own. A constant that is only
        moved has the scale of its destination.
        """
        values = self._data(index)
        if values is None or values.dtype != np.float32:
            return self._tensor(index)
        kind = _INT16 if output in self._cells else self._type
        low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
        scale, zero_point = (
            self._parameters[output] if name in _SAME_SCALE_OPS else scale_of(low, high, kind)
        )
        return self._add_tensor(
            values.shape, kind, scale, zero_point, data=_round(values, scale, zero_point, kind)
        )

    def _weights(self, index: int, *, by_output: bool) -> tuple[int, np.ndarray]:
        """Add a symmetric weight matrix; return its index and its scales.

        The matrix is int8, or int4 where 4 bits were requested for FULLY_CONNECTED (``by_output``).
        """
        w = self._data(index)
        kind = self._matrix_type if by_output else _INT8
        top = qmax(4 if kind == _INT4 else 8)
        most = (
            np.abs(w).max(1)
            if by_output and kind == _INT8
            else np.abs(w).max(keepdims=True).ravel()
        )
        scales = (np.where(most > 0, most, top) / top).astype(np.float32)
        new = self._add_tensor(w.shape, kind, scales, data=_round(w, scales[:, None], 0, _INT8))
        return new, scales

    def _bias(self, index: int, scales: np.ndarray) -> int:
        """Add a bias as integers in the scale of the products.

        The scale is written only beside int4 weights, where TFLM requires it.
        """
        values = self._data(index)
        kind = _INT64 if self._type == _INT16 else _INT32
        return self._add_tensor(
            values.shape,
            kind,
            scales if self._matrix_type == _INT4 else None,
            data=_round(values, scales, 0, kind),
        )

    def _fully_connected(self, op: schema.OperatorT) -> list[int]:
        x, w, *bias = (int(i) for i in op.inputs)
        weights, scales = self._weights(w, by_output=True)
        products = np.float64(self._parameters[x][0]) * scales
        return [
            self._tensor(x),
            weights,
            *(self._bias(i, products) if i >= 0 else -1 for i in bias),
        ]

    def _lstm(self, op: schema.OperatorT) -> list[int]:
        inputs = [int(i) for i in op.inputs]
        new = [-1] * len(inputs)
        new[0] = self._tensor(inputs[0])
        for i in range(LSTM.input_weights.start, LSTM.recurrent_weights.stop):
            new[i], scales = self._weights(inputs[i], by_output=False)
            if i < LSTM.input_weights.stop:
                bias = i - LSTM.input_weights.start + LSTM.biases.start
                new[bias] = self._bias(
                    inputs[bias], np.float64(self._parameters[inputs[0]][0]) * scales
                )
        for i in (LSTM.hidden_state, LSTM.cell_state):
            new[i] = self._tensor(inputs[i])
        return new


_OPERATORS = (
    {"FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM", "ADD", "MUL", "MEAN"}
    | _SAME_SCALE_OPS
    | _FIXED_OUTPUT_SCALE.keys()
)


def pack(model: schema.ModelT) -> bytes:
    """Serialize a model with one graph to a flatbuffer in which equal parts are stored once.

    Constants begin at multiples of 16 bytes, as in files of TFLite's own writer. A core without
    unaligned loads needs this for 64-bit biases, and the generated `ModelT.Pack` does not do it.

    Parameters
    ----------
    model : ModelT

    Returns
    -------
    bytes
    """
    builder = flatbuffers.Builder(1024)
    written: dict[tuple, int] = {}

    def once(key: tuple, make) -> int:
        if key not in written:
            written[key] = make()
        return written[key]

    def vector(values, dtype) -> int:
        array = np.ascontiguousarray(values, dtype)
        return once((dtype, array.tobytes()), lambda: builder.CreateNumpyVector(array))

    def table(kind: str, **fields) -> int:
        getattr(schema, f"{kind}Start")(builder)
        for name, value in fields.items():
            if value is not None:
                getattr(schema, f"{kind}Add{name}")(builder, value)
        return getattr(schema, f"{kind}End")(builder)

    def offsets(values: list[int]) -> int:
        builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            builder.PrependUOffsetTRelative(value)
        return builder.EndVector()

    def constant(buffer: schema.BufferT) -> int:
        if buffer.data is None:
            return table("Buffer")
        content = np.asarray(buffer.data, np.uint8).tobytes()
        builder.StartVector(1, len(content), 16)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        return table("Buffer", Data=builder.EndVector())

    def scales(q: schema.QuantizationParametersT) -> int:
        parts = vector(q.scale, np.float32), vector(q.zeroPoint, np.int64)
        return once(
            ("scales", *parts),
            lambda: table("QuantizationParameters", Scale=parts[0], ZeroPoint=parts[1]),
        )

    def tensor(t: schema.TensorT) -> int:
        shape = vector(t.shape, np.int32)
        quantization = None if t.quantization is None else scales(t.quantization)
        return table(
            "Tensor",
            Shape=shape,
            Type=t.type,
            Buffer=t.buffer,
            Quantization=quantization,
            IsVariable=t.isVariable,
        )

    def operator(op: schema.OperatorT) -> int:
        options = op.builtinOptions
        if options is not None:
            packed = once(
                (type(options), *map(str, vars(options).values())), lambda: options.Pack(builder)
            )
        return table(
            "Operator",
            OpcodeIndex=op.opcodeIndex,
            Inputs=vector(op.inputs, np.int32),
            Outputs=vector(op.outputs, np.int32),
            BuiltinOptionsType=None if options is None else op.builtinOptionsType,
            BuiltinOptions=None if options is None else packed,
            Intermediates=None if op.intermediates is None else vector(op.intermediates, np.int32),
        )

    [graph] = model.subgraphs
    buffers = offsets([constant(b) for b in model.buffers])
    tensors = offsets([tensor(t) for t in graph.tensors])
    operators = offsets([operator(op) for op in graph.operators])
    ends = vector(graph.inputs, np.int32), vector(graph.outputs, np.int32)
    subgraph = table(
        "SubGraph", Tensors=tensors, Inputs=ends[0], Outputs=ends[1], Operators=operators
    )
    codes = [
        table(
            "OperatorCode",
            DeprecatedBuiltinCode=c.deprecatedBuiltinCode,
            Version=c.version,
            BuiltinCode=c.builtinCode,
        )
        for c in model.operatorCodes
    ]
    parts = {"OperatorCodes": offsets(codes), "Subgraphs": offsets([subgraph]), "Buffers": buffers}
    builder.Finish(table("Model", Version=model.version, **parts), b"TFL3")
    return bytes(builder.Output())


def scale_of(low: float, high: float, kind: int = _INT8) -> tuple[np.float32, int]:
    """Compute the scale and zero point of an activation: affine for int8, symmetric for int16.

    Parameters
    ----------
    low, high : float
        The range. It contains 0.
    kind : int
        TensorType of the activation.

    Returns
    -------
    scale : np.float32
    zero_point : int
    """
    if kind == _INT16:
        return np.float32(max(-low, high, 1e-9) / 32767), 0
    scale = np.float32(max(high - low, 1e-9) / 255)
    return scale, int(np.clip(np.rint(-128 - low / np.float64(scale)), -128, 127))


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


def _round(x: np.ndarray, scale, zero_point: int, kind: int) -> np.ndarray:
    limits = np.iinfo(_DTYPES[kind])
    return np.clip(
        np.rint(x / np.asarray(scale, np.float64)) + zero_point, limits.min, limits.max
    ).astype(_DTYPES[kind])


def _pack_int4(values: np.ndarray) -> bytes:
    """Pack int4 values as TFLite does: two in a byte, the first in its low half."""
    flat = np.append(values.ravel(), np.zeros(values.size % 2, values.dtype)).astype(np.uint8) & 15
    return (flat[::2] | flat[1::2] << 4).tobytes()


def _shape(tensor: schema.TensorT) -> tuple[int, ...]:
    return tuple(int(n) for n in tensor.shape) if tensor.shape is not None else ()
