"""Measure where int8 costs quality, how much of its range each tensor uses, and long-term drift."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from calibration_data import corpus as corpora
from calibration_data.audio import RATE
from calibration_data.mixing import mixer
from convert import bundle as bundles
from convert.quantization import export, ptq, qat, quantizer
from convert.quantization.calibration import Method
from convert.tflite import runtimes
from groupcomm.console import progress
from groupcomm.files import atomic_path
from tf_model import signal as sig
from tf_model.evaluation import evaluate
from tf_model.networks import streaming
from tf_model.training import checkpoint, losses

BATCH = 16  # mixtures in a batch
MINUTE = 60  # seconds
DRIFT = 0.05  # largest accepted drift, dB
STREAM = 30  # seconds of a stream on which the use of the ranges is measured


def sensitivity(
    trained: checkpoint.Checkpoint,
    folder: Path,
    *,
    method: Method | None,
    split: str,
    mixtures: int,
    minutes: int,
    corpus: str,
) -> dict:
    """Quantize one point of a network at a time, with `qat.FakeQuantized`.

    Parameters
    ----------
    trained : Checkpoint
        A network of the streaming family.
    folder : Path
        Where sensitivity.json and sensitivity.png go.
    method : str or None
        How to choose ranges, see `quantizer.choose_ranges`. None selects the trained ranges.
    split : str
    mixtures : int
        Number of mixtures on which losses are measured.
    minutes : int
        Minutes of other mixtures of the split, in streams of 30 s, on which the use of the ranges
        is measured.
    corpus : str

    Returns
    -------
    dict
        ``network``, ``split``, ``mixtures``, ``minutes``, ``all`` (the loss of rounding everywhere)
        and ``places``, in the order of the graph. Each place has ``what`` (see `qat.QuantPoint`),
        ``operator``, ``loss_db`` {``mean``, ``low``, ``high``} (the loss of SI-SDR when rounding
        there alone) and ``used`` (the fraction of its range in use; None where it has no range).

    Raises
    ------
    UserError
        As `ptq.integers`.
    """
    import tensorflow as tf

    if method is None:
        ranges = ptq.trained_ranges(trained)
    else:
        model, _, observed = ptq.observe(trained)
        ranges = quantizer.choose_ranges(model, observed, method, is_16x8=False)
    fake = qat.FakeQuantized(
        trained.name, trained.model(), net=trained.net, ranges=ranges, selective=True
    )
    separate = tf.function(lambda audio: streaming.separate(fake, audio, trained.net))
    data, spec = corpora.open_corpus(split, name=corpus), evaluate.spec(split, trained.net.sources)
    parts = [range(first, min(first + BATCH, mixtures)) for first in range(0, mixtures, BATCH)]
    made = [mixer.batch(data, spec, seed=evaluate.EVALUATION_SEED, indices=part) for part in parts]

    def scores(places: set[qat.QuantPoint]) -> np.ndarray:
        fake.enable_only(places)
        return np.concatenate(
            [losses.pit(losses.si_sdr, separate(mixed), sources).numpy() for mixed, sources in made]
        )

    with progress() as bar:
        task = bar.add_task("sensitivity", total=len(fake.points) + 2)

        def loss(places: set[qat.QuantPoint], name: str) -> dict:
            found = evaluate.bootstrap(exact - scores(places))
            bar.update(task, advance=1, description=f"sensitivity: {name}")
            return found

        exact = scores(set())
        whole = loss(set(fake.points), "all")
        each = [loss({place}, f"{place.what} of {place.name}") for place in fake.points]
        fake.enable_only(set())
        used = _used(fake, trained, data, spec, minutes)
        bar.update(task, advance=1)
    result = {
        "network": trained.name,
        "split": split,
        "mixtures": mixtures,
        "minutes": minutes,
        "all": whole,
        "places": [
            {
                "what": place.what,
                "operator": place.name,
                "loss_db": found,
                "used": float(u) if np.isfinite(u) else None,
            }
            for place, found, u in zip(fake.points, each, used, strict=True)
        ],
    }
    with atomic_path(folder / "sensitivity.json") as part:
        part.write_text(json.dumps(result, indent=2) + "\n")
    _plot(result, folder / "sensitivity.png")
    return result


def _used(
    fake: qat.FakeQuantized,
    trained: checkpoint.Checkpoint,
    data: corpora.Corpus,
    spec: mixer.MixtureSpec,
    minutes: int,
):
    """Measure the largest fraction of its range that each point uses [shape=(points,)]."""
    import tensorflow as tf

    signal = trained.net.signal
    reach = tf.function(
        lambda audio: fake.range_utilization(sig.tf_features(sig.tf_stft(audio, signal), signal))
    )
    spec = dataclasses.replace(spec, seconds=STREAM)
    streams = minutes * 60 // STREAM
    used = [
        reach(
            mixer.batch(
                data,
                spec,
                seed=evaluate.EVALUATION_SEED,
                indices=range(first, min(first + BATCH, streams)),
            )[0]
        ).numpy()
        for first in range(0, streams, BATCH)
    ]
    return np.max(used, 0)


def _plot(result: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = {
        "weights": "tab:blue",
        "values": "tab:green",
        "gates": "tab:orange",
        "cell": "tab:red",
    }
    places = result["places"]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(11, 1 + 0.2 * len(places)), sharey=True, layout="constrained"
    )
    for y, place in enumerate(places):
        found, colour = place["loss_db"], colours[place["what"]]
        error = [[found["mean"] - found["low"]], [found["high"] - found["mean"]]]
        left.barh(
            y,
            found["mean"],
            xerr=error,
            color=colour,
            error_kw={"ecolor": "0.4", "elinewidth": 0.8},
        )
        if place["used"] is not None:
            right.barh(y, place["used"], color=colour)
    left.set_yticks(
        range(len(places)), [f"{p['operator']}: {p['what']}" for p in places], fontsize=7
    )
    left.invert_yaxis()
    left.set_xlabel(f"SI-SDR loss (dB); {result['all']['mean']:.3f} when rounding everywhere")
    right.set_xlabel(
        f"fraction of the range in use, over {result['minutes']} minutes; above 1 is clipped"
    )
    right.axvline(1, color="0.4", linewidth=0.8)
    for axis in (left, right):
        axis.margins(y=0.01)
        axis.grid(axis="x", alpha=0.3)
        axis.set_axisbelow(True)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=110, format="png")
    plt.close(figure)


def drift(
    bundle: bundles.Bundle, trained: checkpoint.Checkpoint, *, minutes: int, split: str, corpus: str
) -> dict:
    """Process one continuous stream, the same minute of mixtures repeatedly, in float and int8.

    Parameters
    ----------
    bundle : Bundle
    trained : Checkpoint
        The checkpoint that the bundle was made from.
    minutes : int
        Length of the stream, 3 or more.
    split, corpus : str
        Source of the mixtures.

    Returns
    -------
    dict
        ``bundle``, ``minutes``, ``split``, ``int8_db`` and ``float_db`` (SI-SDR improvement of each
        minute), ``drift_db`` (int8 in the last minute minus int8 in the second; the first starts
        from silence) and ``settled`` (the first minute whose int8 masks equal those of the last in
        every byte; None if that is the last itself).

    Raises
    ------
    UserError
        When the bundle was not made from this checkpoint, or there is no such corpus.
    """
    from convert.verify import parity

    parity.check_pair(bundle, trained)
    mixture = evaluate.fixed_mixtures(split, bundle.sources, corpus)
    made = [mixture(i) for i in range(MINUTE * RATE // mixture(0).mixture.size)]
    mixed = np.concatenate([m.mixture for m in made])
    around = np.concatenate([mixed, mixed])  # each minute starts after the end of the last
    spectrum = sig.stft(around, bundle.signal)
    features = sig.features(spectrum, bundle.signal)
    hops = mixed.size // bundle.signal.hop
    first, later = slice(0, hops), slice(hops, 2 * hops)
    quantized = bundle.quantize_features(features)
    tflm, exact = runtimes.Tflm(bundle.model), runtimes.LiteRT(export.to_float(trained))

    def improvement(masks: np.ndarray) -> float:
        """Score the masks [shape=(hops, sources * values)] of a minute after the first."""
        both = np.concatenate([masks, masks, masks[: len(spectrum) - 2 * hops]])
        sound = sig.istft(
            sig.apply_masks(spectrum, both, bundle.sources, bundle.signal),
            around.size,
            bundle.signal,
        )[:, mixed.size :]
        pieces = np.split(sound, len(made), axis=1)
        return float(
            np.mean(
                evaluate.improvements(
                    [
                        evaluate.score(i, m, x)
                        for i, (m, x) in enumerate(zip(made, pieces, strict=True))
                    ]
                )
            )
        )

    rows, masks = {"int8": [], "float": []}, []
    with progress() as bar:
        for minute in bar.track(range(minutes), description=f"{minutes} minutes of {bundle.name}"):
            part = later if minute else first
            masks.append(tflm(quantized[part]))
            rows["int8"].append(improvement(bundle.dequantize_masks(masks[-1])))
            rows["float"].append(improvement(exact(features[part])))
    same = [np.array_equal(m, masks[-1]) for m in masks]
    settled = minutes - next((i for i, equal in enumerate(reversed(same)) if not equal), minutes)
    return {
        "bundle": bundle.name,
        "minutes": minutes,
        "split": split,
        "int8_db": rows["int8"],
        "float_db": rows["float"],
        "drift_db": rows["int8"][-1] - rows["int8"][1],
        "settled": settled + 1 if settled < minutes - 1 else None,
    }
