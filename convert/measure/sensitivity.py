"""Measure where int8 costs quality, and how much of its range each tensor uses."""

import dataclasses
from pathlib import Path

import numpy as np

from calibration_data import corpus as corpora
from calibration_data.mixing import mixer
from convert.quantization import ptq, qat, quantizer
from convert.quantization.calibration import Method
from groupcomm.console import step
from groupcomm.files import atomic_path, json_text
from tf_model import signal as sig
from tf_model.evaluation import evaluate
from tf_model.networks import streaming
from tf_model.networks.sizes import Streaming
from tf_model.training import checkpoint, losses

BATCH = 16  # mixtures in a batch
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
    ranges = _ranges(trained, method)
    fake = qat.FakeQuantized(
        trained.name, trained.model(), net=trained.net, ranges=ranges, selective=True
    )
    data, spec = corpora.open_corpus(split, name=corpus), evaluate.spec(split, trained.net.sources)
    cases = [("all", set(fake.points))]
    cases += [(f"{point.what} of {point.name}", {point}) for point in fake.points]
    with step("sensitivity", len(cases) + 1) as shown:
        loss_of, found = _Losses(fake, trained.net, data, spec, mixtures), []
        for name, points in cases:
            shown.update(f"sensitivity: {name}")
            found.append(loss_of(points))
            shown.advance()
        shown.update("sensitivity: use of the ranges")
        used = _used(fake, trained.net, data, spec, minutes)
    whole, *each = found
    result = {
        "network": trained.name,
        "split": split,
        "mixtures": mixtures,
        "minutes": minutes,
        "all": whole,
        "places": [
            {
                "what": point.what,
                "operator": point.name,
                "loss_db": loss,
                "used": float(u) if np.isfinite(u) else None,
            }
            for point, loss, u in zip(fake.points, each, used, strict=True)
        ],
    }
    with atomic_path(folder / "sensitivity.json") as part:
        part.write_text(json_text(result))
    _plot(result, folder / "sensitivity.png")
    return result


def _ranges(trained: checkpoint.Checkpoint, method: Method | None) -> quantizer.Ranges:
    if method is None:
        return ptq.trained_ranges(trained)
    model, _, observed = ptq.observe(trained)
    return quantizer.choose_ranges(model, observed, method, is_16x8=False)


class _Losses:
    """The loss of SI-SDR of rounding at some points of a network, on fixed mixtures.

    Parameters
    ----------
    fake : qat.FakeQuantized
        The network, which rounds at selected points.
    net : Streaming
        Its sizes.
    data, spec
        Corpus and specification of the mixtures.
    mixtures : int
    """

    def __init__(
        self,
        fake: qat.FakeQuantized,
        net: Streaming,
        data: corpora.Corpus,
        spec: mixer.MixtureSpec,
        mixtures: int,
    ):
        import tensorflow as tf

        self._fake = fake
        self._separate = tf.function(
            lambda audio: streaming.separate(fake, audio, net), autograph=False
        )
        self._batches = list(_batches(data, spec, mixtures))
        self._without = self._si_sdr_db(set())

    def __call__(self, points: set[qat.QuantPoint]) -> dict:
        """Return ``mean``, ``low`` and ``high`` of the loss in dB."""
        return evaluate.bootstrap(self._without - self._si_sdr_db(points))

    def _si_sdr_db(self, points: set[qat.QuantPoint]) -> np.ndarray:
        """Return the SI-SDR of each mixture [shape=(mixtures,)]."""
        self._fake.enable_only(points)
        scores = [
            losses.pit(losses.si_sdr, self._separate(mixed), sources).numpy()
            for mixed, sources in self._batches
        ]
        return np.concatenate(scores)


def _batches(data: corpora.Corpus, spec: mixer.MixtureSpec, mixtures: int):
    """Yield the first mixtures of the evaluation and their sources, in batches."""
    for first in range(0, mixtures, BATCH):
        indices = range(first, min(first + BATCH, mixtures))
        yield mixer.batch(data, spec, seed=evaluate.EVALUATION_SEED, indices=indices)


def _used(
    fake: qat.FakeQuantized,
    net: Streaming,
    data: corpora.Corpus,
    spec: mixer.MixtureSpec,
    minutes: int,
) -> np.ndarray:
    """Measure the largest fraction of its range that each point uses [shape=(points,)].

    Nothing is rounded.
    """
    import tensorflow as tf

    fake.enable_only(set())
    reach = tf.function(
        lambda audio: fake.range_utilization(
            sig.tf_features(sig.tf_stft(audio, net.signal), net.signal)
        ),
        autograph=False,
    )
    streams = _batches(data, dataclasses.replace(spec, seconds=STREAM), minutes * 60 // STREAM)
    return np.max([reach(mixed).numpy() for mixed, _ in streams], 0)


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
