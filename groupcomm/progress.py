"""What a command is doing, and how long it will take."""

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from groupcomm.errors import UserError
from groupcomm.files import atomic_path, cache_dir

FIRST = 2.0  # seconds of work before anything is shown
LONGEST = 60.0  # seconds between two plain lines
REMEMBERED = 200  # durations that are kept
T = TypeVar("T")


class Step:
    """A part of the work of a command.

    Parameters
    ----------
    text : str
        What is done.
    total : float or None
        Number of its items; None where it is not known.
    done : float
        Items that are done already, of work that continues.
    expected : float or None
        Seconds that it took the last time.
    is_endless : bool
        Whether the user ends it.
    """

    def __init__(
        self,
        text: str,
        total: float | None = None,
        done: float = 0,
        expected: float | None = None,
        is_endless: bool = False,
    ):
        self.is_endless = is_endless
        self.text, self.total, self.done = text, total, done
        self._expected, self._before = expected, done
        self._start, self._lock = time.monotonic(), threading.Lock()

    def update(self, text: str) -> None:
        """Say what is done now."""
        self.text = text

    def advance(self, items: float = 1) -> None:
        """Count items that are done; any thread may call it."""
        with self._lock:
            self.done += items

    def track(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, and count each of them when the next one is asked for."""
        for item in items:
            yield item
            self.advance()

    @property
    def seconds(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self._start

    def figures(self) -> str:
        """Return how far the step is, how long it has taken, and how long it will take."""
        words = [] if self.total is None else [f"{self.done:,.0f} of {self.total:,.0f}"]
        words.append(_duration(self.seconds))
        fresh = self.done - self._before
        if self.total is not None and fresh > 0 and self.done < self.total:
            left = self.seconds * (self.total - self.done) / fresh
            words.append(f"about {_duration(left)} left")
        elif self.total is None and self._expected is not None:
            words.append(f"the last time {_duration(self._expected)}")
        return ", ".join(words)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class Display:
    """Shows the innermost step of the work, beginning after two seconds.

    On a terminal, it is one line that disappears. Elsewhere, it is plain lines, after 2, 4, 8 ...
    seconds and then every minute.

    Parameters
    ----------
    console : rich.console.Console
        Where it is shown; nothing is shown while it is quiet.
    """

    def __init__(self, console: Console):
        self._console, self._steps = console, list[Step]()
        self._shown: tuple[threading.Thread, threading.Event] | None = None

    @contextlib.contextmanager
    def step(
        self,
        text: str,
        total: float | None = None,
        *,
        done: float = 0,
        key: str = "",
        is_endless: bool = False,
    ) -> Iterator[Step]:
        """Show a part of the work while the block runs.

        Parameters
        ----------
        text : str
            What is done.
        total : float, optional
            Number of its items; without it, the time of the last run stands for the rest.
        done : float
            Items that are done already.
        key : str
            The work whose time is kept for the next run; by default the text.
        is_endless : bool
            Whether the user ends it, so that the time of the last run says nothing.

        Yields
        ------
        Step
            To count items and to change the text.
        """
        key = hashlib.sha256((key or text).encode(errors="surrogateescape")).hexdigest()[:16]
        expected = None if total or is_endless else _remembered().get(key)
        step = Step(text, total, done, expected, is_endless)
        self._steps.append(step)
        if self._shown is None:
            ended = threading.Event()
            self._shown = threading.Thread(target=self._show, args=(ended,), daemon=True), ended
            self._shown[0].start()
        try:
            yield step
            if total is None and not is_endless and step.seconds > FIRST:
                _remember(key, step.seconds)
        finally:
            self._steps.remove(step)
            if not self._steps:
                self.stop()

    def stop(self) -> None:
        """Show nothing more of the steps that run."""
        if self._shown is not None:
            thread, ended = self._shown
            ended.set()
            thread.join(timeout=1)
        if not self._steps:
            self._shown = None

    def _show(self, ended: threading.Event) -> None:
        if ended.wait(FIRST) or self._console.quiet:
            return
        if self._console.is_terminal:
            with Live(
                console=self._console,
                get_renderable=self._line,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
                refresh_per_second=5,
            ):
                ended.wait()
            return
        pause = FIRST
        while True:
            if steps := self._steps[-1:]:
                words = f"{steps[0].text}: {steps[0].figures()}"
                self._console.print(words, soft_wrap=True, markup=False, highlight=False)
            if ended.wait(pause):
                return
            pause = min(2 * pause, LONGEST)

    def _line(self) -> Table:
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for step in self._steps[-1:]:
            bar = [] if step.total is None else [ProgressBar(step.total, step.done, width=15)]
            figures = [] if step.is_endless else [Text(step.figures(), no_wrap=True)]
            grid.add_row(Text(step.text), *bar, *figures)
        return grid


def _remembered() -> dict[str, float]:
    """Return the seconds that steps took the last time, by their keys."""
    try:
        found = json.loads((cache_dir() / "durations.json").read_text())
    except (OSError, ValueError):
        return {}
    known = found.items() if isinstance(found, dict) else ()
    return {key: float(value) for key, value in known if isinstance(value, (int, float))}


def _remember(key: str, seconds: float) -> None:
    durations = {k: v for k, v in _remembered().items() if k != key} | {key: round(seconds, 1)}
    kept = dict(list(durations.items())[-REMEMBERED:])
    file = cache_dir() / "durations.json"
    with contextlib.suppress(UserError), atomic_path(file) as part:  # it is only a hint
        part.write_text(json.dumps(kept))
