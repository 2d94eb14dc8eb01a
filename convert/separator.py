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


class Stream:
    """A network in a stream: sound in, the sound of every source out, in parts of whole hops.

    Parameters
    ----------
    bundle : Bundle
    runtime : runtimes.Runtime
        Runs the model of the bundle; the stream owns its state.
    """

    def __init__(self, bundle: Bundle, runtime: runtimes.Runtime):
        self._bundle, self._runtime = bundle, runtime
        self._path = sig.SignalStream(bundle.signal, bundle.sources)
        self.reset()

    def reset(self) -> None:
        """Go back to the start of a stream, the state of the network included."""
        self._path.reset()
        self._runtime.reset()

    def process(self, x: np.ndarray) -> np.ndarray:
        """Process the next hops.

        Parameters
        ----------
        x : np.ndarray [shape=(hops * hop,), float32]
            Samples in -1..1 at the sample rate of the bundle.

        Returns
        -------
        np.ndarray [shape=(sources, hops * hop), float32]
            ``window - hop`` samples behind the input.
        """
        spectrum, features = self._path.analyze(x)
        masks = self._runtime(self._bundle.quantize_features(features))
        return self._path.synthesize(spectrum, self._bundle.dequantize_masks(masks))

    def process_whole(self, x: np.ndarray) -> np.ndarray:
        """Process a whole sound from a fresh state; the result is aligned with it.

        Parameters
        ----------
        x : np.ndarray [shape=(samples,), float32]

        Returns
        -------
        np.ndarray [shape=(sources, samples), float32]
        """
        self.reset()
        front, back = self._bundle.signal.padding(len(x))
        out = self.process(np.pad(np.asarray(x, np.float32), (0, back)))
        return out[:, front : front + len(x)]


def from_runtime(bundle: Bundle, runtime: runtimes.Runtime):
    """Function mixture [shape=(samples,), float32] -> estimates [shape=(sources, samples), float32], int8 hop by hop from a fresh state."""
    return Stream(bundle, runtime).process_whole


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
        parts = runtime(
            np.stack([heard[i * hop : (i + 1) * hop + half] for i in range(hops)])
        )  # (hops, sources, hop + half)
        parts[1:, :, :half] += parts[:-1, :, hop:]
        estimates = np.concatenate(
            [*parts[..., :hop], parts[-1, :, hop:]], axis=-1
        )  # half a window behind the mixture
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
