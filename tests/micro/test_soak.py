"""A minute of sound through the C code and TFLM; tools/soak.py runs hours."""

import json
import subprocess
import sys

import pytest

from groupcomm.files import REPO

pytestmark = pytest.mark.slow


def test_a_minute_of_sound_resets_and_states():
    command = [sys.executable, REPO / "tools" / "soak.py", "--hops", "750", "--hours", "0.017"]
    command += ["--tflm-hours", "0.005", "--resets", "20000", "--states", "2000"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["hops"] > 7000
    assert [found[key] for key in found if "differ" in key] == [0, 0]
    assert [found[key] for key in found if "other bytes" in key] == [0, 0, 0, 0]
