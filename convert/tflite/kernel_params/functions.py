"""Parameters of functions of one value."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from convert.tflite import fixed_point, graph
from convert.tflite.fixed_point import Scale, quantize_multiplier
from convert.tflite.graph import Operator
from convert.tflite.kernel_params.common import (
    is_wide,
    lowers,
    need_int8,
    output_range,
    rescaling,
    unsupported,
)


@dataclasses.dataclass(frozen=True)
class Lookup:
    """A function of one byte.

    LOGISTIC, TANH, RELU6, LEAKY_RELU, HARD_SWISH, RSQRT, QUANTIZE of uint8.

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


@lowers(graph.Logistic, graph.Tanh)
def _activation(op: graph.Logistic | graph.Tanh) -> Lookup | Logistic:
    x, out = op.input, op.output
    if not is_wide(op, x, out):
        return _lookup(op)
    if out.scale != 2.0**-15:
        unsupported(op, f"the scale {out.scale} of its output is not 2^-15")
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
        unsupported(op, f"the scale {x.scale} of its input differs too much from 1 / 4096")
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
        unsupported(op, f"zero point {out.zero_point} of its output is not -128")

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
        unsupported(op, "its input and its output differ in size")
    limits = np.iinfo(out.dtype)
    inputs = np.arange(256).astype(np.uint8).view(x.dtype).tolist()
    table = [min(max(function(value - x.zero_point), limits.min), limits.max) for value in inputs]
    return Lookup(table=np.array(table).astype(np.int8), count=x.size)


@lowers(graph.Relu6)
def _relu6(op: graph.Relu6) -> Lookup:
    """TFLM clamps the input, and does not read the scale of the output."""
    x = op.input
    need_int8(op, x, op.output)
    six = math.floor(np.float32(6) / x.scale + np.float32(0.5))
    return _tabulate(op, lambda value: min(max(value, 0), six) + x.zero_point)


@lowers(graph.Rsqrt)
def _rsqrt(op: graph.Rsqrt) -> Lookup:
    """Tabulate ``1 / sqrt(x)``; TFLM ends an invocation in which a value is below 0."""
    x, out = op.input, op.output
    need_int8(op, x, out)
    if x.zero_point != -128:
        unsupported(op, f"zero point {x.zero_point} of its input is not -128: it can be negative")
    scale = quantize_multiplier(1 / (math.sqrt(float(x.scale)) * float(out.scale)))
    fine = 20  # bits after the binary point, of the reciprocal root of an integer

    def root(value: int) -> int:
        if value == 0:
            return 127 - x.zero_point  # more than the largest output
        inverse = fixed_point.inverse_root(value)
        y = int(fixed_point.rescale(1, Scale(inverse.multiplier, inverse.shift + fine)))
        y = int(fixed_point.rescale(y, Scale(scale.multiplier, scale.shift - fine)))
        return y + out.zero_point

    return _tabulate(op, root)


@lowers(graph.LeakyRelu)
def _leaky_relu(op: graph.LeakyRelu) -> Lookup:
    x, out = op.input, op.output
    need_int8(op, x, out)
    positive = rescaling(x, out)
    negative = quantize_multiplier(float(x.scale) * op.alpha / float(out.scale))
    return _tabulate(
        op,
        lambda value: (
            int(fixed_point.rescale(value, positive if value >= 0 else negative)) + out.zero_point
        ),
    )


@lowers(graph.HardSwish)
def _hard_swish(op: graph.HardSwish) -> Lookup:
    """Tabulate ``x * min(max(x + 3, 0), 6) / 6`` in 16-bit fixed point, as TFLM computes it."""
    x, out = op.input, op.output
    need_int8(op, x, out)
    fine = x.scale * np.float32(1 / 128)
    to_output = fixed_point.quantize_multiplier_16(float(fine / out.scale))
    to_gate = fixed_point.quantize_multiplier_16(float(fine / np.float32(3 / 32768)))
    if to_output.shift > 0:
        unsupported(op, "the scale of its output is too small")

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


@lowers(graph.Quantize, graph.Relu)
def _requantize(op: graph.Quantize | graph.Relu) -> Requantize | Lookup:
    x, out = op.input, op.output
    if "uint8" in (x.dtype, out.dtype):
        return _requantize_unsigned(op)
    if isinstance(op, graph.Quantize):
        is_wide(op, x), is_wide(op, out)
    else:
        is_wide(op, x, out)
    low, high = output_range(op, "RELU" if isinstance(op, graph.Relu) else "NONE")
    scale = rescaling(x, out)
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
        unsupported(op, f"it converts {x.dtype} to {out.dtype}")
    scale = rescaling(x, out)
    return _tabulate(op, lambda value: int(fixed_point.rescale(value, scale)) + out.zero_point)
