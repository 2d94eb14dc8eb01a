"""What a baseline is, and what the modules of several baselines need."""

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from calibration_data.audio import RATE

# Maps a sound [shape=(samples,), dtype=float64] in -1..1 to one as long or a little longer, late by
# the delay of the baseline.
Run = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Baseline:
    """An enhancer of somebody else.

    Parameters
    ----------
    label : str
        Its name.
    make : callable
        Returns a `Run` that starts from a fresh state each time.
    params, macs_per_second : int or None
        Parameters and MACs per second of its networks, counted from the weights and graphs in the
        package; None where there is no network.
    latency_ms : float
        Length of its window plus its look-ahead, ms.
    """

    label: str
    make: Callable[[], Run]
    params: int | None
    macs_per_second: int | None
    latency_ms: float


class BaselineUnavailable(Exception):
    """A baseline's package is not installed; its text says which."""


def package_file(package: str, *path: str) -> Path:
    """Return a file of an installed package without importing it.

    Some packages import modules that are not installed here and not needed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise BaselineUnavailable(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0], *path)


def onnx_session(path: Path):
    """Open an ONNX model on one thread of the CPU."""
    try:
        import onnxruntime
    except ImportError:
        raise BaselineUnavailable("onnxruntime is not installed") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def blocks(x: np.ndarray, hop: int) -> np.ndarray:
    """Divide a sound [shape=(samples,)] into blocks [shape=(blocks, hop)], the last with zeros."""
    return np.pad(x, (0, -len(x) % hop)).reshape(-1, hop)


def at_48k(run: Run) -> Run:
    """Make a run at 16 kHz of one at 48 kHz."""
    import soxr

    return lambda x: soxr.resample(
        run(soxr.resample(x, RATE, 48000, quality="VHQ")), 48000, RATE, quality="VHQ"
    )
