"""Runs the command line in a process of its own."""

import json
import os
import re
import subprocess
import sys

from groupcomm.files import REPO


def groupcomm(*arguments, cwd=None, columns=80):
    """Run the command; ``columns`` is the width of its terminal."""
    command = [sys.executable, "-m", "groupcomm.cli", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(REPO), "COLUMNS": str(columns)},
    )


def ok(*arguments, code=0):
    """Return the JSON object of a command that prints nothing else, because it is quiet."""
    done = groupcomm(*arguments, "--quiet")
    assert (done.returncode, done.stderr) == (code, "")
    return json.loads(done.stdout)


def without_progress(stderr):
    """Return the lines of stderr but those that show the progress of a slow command."""
    count, time = r"([\d,]+ of [\d,]+, )?", r"\d+ (s|min)"
    figures = re.compile(f".+: {count}{time}(, about .* left|, the last time .*)?")
    return [line for line in stderr.splitlines() if not figures.fullmatch(line)]


def refused(done, says):
    assert done.returncode == 2
    [line] = without_progress(done.stderr)
    assert says in line and "Traceback" not in line
    assert done.stdout == ""
