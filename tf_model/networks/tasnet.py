"""The papers' family: TasNets with DPRNN, TCN, DPTNet or Sudo rm -rf inside, plain, with Group Communication, or with GC3.

Waveform -> learned filterbank (N features a frame) -> norm -> [context encoder] -> separator -> [context decoder] -> masks on the
filterbank's output -> its inverse. With Group Communication the N features are K groups of N / K from the norm to the masks; each block
first lets the groups talk and then treats them all with the same weights. GC3 is Group Communication with a context codec: the separator
sees one frame for every context of frames. "Plain" is the case of one group that does not talk.

The published networks hear the whole recording at once. ``causal`` ones stream: time is cut into hops of one chunk (or one context) side
by side; inside a hop all is as published, from hop to hop the recurrence goes forwards only, and norms are of every frame by itself.
The recurrence across groups starts from zero in every frame, in all of them.

Sources: arXiv 2011.08397 ("GroupComm"), arXiv 2012.07291 ("GC3"); where they are silent, the GC3 authors' published program.
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

CODEC_LAYERS = 2  # [Group Communication, BLSTM] pairs in the context encoder, and in the decoder
STACK = 6  # a TCN's dilations are 1, 2, 4 ... 32, again and again


class _Block(keras.layers.Layer):
    """The groups talk, then one or two paths through time that all groups share."""

    def __init__(self, net: TasNet, index: int, **kwargs):
        super().__init__(**kwargs)
        self.net = net
        causal = {"per_frame": net.causal}
        self.talk = None
        if net.talk == "tac":
            self.talk = GroupTAC(net.tac, name="talk", **causal)
        elif net.talk != "none":
            self.talk = ResidualRNN(
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
        width = shape[-1]
        if self.talk:
            parts.build(self.talk, width // self.net.groups if self.net.talk == "flstm" else width)
        for path in self.paths:
            parts.build(path, width)
        super().build(shape)

    def call(self, x, state=None):
        """With ``state``, of the one path that has one: the pair (y, state)."""
        if self.net.talk == "flstm":
            shape = tf.shape(x)
            bands = tf.reshape(
                x, [*tf.unstack(shape[:3]), self.net.groups, x.shape[-1] // self.net.groups]
            )
            x = tf.reshape(self.talk(bands), shape)
        elif self.talk:
            x = self.talk(x)
        for path in self.paths[:-1]:
            x = path(x)
        return self.paths[-1](x) if state is None else self.paths[-1](x, state=state)

    def macs(self, shape: tuple[int, ...]) -> Macs:
        """Count for an input of this shape."""
        total = Macs()
        if self.talk:
            bands = self.net.groups
            total += self.talk.macs(
                (*shape[:-2], bands, shape[-1] // bands) if self.net.talk == "flstm" else shape
            )
        for path in self.paths:
            total += path.macs(shape)
        return total


class _Codec(keras.layers.Layer):
    """Half of the context codec: [TAC, BLSTM along the context] pairs, shared by contexts and groups (arXiv 2012.07291, section III-B)."""

    def __init__(self, net: TasNet, **kwargs):
        super().__init__(**kwargs)
        self.pairs = []
        for i in range(CODEC_LAYERS):
            if net.talk == "tac":
                self.pairs.append(GroupTAC(net.codec_tac, name=f"talk_{i}"))
            self.pairs.append(ResidualRNN(net.codec_hidden, 1, name=f"time_{i}"))

    def build(self, shape):
        for part in self.pairs:
            parts.build(part, shape[-1])
        super().build(shape)

    def call(self, x):
        """[batch, contexts, context, groups, width] to the same; a context knows nothing of the others."""
        shape = tf.shape(x)
        y = tf.reshape(x, [-1, *x.shape[2:]])
        for part in self.pairs:
            y = part(y)
        return tf.reshape(y, shape)

    def macs(self, shape: tuple[int, ...]) -> Macs:
        """Count for an input of this shape."""
        return sum((part.macs(shape) for part in self.pairs), Macs())


class Model(keras.Model):
    """A network of the family: mixture [shape=(batch, samples)] to estimates [shape=(batch, sources, samples)]; views: see `build`."""

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
        """Create all weights."""
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
        if self.export and self.net.causal:
            return self._hear(x, None)[
                0
            ]  # the one recurrence from hop to hop is fused, and the runtime keeps its state
        samples = tf.shape(x)[1]
        before, after = padding(self.net, samples)
        y, _ = self._hear(tf.pad(x, [[0, 0], [before, after]]), None)
        return y[..., before : before + samples]

    def step(self, hop, state):
        """Go on with a stream (causal networks).

        Parameters
        ----------
        hop : the next samples [shape=(batch, net.hop)]
        state : from `initial_state`, or from the last step.

        Returns
        -------
        (estimates, state) : [shape=(batch, sources, net.hop)], ``window / 2`` samples behind the mixture.
        """
        x = tf.concat([state["heard"], hop], 1)
        y, cells = self._hear(x, state["cells"])
        half = self.net.window // 2
        y = tf.concat([y[..., :half] + state["open"], y[..., half:]], -1)
        return y[..., : self.net.hop], {
            "heard": x[:, -half:],
            "open": y[..., self.net.hop :],
            "cells": cells,
        }

    def initial_state(self, batch: int = 1) -> dict:
        """State of a stream that has heard nothing."""
        net, half = self.net, self.net.window // 2
        rows = batch * net.chunk * (net.groups if net.grouped else 1)
        cell = tf.zeros([rows, net.hidden])
        return {
            "heard": tf.zeros([batch, half]),
            "open": tf.zeros([batch, net.sources, half]),
            "cells": [(cell, cell) for _ in self.blocks],
        }

    def _hear(self, x, cells):
        """Padded samples to estimates that overlap what came before; ``cells`` are the states of the forward recurrences, or None."""
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
            contexts = chunks.split(
                h, net.context, overlap=not net.causal
            )  # (batch, contexts, context, groups, width)
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
        """The separator, [batch, frames, groups, width] to the same."""
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
        x = chunks.split(
            x, net.chunk, overlap=not net.causal
        )  # (batch, chunks, chunk, groups, width)
        after = []
        for i, block in enumerate(self.blocks):
            if cells is None:
                x = block(x)
            else:
                x, cell = block(x, state=cells[i])
                after.append(cell)
        return chunks.merge(self.tail(x), frames, overlap=not net.causal), after

    def macs(self, samples: int) -> Macs:
        """Count for a mixture of so many samples."""
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
    """Build a network; its weights are there at once. All views have the same weights.

    Parameters
    ----------
    net : sizes.
    view : ``"sequence"`` maps mixtures [batch, samples] to estimates [batch, sources, samples], to train; a causal one streams by
        `Model.step` too. ``"export"`` is for the converter. A network that hears all at once maps [1, samples] to [1, sources, samples],
        and begins from zero at every call, in TFLite too. A causal one takes one hop: [1, window / 2 + hop] samples, of which the first
        half window are the last of the hop before, to [1, sources, hop + window / 2], whose first half window is to be added to the last of
        the hop before. It leaves the recurrence from hop to hop to the runtime; the two half windows are the caller's.

    Raises
    ------
    UserError
        For another view.
    """
    if view not in ("sequence", "export"):
        raise UserError(
            f"time-domain networks have no {view!r} view; use 'sequence', whose model has step(), or 'export'"
        )
    return Model(net, export=view == "export", name="tasnet")


def export_samples(net: TasNet, seconds: float) -> int:
    """Samples that the export view takes: of ``seconds`` of sound, or what a hop of a causal network needs.

    Raises
    ------
    UserError
        When that is less than a window.
    """
    if net.causal:
        return net.window // 2 + net.hop
    samples = round(seconds * net.sample_rate)
    if samples < net.window:
        raise UserError(
            f"{seconds} s are {samples} samples, a window is {net.window}; use {net.window / net.sample_rate} s or more"
        )
    return samples


def separate(model, mixtures, net: TasNet):
    """Run a network on sound [shape=(batch, samples)]; returns [shape=(batch, sources, samples)]."""
    return model(mixtures)


def cost(net: TasNet, model: Model) -> dict:
    """Multiply-accumulates of a network; what streams has state and latency too.

    Returns
    -------
    dict with ``macs_4s``, ``macs_4s_thop`` (as thop counts) and ``macs_per_second`` (a quarter of ``macs_4s``); for a causal network
    ``macs_per_second`` is exact, with ``macs_per_hop``, ``state_bytes`` (int8: hidden states int8, cell states int16, samples int16) and
    ``latency_ms``.
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
