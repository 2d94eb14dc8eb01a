"""Losses at values that can be computed by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tf_model.evaluation import evaluate, metrics
from tf_model.training import losses

pytestmark = pytest.mark.tensorflow


def orthogonal(random, samples=4000):
    """Make two orthogonal zero-mean signals of energy 1."""
    a, b = random.standard_normal((2, samples))
    a -= a.mean()
    b -= b.mean()
    a /= np.linalg.norm(a)
    b -= (a @ b) * a
    return a, b / np.linalg.norm(b)


@pytest.mark.parametrize("db", [-10, 0, 10, 30])
def test_si_sdr_of_orthogonal_noise(random, db):
    signal, noise = orthogonal(random)
    estimate = 0.3 * (signal + 10 ** (-db / 20) * noise) + 0.1  # scale and offset have no effect
    assert float(losses.si_sdr(estimate, signal)) == pytest.approx(db, abs=0.01)
    assert metrics.si_sdr_db(estimate, signal) == pytest.approx(db, abs=0.001)


def test_si_sdr_is_bounded(random):
    signal, noise = orthogonal(random)
    assert float(losses.si_sdr(signal, signal)) == pytest.approx(80, abs=0.5)
    assert metrics.si_sdr_db(noise, signal) == pytest.approx(-80, abs=0.5)
    assert np.isfinite(float(losses.si_sdr(np.zeros(100), np.zeros(100))))


def test_snr_depends_on_the_level(random):
    signal, _ = orthogonal(random)
    assert float(losses.snr(0.5 * signal, signal, ceiling_db=80.0)) == pytest.approx(6.02, abs=0.01)
    assert float(losses.snr(signal, signal)) == pytest.approx(30, abs=0.01)


def test_pit_finds_the_best_order(random):
    sources = random.standard_normal((3, 2, 800)).astype(np.float32)
    noisy = sources + 0.1 * random.standard_normal(sources.shape).astype(np.float32)
    straight = losses.pit(losses.si_sdr, noisy, sources).numpy()
    swapped = losses.pit(losses.si_sdr, noisy[:, ::-1], sources).numpy()
    np.testing.assert_allclose(straight, swapped, rtol=1e-5)
    np.testing.assert_allclose(straight, losses.si_sdr(noisy, sources).numpy().mean(1), rtol=1e-5)
    assert straight.min() > 15


def test_bootstrap_interval_matches_the_normal_approximation(random):
    values = random.normal(3, 2, 400)
    b = evaluate.bootstrap(values)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert b["mean"] == pytest.approx(values.mean())
    assert b["low"] == pytest.approx(values.mean() - half, abs=0.05)
    assert b["high"] == pytest.approx(values.mean() + half, abs=0.05)


@pytest.mark.parametrize("db", [-10, 0, 10, 60])
def test_limited_si_sdr_approaches_its_ceiling_and_ignores_the_level(random, db):
    signal, noise = orthogonal(random)
    estimate = signal + 10 ** (-db / 20) * noise
    expected = -10 * np.log10(10 ** (-db / 10) + 1e-3)
    for level in (0.03, 1.0):  # also for a nearly silent estimate
        assert float(losses.limited_si_sdr(level * estimate, signal)) == pytest.approx(
            expected, abs=0.05
        )


def test_spectral_snr_gives_weight_to_quiet_sounds(random):
    t = np.arange(16000) / 16000
    loud, quiet = np.sin(2 * np.pi * 500 * t), 0.03 * np.sin(2 * np.pi * 3000 * t)
    without_quiet, without_part = losses.spectral_snr(
        [loud, loud * 0.97 + quiet], [loud + quiet] * 2
    ).numpy()
    # Both errors are of about the same size.
    assert float(losses.snr(loud, loud + quiet)) == pytest.approx(
        float(losses.snr(0.97 * loud + quiet, loud + quiet)), abs=1
    )
    assert without_quiet < without_part - 10
    noise = random.standard_normal((3, 16000))
    values = losses.spectral_snr(
        noise[0] + np.array([[1], [0.1], [0]]) * noise[1], np.stack([noise[0]] * 3)
    ).numpy()
    assert np.all(np.diff(values) > 3) and values[-1] == pytest.approx(30, abs=0.01)
    louder = losses.spectral_snr(3e-3 * (noise[0] + noise[1]), 3e-3 * noise[0]).numpy()
    # A common level has no effect.
    assert louder == pytest.approx(values[0], abs=0.01)


def test_spectral_snr_has_a_finite_gradient_at_silence():
    estimate = tf.Variable(tf.zeros([2, 4000]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            losses.spectral_snr(estimate, np.stack([np.ones(4000), np.zeros(4000)]))
        )
    gradient = tape.gradient(loss, estimate).numpy()
    assert np.isfinite(gradient).all() and np.isfinite(float(loss))
