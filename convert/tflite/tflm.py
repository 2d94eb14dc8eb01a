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
from pathlib import Path

import numpy as np

from convert.contract import MAX_ARENA_BYTES
from groupcomm.console import printable
from groupcomm.errors import UserError

_UNLIMITED_BYTES = 2**28  # more than any microcontroller has
_SECONDS = 30  # of CPU time for one allocation and one invocation
_ROWS_SECONDS = 600  # of CPU time for all rows of `outputs`
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
    seconds : int
        CPU time that the process may take.
    """

    accepts: bool
    words: str
    arena_bytes: int | None = None
    ending: str = ""
    seconds: int = _SECONDS

    def check(self, source: str) -> None:
        """Raise a `UserError` when the model ended the process, so that there is no verdict."""
        if not self.ending:
            return
        if self.ending == "SIGXCPU":
            raise UserError(
                f"{source}: TFLM does not finish in {self.seconds} s; "
                "the model is damaged or too large"
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


def outputs(model: bytes, rows: np.ndarray) -> tuple[Verdict, bytes]:
    """Invoke a model in the official TFLM on one row after the other, from a fresh state.

    Parameters
    ----------
    model : bytes
        A `.tflite` that `flatbuffer.read` accepts, with one input [shape=(1, width), dtype=int8].
    rows : np.ndarray [shape=(n, width), dtype=int8]

    Returns
    -------
    verdict : Verdict
    outputs : bytes
        The first output of every invocation.
    """
    (verdict,), made = _ask([model], MAX_ARENA_BYTES, rows)
    return verdict, made


def _ask(
    models: list[bytes], largest: int, rows: np.ndarray | None = None
) -> tuple[list[Verdict], bytes]:
    seconds = _SECONDS if rows is None else _ROWS_SECONDS
    request = {
        "sizes": [len(model) for model in models],
        "unlimited": _UNLIMITED_BYTES,
        "seconds": seconds,
        "largest": largest,
        "rows": None if rows is None else rows.shape,
    }
    given = b"" if rows is None else rows.tobytes()
    done = subprocess.run(
        [sys.executable, "-P", _CHILD],
        input=b"".join([json.dumps(request).encode(), b"\n", *models, given]),
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
            seconds=seconds,
        )
        for found in json.loads(answer)
    ]
    return verdicts, made


def _one_line(log: str) -> str:
    return "; ".join(printable(line.strip()) for line in log.splitlines() if line.strip())
