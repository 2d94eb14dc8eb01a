"""Separators: functions from a mixture to estimates, in any runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from convert.bundle import Bundle
from convert.tflite import runtimes
from groupcomm.errors import UserError
from tf_model import signal as sig

# Only for types: it imports TensorFlow, which reading a bundle does not need.
if TYPE_CHECKING:
    from tf_model.networks.tasnet import TasNet
    from tf_model.training import checkpoint


class Stream:
    """Processes a stream with a network, in blocks of whole hops.

    Parameters
    ----------
    bundle : Bundle
    runtime : runtimes.Runtime
        Runs the model of the bundle. The stream owns its state.

    Attributes
    ----------
    lowest_gain : float
        Every mask is raised to ``lowest_gain + (1 - lowest_gain) * mask``; with waveform, this
        share of the input is added to that of the estimates.
    """

    lowest_gain = 0.0

    def __init__(self, bundle: Bundle, runtime: runtimes.Runtime):
        self._bundle, self._runtime = bundle, runtime
        self._path = sig.SignalStream(bundle.signal, bundle.sources)
        self.reset()

    def reset(self) -> None:
        """Return to the start of a stream, including the state of the network."""
        self._path.reset()
        self._runtime.reset()

    def process(self, x: np.ndarray) -> np.ndarray:
        """Process the next hops.

        Parameters
        ----------
        x : np.ndarray [shape=(hops * hop,), dtype=float32]
            Samples in -1..1 at the sample rate of the bundle.

        Returns
        -------
        np.ndarray [shape=(sources, hops * hop), dtype=float32]
            The estimates, ``window - hop`` samples behind the input.
        """
        spectrum, features = self._path.analyze(x)
        masks = self._bundle.dequantize_masks(
            self._runtime(self._bundle.quantize_features(features))
        )
        if self.lowest_gain:
            unity = sig.unity_masks(features, self._bundle.sources, self._bundle.signal)
            masks = np.float32(self.lowest_gain) * unity + np.float32(1 - self.lowest_gain) * masks
        return self._path.synthesize(spectrum, masks)

    def process_whole(self, x: np.ndarray) -> np.ndarray:
        """Process a whole sound from the initial state; the result is aligned with it.

        Parameters
        ----------
        x : np.ndarray [shape=(samples,), dtype=float32]

        Returns
        -------
        np.ndarray [shape=(sources, samples), dtype=float32]
        """
        self.reset()
        front, back = self._bundle.signal.padding(len(x))
        out = self.process(np.pad(np.asarray(x, np.float32), (0, back)))
        return out[:, front : front + len(x)]


def from_runtime(bundle: Bundle, runtime: runtimes.Runtime):
    """Return a separator that runs the int8 model of a bundle, hop by hop from the initial state.

    Parameters
    ----------
    bundle : Bundle
    runtime : runtimes.Runtime

    Returns
    -------
    callable
        From a mixture [shape=(samples,), dtype=float32] to estimates
        [shape=(sources, samples), dtype=float32].
    """
    return Stream(bundle, runtime).process_whole


def from_float(net: TasNet, runtime: runtimes.Runtime):
    """Return a separator that runs the float `.tflite` of a network of the papers' family.

    A causal network runs hop by hop from the initial state. Another network takes a whole mixture
    of one fixed length, and the separator raises a `UserError` for any other length.

    Parameters
    ----------
    net : TasNet
    runtime : runtimes.Runtime

    Returns
    -------
    callable
        As for `from_runtime`.
    """

    def whole(mixture: np.ndarray) -> np.ndarray:
        if len(mixture) != runtime.width:
            raise UserError(
                f"{len(mixture)} samples, but the model takes {runtime.width}; "
                "crop or pad the mixture, or convert for another length (--seconds)"
            )
        return runtime(mixture[None])[0]

    def hop_by_hop(mixture: np.ndarray) -> np.ndarray:
        half, hop = net.window // 2, net.hop
        hops = -(-len(mixture) // hop)
        padded = np.pad(mixture, (half, hops * hop - len(mixture)))
        runtime.reset()
        windows = np.stack([padded[i * hop : (i + 1) * hop + half] for i in range(hops)])
        parts = runtime(windows)  # (hops, sources, hop + half)
        parts[1:, :, :half] += parts[:-1, :, hop:]
        # The estimates are half a window behind the mixture.
        estimates = np.concatenate([*parts[..., :hop], parts[-1, :, hop:]], axis=-1)
        return estimates[:, half : half + len(mixture)]

    return hop_by_hop if net.causal else whole


def from_keras(trained: checkpoint.Checkpoint):
    """Return a separator that runs the sequence view of a network of any family in float32.

    Parameters
    ----------
    trained : Checkpoint

    Returns
    -------
    callable
        As for `from_runtime`.
    """
    from tf_model import networks

    model = trained.model("sequence")
    family = networks.family(trained.net)

    def separate(mixture: np.ndarray) -> np.ndarray:
        return family.separate(model, mixture[None], trained.net).numpy()[0]

    return separate
