"""Read and check a bundle."""

from __future__ import annotations

import dataclasses
import json
import zlib
from pathlib import Path

import numpy as np

from convert import contract
from convert.contract import SCHEMA
from convert.tflite import counts
from convert.tflite.graph import Quantization
from groupcomm.errors import UserError
from groupcomm.files import resource, sha256
from groupcomm.suggest import suggest
from tf_model import signal as sig

BUNDLES = resource("convert/bundles")


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
            file = self.path / golden[key]["file"]
            content = file.read_bytes() if file.is_file() else b""
            if zlib.crc32(content) != golden[key]["crc32"]:
                raise UserError(
                    f"{file}: missing or damaged (its CRC-32 is not that of bundle.json); "
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
    folder = find(name_or_path)
    if folder is None:
        known = [*names(), *map(str, own())]
        hint = suggest(name_or_path, known, "make one with `groupcomm convert`")
        raise UserError(
            f"{name_or_path}: no bundle of this name and no folder with a bundle.json; {hint}"
        )
    return open_folder(folder)


def open_folder(folder: Path) -> Bundle:
    """Open the bundle in a folder, and check it; see `load`."""
    file = folder / "bundle.json"
    try:
        d = json.loads(file.read_text())
        if d["schema"] != SCHEMA:
            raise UserError(
                f"{file}: schema {d['schema']}, this program reads {SCHEMA}; "
                "run `groupcomm convert` again"
            )
        if wrong := contract.problem(d):
            raise UserError(f"{file}: {wrong}; convert the network again")
        model = folder / d["model"]["file"]
        if not model.is_file():
            raise UserError(f"{model}: missing; convert the network again with `groupcomm convert`")
        content = model.read_bytes()
        if len(content) != d["model"]["bytes"]:
            raise UserError(
                f"{model}: {len(content)} bytes, bundle.json says {d['model']['bytes']}; "
                "convert the network again"
            )
        if sha256(model) != d["model"]["sha256"]:
            raise UserError(
                f"{model}: checksum differs from bundle.json, the file is damaged; "
                "convert the network again"
            )
        bundle = Bundle(folder, d, content)
        for key, count in (
            ("features", bundle.signal.n_features),
            ("masks", bundle.signal.n_values * bundle.sources),
        ):
            if (
                (d[key]["shape"], d[key]["dtype"]) != ([1, count], "int8")
                or not d[key]["scale"] > 0
                or abs(d[key]["zero_point"]) > 128
            ):
                raise UserError(
                    f"{file}: {key} {d[key]} are not {count} values in int8; "
                    "convert the network again"
                )
        if count := counts.read(model).stateful_sequences:
            raise UserError(
                f"{model}: {count} LSTMs start a sequence with the state of the previous hop, "
                "which is wrong for every network; convert it again"
            )
        return bundle
    except (ValueError, KeyError, TypeError, OSError) as e:
        raise UserError(
            f"{file}: not a bundle description ({type(e).__name__}: {e}); convert the network again"
        ) from e
