"""Compute the parameters of the kernels in `micro/kernels` from the operators of a `.tflite`.

The kernels are int8 and 16x8, and the parameters equal the numbers that TFLM prepares. Each
dataclass here is the struct of the same name in `micro/kernels/kernels.h`, field by field. All that
depends only on the model is computed here: zero points are folded into biases, scales become
multipliers and shifts, and functions of one byte become tables.
"""

import dataclasses
import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from convert.tflite import fixed_point, graph
from convert.tflite.counts import MALFORMED
from convert.tflite.fixed_point import Scale, quantize_multiplier, quantize_multiplier_int16, wrap
from convert.tflite.graph import Operator, Tensor
from groupcomm.errors import UserError

# The sum of so many exponentials has at most 28 bits, which the kernel's division needs.
_SOFTMAX_COLUMNS = 511
# The windows that a convolution copies together: a kernel for several rows of inputs loads each
# weight once for all of them.
_WINDOWS = 4
# Copies of one operator, each of which is a line of generated C.
_COPIES = 256
_LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767)}


@dataclasses.dataclass(frozen=True)
class FullyConnected:
    """FULLY_CONNECTED.

    Attributes
    ----------
    weights : np.ndarray [shape=(outputs, inputs), dtype=int8]
    bias, multiplier : np.ndarray [shape=(outputs,), dtype=int32]
    shift : np.ndarray [shape=(outputs,), dtype=int8]
    """

    rows: int
    inputs: int
    outputs: int
    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    zero_point: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Window:
    """The windows of a convolution or a pooling operator, without the fused channels.

    ``top`` and ``left`` are the padding before the first row and column; ``zero_point`` is the
    value of all padding. With ``spread_height`` and ``spread_width``, there is padding between rows
    and between columns too, which are so far apart.
    """

    batches: int
    in_height: int
    in_width: int
    channels: int
    out_height: int
    out_width: int
    height: int
    width: int
    stride_height: int
    stride_width: int
    dilation_height: int
    dilation_width: int
    top: int
    left: int
    spread_height: int
    spread_width: int
    zero_point: int

    @property
    def count(self) -> int:
        """The number of windows."""
        return self.batches * self.out_height * self.out_width

    @property
    def size(self) -> int:
        """The values in a window."""
        return self.height * self.width * self.channels


@dataclasses.dataclass(frozen=True)
class Convolution:
    """CONV_2D, as FULLY_CONNECTED of ``dots.rows`` windows at a time."""

    window: Window
    dots: FullyConnected

    @property
    def scratch_bytes(self) -> int:
        """The scratch memory in bytes: the windows."""
        return self.dots.rows * self.dots.inputs


@dataclasses.dataclass(frozen=True)
class DepthwiseConvolution:
    """DEPTHWISE_CONV_2D.

    Attributes
    ----------
    weights : np.ndarray [shape=(height, width, outputs), dtype=int8]
    bias, multiplier : np.ndarray [shape=(outputs,), dtype=int32]
    shift : np.ndarray [shape=(outputs,), dtype=int8]
    """

    window: Window
    outputs: int
    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    zero_point: int
    low: int
    high: int

    @property
    def scratch_bytes(self) -> int:
        """The scratch memory in bytes: a window."""
        return self.window.size


@dataclasses.dataclass(frozen=True)
class AveragePool:
    """AVERAGE_POOL_2D."""

    window: Window
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class MaxPool(AveragePool):
    """MAX_POOL_2D."""


@dataclasses.dataclass(frozen=True)
class LstmGate:
    """One gate of an LSTM.

    Attributes
    ----------
    input_weights : np.ndarray [shape=(units, inputs), dtype=int8]
    recurrent_weights : np.ndarray [shape=(units, units), dtype=int8]
    input_bias : np.ndarray [shape=(units,), dtype=int32]
    recurrent_bias : np.ndarray [shape=(units,), dtype=int32] or None
        None for int16 activations.
    """

    input_weights: np.ndarray
    recurrent_weights: np.ndarray
    input_bias: np.ndarray
    recurrent_bias: np.ndarray | None
    input: Scale
    recurrent: Scale


