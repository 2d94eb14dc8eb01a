"""The streaming family: causal GroupComm networks for boards that process one hop at a time.

STFT features -> Dense + ReLU -> K groups -> blocks of [Group Communication, shared LSTM] -> Dense +
sigmoid -> a mask per source. Group Communication is TAC, a BLSTM across the groups, or, in an
ablation, absent. Where there is a bottleneck, it comes first in each block. A causal convolution
can replace the LSTM. Every layer works on one frame and on the past: there is no look-ahead beyond
the window.

Where the signal path has bands, every group is one band of the spectrum. The two Dense layers then
also share their weights across groups, and a constant per group encodes its position in the
spectrum.

With ``signal.waveform`` the network is a TasNet (arXiv 2011.08397, section 3.2) in a causal form,
with frames of the signal path: samples -> learned filterbank -> K groups -> Dense + ReLU -> the
same blocks -> masks for the output of the filterbank -> learned inverse filterbank -> samples. The
recurrence over time takes one frame per step, so the part of the dual path inside a chunk, whose
length would be one frame, is absent. The normalization is that of the signal path.
"""

from typing import Literal

import tf_keras as keras

from tf_model import signal as sig
from tf_model.layers import group, waveform
from tf_model.layers.bottleneck import Bottleneck
from tf_model.layers.group_bias import GroupBias
from tf_model.layers.group_blstm import GroupBLSTM
from tf_model.layers.grouped_lstm import GroupedLSTM
from tf_model.layers.grouped_tcn import GroupedTCN
from tf_model.layers.tac import TAC
from tf_model.networks.sizes import Streaming

View = Literal["sequence", "streaming", "export"]


def build(net: Streaming, view: View = "sequence") -> keras.Model:
    """Build a network.

    All views have the same weights in the same order: ``a.set_weights(b.get_weights())``.

    Parameters
    ----------
    net : Streaming
    view : str
        - "sequence", for training: maps features [shape=(batch, frames, n_features)] to masks
          [shape=(batch, frames, sources * n_values)], see `Signal`.
        - "streaming": maps [shape=(1, n_features)] to [shape=(1, sources * n_values)] and keeps its
          state between calls; `reset` resets it.
        - "export", for the converter: has the same shapes and leaves the state to the TFLite
          runtime. Convolutions keep theirs in variables, which the converter finds.

    Returns
    -------
    keras.Model
    """
    signal = net.signal
    export = view == "export"
    x = keras.Input(
        batch_shape=(*((None, None) if view == "sequence" else (1,)), signal.n_features),
        name="features",
    )
    filtered = x
    if signal.waveform:
        filtered = group.split(waveform.analysis(signal.window, net.features)(x), net.groups)
        h = _encode(filtered, net)
    elif signal.bands:
        h = _encode(group.split(x, net.groups), net)
    else:
        h = keras.layers.Dense(net.features, activation="relu", name="encoder")(x)
        h = group.split(h, net.groups)
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
        if net.group_comm == "tac":
            h = TAC(net.tac, name=f"tac_{i}")(h)
        elif net.group_comm == "blstm":
            h = GroupBLSTM(net.blstm, export=export, name=f"blstm_{i}")(h)
        if net.over_time == "tcn":
            over_time = GroupedTCN(
                net.hidden,
                taps=net.taps,
                dilation=net.dilation(i),
                stateful=view != "sequence",
                name=f"tcn_{i}",
            )
        else:
            over_time = GroupedLSTM(
                net.hidden, stateful=view == "streaming", export=export, name=f"lstm_{i}"
            )
        h = over_time(h)
    if signal.waveform:
        masks = _sources(h, filtered, net)
    elif signal.bands:
        masks = group.merge(
            keras.layers.Dense(net.sources * signal.band_width, activation="sigmoid", name="masks")(
                h
            )
        )
    else:
        masks = keras.layers.Dense(net.sources * signal.bins, activation="sigmoid", name="masks")(
            group.merge(h)
        )
    return keras.Model(x, masks, name="groupcomm")


def _encode(x, net: Streaming):
    """Compute the features of every group with shared weights, and a constant per group."""
    h = keras.layers.Dense(net.features // net.groups, name="encoder")(x)
    return keras.layers.ReLU(name="encoded")(GroupBias(name="bands")(h))


def _sources(h, filtered, net: Streaming):
    """Mask the output of the filterbank for every source, and compute its samples."""
    synthesis = waveform.synthesis(net.signal.window, net.features)
    frames = []
    for source in range(net.sources):
        mask = keras.layers.Dense(
            net.features // net.groups, activation="sigmoid", name=f"masks_{source}"
        )(h)
        masked = keras.layers.Multiply(name=f"masked_{source}")([mask, filtered])
        frames.append(synthesis(group.merge(masked)))
    return frames[0] if net.sources == 1 else keras.layers.Concatenate(name="sources")(frames)


def separate(model, mixtures, net: Streaming):
    """Separate mixtures with a sequence view.

    Parameters
    ----------
    model : callable
        Maps features [shape=(batch, frames, n_features)] to masks
        [shape=(batch, frames, sources * n_values)].
    mixtures : tf.Tensor [shape=(batch, samples), dtype=float32]
    net : Streaming

    Returns
    -------
    tf.Tensor [shape=(batch, sources, samples), dtype=float32]
    """
    samples = mixtures.shape[-1]
    spectrum = sig.tf_stft(mixtures, net.signal)
    masks = model(sig.tf_features(spectrum, net.signal))
    return sig.tf_istft(
        sig.tf_apply_masks(spectrum, masks, net.sources, net.signal), samples, net.signal
    )


def reset(model: keras.Model) -> None:
    """Reset the state of a "streaming" view to zero.

    Parameters
    ----------
    model : keras.Model
    """
    for layer in model.layers:
        if isinstance(layer, GroupedLSTM | GroupedTCN | Bottleneck):
            layer.reset_states()
