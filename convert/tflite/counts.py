"""Parameters and multiply-accumulates of a model."""

import collections
import dataclasses
import functools
import math
from collections.abc import Iterator
from pathlib import Path

from convert.contract import LSTM
from convert.tflite import flatbuffer, graph
from convert.tflite.graph import Model, Operator, Tensor
from convert.tflite.parameters import Parameters

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
        "ATAN2",
        "AVERAGE_POOL_2D",
        "BATCH_TO_SPACE_ND",
        "BITCAST",
        "BITWISE_XOR",
        "BROADCAST_ARGS",
        "BROADCAST_TO",
        "CALL_ONCE",
        "CAST",
        "CEIL",
        "COMPLEX_ABS",
        "CONCATENATION",
        "COS",
        "CUMSUM",
        "DENSIFY",
        "DEPTH_TO_SPACE",
        "DEQUANTIZE",
        "DIV",
        "DYNAMIC_UPDATE_SLICE",
        "ELU",
        "EMBEDDING_LOOKUP",
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
        "HASHTABLE",
        "IMAG",
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
        "MATRIX_DIAG",
        "MATRIX_SET_DIAG",
        "MAXIMUM",
        "MAX_POOL_2D",
        "MEAN",
        "MINIMUM",
        "MIRROR_PAD",
        "MUL",
        "NEG",
        "NOT_EQUAL",
        "ONE_HOT",
        "PACK",
        "PAD",
        "PADV2",
        "POW",
        "PRELU",
        "QUANTIZE",
        "RANGE",
        "RANK",
        "READ_VARIABLE",
        "REAL",
        "REDUCE_ALL",
        "REDUCE_ANY",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "REDUCE_PROD",
        "RELU",
        "RELU6",
        "RELU_0_TO_1",
        "RELU_N1_TO_1",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_SEQUENCE",
        "REVERSE_V2",
        "RIGHT_SHIFT",
        "ROUND",
        "RSQRT",
        "SCATTER_ND",
        "SEGMENT_SUM",
        "SELECT",
        "SELECT_V2",
        "SHAPE",
        "SIGN",
        "SIN",
        "SLICE",
        "SOFTMAX",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPARSE_TO_DENSE",
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
        "TOPK_V2",
        "TRANSPOSE",
        "UNIQUE",
        "UNPACK",
        "VAR_HANDLE",
        "WHERE",
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
    """The counts of a model: of its first graph, and of the graphs that this one runs.

    Attributes
    ----------
    operators : tuple of Kind
        Those of the first graph, the most frequent first. An operator that runs graphs has the
        multiply-accumulates of one iteration of a loop, of one call, or of the larger branch.
    graph_ops : tuple of GraphOp
        Those of the first graph, in its order.
    inputs, outputs : tuple of Tensor
    parameters : int
        Weights and biases as stored.
    macs : int
        Multiply-accumulates of one invocation, of the operators that have a count.
    macs_in_loops : int
        Those of `macs` that are in a loop, which are counted for one iteration.
    uncounted : tuple of str
        Names of the operators whose multiply-accumulates are not known.
    uncounted_parameters : tuple of str
        Names of the operators of whose constants it is not known whether they are parameters.
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
    macs_in_loops: int
    uncounted: tuple[str, ...]
    uncounted_parameters: tuple[str, ...]
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
    products = Products(model)
    kinds: dict[tuple[str, int], list[int | None]] = collections.defaultdict(list)
    for op in network.operators:
        kinds[op.name, op.version].append(products.of(op))
    reached = list(reachable(model))
    found = Parameters(model)
    return Counts(
        operators=tuple(
            Kind(*key, len(found), None if None in found else sum(found))
            for key, found in sorted(kinds.items(), key=lambda item: -len(item[1]))
        ),
        graph_ops=tuple(graph_op(op, products.of(op)) for op in network.operators),
        inputs=tuple(network.inputs),
        outputs=tuple(network.outputs),
        parameters=sum(t.size for t in {t: None for op in reached for t in found.of(op)}),
        macs=sum(n for found in kinds.values() for n in found if n is not None),
        macs_in_loops=sum(products.of(op) or 0 for op in network.operators if op.name == "WHILE"),
        uncounted=tuple(sorted({op.name for op in reached if products.of(op) is None})),
        uncounted_parameters=tuple(
            sorted({op.name for op in reached if found.unknown(op, is_known(op))})
        ),
        stateful_sequences=sum(
            isinstance(op, graph.Lstm) and op.steps > 1 and bool(network.persistent_states(op))
            for op in network.operators
        ),
    )


def reachable(model: Model) -> Iterator[Operator]:
    """Yield the operators of the first graph and of the graphs that it runs."""
    waiting, seen = [0], {0}
    while waiting:
        for op in model.graphs[waiting.pop(0)].operators:
            yield op
            new = [i for i in op.subgraphs if i not in seen]
            waiting += new
            seen.update(new)


def graph_op(op: Operator, macs: int | None) -> GraphOp:
    """Describe an operator, of which the multiply-accumulates are known from elsewhere."""
    # The first input of SPLIT and TRANSPOSE_CONV is a constant.
    first = getattr(op, "input", None) or (op.inputs[0] if op.inputs else None)
    output = op.output
    return GraphOp(
        op.name,
        () if first is None else first.shape,
        () if output is None else output.shape,
        macs,
    )


def is_known(op: Operator) -> bool:
    """Return whether it is known what an operator computes."""
    return (op.name in _WITHOUT_MACS or op.name in _RUNNING) and not op.is_custom


class Products:
    """The multiply-accumulates of the operators of a model.

    An axis of unknown length, which the file stores as 1, counts as 1 at the inputs of the model.
    Operators can make it longer: SPACE_TO_BATCH_ND moves steps in time to such an axis.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model):
        self._graphs = model.graphs
        self._lengths: dict[Tensor, int | None] = {}
        self._counts: dict[Operator, int | None] = {}
        self._open: set[int] = set()  # graphs that are being counted
        for network in model.graphs:
            for op in network.operators:
                self._lengths |= dict.fromkeys(op.outputs, self._made_length(op))

    def of(self, op: Operator) -> int | None:
        """Count the multiply-accumulates of matrix products in one invocation of an operator.

        Parameters
        ----------
        op : Operator

        Returns
        -------
        int or None
            0 for an operator without such products; for an operator that runs graphs, those of one
            iteration of a loop, of one call, or of the larger branch. None when it is not known.
        """
        if op not in self._counts:
            self._counts[op] = self._count(op)
        return self._counts[op]

    def _count(self, op: Operator) -> int | None:
        if op.is_custom:
            return None
        if op.name in _RUNNING:
            found = [self._of_graph(i) for i in op.subgraphs]
            known = [n for n in found if n is not None]
            return None if len(known) < len(found) or not found else _RUNNING[op.name](known)
        try:
            counted = macs(op)
        except MALFORMED:
            return None
        length = self.free_length(op)
        return counted * length if counted and length else None if counted else counted

    def _of_graph(self, position: int) -> int | None:
        if position in self._open:  # a damaged file: the graph runs itself
            return None
        self._open.add(position)
        found = [self.of(op) for op in self._graphs[position].operators]
        self._open.remove(position)
        return None if None in found else sum(n for n in found if n is not None)

    def free_length(self, op: Operator) -> int | None:
        """Return how long the free axis of an operator is where that of the model has length 1.

        Parameters
        ----------
        op : Operator

        Returns
        -------
        int or None
            1 for an operator without a free axis; None when it is not known.
        """
        for t in op.inputs:
            if t is not None and t.data is None:
                return self._length(t)
        return 1

    def grows(self, op: Operator) -> bool:
        """Return whether an operator makes the free axis longer than the file stores it."""
        made = [self._length(t) for t in op.outputs]
        return self.free_length(op) == 1 and any(n not in (1, None) for n in made)

    def _length(self, tensor: Tensor) -> int | None:
        free = (tensor.shape_signature or ()).count(-1)
        if free > 1:
            return None
        return self._lengths.get(tensor, 1) if free else 1

    def _made_length(self, op: Operator) -> int | None:
        length = self.free_length(op)
        if length is None or not op.inputs or not op.outputs or op.is_custom:
            return length
        if op.name in ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND") and len(op.inputs) > 1:
            block = op.inputs[1]
            if block is None or block.data is None:
                return None
            steps = math.prod(map(int, block.data.ravel()))
            if op.name == "SPACE_TO_BATCH_ND":
                return length * steps
            return length // steps if steps > 0 and length % steps == 0 else None
        if op.name == "RESHAPE" and op.inputs[0] is not None:
            stored, size = op.outputs[0].size, op.inputs[0].size * length
            return size // stored if stored > 0 and size % stored == 0 else None
        return length


