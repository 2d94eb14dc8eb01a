"""Multiply-accumulates, counted twice: those that are done, and those that thop 0.1.1 (a PyTorch profiler) would report.

The papers' tables were made with such a profiler. Where it counts something else than a multiply-accumulate, the layer says so.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Macs:
    """A count; counts add up.

    Parameters
    ----------
    true : multiply-accumulates of the matrix products and convolutions (no biases, norms, activations, elementwise products).
    thop : what thop 0.1.1 reports for the same layer in PyTorch.
    """

    true: int = 0
    thop: int = 0

    def __add__(self, other: "Macs") -> "Macs":
        return Macs(self.true + other.true, self.thop + other.thop)


def product(rows: int, inputs: int, outputs: int) -> Macs:
    """A matrix product, [rows, inputs] by [inputs, outputs]."""
    return Macs(rows * inputs * outputs, rows * inputs * outputs)


def lstm(steps: int, inputs: int, units: int, *, directions: int = 1) -> Macs:
    """An LSTM. For each step and direction thop adds 12 for biases and 4 for elementwise products to every unit."""
    true = steps * directions * 4 * units * (inputs + units)
    return Macs(true, true + steps * directions * 16 * units)


# The layers of the streaming family, for one frame: matrix products only.


def tac(groups: int, width: int, hidden: int) -> int:
    """Count for `layers.tac.TAC`."""
    return groups * 2 * width * hidden + hidden * hidden + hidden * width


def group_blstm(groups: int, width: int, hidden: int) -> int:
    """Count for `layers.group_blstm.GroupBLSTM`."""
    return groups * (2 * 4 * hidden * (width + hidden) + 2 * hidden * width)


def bottleneck(groups: int, features: int, width: int, memory: int = 0) -> int:
    """Count for `layers.bottleneck.Bottleneck`."""
    return groups * features * (width + (memory or width)) + 4 * memory * (width + memory)


def grouped_lstm(groups: int, width: int, hidden: int) -> int:
    """Count for `layers.grouped_lstm.GroupedLSTM`."""
    return groups * (4 * hidden * (width + hidden) + hidden * width)
