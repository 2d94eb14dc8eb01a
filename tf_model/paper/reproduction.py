"""The paper's comparison on real speech: Group Communication against its baseline.

The baseline is also quantized, pruned and narrowed. The networks are `networks.MATCHED`, all
trained alike (commands: docs/design/paper.md) and committed under ``tf_model/trained``. All are
evaluated on the same test mixtures, so differences are paired.
"""

import dataclasses
from pathlib import Path

import numpy as np
import tensorflow as tf

from groupcomm.errors import UserError
from groupcomm.files import atomic_path, json_text
from tf_model import networks
from tf_model.cost import cost
from tf_model.evaluation import evaluate
from tf_model.training import checkpoint

TASKS = ("separate", "enhance")
SEEDS = (0, 1)


@dataclasses.dataclass(frozen=True)
class System:
    """One line of the table.

    Parameters
    ----------
    label : str
        Name in the table and the plot.
    kind : str
        Kind of the network, a part of its name.
    bits : int
        Bits of the weights of its matrices; 32: float.
    """

    label: str
    kind: str
    bits: int = 32


BASELINE = System("DPRNN-TasNet", "dprnn")
SYSTEMS = (
    BASELINE,
    System("DPRNN-TasNet, 8-bit weights", "dprnn", 8),
    System("DPRNN-TasNet, 4-bit weights", "dprnn", 4),
    System("DPRNN-TasNet, pruned", "dprnn-pruned"),
    System("DPRNN-TasNet, narrow", "narrow"),
    System("GC-DPRNN, K = 16", "gc"),
    System("GC-DPRNN, K = 16, 8-bit weights", "gc", 8),
)


def round_weights(weights: list[np.ndarray], bits: int) -> list[np.ndarray]:
    """Round the weights of matrices to integers: symmetric, one scale per column.

    Vectors stay float.

    Parameters
    ----------
    weights : list of np.ndarray [dtype=float32]
        The last axis of a matrix is its outputs.
    bits : int
        2 to 8 for integers, 32 for unchanged weights.

    Returns
    -------
    list of np.ndarray [dtype=float32]
    """
    if bits == 32:
        return weights
    top = 2 ** (bits - 1) - 1
    rounded = []
    for w in weights:
        if w.ndim > 1:
            scale = np.maximum(np.abs(w).max(tuple(range(w.ndim - 1)), keepdims=True), 1e-12) / top
            w = (np.rint(w / scale) * scale).astype(np.float32)
        rounded.append(w)
    return rounded


def size(weights: list[np.ndarray], bits: int) -> tuple[int, int]:
    """Count the parameters that are not zero, and the bytes that store them.

    A matrix with more zeros than other values is stored as those values and one bit per element;
    any other is stored in full. An integer matrix has one float32 scale per column.

    Returns
    -------
    parameters, weight_bytes : int
    """
    parameters = total = 0
    for w in weights:
        used = int(np.count_nonzero(w))
        if w.ndim == 1:
            parameters, total = parameters + w.size, total + 4 * w.size
            continue
        sparse = used < w.size / 2
        parameters += used if sparse else w.size
        total += (used * bits + w.size) // 8 if sparse else w.size * bits // 8
        total += 4 * w.shape[-1] if bits < 32 else 0
    return parameters, total


