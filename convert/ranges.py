"""What every tensor of a float model reaches on real sound, and the range that its quantized twin is input_index."""

import dataclasses
import warnings
from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np

from groupcomm.console import progress

Method = Literal["min-max", "percentile", "error"]
METHODS = get_args(Method)
PERCENTILE = 99.99  # of the values, what a range by percentile holds
RANGE_FRACTIONS = np.linspace(0.2, 1.0, 81)  # of the whole range, what a range by error may be
WARM_UP = 125  # hops, 1 s: what a state reaches in the first moments of a stream is not what it reaches later
KEEP_EVERY = (
    4  # of so many hops one is kept for percentiles and errors; extremes are those of all hops
)


@dataclasses.dataclass(frozen=True)
class TensorStats:
    """Values of one tensor: the extremes of all, and of a part of the hops every value [shape=(n,), float32]."""

    low: float
    high: float
    values: np.ndarray


def collect_statistics(
    model: bytes, tensors: Iterable[int], streams: list[np.ndarray]
) -> dict[int, TensorStats]:
    """Watch tensors of a float streaming `.tflite` while it hears sounds.

    Parameters
    ----------
    model : as `quantize.to_float` makes it.
    tensors : indices in its graph, of inputs, outputs, states and what lies between.
    streams : features of each sound [shape=(hops, inputs), float32]. Before each, its first second is played unwatched.
    """
    from ai_edge_litert import interpreter

    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", "Warning: Enabling `experimental_preserve_all_tensors`"
        )  # to watch them is what it is for
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

    with progress() as bar:
        task = bar.add_task("ranges", total=sum(map(len, streams)))
        for stream in streams:
            runtime.reset_all_variables()
            for frame in stream[:WARM_UP]:
                play(frame)
            for hop, frame in enumerate(stream):
                play(frame)
                for i in low:
                    x = runtime.get_tensor(i)
                    low[i], high[i] = min(low[i], float(x.min())), max(high[i], float(x.max()))
                    if hop % KEEP_EVERY == 0:
                        kept[i].append(x.ravel())
                bar.update(task, advance=1)
    return {i: TensorStats(low[i], high[i], np.concatenate(kept[i])) for i in low}


def merge(stats: list[TensorStats]) -> TensorStats:
    """As if they were one tensor: for those that must have one scale."""
    return TensorStats(
        min(o.low for o in stats),
        max(o.high for o in stats),
        np.concatenate([o.values for o in stats]),
    )


def choose_range(observed: TensorStats, method: Method, levels: int) -> tuple[float, float]:
    """Lowest and highest value of a quantized tensor; 0 is among them.

    Parameters
    ----------
    observed : what the tensor reached.
    method : ``"min-max"`` holds all of it; ``"percentile"`` all but the outermost 0.01 %; ``"error"`` is the part of it with the smallest
        mean squared error of rounding and clipping together.
    levels : of the quantized tensor: 255 steps of int8, 65,535 of int16.
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
    """Mean squared error of ``values`` quantized to so many steps between two bounds."""
    scale = (high - low) / levels or 1.0
    return float(np.mean((np.rint(np.clip(values, low, high) / scale) * scale - values) ** 2))
