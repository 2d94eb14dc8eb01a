"""Resource variables as tensors: the state of streaming models that Keras layers keep.

In a `.tflite`, VAR_HANDLE names a variable, READ_VARIABLE and ASSIGN_VARIABLE access it, and
CALL_ONCE runs a graph that assigns initial values before the first invocation. All of them are
known before the model runs, so a variable is a tensor in memory, and a reset writes its initial
value.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from convert.tflite.graph import Graph, Model, Operator, Tensor, Transfer
from groupcomm.errors import UserError


@dataclasses.dataclass(frozen=True)
class Resolved:
    """A graph without resources.

    Attributes
    ----------
    graph : Graph
        READ_VARIABLE and ASSIGN_VARIABLE are `Transfer` from and to tensors.
    initial : dict of Tensor to np.ndarray
        Values of variables before the first invocation.
    """

    graph: Graph
    initial: dict[Tensor, np.ndarray]


def resolve(model: Model, label: str) -> Resolved:
    """Replace the resource variables of a model by tensors.

    Parameters
    ----------
    model : Model
    label : str
        What messages call it.

    Returns
    -------
    Resolved
        Of the model's first graph. Its tensors are those of the model.

    Raises
    ------
    UserError
        When the model has control flow, or computes initial values.
    """
    variables: dict[tuple, Tensor] = {}
    initial: dict[Tensor, np.ndarray] = {}
    network = model.graph
    operators, called = _replace(network, variables)
    for number in called:
        for op in _replace(model.graphs[number], variables)[0]:
            if not isinstance(op, Transfer) or op.input.data is None:
                raise UserError(
                    f"{label}: graph {number}, which runs once, computes the initial value of a "
                    "state; only constants are supported"
                )
            initial[op.output] = op.input.data
    if others := set(range(1, len(model.graphs))) - set(called):
        raise UserError(
            f"{label}: the model has {len(others)} graphs for control flow, which has no kernel; "
            "convert it without loops and conditions (unroll=True for a Keras RNN)"
        )
    tensors = [*network.tensors, *variables.values()]
    return Resolved(dataclasses.replace(network, operators=operators, tensors=tensors), initial)


def _replace(
    network: Graph, variables: dict[tuple, Tensor]
) -> tuple[list[Operator], dict[int, None]]:
    """Return the operators with transfers, and the graphs that run once; add to ``variables``."""
    handles: dict[Tensor, tuple] = {}
    operators: list[Operator] = []
    called: dict[int, None] = {}

    def variable(handle: Tensor, like: Tensor) -> Tensor:
        key = handles[handle]
        if key not in variables:
            name = key[1] or None
            variables[key] = dataclasses.replace(
                like, data=None, is_variable=True, name=name, index=10**6 + len(variables)
            )
        return variables[key]

    for op in network.operators:
        if op.name == "VAR_HANDLE":
            handles[op.output] = (op.options.container, _text(op.options.sharedName))
        elif op.name == "CALL_ONCE":
            called |= dict.fromkeys(op.subgraphs)
        elif op.name == "READ_VARIABLE":
            operators.append(Transfer(op.name, [variable(op.inputs[0], op.output)], [op.output]))
        elif op.name == "ASSIGN_VARIABLE":
            handle, value = op.inputs
            operators.append(Transfer(op.name, [value], [variable(handle, value)]))
        else:
            operators.append(op)
    return operators, called


def _text(value: bytes | str | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""
