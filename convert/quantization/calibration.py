"""Collect statistics of the tensors of a float model on real sound, and choose their ranges."""

import dataclasses
import warnings
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np

from groupcomm.console import step

Method = Literal["min-max", "percentile", "error"]
METHODS = get_args(Method)
PERCENTILE = 99.99  # percentage of the values inside a range chosen by percentile
RANGE_FRACTIONS = np.linspace(0.2, 1.0, 81)  # of the min-max range, tried by the method "error"
# Hops, 1 s: the values of a state at the start of a stream differ from its later values.
WARM_UP = 125
# One of so many hops is kept for percentiles and errors. The extremes are those of all hops.
KEEP_EVERY = 4
BLOCK = 64 * KEEP_EVERY  # hops whose extremes are found at once


@dataclasses.dataclass(frozen=True)
class TensorStats:
    """Values of one tensor.

    Attributes
    ----------
    low, high : float
        Extremes over all hops.
    values : np.ndarray [shape=(n,), dtype=float32]
        All values of a part of the hops, see `KEEP_EVERY`.
    """

    low: float
    high: float
    values: np.ndarray


def collect_statistics(
    model: bytes, tensors: Iterable[int], streams: list[np.ndarray]
) -> dict[int, TensorStats]:
    """Run a float streaming `.tflite` on sounds and collect statistics of its tensors.

    Parameters
    ----------
    model : bytes
        The output of `export.to_float`.
    tensors : iterable of int
        Indices in its graph: inputs, outputs, states and intermediate results.
    streams : list of np.ndarray [shape=(hops, inputs), dtype=float32]
        Features of each sound. The first second of each is run once beforehand, without statistics,
        to warm up the state.

    Returns
    -------
    dict of int to TensorStats
    """
    from ai_edge_litert import interpreter

    with warnings.catch_warnings():
        # The option preserves intermediate results, which is what this function reads.
        warnings.filterwarnings("ignore", "Warning: Enabling `experimental_preserve_all_tensors`")
        runtime = interpreter.Interpreter(
            model_content=model, experimental_preserve_all_tensors=True
        )
    runtime.allocate_tensors()
    input_index = runtime.get_input_details()[0]["index"]
    low, high = dict.fromkeys(tensors, np.inf), dict.fromkeys(tensors, -np.inf)
    kept: dict[int, list[np.ndarray]] = {i: [] for i in low}

    def play(frame: np.ndarray) -> None:
        runtime.set_tensor(input_index, frame[None])
        runtime.invoke()

    with step("observe the ranges of activations", sum(map(len, streams))) as shown:
        for stream in streams:
            runtime.reset_all_variables()
            for frame in stream[:WARM_UP]:
                play(frame)
            for first in range(0, len(stream), BLOCK):
                block: dict[int, list[np.ndarray]] = {i: [] for i in low}
                for frame in stream[first : first + BLOCK]:
                    play(frame)
                    for i, values in block.items():
                        values.append(runtime.get_tensor(i))
                    shown.advance()
                for i, values in block.items():
                    x = np.stack(values)
                    low[i], high[i] = min(low[i], float(x.min())), max(high[i], float(x.max()))
                    kept[i].append(x[::KEEP_EVERY].ravel())
    return {i: TensorStats(low[i], high[i], np.concatenate(kept[i])) for i in low}


def merge(stats: list[TensorStats]) -> TensorStats:
    """Merge the statistics of tensors that must have one scale."""
    return TensorStats(
        min(o.low for o in stats),
        max(o.high for o in stats),
        np.concatenate([o.values for o in stats]),
    )


def choose_range(observed: TensorStats, method: Method, levels: int) -> tuple[float, float]:
    """Choose the lowest and the highest value of a quantized tensor.

    Parameters
    ----------
    observed : TensorStats
    method : {"min-max", "percentile", "error"}
        ``"min-max"`` includes all values. ``"percentile"`` includes all but the outermost 0.01 %.
        ``"error"`` is the fraction of the min-max range with the smallest mean squared error of
        rounding and clipping.
    levels : int
        Number of quantization steps: 255 for int8, 65535 for int16.

    Returns
    -------
    low, high : float
        0 is between them.
    """
    whole = min(observed.low, 0.0), max(observed.high, 0.0)
    if method == "min-max":
        return whole
    if method == "percentile":
        tail = (100 - PERCENTILE) / 2
        low, high = np.percentile(observed.values, [tail, 100 - tail])
        return max(whole[0], min(float(low), 0.0)), min(whole[1], max(float(high), 0.0))
    return min(
        ((whole[0] * part, whole[1] * part) for part in RANGE_FRACTIONS),
        key=lambda bounds: _error(observed.values, *bounds, levels),
    )


def _error(values: np.ndarray, low: float, high: float, levels: int) -> float:
    """Return the mean squared error of ``values`` quantized to ``levels`` steps."""
    scale = (high - low) / levels or 1.0
    return float(np.mean((np.rint(np.clip(values, low, high) / scale) * scale - values) ** 2))
