"""What the parameters of several kernels have in common."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from convert.tflite.fixed_point import Scale, quantize_multiplier
from convert.tflite.graph import Operator, Tensor
from groupcomm.errors import UserError

_LIMITS = {"int8": (-128, 127), "int16": (-32768, 32767)}

# What prepares the operators of each class.
LOWERINGS: dict[type[Operator], Callable] = {}


def lowers(*kinds: type[Operator]):
    """Register a function as the one that prepares operators of these classes."""

    def register(function: Callable) -> Callable:
        LOWERINGS.update(dict.fromkeys(kinds, function))
        return function

    return register


def unsupported(op: Operator, what: str):
    """Raise a `UserError` for a variant that no kernel supports."""
    raise UserError(
        f"{op.name} to tensor {op.output.label}: {what}; "
        "micro/kernels has no kernel for this, but TFLM may support it"
    )


def need_int8(op: Operator, *tensors: Tensor) -> None:
    """Check that tensors are int8 with one scale."""
    for t in tensors:
        if t.dtype != "int8" or len(t.scales) != 1:
            unsupported(op, f"tensor {t.label} is not int8 with one scale")


def is_wide(op: Operator, *tensors: Tensor) -> bool:
    """Return whether the tensors are int16 with zero point 0; else check that they are int8."""
    if tensors[0].dtype != "int16":
        need_int8(op, *tensors)
        return False
    for t in tensors:
        if t.dtype != "int16" or len(t.scales) != 1 or t.zero_point != 0:
            unsupported(op, f"tensor {t.label} is not int16 with one scale and zero point 0")
    return True


def rescaling(x: Tensor, out: Tensor) -> Scale:
    """Return the scale from the unit of one tensor to that of another."""
    return quantize_multiplier(float(x.scale) / float(out.scale))


def output_range(op: Operator, activation: str) -> tuple[int, int]:
    """Return the lowest and highest output under a fused activation."""
    bounds = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}
    if activation not in bounds:
        unsupported(op, f"fused activation {activation}")

    def quantized(x: float | None, otherwise: int) -> int:
        if x is None:
            return otherwise
        steps = math.floor(abs(np.float32(x) / op.output.scale) + np.float32(0.5))
        return op.output.zero_point + (-steps if x < 0 else steps)

    (low, high), (lowest, highest) = bounds[activation], _LIMITS[op.output.dtype]
    return max(lowest, quantized(low, lowest)), min(highest, quantized(high, highest))


def constant(op: Operator, t: Tensor | None, what: str) -> list[int]:
    """Return the values of a constant input."""
    if t is None or t.data is None:
        unsupported(op, f"its {what} is not constant")
    return [int(n) for n in t.data.ravel()]


def dense(shape: tuple[int, ...], unit: int = 1) -> list[int]:
    """Return the stride of each axis of a tensor whose elements have a size of ``unit``."""
    return [unit * math.prod(shape[i + 1 :]) for i in range(len(shape))]


def merge_axes(shape: tuple[int, ...], *strides: Sequence[int]) -> list[list[int]]:
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


def need_four_dimensions(op: Operator, *tensors: Tensor) -> None:
    """Check that tensors have a batch, a height, a width and channels."""
    for t in tensors:
        if len(t.shape) != 4:
            unsupported(op, f"tensor {t.label} does not have four dimensions")
