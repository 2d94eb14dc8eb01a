"""The streaming family: causal GroupComm networks for boards, one hop in, one set of masks out.

STFT bins -> Dense + ReLU -> K groups -> blocks of [talk, shared LSTM] -> Dense + sigmoid -> a mask for every source. The groups talk by
TAC, by a BLSTM across them, or (a control) not at all; where there is a bottleneck, through that before. All of it is one frame deep: no
look-ahead beyond the window.

Where the signal path has bands, every group is one band of the spectrum, and the two Dense layers are of a band: they too have one set of
weights that all groups share, and a constant for each group tells it where it lies.
"""

import dataclasses
from typing import Literal

import tf_keras as keras

from groupcomm.errors import UserError
from tf_model import signal as sig
from tf_model.layers import group
from tf_model.layers.bottleneck import Bottleneck
from tf_model.layers.group_bias import GroupBias
from tf_model.layers.group_blstm import GroupBLSTM
from tf_model.layers.grouped_lstm import GroupedLSTM
from tf_model.layers.tac import TAC
from tf_model.networks import check
from tf_model.signal import Signal

View = Literal["sequence", "streaming", "export"]


@dataclasses.dataclass(frozen=True)
class Streaming:
    """Sizes of a streaming network.

    Parameters
    ----------
    signal : the signal path.
    sources : 1 for enhancement (the speech), 2 for two speakers.
    features : encoder width N, split into ``groups`` groups of M = N / K.
    groups : K; where the signal path has bands, as many.
    blocks : [talk, LSTM] pairs.
    talk : how groups talk: by TAC, by a BLSTM across them, which begins from zero in every frame, or not at all.
    bottleneck : width of the layer in which, at the head of every block, each group speaks and hears in a place of its own; 0: none.
    memory : units of an LSTM in the bottleneck of the first block; 0: none.
    tac : hidden width of TAC.
    blstm : units of the BLSTM across groups, in each direction.
    hidden : units of the shared LSTM.

    Raises
    ------
    UserError
        When the groups do not divide the features or are not the bands, or there is no such talk.
    """

    signal: Signal = Signal()
    sources: int = 1
    features: int = 128
    groups: int = 16
    blocks: int = 4
    talk: Literal["tac", "blstm", "none"] = "tac"
    tac: int = 16
    blstm: int = 8
    hidden: int = 32
    bottleneck: int = 0
    memory: int = 0

    def __post_init__(self):
        check.at_least(self, 0, "blocks", "bottleneck", "memory")
        check.at_least(self, 1, "sources", "features", "groups", "tac", "blstm", "hidden")
        if self.features % self.groups:
            raise UserError(f"{self.groups} groups do not divide {self.features} features; change one of them")
        if self.signal.bands not in (0, self.groups):
            raise UserError(f"{self.groups} groups, {self.signal.bands} bands: each band is a group; use as many")
        if self.memory and not (self.bottleneck and self.blocks):
            raise UserError(f"memory {self.memory}: its LSTM is in the bottleneck; use a bottleneck of 16, or memory 0")
        if self.talk not in ("tac", "blstm", "none"):
            raise UserError(f"groups do not talk by {self.talk!r}; use 'tac', 'blstm' or 'none'")


