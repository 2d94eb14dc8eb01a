"""Decode any sound file to 16 kHz mono int16, without the silence at both ends."""

import io
from pathlib import PurePath

import numpy as np

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
    import soundfile
    import soxr

    if PurePath(path).suffix.lower() == ".g722":
        from G722 import G722

        sound, rate = np.asarray(G722(RATE, 64000).decode(data), np.float32) / 32768, RATE
    else:
        try:
            sound, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        # soundfile raises a TypeError for a format without a header.
        except (soundfile.LibsndfileError, TypeError) as e:
            raise ValueError("not a sound file") from e
        sound = sound.mean(axis=1)
    if sound.size and rate != RATE:
        sound = soxr.resample(sound, rate, RATE)
    if not sound.size or not np.isfinite(sound).all() or np.ptp(sound) < 1e-3:
        raise ValueError("silent or empty")
    sound = sound - sound.mean()
    sound, _ = librosa.effects.trim(sound, top_db=silence_db, frame_length=512, hop_length=128)
    return np.rint(np.clip(sound, -1, 32767 / 32768) * 32768).astype("<i2")
