"""Measures of one signal against another."""

import numpy as np
import pytest

from tf_model.evaluation import metrics


def test_every_measure_increases_with_less_noise(random):
    """Measures are best for the reference itself, and SDR ignores a fixed filter."""
    t = np.arange(3 * 16000) / 16000
    speech = (
        sum(np.sin(2 * np.pi * 140 * h * t) / h for h in range(1, 20))
        * np.maximum(0, np.sin(2 * np.pi * 3 * t))
        * 0.1
    )
    speech, noise = (
        speech.astype(np.float32),
        (0.05 * random.standard_normal(len(t))).astype(np.float32),
    )
    for name, measure in metrics.MEASURES.items():
        values = [measure(speech + gain * noise, speech) for gain in (1, 0.3, 0.1, 0.01)]
        assert np.all(np.diff(values) > 0), (name, values)
    assert metrics.sdr_db(speech + noise, speech) == pytest.approx(
        10 * np.log10(np.sum(speech**2) / np.sum(noise**2)), abs=0.3
    )
    late = np.concatenate([np.zeros(3, np.float32), speech[:-3]])
    assert metrics.sdr_db(late, speech) > 40 > 20 > metrics.si_sdr_db(late, speech)
    assert metrics.pesq_wb(speech, speech) > 4.5 and metrics.stoi(speech, speech) == pytest.approx(
        1, abs=1e-6
    )
    assert np.isnan(metrics.pesq_wb(speech * 0, speech * 0))