def build(net: Streaming, view: View = "sequence") -> keras.Model:
    """Build a network. All views have the same weights in the same order: ``a.set_weights(b.get_weights())``.

    Parameters
    ----------
    net : sizes.
    view : ``"sequence"`` maps features [batch, frames, inputs] to masks [batch, frames, sources * values], to train (see `Signal`);
        ``"streaming"`` maps [1, inputs] to [1, sources * values] and keeps its state from call to call (`reset` zeroes it);
        ``"export"`` has the same shapes and leaves the state to the TFLite runtime, to convert.
    """
    signal = net.signal
    x = keras.Input(batch_shape=(*((None, None) if view == "sequence" else (1,)), signal.inputs), name="features")
    if signal.bands:
        h = keras.layers.Dense(net.features // net.groups, name="encoder")(group.split(x, net.groups))
        h = keras.layers.ReLU(name="encoded")(GroupBias(name="bands")(h))
    else:
        h = keras.layers.Dense(net.features, activation="relu", name="encoder")(x)
        h = group.split(h, net.groups)
    export = view == "export"
    for i in range(net.blocks):
        if net.bottleneck:
            memory = 0 if i else net.memory
            h = Bottleneck(net.bottleneck, memory=memory, stateful=view == "streaming", export=export, name=f"bottleneck_{i}")(h)
        if net.talk == "tac":
            h = TAC(net.tac, name=f"tac_{i}")(h)
        elif net.talk == "blstm":
            h = GroupBLSTM(net.blstm, export=export, name=f"blstm_{i}")(h)
        h = GroupedLSTM(net.hidden, stateful=view == "streaming", export=export, name=f"lstm_{i}")(h)
    if signal.bands:
        masks = group.merge(keras.layers.Dense(net.sources * signal.width, activation="sigmoid", name="masks")(h))
    else:
        masks = keras.layers.Dense(net.sources * signal.bins, activation="sigmoid", name="masks")(group.merge(h))
    return keras.Model(x, masks, name="groupcomm")


def separate(model, mixtures, net: Streaming):
    """Run a sequence view on sound.

    Parameters
    ----------
    model : callable, features [batch, frames, inputs] -> masks [batch, frames, sources * values].
    mixtures : tensor [shape=(batch, samples), float32]

    Returns
    -------
    tensor [shape=(batch, sources, samples), float32]
    """
    samples = mixtures.shape[-1]
    spectrum = sig.tf_stft(mixtures, net.signal)
    masks = model(sig.tf_features(spectrum, net.signal))
    return sig.tf_istft(sig.tf_apply_masks(spectrum, masks, net.sources, net.signal), samples, net.signal)


def reset(model: keras.Model) -> None:
    """Zero the state of a ``"streaming"`` view."""
    for layer in model.layers:
        if isinstance(layer, GroupedLSTM | Bottleneck):
            layer.reset_states()


def macs_per_hop(net: Streaming) -> int:
    """Multiply-accumulates of the matrix products for one hop (the STFT, biases and activations are not counted)."""
    width = net.features // net.groups
    talks = {"tac": TAC.macs(net.groups, width, net.tac), "blstm": GroupBLSTM.macs(net.groups, width, net.blstm), "none": 0}
    block = talks[net.talk] + Bottleneck.macs(net.groups, width, net.bottleneck) + GroupedLSTM.macs(net.groups, width, net.hidden)
    ends = net.signal.inputs + net.sources * net.signal.values  # of a band, its own alone, by one group's width
    memory = Bottleneck.macs(net.groups, width, net.bottleneck, net.memory) - Bottleneck.macs(net.groups, width, net.bottleneck)
    return (width if net.signal.bands else net.features) * ends + net.blocks * block + memory


def state_bytes(net: Streaming) -> int:
    """Bytes of recurrent state in int8: hidden state int8, cell state int16, for each group of each block.

    A BLSTM across groups keeps nothing from hop to hop.
    """
    return (net.blocks * net.groups * net.hidden + net.memory) * 3


def cost(net: Streaming, model: keras.Model) -> dict:
    """Multiply-accumulates and state of a network.

    Returns
    -------
    dict with ``macs_per_hop``, ``macs_per_second``, ``state_bytes`` (int8), ``latency_ms``.
    """
    macs = macs_per_hop(net)
    return {
        "macs_per_hop": macs,
        "macs_per_second": macs * net.signal.sample_rate // net.signal.hop,
        "state_bytes": state_bytes(net),
        "latency_ms": 1000 * net.signal.window / net.signal.sample_rate,
    }