@dataclasses.dataclass(frozen=True)
class Lstm:
    """UNIDIRECTIONAL_SEQUENCE_LSTM, int8 or int16, with int16 cells.

    More than one step is possible only where time is the first axis that is longer than 1. As after
    a reset in TFLM, every hidden state starts as ``zero_point`` and every cell as 0.
    """

    steps: int
    batch: int
    inputs: int
    units: int
    input: LstmGate
    forget: LstmGate
    cell: LstmGate
    output: LstmGate
    update: Scale
    hidden: Scale
    tanh_multiplier: int
    tanh_shift: int
    cell_clip: int
    zero_point: int

    @property
    def scratch_bytes(self) -> int:
        """The scratch memory in bytes, GC_LSTM_SCRATCH_BYTES of kernels.h."""
        vectors = -(-self.inputs // 8) + -(-self.units // 8)
        pairs = (self.batch + 1) // 2
        return max(32 * vectors * (pairs + 1) + 64 * pairs, 64 * self.units)


@dataclasses.dataclass(frozen=True)
class Operand:
    """One input of ADD or MUL. Strides are in elements; 0 repeats the operand."""

    row: int
    step: int
    zero_point: int


@dataclasses.dataclass(frozen=True)
class Add:
    """ADD, with broadcasting over rows or columns."""

    rows: int
    columns: int
    a: Operand
    b: Operand
    a_scale: Scale
    b_scale: Scale
    scale: Scale
    zero_point: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Sub(Add):
    """SUB, with broadcasting over rows or columns."""


@dataclasses.dataclass(frozen=True)
class Mul:
    """MUL, with broadcasting over rows or columns."""

    rows: int
    columns: int
    a: Operand
    b: Operand
    scale: Scale
    zero_point: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Prelu:
    """PRELU, with broadcasting of the slopes over rows or columns."""

    rows: int
    columns: int
    a: Operand
    b: Operand
    positive: Scale
    negative: Scale
    zero_point: int


@dataclasses.dataclass(frozen=True)
class Mean:
    """MEAN over adjacent axes."""

    outer: int
    count: int
    inner: int
    bias: int
    scale: Scale
    zero_point: int


@dataclasses.dataclass(frozen=True)
class Lookup:
    """A function of one byte: LOGISTIC, TANH, RELU6, LEAKY_RELU, HARD_SWISH, QUANTIZE of uint8.

    Attributes
    ----------
    table : np.ndarray [shape=(256,), dtype=int8]
        Indexed by the input, read as uint8.
    """

    table: np.ndarray
    count: int


@dataclasses.dataclass(frozen=True)
class Logistic:
    """LOGISTIC of int16."""

    count: int
    multiplier: int
    shift: int


@dataclasses.dataclass(frozen=True)
class Tanh(Logistic):
    """TANH of int16."""


@dataclasses.dataclass(frozen=True)
class Requantize:
    """QUANTIZE between int8 and int16, RELU, RELU6."""

    count: int
    input_zero_point: int
    scale: Scale
    zero_point: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Softmax:
    """SOFTMAX of int8.

    Attributes
    ----------
    exponentials : np.ndarray [shape=(256,), dtype=int32]
        ``exp(-n * scale * beta)`` in Q0 for n steps below the largest input; 0 where TFLM
        outputs 0.
    """

    rows: int
    columns: int
    exponentials: np.ndarray


@dataclasses.dataclass(frozen=True)
class Copy:
    """Copy of rows of bytes, by operators that move values unchanged.

    Row r is from ``in_offset + r * in_stride`` on in an input, and from ``offset + r * stride`` on
    in an output. A stride can be negative.

    Attributes
    ----------
    rows, columns : int
        Columns are bytes.
    in_offset, in_stride, offset, stride : int
        Bytes.
    input, output : int
        Positions in ``op.inputs`` and ``op.outputs``.
    """

    rows: int
    columns: int
    in_offset: int
    in_stride: int
    offset: int
    stride: int
    input: int = 0
    output: int = 0


@dataclasses.dataclass(frozen=True)
class Fill:
    """The same byte in the whole of the first output, before copies to a part of it."""

    value: int
    count: int


def prepare(op: Operator):
    """Compute the kernel parameters of one operator.

    Parameters
    ----------
    op : Operator

    Returns
    -------
    dataclass or list of Copy
        One of the dataclasses of this module; a list of `Copy` for a `graph.Move`, which begins
        with a `Fill` for PAD.

    Raises
    ------
    UserError
        When there is no kernel for the operator, or none with these types, shapes or options.
    """
    _need_kernels([op])
    try:
        prepared = _LOWERINGS[type(op)](op)
        for part in prepared if isinstance(prepared, list) else []:
            if isinstance(part, Copy):
                _need_inside(op, op.inputs[part.input], part, part.in_offset, part.in_stride)
                _need_inside(op, op.outputs[part.output], part, part.offset, part.stride)
    except MALFORMED as e:  # an input is missing, or shapes do not belong together
        raise UserError(
            f"operator {op.name} is malformed ({type(e).__name__}: {e}); convert the model again"
        ) from e
    return prepared


def _need_inside(op: Operator, t: Tensor, copy: Copy, offset: int, stride: int) -> None:
    """Check that all rows of a copy are inside of a tensor."""
    last = offset + (copy.rows - 1) * stride
    if min(offset, last) < 0 or max(offset, last) + copy.columns > t.byte_size:
        _unsupported(op, f"it moves values outside of tensor {t.label}")


def prepare_all(operators: list[Operator]) -> dict[Operator, object]:
    """Compute the kernel parameters of all operators of a network.

    Parameters
    ----------
    operators : list of Operator

    Returns
    -------
    dict of Operator to object
        See `prepare`.

    Raises
    ------
    UserError
        As `prepare` does. The message names all kinds of operators that have no kernel.
    """
    _need_kernels(operators)
    return {op: prepare(op) for op in operators}


def function(op: Operator, prepared) -> str:
    """Return the name of the C function for a prepared operator, which depends on its types."""
    first = op.a if isinstance(op, graph.Binary) else op.input
    types = dict.fromkeys(t.dtype.replace("int", "s") for t in (first, op.output))
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(prepared).__name__).lower()
    return "_".join(["gc", kind, *types])


def scratch_bytes(prepared) -> int:
    """Return the scratch memory in bytes that the kernel of a prepared operator needs."""
    return getattr(prepared, "scratch_bytes", 0)


_LOWERINGS: dict[type[Operator], Callable] = {}


def _lowers(*kinds: type[Operator]):
    """Register a function as the one that prepares operators of these classes."""

    def register(function: Callable) -> Callable:
        _LOWERINGS.update(dict.fromkeys(kinds, function))
        return function

    return register


# Checks of what the kernels support


def _need_kernels(operators: list[Operator]) -> None:
    """Raise a `UserError` that names all kinds of operators that have no kernel."""
    missing = sorted({op.name for op in operators if type(op) not in _LOWERINGS})
    if missing:
        names = (
            f"operators {', '.join(missing)} have" if missing[1:] else f"operator {missing[0]} has"
        )
        supported = ", ".join(sorted(graph.names(_LOWERINGS)))
        raise UserError(f"{names} no kernel in micro/kernels; supported: {supported}")


def _unsupported(op: Operator, what: str):
    """Raise a `UserError` for a variant that no kernel supports."""
    raise UserError(
        f"{op.name} to tensor {op.output.label}: {what}; "
        "micro/kernels has no kernel for this, but TFLM may support it"
    )


def _need_int8(op: Operator, *tensors: Tensor) -> None:
    for t in tensors:
        if t.dtype != "int8" or len(t.scales) != 1:
            _unsupported(op, f"tensor {t.label} is not int8 with one scale")


def _need_bias(op: Operator, bias: Tensor | None, is_16x8: bool) -> None:
    """Check the type and the range of a bias.

    TFLM's biases are int64 where activations are int16. The kernels read 32 bits of them, which
    every network so far fits in.
    """
    if bias is None:
        return
    kind = "int64" if is_16x8 else "int32"
    if bias.data is None or bias.dtype != kind:
        _unsupported(op, f"its bias is not constant {kind}")
    if np.any(wrap(bias.data) != bias.data):
        _unsupported(op, "its bias needs more than 32 bits")


def _sum_scale(op: Operator, real: float, is_16x8: bool) -> Scale:
    """Return the scale from sums of products to the output."""
    if not is_16x8:
        return quantize_multiplier(real)
    scale = quantize_multiplier_int16(real)
    if scale.shift > 7:
        _unsupported(op, "its scales differ too much")
    return scale


