"""Evaluation of separators: every measure over the fixed mixtures of a split."""

import contextlib
import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np

from calibration_data import corpus as corpora
from calibration_data.audio import RATE
from calibration_data.mixing import mixer
from groupcomm.console import step
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder, atomic_path, json_text
from tf_model.evaluation import metrics

EVALUATION_SEED = 2
WORST = 10  # number of mixtures that are listed
# Ranges of the SNR in dB; the lower end is inclusive.
SNRS = ((-10, -5), (-5, 0), (0, 5), (5, 10), (10, 15), (15, 20), (20, 25), (25, 30))
_SNR_ORDER = tuple(f"{low} to {high} dB" for low, high in SNRS)
SEXES = {
    "F": "a woman",
    "M": "a man",
    "FM": "a woman and a man",
    "FF": "two women",
    "MM": "two men",
}


def bootstrap(values: np.ndarray, *, draws: int = 4000, seed: int = 0) -> dict:
    """Compute a mean and its 95 % confidence interval by bootstrap over mixtures.

    Source: Efron, "Bootstrap methods", Ann. Statist. 7(1), 1979.

    Parameters
    ----------
    values : np.ndarray [shape=(mixtures,), dtype=float]
    draws : int
        Number of bootstrap samples.
    seed : int

    Returns
    -------
    dict
        ``mean``, ``low`` and ``high``.
    """
    values = np.asarray(values, np.float64)
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


@dataclasses.dataclass(frozen=True)
class Score:
    """The scores of a mixture. Each measure is the mean over its sources.

    Parameters
    ----------
    index : int
        Index of the mixture in the split.
    meta : dict
        Properties of the mixture, see `calibration_data.mixing.mixer.Mixture`.
    before, after : dict
        Value of each measure for the mixture, and for the estimates in their best order by SI-SDR.
    """

    index: int
    meta: dict
    before: dict[str, float]
    after: dict[str, float]


def evaluate(
    separate,
    *,
    split: str,
    sources: int,
    mixtures: int,
    corpus: str,
    rooms: float | None = None,
    measures=tuple(metrics.MEASURES),
) -> dict:
    """Score a separator on the fixed mixtures of a split.

    No speaker or noise of a split is in another split.

    Parameters
    ----------
    separate : callable
        Maps a mixture np.ndarray [shape=(samples,), dtype=float32] to estimates np.ndarray
        [shape=(sources, samples), dtype=float32]. It is called once per mixture and starts from the
        initial state each time.
    split : str
        "validation", "test" or "test-2026-11"; determines the kind of mixtures, see `spec`.
    sources : int
        1: mixtures for enhancement. 2: mixtures of two speakers, scored in the best order.
    mixtures : int
        Number of mixtures.
    corpus : str
        Name of the corpus.
    rooms : float or None
        Share of the mixtures in a simulated room; None: that of the mixtures of the split.
    measures : sequence of str
        Keys of `metrics.MEASURES`; must include "sisdr".

    Returns
    -------
    dict
        - ``split``, ``mixtures``, ``sisdr_in_db``, ``sisdr_out_db``, and ``sisdri_db`` with
          ``mean``, ``low`` and ``high``.
        - ``worst_twentieth_db``: mean SI-SDR improvement of the 5 % of mixtures with the lowest
          improvement.
        - ``harm``: share of the mixtures whose output is worse than the input.
        - ``measures``: for each measure ``in`` and ``out`` (means), ``improvement`` (with
          ``mean``, ``low`` and ``high``) and ``mixtures`` (the number of those for which the
          measure is defined).
        - ``by``: SI-SDR improvement by ``snr``, ``room``, ``disturbance``, ``noise``, ``speaker``
          and ``sexes``; each group has ``mixtures``, ``mean``, ``low``, ``high``,
          ``worst_twentieth`` and ``harm``.
        - ``worst``: the ten mixtures with the lowest improvement, each with ``index``,
          ``sisdri_db`` and its properties.
    """
    scored = scores(
        separate,
        split=split,
        sources=sources,
        mixtures=mixtures,
        corpus=corpus,
        rooms=rooms,
        measures=measures,
    )
    return summarize(scored, split=split, measures=measures)


