"""Separators: a mixture in, estimates out, by whichever runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convert import runtimes
from convert.bundle import Bundle
from tf_model import signal as sig

if TYPE_CHECKING:  # a checkpoint's module takes TensorFlow, which reading a bundle does not need
    from tf_model import checkpoint


def from_runtime(bundle: Bundle, runtime: runtimes.Runtime):
    """Function mixture [shape=(samples,), float32] -> estimates [shape=(sources, samples), float32], int8 hop by hop from a fresh state."""

    def separate(mixture: np.ndarray) -> np.ndarray:
        spectrum = sig.stft(mixture, bundle.signal)
        runtime.reset()
        masks = bundle.dequantize_masks(runtime(bundle.quantize_features(sig.features(spectrum, bundle.signal))))
        return sig.istft(sig.apply_masks(spectrum, masks, bundle.sources), len(mixture), bundle.signal)

    return separate


def from_keras(trained: checkpoint.Checkpoint):
    """The same in float32 by the sequence view, for a network of any family."""
    from tf_model import networks

    model = trained.model("sequence")
    family = networks.family(trained.net)

    def separate(mixture: np.ndarray) -> np.ndarray:
        return family.separate(model, mixture[None], trained.net).numpy()[0]

    return separate
