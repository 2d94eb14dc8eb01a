"""What this machine has, and how a command ends when it is told to."""

import contextlib
import os
import signal
from pathlib import Path
from types import FrameType

from groupcomm.errors import UserError


def available_memory() -> int | None:
    """Return how many bytes of memory a process can still take; None where it is not known.

    On Linux it is what the system and the control group of the process have left.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        left = [int(x.split()[1]) * 1024 for x in lines if x.startswith("MemAvailable:")]
        group = Path("/sys/fs/cgroup")
        with contextlib.suppress(OSError, ValueError):  # "max" without a limit
            limit = int((group / "memory.max").read_text())
            left.append(limit - int((group / "memory.current").read_text()))
        return max(0, min(left))
    return None


def require_memory(needed: float, what: str, way_out: str) -> None:
    """Refuse work that the memory of this machine cannot hold, before it begins.

    Parameters
    ----------
    needed : float
        Bytes, at least.
    what, way_out : str
        The value that the user gave, and how to change it.

    Raises
    ------
    UserError
        When less memory is left.
    """
    left = available_memory()
    if left is not None and needed > left:
        raise UserError(
            f"{what}: needs about {needed / 1e9:,.1f} GB of memory, and {left / 1e9:.1f} GB are "
            f"free; {way_out}"
        )


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: temporary files are removed.

    The programs that this process has started get the signal too. The exit code is 143.
    """

    def end(number: int, frame: FrameType | None) -> None:
        for child in _descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)


def _descendants(process: int) -> set[int]:
    """Return the processes that a process and its children started; empty where /proc is not."""
    parents = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):  # it may have ended
            # The name of the program is in parentheses, and may contain spaces.
            parents[int(file.parent.name)] = int(file.read_text().rpartition(")")[2].split()[1])
    found = {process}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {process}
