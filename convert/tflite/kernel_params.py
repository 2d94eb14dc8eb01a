"""Compute the parameters of the kernels in `micro/kernels` from the operators of a `.tflite`.

The kernels are int8 and 16x8, and the parameters equal the numbers that TFLM prepares. Each
dataclass here is the struct of the same name in `micro/kernels/kernels.h`, field by field. All that
depends only on the model is computed here: zero points are folded into biases, scales become
multipliers and shifts, and functions of one byte become tables.
"""

import dataclasses
import math
import re

import numpy as np

from convert.contract import LSTM
from convert.tflite import counts
from convert.tflite.schema import schema
from groupcomm.errors import UserError

_INT8, _INT16, _INT32, _INT64 = (
    getattr(schema.TensorType, name) for name in ("INT8", "INT16", "INT32", "INT64")
)
_LIMITS = {_INT8: (-128, 127), _INT16: (-32768, 32767)}
_BITS = {_INT8: 8, _INT16: 16}
_ACTIVATION = {
    v: k for k, v in vars(schema.ActivationFunctionType).items() if not k.startswith("_")
}


@dataclasses.dataclass(frozen=True)
class Scale:
    """A real number as ``multiplier * 2 ** (shift - 31)``."""

    multiplier: int
    shift: int


@dataclasses.dataclass(frozen=True)
class FullyConnected:
    """FULLY_CONNECTED.

    Attributes
    ----------
    weights : np.ndarray [shape=(outputs, inputs), dtype=int8]
    bias, multiplier : np.ndarray [shape=(outputs,), dtype=int32]
    shift : np.ndarray [shape=(outputs,), dtype=int8]
    """

    rows: int
    inputs: int
    outputs: int
    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray
    zero_point: int
    low: int
    high: int


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

    @property
    def scratch_bytes(self) -> int:
        """The scratch memory in bytes, GC_LSTM_SCRATCH_BYTES of kernels.h."""
        vectors = -(-self.inputs // 8) + -(-self.units // 8)
        pairs = (self.batch + 1) // 2
        return max(32 * vectors * (pairs + 1) + 64 * pairs, 64 * self.units)


@dataclasses.dataclass(frozen=True)
class Operand:
    """One input of ADD or MUL. Strides are in elements; 0 repeats the operand."""

    row: int
    step: int
    zero_point: int


@dataclasses.dataclass(frozen=True)
class Add:
    """ADD, with broadcasting over rows or columns."""

    rows: int
    columns: int
    a: Operand
    b: Operand
    a_scale: Scale
    b_scale: Scale
    scale: Scale
    zero_point: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Mul:
    """MUL, with broadcasting over rows or columns."""

    rows: int
    columns: int
    a: Operand
    b: Operand
    scale: Scale
    zero_point: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Mean:
    """MEAN over adjacent axes."""

    outer: int
    count: int
    inner: int
    bias: int
    scale: Scale
    zero_point: int


@dataclasses.dataclass(frozen=True)
class Lookup:
    """LOGISTIC or TANH of int8.

    Attributes
    ----------
    table : np.ndarray [shape=(256,), dtype=int8]
        Indexed by the input, read as uint8.
    """

    table: np.ndarray
    count: int


@dataclasses.dataclass(frozen=True)
class Logistic:
    """LOGISTIC of int16."""

    count: int
    multiplier: int
    shift: int


@dataclasses.dataclass(frozen=True)
class Tanh(Logistic):
    """TANH of int16."""


@dataclasses.dataclass(frozen=True)
class Requantize:
    """QUANTIZE between int8 and int16, RELU, RELU6."""

    count: int
    input_zero_point: int
    scale: Scale
    zero_point: int
    low: int
    high: int


@dataclasses.dataclass(frozen=True)
class Copy:
    """Copy of one input to an output, of CONCATENATION and of operators that move bytes unchanged.

    The rows of the input go to ``offset`` bytes into the output, ``stride`` bytes apart. A GATHER
    that reverses rows has a negative stride.
    """

    rows: int
    columns: int
    stride: int
    offset: int


def quantize_multiplier(real: float) -> Scale:
    """Return the multiplier and shift nearest to a real number.

    The computation is in double precision, as in TFLM's ``QuantizeMultiplier``.
    """
    if real == 0:
        return Scale(0, 0)
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return Scale(multiplier, shift) if shift >= -31 else Scale(0, 0)


def quantize_multiplier_int16(real: float) -> Scale:
    """Return the multiplier and shift for int16 activations.

    TFLM multiplies 64-bit sums by the upper 16 bits of the multiplier, rounded.
    """
    scale = quantize_multiplier(real)
    return Scale(min((scale.multiplier + 2**15) >> 16, 2**15 - 1) << 16, scale.shift)


def wrap(x):
    """Wrap integers to 32 bits, as the kernels and TFLM do."""
    return (x + 2**31) % 2**32 - 2**31


def rescale(x, scale: Scale):
    """Multiply by a scale and round twice, as TFLM does: `gc_rescale` of arithmetic.h.

    Parameters
    ----------
    x : int or np.ndarray [dtype=int64]
    scale : Scale
        Its fields are integers, or int64 arrays that broadcast with ``x``.

    Returns
    -------
    int or np.ndarray [dtype=int64]
    """
    left, right = np.maximum(scale.shift, 0), np.maximum(-np.asarray(scale.shift), 0)
    x = (wrap(x << left) * scale.multiplier + (1 << 30)) >> 31
    return (x + (1 << right >> 1) - ((x < 0) & (right > 0))) >> right


def prepare(model: schema.ModelT, op: schema.OperatorT):
    """Compute the kernel parameters of one operator.

    Parameters
    ----------
    model : ModelT
        The whole model, unpacked.
    op : OperatorT
        An operator of its first subgraph.

    Returns
    -------
    dataclass or list of Copy
        One of the dataclasses of this module; a list of `Copy` for CONCATENATION, GATHER, RESHAPE
        and SQUEEZE.

    Raises
    ------
    UserError
        When there is no kernel for the operator, or none with these types, shapes or options.
    """
    name = counts.operator_name(model.operatorCodes[op.opcodeIndex])
    if name not in _LOWERINGS:
        raise UserError(
            f"operator {name} has no kernel in micro/kernels; "
            f"supported: {', '.join(sorted(_LOWERINGS))}"
        )
    return _LOWERINGS[name](_Operator(model, op, name))


def function(model: schema.ModelT, op: schema.OperatorT, prepared) -> str:
    """Return the name of the C function for a prepared operator, which depends on its types."""
    types = dict.fromkeys(
        f"s{_BITS[model.subgraphs[0].tensors[i].type]}" for i in (op.inputs[0], op.outputs[0])
    )
    kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(prepared).__name__).lower()
    return "_".join(["gc", kind, *types])


