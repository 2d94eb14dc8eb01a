"""Arguments and options that several commands share, and what they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from groupcomm.errors import UserError
from groupcomm.suggest import suggest
from tf_model.commands import complete_checkpoint, complete_corpus

if TYPE_CHECKING:
    from convert.bundle import Bundle
    from tf_model.checkpoint import Checkpoint

RangesMethod = Literal["min-max", "percentile", "error"]  # convert.ranges.Method, which needs NumPy
Core = Literal["cortex-m4", "cortex-m33", "cortex-m55"]


def complete_bundle(incomplete: str) -> list[str]:
    """Complete the name or the folder of a bundle in a shell."""
    from convert import bundle

    return [name for name in (*bundle.names(), *map(str, bundle.own())) if name.startswith(incomplete)]


def complete_board(incomplete: str) -> list[str]:
    """Complete the name of a board in a shell."""
    from convert import boards

    return [name for name in boards.boards() if name.startswith(incomplete)]


def _complete_any(incomplete: str) -> list[str]:
    return [*complete_bundle(incomplete), *complete_checkpoint(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
BundleName = Annotated[
    str,
    typer.Argument(metavar="BUNDLE", help="Name (`groupcomm list`) or folder of a bundle.", autocompletion=complete_bundle),
]
BundleOption = Annotated[str, typer.Option("--bundle", help="Name or folder of a bundle.", autocompletion=complete_bundle)]
NetworkName = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="A trained network: its name (`groupcomm list`), its run or its folder.",
        autocompletion=complete_checkpoint,
    ),
]
AnyName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Name or folder of a bundle, or of a trained network or its run.",
        autocompletion=_complete_any,
    ),
]
Split = Annotated[
    Literal["validation", "test", "test-2026-11"],
    typer.Option(help="Which speakers and noises. test-2026-11: the test split, with its mixtures, of versions before 0.2."),
]
RuntimeOption = Annotated[
    Literal["tflm", "keras"] | None,
    typer.Option(
        "--runtime",
        help="tflm: int8 in the official TFLM, the default for a bundle. keras: float32, the default "
        "for a trained network that is not also a bundle.",
    ),
]
CorpusOption = Annotated[
    str | None,
    typer.Option(
        "--corpus",
        help="Name of a corpus that `groupcomm data` built; by default that of the training.",
        autocompletion=complete_corpus,
    ),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        help="The trained network that the bundle was made from; found by its checksum by default.",
        autocompletion=complete_checkpoint,
    ),
]
Mixtures = Annotated[int, typer.Option(min=2, help="Number of mixtures of 4 s.")]


def checkpoint_of(opened: Bundle, name: str | None) -> Checkpoint:
    """Open the checkpoint that a bundle was made from.

    Parameters
    ----------
    opened : Bundle
    name : str or None
        Name or folder of the checkpoint; None: it is found by the checksum of its weights.

    Returns
    -------
    Checkpoint

    Raises
    ------
    UserError
        When it is not found.
    """
    from tf_model import checkpoint

    if name:
        return checkpoint.load(name)
    folder = checkpoint.find_by_checksum(opened.description["checkpoint_sha256"])
    if folder is None and opened.name not in checkpoint.names():
        raise UserError(
            f"{opened.path}: the network that it was made from is not under build/train or build/qat; name it with --checkpoint"
        )
    return checkpoint.load(str(folder or opened.name))


def corpus_of_bundle(opened: Bundle) -> str:
    """Return the corpus that the network of a bundle was trained on, as `checkpoint.corpus_of`."""
    from tf_model import checkpoint

    folder = checkpoint.find_by_checksum(opened.description["checkpoint_sha256"])
    return checkpoint.corpus_of(checkpoint.load(str(folder)) if folder else None)


def open_separator(name: str, runtime: str | None, corpus: str | None):
    """Open a bundle in TFLM, or a trained network in Keras.

    Parameters
    ----------
    name : str
    runtime : {"tflm", "keras"} or None
        None: ``"tflm"`` for a bundle, ``"keras"`` for a trained network.
    corpus : str or None
        None: the corpus of the training.

    Returns
    -------
    (separator, sources, runtime, corpus)
        A separator as in `convert.separator`, the number of its outputs, and what was chosen.

    Raises
    ------
    UserError
        When there is neither a bundle nor a trained network of this name.
    """
    from convert import bundle, runtimes, separator
    from tf_model import checkpoint

    is_bundle, is_checkpoint = bundle.find(name) is not None, checkpoint.find(name) is not None
    if not is_bundle and not is_checkpoint:
        known = [*bundle.names(), *checkpoint.names(), *map(str, (*bundle.own(), *checkpoint.runs()))]
        raise UserError(f"{name}: no bundle and no trained network of this name; {suggest(name, known)}")
    runtime = runtime or ("tflm" if is_bundle else "keras")
    if runtime == "keras":
        from tf_model import load_tensorflow

        load_tensorflow()
        trained = checkpoint.load(name)
        return separator.from_keras(trained), trained.net.sources, runtime, corpus or checkpoint.corpus_of(trained)
    opened = bundle.load(name)
    run = separator.from_runtime(opened, runtimes.Tflm(opened.model))
    return run, opened.sources, runtime, corpus or corpus_of_bundle(opened)