def summarize(scored: list[Score], *, split: str, measures=tuple(metrics.MEASURES)) -> dict:
    """Summarize scores as `evaluate` does.

    Parameters
    ----------
    scored : list of Score
    split : str
        Where they are from.
    measures : sequence of str
        Those that the scores have.

    Returns
    -------
    dict
        As `evaluate`.
    """
    improvements_db = improvements(scored)
    return {
        "split": split,
        "mixtures": len(scored),
        "sisdr_in_db": float(np.mean([s.before["sisdr"] for s in scored])),
        "sisdr_out_db": float(np.mean([s.after["sisdr"] for s in scored])),
        "sisdri_db": bootstrap(improvements_db),
        "worst_twentieth_db": worst_twentieth(improvements_db),
        "harm": harm(improvements_db),
        "measures": {name: _summary(scored, name) for name in measures},
        "by": _by_condition(improvements_db, [s.meta for s in scored]),
        "worst": [
            {"index": scored[i].index, "sisdri_db": float(improvements_db[i]), **scored[i].meta}
            for i in np.argsort(improvements_db, kind="stable")[:WORST]
        ],
    }


def improvements(scored: list[Score]) -> np.ndarray:
    """Return the SI-SDR improvement of each mixture.

    Parameters
    ----------
    scored : list of Score

    Returns
    -------
    np.ndarray [shape=(mixtures,), dtype=float64]
        In dB.
    """
    return np.array([s.after["sisdr"] - s.before["sisdr"] for s in scored])


def after(scored: list[Score], measure: str) -> np.ndarray:
    """Return a measure of the output for each mixture.

    Where the measure is not defined (PESQ without an utterance), the value of the mixture is used,
    for every separator alike.

    Parameters
    ----------
    scored : list of Score
    measure : str
        A key of `metrics.MEASURES`.

    Returns
    -------
    np.ndarray [shape=(mixtures,), dtype=float64]
    """
    return np.array(
        [s.after[measure] if np.isfinite(s.after[measure]) else s.before[measure] for s in scored]
    )


def worst_twentieth(improvements_db: np.ndarray) -> float:
    """Compute the mean of the lowest 5 % of the improvements (at least one).

    Parameters
    ----------
    improvements_db : np.ndarray [shape=(mixtures,), dtype=float]
        Improvements in dB.

    Returns
    -------
    float
        In dB.
    """
    return float(np.sort(improvements_db)[: max(1, round(len(improvements_db) / 20))].mean())


def harm(improvements_db: np.ndarray) -> float:
    """Compute the share of mixtures whose output is worse than the input.

    Parameters
    ----------
    improvements_db : np.ndarray [shape=(mixtures,), dtype=float]
        Improvements in dB.

    Returns
    -------
    float
        In 0..1.
    """
    return float(np.mean(np.asarray(improvements_db) < 0))


def spec(
    split: str, sources: int, rooms: float | None = None, level_db: float | None = None
) -> mixer.MixtureSpec:
    """Return the specification of the evaluation mixtures of a split.

    Parameters
    ----------
    split, sources, rooms
        As for `evaluate`. "test-2026-11" has the mixtures of the releases before the splits were
        made by source.
    level_db : float or None
        Level of the first speaker in all mixtures, dBFS; None: that of the recordings.

    Returns
    -------
    mixer.MixtureSpec
    """
    if split == "test-2026-11":
        result = mixer.SEPARATE_EVAL_2026_11 if sources == 2 else mixer.ENHANCE_EVAL_2026_11
    else:
        result = mixer.SEPARATE_EVAL if sources == 2 else mixer.ENHANCE_EVAL
    if rooms is not None:
        result = dataclasses.replace(result, room_probability=rooms)
    return (
        result if level_db is None else dataclasses.replace(result, level_db=(level_db, level_db))
    )


