"""TFLM's fixed-point arithmetic in Python integers and NumPy, bit for bit."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Scale:
    """A real number as ``multiplier * 2 ** (shift - 31)``."""

    multiplier: int
    shift: int


def quantize_multiplier(real: float) -> Scale:
    """Return the multiplier and shift nearest to a real number.

    The computation is in double precision, as in TFLM's ``QuantizeMultiplier``.
    """
    if real == 0:
        return Scale(0, 0)
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return Scale(multiplier, shift) if shift >= -31 else Scale(0, 0)


def quantize_multiplier_int16(real: float) -> Scale:
    """Return the multiplier and shift for int16 activations.

    TFLM multiplies 64-bit sums by the upper 16 bits of the multiplier, rounded.
    """
    scale = quantize_multiplier_16(real)
    return Scale(scale.multiplier << 16, scale.shift)


def quantize_multiplier_16(real: float) -> Scale:
    """Return a multiplier of 16 bits and the shift, as ``multiplier * 2 ** (shift - 15)``."""
    scale = quantize_multiplier(real)
    return Scale(min((scale.multiplier + 2**15) >> 16, 2**15 - 1), scale.shift)


def wrap(x):
    """Wrap integers to 32 bits, as the kernels and TFLM do."""
    return (x + 2**31) % 2**32 - 2**31


def rescale(x, scale: Scale):
    """Multiply by a scale and round twice, as TFLM does: `gc_rescale` of fixed_point.h.

    Parameters
    ----------
    x : int or np.ndarray [dtype=int64]
    scale : Scale
        Its fields are integers, or int64 arrays that broadcast with ``x``.

    Returns
    -------
    int or np.ndarray [dtype=int64]
    """
    left, right = np.maximum(scale.shift, 0), np.maximum(-np.asarray(scale.shift), 0)
    x = (wrap(x << left) * scale.multiplier + (1 << 30)) >> 31
    return (x + (1 << right >> 1) - ((x < 0) & (right > 0))) >> right


# 32-bit fixed point: Qm has a sign, m integer bits and the fraction.
_ONE = 2**31 - 1  # nearly 1, in Q0


def _multiply(a: int, b: int) -> int:
    """Multiply two fixed-point numbers. The result has the sum of their integer bits."""
    return (a * b + (1 << 30)) >> 31


def divide(x: int, shift: int) -> int:
    """Return x / 2 ** shift, for a positive shift; halves are rounded away from zero."""
    return (x + (1 << shift >> 1) - (x < 0)) >> shift


def saturate16(x: int) -> int:
    """Return the nearest int16."""
    return min(max(x, -(2**15)), 2**15 - 1)


def multiply16(a: int, b: int) -> int:
    """Return a * b / 2 ** 15, rounded to the nearest integer, halves up."""
    return saturate16((a * b + (1 << 14)) >> 15)


def _saturate(x: int) -> int:
    return min(max(x, -(2**31)), 2**31 - 1)


def exp(a: int, integer_bits: int) -> int:
    """Return exp(a) in Q0 for a <= 0, where a has ``integer_bits`` integer bits.

    The result is a fourth-order polynomial of the remainder modulo 1/4, times exp of every power of
    two in the rest.
    """
    if a == 0:
        return _ONE
    quarter = 1 << (29 - integer_bits)
    last = (a & (quarter - 1)) - quarter  # in -1/4..0
    x = (last << integer_bits) + (1 << 28)  # Q0, around -1/8
    x2 = _multiply(x, x)
    x3, x4 = _multiply(x2, x), _multiply(x2, x2)
    rest = divide(_multiply(divide(x4, 2) + x3, round(2**31 / 3)) + x2, 1)
    result = round(2**31 * math.exp(-1 / 8))
    result += _multiply(result, x + rest)
    remainder = last - a
    for exponent in range(-2, integer_bits):
        if remainder >> (31 - integer_bits + exponent) & 1:
            result = _multiply(result, round(2**31 * math.exp(-(2.0**exponent))))
    return result


def reciprocal(a: int) -> int:
    """Return 2 / (1 + a) in Q2 for a in 0..1 in Q0, by three steps of Newton's method."""
    half = (a + _ONE + 1) // 2  # (1 + a) / 2
    x = round(2**29 * 48 / 17) + _multiply(half, round(-(2**29) * 32 / 17))
    for _ in range(3):
        error = (1 << 29) - _multiply(half, x)
        x += _saturate(_multiply(x, error) << 2)
    return x


def inverse(a: int) -> int:
    """Return 1 / (1 + a) in Q0, for a in 0..1 in Q0."""
    return _saturate(reciprocal(a) << 1)


def inverse_root(x: int) -> Scale:
    """Return 1 / sqrt(x) of a positive integer below 2^28, by five steps of Newton's method."""
    if x == 1:
        return Scale(_ONE, 0)
    pairs = (31 - x.bit_length()) // 2 - 1
    a = x << (2 * pairs) >> 1  # in 1/4..1, as y below in Q3
    y = 1 << 28
    for _ in range(5):
        cube = _saturate(_multiply(_multiply(y, y), y) << 6)
        y = _saturate((_multiply(3 << 27, y) - _multiply(divide(a, 1), cube)) << 3)
    y = _multiply(y, round(2**31 * math.sqrt(0.5)))
    shift = pairs - 11
    return Scale(y << max(shift, 0), min(shift, 0))


def logistic(a: int) -> int:
    """Return 1 / (1 + exp(-a)) in Q0, for a in Q4."""
    if a == 0:
        return 1 << 30
    positive = inverse(exp(-abs(a), 4))
    return positive if a > 0 else _ONE - positive


def tanh(a: int) -> int:
    """Return tanh(a) in Q0, for a in Q4."""
    if a == 0:
        return 0
    positive = _saturate((reciprocal(exp(-abs(a), 5)) - (1 << 29)) << 2)
    return positive if a > 0 else -positive
