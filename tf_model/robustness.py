"""Where recordings are not as in the mixer's book: rooms, levels, clipping, other sample rates, music, no noise, noise alone, silence.

Everything is heard as 16-bit PCM, as a board hears it.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import soxr

from calibration_data import corpus as corpora
from calibration_data import mixer
from calibration_data.audio import RATE
from groupcomm.console import progress
from tf_model import evaluate
from tf_model.signal import PCM_SCALE, to_pcm

LEVELS = (-50, -40, -30, -20)  # dBFS of the (first) speaker
CLIPPED = (5, 15)  # dB by which the loudest sample is beyond full scale
Make = Callable[[int], mixer.Mixture]


def robustness(separate, *, split: str, sources: int, mixtures: int, corpus: str) -> dict:
    """Score a separator under each condition, on mixtures that are else those of `evaluate`.

    Parameters
    ----------
    separate, split, sources, corpus : as `tf_model.evaluate.evaluate`.
    mixtures : of each condition.

    Returns
    -------
    dict with ``split``, ``mixtures``; ``conditions``, for each by name ``sisdr_in_db`` and ``sisdri_db`` {``mean``, ``low``, ``high``};
    ``without_noise_db``, SI-SDR of what becomes of mixtures without noise (of one speaker: of clean speech), against the speakers;
    ``noise_alone_db``, by how much noise without speech becomes softer; ``silence_dbfs``, the largest sample for digital silence, None
    where all are 0.

    Raises
    ------
    UserError
        When the corpus is missing, or has too little for the task.
    """
    data, spec = corpora.open_corpus(split, name=corpus), evaluate.spec(sources)
    found, clean, softer = {}, [], []
    conditions = _conditions(data, spec)
    with progress() as bar:
        task = bar.add_task("", total=mixtures * (len(conditions) + 2))
        for name, make in conditions.items():
            bar.update(task, description=name)
            scored = []
            for i in range(mixtures):
                scored.append(_score(separate, make(i)))
                bar.update(task, advance=1)
            better = evaluate.bootstrap(evaluate.improvements(scored))
            found[name] = {"sisdr_in_db": float(np.mean([s.before["sisdr"] for s in scored])), "sisdri_db": better}
        bar.update(task, description="without noise, noise alone")
        without = _mixtures(data, dataclasses.replace(spec, noise_probability=0.0))
        noisy = _mixtures(data, dataclasses.replace(spec, noise_probability=1.0))
        for i in range(mixtures):
            clean.append(_score(separate, without(i)).after["sisdr"])
            noise = _pcm(noisy(i).noise)
            softer.append(_level_db(noise) - _level_db(separate(noise).sum(0)))
            bar.update(task, advance=2)
    silence = np.abs(separate(np.zeros(spec.samples, np.float32))).max()
    return {
        "split": split,
        "mixtures": mixtures,
        "conditions": found,
        "without_noise_db": evaluate.bootstrap(clean),
        "noise_alone_db": evaluate.bootstrap(softer),
        "silence_dbfs": float(20 * np.log10(silence)) if silence else None,
    }


def _conditions(data: corpora.Corpus, spec: mixer.MixtureSpec) -> dict[str, Make]:
    plain = _mixtures(data, spec)
    made = {"as they are": plain, "rooms, RT60 0.1 to 0.5 s": _mixtures(data, dataclasses.replace(spec, room_probability=1.0))}
    for level in LEVELS:
        made[f"speech at {level} dBFS"] = _mixtures(data, dataclasses.replace(spec, level_db=(level, level)))
    # The mixer turns down what would clip.
    made["as loud as fits into 16 bits"] = _mixtures(data, dataclasses.replace(spec, level_db=(0, 0)))
    for beyond in CLIPPED:
        made[f"clipped, {beyond} dB beyond full scale"] = _clipped(plain, beyond)
    made["by way of 44.1 kHz"] = _resampled(plain, 44100)
    if music := tuple(group for group in data.categories if group.name == "music"):
        made["music"] = _mixtures(dataclasses.replace(data, categories=music), dataclasses.replace(spec, noise_probability=1.0))
    return made


def _mixtures(data: corpora.Corpus, spec: mixer.MixtureSpec) -> Make:
    return lambda index: mixer.mix(data, spec, seed=evaluate.EVALUATION_SEED, index=index)


def _clipped(make: Make, beyond_db: float) -> Make:
    def clipped(index):
        m = make(index)
        return dataclasses.replace(m, mixture=m.mixture * np.float32(10 ** (beyond_db / 20) / np.abs(m.mixture).max()))

    return clipped  # `_pcm` clips


def _resampled(make: Make, rate: int) -> Make:
    def resampled(index):
        m = make(index)
        there = soxr.resample(m.mixture, RATE, rate)
        return dataclasses.replace(m, mixture=soxr.resample(there, rate, RATE)[: len(m.mixture)])

    return resampled


def _score(separate, m: mixer.Mixture) -> evaluate.Score:
    m = dataclasses.replace(m, mixture=_pcm(m.mixture))
    return evaluate.score(0, m, separate(m.mixture))


def _pcm(x: np.ndarray) -> np.ndarray:
    """As a board hears it."""
    return to_pcm(x) / np.float32(PCM_SCALE)


def _level_db(x: np.ndarray) -> float:
    """Level in dBFS; nothing is softer than a step of PCM."""
    return float(20 * np.log10(max(np.sqrt(np.mean(x.astype(np.float64) ** 2)), 1 / PCM_SCALE)))
