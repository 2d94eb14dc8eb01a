"""The bundle: all that a board needs of a network.

A bundle is a folder with model.tflite, bundle.json and golden vectors. The schema is in
docs/reference/bundle.md. The committed bundles are in ``convert/bundles/NAME`` and are addressed by
name, all others by their path.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calibration_data import clips
from convert import flatbuffer, quantize, ranges, runtimes
from groupcomm import __version__
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder, resource, sha256
from groupcomm.suggest import suggest
from tf_model import signal as sig
from tf_model.signal import to_pcm

if TYPE_CHECKING:  # tf_model.checkpoint imports TensorFlow, which reading a bundle does not need
    from tf_model import checkpoint

BUNDLES = resource("convert/bundles")
SCHEMA = 2
GOLDEN_HOPS = 500


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

    def quantize_features(self, features: np.ndarray) -> np.ndarray:
        """Quantize features [shape=(hops, inputs), dtype=float32] to the model's int8."""
        d = self.description["features"]
        return quantize.quantize(features, d["scale"], d["zero_point"])

    def dequantize_masks(self, masks: np.ndarray) -> np.ndarray:
        """Convert masks [shape=(hops, sources * values), dtype=int8] to float32 in 0..1."""
        d = self.description["masks"]
        return quantize.dequantize(masks, d["scale"], d["zero_point"])


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
    return _open(folder)


def _open(folder: Path) -> Bundle:
    file = folder / "bundle.json"
    try:
        d = json.loads(file.read_text())
        if d["schema"] != SCHEMA:
            raise UserError(
                f"{file}: schema {d['schema']}, this program reads {SCHEMA}; "
                "run `groupcomm convert` again"
            )
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
        rate = d["signal"]["sample_rate"]
        if (
            not isinstance(rate, int)
            or rate < 1
            or not isinstance(d["sources"], int)
            or d["sources"] < 1
        ):
            raise UserError(
                f"{file}: sample_rate {rate!r} or sources {d['sources']!r} is not a positive "
                "number; convert the network again"
            )
        if not isinstance(d["name"], str) or not isinstance(d["checkpoint_sha256"], str):
            raise UserError(
                f"{file}: name or checkpoint_sha256 is not a string; convert the network again"
            )
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
        if count := flatbuffer.read(model).stateful_sequences:
            raise UserError(
                f"{model}: {count} LSTMs start a sequence with the state of the previous hop, "
                "which is wrong for every network; convert it again"
            )
        return bundle
    except (ValueError, KeyError, TypeError, OSError) as e:
        raise UserError(
            f"{file}: not a bundle description ({type(e).__name__}: {e}); convert the network again"
        ) from e


# Prints the smallest arena, or 0 if none fits. A child process tries each size.
_SEARCH_ARENA = """
import os, sys
from tflite_micro.python.tflite_micro import runtime

model, largest = open(sys.argv[1], "rb").read(), int(sys.argv[2])

def fits(size):
    child = os.fork()
    if not child:
        try:
            runtime.Interpreter.from_bytes(model, arena_size=size).invoke()
        except Exception:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0

low, high = 0, 1024
while high <= largest and not fits(high):
    low, high = high, 2 * high
while high <= largest and high - low > 16:
    middle = (low + high) // 2
    low, high = (low, middle) if fits(middle) else (middle, high)
print(-(-high // 16) * 16 if high <= largest else 0)
"""


def smallest_arena(model: Path) -> int:
    """Find the smallest arena with which the official TFLM on this machine runs a model.

    The size is the peak during allocation, which exceeds the memory in use afterwards. TFLM's LSTM
    can end the process with a segmentation fault when the arena is too small, so each size is tried
    in a process of its own.

    Parameters
    ----------
    model : Path
        A `.tflite`.

    Returns
    -------
    int
        Bytes, a multiple of 16.

    Raises
    ------
    UserError
        When the model does not run in 16 MiB.
    """
    command = [sys.executable, "-c", _SEARCH_ARENA, str(model), str(2**24)]
    arena = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if not arena:
        raise UserError(
            f"{model}: TFLM does not run it in 16 MiB; "
            "`groupcomm inspect` lists unsupported operators"
        )
    return arena


