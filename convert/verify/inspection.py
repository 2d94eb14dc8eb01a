"""Inspect what a `.tflite` needs from a board, and whether TFLM can run it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from convert import bundle as bundles
from convert.tflite import counts, flatbuffer, graph, kernel_params, releases, tflm, variables
from convert.tflite.graph import Model, Operator
from convert.tflite.parameters import Parameters
from convert.verify import remedies, state
from groupcomm.errors import UserError

DEPENDS_ON_RELEASE = (
    "operators can compute other bytes in TFLM before October 2026, in Arduino and in Zephyr than "
    "in the wheel: their products of scales are not exact in float32"
)
SAME_IN_EVERY_RELEASE = (
    "the bytes do not depend on the release of TFLM: no operator has scales that releases are "
    "known to round differently"
)
UNDEFINED_PADDING = (
    "TFLM pads with memory that it does not initialize, so its output is undefined: put a PAD in "
    "front of it, and no padding in it"
)
PER_ITERATION = "of the MACs are in loops (WHILE), counted once: they are per iteration"
FREE_AXES = (
    "have axes of unknown length (-1 in the signature), which count as 1; TFLM computes with 1, "
    "too, and cannot change it: convert with a fixed shape"
)
WRONG_SHAPES = (
    "the output is larger than the shape that the file stores, in which unknown lengths are 1: "
    "TFLM accepts the model, but computes wrong values; convert with a fixed shape"
)
# Operators that plain C does not need, because it has the variables as tensors.
_RESOURCES = frozenset(["ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"])
# Operators that TFLM prepares from what others prepared, so that alone they can fail.
_DEPENDENT = frozenset(["ASSIGN_VARIABLE", "CALL", "CALL_ONCE", "IF", "READ_VARIABLE", "WHILE"])


def inspect(name_or_path: str) -> dict:
    """Report operators, multiply-accumulates, parameters and memory of a bundle or a `.tflite`.

    Parameters
    ----------
    name_or_path : str
        The name of a committed bundle, the folder of a bundle, or a `.tflite` file.

    Returns
    -------
    dict
        - ``model``, ``model_bytes``.
        - ``parameters``: weights and biases as stored; ``uncounted_parameters``: names of the
          operators of whose constants it is not known what they are.
        - ``macs`` of one invocation; ``macs_in_loops``, those of them that are counted for one
          iteration of a loop; ``uncounted``: names of the operators that ``macs`` does not include.
        - ``inputs`` and ``outputs`` (`graph.Tensor.as_dict`).
        - ``operators``: list of ``name``, ``version``, ``count``, ``macs``.
        - ``graph_ops``: every operator of every graph, see `_graph_ops`.
        - ``refusal``: what TFLM says when it refuses the model, else None.
        - ``arena_bytes``: the smallest with which the official TFLM on this machine runs the model;
          None when it refuses the model, or needs more than 16 MiB.
        - ``unsupported``: the causes of a refusal, a list of ``name``, ``reason``, ``way_out``; the
          reason is None where TFLM has no kernel for the operator, else what it says.
        - ``notes``: list of str, about state, shapes and releases of TFLM.

    Raises
    ------
    UserError
        When there is no such bundle or file, it is damaged, or TFLM crashes on it.
    """
    path = Path(name_or_path)
    if path.is_file():
        file = path
    else:
        bundle = bundles.load(name_or_path)
        file = bundle.path / bundle.description["model"]["file"]
    model = flatbuffer.read_file(file)
    content = file.read_bytes()
    found = counts.count(model)
    verdict = tflm.run(content)
    verdict.check(str(file))
    refused = {} if verdict.accepts else _refused_operators(model)
    return {
        "model": str(file),
        "model_bytes": len(content),
        "parameters": found.parameters,
        "uncounted_parameters": list(found.uncounted_parameters),
        "macs": found.macs,
        "macs_in_loops": found.macs_in_loops,
        "uncounted": list(found.uncounted),
        "inputs": [t.as_dict() for t in found.inputs],
        "outputs": [t.as_dict() for t in found.outputs],
        "operators": [dataclasses.asdict(kind) for kind in found.operators],
        "graph_ops": list(_graph_ops(model, refused)),
        "refusal": None if verdict.accepts else verdict.words,
        "arena_bytes": verdict.arena_bytes,
        "unsupported": [] if verdict.accepts else _causes(model, verdict.words, refused),
        "notes": [
            *_count_notes(model, found),
            *_padding_notes(model),
            *state.notes(model),
            *_release_notes(model, verdict.accepts),
        ],
    }


def _graph_ops(model: Model, refused: dict[tuple, str | None]) -> Iterator[dict]:
    """Describe every operator.

    Parameters
    ----------
    model : Model
    refused : dict
        Result of `_refused_operators`.

    Yields
    ------
    dict
        ``graph`` (its position; 0 is the network), ``name``, ``input`` and ``output`` (shapes of
        the first ones), ``macs`` (None where they are not known), ``parameters``, ``kernel``
        (``"both"``, ``"tflm"``, ``"groupcomm"`` or ``"none"``) and ``depends_on_release``.
    """
    products, parameters = counts.Products(model), Parameters(model)
    owners = {
        (True, True): "both",
        (True, False): "tflm",
        (False, True): "groupcomm",
        (False, False): "none",
    }
    resolved = _succeeds(variables.resolve, model, "")
    for position, network in enumerate(model.graphs):
        for op in network.operators:
            own = resolved if op.name in _RESOURCES else _succeeds(kernel_params.prepare, op)
            described = dataclasses.asdict(counts.graph_op(op, products.of(op)))
            yield {
                "graph": position,
                **described,
                "parameters": sum(t.size for t in parameters.of(op)),
                "kernel": owners[_kind(op) not in refused, own],
                "depends_on_release": _depends_on_release(op),
            }


def _succeeds(function: Callable, *arguments: object) -> bool:
    """Return whether a function accepts a model or an operator, which can be malformed."""
    try:
        function(*arguments)
    except (UserError, AssertionError, *counts.MALFORMED):
        return False
    return True


def _depends_on_release(op: Operator) -> bool:
    try:
        return releases.depends_on_release(op)
    except counts.MALFORMED:
        return False


def _count_notes(model: Model, found: counts.Counts) -> list[str]:
    """Say which counts are of one iteration, and which shapes are not known."""
    notes = []
    if found.macs_in_loops:
        notes.append(f"{found.macs_in_loops:,} {PER_ITERATION}")
    if free := [t.label for t in model.graph.inputs if -1 in (t.shape_signature or ())]:
        notes.append(f"inputs {', '.join(free)} {FREE_AXES}")
    products = counts.Products(model)
    if growing := dict.fromkeys(op.name for op in model.operators if products.grows(op)):
        notes.append(f"{', '.join(growing)}: {WRONG_SHAPES}")
    return notes


def _padding_notes(model: Model) -> list[str]:
    """Name the operators of which TFLM leaves the padding undefined."""
    found = [
        op.output.label
        for op in model.operators
        if isinstance(op, graph.SpaceToBatch)
        and op.outputs
        and op.margins is not None
        and (op.margins.data is None or op.margins.data.any())
    ]
    return [f"SPACE_TO_BATCH_ND to tensor {', '.join(found)}: {UNDEFINED_PADDING}"] if found else []


def _release_notes(model: Model, is_accepted: bool) -> list[str]:
    """Say whether the bytes depend on the release of TFLM.

    What releases make of float32 is not known.
    """
    different = sum(map(_depends_on_release, model.operators))
    if different:
        return [f"{different} {DEPENDS_ON_RELEASE}"]
    tensors = [t for op in model.operators for t in (*op.inputs, *op.outputs) if t is not None]
    is_integer = not any(t.dtype.startswith("float") for t in tensors)
    return [SAME_IN_EVERY_RELEASE] if is_accepted and is_integer else []


def _kind(op: Operator) -> tuple:
    """Return what TFLM's decision on an operator depends on most."""
    inputs = (t for t in op.inputs if t is not None)
    types = tuple((t.dtype, len(t.shape), t.data is None) for t in inputs)
    return op.name, op.is_custom, op.version, types


