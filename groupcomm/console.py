"""What a command says: tables and progress for people (stderr for progress), one JSON object for machines."""

import contextlib
import json
import os
import sys
import tempfile

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def progress() -> Progress:
    """A progress bar on stderr; use as a context manager, ``add_task`` inside."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=not sys.stderr.isatty(),
    )


def print_json(value) -> None:
    """Print one JSON object on stdout, and nothing else there."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


@contextlib.contextmanager
def quiet():
    """Keep what native code writes to stderr off the terminal; show it when the block fails.

    Yields a function that reads what was written so far.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as log:

        def written() -> str:
            log.seek(0)
            return log.read().decode(errors="replace")

        os.dup2(log.fileno(), 2)
        try:
            yield written
        except Exception:
            os.write(saved, written().encode())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