class _Tensor:
    """A tensor with its values and its quantization."""

    def __init__(self, model, tensor):
        self.name = (tensor.name or b"").decode(errors="replace")
        self.shape = tuple(int(n) for n in (tensor.shape if tensor.shape is not None else ()))
        self.type = tensor.type
        q = tensor.quantization
        quantized = q is not None and q.scale is not None and len(q.scale) > 0
        self.scales = np.asarray(q.scale, np.float32) if quantized else np.zeros(0, np.float32)
        self.zero_points = (
            [int(z) for z in q.zeroPoint] if quantized and q.zeroPoint is not None else [0]
        )
        self.axis = int(q.quantizedDimension) if quantized else 0
        self._data = model.buffers[tensor.buffer].data

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def scale(self) -> np.float32:
        return self.scales[0]

    @property
    def zero_point(self) -> int:
        return self.zero_points[0]

    @property
    def constant(self) -> bool:
        return self._data is not None

    @property
    def byte_size(self) -> int:
        return self.size * {_INT8: 1, _INT16: 2, _INT32: 4}[self.type]

    def values(self) -> np.ndarray:
        dtype = {_INT8: np.int8, _INT16: np.int16, _INT32: np.int32, _INT64: np.int64}[self.type]
        return np.frombuffer(np.asarray(self._data, np.uint8).tobytes(), dtype).reshape(self.shape)