def golden_pcm(hops: int, hop: int) -> np.ndarray:
    """Return real sound: an equal part from the start of every demo mixture.

    Parameters
    ----------
    hops : int
        Number of hops.
    hop : int
        Samples in a hop.

    Returns
    -------
    np.ndarray [shape=(hops * hop,), dtype=int16]

    Raises
    ------
    UserError
        When the demo mixtures are too short.
    """
    demos = clips.demo_mixtures()
    shares = [hops // len(demos) + (i < hops % len(demos)) for i in range(len(demos))]
    available = len(demos) * min(len(demo.mixture) // hop for demo in demos)
    if hops > available:
        raise UserError(
            f"{hops} hops requested, but the demo mixtures have {available} of {hop} samples; "
            "request fewer"
        )
    return to_pcm(
        np.concatenate(
            [demo.mixture[: share * hop] for demo, share in zip(demos, shares, strict=True)]
        )
    )


def stream_features(pcm: np.ndarray, bundle_signal: sig.Signal) -> np.ndarray:
    """Compute the features of a stream of whole hops, without the frames that flush it.

    Parameters
    ----------
    pcm : np.ndarray [shape=(samples,), dtype=int16]
    bundle_signal : Signal

    Returns
    -------
    np.ndarray [shape=(hops, inputs), dtype=float32]
    """
    spectrum = sig.stft(pcm.astype(np.float32) / np.float32(sig.PCM_SCALE), bundle_signal)
    return sig.features(spectrum[: len(pcm) // bundle_signal.hop], bundle_signal)


def _budget(folder: Path):
    """Return the ``budget`` of the bundle in a folder.

    It is None without a budget, and also without a readable bundle: conversion must be able to
    replace a damaged one.
    """
    try:
        return json.loads((Path(folder) / "bundle.json").read_text())["budget"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(
    trained: checkpoint.Checkpoint,
    folder: Path,
    *,
    method: ranges.Method | None = None,
    activations: int = 8,
    weights: int | None = None,
    name: str | None = None,
    calibration: Path | None = None,
) -> Bundle:
    """Quantize a network and write its bundle; the folder appears whole or not at all.

    The budget of a bundle that is replaced is kept.

    Parameters
    ----------
    trained : Checkpoint
        A network of the streaming family.
    folder : Path
        Where the bundle goes.
    method : str or None
        How to choose ranges, see `ranges.choose_range`. None selects the trained ranges if there
        are any, else "percentile" for 8 bits and "min-max" for 16 bits.
    activations : int
        Bits of the activations, 8 or 16. Features and masks have 8.
    weights : int or None
        Bits of the weights of FULLY_CONNECTED, 8 or 4. None selects the bits that were trained, or
        8. Only the official TFLM runs a bundle with 4 bits.
    name : str or None
        Name of the bundle. None selects the name of the network.
    calibration : Path or None
        A folder of sound files to choose ranges on, in place of the committed clips.

    Returns
    -------
    Bundle

    Raises
    ------
    UserError
        When the name is invalid, ``calibration`` is given although the ranges were trained, or the
        network cannot be quantized.
    """
    name = name or trained.name
    if not re.fullmatch(r"[A-Za-z][\w-]*", name):
        raise UserError(
            f"bundle name {name!r}: not valid; use letters, digits, '-' and '_', "
            "beginning with a letter"
        )
    weights = weights or trained.training.get("weights", 8)
    trained_ranges = method is None and activations == 8 and "ranges" in trained.training
    if trained_ranges and calibration is not None:
        raise UserError(
            f"--calibration {calibration}: the ranges of {trained.name} were trained; "
            "choose a method with --ranges to use these sounds"
        )
    method = None if trained_ranges else method or ("percentile" if activations == 8 else "min-max")
    budget = _budget(folder)
    model, calibration_hops = quantize.integers(
        trained, method=method, is_16x8=activations == 16, weights=weights, calibration=calibration
    )
    net = trained.net
    with atomic_folder(folder) as part:
        file = part / "model.tflite"
        file.write_bytes(model)
        parsed = flatbuffer.read(file)
        masks, features = parsed.outputs[0], parsed.inputs[0]
        pcm = golden_pcm(GOLDEN_HOPS, net.signal.hop)
        golden = {"pcm": ("golden_pcm.i16", pcm)}
        golden["features"] = (
            "golden_features.i8",
            quantize.quantize(
                stream_features(pcm, net.signal), features.scale, features.zero_point
            ),
        )
        golden["masks"] = ("golden_masks.i8", runtimes.Tflm(model)(golden["features"][1]))
        for golden_file, values in golden.values():
            (part / golden_file).write_bytes(
                values.astype(values.dtype.newbyteorder("<")).tobytes()
            )
        description = {
            "schema": SCHEMA,
            "name": name,
            "producer": f"groupcomm-micro {__version__}",
            "signal": dataclasses.asdict(net.signal),
            "sources": net.sources,
            "network": {
                k: v for k, v in dataclasses.asdict(net).items() if k not in ("signal", "sources")
            },
            "model": {
                "file": file.name,
                "bytes": len(model),
                "sha256": sha256(file),
                "crc32": zlib.crc32(model),
            },
            "features": features.as_dict(),
            "masks": masks.as_dict(),
            "operators": [
                {"name": o.name, "version": o.version, "count": o.count} for o in parsed.operators
            ],
            "arena_bytes": smallest_arena(file),
            "quantization": {
                "method": "ptq" if method else "qat",
                "ranges": method or "trained",
                "activations": activations,
                **({"weights": weights} if weights != 8 else {}),
                "calibration_hops": calibration_hops,
            },
            "checkpoint_sha256": trained.sha256(),
            **({"budget": budget} if budget else {}),
            "golden": {
                "hops": GOLDEN_HOPS,
                **{
                    k: {"file": written, "crc32": zlib.crc32((part / written).read_bytes())}
                    for k, (written, _) in golden.items()
                },
            },
        }
        (part / "bundle.json").write_text(json.dumps(description, indent=2) + "\n")
    return _open(folder)
