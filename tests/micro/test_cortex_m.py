"""The emulated boards: their tests run in Bazel (test_host_programs.py); here is what Bazel has to refuse."""

import os
import subprocess
import sys

import pytest

from groupcomm.files import REPO

BOARDS = ["cortex_m4", "cortex_m33", "cortex_m55"]


def bazel(verb, target):
    environment = {**os.environ, "GROUPCOMM_PYTHON": sys.executable}
    return subprocess.run(["bazel", verb, "--noshow_progress", target], cwd=REPO, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("board", BOARDS)
def test_a_firmware_that_fails_is_a_test_that_fails(board):
    done = bazel("test", f"//micro/boards/cortex_m:fail_{board}")
    assert done.returncode == 3, done  # Bazel's code for: built, and a test failed
    assert "does not say how to fail" in done.stdout + done.stderr


@pytest.mark.parametrize("board", BOARDS)
def test_a_firmware_with_a_heap_does_not_link(board):
    done = bazel("build", f"//micro/boards/cortex_m:heap_{board}")
    assert done.returncode == 1, done
    assert "undefined reference to `_sbrk'" in done.stdout + done.stderr
