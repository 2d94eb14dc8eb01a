"""How good it sounds, in numbers: SI-SDR, SDR, PESQ and STOI over a split's fixed mixtures, and where it does badly."""

import contextlib
import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np

from calibration_data import corpus as corpora
from calibration_data import mixer
from calibration_data.audio import RATE
from groupcomm.console import progress
from groupcomm.files import atomic_folder, atomic_path

EVALUATION_SEED = 2
WORST = 5  # mixtures that are listed


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


def sdr_db(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Signal-to-distortion ratio: a fixed filter of 512 taps on the reference is no distortion (Vincent et al., "Performance measurement in
    blind audio source separation", TASLP 2006)."""
    import fast_bss_eval

    return float(
        fast_bss_eval.sdr(
            reference[None].astype(np.float64), estimate[None].astype(np.float64), clamp_db=80
        )[0]
    )


def pesq_wb(estimate: np.ndarray, reference: np.ndarray) -> float:
    """PESQ, wide band (ITU-T P.862.2), of 16 kHz; NaN where it finds no utterance."""
    import pesq

    score = pesq.pesq(RATE, reference, estimate, "wb", on_error=pesq.PesqError.RETURN_VALUES)
    return float(score) if score > 0 else math.nan


def stoi(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Short-time objective intelligibility (Taal et al., TASLP 2011), 0..1."""
    import pystoi

    return float(pystoi.stoi(reference, estimate, RATE))


def estoi(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Extended short-time objective intelligibility (Jensen and Taal, TASLP 2016), 0..1."""
    import pystoi

    return float(pystoi.stoi(reference, estimate, RATE, extended=True))


MEASURES = {"sisdr": si_sdr_db, "sdr": sdr_db, "pesq": pesq_wb, "stoi": stoi, "estoi": estoi}
# dB; a mixture belongs to the range whose lower end it reaches
SNRS = ((-10, -5), (-5, 0), (0, 5), (5, 10), (10, 15), (15, 20), (20, 25), (25, 30))
SEXES = {
    "F": "a woman",
    "M": "a man",
    "FM": "a woman and a man",
    "FF": "two women",
    "MM": "two men",
}


@dataclasses.dataclass(frozen=True)
class Score:
    """A mixture, and what became of it: a measure is the mean over its sources.

    Parameters
    ----------
    index : of the mixture among those of the split.
    meta : the mixture's, see `calibration_data.mixer.Mixture`.
    before, after : of each measure, for the mixture and for the estimates in their best order by SI-SDR.
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
    measures=tuple(MEASURES),
) -> dict:
    """Score a separator on the fixed mixtures of a split: speakers and noises of one split are in no other.

    Parameters
    ----------
    separate : function, mixture [shape=(samples,), float32] -> estimates [shape=(sources, samples), float32]; called once a mixture
        and starts from a fresh state each time.
    split : "validation", "test" or "test-2026-11"; it decides what the mixtures are like, see `spec`.
    sources : 1 scores enhancement mixtures, 2 two-speaker mixtures with the best order of sources.
    mixtures : how many.
    corpus : name of the corpus.
    rooms : part of the mixtures that are in a simulated room; None: as many as the split's mixtures have.
    measures : of `MEASURES`, SI-SDR among them.

    Returns
    -------
    dict with ``split``, ``mixtures``, ``sisdr_in_db``, ``sisdr_out_db``, ``sisdri_db`` {``mean``, ``low``, ``high``};
    ``worst_twentieth_db``, the mean SI-SDR improvement of the 5 % that gained least; ``harm``, the part of the mixtures that come out worse
    than they went in; ``measures``, for each ``in`` and ``out`` (means), ``better`` {``mean``, ``low``, ``high``} and ``mixtures`` (those
    for which the measure exists); ``by``, SI-SDR improvement by ``snr``, ``room``, ``disturbance``, ``noise``, ``speaker`` and ``sexes``,
    each group with ``mixtures``, ``mean``, ``low``, ``high``, ``worst_twentieth`` and ``harm``; ``worst``, the five mixtures that gained
    least, each with ``index``, ``sisdri_db`` and what they are.
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
    better = improvements(scored)
    return {
        "split": split,
        "mixtures": mixtures,
        "sisdr_in_db": float(np.mean([s.before["sisdr"] for s in scored])),
        "sisdr_out_db": float(np.mean([s.after["sisdr"] for s in scored])),
        "sisdri_db": bootstrap(better),
        "worst_twentieth_db": worst_twentieth(better),
        "harm": harm(better),
        "measures": {name: _summary(scored, name) for name in measures},
        "by": {
            "snr": _by(better, [[_snr_range(s.meta["snr_db"])] for s in scored]),
            "room": _by(
                better, [["no room" if s.meta["rt60"] is None else "in a room"] for s in scored]
            ),
            "disturbance": _by(better, [_disturbances(s.meta) for s in scored]),
            "noise": _by(better, [s.meta["categories"] or ["none"] for s in scored]),
            "speaker": _by(better, [s.meta["speakers"] for s in scored]),
            "sexes": _by(better, [[SEXES.get(s.meta["sexes"], "sex unknown")] for s in scored]),
        },
        "worst": [
            {"index": scored[i].index, "sisdri_db": float(better[i]), **scored[i].meta}
            for i in np.argsort(better, kind="stable")[:WORST]
        ],
    }


def improvements(scored: list[Score]) -> np.ndarray:
    """By how many dB of SI-SDR each mixture is better [shape=(mixtures,)]."""
    return np.array([s.after["sisdr"] - s.before["sisdr"] for s in scored])


def after(scored: list[Score], measure: str) -> np.ndarray:
    """A measure of every output [shape=(mixtures,)]; where it does not exist (PESQ without an utterance) that of the mixture, for all
    alike."""
    return np.array(
        [s.after[measure] if np.isfinite(s.after[measure]) else s.before[measure] for s in scored]
    )


def worst_twentieth(better: np.ndarray) -> float:
    """Mean of the lowest 5 % (at least one) of improvements [shape=(mixtures,)], dB."""
    return float(np.sort(better)[: max(1, round(len(better) / 20))].mean())


def harm(better: np.ndarray) -> float:
    """Part of the mixtures that come out worse than they went in; better [shape=(mixtures,)]: improvements in dB."""
    return float(np.mean(np.asarray(better) < 0))


def spec(
    split: str, sources: int, rooms: float | None = None, level_db: float | None = None
) -> mixer.MixtureSpec:
    """What the mixtures of a split's evaluation are like.

    Parameters
    ----------
    split, sources, rooms : as `evaluate`. "test-2026-11" has the mixtures of the releases before the splits were made by source.
    level_db : the level of the first speaker in all of them, dBFS; None: as it comes.
    """
    if split == "test-2026-11":
        found = mixer.SEPARATE_EVAL_2026_11 if sources == 2 else mixer.ENHANCE_EVAL_2026_11
    else:
        found = mixer.SEPARATE_EVAL if sources == 2 else mixer.ENHANCE_EVAL
    if rooms is not None:
        found = dataclasses.replace(found, room_probability=rooms)
    return found if level_db is None else dataclasses.replace(found, level_db=(level_db, level_db))


def fixed_mixtures(
    split: str, sources: int, corpus: str, rooms: float | None = None, level_db: float | None = None
):
    """Function index -> the mixture of that index; parameters as `spec`."""
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
    """Write the mixtures that gained least, their sources and what the separator made of them; parameters as `evaluate`, of whose result
    ``worst`` is.

    Returns
    -------
    Paths of WAVs, 16 kHz, float32: ``NNN_mixture.wav``, ``NNN_source1.wav``, ``NNN_estimate1.wav`` ... The folder appears whole or not at
    all, and replaces one that is there.

    Raises
    ------
    UserError
        When the folder cannot be written.
    """
    import soundfile

    mixture = fixed_mixtures(split, sources, corpus, rooms)
    names = []
    with atomic_folder(folder) as part:
        for one in worst:
            m = mixture(one["index"])
            sounds = {"mixture": m.mixture}
            for kind, several in (("source", m.sources), ("estimate", separate(m.mixture))):
                sounds |= {f"{kind}{i + 1}": sound for i, sound in enumerate(several)}
            for kind, sound in sounds.items():
                names.append(f"{one['index']:03d}_{kind}.wav")
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
    """Every mixture's `Score`; parameters as `evaluate` and `spec`."""
    mixture, scored = fixed_mixtures(split, sources, corpus, rooms, level_db), []
    with progress() as bar:
        for i in bar.track(range(mixtures), description=f"evaluate on {split}"):
            m = mixture(i)
            scored.append(score(i, m, separate(m.mixture), measures))
    return scored


def score(index: int, m: mixer.Mixture, estimates: np.ndarray, measures=("sisdr",)) -> Score:
    """Score estimates [shape=(sources, samples), float32] of a mixture."""
    sources = len(m.sources)
    orders = itertools.permutations(range(sources))
    order = max(
        orders,
        key=lambda o: sum(si_sdr_db(estimates[k], s) for k, s in zip(o, m.sources, strict=True)),
    )
    given = ([m.mixture] * sources, [estimates[k] for k in order])
    before, after = (
        {
            name: float(
                np.mean([MEASURES[name](e, s) for e, s in zip(got, m.sources, strict=True)])
            )
            for name in measures
        }
        for got in given
    )
    return Score(index, m.meta, before, after)


def kept_scores(file: Path, of: dict, separate, **which) -> list[Score]:
    """`scores` with the parameters ``which``; read from a file when it holds these of the same separator, as ``of`` names it."""
    mixed = spec(which["split"], which["sources"], which.get("rooms"), which.get("level_db"))
    asked = json.loads(
        json.dumps({**of, **which, "spec": dataclasses.asdict(mixed), "seed": EVALUATION_SEED})
    )
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # not there yet, or damaged
        kept = json.loads(file.read_text())
        if kept["asked"] == asked:
            return [Score(**score) for score in kept["scores"]]
    scored = scores(separate, **which)
    with atomic_path(file) as part:
        part.write_text(
            json.dumps({"asked": asked, "scores": [dataclasses.asdict(s) for s in scored]}) + "\n"
        )
    return scored


def _summary(scored: list[Score], name: str) -> dict:
    """A measure over all mixtures for which it exists, before and after."""
    pairs = np.array([(s.before[name], s.after[name]) for s in scored])
    pairs = pairs[np.isfinite(pairs).all(1)]
    if not len(pairs):
        return {"in": None, "out": None, "better": None, "mixtures": 0}
    return {
        "in": float(pairs[:, 0].mean()),
        "out": float(pairs[:, 1].mean()),
        "better": bootstrap(pairs[:, 1] - pairs[:, 0]),
        "mixtures": len(pairs),
    }


def _by(values: np.ndarray, groups: list[list[str]]) -> dict[str, dict]:
    """Improvements of the mixtures that belong to each group; one may belong to several."""
    found = {}
    for name in sorted({name for names in groups for name in names}):
        own = np.array(
            [value for value, names in zip(values, groups, strict=True) if name in names]
        )
        found[name] = {
            "mixtures": len(own),
            **bootstrap(own),
            "worst_twentieth": worst_twentieth(own),
            "harm": harm(own),
        }
    return found


def _snr_range(snr_db: float | None) -> str:
    if snr_db is None:
        return "no noise"
    for low, high in SNRS:
        if low <= snr_db < high:
            return f"{low} to {high} dB"
    return "another"


def _disturbances(meta: dict) -> list[str]:
    """What the microphone adds to the mixture."""
    return [
        words for key, words in (("dc", "offset (DC)"), ("hum", "hum")) if meta[key] is not None
    ] or ["neither offset nor hum"]
