"""The papers' family: time-domain networks (TasNet) with different separators.

Waveform -> learned filterbank (N features per frame) -> norm -> [context encoder] -> separator ->
[context decoder] -> masks for the output of the filterbank -> inverse filterbank. The separator is
DPRNN, TCN, DPTNet or Sudo rm -rf, without groups, with Group Communication, or with GC3. With Group
Communication, the N features are K groups of N / K features from the norm to the masks. Each block
first applies Group Communication, and then processes all groups with the same weights. GC3 is Group
Communication with a context codec: the separator processes one frame per context of several frames.
A network without groups is the case of one group without Group Communication.

The published networks process the whole recording at once. Networks with ``causal`` stream: time is
divided into hops of one chunk (or one context) without overlap. Within a hop, all layers are as
published; from hop to hop, the recurrence runs forwards only, and the norms use the statistics of
each frame. The recurrence across groups starts from zero in every frame in all networks.

Sources: arXiv 2011.08397 ("GroupComm") and arXiv 2012.07291 ("GC3"); for what they do not specify,
the published program of the authors of GC3.
"""

import math

import tensorflow as tf
import tf_keras as keras

from groupcomm.errors import UserError
from tf_model.layers import chunks, group, parts
from tf_model.layers.blstm import BLSTM
from tf_model.layers.group_tac import GroupTAC
from tf_model.layers.lstm import LSTM
from tf_model.layers.norm import Norm
from tf_model.layers.prelu import PReLU
from tf_model.layers.residual_rnn import ResidualRNN
from tf_model.layers.tcn_block import TCNBlock
from tf_model.layers.transformer import Transformer
from tf_model.layers.u_block import UBlock
from tf_model.layers.waveform import Decoder, Encoder
from tf_model.macs import Macs, product
from tf_model.networks.sizes import TasNet, padding

# [Group Communication, BLSTM] pairs in the context encoder, and in the context decoder.
CODEC_LAYERS = 2
STACK = 6  # the dilations of a TCN repeat 1, 2, 4 ... 32


