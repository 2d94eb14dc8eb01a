"""RNNoise (Valin, MMSP 2018): its first version, and 0.2."""

import ctypes
import hashlib
import io
import tarfile
import urllib.request
from pathlib import Path

import numpy as np

from convert.measure.baselines.baseline import (
    BaselineUnavailable,
    Run,
    at_48k,
    blocks,
    package_file,
)
from groupcomm.files import atomic_path, cache_dir

URL_2018 = "https://registry.npmjs.org/@echogarden/rnnoise-wasm/-/rnnoise-wasm-0.2.0.tgz"
SHA256_2018 = "2f718e7514fc09d49926ba36fae77b014ee588a50d30babf7b5e64a0044b3d91"


def _frames_of(library, process) -> Run:
    """RNNoise's C interface: float32 frames of 480 samples at 48 kHz on the scale of int16."""
    library.rnnoise_create.restype = ctypes.c_void_p

    def run(x):
        frames = np.ascontiguousarray(blocks(x, 480) * 32768, np.float32)
        state = ctypes.c_void_p(library.rnnoise_create(None))
        for frame in frames:
            process(state, ctypes.c_void_p(frame.ctypes.data), ctypes.c_void_p(frame.ctypes.data))
        library.rnnoise_destroy(state)
        return frames.ravel().astype(np.float64) / 32768

    return at_48k(run)


def load_0_2() -> Run:
    """Load RNNoise 0.2 from the library in a Python package."""
    library = ctypes.CDLL(package_file("pyrnnoise", "librnnoise.so"))
    library.rnnoise_process_frame.restype = ctypes.c_float
    return _frames_of(library, library.rnnoise_process_frame)


def load_2018() -> Run:
    """Load Valin's first RNNoise (MMSP 2018) from WebAssembly in an npm package.

    The names of its exports are one letter each.
    """
    try:
        import wasmtime
    except ImportError:
        raise BaselineUnavailable("wasmtime is not installed") from None
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, _wasm_2018())

    def copy(to: int, start: int, count: int) -> None:
        memory.write(store, memory.read(store, start, start + count), to)

    given = {"a": lambda size: 0, "b": copy}  # the memory cannot grow; memcpy
    imports = [wasmtime.Func(store, i.type, given[i.name]) for i in module.imports]
    exports = wasmtime.Instance(store, module, imports).exports(store)
    memory, started, create, destroy, process, malloc = (exports[letter] for letter in "cdhikl")
    started(store)
    at = malloc(store, 480 * 4)

    def run(x):
        frames, out = np.ascontiguousarray(blocks(x, 480) * 32768, "<f4"), []
        state = create(store, 0)
        for frame in frames:
            memory.write(store, frame.tobytes(), at)
            process(store, state, at, at)
            out.append(np.frombuffer(memory.read(store, at, at + 480 * 4), "<f4"))
        destroy(store, state)
        return np.concatenate(out).astype(np.float64) / 32768

    return at_48k(run)


def _wasm_2018() -> bytes:
    kept = cache_dir() / "baselines" / Path(URL_2018).name
    if not kept.is_file():
        try:
            with urllib.request.urlopen(URL_2018, timeout=60) as answer:
                content = answer.read()
        except OSError as e:
            raise BaselineUnavailable(f"{URL_2018} cannot be fetched ({e})") from None
        with atomic_path(kept) as part:
            part.write_bytes(content)
    content = kept.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256_2018:
        kept.unlink()
        raise BaselineUnavailable(
            f"{kept}: another sha256 than expected, the file is deleted; run again to fetch it"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.extractfile("package/rnnoise.wasm").read()
