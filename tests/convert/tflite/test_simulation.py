"""The simulation equals the official TFLM in every byte, and the comparison detects errors."""

import dataclasses

import numpy as np
import pytest

from convert import bundle
from convert.tflite import fixed_point, runtimes, simulation
from tests.helpers.random_operators import OPERATORS, fully_connected_at_ties
from tests.helpers.tflite_models import Official
from tf_model.signal import to_pcm


def difference(model: bytes, cases, change=lambda prepared: prepared) -> int:
    """Count the outputs that differ from the official TFLM. A case is inputs, or "reset"."""
    official, simulated = Official(model), simulation.Simulation(model)
    simulated._steps = [(op, change(prepared)) for op, prepared in simulated._steps]
    count = 0
    for case in cases:
        if isinstance(case, str):
            official.reset()
            simulated.reset()
        else:
            made = simulated.run_all(*(x[None] for x in case))
            for theirs, ours in zip(official.run_all(*case), made, strict=True):
                count += np.count_nonzero(theirs != ours[0])
    return count


# Random models of each operator: one in 200 where a quick check has to suffice, and one in 5.
PARTS = [pytest.param(200, id="quick"), pytest.param(5, id="all", marks=pytest.mark.slow)]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", OPERATORS)
def test_operator_equals_the_official_tflm(name, part):
    make, count = OPERATORS[name]
    for seed in range(max(2, count // part)):
        assert difference(*make(np.random.default_rng([seed, len(name), 1]))) == 0, f"seed {seed}"


def test_multiplication_of_scales_equals_tflm():
    for seed in range(3):
        assert difference(*fully_connected_at_ties(np.random.default_rng(seed))) == 0, (
            f"seed {seed}"
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", bundle.names())
def test_network_equals_the_official_tflm(name):
    """1,000 hops of real sound are processed in several calls, with a reset."""
    opened = bundle.load(name)
    sound = bundle.golden_pcm(1000, opened.signal.hop).astype(np.float32) / 32768
    features = opened.quantize_features(bundle.stream_features(to_pcm(sound), opened.signal))
    official, simulated = runtimes.Tflm(opened.model), simulation.Simulation(opened.model)
    truth = official(features)
    pieces = np.split(features, [1, 300])
    assert np.array_equal(np.concatenate([simulated(piece) for piece in pieces]), truth)
    varied = int((truth != truth[0]).any(axis=1).argmax()) + 20  # the sound begins with silence
    assert not np.array_equal(simulated(features[:varied]), truth[:varied])  # the state was kept
    simulated.reset()
    assert np.array_equal(simulated(features[:varied]), truth[:varied])


def changed(field: str, by: int = 1):
    """Return a function that changes one field of a prepared operator."""

    def change(prepared):
        value = getattr(prepared, field)
        if dataclasses.is_dataclass(value):
            value = dataclasses.replace(value, shift=value.shift + by)
        elif isinstance(value, np.ndarray):
            value = value + np.array(by, value.dtype)
        else:
            value += by
        return dataclasses.replace(prepared, **{field: value})

    return change


def gate_scale(prepared):
    gate = dataclasses.replace(
        prepared.forget,
        recurrent=fixed_point.Scale(
            prepared.forget.recurrent.multiplier, prepared.forget.recurrent.shift - 1
        ),
    )
    return dataclasses.replace(prepared, forget=gate)


def padding(prepared):
    window = getattr(prepared, "window", None)
    if window is None:
        return prepared
    return dataclasses.replace(
        prepared, window=dataclasses.replace(window, zero_point=window.zero_point + 1)
    )


CHANGES = {
    "FULLY_CONNECTED": [changed("zero_point"), changed("shift", -1), changed("bias")],
    "FULLY_CONNECTED 16": [changed("shift", -1), changed("bias", 2**14)],
    "UNIDIRECTIONAL_SEQUENCE_LSTM": [
        changed("zero_point"),
        changed("update", -1),
        changed("hidden", -1),
        changed("tanh_multiplier"),
        gate_scale,
    ],
    "UNIDIRECTIONAL_SEQUENCE_LSTM 16": [
        changed("update", -1),
        changed("hidden", -1),
        changed("tanh_multiplier"),
        gate_scale,
    ],
    "ADD": [changed("zero_point"), changed("scale", -1), changed("a_scale", -1)],
    "MUL": [changed("zero_point"), changed("scale", -1)],
    "CONV_2D": [padding],
    "DEPTHWISE_CONV_2D": [padding],
    "AVERAGE_POOL_2D": [changed("low"), changed("high", -1)],
    "MAX_POOL_2D": [changed("low"), changed("high", -1)],
    "SUB": [changed("zero_point"), changed("scale", -1), changed("b_scale", -1)],
    "PAD": [lambda parts: [dataclasses.replace(parts[0], value=parts[0].value ^ 1), *parts[1:]]],
    "STRIDED_SLICE": [
        lambda parts: [dataclasses.replace(p, columns=1, rows=1) for p in parts],
    ],
    "MEAN": [changed("zero_point"), changed("scale", -1), changed("bias")],
    "PRELU": [changed("zero_point"), changed("negative", -1)],
    "LEAKY_RELU": [changed("table")],
    "RSQRT": [changed("table")],
    "SQUARED_DIFFERENCE": [changed("scale", -1), changed("a_scale", -1)],
    "SVDF": [changed("feature", -1), changed("bias", 2**14), changed("state_zero_point")],
    "SVDF 16": [changed("scale", -1), changed("feature_bias", 2**10)],
    "QUANTIZE": [changed("zero_point"), changed("scale", -1), changed("input_zero_point")],
    "QUANTIZE 16 to 8": [changed("zero_point"), changed("scale", -1)],
    "LOGISTIC": [changed("table")],
    "LOGISTIC 16": [changed("multiplier", 8)],
}


@pytest.mark.parametrize(
    ("name", "index"), [(name, i) for name, changes in CHANGES.items() for i in range(len(changes))]
)
def test_comparison_detects_a_changed_parameter(name, index):
    make, _ = OPERATORS[name]
    assert any(
        difference(*make(np.random.default_rng([seed, 2])), CHANGES[name][index])
        for seed in range(20)
    )


def halves_up(x, scale):
    left, right = np.maximum(scale.shift, 0), np.maximum(-np.asarray(scale.shift), 0)
    x = (fixed_point.wrap(x << left) * scale.multiplier + (1 << 30)) >> 31
    return (x + (1 << right >> 1)) >> right


def rounded_once(x, scale):
    return (fixed_point.wrap(x) * scale.multiplier + (np.int64(1) << (30 - scale.shift))) >> (
        31 - scale.shift
    )


ROUNDINGS = {
    "rescale": (
        halves_up,
        [
            "FULLY_CONNECTED",
            "ADD",
            "MUL",
            "MEAN",
            "QUANTIZE",
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            "ADD 16",
            "SQUARED_DIFFERENCE",
            "SVDF",
            "SVDF 16",
        ],
    ),
    "_rescale_int64": (
        lambda x, m, shift: (x * (m >> 16)) >> (15 - shift),
        ["FULLY_CONNECTED 16", "UNIDIRECTIONAL_SEQUENCE_LSTM 16"],
    ),
    "_clamp16": (lambda x: x, ["UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM 16"]),
    "wrap": (lambda x: x, ["FULLY_CONNECTED 16"]),
    "tanh16": (
        lambda x: (lambda v, s: (v * 256 + s * (x & 255) + 128) >> 8)(
            *simulation._point(np.clip(x >> 8, -256, 255))
        ),
        ["TANH 16"],
    ),
}


@pytest.mark.parametrize(
    ("function", "name"),
    [(function, name) for function, (_, names) in ROUNDINGS.items() for name in names],
)
def test_comparison_detects_another_rounding(function, name, monkeypatch):
    monkeypatch.setattr(simulation, function, ROUNDINGS[function][0])
    make, _ = OPERATORS[name]
    for seed in range(400):
        try:
            if difference(*make(np.random.default_rng([seed, 3]))):
                return
        except IndexError:  # outside the table: also detected
            return
    pytest.fail(f"no difference with another {function}")
