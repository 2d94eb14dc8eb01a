"""The library builds with CMake alone, its tests pass, and its program equals Python."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import groupcomm
from calibration_data import clips
from convert.codegen import cmsis_dsp
from groupcomm.files import REPO

pytestmark = pytest.mark.slow

CMAKE = Path(sys.executable).with_name("cmake")


def run(*command, **options) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return done.stdout


def test_build_test_and_process_a_file(tmp_path):
    folder = tmp_path / "b"
    run(CMAKE, "-B", folder, REPO / "micro", f"-DPython3_EXECUTABLE={sys.executable}")
    run(CMAKE, "--build", folder, "--parallel", "2")
    ran = run(CMAKE.with_name("ctest"), "--test-dir", folder)
    assert "100% tests passed" in ran
    assert "c_test" in ran and "groupcomm_test" in ran

    # no variables outside of a state
    symbols = [line.split() for line in run("nm", folder / "libgroupcomm.a").splitlines()]
    assert not [words for words in symbols if len(words) == 3 and words[1] in "bBdDC"]

    pcm = np.rint(clips.demo_mixtures()[0].mixture[:24001] * 32768).astype(np.int16)
    soundfile.write(tmp_path / "x.wav", pcm, 16000, subtype="PCM_16")
    program = folder / "process_wav_enhance_nano"
    for limit in (None, 12):
        options = ["--attenuation-limit", limit] if limit else []
        run(program, "--input", tmp_path / "x.wav", "--output", tmp_path, *options)
        out, rate = soundfile.read(tmp_path / "x_speech.wav", dtype="int16")
        network = groupcomm.load("enhance-nano")
        expected = 32768 * network.process(pcm, attenuation_limit_db=limit)[0]
        assert rate == 16000 and len(out) == len(pcm)
        assert np.abs(out - np.clip(np.rint(expected), -32768, 32767)).max() <= 1


def test_given_network_and_sources_of_cmsis_dsp(tmp_path):
    """Another project uses the library, without Python and without a cache."""
    network = tmp_path / "network"
    run(sys.executable, "-m", "groupcomm.cli", "compile", "enhance-fast", "--out", network,
        cwd=REPO)  # fmt: skip
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.20)\n"
        "project(mine LANGUAGES C CXX)\n"
        f"add_subdirectory({REPO / 'micro'} micro)\n"
        "add_executable(mine main.c network/enhance_fast.c)\n"
        "target_include_directories(mine PRIVATE network)\n"
        "target_link_libraries(mine PRIVATE groupcomm)\n"
    )
    (tmp_path / "main.c").write_text(
        "#include <enhance_fast.h>\n"
        "static GROUPCOMM_ALIGNED unsigned char memory[GROUPCOMM_ENHANCE_FAST_BYTES];\n"
        "int main(void) {\n"
        "  groupcomm_state* state;\n"
        "  return groupcomm_create(&groupcomm_enhance_fast, memory, sizeof(memory), &state);\n"
        "}\n"
    )
    options = [f"-DCMSISDSP={cmsis_dsp.sources()}", "-DGROUPCOMM_WINDOW=128"]
    without = os.environ | {"GROUPCOMM_CACHE": str(tmp_path / "none")}
    run(CMAKE, "-B", tmp_path / "b", tmp_path, *options, env=without)
    run(CMAKE, "--build", tmp_path / "b", "--parallel", "2")
    run(tmp_path / "b" / "mine")
