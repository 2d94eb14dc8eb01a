"""What is shown of a command that works longer than two seconds."""

import io
import time

import pytest
from rich.console import Console

from groupcomm import progress
from groupcomm.progress import Display, Step


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GROUPCOMM_CACHE", str(tmp_path))
    monkeypatch.setattr(progress, "FIRST", 0.02)


def display(*, terminal=False):
    text = io.StringIO()
    return Display(Console(file=text, force_terminal=terminal, width=60)), text


def test_short_work_shows_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr(progress, "FIRST", 30.0)
    for terminal in (False, True):
        shown, text = display(terminal=terminal)
        with shown.step("work", 3) as step:
            step.advance(3)
        assert not text.getvalue() and not list(tmp_path.iterdir())


def test_plain_lines_become_rare():
    shown, text = display()
    with shown.step("outer"), shown.step("train [x]", 4) as step:
        step.advance()
        time.sleep(0.35)  # lines after 0.02, 0.04, 0.08, 0.16 and 0.32 s
    lines = text.getvalue().splitlines()
    assert 2 <= len(lines) <= 5 and set(lines) <= {
        f"train [x]: 1 of 4, 0 s, about {left} s left" for left in (0, 1)
    }


def test_a_terminal_has_one_line_that_disappears():
    shown, text = display(terminal=True)
    with shown.step("evaluate", 4) as step:
        for _ in step.track(range(4)):
            time.sleep(0.1)
    said = text.getvalue()
    assert "evaluate" in said and "of 4, 0 s" in said and "\n" not in said.rstrip("\n").strip("\r")
    assert "\x1b[2K" in said  # the line is erased


def test_a_quiet_console_shows_nothing():
    shown, text = display()
    shown._console.quiet = True
    with shown.step("work"):
        time.sleep(0.1)
    assert not text.getvalue()


def test_the_innermost_step_is_shown_until_the_result():
    shown, text = display()
    with shown.step("outer"):
        with shown.step("inner"):
            time.sleep(0.1)
        shown.stop()
        said = text.getvalue()
        with shown.step("after the result"):
            time.sleep(0.1)
    assert text.getvalue() == said and "inner: 0 s\n" in said
    with shown.step("another"):
        time.sleep(0.1)
    assert "another: 0 s\n" in text.getvalue()


def test_the_time_of_the_last_run_is_shown(tmp_path):
    for run, is_endless, key in ((0, False, ""), (1, False, ""), (2, True, ""), (3, False, "x")):
        shown, text = display()
        with shown.step("convert", key=key, is_endless=is_endless):
            time.sleep(0.1)
        assert ("convert: 0 s, the last time 0 s" in text.getvalue()) == (run == 1)
    with pytest.raises(ValueError), shown.step("fails"):
        time.sleep(0.03)
        raise ValueError
    with shown.step("counts", 3):
        time.sleep(0.03)
    file = tmp_path / "durations.json"
    assert len(progress._remembered()) == 2
    for damaged in ("{", "[]", '{"a": null}'):
        file.write_text(damaged)
        assert progress._remembered() == {}


def test_the_rest_is_estimated_from_the_new_items(monkeypatch):
    step = Step("train", 1000, done=900)
    monkeypatch.setattr(time, "monotonic", lambda: step._start + 600)
    assert step.figures() == "900 of 1,000, 10 min"
    step.advance(25)
    assert step.figures() == "925 of 1,000, 10 min, about 30 min left"
    step.advance(75)
    assert step.figures() == "1,000 of 1,000, 10 min"
    assert Step("x", expected=7000).figures() == "0 s, the last time 1.9 h"
