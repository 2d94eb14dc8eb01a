"""The approximations of PESQ and eSTOI, against PESQ and eSTOI themselves."""

import numpy as np
import pytest
import tensorflow as tf

from calibration_data import clips
from tf_model.evaluation import metrics
from tf_model.training import perceptual

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def degraded():
    """Estimates and references of demo mixtures, with 0.1 to 1 times their noise."""
    pairs = [
        (
            demo.references[0] + gain * (demo.mixture - demo.references[0]),
            demo.references[0],
        )
        for demo in clips.demo_mixtures()
        for gain in (0.1, 0.3, 0.6, 1.0)
    ]
    samples = min(len(estimate) for estimate, _ in pairs)
    return tuple(np.stack([s[:samples] for s in side]) for side in zip(*pairs, strict=True))


def test_quality_follows_pesq(degraded):
    pesq = [metrics.pesq_wb(*pair) for pair in zip(*degraded, strict=True)]
    assert np.corrcoef(perceptual.quality(*degraded), pesq)[0, 1] > 0.9


def test_quality_ignores_the_level_and_is_highest_for_the_reference(degraded):
    estimates, references = degraded
    values = perceptual.quality(estimates, references).numpy()
    assert perceptual.quality(0.03 * estimates, references).numpy() == pytest.approx(
        values, abs=1e-2
    )
    assert perceptual.quality(references, references).numpy() == pytest.approx(4.64, abs=0.02)
    assert values.max() < 4.6


def test_intelligibility_follows_estoi(degraded):
    estoi = np.array([metrics.estoi(*pair) for pair in zip(*degraded, strict=True)])
    values = perceptual.intelligibility(*degraded).numpy()
    assert np.corrcoef(values, estoi)[0, 1] > 0.95
    assert np.abs(values - estoi).mean() < 0.1


def test_intelligibility_ignores_the_level_and_is_1_for_the_reference(degraded):
    estimates, references = degraded
    assert perceptual.intelligibility(0.03 * estimates, references).numpy() == pytest.approx(
        perceptual.intelligibility(estimates, references).numpy(), abs=1e-2
    )
    assert perceptual.intelligibility(references, references).numpy() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("measure", [perceptual.quality, perceptual.intelligibility])
def test_the_gradient_is_finite_at_silence(measure):
    estimate = tf.Variable(tf.zeros([2, 8000]))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(
            measure(estimate, np.stack([np.sin(np.arange(8000)), np.zeros(8000)]))
        )
    assert np.isfinite(tape.gradient(total, estimate).numpy()).all() and np.isfinite(float(total))
