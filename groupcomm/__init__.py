"""Speech enhancement and separation for microcontrollers: the public Python API.

`load` opens a network and runs it; this needs NumPy and the TFLM wheel only. `convert`, `train`,
`evaluate` and `parity` need the packages of an extra, for example
``pip install 'groupcomm-micro[train]'``, and say so when a package is missing. Errors that a user
can correct are `UserError`, with a message of one line.

Examples
--------
>>> import groupcomm, numpy as np
>>> network = groupcomm.load("enhance-nano")
>>> noisy = np.random.default_rng(0).normal(0, 0.1, 32000)
>>> network.process(noisy).shape
(1, 32000)
"""

from typing import TYPE_CHECKING

from groupcomm.errors import UserError

if TYPE_CHECKING:
    from groupcomm.network import Network, Stream, load
    from groupcomm.pipeline import convert, evaluate, parity, train
    from groupcomm.results import Conversion, Evaluation, Parity, Training

__version__ = "0.5.0"
__all__ = [
    "Conversion",
    "Evaluation",
    "Network",
    "Parity",
    "Stream",
    "Training",
    "UserError",
    "convert",
    "evaluate",
    "load",
    "parity",
    "train",
]

_MODULES = {
    **dict.fromkeys(("Network", "Stream", "load"), "network"),
    **dict.fromkeys(("convert", "evaluate", "parity", "train"), "pipeline"),
    **dict.fromkeys(("Conversion", "Evaluation", "Parity", "Training"), "results"),
}


def __getattr__(name: str) -> object:
    """Import a part of the API when it is first used, so that `import groupcomm` is fast."""
    if name not in _MODULES:
        raise AttributeError(f"module 'groupcomm' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"groupcomm.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
