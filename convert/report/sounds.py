"""Sounds of the page: compressed, with the gains that bring them to one level."""

import base64
import io

import numpy as np
import soundfile

from tf_model.signal import PCM_SCALE

PEAK = 0.89  # of full scale (-1 dBFS): the codec adds a little to a peak
MOST = 2_550_000  # characters of all sounds of a page; the rest of it takes less than 450 kB
LEVELS = (0.0, 0.2, 0.4, 0.6)  # of compression: from 66 to 35 kbit/s for speech


def encode_all(several: list[np.ndarray], rate: int) -> list[str]:
    """Compress the sounds of a page as MP3, in the best quality in which they have room.

    Parameters
    ----------
    several : list of np.ndarray [shape=(samples,), dtype=int16]
    rate : int
        Sample rate, Hz.

    Returns
    -------
    list of str
        In base64, at most `MOST` characters, unless the highest compression takes more.
    """
    for level in LEVELS:
        made = [base64.b64encode(encode(pcm, rate, level)).decode() for pcm in several]
        if sum(map(len, made)) <= MOST:
            break
    return made


def encode(pcm: np.ndarray, rate: int, level: float) -> bytes:
    """Compress a sound as MP3 of variable rate, which all browsers decode.

    FLAC would be exact, but four versions of every demo mixture would take 3.3 MB in a page.

    Parameters
    ----------
    pcm : np.ndarray [shape=(samples,), dtype=int16]
    rate : int
        Sample rate, Hz.
    level : float
        From 0, the best quality, to 1, the highest compression.

    Returns
    -------
    bytes
    """
    file = io.BytesIO()
    soundfile.write(
        file,
        pcm,
        rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=level,
    )
    return file.getvalue()


def gains(sounds: dict[str, np.ndarray]) -> tuple[float, dict[str, float]]:
    """Compute the gains of the versions of one mixture.

    Parameters
    ----------
    sounds : dict of str to np.ndarray [shape=(samples,), dtype=int16]

    Returns
    -------
    common : float
        The gain that brings the highest peak to `PEAK` and keeps the differences in level.
    matched : dict of str to float
        The gains that give all versions the same RMS level, the highest peak again at `PEAK`. 1 for
        digital silence.
    """
    scaled = {name: pcm / PCM_SCALE for name, pcm in sounds.items()}
    peaks = {name: float(np.abs(x).max()) for name, x in scaled.items()}
    levels = {name: float(np.sqrt(np.mean(x**2))) for name, x in scaled.items()}
    highest = max((peaks[name] / level for name, level in levels.items() if level), default=1.0)
    common = PEAK / (max(peaks.values()) or 1.0)
    return common, {
        name: PEAK / highest / level if level else 1.0 for name, level in levels.items()
    }
