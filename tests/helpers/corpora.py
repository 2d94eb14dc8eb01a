"""Small corpora of synthetic sounds, each built in a cache folder of its own."""

import numpy as np
import soundfile

from calibration_data.building import build

RATE = 16000


def build_buzzing_corpus(folder) -> None:
    """Build the corpus "tiny" in the present cache: six buzzing "speakers", six kinds of noise.

    Parameters
    ----------
    folder : Path
        Where the sounds are written.
    """
    random = np.random.default_rng(0)
    t = np.arange(3 * RATE) / RATE
    for speaker in range(6):
        (folder / "speech" / f"speaker{speaker}").mkdir(parents=True)
        for take in range(2):
            pitch = 90 + 30 * speaker + 5 * take
            buzz = (
                sum(np.sin(2 * np.pi * pitch * h * t) / h for h in range(1, 12))
                * (1 + np.sin(2 * np.pi * 3 * t))
                * 0.1
            )
            soundfile.write(folder / "speech" / f"speaker{speaker}" / f"{take}.wav", buzz, RATE)
    for kind in range(6):
        (folder / "noise" / f"kind{kind}").mkdir(parents=True)
        noise = np.convolve(random.standard_normal(4 * RATE) * 0.1, np.ones(kind + 1), "same")
        soundfile.write(folder / "noise" / f"kind{kind}" / "0.wav", noise, RATE)
    build.build_folder(folder / "speech", folder / "noise", "tiny")


def synthetic_sound(random, *, seconds=1.5, pitch=None) -> np.ndarray:
    """Harmonics of ``pitch`` in place of speech, or white noise without it.

    Returns
    -------
    np.ndarray [shape=(samples,)]
        float32, at 16 kHz.
    """
    n = int(seconds * RATE)
    if pitch is None:
        return (0.1 * random.standard_normal(n)).astype(np.float32)
    t = np.arange(n) / RATE
    voice = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 9))
    return (0.1 * voice * (1.1 + np.sin(2 * np.pi * 4 * t))).astype(np.float32)


def write_folders(top):
    """Write 20 speakers in the layout of LibriSpeech, and three categories of noise at 22.05 kHz.

    Returns
    -------
    tuple of Path
        The folders of speech and of noise.
    """
    random = np.random.default_rng(0)
    for speaker in range(20):
        for take in range(2):
            path = top / "speech" / f"{speaker:03}" / "7" / f"{take}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(
                path, synthetic_sound(random, pitch=90 + 10 * speaker, seconds=1 + 0.3 * take), RATE
            )
    for category in ("rain", "wind", "crowd"):
        for take in range(5):
            path = top / "noise" / category / f"{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, synthetic_sound(random, seconds=0.7), 22050)
    return top / "speech", top / "noise"
