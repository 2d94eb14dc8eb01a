"""Write a bundle as plain C, for `groupcomm compile`.

The C code needs no interpreter, no flatbuffer and no C++ runtime. It consists of constants, a
memory plan, and calls of the kernels in `micro/kernels`, and computes the same bits as the official
TFLM.

A model can be compiled if all of its operators have a kernel and its only input and output are the
features and masks of the bundle.
"""

from __future__ import annotations

import dataclasses
import math
import re
import textwrap
from pathlib import Path

import numpy as np

from convert import contract
from convert.bundle import Bundle
from convert.tflite import counts, kernel_params
from convert.tflite.schema import schema
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder

ALIGNMENT = 8  # bytes, of every tensor: Helium code and the LSTM's scratch access whole words
# Fields of the kernels' parameters that hold weights and biases.
_WEIGHTS = ("weights", "bias", "input_weights", "recurrent_weights", "input_bias")
_C_TYPES = {
    np.dtype(np.int8): "int8_t",
    np.dtype(np.int16): "int16_t",
    np.dtype(np.int32): "int32_t",
    np.dtype(np.float32): "float",
}


@dataclasses.dataclass(frozen=True)
class _Op:
    """An operator: its tensors, the parameters of its kernel, and the kernel's name in C."""

    name: str
    inputs: list[int]
    outputs: list[int]
    kernel: object
    function: str


@dataclasses.dataclass
class Buffer:
    """A buffer in a planned memory.

    Attributes
    ----------
    size : int
        Bytes.
    first, last : int
        Index of the first and the last operator that uses it.
    offset : int
        Where `plan` put it, in bytes.
    """

    size: int
    first: int
    last: int
    offset: int = -1


def plan(buffers: list[Buffer]) -> int:
    """Give every buffer an offset such that buffers in use at the same time do not overlap.

    The largest buffers are placed first, each at the lowest offset that is free during its whole
    lifetime.

    Parameters
    ----------
    buffers : list of Buffer
        Their offsets are set.

    Returns
    -------
    int
        Bytes of the whole memory.

    References
    ----------
    Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020, section 5:
    greedy by size, which TFLM also uses.
    """
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda b: -b.size):
        size, at = _align(buffer.size), 0
        for other in sorted(placed, key=lambda b: b.offset):
            alive = other.first <= buffer.last and buffer.first <= other.last
            if alive and at < other.offset + _align(other.size):
                if at + size <= other.offset:
                    break
                at = other.offset + _align(other.size)
        buffer.offset = at
        placed.append(buffer)
    return max((b.offset + _align(b.size) for b in placed), default=0)


def compile_bundle(bundle: Bundle, folder: Path) -> dict:
    """Write a bundle as ``NAME.c`` and ``NAME.h``; the folder appears whole or not at all.

    Parameters
    ----------
    bundle : Bundle
    folder : Path
        Where the files go.

    Returns
    -------
    dict
        ``name`` (a C identifier), ``files``, ``weight_bytes`` (int8 weights and int32 biases),
        ``state_bytes``, ``arena_bytes`` (activations and scratch, as planned) and
        ``unplanned_bytes`` (the same without overlap), and ``operator_lines``: the first and the
        last line of NAME.c of every operator of the graph, in its order, or None; and ``sizes``,
        the constants of NAME.h.

    Raises
    ------
    UserError
        When an operator has no kernel. The message names the operator and its output tensor.
    """
    c = _Program(bundle)
    with atomic_folder(folder) as part:
        (part / f"{c.name}.h").write_text(c.header())
        source, operator_lines = c.source()
        (part / f"{c.name}.c").write_text(source)
    return {
        "name": c.name,
        "files": [str(folder / f"{c.name}.{suffix}") for suffix in ("h", "c")],
        "weight_bytes": c.weight_bytes,
        "state_bytes": c.state_bytes,
        "arena_bytes": c.arena_bytes,
        "unplanned_bytes": c.unplanned_bytes,
        "operator_lines": operator_lines,
        "sizes": c.sizes(),
    }


