"""Scores of baselines and bundles on the same mixtures."""

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from convert import bundle as bundles
from convert.measure.baselines.alignment import aligned, delay_of
from convert.measure.baselines.baseline import Baseline, BaselineUnavailable
from convert.measure.baselines.plot import plot
from convert.measure.baselines.systems import BASELINES
from convert.run import separator
from convert.tflite import runtimes
from groupcomm.console import err
from groupcomm.errors import UserError
from groupcomm.files import atomic_path, json_text
from tf_model.evaluation import evaluate, metrics

ALIGNED = 8  # mixtures that a baseline's delay is taken from
COMPARED = ("sisdr", "pesq", "estoi")


def compare(names: list[str], folder: Path, *, split: str, mixtures: int, corpus: str) -> dict:
    """Score baselines and bundles on the same mixtures.

    Parameters
    ----------
    names : list of str
        Enhancement bundles, by name or folder.
    folder : Path
        Folder of the scores: a second run continues with those that are missing.
        ``baselines.json`` and ``baselines.png`` are written there too.
    split, mixtures, corpus
        As for `tf_model.evaluation.evaluate.evaluate`.

    Returns
    -------
    dict
        ``split``, ``mixtures``, ``corpus``; ``systems``, for each ``name``, ``is_bundle``,
        ``params``, ``macs_per_second``, ``latency_ms``, ``sisdri_db`` and, for every other measure
        of `tf_model.evaluation.metrics.MEASURES`, its mean at the output, all with 95 % CIs;
        ``against``, for each bundle and each baseline the paired differences of SI-SDR, PESQ and
        eSTOI (above 0: the bundle is better); ``skipped``, the baselines that are not installed,
        and why.

    Raises
    ------
    UserError
        When a bundle separates two speakers, or the corpus is missing.
    """
    opened = [_open_enhancer(name) for name in names]
    table = _Table(folder, split=split, mixtures=mixtures, corpus=corpus)
    skipped = {}
    mixture = evaluate.fixed_mixtures(split, 1, corpus)
    first = [(m.mixture, m.sources[0]) for m in map(mixture, range(ALIGNED))]
    for baseline in BASELINES:
        try:
            run = baseline.make()
        except BaselineUnavailable as e:
            skipped[baseline.label] = str(e)
            continue
        separate = aligned(run, delay_of(run, first))
        table.add(_system_of_baseline(baseline, separate))
    for bundle in opened:
        table.add(_system_of_bundle(bundle))
    result = {
        "split": split,
        "mixtures": mixtures,
        "corpus": corpus,
        "systems": table.rows,
        "against": table.against(),
        "skipped": skipped,
    }
    with atomic_path(folder / "baselines.json") as part:
        part.write_text(json_text(result))
    plot(table.rows, folder / "baselines.png")
    return result


def _open_enhancer(name: str) -> bundles.Bundle:
    bundle = bundles.load(name)
    if bundle.sources != 1:
        raise UserError(
            f"{bundle.path}: separates {bundle.sources} sources, the baselines enhance one; "
            "name an enhancement bundle"
        )
    return bundle


@dataclasses.dataclass(frozen=True)
class _System:
    """A separator that is compared.

    Attributes
    ----------
    name : str
    is_bundle : bool
    separate : callable
        As for `tf_model.evaluation.evaluate.evaluate`.
    identity : dict
        What determines its scores, see `tf_model.evaluation.evaluate.cached_scores`.
    params, macs_per_second : int or None
    latency_ms : float
        As for `Baseline`.
    """

    name: str
    is_bundle: bool
    separate: Callable[[np.ndarray], np.ndarray]
    identity: dict
    params: int | None
    macs_per_second: int | None
    latency_ms: float


def _system_of_baseline(
    baseline: Baseline, separate: Callable[[np.ndarray], np.ndarray]
) -> _System:
    return _System(
        name=baseline.label,
        is_bundle=False,
        separate=separate,
        identity={"baseline": baseline.label},
        params=baseline.params,
        macs_per_second=baseline.macs_per_second,
        latency_ms=baseline.latency_ms,
    )


def _system_of_bundle(bundle: bundles.Bundle) -> _System:
    graph = bundle.counts
    signal = bundle.signal
    return _System(
        name=bundle.name,
        is_bundle=True,
        separate=separator.from_runtime(bundle, runtimes.Tflm(bundle.model)),
        identity={"model_sha256": hashlib.sha256(bundle.model).hexdigest()},
        params=graph.parameters,
        macs_per_second=graph.macs * signal.sample_rate // signal.hop,
        latency_ms=1000 * signal.window / signal.sample_rate,
    )


class _Table:
    """The systems that were scored, and their scores.

    Parameters
    ----------
    folder : Path
        Folder of the scores.
    split, mixtures, corpus
        As for `compare`.

    Attributes
    ----------
    rows : list of dict
        ``systems`` of `compare`.
    """

    def __init__(self, folder: Path, *, split: str, mixtures: int, corpus: str):
        self._folder = folder
        self._which = {
            "split": split,
            "sources": 1,
            "mixtures": mixtures,
            "corpus": corpus,
            "measures": tuple(metrics.MEASURES),
        }
        self._scores: dict[str, list[evaluate.Score]] = {}
        self.rows: list[dict] = []

    def add(self, system: _System) -> None:
        """Score a system."""
        err.print(f"{system.name}:")
        scores = evaluate.cached_scores(
            self._folder / f"{system.name}.json", system.identity, system.separate, **self._which
        )
        self._scores[system.name] = scores
        self.rows.append(
            {
                "name": system.name,
                "is_bundle": system.is_bundle,
                "params": system.params,
                "macs_per_second": system.macs_per_second,
                "latency_ms": system.latency_ms,
                **_summary(scores),
            }
        )

    def against(self) -> dict[str, dict[str, dict]]:
        """Return the paired differences of each bundle and each baseline."""
        ours = [row["name"] for row in self.rows if row["is_bundle"]]
        theirs = [row["name"] for row in self.rows if not row["is_bundle"]]
        return {
            bundle: {baseline: self._difference(bundle, baseline) for baseline in theirs}
            for bundle in ours
        }

    def _difference(self, bundle: str, baseline: str) -> dict[str, dict]:
        ours, theirs = self._scores[bundle], self._scores[baseline]
        return {
            measure: evaluate.bootstrap(
                evaluate.after(ours, measure) - evaluate.after(theirs, measure)
            )
            for measure in COMPARED
        }


def _summary(scored: list[evaluate.Score]) -> dict:
    found = {
        measure: evaluate.bootstrap(evaluate.after(scored, measure))
        for measure in metrics.MEASURES
        if measure != "sisdr"
    }
    return {"sisdri_db": evaluate.bootstrap(evaluate.improvements(scored)), **found}
