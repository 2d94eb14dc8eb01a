"""Counts of multiply-accumulates: the exact one, and the one of thop 0.1.1, a PyTorch profiler.

The tables of the papers were made with such a profiler. Where it counts anything other than
multiply-accumulates, the docstring of the layer says so.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Macs:
    """A count of multiply-accumulates. Counts can be added.

    Parameters
    ----------
    true : int
        Multiply-accumulates of the matrix products and convolutions (no biases, norms, activations
        or elementwise products).
    thop : int
        What thop 0.1.1 reports for the same layer in PyTorch.
    """

    true: int = 0
    thop: int = 0

    def __add__(self, other: "Macs") -> "Macs":
        """Add both counts."""
        return Macs(self.true + other.true, self.thop + other.thop)


def product(rows: int, inputs: int, outputs: int) -> Macs:
    """Count for a matrix product [rows, inputs] by [inputs, outputs].

    Parameters
    ----------
    rows, inputs, outputs : int

    Returns
    -------
    Macs
    """
    return Macs(rows * inputs * outputs, rows * inputs * outputs)


def lstm(steps: int, inputs: int, units: int, *, directions: int = 1) -> Macs:
    """Count for an LSTM.

    For each step, direction and unit, thop adds 12 for biases and 4 for elementwise products.

    Parameters
    ----------
    steps : int
        Time steps.
    inputs, units : int
    directions : int
        1, or 2 for a bidirectional LSTM.

    Returns
    -------
    Macs
    """
    true = steps * directions * 4 * units * (inputs + units)
    return Macs(true, true + steps * directions * 16 * units)


# The layers of the streaming family, for one frame: matrix products only.


def tac(groups: int, width: int, hidden: int) -> int:
    """Count for one frame of `layers.tac.TAC`."""
    return groups * 2 * width * hidden + hidden * hidden + hidden * width


def group_blstm(groups: int, width: int, hidden: int) -> int:
    """Count for one frame of `layers.group_blstm.GroupBLSTM`."""
    return groups * (2 * 4 * hidden * (width + hidden) + 2 * hidden * width)


def bottleneck(groups: int, features: int, width: int, memory: int = 0) -> int:
    """Count for one frame of `layers.bottleneck.Bottleneck`."""
    return groups * features * (width + (memory or width)) + 4 * memory * (width + memory)


def grouped_lstm(groups: int, width: int, hidden: int) -> int:
    """Count for one frame of `layers.grouped_lstm.GroupedLSTM`."""
    return groups * (4 * hidden * (width + hidden) + hidden * width)


def grouped_tcn(groups: int, width: int, hidden: int, taps: int) -> int:
    """Count for one frame of `layers.grouped_tcn.GroupedTCN`."""
    return groups * hidden * (2 * width + taps)
