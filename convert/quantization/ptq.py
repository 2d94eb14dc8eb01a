"""Post-training quantization: from a checkpoint to an integer `.tflite`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calibration_data import clips
from convert.quantization import export, quantizer
from convert.quantization.calibration import Method, TensorStats, collect_statistics
from groupcomm.errors import UserError
from tf_model import signal as sig

# Only for types: it imports TensorFlow, which reading a bundle does not need.
if TYPE_CHECKING:
    from tf_model.training import checkpoint


def calibration_features(signal: sig.Signal, folder: Path | None = None) -> list[np.ndarray]:
    """Compute the features of the calibration clips.

    Parameters
    ----------
    signal : Signal
    folder : Path or None
        A folder of sound files. None selects the committed clips.

    Returns
    -------
    list of np.ndarray [shape=(frames, inputs), dtype=float32]
        One array for each clip.
    """
    sounds = clips.calibration_clips() if folder is None else clips.own_clips(folder)
    return [sig.features(sig.stft(clip.audio, signal), signal) for clip in sounds]


def integers(
    trained: checkpoint.Checkpoint,
    *,
    method: Method | None,
    is_16x8: bool,
    weights: int = 8,
    calibration: Path | None = None,
) -> tuple[bytes, int]:
    """Convert a network to an integer `.tflite`.

    Parameters
    ----------
    trained : Checkpoint
        A network of the streaming family.
    method : str or None
        How to choose ranges from the values of the float network on the calibration clips. None
        selects the ranges that were trained.
    is_16x8 : bool
    weights : int
        See `quantizer.quantize`.
    calibration : Path or None
        A folder of sound files to use in place of the committed clips.

    Returns
    -------
    model : bytes
    hops : int
        Number of hops that the ranges were chosen on, 0 for trained ranges.

    Raises
    ------
    UserError
        When the network is not of the streaming family, has an operator that cannot be quantized,
        or has no trained ranges although they were requested.
    """
    if method is None:
        return quantizer.quantize(
            export.to_float(trained), trained_ranges(trained), is_16x8=is_16x8, weights=weights
        ), 0
    model, sounds, observed = observe(trained, calibration)
    chosen = quantizer.choose_ranges(model, observed, method, is_16x8=is_16x8)
    return quantizer.quantize(model, chosen, is_16x8=is_16x8, weights=weights), sum(
        map(len, sounds)
    )


def trained_ranges(trained: checkpoint.Checkpoint) -> quantizer.Ranges:
    """Return the ranges that `groupcomm qat` trained.

    Parameters
    ----------
    trained : Checkpoint

    Returns
    -------
    dict of int to tuple of float
        Lowest and highest value by tensor index.

    Raises
    ------
    UserError
        When there are none.
    """
    if "ranges" not in trained.training:
        raise UserError(
            f"{trained.name}: no ranges were trained; train them with `groupcomm qat`, "
            "or choose a method with --ranges"
        )
    return {i: (low, high) for i, low, high in trained.training["ranges"]}


def observe(
    trained: checkpoint.Checkpoint, calibration: Path | None = None
) -> tuple[bytes, list[np.ndarray], dict[int, TensorStats]]:
    """Convert a network to float and collect statistics of its activations.

    Parameters
    ----------
    trained : Checkpoint
    calibration : Path or None
        A folder of sound files to use in place of the committed clips.

    Returns
    -------
    model : bytes
        The float `.tflite`.
    features : list of np.ndarray [shape=(frames, inputs), dtype=float32]
        Features of each clip.
    statistics : dict of int to TensorStats
        Statistics by tensor index.

    Raises
    ------
    UserError
        When the network is not of the streaming family.
    """
    from tf_model.networks import tasnet

    if isinstance(trained.net, tasnet.TasNet):
        raise UserError(
            f"{trained.name}: networks of the papers' family are not quantized; convert with "
            "--float, or use a network of the streaming family (enhance-tasnet is its form for "
            "boards)"
        )
    model = export.to_float(trained)
    sounds = calibration_features(trained.net.signal, calibration)
    return (
        model,
        sounds,
        collect_statistics(model, quantizer.activations(model), sounds),
    )
