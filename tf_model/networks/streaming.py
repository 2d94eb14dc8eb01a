"""The streaming family: causal GroupComm networks for boards, one hop in, one set of masks out.

STFT bins -> Dense + ReLU -> K groups -> blocks of [talk, shared LSTM] -> Dense + sigmoid -> a mask for every source. The groups talk by
TAC, by a BLSTM across them, or (a control) not at all; where there is a bottleneck, through that before. All of it is one frame deep: no
look-ahead beyond the window.

Where the signal path has bands, every group is one band of the spectrum, and the two Dense layers are of a band: they too have one set of
weights that all groups share, and a constant for each group tells it where it lies.
"""

from typing import Literal

import tf_keras as keras

from tf_model import signal as sig
from tf_model.layers import group
from tf_model.layers.bottleneck import Bottleneck
from tf_model.layers.group_bias import GroupBias
from tf_model.layers.group_blstm import GroupBLSTM
from tf_model.layers.grouped_lstm import GroupedLSTM
from tf_model.layers.tac import TAC
from tf_model.networks.sizes import Streaming

View = Literal["sequence", "streaming", "export"]


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
    x = keras.Input(
        batch_shape=(*((None, None) if view == "sequence" else (1,)), signal.n_features),
        name="features",
    )
    if signal.bands:
        h = keras.layers.Dense(net.features // net.groups, name="encoder")(
            group.split(x, net.groups)
        )
        h = keras.layers.ReLU(name="encoded")(GroupBias(name="bands")(h))
    else:
        h = keras.layers.Dense(net.features, activation="relu", name="encoder")(x)
        h = group.split(h, net.groups)
    export = view == "export"
    for i in range(net.blocks):
        if net.bottleneck:
            memory = 0 if i else net.memory
            h = Bottleneck(
                net.bottleneck,
                memory=memory,
                stateful=view == "streaming",
                export=export,
                name=f"bottleneck_{i}",
            )(h)
        if net.talk == "tac":
            h = TAC(net.tac, name=f"tac_{i}")(h)
        elif net.talk == "blstm":
            h = GroupBLSTM(net.blstm, export=export, name=f"blstm_{i}")(h)
        h = GroupedLSTM(net.hidden, stateful=view == "streaming", export=export, name=f"lstm_{i}")(
            h
        )
    if signal.bands:
        masks = group.merge(
            keras.layers.Dense(net.sources * signal.band_width, activation="sigmoid", name="masks")(h)
        )
    else:
        masks = keras.layers.Dense(net.sources * signal.bins, activation="sigmoid", name="masks")(
            group.merge(h)
        )
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
    return sig.tf_istft(
        sig.tf_apply_masks(spectrum, masks, net.sources, net.signal), samples, net.signal
    )


def reset(model: keras.Model) -> None:
    """Zero the state of a ``"streaming"`` view."""
    for layer in model.layers:
        if isinstance(layer, GroupedLSTM | Bottleneck):
            layer.reset_states()
