"""The contents of a `.tflite` as a typed graph.

A `Tensor` contains its shape, type, quantization and values, and an `Operator` refers to tensors,
not to positions in a table. Each operator that the project works on is a class with named fields.
All others are plain `Operator` objects. `convert.tflite.flatbuffer` reads and writes all of them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from convert.contract import LSTM
from convert.tflite.schema import schema


def constants(table: type) -> dict[int, str]:
    """Return the names of an enumeration of the schema by value."""
    return {v: k for k, v in vars(table).items() if not k.startswith("_")}


_ACTIVATION_NAMES = constants(schema.ActivationFunctionType)
_PADDING_NAMES = constants(schema.Padding)
# Types whose values NumPy represents; the values of all others stay bytes.
NUMPY_TYPES = {
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
        return self.size * NUMPY_TYPES[self.dtype].itemsize

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


class Windowed(Operator):
    """An operator on windows of an input [shape=(batches, height, width, channels)].

    Sizes in two dimensions are (height, width).
    """

    input = _Field(0)
    stride_height, stride_width = _Option("strideH", 1), _Option("strideW", 1)
    dilation_height, dilation_width = _Option("dilationHFactor", 1), _Option("dilationWFactor", 1)

    @property
    def padding(self) -> str:
        """``"SAME"`` or ``"VALID"``."""
        return _PADDING_NAMES[getattr(self.options, "padding", 0)]

    @property
    def kernel(self) -> tuple[int, int]:
        """The size of a window."""
        raise NotImplementedError

    @property
    def strides(self) -> tuple[int, int]:
        """The distance of two windows."""
        return self.stride_height, self.stride_width

    @property
    def dilations(self) -> tuple[int, int]:
        """The distance of two elements of a window."""
        return self.dilation_height, self.dilation_width


class Convolution(Windowed):
    """CONV_2D with weights [shape=(outputs, height, width, inputs)]."""

    NAMES = ("CONV_2D",)
    weights, bias = _Field(1), _Field(2)

    @property
    def kernel(self) -> tuple[int, int]:
        """The size of a window."""
        return self.weights.shape[1], self.weights.shape[2]


class DepthwiseConvolution(Windowed):
    """DEPTHWISE_CONV_2D with weights [shape=(1, height, width, outputs)]."""

    NAMES = ("DEPTHWISE_CONV_2D",)
    weights, bias = _Field(1), _Field(2)

    @property
    def kernel(self) -> tuple[int, int]:
        """The size of a window."""
        return self.weights.shape[1], self.weights.shape[2]


class Pool(Windowed):
    """A value for each channel of each window."""

    kernel_height, kernel_width = _Option("filterHeight", 1), _Option("filterWidth", 1)

    @property
    def kernel(self) -> tuple[int, int]:
        """The size of a window."""
        return self.kernel_height, self.kernel_width


class AveragePool(Pool):
    """AVERAGE_POOL_2D: the mean of the values that are not padding."""

    NAMES = ("AVERAGE_POOL_2D",)


class MaxPool(Pool):
    """MAX_POOL_2D: the largest value."""

    NAMES = ("MAX_POOL_2D",)


class Convolution3d(Operator):
    """CONV_3D with weights [shape=(depth, height, width, inputs, outputs)]."""

    NAMES = ("CONV_3D",)
    input, weights, bias = (_Field(i) for i in range(3))


class TransposedConvolution(Operator):
    """A convolution whose windows are in the output."""

    weights, input, bias = (_Field(i) for i in range(1, 4))


class TransposedConvolution2d(TransposedConvolution):
    """TRANSPOSE_CONV with weights [shape=(outputs, height, width, inputs)]."""

    NAMES = ("TRANSPOSE_CONV",)
    stride_height, stride_width = _Option("strideH", 1), _Option("strideW", 1)

    @property
    def padding(self) -> str:
        """``"SAME"`` or ``"VALID"``."""
        return _PADDING_NAMES[getattr(self.options, "padding", 0)]

    @property
    def strides(self) -> tuple[int, int]:
        """The distance of two windows, (height, width)."""
        return self.stride_height, self.stride_width


class TransposedConvolution3d(TransposedConvolution):
    """CONV_3D_TRANSPOSE with weights [shape=(depth, height, width, outputs, inputs)]."""

    NAMES = ("CONV_3D_TRANSPOSE",)


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
        return self.input.shape[0 if self.time_major else 1] if len(self.input.shape) > 2 else 1

    @property
    def batch(self) -> int:
        """Rows that share the weights, each with a state of its own."""
        return self.input.shape[1 if self.time_major and len(self.input.shape) > 2 else 0]


class Svdf(Operator):
    """A layer whose filters are products of a filter of features and one of time.

    The weights of features have the shape (filters, inputs), and those of time (filters, memory).
    An output is the sum of ``rank`` filters. The state [shape=(batch, filters * memory)] has the
    last values of each filter of features.
    """

    NAMES = ("SVDF",)
    input, feature_weights, time_weights, bias, state = (_Field(i) for i in range(5))
    rank = _Option("rank", 1)

    @property
    def states(self) -> tuple[Tensor, ...]:
        """The last values of the filters of features."""
        return (self.state,)


class Binary(Operator):
    """An element-wise operator of two inputs, which broadcast."""

    a, b = _Field(0), _Field(1)


class Add(Binary):
    """Sum of two tensors."""

    NAMES = ("ADD",)


class Sub(Binary):
    """Difference of two tensors."""

    NAMES = ("SUB",)


class SquaredDifference(Binary):
    """Square of the difference of two tensors."""

    NAMES = ("SQUARED_DIFFERENCE",)


class Mul(Binary):
    """Product of two tensors."""

    NAMES = ("MUL",)


class Prelu(Binary):
    """``x`` where it is positive, ``x * slope`` elsewhere; ``b`` has the slopes."""

    NAMES = ("PRELU",)


class Unary(Operator):
    """An element-wise operator of one input."""

    input = _Field(0)


class Logistic(Unary):
    """``1 / (1 + exp(-x))``."""

    NAMES = ("LOGISTIC",)


class Tanh(Unary):
    """Hyperbolic tangent."""

    NAMES = ("TANH",)


class Rsqrt(Unary):
    """``1 / sqrt(x)``."""

    NAMES = ("RSQRT",)


class Softmax(Unary):
    """``exp(beta x) / sum(exp(beta x))`` along the last axis."""

    NAMES = ("SOFTMAX",)
    beta = _Option("beta", 1.0)


class Relu(Unary):
    """``max(x, 0)``."""

    NAMES = ("RELU",)


class Relu6(Unary):
    """``min(max(x, 0), 6)``."""

    NAMES = ("RELU6",)


class LeakyRelu(Unary):
    """``x`` where it is positive, ``alpha * x`` elsewhere."""

    NAMES = ("LEAKY_RELU",)
    alpha = _Option("alpha", 0.0)


class HardSwish(Unary):
    """``x * min(max(x + 3, 0), 6) / 6``."""

    NAMES = ("HARD_SWISH",)


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

    NAMES = ("RESHAPE", "EXPAND_DIMS")


class Squeeze(Move):
    """The same values without axes of length 1."""

    NAMES = ("SQUEEZE",)


class Transfer(Move):
    """READ_VARIABLE or ASSIGN_VARIABLE, whose variable is a tensor.

    `convert.tflite.variables` makes it; in a file, the variable is a resource.
    """

    @property
    def states(self) -> tuple[Tensor, ...]:
        """The variable."""
        return tuple(t for t in (self.input, self.output) if t.is_variable)


class Gather(Move):
    """Slices along an axis, by position."""

    NAMES = ("GATHER",)
    positions = _Field(1)
    axis = _Option("axis", 0)


class Concatenation(Move):
    """Inputs one after another along an axis."""

    NAMES = ("CONCATENATION",)
    axis = _Option("axis", 0)


class Slice(Move):
    """A part of a tensor: in each axis, ``size`` values from ``begin`` on; -1 is all the others."""

    NAMES = ("SLICE",)
    begin, size = _Field(1), _Field(2)


class StridedSlice(Move):
    """A part of a tensor, as Python's ``x[begin:end:stride]`` in each axis.

    Bit i of a mask is of axis i: its begin or its end is absent, or the axis is left out of the
    output.
    """

    NAMES = ("STRIDED_SLICE",)
    begin, end, strides = (_Field(i) for i in range(1, 4))
    begin_mask, end_mask = _Option("beginMask", 0), _Option("endMask", 0)
    shrink_axis_mask = _Option("shrinkAxisMask", 0)
    ellipsis_mask, new_axis_mask = _Option("ellipsisMask", 0), _Option("newAxisMask", 0)
    end_is_size = _Option("offset", False)


class Split(Move):
    """Equal parts of a tensor along an axis, one for each output."""

    NAMES = ("SPLIT",)
    axis, input = _Field(0), _Field(1)


class SplitV(Move):
    """Parts of a tensor along an axis, one for each output."""

    NAMES = ("SPLIT_V",)
    axis = _Field(2)


class Pad(Move):
    """A tensor with zeros around it: ``paddings`` [shape=(axes, 2)] before and after each axis."""

    NAMES = ("PAD",)
    paddings = _Field(1)


class ExpandDims(Move):
    """The same values with one more axis of length 1."""

    NAMES = ("EXPAND_DIMS",)


class Transpose(Move):
    """The same values with the axes in another order."""

    NAMES = ("TRANSPOSE",)
    order = _Field(1)


class Pack(Move):
    """Inputs one after another along a new axis."""

    NAMES = ("PACK",)
    axis = _Option("axis", 0)


class Unpack(Move):
    """Slices of length 1 along an axis, one for each output, without that axis."""

    NAMES = ("UNPACK",)
    axis = _Option("axis", 0)


class SpaceToBatch(Move):
    """Every ``block``-th value of the axes after the first, with margins of zeros around them.

    The block has a length for each of these axes. The batches are those of the first offset in the
    block, then those of the next one.
    """

    NAMES = ("SPACE_TO_BATCH_ND",)
    block, margins = _Field(1), _Field(2)


class BatchToSpace(Move):
    """The inverse of SPACE_TO_BATCH_ND, which drops the margins."""

    NAMES = ("BATCH_TO_SPACE_ND",)
    block, margins = _Field(1), _Field(2)


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

        These are its states and the variable tensors that it reads, except those that an earlier
        operator writes in every invocation.
        DEQUANTIZE writes a constant only once, so the states of a float16 model are kept.
        """
        written = set()
        for before in self.operators:
            if before is op:
                break
            source = before.inputs[0] if before.inputs else None
            if before.name != "DEQUANTIZE" or source is None or source.data is None:
                written.update(before.outputs)
        read = (t for t in op.inputs if t is not None and t.is_variable)
        return [state for state in dict.fromkeys((*op.states, *read)) if state not in written]

    def assigned_states(self) -> list[Tensor]:
        """List the persistent states whose next value is the output of an operator."""
        made = {t for op in self.operators for t in op.outputs}
        kept = (state for op in self.operators for state in self.persistent_states(op))
        return [state for state in dict.fromkeys(kept) if state in made]


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
