"""Comparison with other enhancers: their delay, the table, and baselines that are not installed."""

import json
import types

import numpy as np
import pytest

from calibration_data import clips
from calibration_data.audio import RATE
from convert.measure import baselines
from convert.measure.baselines import comparison, rnnoise
from groupcomm.errors import UserError
from tf_model.evaluation import evaluate, metrics


def late_copy(samples):
    """Return a baseline that only delays its input."""
    return lambda x: (
        np.pad(x, (samples, 0))[: len(x)] if samples >= 0 else np.pad(x[-samples:], (0, -samples))
    )


def unavailable():
    raise baselines.BaselineUnavailable("nothing is not installed")


@pytest.fixture
def three_baselines(monkeypatch):
    copy = baselines.Baseline("copy", lambda: late_copy(700), 10, 1000, 20)
    louder = baselines.Baseline("early", lambda: lambda x: 2 * late_copy(-31)(x), 20, 2000, 20)
    monkeypatch.setattr(
        comparison,
        "BASELINES",
        (copy, louder, baselines.Baseline("nothing", unavailable, None, None, 0)),
    )


@pytest.mark.parametrize("samples", [0, 1, 384, 1500, -100])
def test_delay_is_measured_and_removed(random, samples):
    clean = random.standard_normal(16000)
    noisy = clean + random.standard_normal(16000)
    assert baselines.delay(late_copy(samples)(noisy), clean) == samples
    x = noisy.astype(np.float32)
    out = baselines.aligned(late_copy(samples), samples)(x)
    assert out.shape == (1, 16000) and out.dtype == np.float32
    start = max(0, -samples)
    np.testing.assert_array_equal(out[0, start:], x[start:])


@pytest.mark.slow
def test_table(three_baselines, tiny_corpus, tmp_path):
    options = {"split": "test", "mixtures": 3, "corpus": tiny_corpus}
    result = baselines.compare(["enhance"], tmp_path, **options)
    assert result["skipped"] == {"nothing": "nothing is not installed"}
    by_name = {s["name"]: s for s in result["systems"]}
    assert by_name.keys() == {"copy", "early", "enhance"}
    # Without its delay, the baseline outputs the mixture.
    assert by_name["copy"]["sisdri_db"]["mean"] == pytest.approx(0, abs=1e-3)
    # The first samples of its output are missing.
    assert by_name["early"]["sisdri_db"]["mean"] == pytest.approx(0, abs=0.5)
    assert (by_name["enhance"]["is_bundle"], by_name["enhance"]["latency_ms"]) == (True, 16)
    ours = np.array(
        [s.after["sisdr"] - s.before["sisdr"] for s in cached_scores(tmp_path, "enhance")]
    )
    assert by_name["enhance"]["sisdri_db"]["mean"] == pytest.approx(ours.mean())
    assert result["against"]["enhance"]["copy"]["sisdr"]["mean"] == pytest.approx(
        ours.mean(), abs=1e-3
    )
    assert json.loads((tmp_path / "baselines.json").read_text()) == result
    assert (tmp_path / "baselines.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("baseline", baselines.BASELINES, ids=lambda baseline: baseline.label)
def test_real_baseline_reduces_noise(baseline):
    demo = clips.demo_mixtures()[0]
    try:
        run = baseline.make()
    except baselines.BaselineUnavailable as error:
        pytest.skip(str(error))
    late = baselines.delay(
        run(np.pad(demo.mixture.astype(np.float64), (0, baselines.SLACK))), demo.references[0]
    )
    out = baselines.aligned(run, late)(demo.mixture)
    assert (
        out.shape == (1, len(demo.mixture)) and 0 <= late <= RATE * baseline.latency_ms / 1000 + 16
    )
    assert (
        metrics.si_sdr_db(out[0], demo.references[0])
        > metrics.si_sdr_db(demo.mixture, demo.references[0]) + 0.2
    )


def cached_scores(folder, name):
    return [
        evaluate.Score(**s) for s in json.loads((folder / f"{name}.json").read_text())["scores"]
    ]


@pytest.mark.slow
def test_second_run_computes_only_missing_scores(
    three_baselines, tiny_corpus, tmp_path, monkeypatch
):
    options = {"split": "test", "corpus": tiny_corpus}
    first = baselines.compare([], tmp_path, mixtures=2, **options)
    runs = []
    score = evaluate.score
    monkeypatch.setattr(evaluate, "score", lambda *a, **k: runs.append(a[0]) or score(*a, **k))
    assert baselines.compare([], tmp_path, mixtures=2, **options) == first and not runs
    (tmp_path / "early.json").write_text("half a fi")
    again = baselines.compare([], tmp_path, mixtures=2, **options)
    assert [s["sisdri_db"] for s in again["systems"]] == [
        s["sisdri_db"] for s in first["systems"]
    ] and runs == [0, 1]
    baselines.compare([], tmp_path, mixtures=3, **options)
    assert runs == [0, 1] + [0, 1, 2] * 2


@pytest.mark.slow
def test_single_baseline_without_network_gives_table_and_plot(tiny_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(
        comparison, "BASELINES", (baselines.Baseline("copy", lambda: late_copy(0), None, None, 20),)
    )
    result = baselines.compare([], tmp_path, split="test", mixtures=2, corpus=tiny_corpus)
    assert [s["name"] for s in result["systems"]] == ["copy"] and (
        tmp_path / "baselines.png"
    ).is_file()


def test_bundle_with_two_sources_is_rejected(three_baselines, tiny_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(
        comparison.bundles, "load", lambda name: types.SimpleNamespace(path=name, sources=2)
    )
    with pytest.raises(UserError, match="separates 2 sources"):
        baselines.compare(["enhance"], tmp_path, split="test", mixtures=2, corpus=tiny_corpus)


def test_damaged_download_is_deleted(monkeypatch, tmp_path):
    monkeypatch.setenv("GROUPCOMM_CACHE", str(tmp_path))
    file = tmp_path / "baselines" / "rnnoise-wasm-0.2.0.tgz"
    file.parent.mkdir()
    file.write_bytes(b"something else")
    with pytest.raises(baselines.BaselineUnavailable, match="another sha256"):
        rnnoise._wasm_2018()
    assert not file.exists()
