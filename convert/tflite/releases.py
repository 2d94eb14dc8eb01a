"""Where the releases of TFLM compute different bytes.

TFLM scales a sum of products by ``input scale * weight scale / output scale``. Its sources up to
August 2026, and packages for Arduino and Zephyr made from them, round the product of the two
scales to float32 (`GetQuantizedConvolutionMultipler` in kernel_util.cc). The wheel of October 2026
multiplies in double precision. Where the rounding changes the multiplier, outputs can differ by a
few steps. Scales with 12 significant bits have exact products, so nothing is rounded. Operators
with one multiplier for each channel, such as CONV_2D, are computed in double precision by all
releases.

The sources of LEAKY_RELU and SVDF (leaky_relu_common.cc and svdf_common.cc of
tensorflow/tflite-micro, commits 0cc6f983266d and 1176f9beb38b) also divide by the output's scale in
float32, which 12 significant bits do not make exact. The wheel computes both in double precision
(`tests/convert/tflite/test_releases.py`).
"""

from collections.abc import Iterator

import numpy as np

from convert.tflite import graph
from convert.tflite.fixed_point import Scale, quantize_multiplier
from convert.tflite.graph import Operator, Tensor

_GATE = 2.0**-12  # the scale of a gate of an LSTM before its activation


def _sums(op: Operator) -> Iterator[tuple[Tensor, Tensor, float]]:
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


def _quotients(op: Operator) -> Iterator[tuple[np.float32, np.float32, np.float32]]:
    """Yield two factors and a divisor for each scale that TFLM's sources compute in float32."""
    if isinstance(op, graph.LeakyRelu):
        yield op.input.scale, np.float32(op.alpha), op.output.scale
        yield op.input.scale, np.float32(1), op.output.scale
    elif isinstance(op, graph.Svdf):
        yield op.input.scale, op.feature_weights.scale, op.state.scale
        yield op.state.scale, op.time_weights.scale, op.output.scale


def multipliers(op: Operator) -> list[tuple[Scale, Scale]]:
    """Compute the multipliers of an operator in both ways.

    Parameters
    ----------
    op : Operator

    Returns
    -------
    list of tuple of Scale
        With the scales in double precision, and in float32; empty for an operator that all
        releases compute in the same way.
    """
    reals = []
    for x, weights, out in _sums(op):
        if not len(x.scales) or not out:
            continue
        for scale in weights.scales:
            exact = float(x.scale) * float(scale)
            reals.append((exact / out, float(np.float32(exact)) / out))
    for a, b, out in _quotients(op):
        if out:
            reals.append((float(a) * float(b) / float(out), float(a * b / out)))
    return [(quantize_multiplier(exact), quantize_multiplier(rounded)) for exact, rounded in reals]


def depends_on_release(op: Operator) -> bool:
    """Return whether the releases of TFLM use different multipliers for an operator."""
    return any(exact != rounded for exact, rounded in multipliers(op))
