"""Integer models are close to float, equal in every runtime, and have the chosen ranges."""

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.contract import LSTM
from convert.quantization import calibration, quantizer
from convert.tflite import flatbuffer, releases, runtimes, simulation
from groupcomm.errors import UserError
from tests.helpers.streaming_models import NETS, floating, quantized, run, snr
from tests.helpers.tflite_models import Tensor, model_of

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module", params=NETS)
def network(request, tmp_path_factory):
    model, features = floating(tmp_path_factory, NETS[request.param], request.param)
    return (
        request.param,
        model,
        features,
        calibration.collect_statistics(model, quantizer.activations(model), [features]),
    )


@pytest.mark.parametrize("method", calibration.METHODS)
def test_int8_is_close_to_float_in_every_runtime(network, method):
    _, model, features, observed = network
    truth = runtimes.LiteRT(model)(features)
    made = quantized(model, observed, method, is_16x8=False)
    masks, exact = run(runtimes.Tflm, made, features)
    assert snr(masks, truth) > 30
    assert np.array_equal(run(simulation.Simulation, made, features)[1], exact)
    # Another integer LSTM: other bytes, equally close.
    for kind in (
        runtimes.LiteRT,
        runtimes.TfliteRuntime,
    ):
        assert snr(run(kind, made, features)[0], truth) > 30


def test_16x8_is_closer_to_float_than_int8(network):
    name, model, features, observed = network
    if name == "blstm":
        with pytest.raises(
            UserError,
            match="operator GATHER: TFLM does not support it with int16; use a network with TAC",
        ):
            quantized(model, observed, "min-max", is_16x8=True)
        return
    truth = runtimes.LiteRT(model)(features)
    made = {
        is_16x8: quantized(model, observed, "min-max", is_16x8=is_16x8) for is_16x8 in (False, True)
    }
    for content in made.values():  # a mask is in 0..1, whatever its observed range
        parsed = schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0]
        given = parsed.tensors[parsed.outputs[0]].quantization
        assert (given.scale[0], given.zeroPoint[0]) == (1 / 256, -128)
        operators = flatbuffer.read(content).operators
        assert sum(len(releases.multipliers(op)) for op in operators) >= 16
        assert not any(map(releases.depends_on_release, operators))
    masks, exact = run(runtimes.Tflm, made[True], features)
    assert snr(masks, truth) > snr(run(runtimes.Tflm, made[False], features)[0], truth) + 3
    assert np.array_equal(run(simulation.Simulation, made[True], features)[1], exact)


def test_statistics_and_scales_match_the_tensors(network):
    """Statistics equal TensorFlow Lite's values, and each integer tensor has its own range."""
    _, model, features, observed = network
    parsed = schema.ModelT.InitFromPackedBuf(model, 0).subgraphs[0]
    masks = runtimes.LiteRT(model)
    masks(features[: calibration.WARM_UP])
    out = masks(features)
    assert (observed[parsed.outputs[0]].low, observed[parsed.outputs[0]].high) == (
        out.min(),
        out.max(),
    )
    seen = observed[parsed.inputs[0]]
    assert (seen.low, seen.high) == (features.min(), features.max())
    np.testing.assert_array_equal(seen.values, features[:: calibration.KEEP_EVERY].ravel())
    made = schema.ModelT.InitFromPackedBuf(
        quantized(model, observed, "min-max", is_16x8=False), 0
    ).subgraphs[0]
    given = made.tensors[made.inputs[0]].quantization
    assert given.scale[0] == quantizer.short_scale(features.max() / 255)
    assert given.zeroPoint[0] == -128
    lstms = [op for op in made.operators if len(op.inputs) > LSTM.cell_state]
    cells = [made.tensors[op.inputs[LSTM.cell_state]] for op in lstms]
    assert {t.type for t in cells} == {schema.TensorType.INT16}
    for t in cells:
        assert (
            np.log2(t.quantization.scale[0]) % 1 == 0
            and t.quantization.scale[0] <= quantizer.CELL_SCALE
        )


def test_names_and_metadata_are_removed(network):
    made = schema.ModelT.InitFromPackedBuf(quantized(network[1], network[3], "error"), 0)
    assert not made.metadata and not made.signatureDefs and not made.description
    assert not any(t.name for t in made.subgraphs[0].tensors)
    contents = [bytes(b.data) for b in made.buffers if b.data is not None]
    assert len(contents) == len(set(contents))


