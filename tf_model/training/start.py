"""Start from the weights of a trained network."""

import dataclasses

import numpy as np

from groupcomm.errors import UserError
from tf_model import networks
from tf_model.layers.grouped_lstm import GroupedLSTM
from tf_model.training import checkpoint


def load_start(start: str, name: str, net: networks.Network) -> checkpoint.Checkpoint | None:
    """Return the trained network to start from; None for random weights.

    Parameters
    ----------
    start : str
        See `tf_model.training.recipe.Recipe`.
    name : str
        Name of the network that starts.
    net : networks.Network
        Its sizes.

    Returns
    -------
    Checkpoint or None

    Raises
    ------
    UserError
        When the sizes do not fit.
    """
    if not start:
        return None
    trained = checkpoint.load(start)
    expected = net
    if isinstance(net, networks.Streaming) and isinstance(trained.net, networks.Streaming):
        expected = dataclasses.replace(
            net,
            signal=dataclasses.replace(net.signal, dc=trained.net.signal.dc),  # has no weights
            bottleneck=trained.net.bottleneck and net.bottleneck,
            hidden=max(net.hidden, trained.net.hidden),
        )
    if trained.net != expected:
        raise UserError(
            f"start {start}: its sizes are not those of {name}; start from a network of the same "
            "sizes, one without a bottleneck, or one with more hidden units"
        )
    return trained


def set_weights(model, trained: checkpoint.Checkpoint) -> None:
    """Copy trained weights into a model.

    A layer that the trained network does not have keeps its initial weights, which make it the
    identity. Of a wider LSTM, the units with the largest outgoing weights are copied.
    """
    before = {layer.name: layer for layer in trained.model().layers}
    for layer in model.layers:
        if layer.name not in before:
            continue
        if isinstance(layer, GroupedLSTM) and layer.hidden < before[layer.name].hidden:
            _narrow(before[layer.name], layer)
        else:
            layer.set_weights(before[layer.name].get_weights())


def _narrow(wide: GroupedLSTM, narrow: GroupedLSTM) -> None:
    """Copy the units with the largest norm of their outgoing weights."""
    kernel, recurrent, bias = wide.lstm.get_weights()
    project, project_bias = wide.project.get_weights()
    outgoing = np.linalg.norm(np.concatenate([project, recurrent], 1), axis=1)
    units = np.sort(np.argsort(-outgoing, kind="stable")[: narrow.hidden])
    gates = (np.arange(4)[:, None] * wide.hidden + units).ravel()  # columns of the four gates
    narrow.lstm.set_weights([kernel[:, gates], recurrent[units][:, gates], bias[gates]])
    narrow.project.set_weights([project[units], project_bias])
