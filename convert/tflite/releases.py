"""Where the releases of TFLM compute different bytes.

TFLM scales a sum of products by ``input scale * weight scale / output scale``. Its sources up to
August 2026, and packages for Arduino and Zephyr made from them, round the product of the two
scales to float32 (`GetQuantizedConvolutionMultipler` in kernel_util.cc). The wheel of October 2026
multiplies in double precision. Where the rounding changes the multiplier, outputs can differ by a
few steps. Scales with 12 significant bits have exact products, so nothing is rounded. Operators
with one multiplier for each channel, such as CONV_2D, are computed in double precision by all
releases.
"""

from collections.abc import Iterator

import numpy as np

from convert.tflite import graph
from convert.tflite.fixed_point import Scale, quantize_multiplier
from convert.tflite.graph import Operator, Tensor

_GATE = 2.0**-12  # the scale of a gate of an LSTM before its activation


def _products(op: Operator) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Yield an input, weights and the scale of their sum for each product of an operator."""
    if isinstance(op, graph.FullyConnected):
        if len(op.weights.scales) == 1:
            yield op.input, op.weights, float(op.output.scale)
    elif isinstance(op, graph.BatchMatmul):
        yield op.a, op.b, float(op.output.scale)
    elif isinstance(op, graph.Lstm):
        for gate in op.gates:
            if gate.weights is not None:
                yield op.input, gate.weights, _GATE
            yield op.state.hidden, gate.recurrent, _GATE


def multipliers(op: Operator) -> list[tuple[Scale, Scale]]:
    """Compute the multipliers of an operator in both ways.

    Parameters
    ----------
    op : Operator

    Returns
    -------
    list of tuple of Scale
        With the product of the scales in double precision, and in float32; empty for an operator
        without quantized products.
    """
    found = []
    for x, weights, out in _products(op):
        if not len(x.scales) or not out:
            continue
        for scale in weights.scales:
            exact = float(x.scale) * float(scale)
            found.append(
                tuple(quantize_multiplier(real / out) for real in (exact, float(np.float32(exact))))
            )
    return found


def depends_on_release(op: Operator) -> bool:
    """Return whether the releases of TFLM use different multipliers for an operator."""
    return any(exact != rounded for exact, rounded in multipliers(op))
