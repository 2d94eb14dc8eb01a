"""Parameters of the fused LSTM."""

import dataclasses
import math

import numpy as np

from convert.tflite import graph
from convert.tflite.fixed_point import Scale, quantize_multiplier
from convert.tflite.graph import Tensor
from convert.tflite.kernel_params.common import is_wide, lowers, need_int8, unsupported
from convert.tflite.kernel_params.fully_connected import fold_zero_point, need_bias, sum_scale


@dataclasses.dataclass(frozen=True)
class LstmGate:
    """One gate of an LSTM.

    Attributes
    ----------
    input_weights : np.ndarray [shape=(units, inputs), dtype=int8]
    recurrent_weights : np.ndarray [shape=(units, units), dtype=int8]
    input_bias : np.ndarray [shape=(units,), dtype=int32]
    recurrent_bias : np.ndarray [shape=(units,), dtype=int32] or None
        None for int16 activations.
    """

    input_weights: np.ndarray
    recurrent_weights: np.ndarray
    input_bias: np.ndarray
    recurrent_bias: np.ndarray | None
    input: Scale
    recurrent: Scale


@dataclasses.dataclass(frozen=True)
class Lstm:
    """UNIDIRECTIONAL_SEQUENCE_LSTM, int8 or int16, with int16 cells.

    More than one step is possible only where time is the first axis that is longer than 1. As after
    a reset in TFLM, every hidden state starts as ``zero_point`` and every cell as 0.

    Attributes
    ----------
    largest_bias : int
        Of all gates, in magnitude, so that the kernel need not look for it.
    """

    steps: int
    batch: int
    inputs: int
    units: int
    input: LstmGate
    forget: LstmGate
    cell: LstmGate
    output: LstmGate
    update: Scale
    hidden: Scale
    tanh_multiplier: int
    tanh_shift: int
    cell_clip: int
    zero_point: int
    largest_bias: int

    @property
    def scratch_bytes(self) -> int:
        """The scratch memory in bytes, GC_LSTM_SCRATCH_BYTES of kernels.h."""
        eights = [-(-self.inputs // 8), -(-self.units // 8)]
        pairs = (self.batch + 1) // 2
        return max(pairs * (32 * sum(eights) + 112) + 64 * max(eights), 64 * self.units)


@lowers(graph.Lstm)
def _lstm(op: graph.Lstm) -> Lstm:
    x, hidden, cell = op.input, op.state.hidden, op.state.cell
    if op.has_optional_parts or any(None in (g.weights, g.recurrent) for g in op.gates):
        unsupported(op, "it has peepholes, a projection, layer normalization or coupled gates")
    is_16x8 = is_wide(op, x, hidden, op.output)
    if cell.dtype != "int16" or cell.zero_point != 0:
        unsupported(op, "its cell state is not int16 with zero point 0")
    if (hidden.scale, hidden.zero_point) != (op.output.scale, op.output.zero_point):
        unsupported(op, "its hidden state and its output are quantized differently")
    if op.activation != "TANH":
        unsupported(op, "its activation is not TANH")
    batch, steps = op.batch, op.steps
    if steps != 1 and batch != 1 and not op.time_major:
        unsupported(
            op, f"it has {steps} time steps and a batch of {batch}, and time is not the first axis"
        )
    gates = [_gate(op, x, hidden, gate, is_16x8) for gate in op.gates]
    units, inputs = gates[0].input_weights.shape

    power = math.floor(math.log2(cell.scale) + 0.5)  # the scale is a power of two
    if not -30 <= power <= 0:
        unsupported(op, f"the scale of its cell state is {cell.scale}")
    shift = 12 + power
    clip = float(op.cell_clip)
    return Lstm(
        steps=steps,
        batch=batch,
        inputs=inputs,
        units=units,
        input=gates[0],
        forget=gates[1],
        cell=gates[2],
        output=gates[3],
        update=quantize_multiplier(2.0**-30 / float(cell.scale)),
        hidden=quantize_multiplier(2.0**-30 / float(hidden.scale)),
        tanh_multiplier=3 if shift < 0 else 3 << shift,
        tanh_shift=-shift if shift < 0 else 0,
        cell_clip=int(min(max(clip / float(cell.scale), -32768.0), 32767.0)) if clip > 0 else 0,
        zero_point=hidden.zero_point,
        largest_bias=max(_largest(b) for g in gates for b in (g.input_bias, g.recurrent_bias)),
    )


def _largest(bias: np.ndarray | None) -> int:
    """Return the largest magnitude in 31 bits."""
    return 0 if bias is None else min(int(np.abs(bias.astype(np.int64)).max()), 2**31 - 1)


def _gate(op: graph.Lstm, x: Tensor, hidden: Tensor, gate: graph.LstmGate, is_16x8) -> LstmGate:
    w, r, bias = gate.weights, gate.recurrent, gate.bias
    need_int8(op, w, r)
    need_bias(op, bias, is_16x8)
    if bias is None or w.zero_point or r.zero_point:
        unsupported(op, "it lacks a bias, or its weights have zero points")
    before = 2.0**-12  # scale of the gate before its activation
    return LstmGate(
        input_weights=w.data,
        recurrent_weights=r.data,
        input_bias=fold_zero_point(bias.data.ravel(), x.zero_point, w.data),
        recurrent_bias=None
        if is_16x8
        else fold_zero_point(np.zeros(len(r.data)), hidden.zero_point, r.data),
        input=sum_scale(op, float(x.scale) * float(w.scale) / before, is_16x8),
        recurrent=sum_scale(op, float(hidden.scale) * float(r.scale) / before, is_16x8),
    )
