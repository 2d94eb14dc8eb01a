"""The comparison of the paper on real speech: Group Communication against its baseline, and that baseline quantized, pruned and narrowed.

The networks are `networks.TWINS`, trained alike (commands: docs/design/paper.md) and committed under ``tf_model/trained``. All hear the
same test mixtures, so differences are paired.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from groupcomm.errors import UserError
from groupcomm.files import atomic_path
from tf_model import checkpoint, evaluate, networks
from tf_model.cost import cost

TASKS = ("separate", "enhance")
SEEDS = (0, 1)


@dataclasses.dataclass(frozen=True)
class System:
    """One line of the table: ``kind`` of twin, and ``bits`` of its matrices' weights (32: float)."""

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
    """Weights as a table of ``bits`` would give them: matrices symmetric, a scale for every column; vectors stay float.

    Parameters
    ----------
    weights : float32 arrays; the last axis of a matrix is its outputs.
    bits : 2 to 8 for integers, 32 for the weights as they are.
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
    """Parameters that are not zero, and bytes to keep them in.

    A matrix with zeros in more than half of its places is kept as its other values and one bit for every place, any other in full; an
    integer one has a float32 scale for every column.
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
    folder : where scores are kept, so that a second run goes on with what is missing; ``reproduction.json`` and ``reproduction.png``
        are written there too.
    mixtures : of each task.
    corpus : name of the corpus; None: the one that the networks were trained on.

    Returns
    -------
    dict with ``mixtures`` and ``rows``: for each system (``system``, ``kind``, ``bits``) and ``task``: ``params``, ``weight_bytes``,
    ``macs_per_second``, ``sisdri_db`` (over mixtures, the mean of the seeds), ``seeds_db`` (mean of each seed) and
    ``against_baseline_db`` (paired); intervals are of 95 %.

    Raises
    ------
    UserError
        When a twin is not trained or the corpus is missing.
    """
    names = checkpoint.names()
    wanted = [_name(system, task, seed) for system in SYSTEMS for task in TASKS for seed in SEEDS]
    if missing := sorted(set(wanted) - set(names)):
        raise UserError(
            f"{missing[0]}: not under tf_model/trained ({len(missing)} of {len(set(wanted))} missing); docs/design/paper.md trains them"
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
        part.write_text(json.dumps(result, indent=2) + "\n")
    _plot(rows, folder / "reproduction.png")
    return result


def _name(system: System, task: str, seed: int) -> str:
    kind, _, pruned = system.kind.partition("-")
    return f"twin-{kind}-{task}{'-' + pruned if pruned else ''}-seed{seed}"


def _improvements(trained: checkpoint.Checkpoint, bits: int, folder: Path, mixtures: int, corpus: str) -> np.ndarray:
    """SI-SDR improvement of each mixture, dB; read from the folder when it is there."""
    model = trained.model()
    model.set_weights(round_weights(model.get_weights(), bits))
    separate = tf.function(lambda mixture: networks.family(trained.net).separate(model, mixture[None], trained.net)[0])
    scored = evaluate.kept_scores(
        folder / f"{trained.weights.parent.name}-{bits}bit.json", {"weights_sha256": trained.sha256(), "bits": bits},
        lambda mixture: separate(tf.constant(mixture)).numpy(),
        split="test", sources=trained.net.sources, mixtures=mixtures, corpus=corpus, measures=("sisdr",),
    )  # fmt: skip
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
    figure, axes = plt.subplots(len(TASKS), len(axes_of), figsize=(13, 7.5), sharey="row", layout="constrained")
    for line, task in zip(axes, TASKS, strict=True):
        for axis, (key, label) in zip(line, axes_of.items(), strict=True):
            for system, marker in zip(SYSTEMS, "oooosDD", strict=True):
                large = {"markersize": 11, "fillstyle": "none"} if system.bits == 32 else {}  # its 8 bits lie upon it
                row = next(r for r in rows if r["task"] == task and r["system"] == system.label)
                score = row["sisdri_db"]
                error = [[score["mean"] - score["low"]], [score["high"] - score["mean"]]]
                axis.errorbar(row[key], score["mean"], error, marker=marker, capsize=3, linestyle="none", label=system.label, **large)
            axis.set(xscale="log", xlabel=label)
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter(EngFormatter())
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.grid(alpha=0.3, which="both")
        line[0].set_ylabel({"separate": "two speakers", "enhance": "speech in noise"}[task] + ": SI-SDR improvement (dB)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=110, format="png")
    plt.close(figure)
