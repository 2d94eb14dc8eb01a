"""Kills and full disks at some changes of commands; `make faults` takes all of all."""

import os
import subprocess
import sys

import pytest

from groupcomm.files import REPO

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD")]


def _faults(points: int, *commands: str) -> None:
    """Disturb commands, and expect that nothing is lost, left behind or ended for good."""
    tool = [sys.executable, REPO / "tools" / "faults", "--points", str(points), *commands]
    done = subprocess.run(tool, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.replace("full disk", "full-disk").split() for line in done.stdout.splitlines()]
    assert [row[:2] for row in rows[1:]] == [
        [command, fault] for command in commands for fault in ("kill", "full-disk")
    ]
    for _, _, changes, injected, *problems in rows[1:]:
        assert int(changes) > 10 and int(injected) >= 2 and problems == ["0", "0", "0"]


def test_faults_lose_nothing_and_leave_nothing():
    _faults(3, "package", "data")


@pytest.mark.tensorflow
@pytest.mark.train
def test_faults_of_conversion_and_training_lose_nothing_and_leave_nothing():
    _faults(2, "convert", "train")
