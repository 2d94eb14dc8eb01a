"""The contents of a `.tflite` as a typed graph: read once, written once.

`read` verifies a file and returns a `Model`; `write` is its inverse. Everything between the two
works on the dataclasses of this module: a `Tensor` contains its shape, type, quantization and
values, and an `Operator` refers to tensors, not to positions in a table. Each operator that the
project works on is a class with named fields. All others are plain `Operator` objects, which are
read and written unchanged.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import flatbuffers
import numpy as np

from convert.contract import LSTM
from convert.tflite.schema import schema
from groupcomm.errors import UserError


def _constants(table: type) -> dict[int, str]:
    return {v: k for k, v in vars(table).items() if not k.startswith("_")}


_TYPE_NAMES = {value: name.lower() for value, name in _constants(schema.TensorType).items()}
_TYPE_VALUES = {name: value for value, name in _TYPE_NAMES.items()}
_OPERATOR_NAMES = _constants(schema.BuiltinOperator)
_ACTIVATION_NAMES = _constants(schema.ActivationFunctionType)
# Types whose values NumPy represents; the values of all others stay bytes.
_NUMPY = {
    name: np.dtype(name)
    for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64")
    + ("uint8", "uint16", "uint32", "uint64", "bool")
}


@dataclasses.dataclass(frozen=True)
class Quantization:
    """Scales and zero points of a tensor; a real value is ``(q - zero_point) * scale``.

    Attributes
    ----------
    scales : np.ndarray [shape=(1,) or (channels,), dtype=float32]
    zero_points : np.ndarray [shape as scales, dtype=int64]
    axis : int
        Axis of the channels.
    """

    scales: np.ndarray
    zero_points: np.ndarray
    axis: int = 0

    @staticmethod
    def of(scale, zero_point: int = 0) -> Quantization:
        """Return the quantization with one zero point for all scales."""
        scales = np.atleast_1d(np.asarray(scale, np.float32))
        return Quantization(scales, np.full(scales.size, zero_point, np.int64))

    @property
    def scale(self) -> np.float32:
        """The first scale."""
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        """The first zero point."""
        return int(self.zero_points[0]) if len(self.zero_points) else 0

    def quantize(self, x: np.ndarray) -> np.ndarray:
        """Quantize to int8 in float32 arithmetic, as the C++ code does.

        Parameters
        ----------
        x : np.ndarray [shape=(...), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(...), dtype=int8]
            ``clamp(rint(x / scale) + zero_point)``.
        """
        q = np.rint(np.asarray(x, np.float32) / self.scale) + np.float32(self.zero_point)
        return np.clip(q, -128, 127).astype(np.int8)

    def dequantize(self, q: np.ndarray) -> np.ndarray:
        """Return ``(q - zero_point) * scale`` in float32.

        Parameters
        ----------
        q : np.ndarray [shape=(...), dtype=int8]

        Returns
        -------
        np.ndarray [shape=(...), dtype=float32]
        """
        return (q.astype(np.float32) - np.float32(self.zero_point)) * self.scale


@dataclasses.dataclass(eq=False)
class Tensor:
    """A tensor of a graph. Two tensors are equal only when they are the same object.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        Name in lower case of a type of the schema, such as ``"int8"``.
    data : np.ndarray or None
        The values of a constant [shape=shape]. ``int4`` has one value in each int8; types that
        NumPy does not have are bytes [shape=(n,), dtype=uint8].
    quantization : Quantization or None
    is_variable : bool
        Whether it keeps its values from one invocation to the next.
    name : str or None
    index : int
        Its position in the file that was read; -1 for a new tensor.
    shape_signature : tuple of int or None
        The shape with -1 for axes of unknown length, where the file has it.
    extra : dict of str to object
        Other fields of the schema, which are written unchanged.
    """

    shape: tuple[int, ...]
    dtype: str
    data: np.ndarray | None = None
    quantization: Quantization | None = None
    is_variable: bool = False
    name: str | None = None
    index: int = -1
    shape_signature: tuple[int, ...] | None = None
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def byte_size(self) -> int:
        """The bytes of its elements in memory."""
        if self.dtype == "int4":
            return (self.size + 1) // 2
        return self.size * _NUMPY[self.dtype].itemsize

    @property
    def scale(self) -> np.float32:
        """The first scale; 0 for a tensor that is not quantized."""
        return self.quantization.scale if self.quantization else np.float32(0)

    @property
    def zero_point(self) -> int:
        """The first zero point; 0 for a tensor that is not quantized."""
        return self.quantization.zero_point if self.quantization else 0

    @property
    def scales(self) -> np.ndarray:
        """All scales [shape=(1,) or (channels,)]; empty for a tensor that is not quantized."""
        return self.quantization.scales if self.quantization else np.zeros(0, np.float32)

    @property
    def label(self) -> str:
        """How messages call it: its name, or else its position."""
        return repr(self.name) if self.name else f"number {self.index}"

    def as_dict(self) -> dict:
        """Return shape, dtype, scale and zero point, as they are stored in bundle.json."""
        return {
            "shape": list(self.shape),
            "dtype": self.dtype,
            "scale": float(self.scale),
            "zero_point": self.zero_point,
        }


class _Field:
    """An input or output of an operator by name; None where the operator lacks it."""

    def __init__(self, position: int, tensors: str = "inputs"):
        self._position, self._tensors = position, tensors

    def __get__(self, op: Operator | None, _: type | None = None) -> Any:
        if op is None:
            return self
        tensors = getattr(op, self._tensors)
        return tensors[self._position] if self._position < len(tensors) else None


class _Option:
    """A builtin option of an operator by name; a default where the file has no options."""

    def __init__(self, name: str, default: Any):
        self._name, self._default = name, default

    def __get__(self, op: Operator | None, _: type | None = None) -> Any:
        if op is None:
            return self
        return getattr(op.options, self._name, self._default)


@dataclasses.dataclass(eq=False)
class Operator:
    """An operator of a graph.

    Attributes
    ----------
    name : str
        Name of the builtin operator in the schema, or of the custom operator.
    inputs : list of Tensor or None
        None for an optional input that is absent.
    outputs : list of Tensor
    version : int
    options : object or None
        The table of builtin options, as the schema's Python classes have it.
    is_custom : bool
    intermediates : list of Tensor
        Tensors that have the quantization of values inside of the operator.
    extra : dict of str to object
        Other fields of the schema, which are written unchanged.
    """

    name: str
    inputs: list[Tensor | None]
    outputs: list[Tensor]
    version: int = 1
    options: Any = None
    is_custom: bool = False
    intermediates: list[Tensor] = dataclasses.field(default_factory=list)
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    NAMES: ClassVar[tuple[str, ...]] = ()

    output = _Field(0, "outputs")

    @property
    def activation(self) -> str:
        """The fused activation, ``"NONE"`` where there is none."""
        return _ACTIVATION_NAMES[getattr(self.options, "fusedActivationFunction", 0)]

    @property
    def states(self) -> tuple[Tensor, ...]:
        """Tensors that it reads and writes as its state."""
        return ()

    @property
    def subgraphs(self) -> tuple[int, ...]:
        """Positions in the model of the graphs that it runs."""
        return (
            tuple(
                int(value)
                for name, value in vars(self.options).items()
                if name.endswith("SubgraphIndex") and value >= 0
            )
            if self.options is not None
            else ()
        )

    def like(self, inputs: list[Tensor | None], outputs: list[Tensor], **changes) -> Operator:
        """Return the same operator on other tensors."""
        return dataclasses.replace(self, inputs=inputs, outputs=outputs, **changes)


class FullyConnected(Operator):
    """Product with a matrix of weights [shape=(outputs, inputs)]."""

    NAMES = ("FULLY_CONNECTED",)
    input, weights, bias = (_Field(i) for i in range(3))


class Convolution(Operator):
    """CONV_2D with weights [shape=(outputs, height, width, inputs)]."""

    NAMES = ("CONV_2D",)
    input, weights, bias = (_Field(i) for i in range(3))


class DepthwiseConvolution(Operator):
    """DEPTHWISE_CONV_2D with weights [shape=(1, height, width, outputs)]."""

    NAMES = ("DEPTHWISE_CONV_2D",)
    input, weights, bias = (_Field(i) for i in range(3))


class BatchMatmul(Operator):
    """Product of two activations."""

    NAMES = ("BATCH_MATMUL",)
    a, b = _Field(0), _Field(1)
    transposes_a = _Option("adjX", False)


@dataclasses.dataclass(frozen=True)
class LstmGate:
    """The constants of one gate of an LSTM.

    Attributes
    ----------
    weights : Tensor or None
        Weights of the input [shape=(units, inputs)].
    recurrent : Tensor or None
        Weights of the hidden state [shape=(units, units)].
    bias : Tensor or None
        [shape=(units,)].
    """

    weights: Tensor | None
    recurrent: Tensor | None
    bias: Tensor | None


@dataclasses.dataclass(frozen=True)
class LstmState:
    """The state of an LSTM.

    Attributes
    ----------
    hidden, cell : Tensor
        [shape=(batch, units)].
    """

    hidden: Tensor
    cell: Tensor


class Lstm(Operator):
    """The fused LSTM. It keeps its state from one invocation to the next."""

    NAMES = ("UNIDIRECTIONAL_SEQUENCE_LSTM",)
    GATES: ClassVar[tuple[str, ...]] = ("input", "forget", "cell", "output")

    input = _Field(LSTM.input)
    time_major = _Option("timeMajor", False)
    cell_clip = _Option("cellClip", 0.0)

    @staticmethod
    def with_gates(
        like: Lstm, x: Tensor, gates: list[LstmGate], state: LstmState, output: Tensor, **changes
    ) -> Lstm:
        """Return the same operator with other tensors, and without optional ones."""
        inputs: list[Tensor | None] = [None] * len(like.inputs)
        inputs[LSTM.input] = x
        inputs[LSTM.input_weights] = [gate.weights for gate in gates]
        inputs[LSTM.recurrent_weights] = [gate.recurrent for gate in gates]
        inputs[LSTM.biases] = [gate.bias for gate in gates]
        inputs[LSTM.hidden_state], inputs[LSTM.cell_state] = state.hidden, state.cell
        return dataclasses.replace(like, inputs=inputs, outputs=[output], **changes)

    def _gate(self, i: int) -> LstmGate:
        kinds = (LSTM.input_weights, LSTM.recurrent_weights, LSTM.biases)
        return LstmGate(*(self.inputs[kind][i] for kind in kinds))

    @property
    def input_gate(self) -> LstmGate:
        """The gate of what enters the cell."""
        return self._gate(0)

    @property
    def forget_gate(self) -> LstmGate:
        """The gate of what the cell keeps."""
        return self._gate(1)

    @property
    def cell_gate(self) -> LstmGate:
        """The new content of the cell, with tanh as its activation."""
        return self._gate(2)

    @property
    def output_gate(self) -> LstmGate:
        """The gate of what the cell outputs."""
        return self._gate(3)

    @property
    def gates(self) -> tuple[LstmGate, ...]:
        """All gates in the order of `GATES`."""
        return tuple(self._gate(i) for i in range(len(self.GATES)))

    @property
    def has_optional_parts(self) -> bool:
        """Whether it has peepholes, a projection or layer normalization."""
        kinds = (LSTM.peepholes, LSTM.projection, LSTM.layer_norms)
        optional = [t for kind in kinds for t in self.inputs[kind]]
        return any(t is not None for t in optional)

    @property
    def state(self) -> LstmState:
        """The hidden state and the cells."""
        return LstmState(self.inputs[LSTM.hidden_state], self.inputs[LSTM.cell_state])

    @property
    def states(self) -> tuple[Tensor, ...]:
        """The hidden state and the cells."""
        return self.state.hidden, self.state.cell

    @property
    def steps(self) -> int:
        """Time steps of one invocation."""
        return self.input.shape[0 if self.time_major else 1]

    @property
    def batch(self) -> int:
        """Rows that share the weights, each with a state of its own."""
        return self.input.shape[1 if self.time_major else 0]


class Binary(Operator):
    """An element-wise operator of two inputs, which broadcast."""

    a, b = _Field(0), _Field(1)


class Add(Binary):
    """Sum of two tensors."""

    NAMES = ("ADD",)


class Mul(Binary):
    """Product of two tensors."""

    NAMES = ("MUL",)


class Unary(Operator):
    """An element-wise operator of one input."""

    input = _Field(0)


class Logistic(Unary):
    """``1 / (1 + exp(-x))``."""

    NAMES = ("LOGISTIC",)


class Tanh(Unary):
    """Hyperbolic tangent."""

    NAMES = ("TANH",)


class Softmax(Unary):
    """``exp(beta x) / sum(exp(beta x))`` along the last axis."""

    NAMES = ("SOFTMAX",)
    beta = _Option("beta", 1.0)


class Relu(Unary):
    """``max(x, 0)``."""

    NAMES = ("RELU",)


class Quantize(Unary):
    """Change of the scale or the type."""

    NAMES = ("QUANTIZE",)


class Mean(Operator):
    """Mean over axes."""

    NAMES = ("MEAN",)
    input, axes = _Field(0), _Field(1)


class Move(Operator):
    """An operator that only moves values: its inputs and its output share one quantization."""

    input = _Field(0)


class Reshape(Move):
    """The same values in another shape."""

    NAMES = ("RESHAPE",)


class Squeeze(Move):
    """The same values without axes of length 1."""

    NAMES = ("SQUEEZE",)


class Gather(Move):
    """Slices along an axis, by position."""

    NAMES = ("GATHER",)
    positions = _Field(1)
    axis = _Option("axis", 0)


class Concatenation(Move):
    """Inputs one after another along an axis."""

    NAMES = ("CONCATENATION",)
    axis = _Option("axis", 0)


def _classes(base: type[Operator]) -> Iterator[type[Operator]]:
    yield base
    for kind in base.__subclasses__():
        yield from _classes(kind)


_CLASSES = {name: kind for kind in _classes(Operator) for name in kind.NAMES}


def names(kinds: Iterable[type[Operator]]) -> list[str]:
    """Return the names of the operators of some classes and of their subclasses."""
    return [name for kind in kinds for each in _classes(kind) for name in each.NAMES]


def operator(name: str, inputs: list[Tensor | None], outputs: list[Tensor], **fields) -> Operator:
    """Make an operator of the class that its name has."""
    kind = Operator if fields.get("is_custom") else _CLASSES.get(name, Operator)
    return kind(name, inputs, outputs, **fields)


@dataclasses.dataclass(eq=False)
class Graph:
    """A graph: operators in the order in which they run.

    Attributes
    ----------
    inputs, outputs : list of Tensor
    operators : list of Operator
    tensors : list of Tensor
        All tensors in the order of the file. `write` appends those that only an operator refers to.
    name : str or None
    """

    inputs: list[Tensor]
    outputs: list[Tensor]
    operators: list[Operator] = dataclasses.field(default_factory=list)
    tensors: list[Tensor] = dataclasses.field(default_factory=list)
    name: str | None = None

    def persistent_states(self, op: Operator) -> list[Tensor]:
        """List the states that an operator keeps from one invocation to the next.

        These are its states except those that an earlier operator writes.
        """
        written = set()
        for before in self.operators:
            if before is op:
                break
            written.update(before.outputs)
        return [state for state in op.states if state not in written]


@dataclasses.dataclass(eq=False)
class Model:
    """The contents of a `.tflite`.

    Attributes
    ----------
    graphs : list of Graph
        The first one is the network; operators of control flow run the others.
    description : str or None
    signatures : list
        The schema's signature definitions, which are written unchanged.
    metadata : dict of str to bytes
    version : int
        Of the schema.
    """

    graphs: list[Graph]
    description: str | None = None
    signatures: list = dataclasses.field(default_factory=list)
    metadata: dict[str, bytes] = dataclasses.field(default_factory=dict)
    version: int = 3

    @property
    def graph(self) -> Graph:
        """The network."""
        return self.graphs[0]

    @property
    def operators(self) -> list[Operator]:
        """The operators of all graphs."""
        return [op for graph in self.graphs for op in graph.operators]


def read_file(path: Path) -> Model:
    """Read a `.tflite` file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Model

    Raises
    ------
    UserError
        When the file is missing, is not a TFLite flatbuffer, or is damaged.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as e:
        raise UserError(
            f"{path}: cannot read ({e.strerror}); make it with `groupcomm convert`"
        ) from e
    return read(content, str(path))


