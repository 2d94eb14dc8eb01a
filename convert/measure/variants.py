"""Compare one network in every supported arithmetic, on the same mixtures."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from convert import bundle
from convert.measure import bench
from convert.quantization.calibration import METHODS
from convert.run import separator
from convert.tflite import runtimes
from groupcomm.console import err
from groupcomm.errors import UserError
from groupcomm.files import atomic_path, json_text
from tf_model.evaluation import evaluate
from tf_model.training import checkpoint

COMPARED = ("sisdr", "pesq", "estoi")
LEVELS = (-10.0, -20.0, -30.0, -40.0, -50.0)  # dBFS of the first speaker
BOARDS = ("cortex-m4", "cortex-m55")


def compare(
    trained: checkpoint.Checkpoint,
    aware: list[checkpoint.Checkpoint],
    folder: Path,
    *,
    split: str,
    mixtures: int,
    levels: int,
    corpus: str,
) -> dict:
    """Compare float, int8 by each range method, int8 after QAT, 16x8, and 4-bit weights.

    Parameters
    ----------
    trained : Checkpoint
        A network of the streaming family.
    aware : list of Checkpoint
        The same network after `groupcomm qat`, with 8-bit or 4-bit weights. Each is a row.
    folder : Path
        Where the bundles, the scores, variants.json and variants.png go. An interrupted comparison
        resumes from the scores.
    split : str
    mixtures : int
        Number of mixtures.
    levels : int
        Number of mixtures at each level from -10 to -50 dBFS; 0 for none.
    corpus : str

    Returns
    -------
    dict
        ``network``, ``split``, ``mixtures``, ``levels`` and ``variants``. Each variant has
        ``name``; ``sisdri_db``, ``pesq``, ``estoi`` {``mean``, ``low``, ``high``}; ``loss`` (float
        minus this variant, paired by mixture, for ``sisdr``, ``pesq``, ``estoi``, and ``levels``:
        SI-SDR by dBFS); ``model_bytes``, ``arena_bytes``; ``instructions`` {board: mean of a hop}.
        Float has no bytes and no instructions. 4-bit weights have no instructions, because only the
        official TFLM runs them.

    Raises
    ------
    UserError
        When a network of ``aware`` has other sizes, or there is no such corpus.
    """
    _check_sizes(trained, aware)
    test = _Test(folder, split, trained.net.sources, mixtures, levels, corpus)
    err.print(f"{trained.name}: float")
    floating = test.scores(
        "float", {"checkpoint_sha256": trained.sha256()}, separator.from_keras(trained)
    )
    rows = [{**_quality("float", floating), "loss": None}]
    for variant in _variants(trained, aware):
        written = bundle.write(variant.network, folder / variant.name, **variant.options)
        err.print(f"{trained.name}: {variant.name}")
        scored = test.scores(
            variant.name,
            {"model_sha256": hashlib.sha256(written.model).hexdigest()},
            separator.from_runtime(written, runtimes.Tflm(written.model)),
        )
        boards = () if variant.has_int4 else BOARDS
        rows.append(
            {
                **_quality(variant.name, scored),
                "loss": _losses(floating, scored),
                **_cost(written, boards),
            }
        )
    result = {
        "network": trained.name,
        "split": split,
        "mixtures": mixtures,
        "levels": levels,
        "variants": rows,
    }
    with atomic_path(folder / "variants.json") as part:
        part.write_text(json_text(result))
    _plot(result, folder / "variants.png")
    return result


def _check_sizes(trained: checkpoint.Checkpoint, aware: list[checkpoint.Checkpoint]) -> None:
    for one in aware:
        if one.net != trained.net:
            raise UserError(
                f"{one.weights}: its sizes differ from those of {trained.name}; "
                f"train it with `groupcomm qat {trained.name}`"
            )


@dataclasses.dataclass(frozen=True)
class _Variant:
    """An arithmetic to convert a network to.

    Attributes
    ----------
    name : str
    network : Checkpoint
    options : dict
        Options of `bundle.write`.
    """

    name: str
    network: checkpoint.Checkpoint
    options: dict

    @property
    def has_int4(self) -> bool:
        """Whether its weights have 4 bits, which only the official TFLM runs."""
        return self.name.startswith("int4")


def _variants(trained: checkpoint.Checkpoint, aware: list[checkpoint.Checkpoint]) -> list[_Variant]:
    variants = [_Variant(f"ptq-{method}", trained, {"method": method}) for method in METHODS]
    variants.append(_Variant("int4", trained, {"weights": 4}))
    for one in aware:
        bits = one.training.get("weights", 8)
        variants.append(_Variant("qat" if bits == 8 else "int4-qat", one, {}))
    if trained.net.group_comm != "blstm":  # TFLM has no int16 GATHER
        variants.append(_Variant("16x8", trained, {"activations": 16}))
    return variants


@dataclasses.dataclass(frozen=True)
class _Scores:
    """Scores of a separator.

    Attributes
    ----------
    mixtures : list of Score
        With all measures of `COMPARED`.
    by_level : dict of str to list of Score
        SI-SDR, by the level of the first speaker in dBFS.
    """

    mixtures: list[evaluate.Score]
    by_level: dict[str, list[evaluate.Score]]


@dataclasses.dataclass(frozen=True)
class _Test:
    """The mixtures that every variant is scored on; see `compare` for the attributes."""

    folder: Path
    split: str
    sources: int
    mixtures: int
    levels: int
    corpus: str

    def scores(self, name: str, identity: dict, separate) -> _Scores:
        """Score a separator, or read its scores.

        Parameters
        ----------
        name : str
            Name of the files of the scores.
        identity : dict
            What determines the scores, see `evaluate.cached_scores`.
        separate : callable
        """
        common = {"split": self.split, "sources": self.sources, "corpus": self.corpus}
        mixtures = evaluate.cached_scores(
            self.folder / f"{name}.json",
            identity,
            separate,
            mixtures=self.mixtures,
            measures=COMPARED,
            **common,
        )
        by_level = {
            f"{level:g}": evaluate.cached_scores(
                self.folder / f"{name}{level:g}dBFS.json",
                identity,
                separate,
                mixtures=self.levels,
                level_db=level,
                **common,
            )
            for level in (LEVELS if self.levels else ())
        }
        return _Scores(mixtures, by_level)


def _quality(name: str, scored: _Scores) -> dict:
    return {
        "name": name,
        "sisdri_db": evaluate.bootstrap(evaluate.improvements(scored.mixtures)),
        **{
            measure: evaluate.bootstrap(evaluate.after(scored.mixtures, measure))
            for measure in COMPARED
            if measure != "sisdr"
        },
    }


def _losses(floating: _Scores, variant: _Scores) -> dict:
    """Return the float scores minus those of a variant, paired by mixture."""

    def loss(before: list[evaluate.Score], after: list[evaluate.Score], measure: str) -> dict:
        return evaluate.bootstrap(evaluate.after(before, measure) - evaluate.after(after, measure))

    return {
        **{m: loss(floating.mixtures, variant.mixtures, m) for m in COMPARED},
        "levels": {
            level: loss(floating.by_level[level], scored, "sisdr")
            for level, scored in variant.by_level.items()
        },
    }


def _cost(written: bundle.Bundle, boards: Sequence[str]) -> dict:
    return {
        "model_bytes": len(written.model),
        "arena_bytes": written.description["arena_bytes"],
        "instructions": {
            board: bench.bench(written, board)["instructions"]["hop"]["mean"] for board in boards
        },
    }


def _plot(result: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in result["variants"] if row["loss"]]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
    for i, row in enumerate(rows):
        left.errorbar(
            i, row["loss"]["sisdr"]["mean"], _error(row["loss"]["sisdr"]), marker="o", capsize=4
        )
        levels = row["loss"]["levels"]
        if levels:
            right.errorbar(
                [float(level) + (i - len(rows) / 2) / 2 for level in levels],
                [found["mean"] for found in levels.values()],
                [[_error(found)[end][0] for found in levels.values()] for end in (0, 1)],
                marker="o",
                capsize=3,
                label=row["name"],
            )
    left.set_xticks(range(len(rows)), [row["name"] for row in rows], rotation=20)
    left.set(
        ylabel="SI-SDR loss relative to float (dB), 95 % CI", title=f"{result['mixtures']} mixtures"
    )
    right.set(
        xlabel="level of the speech (dBFS)", title=f"{result['levels']} mixtures at each level"
    )
    for axis in (left, right):
        axis.axhline(0, color="0.4", linewidth=0.8)
        axis.grid(alpha=0.3)
    if result["levels"]:
        right.legend()
    with atomic_path(path) as part:
        figure.savefig(part, dpi=110, format="png")
    plt.close(figure)


def _error(found: dict) -> list[list[float]]:
    return [[found["mean"] - found["low"]], [found["high"] - found["mean"]]]
