"""Kills and full disks at some changes of two commands; `make faults` takes all of all."""

import os
import subprocess
import sys

import pytest

from groupcomm.files import REPO

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD")]


def test_faults_lose_nothing_and_leave_nothing():
    command = [sys.executable, REPO / "tools" / "faults", "--points", "3", "package", "data"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.replace("full disk", "full-disk").split() for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows[1:]] == [
        [command, fault] for command in ("package", "data") for fault in ("kill", "full-disk")
    ]
    for _, _, changes, injected, *problems in rows[1:]:
        assert int(changes) > 30 and int(injected) >= 2 and problems == ["0", "0", "0"]