def _is_16x8(op: Operator, *tensors: Tensor) -> bool:
    """Return whether the tensors are int16 with zero point 0; else check that they are int8."""
    if tensors[0].dtype != "int16":
        _need_int8(op, *tensors)
        return False
    for t in tensors:
        if t.dtype != "int16" or len(t.scales) != 1 or t.zero_point != 0:
            _unsupported(op, f"tensor {t.label} is not int16 with one scale and zero point 0")
    return True


def _output_range(op: Operator, activation: str) -> tuple[int, int]:
    """Return the lowest and highest output under a fused activation."""
    bounds = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}
    if activation not in bounds:
        _unsupported(op, f"fused activation {activation}")

    def quantized(x: float | None, otherwise: int) -> int:
        if x is None:
            return otherwise
        steps = math.floor(abs(np.float32(x) / op.output.scale) + np.float32(0.5))
        return op.output.zero_point + (-steps if x < 0 else steps)

    (low, high), (lowest, highest) = bounds[activation], _LIMITS[op.output.dtype]
    return max(lowest, quantized(low, lowest)), min(highest, quantized(high, highest))


def _fold_zero_point(bias: np.ndarray, zero_point: int, weights: np.ndarray) -> np.ndarray:
    """Return ``bias - zero_point * sum(weights)``, which contains the inputs' zero point."""
    return wrap(bias.astype(np.int64) - zero_point * weights.astype(np.int64).sum(1)).astype(
        np.int32
    )


def _dots(op, matrix: np.ndarray, axis: int, rows: int) -> FullyConnected:
    """Compute the parameters of sums of products with rows of weights.

    Parameters
    ----------
    op : FullyConnected, Convolution or DepthwiseConvolution
    matrix : np.ndarray [shape=(outputs, inputs), dtype=int8]
    axis : int
        Axis of the outputs in the tensor of the weights.
    rows : int
        Rows of inputs.
    """
    x, w, bias = op.input, op.weights, op.bias
    is_16x8 = _is_16x8(op, x, op.output)
    _need_bias(op, bias, is_16x8)
    if w.quantization is None or w.quantization.zero_points.any():
        _unsupported(op, "its weights have no scale, or a zero point")
    outputs, inputs = matrix.shape
    if bias is not None and bias.size != outputs:
        _unsupported(op, "its bias does not have one value for each output")
    if len(w.scales) > 1 and (w.quantization.axis != axis or len(w.scales) != outputs):
        _unsupported(op, "its weights do not have one scale for each output")
    reals = [float(x.scale) * float(s) / float(op.output.scale) for s in w.scales]
    scales = [
        _sum_scale(op, real, is_16x8) for real in (reals if len(reals) > 1 else reals * outputs)
    ]
    low, high = _output_range(op, op.activation)
    return FullyConnected(
        rows=rows,
        inputs=inputs,
        outputs=outputs,
        weights=matrix,
        bias=_fold_zero_point(
            bias.data.ravel() if bias is not None else np.zeros(outputs), x.zero_point, matrix
        ),
        multiplier=np.array([s.multiplier for s in scales], np.int32),
        shift=np.array([s.shift for s in scales], np.int8),
        zero_point=op.output.zero_point,
        low=low,
        high=high,
    )


