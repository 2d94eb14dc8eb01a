"""Training, conversion, evaluation and parity as functions of the public API."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from groupcomm.errors import UserError, missing_package
from groupcomm.files import output_folder
from groupcomm.network import Network
from groupcomm.results import Conversion, Evaluation, Parity, RuntimeComparison, Training
from groupcomm.suggest import suggest


@contextlib.contextmanager
def _extras() -> Iterator[None]:
    """Name the extra of a package that is missing."""
    try:
        yield
    except ModuleNotFoundError as e:
        raise missing_package(e) from e


def convert(
    checkpoint: str | Path,
    out: str | Path | None = None,
    *,
    ranges: Literal["min-max", "percentile", "error"] | None = None,
    activations: Literal[8, 16] = 8,
    weights: Literal[8, 4] | None = None,
    name: str | None = None,
    calibration: str | Path | None = None,
) -> Conversion:
    """Quantize a trained network and write its bundle. Needs the extra ``convert``.

    Parameters
    ----------
    checkpoint : str or Path
        Name of a released network, or the folder of a trained one.
    out : str or Path or None
        Folder of the bundle; None: ``build/bundles/NAME``. It appears whole or not at all.
    ranges : {"min-max", "percentile", "error"} or None
        How the ranges of activations are chosen; None: as they were trained, or else by percentile
        for 8 bits and by minimum and maximum for 16.
    activations : {8, 16}
        Bits of activations. 16 is TFLite's 16x8.
    weights : {8, 4} or None
        Bits of the weights of FULLY_CONNECTED; None: as they were trained, or else 8.
    name : str or None
        Name of the bundle; None: that of the network.
    calibration : str or Path or None
        Folder of sound files that the ranges are observed on; None: the clips of the project.

    Returns
    -------
    Conversion

    Raises
    ------
    UserError
        When there is no such network, `out` cannot be written, or a package is missing.

    Examples
    --------
    >>> groupcomm.convert("enhance-nano", "build/nano").model_bytes  # doctest: +SKIP
    35448
    """
    with _extras():
        from tf_model import load_tensorflow
        from tf_model.training import checkpoint as checkpoints

        trained = checkpoints.load(str(checkpoint))
        folder = (
            Path(out) if out is not None else Path("build") / "bundles" / (name or trained.name)
        )
        output_folder(folder)
        own_clips = Path(calibration) if calibration is not None else None
        load_tensorflow()  # after the checks that do not need it
        from convert import bundle

        written = bundle.write(
            trained,
            folder,
            method=ranges,
            activations=activations,
            weights=weights,
            name=name,
            calibration=own_clips,
        )
    d = written.description
    sizes = {"model_bytes": d["model"]["bytes"], "arena_bytes": d["arena_bytes"]}
    return Conversion(bundle=str(folder), **sizes, **d["quantization"])


def train(
    network: str,
    out: str | Path | None = None,
    *,
    sizes: Mapping[str, Any] | None = None,
    config: str | Path | None = None,
    **recipe: Any,
) -> Training:
    """Train a network, or continue a run that was stopped. Needs the extra ``train``.

    Parameters
    ----------
    network : str
        Name of a network (``groupcomm list``).
    out : str or Path or None
        Folder of the run; None: ``build/train/NETWORK``.
    sizes : mapping of str to value or None
        Sizes of the network to change: ``{"hidden": 24, "signal.pool": 4}``.
    config : str or Path or None
        TOML file with sizes and, in the table ``[recipe]``, with fields of the recipe. `sizes` and
        `recipe` take precedence.
    **recipe
        Fields of `tf_model.training.recipe.Recipe`, for example ``steps=8000``, ``batch=24``,
        ``corpus="open"`` or ``seed=0``. Without them, the optimizer is SOAP with a learning rate of
        0.004, as in ``groupcomm train``.

    Returns
    -------
    Training

    Raises
    ------
    UserError
        When there is no such network, size or field of the recipe, when the corpus is missing, or
        when `out` holds a run of another recipe.

    Examples
    --------
    >>> run = groupcomm.train("enhance-nano", sizes={"hidden": 12}, steps=60)  # doctest: +SKIP
    >>> groupcomm.convert(run.checkpoint, "build/bundles/mine")  # doctest: +SKIP
    """
    with _extras():
        from tf_model import load_tensorflow, networks
        from tf_model.training.recipe import Recipe

        defaults = dataclasses.asdict(Recipe(optimizer="soap", learning_rate=4e-3))
        for of_qat in ("ranges", "weights"):
            del defaults[of_qat]
        for name in recipe.keys() - defaults.keys():
            raise UserError(f"{name}: a recipe has no such field; {suggest(name, defaults)}")
        net = networks.find(network)
        configured: dict[str, Any] = {}
        if config is not None:
            net, configured = networks.from_config(net, Path(config), defaults)
        net = networks.changed(net, sizes or {})
        folder = Path(out) if out is not None else Path("build") / "train" / network
        output_folder(folder)
        load_tensorflow()  # after the checks that do not need it
        from tf_model.training import train as training

        asked = Recipe(**defaults | configured | recipe)
        return Training(**training.train(network, net, asked, folder))


def evaluate(
    network: str | Path | Network,
    *,
    runtime: Literal["tflm", "keras"] | None = None,
    split: Literal["validation", "test", "test-2026-11"] = "test",
    mixtures: int = 300,
    corpus: str | None = None,
    rooms: float | None = None,
    worst: str | Path | None = None,
) -> Evaluation:
    """Score a network on mixtures of unseen speakers and noises. Needs the extra ``measure``.

    Parameters
    ----------
    network : Network or str or Path
        An open network; or a bundle or a trained network by name or folder.
    runtime : {"tflm", "keras"} or None
        int8 in the official TFLM, or float32 in Keras (needs the extra ``train``). None: TFLM for
        a bundle, Keras for a trained network. An open network is run by its own engine.
    split : {"validation", "test", "test-2026-11"}
        Which speakers and noises.
    mixtures : int
        How many mixtures of 4 s, at least 2.
    corpus : str or None
        Name of a corpus that ``groupcomm data`` built; None: that of the training.
    rooms : float or None
        Share of the mixtures that are in a simulated room, 0..1; None: as the split has them.
    worst : str or Path or None
        Folder to write the ten mixtures that improved least to, as WAV files.

    Returns
    -------
    Evaluation

    Raises
    ------
    UserError
        When the network or the corpus is missing, or `mixtures` is less than 2.

    Examples
    --------
    >>> found = groupcomm.evaluate("enhance-nano", mixtures=50)  # doctest: +SKIP
    >>> found.sisdri_db.mean, found.measures["pesq"].after  # doctest: +SKIP
    """
    if mixtures < 2:
        raise UserError(f"mixtures {mixtures}: an interval needs at least 2")
    if worst is not None:
        output_folder(Path(worst))
    with _extras():
        from convert.run import resolve
        from tf_model.evaluation import evaluate as evaluation

        if isinstance(network, Network):
            name, ran_by, sources, separate = (
                network.name,
                network.engine,
                network.sources,
                network.process,
            )
            corpus = corpus or resolve.corpus_of_checksum(network.description["checkpoint_sha256"])
        else:
            name = str(network)
            separate, sources, ran_by, corpus = resolve.open_separator(name, runtime, corpus)
        scores = evaluation.evaluate(
            separate, split=split, sources=sources, mixtures=mixtures, corpus=corpus, rooms=rooms
        )
        if worst is not None:
            which: dict[str, Any] = {
                "split": split,
                "sources": sources,
                "corpus": corpus,
                "rooms": rooms,
            }
            scores["files"] = evaluation.write_worst(
                separate, scores["worst"], Path(worst), **which
            )
    return Evaluation.of({"name": name, "runtime": ran_by, "corpus": corpus, **scores})


def parity(bundle: str | Path, checkpoint: str | Path | None = None, *, hops: int = 1000) -> Parity:
    """Compare every runtime with its reference on the same real sound.

    It needs the extra ``convert``, and a checkout with Bazel for the runtimes in C++.

    Parameters
    ----------
    bundle : str or Path
        Name or folder of a bundle.
    checkpoint : str or Path or None
        The network that the bundle was made from; None: it is found by its checksum among the
        released ones and the runs under ``build``.
    hops : int
        Hops of a pass; there are two passes, with a reset between them.

    Returns
    -------
    Parity

    Raises
    ------
    UserError
        When the bundle was not made from this network, or Bazel is missing.

    Examples
    --------
    >>> groupcomm.parity("enhance-nano").exact  # doctest: +SKIP
    True
    """
    with _extras():
        from convert import bundle as bundles
        from convert.run import resolve
        from tf_model import load_tensorflow

        opened = bundles.load(str(bundle))
        trained = resolve.checkpoint_of(opened, str(checkpoint) if checkpoint else None)
        load_tensorflow()  # after the checks that do not need it
        from convert.verify import parity as comparison

        found = comparison.parity(opened, trained, hops=hops)
    runtimes = tuple(RuntimeComparison(**row) for row in found["runtimes"])
    return Parity(**found | {"runtimes": runtimes})
