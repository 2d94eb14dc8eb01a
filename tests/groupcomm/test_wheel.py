"""The wheel, installed outside the checkout with the packages that it requires and no others."""

import importlib.metadata
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


def names(requirements: list[str] | None, extra: str = "") -> set[str]:
    """Distributions among requirements that are needed here: always, or for an extra."""
    found = set()
    for requirement in requirements or []:
        condition = requirement.partition(";")[2]
        if "extra" in condition:
            needed = extra and re.search(rf"extra == [\"']{extra}[\"']", condition)
        else:
            needed = "Windows" not in condition and "python_version >=" not in condition
        if needed:
            found.add(re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-"))
    return found


def link(distributions: set[str], folder: Path) -> None:
    """Make installed distributions and their requirements importable in another environment."""
    done, left = set(), set(distributions)
    while left:
        name = left.pop()
        done.add(name)
        distribution = importlib.metadata.distribution(name)
        left |= names(distribution.requires) - done
        for top in {file.parts[0] for file in distribution.files}:
            source = Path(str(distribution.locate_file(top)))
            if top not in ("..", "__pycache__") and source.exists() and not (folder / top).exists():
                (folder / top).symlink_to(source)


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
        run(self.bin / "pip", "install", "--no-deps", "--no-index", self.wheel)
        [self.packages] = (folder / "venv" / "lib").glob("python*/site-packages")
        link(CORE, self.packages)

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
    [metadata] = installed.packages.glob("groupcomm_micro-*.dist-info")
    distribution = importlib.metadata.PathDistribution(metadata)
    assert distribution.version == groupcomm.__version__
    assert names(distribution.requires) == CORE
    assert names(distribution.requires, "audio") == CORE | {"soundfile", "soxr"}
    assert {"tensorflow", "ai-edge-litert", "pytest"} <= names(
        distribution.requires, "dev"
    ) | names(distribution.requires, "convert")
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
    command = [installed.bin / "groupcomm", "train", "enhance-nano"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=installed.folder)
    assert done.returncode == 2
    assert (
        done.stderr == "groupcomm: the package tensorflow is not installed; "
        "pip install 'groupcomm-micro[train]'\n"
    )


def test_the_lines_of_the_readme_run(installed):
    link({"soundfile", "soxr"}, installed.packages)
    installed.run("python", "-c", README)
    clean, rate = soundfile.read(installed.folder / "clean.wav")
    assert rate == 16000 and clean.shape == (32000,) and np.std(clean) > 1e-4
