"""Trained networks on disk.

A checkpoint is a folder with ``network.json`` (sizes, recipe, validation figures) and
``weights.h5``. The committed checkpoints are in ``tf_model/trained/NAME`` and are addressed by
name, all others by path. The folder of a training run stands for its best checkpoint. This module
does not import TensorFlow.
"""

import dataclasses
import json
import reprlib
from pathlib import Path

import numpy as np

from calibration_data import corpus as corpora
from groupcomm.console import note, printable
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder, is_name, json_text, resource, sha256
from groupcomm.suggest import suggest
from tf_model import cost as costs
from tf_model import networks

TRAINED = resource("tf_model/trained")
SCHEMA = 1
# Folders in which `groupcomm train` and `groupcomm qat` write by default.
RUNS = (Path("build/train"), Path("build/qat"))


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A trained network.

    Parameters
    ----------
    name : str
        Name in the registry under which it was trained.
    net : networks.Network
        Its sizes.
    training : dict
        Recipe and validation figures, as `tf_model.training.train` wrote them.
    weights : Path or None
        Path of the weights. None: random weights, always the same.
    """

    name: str
    net: networks.Network
    training: dict
    weights: Path | None

    def model(self, view: str = "sequence"):
        """Build a view of the network with these weights.

        Parameters
        ----------
        view : str
            See the function ``build`` of the family of the network.

        Returns
        -------
        keras.Model

        Raises
        ------
        UserError
            When the file does not have the weights of this network.
        """
        model = networks.family(self.net).build(self.net, view)
        if self.weights is None:
            model.set_weights(_random_weights(model))
            return model
        try:
            model.load_weights(self.weights)
        except Exception as e:  # of HDF5 and Keras
            reason = str(e).partition("\n")[0]
            raise UserError(
                f"{self.weights}: not the weights of this network ({reason}); "
                "train or check it out again"
            ) from e
        return model

    def sha256(self) -> str:
        """Return the checksum of the weights, in hexadecimal."""
        return sha256(self.weights)


def names() -> list[str]:
    """Return the names of the committed checkpoints, sorted."""
    return sorted(p.parent.name for p in TRAINED.glob("*/network.json"))


def runs() -> list[Path]:
    """Return the folders of the training runs under ``build`` that have a best checkpoint."""
    return sorted(file.parents[1] for folder in RUNS for file in folder.glob("*/best/network.json"))


def find(name_or_path: str) -> Path | None:
    """Return the folder of a checkpoint.

    Parameters
    ----------
    name_or_path : str
        A committed name, the folder of a checkpoint, or the folder of a run, which stands for its
        best checkpoint.

    Returns
    -------
    Path or None
        None when there is no such checkpoint.
    """
    folder = TRAINED / name_or_path if name_or_path in names() else Path(name_or_path)
    candidates = (folder, folder / "best")
    found = (path for path in candidates if (path / "network.json").is_file())
    return next(found, None)


def find_by_checksum(weights_sha256: str) -> Path | None:
    """Return the folder of the checkpoint with these weights.

    Parameters
    ----------
    weights_sha256 : str
        The field ``checkpoint_sha256`` of a bundle.

    Returns
    -------
    Path or None
        None when it is neither a committed checkpoint nor the best one of a run under ``build``.
    """
    for folder in (*(TRAINED / name for name in names()), *(run / "best" for run in runs())):
        try:
            found = json.loads((folder / "network.json").read_text())["weights_sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # `load` reports what is wrong with it
        if found == weights_sha256:
            return folder
    return None


def load(name_or_path: str) -> Checkpoint:
    """Open a checkpoint.

    Parameters
    ----------
    name_or_path : str
        As for `find`.

    Returns
    -------
    Checkpoint

    Raises
    ------
    UserError
        When there is no such checkpoint, or it is damaged.
    """
    folder = find(name_or_path)
    if folder is None:
        hint = suggest(
            name_or_path, [*names(), *map(str, runs())], "train one with `groupcomm train`"
        )
        raise UserError(
            f"{name_or_path}: no trained network of this name and no folder with a network.json; "
            f"{hint}"
        )
    description = folder / "network.json"
    try:
        d = json.loads(description.read_text())
        if d["schema"] != SCHEMA:
            raise UserError(
                f"{description}: schema {d['schema']}, this program reads {SCHEMA}; train it again"
            )
        if not is_name(d["name"]):  # it becomes the name of a bundle and of its folder
            raise UserError(
                f"{description}: name is {reprlib.repr(d['name'])}, not a name; use lower-case "
                "letters, digits, '-' and '_', beginning with a letter"
            )
        net = networks.from_dict(d.get("family", "streaming"), d["network"])
        weights = folder / "weights.h5"
        if sha256(weights) != d["weights_sha256"]:
            raise UserError(
                f"{weights}: checksum differs from network.json; the file is damaged, "
                "check it out again"
            )
        if isinstance(net, networks.Streaming):  # the others would have to be built
            parameters = costs.cost(net)["params"]
            if 4 * parameters > weights.stat().st_size:
                raise UserError(
                    f"{description}: its sizes mean {parameters:,} parameters, more than {weights} "
                    "holds; check it out again"
                )
        return Checkpoint(d["name"], net, d["training"], weights)
    except UserError:
        raise
    except Exception as e:  # the file may hold any JSON
        raise UserError(
            f"{description}: not a network description ({printable(str(e))}); "
            "check it out or train it again"
        ) from e


def corpus_of(trained: Checkpoint | None) -> str:
    """Return the corpus that a network was trained on, if it is on this machine.

    Parameters
    ----------
    trained : Checkpoint or None
        None: a network of unknown origin.

    Returns
    -------
    str
        Name of the corpus in its recipe. `corpus.DEFAULT` when that is unknown, or not built on
        this machine; the latter is noted on stderr.
    """
    recipe = trained.training.get("recipe", {}) if trained else {}
    name = recipe.get("corpus", corpora.DEFAULT)
    if name != corpora.DEFAULT and name not in corpora.names():
        note(
            f"{trained.name} was trained on the corpus {name}, which is not built here; "
            f"using {corpora.DEFAULT}"
        )
        return corpora.DEFAULT
    return name


def untrained(name: str) -> Checkpoint:
    """Return a network of the registry with random weights, to measure it before training.

    Parameters
    ----------
    name : str

    Returns
    -------
    Checkpoint

    Raises
    ------
    UserError
        When there is no network of this name.
    """
    return Checkpoint(name, networks.find(name), {}, None)


def _random_weights(model) -> list[np.ndarray]:
    """Make random weights of about the size of trained ones.

    No gain is 1 and no bias is 0, because the converter would remove them and the network would
    appear smaller.
    """
    rng = np.random.default_rng(0)
    return [
        rng.normal(0, 0.8 / np.sqrt(len(w)), w.shape)
        if w.ndim > 1
        else w + rng.normal(0, 0.1, w.shape)
        for w in model.get_weights()
    ]


def _hdf5(model) -> bytes:
    """Return the file that ``model.save_weights`` writes.

    HDF5 crashes when it cannot write, so it writes into memory.
    """
    import h5py
    from tf_keras.src.saving.legacy import hdf5_format

    with h5py.File("weights.h5", "w", driver="core", backing_store=False) as file:
        hdf5_format.save_weights_to_hdf5_group(file, model)
        file.flush()
        return file.id.get_file_image()


def save(folder: Path, name: str, net: networks.Network, training: dict, model) -> None:
    """Write a checkpoint folder. It appears whole or not at all.

    Parameters
    ----------
    folder : Path
    name : str
        Name of the network in the registry.
    net : networks.Network
    training : dict
        Recipe and validation figures.
    model : keras.Model
        Any view of the network.
    """
    with atomic_folder(folder) as part:
        weights = part / "weights.h5"
        weights.write_bytes(_hdf5(model))
        description = {
            "schema": SCHEMA,
            "name": name,
            "family": networks.family_name(net),
            "network": dataclasses.asdict(net),
            "training": training,
            "weights_sha256": sha256(weights),
        }
        (part / "network.json").write_text(json_text(description))