class _Operator:
    """An operator with its tensors, and checks of what the kernels support."""

    def __init__(self, model, op, name):
        tensors = model.subgraphs[0].tensors
        self.name = name
        self.options = op.builtinOptions
        self.inputs = [_Tensor(model, tensors[i]) if i >= 0 else None for i in op.inputs]
        self.outputs = [_Tensor(model, tensors[i]) for i in op.outputs]
        self.output = self.outputs[0]

    def unsupported(self, what: str):
        """Raise a `UserError` for a variant that no kernel supports."""
        raise UserError(
            f"{self.name} to tensor {self.output.name!r}: {what}; "
            "micro/kernels has no kernel for this, but TFLM may support it"
        )

    def need_int8(self, *tensors: _Tensor) -> None:
        for t in tensors:
            if t.type != _INT8 or len(t.scales) != 1:
                self.unsupported(f"tensor {t.name!r} is not int8 with one scale")

    def need_bias(self, bias: _Tensor | None, is_16x8: bool) -> None:
        """Check the type and the range of a bias.

        TFLM's biases are int64 where activations are int16. The kernels read 32 bits of them, which
        every network so far fits in.
        """
        if bias is None:
            return
        if not bias.constant or bias.type != (_INT64 if is_16x8 else _INT32):
            self.unsupported(f"its bias is not constant {'int64' if is_16x8 else 'int32'}")
        if np.any(wrap(bias.values()) != bias.values()):
            self.unsupported("its bias needs more than 32 bits")

    def sum_scale(self, real: float, is_16x8: bool) -> Scale:
        """Return the scale from sums of products to the output."""
        if not is_16x8:
            return quantize_multiplier(real)
        scale = quantize_multiplier_int16(real)
        if scale.shift > 7:
            self.unsupported("its scales differ too much")
        return scale

    def is_16x8(self, *tensors: _Tensor) -> bool:
        """Return whether the tensors are int16 with zero point 0; else check that they are int8."""
        if tensors[0].type != _INT16:
            self.need_int8(*tensors)
            return False
        for t in tensors:
            if t.type != _INT16 or len(t.scales) != 1 or t.zero_point != 0:
                self.unsupported(f"tensor {t.name!r} is not int16 with one scale and zero point 0")
        return True

    def output_range(self, activation: int | None = None) -> tuple[int, int]:
        """Return the lowest and highest output under the fused activation."""
        name = _ACTIVATION[
            self.options.fusedActivationFunction if activation is None else activation
        ]
        bounds = {"NONE": (None, None), "RELU": (0, None), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}
        if name not in bounds:
            self.unsupported(f"fused activation {name}")

        def quantized(x):
            return self.output.zero_point + math.floor(
                abs(np.float32(x) / self.output.scale) + np.float32(0.5)
            ) * (-1 if x < 0 else 1)

        low, high = bounds[name]
        lowest, highest = _LIMITS[self.output.type]
        return max(lowest, quantized(low)) if low is not None else lowest, min(
            highest, quantized(high)
        ) if high is not None else highest


def _fold_zero_point(bias: np.ndarray, zero_point: int, weights: np.ndarray) -> np.ndarray:
    """Return ``bias - zero_point * sum(weights)``, which contains the inputs' zero point."""
    return wrap(bias.astype(np.int64) - zero_point * weights.astype(np.int64).sum(1)).astype(
        np.int32
    )


def _fully_connected(op: _Operator) -> FullyConnected:
    x, w = op.inputs[:2]
    bias = op.inputs[2] if len(op.inputs) > 2 else None
    is_16x8 = op.is_16x8(x, op.output)
    if w.type != _INT8 or not w.constant or len(w.shape) != 2:
        op.unsupported("its weights are not a constant int8 matrix")
    op.need_bias(bias, is_16x8)
    if any(w.zero_points):
        op.unsupported("its weights have a zero point")
    outputs, inputs = w.shape
    if len(w.scales) > 1 and (w.axis != 0 or len(w.scales) != outputs):
        op.unsupported("its weights do not have one scale for each output")
    reals = [float(x.scale) * float(s) / float(op.output.scale) for s in w.scales]
    scales = [
        op.sum_scale(real, is_16x8) for real in (reals if len(reals) > 1 else reals * outputs)
    ]
    weights = w.values()
    low, high = op.output_range()
    return FullyConnected(
        rows=op.output.size // outputs,
        inputs=inputs,
        outputs=outputs,
        weights=weights,
        bias=_fold_zero_point(
            bias.values().ravel() if bias is not None else np.zeros(outputs), x.zero_point, weights
        ),
        multiplier=np.array([s.multiplier for s in scales], np.int32),
        shift=np.array([s.shift for s in scales], np.int8),
        zero_point=op.output.zero_point,
        low=low,
        high=high,
    )


