"""One way to read a sound: any file to 16 kHz mono int16, without the silence around it."""

import io
from pathlib import PurePath

import numpy as np

RATE = 16000  # Hz
SUFFIXES = frozenset({".wav", ".ogg", ".flac", ".mp3", ".opus", ".g722"})


def decode(data: bytes, path: str, *, silence_db: float) -> np.ndarray:
    """Decode one file, mix it down to mono, resample it to 16 kHz and cut the silence at both ends.

    Parameters
    ----------
    data : the file's bytes
    path : its name; the suffix ``.g722`` chooses the G.722 decoder (64 kbit/s), anything else goes to libsndfile
    silence_db : a frame of 32 ms this many dB below the loudest one is silence

    Returns
    -------
    int16 [samples] at 16 kHz, zero mean

    Raises
    ------
    ValueError
        When it is no sound, or only silence; the message says which.
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
        except (soundfile.LibsndfileError, TypeError) as e:  # TypeError: a headerless format, for soundfile
            raise ValueError("not a sound file") from e
        sound = sound.mean(axis=1)
    if sound.size and rate != RATE:
        sound = soxr.resample(sound, rate, RATE)
    if not sound.size or not np.isfinite(sound).all() or np.ptp(sound) < 1e-3:
        raise ValueError("silent or empty")
    sound = sound - sound.mean()
    sound, _ = librosa.effects.trim(sound, top_db=silence_db, frame_length=512, hop_length=128)
    return np.rint(np.clip(sound, -1, 32767 / 32768) * 32768).astype("<i2")
