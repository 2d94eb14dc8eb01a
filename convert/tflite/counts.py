"""Parameters and multiply-accumulates of a model."""

import collections
import dataclasses
import functools
from pathlib import Path

from convert.tflite import flatbuffer, graph
from convert.tflite.graph import Model, Operator, Tensor

# Operators without products of weights or activations that a count of multiply-accumulates has.
# Element-wise products are not counted, as in the literature.
_WITHOUT_MACS = frozenset(
    [
        "ABS",
        "ADD",
        "ADD_N",
        "ARG_MAX",
        "ARG_MIN",
        "ASSIGN_VARIABLE",
        "AVERAGE_POOL_2D",
        "BATCH_TO_SPACE_ND",
        "BROADCAST_TO",
        "CALL_ONCE",
        "CAST",
        "CEIL",
        "CONCATENATION",
        "COS",
        "DEPTH_TO_SPACE",
        "DEQUANTIZE",
        "DIV",
        "ELU",
        "EQUAL",
        "EXP",
        "EXPAND_DIMS",
        "FILL",
        "FLOOR",
        "FLOOR_DIV",
        "FLOOR_MOD",
        "GATHER",
        "GATHER_ND",
        "GELU",
        "GREATER",
        "GREATER_EQUAL",
        "HARD_SWISH",
        "L2_NORMALIZATION",
        "LEAKY_RELU",
        "LESS",
        "LESS_EQUAL",
        "LOG",
        "LOGICAL_AND",
        "LOGICAL_NOT",
        "LOGICAL_OR",
        "LOGISTIC",
        "LOG_SOFTMAX",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MIRROR_PAD",
        "MUL",
        "NEG",
        "NOT_EQUAL",
        "PACK",
        "PAD",
        "PADV2",
        "POW",
        "PRELU",
        "QUANTIZE",
        "RANGE",
        "READ_VARIABLE",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "ROUND",
        "RSQRT",
        "SELECT",
        "SELECT_V2",
        "SHAPE",
        "SIN",
        "SLICE",
        "SOFTMAX",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQRT",
        "SQUARE",
        "SQUARED_DIFFERENCE",
        "SQUEEZE",
        "STRIDED_SLICE",
        "SUB",
        "SUM",
        "TANH",
        "TILE",
        "TRANSPOSE",
        "UNPACK",
        "VAR_HANDLE",
        "ZEROS_LIKE",
    ]
)


@dataclasses.dataclass(frozen=True)
class Kind:
    """All operators of one name and version in a model.

    Attributes
    ----------
    name : str
    version : int
    count : int
        How many there are.
    macs : int or None
        Multiply-accumulates of all of them in one invocation; None where they are not known.
    """

    name: str
    version: int
    count: int
    macs: int | None


@dataclasses.dataclass(frozen=True)
class GraphOp:
    """One operator of the network.

    Attributes
    ----------
    name : str
    input, output : tuple of int
        Shapes of its first input and its first output, () where it has none.
    macs : int or None
        Multiply-accumulates in one invocation; None where they are not known.
    """

    name: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    macs: int | None


@dataclasses.dataclass(frozen=True)
class Counts:
    """The counts of a model.

    Attributes
    ----------
    operators : tuple of Kind
        The most frequent first.
    graph_ops : tuple of GraphOp
        In the order of the network.
    inputs, outputs : tuple of Tensor
    parameters : int
        Weights and biases as stored.
    macs : int
        Multiply-accumulates of one invocation, of the operators that have a count.
    uncounted : tuple of str
        Names of the operators whose multiply-accumulates are not known.
    stateful_sequences : int
        LSTMs that read a sequence in one invocation and start it with the state that the previous
        invocation left.
    """

    operators: tuple[Kind, ...]
    graph_ops: tuple[GraphOp, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: int
    macs: int
    uncounted: tuple[str, ...]
    stateful_sequences: int


def read(path: Path) -> Counts:
    """Count what a `.tflite` file contains.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Counts

    Raises
    ------
    UserError
        When the file is missing, is not a TFLite flatbuffer, or is damaged.
    """
    return count(flatbuffer.read_file(path))


def count(model: Model) -> Counts:
    """Count the parameters and the multiply-accumulates of a model.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Counts
    """
    network = model.graph
    kinds: dict[tuple[str, int], list[int | None]] = collections.defaultdict(list)
    for op in network.operators:
        kinds[op.name, op.version].append(macs(op))
    return Counts(
        operators=tuple(
            Kind(*key, len(found), None if None in found else sum(found))
            for key, found in sorted(kinds.items(), key=lambda item: -len(item[1]))
        ),
        graph_ops=tuple(graph_op(op) for op in network.operators),
        inputs=tuple(network.inputs),
        outputs=tuple(network.outputs),
        parameters=parameters(model),
        macs=sum(n for found in kinds.values() for n in found if n is not None),
        uncounted=tuple(sorted(name for (name, _), found in kinds.items() if None in found)),
        stateful_sequences=sum(
            isinstance(op, graph.Lstm) and op.steps > 1 and bool(network.persistent_states(op))
            for op in network.operators
        ),
    )


def graph_op(op: Operator) -> GraphOp:
    """Return the shapes and the multiply-accumulates of an operator.

    Parameters
    ----------
    op : Operator

    Returns
    -------
    GraphOp
    """
    shapes = (ts[0].shape if ts and ts[0] is not None else () for ts in (op.inputs, op.outputs))
    return GraphOp(op.name, *shapes, macs(op))


def parameters(model: Model) -> int:
    """Count weights and biases, each constant once.

    Constants of other operators are not parameters: the shape of a RESHAPE, the axes of a MEAN.
    Like `macs`, this is of the main graph.

    Parameters
    ----------
    model : Model

    Returns
    -------
    int
    """
    found = {
        t: None
        for op in model.graph.operators
        if isinstance(op, _WITH_PARAMETERS)
        for t in op.inputs
        if t is not None and t.data is not None
    }
    return sum(t.size for t in found)


_WITH_PARAMETERS = (
    graph.FullyConnected,
    graph.Lstm,
    graph.Convolution,
    graph.DepthwiseConvolution,
    graph.Add,
)


@functools.singledispatch
def macs(op: Operator) -> int | None:
    """Count the multiply-accumulates of matrix products in one invocation.

    Parameters
    ----------
    op : Operator

    Returns
    -------
    int or None
        0 for an operator without such products, None for one that is not known.
    """
    return 0 if op.name in _WITHOUT_MACS and not op.is_custom else None


@macs.register
def _(op: graph.FullyConnected) -> int:
    return op.input.size // op.weights.shape[1] * op.weights.size


@macs.register
def _(op: graph.Lstm) -> int:
    rows = op.input.size // op.input.shape[-1]
    weights = (t for gate in op.gates for t in (gate.weights, gate.recurrent))
    return rows * sum(t.size for t in weights if t is not None)


@macs.register
def _(op: graph.BatchMatmul) -> int:
    return op.output.size * op.a.shape[-2 if op.transposes_a else -1]


@macs.register
def _(op: graph.Convolution) -> int:
    return op.output.size // op.output.shape[-1] * op.weights.size


@macs.register
def _(op: graph.DepthwiseConvolution) -> int:
    return op.output.size * op.weights.shape[1] * op.weights.shape[2]
