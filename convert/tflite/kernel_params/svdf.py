"""Parameters of SVDF."""

import dataclasses

import numpy as np

from convert.tflite import graph
from convert.tflite.fixed_point import Scale, quantize_multiplier, wrap
from convert.tflite.kernel_params.common import lowers, need_int8, unsupported
from convert.tflite.kernel_params.fully_connected import fold_zero_point, need_bias


@dataclasses.dataclass(frozen=True)
class Svdf:
    """SVDF of int8 with a state of int8 or int16. As after a reset in TFLM, the state is 0.

    Attributes
    ----------
    feature_weights : np.ndarray [shape=(filters, inputs), dtype=int8]
    feature_bias : np.ndarray [shape=(filters,), dtype=int32]
    time_weights : np.ndarray [shape=(filters, memory), dtype=int8 or int16]
        The type is that of the state.
    bias : np.ndarray [shape=(filters / rank,), dtype=int32]
    """

    batch: int
    inputs: int
    filters: int
    rank: int
    memory: int
    feature_weights: np.ndarray
    feature_bias: np.ndarray
    time_weights: np.ndarray
    bias: np.ndarray
    feature: Scale
    scale: Scale
    state_zero_point: int
    zero_point: int


@lowers(graph.Svdf)
def _svdf(op: graph.Svdf) -> Svdf:
    x, weights, times, state = op.input, op.feature_weights, op.time_weights, op.state
    need_int8(op, x, weights, op.output)
    if not state.is_variable or state.dtype not in ("int8", "int16"):
        unsupported(op, "its state is not a variable tensor of int8 or int16")
    if len(state.scales) != 1 or (state.dtype == "int16" and state.zero_point):
        unsupported(op, "its state of int16 has a zero point, or not one scale")
    if times.dtype != state.dtype or len(times.scales) != 1:
        unsupported(op, "its weights of time have another type than its state, or not one scale")
    if weights.data is None or times.data is None:
        unsupported(op, "its weights are not constant")
    if weights.zero_point or times.zero_point:
        unsupported(op, "its weights have a zero point")
    if op.bias is None:
        unsupported(op, "it has no bias, which TFLM needs")
    need_bias(op, op.bias, False)
    (batch, inputs), (filters, memory) = x.shape, times.shape
    if op.rank < 1 or filters % op.rank:
        unsupported(op, f"its rank {op.rank} does not divide its {filters} filters")
    shapes = (weights.shape, op.bias.size, state.size, op.output.shape)
    units = filters // op.rank
    if shapes != ((filters, inputs), units, batch * filters * memory, (batch, units)):
        unsupported(op, "the shapes of its tensors do not belong together")
    # The zero point of the state is the same in each product of a filter of time.
    steps = times.data.astype(np.int64).reshape(units, -1).sum(1)
    return Svdf(
        batch=batch,
        inputs=inputs,
        filters=filters,
        rank=op.rank,
        memory=memory,
        feature_weights=weights.data,
        feature_bias=fold_zero_point(np.zeros(filters), x.zero_point, weights.data),
        time_weights=times.data,
        bias=wrap(op.bias.data.ravel().astype(np.int64) - state.zero_point * steps).astype(
            np.int32
        ),
        feature=quantize_multiplier(float(x.scale) * float(weights.scale) / float(state.scale)),
        scale=quantize_multiplier(float(state.scale) * float(times.scale) / float(op.output.scale)),
        state_zero_point=state.zero_point,
        zero_point=op.output.zero_point,
    )