class _Block(keras.layers.Layer):
    """Group Communication, then one or two layers along time that all groups share."""

    def __init__(self, net: TasNet, index: int, **kwargs):
        super().__init__(**kwargs)
        self.net = net
        causal = {"per_frame": net.causal}
        # Checkpoints store Group Communication under the name "talk".
        self.group_comm = None
        if net.group_comm == "tac":
            self.group_comm = GroupTAC(net.tac, name="talk", **causal)
        elif net.group_comm != "none":
            self.group_comm = ResidualRNN(
                net.hidden if net.grouped else net.hidden // net.groups, 3, name="talk", **causal
            )
        if net.separator == "dprnn":
            self.paths = (
                [] if net.chunk == 1 else [ResidualRNN(net.hidden, 2, name="intra", **causal)]
            )
            self.paths.append(
                ResidualRNN(net.hidden, 1, bidirectional=not net.causal, name="inter", **causal)
            )
        elif net.separator == "dptnet":
            self.paths = [Transformer(2, name="intra"), Transformer(1, name="inter")]
        elif net.separator == "tcn":
            self.paths = [TCNBlock(net.hidden, 2 ** (index % STACK), name="convolve")]
        else:
            self.paths = [UBlock(net.hidden, net.depth, name="convolve")]

    def build(self, shape):
        """Create the weights of all layers."""
        width = shape[-1]
        if self.group_comm:
            parts.build(
                self.group_comm,
                width // self.net.groups if self.net.group_comm == "flstm" else width,
            )
        for path in self.paths:
            parts.build(path, width)
        super().build(shape)

    def call(self, x, state=None):
        """Apply the block.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, time..., groups, width), dtype=float32]
        state : tuple of tf.Tensor or None
            State of the last layer.

        Returns
        -------
        tf.Tensor
            Of the shape of ``x``. With ``state``, a tuple of it and the new state.
        """
        if self.net.group_comm == "flstm":
            shape = tf.shape(x)
            bands = tf.reshape(
                x, [*tf.unstack(shape[:3]), self.net.groups, x.shape[-1] // self.net.groups]
            )
            x = tf.reshape(self.group_comm(bands), shape)
        elif self.group_comm:
            x = self.group_comm(x)
        for path in self.paths[:-1]:
            x = path(x)
        return self.paths[-1](x) if state is None else self.paths[-1](x, state=state)

    def macs(self, shape: tuple[int, ...]) -> Macs:
        """Count the multiply-accumulates for an input of this shape."""
        total = Macs()
        if self.group_comm:
            bands = self.net.groups
            total += self.group_comm.macs(
                (*shape[:-2], bands, shape[-1] // bands)
                if self.net.group_comm == "flstm"
                else shape
            )
        for path in self.paths:
            total += path.macs(shape)
        return total


class _Codec(keras.layers.Layer):
    """One half of the context codec: [TAC, BLSTM along the context] pairs.

    Contexts and groups share the weights (arXiv 2012.07291, section III-B).
    """

    def __init__(self, net: TasNet, **kwargs):
        super().__init__(**kwargs)
        self.pairs = []
        for i in range(CODEC_LAYERS):
            if net.group_comm == "tac":
                self.pairs.append(GroupTAC(net.codec_tac, name=f"talk_{i}"))
            self.pairs.append(ResidualRNN(net.codec_hidden, 1, name=f"time_{i}"))

    def build(self, shape):
        """Create the weights of all layers."""
        for part in self.pairs:
            parts.build(part, shape[-1])
        super().build(shape)

    def call(self, x):
        """Apply the codec to every context separately.

        Parameters
        ----------
        x : tf.Tensor [shape=(batch, contexts, context, groups, width), dtype=float32]

        Returns
        -------
        tf.Tensor
            Of the shape of ``x``.
        """
        shape = tf.shape(x)
        y = tf.reshape(x, [-1, *x.shape[2:]])
        for part in self.pairs:
            y = part(y)
        return tf.reshape(y, shape)

    def macs(self, shape: tuple[int, ...]) -> Macs:
        """Count the multiply-accumulates for an input of this shape."""
        return sum((part.macs(shape) for part in self.pairs), Macs())


class Model(keras.Model):
    """A network of the papers' family.

    Parameters
    ----------
    net : TasNet
    export : bool
        Build the export view, see `build`.
    **kwargs
        Arguments of `keras.Model`.
    """

    def __init__(self, net: TasNet, *, export: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.net, self.export = net, export
        dense = keras.layers.Dense
        self.encoder = Encoder(net.features, net.window, name="encoder")
        self.norm = Norm(per_frame=net.causal, name="norm")
        convolutional = net.separator in ("tcn", "sudo")
        self.bottleneck = (
            dense(net.bottleneck, use_bias=convolutional, name="bottleneck")
            if net.bottleneck
            else None
        )
        self.context_encoder = _Codec(net, name="context_encoder") if net.context else None
        self.context_decoder = _Codec(net, name="context_decoder") if net.context else None
        self.blocks = [_Block(net, i, name=f"block_{i}") for i in range(net.blocks)]
        if convolutional and not net.grouped:
            self.tail = PReLU(name="tail")
        else:
            self.tail = None if net.separator == "sudo" else dense(net.width, name="tail")
        self.masks = dense(
            net.sources * net.features // (net.groups if net.grouped else 1),
            activation="relu",
            name="masks",
        )
        self.decoder = Decoder(net.window, name="decoder")
        self.build(None)
        for part in self.submodules:
            if isinstance(part, (BLSTM, LSTM)):
                part.export = export

    def build(self, shape):
        """Create the weights of all layers."""
        net = self.net
        widths = [
            (self.encoder, net.window),
            (self.norm, net.features),
            (self.bottleneck, net.features),
        ]
        widths += [
            (p, net.width)
            for p in (
                self.context_encoder,
                self.context_decoder,
                *self.blocks,
                self.tail,
                self.masks,
            )
        ]
        for part, width in [*widths, (self.decoder, net.features)]:
            if part is not None:
                parts.build(part, width)
        self.built = True

    def call(self, x):
        """Estimate the sources; see `build` for the shapes of each view."""
        if self.export and self.net.causal:
            # The only recurrence from hop to hop is a fused operator, whose state the runtime
            # keeps.
            y, _ = self._process(x, None)
            return y
        samples = tf.shape(x)[1]
        before, after = padding(self.net, samples)
        y, _ = self._process(tf.pad(x, [[0, 0], [before, after]]), None)
        return y[..., before : before + samples]

    def step(self, hop, state):
        """Process the next hop of a stream (causal networks).

        Parameters
        ----------
        hop : tf.Tensor [shape=(batch, net.hop), dtype=float32]
            The next samples.
        state : dict
            From `initial_state` or from the previous step.

        Returns
        -------
        estimates : tf.Tensor [shape=(batch, sources, net.hop), dtype=float32]
            Delayed by half a window relative to the mixture.
        state : dict
            The new state.
        """
        x = tf.concat([state["history"], hop], 1)
        y, cells = self._process(x, state["cells"])
        half = self.net.window // 2
        y = tf.concat([y[..., :half] + state["overlap"], y[..., half:]], -1)
        return y[..., : self.net.hop], {
            "history": x[:, -half:],
            "overlap": y[..., self.net.hop :],
            "cells": cells,
        }

    def initial_state(self, batch: int = 1) -> dict:
        """Return the state at the start of a stream.

        Parameters
        ----------
        batch : int
            Number of streams.

        Returns
        -------
        dict
            ``history``: last half window of the mixture; ``overlap``: last half window of the
            estimates, not yet complete; ``cells``: (h, c) of the recurrence of each block.
        """
        net, half = self.net, self.net.window // 2
        rows = batch * net.chunk * (net.groups if net.grouped else 1)
        cell = tf.zeros([rows, net.hidden])
        return {
            "history": tf.zeros([batch, half]),
            "overlap": tf.zeros([batch, net.sources, half]),
            "cells": [(cell, cell) for _ in self.blocks],
        }

    def _process(self, x, cells):
        """Map padded samples to estimates that overlap the previous ones by half a window.

        ``cells`` has the states of the forward recurrences, or is None.
        """
        net = self.net
        encoded = self.encoder(x)  # (batch, frames, features)
        h = self.norm(encoded[:, :, None])  # (batch, frames, 1, features)
        h = self.bottleneck(h) if self.bottleneck else h
        if net.grouped:
            h = group.split(h[:, :, 0], net.groups)  # (batch, frames, groups, width)
        if not net.context:
            h, cells = self._separate(h, cells)
        else:
            frames = tf.shape(h)[1]
            # (batch, contexts, context, groups, width)
            contexts = chunks.split(h, net.context, overlap=not net.causal)
            means = tf.reduce_mean(self.context_encoder(contexts), axis=2)
            means, cells = self._separate(means, cells)
            contexts = self.context_decoder(contexts + tf.expand_dims(means, 2))
            h = chunks.merge(contexts, frames, overlap=not net.causal)
        masks = self.masks(h)  # (batch, frames, groups, sources * features of a group)
        batch, frames = tf.shape(h)[0], tf.shape(h)[1]
        masks = tf.reshape(masks, [batch, frames, -1, net.sources, masks.shape[-1] // net.sources])
        masks = tf.reshape(
            tf.transpose(masks, [0, 3, 1, 2, 4]), [batch, net.sources, frames, net.features]
        )
        return self.decoder(masks * encoded[:, None]), cells

    def _separate(self, x, cells):
        """Apply the separator to a tensor [shape=(batch, frames, groups, width)]."""
        net, frames = self.net, tf.shape(x)[1]
        if net.separator == "tcn":
            skips = []
            for block in self.blocks:
                x, skip = block(x)
                skips.append(skip)
            return self.tail(tf.add_n(skips)), cells
        if net.separator == "sudo":
            for block in self.blocks:
                x = block(x)
            return (self.tail(x) if self.tail else x), cells
        # (batch, chunks, chunk, groups, width)
        x = chunks.split(x, net.chunk, overlap=not net.causal)
        after = []
        for i, block in enumerate(self.blocks):
            if cells is None:
                x = block(x)
            else:
                x, cell = block(x, state=cells[i])
                after.append(cell)
        return chunks.merge(self.tail(x), frames, overlap=not net.causal), after

    def macs(self, samples: int) -> Macs:
        """Count the multiply-accumulates for a mixture.

        Parameters
        ----------
        samples : int
            Length of the mixture.

        Returns
        -------
        Macs
        """
        net = self.net
        frames = net.frames(samples)
        groups = net.groups if net.grouped else 1
        total = self.encoder.macs(frames) + self.decoder.macs(frames, net.features, net.sources)
        total += product(frames * groups, net.width, net.sources * net.features // groups)
        if net.bottleneck:
            total += product(frames, net.features, net.bottleneck)
        if net.context:
            contexts = chunks.count(frames, net.context, overlap=not net.causal)
            shape = (contexts, net.context, groups, net.width)
            total += self.context_encoder.macs(shape) + self.context_decoder.macs(shape)
            frames = contexts
        shape = (1, frames, groups, net.width)
        if net.separator in ("dprnn", "dptnet"):
            shape = (
                1,
                chunks.count(frames, net.chunk, overlap=not net.causal),
                net.chunk,
                groups,
                net.width,
            )
        for block in self.blocks:
            total += block.macs(shape)
        if isinstance(self.tail, PReLU):
            return total + PReLU.macs(math.prod(shape))
        return total + product(math.prod(shape[:-1]), net.width, net.width) if self.tail else total


def build(net: TasNet, view: str = "sequence") -> Model:
    """Build a network and create its weights.

    All views have the same weights.

    Parameters
    ----------
    net : TasNet
    view : str
        - "sequence", for training: maps mixtures [shape=(batch, samples)] to estimates
          [shape=(batch, sources, samples)]. A causal network also streams with `Model.step`.
        - "export", for the converter. A network that is not causal maps [shape=(1, samples)] to
          [shape=(1, sources, samples)] and starts from zero states at every call, also in TFLite. A
          causal network maps [shape=(1, window / 2 + hop)], the last half window of the previous
          hop and the next hop, to [shape=(1, sources, hop + window / 2)], whose first half window
          must be added to the last half window of the previous output. The runtime keeps the state
          of the recurrence; the caller keeps the two half windows.

    Returns
    -------
    Model

    Raises
    ------
    UserError
        When the view is another one.
    """
    if view not in ("sequence", "export"):
        raise UserError(
            f"time-domain networks have no {view!r} view; use 'sequence', whose model has step(), "
            "or 'export'"
        )
    return Model(net, export=view == "export", name="tasnet")


def export_samples(net: TasNet, seconds: float) -> int:
    """Return the number of samples that the export view takes.

    Parameters
    ----------
    net : TasNet
    seconds : float
        Length of the input of a network that is not causal.

    Returns
    -------
    int
        For a causal network, the length of half a window and a hop.

    Raises
    ------
    UserError
        When the input is shorter than a window.
    """
    if net.causal:
        return net.window // 2 + net.hop
    samples = round(seconds * net.sample_rate)
    if samples < net.window:
        raise UserError(
            f"{seconds} s are {samples} samples, a window is {net.window}; "
            f"use {net.window / net.sample_rate} s or more"
        )
    return samples


def separate(model, mixtures, net: TasNet):
    """Separate mixtures with a sequence view.

    Parameters
    ----------
    model : callable
        A sequence view.
    mixtures : tf.Tensor [shape=(batch, samples), dtype=float32]
    net : TasNet

    Returns
    -------
    tf.Tensor [shape=(batch, sources, samples), dtype=float32]
    """
    return model(mixtures)


def cost(net: TasNet, model: Model) -> dict:
    """Count the multiply-accumulates of a network; for a causal one, also state and latency.

    Parameters
    ----------
    net : TasNet
    model : Model

    Returns
    -------
    dict
        ``macs_4s``, ``macs_4s_thop`` (as thop counts) and ``macs_per_second`` (a quarter of
        ``macs_4s``). For a causal network, ``macs_per_second`` is exact, and there are
        ``macs_per_hop``, ``state_bytes`` (of the int8 form: hidden states int8, cell states int16,
        samples int16) and ``latency_ms``.
    """
    whole = model.macs(4 * net.sample_rate)
    figures = {
        "macs_4s": whole.true,
        "macs_4s_thop": whole.thop,
        "macs_per_second": whole.true // 4,
    }
    if not net.causal:
        return figures
    hop = model.macs(net.hop).true
    cells = sum(math.prod(h.shape) for h, _ in model.initial_state()["cells"])
    return figures | {
        "macs_per_second": hop * net.sample_rate // net.hop,
        "macs_per_hop": hop,
        "state_bytes": 3 * cells + 2 * (1 + net.sources) * net.window // 2,
        "latency_ms": 1000 * (net.hop + net.window // 2) / net.sample_rate,
    }
