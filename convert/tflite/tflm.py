"""The verdict of the official TFLM on a model, which is tried in another process.

TFLM does not check everything that it reads: a damaged model can end the process that runs it, or
keep it busy forever.
"""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convert.contract import MAX_ARENA_BYTES
from convert.tflite import flatbuffer
from convert.tflite.graph import NUMPY_TYPES
from groupcomm.console import printable
from groupcomm.errors import UserError

_UNLIMITED_BYTES = 2**28  # more than any microcontroller has
_SECONDS = 30  # of CPU time for an allocation with one invocation, and for each further one
_CHILD = Path(__file__).with_name("tflm_child.py")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What TFLM makes of a model.

    Attributes
    ----------
    accepts : bool
        Whether it allocates the model, and invokes it where that was asked for.
    words : str
        All that it printed, in one line.
    arena_bytes : int or None
        The smallest arena that suffices, where it was searched; None when `MAX_ARENA_BYTES` do not.
    ending : str
        The signal that ended the process, such as ``"SIGSEGV"``; "" where none did.
    """

    accepts: bool
    words: str
    arena_bytes: int | None = None
    ending: str = ""

    def check(self, source: str) -> None:
        """Raise a `UserError` when the model ended the process, so that there is no verdict."""
        if not self.ending:
            return
        if self.ending == "SIGXCPU":
            raise UserError(
                f"{source}: TFLM does not finish in {_SECONDS} s; the model is damaged or too large"
            )
        words = f" ({self.words})" if self.words else ""
        raise UserError(
            f"{source}: TFLM ends with {self.ending}{words}; "
            "the model is damaged, or of a form that TFLM does not check: convert it again"
        )


def run(model: bytes) -> Verdict:
    """Run a model once in the official TFLM, and search the smallest arena with which it does.

    The size is the peak during allocation, which exceeds the memory in use afterwards.

    Parameters
    ----------
    model : bytes
        A `.tflite` that `flatbuffer.read` accepts.

    Returns
    -------
    Verdict
    """
    return _ask([model], MAX_ARENA_BYTES)[0][0]


def allocate(models: list[bytes]) -> list[Verdict]:
    """Let the official TFLM allocate models, without running them.

    Parameters
    ----------
    models : list of bytes

    Returns
    -------
    list of Verdict
    """
    return _ask(models, 0)[0] if models else []


def outputs(model: bytes, inputs: list[np.ndarray], source: str) -> list[np.ndarray]:
    """Invoke a model in the official TFLM on one input after the other, from a fresh state.

    Parameters
    ----------
    model : bytes
        A `.tflite` that `flatbuffer.read` accepts.
    inputs : list of np.ndarray [shape=(n, *shape)]
        In the order of the model, with its shapes and types.
    source : str
        What an error names.

    Returns
    -------
    list of np.ndarray [shape=(n, *shape)]
        In the order of the model.

    Raises
    ------
    UserError
        When TFLM refuses the model, ends with a signal, or does not finish an invocation.
    """
    tensors = flatbuffer.read(model).graph.outputs
    (verdict,), made = _ask([model], MAX_ARENA_BYTES, inputs, len(tensors))
    verdict.check(source)
    if not verdict.accepts:
        raise UserError(
            f"{source}: TFLM refuses it ({verdict.words}); `groupcomm inspect` says what to change"
        )
    rows = np.frombuffer(made, np.uint8).reshape(len(inputs[0]), -1)
    ends = np.cumsum([t.byte_size for t in tensors])
    return [
        np.ascontiguousarray(values).view(NUMPY_TYPES[t.dtype]).reshape(-1, *t.shape)
        for t, values in zip(tensors, np.split(rows, ends[:-1], axis=1), strict=True)
    ]


def _ask(
    models: list[bytes], largest: int, inputs: Sequence[np.ndarray] = (), outputs: int = 0
) -> tuple[list[Verdict], bytes]:
    request = {
        "sizes": [len(model) for model in models],
        "unlimited": _UNLIMITED_BYTES,
        "seconds": _SECONDS,
        "largest": largest,
        "inputs": [(x.nbytes, x.dtype.str, x.shape) for x in inputs],
        "outputs": outputs,
    }
    given = [x.tobytes() for x in inputs]
    done = subprocess.run(
        [sys.executable, "-P", _CHILD],
        input=b"".join([json.dumps(request).encode(), b"\n", *models, *given]),
        capture_output=True,
    )
    if done.returncode:
        raise RuntimeError(f"the process that runs TFLM failed: {done.stderr.decode()}")
    answer, _, made = done.stdout.partition(b"\n")
    verdicts = [
        Verdict(
            accepts=found["status"] == 0,
            words=_one_line(found["log"]),
            arena_bytes=found["arena_bytes"],
            ending=signal.Signals(-found["status"]).name if found["status"] < 0 else "",
        )
        for found in json.loads(answer)
    ]
    return verdicts, made


def _one_line(log: str) -> str:
    return "; ".join(printable(line.strip()) for line in log.splitlines() if line.strip())
