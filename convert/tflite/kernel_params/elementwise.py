"""Parameters of operators on two tensors that broadcast."""

import dataclasses
from typing import TypeVar

from convert.tflite import graph
from convert.tflite.fixed_point import Scale, quantize_multiplier
from convert.tflite.graph import Operator
from convert.tflite.kernel_params.common import (
    dense,
    is_wide,
    lowers,
    merge_axes,
    need_int8,
    output_range,
    rescaling,
    unsupported,
)

_Sum = TypeVar("_Sum", bound="Add")


@dataclasses.dataclass(frozen=True)
class Operand:
    """One input of an operator on two. Strides are in elements; 0 repeats the operand."""

    row: int
    step: int
    zero_point: int


@dataclasses.dataclass(frozen=True)
class Binary:
    """An operator on two inputs, one of which can be repeated along rows or columns."""

    rows: int
    columns: int
    a: Operand
    b: Operand


@dataclasses.dataclass(frozen=True)
class Add(Binary):
    """ADD."""

    a_scale: Scale
    b_scale: Scale
    scale: Scale
    zero_point: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Sub(Add):
    """SUB."""


@dataclasses.dataclass(frozen=True)
class SquaredDifference(Add):
    """SQUARED_DIFFERENCE."""


@dataclasses.dataclass(frozen=True)
class Mul(Binary):
    """MUL."""

    scale: Scale
    zero_point: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Prelu(Binary):
    """PRELU, of which only the slopes can be repeated."""

    positive: Scale
    negative: Scale
    zero_point: int


def _broadcast(op: Operator) -> tuple[int, int, Operand, Operand]:
    """Return the output as (rows, columns), and the strides of both operands in it."""
    out = op.output.shape
    strides = []  # in each axis of the output, 0 where the operand is repeated
    for t in (op.a, op.b):
        shape = (1,) * (len(out) - len(t.shape)) + t.shape
        strides.append([step if n > 1 else 0 for n, step in zip(shape, dense(shape), strict=True)])
    axes = merge_axes(out, *strides)
    if len(axes) > 2:
        unsupported(op, f"shapes {op.a.shape} and {op.b.shape} broadcast along more than one axis")
    axes = [[1, 0, 0]] * (2 - len(axes)) + axes
    (rows, a_row, b_row), (columns, a_step, b_step) = axes
    return (
        rows,
        columns,
        Operand(a_row, a_step, op.a.zero_point),
        Operand(b_row, b_step, op.b.zero_point),
    )


@lowers(graph.Add)
def _add(op: graph.Add) -> Add:
    return _sum(op, Add, 15 if is_wide(op, op.a, op.b, op.output) else 20)


@lowers(graph.Sub)
def _sub(op: graph.Sub) -> Sub:
    need_int8(op, op.a, op.b, op.output)
    return _sum(op, Sub, 20)


@lowers(graph.SquaredDifference)
def _squared_difference(op: graph.SquaredDifference) -> SquaredDifference:
    need_int8(op, op.a, op.b, op.output)
    return _sum(op, SquaredDifference, 7)


def _sum(op: graph.Binary, kind: type[_Sum], left: int) -> _Sum:
    """Prepare an operator of which TFLM shifts the values to the left before it adds them."""
    a, b = float(op.a.scale), float(op.b.scale)
    twice = 2 * max(a, b)
    unit = twice / 2**left
    if kind is SquaredDifference:
        unit *= unit
    low, high = output_range(op, op.activation)
    return kind(
        *_broadcast(op),
        a_scale=quantize_multiplier(a / twice),
        b_scale=quantize_multiplier(b / twice),
        scale=quantize_multiplier(unit / float(op.output.scale)),
        zero_point=op.output.zero_point,
        low=low,
        high=high,
    )


@lowers(graph.Mul)
def _mul(op: graph.Mul) -> Mul:
    is_wide(op, op.a, op.b, op.output)
    a, b = float(op.a.scale), float(op.b.scale)
    low, high = output_range(op, op.activation)
    scale = quantize_multiplier(a * b / float(op.output.scale))
    return Mul(*_broadcast(op), scale=scale, zero_point=op.output.zero_point, low=low, high=high)


@lowers(graph.Prelu)
def _prelu(op: graph.Prelu) -> Prelu:
    x, slopes, out = op.a, op.b, op.output
    need_int8(op, x, slopes, out)
    if x.shape != out.shape:
        unsupported(op, f"its input of shape {x.shape} broadcasts")
    return Prelu(
        *_broadcast(op),
        positive=rescaling(x, out),
        negative=quantize_multiplier(float(x.scale) * float(slopes.scale) / float(out.scale)),
        zero_point=out.zero_point,
    )
