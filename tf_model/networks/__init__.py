"""The networks by name."""

from groupcomm.errors import UserError
from tf_model.networks.streaming import Streaming

NETWORKS = {
    "enhance": Streaming(),
    "separate": Streaming(sources=2),
}


def find(name: str) -> Streaming:
    """Sizes of a network by name.

    Raises
    ------
    UserError
        When there is none of this name.
    """
    if name not in NETWORKS:
        raise UserError(f"{name}: no such network; choose one of {', '.join(NETWORKS)}")
    return NETWORKS[name]
