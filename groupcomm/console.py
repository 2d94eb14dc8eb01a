"""Output of the commands: tables on stdout, progress and notes on stderr, or one JSON object."""

import codecs
import contextlib
import io
import os
import re
import sys
import tempfile
import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from groupcomm.files import json_text
from groupcomm.progress import Display


def _exactly(error: UnicodeError) -> tuple[str | bytes, int]:
    """Encode a character that the encoding lacks: a byte of a file name as itself."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    code = ord(error.object[error.start])
    if 0xDC80 <= code <= 0xDCFF:  # as os.fsdecode writes a byte that is not UTF-8
        return bytes([code - 0xDC00]), error.start + 1
    error.end = error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error("groupcomm", _exactly)


def print_names_exactly() -> None:
    """Let stdout and stderr print any name of a file, byte by byte."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="groupcomm")


class _Console(Console):
    """Prints text as it is: names and messages are other people's, and brackets no markup."""

    def __init__(self, *, stderr: bool = False):
        super().__init__(stderr=stderr, highlight=False, markup=False, emoji=False)


out = _Console()
err = _Console(stderr=True)  # progress and notes; `--quiet` silences it
_errors = _Console(stderr=True)
_display = Display(err)
step = _display.step  # shows what is done, and how long it will take, while a block runs

# Log lines of absl, TensorFlow and TFLite; fatal ones (F) are not among them.
_LOG_LINE = re.compile(
    rb"(INFO|WARNING): (Created TensorFlow Lite|Enabling .experimental_)"
    rb"|WARNING: All log messages before absl"
    rb"|[IWE]\d{4} \d\d:\d\d:\d\d\.\d+ |[IWE]0000 "
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
    rb"|To enable the following instructions:"
)


def silence() -> None:
    """Print no progress and no notes from now on; errors and results are still printed."""
    err.quiet = True
    warnings.simplefilter("ignore")


def print_error(message: str, *, as_json: bool) -> None:
    """Print an error in one line on stderr; with ``as_json`` also as the object on stdout.

    Names in it are exact, but for control characters, which become escapes. A stream that cannot be
    written, for example to a full disk, is given up.
    """
    shown = "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" else c for c in message)
    with _given_up(sys.stderr):
        _errors.print(f"groupcomm: {shown}", style="red", soft_wrap=True)
    with _given_up(sys.stdout):
        if as_json:
            print_json({"error": message})
        sys.stdout.flush()


@contextlib.contextmanager
def _given_up(stream: TextIO) -> Iterator[None]:
    """Redirect a stream to nowhere when the block cannot write to it."""
    try:
        yield
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # for the flush at exit


def line(text: str, **style: Any) -> None:
    """Print one line on stdout, whatever its length."""
    out.print(text, soft_wrap=True, **style)


def note(text: str, **style: Any) -> None:
    """Print one line on stderr, whatever its length."""
    err.print(text, soft_wrap=True, **style)


def printable(text: str) -> str:
    """Return a text of a file in one line: characters that do not print become escapes."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def report(result: Any, as_json: bool, show: Callable[[], None], *, then: str = "") -> None:
    """Print the result of a command.

    Parameters
    ----------
    result : dict or list
        What ``--json`` prints.
    as_json : bool
    show : callable
        Prints the result as text.
    then : str
        The command that is usually the next one.
    """
    _display.stop()
    if as_json:
        print_json(result)
        return
    show()
    if then:
        note(f"next: {then}", style="dim")


def new_table(
    *headers: str, title: str | None = None, left: int = 1, caption: str | None = None
) -> Table:
    """Return a table whose cells are never cut: what is too wide is wrapped.

    Parameters
    ----------
    *headers : str
    title, caption : str or None
    left : int
        Number of columns that are aligned to the left; the others are aligned to the right.

    Returns
    -------
    rich.table.Table
    """
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for number, header in enumerate(headers):
        table.add_column(header, justify="left" if number < left else "right", overflow="fold")
    return table


def print_json(value: object) -> None:
    """Print one JSON object on stdout, and nothing else there."""
    sys.stdout.write(json_text(value))
    sys.stdout.flush()  # so that a full disk is an error of the command


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
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


@contextlib.contextmanager
def without_log_lines() -> Iterator[None]:
    """Keep the log lines of TensorFlow and TFLite off the terminal while the block runs.

    Native code writes them to file descriptor 2. Other lines that it writes there are passed on.
    Nothing is filtered when ``TF_CPP_MIN_LOG_LEVEL`` is set in the environment to 0 or 1.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1"):
        yield
        return
    sys.stderr.flush()
    terminal, before = os.dup(2), sys.stderr
    read, write = os.pipe()
    os.dup2(write, 2)
    os.close(write)

    def pass_on() -> None:
        with os.fdopen(read, "rb") as lines:
            for text in lines:
                if not _LOG_LINE.match(text):
                    os.write(terminal, text)

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    if _is_descriptor_2(before):
        encoding = before.encoding
        sys.stderr = os.fdopen(os.dup(terminal), "w", 1, encoding, errors="groupcomm")
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before
        os.dup2(terminal, 2)  # closes the last end of the pipe that writes
        thread.join(timeout=1)


def _is_descriptor_2(stream: Any) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError, AttributeError):  # a test captures it
        return False
