"""Runs the command line in a process of its own."""

import json
import os
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
    done = groupcomm(*arguments)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def refused(done, says):
    assert done.returncode == 2
    assert says in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
