"""Read and check a bundle."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import reprlib
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from convert import contract
from convert.contract import SCHEMA
from convert.tflite import counts, flatbuffer
from convert.tflite.graph import Quantization
from groupcomm.console import printable
from groupcomm.errors import UserError
from groupcomm.files import resource
from groupcomm.suggest import suggest
from tf_model import signal as sig

BUNDLES = resource("convert/bundles")
MAX_DESCRIPTION_BYTES = 1 << 20
MAX_DEPTH = 16  # of lists and tables in each other; bundles have 3


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle that was read and checked.

    Attributes
    ----------
    path : Path
        Its folder.
    description : dict
        The contents of bundle.json.
    model : bytes
        The `.tflite`.
    """

    path: Path
    description: dict
    model: bytes

    @property
    def name(self) -> str:
        """The name of the bundle."""
        return self.description["name"]

    @property
    def signal(self) -> sig.Signal:
        """The signal path of the network."""
        return sig.Signal(**self.description["signal"])

    @property
    def sources(self) -> int:
        """The number of sources that the network outputs."""
        return self.description["sources"]

    @property
    def activations(self) -> int:
        """Bits of the activations: 8, or 16 for 16x8."""
        return self.description["quantization"]["activations"]

    @property
    def counts(self) -> counts.Counts:
        """The parameters and the multiply-accumulates of the network."""
        return counts.count(flatbuffer.read(self.model))

    def golden(self) -> tuple[np.ndarray, np.ndarray]:
        """Read the golden vectors.

        Returns
        -------
        features : np.ndarray [shape=(hops, inputs), dtype=int8]
        masks : np.ndarray [shape=(hops, sources * values), dtype=int8]
            The masks that the official TFLM outputs for these features.

        Raises
        ------
        UserError
            When a file is missing or damaged.
        """
        golden = self.description["golden"]
        arrays = []
        for key in ("features", "masks"):
            file, (_, width) = self.path / golden[key]["file"], self.description[key]["shape"]
            # The size is checked first: a file of any size may be there.
            right_size = file.is_file() and file.stat().st_size == golden["hops"] * width
            content = file.read_bytes() if right_size else b""
            if zlib.crc32(content) != golden[key]["crc32"] or not right_size:
                raise UserError(
                    f"{file}: missing or damaged (its size or CRC-32 is not that of bundle.json); "
                    "convert the network again"
                )
            arrays.append(np.frombuffer(content, np.int8).reshape(golden["hops"], -1))
        return arrays[0], arrays[1]

    def quantization(self, what: str) -> Quantization:
        """Return the quantization of the ``"features"`` or the ``"masks"``."""
        d = self.description[what]
        return Quantization.of(d["scale"], d["zero_point"])

    def quantize_features(self, features: np.ndarray) -> np.ndarray:
        """Quantize features [shape=(hops, inputs), dtype=float32] to the model's int8."""
        return self.quantization("features").quantize(features)

    def dequantize_masks(self, masks: np.ndarray) -> np.ndarray:
        """Convert masks [shape=(hops, sources * values), dtype=int8] to float32 in 0..1."""
        return self.quantization("masks").dequantize(masks)


def names() -> list[str]:
    """Return the names of the committed bundles."""
    return sorted(p.parent.name for p in BUNDLES.glob("*/bundle.json"))


def own() -> list[Path]:
    """Return the folders of the bundles that `groupcomm convert` wrote to its default location."""
    return sorted(file.parent for file in Path("build/bundles").glob("*/bundle.json"))


def find(name_or_path: str) -> Path | None:
    """Return the folder of a bundle by committed name or by path; None when there is none."""
    folder = BUNDLES / name_or_path if name_or_path in names() else Path(name_or_path)
    return folder if (folder / "bundle.json").is_file() else None


def load(name_or_path: str) -> Bundle:
    """Open a bundle by committed name or by path, and check it.

    Parameters
    ----------
    name_or_path : str

    Returns
    -------
    Bundle

    Raises
    ------
    UserError
        When it is missing or has another schema, or its model is missing, truncated or changed.
    """
    return open_folder(folder_of(name_or_path))


def folder_of(name_or_path: str) -> Path:
    """Return the folder of a bundle, as `find`.

    Raises
    ------
    UserError
        When there is none.
    """
    folder = find(name_or_path)
    if folder is None:
        known = [*names(), *map(str, own())]
        hint = suggest(name_or_path, known, "make one with `groupcomm convert`")
        raise UserError(
            f"{name_or_path}: no bundle of this name and no folder with a bundle.json; {hint}"
        )
    return folder


