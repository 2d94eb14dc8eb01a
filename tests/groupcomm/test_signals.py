"""Commands that work are told to end, or meet a second one that wants the same folder.

What runs are the commands themselves, in processes of their own. The signals come while they work:
after the first line of progress, or when a file or a child is there, and not after a fixed time.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from groupcomm.files import REPO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.train,
    pytest.mark.bazel,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc"),
]

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
TRAIN = "--steps 100000 --batch 1 --seconds 0.5 --validate-every 200 --validation-mixtures 1 "
TRAIN += "--set hidden=4 --set blocks=1"
FIT = ("fit", "enhance-nano", "--board", "nano33ble")


class Command:
    """A command in a session of its own, with a folder of temporary files of its own."""

    def __init__(self, folder, *words):
        self.folder, self.words = folder, words
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.log = folder / f"log-{time.monotonic_ns()}"
        # pytest-xdist ignores SIGINT, and a child inherits that.
        command = ["env", "--default-signal=INT", sys.executable, "-m", "groupcomm.cli"]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                [*command, *map(str, words)], cwd=folder, stdout=log, stderr=log,
                start_new_session=True,
                env=os.environ | {"PYTHONPATH": str(REPO), "TMPDIR": str(self.temporary)},
            )  # fmt: skip

    def wait_for(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None and time.monotonic() < end, self.output
            time.sleep(0.05)

    @property
    def output(self) -> str:
        return self.log.read_text()

    def told(self, number: int) -> float:
        """Send a signal; return the seconds until the command has ended."""
        start = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - start

    def session(self) -> set[int]:
        """Return the processes that the command has started and that live, and itself."""
        found = set()
        for file in Path("/proc").glob("[0-9]*/stat"):
            try:
                state, _, _, session = file.read_text().rpartition(")")[2].split()[:4]
            except OSError:  # it has ended
                continue
            if int(session) == self.process.pid and state != "Z":
                found.add(int(file.parent.name))
        return found

    def left_nothing(self) -> bool:
        end = time.monotonic() + 1  # children got the signal too
        while self.session() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.session() and not list(self.folder.rglob(".groupcomm-*"))


@pytest.fixture
def run(tmp_path):
    """Start commands, and end those that a failed test leaves."""
    started = []

    def start(*words):
        started.append(Command(tmp_path, *words))
        return started[-1]

    yield start
    for command in started:
        for process in command.session():
            os.kill(process, signal.SIGKILL)
        command.process.wait()


def process(run, folder):
    noise = np.random.default_rng(1).standard_normal(600 * 16000) * 3000
    soundfile.write(folder / "long.wav", noise.astype(np.int16), 16000)
    command = run("process", "long.wav", "--bundle", "enhance-nano", "--out", "out")
    command.wait_for(lambda: any(f.stat().st_size for f in folder.glob("out/.groupcomm-*/*")))
    return command


def evaluate(run, folder):
    command = run("evaluate", "enhance-nano", "--corpus", "tiny", "--mixtures", 100000)
    command.wait_for(lambda: re.search(r"evaluate on test: [1-9]", command.output))
    return command


def fit(run, folder):
    command = run(*FIT)
    command.wait_for(lambda: len(command.session()) > 1)
    return command


@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
@pytest.mark.parametrize("start", [process, evaluate, fit], ids=lambda start: start.__name__)
def test_a_signal_ends_a_command_at_once(start, number, run, tmp_path, tiny_corpus):
    command = start(run, tmp_path)
    seconds = command.told(number)
    print(f"{seconds:.2f} s", command.output)
    assert command.process.returncode == CODES[number], command.output
    # A second, and as much for what else runs on the machine.
    assert seconds < 2
    assert "Traceback" not in command.output
    assert command.left_nothing() and not list(command.temporary.iterdir())
    assert not list(tmp_path.glob("out/*"))


def train(run):
    command = run("train", "enhance-nano", *TRAIN.split(), "--corpus", "tiny", "--out", "run")
    command.wait_for(lambda: re.search(r"^step \d+: loss", command.output, re.MULTILINE))
    return command


def test_a_stopped_train_goes_on_and_a_second_one_is_refused(run, tmp_path, tiny_corpus):
    first = train(run)
    second = run(*first.words)
    assert second.process.wait(120) == 2
    [line] = [x for x in second.output.splitlines() if "used by" in x]
    assert f"run: used by process {first.process.pid} since " in line and " train " in line
    assert not second.session() and first.process.poll() is None
    assert (tmp_path / "run/.lock").read_text().startswith(f"process {first.process.pid} since ")
    _stop_training(first, signal.SIGINT)
    again = train(run)
    resumed = re.search(r"run: resuming at step (\d+) of", again.output)
    assert resumed and int(resumed[1]) >= 200
    _stop_training(again, signal.SIGTERM)


def _stop_training(command, number):
    seconds = command.told(number)
    print(f"{seconds:.2f} s", command.output)
    # It ends its step, saves its state, and unloads TensorFlow: 4 s with four jobs on two cores.
    assert seconds < 10
    assert command.process.returncode == CODES[number]
    assert "Traceback" not in command.output
    assert command.left_nothing() and not (command.folder / "run/.lock").exists()
    assert not list(command.temporary.iterdir())
    validations = (command.folder / "run/history.jsonl").read_text().count("\n")
    states = [int(file.stem[5:]) for file in command.folder.glob("run/state/ckpt-*.index")]
    assert max(states) > validations  # each validation saves one, and the end


def test_a_second_fit_says_who_is_first_and_waits(run):
    first = run(*FIT, "--json")
    first.wait_for(lambda: len(first.session()) > 1)
    os.kill(first.process.pid, signal.SIGSTOP)  # so that it works long enough
    second = run(*FIT, "--json")
    second.wait_for(lambda: "used by" in second.output)
    os.kill(first.process.pid, signal.SIGCONT)
    assert [command.process.wait(120) for command in (first, second)] == [0, 0]
    [line] = [x for x in second.output.splitlines() if "used by" in x]
    assert re.search(rf"used by process {first.process.pid} since .*\(.* fit enhance-nano ", line)
    assert line.endswith("; waiting for its end")
    result = first.output[first.output.index("{") :]
    assert second.output.endswith(result)
