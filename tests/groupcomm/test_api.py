"""The public Python API."""

import dataclasses
import doctest
import json
import subprocess
import sys

import numpy as np
import pytest
import soxr

import groupcomm
from calibration_data import clips
from convert import bundle
from convert.run import separator
from convert.tflite import runtimes
from groupcomm import errors, network, pipeline, results

NAME = "enhance-nano"


@pytest.fixture(scope="module")
def noisy():
    return clips.demo_mixtures()[0].mixture[:24001]


@pytest.fixture(scope="module")
def opened():
    return groupcomm.load(NAME)


def test_importing_the_api_imports_no_heavy_package():
    code = "import groupcomm, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"tensorflow", "librosa", "scipy", "matplotlib", "numpy", "typer", "rich"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.slow
def test_loading_and_running_a_network_needs_the_core_packages_only():
    extras = list(errors._EXTRAS)
    code = f"""
import sys
for name in {extras}:
    sys.modules[name] = None  # importing it fails
import groupcomm, numpy as np
for engine in ("tflm", "compiled"):
    print(groupcomm.load("{NAME}", engine=engine).process(np.zeros(1000)).shape)
try:
    groupcomm.load("{NAME}").process(np.zeros(1000), rate=8000)
except groupcomm.UserError as e:
    print(e)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "(1, 1000)",
        "(1, 1000)",
        "rate 8000: the network runs at 16000 Hz, and the package soxr is not installed; "
        "pip install 'groupcomm-micro[audio]'",
    ]


def test_attributes_come_from_the_bundle(opened):
    found = bundle.load(NAME)
    assert (opened.name, opened.sources, opened.sample_rate, opened.hop) == (NAME, 1, 16000, 128)
    assert opened.latency == 128 and opened.description == found.description
    assert groupcomm.load(bundle.BUNDLES / NAME).description == opened.description


def test_a_whole_recording_gives_what_the_separator_gives(opened, noisy):
    found = bundle.load(NAME)
    expected = separator.from_runtime(found, runtimes.Tflm(found.model))(noisy)
    out = opened.process(noisy)
    assert out.dtype == np.float32 and out.shape == (1, 24001)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(opened.process(noisy), out)  # from a fresh state each time
    pcm = np.rint(noisy * 32768).astype(np.int16)
    np.testing.assert_array_equal(opened.process(pcm), out)  # the clips are 16-bit


@pytest.mark.slow
def test_both_engines_and_the_stream_give_the_same_samples(opened, noisy):
    expected = opened.process(noisy)
    compiled = groupcomm.load(NAME, engine="compiled")
    np.testing.assert_array_equal(compiled.process(noisy), expected)
    for one in (opened, compiled):
        stream, other = one.stream(), one.stream()
        hops = noisy[: len(noisy) // one.hop * one.hop].reshape(-1, one.hop)
        for _ in range(2):
            out = np.concatenate([stream.process(hop) for hop in hops], axis=1)
            np.testing.assert_array_equal(
                out[:, one.latency :], expected[:, : out.shape[1] - one.latency]
            )
            stream.reset()
        np.testing.assert_array_equal(
            other.process(hops.ravel()), out
        )  # several hops at a time, in a stream of its own


def test_attenuation_limit(opened, noisy):
    free = opened.process(noisy)
    np.testing.assert_array_equal(opened.process(noisy, attenuation_limit_db=np.inf), free)
    # The input without its DC, which this network removes.
    none = opened.process(noisy, attenuation_limit_db=0)[0]
    assert np.abs(none - none.mean() - (noisy - noisy.mean())).max() < 0.02
    limited = opened.process(noisy, attenuation_limit_db=12)
    expected = 10 ** (-12 / 20) * none + (1 - 10 ** (-12 / 20)) * free[0]  # masks are linear
    np.testing.assert_allclose(limited[0], expected, atol=1e-6)
    np.testing.assert_array_equal(opened.process(noisy), free)
    stream = opened.stream(attenuation_limit_db=12)
    hops = len(noisy) // opened.hop * opened.hop
    np.testing.assert_array_equal(
        stream.process(noisy[:hops])[:, opened.latency :], limited[:, : hops - opened.latency]
    )
    for bad in (-1, np.nan):
        with pytest.raises(groupcomm.UserError, match="not a limit; give dB from 0, or None"):
            opened.stream(attenuation_limit_db=bad)


def test_a_separation_network_gives_two_sources():
    out = groupcomm.load("separate").process(clips.demo_mixtures(speakers=2)[0].mixture[:16000])
    assert out.shape == (2, 16000) and np.std(out[0] - out[1]) > 1e-3


def test_the_output_has_the_rate_and_the_length_of_the_input(opened, noisy):
    for rate in (8000, 44100, 48000):
        x = soxr.resample(noisy, 16000, rate)
        out = opened.process(x, rate)
        assert out.shape == (1, len(x)) and out.dtype == np.float32
    back = soxr.resample(out[0], 48000, 16000)[: len(noisy)]
    expected = opened.process(noisy)[0, : len(back)]
    assert np.std(back - expected) < 0.1 * np.std(expected)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((2, 128)), "shape (2, 128): not mono"),
        (np.zeros(128, np.int32), "dtype int32: give float samples in -1..1, or int16 PCM"),
        (np.array([0.0, np.nan]), "sample 1 is nan, not a finite number"),
    ],
)
def test_input_that_is_not_mono_sound_is_refused(opened, x, message):
    with pytest.raises(groupcomm.UserError) as error:
        opened.process(x)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)


def test_misuse_names_the_value_and_how_to_correct_it(opened):
    with pytest.raises(
        groupcomm.UserError, match="100 samples: a stream takes 128 samples at a time"
    ):
        opened.stream().process(np.zeros(100))
    with pytest.raises(
        groupcomm.UserError, match="engine 'gpu': there is no such engine; use 'tflm' or 'compiled'"
    ):
        groupcomm.load(NAME, engine="gpu")
    with pytest.raises(groupcomm.UserError, match="rate 0: not a sample rate"):
        opened.process(np.zeros(100), rate=0)
    with pytest.raises(groupcomm.UserError, match="nothing: no bundle of this name"):
        groupcomm.load("nothing")
    with pytest.raises(groupcomm.UserError, match="mixtures 1: an interval needs at least 2"):
        groupcomm.evaluate(opened, mixtures=1)
    with pytest.raises(AttributeError):
        groupcomm.nothing  # noqa: B018


def test_results_become_the_dicts_of_the_commands():
    measure = {
        "in": 1.0,
        "out": 2.0,
        "improvement": {"mean": 1.0, "low": 0.5, "high": 1.5},
        "mixtures": 2,
    }
    missing = {"in": None, "out": None, "improvement": None, "mixtures": 0}
    group = {
        "mixtures": 2,
        "mean": 1.0,
        "low": 0.5,
        "high": 1.5,
        "worst_twentieth": 0.1,
        "harm": 0.0,
    }
    found = {
        "name": NAME,
        "runtime": "tflm",
        "corpus": "open",
        "split": "test",
        "mixtures": 2,
        "sisdr_in_db": 0.0,
        "sisdr_out_db": 1.0,
        "sisdri_db": {"mean": 1.0, "low": 0.5, "high": 1.5},
        "worst_twentieth_db": 0.1,
        "harm": 0.0,
        "measures": {"sisdr": measure, "pesq": missing},
        "by": {"snr": {"0 to 5 dB": group}},
        "worst": [{"index": 1, "sisdri_db": 0.1, "speakers": ["a"]}],
    }
    evaluation = results.Evaluation.of(found)
    assert evaluation.to_dict() == found and json.dumps(evaluation.to_dict())
    assert (
        evaluation.measures["sisdr"].improvement.low == 0.5
        and evaluation.by["snr"]["0 to 5 dB"].harm == 0.0
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        evaluation.harm = 1.0
    conversion = groupcomm.Conversion("out", 1, 2, "ptq", "percentile", 8, 500)
    assert (
        "weights" not in conversion.to_dict()
        and dataclasses.replace(conversion, weights=4).to_dict()["weights"] == 4
    )


def test_examples_in_the_docstrings_run():
    modules = (groupcomm, network, pipeline, results)
    ran = [doctest.testmod(module, extraglobs={"groupcomm": groupcomm}) for module in modules]
    assert not any(result.failed for result in ran)
    assert sum(result.attempted for result in ran) >= 10
