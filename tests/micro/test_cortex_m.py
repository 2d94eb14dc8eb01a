"""The emulated boards: builds that Bazel must reject, symbols that no firmware may have, and a DC.

Bazel runs the tests of the boards (test_host_programs.py).
"""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from calibration_data import clips
from convert import bundle
from convert.run import host_tools
from groupcomm.files import REPO
from tf_model.evaluation import metrics
from tf_model.signal import to_pcm

pytestmark = [pytest.mark.bazel, pytest.mark.board]

BOARDS = ["cortex_m4", "cortex_m7", "cortex_m33", "cortex_m55"]
# The names of their symbols in a linked program.
FORBIDDEN = {
    "heap": r"_*(m|c|re)alloc(_r)?|_*free(_r)?|_*sbrk(_r)?|operator (new|delete).*",
    "exceptions": r"__cxa_(throw|rethrow|allocate_exception|begin_catch|end_catch)"
    r"|_Unwind_\w+|__gxx_personality_\w+|std::__throw_\w+.*",
    "iostream": r"std::(cin|cout|cerr|clog)"
    r"|std::(basic_)?(ios|[io]+stream|streambuf|filebuf)(_base)?\b.*",
}


def bazel(verb, *targets):
    environment = {**os.environ, "GROUPCOMM_PYTHON": sys.executable}
    return subprocess.run(
        ["bazel", verb, "--noshow_progress", *targets],
        cwd=REPO,
        env=environment,
        capture_output=True,
        text=True,
    )


def forbidden(elf) -> dict[str, set[str]]:
    """List the symbols of a program that firmware must not have, by kind."""
    listed = subprocess.run(
        ["arm-none-eabi-nm", "-C", "--format=posix", elf],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    symbols = {re.sub(r" [A-Za-z](?: [0-9a-f]+){0,2} *$", "", line) for line in listed.splitlines()}
    assert "main" in symbols, f"{elf} has no symbol table"
    found = {
        kind: {s for s in symbols if re.fullmatch(names, s)} for kind, names in FORBIDDEN.items()
    }
    return {kind: names for kind, names in found.items() if names}


def test_no_firmware_has_a_heap_exceptions_or_iostream():
    listed = bazel("query", "kind(_emulated_binary, //micro/boards/cortex_m:all)")
    programs = sorted(listed.stdout.split())
    shipped = {
        f"//micro/boards/cortex_m:{name}_firmware_{board}"
        for name in ("enhance", "stream")
        for board in BOARDS
    }
    assert shipped <= set(programs), listed
    built = bazel("build", *programs)
    assert built.returncode == 0, built
    elfs = [
        REPO / "bazel-bin" / f"{program.removeprefix('//').replace(':', '/')}.elf"
        for program in programs
    ]
    assert {elf.name: forbidden(elf) for elf in elfs} == {elf.name: {} for elf in elfs}


def test_a_heap_exceptions_and_iostream_are_detected(tmp_path):
    source = """
        #include <cstdlib>
        #include <iostream>
        #include <stdexcept>
        extern "C" int getentropy(void*, size_t) { return -1; }  // a board's libc has none
        int main(int argc, char**) {
          void* volatile kept = std::realloc(std::malloc(argc), 2 * argc);
          try {
            if (kept) throw std::runtime_error("no");
          } catch (const std::exception& e) {
            std::cout << e.what() << new int[argc];
          }
          std::free(kept);
        }"""
    command = [
        "arm-none-eabi-g++",
        "-mcpu=cortex-m4",
        "--specs=nosys.specs",
        "-xc++",
        "-",
        "-o",
        tmp_path / "a.elf",
    ]
    subprocess.run(command, input=source, text=True, check=True, capture_output=True)
    found = forbidden(tmp_path / "a.elf")
    assert {
        "malloc",
        "realloc",
        "free",
        "_sbrk",
        "operator new[](unsigned int)",
        "operator delete(void*)",
    } <= found["heap"]
    assert {
        "__cxa_throw",
        "__cxa_begin_catch",
        "_Unwind_RaiseException",
        "__gxx_personality_v0",
    } <= found["exceptions"]
    assert {
        "std::cout",
        "std::ios_base::Init::Init()",
        "std::ostream::sentry::sentry(std::ostream&)",
    } <= found["iostream"]


@pytest.mark.parametrize("board", BOARDS)
def test_the_bazel_test_of_failing_firmware_fails(board):
    done = bazel("test", f"//micro/boards/cortex_m:fail_{board}")
    assert done.returncode == 3, done  # Bazel's exit code for a failed test
    assert "usage: fail MODE" in done.stdout + done.stderr


@pytest.mark.parametrize("board", BOARDS)
def test_firmware_with_a_heap_does_not_link(board):
    done = bazel("build", f"//micro/boards/cortex_m:heap_{board}")
    assert done.returncode == 1, done
    assert "undefined reference to `_sbrk'" in done.stdout + done.stderr


# The M7 and the M33 run the kernels of the M4.
@pytest.mark.parametrize("board", ["cortex_m4", "cortex_m55"])
def test_an_offset_of_the_microphone_costs_the_board_nothing(board, tmp_path):
    """A DC of 0.1 of full scale costs less than 0.2 dB; both sounds are the host's."""
    enhance, demo = bundle.load("enhance"), clips.demo_mixtures()[0]
    seconds = slice(0, 3 * enhance.signal.sample_rate)
    noisy, clean = demo.mixture[seconds], demo.references[0, seconds]
    firmware = host_tools.build(f"//micro/boards/cortex_m:enhance_firmware_{board}")
    hop, scores = enhance.signal.hop, []
    for dc in (0, 0.1):
        pcm = to_pcm(noisy + np.float32(dc))
        assert pcm.mean() == pytest.approx(32768 * dc, abs=50)
        expected = host_tools.separate_pcm(enhance, pcm)
        # A hop of zeros flushes the stream, whose output is a hop behind.
        files = [tmp_path / name for name in ("pcm", "sound", "features", "masks")]
        np.concatenate([pcm, np.zeros(hop, np.int16)]).tofile(files[0])
        subprocess.run([firmware, "stream", *files], check=True, capture_output=True)
        sound = np.fromfile(files[1], np.int16)[hop:]
        given = (np.fromfile(file, np.int8) for file in files[2:])
        for board_gives, host_gives in zip((*given, sound), expected, strict=True):
            np.testing.assert_array_equal(board_gives, host_gives.ravel())
        scores.append(metrics.si_sdr_db(sound / np.float32(32768), clean))
    without, with_offset = scores
    print(f"{board}: {without:.3f} dB without, {with_offset:.3f} dB with")
    assert abs(with_offset - without) < 0.2 and without > metrics.si_sdr_db(noisy, clean) + 2