class _Program:
    """A model as C: definitions of constants, then calls in the order of the graph."""

    def __init__(self, bundle: Bundle):
        self.bundle = bundle
        self.name = re.sub(r"\W", "_", bundle.name)
        self.weight_bytes = 0
        self._definitions: list[str] = []
        model = schema.ModelT.InitFromPackedBuf(bundle.model, 0)
        if len(model.subgraphs) != 1:
            raise UserError(
                f"{bundle.path}: the model has {len(model.subgraphs)} graphs; "
                "use a network without control flow, which has one"
            )
        graph = model.subgraphs[0]
        self._tensors, self._data = graph.tensors, model.buffers
        ops = []
        for op in graph.operators:
            name, kernel = (
                counts.operator_name(model.operatorCodes[op.opcodeIndex]),
                kernel_params.prepare(model, op),
            )
            ops.append(
                _Op(
                    name,
                    list(op.inputs),
                    list(op.outputs),
                    kernel,
                    kernel_params.function(model, op, kernel),
                )
            )
        self._aliases = {}  # the output of a RESHAPE shares the memory of its input
        for op in ops:
            if op.name == "RESHAPE":
                self._aliases[op.outputs[0]] = self._root(op.inputs[0])
        self._boundary = {
            self._root(graph.inputs[0]): "features",
            self._root(graph.outputs[0]): "masks",
        }
        if len(self._boundary) != 2 or len(graph.inputs) != 1 or len(graph.outputs) != 1:
            raise UserError(
                f"{bundle.path}: the model does not have one input and one output; "
                "convert the network again"
            )
        for tensor, what in ((graph.inputs[0], "features"), (graph.outputs[0], "masks")):
            if self._tensors[tensor].type != schema.TensorType.INT8:
                raise UserError(
                    f"{bundle.path}: the model's {what} are not int8; convert the network again"
                )
        self._persistent = counts.persistent_states(model)
        self._place(ops)
        self._calls = [self._call(number, op) for number, op in enumerate(ops)]
        self._network_count = len(self._definitions)
        self._array("analysis", bundle.signal.analysis_window())
        self._array("feature_thresholds", _feature_thresholds(bundle))
        self._resets = [line for number, op in enumerate(ops) for line in self._reset(number, op)]

    def _root(self, tensor: int) -> int:
        return self._aliases.get(tensor, tensor)

    def _place(self, ops: list[_Op]) -> None:
        """Place the states first, then the activations and the scratch of LSTMs, with overlap."""
        self._offsets: dict[int, int] = {}
        at = 0
        lives: dict[int, Buffer] = {}
        self._scratch: dict[int, Buffer] = {}
        for number, op in enumerate(ops):
            lstm = op.kernel if isinstance(op.kernel, kernel_params.Lstm) else None
            states = self._persistent[number]
            for tensor in states:
                self._offsets[tensor] = at
                at += _align(self._bytes(tensor))
            if lstm:
                self._scratch[number] = Buffer(lstm.scratch_bytes, number, number)
            for tensor in map(self._root, op.inputs + op.outputs):
                if (
                    tensor < 0
                    or tensor in states
                    or tensor in self._boundary
                    or self._values(tensor) is not None
                ):
                    continue
                lives.setdefault(tensor, Buffer(self._bytes(tensor), number, number)).last = number
        self.state_bytes = at
        buffers = [*lives.values(), *self._scratch.values()]
        self.arena_bytes = plan(buffers)
        self.unplanned_bytes = sum(_align(b.size) for b in buffers)
        for buffer in buffers:
            buffer.offset += self.state_bytes
        self._offsets |= {tensor: buffer.offset for tensor, buffer in lives.items()}

    def _shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(int(n) for n in self._tensors[tensor].shape)

    def _bytes(self, tensor: int) -> int:
        return math.prod(self._shape(tensor)) * (2 if self._is_int16(tensor) else 1)

    def _values(self, tensor: int) -> np.ndarray | None:
        """Return the values of a constant tensor, int8 or int16; None for another tensor."""
        data = self._data[self._tensors[tensor].buffer].data
        dtype = np.int16 if self._is_int16(tensor) else np.int8
        return None if data is None else np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype)

    def _is_int16(self, tensor: int) -> bool:
        return self._tensors[tensor].type == schema.TensorType.INT16

    def _address(self, tensor: int) -> str:
        """Return a C expression for the address of a tensor, as bytes if it is in memory."""
        tensor = self._root(tensor)
        if tensor in self._boundary:
            return self._boundary[tensor]
        values = self._values(tensor)
        if values is None:
            return f"m + {self._offsets[tensor]}"
        self.weight_bytes += values.nbytes
        return self._array(f"tensor_{tensor}", values)

    def _argument(self, tensor: int) -> str:
        """Return a C expression for the address of a tensor, with the type of its elements."""
        at = self._address(tensor)
        return f"(int16_t*)(void*)({at})" if self._is_int16(tensor) and at.startswith("m +") else at

    def _array(self, name: str, values: np.ndarray) -> str:
        """Define a constant array; return its name."""
        flat = [str(v) for v in values.ravel().tolist()]
        lines = textwrap.fill(", ".join(flat), 138, initial_indent="  ", subsequent_indent="  ")
        shape = ", ".join(map(str, values.shape))
        self._definitions.append(
            f"static const _Alignas(4) {_C_TYPES[values.dtype]} {name}[{values.size}] = "
            f"{{ /* ({shape}) */\n{lines}}};"
        )
        return name

    def _struct(self, name: str, value) -> str:
        """Return the initializer of a kernel's parameters, and define the arrays in it."""
        parts = []
        for field in dataclasses.fields(value):
            v = getattr(value, field.name)
            if isinstance(v, np.ndarray):
                self.weight_bytes += v.nbytes if field.name in _WEIGHTS else 0
                v = self._array(f"{name}_{field.name}", v)
            elif v is None:
                v = "0"
            elif dataclasses.is_dataclass(v):
                v = self._struct(f"{name}_{field.name}", v)
            parts.append(f".{field.name} = {v}")
        return "{" + ", ".join(parts) + "}"

    def _call(self, number: int, op: _Op) -> list[str]:
        if op.name == "RESHAPE":
            return []
        p, out = op.kernel, self._argument(op.outputs[0])
        shapes = " x ".join(
            str(self._shape(t))
            for t in op.inputs[: 2 if isinstance(p, kernel_params.Add | kernel_params.Mul) else 1]
        )
        lines = [f"  /* {number} {op.name}: {shapes} to {self._shape(op.outputs[0])} */"]
        if isinstance(p, list):  # copies
            for tensor, copy in zip(op.inputs[: len(p)], p, strict=True):
                of, to = self._address(tensor), f"{self._address(op.outputs[0])} + {copy.offset}"
                of = (
                    f"(const int8_t*){of}"
                    if of.startswith("tensor_") and self._is_int16(tensor)
                    else of
                )
                lines.append(
                    f"  gc_copy_s8({copy.rows}, {copy.columns}, {of}, {to}, {copy.stride});"
                )
            return lines
        name = f"{op.name.lower()}_{number}"
        if isinstance(p, kernel_params.Lookup):
            return [
                *lines,
                f"  gc_lookup_s8({self._array(name, p.table)}, {p.count}, "
                f"{self._address(op.inputs[0])}, {out});",
            ]
        kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(p).__name__).lower()
        self._definitions.append(f"static const gc_{kind} {name} = {self._struct(name, p)};")
        arguments = [
            self._argument(t)
            for t in op.inputs[: 2 if isinstance(p, kernel_params.Add | kernel_params.Mul) else 1]
        ]
        if isinstance(p, kernel_params.Lstm):
            states = (contract.LSTM.hidden_state, contract.LSTM.cell_state)
            arguments += [self._argument(op.inputs[i]) for i in states]
        arguments.append(out)
        if isinstance(p, kernel_params.Lstm):
            arguments.append(f"m + {self._scratch[number].offset}")
        return [*lines, f"  {op.function}(&{name}, {', '.join(arguments)});"]

    def _reset(self, number: int, op: _Op) -> list[str]:
        lines = []
        for tensor in self._persistent[number]:
            value, what = (
                (op.kernel.zero_point, "hidden")
                if tensor == op.inputs[contract.LSTM.hidden_state]
                else (0, "cells, int16")
            )
            lines.append(
                f"  memset({self._address(tensor)}, {value}, {self._bytes(tensor)}); "
                f"/* {self._shape(tensor)} {what} */"
            )
        return lines

    def header(self) -> str:
        """Return the text of NAME.h."""
        prefix = f"GROUPCOMM_{self.name.upper()}"
        defines = "\n".join(
            f"#define {prefix}_{key} {value}" for key, value in self.sizes().items()
        )
        return f"""/* {self.bundle.name} as plain C, generated by `groupcomm compile`. */
#ifndef {prefix}_H_
#define {prefix}_H_

#include "micro/contract/static_model.h"
#include "micro/include/groupcomm.h"

{defines}

#ifdef __cplusplus
extern "C" {{
#endif

extern const gc_model groupcomm_{self.name};

#ifdef __cplusplus
}}
#endif

#endif /* {prefix}_H_ */
"""

    def sizes(self) -> dict[str, int | str]:
        """Return the constants of the header, by name without the prefix."""
        signal, sources = self.bundle.signal, self.bundle.sources
        inputs, outputs = signal.n_features, sources * signal.n_values
        row = signal.n_values + 2 * signal.neighbours if signal.neighbours else 0
        means = signal.window // signal.hop if signal.dc else 0
        bytes_of = (signal.window, sources, inputs, outputs, row, means, self._memory_bytes)
        return {
            "SAMPLE_RATE": signal.sample_rate,
            "WINDOW": signal.window,
            "HOP": signal.hop,
            "SOURCES": sources,
            "INPUTS": inputs,
            "OUTPUTS": outputs,
            "MEMORY_BYTES": self._memory_bytes,
            "BYTES": f"GROUPCOMM_STATE_BYTES({', '.join(map(str, bytes_of))})",
        }

    @property
    def _memory_bytes(self) -> int:
        return -(-(self.state_bytes + self.arena_bytes) // 16) * 16

    def source(self) -> tuple[str, list[tuple[int, int] | None]]:
        """Return the text of NAME.c, and the first and last line of every operator in it."""
        definitions = {
            "network": self._definitions[: self._network_count],
            "signal": self._definitions[self._network_count :],
        }
        network, signal = ("\n".join(definitions[key]) for key in ("network", "signal"))
        resets = "\n".join(self._resets)
        before = f"""/* {self.bundle.name} as plain C, generated by `groupcomm compile`.
   Memory: {self.state_bytes} bytes of state, then {self.arena_bytes} bytes of activations.
   Activations that are not in use at the same time share memory.
   With GROUPCOMM_ENGINE_TFLM, this file has the signal path only: the network is in the .tflite. */
#include "{self.name}.h"

#include <string.h>

#include "micro/kernels/kernels.h"

{signal}

#ifndef GROUPCOMM_ENGINE_TFLM

{network}

static void reset(void* memory) {{
  int8_t* m = memory;
{resets}
}}

static void run(void* memory, const int8_t* features, int8_t* masks) {{
  int8_t* m = memory;
"""
        lines: list[tuple[int, int] | None] = []
        at = before.count("\n") + 1
        for call in self._calls:
            lines.append((at, at + len(call) - 1) if call else None)
            at += len(call)
        calls = "\n".join(line for call in self._calls for line in call)
        model = self._struct_fields(contract.MODEL, self._model_values(), "    ")
        after = f"""
}}

#endif

const gc_model groupcomm_{self.name} = {{
{model}
}};
"""
        return before + calls + after, lines

    def _model_values(self) -> dict[str, str]:
        """Return the C initializer of every field of gc_model."""
        d, sizes = self.bundle.description, self.sizes()
        path = self._struct_fields(contract.SIGNAL_PATH, self._path_values(), "        ")
        return {
            "name": f'"{self.name}"',
            "model_crc32": f"{d['model']['crc32']}u",
            "signal": f"{{\n{path}\n    }}",
            "inputs": str(sizes["INPUTS"]),
            "outputs": str(sizes["OUTPUTS"]),
            "memory_bytes": str(sizes["MEMORY_BYTES"]),
            "reset": "reset",
            "run": "run",
        }

    def _path_values(self) -> dict[str, str]:
        """Return the C initializer of every field of gc_signal_path."""
        d, values = self.bundle.description, {}
        for field in contract.SIGNAL_PATH:
            if field.rule == "quantization":
                scale, zero_point = d[field.bundle]["scale"], d[field.bundle]["zero_point"]
                value = f"{{.scale = {c_float(scale)}, .zero_point = {zero_point}}}"
            elif field.rule == "table":
                value = field.name
            elif field.name == "sources":
                value = str(self.bundle.sources)
            else:
                number = getattr(self.bundle.signal, field.name)
                value = c_float(number) if field.type == "float" else str(number)
            values[field.name] = value
        return values

    def _struct_fields(
        self, fields: list[contract.Field], values: dict[str, str], indent: str
    ) -> str:
        lines = []
        for field in fields:
            line = f"{indent}.{field.name} = {values[field.name]},"
            if "(*)" in field.type:
                line = f"#ifndef GROUPCOMM_ENGINE_TFLM\n{line}\n#endif"
            lines.append(line)
        return "\n".join(lines)


def c_float(x: float) -> str:
    """Format a number as a C literal of type float."""
    return f"{float(np.float32(x))!r}f"


def _feature_thresholds(bundle: Bundle) -> np.ndarray:
    """Compute the thresholds of `StreamTables` in micro/stream/tables.h.

    Returns
    -------
    np.ndarray [shape=(255,), dtype=int32]
        Bits of the float32 power from which a feature is i - 127 or more.
    """
    d = bundle.description["features"]
    scales = (
        np.arange(contract.FEATURE_THRESHOLDS) - 127 - d["zero_point"]
    )  # the real value in units of the scale
    power = np.maximum(scales - 0.5, 0) * np.float64(np.float32(d["scale"]))
    power **= 2 / np.float64(np.float32(bundle.signal.exponent))
    near = power.astype(np.float32)
    return np.where(scales > 0, near.view(np.int32) + (near < power), 0).astype(np.int32)


def _align(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
