"""Parameters of MEAN and SOFTMAX."""

import dataclasses
import math

import numpy as np

from convert.tflite import fixed_point, graph
from convert.tflite.fixed_point import Scale, quantize_multiplier
from convert.tflite.kernel_params.common import is_wide, lowers, need_int8, rescaling, unsupported

# The sum of so many exponentials has at most 28 bits, which the kernel's division needs.
_SOFTMAX_COLUMNS = 511


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
class Softmax:
    """SOFTMAX of int8.

    Attributes
    ----------
    exponentials : np.ndarray [shape=(256,), dtype=int32]
        ``exp(-n * scale * beta)`` in Q0 for n steps below the largest input; 0 where TFLM
        outputs 0.
    """

    rows: int
    columns: int
    exponentials: np.ndarray


@lowers(graph.Mean)
def _mean(op: graph.Mean) -> Mean:
    x, axis = op.input, op.axes
    is_wide(op, x, op.output)
    if axis.data is None:
        unsupported(op, "its axes are not constant")
    axes = sorted({int(a) % len(x.shape) for a in axis.data.ravel()})
    if axes != list(range(axes[0], axes[-1] + 1)):
        unsupported(op, f"axes {axes} are not adjacent")
    count = math.prod(x.shape[a] for a in axes)
    scale = rescaling(x, op.output)
    shift = min(count.bit_length() - 1, 32, 31 + scale.shift)
    return Mean(
        outer=math.prod(x.shape[: axes[0]]),
        count=count,
        inner=math.prod(x.shape[axes[-1] + 1 :]),
        bias=-x.zero_point * count,
        scale=Scale((scale.multiplier << shift) // count, scale.shift - shift),
        zero_point=op.output.zero_point,
    )


@lowers(graph.Softmax)
def _softmax(op: graph.Softmax) -> Softmax:
    x, out = op.input, op.output
    need_int8(op, x, out)
    if out.zero_point != -128 or out.scale != 2.0**-8:
        unsupported(op, "its output does not have the scale 1 / 256 and the zero point -128")
    columns = x.shape[-1]
    if columns > _SOFTMAX_COLUMNS:
        unsupported(op, f"{columns} values; at most {_SOFTMAX_COLUMNS} are possible")
    # Differences to the largest input in Q5, as TFLM's PreprocessSoftmaxScaling.
    scale = quantize_multiplier(min(op.beta * float(x.scale) * 2**26, 2.0**31 - 1))
    radius = math.floor(31 * 2.0**26 / 2.0**scale.shift)
    table = [
        fixed_point.exp(int(fixed_point.rescale(-n, scale)), 5) if n <= radius else 0
        for n in range(256)
    ]
    return Softmax(rows=x.size // columns, columns=columns, exponentials=np.array(table, np.int32))
