"""The delay of a baseline: how it is measured, and removed."""

from collections.abc import Iterable

import numpy as np

from calibration_data.audio import RATE
from convert.measure.baselines.baseline import Run

SLACK = RATE // 4  # samples after a mixture, so that a late output is whole


def delay(output: np.ndarray, clean: np.ndarray) -> int:
    """Return the delay of the output in samples.

    It is the lag of the highest cross-correlation with the clean speech, from -50 to 200 ms.
    """
    size = len(output) + len(clean)
    correlation = np.fft.irfft(np.fft.rfft(output, size) * np.conj(np.fft.rfft(clean, size)), size)
    lags = np.arange(-RATE // 20, RATE // 5)
    return int(lags[np.argmax(correlation[lags])])


def aligned(run: Run, late: int):
    """Return a separator that removes the delay of ``late`` samples of a baseline.

    It maps a mixture [shape=(samples,), dtype=float32] to an estimate
    [shape=(1, samples), dtype=float32].
    """

    def separate(mixture: np.ndarray) -> np.ndarray:
        y = run(np.pad(mixture.astype(np.float64), (0, SLACK)))
        y = np.pad(y, (max(0, -late), 0))[max(0, late) :]
        return np.pad(y, (0, max(0, len(mixture) - len(y))))[None, : len(mixture)].astype(
            np.float32
        )

    return separate


def delay_of(run: Run, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> int:
    """Return the delay of a baseline in samples, which mixtures and their clean speech show."""
    lags = [
        delay(run(np.pad(mixture.astype(np.float64), (0, SLACK))), clean)
        for mixture, clean in pairs
    ]
    return int(np.median(lags))