@_lowers(graph.FullyConnected)
def _fully_connected(op: graph.FullyConnected) -> FullyConnected:
    w = op.weights
    if w.dtype != "int8" or w.data is None or len(w.shape) != 2:
        _unsupported(op, "its weights are not a constant int8 matrix")
    return _dots(op, w.data, axis=0, rows=op.output.size // len(w.data))


@dataclasses.dataclass(frozen=True)
class _Axis:
    """One of the two axes of `Window`."""

    size: int
    count: int
    kernel: int
    stride: int
    dilation: int
    before: int
    spread: int = 1


def _axis(op: graph.Windowed, axis: int) -> _Axis:
    size, stride, kernel = op.input.shape[1 + axis], op.strides[axis], op.kernel[axis]
    dilation = op.dilations[axis]
    reach = (kernel - 1) * dilation + 1
    count, before = _padding(size, reach, stride, op.padding)
    return _Axis(size, count, kernel, stride, dilation, before)


def _padding(size: int, reach: int, stride: int, padding: str) -> tuple[int, int]:
    """Return the number of windows along an axis, and the padding before the first."""
    count = -(-size // stride) if padding == "SAME" else (size - reach) // stride + 1
    return count, max((count - 1) * stride + reach - size, 0) // 2


def _need_four_dimensions(op: Operator, *tensors: Tensor) -> None:
    for t in tensors:
        if len(t.shape) != 4:
            _unsupported(op, f"tensor {t.label} does not have four dimensions")


def _window(op: graph.Windowed) -> Window:
    """Describe the windows of an operator."""
    _need_four_dimensions(op, op.input, op.output)
    if min(*op.strides, *op.dilations, *op.kernel) < 1:
        _unsupported(op, "a stride, a dilation or a size of its windows is not positive")
    vertical, horizontal = _axis(op, 0), _axis(op, 1)
    expected = (op.input.shape[0], vertical.count, horizontal.count)
    if op.output.shape[:3] != expected:
        _unsupported(
            op,
            f"its output has the shape {op.output.shape}, and its windows have the shape "
            f"{expected}",
        )
    return _window_of(op.input, vertical, horizontal)


def _window_of(x: Tensor, vertical: _Axis, horizontal: _Axis) -> Window:
    """Describe windows, with one row where they have one dimension."""
    if horizontal.size == horizontal.count == horizontal.kernel == 1:
        vertical, horizontal = horizontal, vertical
    return Window(
        batches=x.shape[0],
        in_height=vertical.size,
        in_width=horizontal.size,
        channels=x.shape[3],
        out_height=vertical.count,
        out_width=horizontal.count,
        height=vertical.kernel,
        width=horizontal.kernel,
        stride_height=vertical.stride,
        stride_width=horizontal.stride,
        dilation_height=vertical.dilation,
        dilation_width=horizontal.dilation,
        top=vertical.before,
        left=horizontal.before,
        spread_height=vertical.spread,
        spread_width=horizontal.spread,
        zero_point=x.zero_point,
    )


def _are_rows(p: Window) -> bool:
    """Return whether the windows are consecutive pieces of the input that do not overlap."""
    if p.spread_height > 1 or p.spread_width > 1:
        return False
    if p.top or p.left or p.count * p.size != p.batches * p.in_height * p.in_width * p.channels:
        return False
    is_one_row = p.height == 1 and p.dilation_width * (p.width > 1) <= 1
    is_whole = (p.height, p.width) == (p.in_height, p.in_width)
    return is_whole or (is_one_row and p.stride_height == 1 and p.stride_width == p.width)


def _need_weights(op) -> None:
    w = op.weights
    if w.dtype != "int8" or w.data is None or len(w.shape) != 4:
        _unsupported(op, "its weights are not constant int8 with four dimensions")
    _need_int8(op, op.input, op.output)


def _convolve(op, weights: np.ndarray, axis: int, window: Window) -> FullyConnected | Convolution:
    """Prepare a convolution with weights [shape=(outputs, height, width, inputs)]."""
    if weights.shape[3] != window.channels:
        _unsupported(
            op, f"its weights have {weights.shape[3]} channels, its input {window.channels}"
        )
    if op.output.shape[3] != len(weights):
        _unsupported(op, f"its output has {op.output.shape[3]} channels, not {len(weights)}")
    dots = _dots(op, weights.reshape(len(weights), -1), axis, rows=window.count)
    if _are_rows(window):
        return dots
    return Convolution(window, dataclasses.replace(dots, rows=min(window.count, _WINDOWS)))


@_lowers(graph.Convolution)
def _convolution(op: graph.Convolution) -> FullyConnected | Convolution:
    _need_weights(op)
    return _convolve(op, op.weights.data, 0, _window(op))


@_lowers(graph.DepthwiseConvolution)
def _depthwise_convolution(
    op: graph.DepthwiseConvolution,
) -> FullyConnected | Convolution | DepthwiseConvolution:
    _need_weights(op)
    weights, channels = op.weights.data[0], op.input.shape[-1]
    by_output = weights.transpose(2, 0, 1)
    if channels == 1:
        return _convolve(op, np.ascontiguousarray(by_output)[..., None], 3, _window(op))
    outputs = weights.shape[2]
    if outputs % channels != 0 or op.output.shape[-1] != outputs:
        _unsupported(op, f"it has {channels} inputs and {outputs} outputs")
    dots = _dots(op, by_output.reshape(outputs, -1), axis=3, rows=1)
    return DepthwiseConvolution(
        window=_window(op),
        outputs=outputs,
        weights=weights,
        bias=dots.bias,
        multiplier=dots.multiplier,
        shift=dots.shift,
        zero_point=dots.zero_point,
        low=dots.low,
        high=dots.high,
    )


@_lowers(graph.TransposedConvolution2d)
def _transposed_convolution(
    op: graph.TransposedConvolution2d,
) -> FullyConnected | Convolution:
    """Prepare TRANSPOSE_CONV, as CONV_2D with padding between the values of the input."""
    _need_weights(op)
    _need_four_dimensions(op, op.input, op.output)
    x, out, weights = op.input, op.output, op.weights.data
    if op.activation != "NONE":
        _unsupported(op, "it has a fused activation")
    if min(op.strides) < 1:
        _unsupported(op, "a stride is not positive")
    if out.shape[0] != x.shape[0] or out.shape[3] != len(weights):
        _unsupported(op, f"its output has the shape {out.shape}")
    axes = []
    for size, count, kernel, stride in zip(
        x.shape[1:3], out.shape[1:3], weights.shape[1:3], op.strides, strict=True
    ):
        _, before = _padding(count, kernel, stride, op.padding)
        axes.append(_Axis(size, count, kernel, 1, 1, kernel - 1 - before, stride))
    window = _window_of(x, *axes)
    width = window.width
    is_apart = window.in_width == 1 or window.spread_width == width
    if (
        window.height == window.in_height == window.out_height == 1
        and is_apart
        and window.left == width - 1
        and window.out_width == window.in_width * width
        and weights.shape[3] == window.channels
    ):
        taps = [
            _dots(op, matrix, 0, rows=window.batches * window.in_width)
            for matrix in weights.reshape(len(weights), width, -1).transpose(1, 0, 2)
        ]
        return _joined(taps)
    return _convolve(op, np.ascontiguousarray(weights[:, ::-1, ::-1]), 0, window)


def _joined(parts: list[FullyConnected]) -> FullyConnected:
    """Return one operator with the outputs of all parts, which have the same input."""
    return dataclasses.replace(
        parts[0],
        outputs=sum(p.outputs for p in parts),
        weights=np.concatenate([p.weights for p in parts]),
        bias=np.concatenate([p.bias for p in parts]),
        multiplier=np.concatenate([p.multiplier for p in parts]),
        shift=np.concatenate([p.shift for p in parts]),
    )


@_lowers(graph.Lstm)
def _lstm(op: graph.Lstm) -> Lstm:
    x, hidden, cell = op.input, op.state.hidden, op.state.cell
    if op.has_optional_parts or any(None in (g.weights, g.recurrent) for g in op.gates):
        _unsupported(op, "it has peepholes, a projection, layer normalization or coupled gates")
    is_16x8 = _is_16x8(op, x, hidden, op.output)
    if cell.dtype != "int16" or cell.zero_point != 0:
        _unsupported(op, "its cell state is not int16 with zero point 0")
    if (hidden.scale, hidden.zero_point) != (op.output.scale, op.output.zero_point):
        _unsupported(op, "its hidden state and its output are quantized differently")
    if op.activation != "TANH":
        _unsupported(op, "its activation is not TANH")
    batch, steps = op.batch, op.steps
    if steps != 1 and batch != 1 and not op.time_major:
        _unsupported(
            op, f"it has {steps} time steps and a batch of {batch}, and time is not the first axis"
        )
    gates = [_gate(op, x, hidden, gate, is_16x8) for gate in op.gates]
    units, inputs = gates[0].input_weights.shape

    power = math.floor(math.log2(cell.scale) + 0.5)  # the scale is a power of two
    if not -30 <= power <= 0:
        _unsupported(op, f"the scale of its cell state is {cell.scale}")
    shift = 12 + power
    clip = float(op.cell_clip)
    return Lstm(
        steps=steps,
        batch=batch,
        inputs=inputs,
        units=units,
        input=gates[0],
        forget=gates[1],
        cell=gates[2],
        output=gates[3],
        update=quantize_multiplier(2.0**-30 / float(cell.scale)),
        hidden=quantize_multiplier(2.0**-30 / float(hidden.scale)),
        tanh_multiplier=3 if shift < 0 else 3 << shift,
        tanh_shift=-shift if shift < 0 else 0,
        cell_clip=int(min(max(clip / float(cell.scale), -32768.0), 32767.0)) if clip > 0 else 0,
        zero_point=hidden.zero_point,
    )


def _gate(op: graph.Lstm, x: Tensor, hidden: Tensor, gate: graph.LstmGate, is_16x8) -> LstmGate:
    w, r, bias = gate.weights, gate.recurrent, gate.bias
    _need_int8(op, w, r)
    _need_bias(op, bias, is_16x8)
    if bias is None or w.zero_point or r.zero_point:
        _unsupported(op, "it lacks a bias, or its weights have zero points")
    before = 2.0**-12  # scale of the gate before its activation
    return LstmGate(
        input_weights=w.data,
        recurrent_weights=r.data,
        input_bias=_fold_zero_point(bias.data.ravel(), x.zero_point, w.data),
        recurrent_bias=None
        if is_16x8
        else _fold_zero_point(np.zeros(len(r.data)), hidden.zero_point, r.data),
        input=_sum_scale(op, float(x.scale) * float(w.scale) / before, is_16x8),
        recurrent=_sum_scale(op, float(hidden.scale) * float(r.scale) / before, is_16x8),
    )


def _merge_axes(shape: tuple[int, ...], *strides: Sequence[int]) -> list[list[int]]:
    """Drop axes of length 1, and merge adjacent axes along which all strides continue.

    Returns
    -------
    list of list of int
        Length and strides of each axis.
    """
    axes: list[list[int]] = []
    for n, *steps in zip(shape, *strides, strict=True):
        if n == 1:
            continue
        if axes and all(before == n * now for before, now in zip(axes[-1][1:], steps, strict=True)):
            axes[-1] = [axes[-1][0] * n, *steps]
        else:
            axes.append([n, *steps])
    return axes


def _dense(shape: tuple[int, ...], unit: int = 1) -> list[int]:
    """Return the stride of each axis of a tensor whose elements have a size of ``unit``."""
    return [unit * math.prod(shape[i + 1 :]) for i in range(len(shape))]


def _broadcast(op: Operator) -> tuple[int, int, Operand, Operand]:
    """Return the output as (rows, columns), and the strides of both operands in it."""
    out = op.output.shape
    strides = []  # in each axis of the output, 0 where the operand is repeated
    for t in (op.a, op.b):
        shape = (1,) * (len(out) - len(t.shape)) + t.shape
        strides.append([step if n > 1 else 0 for n, step in zip(shape, _dense(shape), strict=True)])
    axes = _merge_axes(out, *strides)
    if len(axes) > 2:
        _unsupported(op, f"shapes {op.a.shape} and {op.b.shape} broadcast along more than one axis")
    axes = [[1, 0, 0]] * (2 - len(axes)) + axes
    (rows, a_row, b_row), (columns, a_step, b_step) = axes
    return (
        rows,
        columns,
        Operand(a_row, a_step, op.a.zero_point),
        Operand(b_row, b_step, op.b.zero_point),
    )


@_lowers(graph.Add)
def _add(op: graph.Add) -> Add:
    return Add(**_sum(op, left=15 if _is_16x8(op, op.a, op.b, op.output) else 20))


@_lowers(graph.Sub)
def _sub(op: graph.Sub) -> Sub:
    _need_int8(op, op.a, op.b, op.output)
    return Sub(**_sum(op, left=20))


def _sum(op: graph.Binary, left: int) -> dict[str, Any]:
    """Compute the fields of `Add` for values that are shifted to the left before they are added."""
    a, b = float(op.a.scale), float(op.b.scale)
    twice = 2 * max(a, b)
    low, high = _output_range(op, op.activation)
    rows, columns, a_operand, b_operand = _broadcast(op)
    return {
        "rows": rows,
        "columns": columns,
        "a": a_operand,
        "b": b_operand,
        "a_scale": quantize_multiplier(a / twice),
        "b_scale": quantize_multiplier(b / twice),
        "scale": quantize_multiplier(twice / (2**left * float(op.output.scale))),
        "zero_point": op.output.zero_point,
        "low": low,
        "high": high,
    }


@_lowers(graph.Mul)
def _mul(op: graph.Mul) -> Mul:
    _is_16x8(op, op.a, op.b, op.output)
    a, b = float(op.a.scale), float(op.b.scale)
    low, high = _output_range(op, op.activation)
    scale = quantize_multiplier(a * b / float(op.output.scale))
    return Mul(*_broadcast(op), scale=scale, zero_point=op.output.zero_point, low=low, high=high)


@_lowers(graph.AveragePool, graph.MaxPool)
def _pool(op: graph.AveragePool | graph.MaxPool) -> AveragePool | MaxPool:
    x, out = op.input, op.output
    _need_int8(op, x, out)
    if x.zero_point != out.zero_point or abs(float(x.scale) - float(out.scale)) > 1e-6:
        _unsupported(op, "its input and its output are quantized differently")
    if x.shape[-1:] != out.shape[-1:]:
        _unsupported(op, "its input and its output differ in channels")
    kind = AveragePool if isinstance(op, graph.AveragePool) else MaxPool
    low, high = _output_range(op, op.activation)
    return kind(_window(op), low, high)


@_lowers(graph.Mean)
def _mean(op: graph.Mean) -> Mean:
    x, axis = op.input, op.axes
    _is_16x8(op, x, op.output)
    if axis.data is None:
        _unsupported(op, "its axes are not constant")
    axes = sorted({int(a) % len(x.shape) for a in axis.data.ravel()})
    if axes != list(range(axes[0], axes[-1] + 1)):
        _unsupported(op, f"axes {axes} are not adjacent")
    count = math.prod(x.shape[a] for a in axes)
    scale = quantize_multiplier(float(x.scale) / float(op.output.scale))
    shift = min(count.bit_length() - 1, 32, 31 + scale.shift)
    return Mean(
        outer=math.prod(x.shape[: axes[0]]),
        count=count,
        inner=math.prod(x.shape[axes[-1] + 1 :]),
        bias=-x.zero_point * count,
        scale=Scale((scale.multiplier << shift) // count, scale.shift - shift),
        zero_point=op.output.zero_point,
    )


@_lowers(graph.Logistic, graph.Tanh)
def _activation(op: graph.Logistic | graph.Tanh) -> Lookup | Logistic:
    x, out = op.input, op.output
    if not _is_16x8(op, x, out):
        return _lookup(op)
    if out.scale != 2.0**-15:
        _unsupported(op, f"the scale {out.scale} of its output is not 2^-15")
    power = math.log2(x.scale)
    left = 12 + round(power)
    if abs(power - round(power)) < 1e-3 and left in (
        (0,) if isinstance(op, graph.Logistic) else (0, 1)
    ):
        multiplier, shift = float(3 << left), 0
    else:
        multiplier, shift = float(x.scale) * 12288, 0
        while multiplier <= 32767 / 2 and shift <= 30:
            multiplier, shift = multiplier * 2, shift + 1
    if multiplier >= 2**15 or shift > 30:
        _unsupported(op, f"the scale {x.scale} of its input differs too much from 1 / 4096")
    return (Logistic if isinstance(op, graph.Logistic) else Tanh)(
        count=x.size, multiplier=int(multiplier), shift=shift
    )


def _lookup(op: Operator) -> Lookup:
    """Tabulate LOGISTIC or TANH for all 256 inputs.

    TFLM computes them in 32-bit fixed point, value by value.
    """
    x, out = op.input, op.output
    logistic = isinstance(op, graph.Logistic)
    if logistic and out.zero_point != -128:
        _unsupported(op, f"zero point {out.zero_point} of its output is not -128")

    def curve(value: int) -> int:
        if abs(value) >= radius:
            return -128 if value <= -radius else 127
        scaled = int(fixed_point.rescale(value, scale))
        if logistic:
            return fixed_point.divide(fixed_point.logistic(scaled), 23) - 128
        return fixed_point.divide(fixed_point.tanh(scaled), 24)

    fraction, shift = math.frexp(float(x.scale) * 2**27)  # to Q4.27
    scale = Scale(math.floor(fraction * 2**31 + 0.5), shift)
    radius = math.floor(15 * 2.0**27 / 2.0**shift)
    return _tabulate(op, curve)


def _tabulate(op: Operator, function: Callable[[int], int]) -> Lookup:
    """Tabulate a function of an int8 or uint8 value minus its zero point.

    The result includes the zero point of the output, and is clamped to its type.
    """
    x, out = op.inputs[0], op.output
    if x.size != out.size:
        _unsupported(op, "its input and its output differ in size")
    limits = np.iinfo(out.dtype)
    inputs = np.arange(256).astype(np.uint8).view(x.dtype).tolist()
    table = [min(max(function(value - x.zero_point), limits.min), limits.max) for value in inputs]
    return Lookup(table=np.array(table).astype(np.int8), count=x.size)


@_lowers(graph.Relu6)
def _relu6(op: graph.Relu6) -> Lookup:
    """TFLM clamps the input, and does not read the scale of the output."""
    x = op.input
    _need_int8(op, x, op.output)
    six = math.floor(np.float32(6) / x.scale + np.float32(0.5))
    return _tabulate(op, lambda value: min(max(value, 0), six) + x.zero_point)


@_lowers(graph.LeakyRelu)
def _leaky_relu(op: graph.LeakyRelu) -> Lookup:
    x, out = op.input, op.output
    _need_int8(op, x, out)
    positive = quantize_multiplier(float(x.scale) / float(out.scale))
    negative = quantize_multiplier(float(x.scale) * op.alpha / float(out.scale))
    return _tabulate(
        op,
        lambda value: (
            int(fixed_point.rescale(value, positive if value >= 0 else negative)) + out.zero_point
        ),
    )


@_lowers(graph.HardSwish)
def _hard_swish(op: graph.HardSwish) -> Lookup:
    """Tabulate ``x * min(max(x + 3, 0), 6) / 6`` in 16-bit fixed point, as TFLM computes it."""
    x, out = op.input, op.output
    _need_int8(op, x, out)
    fine = x.scale * np.float32(1 / 128)
    to_output = fixed_point.quantize_multiplier_16(float(fine / out.scale))
    to_gate = fixed_point.quantize_multiplier_16(float(fine / np.float32(3 / 32768)))
    if to_output.shift > 0:
        _unsupported(op, "the scale of its output is too small")

    def swish(value: int) -> int:
        value *= 128
        gate = value  # x / 3 in units of 2^-15
        if to_gate.shift > 0:
            gate = fixed_point.saturate16(gate << (to_gate.shift - 1))
        gate = fixed_point.multiply16(gate, to_gate.multiplier)
        if to_gate.shift > 0:
            gate = fixed_point.saturate16(gate << 1)
        elif to_gate.shift < 0:
            gate = fixed_point.divide(gate, -to_gate.shift)
        gate = (gate + 2**15) >> 1
        product = gate * fixed_point.multiply16(value, to_output.multiplier)
        y = abs(product) >> 15 if product >= 0 else -(abs(product) >> 15)
        if to_output.shift < 0:
            y = fixed_point.divide(y, -to_output.shift)
        return y + out.zero_point

    return _tabulate(op, swish)


@_lowers(graph.Prelu)
def _prelu(op: graph.Prelu) -> Prelu:
    x, slopes, out = op.a, op.b, op.output
    _need_int8(op, x, slopes, out)
    if x.shape != out.shape:
        _unsupported(op, f"its input of shape {x.shape} broadcasts")
    return Prelu(
        *_broadcast(op),
        positive=quantize_multiplier(float(x.scale) / float(out.scale)),
        negative=quantize_multiplier(float(x.scale) * float(slopes.scale) / float(out.scale)),
        zero_point=out.zero_point,
    )


@_lowers(graph.Softmax)
def _softmax(op: graph.Softmax) -> Softmax:
    x, out = op.input, op.output
    _need_int8(op, x, out)
    if out.zero_point != -128 or out.scale != 2.0**-8:
        _unsupported(op, "its output does not have the scale 1 / 256 and the zero point -128")
    columns = x.shape[-1]
    if columns > _SOFTMAX_COLUMNS:
        _unsupported(op, f"{columns} values; at most {_SOFTMAX_COLUMNS} are possible")
    # Differences to the largest input in Q5, as TFLM's PreprocessSoftmaxScaling.
    scale = quantize_multiplier(min(op.beta * float(x.scale) * 2**26, 2.0**31 - 1))
    radius = math.floor(31 * 2.0**26 / 2.0**scale.shift)
    table = [
        fixed_point.exp(int(fixed_point.rescale(-n, scale)), 5) if n <= radius else 0
        for n in range(256)
    ]
    return Softmax(rows=x.size // columns, columns=columns, exponentials=np.array(table, np.int32))


@_lowers(graph.Quantize, graph.Relu)
def _requantize(op: graph.Quantize | graph.Relu) -> Requantize | Lookup:
    x, out = op.input, op.output
    if "uint8" in (x.dtype, out.dtype):
        return _requantize_unsigned(op)
    if isinstance(op, graph.Quantize):
        _is_16x8(op, x), _is_16x8(op, out)
    else:
        _is_16x8(op, x, out)
    low, high = _output_range(op, "RELU" if isinstance(op, graph.Relu) else "NONE")
    scale = quantize_multiplier(float(x.scale) / float(out.scale))
    return Requantize(
        count=x.size,
        input_zero_point=x.zero_point,
        scale=scale,
        zero_point=out.zero_point,
        low=low,
        high=high,
    )


def _requantize_unsigned(op: Operator) -> Lookup:
    """Tabulate QUANTIZE between int8 and uint8."""
    x, out = op.inputs[0], op.output
    is_quantize = isinstance(op, graph.Quantize) and len(x.scales) == len(out.scales) == 1
    if not is_quantize or {x.dtype, out.dtype} != {"int8", "uint8"}:
        _unsupported(op, f"it converts {x.dtype} to {out.dtype}")
    scale = quantize_multiplier(float(x.scale) / float(out.scale))
    return _tabulate(op, lambda value: int(fixed_point.rescale(value, scale)) + out.zero_point)


def _element(op: Operator, x: Tensor) -> int:
    """Return the bytes of an element that is moved unchanged: int8, or int16."""
    for out in op.outputs:
        if x.dtype != out.dtype or x.dtype not in ("int8", "int16"):
            _unsupported(
                op, f"tensor {x.label} is not int8 or int16, or differs in type from the output"
            )
    return np.dtype(x.dtype).itemsize


def _constant(op: Operator, t: Tensor | None, what: str) -> list[int]:
    """Return the values of a constant input."""
    if t is None or t.data is None:
        _unsupported(op, f"its {what} is not constant")
    return [int(n) for n in t.data.ravel()]


def _copies(
    op: Operator,
    shape: tuple[int, ...],
    element: int,
    source: tuple[Sequence[int], int],
    to: tuple[Sequence[int], int],
    **positions: int,
) -> list[Copy]:
    """Copy a block of elements between two tensors.

    Parameters
    ----------
    op : Operator
    shape : tuple of int
        Of the block.
    element : int
        Bytes of an element.
    source, to : tuple of sequence of int and int
        Stride of each axis and offset, in bytes.
    **positions : int
        ``input`` and ``output`` of `Copy`.
    """
    (in_strides, in_offset), (strides, offset) = source, to
    axes = _merge_axes(shape, in_strides, strides)
    columns = element
    if axes and axes[-1][1:] == [element, element]:
        columns *= axes.pop()[0]
    rows, in_stride, stride = axes.pop() if axes else (1, columns, columns)
    count = math.prod(n for n, *_ in axes)
    if count > _COPIES:
        _unsupported(op, f"it moves {count} separate blocks; at most {_COPIES} are possible")
    copies = []
    for at in itertools.product(*(range(n) for n, *_ in axes)):
        in_at = in_offset + sum(i * step for i, (_, step, _) in zip(at, axes, strict=True))
        out_at = offset + sum(i * step for i, (_, _, step) in zip(at, axes, strict=True))
        copies.append(Copy(rows, columns, in_at, in_stride, out_at, stride, **positions))
    return copies


@_lowers(graph.Reshape, graph.Squeeze, graph.ExpandDims, graph.Transfer)
def _copy(op: graph.Move) -> list[Copy]:
    """Copy all bytes unchanged: int8, or the int16 cells of an LSTM."""
    element = _element(op, op.input)
    if op.input.size != op.output.size:
        _unsupported(op, "its input and its output differ in size")
    return _copies(op, (op.output.size,), element, ([element], 0), ([element], 0))


@_lowers(graph.Gather)
def _gather(op: graph.Gather) -> list[Copy]:
    x, rows = op.input, op.positions
    _need_int8(op, x, op.output)  # TFLM does not support int16
    axis = op.axis % len(x.shape)
    count, columns = x.shape[axis], math.prod(x.shape[axis + 1 :])
    last_first = rows.data is not None and np.array_equal(rows.data.ravel(), range(count)[::-1])
    if not last_first or x.size != count * columns:
        _unsupported(op, "it does not reverse the order of all rows")
    return _copies(
        op, (count, columns), 1, ([-columns, 1], (count - 1) * columns), ([columns, 1], 0)
    )


@_lowers(graph.Concatenation)
def _concatenate(op: graph.Concatenation) -> list[Copy]:
    element = 2 if _is_16x8(op, *op.inputs, op.output) else 1
    if op.activation != "NONE":
        _unsupported(op, "it has a fused activation")
    shape = op.output.shape
    axis = op.axis % len(shape)
    strides = _dense(shape, element)
    offset, copies = 0, []
    for i, t in enumerate(op.inputs):
        copies += _copies(
            op, t.shape, element, (_dense(t.shape, element), 0), (strides, offset), input=i
        )
        offset += t.shape[axis] * strides[axis]
    return copies


def _part(op: Operator, ranges: Sequence[range], **positions: int) -> list[Copy]:
    """Copy a part of the input, a range of each axis, to a whole output."""
    x, element = op.input, _element(op, op.input)
    strides = _dense(x.shape, element)
    shape = tuple(len(r) for r in ranges)
    out = op.outputs[positions.get("output", 0)]
    if math.prod(shape) != out.size:
        _unsupported(op, f"its output has the shape {out.shape}, and its part the shape {shape}")
    offset = sum(r.start * step for r, step in zip(ranges, strides, strict=True))
    steps = [r.step * step for r, step in zip(ranges, strides, strict=True)]
    return _copies(op, shape, element, (steps, offset), (_dense(shape, element), 0), **positions)


@_lowers(graph.Slice)
def _slice(op: graph.Slice) -> list[Copy]:
    begin, size = _constant(op, op.begin, "begin"), _constant(op, op.size, "size")
    return _part(
        op,
        [
            range(first, n if count == -1 else first + count)
            for first, count, n in zip(begin, size, op.input.shape, strict=True)
        ],
    )


@_lowers(graph.StridedSlice)
def _strided_slice(op: graph.StridedSlice) -> list[Copy]:
    if op.ellipsis_mask or op.new_axis_mask or op.end_is_size:
        _unsupported(op, "it has an ellipsis, a new axis or sizes instead of ends")
    limits = (
        _constant(op, t, what)
        for t, what in ((op.begin, "begin"), (op.end, "end"), (op.strides, "stride"))
    )
    ranges = []
    for i, (begin, end, step, n) in enumerate(zip(*limits, op.input.shape, strict=True)):
        first = None if op.begin_mask >> i & 1 else begin
        last = None if op.end_mask >> i & 1 else end
        whole = range(*slice(first, last, step).indices(n))
        ranges.append(
            range(whole.start, whole.start + 1) if op.shrink_axis_mask >> i & 1 else whole
        )
    return _part(op, ranges)


@_lowers(graph.Split, graph.SplitV)
def _split(op: graph.Split | graph.SplitV) -> list[Copy]:
    x = op.input
    axis = _constant(op, op.axis, "axis")[0] % len(x.shape)
    whole = [range(n) for n in x.shape]
    first, copies = 0, []
    for i, out in enumerate(op.outputs):
        part = range(first, first + out.shape[axis])
        copies += _part(
            op, [*whole[:axis], part, *whole[axis + 1 :]], input=op.inputs.index(x), output=i
        )
        first = part.stop
    return copies


@_lowers(graph.Transpose)
def _transpose(op: graph.Transpose) -> list[Copy]:
    x, out, element = op.input, op.output, _element(op, op.input)
    strides = _dense(x.shape, element)
    moved = [strides[axis] for axis in _constant(op, op.order, "order of axes")]
    return _copies(op, out.shape, element, (moved, 0), (_dense(out.shape, element), 0))


@_lowers(graph.Pack)
def _pack(op: graph.Pack) -> list[Copy]:
    element, shape = _element(op, op.input), op.output.shape
    strides = _dense(shape, element)
    step = strides.pop(op.axis % len(shape))
    copies = []
    for i, t in enumerate(op.inputs):
        source = _dense(t.shape, element)
        copies += _copies(op, t.shape, element, (source, 0), (strides, i * step), input=i)
    return copies


@_lowers(graph.Unpack)
def _unpack(op: graph.Unpack) -> list[Copy]:
    element, shape = _element(op, op.input), op.input.shape
    strides = _dense(shape, element)
    step = strides.pop(op.axis % len(shape))
    copies = []
    for i, t in enumerate(op.outputs):
        to = _dense(t.shape, element)
        copies += _copies(op, t.shape, element, (strides, i * step), (to, 0), output=i)
    return copies


@_lowers(graph.SpaceToBatch)
def _space_to_batch(op: graph.SpaceToBatch) -> list[Copy]:
    if any(_constant(op, op.margins, "padding")):
        raise UserError(
            f"{op.name} to tensor {op.output.label}: TFLM pads it with uninitialized memory; "
            "put a PAD in front of it, and no padding in it"
        )
    return [
        copy
        for shape, space, batch in _blocks(op, op.input, op.output)
        for copy in _copies(op, shape, 1, space, batch)
    ]


@_lowers(graph.BatchToSpace)
def _batch_to_space(op: graph.BatchToSpace) -> list[Copy]:
    return [
        copy
        for shape, space, batch in _blocks(op, op.output, op.input)
        for copy in _copies(op, shape, 1, batch, space)
    ]


_Place = tuple[list[int], int]  # strides and offset, see `_copies`


def _blocks(
    op: graph.SpaceToBatch | graph.BatchToSpace, space: Tensor, batch: Tensor
) -> Iterator[tuple[tuple[int, ...], _Place, _Place]]:
    """Yield, for each offset in the block, a shape and its place in both tensors."""
    _need_int8(op, op.input, op.output)
    block = _constant(op, op.block, "block")
    if min(block) < 1 or math.prod(block) > _COPIES:
        _unsupported(op, f"its block is {block}")
    before = _constant(op, op.margins, "padding or crop")[::2]
    steps, batch_steps = _dense(space.shape), _dense(batch.shape)
    batches, *sizes = space.shape[: len(block) + 1]
    for number, offsets in enumerate(itertools.product(*map(range, block))):
        at, batch_at, counts = 0, number * batches * batch_steps[0], []
        for i, (size, every, margin, offset) in enumerate(
            zip(sizes, block, before, offsets, strict=True), 1
        ):
            first = max(-((offset - margin) // every), 0)
            last = min((size - 1 + margin - offset) // every, batch.shape[i] - 1)
            counts.append(max(last - first + 1, 0))
            at += (first * every + offset - margin) * steps[i]
            batch_at += first * batch_steps[i]
        strides = [step * n for step, n in zip(steps[1:], block, strict=False)]
        strides = [steps[0], *strides, *steps[len(block) + 1 :]]
        if all(counts):
            shape = (batches, *counts, *space.shape[len(block) + 1 :])
            yield shape, (strides, at), (batch_steps, batch_at)


@_lowers(graph.Pad)
def _pad(op: graph.Pad) -> list[Copy | Fill]:
    x, out = op.input, op.output
    element = _element(op, x)
    before = _constant(op, op.paddings, "padding")[::2]
    strides = _dense(out.shape, element)
    offset = sum(n * step for n, step in zip(before, strides, strict=True))
    copies = _copies(op, x.shape, element, (_dense(x.shape, element), 0), (strides, offset))
    return [Fill(out.zero_point if element == 1 else 0, out.byte_size), *copies]
