"""The demo scores, writes and plots every committed mixture, of one and of two speakers."""

import dataclasses

import numpy as np
import pytest
import soundfile

from calibration_data import clips
from convert import bundle
from convert.measure.demo import run_demo
from convert.verify import parity
from tests.helpers.cli import ok
from tf_model.evaluation import metrics
from tf_model.training import checkpoint

pytestmark = [pytest.mark.tensorflow, pytest.mark.bazel]


def test_demo(tmp_path):
    found = ok("demo", "--out", tmp_path, "--json")
    demos = clips.demo_mixtures()
    assert [m["name"] for m in found["mixtures"]] == [demo.name for demo in demos]
    for demo, scores in zip(demos, found["mixtures"], strict=True):
        sounds = {
            kind: soundfile.read(tmp_path / f"{demo.name}_{kind}.wav", dtype="float32")
            for kind in ("mixture", "float", "int8", "clean")
        }
        assert all(
            rate == 16000 and len(sound) == len(demo.mixture) for sound, rate in sounds.values()
        )
        for kind, key in (
            ("mixture", "sisdr_in_db"),
            ("float", "sisdr_float_db"),
            ("int8", "sisdr_int8_db"),
        ):
            measured = metrics.si_sdr_db(sounds[kind][0], demo.references[0])
            # WAV files have 16 bits.
            assert measured == pytest.approx(scores[key], abs=0.02), (
                demo.name,
                kind,
            )
        np.testing.assert_allclose(sounds["clean"][0], demo.references[0], atol=1 / 32768)
    improvements = [m["sisdr_int8_db"] - m["sisdr_in_db"] for m in found["mixtures"]]
    assert np.mean(improvements) > 3 and found["parity"]["ok"]
    assert {str(path) for path in tmp_path.iterdir()} == set(found["files"]) and str(
        tmp_path / "demo.png"
    ) in found["files"]
    assert found["files"][-1] == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_two_speakers(tmp_path, tiny_net, monkeypatch):
    net = dataclasses.replace(tiny_net, sources=2)
    checkpoint.save(
        tmp_path / "net", "two", net, {}, checkpoint.Checkpoint("two", net, {}, None).model()
    )
    bundle.write(checkpoint.load(str(tmp_path / "net")), tmp_path / "bundle")
    # See tests/convert/verify/test_parity.py.
    monkeypatch.setattr(parity, "parity", lambda *_, **__: {"ok": True})
    found, processed = run_demo(str(tmp_path / "bundle"), str(tmp_path / "net"), tmp_path / "out")
    assert [one.name for one in processed] == ["duet", "duet_market"]
    assert [m["name"] for m in found["mixtures"]] == ["duet", "duet_market"]
    for demo in clips.demo_mixtures(2):
        for kind in ("float", "int8", "clean"):
            both = [
                soundfile.read(tmp_path / "out" / f"{demo.name}_{kind}_{i}.wav", dtype="float32")[0]
                for i in (1, 2)
            ]
            assert len(both[0]) == len(both[1]) == len(demo.mixture) and not np.array_equal(*both)
