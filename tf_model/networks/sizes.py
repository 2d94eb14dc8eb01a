"""Sizes of the networks, one dataclass per family.

This module does not import TensorFlow.
"""

import dataclasses
from typing import Literal

from groupcomm.errors import UserError
from tf_model.signal import Signal

SEPARATORS = ("dprnn", "tcn", "dptnet", "sudo")
GROUP_COMMUNICATION = ("none", "blstm", "tac", "flstm")


MAX_SIZE = 65536  # of any field; a layer of this size does not fit into memory


def _at_least(net, low: int, *fields: str) -> None:
    """Raise `UserError` when one of these fields is not a whole number of ``low`` to MAX_SIZE."""
    for field in fields:
        value = getattr(net, field)
        if type(value) is not int or value < low:
            raise UserError(f"{field} {value!r}: must be a whole number of {low} or more")
        if value > MAX_SIZE:
            raise UserError(f"{field} {value}: must be at most {MAX_SIZE}")


@dataclasses.dataclass(frozen=True)
class Streaming:
    """Sizes of a streaming network.

    Parameters
    ----------
    signal : Signal
        The signal path.
    sources : int
        1: enhancement (the output is the speech). 2: separation of two speakers.
    features : int
        Features N of the encoder, split into ``groups`` groups of N / K features.
    groups : int
        Number of groups K; equal to the number of bands if the signal path has bands.
    blocks : int
        Number of [Group Communication, LSTM or convolution] blocks.
    group_comm : str
        Form of Group Communication: "tac"; "blstm", a BLSTM across the groups that starts from zero
        in every frame; or "none".
    tac : int
        Hidden units of TAC.
    blstm : int
        Units of the BLSTM across groups, in each direction.
    over_time : str
        What the groups share along time: "lstm", or "tcn", a causal convolution whose dilation
        doubles from block to block.
    hidden : int
        Units of the LSTM, or features of a group inside the convolution's block.
    taps : int
        Taps of the convolution.
    bottleneck : int
        Width of the layer across all groups at the start of every block (see
        `tf_model.layers.bottleneck`); 0: none.
    memory : int
        Units of an LSTM in the bottleneck of the first block; 0: none.

    Raises
    ------
    UserError
        When a size is out of range, the groups do not divide the features or differ from the bands,
        or the form of Group Communication or of the processing along time is unknown.
    """

    signal: Signal = Signal()
    sources: int = 1
    features: int = 128
    groups: int = 16
    blocks: int = 4
    group_comm: Literal["tac", "blstm", "none"] = "tac"
    tac: int = 16
    blstm: int = 8
    over_time: Literal["lstm", "tcn"] = "lstm"
    hidden: int = 32
    taps: int = 3
    bottleneck: int = 0
    memory: int = 0

    def __post_init__(self):
        """Check that the sizes fit together."""
        _at_least(self, 0, "blocks", "bottleneck", "memory")
        _at_least(self, 1, "sources", "features", "groups", "tac", "blstm", "hidden", "taps")
        if self.features % self.groups:
            raise UserError(
                f"{self.groups} groups do not divide {self.features} features; change one of them"
            )
        if self.signal.bands not in (0, self.groups):
            raise UserError(
                f"{self.groups} groups, {self.signal.bands} bands: each band is a group; "
                "use equal numbers"
            )
        if self.memory and not (self.bottleneck and self.blocks):
            raise UserError(
                f"memory {self.memory}: its LSTM is in the bottleneck; "
                "use a bottleneck of 16, or memory 0"
            )
        if self.group_comm not in ("tac", "blstm", "none"):
            raise UserError(
                f"group_comm {self.group_comm!r}: no such form of Group Communication; "
                "use 'tac', 'blstm' or 'none'"
            )
        if self.over_time not in ("lstm", "tcn"):
            raise UserError(
                f"over_time {self.over_time!r}: no such processing along time; use 'lstm' or 'tcn'"
            )
        if self.over_time == "tcn" and (self.blocks > 16 or self.past_frames > MAX_SIZE):
            raise UserError(
                f"blocks {self.blocks}, taps {self.taps}: the convolutions keep more than "
                f"{MAX_SIZE} frames, because the dilation doubles; use fewer blocks"
            )

    def dilation(self, block: int) -> int:
        """Return the frames between the taps of the convolution of a block."""
        return 2**block

    @property
    def past_frames(self) -> int:
        """Frames that all convolutions keep."""
        return (self.taps - 1) * sum(self.dilation(i) for i in range(self.blocks))


