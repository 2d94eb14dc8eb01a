"""Read operators, parameters and multiply-accumulates of a `.tflite`, without TensorFlow."""

import collections
import dataclasses
import math
from pathlib import Path

from convert.contract import LSTM
from convert.tflite.schema import schema
from groupcomm.errors import UserError

_OPERATOR_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
_TYPE_NAMES = {v: k.lower() for k, v in vars(schema.TensorType).items() if not k.startswith("_")}
_WITH_WEIGHTS = (
    "FULLY_CONNECTED",
    "ADD",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
)


@dataclasses.dataclass(frozen=True)
class Operator:
    """One kind of operator in a model.

    Attributes
    ----------
    name : str
    version : int
    count : int
        How many there are.
    macs : int
        Multiply-accumulates of all of them in one invocation.
    """

    name: str
    version: int
    count: int
    macs: int


@dataclasses.dataclass(frozen=True)
class GraphOp:
    """One operator of the graph.

    Attributes
    ----------
    name : str
    input, output : tuple of int
        Shapes of its first input and its first output, () where it has none.
    macs : int
        Multiply-accumulates in one invocation.
    """

    name: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    macs: int


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An input or output of a model.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
    scale : float
    zero_point : int
        Both are 0 for a tensor that is not quantized.
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    def as_dict(self) -> dict:
        """Return the form that is stored in bundle.json."""
        return {**dataclasses.asdict(self), "shape": list(self.shape)}


