"""Every committed bundle meets its release gate, as int8 in the official TFLM."""

import numpy as np
import pytest

from calibration_data import clips
from calibration_data.mixing import mixer
from convert import bundle
from convert.run import separator
from convert.tflite import runtimes
from convert.verify import inspection
from tests.helpers.release_gates import GATES
from tf_model.evaluation import evaluate

pytestmark = pytest.mark.slow


def test_every_bundle_has_a_release_gate():
    assert GATES.keys() == set(bundle.names())


@pytest.mark.parametrize("name", GATES)
def test_budget(name):
    gate, opened, found = GATES[name], bundle.load(name), inspection.inspect(name)
    signal = opened.signal
    assert found["parameters"] <= gate.parameters
    assert found["macs"] * 0.008 * signal.sample_rate / signal.hop <= gate.macs
    assert 1000 * signal.window / signal.sample_rate <= gate.latency_ms


@pytest.mark.parametrize("name", GATES)
def test_quality(name):
    opened = bundle.load(name)
    separate = separator.from_runtime(opened, runtimes.Tflm(opened.model))
    scored = []
    for i, demo in enumerate(clips.demo_mixtures(opened.sources)):
        mixture = mixer.Mixture(
            demo.mixture, demo.references, demo.mixture - demo.references.sum(0), {}
        )
        scored.append(evaluate.score(i, mixture, separate(demo.mixture)))
    improvements = evaluate.improvements(scored)
    assert (
        len(improvements) >= 2
        and min(improvements) > 0
        and np.mean(improvements) >= GATES[name].sisdri_db
    ), improvements
