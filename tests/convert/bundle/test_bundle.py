"""A bundle matches its network, and damage is reported."""

import dataclasses
import functools
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


HOSTILE = {  # path in bundle.json, value
    "name is '../../../x', not a name": ("name", "../../../x"),
    "name is '', not a name": ("name", ""),
    "name is '.*, not a name": ("name", "a" * 65),
    r"name is 'a\\x1b\[31mb', not a name": ("name", "a\x1b[31mb"),
    "name is 'int\u00e9', not a name": ("name", "int\u00e9"),
    "name is 'a/b', not a name": ("name", "a/b"),
    "schema True|schema is True": ("schema", True),
    "model.file is '/etc/passwd', not the name of a file": ("model.file", "/etc/passwd"),
    "model.file is '../x.tflite', not the name of a file": ("model.file", "../x.tflite"),
    "model.file is '..', not the name of a file": ("model.file", ".."),
    "golden.masks.file is '../m', not the name": ("golden.masks.file", "../m"),
    "model.bytes is 1152921504606846976, not in": ("model.bytes", 1 << 60),
    "model.tflite: .* bytes, bundle.json says 7": ("model.bytes", 7),
    "model.crc32 is -1, not in": ("model.crc32", -1),
    "model.tflite: checksum differs": ("model.crc32", 1),
    "features.scale is inf, not a finite number": ("features.scale", float("inf")),
    "features.scale is nan, not a finite number": ("features.scale", float("nan")),
    "masks.scale is 0, not a positive float32": ("masks.scale", 0),
    "masks.scale is 1e-300, not a positive float32": ("masks.scale", 1e-300),
    "masks .* are not those of the model": ("masks.scale", 0.5),
    "masks.zero_point is 128, not in -128 to 127": ("masks.zero_point", 128),
    "features.zero_point is True, not of the type integer": ("features.zero_point", True),
    "arena_bytes is 17179869184, not in 1 to": ("arena_bytes", 1 << 34),
    "arena_bytes is 0, not in 1 to": ("arena_bytes", 0),
    "golden.hops is 1000000000000, not in": ("golden.hops", 10**12),
    "golden.hops is -1, not in": ("golden.hops", -1),
    "signal.exponent is -1, not a positive float32": ("signal.exponent", -1),
    "exponent 1e\\+30: not in 0.05 to 2": ("signal.exponent", 1e30),
    "exponent 1e-30: not in 0.05 to 2": ("signal.exponent", 1e-30),
    "signal.waveform is 1, not of the type boolean": ("signal.waveform", 1),
    "signal.level is inf, not a finite number": ("signal.level", float("inf")),
    "sources is 1000000, not in 1 to 8": ("sources", 10**6),
    r"operators\[0\] is .*, not an operator": ("operators", [{"name": '"\n#include "x'}]),
    r"operators\[0\] is 'ADD', not an operator": ("operators", ["ADD"]),
    "operators are not those of the model": ("operators", []),
    r"producer is 'x\\n.*, not a text of one line": ("producer", "x\n\x1b[31m"),
    "producer is 'aaa.*, not a text of one line": ("producer", "a" * 201),
    "producer is 7, not of the type string": ("producer", 7),
    r"golden.tflm is '\\x1b', not a text": ("golden.tflm", "\x1b"),
    r"quantization.ranges is '\\r', not a text": ("quantization.ranges", "\r"),
    "quantization.activations is 1000000, not in 8 to 16": ("quantization.activations", 10**6),
    "quantization.weights is -4, not in 4 to 8": ("quantization.weights", -4),
    "quantization.calibration_hops is -1, not in": ("quantization.calibration_hops", -1),
    "checkpoint_sha256 is '../x', not 64 hexadecimal": ("checkpoint_sha256", "../x"),
    "checkpoint_sha256 is 'AA.*', not 64 hexadecimal": ("checkpoint_sha256", "A" * 64),
    "model.sha256 is '', not 64 hexadecimal digits": ("model.sha256", ""),
    "network is .*, not of the type object": ("network", [1]),
    "network is .*, not at most 64 numbers": ("network", {str(i): i for i in range(65)}),
    "network is {'groups': .*, not at most": ("network", {"groups": [16]}),
    "network is {'groups': inf}, not at most": ("network", {"groups": float("inf")}),
    r"network is {'a\\n': 1}, not at most": ("network", {"a\n": 1}),
    r"network is {'a': '\\x1b'}, not at most": ("network", {"a": "\x1b"}),
    "signal.level is 1000.*, not a finite number": ("signal.level", 10**400),
    "masks.scale is -1000.*, not a finite number": ("masks.scale", -(10**400)),
    "network is {'a': 1000.*}, not at most": ("network", {"a": 10**400}),
    "budget 3 is not a table of limits": ("budget", 3),
    r"budget 'a\\n' 'few' is not": ("budget", {"cortex-m4": {"a\n": "few"}}),
    "budget instructions -1 is not in 0 to": ("budget", {"cortex-m4": {"instructions": -1}}),
    "budget instructions 1000.* is not in 0 to": (
        "budget",
        {"cortex-m4": {"instructions": 10**400}},
    ),
    "budget instructions 'few' is not": ("budget", {"cortex-m4": {"instructions": "few"}}),
}


