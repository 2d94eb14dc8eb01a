"""Every committed bundle is inside its budget and above its line of quality, as int8 in the official TFLM."""

import dataclasses

import numpy as np
import pytest

from calibration_data import clips, mixer
from convert import bundle, inspection, runtimes, separator
from tf_model import evaluate


@dataclasses.dataclass(frozen=True)
class ReleaseGate:
    """The most it may take (``macs`` in 8 ms), and the least it must gain on the committed demo mixtures, mean SI-SDR improvement.

    No mixture may lose.
    """

    parameters: int
    macs: int
    latency_ms: float
    sisdri_db: float


LINES = {
    "enhance": ReleaseGate(60_000, 400_000, 16, 7.8),
    "enhance-nano": ReleaseGate(30_000, 140_000, 16, 6.4),
    "enhance-fast": ReleaseGate(60_000, 400_000, 8, 6.2),
    "separate": ReleaseGate(80_000, 400_000, 16, 0.8),
    "enhance-blstm": ReleaseGate(70_000, 500_000, 16, 3.0),
}


def test_every_bundle_has_a_line():
    assert LINES.keys() == set(bundle.names())


@pytest.mark.parametrize("name", LINES)
def test_budget(name):
    line, opened, found = LINES[name], bundle.load(name), inspection.inspect(name)
    signal = opened.signal
    assert found["parameters"] <= line.parameters
    assert found["macs"] * 0.008 * signal.sample_rate / signal.hop <= line.macs
    assert 1000 * signal.window / signal.sample_rate <= line.latency_ms


@pytest.mark.parametrize("name", LINES)
def test_quality(name):
    opened = bundle.load(name)
    separate = separator.from_runtime(opened, runtimes.Tflm(opened.model))
    scored = []
    for i, demo in enumerate(clips.demo_mixtures(opened.sources)):
        mixture = mixer.Mixture(
            demo.mixture, demo.references, demo.mixture - demo.references.sum(0), {}
        )
        scored.append(evaluate.score(i, mixture, separate(demo.mixture)))
    better = evaluate.improvements(scored)
    assert len(better) >= 2 and min(better) > 0 and np.mean(better) >= LINES[name].sisdri_db, better