def fixed_mixtures(
    split: str, sources: int, corpus: str, rooms: float | None = None, level_db: float | None = None
):
    """Return a function that makes the mixture of an index.

    Parameters
    ----------
    split, sources, rooms, level_db
        As for `spec`.
    corpus : str
        Name of the corpus.

    Returns
    -------
    callable
        Maps int to mixer.Mixture.
    """
    data, mixed = corpora.open_corpus(split, name=corpus), spec(split, sources, rooms, level_db)
    return lambda index: mixer.mix(data, mixed, seed=EVALUATION_SEED, index=index)


def write_worst(
    separate,
    worst: list[dict],
    folder: Path,
    *,
    split: str,
    sources: int,
    corpus: str,
    rooms: float | None = None,
) -> list[str]:
    """Write the mixtures with the lowest improvement, their sources and the estimates.

    The folder appears whole or not at all, and replaces an existing entry.

    Parameters
    ----------
    separate, split, sources, corpus, rooms
        As for `evaluate`.
    worst : list of dict
        From the result of `evaluate`.
    folder : Path

    Returns
    -------
    list of str
        Paths of WAV files, 16 kHz, float32: ``NNN_mixture.wav``, ``NNN_source1.wav``,
        ``NNN_estimate1.wav`` ...

    Raises
    ------
    UserError
        When the folder cannot be written.
    """
    import soundfile

    mixture = fixed_mixtures(split, sources, corpus, rooms)
    names = []
    with atomic_folder(folder) as part:
        for entry in worst:
            m = mixture(entry["index"])
            sounds = {"mixture": m.mixture}
            for kind, several in (("source", m.sources), ("estimate", separate(m.mixture))):
                sounds |= {f"{kind}{i + 1}": sound for i, sound in enumerate(several)}
            for kind, sound in sounds.items():
                names.append(f"{entry['index']:03d}_{kind}.wav")
                soundfile.write(part / names[-1], sound, RATE, subtype="FLOAT")
    return [str(folder / name) for name in names]


def scores(
    separate,
    *,
    split: str,
    sources: int,
    mixtures: int,
    corpus: str,
    rooms: float | None = None,
    level_db: float | None = None,
    measures=("sisdr",),
) -> list[Score]:
    """Score a separator on every mixture; see `evaluate` and `spec` for the parameters.

    Returns
    -------
    list of Score

    Raises
    ------
    UserError
        When the output of the separator is not finite.
    """
    mixture, scored = fixed_mixtures(split, sources, corpus, rooms, level_db), []
    with step(f"evaluate on {split}", mixtures) as shown:
        for i in shown.track(range(mixtures)):
            m = mixture(i)
            estimates = separate(m.mixture)
            if not np.isfinite(estimates).all():
                raise UserError(
                    f"mixture {i} of {split}: the output of the network is not finite; train it "
                    "again with a lower --learning-rate"
                )
            scored.append(score(i, m, estimates, measures))
    return scored


def score(index: int, m: mixer.Mixture, estimates: np.ndarray, measures=("sisdr",)) -> Score:
    """Score the estimates of a mixture.

    Parameters
    ----------
    index : int
        Index of the mixture in the split.
    m : mixer.Mixture
    estimates : np.ndarray [shape=(sources, samples), dtype=float32]
        In any order.
    measures : sequence of str
        Keys of `metrics.MEASURES`.

    Returns
    -------
    Score
    """

    def means(signals) -> dict[str, float]:
        pairs = list(zip(signals, m.sources, strict=True))
        return {
            name: float(np.mean([metrics.MEASURES[name](e, s) for e, s in pairs]))
            for name in measures
        }

    outputs = in_best_order(estimates, m.sources)
    return Score(index, m.meta, before=means([m.mixture] * len(m.sources)), after=means(outputs))


