"""Parameters of FULLY_CONNECTED, and sums of products for other operators."""

import dataclasses

import numpy as np

from convert.tflite import graph
from convert.tflite.fixed_point import Scale, quantize_multiplier, quantize_multiplier_int16, wrap
from convert.tflite.graph import Operator, Tensor
from convert.tflite.kernel_params.common import is_wide, lowers, output_range, unsupported


@dataclasses.dataclass(frozen=True)
class FullyConnected:
    """FULLY_CONNECTED.

    Attributes
    ----------
    weights : np.ndarray [shape=(outputs, inputs), dtype=int8]
    bias, multiplier : np.ndarray [shape=(outputs,), dtype=int32]
    shift : np.ndarray [shape=(outputs,), dtype=int8]
    usual_scales : int
        1 or 0: whether no multiplier is 0 and no shift above 0, so that the kernel need not look.
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
    usual_scales: int


def need_bias(op: Operator, bias: Tensor | None, is_16x8: bool) -> None:
    """Check the type and the range of a bias.

    TFLM's biases are int64 where activations are int16. The kernels read 32 bits of them, which
    every network so far fits in.
    """
    if bias is None:
        return
    kind = "int64" if is_16x8 else "int32"
    if bias.data is None or bias.dtype != kind:
        unsupported(op, f"its bias is not constant {kind}")
    if np.any(wrap(bias.data) != bias.data):
        unsupported(op, "its bias needs more than 32 bits")


def sum_scale(op: Operator, real: float, is_16x8: bool) -> Scale:
    """Return the scale from sums of products to the output."""
    if not is_16x8:
        return quantize_multiplier(real)
    scale = quantize_multiplier_int16(real)
    if scale.shift > 7:
        unsupported(op, "its scales differ too much")
    return scale


def fold_zero_point(bias: np.ndarray, zero_point: int, weights: np.ndarray) -> np.ndarray:
    """Return ``bias - zero_point * sum(weights)``, which contains the inputs' zero point."""
    return wrap(bias.astype(np.int64) - zero_point * weights.astype(np.int64).sum(1)).astype(
        np.int32
    )


def products(op, matrix: np.ndarray, axis: int, rows: int) -> FullyConnected:
    """Compute the parameters of sums of products with rows of weights.

    Parameters
    ----------
    op : FullyConnected, Convolution or DepthwiseConvolution
    matrix : np.ndarray [shape=(outputs, inputs), dtype=int8]
    axis : int
        Axis of the outputs in the tensor of the weights.
    rows : int
        Rows of inputs.
    """
    x, w, bias = op.input, op.weights, op.bias
    is_16x8 = is_wide(op, x, op.output)
    need_bias(op, bias, is_16x8)
    if w.quantization is None or w.quantization.zero_points.any():
        unsupported(op, "its weights have no scale, or a zero point")
    outputs, inputs = matrix.shape
    if bias is not None and bias.size != outputs:
        unsupported(op, "its bias does not have one value for each output")
    if len(w.scales) > 1 and (w.quantization.axis != axis or len(w.scales) != outputs):
        unsupported(op, "its weights do not have one scale for each output")
    reals = [float(x.scale) * float(s) / float(op.output.scale) for s in w.scales]
    scales = [
        sum_scale(op, real, is_16x8) for real in (reals if len(reals) > 1 else reals * outputs)
    ]
    low, high = output_range(op, op.activation)
    return FullyConnected(
        rows=rows,
        inputs=inputs,
        outputs=outputs,
        weights=matrix,
        bias=fold_zero_point(
            bias.data.ravel() if bias is not None else np.zeros(outputs), x.zero_point, matrix
        ),
        multiplier=np.array([s.multiplier for s in scales], np.int32),
        shift=np.array([s.shift for s in scales], np.int8),
        zero_point=op.output.zero_point,
        low=low,
        high=high,
        usual_scales=int(all(s.multiplier != 0 and s.shift <= 0 for s in scales)),
    )


@lowers(graph.FullyConnected)
def _fully_connected(op: graph.FullyConnected) -> FullyConnected:
    w = op.weights
    if w.dtype != "int8" or w.data is None or len(w.shape) != 2:
        unsupported(op, "its weights are not a constant int8 matrix")
    return products(op, w.data, axis=0, rows=op.output.size // len(w.data))
