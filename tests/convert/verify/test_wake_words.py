"""Streaming wake-word models of others (microWakeWord) as plain C equal the official TFLM.

The models, and the program that computes their features, come from PyPI.
"""

import subprocess
import sys
import zipfile

import numpy as np
import pytest

from calibration_data import clips
from convert.verify import inspection, model_parity
from tests.helpers.cli import ok

PACKAGES = ("pymicro-wakeword==2.5.0", "pymicro-features==2.0.2")
MODELS = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")
FRAMES = 3  # of 10 ms in one input
STEP = 160  # samples between frames

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Return a folder with the contents of the packages."""
    folder = tmp_path_factory.mktemp("wake")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
    done = subprocess.run([*command, *PACKAGES], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"pip cannot fetch {' and '.join(PACKAGES)}: {done.stderr.strip()[-200:]}")
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def features(packages):
    """Return the features of real sound [shape=(inputs, 1, 3, 40)], as real values."""
    sys.path.insert(0, str(packages))
    try:
        from pymicro_features import MicroFrontend
    finally:
        sys.path.remove(str(packages))
    frontend, frames = MicroFrontend(), []
    sound = np.concatenate([mixture.mixture for mixture in clips.demo_mixtures()])
    pcm = np.clip(np.rint(sound * 32768), -32768, 32767).astype("<i2")
    for at in range(0, len(pcm) - STEP, STEP):
        made = frontend.process_samples(pcm[at : at + STEP].tobytes())
        if made.features:
            frames.append(made.features)
    count = len(frames) // FRAMES * FRAMES
    return np.float32(frames[:count]).reshape(-1, 1, FRAMES, 40)


@pytest.fixture(scope="module")
def given(features, tmp_path_factory):
    """Return a file with the features as inputs of a model."""
    assert len(features) > 1000 and features.std() > 1
    path = tmp_path_factory.mktemp("features") / "features.npz"
    np.savez(path, input_audio=features)
    return path


@pytest.mark.parametrize("name", MODELS)
def test_every_byte_equals_tflm_on_real_features(name, packages, given):
    """Across a reset; the initial state is that of the model's own CALL_ONCE."""
    path = packages / "pymicro_wakeword" / "models" / f"{name}.tflite"
    found = model_parity.parity(path, invocations=1000, given=given)
    assert found["ok"] and found["passes"] == 2


def test_inspect_names_the_states_and_reports_that_tflm_accepts_the_model(packages):
    found = inspection.inspect(str(packages / "pymicro_wakeword" / "models" / "okay_nabu.tflite"))
    assert not found["unsupported"]
    assert any("variable" in note for note in found["notes"])


@pytest.mark.bazel
@pytest.mark.board
def test_emulated_core_gives_the_same_bytes(packages, given):
    path = packages / "pymicro_wakeword" / "models" / "okay_nabu.tflite"
    options = ("--hops", "1000", "--input", str(given), "--board", "cortex-m55")
    found = ok("parity", str(path), *options, "--json")
    assert found["ok"] and found["passes"] == 2
    assert [r["name"] for r in found["runtimes"]] == ["plain C", "cortex-m55"]
    # The same firmware: instructions and cycles of the operators add up to those of an invocation.
    counted = ok("bench", str(path), "--board", "cortex-m55", "--json")
    for unit in ("instructions", "cycles"):
        mean = counted[unit]["mean"]
        assert 0.95 * mean < sum(o[unit] for o in counted["operators"]) < mean
    for estimate in counted["estimates"].values():
        least, most = (estimate["milliseconds"][end] for end in ("least", "most"))
        assert least == 1e3 * counted["cycles"]["worst"] / estimate["clock_hz"] < most
