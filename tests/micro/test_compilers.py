"""Every file of micro/kernels compiles without a warning, with GCC and Clang, as C99 and GNU C11.

Clang is that of the PyPI package ziglang. What a compiler lacks here skips by its name.
"""

import importlib.util
import shutil
import subprocess
import sys
import types

import pytest

from groupcomm.files import REPO, kernel_files

STANDARDS = ["c99", "gnu11"]
WARNINGS = ["-O2", "-Wall", "-Wextra", "-Werror", f"-I{REPO}"]
ARM = ["arm-none-eabi-gcc", "-mthumb", "-mfloat-abi=hard"]
THUMB = ["-target", "thumb-freestanding-eabihf"]
# Compiler, and the variant that the options select.
GCC = {
    "x86_64": (["cc"], "portable"),
    "cortex_m4": ([*ARM, "-mcpu=cortex-m4"], "dsp"),
    "cortex_m33": ([*ARM, "-mcpu=cortex-m33"], "dsp"),
    "cortex_m55": ([*ARM, "-mcpu=cortex-m55"], "helium"),
    "riscv32": (["riscv64-unknown-elf-gcc", "-march=rv32imac", "-mabi=ilp32"], "portable"),
}
CLANG = {
    "x86_64": (["-target", "x86_64-linux-gnu"], "portable"),
    "cortex_m4": ([*THUMB, "-mcpu=cortex_m4"], "dsp"),
    "cortex_m33": ([*THUMB, "-mcpu=cortex_m33+dsp"], "dsp"),
    "cortex_m55": ([*THUMB, "-mcpu=cortex_m55+mve+mve_fp"], "helium"),
    "wasm32": (["-target", "wasm32-freestanding"], "portable"),
    "riscv32": (["-target", "riscv32-freestanding"], "portable"),
}
# What the C library of a freestanding target has to offer.
STRING_H = """#include <stddef.h>
void* memcpy(void* restrict to, const void* restrict from, size_t count);
void* memset(void* to, int value, size_t count);
"""
VARIANTS_TEST = REPO / "micro/kernels/test/variants_test.c"


def gcc(target):
    command, _ = GCC[target]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    return command


def clang(target):
    if not importlib.util.find_spec("ziglang"):
        pytest.skip("Clang (the Python package ziglang) is not installed")
    return [sys.executable, "-m", "ziglang", "cc", *CLANG[target][0]]


@pytest.fixture
def headers(tmp_path):
    (tmp_path / "include").mkdir()
    (tmp_path / "include/string.h").write_text(STRING_H)
    return ["-isystem", tmp_path / "include"]


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command[:6]))} ...\n{done.stderr[-4000:]}"
    return done.stdout


def selected(command):
    """Return the variant that a compiler with its options selects."""
    defined = run(*command, *WARNINGS, "-E", "-dM", REPO / "micro/kernels/fixed_point.h")
    for variant in ("dsp", "helium"):
        if f"#define GC_{variant.upper()} 1" in defined:
            return variant
    return "portable"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("compiler", "target"),
    [
        pytest.param(name, target, marks=[pytest.mark.board] if "cortex" in target else [])
        for name, targets in (("GCC", GCC), ("Clang", CLANG))
        for target in targets
    ],
)
def test_every_kernel_compiles_without_a_warning(compiler, target, headers, tmp_path):
    if compiler == "GCC":
        command, variant, output = gcc(target), GCC[target][1], ["-c"]
    else:
        command, variant = [*clang(target), *headers], CLANG[target][1]
        output = ["-r", "-o", "kernels.o"]
    assert selected(command) == variant
    for standard in STANDARDS:
        run(*command, f"-std={standard}", *WARNINGS, *output, *kernel_files(".c"), cwd=tmp_path)


@pytest.mark.board
@pytest.mark.slow
def test_kernels_compile_as_in_arduinos_core_for_the_nano_33_ble(tmp_path):
    """Its options, and its arm_acle.h, which has no functions of the DSP extension."""
    (tmp_path / "arm_acle.h").write_text("/* GCC 7 */\n")
    command = [*gcc("cortex_m4")[:2], "-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=softfp"]
    command += ["-std=gnu11", "-isystem", tmp_path, "-DGC_NO_ACLE", *WARNINGS, "-Os"]
    assert selected(command) == "dsp"
    run(*command, "-c", *kernel_files(".c"), cwd=tmp_path)


def test_every_kernel_has_a_file_name_of_its_own():
    """Some build systems put all objects into one folder."""
    names = [file.name for file in kernel_files(".c")]
    assert len(set(names)) == len(names)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["-DGC_PORTABLE_ONLY"]], ids=["selected", "portable"])
def test_clang_compiles_kernels_that_give_the_right_results(options, tmp_path):
    program = tmp_path / "variants_test"
    command = [*clang("x86_64"), "-std=gnu11", *options, *WARNINGS]
    run(*command, *kernel_files(".c"), VARIANTS_TEST, "-o", program)
    run(program)


@pytest.mark.slow
@pytest.mark.board
@pytest.mark.parametrize("board", ["cortex_m4", "cortex_m33", "cortex_m55"])
def test_clangs_optimized_variants_give_the_right_results(board, headers, tmp_path):
    for program in (ARM[0], "qemu-system-arm"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    known = {"struct": types.SimpleNamespace}
    folder = REPO / "micro/boards/cortex_m"
    exec((folder / "boards.bzl").read_text(), known)
    settings = known["BOARDS"][board]
    # The options fit GCC's objects: the size of enums, and no tables to unwind the stack.
    command = [*clang(board), *headers, "-fshort-enums", "-fno-unwind-tables"]
    command += ["-fno-asynchronous-unwind-tables", "-ffunction-sections", "-std=gnu11"]
    kernels = tmp_path / "kernels.o"
    run(*command, *WARNINGS, "-r", *kernel_files(".c"), VARIANTS_TEST, "-o", kernels)
    link = [*ARM, *settings.flags, "-O2", f"-I{REPO}", "-fno-exceptions", "-fno-rtti"]
    link += ["-fno-threadsafe-statics", "-nostartfiles", "--specs=nano.specs"]
    link += ["-Wl,--gc-sections", f"-T{folder / board}.ld", f"-T{folder / 'sections.ld'}"]
    sources = [folder / "startup.c", folder / "board.cc"]
    run(*link, *sources, kernels, "-lstdc++", "-lm", "-o", tmp_path / "test.elf")
    run(
        *("qemu-system-arm", "-machine", settings.machine, "-display", "none"),
        *("-monitor", "none", "-serial", "none", "-semihosting-config"),
        *("enable=on,target=native,arg=test", "-kernel", tmp_path / "test.elf"),
    )
