"""Write a bundle as plain C, for `groupcomm compile`.

The C code needs no interpreter, no flatbuffer and no C++ runtime. It consists of constants, a
memory plan, and calls of the kernels in `micro/kernels`, and computes the same bits as the official
TFLM.

The network is in `network_source`. Here is what a bundle adds: the signal path around the network,
whose only input and output are features and masks.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np

from convert import contract
from convert.bundle import Bundle
from convert.codegen import network_source
from convert.codegen.network_source import Constants, NetworkSource
from convert.tflite import flatbuffer, graph
from convert.tflite.graph import Tensor
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder


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
        "state_bytes": c.network.placement.state_bytes,
        "arena_bytes": c.network.placement.arena_bytes,
        "unplanned_bytes": c.network.placement.unplanned_bytes,
        "operator_lines": operator_lines,
        "sizes": c.sizes(),
    }


def memory_plan(bundle: Bundle) -> dict:
    """Describe the memory of a bundle's C code, without writing it.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    dict
        ``state_bytes``, ``arena_bytes``, ``unplanned_bytes``; ``weight_bytes``, a list with those
        of every operator; and ``buffers``, those of the arena, each with ``name``, ``size``,
        ``offset`` (after the states), and the numbers of its ``first`` and ``last`` operator.

    Raises
    ------
    UserError
        As `compile_bundle`.
    """
    network = _Program(bundle).network
    plan = network.placement
    return {
        "state_bytes": plan.state_bytes,
        "arena_bytes": plan.arena_bytes,
        "unplanned_bytes": plan.unplanned_bytes,
        "weight_bytes": network.weight_bytes,
        "buffers": [
            {"name": owner.name if isinstance(owner, Tensor) else f"scratch of {owner.name}"}
            | dataclasses.asdict(buffer)
            for owner, buffer in plan.buffers.items()
        ],
    }


class _Program:
    """A bundle as C: its signal path, and its network."""

    def __init__(self, bundle: Bundle):
        self.bundle = bundle
        self.name = re.sub(r"\W", "_", bundle.name)
        model = flatbuffer.read(bundle.model, str(bundle.path))
        if len(model.graphs) != 1:
            raise UserError(
                f"{bundle.path}: the model has {len(model.graphs)} graphs; "
                "use a network without control flow, which has one"
            )
        self.network = NetworkSource(model.graph, self._boundary(model.graph))
        self.weight_bytes = self.network.constants.weight_bytes
        self._signal = Constants()
        self._signal.array("analysis", bundle.signal.analysis_window())
        if not bundle.signal.waveform:
            self._signal.array("feature_thresholds", _feature_thresholds(bundle))

    def _boundary(self, network: graph.Graph) -> dict[Tensor, str]:
        """Return the C names of the features and the masks."""
        tensors = (*network.inputs, *network.outputs)
        if len(tensors) != 2 or tensors[0] is tensors[1]:
            raise UserError(
                f"{self.bundle.path}: the model does not have one input and one output; "
                "convert the network again"
            )
        names = dict(zip(tensors, ("features", "masks"), strict=True))
        for t, what in names.items():
            if t.dtype != "int8":
                raise UserError(
                    f"{self.bundle.path}: the model's {what} are not int8; "
                    "convert the network again"
                )
        return names

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
        bytes_of = (signal.window, sources, inputs, outputs, row, means, self.network.memory_bytes)
        return {
            "SAMPLE_RATE": signal.sample_rate,
            "WINDOW": signal.window,
            "HOP": signal.hop,
            "SOURCES": sources,
            "INPUTS": inputs,
            "OUTPUTS": outputs,
            "MEMORY_BYTES": self.network.memory_bytes,
            "BYTES": f"GROUPCOMM_STATE_BYTES({', '.join(map(str, bytes_of))})",
        }

    def source(self) -> tuple[str, list[tuple[int, int] | None]]:
        """Return the text of NAME.c, and the first and last line of every operator in it."""
        placed = self.network.placement
        network, signal = (
            "\n".join(constants.definitions) for constants in (self.network.constants, self._signal)
        )
        resets = "\n".join(self.network.resets)
        before = f"""/* {self.bundle.name} as plain C, generated by `groupcomm compile`.
   Memory: {placed.state_bytes} bytes of state, then {placed.arena_bytes} bytes of activations.
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
        lines = network_source.operator_lines(before, self.network.calls)
        calls = "\n".join(line for call in self.network.calls for line in call)
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
                unused = field.name == "feature_thresholds" and self.bundle.signal.waveform
                value = "0" if unused else field.name
            elif field.name == "sources":
                value = str(self.bundle.sources)
            else:
                number = getattr(self.bundle.signal, field.name)
                value = c_float(number) if field.type == "float" else str(int(number))
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
