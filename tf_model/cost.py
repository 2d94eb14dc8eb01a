"""Parameters, multiply-accumulates and state of a network.

Those of the streaming family are computed from its sizes, without TensorFlow. A network of the
papers' family is built, and its layers are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tf_model import macs, networks
from tf_model.networks import Streaming

if TYPE_CHECKING:
    import tf_keras as keras


def paper_params(model: keras.Model) -> int:
    """Count parameters by the convention of PyTorch and of the papers.

    In PyTorch an LSTM has two bias vectors, in Keras one.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    int
    """
    import tf_keras as keras

    lstms = (
        part for part in model.submodules if isinstance(part, keras.layers.LSTM) and part.weights
    )
    return model.count_params() + sum(4 * lstm.units for lstm in lstms)


def cost(net: networks.Network) -> dict:
    """Count the parameters, the multiply-accumulates and the state of a network.

    Parameters
    ----------
    net : Network
        Sizes of a network.

    Returns
    -------
    dict
        ``params``, ``params_paper`` (as PyTorch counts) and ``macs_per_second``. A streaming
        network also has ``macs_per_hop``, ``state_bytes`` (int8) and ``latency_ms``; one of the
        papers' family has ``macs_4s`` and ``macs_4s_thop``.
    """
    if isinstance(net, Streaming):
        params, lstm_units = _streaming_params(net)
        hop = macs_per_hop(net)
        return {
            "params": params,
            "params_paper": params + 4 * lstm_units,
            "macs_per_hop": hop,
            "macs_per_second": hop * net.signal.sample_rate // net.signal.hop,
            "state_bytes": state_bytes(net),
            "latency_ms": 1000 * net.signal.window / net.signal.sample_rate,
        }
    family = networks.family(net)
    model = family.build(net)
    return {
        "params": model.count_params(),
        "params_paper": paper_params(model),
        **family.cost(net, model),
    }


def macs_per_hop(net: Streaming) -> int:
    """Count the multiply-accumulates of one hop of a streaming network.

    Only matrix products are counted, not the STFT, biases and activations.

    Parameters
    ----------
    net : Streaming

    Returns
    -------
    int
    """
    width = net.features // net.groups
    group_comm = {
        "tac": macs.tac(net.groups, width, net.tac),
        "blstm": macs.group_blstm(net.groups, width, net.blstm),
        "none": 0,
    }[net.group_comm]
    narrow = macs.bottleneck(net.groups, width, net.bottleneck)
    over_time = (
        macs.grouped_tcn(net.groups, width, net.hidden, net.taps)
        if net.over_time == "tcn"
        else macs.grouped_lstm(net.groups, width, net.hidden)
    )
    block = group_comm + narrow + over_time
    memory = macs.bottleneck(net.groups, width, net.bottleneck, net.memory) - narrow
    # The encoder and the mask layer; with bands, both work on the features of one group at a time.
    ends = net.signal.n_features + net.sources * net.signal.n_values
    if net.signal.waveform:  # filterbank and inverse; encoder and masks of every group
        ends = net.features * (ends + width * (1 + net.sources))
    else:
        ends *= width if net.signal.bands else net.features
    return ends + net.blocks * block + memory


def state_bytes(net: Streaming) -> int:
    """Count the bytes of state of the int8 form: hidden states and frames int8, cells int16.

    Every group of every block has its own state. A BLSTM across groups has none between hops.

    Parameters
    ----------
    net : Streaming

    Returns
    -------
    int
    """
    if net.over_time == "tcn":
        return net.past_frames * net.groups * net.hidden + net.memory * 3
    return (net.blocks * net.groups * net.hidden + net.memory) * 3


def _dense(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _lstm(inputs: int, units: int) -> int:
    return 4 * units * (inputs + units + 1)


def _streaming_params(net: Streaming) -> tuple[int, int]:
    """Count the parameters of a streaming network, and the units of all its LSTMs."""
    signal, width = net.signal, net.features // net.groups
    if signal.waveform:
        total = 2 * net.features * signal.window
        total += net.groups * width  # biases of the groups
        total += (1 + net.sources) * _dense(width, width)
    elif signal.bands:
        total = _dense(signal.n_features // net.groups, width)
        total += net.groups * width  # biases of the groups
        total += _dense(width, net.sources * signal.band_width)
    else:
        total = _dense(signal.n_features, net.features) + _dense(
            net.features, net.sources * signal.bins
        )
    is_tcn = net.over_time == "tcn"
    units = 0 if is_tcn else net.blocks * net.hidden
    total += net.blocks * (
        _dense(width, net.hidden) + _dense(net.taps, net.hidden)
        if is_tcn
        else _lstm(width, net.hidden)
    )
    total += net.blocks * _dense(net.hidden, width)
    if net.group_comm == "tac":
        total += net.blocks * (
            _dense(width, net.tac)
            + _dense(net.tac, net.tac)
            + _dense(net.tac, width)
            + net.tac * width
        )
    elif net.group_comm == "blstm":
        total += net.blocks * (
            2 * _lstm(width, net.blstm) + _dense(net.blstm, width) + net.blstm * width
        )
        units += net.blocks * 2 * net.blstm
    for block in range(net.blocks if net.bottleneck else 0):
        memory = 0 if block else net.memory
        total += _dense(net.features, net.bottleneck) + _dense(
            memory or net.bottleneck, net.features
        )
        if memory:
            total += _lstm(net.bottleneck, memory)
            units += memory
    return total, units
