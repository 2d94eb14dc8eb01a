"""Decode any sound file to 16 kHz mono int16, without the silence at both ends."""

import io
from pathlib import PurePath

import numpy as np

from calibration_data.sound_file import SoundFile, cancelling
from groupcomm.console import note

MAX_SECONDS = 4 * 3600
RATE = 16000  # Hz
SUFFIXES = frozenset({".wav", ".ogg", ".flac", ".mp3", ".opus", ".g722"})


def decode(data: bytes, path: str, *, silence_db: float) -> np.ndarray:
    """Decode a sound file, mix it to mono, resample it to 16 kHz and remove silence at both ends.

    Parameters
    ----------
    data : bytes
        Content of the file.
    path : str
        Name of the file. The suffix ``.g722`` selects the G.722 decoder (64 kbit/s); libsndfile
        reads every other file.
    silence_db : float
        A frame of 32 ms that is this many dB below the loudest one is silence.

    Returns
    -------
    np.ndarray [shape=(samples,), dtype=int16]
        The sound at 16 kHz, little-endian. Its mean was subtracted before the silence was removed.

    Raises
    ------
    ValueError
        When the file is not a sound file, or is silent or empty; the message says which.
    """
    import librosa
    import soxr

    if PurePath(path).suffix.lower() == ".g722":
        from G722 import G722

        sound, rate = np.asarray(G722(RATE, 64000).decode(data), np.float32) / 32768, RATE
    else:
        sound, rate = _read(data, path)
    if sound.size and rate != RATE:
        sound = soxr.resample(sound, rate, RATE)
    if not sound.size or not np.isfinite(sound).all() or np.ptp(sound) < 1e-3:
        raise ValueError("silent or empty")
    sound = sound - sound.mean()
    sound, _ = librosa.effects.trim(sound, top_db=silence_db, frame_length=512, hop_length=128)
    return np.rint(np.clip(sound, -1, 32767 / 32768) * 32768).astype("<i2")


def _read(data: bytes, path: str) -> tuple[np.ndarray, int]:
    """Return the mono sound [shape=(samples,), dtype=float32] and its sample rate.

    Silent channels are mixed, too: the level of a corpus does not matter. A sound whose channels
    cancel is that of the loudest one.
    """
    file = SoundFile(io.BytesIO(data))
    if file.frames > MAX_SECONDS * file.rate:  # it is decoded in memory
        note(f"{path}: longer than {MAX_SECONDS // 3600} hours, left out; divide it")
        raise ValueError("too long")
    sound = file.read_float32()
    if file.channels > 1 and len(sound) > 1:
        loudest, words = cancelling(np.cov(sound, rowvar=False))
        if words:
            note(f"{path}: {words}")
            return sound[:, loudest], file.rate
    return sound.mean(axis=1), file.rate