@pytest.mark.parametrize("message", HOSTILE)
def test_bundle_of_a_stranger_is_refused(bundle_copy, message):
    path, value = HOSTILE[message]
    *parents, key = path.split(".")
    edit(bundle_copy, lambda d: functools.reduce(dict.get, parents, d).update({key: value}))
    with pytest.raises(UserError, match=message) as raised:
        bundle.load(str(bundle_copy))
    assert "\n" not in str(raised.value) and "\x1b" not in str(raised.value)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize("text", ["[" * 100_000, "[1]", "3", '{"schema": 1' + "0" * 5000 + "}"])
def test_description_of_another_shape_is_refused(bundle_copy, text):
    (bundle_copy / "bundle.json").write_text(text)
    with pytest.raises(UserError, match=r"bundle.json: not a bundle description"):
        bundle.load(str(bundle_copy))
    nested = '{"schema": 2, "network": ' + "[" * 400 + "]" * 400 + "}"
    (bundle_copy / "bundle.json").write_text(nested)
    with pytest.raises(UserError, match="more than 16 lists or tables are in each other"):
        bundle.load(str(bundle_copy))
    (bundle_copy / "bundle.json").write_text("[" * (2 << 20))
    with pytest.raises(UserError, match=r"bundle.json: larger than 1048576 bytes"):
        bundle.load(str(bundle_copy))


def test_links_in_a_bundle_show_nothing_else(bundle_copy, tmp_path):
    """A link to another file is that file's content, and has to have the checksum."""
    secret, model = tmp_path / "secret", bundle_copy / "model.tflite"
    secret.write_bytes(b"x" * model.stat().st_size)
    for target, message in ((secret, "checksum differs"), ("/dev/zero", "missing")):
        model.unlink()
        model.symlink_to(target)
        with pytest.raises(UserError, match=f"model.tflite: {message}"):
            bundle.load(str(bundle_copy))


def test_golden_file_of_another_size_is_not_read(bundle_copy):
    with open(bundle_copy / "golden_masks.i8", "wb") as f:
        f.truncate(1 << 40)
    with pytest.raises(UserError, match="golden_masks.i8: missing or damaged"):
        bundle.load(str(bundle_copy)).golden()


def test_damaged_golden_vectors_are_reported(bundle_copy):
    flip(bundle_copy / "golden_masks.i8", 100)
    with pytest.raises(UserError, match="golden_masks.i8: missing or damaged"):
        bundle.load(str(bundle_copy)).golden()


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x1c\0\0\0TFL3" + b"\xff" * 40, b"\0" * 100])
def test_invalid_model_file_is_reported(tmp_path, content):
    (tmp_path / "m.tflite").write_bytes(content)
    with pytest.raises(UserError, match=r"m\.tflite: (not a|damaged) TFLite model"):
        counts.read(tmp_path / "m.tflite")
