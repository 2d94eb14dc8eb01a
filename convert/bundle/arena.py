"""The smallest arena with which TFLM runs a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from convert.contract import MAX_ARENA_BYTES
from groupcomm.errors import UserError

# Prints the smallest arena, or 0 if none fits. A child process tries each size.
_SEARCH_ARENA = """
import os, sys
from tflite_micro.python.tflite_micro import runtime

model, largest = open(sys.argv[1], "rb").read(), int(sys.argv[2])

def fits(size):
    child = os.fork()
    if not child:
        try:
            runtime.Interpreter.from_bytes(model, arena_size=size).invoke()
        except Exception:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0

low, high = 0, 1024
while high <= largest and not fits(high):
    low, high = high, 2 * high
while high <= largest and high - low > 16:
    middle = (low + high) // 2
    low, high = (low, middle) if fits(middle) else (middle, high)
print(-(-high // 16) * 16 if high <= largest else 0)
"""


def smallest_arena(model: Path) -> int:
    """Find the smallest arena with which the official TFLM on this machine runs a model.

    The size is the peak during allocation, which exceeds the memory in use afterwards. TFLM's LSTM
    can end the process with a segmentation fault when the arena is too small, so each size is tried
    in a process of its own.

    Parameters
    ----------
    model : Path
        A `.tflite`.

    Returns
    -------
    int
        Bytes, a multiple of 16.

    Raises
    ------
    UserError
        When the model does not run in 16 MiB.
    """
    command = [sys.executable, "-c", _SEARCH_ARENA, str(model), str(MAX_ARENA_BYTES)]
    arena = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if not arena:
        raise UserError(
            f"{model}: TFLM does not run it in 16 MiB; "
            "`groupcomm inspect` lists unsupported operators"
        )
    return arena
