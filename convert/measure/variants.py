"""Compare one network in every supported arithmetic, on the same mixtures."""

import hashlib
import json
from pathlib import Path

from convert import bundle
from convert.measure import bench
from convert.quantization.calibration import METHODS
from convert.run import separator
from convert.tflite import runtimes
from groupcomm.console import err
from groupcomm.errors import UserError
from groupcomm.files import atomic_path
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
    for one in aware:
        if one.net != trained.net:
            raise UserError(
                f"{one.weights}: its sizes differ from those of {trained.name}; "
                f"train it with `groupcomm qat {trained.name}`"
            )
    sources = trained.net.sources
    which = {
        "split": split,
        "sources": sources,
        "mixtures": mixtures,
        "corpus": corpus,
        "measures": COMPARED,
    }

    def scored(
        name: str, of: dict, run
    ) -> tuple[list[evaluate.Score], dict[str, list[evaluate.Score]]]:
        err.print(f"{trained.name}: {name}")
        whole = evaluate.cached_scores(folder / f"{name}.json", of, run, **which)
        at = {
            f"{level:g}": evaluate.cached_scores(
                folder / f"{name}{level:g}dBFS.json",
                of,
                run,
                split=split,
                sources=sources,
                mixtures=levels,
                corpus=corpus,
                level_db=level,
            )
            for level in LEVELS
            if levels
        }
        return whole, at

    float_whole, float_at = scored(
        "float", {"checkpoint_sha256": trained.sha256()}, separator.from_keras(trained)
    )
    rows = [_row("float", float_whole, None, {})]
    made = [(f"ptq-{method}", trained, {"method": method}) for method in METHODS]
    made.append(("int4", trained, {"weights": 4}))
    made += [
        ("qat" if one.training.get("weights", 8) == 8 else "int4-qat", one, {}) for one in aware
    ]
    if trained.net.group_comm != "blstm":  # TFLM has no int16 GATHER
        made.append(("16x8", trained, {"activations": 16}))
    for name, network, options in made:
        one = bundle.write(network, folder / name, **options)
        of = {"model_sha256": hashlib.sha256(one.model).hexdigest()}
        whole, at = scored(name, of, separator.from_runtime(one, runtimes.Tflm(one.model)))
        loss = {
            m: evaluate.bootstrap(evaluate.after(float_whole, m) - evaluate.after(whole, m))
            for m in COMPARED
        }
        loss["levels"] = {
            level: evaluate.bootstrap(
                evaluate.after(float_at[level], "sisdr") - evaluate.after(found, "sisdr")
            )
            for level, found in at.items()
        }
        cost = {
            "model_bytes": len(one.model),
            "arena_bytes": one.description["arena_bytes"],
            "instructions": {
                board: bench.bench(one, board)["instructions"]["hop"]["mean"]
                for board in BOARDS
                if not name.startswith("int4")
            },
        }
        rows.append(_row(name, whole, loss, cost))
    result = {
        "network": trained.name,
        "split": split,
        "mixtures": mixtures,
        "levels": levels,
        "variants": rows,
    }
    with atomic_path(folder / "variants.json") as part:
        part.write_text(json.dumps(result, indent=2) + "\n")
    _plot(result, folder / "variants.png")
    return result


def _row(name: str, scored: list[evaluate.Score], loss: dict | None, cost: dict) -> dict:
    quality = {m: evaluate.bootstrap(evaluate.after(scored, m)) for m in COMPARED if m != "sisdr"}
    return {
        "name": name,
        "sisdri_db": evaluate.bootstrap(evaluate.improvements(scored)),
        **quality,
        "loss": loss,
        **cost,
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