def _refused_operators(model: Model) -> dict[tuple, str | None]:
    """Find the kinds of operators that the official TFLM lacks or refuses.

    TFLM stops at the first error. To find all, each kind of operator is tried in a model of its
    own.

    Returns
    -------
    dict
        By kind; None where TFLM has no kernel for the operator, else what TFLM says.
    """
    alone = {_kind(op): op for op in reversed(model.operators)}
    written = {kind: _alone(op) for kind, op in alone.items()}
    tried = {kind: content for kind, content in written.items() if content}
    found: dict[tuple, str | None] = {}
    for kind, verdict in zip(tried, tflm.allocate(list(tried.values())), strict=True):
        name, is_custom, *_ = kind
        code = "CUSTOM" if is_custom else name
        if f"registration from op code {code}" in verdict.words:
            found[kind] = None
        elif not verdict.accepts and verdict.words and name not in _DEPENDENT:
            found[kind] = _without_node(verdict.words)
    return found


def _alone(op: Operator) -> bytes | None:
    """Return a model of one operator, or None where it cannot be written."""
    given = [t for t in op.inputs if t is not None and t.data is None and not t.is_variable]
    single = graph.Graph(list(dict.fromkeys(given)), list(op.outputs), [op])
    try:
        return flatbuffer.write(Model([single]))
    except Exception:  # options that the schema's classes cannot write
        return None


def _without_node(words: str) -> str:
    """Remove TFLM's last words, which name the operator by its position."""
    return re.sub(r"(^|; )Node \S+ \(number \w+\) failed to .*$", "", words) or words


def _causes(model: Model, words: str, refused: dict[tuple, str | None]) -> list[dict]:
    """List the operators that TFLM lacks or refuses, that which its words name among them."""
    by_name: dict[str, dict] = {}
    for op in model.operators:
        if _kind(op) not in refused:
            continue
        reason = refused[_kind(op)]
        if op.name not in by_name or (reason is None and by_name[op.name]["reason"]):
            by_name[op.name] = {
                "name": op.name,
                "reason": reason,
                "way_out": remedies.way_out(op, reason is None),
            }
    named = re.search(r"Node (\S+) \(number", words)
    first = next((op for op in model.operators if named and op.name == named[1]), None)
    if not by_name or (first and first.name not in by_name):
        name = first.name if first else "the model"
        way_out = remedies.way_out(first, False)
        by_name[name] = {"name": name, "reason": _without_node(words), "way_out": way_out}
    return list(by_name.values())
