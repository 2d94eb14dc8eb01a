"""A graph as C: constants, a memory plan, calls of the kernels, and the lines that reset its state.

`c_source` adds the signal path of a bundle to it, `model_source` makes a program of any `.tflite`.
"""

from __future__ import annotations

import dataclasses
import textwrap

import numpy as np

from convert.codegen import planner
from convert.tflite import graph, kernel_params
from convert.tflite.graph import Operator, Tensor

# Fields of the kernels' parameters that hold weights and biases.
_WEIGHTS = ("weights", "bias", "input_weights", "recurrent_weights", "input_bias")
_WEIGHTS += ("feature_weights", "time_weights")
C_TYPES = {
    np.dtype(np.int8): "int8_t",
    np.dtype(np.uint8): "uint8_t",
    np.dtype(np.int16): "int16_t",
    np.dtype(np.int32): "int32_t",
    np.dtype(np.float32): "float",
}


class Constants:
    """Definitions of constant arrays, each of them once.

    Attributes
    ----------
    definitions : list of str
        In C.
    weight_bytes : int
        Bytes of the arrays that hold weights and biases.
    """

    def __init__(self) -> None:
        self.definitions: list[str] = []
        self.weight_bytes = 0
        self._defined: set[str] = set()

    def array(self, name: str, values: np.ndarray, *, weights: bool = False) -> str:
        """Define a constant array, unless it is defined already; return its name."""
        if name not in self._defined:
            self._defined.add(name)
            self.weight_bytes += values.nbytes if weights else 0
            flat = [str(v) for v in values.ravel().tolist()]
            lines = textwrap.fill(", ".join(flat), 138, initial_indent="  ", subsequent_indent="  ")
            size, shape = values.size, ", ".join(map(str, values.shape))
            self.definitions.append(
                f"static const _Alignas(4) {C_TYPES[values.dtype]} {name}[{size}] = "
                f"{{ /* ({shape}) */\n{lines}}};"
            )
        return name

    def struct(self, name: str, value) -> str:
        """Return the initializer of a kernel's parameters, and define the arrays in it."""
        parts = []
        for field in dataclasses.fields(value):
            v = getattr(value, field.name)
            if isinstance(v, np.ndarray):
                v = self.array(f"{name}_{field.name}", v, weights=field.name in _WEIGHTS)
            elif v is None:
                v = "0"
            elif dataclasses.is_dataclass(v):
                v = self.struct(f"{name}_{field.name}", v)
            parts.append(f".{field.name} = {v}")
        return "{" + ", ".join(parts) + "}"


