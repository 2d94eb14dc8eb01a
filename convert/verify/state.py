"""What a model keeps from one Invoke to the next, and how a caller resets it."""

from __future__ import annotations

import collections
import dataclasses
import re

import numpy as np

from convert.tflite import graph, variables
from convert.tflite.graph import Model, Tensor

_GATE_CLOSED = -1e3  # a weight that closes a gate, whatever the other inputs are

CARRIES_TO_THE_NEXT = (
    "each Invoke starts with the state that the previous one left, as a stream needs; "
    "reset only at the start of a stream (reset_all_variables; in TFLM Reset)"
)
CARRIES_OVER_SEQUENCES = (
    "read whole sequences and start them with the state that the previous Invoke left; "
    "reset before every Invoke (reset_all_variables; in TFLM Reset), "
    "or build them with tf_model/layers/blstm.py, which starts from zero"
)
SET_BY_OPERATORS = (
    "read whole sequences and start them from zero, because operators set their state first; "
    "no reset is needed"
)
KEPT_IN_VARIABLES = (
    "each Invoke starts with the values that the previous one assigned, as a stream needs"
)
RESET_TO_ZERO = (
    "reset them only at the start of a stream: TFLM's Reset sets them to 0, "
    "TFLite's reset_all_variables does not change them, so make a new interpreter there"
)
RESET_LOSES_VALUES = (
    "make a new interpreter at the start of a stream: TFLM's Reset sets them to 0 and not to the "
    "other values with which CALL_ONCE starts them, TFLite's reset_all_variables does not change "
    "them"
)
PASSED_BY_CALLER = (
    "give each of these outputs to its input in the next Invoke, and 0 (the zero point of the "
    "input) at the start of a stream"
)
# Parts of a name that tell an input from an output, but not one state from another.
_DIRECTIONS = frozenset(
    ["in", "input", "out", "output", "new", "next", "prev", "previous", "old", "updated"]
    + ["serving", "default", "statefulpartitionedcall", "partitionedcall", "identity"]
)


def notes(model: Model) -> list[str]:
    """Describe the state of a model and its reset.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of str
    """
    return [
        *_lstm_notes(model),
        *_variable_tensor_notes(model),
        *_resource_notes(model),
        *_pair_notes(model),
    ]


def _lstm_notes(model: Model) -> list[str]:
    """Describe how the state of fused LSTMs is handled."""
    found: collections.Counter = collections.Counter()
    for network in model.graphs:
        for op in network.operators:
            if not isinstance(op, graph.Lstm):
                continue
            kept = network.persistent_states(op)
            if op.steps == 1 and kept:
                found[f"state of {{}} LSTMs: {CARRIES_TO_THE_NEXT}"] += 1
            elif not kept:
                found[f"{{}} LSTMs {SET_BY_OPERATORS}"] += 1
            elif not _begins_from_zero(op):
                found[f"{{}} LSTMs {CARRIES_OVER_SEQUENCES}"] += 1
    return [note.format(count) for note, count in found.items()]


def _begins_from_zero(op: graph.Lstm) -> bool:
    """Return whether a fused LSTM has the resetting first step of `tf_model.layers.blstm`.

    There, the last feature closes the input and the forget gates.
    """
    weights = [gate.weights for gate in (op.input_gate, op.forget_gate)]
    if any(w is None or w.data is None or w.dtype != "float32" for w in weights):
        return False
    return all((w.data[..., -1] <= _GATE_CLOSED).all() for w in weights if w is not None)


def _variable_tensor_notes(model: Model) -> list[str]:
    """Describe the variable tensors of all operators but fused LSTMs."""
    found: dict[str, dict[Tensor, None]] = collections.defaultdict(dict)
    for network in model.graphs:
        written: set[Tensor] = set()
        for op in network.operators:
            if not isinstance(op, graph.Lstm):
                kept = (t for t in op.inputs if t is not None and t.is_variable)
                found[op.name] |= dict.fromkeys(t for t in kept if t not in written)
            written.update(op.outputs)
    return [
        f"state of {name}, {len(tensors)} variable tensors: {CARRIES_TO_THE_NEXT}"
        for name, tensors in found.items()
        if tensors
    ]