def read(content: bytes, source: str = "model") -> Model:
    """Read and verify a `.tflite`.

    Parameters
    ----------
    content : bytes
    source : str
        What messages call it.

    Returns
    -------
    Model

    Raises
    ------
    UserError
        When it is not a TFLite flatbuffer, or is damaged: a position outside of its table, or a
        constant whose bytes are not those of its shape.
    """
    if content[4:8] != b"TFL3":
        raise UserError(
            f"{source}: not a TFLite model (no TFL3 identifier at byte 4); "
            "make it with `groupcomm convert`"
        )
    try:
        return _Reader(schema.ModelT.InitFromPackedBuf(content, 0)).model()
    except Exception as e:  # the generated reader fails in many ways on damaged offsets
        problem = str(e) if isinstance(e, _Damage) else f"{type(e).__name__} while reading"
        raise UserError(f"{source}: damaged TFLite model ({problem}); convert it again") from e


class _Damage(Exception):
    """What is wrong with a model."""


_TENSOR_EXTRA = ("sparsity", "hasRank", "variantTensors")
_OPERATOR_EXTRA = (
    "customOptions",
    "customOptionsFormat",
    "mutatingVariableInputs",
    "builtinOptions2",
    "builtinOptions2Type",
)


class _Reader:
    """Translates the schema's Python classes to those of this module."""

    def __init__(self, parsed):
        self._parsed = parsed

    def model(self) -> Model:
        parsed = self._parsed
        if not parsed.subgraphs:
            raise _Damage("it has no graph")
        graphs = [self._graph(g) for g in parsed.subgraphs]
        for op in (op for graph in graphs for op in graph.operators):
            for i in op.subgraphs:
                _check(i, len(graphs), f"graph of operator {op.name}")
        return Model(
            graphs,
            description=_text(parsed.description),
            signatures=parsed.signatureDefs or [],
            metadata={
                _text(m.name) or "": self._bytes(m.buffer) or b"" for m in parsed.metadata or []
            },
            version=parsed.version,
        )

    def _bytes(self, buffer: int) -> bytes | None:
        _check(buffer, len(self._parsed.buffers or []), "buffer")
        found = self._parsed.buffers[buffer]
        if getattr(found, "offset", 0) > 1:
            raise _Damage("its constants are outside of the flatbuffer, as in files over 2 GB")
        return None if found.data is None else np.asarray(found.data, np.uint8).tobytes()

    def _graph(self, parsed) -> Graph:
        tensors = [self._tensor(i, t) for i, t in enumerate(_list(parsed.tensors))]

        def found(positions, what: str) -> list:
            for i in (positions := [int(i) for i in _list(positions)]):
                _check(i, len(tensors), what, lowest=-1)
            return [tensors[i] if i >= 0 else None for i in positions]

        operators = []
        for op in _list(parsed.operators):
            _check(op.opcodeIndex, len(_list(self._parsed.operatorCodes)), "operator code")
            code = self._parsed.operatorCodes[op.opcodeIndex]
            name, is_custom = _operator_name(code)
            operators.append(
                operator(
                    name,
                    found(op.inputs, f"input of {name}"),
                    found(op.outputs, f"output of {name}"),
                    version=code.version,
                    options=op.builtinOptions,
                    is_custom=is_custom,
                    intermediates=found(op.intermediates, f"intermediate of {name}"),
                    extra=_extra(op, _OPERATOR_EXTRA),
                )
            )
            if isinstance(operators[-1], Lstm) and len(operators[-1].inputs) <= LSTM.cell_state:
                raise _Damage(f"{name} has {len(operators[-1].inputs)} inputs")
        return Graph(
            found(parsed.inputs, "input of the graph"),
            found(parsed.outputs, "output of the graph"),
            operators,
            tensors,
            _text(parsed.name),
        )

    def _tensor(self, index: int, parsed) -> Tensor:
        shape = tuple(int(n) for n in _list(parsed.shape))
        if any(n < 0 for n in shape):
            raise _Damage(f"tensor {index} has the shape {shape}")
        if parsed.type not in _TYPE_NAMES:
            raise _Damage(f"tensor {index} has the unknown type {parsed.type}")
        dtype = _TYPE_NAMES[parsed.type]
        signature = _list(parsed.shapeSignature)
        return Tensor(
            shape,
            dtype,
            _decode(index, shape, dtype, self._bytes(parsed.buffer)),
            _quantization(parsed.quantization),
            bool(parsed.isVariable),
            _text(parsed.name),
            index,
            tuple(int(n) for n in signature) if len(signature) else None,
            _extra(parsed, _TENSOR_EXTRA),
        )


