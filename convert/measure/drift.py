"""Measure whether the quality of int8 drifts in a long stream."""

import numpy as np

from calibration_data.audio import RATE
from convert import bundle as bundles
from convert.quantization import export
from convert.run import resolve
from convert.tflite import runtimes
from groupcomm.console import step
from tf_model import signal as sig
from tf_model.evaluation import evaluate
from tf_model.training import checkpoint

MINUTE = 60  # seconds
DRIFT = 0.05  # largest accepted drift, dB


def drift(
    bundle: bundles.Bundle, trained: checkpoint.Checkpoint, *, minutes: int, split: str, corpus: str
) -> dict:
    """Process one continuous stream, the same minute of mixtures repeatedly, in float and int8.

    Parameters
    ----------
    bundle : Bundle
    trained : Checkpoint
        The checkpoint that the bundle was made from.
    minutes : int
        Length of the stream, 3 or more.
    split, corpus : str
        Source of the mixtures.

    Returns
    -------
    dict
        ``bundle``, ``minutes``, ``split``, ``int8_db`` and ``float_db`` (SI-SDR improvement of each
        minute), ``drift_db`` (int8 in the last minute minus int8 in the second; the first starts
        from silence) and ``settled`` (the first minute whose int8 masks equal those of the last in
        every byte; None if that is the last itself).

    Raises
    ------
    UserError
        When the bundle was not made from this checkpoint, or there is no such corpus.
    """
    resolve.check_pair(bundle, trained)
    minute = _Minute(bundle, split, corpus)
    tflm, exact = runtimes.Tflm(bundle.model), runtimes.LiteRT(export.to_float(trained))
    int8_db, float_db, masks = [], [], []
    with step(f"minutes of {bundle.name}", minutes) as shown:
        for number in shown.track(range(minutes)):
            features = minute.features(is_first=number == 0)
            masks.append(tflm(bundle.quantize_features(features)))
            int8_db.append(minute.improvement_db(bundle.dequantize_masks(masks[-1])))
            float_db.append(minute.improvement_db(exact(features)))
    return {
        "bundle": bundle.name,
        "minutes": minutes,
        "split": split,
        "int8_db": int8_db,
        "float_db": float_db,
        "drift_db": int8_db[-1] - int8_db[1],
        "settled": _settled(masks),
    }


class _Minute:
    """A minute of mixtures, which a stream repeats.

    Parameters
    ----------
    bundle : Bundle
        Its signal path and its number of sources.
    split, corpus : str
        Source of the mixtures.
    """

    def __init__(self, bundle: bundles.Bundle, split: str, corpus: str):
        mixture = evaluate.fixed_mixtures(split, bundle.sources, corpus)
        self._signal, self._sources = bundle.signal, bundle.sources
        self._mixtures = [mixture(i) for i in range(MINUTE * RATE // mixture(0).mixture.size)]
        once = np.concatenate([m.mixture for m in self._mixtures])
        self._samples = once.size
        self._hops = once.size // self._signal.hop
        # Twice, because each minute but the first starts after the end of another.
        self._spectrum = sig.stft(np.concatenate([once, once]), self._signal)
        self._features = sig.features(self._spectrum, self._signal)

    def features(self, *, is_first: bool) -> np.ndarray:
        """Return the features [shape=(hops, inputs)] of the first minute, or of a later one."""
        start = 0 if is_first else self._hops
        return self._features[start : start + self._hops]

    def improvement_db(self, masks: np.ndarray) -> float:
        """Score the masks [shape=(hops, sources * values)] of a minute after the first."""
        flush = len(self._spectrum) - 2 * self._hops
        masked = sig.apply_masks(
            self._spectrum,
            np.concatenate([masks, masks, masks[:flush]]),
            self._sources,
            self._signal,
        )
        sound = sig.istft(masked, 2 * self._samples, self._signal)[:, self._samples :]
        estimates = np.split(sound, len(self._mixtures), axis=1)
        scored = [
            evaluate.score(i, mixture, estimate)
            for i, (mixture, estimate) in enumerate(zip(self._mixtures, estimates, strict=True))
        ]
        return float(np.mean(evaluate.improvements(scored)))


def _settled(masks: list[np.ndarray]) -> int | None:
    """Return the first minute, from 1, from which on all masks are equal; None if only the last."""
    different = [i for i, minute in enumerate(masks) if not np.array_equal(minute, masks[-1])]
    settled = different[-1] + 1 if different else 0
    return settled + 1 if settled < len(masks) - 1 else None