def in_best_order(estimates: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return the estimates in the order with the highest sum of SI-SDR.

    Parameters
    ----------
    estimates, sources : np.ndarray [shape=(sources, samples), dtype=float32]

    Returns
    -------
    np.ndarray [shape=(sources, samples), dtype=float32]
    """
    order = max(
        itertools.permutations(range(len(sources))),
        key=lambda o: sum(
            metrics.si_sdr_db(estimates[k], s) for k, s in zip(o, sources, strict=True)
        ),
    )
    return np.asarray(estimates)[list(order)]


def cached_scores(file: Path, of: dict, separate, **which) -> list[Score]:
    """Return `scores`, from a file if it has those of the same separator and parameters.

    Parameters
    ----------
    file : Path
        Written when it does not have these scores.
    of : dict
        Identifies the separator; must be serializable as JSON.
    separate : callable
        As for `evaluate`.
    **which
        Keyword arguments of `scores`.

    Returns
    -------
    list of Score
    """
    mixed = spec(which["split"], which["sources"], which.get("rooms"), which.get("level_db"))
    request = json.loads(
        json.dumps({**of, **which, "spec": dataclasses.asdict(mixed), "seed": EVALUATION_SEED})
    )
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # missing, or damaged
        cached = json.loads(file.read_text())
        if cached["asked"] == request:
            return [Score(**_with_nan(score)) for score in cached["scores"]]
    scored = scores(separate, **which)
    with atomic_path(file) as part:
        part.write_text(
            json_text({"asked": request, "scores": [dataclasses.asdict(s) for s in scored]})
        )
    return scored


def _with_nan(score: dict) -> dict:
    """Return a score as it was before it became JSON, which has null for NaN."""
    measures = {
        when: {k: math.nan if v is None else v for k, v in score[when].items()}
        for when in ("before", "after")
    }
    return score | measures


def _summary(scored: list[Score], name: str) -> dict:
    """Summarize a measure over all mixtures for which it is defined."""
    pairs = np.array([(s.before[name], s.after[name]) for s in scored])
    pairs = pairs[np.isfinite(pairs).all(1)]
    if not len(pairs):
        return {"in": None, "out": None, "improvement": None, "mixtures": 0}
    return {
        "in": float(pairs[:, 0].mean()),
        "out": float(pairs[:, 1].mean()),
        "improvement": bootstrap(pairs[:, 1] - pairs[:, 0]),
        "mixtures": len(pairs),
    }


def _by_condition(improvements_db: np.ndarray, metas: list[dict]) -> dict[str, dict]:
    """Summarize the improvements by every property of the mixtures."""
    groups = {
        "snr": [[_snr_range(meta["snr_db"])] for meta in metas],
        "room": [["no room" if meta["rt60"] is None else "in a room"] for meta in metas],
        "disturbance": [_disturbances(meta) for meta in metas],
        "noise": [meta["categories"] or ["none"] for meta in metas],
        "speaker": [meta["speakers"] for meta in metas],
        "sexes": [[SEXES.get(meta["sexes"], "sex unknown")] for meta in metas],
    }
    return {
        name: _by(improvements_db, of, _SNR_ORDER if name == "snr" else ())
        for name, of in groups.items()
    }


def _by(
    values: np.ndarray, groups: list[list[str]], order: tuple[str, ...] = ()
) -> dict[str, dict]:
    """Summarize the improvements by group; a mixture may belong to several groups.

    The groups in ``order`` come first, in that order; the others follow by name.
    """
    result = {}
    found = {name for names in groups for name in names}
    for name in [name for name in order if name in found] + sorted(found.difference(order)):
        members = np.array(
            [value for value, names in zip(values, groups, strict=True) if name in names]
        )
        result[name] = {
            "mixtures": len(members),
            **bootstrap(members),
            "worst_twentieth": worst_twentieth(members),
            "harm": harm(members),
        }
    return result


def _snr_range(snr_db: float | None) -> str:
    if snr_db is None:
        return "no noise"
    for (low, high), name in zip(SNRS, _SNR_ORDER, strict=True):
        if low <= snr_db < high:
            return name
    return "another"


def _disturbances(meta: dict) -> list[str]:
    """Name the disturbances that the microphone adds to the mixture."""
    return [
        words for key, words in (("dc", "offset (DC)"), ("hum", "hum")) if meta[key] is not None
    ] or ["neither offset nor hum"]
