"""Trained networks on disk: a folder with ``network.json`` (sizes, recipe, validation) and ``weights.h5``.

The committed ones are in ``tf_model/trained/NAME`` and are addressed by name, any other by its path.
The folder of a training run stands for its best checkpoint. This module does not import TensorFlow.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np

from calibration_data import corpus as corpora
from groupcomm.console import note
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder, resource, sha256
from groupcomm.suggest import suggest
from tf_model import networks

TRAINED = resource("tf_model/trained")
SCHEMA = 1
RUNS = (Path("build/train"), Path("build/qat"))  # where `groupcomm train` and `qat` write unless told


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A trained network.

    Parameters
    ----------
    name : name in the registry it was trained under.
    net : its sizes.
    training : recipe and validation figures, as `tf_model.train` wrote them.
    weights : path of the weights; None: random ones, the same every time.
    """

    name: str
    net: networks.Network
    training: dict
    weights: Path | None

    def model(self, view: str = "sequence"):
        """Build a view of the network with these weights."""
        model = networks.family(self.net).build(self.net, view)
        if self.weights is None:
            model.set_weights(_random_weights(model))
            return model
        try:
            model.load_weights(self.weights)
        except (OSError, ValueError, KeyError) as e:
            reason = str(e).splitlines()[0]
            raise UserError(f"{self.weights}: not the weights of this network ({reason}); train or check it out again") from e
        return model

    def sha256(self) -> str:
        """Checksum of the weights."""
        return sha256(self.weights)


def names() -> list[str]:
    """Names of the committed networks."""
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
    found = (one for one in (folder, folder / "best") if (one / "network.json").is_file())
    return next(found, None)


def find_by_checksum(weights_sha256: str) -> Path | None:
    """Return the folder of the checkpoint with these weights.

    Parameters
    ----------
    weights_sha256 : str
        As the description of a bundle has it: ``checkpoint_sha256``.

    Returns
    -------
    Path or None
        None when it is neither a committed checkpoint nor the best one of a run under ``build``.
    """
    for folder in (*(TRAINED / name for name in names()), *(run / "best" for run in runs())):
        try:
            found = json.loads((folder / "network.json").read_text())["weights_sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # `load` says what is wrong with it
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
        When there is none, or ``network.json`` cannot be read.
    """
    folder = find(name_or_path)
    if folder is None:
        hint = suggest(name_or_path, [*names(), *map(str, runs())], "train one with `groupcomm train`")
        raise UserError(f"{name_or_path}: no trained network of this name and no folder with a network.json; {hint}")
    description = folder / "network.json"
    try:
        d = json.loads(description.read_text())
        if d["schema"] != SCHEMA:
            raise UserError(f"{description}: schema {d['schema']}, this program reads {SCHEMA}; train it again")
        net = networks.from_dict(d.get("family", "streaming"), d["network"])
        weights = folder / "weights.h5"
        if sha256(weights) != d["weights_sha256"]:
            raise UserError(f"{weights}: checksum differs from network.json; the file is damaged, check it out again")
        return Checkpoint(d["name"], net, d["training"], weights)
    except (ValueError, KeyError, TypeError, OSError) as e:
        raise UserError(f"{description}: not a network description ({e}); check it out or train it again") from e


def corpus_of(trained: Checkpoint | None) -> str:
    """Return the corpus that a network was trained on, if it is on this machine.

    Parameters
    ----------
    trained : Checkpoint or None
        None: a network of unknown origin.

    Returns
    -------
    str
        Name of the corpus of its recipe; ``"open"`` when that is unknown or not built here, which
        a note on stderr says.
    """
    name = trained.training.get("recipe", {}).get("corpus", "open") if trained else "open"
    if name != "open" and name not in corpora.names():
        note(f"{trained.name} was trained on the corpus {name}, which is not built here; using open")
        return "open"
    return name


def untrained(name: str) -> Checkpoint:
    """A network of the registry with random weights, to see what becomes of it before it is trained."""
    return Checkpoint(name, networks.find(name), {}, None)


def _random_weights(model) -> list[np.ndarray]:
    """Weights about as large as trained ones. No gain is 1 and no bias 0: a converter would drop those, and show a smaller network."""
    random = np.random.default_rng(0)
    return [
        random.normal(0, 0.8 / np.sqrt(len(w)), w.shape) if w.ndim > 1 else w + random.normal(0, 0.1, w.shape) for w in model.get_weights()
    ]


def save(folder: Path, name: str, net: networks.Network, training: dict, model) -> None:
    """Write a checkpoint folder; it appears whole or not at all."""
    with atomic_folder(folder) as part:
        weights = part / "weights.h5"
        model.save_weights(weights)
        description = {
            "schema": SCHEMA,
            "name": name,
            "family": networks.family_name(net),
            "network": dataclasses.asdict(net),
            "training": training,
            "weights_sha256": sha256(weights),
        }
        (part / "network.json").write_text(json.dumps(description, indent=2) + "\n")
