"""The wheel, installed from PyPI's packages outside the checkout: the core, then an extra."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import groupcomm
from calibration_data import clips
from groupcomm.files import REPO

pytestmark = pytest.mark.slow

CORE = {"numpy", "tflite-micro", "flatbuffers", "rich", "typer"}
[README] = re.findall(r"^```python\n(.*?)^```", (REPO / "README.md").read_text(), re.S | re.M)


def run(*command, **options) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Installation:
    """The wheel in a virtual environment of its own, in a folder beside the checkout."""

    def __init__(self, folder: Path):
        self.folder = folder
        source = folder / "source"
        listed = run(
            "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=REPO
        )
        for file in filter(None, listed.split("\0")):
            if (REPO / file).is_file():
                (source / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(REPO / file, source / file)
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, source)
        shutil.rmtree(source)
        [self.wheel] = folder.glob("*.whl")
        run(sys.executable, "-m", "venv", folder / "venv")
        self.bin = folder / "venv" / "bin"
        self.install()

    def install(self, extras: str = "") -> None:
        run(self.bin / "pip", "install", "--quiet", f"{self.wheel}{extras}")

    def distributions(self) -> set[str]:
        listed = json.loads(run(self.bin / "pip", "list", "--format", "json"))
        return {re.sub("[-_.]+", "-", one["name"]).lower() for one in listed}

    def run(self, program: str, *arguments) -> str:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment["GROUPCOMM_CACHE"] = str(self.folder / "cache")
        return run(self.bin / program, *arguments, cwd=self.folder, env=environment)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    installation = Installation(tmp_path_factory.mktemp("installed"))
    sound = clips.demo_mixtures()[0].mixture[:32000]
    soundfile.write(installation.folder / "noisy.wav", sound, 16000, subtype="PCM_16")
    return installation


def test_the_core_requires_few_packages(installed):
    found = installed.distributions()
    assert CORE | {"groupcomm-micro"} <= found
    assert not {"tensorflow", "tf-keras", "librosa", "scipy", "matplotlib", "soundfile"} & found
    assert f"groupcomm {groupcomm.__version__}\n" == installed.run("groupcomm", "--version")
    assert installed.wheel.stat().st_size < 8e6


def test_the_command_processes_a_file_with_the_core_alone(installed):
    installed.run("groupcomm", "process", "noisy.wav", "--out", "out")
    out, rate = soundfile.read(installed.folder / "out" / "noisy_speech.wav")
    noisy, _ = soundfile.read(installed.folder / "noisy.wav", dtype="float32")
    expected = groupcomm.load("enhance").process(noisy)[0]
    assert rate == 16000 and np.abs(out - expected).max() <= 1 / 32768


def test_packages_for_boards_are_written_without_a_checkout(installed):
    installed.run("groupcomm", "package", "arduino", "enhance-nano", "--out", "arduino")
    properties = (installed.folder / "arduino" / "library.properties").read_text()
    assert f"version={groupcomm.__version__}\n" in properties
    assert (installed.folder / "arduino" / "src" / "enhance_nano.c").is_file()
    installed.run("groupcomm", "package", "zephyr", "enhance-nano", "--out", "zephyr")
    assert (installed.folder / "zephyr" / "network.cmake").is_file()
    installed.run("groupcomm", "compile", "enhance-nano", "--out", "c")
    for folder in ("arduino", "zephyr", "c"):
        for file in (installed.folder / folder).rglob("*"):
            assert not file.is_file() or str(installed.folder) not in file.read_text()


def test_a_missing_extra_is_named_in_one_line(installed):
    command = [installed.bin / "groupcomm", "train", "enhance-nano", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=installed.folder)
    assert done.returncode == 2
    assert (
        done.stderr == "groupcomm: the package tensorflow is not installed; "
        "pip install 'groupcomm-micro[train]'\n"
    )


def test_the_lines_of_the_readme_run(installed):
    installed.install("[audio]")
    installed.run("python", "-c", README)
    clean, rate = soundfile.read(installed.folder / "clean.wav")
    assert rate == 16000 and clean.shape == (32000,) and np.std(clean) > 1e-4
