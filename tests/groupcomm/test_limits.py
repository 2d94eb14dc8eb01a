"""Memory is asked for before the work, and a signal ends a command with what it started."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from groupcomm import limits
from groupcomm.errors import UserError
from groupcomm.files import REPO

PROGRAM = """
import subprocess, sys, tempfile, time
from groupcomm.limits import end_on_sigterm
end_on_sigterm()
with tempfile.TemporaryDirectory(dir=sys.argv[1]):
    # The child of a child, as QEMU is of the script that starts it.
    child = subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE)
    print(child.stdout.readline().decode().strip(), flush=True)
    child.wait()
"""


def test_sigterm_ends_children_and_removes_temporary_folders(tmp_path):
    command = [sys.executable, "-c", PROGRAM, tmp_path]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True) as process:
        grandchild = int(process.stdout.readline())
        assert len(list(tmp_path.iterdir())) == 1
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143 and time.monotonic() - start < 1
    assert not list(tmp_path.iterdir())
    state = Path(f"/proc/{grandchild}/stat")
    assert not state.exists() or ") Z " in state.read_text()  # of a zombie


def test_memory_that_is_not_there_is_refused(monkeypatch):
    assert limits.available_memory() > 1 << 20
    monkeypatch.setattr(limits, "available_memory", lambda: 10_000_000_000)
    limits.require_memory(9e9, "batch 3", "ask for less")
    with pytest.raises(UserError) as raised:
        limits.require_memory(24e9, "batch 1000000000", "ask for less")
    assert str(raised.value) == (
        "batch 1000000000: needs about 24.0 GB of memory, and 10.0 GB are free; ask for less"
    )
    monkeypatch.setattr(limits, "available_memory", lambda: None)
    limits.require_memory(1e30, "batch 3", "ask for less")
