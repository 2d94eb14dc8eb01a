"""Losses at values that can be worked out by hand."""

import numpy as np
import pytest

from tf_model import evaluate, losses


def orthogonal(random, samples=4000):
    """Two zero-mean signals of energy 1 at right angles."""
    a, b = random.standard_normal((2, samples))
    a -= a.mean()
    b -= b.mean()
    a /= np.linalg.norm(a)
    b -= (a @ b) * a
    return a, b / np.linalg.norm(b)


@pytest.mark.parametrize("db", [-10, 0, 10, 30])
def test_si_sdr_of_orthogonal_noise(random, db):
    signal, noise = orthogonal(random)
    estimate = 0.3 * (signal + 10 ** (-db / 20) * noise) + 0.1  # neither scale nor offset counts
    assert float(losses.si_sdr(estimate, signal)) == pytest.approx(db, abs=0.01)
    assert evaluate.si_sdr_db(estimate, signal) == pytest.approx(db, abs=0.001)


def test_si_sdr_is_bounded_where_it_would_be_infinite(random):
    signal, noise = orthogonal(random)
    assert float(losses.si_sdr(signal, signal)) == pytest.approx(80, abs=0.5)
    assert evaluate.si_sdr_db(noise, signal) == pytest.approx(-80, abs=0.5)
    assert np.isfinite(float(losses.si_sdr(np.zeros(100), np.zeros(100))))


def test_snr_minds_the_level(random):
    signal, _ = orthogonal(random)
    assert float(losses.snr(0.5 * signal, signal, floor=0.0)) == pytest.approx(6.02, abs=0.01)
    assert float(losses.snr(signal, signal)) == pytest.approx(30, abs=0.01)


def test_pit_finds_the_order(random):
    sources = random.standard_normal((3, 2, 800)).astype(np.float32)
    noisy = sources + 0.1 * random.standard_normal(sources.shape).astype(np.float32)
    straight = losses.pit(losses.si_sdr, noisy, sources).numpy()
    swapped = losses.pit(losses.si_sdr, noisy[:, ::-1], sources).numpy()
    np.testing.assert_allclose(straight, swapped, rtol=1e-5)
    np.testing.assert_allclose(straight, losses.si_sdr(noisy, sources).numpy().mean(1), rtol=1e-5)
    assert straight.min() > 15


def test_bootstrap_interval_is_that_of_the_mean(random):
    values = random.normal(3, 2, 400)
    b = evaluate.bootstrap(values)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert b["mean"] == pytest.approx(values.mean())
    assert b["low"] == pytest.approx(values.mean() - half, abs=0.05)
    assert b["high"] == pytest.approx(values.mean() + half, abs=0.05)


@pytest.mark.parametrize("db", [-10, 0, 10, 60])
def test_limited_si_sdr_stops_at_its_ceiling_and_ignores_the_level(random, db):
    signal, noise = orthogonal(random)
    estimate = signal + 10 ** (-db / 20) * noise
    expected = -10 * np.log10(10 ** (-db / 10) + 1e-3)
    for level in (0.03, 1.0):  # an estimate that is nearly silent is no way out
        assert float(losses.limited_si_sdr(level * estimate, signal)) == pytest.approx(expected, abs=0.05)
