"""Quantize a network and write its bundle."""

from __future__ import annotations

import dataclasses
import json
import zlib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calibration_data import clips
from convert.bundle.arena import smallest_arena
from convert.bundle.reader import SCHEMA, Bundle, open_folder
from convert.quantization import ptq
from convert.quantization.calibration import Method
from convert.tflite import counts, runtimes
from convert.tflite.graph import Quantization
from groupcomm import __version__
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder, is_name, json_text, sha256
from tf_model import signal as sig
from tf_model.networks.sizes import Streaming
from tf_model.signal import to_pcm

# Only for types: it imports TensorFlow, which reading a bundle does not need.
if TYPE_CHECKING:
    from tf_model.training import checkpoint

GOLDEN_HOPS = 500


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


def _check_name(name: str) -> None:
    if not is_name(name):
        raise UserError(
            f"bundle name {name!r}: not valid; use lower-case letters, digits, '-' and '_', "
            "beginning with a letter"
        )


def _choose_method(
    trained: checkpoint.Checkpoint,
    method: Method | None,
    activations: int,
    calibration: Path | None,
) -> Method | None:
    """Return how to choose ranges; None: the trained ranges. See `write` for the parameters."""
    if method is not None:
        return method
    if activations != 8:
        return "min-max"
    if "ranges" not in trained.training:
        return "percentile"
    if calibration is not None:
        raise UserError(
            f"--calibration {calibration}: the ranges of {trained.name} were trained; "
            "choose a method with --ranges to use these sounds"
        )
    return None


def write(
    trained: checkpoint.Checkpoint,
    folder: Path,
    *,
    method: Method | None = None,
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
        How to choose ranges, see `calibration.choose_range`. None selects the trained ranges if
        there are any, else "percentile" for 8 bits and "min-max" for 16 bits.
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
    _check_name(name)
    weights = weights or trained.training.get("weights", 8)
    method = _choose_method(trained, method, activations, calibration)
    budget = _budget(folder)
    model, calibration_hops = ptq.integers(
        trained, method=method, is_16x8=activations == 16, weights=weights, calibration=calibration
    )
    quantization = {
        "method": "ptq" if method else "qat",
        "ranges": method or "trained",
        "activations": activations,
        **({"weights": weights} if weights != 8 else {}),
        "calibration_hops": calibration_hops,
    }
    with atomic_folder(folder) as part:
        file = part / "model.tflite"
        file.write_bytes(model)
        parsed = counts.read(file)
        description = {
            "schema": SCHEMA,
            "name": name,
            "producer": f"groupcomm-micro {__version__}",
            **_describe_network(trained.net),
            **_describe_model(file, parsed),
            "quantization": quantization,
            "checkpoint_sha256": trained.sha256(),
            **({"budget": budget} if budget else {}),
            "golden": _write_golden(part, model, parsed.inputs[0].quantization, trained.net.signal),
        }
        (part / "bundle.json").write_text(json_text(description))
    return open_folder(folder)


def _describe_network(net: Streaming) -> dict:
    sizes = dataclasses.asdict(net)
    return {"signal": sizes.pop("signal"), "sources": sizes.pop("sources"), "network": sizes}


def _describe_model(file: Path, parsed: counts.Counts) -> dict:
    content = file.read_bytes()
    return {
        "model": {
            "file": file.name,
            "bytes": len(content),
            "sha256": sha256(file),
            "crc32": zlib.crc32(content),
        },
        "features": parsed.inputs[0].as_dict(),
        "masks": parsed.outputs[0].as_dict(),
        "operators": [
            {"name": o.name, "version": o.version, "count": o.count} for o in parsed.operators
        ],
        "arena_bytes": smallest_arena(file),
    }


def _write_golden(
    folder: Path, model: bytes, quantization: Quantization, signal: sig.Signal
) -> dict:
    """Write real sound, its features, and the masks of the official TFLM; return their entry."""
    pcm = golden_pcm(GOLDEN_HOPS, signal.hop)
    features = quantization.quantize(stream_features(pcm, signal))
    contents = {
        "pcm": ("golden_pcm.i16", pcm.astype("<i2").tobytes()),
        "features": ("golden_features.i8", features.tobytes()),
        "masks": ("golden_masks.i8", runtimes.Tflm(model)(features).tobytes()),
    }
    for file, content in contents.values():
        (folder / file).write_bytes(content)
    return {
        "hops": GOLDEN_HOPS,
        "tflm": metadata.version("tflite-micro"),
        **{
            what: {"file": file, "crc32": zlib.crc32(content)}
            for what, (file, content) in contents.items()
        },
    }