class NetworkSource:
    """The network of a `.tflite` as C.

    Parameters
    ----------
    network : graph.Graph
        Without control flow and resource variables, see `convert.tflite.variables`.
    boundary : dict of Tensor to str
        C expressions of the buffers of its inputs and outputs, which the caller owns. All other
        tensors are in the network's memory.
    initial : dict of Tensor to np.ndarray
        Values of states after a reset. All others are 0, as real values.

    Attributes
    ----------
    constants : Constants
    calls : list of list of str
        The C lines of every operator, in the order of the graph.
    resets : list of str
        The C lines that set the state in memory ``m`` to its initial value.
    placement : planner.Placement
    weight_bytes : list of int
        Bytes of the weights and biases of every operator; shared ones count for the first.

    Raises
    ------
    UserError
        When an operator has no kernel. The message names the operator and its output tensor.
    """

    def __init__(
        self,
        network: graph.Graph,
        boundary: dict[Tensor, str],
        initial: dict[Tensor, np.ndarray] | None = None,
    ):
        self.constants = Constants()
        self._kernels = kernel_params.prepare_all(network.operators)
        self._boundary = dict(boundary)
        self._roots = self._shared(network)
        self.placement = planner.place(network, self._kernels, self._planned_roots())
        self.calls, self.weight_bytes = [], []
        for number, op in enumerate(network.operators):
            before = self.constants.weight_bytes
            self.calls.append(self._call(number, op))
            self.weight_bytes.append(self.constants.weight_bytes - before)
        states = (s for op in network.operators for s in network.persistent_states(op))
        self.resets = [self._reset(state, initial or {}) for state in dict.fromkeys(states)]

    @property
    def memory_bytes(self) -> int:
        """Bytes of the network's memory: the state, then activations and scratch."""
        return -(-(self.placement.state_bytes + self.placement.arena_bytes) // 16) * 16

    def _shared(self, network: graph.Graph) -> dict[Tensor, Tensor]:
        """Return the tensor in whose memory the output of a RESHAPE is.

        An output of the network that shares memory with another tensor moves that one to the
        caller's buffer. A RESHAPE copies where that is not possible, and into or from a state.
        """
        roots: dict[Tensor, Tensor] = {}
        owned = set(self._boundary)
        for op in network.operators:
            if not isinstance(op, graph.Reshape):
                continue
            if op.input.is_variable or op.output.is_variable:
                continue
            root = roots.get(op.input, op.input)
            if op.output not in self._boundary:
                roots[op.output] = root
            elif root not in owned and root.data is None:
                self._boundary[root] = self._boundary[op.output]
                owned.add(root)
                roots[op.output] = root
        return roots

    def _planned_roots(self) -> dict[Tensor, Tensor | None]:
        """Return `_roots`, with None for tensors in buffers of the caller."""
        outside = {t: None for t, root in self._roots.items() if root in self._boundary}
        return self._roots | dict.fromkeys(self._boundary) | outside

    def _address(self, t: Tensor) -> str:
        """Return a C expression for the address of a tensor, as bytes if it is in memory."""
        t = self._roots.get(t, t)
        if t in self._boundary:
            return self._boundary[t]
        if t.data is not None:
            return self.constants.array(f"tensor_{t.index}", t.data, weights=True)
        return f"m + {self.placement.offsets[t]}"

    def _argument(self, t: Tensor) -> str:
        """Return a C expression for the address of a tensor, with the type of its elements."""
        at = self._address(t)
        return f"(int16_t*)(void*)({at})" if t.dtype == "int16" and at.startswith("m +") else at

    def _call(self, number: int, op: Operator) -> list[str]:
        """Return the C lines that run an operator, and define its constants."""
        if isinstance(op, graph.Reshape) and op.output in self._roots:
            return []
        p = self._kernels[op]
        operands = [op.a, op.b] if isinstance(op, graph.Binary) else [op.input]
        shapes = " x ".join(str(t.shape) for t in operands)
        lines = [f"  /* {number} {op.name}: {shapes} to {op.output.shape} */"]
        if isinstance(op, graph.Move):
            return lines + [self._move(op, part) for part in p]
        name, out = f"{op.name.lower()}_{number}", self._argument(op.output)
        if isinstance(p, kernel_params.Lookup):
            table = self.constants.array(name, p.table)
            of = self._bytes(op.input, "const int8_t*")
            to = self._bytes(op.output, "int8_t*")
            return [*lines, f"  gc_lookup_s8({table}, {p.count}, {of}, {to});"]
        arguments = [self._argument(t) for t in (*operands, *op.states)]
        arguments.append(out)
        if op in self.placement.scratch:
            arguments.append(f"m + {self.placement.scratch[op]}")
        kind = kernel_params.kind(p)
        fields = self.constants.struct(name, p)
        self.constants.definitions.append(f"static const gc_{kind} {name} = {fields};")
        function = kernel_params.function(op, p)
        return [*lines, f"  {function}(&{name}, {', '.join(arguments)});"]

    def _move(self, op: Operator, part: kernel_params.Copy | kernel_params.Fill) -> str:
        """Return the C line of one part of an operator that moves bytes."""
        if isinstance(part, kernel_params.Fill):
            return f"  memset({self._address(op.output)}, {part.value}, {part.count});"
        of = self._bytes(op.inputs[part.input], "const int8_t*")
        to = self._bytes(op.outputs[part.output], "int8_t*")
        return (
            f"  gc_copy_s8({part.rows}, {part.columns}, {of} + {part.in_offset}, "
            f"{part.in_stride}, {to} + {part.offset}, {part.stride});"
        )

    def _bytes(self, t: Tensor, pointer: str) -> str:
        """Return a C expression for the bytes of a tensor."""
        at = self._address(t)
        return at if t.dtype == "int8" or at.startswith("m +") else f"({pointer}){at}"

    def _reset(self, state: Tensor, initial: dict[Tensor, np.ndarray]) -> str:
        """Return the C line that sets a state to its initial value."""
        at, what = self._address(state), f"/* {state.shape} {state.dtype} */"
        values = initial.get(state, np.full(1, state.zero_point, state.dtype))
        every = np.frombuffer(values.tobytes(), np.uint8)
        if (every == every[0]).all():
            return f"  memset({at}, {every[:1].view(np.int8)[0]}, {state.byte_size}); {what}"
        name = self.constants.array(f"initial_{state.index}", values)
        return f"  memcpy({at}, {name}, {state.byte_size}); {what}"


def operator_lines(before: str, calls: list[list[str]]) -> list[tuple[int, int] | None]:
    """Return the first and the last line of every operator in a C file.

    Parameters
    ----------
    before : str
        The text before the calls.
    calls : list of list of str
        See `NetworkSource`.

    Returns
    -------
    list of tuple of int or None
        None for an operator without lines.
    """
    lines: list[tuple[int, int] | None] = []
    at = before.count("\n") + 1
    for call in calls:
        lines.append((at, at + len(call) - 1) if call else None)
        at += len(call)
    return lines
