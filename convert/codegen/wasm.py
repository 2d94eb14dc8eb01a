"""A bundle as WebAssembly, for browsers and Node."""

import functools
import importlib.util
import subprocess
import sys
from pathlib import Path

from convert import bundle as bundles
from convert.codegen import cmsis_dsp, parts
from groupcomm.errors import UserError, missing_package
from groupcomm.files import atomic_folder, kernel_files, resource, scratch_folder

# Of wasm32-wasi, only the headers are used: nothing of its C library is in the program.
_OPTIONS = ["-target", "wasm32-wasi", "-O2", "-ffp-contract=off", "-msimd128", "-w"]
_C = "-std=gnu11"
_CPP = ("-std=c++17", "-fno-exceptions", "-fno-rtti")
_CC = [f"micro/{name}.cc" for name in ("api/groupcomm", "stream/stream", "boards/package/package")]
_FUNCTIONS = (
    *("begin", "process", "reset", "latency", "set_attenuation_limit", "set_bypass"),
    *("run_network", "in", "out", "given", "found", "sizes"),
)


def write(bundle: bundles.Bundle, folder: Path) -> dict:
    """Write a bundle as ``NAME.wasm``, and ``groupcomm.mjs``, the JavaScript around it.

    Parameters
    ----------
    bundle : Bundle
    folder : Path
        It appears whole or not at all.

    Returns
    -------
    dict
        ``files`` (paths) and ``bytes``, those of the WebAssembly.

    Raises
    ------
    UserError
        As `build`, and when the folder cannot be written.
    """
    code = build(bundle)
    files = {f"{bundle.name}.wasm": code, "groupcomm.mjs": program().encode()}
    with atomic_folder(folder) as part:
        for name, content in files.items():
            (part / name).write_bytes(content)
    return {"files": [str(folder / name) for name in files], "bytes": len(code)}


def program() -> str:
    """Return the JavaScript around a network: a class, and an AudioWorklet."""
    return resource("micro/boards/browser/groupcomm.mjs").read_text()


def build(bundle: bundles.Bundle) -> bytes:
    """Compile a bundle and its stream to WebAssembly.

    The compiler is Clang, of the PyPI package ziglang. The same bundle gives the same bytes.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    bytes

    Raises
    ------
    UserError
        When ziglang is not installed, pip cannot fetch CMSIS-DSP, or an operator has no kernel.
    """
    if not importlib.util.find_spec("ziglang"):
        raise missing_package(ModuleNotFoundError(name="ziglang"))
    return _build(bundle.path, bundle.description["model"]["sha256"])


@functools.cache
def _build(path: Path, _sha256: str) -> bytes:
    bundle = bundles.load(str(path))
    with scratch_folder() as scratch:
        # A folder of its own, because a new one takes its place, and the lock of the other is lost.
        folder = scratch / "c"
        network = parts.network(bundle, folder, folder, tflm=False)
        dsp = cmsis_dsp.sources()
        includes = [folder, parts.ROOT, dsp / "Include", dsp / "PrivateInclude"]
        options = _OPTIONS + [f"-I{one}" for one in includes]
        options += [f"-D{one}" for one in cmsis_dsp.DEFINES]
        options += [f"-DGROUPCOMM_WINDOW={bundle.signal.window}"]
        c_files = [folder / f"{network}.c", resource("micro/boards/browser/browser.c")]
        c_files += [*kernel_files(".c"), *(dsp / "Source" / f"{one}.c" for one in cmsis_dsp.FFT)]
        # One file for each language: Clang starts twice in place of fifty times.
        _one_file(c_files, folder / "all.c")
        _one_file([resource(one) for one in _CC], folder / "all.cc")
        _clang("cc", "-c", _C, *options, "all.c", "-o", "c.o", cwd=folder)
        _clang("c++", "-c", *_CPP, *options, "all.cc", "-o", "cc.o", cwd=folder)
        link = ["--no-entry", "--gc-sections", "--strip-all", "--import-undefined"]
        link += [f"--export=groupcomm_{one}" for one in _FUNCTIONS]
        _clang("wasm-ld", *link, "c.o", "cc.o", "-o", "network.wasm", cwd=folder)
        return (folder / "network.wasm").read_bytes()


def _one_file(sources: list[Path], file: Path) -> None:
    file.write_text("".join(f'#include "{source}"\n' for source in sources))


def _clang(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ziglang", *command], cwd=cwd, capture_output=True, text=True
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[0]
        raise UserError(f"zig {command[0]} ended with code {done.returncode}: {reason}")
