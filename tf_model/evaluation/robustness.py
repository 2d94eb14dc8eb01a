"""Robustness of a separator to out-of-distribution conditions.

The same mixtures are scored under conditions that each change one property: high SNR, rooms, levels
from a whisper to full scale, clipping, another sample rate, music, DC offset, mains hum,
infrasound, and a pop at the start of the recording. Clean speech, noise alone and silence are
scored too. All input is rounded to 16-bit PCM, as on a board.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import soxr

from calibration_data import corpus as corpora
from calibration_data.audio import RATE
from calibration_data.mixing import microphone, mixer
from groupcomm.console import step
from tf_model.evaluation import evaluate
from tf_model.signal import PCM_SCALE, to_pcm

PLAIN = "as they are"
# Levels of the (first) speaker, dBFS; the first is that of a whisper.
LEVELS = (-60, -50, -40, -30, -20)
CLIPPED = (5, 15)  # dB by which the peak exceeds full scale
GOOD_SNR = (20.0, 40.0)  # dB
OFFSETS = (0.03, 0.1, 0.3)  # DC offset relative to full scale
HUM_DB = -35  # dBFS
HUM_HARMONICS = 10  # harmonic k has 1/k times the amplitude of the first
INFRASOUND = (8, -20)  # Hz, dBFS
POP = (0.5, 0.02)  # peak relative to full scale; time constant of the decay in s
Make = Callable[[int], mixer.Mixture]


def robustness(separate, *, split: str, sources: int, mixtures: int, corpus: str) -> dict:
    """Score a separator under each condition.

    The mixtures are those of `tf_model.evaluation.evaluate.evaluate`, but without rooms, DC offset
    and hum. Mixture i of every condition has the same speech, and the same noise unless the
    condition is about the noise, so that conditions can be compared per mixture.

    Parameters
    ----------
    separate, split, sources, corpus
        As for `tf_model.evaluation.evaluate.evaluate`.
    mixtures : int
        Number of mixtures of each condition.

    Returns
    -------
    dict
        - ``split``, ``mixtures``.
        - ``conditions``: for each condition ``sisdr_in_db`` and ``sisdr_out_db`` (means),
          ``sisdri_db`` with ``mean``, ``low`` and ``high``, and ``against_db`` with the same keys:
          SI-SDR of the output minus that for the unmodified mixture.
        - ``without_noise_db``: SI-SDR of the output for mixtures without noise (with one speaker:
          for clean speech).
        - ``noise_alone_db``: attenuation of noise without speech.
        - ``silence_dbfs``: largest sample of the output for digital silence, None if all are 0.

    Raises
    ------
    UserError
        When the corpus is missing, or is too small for the task.
    """
    data, spec = corpora.open_corpus(split, name=corpus), _plain(evaluate.spec(split, sources))
    scored, clean, softer = {}, [], []
    conditions = _conditions(data, spec)
    with step("robustness", mixtures * (len(conditions) + 2)) as shown:
        for name, make in conditions.items():
            shown.update(f"robustness: {name}")
            scored[name] = []
            for i in range(mixtures):
                scored[name].append(_score(separate, make(i)))
                shown.advance()
        shown.update("robustness: without noise, noise alone")
        without = _mixtures(data, dataclasses.replace(spec, noise_probability=0.0))
        noisy = _mixtures(data, dataclasses.replace(spec, noise_probability=1.0))
        for i in range(mixtures):
            clean.append(_score(separate, without(i)).after["sisdr"])
            noise = _pcm(noisy(i).noise)
            softer.append(_level_db(noise) - _level_db(separate(noise).sum(0)))
            shown.advance(2)
    silence = np.abs(separate(np.zeros(spec.samples, np.float32))).max()
    return {
        "split": split,
        "mixtures": mixtures,
        "conditions": {name: _summary(own, scored[PLAIN]) for name, own in scored.items()},
        "without_noise_db": evaluate.bootstrap(clean),
        "noise_alone_db": evaluate.bootstrap(softer),
        "silence_dbfs": float(20 * np.log10(silence)) if silence else None,
    }


def _summary(scored: list[evaluate.Score], plain: list[evaluate.Score]) -> dict:
    """Summarize the scores of a condition."""
    out = evaluate.after(scored, "sisdr")
    return {
        "sisdr_in_db": float(np.mean([s.before["sisdr"] for s in scored])),
        "sisdr_out_db": float(out.mean()),
        "sisdri_db": evaluate.bootstrap(evaluate.improvements(scored)),
        "against_db": evaluate.bootstrap(out - evaluate.after(plain, "sisdr")),
    }


def _plain(spec: mixer.MixtureSpec) -> mixer.MixtureSpec:
    """Remove from a specification what conditions add.

    In conditions with rooms, the noises are in the room too, and are the same recordings.
    """
    return dataclasses.replace(
        spec,
        room_probability=0.0,
        dc_probability=0.0,
        hum_probability=0.0,
        rt60=(0.1, 0.8),
        noise_in_room=True,
    )


def _conditions(data: corpora.Corpus, spec: mixer.MixtureSpec) -> dict[str, Make]:
    plain = _mixtures(data, spec)
    made = {
        PLAIN: plain,
        "SNR of 20 to 40 dB": _mixtures(data, dataclasses.replace(spec, snr_db=GOOD_SNR)),
        "rooms, RT60 0.1 to 0.8 s": _mixtures(
            data, dataclasses.replace(spec, room_probability=1.0)
        ),
    }
    for level in LEVELS:
        made[f"speech at {level} dBFS"] = _mixtures(
            data, dataclasses.replace(spec, level_db=(level, level))
        )
    # The mixer attenuates mixtures that would clip.
    made["loudest without clipping"] = _mixtures(data, dataclasses.replace(spec, level_db=(0, 0)))
    for beyond in CLIPPED:
        made[f"clipped by {beyond} dB"] = _clipped(plain, beyond)
    made["by way of 44.1 kHz"] = _resampled(plain, 44100)
    for offset in OFFSETS:
        made[f"DC of {offset:g} of full scale"] = _added(plain, np.full(spec.samples, offset))
    for hz in microphone.MAINS:
        made[f"hum of {hz:g} Hz at {HUM_DB} dBFS"] = _added(plain, _hum(spec.samples, hz))
    made["{} Hz at {} dBFS".format(*INFRASOUND)] = _added(plain, _tone(spec.samples, *INFRASOUND))
    made["a pop at the start"] = _added(
        plain, POP[0] * np.exp(-np.arange(spec.samples) / (POP[1] * RATE))
    )
    if music := tuple(group for group in data.categories if group.name == "music"):
        only = dataclasses.replace(spec, noise_probability=1.0, babble_probability=0.0)
        made["music"] = _mixtures(dataclasses.replace(data, categories=music), only)
    return made


def _mixtures(data: corpora.Corpus, spec: mixer.MixtureSpec) -> Make:
    return lambda index: mixer.mix(data, spec, seed=evaluate.EVALUATION_SEED, index=index)


def _clipped(make: Make, beyond_db: float) -> Make:
    def clipped(index):
        m = make(index)
        return dataclasses.replace(
            m, mixture=m.mixture * np.float32(10 ** (beyond_db / 20) / np.abs(m.mixture).max())
        )

    return clipped  # the amplified mixture, which `_pcm` clips


def _added(make: Make, sound: np.ndarray) -> Make:
    """Add a sound [shape=(samples,), dtype=float] to the mixture and to its noise."""

    def added(index):
        m = make(index)
        return dataclasses.replace(
            m,
            mixture=m.mixture + sound.astype(np.float32),
            noise=m.noise + sound.astype(np.float32),
        )

    return added


def _hum(samples: int, hz: float) -> np.ndarray:
    """Synthesize mains hum with harmonics [shape=(samples,), dtype=float32]."""
    harmonics = np.arange(1, HUM_HARMONICS + 1)
    return microphone.hum(samples, hz, 1 / harmonics, 0.1 * harmonics**2) * 10 ** (HUM_DB / 20)


def _tone(samples: int, hz: float, level_db: float) -> np.ndarray:
    """Synthesize a sine of this RMS level [shape=(samples,), dtype=float64]."""
    return np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * hz / RATE * np.arange(samples))


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
    """Round to 16-bit PCM, the input of a board."""
    return to_pcm(x) / np.float32(PCM_SCALE)


def _level_db(x: np.ndarray) -> float:
    """Compute the RMS level in dBFS, at least that of one step of 16-bit PCM."""
    return float(20 * np.log10(max(np.sqrt(np.mean(x.astype(np.float64) ** 2)), 1 / PCM_SCALE)))
