"""Multipliers that differ between releases of TFLM."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle
from convert.quantization import quantizer
from convert.tflite import fixed_point, flatbuffer, graph, kernel_params, releases
from tests.helpers.tflite_models import INT32, Official, Tensor, model_of


def kernel_of(model):
    return kernel_params.prepare(flatbuffer.read(model).operators[0])


def dense(input_scale, weight_scale):
    x, y = Tensor((1, 4), input_scale), Tensor((1, 3), 0.05)
    w = Tensor((3, 4), weight_scale, data=np.ones((3, 4)))
    bias_scale = np.float32(input_scale) * np.float32(weight_scale)
    bias = Tensor((3,), bias_scale, type=INT32, data=[1] * 3)
    [op] = flatbuffer.read(model_of("FULLY_CONNECTED", [x, w, bias], [y])).graph.operators
    return op


def test_exact_multiplier_of_a_matrix_with_one_scale_is_that_of_the_kernel(random):
    for scales in random.uniform(1e-3, 1, (50, 2)).astype(np.float32):
        op = dense(*scales)
        [(exact, _)] = releases.multipliers(op)
        prepared = kernel_params.prepare(op)
        assert (exact.multiplier, exact.shift) == (prepared.multiplier[0], prepared.shift[0])


def test_multipliers_of_channels_are_the_same_in_all_releases():
    """TFLM computes one multiplier for each channel in double precision, in every release."""
    drawn = np.random.default_rng(0).uniform(1e-4, 1, (50, 2)).astype(np.float32)
    for input_scale, weight_scale in drawn:
        assert releases.multipliers(dense(input_scale, [weight_scale] * 3)) == []


def test_products_of_activations_depend_on_the_release(random):
    def product(a, b):
        x, y = Tensor((1, 2, 3), a), Tensor((1, 3, 4), b)
        content = model_of("BATCH_MATMUL", [x, y], [Tensor((1, 2, 4), 0.05)])
        return flatbuffer.read(content).graph.operators[0]

    drawn = random.uniform(1e-4, 1, (50, 2)).astype(np.float32)
    assert sum(releases.depends_on_release(product(*d)) for d in drawn) > 30
    assert not releases.depends_on_release(product(0.5, 0.25))


def test_scales_of_12_bits_give_the_same_multipliers(random):
    drawn = random.uniform(1e-4, 1, (200, 2)).astype(np.float32)
    assert not any(
        releases.depends_on_release(dense(*map(quantizer.short_scale, d))) for d in drawn
    )
    assert sum(releases.depends_on_release(dense(*d)) for d in drawn) > 150


@pytest.mark.parametrize("name", sorted(set(bundle.names()) - {"enhance-tcn"}))  # has no LSTM
def test_a_bundle_has_the_same_multipliers_in_every_release(name):
    operators = flatbuffer.read(bundle.load(name).model).operators
    pairs = [pair for op in operators for pair in releases.multipliers(op)]
    assert len(pairs) >= 16  # two LSTMs or more, with eight products each
    assert all(exact == rounded for exact, rounded in pairs)


@pytest.mark.parametrize("name", bundle.names())
def test_every_scale_of_a_bundle_has_12_significant_bits(name):
    """Biases have the scales of products, which the file does not contain."""
    tensors = flatbuffer.read(bundle.load(name).model).graph.tensors
    scales = np.concatenate([t.scales for t in tensors if t.dtype in ("int8", "int16")])
    assert len(scales) > 100
    np.testing.assert_array_equal(scales, quantizer.short_scale(scales))


def near_a_tie(random, values):
    """Draw two factors and a divisor whose quotient, times a value, is next to a half."""
    while True:
        a, b = (np.float32(random.uniform(0.01, 0.1)) for _ in range(2))
        value, half = int(random.integers(20, values)), random.integers(1, 60) + 0.5
        out = np.float32(float(a) * float(b) * value / half)
        exact, rounded = float(a) * float(b) / float(out), float(a * b / out)
        scales = [fixed_point.quantize_multiplier(real) for real in (exact, rounded)]
        results = [int(fixed_point.rescale(value, scale)) for scale in scales]
        if results[0] != results[1]:
            return a, b, out, value, results[0]


def test_the_wheel_computes_leaky_relu_in_double_precision(random):
    for _ in range(5):
        a, alpha, out, value, expected = near_a_tie(random, 129)
        options = schema.LeakyReluOptionsT()
        options.alpha = float(alpha)
        model = model_of("LEAKY_RELU", [Tensor((1, 1), a)], [Tensor((1, 1), out)], options)
        assert releases.depends_on_release(flatbuffer.read(model).operators[0])
        got = Official(model)(np.array([[-value]], np.int8))[0, 0]
        assert got == -expected == kernel_of(model).table[np.uint8(256 - value)]


def test_the_wheel_computes_svdf_in_double_precision(random):
    for _ in range(5):
        a, b, unit, value, expected = near_a_tie(random, 16_000)
        weights = np.diff([min(127 * i, value) for i in range(129)])[None]
        quarter = Tensor((1, 1), 0.25, data=[[4]])
        inputs = [
            Tensor((1, 128), a),
            Tensor((1, 128), b, data=weights),
            quarter,
            Tensor((1,), unit / 4, type=INT32, data=[0]),
            Tensor((1, 1), unit, variable=True),
        ]
        options = schema.SVDFOptionsT()
        options.rank = 1
        model = model_of("SVDF", inputs, [Tensor((1, 1), unit)], options)
        assert releases.depends_on_release(flatbuffer.read(model).operators[0])
        assert Official(model)(np.ones((1, 128), np.int8)) == expected


@pytest.mark.parametrize("name", bundle.names())
def test_exact_multipliers_are_those_of_the_kernels(name):
    """The reference is the wheel, which multiplies in double precision."""
    for op in flatbuffer.read(bundle.load(name).model).operators:
        exact = [pair[0] for pair in releases.multipliers(op)]
        prepared = kernel_params.prepare(op)
        if isinstance(op, graph.Lstm):
            gates = (prepared.input, prepared.forget, prepared.cell, prepared.output)
            assert exact == [s for gate in gates for s in (gate.input, gate.recurrent)]
        else:
            assert exact == []