@dataclasses.dataclass(frozen=True)
class Model:
    """Contents of a `.tflite`.

    Attributes
    ----------
    operators : tuple of Operator
    graph_ops : tuple of GraphOp
        In the order of the graph.
    inputs, outputs : tuple of Tensor
    parameters : int
        Weights and biases as stored.
    macs : int
        Multiply-accumulates of one invocation.
    stateful_sequences : int
        LSTMs that read a sequence in one invocation and start it with the state that the previous
        invocation left.
    """

    operators: tuple[Operator, ...]
    graph_ops: tuple[GraphOp, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: int
    macs: int
    stateful_sequences: int


def read(path: Path) -> Model:
    """Read a `.tflite`.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Model

    Raises
    ------
    UserError
        When the file is missing, is not a TFLite flatbuffer, or is truncated.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as e:
        raise UserError(
            f"{path}: cannot read ({e.strerror}); make it with `groupcomm convert`"
        ) from e
    if content[4:8] != b"TFL3":
        raise UserError(
            f"{path}: not a TFLite model (no TFL3 identifier at byte 4); "
            "make it with `groupcomm convert`"
        )
    try:
        return _parse(schema.ModelT.InitFromPackedBuf(content, 0))
    except Exception as e:  # the generated reader fails in many ways on damaged offsets
        raise UserError(
            f"{path}: damaged TFLite model ({type(e).__name__} while reading); convert it again"
        ) from e


def _parse(model) -> Model:
    graph = model.subgraphs[0]
    operators: collections.Counter = collections.Counter()
    macs: collections.Counter = collections.Counter()
    graph_ops = []
    for op in graph.operators:
        code = model.operatorCodes[op.opcodeIndex]
        name = operator_name(code)
        shapes = (
            _shape(graph.tensors[of[0]]) if of is not None and len(of) else ()
            for of in (op.inputs, op.outputs)
        )
        graph_ops.append(GraphOp(name, *shapes, _macs(name, op, graph.tensors)))
        operators[name, code.version] += 1
        macs[name, code.version] += graph_ops[-1].macs
    # Only constants that are multiplied with or added to features are parameters. The shapes of
    # RESHAPE and the axes of MEAN are not, although they are int32 like biases.
    weights = {
        i
        for op in graph.operators
        if operator_name(model.operatorCodes[op.opcodeIndex]) in _WITH_WEIGHTS
        for i in op.inputs
        if i >= 0 and model.buffers[graph.tensors[i].buffer].data is not None
    }
    return Model(
        operators=tuple(Operator(*key, count, macs[key]) for key, count in operators.most_common()),
        graph_ops=tuple(graph_ops),
        inputs=tuple(_tensor(graph.tensors[i]) for i in graph.inputs),
        outputs=tuple(_tensor(graph.tensors[i]) for i in graph.outputs),
        parameters=sum(_size(graph.tensors[i]) for i in weights),
        macs=sum(macs.values()),
        stateful_sequences=sum(
            bool(kept) and sequence_steps(model, op) > 1
            for op, kept in zip(graph.operators, persistent_states(model), strict=True)
        ),
    )


def operator_name(code) -> str:
    """Return the name of an operator code. A custom operator has its own name."""
    if code.customCode:
        return code.customCode.decode(errors="replace")
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    return _OPERATOR_NAMES.get(builtin, f"BUILTIN_{builtin}")


def sequence_steps(model: schema.ModelT, op: schema.OperatorT) -> int:
    """Return the time steps that a fused LSTM reads in one invocation; 0 for other operators."""
    if operator_name(model.operatorCodes[op.opcodeIndex]) != "UNIDIRECTIONAL_SEQUENCE_LSTM":
        return 0
    return int(
        model.subgraphs[0].tensors[op.inputs[0]].shape[0 if op.builtinOptions.timeMajor else 1]
    )


def persistent_states(model: schema.ModelT) -> list[list[int]]:
    """List the states that each operator keeps from one invocation to the next.

    These are the hidden state and the cells of an LSTM, unless an earlier operator writes them.

    Parameters
    ----------
    model : ModelT

    Returns
    -------
    list of list of int
        Tensor indices, for each operator in the order of the graph.
    """
    made, kept = set(), []
    for op in model.subgraphs[0].operators:
        kept.append(
            [
                int(op.inputs[i])
                for i in (LSTM.hidden_state, LSTM.cell_state)
                if op.inputs[i] not in made
            ]
            if sequence_steps(model, op)
            else []
        )
        made.update(() if op.outputs is None else op.outputs)
    return kept


def _size(tensor) -> int:
    return math.prod(_shape(tensor))


def _shape(tensor) -> tuple[int, ...]:
    return tuple(int(n) for n in tensor.shape) if tensor.shape is not None else ()


def _tensor(tensor) -> Tensor:
    q = tensor.quantization
    quantized = q is not None and q.scale is not None and len(q.scale) > 0
    return Tensor(
        shape=_shape(tensor),
        dtype=_TYPE_NAMES[tensor.type],
        scale=float(q.scale[0]) if quantized else 0.0,
        zero_point=int(q.zeroPoint[0]) if quantized else 0,
    )


def _macs(name: str, op, tensors) -> int:
    """Return the multiply-accumulates of matrix products. Element-wise operators count as 0."""
    if name == "FULLY_CONNECTED":
        weights = tensors[op.inputs[1]]
        return _size(tensors[op.inputs[0]]) // int(weights.shape[1]) * _size(weights)
    if name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        # Inputs 1-4 are the input weights of the gates, 5-8 the recurrent weights. The first input
        # has the shape (batch, time, width), or (time, batch, width).
        steps = _size(tensors[op.inputs[0]]) // int(tensors[op.inputs[0]].shape[-1])
        weights = [*op.inputs[LSTM.input_weights], *op.inputs[LSTM.recurrent_weights]]
        return steps * sum(_size(tensors[i]) for i in weights if i >= 0)
    if name == "BATCH_MATMUL":
        return _size(tensors[op.outputs[0]]) * int(
            tensors[op.inputs[0]].shape[-2 if op.builtinOptions.adjX else -1]
        )
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        weights, output = tensors[op.inputs[1]], tensors[op.outputs[0]]
        if name == "CONV_2D":
            return _size(output) // int(output.shape[-1]) * _size(weights)
        return _size(output) * int(weights.shape[1]) * int(weights.shape[2])
    return 0