def open_folder(folder: Path) -> Bundle:
    """Open the bundle in a folder, and check it; see `load`.

    A bundle may come from anyone. Nothing in it names a file outside of its folder, and nothing is
    larger than what it says.
    """
    bundle = describe(folder)
    with _description_errors(folder):
        bundle = dataclasses.replace(bundle, model=_model(folder, bundle.description))
        _check_model(bundle)
    return bundle


def describe(folder: Path) -> Bundle:
    """Read the description of a bundle, which may be anyone's, and not yet its model.

    Raises
    ------
    UserError
        When a field is missing, or is not what docs/reference/bundle.md says.
    """
    with _description_errors(folder):
        bundle = Bundle(folder, _description(folder / "bundle.json"), b"")
        _ = bundle.signal  # it checks the sizes of the signal path
    return bundle


@contextlib.contextmanager
def _description_errors(folder: Path) -> Iterator[None]:
    """Make one line of whatever a description of another shape raises."""
    file = folder / "bundle.json"
    try:
        yield
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as e:
        raise UserError(
            f"{file}: not a bundle description ({type(e).__name__}: {printable(str(e))}); "
            "convert the network again"
        ) from e


def _description(file: Path) -> dict:
    if file.stat().st_size > MAX_DESCRIPTION_BYTES:
        raise UserError(
            f"{file}: larger than {MAX_DESCRIPTION_BYTES} bytes, so it does not describe a bundle; "
            "convert the network again"
        )
    d = json.loads(file.read_text())
    if _is_deeper(d, MAX_DEPTH):
        raise ValueError(f"more than {MAX_DEPTH} lists or tables are in each other")
    if d["schema"] != SCHEMA:
        raise UserError(
            f"{file}: schema {reprlib.repr(d['schema'])}, this program reads {SCHEMA}; "
            "run `groupcomm convert` again"
        )
    if wrong := contract.problem(d):
        raise UserError(f"{file}: {wrong}; convert the network again")
    if wrong := contract.budget_problem(d.get("budget", {})):
        raise UserError(f"{file}: {wrong}; see docs/reference/bundle.md")
    return d


def _is_deeper(value: object, levels: int) -> bool:
    """Return whether a value of JSON has more than so many levels of lists and tables."""
    if not isinstance(value, (dict, list)):
        return False
    parts = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in parts)


def _model(folder: Path, d: dict) -> bytes:
    model = folder / d["model"]["file"]
    if not model.is_file():
        raise UserError(f"{model}: missing; convert the network again with `groupcomm convert`")
    if model.stat().st_size != d["model"]["bytes"]:
        raise UserError(
            f"{model}: {model.stat().st_size} bytes, bundle.json says {d['model']['bytes']}; "
            "convert the network again"
        )
    content = model.read_bytes()
    checksums = hashlib.sha256(content).hexdigest(), zlib.crc32(content)
    if checksums != (d["model"]["sha256"], d["model"]["crc32"]):
        raise UserError(
            f"{model}: checksum differs from bundle.json, the file is damaged; "
            "convert the network again"
        )
    return content


def _check_model(bundle: Bundle) -> None:
    """Raise a `UserError` when bundle.json and the model do not describe the same network."""
    d, file = bundle.description, bundle.path / "bundle.json"
    model = bundle.path / d["model"]["file"]
    found = counts.count(flatbuffer.read(bundle.model, str(model)))
    for key, count, tensors in (
        ("features", bundle.signal.n_features, found.inputs),
        ("masks", bundle.signal.n_values * bundle.sources, found.outputs),
    ):
        if (d[key]["shape"], d[key]["dtype"]) != ([1, count], "int8"):
            raise UserError(
                f"{file}: {key} {reprlib.repr(d[key])} are not {count} values in int8; "
                "convert the network again"
            )
        if [t.as_dict() for t in tensors] != [d[key]]:
            raise UserError(
                f"{file}: {key} {reprlib.repr(d[key])} are not those of the model; "
                "convert the network again"
            )
    if found.stateful_sequences:
        raise UserError(
            f"{model}: {found.stateful_sequences} LSTMs start a sequence with the state of the "
            "previous hop, which is wrong for every network; convert it again"
        )
    if [(o["name"], o["count"]) for o in d["operators"]] != [
        (o.name, o.count) for o in found.operators
    ]:
        raise UserError(f"{file}: operators are not those of the model; convert the network again")
