"""What a bundle says of its own files is derived again, and a wrong claim is named."""

import hashlib
import json
import shutil
import zlib

import numpy as np
import pytest

from convert import bundle
from convert.tflite import tflm
from convert.verify import claims
from groupcomm.errors import UserError
from tests.helpers.cli import ok

NANO = bundle.BUNDLES / "enhance-nano"
ARENA = json.loads((NANO / "bundle.json").read_text())["arena_bytes"]


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(NANO, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def known_arena(monkeypatch):
    """Spare the search of the smallest arena, which takes seconds and has a test here."""
    monkeypatch.setattr("convert.bundle.smallest_arena", lambda _: ARENA)


def edit(folder, change):
    file = folder / "bundle.json"
    description = json.loads(file.read_text())
    change(description)
    file.write_text(json.dumps(description))


def flip(file, at):
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    return zlib.crc32(content)


def states(found):
    return {claim["name"]: claim["ok"] for claim in found["claims"]}


def test_all_claims_of_a_released_bundle_are_right(known_arena):
    found = claims.verify("enhance-nano")
    assert found["ok"] and set(states(found).values()) == {True}
    fields = {"signal", "features", "masks", "operators", "arena_bytes", "network", "budget"}
    golden = {f"golden.{what}" for what in ("features", "masks")}
    checksums = {"model.sha256", "model.crc32", "checkpoint_sha256"}
    checksums |= {f"golden.{what}.crc32" for what in ("pcm", "features", "masks")}
    sizes = {"model.bytes", *(f"golden.{what}.bytes" for what in ("pcm", "features", "masks"))}
    assert set(states(found)) == fields | golden | checksums | sizes


def test_each_wrong_claim_is_found(copy):
    """The checksums of the golden files are right, so only their derivation shows a change."""
    crcs = {what: flip(copy / f"golden_{what}.i8", 1000) for what in ("features", "masks")}

    def change(d):
        for what, crc in crcs.items():
            d["golden"][what]["crc32"] = crc
        d["arena_bytes"] += 16
        d["operators"][0]["version"] += 1
        d["network"]["hidden"] += 1
        d["budget"]["cortex-m99"] = {}

    edit(copy, change)
    found = claims.verify(str(copy))
    assert not found["ok"]
    assert {name for name, state in states(found).items() if state is not True} == {
        "golden.features",
        "golden.masks",
        "arena_bytes",
        "operators",
        "network",
        "budget",
    }
    derived = {claim["name"]: claim["derived"] for claim in found["claims"]}
    assert derived["arena_bytes"] == ARENA
    assert derived["golden.features"] == "1 of 80000 values differ"


@pytest.mark.parametrize("key, value", [("scale", 0.5), ("zero_point", 3), ("shape", [1, 7])])
def test_tensor_of_another_form_is_a_wrong_claim(copy, known_arena, key, value):
    edit(copy, lambda d: d["masks"].update({key: value}))
    found = states(claims.verify(str(copy)))
    assert (found["masks"], found["golden.masks"]) == (False, None)


def test_nothing_is_derived_from_a_damaged_model(copy):
    flip(copy / "model.tflite", 5000)
    result = ok("verify", copy, "--json", code=1)
    found = states(result)
    assert (found["model.bytes"], found["model.sha256"], found["model.crc32"]) == (1, 0, 0)
    assert {found[name] for name in ("signal", "operators", "arena_bytes", "golden.masks")} == {
        None
    }
    assert found["golden.features"] and not result["ok"]


def test_file_of_another_size_is_not_read(copy, known_arena):
    with open(copy / "golden_masks.i8", "wb") as f:
        f.truncate(1 << 40)
    found = states(claims.verify(str(copy)))
    assert (found["golden.masks.bytes"], found["golden.masks.crc32"]) == (False, None)


def test_trained_network_that_is_not_here_is_said(copy, known_arena, monkeypatch):
    masks = (copy / "golden_masks.i8").read_bytes()
    monkeypatch.setattr(tflm, "outputs", lambda *_: [np.frombuffer(masks, np.int8)])
    edit(copy, lambda d: d.update(checkpoint_sha256="0" * 64))
    found = claims.verify(str(copy))
    assert found["ok"] and states(found)["checkpoint_sha256"] is None


def strange_model(folder):
    content = b"\x1c\0\0\0TFL3" + b"\xff" * 40
    (folder / "model.tflite").write_bytes(content)
    checksums = {"sha256": hashlib.sha256(content).hexdigest(), "crc32": zlib.crc32(content)}
    edit(folder, lambda d: d["model"].update(checksums, bytes=len(content)))


HOSTILE = {
    r"name is 'a\\x1b\[31mb', not a name": lambda f: edit(f, lambda d: d.update(name="a\x1b[31mb")),
    "name is '../x', not a name": lambda f: edit(f, lambda d: d.update(name="../x")),
    "golden.masks.file is '../m', not the name": lambda f: edit(
        f, lambda d: d["golden"]["masks"].update(file="../m")
    ),
    "unexpected keyword argument 'gain'": lambda f: edit(f, lambda d: d["signal"].update(gain=1)),
    "golden_pcm.i16: missing": lambda f: (f / "golden_pcm.i16").unlink(),
    "no bundle of this name": lambda f: (f / "bundle.json").unlink(),
    "model.tflite: damaged TFLite model": strange_model,
}


@pytest.mark.parametrize("message", HOSTILE)
def test_bundle_of_a_stranger_is_refused(copy, message):
    HOSTILE[message](copy)
    with pytest.raises(UserError, match=message) as raised:
        claims.verify(str(copy))
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 600


def test_golden_hops_beyond_the_memory_are_refused(copy, monkeypatch):
    monkeypatch.setattr("groupcomm.limits.available_memory", lambda: 1 << 20)
    with pytest.raises(UserError, match="500 golden hops: needs about .* GB of memory"):
        claims.verify(str(copy))


def test_model_that_ends_the_process_of_tflm_is_refused(copy, known_arena, monkeypatch):
    verdict = tflm.Verdict(accepts=False, words="", ending="SIGSEGV")
    monkeypatch.setattr(tflm, "_ask", lambda *_: ([verdict], b""))
    with pytest.raises(UserError, match=r"model\.tflite: TFLM ends with SIGSEGV"):
        claims.verify(str(copy))