@dataclasses.dataclass(frozen=True)
class TasNet:
    """Sizes of a network of the papers' family.

    Parameters
    ----------
    separator : str
        "dprnn", "tcn", "dptnet" or "sudo": the part between the filterbank and the masks.
    group_comm : str
        Form of Group Communication: "none"; "blstm", a BLSTM across the groups; "tac"; or "flstm",
        the earlier sub-band F-LSTM: a BLSTM across sub-bands, whose outputs are concatenated for a
        recurrence over time of full width.
    groups : int
        Number of groups K; for "flstm", of sub-bands.
    blocks : int
        Number of blocks of the separator.
    hidden : int
        Units of each LSTM direction; for "tcn" and "sudo" the features inside a block. With groups,
        all widths are those of one group.
    tac : int
        Hidden units of TAC.
    chunk : int
        Frames per chunk of the dual path ("dprnn", "dptnet").
    context : int
        Frames per context; 0: no context codec.
    codec_hidden, codec_tac : int
        ``hidden`` and ``tac`` of the context codec.
    depth : int
        Number of resolutions in a block of "sudo".
    features : int
        Features N of the filterbank.
    bottleneck : int
        Number of features after the reduction before an ungrouped separator; 0: no reduction.
    window : int
        Samples per frame; frames overlap by half.
    sources : int
        Number of estimated sources.
    sample_rate : int
        Samples per second.
    causal : bool
        The form that streams.

    Raises
    ------
    UserError
        When the sizes do not fit together, or there is no such causal form.
    """

    separator: Literal[SEPARATORS] = "dprnn"
    group_comm: Literal[GROUP_COMMUNICATION] = "none"
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
        """Check that the sizes fit together."""
        for field, kinds in (("separator", SEPARATORS), ("group_comm", GROUP_COMMUNICATION)):
            if getattr(self, field) not in kinds:
                raise UserError(
                    f"{field} {getattr(self, field)!r}: no such {field}; use {', '.join(kinds)}"
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
                f"bottleneck {self.bottleneck}: only networks without groups have a bottleneck; "
                "use 0"
            )
        for name, size in (
            ("window", self.window),
            ("chunk", self.chunk),
            ("context", self.context),
        ):
            if size % 2 and not (self.causal and size == 1):
                raise UserError(f"{name} {size} is odd, but its halves overlap; use {size + 1}")
        if self.causal and self.separator != "dprnn":
            raise UserError(f"{self.separator} has no causal form; use dprnn")
        if self.causal and self.context and self.chunk != 1:
            raise UserError(
                f"chunk {self.chunk}: the separator of a causal GC3 network has one frame per hop; "
                "use chunk 1"
            )

    @property
    def grouped(self) -> bool:
        """Whether the features are in groups from the norm to the masks."""
        return self.group_comm in ("blstm", "tac")

    @property
    def width(self) -> int:
        """Number of features per group inside the separator."""
        return (self.bottleneck or self.features) // (self.groups if self.grouped else 1)

    @property
    def hop(self) -> int:
        """Samples that a causal network processes per step."""
        return (self.context or self.chunk) * self.window // 2

    def frames(self, samples: int) -> int:
        """Return the number of frames of the filterbank.

        Parameters
        ----------
        samples : int
            Length of the mixture.

        Returns
        -------
        int
        """
        return (samples + sum(padding(self, samples))) // (self.window // 2) - 1


def padding(net: TasNet, samples):
    """Return the padding of a mixture.

    It gives a whole number of frames, with every sample in two of them; for a causal network, a
    whole number of hops.

    Parameters
    ----------
    net : TasNet
    samples : int or tf.Tensor
        Length of the mixture.

    Returns
    -------
    front, back : int or tf.Tensor
        Numbers of zeros before and after the mixture.
    """
    stride = net.window // 2
    if net.causal:
        return stride, -samples % net.hop
    return stride, net.window - (stride + samples % net.window) % net.window + stride
