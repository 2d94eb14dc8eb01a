"""Parameters of operators on windows: convolutions and pooling."""

import dataclasses

import numpy as np

from convert.tflite import graph
from convert.tflite.graph import Tensor
from convert.tflite.kernel_params.common import (
    lowers,
    need_four_dimensions,
    need_int8,
    output_range,
    unsupported,
)
from convert.tflite.kernel_params.fully_connected import FullyConnected, products

# The windows that a convolution copies together: a kernel for several rows of inputs loads each
# weight once for all of them.
_WINDOWS = 4


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


def _window(op: graph.Windowed) -> Window:
    """Describe the windows of an operator."""
    need_four_dimensions(op, op.input, op.output)
    if min(*op.strides, *op.dilations, *op.kernel) < 1:
        unsupported(op, "a stride, a dilation or a size of its windows is not positive")
    vertical, horizontal = _axis(op, 0), _axis(op, 1)
    expected = (op.input.shape[0], vertical.count, horizontal.count)
    if op.output.shape[:3] != expected:
        unsupported(
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
        unsupported(op, "its weights are not constant int8 with four dimensions")
    need_int8(op, op.input, op.output)


def _convolve(op, weights: np.ndarray, axis: int, window: Window) -> FullyConnected | Convolution:
    """Prepare a convolution with weights [shape=(outputs, height, width, inputs)]."""
    if weights.shape[3] != window.channels:
        unsupported(
            op, f"its weights have {weights.shape[3]} channels, its input {window.channels}"
        )
    if op.output.shape[3] != len(weights):
        unsupported(op, f"its output has {op.output.shape[3]} channels, not {len(weights)}")
    dots = products(op, weights.reshape(len(weights), -1), axis, rows=window.count)
    if _are_rows(window):
        return dots
    return Convolution(window, dataclasses.replace(dots, rows=min(window.count, _WINDOWS)))


@lowers(graph.Convolution)
def _convolution(op: graph.Convolution) -> FullyConnected | Convolution:
    _need_weights(op)
    return _convolve(op, op.weights.data, 0, _window(op))


@lowers(graph.DepthwiseConvolution)
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
        unsupported(op, f"it has {channels} inputs and {outputs} outputs")
    dots = products(op, by_output.reshape(outputs, -1), axis=3, rows=1)
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


@lowers(graph.TransposedConvolution2d)
def _transposed_convolution(
    op: graph.TransposedConvolution2d,
) -> FullyConnected | Convolution:
    """Prepare TRANSPOSE_CONV, as CONV_2D with padding between the values of the input."""
    _need_weights(op)
    need_four_dimensions(op, op.input, op.output)
    x, out, weights = op.input, op.output, op.weights.data
    if op.activation != "NONE":
        unsupported(op, "it has a fused activation")
    if min(op.strides) < 1:
        unsupported(op, "a stride is not positive")
    if out.shape[0] != x.shape[0] or out.shape[3] != len(weights):
        unsupported(op, f"its output has the shape {out.shape}")
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
            products(op, matrix, 0, rows=window.batches * window.in_width)
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


@lowers(graph.AveragePool, graph.MaxPool)
def _pool(op: graph.AveragePool | graph.MaxPool) -> AveragePool | MaxPool:
    x, out = op.input, op.output
    need_int8(op, x, out)
    if x.zero_point != out.zero_point or abs(float(x.scale) - float(out.scale)) > 1e-6:
        unsupported(op, "its input and its output are quantized differently")
    if x.shape[-1:] != out.shape[-1:]:
        unsupported(op, "its input and its output differ in channels")
    kind = AveragePool if isinstance(op, graph.AveragePool) else MaxPool
    low, high = output_range(op, op.activation)
    return kind(_window(op), low, high)
