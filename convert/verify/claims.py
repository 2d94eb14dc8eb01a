"""Derive again what a bundle says of its own files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from convert import boards
from convert import bundle as bundles
from convert.bundle import Bundle
from convert.tflite import counts, flatbuffer, tflm
from groupcomm.errors import UserError
from groupcomm.limits import require_memory
from tf_model.training import checkpoint

_BYTES_PER_SAMPLE = 64  # what the features of a sample of a frame take on the way


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement of bundle.json, or a file that it names, and what was derived.

    Attributes
    ----------
    name : str
        Its field, such as ``"model.sha256"``.
    claimed, derived : any
        As in JSON. ``derived`` is None when nothing was.
    ok : bool or None
        Whether both are equal; None: not derived.
    reason : str
        Why it was not derived, or by what.
    """

    name: str
    claimed: Any
    derived: Any
    ok: bool | None
    reason: str = ""


class _Claims:
    def __init__(self) -> None:
        self.found: list[Claim] = []

    def compare(self, name: str, claimed: Any, derived: Any, reason: str = "") -> bool:
        """Note a claim, and return whether it is right."""
        self.found.append(Claim(name, claimed, derived, claimed == derived, reason))
        return claimed == derived

    def omit(self, name: str, claimed: Any, reason: str) -> None:
        """Note a claim that cannot be derived."""
        self.found.append(Claim(name, claimed, None, None, reason))


def verify(name_or_path: str) -> dict:
    """Derive again every checksum, size, golden file and count that a bundle claims.

    The features of the golden sound come from the Python signal path, the masks of these features
    and the arena from the official TFLM, in a process of its own, and the rest from the model.

    Parameters
    ----------
    name_or_path : str

    Returns
    -------
    dict
        ``bundle``, ``folder``, ``tflm`` (the version that computed here), ``claims``, each with the
        fields of `Claim`, and ``ok``: no claim is wrong. A claim is not derived when that from
        which it follows is wrong, or is not on this machine.

    Raises
    ------
    UserError
        When the folder is not a bundle, a file is missing, or the model is no model, although it is
        the one that bundle.json names.
    """
    folder = bundles.folder_of(name_or_path)
    bundle, claims = bundles.describe(folder), _Claims()
    d = bundle.description
    _require_memory(bundle)
    model = _file(claims, folder, "model", d["model"]["bytes"], d["model"])
    golden = {
        what: _file(claims, folder, f"golden.{what}", size, d["golden"][what])
        for what, size in _golden_sizes(bundle).items()
    }
    names = ("signal", "features", "masks", "operators", "arena_bytes")
    if model is None:
        for name in names:
            claims.omit(name, d[name], "the model is not the one that bundle.json names")
        fits = False
    else:
        fits = _model(claims, bundle, model)
    _features(claims, bundle, golden)
    _masks(claims, bundle, model if fits else None, golden)
    _checkpoint(claims, bundle)
    if "budget" in d:
        wrong = boards.budget_problem(d["budget"])
        claims.found.append(Claim("budget", d["budget"], wrong or None, not wrong))
    return {
        "bundle": bundle.name,
        "folder": str(folder),
        "tflm": metadata.version("tflite-micro"),
        "claims": [dataclasses.asdict(claim) for claim in claims.found],
        "ok": all(claim.ok is not False for claim in claims.found),
    }


def _golden_sizes(bundle: Bundle) -> dict[str, int]:
    hops, signal = bundle.description["golden"]["hops"], bundle.signal
    return {
        "pcm": hops * signal.hop * 2,
        "features": hops * signal.n_features,
        "masks": hops * signal.n_values * bundle.sources,
    }


def _require_memory(bundle: Bundle) -> None:
    hops = bundle.description["golden"]["hops"]
    needed = hops * bundle.signal.window * _BYTES_PER_SAMPLE + bundle.description["model"]["bytes"]
    require_memory(
        needed,
        f"{bundle.path / 'bundle.json'}: {hops} golden hops",
        "convert the network again",
    )


def _file(claims: _Claims, folder: Path, name: str, size: int, entry: dict) -> bytes | None:
    """Check size and checksums of a file; return its bytes, or None when one of them is wrong.

    A file of another size is not read: it may have any.
    """
    file = folder / entry["file"]
    if not file.is_file():
        raise UserError(f"{file}: missing; convert the network again")
    is_right = claims.compare(f"{name}.bytes", size, file.stat().st_size)
    kinds = [kind for kind in ("sha256", "crc32") if kind in entry]
    if not is_right:
        for kind in kinds:
            claims.omit(f"{name}.{kind}", entry[kind], f"{entry['file']} has another size")
        return None
    content = file.read_bytes()
    derived = {"sha256": hashlib.sha256(content).hexdigest(), "crc32": zlib.crc32(content)}
    for kind in kinds:
        is_right &= claims.compare(f"{name}.{kind}", entry[kind], derived[kind])
    return content if is_right else None


