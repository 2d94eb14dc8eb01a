"""How good it sounds, in numbers: SI-SDR improvement over a split's fixed mixtures."""

import dataclasses
import itertools

import numpy as np

from calibration_data import corpus as corpora
from calibration_data import mixer
from groupcomm.console import progress

EVALUATION_SEED = 2


def bootstrap(values: np.ndarray, *, draws: int = 4000, seed: int = 0) -> dict:
    """Mean and its 95 % interval by bootstrap over mixtures (Efron, "Bootstrap methods", Ann. Statist. 7(1), 1979).

    Returns
    -------
    dict with ``mean``, ``low``, ``high``.
    """
    values = np.asarray(values, np.float64)
    random = np.random.default_rng(seed)
    means = values[random.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def si_sdr_db(estimate: np.ndarray, reference: np.ndarray) -> float:
    """`tf_model.losses.si_sdr` of one signal [shape=(samples,)] in float64, without TensorFlow."""
    e = estimate.astype(np.float64) - estimate.mean(dtype=np.float64)
    r = reference.astype(np.float64) - reference.mean(dtype=np.float64)
    energy = r @ r + 1e-12
    target = (e @ r) / energy * r
    floor = 1e-8 * energy
    return float(10 * np.log10((target @ target + floor) / ((e - target) @ (e - target) + floor)))


def evaluate(separate, *, split: str, sources: int, mixtures: int, corpus: str, rooms: float = 0.0) -> dict:
    """Score a separator on the fixed mixtures of a split: speakers and noises of one split are in no other.

    Parameters
    ----------
    separate : function, mixture [shape=(samples,), float32] -> estimates [shape=(sources, samples), float32]; called once a mixture
        and starts from a fresh state each time.
    split : "validation" or "test".
    sources : 1 scores enhancement mixtures, 2 two-speaker mixtures with the best order of sources.
    mixtures : how many.
    corpus : name of the corpus.
    rooms : part of the mixtures that are in a simulated room.

    Returns
    -------
    dict with ``split``, ``mixtures``, ``sisdr_in_db``, ``sisdr_out_db``, ``sisdri_db`` {``mean``, ``low``, ``high``}.
    """
    before, after = scores(separate, split=split, sources=sources, mixtures=mixtures, corpus=corpus, rooms=rooms)
    return {
        "split": split,
        "mixtures": mixtures,
        "sisdr_in_db": float(before.mean()),
        "sisdr_out_db": float(after.mean()),
        "sisdri_db": bootstrap(after - before),
    }


def scores(separate, *, split: str, sources: int, mixtures: int, corpus: str, rooms: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """SI-SDR in dB of each mixture and of what became of it, both [shape=(mixtures,)]; parameters as `evaluate`."""
    data = corpora.open_corpus(split, name=corpus)
    spec = dataclasses.replace(mixer.SEPARATE_EVAL if sources == 2 else mixer.ENHANCE_EVAL, room_probability=rooms)
    before, after = [], []
    with progress() as bar:
        for i in bar.track(range(mixtures), description=f"evaluate on {split}"):
            m = mixer.mix(data, spec, seed=EVALUATION_SEED, index=i)
            estimates = separate(m.mixture)
            before.append(np.mean([si_sdr_db(m.mixture, s) for s in m.sources]))
            orders = itertools.permutations(range(sources))
            after.append(max(np.mean([si_sdr_db(estimates[o], s) for o, s in zip(order, m.sources, strict=True)]) for order in orders))
    return np.array(before), np.array(after)