@pytest.mark.parametrize("is_16x8", [False, True])
def test_packed_model_is_equal_aligned_and_deduplicated(network, is_16x8):
    name, model, _, observed = network
    if name == "blstm" and is_16x8:
        pytest.skip("TFLM has no GATHER of int16")
    content = quantized(model, observed, "error", is_16x8=is_16x8)
    parsed, reader = schema.ModelT.InitFromPackedBuf(content, 0), schema.Model.GetRootAs(content)
    again = flatbuffer.write(flatbuffer.read(content))
    assert again == content
    starts = [
        reader.Buffers(i)._tab.Vector(reader.Buffers(i)._tab.Offset(4))
        for i in range(1, reader.BuffersLength())
    ]
    assert len(starts) > 20 and not any(start % 16 for start in starts)
    builder = flatbuffers.Builder(1024)
    builder.Finish(parsed.Pack(builder), b"TFL3")
    generated = bytes(builder.Output())
    assert len(content) < 0.95 * len(generated)

    def plain(o):
        return (
            {k: plain(v) for k, v in sorted(vars(o).items())}
            if hasattr(o, "__dict__")
            else np.asarray(o).tolist()
            if o is not None
            else o
        )

    other = schema.ModelT.InitFromPackedBuf(generated, 0)
    for kind in ("tensors", "operators"):
        mine, theirs = (getattr(m.subgraphs[0], kind) for m in (parsed, other))
        assert [plain(x) for x in mine] == [plain(x) for x in theirs]


def test_choose_range(random):
    values = np.append(random.normal(0, 1, 200_000), [40.0, -3.0]).astype(np.float32)
    observed = calibration.TensorStats(float(values.min()), 40.0, values)
    assert calibration.choose_range(observed, "min-max", 255) == (observed.low, 40.0)
    low, high = calibration.choose_range(observed, "percentile", 255)
    assert low == pytest.approx(-3.9, abs=0.2) and high == pytest.approx(3.9, abs=0.2)
    low, high = calibration.choose_range(observed, "error", 255)
    assert high < 35 and calibration._error(values, low, high, 255) < calibration._error(
        values, observed.low, 40.0, 255
    )
    # With so many steps, clipping has no benefit.
    assert calibration.choose_range(observed, "error", 65535)[1] == 40.0
    positive = calibration.TensorStats(2.0, 3.0, np.linspace(2, 3, 100, dtype=np.float32))
    for method in calibration.METHODS:
        low, high = calibration.choose_range(positive, method, 255)
        assert low == 0 and 2.9 < high <= 3.0  # zero is always represented exactly
    silent = calibration.TensorStats(0.0, 0.0, np.zeros(9, np.float32))
    assert [calibration.choose_range(silent, method, 255) for method in calibration.METHODS] == [
        (0.0, 0.0)
    ] * 3
    both = calibration.merge([positive, silent])
    assert (both.low, both.high, both.values.size) == (0.0, 3.0, 109)


def test_scales():
    for low, high in ((-1.0, 1.0), (0.0, 6.0), (-3.0, 0.0), (-0.01, 100.0)):
        made = quantizer.scale_of(low, high)
        scale, zero = made.scale, made.zero_point
        assert -128 <= zero <= 127
        assert (-128 - zero) * scale == pytest.approx(low, abs=float(scale)) and (
            127 - zero
        ) * scale == pytest.approx(high, abs=float(scale))
    made = quantizer.scale_of(-2.0, 1.0, "int16")
    assert (made.scale, made.zero_point) == (quantizer.short_scale(2 / 32767), 0)
    for most, power in ((1.0, -14), (0.99, -15), (0.01, -15), (15.9, -11), (16.0, -10)):
        assert quantizer.power_of_two_scale(most) == 2.0**power, most


def test_short_scales_never_shrink_a_range_and_have_exact_products(random):
    scales = np.exp(random.uniform(-12, 3, (2, 1000)))
    a, b = rounded = quantizer.short_scale(scales)
    assert np.all(rounded >= scales) and np.all(rounded < scales * (1 + 2.0**-11))
    np.testing.assert_array_equal(quantizer.short_scale(rounded), rounded)
    np.testing.assert_array_equal(a * b, np.float64(a) * b)


def test_unsupported_operator_is_reported():
    x, y = (Tensor((1, 4), type=schema.TensorType.FLOAT32) for _ in range(2))
    model = model_of("NEG", [x], [y], schema.NegOptionsT())
    observed = {
        i: calibration.TensorStats(0.0, 1.0, np.zeros(1, np.float32))
        for i in quantizer.activations(model)
    }
    with pytest.raises(UserError, match="operator NEG cannot be quantized; supported: ADD, "):
        quantized(model, observed, "min-max", is_16x8=False)
