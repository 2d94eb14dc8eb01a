"""A bundle matches its network, and damage is reported."""

import dataclasses
import json

import numpy as np
import pytest

from convert import bundle
from convert.tflite import counts, runtimes
from convert.tflite.graph import Quantization
from groupcomm.errors import UserError
from tf_model.training import checkpoint


@pytest.mark.tensorflow
def test_new_bundle_matches_its_description(tmp_path, tiny_net, monkeypatch):
    from tf_model.networks import streaming

    model = streaming.build(tiny_net)
    checkpoint.save(tmp_path / "net", "tiny", tiny_net, {}, model)
    trained = checkpoint.load(str(tmp_path / "net"))
    made = bundle.write(trained, tmp_path / "bundle")
    d = made.description
    assert d["checkpoint_sha256"] == trained.sha256()
    assert {o["name"]: o["count"] for o in d["operators"]} == {
        o.name: o.count for o in counts.read(made.path / "model.tflite").operators
    }
    features, masks = made.golden()
    assert features.shape == (d["golden"]["hops"], 129) and masks.shape == features.shape
    np.testing.assert_array_equal(runtimes.Tflm(made.model)(features), masks)
    pcm = np.fromfile(made.path / d["golden"]["pcm"]["file"], "<i2")
    np.testing.assert_array_equal(
        made.quantize_features(bundle.stream_features(pcm, made.signal)), features
    )

    # A budget is written by hand, and a new conversion keeps it. The model and the arena are
    # replaced by stubs, because both take long and no two conversions give the same model.
    assert "budget" not in d
    monkeypatch.setattr(
        "convert.quantization.ptq.integers",
        lambda *_, **__: (made.model, d["quantization"]["calibration_hops"]),
    )
    monkeypatch.setattr("convert.bundle.writer.smallest_arena", lambda _: d["arena_bytes"])
    budget = {"cortex-m4": {"instructions": 1000}}
    edit(made.path, lambda d: d.update(budget=budget, sources=7))
    assert bundle.write(trained, made.path).description == d | {"budget": budget}
    (made.path / "bundle.json").write_text("damaged")
    assert bundle.write(trained, made.path).description == d


def test_committed_bundles_match_their_committed_checkpoints():
    assert bundle.names()
    for name in bundle.names():
        assert bundle.load(name).description["checkpoint_sha256"] == checkpoint.load(name).sha256()


def test_quantization_rounds_half_to_even_and_saturates():
    q = Quantization.of(1.0).quantize(np.array([0.0, 0.5, 1.5, 2.5, -0.5, 300, -300]))
    assert q.tolist() == [0, 0, 2, 2, 0, 127, -128]
    x = np.linspace(0, 1, 1000, dtype=np.float32)
    mask = Quantization.of(1 / 256, -128)
    back = mask.dequantize(mask.quantize(x))
    assert np.abs(back - x)[x <= 255 / 256].max() <= 1 / 512 + 1e-7


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


def edit(folder, change):
    file = folder / "bundle.json"
    d = json.loads(file.read_text())
    change(d)
    file.write_text(json.dumps(d))


def test_bundle_without_dc_field_has_no_dc_removal(bundle_copy):
    edit(bundle_copy, lambda d: d["signal"].pop("dc", None))
    assert bundle.load(str(bundle_copy)).signal.dc == 0
    edit(bundle_copy, lambda d: d["signal"].update(dc=0.5))
    assert bundle.load(str(bundle_copy)).signal == dataclasses.replace(
        bundle.load("enhance").signal, dc=0.5
    )


DAMAGE = {
    "no bundle of this name": lambda f: (f / "bundle.json").unlink(),
    "model.tflite: missing": lambda f: (f / "model.tflite").unlink(),
    r"model.tflite: 1000 bytes, bundle.json says \d+": lambda f: (f / "model.tflite").write_bytes(
        (f / "model.tflite").read_bytes()[:1000]
    ),
    "model.tflite: checksum differs": lambda f: flip(f / "model.tflite", 5000),
    "bundle.json: schema 1, this program reads 2": lambda f: edit(f, lambda d: d.update(schema=1)),
    "bundle.json: not a bundle description": lambda f: (f / "bundle.json").write_text("not json"),
    "bundle.json: model is missing": lambda f: edit(f, lambda d: d.pop("model")),
    "bundle.json: name is 3, not of the type string": lambda f: edit(f, lambda d: d.update(name=3)),
    r"hop 120 does not divide half the window of 256; use 128 or 64": lambda f: edit(
        f, lambda d: d["signal"].update(hop=120)
    ),
    "dc -1: not a time constant": lambda f: edit(f, lambda d: d["signal"].update(dc=-1)),
    "bundle.json: masks .* are not 192 values": lambda f: edit(f, lambda d: d.update(sources=2)),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damage_is_reported(bundle_copy, message):
    DAMAGE[message](bundle_copy)
    with pytest.raises(UserError, match=message) as raised:
        bundle.load(str(bundle_copy))
    assert "\n" not in str(raised.value)


def test_damaged_golden_vectors_are_reported(bundle_copy):
    flip(bundle_copy / "golden_masks.i8", 100)
    with pytest.raises(UserError, match="golden_masks.i8: missing or damaged"):
        bundle.load(str(bundle_copy)).golden()


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL3" + b"\xff" * 40, b"\0" * 100])
def test_invalid_model_file_is_reported(tmp_path, content):
    (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(UserError, match=r"m\.tflite: (not a|damaged) TFLite model"):
        counts.read(tmp_path / "m.tflite")
