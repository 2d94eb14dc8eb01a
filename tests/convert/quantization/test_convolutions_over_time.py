"""A network with convolutions over time keeps their frames inside of the integer model."""

import numpy as np
import pytest

from convert.codegen import model_source
from convert.quantization import calibration, qat, quantizer
from convert.tflite import flatbuffer, graph, releases, runtimes, simulation
from groupcomm.errors import UserError
from tests.helpers.streaming_models import TCN, floating, quantized, run, snr
from tf_model.networks import streaming

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    model, features = floating(tmp_path_factory, TCN, "tcn")
    observed = calibration.collect_statistics(model, quantizer.activations(model), [features])
    return model, features, observed, quantized(model, observed, "min-max")


def test_every_runtime_is_close_to_float_and_the_exact_ones_are_equal(network, tmp_path):
    model, features, _, made = network
    truth = runtimes.LiteRT(model)(features)
    masks, exact = run(runtimes.Tflm, made, features)
    assert snr(masks, truth) > 30
    for kind in (runtimes.LiteRT, runtimes.TfliteRuntime):
        assert snr(run(kind, made, features)[0], truth) > 30
    integers = flatbuffer.read(made).graph.inputs[0].quantization.quantize(features)
    path = tmp_path / "tcn.tflite"
    path.write_bytes(made)
    static = runtimes.Compiled(
        model_source.compile_model(path, tmp_path / "c"),
        *("-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover=all"),
    )
    simulated = simulation.Simulation(made)
    for _ in range(2):  # the second time after a reset
        np.testing.assert_array_equal(simulated(integers), exact)
        np.testing.assert_array_equal(
            np.concatenate([static([x[None]])[0] for x in integers]), exact
        )
        assert not np.array_equal(simulated(integers[:5]), exact[:5])  # the state was kept
        simulated.reset()
        static.reset()


def test_a_reset_restores_the_first_output_in_every_runtime(network):
    made, features = network[3], network[1][:20]
    integers = flatbuffer.read(made).graph.inputs[0].quantization.quantize(features)
    for kind in (runtimes.Tflm, runtimes.LiteRT, runtimes.TfliteRuntime):
        runtime = kind(made)
        first = runtime(integers)
        assert not np.array_equal(runtime(integers), first)
        runtime.reset()
        np.testing.assert_array_equal(runtime(integers), first)


def test_a_state_has_the_scale_of_the_frames_that_enter_it(network):
    read = flatbuffer.read(network[3])
    assert len(read.graphs) == 1
    states = read.graph.assigned_states()
    assert [t.shape for t in states] == [(1, 2 * 2**i, 6, 12) for i in range(3)]
    windows = [op for op in read.operators if isinstance(op, graph.Concatenation)]
    for state, op in zip(states, windows, strict=True):
        assert state is op.inputs[0] and state.is_variable
        assert len({(t.scale, t.zero_point) for t in (*op.inputs, op.output)}) == 1
        assert state.zero_point == -128  # ReLU comes before it
    assert not any(map(releases.depends_on_release, read.operators))


def test_16x8_and_training_of_ranges_are_refused(network):
    model, _, observed, _ = network
    with pytest.raises(UserError, match="operator DEPTHWISE_CONV_2D: .*; quantize to int8"):
        quantized(model, observed, "min-max", is_16x8=True)
    ranges = quantizer.choose_ranges(model, observed, "min-max", is_16x8=False)
    with pytest.raises(UserError, match="quantization-aware training does not support"):
        qat.FakeQuantized("tcn", streaming.build(TCN), net=TCN, ranges=ranges)