# What the graphs that an operator runs add up to.
_RUNNING = {"WHILE": sum, "IF": max}
# What a damaged model makes functions raise that expect the shapes of a sound one.
MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


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
    if op.name in _WEIGHTS and not op.is_custom:
        rows = op.inputs[0].size // op.inputs[0].shape[-1]
        return rows * sum(op.inputs[i].size for i in _weights(op) if op.inputs[i] is not None)
    return 0 if op.name in _WITHOUT_MACS and not op.is_custom else None


# Positions of the matrices with which each row of the first input is multiplied.
_WEIGHTS = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 9), 16, *range(18, 26), 33, *range(40, 48)),
    "BIDIRECTIONAL_SEQUENCE_RNN": (1, 2, 5, 6, 10, 11),
    "LSTM": (*range(1, 9), 16),
    "RNN": (1, 2),
    "SVDF": (1, 2),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (1, 2),
}


def _weights(op: Operator) -> list[int]:
    positions = (2,) if op.name == "LSTM" and len(op.inputs) == 5 else _WEIGHTS[op.name]
    return [i for i in positions if i < len(op.inputs)]


@macs.register
def _(op: graph.FullyConnected) -> int:
    return op.input.size // op.weights.shape[1] * op.weights.size


@macs.register
def _(op: graph.Lstm) -> int:
    rows = op.input.size // op.input.shape[-1]
    weights = [t for gate in op.gates for t in (gate.weights, gate.recurrent)]
    weights.append(op.inputs[LSTM.projection.start])
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


@macs.register
def _(op: graph.Convolution3d) -> int:
    return op.output.size // op.output.shape[-1] * op.weights.size


@macs.register
def _(op: graph.TransposedConvolution) -> int:
    return op.input.size // op.input.shape[-1] * op.weights.size
