"""Separators: a mixture in, estimates out, by whichever runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convert import runtimes
from convert.bundle import Bundle
from groupcomm.errors import UserError
from tf_model import signal as sig

if TYPE_CHECKING:  # a checkpoint's module takes TensorFlow, which reading a bundle does not need
    from tf_model import checkpoint
    from tf_model.networks.tasnet import TasNet


def from_runtime(bundle: Bundle, runtime: runtimes.Runtime):
    """Function mixture [shape=(samples,), float32] -> estimates [shape=(sources, samples), float32], int8 hop by hop from a fresh state."""

    def separate(mixture: np.ndarray) -> np.ndarray:
        spectrum = sig.stft(mixture, bundle.signal)
        runtime.reset()
        masks = bundle.dequantize_masks(runtime(bundle.quantize_features(sig.features(spectrum, bundle.signal))))
        return sig.istft(sig.apply_masks(spectrum, masks, bundle.sources, bundle.signal), len(mixture), bundle.signal)

    return separate


def from_float(net: TasNet, runtime: runtimes.Runtime):
    """The same by the float `.tflite` of a network of the papers' family: at once, or hop by hop from a fresh state.

    What takes all at once takes one length; another is a UserError.
    """

    def whole(mixture: np.ndarray) -> np.ndarray:
        if len(mixture) != runtime.width:
            raise UserError(
                f"{len(mixture)} samples, the model takes {runtime.width}; cut or pad, or convert for another length (--seconds)"
            )
        return runtime(mixture[None])[0]

    def hop_by_hop(mixture: np.ndarray) -> np.ndarray:
        half, hop = net.window // 2, net.hop
        hops = -(-len(mixture) // hop)
        heard = np.pad(mixture, (half, hops * hop - len(mixture)))
        runtime.reset()
        parts = runtime(np.stack([heard[i * hop : (i + 1) * hop + half] for i in range(hops)]))  # (hops, sources, hop + half)
        parts[1:, :, :half] += parts[:-1, :, hop:]
        estimates = np.concatenate([*parts[..., :hop], parts[-1, :, hop:]], axis=-1)  # half a window behind the mixture
        return estimates[:, half : half + len(mixture)]

    return hop_by_hop if net.causal else whole


def from_keras(trained: checkpoint.Checkpoint):
    """The same in float32 by the sequence view, for a network of any family."""
    from tf_model import networks

    model = trained.model("sequence")
    family = networks.family(trained.net)

    def separate(mixture: np.ndarray) -> np.ndarray:
        return family.separate(model, mixture[None], trained.net).numpy()[0]

    return separate
