"""The fixed-point arithmetic equals the functions of the official TFLM, which its wheel exports."""

import ctypes
import fractions

import numpy as np
import pytest

from convert.tflite import fixed_point

INT = ctypes.c_int32
SPACE = "_ZN6tflite5micro"


@pytest.fixture(scope="module")
def wheel():
    """Return a function that gives a function of the wheel by its mangled name."""
    from tflite_micro.python.tflite_micro import _runtime

    library = ctypes.CDLL(_runtime.__file__)

    def find(name, result, *arguments):
        function = library[SPACE + name]
        function.restype, function.argtypes = result, arguments
        return function

    return find


def test_multipliers_equal_those_of_tflm(wheel, random):
    quantize = wheel(
        "18QuantizeMultiplierEdPiS1_", None, ctypes.c_double, *[ctypes.POINTER(INT)] * 2
    )
    multiply = wheel("29MultiplyByQuantizedMultiplierEiii", INT, INT, INT, INT)
    reals = np.concatenate(
        [
            np.exp(random.uniform(-30, 15, 3000)),
            2.0 ** np.arange(-40, 20),
            np.nextafter(2.0 ** np.arange(-33, 20), 0),
            [0.0],
        ]
    )
    for real in reals:
        multiplier, shift = INT(), INT()
        quantize(real, multiplier, shift)
        scale = fixed_point.quantize_multiplier(float(real))
        assert (multiplier.value, shift.value) == (scale.multiplier, scale.shift), real
        reach = 2 ** int(random.integers(1, 32)) - 1
        for x in (*random.integers(-reach - 1, reach, 3, endpoint=True), -(2**31), 2**31 - 1):
            assert fixed_point.rescale(int(x), scale) == multiply(int(x), multiplier, shift), (
                x,
                scale,
            )


@pytest.mark.parametrize("integer_bits", [4, 5])
def test_exp_equals_that_of_tflm(wheel, random, integer_bits):
    name = f"22exp_on_negative_valuesIiLi{integer_bits}EEENS0_10FixedPointIT_Li0EEENS2_IS3_XT0_EEE"
    exp = wheel(name, INT, INT)
    edges = [-(1 << n) for n in range(32)]
    for a in (0, *edges, *(a + 1 for a in edges), *random.integers(-(2**31), 0, 3000).tolist()):
        assert fixed_point.exp(a, integer_bits) == exp(a), a


def test_the_inverse_equals_that_of_tflm(wheel, random):
    name = "32one_over_one_plus_x_for_x_in_0_1IiEENS0_10FixedPointIT_Li0EEES4_"
    inverse = wheel(name, INT, INT)
    for a in (0, 1, 2**31 - 1, *random.integers(0, 2**31, 3000).tolist()):
        assert fixed_point.inverse(a) == inverse(a), a


def test_the_inverse_root_equals_that_of_tflm(wheel, random):
    name = "32GetInvSqrtQuantizedMultiplierExpEiiPiS1_"
    inverse_root = wheel(name, None, INT, INT, *[ctypes.POINTER(INT)] * 2)
    values = [1 << n for n in range(28)]
    values += [n - 1 for n in values if n > 1] + random.integers(1, 1 << 28, 3000).tolist()
    for x in values:
        multiplier, shift = INT(), INT()
        inverse_root(x, -1, multiplier, shift)
        scale = fixed_point.inverse_root(x)
        assert (scale.multiplier, scale.shift) == (multiplier.value, shift.value), x


def test_division_rounds_halves_away_from_zero():
    for x in range(-70, 71):
        for shift in range(1, 7):
            rounded = abs(fractions.Fraction(x, 1 << shift)) + fractions.Fraction(1, 2)
            assert fixed_point.divide(x, shift) == (
                rounded.__floor__() if x >= 0 else -rounded.__floor__()
            )
