"""What a `.tflite` asks of a board, and whether TFLM can give it."""

import contextlib
import copy
from pathlib import Path

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from convert import bundle as bundles
from convert import flatbuffer
from groupcomm.console import quiet

# What to do about the operators that converted audio networks stumble over. Anything else gets _ELSE.
WAYS_OUT = {
    "WHILE": "a recurrent layer did not fuse: build it with tf_keras.layers.LSTM and convert with a fixed batch and one time step",
    "IF": "take the condition out of the graph; convert one branch",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "use two unidirectional LSTMs, or TAC where the recurrence runs over groups",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "use tf_keras.layers.LSTM, which TFLM has",
    "GELU": "use ReLU, or approximate it with LOGISTIC and MUL",
    "RFFT2D": "keep the STFT outside the network, as micro/stream does",
    "STFT": "keep the STFT outside the network, as micro/stream does",
}
_ELSE = "replace the layer by operators that TFLM has, or register a kernel of your own in the resolver of micro/engine"


def inspect(name_or_path: str) -> dict:
    """Operators, multiply-accumulates, parameters and memory of a bundle or a `.tflite`.

    Parameters
    ----------
    name_or_path : a committed bundle's name, a bundle's folder, or a `.tflite` file.

    Returns
    -------
    dict with ``model``, ``model_bytes``, ``parameters`` (weights and biases as stored), ``macs`` of one invocation, ``inputs`` and
    ``outputs`` (`flatbuffer.Tensor` as dicts), ``operators`` (list of ``name``, ``version``, ``count``, ``macs``), ``arena_bytes``
    (smallest with which the official TFLM on this machine allocates; None when it lacks an operator) and ``unsupported`` (list of
    ``name``, ``way_out``).

    Raises
    ------
    UserError
        When it is neither, or damaged.
    """
    path = Path(name_or_path)
    if path.is_file():
        file = path
    else:
        bundle = bundles.load(name_or_path)
        file = bundle.path / bundle.description["model"]["file"]
    parsed = flatbuffer.read(file)
    content = file.read_bytes()
    unsupported = _unsupported(content)
    return {
        "model": str(file),
        "model_bytes": len(content),
        "parameters": parsed.parameters,
        "macs": parsed.macs,
        "inputs": [t.as_dict() for t in parsed.inputs],
        "outputs": [t.as_dict() for t in parsed.outputs],
        "operators": [{"name": o.name, "version": o.version, "count": o.count, "macs": o.macs} for o in parsed.operators],
        "arena_bytes": None if unsupported else bundles.smallest_arena(file),
        "unsupported": unsupported,
    }


def _unsupported(content: bytes) -> list[dict]:
    """Operators that the official TFLM's resolver does not find.

    TFLM stops at the first, so each kind of operator is tried in a model of its own: the same tensors, one operator.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    missing = []
    for index, code in enumerate(model.operatorCodes):
        using = [op for graph in model.subgraphs for op in graph.operators if op.opcodeIndex == index]
        if not using:
            continue
        one = copy.copy(model)
        graph = copy.copy(next(g for g in model.subgraphs if any(op is using[0] for op in g.operators)))
        graph.operators = using[:1]
        one.subgraphs = [graph]
        builder = flatbuffers.Builder(len(content))
        builder.Finish(one.Pack(builder), b"TFL3")
        if "Didn't find op" in _allocation_log(bytes(builder.Output())):
            name = flatbuffer.operator_name(code)
            missing.append({"name": name, "way_out": WAYS_OUT.get(name, _ELSE)})
    return missing


def _allocation_log(model: bytes) -> str:
    """What TFLM says while it allocates a model; it writes to the process's stderr."""
    from tflite_micro.python.tflite_micro import runtime

    with quiet() as written:
        with contextlib.suppress(RuntimeError):  # why is in the log
            runtime.Interpreter.from_bytes(model, arena_size=2**20)
        return written()