def _resource_notes(model: Model) -> list[str]:
    found = variables.listed(model)
    assigned = [v for v in found if v.is_assigned]
    if not assigned:
        return []
    lost = any(
        v.initial is not None
        and v.initial.data is not None
        and np.any(v.initial.data != v.initial.zero_point)
        for v in assigned
    )
    return [
        f"state in {len(assigned)} resource variables: {KEPT_IN_VARIABLES}; "
        f"{RESET_LOSES_VALUES if lost else RESET_TO_ZERO}; "
        f"MicroInterpreter needs MicroResourceVariables for {len(found)}"
    ]


@dataclasses.dataclass(frozen=True)
class Pair:
    """An output that looks like the next value of an input."""

    input: Tensor
    input_name: str
    output: Tensor
    output_name: str


def pairs(model: Model) -> list[Pair]:
    """List the outputs that look like the next values of inputs.

    An input and an output belong together when they have the same shape and type, and the same
    name apart from words such as "in" and "next", or else the same position among those of their
    shape and type. One input is the signal: where all inputs have such an output, or only the
    first one has the first output, the first one that was found by its position does not count.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of Pair
    """
    inputs, outputs = _ends(model)
    if len(inputs) < 2 or len(outputs) < 2:
        return []
    by_name: dict[int, int] = {}
    free = list(range(len(outputs)))
    for i, (x, name) in enumerate(inputs):
        for k in free:
            y, other = outputs[k]
            if _alike(x, y) and _key(name) and _key(name) == _key(other):
                by_name[i] = k
                free.remove(k)
                break
    by_position: dict[int, int] = {}
    kinds = collections.defaultdict(list)
    for k in free:
        kinds[outputs[k][0].shape, outputs[k][0].dtype].append(k)
    for i, (x, _) in enumerate(inputs):
        waiting = kinds[x.shape, x.dtype]
        if i not in by_name and waiting:
            by_position[i] = waiting.pop(0)
    paired = len(by_name) + len(by_position)
    if by_position and (paired == len(inputs) or (paired == 1 and by_position.get(0) == 0)):
        del by_position[min(by_position)]
    return [Pair(*inputs[i], *outputs[k]) for i, k in sorted((by_name | by_position).items())]


def _ends(model: Model) -> tuple[list[tuple[Tensor, str]], list[tuple[Tensor, str]]]:
    """Return inputs and outputs with their names, those of the signature where there is one."""
    network = model.graph
    signatures = [s for s in model.signatures if (s.subgraphIndex or 0) == 0]
    if len(signatures) == 1:
        named = [
            [(network.tensors[m.tensorIndex], (m.name or b"").decode(errors="replace")) for m in ms]
            for ms in (signatures[0].inputs or [], signatures[0].outputs or [])
            if all(0 <= m.tensorIndex < len(network.tensors) for m in ms)
        ]
        if [len(ends) for ends in named] == [len(network.inputs), len(network.outputs)]:
            return named[0], named[1]
    return [(t, t.name or "") for t in network.inputs], [(t, t.name or "") for t in network.outputs]


def _alike(x: Tensor, y: Tensor) -> bool:
    return x.shape == y.shape and x.dtype == y.dtype


def _key(name: str) -> tuple[str, ...]:
    """Return the words of a name that tell one state from another; () where there are none."""
    words = [w for w in re.split(r"[^a-z0-9]+", name.lower()) if w and w not in _DIRECTIONS]
    return tuple(words) if any(not w.isdigit() for w in words) else ()


def _pair_notes(model: Model) -> list[str]:
    found = pairs(model)
    if not found:
        return []
    names = ", ".join(f"output {p.output_name!r} to input {p.input_name!r}" for p in found)
    result = [f"state that the caller passes, as it seems: {names}: {PASSED_BY_CALLER}"]
    result += [
        f"the state has other scales as an output: {p.output_name!r} has scale "
        f"{p.output.scale:.6g} and zero point {p.output.zero_point}, {p.input_name!r} "
        f"{p.input.scale:.6g} and {p.input.zero_point}: requantize it, do not copy its bytes"
        for p in found
        if (p.input.scale, p.input.zero_point) != (p.output.scale, p.output.zero_point)
    ]
    return result