def reproduce(folder: Path, *, mixtures: int = 200, corpus: str | None = None) -> dict:
    """Score all systems on the test split, both tasks, all seeds.

    Parameters
    ----------
    folder : Path
        Folder of the scores: a second run continues with the scores that are missing.
        ``reproduction.json`` and ``reproduction.png`` are written there too.
    mixtures : int
        Number of mixtures of each task.
    corpus : str or None
        Name of the corpus. None: the corpus that the networks were trained on.

    Returns
    -------
    dict
        ``mixtures``, ``corpus`` and ``rows``. A row has ``system``, ``kind``, ``bits``, ``task``,
        ``params``, ``weight_bytes``, ``macs_per_second``, ``sisdri_db`` (over mixtures, of the mean
        of the seeds), ``seeds_db`` (mean of each seed) and ``against_baseline_db`` (paired).
        Intervals are 95 % CIs.

    Raises
    ------
    UserError
        When a network is not trained or the corpus is missing.
    """
    names = checkpoint.names()
    wanted = [_name(system, task, seed) for system in SYSTEMS for task in TASKS for seed in SEEDS]
    if missing := sorted(set(wanted) - set(names)):
        raise UserError(
            f"{missing[0]}: not under tf_model/trained "
            f"({len(missing)} of {len(set(wanted))} missing); docs/design/paper.md trains them"
        )
    corpus = corpus or checkpoint.corpus_of(checkpoint.load(wanted[0]))
    rows = []
    for task in TASKS:
        of_baseline = None
        for system in SYSTEMS:
            improvements = []
            for seed in SEEDS:
                trained = checkpoint.load(_name(system, task, seed))
                improvements.append(_improvements(trained, system.bits, folder, mixtures, corpus))
            mean = np.mean(improvements, axis=0)  # of the seeds, for each mixture
            of_baseline = mean if system == BASELINE else of_baseline
            params, weight_bytes = size(trained.model().get_weights(), system.bits)
            rows.append(
                {
                    "system": system.label,
                    "kind": system.kind,
                    "bits": system.bits,
                    "task": task,
                    "params": params,
                    "weight_bytes": weight_bytes,
                    "macs_per_second": cost(trained.net)["macs_per_second"],
                    "sisdri_db": evaluate.bootstrap(mean),
                    "seeds_db": [float(np.mean(each)) for each in improvements],
                    "against_baseline_db": evaluate.bootstrap(mean - of_baseline),
                }
            )
    result = {"mixtures": mixtures, "corpus": corpus, "rows": rows}
    with atomic_path(folder / "reproduction.json") as part:
        part.write_text(json_text(result))
    _plot(rows, folder / "reproduction.png")
    return result


def _name(system: System, task: str, seed: int) -> str:
    kind, _, pruned = system.kind.partition("-")
    return f"matched-{kind}-{task}{'-' + pruned if pruned else ''}-seed{seed}"


def _improvements(
    trained: checkpoint.Checkpoint, bits: int, folder: Path, mixtures: int, corpus: str
) -> np.ndarray:
    """Return the SI-SDR improvement of each mixture [shape=(mixtures,)], dB, cached in a file."""
    model = trained.model()
    model.set_weights(round_weights(model.get_weights(), bits))
    separate = tf.function(
        lambda mixture: networks.family(trained.net).separate(model, mixture[None], trained.net)[0],
        autograph=False,
    )
    scored = evaluate.cached_scores(
        folder / f"{trained.weights.parent.name}-{bits}bit.json",
        {"weights_sha256": trained.sha256(), "bits": bits},
        lambda mixture: separate(tf.constant(mixture)).numpy(),
        split="test",
        sources=trained.net.sources,
        mixtures=mixtures,
        corpus=corpus,
        measures=("sisdr",),
    )
    return evaluate.improvements(scored)


def _plot(rows: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    axes_of = {
        "params": "parameters that are kept",
        "macs_per_second": "multiply-accumulates a second",
        "weight_bytes": "bytes of weights",
    }
    figure, axes = plt.subplots(
        len(TASKS), len(axes_of), figsize=(13, 7.5), sharey="row", layout="constrained"
    )
    for line, task in zip(axes, TASKS, strict=True):
        for axis, (key, label) in zip(line, axes_of.items(), strict=True):
            for system, marker in zip(SYSTEMS, "oooosDD", strict=True):
                # The marker of the float system is larger, because its 8-bit form lies on it.
                large = {"markersize": 11, "fillstyle": "none"} if system.bits == 32 else {}
                row = next(r for r in rows if r["task"] == task and r["system"] == system.label)
                score = row["sisdri_db"]
                error = [[score["mean"] - score["low"]], [score["high"] - score["mean"]]]
                axis.errorbar(
                    row[key],
                    score["mean"],
                    error,
                    marker=marker,
                    capsize=3,
                    linestyle="none",
                    label=system.label,
                    **large,
                )
            axis.set(xscale="log", xlabel=label)
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(EngFormatter())
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(alpha=0.3, which="both")
        line[0].set_ylabel(
            {"separate": "two speakers", "enhance": "speech in noise"}[task]
            + ": SI-SDR improvement (dB)"
        )
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=110, format="png")
    plt.close(figure)