def _lstm(op: _Operator) -> Lstm:
    x, hidden, cell = (op.inputs[i] for i in (LSTM.input, LSTM.hidden_state, LSTM.cell_state))
    absent = op.inputs[LSTM.peepholes] + op.inputs[LSTM.projection] + op.inputs[LSTM.layer_norms]
    weights, recurrent = op.inputs[LSTM.input_weights], op.inputs[LSTM.recurrent_weights]
    if any(t is not None for t in absent) or any(t is None for t in weights + recurrent):
        op.unsupported("it has peepholes, a projection, layer normalization or coupled gates")
    is_16x8 = op.is_16x8(x, hidden, op.output)
    if cell.type != _INT16 or cell.zero_point != 0:
        op.unsupported("its cell state is not int16 with zero point 0")
    if (hidden.scale, hidden.zero_point) != (op.output.scale, op.output.zero_point):
        op.unsupported("its hidden state and its output are quantized differently")
    if _ACTIVATION[op.options.fusedActivationFunction] != "TANH":
        op.unsupported("its activation is not TANH")
    batch, steps = (x.shape[1], x.shape[0]) if op.options.timeMajor else x.shape[:2]
    if steps != 1 and batch != 1 and not op.options.timeMajor:
        op.unsupported(
            f"it has {steps} time steps and a batch of {batch}, and time is not the first axis"
        )
    gates = [
        _gate(op, x, hidden, *tensors, is_16x8)
        for tensors in zip(weights, recurrent, op.inputs[LSTM.biases], strict=True)
    ]
    units, inputs = gates[0].input_weights.shape

    power = math.floor(math.log2(cell.scale) + 0.5)  # the scale is a power of two
    if not -30 <= power <= 0:
        op.unsupported(f"the scale of its cell state is {cell.scale}")
    shift = 12 + power
    clip = float(op.options.cellClip)
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
    )


def _gate(
    op: _Operator, x: _Tensor, hidden: _Tensor, w: _Tensor, r: _Tensor, bias: _Tensor, is_16x8: bool
) -> LstmGate:
    op.need_int8(w, r)
    op.need_bias(bias, is_16x8)
    if bias is None or w.zero_point or r.zero_point:
        op.unsupported("it lacks a bias, or its weights have zero points")
    before = 2.0**-12  # scale of the gate before its activation
    return LstmGate(
        input_weights=w.values(),
        recurrent_weights=r.values(),
        input_bias=_fold_zero_point(bias.values().ravel(), x.zero_point, w.values()),
        recurrent_bias=None
        if is_16x8
        else _fold_zero_point(np.zeros(len(r.values())), hidden.zero_point, r.values()),
        input=op.sum_scale(float(x.scale) * float(w.scale) / before, is_16x8),
        recurrent=op.sum_scale(float(hidden.scale) * float(r.scale) / before, is_16x8),
    )


def _broadcast(op: _Operator) -> tuple[int, int, Operand, Operand]:
    """Return the output as (rows, columns), and the strides of both operands in it."""
    out = op.output.shape
    # Strides of each operand in each axis of the output, 0 where the operand is repeated.
    strides = []
    for t in op.inputs[:2]:
        shape = (1,) * (len(out) - len(t.shape)) + t.shape
        steps, step = [], 1
        for n in reversed(shape):
            steps.append(step if n > 1 else 0)
            step *= n
        strides.append(steps[::-1])
    # Axes of length 1 are dropped. Adjacent axes along which both operands are contiguous (or both
    # repeated) are merged.
    axes: list[list[int]] = []
    for n, a, b in zip(out, *strides, strict=True):
        if n == 1:
            continue
        if axes and all(
            before == n * now for before, now in zip(axes[-1][1:], (a, b), strict=True)
        ):
            axes[-1] = [axes[-1][0] * n, a, b]
        else:
            axes.append([n, a, b])
    if len(axes) > 2:
        op.unsupported(
            f"shapes {op.inputs[0].shape} and {op.inputs[1].shape} "
            "broadcast along more than one axis"
        )
    axes = [[1, 0, 0]] * (2 - len(axes)) + axes
    (rows, a_row, b_row), (columns, a_step, b_step) = axes
    return (
        rows,
        columns,
        Operand(a_row, a_step, op.inputs[0].zero_point),
        Operand(b_row, b_step, op.inputs[1].zero_point),
    )


def _add(op: _Operator) -> Add:
    left = 15 if op.is_16x8(*op.inputs[:2], op.output) else 20
    a, b = (float(t.scale) for t in op.inputs[:2])
    twice = 2 * max(a, b)
    low, high = op.output_range()
    return Add(
        *_broadcast(op),
        a_scale=quantize_multiplier(a / twice),
        b_scale=quantize_multiplier(b / twice),
        scale=quantize_multiplier(twice / (2**left * float(op.output.scale))),
        zero_point=op.output.zero_point,
        low=low,
        high=high,
    )