def _list(vector):
    return [] if vector is None else vector


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _check(index: int, count: int, what: str, *, lowest: int = 0) -> None:
    if not lowest <= index < count:
        raise _Damage(f"{what}: position {index} of {count}")


def _extra(parsed, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those fields that the file has."""
    found = {name: getattr(parsed, name, None) for name in names}
    return {name: value for name, value in found.items() if value is not None and np.any(value)}


def _operator_name(code) -> tuple[str, bool]:
    if code.customCode:
        return code.customCode.decode(errors="replace"), True
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    return _OPERATOR_NAMES.get(builtin, f"BUILTIN_{builtin}"), False


def _quantization(parsed) -> Quantization | None:
    if parsed is None or parsed.scale is None or len(parsed.scale) == 0:
        return None
    zero_points = _list(parsed.zeroPoint)
    return Quantization(
        np.asarray(parsed.scale, np.float32),
        np.asarray(zero_points, np.int64) if len(zero_points) else np.zeros(1, np.int64),
        int(parsed.quantizedDimension),
    )


def _decode(index: int, shape, dtype: str, content: bytes | None) -> np.ndarray | None:
    """Return the values of a constant."""
    if content is None:
        return None
    if dtype == "int4":
        expected = (math.prod(shape) + 1) // 2
    elif dtype in _NUMPY:
        expected = math.prod(shape) * _NUMPY[dtype].itemsize
    else:
        return np.frombuffer(content, np.uint8)
    if len(content) != expected:
        raise _Damage(f"tensor {index} has {len(content)} bytes of values, its shape {expected}")
    if dtype == "int4":
        packed = np.frombuffer(content, np.int8)
        halves = np.stack([packed << 4 >> 4, packed >> 4], -1).ravel()
        return halves[: math.prod(shape)].reshape(shape)
    return np.frombuffer(content, _NUMPY[dtype]).reshape(shape)


def _encode(tensor: Tensor) -> bytes | None:
    """Return the bytes of a constant in a file."""
    if tensor.data is None:
        return None
    if tensor.dtype == "int4":  # two values in a byte, the first in its low half
        flat = np.append(tensor.data.ravel(), np.zeros(tensor.size % 2, np.int8)).astype(np.uint8)
        return ((flat[::2] & 15) | flat[1::2] << 4).tobytes()
    return np.ascontiguousarray(tensor.data, _NUMPY.get(tensor.dtype, np.uint8)).tobytes()


def write(model: Model) -> bytes:
    """Serialize a model to a flatbuffer in which equal parts are stored once.

    Constants begin at multiples of 16 bytes, as in files of TFLite's own writer. A core without
    unaligned loads needs this for 64-bit biases.

    Parameters
    ----------
    model : Model

    Returns
    -------
    bytes
    """
    return _Writer(model).content()


class _Writer:
    """Serializes a model; every method returns the offset of what it wrote."""

    def __init__(self, model: Model):
        self._model = model
        self._builder = flatbuffers.Builder(1024)
        self._written: dict[tuple, int] = {}
        self._buffers: list[bytes | None] = [None]  # an empty buffer is the first one
        self._buffer_index: dict[bytes, int] = {}
        self._codes: dict[tuple[str, int, bool], int] = {}

    def content(self) -> bytes:
        model = self._model
        for graph in model.graphs:
            known = set(graph.tensors)
            for op in graph.operators:
                for t in (*op.inputs, *op.intermediates, *op.outputs):
                    if t is not None and t not in known:
                        known.add(t)
                        graph.tensors.append(t)
        # The order of the parts: buffers first, then each graph.
        of_tensor = {t: self._buffer(_encode(t)) for g in model.graphs for t in g.tensors}
        metadata = {name: self._buffer(content) for name, content in model.metadata.items()}
        for op in model.operators:
            key = (op.name, op.version, op.is_custom)
            self._codes.setdefault(key, len(self._codes))
        buffers = self._offsets([self._constant(b) for b in self._buffers])
        graphs = [self._graph(g, of_tensor) for g in model.graphs]
        codes = [self._code(*key) for key in self._codes]
        parts = {
            "OperatorCodes": self._offsets(codes),
            "Subgraphs": self._offsets(graphs),
            "Buffers": buffers,
        }
        if model.description is not None:
            parts["Description"] = self._builder.CreateString(model.description)
        if metadata:
            parts["Metadata"] = self._offsets([self._metadata(*item) for item in metadata.items()])
        if model.signatures:
            packed = [signature.Pack(self._builder) for signature in model.signatures]
            parts["SignatureDefs"] = self._offsets(packed)
        self._builder.Finish(self._table("Model", Version=model.version, **parts), b"TFL3")
        return bytes(self._builder.Output())

    def _once(self, key: tuple, make) -> int:
        if key not in self._written:
            self._written[key] = make()
        return self._written[key]

    def _vector(self, values, dtype) -> int:
        array = np.ascontiguousarray(values, dtype)
        return self._once((dtype, array.tobytes()), lambda: self._builder.CreateNumpyVector(array))

    def _table(self, kind: str, **fields) -> int:
        getattr(schema, f"{kind}Start")(self._builder)
        for name, value in fields.items():
            if value is not None:
                getattr(schema, f"{kind}Add{name}")(self._builder, value)
        return getattr(schema, f"{kind}End")(self._builder)

    def _offsets(self, values: list[int]) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependUOffsetTRelative(value)
        return self._builder.EndVector()

    def _buffer(self, content: bytes | None) -> int:
        if content is None:
            return 0
        if content not in self._buffer_index:
            self._buffer_index[content] = len(self._buffers)
            self._buffers.append(content)
        return self._buffer_index[content]

    def _constant(self, content: bytes | None) -> int:
        if content is None:
            return self._table("Buffer")
        builder = self._builder
        builder.StartVector(1, len(content), 16)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        return self._table("Buffer", Data=builder.EndVector())

    def _metadata(self, name: str, buffer: int) -> int:
        return self._table("Metadata", Name=self._builder.CreateString(name), Buffer=buffer)

    def _code(self, name: str, version: int, is_custom: bool) -> int:
        text = self._builder.CreateString(name) if is_custom else None
        builtin = (
            schema.BuiltinOperator.CUSTOM
            if is_custom
            else int(name.removeprefix("BUILTIN_"))
            if name.startswith("BUILTIN_")
            else getattr(schema.BuiltinOperator, name)
        )
        return self._table(
            "OperatorCode",
            DeprecatedBuiltinCode=min(builtin, 127),
            CustomCode=text,
            Version=version,
            BuiltinCode=builtin,
        )

    def _graph(self, graph: Graph, of_tensor: dict[Tensor, int]) -> int:
        position = {t: i for i, t in enumerate(graph.tensors)}

        def positions(tensors: list) -> list[int]:
            return [-1 if t is None else position[t] for t in tensors]

        tensors = self._offsets([self._tensor(t, of_tensor[t]) for t in graph.tensors])
        operators = self._offsets([self._operator(op, positions) for op in graph.operators])
        ends = [self._vector(positions(ts), np.int32) for ts in (graph.inputs, graph.outputs)]
        name = None if graph.name is None else self._builder.CreateString(graph.name)
        return self._table(
            "SubGraph",
            Tensors=tensors,
            Inputs=ends[0],
            Outputs=ends[1],
            Operators=operators,
            Name=name,
        )

    def _tensor(self, t: Tensor, buffer: int) -> int:
        shape = self._vector(t.shape, np.int32)
        quantization = None if t.quantization is None else self._scales(t.quantization)
        signature = None if t.shape_signature is None else self._vector(t.shape_signature, np.int32)
        name = None if t.name is None else self._builder.CreateString(t.name)
        sparsity = t.extra["sparsity"].Pack(self._builder) if "sparsity" in t.extra else None
        variants = (
            self._offsets([v.Pack(self._builder) for v in t.extra["variantTensors"]])
            if "variantTensors" in t.extra
            else None
        )
        return self._table(
            "Tensor",
            Shape=shape,
            Type=_TYPE_VALUES[t.dtype],
            Buffer=buffer,
            Quantization=quantization,
            IsVariable=t.is_variable,
            Name=name,
            ShapeSignature=signature,
            Sparsity=sparsity,
            HasRank=t.extra.get("hasRank"),
            VariantTensors=variants,
        )

    def _scales(self, q: Quantization) -> int:
        parts = self._vector(q.scales, np.float32), self._vector(q.zero_points, np.int64)
        return self._once(
            ("scales", *parts, q.axis),
            lambda: self._table(
                "QuantizationParameters",
                Scale=parts[0],
                ZeroPoint=parts[1],
                QuantizedDimension=q.axis or None,
            ),
        )

    def _options(self, options) -> int | None:
        if options is None:
            return None
        key = (type(options), *map(str, vars(options).values()))
        return self._once(key, lambda: options.Pack(self._builder))

    def _operator(self, op: Operator, positions) -> int:
        options = self._options(op.options)
        options2 = self._options(op.extra.get("builtinOptions2"))
        custom = op.extra.get("customOptions")
        mutating = op.extra.get("mutatingVariableInputs")
        return self._table(
            "Operator",
            OpcodeIndex=self._codes[op.name, op.version, op.is_custom],
            Inputs=self._vector(positions(op.inputs), np.int32),
            Outputs=self._vector(positions(op.outputs), np.int32),
            BuiltinOptionsType=_options_type(op.options),
            BuiltinOptions=options,
            Intermediates=self._vector(positions(op.intermediates), np.int32)
            if op.intermediates
            else None,
            CustomOptions=None if custom is None else self._vector(custom, np.uint8),
            CustomOptionsFormat=op.extra.get("customOptionsFormat"),
            MutatingVariableInputs=None if mutating is None else self._vector(mutating, np.bool_),
            BuiltinOptions2Type=op.extra.get("builtinOptions2Type"),
            BuiltinOptions2=options2,
        )


def _options_type(options) -> int | None:
    if options is None:
        return None
    return getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
