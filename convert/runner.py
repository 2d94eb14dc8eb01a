"""The C++ runner on this machine: built by Bazel on first use, called as a program."""

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from convert.bundle import Bundle
from groupcomm.console import err
from groupcomm.errors import UserError
from groupcomm.files import REPO


def build(target: str) -> Path:
    """Path of a program that a Bazel target makes, built and up to date.

    Raises
    ------
    UserError
        When this is not a checkout, Bazel is missing or the build fails.
    """
    if not (REPO / "WORKSPACE").is_file():
        raise UserError(
            f"{target}: Bazel builds it in a checkout only, and this is an installation; clone the repository"
        )
    if not shutil.which("bazel"):
        raise UserError(
            "bazel is not installed, and the C++ runner needs it; run `make setup` (Debian: apt-get install bazel-bootstrap)"
        )
    built = REPO / "bazel-bin" / target.removeprefix("//").replace(":", "/")
    if not built.exists():
        err.print(f"building {target} ...")
    command = ["bazel", "build", "--noshow_progress", "--ui_event_filters=-info", target]
    done = subprocess.run(
        command,
        cwd=REPO,
        env={**os.environ, "GROUPCOMM_PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError(
            f"bazel build {target} failed; run it in {REPO} to see all of it:\n{done.stderr.strip()[-2000:]}"
        )
    return built


@functools.cache
def program(name: str) -> Path:
    """Path of a host program of `micro/boards/host`; see `build`."""
    return build(f"//micro/boards/host:{name}")


def run(name: str, *arguments) -> str:
    """Run a host program and return what it printed.

    Raises
    ------
    UserError
        With the program's own message when it exits with an error.
    """
    done = subprocess.run([program(name), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        message = done.stderr.strip().removeprefix(f"{name}: ")
        raise UserError(
            message
            or f"{name} ended with code {done.returncode} and said nothing; run it by hand: {program(name)}"
        )
    return done.stdout


def replay(
    bundle: Bundle, features: np.ndarray, *, passes: int = 1, kernels: str = "library"
) -> np.ndarray:
    """Stream quantized features through the C++ engine, hop by hop.

    Parameters
    ----------
    features : np.ndarray [shape=(hops, inputs), int8]
    passes : how often, with a reset in between.
    kernels : ``library`` for TFLM's own, ``ours`` for those of `micro/kernels` where there is one.

    Returns
    -------
    np.ndarray [shape=(passes * hops, sources * values), int8]
    """
    return timed_replay(bundle, features, passes=passes, kernels=kernels)[0]


def timed_replay(
    bundle: Bundle, features: np.ndarray, *, passes: int = 1, kernels: str = "library"
) -> tuple[np.ndarray, np.ndarray]:
    """`replay`, and how long the engine took over every hop in microseconds [shape=(passes * hops,), float32]."""
    with tempfile.TemporaryDirectory() as folder:
        times, masks = Path(folder) / "times.f32", Path(folder) / "masks.i8"
        run(
            "replay",
            *_replay_arguments(bundle, features, Path(folder), kernels),
            "--repeat",
            passes,
            "--times",
            times,
        )
        return np.fromfile(masks, np.int8).reshape(passes * len(features), -1), np.fromfile(
            times, "<f4"
        )


def count_replay(bundle: Bundle, features: np.ndarray, *, kernels: str = "library") -> int | None:
    """Instructions that the engine takes for these hops on this machine, the same in every run; None where valgrind is not installed.

    Raises
    ------
    UserError
        With valgrind's own words when it cannot run the program.
    """
    if not shutil.which("valgrind"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=groupcomm::TflmEngine::Run(*",
        ]
        command += [program("replay"), *_replay_arguments(bundle, features, Path(folder), kernels)]
        done = subprocess.run(command, capture_output=True, text=True)
    # The last is the program's; before it come the processes in which it tries arenas.
    collected = [int(count) for count in re.findall(r"Collected : (\d+)", done.stderr)]
    if done.returncode or not collected or not collected[-1]:
        raise UserError(
            f"valgrind does not count the runner's instructions:\n{done.stderr.strip()[-1000:]}"
        )
    return collected[-1]


def _replay_arguments(bundle: Bundle, features: np.ndarray, folder: Path, kernels: str) -> list:
    """Of a replay that reads these features from a file in ``folder`` and writes ``masks.i8`` there."""
    given = folder / "features.i8"
    given.write_bytes(features.tobytes())
    return [
        "--bundle",
        bundle.path,
        "--features",
        given,
        "--masks",
        folder / "masks.i8",
        "--kernels",
        kernels,
    ]


def separate_pcm(bundle: Bundle, pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stream 16 kHz PCM through the C++ runner, hop by hop.

    Parameters
    ----------
    pcm : np.ndarray [shape=(samples,), int16]

    Returns
    -------
    (features, masks, estimates) : what the engine saw [shape=(hops, inputs), int8] and gave [shape=(hops, sources * values), int8] at
        every hop, those that flush the stream included, and the sound [shape=(sources, samples), int16], aligned with the input.
    """
    import soundfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given, seen, masks = folder / "in.wav", folder / "features.i8", folder / "masks.i8"
        soundfile.write(given, pcm, bundle.signal.sample_rate, subtype="PCM_16")
        wavs = separate_wav(bundle, given, folder, "--features", seen, "--masks", masks)
        return (
            np.fromfile(seen, np.int8).reshape(-1, bundle.signal.n_features),
            np.fromfile(masks, np.int8).reshape(-1, bundle.sources * bundle.signal.n_values),
            np.stack([soundfile.read(wav, dtype="int16")[0] for wav in wavs]),
        )


def separate_wav(bundle: Bundle, wav: Path, folder: Path, *options) -> list[Path]:
    """Run a 16 kHz mono 16-bit WAV through the C++ runner; returns the WAVs that it wrote into ``folder``, one a source."""
    run("separate", "--bundle", bundle.path, "--input", wav, "--output", folder, *options)
    sources = (
        ["speech"] if bundle.sources == 1 else [f"speaker{i + 1}" for i in range(bundle.sources)]
    )
    return [folder / f"{wav.stem}_{source}.wav" for source in sources]
