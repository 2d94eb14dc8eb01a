"""The runtimes that can run a streaming network from Python, behind one interface."""

import copy
import ctypes
import hashlib
import subprocess
import warnings
from pathlib import Path

import numpy as np

from convert import contract
from convert.tflite import flatbuffer
from groupcomm.errors import UserError
from groupcomm.files import atomic_path, cache_dir, kernel_files, resource

ARENA_BYTES = 2**24  # for the tensors of a model in TFLM


class Runtime:
    """A streaming model in one runtime.

    The state is kept from call to call until `reset`.

    Attributes
    ----------
    width : int
        Length of a row of the input.
    """

    width: int

    def __init__(self, model: bytes):
        """Load a model."""
        raise NotImplementedError

    def _invoke(self, frame: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def reset(self) -> None:
        """Set the state to its initial value."""
        raise NotImplementedError

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Process the next hops.

        Parameters
        ----------
        features : np.ndarray [shape=(hops, inputs), dtype=int8 or float32]
            For a network of the papers' family, samples.

        Returns
        -------
        np.ndarray [shape=(hops, sources * values), dtype as the input]
            Masks. For a network of the papers' family, estimates [shape=(hops, sources, samples)].
        """
        return np.concatenate([self._invoke(frame[None]) for frame in features])


class Tflm(Runtime):
    """The official TensorFlow Lite Micro, from its Python wheel: the reference for int8 results.

    Parameters
    ----------
    model : bytes
    arena_bytes : int
        Memory for the tensors of the model.
    """

    def __init__(self, model: bytes, arena_bytes: int = ARENA_BYTES):
        from tflite_micro.python.tflite_micro import runtime

        try:
            self._interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
        except (RuntimeError, ValueError) as e:
            raise UserError(
                f"TFLM cannot load this model ({e}); `groupcomm inspect` lists unsupported "
                "operators"
            ) from e
        self.width = int(self._interpreter.get_input_details(0)["shape"][1])

    def _invoke(self, frame):
        self._interpreter.set_input(frame, 0)
        self._interpreter.invoke()
        return self._interpreter.get_output(0)

    def reset(self):
        """Set the state to its initial value."""
        self._interpreter.reset()


class _Lite(Runtime):
    """Common parts of tflite-runtime and LiteRT."""

    def _open(self, interpreter) -> None:
        self._interpreter = interpreter
        interpreter.allocate_tensors()
        self._in = interpreter.get_input_details()[0]["index"]
        self.width = int(interpreter.get_input_details()[0]["shape"][1])
        self._out = interpreter.get_output_details()[0]["index"]

    def _invoke(self, frame):
        self._interpreter.set_tensor(self._in, frame)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._out)

    def reset(self):
        """Set the state to its initial value."""
        self._interpreter.reset_all_variables()


class TfliteRuntime(_Lite):
    """tflite-runtime with its optimized kernels.

    Its reference kernels compute wrong results for the fused int8 LSTM. Its delegate ends the
    process with SIGSEGV where an operator reads a state that a later operator assigns.
    """

    def __init__(self, model: bytes):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tflite_runtime import interpreter

        kinds = interpreter.OpResolverType
        kernels = (
            kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            if flatbuffer.read(model).graph.assigned_states()
            else kinds.AUTO
        )
        self._open(
            interpreter.Interpreter(model_content=model, experimental_op_resolver_type=kernels)
        )


class LiteRT(_Lite):
    """ai-edge-litert, the successor of TFLite, with its default kernels."""

    def __init__(self, model: bytes):
        from ai_edge_litert import interpreter

        self._open(interpreter.Interpreter(model_content=model))


class _Quantization(ctypes.Structure):
    _fields_ = [("scale", ctypes.c_float), ("zero_point", ctypes.c_int32)]


_CTYPES = {
    "float": ctypes.c_float,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "const char*": ctypes.c_char_p,
    "const float*": ctypes.POINTER(ctypes.c_float),
    "const int32_t*": ctypes.POINTER(ctypes.c_int32),
    "gc_quantization": _Quantization,
}


def _struct(name: str, fields: list[contract.Field]) -> type[ctypes.Structure]:
    """Return the ctypes form of a struct of `micro/contract/static_model.h`."""

    def ctype(c: str):
        if "(*)" in c:  # a function of pointers
            return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (c.count(",") + 1))
        return _CTYPES[c]

    return type(name, (ctypes.Structure,), {"_fields_": [(f.name, ctype(f.type)) for f in fields]})


_CTYPES["gc_signal_path"] = _struct("SignalPath", contract.SIGNAL_PATH)
_Model = _struct("Model", contract.MODEL)


def build_library(source: Path, *flags: str) -> ctypes.CDLL:
    """Compile generated C with the kernels of `micro/kernels` for this machine, and load it.

    Parameters
    ----------
    source : Path
        The C file; its header is in the same folder.
    *flags : str
        Further options of the compiler.

    Returns
    -------
    ctypes.CDLL

    Raises
    ------
    UserError
        When there is no C compiler, or compilation fails.
    """
    library = source.with_suffix(".so")
    command = ["cc", "-std=c11", "-O2", *flags, "-fPIC"]
    command += [f"-I{resource('micro').parent}", f"-I{source.parent}"]
    _run([*command, "-shared", source, _kernels(flags), "-o", library], source)
    return ctypes.CDLL(library)


def _kernels(flags: tuple[str, ...]) -> Path:
    """Return the compiled kernels; they are kept in the cache, because they take seconds."""
    root = resource("micro")
    files = kernel_files(".c")
    contents = [*files, *kernel_files(".h"), *sorted((root / "contract").glob("*.h"))]
    command = ["cc", "-std=c11", "-O2", *flags, "-fPIC", "-r", "-nostdlib", f"-I{root.parent}"]
    digest = hashlib.sha256(_run(["cc", "--version"], Path("cc")))
    digest.update("\0".join(command).encode())
    for file in contents:
        digest.update(file.read_bytes())
    kept = cache_dir() / "kernels" / f"{digest.hexdigest()[:16]}.o"
    if not kept.is_file():
        with atomic_path(kept) as part:
            _run([*command, *files, "-o", part], root / "kernels")
    return kept


def _run(command: list, source: Path) -> bytes:
    """Run the compiler, and return what it printed."""
    try:
        done = subprocess.run(command, capture_output=True)
    except FileNotFoundError as e:
        raise UserError(
            "there is no C compiler `cc`, which plain C needs; "
            "run `make setup` (Debian: apt-get install g++)"
        ) from e
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()
        lines = lines or [f"exit code {done.returncode}"]
        reason = next((line for line in lines if "error" in line), lines[-1])
        raise UserError(f"{source}: compilation failed: {reason}")
    return done.stdout


def _aligned(size: int) -> np.ndarray:
    """Allocate bytes [shape=(size,), dtype=uint8] that start at a multiple of 16."""
    memory = np.empty(size + 15, np.uint8)
    start = -memory.ctypes.data % 16
    return memory[start : start + size]


class Static(Runtime):
    """A network as plain C with the kernels of `micro/kernels`, compiled for this machine.

    Parameters
    ----------
    source : Path
        The C file that `c_source.compile_bundle` wrote.
    *flags : str
        Further options of the compiler.

    Attributes
    ----------
    model : ctypes.Structure
        The gc_model of the program.

    Raises
    ------
    UserError
        When there is no C compiler, or compilation fails.
    """

    def __init__(self, source: Path, *flags: str):
        library = build_library(source, *flags)
        self.model = _Model.in_dll(library, f"groupcomm_{source.stem}")
        self.width = self.model.inputs
        self._memory = self._allocate(self.model.memory_bytes)
        self.reset()

    def with_own_state(self) -> "Static":
        """Return a copy that shares the program and has a new state."""
        other = copy.copy(self)
        other._memory = self._allocate(self.model.memory_bytes)
        other.reset()
        return other

    def _allocate(self, size: int) -> np.ndarray:
        return _aligned(size)

    def _invoke(self, frame):
        frame = frame.astype(np.int8, order="C", casting="safe")
        masks = np.empty((1, self.model.outputs), np.int8)
        self.model.run(self._memory.ctypes.data, frame.ctypes.data, masks.ctypes.data)
        return masks

    def reset(self):
        """Set the state to its initial value."""
        self.model.reset(self._memory.ctypes.data)


class Compiled:
    """A model as plain C that `model_source.compile_model` wrote, compiled for this machine.

    Parameters
    ----------
    written : dict
        The result of `model_source.compile_model`.
    *flags : str
        Further options of the compiler.
    """

    def __init__(self, written: dict, *flags: str):
        header, source = map(Path, written["files"])
        self._library = build_library(source, *flags)
        self._name, self._written = written["name"], written
        self._memory = _aligned(written["memory_bytes"])
        init = self._function("init")
        if init(ctypes.c_void_p(self._memory.ctypes.data), ctypes.c_size_t(self._memory.size)):
            raise UserError(f"{header}: {self._name}_init failed")

    def _function(self, what: str):
        return getattr(self._library, f"{self._name}_{what}")

    def reset(self) -> None:
        """Set the state to its initial value."""
        self._function("reset")(ctypes.c_void_p(self._memory.ctypes.data))

    def __call__(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Run the model once.

        Parameters
        ----------
        inputs : list of np.ndarray
            With the shapes and types of the model's inputs.

        Returns
        -------
        list of np.ndarray
            The outputs.
        """
        given = [
            np.ascontiguousarray(x, t["dtype"]).reshape(t["shape"])
            for x, t in zip(inputs, self._written["inputs"], strict=True)
        ]
        made = [np.empty(t["shape"], t["dtype"]) for t in self._written["outputs"]]
        buffers = [self._memory, *given, *made]
        self._function("invoke")(*(ctypes.c_void_p(x.ctypes.data) for x in buffers))
        return made
