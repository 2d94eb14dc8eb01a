"""Resource variables as tensors: the state of streaming models that Keras layers keep.

In a `.tflite`, VAR_HANDLE names a variable, READ_VARIABLE and ASSIGN_VARIABLE access it, and
CALL_ONCE runs a graph that assigns initial values before the first invocation. All of them are
known before the model runs, so a variable is a tensor in memory, and a reset writes its initial
value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from convert.tflite.graph import Graph, Model, Operator, Tensor, Transfer
from groupcomm.errors import UserError


@dataclasses.dataclass
class Variable:
    """A resource variable.

    Attributes
    ----------
    name : str
    value : Tensor or None
        A tensor that is read from it or assigned to it.
    initial : Tensor or None
        What a graph of CALL_ONCE assigns.
    is_assigned : bool
        Whether an Invoke after the first one assigns to it.
    """

    name: str
    value: Tensor | None = None
    initial: Tensor | None = None
    is_assigned: bool = False


_Key = tuple[str, str]  # container and name of a variable


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


def listed(model: Model) -> list[Variable]:
    """List the resource variables of a model.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of Variable
    """
    return list(_found(model).values())


def _found(model: Model) -> dict[_Key, Variable]:
    once = {i for op in model.operators if op.name == "CALL_ONCE" for i in op.subgraphs}
    found: dict[_Key, Variable] = {}
    for position, network in enumerate(model.graphs):
        handles = (op for op in network.operators if op.name == "VAR_HANDLE")
        found = {_key(op): Variable(_key(op)[1]) for op in handles} | found
        for op, key, value in _accesses(network):
            variable = found[key]
            variable.value = variable.value or value
            if op.name == "ASSIGN_VARIABLE" and position in once:
                variable.initial = value
            elif op.name == "ASSIGN_VARIABLE":
                variable.is_assigned = True
    return found


def _accesses(network: Graph) -> Iterator[tuple[Operator, _Key, Tensor]]:
    """Yield an operator, the variable that it accesses, and what it reads or assigns."""
    handles: dict[Tensor | None, _Key] = {}
    for op in network.operators:
        tensors = {
            "ASSIGN_VARIABLE": op.inputs[:2],
            "READ_VARIABLE": [*op.inputs[:1], *op.outputs[:1]],
        }.get(op.name, [])
        if op.name == "VAR_HANDLE" and op.outputs:
            handles[op.output] = _key(op)
        elif len(tensors) == 2 and tensors[0] in handles and tensors[1] is not None:
            yield op, handles[tensors[0]], tensors[1]


def _key(handle: Operator) -> _Key:
    """Return the variable of a VAR_HANDLE."""
    texts = (getattr(handle.options, option, None) or b"" for option in ("container", "sharedName"))
    container, name = (t.decode(errors="replace") if isinstance(t, bytes) else t for t in texts)
    return container, name


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
    found, network = _found(model), model.graph
    held = {
        key: dataclasses.replace(
            variable.value,
            data=None,
            is_variable=True,
            name=variable.name or None,
            index=10**6 + number,
        )
        for number, (key, variable) in enumerate(found.items())
        if variable.value is not None
    }
    called = {i for op in network.operators if op.name == "CALL_ONCE" for i in op.subgraphs}
    for number in sorted(called):
        constant = {
            op for op, _, value in _accesses(model.graphs[number]) if value.data is not None
        }
        if any(
            op.name != "VAR_HANDLE" and op not in constant for op in model.graphs[number].operators
        ):
            raise UserError(
                f"{label}: graph {number}, which runs once, computes the initial value of a "
                "state; only constants are supported"
            )
    if others := set(range(1, len(model.graphs))) - called:
        raise UserError(
            f"{label}: the model has {len(others)} graphs for control flow, which has no kernel; "
            "convert it without loops and conditions (unroll=True for a Keras RNN)"
        )
    initial = {
        held[key]: variable.initial.data
        for key, variable in found.items()
        if variable.initial is not None and variable.initial.data is not None
    }
    operators = _with_transfers(network, held)
    tensors = [*network.tensors, *held.values()]
    return Resolved(dataclasses.replace(network, operators=operators, tensors=tensors), initial)


def to_tensors(model: Model) -> Model:
    """Keep the resource variables of a model in variable tensors, without CALL_ONCE.

    An operator reads such a tensor as an input, and the operator that computes its next value has
    it as its output. Every version of TFLM has variable tensors, and needs no further object for
    them. The resets of all runtimes set them to zero: in an integer model, to their zero point.

    Parameters
    ----------
    model : Model
        A float model. It is not changed.

    Returns
    -------
    Model
        Of one graph; the same object where there is no variable.

    Raises
    ------
    UserError
        When the initial value of a variable is not 0, when an operator computes its next
        value before another one reads it, or for the reasons of `resolve`.
    """
    if not any(op.name == "VAR_HANDLE" for op in model.operators):
        return model
    resolved = resolve(model, "the model")
    for variable, value in resolved.initial.items():
        if np.any(value):
            raise UserError(
                f"state {variable.label} begins with other values than 0, which no reset restores; "
                "begin with zeros"
            )
    transfers = [op for op in resolved.graph.operators if isinstance(op, Transfer)]
    read = {op.output: op.input for op in transfers if op.input.is_variable}
    written = {op.input: op.output for op in transfers if op.output.is_variable}
    computed = {t for op in resolved.graph.operators for t in op.outputs if t not in read}
    if moved := [state for value, state in written.items() if value not in computed]:
        raise UserError(
            f"state {moved[0].label}: no operator computes its next value; assign what one computes"
        )
    new: set[Tensor] = set()  # variables that have their next value
    operators = []
    for op in resolved.graph.operators:
        if isinstance(op, Transfer):
            continue
        if late := [read[t] for t in op.inputs if t in read and read[t] in new]:
            raise UserError(
                f"operator {op.name} reads state {late[0].label} after its next value was "
                "computed; read it before"
            )
        inputs = [t if t is None else read.get(t, written.get(t, t)) for t in op.inputs]
        operators.append(op.like(inputs, [written.get(t, t) for t in op.outputs]))
        new.update(written[t] for t in op.outputs if t in written)
    return dataclasses.replace(
        model, graphs=[dataclasses.replace(resolved.graph, operators=operators)]
    )


def _with_transfers(network: Graph, held: dict[_Key, Tensor]) -> list[Operator]:
    """Return the operators of a graph, with copies from and to the tensors of variables."""
    transfers: dict[Operator, Operator] = {}
    for op, key, value in _accesses(network):
        ends = ([held[key]], [value]) if op.name == "READ_VARIABLE" else ([value], [held[key]])
        transfers[op] = Transfer(op.name, *ends)
    return [
        transfers.get(op, op)
        for op in network.operators
        if op.name not in ("CALL_ONCE", "VAR_HANDLE")
    ]
