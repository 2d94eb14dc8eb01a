"""What a name that a user gives stands for: the network, the runtime and the corpus."""

from convert import bundle
from convert.bundle import Bundle
from convert.run import separator
from convert.tflite import runtimes
from groupcomm.errors import UserError
from groupcomm.suggest import suggest
from tf_model.training import checkpoint
from tf_model.training.checkpoint import Checkpoint


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
    if name:
        return checkpoint.load(name)
    folder = checkpoint.find_by_checksum(opened.description["checkpoint_sha256"])
    if folder is None and opened.name not in checkpoint.names():
        raise UserError(
            f"{opened.path}: the network that it was made from is not under build/train or "
            f"build/qat; name it with --checkpoint"
        )
    return checkpoint.load(str(folder or opened.name))


def check_pair(opened: Bundle, trained: checkpoint.Checkpoint) -> None:
    """Check that a bundle was made from a checkpoint.

    Parameters
    ----------
    opened : Bundle
    trained : Checkpoint

    Raises
    ------
    UserError
        When it was not.
    """
    if opened.description["checkpoint_sha256"] != trained.sha256():
        raise UserError(
            f"{opened.path}: made from other weights than {trained.weights}; convert again, "
            "or give its --checkpoint"
        )


def corpus_of_bundle(opened: Bundle) -> str:
    """Return the corpus that the network of a bundle was trained on, as `checkpoint.corpus_of`."""
    return corpus_of_checksum(opened.description["checkpoint_sha256"])


def corpus_of_checksum(weights_sha256: str) -> str:
    """Return the corpus of the network with these weights, as `checkpoint.corpus_of`."""
    folder = checkpoint.find_by_checksum(weights_sha256)
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
        A separator as in `convert.run.separator`, the number of its outputs, and what was chosen.

    Raises
    ------
    UserError
        When there is neither a bundle nor a trained network of this name.
    """
    is_bundle, is_checkpoint = bundle.find(name) is not None, checkpoint.find(name) is not None
    if not is_bundle and not is_checkpoint:
        known = [
            *bundle.names(),
            *checkpoint.names(),
            *map(str, (*bundle.own(), *checkpoint.runs())),
        ]
        raise UserError(
            f"{name}: no bundle and no trained network of this name; {suggest(name, known)}"
        )
    runtime = runtime or ("tflm" if is_bundle else "keras")
    if runtime == "keras":
        from tf_model import load_tensorflow

        load_tensorflow()
        trained = checkpoint.load(name)
        return (
            separator.from_keras(trained),
            trained.net.sources,
            runtime,
            corpus or checkpoint.corpus_of(trained),
        )
    opened = bundle.load(name)
    run = separator.from_runtime(opened, runtimes.Tflm(opened.model))
    return run, opened.sources, runtime, corpus or corpus_of_bundle(opened)