def _model(claims: _Claims, bundle: Bundle, model: bytes) -> bool:
    """Check what follows from the model; return whether its sizes are those of the signal path."""
    d, file = bundle.description, bundle.path / bundle.description["model"]["file"]
    found = counts.count(flatbuffer.read(model, str(file)))
    sizes = [[1, bundle.signal.n_features], [1, bundle.signal.n_values * bundle.sources]]
    tensors = [*found.inputs, *found.outputs]
    fits = claims.compare("signal", sizes, [list(t.shape) for t in tensors])
    fits &= [t.dtype for t in tensors] == ["int8", "int8"]
    for key, of_model in (("features", found.inputs), ("masks", found.outputs)):
        derived = [t.as_dict() for t in of_model]
        fits &= claims.compare(key, d[key], derived[0] if len(derived) == 1 else derived)
    operators = [{"name": o.name, "version": o.version, "count": o.count} for o in found.operators]
    claims.compare("operators", d["operators"], operators)
    if found.stateful_sequences:
        derived = f"{found.stateful_sequences} LSTMs begin with the state of the previous hop"
        claims.found.append(Claim("reset", "every sequence begins from zero", derived, False))
    claims.compare("arena_bytes", d["arena_bytes"], bundles.smallest_arena(file), _by_tflm(d))
    return fits


def _by_tflm(d: dict) -> str:
    """Return which two versions of TFLM are compared, "" where it is one."""
    here = metadata.version("tflite-micro")
    there = d["golden"].get("tflm", "unknown")
    return "" if there == here else f"by TFLM {here}; that of the bundle is {there}"


def _features(claims: _Claims, bundle: Bundle, golden: dict[str, bytes | None]) -> None:
    name, file = "golden.features", bundle.description["golden"]["features"]["file"]
    pcm, claimed = golden["pcm"], golden["features"]
    if pcm is None or claimed is None:
        claims.omit(name, file, "a golden file is not the one that bundle.json names")
        return
    derived = bundle.quantize_features(
        bundles.stream_features(np.frombuffer(pcm, "<i2"), bundle.signal)
    )
    _compare_values(claims, name, file, claimed, derived.tobytes())


def _masks(
    claims: _Claims, bundle: Bundle, model: bytes | None, golden: dict[str, bytes | None]
) -> None:
    name, d = "golden.masks", bundle.description
    features, claimed = golden["features"], golden["masks"]
    file = d["golden"]["masks"]["file"]
    if model is None or features is None or claimed is None:
        claims.omit(name, file, "the model or a golden file is not what bundle.json says")
        return
    rows = np.frombuffer(features, np.int8).reshape(d["golden"]["hops"], 1, -1)
    derived = tflm.outputs(model, [rows], str(bundle.path / d["model"]["file"]))[0]
    _compare_values(claims, name, file, claimed, derived.tobytes(), _by_tflm(d))


def _compare_values(
    claims: _Claims, name: str, file: str, claimed: bytes, derived: bytes, reason: str = ""
) -> None:
    """Compare a golden file with int8 values [shape=(hops * width,)], value by value."""
    different = np.count_nonzero(np.frombuffer(claimed, np.int8) != np.frombuffer(derived, np.int8))
    words = f"{different} of {len(claimed)} values differ" if different else file
    claims.found.append(Claim(name, file, words, not different, reason))


def _checkpoint(claims: _Claims, bundle: Bundle) -> None:
    """Check the trained network of a bundle, where it is on this machine."""
    d = bundle.description
    folder = checkpoint.find_by_checksum(d["checkpoint_sha256"])
    if folder is None:
        for name in ("checkpoint_sha256", "network"):
            claims.omit(name, d[name], "the trained network is not on this machine")
        return
    trained = checkpoint.load(str(folder))
    claims.compare("checkpoint_sha256", d["checkpoint_sha256"], trained.sha256())
    sizes = json.loads(json.dumps(dataclasses.asdict(trained.net)))
    # A bundle of an earlier release lacks the fields that were added since.
    defaults = {
        field.name: field.default
        for field in dataclasses.fields(trained.net)
        if field.default is not dataclasses.MISSING
    }
    signal = {"signal": dataclasses.asdict(bundle.signal), "sources": bundle.sources}
    claims.compare("network", {**defaults, **d["network"], **signal}, sizes)