def _mul(op: _Operator) -> Mul:
    op.is_16x8(*op.inputs[:2], op.output)
    a, b = (float(t.scale) for t in op.inputs[:2])
    low, high = op.output_range()
    scale = quantize_multiplier(a * b / float(op.output.scale))
    return Mul(*_broadcast(op), scale=scale, zero_point=op.output.zero_point, low=low, high=high)


def _mean(op: _Operator) -> Mean:
    x, axis = op.inputs[:2]
    op.is_16x8(x, op.output)
    if not axis.constant:
        op.unsupported("its axes are not constant")
    axes = sorted({int(a) % len(x.shape) for a in axis.values().ravel()})
    if axes != list(range(axes[0], axes[-1] + 1)):
        op.unsupported(f"axes {axes} are not adjacent")
    count = math.prod(x.shape[a] for a in axes)
    scale = quantize_multiplier(float(x.scale) / float(op.output.scale))
    shift = min(count.bit_length() - 1, 32, 31 + scale.shift)
    return Mean(
        outer=math.prod(x.shape[: axes[0]]),
        count=count,
        inner=math.prod(x.shape[axes[-1] + 1 :]),
        bias=-x.zero_point * count,
        scale=Scale((scale.multiplier << shift) // count, scale.shift - shift),
        zero_point=op.output.zero_point,
    )


def _activation(op: _Operator) -> Lookup | Logistic:
    x, out = op.inputs[0], op.output
    if not op.is_16x8(x, out):
        return _lookup(op)
    if out.scale != 2.0**-15:
        op.unsupported(f"the scale {out.scale} of its output is not 2^-15")
    power = math.log2(x.scale)
    left = 12 + round(power)
    if abs(power - round(power)) < 1e-3 and left in ((0,) if op.name == "LOGISTIC" else (0, 1)):
        multiplier, shift = float(3 << left), 0
    else:
        multiplier, shift = float(x.scale) * 12288, 0
        while multiplier <= 32767 / 2 and shift <= 30:
            multiplier, shift = multiplier * 2, shift + 1
    if multiplier >= 2**15 or shift > 30:
        op.unsupported(f"the scale {x.scale} of its input differs too much from 1 / 4096")
    return (Logistic if op.name == "LOGISTIC" else Tanh)(
        count=x.size, multiplier=int(multiplier), shift=shift
    )


def _lookup(op: _Operator) -> Lookup:
    """Tabulate LOGISTIC or TANH for all 256 inputs.

    TFLM computes them in 32-bit fixed point, value by value.
    """
    x, out = op.inputs[0], op.output
    logistic = op.name == "LOGISTIC"
    if logistic and out.zero_point != -128:
        op.unsupported(f"zero point {out.zero_point} of its output is not -128")
    fraction, shift = math.frexp(float(x.scale) * 2**27)  # to Q4.27
    scale = Scale(math.floor(fraction * 2**31 + 0.5), shift)
    radius = math.floor(15 * 2.0**27 / 2.0**shift)
    table = []
    for byte in range(256):
        value = (byte ^ 128) - 128 - x.zero_point
        if abs(value) >= radius:
            y = -128 if value <= -radius else 127
        elif logistic:
            y = _divide(_fixed_logistic(int(rescale(value, scale))), 23) - 128
        else:
            y = _divide(_fixed_tanh(int(rescale(value, scale))), 24)
        table.append(min(max(y, -128), 127))
    return Lookup(table=np.array(table, np.int8), count=x.size)


# 32-bit fixed point: Qm has a sign, m integer bits and the fraction.
_ONE = 2**31 - 1  # nearly 1, in Q0


def _multiply(a: int, b: int) -> int:
    """Multiply two fixed-point numbers. The result has the sum of their integer bits."""
    return (a * b + (1 << 30)) >> 31


def _divide(x: int, shift: int) -> int:
    """Return x / 2 ** shift rounded to the nearest integer, halves away from zero."""
    return (x + (1 << shift >> 1) - (x < 0)) >> shift


def _saturate(x: int) -> int:
    return min(max(x, -(2**31)), 2**31 - 1)


def _fixed_exp(a: int, integer_bits: int) -> int:
    """Return exp(a) in Q0 for a <= 0, where a has ``integer_bits`` integer bits.

    The result is a fourth-order polynomial of the remainder modulo 1/4, times exp of every power of
    two in the rest.
    """
    if a == 0:
        return _ONE
    quarter = 1 << (29 - integer_bits)
    last = (a & (quarter - 1)) - quarter  # in -1/4..0
    x = (last << integer_bits) + (1 << 28)  # Q0, around -1/8
    x2 = _multiply(x, x)
    x3, x4 = _multiply(x2, x), _multiply(x2, x2)
    rest = _divide(_multiply(_divide(x4, 2) + x3, round(2**31 / 3)) + x2, 1)
    result = round(2**31 * math.exp(-1 / 8))
    result += _multiply(result, x + rest)
    remainder = last - a
    for exponent in range(-2, integer_bits):
        if remainder >> (31 - integer_bits + exponent) & 1:
            result = _multiply(result, round(2**31 * math.exp(-(2.0**exponent))))
    return result


def _reciprocal(a: int) -> int:
    """Return 2 / (1 + a) in Q2 for a in 0..1 in Q0, by three steps of Newton's method."""
    half = (a + _ONE + 1) // 2  # (1 + a) / 2
    x = round(2**29 * 48 / 17) + _multiply(half, round(-(2**29) * 32 / 17))
    for _ in range(3):
        error = (1 << 29) - _multiply(half, x)
        x += _saturate(_multiply(x, error) << 2)
    return x


def _fixed_logistic(a: int) -> int:
    """Return 1 / (1 + exp(-a)) in Q0, for a in Q4."""
    if a == 0:
        return 1 << 30
    positive = _saturate(_reciprocal(_fixed_exp(-abs(a), 4)) << 1)
    return positive if a > 0 else _ONE - positive


def _fixed_tanh(a: int) -> int:
    """Return tanh(a) in Q0, for a in Q4."""
    if a == 0:
        return 0
    positive = _saturate((_reciprocal(_fixed_exp(-abs(a), 5)) - (1 << 29)) << 2)
    return positive if a > 0 else -positive


def _requantize(op: _Operator) -> Requantize:
    x, out = op.inputs[0], op.output
    if op.name == "QUANTIZE":
        op.is_16x8(x), op.is_16x8(out)
    else:
        op.is_16x8(x, out)
    kinds = schema.ActivationFunctionType
    activation = {"QUANTIZE": kinds.NONE, "RELU": kinds.RELU}[op.name]
    low, high = op.output_range(activation)
    scale = quantize_multiplier(float(x.scale) / float(out.scale))
    return Requantize(
        count=x.size,
        input_zero_point=x.zero_point,
        scale=scale,
        zero_point=out.zero_point,
        low=low,
        high=high,
    )


def _copy(op: _Operator) -> list[Copy]:
    """Copy all bytes unchanged: int8, or the int16 cells of an LSTM."""
    x, out = op.inputs[0], op.output
    if x.type != out.type or x.type not in (_INT8, _INT16):
        op.unsupported(
            f"tensor {x.name!r} is not int8 or int16, or differs in type from the output"
        )
    return [Copy(rows=1, columns=out.byte_size, stride=out.byte_size, offset=0)]


def _gather(op: _Operator) -> list[Copy]:
    x, rows = op.inputs
    op.need_int8(x, op.output)  # TFLM does not support int16
    axis = op.options.axis % len(x.shape)
    count, columns = x.shape[axis], math.prod(x.shape[axis + 1 :])
    last_first = rows.constant and np.array_equal(rows.values().ravel(), range(count)[::-1])
    if not last_first or x.size != count * columns:
        op.unsupported("it does not reverse the order of all rows")
    return [Copy(rows=count, columns=columns, stride=-columns, offset=(count - 1) * columns)]


def _concatenate(op: _Operator) -> list[Copy]:
    element = 2 if op.is_16x8(*op.inputs, op.output) else 1
    if op.options.fusedActivationFunction != schema.ActivationFunctionType.NONE:
        op.unsupported("it has a fused activation")
    shape = op.output.shape
    axis = op.options.axis % len(shape)
    inner = math.prod(shape[axis + 1 :]) * element
    offset, copies = 0, []
    for t in op.inputs:
        columns = t.shape[axis] * inner
        copies.append(
            Copy(
                rows=math.prod(shape[:axis]),
                columns=columns,
                stride=shape[axis] * inner,
                offset=offset,
            )
        )
        offset += columns
    return copies


_LOWERINGS = {
    "ADD": _add,
    "CONCATENATION": _concatenate,
    "FULLY_CONNECTED": _fully_connected,
    "GATHER": _gather,
    "LOGISTIC": _activation,
    "MEAN": _mean,
    "MUL": _mul,
    "QUANTIZE": _requantize,
    "RELU": _requantize,
    "RESHAPE": _copy,
    "SQUEEZE": _copy,
    "TANH": _activation,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
}
