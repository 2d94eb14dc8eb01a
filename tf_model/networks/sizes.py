"""Sizes of the networks, one dataclass for each family. This module does not import TensorFlow."""

import dataclasses
from typing import Literal

from groupcomm.errors import UserError
from tf_model.signal import Signal

SEPARATORS = ("dprnn", "tcn", "dptnet", "sudo")
TALKS = ("none", "blstm", "tac", "flstm")


def _at_least(net, low: int, *fields: str) -> None:
    """Raise `UserError` when one of these fields is not a whole number, or is below ``low``."""
    for field in fields:
        value = getattr(net, field)
        if type(value) is not int or value < low:
            raise UserError(f"{field} {value!r}: must be a whole number of {low} or more")


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
        _at_least(self, 0, "blocks", "bottleneck", "memory")
        _at_least(self, 1, "sources", "features", "groups", "tac", "blstm", "hidden")
        if self.features % self.groups:
            raise UserError(
                f"{self.groups} groups do not divide {self.features} features; change one of them"
            )
        if self.signal.bands not in (0, self.groups):
            raise UserError(
                f"{self.groups} groups, {self.signal.bands} bands: each band is a group; use as many"
            )
        if self.memory and not (self.bottleneck and self.blocks):
            raise UserError(
                f"memory {self.memory}: its LSTM is in the bottleneck; use a bottleneck of 16, or memory 0"
            )
        if self.talk not in ("tac", "blstm", "none"):
            raise UserError(f"groups do not talk by {self.talk!r}; use 'tac', 'blstm' or 'none'")


@dataclasses.dataclass(frozen=True)
class TasNet:
    """Sizes of a network of the family. All widths are those of one group.

    Parameters
    ----------
    separator : what is between the filterbank and the masks.
    talk : how groups talk: not at all (plain); by a BLSTM across them; by TAC; or, in the sub-band F-LSTM that came before, by a BLSTM
        across sub-bands whose outputs are concatenated for a time recurrence of full width.
    groups : K; for ``"flstm"`` the sub-bands.
    blocks : blocks of the separator.
    hidden : units of each LSTM direction; for TCN and Sudo rm -rf the inner width.
    tac : hidden width of TAC.
    chunk : frames in a chunk of the dual path (dprnn, dptnet).
    context : frames in a context; 0: no context codec.
    codec_hidden, codec_tac : like ``hidden`` and ``tac``, of the context codec.
    depth : levels of Sudo rm -rf.
    features : N, of the filterbank.
    bottleneck : width that the features are reduced to before a plain separator; 0: none.
    window : samples in a frame; frames are half over each other.
    sources : estimates that come out.
    sample_rate : samples a second.
    causal : the form that streams.

    Raises
    ------
    UserError
        For sizes that do not fit, or a causal form that does not exist.
    """

    separator: Literal[SEPARATORS] = "dprnn"
    talk: Literal[TALKS] = "none"
    groups: int = 1
    blocks: int = 6
    hidden: int = 128
    tac: int = 0
    chunk: int = 100
    context: int = 0
    codec_hidden: int = 16
    codec_tac: int = 48
    depth: int = 5
    features: int = 128
    bottleneck: int = 0
    window: int = 32
    sources: int = 2
    sample_rate: int = 16000
    causal: bool = False

    def __post_init__(self):
        for field, kinds in (("separator", SEPARATORS), ("talk", TALKS)):
            if getattr(self, field) not in kinds:
                raise UserError(
                    f"{field} {getattr(self, field)!r}: there is no such one; use {', '.join(kinds)}"
                )
        _at_least(self, 0, "blocks", "tac", "context", "codec_tac", "depth", "bottleneck")
        _at_least(
            self,
            1,
            "groups",
            "hidden",
            "chunk",
            "codec_hidden",
            "features",
            "window",
            "sources",
            "sample_rate",
        )
        features = self.bottleneck or self.features
        if features % self.groups:
            raise UserError(
                f"{self.groups} groups do not divide {features} features; change one of them"
            )
        if self.bottleneck and self.grouped:
            raise UserError(
                "a bottleneck is for plain networks: grouped ones keep their groups from the features to the masks; use 0"
            )
        for name, size in (
            ("window", self.window),
            ("chunk", self.chunk),
            ("context", self.context),
        ):
            if size % 2 and not (self.causal and size == 1):
                raise UserError(f"{name} {size} is odd, but its halves overlap; use {size + 1}")
        if self.causal and self.separator != "dprnn":
            raise UserError(f"there is no causal form of {self.separator}; use dprnn")
        if self.causal and self.context and self.chunk != 1:
            raise UserError(
                f"chunk {self.chunk}: a causal GC3 has one frame a hop for its separator; use chunk 1"
            )

    @property
    def grouped(self) -> bool:
        """Whether features stay in groups all the way."""
        return self.talk in ("blstm", "tac")

    @property
    def width(self) -> int:
        """Features of one group inside the separator."""
        return (self.bottleneck or self.features) // (self.groups if self.grouped else 1)

    @property
    def hop(self) -> int:
        """Samples that a causal network takes at a time."""
        return (self.context or self.chunk) * self.window // 2

    def frames(self, samples: int) -> int:
        """Frames of the filterbank for so many samples."""
        return (samples + sum(padding(self, samples))) // (self.window // 2) - 1


def padding(net: TasNet, samples):
    """Zeros before and after: a whole number of frames, and every sample in two of them (causal: a whole number of hops)."""
    stride = net.window // 2
    if net.causal:
        return stride, -samples % net.hop
    return stride, net.window - (stride + samples % net.window) % net.window + stride
