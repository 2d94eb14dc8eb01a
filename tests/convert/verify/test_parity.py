"""The parity test passes on the committed bundle, and fails when anything differs."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from convert import bundle
from convert.quantization import export
from convert.run import host_tools
from convert.tflite import runtimes
from convert.verify import parity
from groupcomm.errors import UserError
from tests.helpers.release_gates import GATES
from tests.helpers.tflite_models import carrying
from tf_model.training import checkpoint

pytestmark = [pytest.mark.tensorflow, pytest.mark.bazel]


@pytest.fixture(scope="module")
def result():
    return parity.parity(bundle.load("enhance"), checkpoint.load("enhance"), hops=1000)


@pytest.fixture(scope="module")
def rows(result):
    return {r["name"]: r for r in result["runtimes"]}


def test_tflm_is_exact_over_a_thousand_hops_and_a_reset(result, rows):
    assert result["hops"] >= 1000 and result["passes"] == 2 and result["ok"] and result["exact"]
    for name in (
        "tflm_python",
        "tflm_cpp",
        "tflm_cpp_kernels",
        "static_c",
        "simulation",
        "tflm_cpp_golden",
        "stream_cpp",
    ):
        assert (rows[name]["equal_bytes"], rows[name]["max_steps"]) == (1.0, 0.0)


def test_float_views_agree(result, rows):
    assert result["streaming_difference"] <= 1e-5
    for name in ("keras_streaming", "tflite_runtime_float", "litert_float"):
        assert rows[name]["snr_db"] is None or rows[name]["snr_db"] > 90


def test_int8_is_close_to_float(rows):
    assert rows["tflm_python"]["snr_db"] > GATES["enhance"].int8_snr_db
    for name in ("tflite_runtime", "litert"):  # another integer LSTM: other bytes
        assert (
            rows[name]["snr_db"] > GATES["enhance"].tflite_snr_db
            and rows[name]["max_steps"] <= GATES["enhance"].tflite_steps
        )


def test_cpp_stream_is_close_to_python_stream(rows):
    """The C++ FFT rounds differently from NumPy's.

    Rarely, a feature differs by one step, and the state keeps the difference.
    """
    assert (
        rows["stream_cpp_features"]["equal_bytes"] > 0.9999
        and rows["stream_cpp_features"]["max_steps"] <= 1
    )
    assert rows["stream_cpp_pcm"]["snr_db"] > GATES["enhance"].stream_snr_db


def test_parity_fails_when_a_byte_differs(monkeypatch):
    replay = host_tools.replay

    def broken(*arguments, **options):
        masks = replay(*arguments, **options)
        masks[-1, 0] ^= 1
        return masks

    monkeypatch.setattr(host_tools, "replay", broken)
    result = parity.parity(bundle.load("enhance"), checkpoint.load("enhance"), hops=20)
    assert not result["exact"] and not result["ok"]


def test_parity_fails_when_only_our_kernels_differ(monkeypatch):
    replay = host_tools.replay

    def broken(*arguments, kernels="tflm", **options):
        masks = replay(*arguments, kernels=kernels, **options)
        masks[-1, 0] ^= kernels == "groupcomm"
        return masks

    monkeypatch.setattr(host_tools, "replay", broken)
    result = parity.parity(bundle.load("enhance"), checkpoint.load("enhance"), hops=20)
    equal = {r["name"]: r["equal_bytes"] for r in result["runtimes"]}
    assert not result["exact"] and equal["tflm_cpp"] == 1 and equal["tflm_cpp_kernels"] < 1


def test_parity_fails_when_only_plain_c_differs(monkeypatch):
    run = runtimes.Static._invoke

    def broken(self, frame):
        masks = run(self, frame)
        masks[0, -1] ^= 1
        return masks

    monkeypatch.setattr(runtimes.Static, "_invoke", broken)
    result = parity.parity(bundle.load("enhance"), checkpoint.load("enhance"), hops=20)
    equal = {r["name"]: r["equal_bytes"] for r in result["runtimes"]}
    assert (
        not result["exact"]
        and equal["tflm_cpp"] == equal["tflm_cpp_kernels"] == 1
        and equal["static_c"] < 1
    )


def test_parity_fails_when_state_is_reset_every_hop(monkeypatch):
    """The first hop is right and all later hops are wrong.

    CMSIS-NN's LSTM has this fault on boards.
    """
    replay = host_tools.replay

    def forgetful(opened, features, *, passes=1, **options):
        alone = np.concatenate([replay(opened, frame[None], **options) for frame in features])
        return np.concatenate([alone] * passes)

    monkeypatch.setattr(host_tools, "replay", forgetful)
    opened = bundle.load("enhance")
    features, masks = opened.golden()
    np.testing.assert_array_equal(forgetful(opened, features[:1]), masks[:1])
    monkeypatch.setattr(bundle.Bundle, "golden", lambda self: (features[:8], masks[:8]))
    result = parity.parity(opened, checkpoint.load("enhance"), hops=8)
    equal = {r["name"]: r["equal_bytes"] for r in result["runtimes"]}
    assert not result["ok"] and all(
        equal[name] < 1 for name in ("tflm_cpp", "tflm_cpp_kernels", "tflm_cpp_golden")
    )


def test_parity_fails_when_group_state_persists_between_hops(
    monkeypatch,
):
    """A BLSTM across the groups is wrong after the first hop if its state persists."""
    opened, trained = bundle.load("enhance-blstm"), checkpoint.load("enhance-blstm")
    # Keras takes long hop by hop and has its own test. Both calls share the float conversion.
    sequence, float_model = trained.model("sequence"), export.to_float(trained)
    monkeypatch.setattr(
        parity,
        "_keras_streaming",
        lambda _, features: (lambda: sequence(features[None]).numpy()[0], lambda: None),
    )
    monkeypatch.setattr(export, "to_float", lambda _: float_model)
    result = parity.parity(opened, trained, hops=40)
    assert result["ok"] and result["exact"]
    snr = {r["name"]: r["snr_db"] for r in result["runtimes"]}
    assert all(
        snr[name] is None or snr[name] > 90 for name in ("tflite_runtime_float", "litert_float")
    )
    assert all(snr[name] > 20 for name in ("tflm_python", "tflite_runtime", "litert"))
    wrong = parity.parity(
        dataclasses.replace(opened, model=carrying(opened.model)), trained, hops=40
    )
    equal = {r["name"]: r["equal_bytes"] for r in wrong["runtimes"]}
    assert (
        not wrong["ok"] and not wrong["exact"] and equal["tflm_cpp"] < 1 and equal["stream_cpp"] < 1
    )
    assert {r["name"]: r["snr_db"] for r in wrong["runtimes"]}["tflm_python"] < snr[
        "tflm_python"
    ] - 3


def test_bundle_of_another_checkpoint_is_rejected(tmp_path):
    shutil.copytree(bundle.BUNDLES / "enhance", tmp_path / "b")
    file = tmp_path / "b" / "bundle.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"checkpoint_sha256": "0" * 64}))
    with pytest.raises(UserError, match="made from other weights"):
        parity.parity(bundle.load(str(tmp_path / "b")), checkpoint.load("enhance"), hops=20)
