"""Run a model that `model_source.compile_model` wrote on an emulated core."""

import dataclasses
import json
import subprocess
from pathlib import Path

import numpy as np

from convert.codegen import model_source
from convert.run import cycle_model, host_tools
from groupcomm.errors import UserError
from groupcomm.files import REPO, atomic_folder, scratch_folder

_ALIGNMENT = 8  # bytes, of every input and output in the firmware's files
_BUILD = """load("//micro/boards/cortex_m:network.bzl", "model_firmware")

model_firmware(
    name = "firmware",
    glue = "model_glue.h",
    header = "{name}.h",
    kernels = "//micro/kernels:{kernels}",
    source = "{name}.c",
)
"""


@dataclasses.dataclass(frozen=True)
class Run:
    """The result of a run.

    Attributes
    ----------
    outputs : list of np.ndarray [shape=(passes * invocations, ...)]
        In the order of the model.
    stack_bytes : int
        The deepest stack.
    counted : dict
        Instructions, see micro/boards/cortex_m/counter/counter.c.
    """

    outputs: list[np.ndarray]
    stack_bytes: int
    counted: dict


class Firmware:
    """Firmware with one model.

    Parameters
    ----------
    path : Path
        The `.tflite`.
    board : str
        Name of an emulated core, such as ``"cortex-m4"``.
    portable : bool
        Use the portable kernels, for comparison.

    Attributes
    ----------
    written : dict
        The result of `model_source.compile_model`.
    elf : Path
        The linked program.

    Raises
    ------
    UserError
        When the model cannot be compiled, or the firmware does not build.
    """

    def __init__(self, path: Path, board: str, *, portable: bool = False):
        name = model_source.program_name(path)
        folder = REPO / "build" / "bench" / f"model_{name}"
        with atomic_folder(folder) as part:
            self.written = model_source.compile_model(path, part)
            kernels = "kernels_portable" if portable else "kernels"
            (part / "model_glue.h").write_text(self._glue())
            (part / "BUILD").write_text(_BUILD.format(name=name, kernels=kernels))
        self.label = f"//build/bench/{folder.name}:firmware_{board.replace('-', '_')}"
        self._board = board
        self._program = host_tools.build(self.label)

    @property
    def elf(self) -> Path:
        """The linked program."""
        return Path(f"{self._program}.elf")

    def _glue(self) -> str:
        """Return the functions that give the model's functions one buffer for all inputs."""
        name, arguments, sizes = self.written["name"], [], []
        for buffer, const, tensors in (
            ("in", "const ", self.written["inputs"]),
            ("out", "", self.written["outputs"]),
        ):
            offsets, size = _layout(tensors)
            sizes.append(size)
            for offset, t in zip(offsets, tensors, strict=True):
                arguments.append(f"({const}{t['dtype']}_t*)(const void*)({buffer} + {offset})")
        return f"""#pragma once
#include "{name}.h"

constexpr int kMemoryBytes = {max(self.written["memory_bytes"], 16)};
constexpr int kInputBytes = {sizes[0]};
constexpr int kOutputBytes = {sizes[1]};

inline int ModelInit(void* memory, size_t bytes) {{ return {name}_init(memory, bytes); }}
inline void ModelReset(void* memory) {{ {name}_reset(memory); }}
inline void ModelInvoke(void* memory, const uint8_t* in, uint8_t* out) {{
  {name}_invoke(memory, {", ".join(arguments)});
}}
"""

    def run(self, inputs: list[np.ndarray], passes: int = 1, *, cycles: bool = False) -> Run:
        """Run the model on inputs, several times with a reset before each pass.

        Parameters
        ----------
        inputs : list of np.ndarray [shape=(invocations, ...)]
            In the order of the model.
        passes : int
        cycles : bool
            Count the cycles of the model of the core, too (`cycle_model`).

        Returns
        -------
        Run

        Raises
        ------
        UserError
            When the firmware fails.
        """
        with scratch_folder() as scratch:
            _pack(inputs, self.written["inputs"]).tofile(scratch / "inputs")
            command = [self._program, "--count", scratch / "count"]
            command += ["--within", f"{self.written['name']}_invoke"]
            if cycles:
                cycle_model.write(scratch / "costs", self.elf, self._board)
                command += ["--costs", scratch / "costs"]
            command += [scratch / "inputs", scratch / "outputs", str(passes)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                reason = done.stderr.strip() or f"ended with code {done.returncode}"
                raise UserError(f"{self.label}: {reason}")
            outputs = _unpack(np.fromfile(scratch / "outputs", np.uint8), self.written["outputs"])
            counted = json.loads((scratch / "count").read_text())
        return Run(outputs, json.loads(done.stdout)["stack_used"], counted)


def _layout(tensors: list[dict]) -> tuple[list[int], int]:
    """Return the offset of each tensor in a record, and the bytes of the record."""
    offsets, at = [], 0
    for t in tensors:
        offsets.append(at)
        at += -(-t["bytes"] // _ALIGNMENT) * _ALIGNMENT
    return offsets, at


def _pack(values: list[np.ndarray], tensors: list[dict]) -> np.ndarray:
    """Return records [shape=(invocations, bytes), dtype=uint8]."""
    offsets, size = _layout(tensors)
    records = np.zeros((len(values[0]), size), np.uint8)
    for x, at, t in zip(values, offsets, tensors, strict=True):
        rows = np.ascontiguousarray(x, t["dtype"]).reshape(len(x), -1).view(np.uint8)
        records[:, at : at + rows.shape[1]] = rows
    return records


def _unpack(content: np.ndarray, tensors: list[dict]) -> list[np.ndarray]:
    offsets, size = _layout(tensors)
    records = content.reshape(-1, size)
    found = []
    for at, t in zip(offsets, tensors, strict=True):
        rows = np.ascontiguousarray(records[:, at : at + t["bytes"]])
        found.append(rows.view(t["dtype"]).reshape(len(records), *t["shape"]))
    return found
