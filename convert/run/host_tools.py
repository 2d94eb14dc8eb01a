"""Run the C++ programs of this machine, which Bazel builds on first use."""

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from convert.bundle import Bundle
from groupcomm.console import err
from groupcomm.errors import UserError
from groupcomm.files import REPO, scratch_folder


def build(target: str, *others: str) -> Path:
    """Build a Bazel target, if it is not up to date, and return the path of its program.

    Parameters
    ----------
    target : str
        A label.
    *others : str
        Labels of what is built together with it.

    Returns
    -------
    Path

    Raises
    ------
    UserError
        When this is not a checkout, Bazel is missing or the build fails.
    """
    if not (REPO / "WORKSPACE").is_file():
        raise UserError(
            f"{target}: Bazel can build it only in a checkout, and this is an installation; "
            "clone the repository"
        )
    if not shutil.which("bazel"):
        raise UserError(
            "bazel is not installed, but the C++ runner needs it; "
            "run `make setup` (Debian: apt-get install bazel-bootstrap)"
        )
    built = REPO / "bazel-bin" / target.removeprefix("//").replace(":", "/")
    if not built.exists():
        err.print(f"building {target} ...")
    command = ["bazel", "build", "--noshow_progress", "--ui_event_filters=-info", target]
    command += others
    done = subprocess.run(
        command,
        cwd=REPO,
        env={**os.environ, "GROUPCOMM_PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError(
            f"bazel build {target} failed; "
            f"run it in {REPO} for the full output:\n{done.stderr.strip()[-2000:]}"
        )
    return built


@functools.cache
def program(name: str) -> Path:
    """Return the path of a host program of `micro/boards/host`; see `build`."""
    return build(f"//micro/boards/host:{name}")


def run(name: str, *arguments) -> str:
    """Run a host program and return its standard output.

    Parameters
    ----------
    name : str
    *arguments : str
        Other types are converted to str.

    Returns
    -------
    str

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
            or f"{name} ended with code {done.returncode} and no message; "
            f"run it by hand: {program(name)}"
        )
    return done.stdout


def replay(
    bundle: Bundle, features: np.ndarray, *, passes: int = 1, kernels: str = "tflm"
) -> np.ndarray:
    """Run the C++ engine on quantized features, hop by hop.

    Parameters
    ----------
    bundle : Bundle
    features : np.ndarray [shape=(hops, inputs), dtype=int8]
    passes : int
        Number of repetitions, with a reset in between.
    kernels : {"tflm", "groupcomm"}
        ``"tflm"`` selects TFLM's kernels, ``"groupcomm"`` those of `micro/kernels` where there is
        one.

    Returns
    -------
    np.ndarray [shape=(passes * hops, sources * values), dtype=int8]
    """
    return timed_replay(bundle, features, passes=passes, kernels=kernels)[0]


def timed_replay(
    bundle: Bundle, features: np.ndarray, *, passes: int = 1, kernels: str = "tflm"
) -> tuple[np.ndarray, np.ndarray]:
    """Run the C++ engine as `replay` does, and measure its time.

    Parameters
    ----------
    bundle : Bundle
    features : np.ndarray [shape=(hops, inputs), dtype=int8]
    passes : int
    kernels : str
        See `replay`.

    Returns
    -------
    masks : np.ndarray [shape=(passes * hops, sources * values), dtype=int8]
    microseconds : np.ndarray [shape=(passes * hops,), dtype=float32]
        Time of the engine for each hop.
    """
    with scratch_folder() as folder:
        times, masks = folder / "times.f32", folder / "masks.i8"
        run(
            "replay",
            *_replay_arguments(bundle, features, folder, kernels),
            "--repeat",
            passes,
            "--times",
            times,
        )
        return np.fromfile(masks, np.int8).reshape(passes * len(features), -1), np.fromfile(
            times, "<f4"
        )


def count_replay(bundle: Bundle, features: np.ndarray, *, kernels: str = "tflm") -> int | None:
    """Count the instructions of the engine for these hops on this machine.

    The count is the same in every run.

    Parameters
    ----------
    bundle : Bundle
    features : np.ndarray [shape=(hops, inputs), dtype=int8]
    kernels : str
        See `replay`.

    Returns
    -------
    int or None
        None where valgrind is not installed.

    Raises
    ------
    UserError
        With valgrind's own message when it cannot run the program.
    """
    if not shutil.which("valgrind"):
        return None
    with scratch_folder() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=groupcomm::TflmEngine::Run(*",
        ]
        command += [program("replay"), *_replay_arguments(bundle, features, folder, kernels)]
        done = subprocess.run(command, capture_output=True, text=True)
    # The last count is the program's. Those before it are of processes in which it tries arenas.
    collected = [int(count) for count in re.findall(r"Collected : (\d+)", done.stderr)]
    if done.returncode or not collected or not collected[-1]:
        raise UserError(
            f"valgrind cannot count the runner's instructions:\n{done.stderr.strip()[-1000:]}"
        )
    return collected[-1]


def _replay_arguments(bundle: Bundle, features: np.ndarray, folder: Path, kernels: str) -> list:
    """Return the arguments of a replay that reads these features and writes ``masks.i8``.

    Both files are in ``folder``.
    """
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
    """Process 16 kHz PCM with the C++ runner, hop by hop.

    Parameters
    ----------
    bundle : Bundle
    pcm : np.ndarray [shape=(samples,), dtype=int16]

    Returns
    -------
    features : np.ndarray [shape=(hops, inputs), dtype=int8]
        Input of the engine. Hops that flush the stream are included.
    masks : np.ndarray [shape=(hops, sources * values), dtype=int8]
        Output of the engine.
    estimates : np.ndarray [shape=(sources, samples), dtype=int16]
        Aligned with the input.
    """
    import soundfile

    with scratch_folder() as folder:
        given, seen, masks = folder / "in.wav", folder / "features.i8", folder / "masks.i8"
        soundfile.write(given, pcm, bundle.signal.sample_rate, subtype="PCM_16")
        wavs = separate_wav(bundle, given, folder, "--features", seen, "--masks", masks)
        return (
            np.fromfile(seen, np.int8).reshape(-1, bundle.signal.n_features),
            np.fromfile(masks, np.int8).reshape(-1, bundle.sources * bundle.signal.n_values),
            np.stack([soundfile.read(wav, dtype="int16")[0] for wav in wavs]),
        )


def separate_wav(bundle: Bundle, wav: Path, folder: Path, *options) -> list[Path]:
    """Process a 16 kHz mono 16-bit WAV file with the C++ runner.

    Parameters
    ----------
    bundle : Bundle
    wav : Path
    folder : Path
        Where the results go.
    *options : str
        Further options of the program.

    Returns
    -------
    list of Path
        WAV files, one for each source.
    """
    run("separate", "--bundle", bundle.path, "--input", wav, "--output", folder, *options)
    sources = (
        ["speech"] if bundle.sources == 1 else [f"speaker{i + 1}" for i in range(bundle.sources)]
    )
    return [folder / f"{wav.stem}_{source}.wav" for source in sources]
