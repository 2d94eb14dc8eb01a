"""Write a bundle as plain C, for `groupcomm compile`.

The C code needs no interpreter, no flatbuffer and no C++ runtime. It consists of constants, a
memory plan, and calls of the kernels in `micro/kernels`, and computes the same bits as the official
TFLM.

A model can be compiled if all of its operators have a kernel and its only input and output are the
features and masks of the bundle.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from pathlib import Path

import numpy as np

from convert import contract
from convert.bundle import Bundle
from convert.codegen import planner
from convert.tflite import flatbuffer, graph, kernel_params
from convert.tflite.graph import Operator, Tensor
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder

# Fields of the kernels' parameters that hold weights and biases.
_WEIGHTS = ("weights", "bias", "input_weights", "recurrent_weights", "input_bias")
_C_TYPES = {
    np.dtype(np.int8): "int8_t",
    np.dtype(np.int16): "int16_t",
    np.dtype(np.int32): "int32_t",
    np.dtype(np.float32): "float",
}


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
        self._defined: set[str] = set()  # names of arrays
        model = flatbuffer.read(bundle.model, str(bundle.path))
        if len(model.graphs) != 1:
            raise UserError(
                f"{bundle.path}: the model has {len(model.graphs)} graphs; "
                "use a network without control flow, which has one"
            )
        network = model.graph
        self._kernels = {op: kernel_params.prepare(op) for op in network.operators}
        self._roots: dict[Tensor, Tensor] = {}  # a RESHAPE's output is in the memory of its input
        for op in network.operators:
            if isinstance(op, graph.Reshape):
                self._roots[op.output] = self._root(op.input)
        self._boundary = {
            self._root(t): what
            for ts, what in ((network.inputs, "features"), (network.outputs, "masks"))
            for t in ts
        }
        if len(self._boundary) != 2 or len(network.inputs) != 1 or len(network.outputs) != 1:
            raise UserError(
                f"{bundle.path}: the model does not have one input and one output; "
                "convert the network again"
            )
        for t, what in self._boundary.items():
            if t.dtype != "int8":
                raise UserError(
                    f"{bundle.path}: the model's {what} are not int8; convert the network again"
                )
        self._placement = planner.place(
            network,
            self._kernels,
            self._roots
            | dict.fromkeys(self._boundary)
            | {t: None for t, root in self._roots.items() if root in self._boundary},
        )
        self.state_bytes = self._placement.state_bytes
        self.arena_bytes = self._placement.arena_bytes
        self.unplanned_bytes = self._placement.unplanned_bytes
        numbered = list(enumerate(network.operators))
        self._calls = [self._call(number, op) for number, op in numbered]
        self._network_count = len(self._definitions)
        self._array("analysis", bundle.signal.analysis_window())
        self._array("feature_thresholds", _feature_thresholds(bundle))
        self._resets = [
            self._reset(op, state)
            for op in network.operators
            for state in network.persistent_states(op)
        ]

    def _root(self, t: Tensor) -> Tensor:
        return self._roots.get(t, t)

    def _address(self, t: Tensor) -> str:
        """Return a C expression for the address of a tensor, as bytes if it is in memory."""
        t = self._root(t)
        if t in self._boundary:
            return self._boundary[t]
        if t.data is not None:
            return self._array(f"tensor_{t.index}", t.data, weights=True)
        return f"m + {self._placement.offsets[t]}"

    def _argument(self, t: Tensor) -> str:
        """Return a C expression for the address of a tensor, with the type of its elements."""
        at = self._address(t)
        return f"(int16_t*)(void*)({at})" if t.dtype == "int16" and at.startswith("m +") else at

    def _array(self, name: str, values: np.ndarray, *, weights: bool = False) -> str:
        """Define a constant array, unless it is defined already; return its name."""
        if name not in self._defined:
            self._defined.add(name)
            self.weight_bytes += values.nbytes if weights else 0
            flat = [str(v) for v in values.ravel().tolist()]
            lines = textwrap.fill(", ".join(flat), 138, initial_indent="  ", subsequent_indent="  ")
            size, shape = values.size, ", ".join(map(str, values.shape))
            self._definitions.append(
                f"static const _Alignas(4) {_C_TYPES[values.dtype]} {name}[{size}] = "
                f"{{ /* ({shape}) */\n{lines}}};"
            )
        return name

    def _struct(self, name: str, value) -> str:
        """Return the initializer of a kernel's parameters, and define the arrays in it."""
        parts = []
        for field in dataclasses.fields(value):
            v = getattr(value, field.name)
            if isinstance(v, np.ndarray):
                v = self._array(f"{name}_{field.name}", v, weights=field.name in _WEIGHTS)
            elif v is None:
                v = "0"
            elif dataclasses.is_dataclass(v):
                v = self._struct(f"{name}_{field.name}", v)
            parts.append(f".{field.name} = {v}")
        return "{" + ", ".join(parts) + "}"

    def _call(self, number: int, op: Operator) -> list[str]:
        """Return the C lines that run an operator, and define its constants."""
        if isinstance(op, graph.Reshape):
            return []
        p = self._kernels[op]
        operands = [op.a, op.b] if isinstance(op, graph.Binary) else [op.inputs[0]]
        shapes = " x ".join(str(t.shape) for t in operands)
        lines = [f"  /* {number} {op.name}: {shapes} to {op.output.shape} */"]
        if isinstance(op, graph.Move):
            return lines + [
                self._copy(t, copy, op.output)
                for t, copy in zip(op.inputs[: len(p)], p, strict=True)
            ]
        name, out = f"{op.name.lower()}_{number}", self._argument(op.output)
        if isinstance(p, kernel_params.Lookup):
            table = self._array(name, p.table)
            return [
                *lines,
                f"  gc_lookup_s8({table}, {p.count}, {self._address(op.input)}, {out});",
            ]
        arguments = [self._argument(t) for t in (*operands, *op.states)]
        arguments.append(out)
        if op in self._placement.scratch:
            arguments.append(f"m + {self._placement.scratch[op]}")
        kind = re.sub(r"(?<!^)(?=[A-Z])", "_", type(p).__name__).lower()
        self._definitions.append(f"static const gc_{kind} {name} = {self._struct(name, p)};")
        function = kernel_params.function(op, p)
        return [*lines, f"  {function}(&{name}, {', '.join(arguments)});"]

    def _copy(self, source: Tensor, copy: kernel_params.Copy, output: Tensor) -> str:
        of, to = self._address(source), f"{self._address(output)} + {copy.offset}"
        if of.startswith("tensor_") and source.dtype == "int16":
            of = f"(const int8_t*){of}"
        return f"  gc_copy_s8({copy.rows}, {copy.columns}, {of}, {to}, {copy.stride});"

    def _reset(self, op: Operator, state: Tensor) -> str:
        """Return the C line that sets a state to its initial value."""
        is_hidden = state is op.state.hidden
        value, what = (state.zero_point, "hidden") if is_hidden else (0, "cells, int16")
        at = self._address(state)
        return f"  memset({at}, {value}, {state.byte_size}); /* {state.shape} {what} */"

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
