"""The examples, and the C programs of the documents, run as they stand."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import groupcomm
from calibration_data import clips
from convert import bundle
from convert.codegen import zephyr
from groupcomm.files import REPO

EXAMPLES = REPO / "examples"


@pytest.fixture(scope="module")
def pcm():
    return np.rint(clips.demo_mixtures()[0].mixture[:16000] * 32768).astype("<i2")


def streamed(pcm):
    out = groupcomm.load("enhance-nano").stream().process(pcm)[0]
    return np.clip(np.rint(32768 * out), -32768, 32767)


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.slow
def test_denoise_a_file(tmp_path, pcm):
    soundfile.write(tmp_path / "noisy.wav", np.stack([pcm, pcm], axis=1), 16000)  # stereo
    example = EXAMPLES / "python" / "denoise_file.py"
    run(sys.executable, example, tmp_path / "noisy.wav", tmp_path / "clean.wav")
    clean, rate = soundfile.read(tmp_path / "clean.wav")
    expected = groupcomm.load("enhance").process(pcm)[0]
    assert rate == 16000
    np.testing.assert_allclose(clean, expected, atol=1.1 / 32768)


@pytest.mark.slow
def test_live_stream(pcm):
    out = np.frombuffer(
        run(sys.executable, EXAMPLES / "python" / "live_stream.py", input=pcm.tobytes()), "<i2"
    )
    np.testing.assert_array_equal(out, streamed(pcm))


@pytest.mark.slow
def test_c_main(tmp_path, pcm):
    for file in ("main.c", "Makefile"):
        shutil.copy(EXAMPLES / "c" / file, tmp_path)
    zephyr.write(bundle.load("enhance-nano"), tmp_path / "module")
    run("make", "-s", cwd=tmp_path)
    out = np.frombuffer(run(tmp_path / "denoise", input=pcm.tobytes()), "<i2")
    assert len(out) == len(pcm)
    assert np.abs(out - streamed(pcm)).max() <= 1  # another FFT


# Stands for the drivers of a board.
DRIVERS = """
#include <stdint.h>
#include <stdio.h>
static int microphone_read(int16_t* in, int hop) { return fread(in, 2 * hop, 1, stdin) != 1; }
static void loudspeaker_write(const int16_t* out, int hop) { fwrite(out, 2 * hop, 1, stdout); }
"""


def program(page: str, language: str) -> str:
    """Return the one block of code in this language of a page, with drivers."""
    fence = rf"^```{language}\n(.*?)^```"
    [source] = re.findall(fence, (REPO / page).read_text(), re.DOTALL | re.MULTILINE)
    return DRIVERS + source


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/reference/c-api.md"])
def test_the_program_of_a_page(tmp_path, pcm, page):
    (tmp_path / "main.c").write_text(program(page, "c"))
    shutil.copy(EXAMPLES / "c" / "Makefile", tmp_path)
    zephyr.write(bundle.load("enhance-nano"), tmp_path / "module")
    run("make", "-s", cwd=tmp_path)
    out = np.frombuffer(run(tmp_path / "denoise", input=pcm.tobytes()), "<i2")
    assert len(out) == len(pcm)
    assert np.abs(out - streamed(pcm)).max() <= 1  # another FFT
