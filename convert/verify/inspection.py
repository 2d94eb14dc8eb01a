"""Inspect what a `.tflite` needs from a board, and whether TFLM can run it."""

import collections
import copy
from pathlib import Path

import flatbuffers
import numpy as np

from convert import bundle as bundles
from convert.contract import LSTM
from convert.tflite import counts
from convert.tflite.schema import schema
from groupcomm.console import quiet
from groupcomm.errors import UserError

_GATE_CLOSED = -1e3  # a weight that closes a gate, whatever the other inputs are

# Remedies for operators that converted audio networks often contain and TFLM lacks. Others get
# _DEFAULT_REMEDY.
WAYS_OUT = {
    "WHILE": "a recurrent layer did not fuse: build it with tf_keras.layers.LSTM, "
    "and convert with a fixed batch and one time step",
    "IF": "remove the condition from the graph; convert one branch",
    "BIDIRECTIONAL_SEQUENCE_LSTM": "use two unidirectional LSTMs, "
    "or TAC where the recurrence is across groups",
    "UNIDIRECTIONAL_SEQUENCE_RNN": "use tf_keras.layers.LSTM, which TFLM has",
    "GELU": "use ReLU, or approximate it with LOGISTIC and MUL",
    "RFFT2D": "keep the STFT outside the network, as micro/stream does",
    "STFT": "keep the STFT outside the network, as micro/stream does",
    "POW": "write tf.square or tf.sqrt, not **",
    "TILE": "repeat with CONCATENATION, or with MUL by a tensor of ones",
    "STRIDED_SLICE": "slice at most 4 axes: reshape before and after, "
    "as tf_model/layers/chunks.py does",
}
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
_DEFAULT_REMEDY = (
    "replace the layer by operators that TFLM has, "
    "or register your own kernel in the resolver of micro/engine"
)


def inspect(name_or_path: str) -> dict:
    """Report operators, multiply-accumulates, parameters and memory of a bundle or a `.tflite`.

    Parameters
    ----------
    name_or_path : str
        The name of a committed bundle, the folder of a bundle, or a `.tflite` file.

    Returns
    -------
    dict
        ``model``, ``model_bytes``, ``parameters`` (weights and biases as stored), ``macs`` of one
        invocation, ``inputs`` and ``outputs`` (`counts.Tensor` as dicts), ``operators`` (list
        of ``name``, ``version``, ``count``, ``macs``), ``arena_bytes`` (the smallest with which the
        official TFLM on this machine runs the model; None when it does not, or needs more than 16
        MiB), ``unsupported`` (list of ``name``, ``reason``, ``way_out``; the reason is TFLM's own
        message when it has the operator but rejects this variant, else None) and ``notes`` (list of
        str: how to handle the state of fused LSTMs).

    Raises
    ------
    UserError
        When there is no such bundle or file, or it is damaged.
    """
    path = Path(name_or_path)
    if path.is_file():
        file = path
    else:
        bundle = bundles.load(name_or_path)
        file = bundle.path / bundle.description["model"]["file"]
    parsed = counts.read(file)
    content = file.read_bytes()
    unsupported = _unsupported(content)
    return {
        "model": str(file),
        "model_bytes": len(content),
        "parameters": parsed.parameters,
        "macs": parsed.macs,
        "inputs": [t.as_dict() for t in parsed.inputs],
        "outputs": [t.as_dict() for t in parsed.outputs],
        "operators": [
            {"name": o.name, "version": o.version, "count": o.count, "macs": o.macs}
            for o in parsed.operators
        ],
        "arena_bytes": None if unsupported else _arena(file),
        "unsupported": unsupported,
        "notes": _notes(content),
    }


def _arena(file: Path) -> int | None:
    try:
        return bundles.smallest_arena(file)
    except UserError:
        return None


def _notes(content: bytes) -> list[str]:
    """Describe how the state of fused LSTMs is handled."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    notes = collections.Counter()
    for op, kept in zip(model.subgraphs[0].operators, counts.persistent_states(model), strict=True):
        steps = counts.sequence_steps(model, op)
        if steps == 1 and kept:
            notes[f"state of {{}} LSTMs: {CARRIES_TO_THE_NEXT}"] += 1
        elif steps and not kept:
            notes[f"{{}} LSTMs {SET_BY_OPERATORS}"] += 1
        elif steps and not _begins_from_zero(model, op):
            notes[f"{{}} LSTMs {CARRIES_OVER_SEQUENCES}"] += 1
    return [note.format(count) for note, count in notes.items()]


def _begins_from_zero(model, op) -> bool:
    """Return whether a fused LSTM has the resetting first step of `tf_model.layers.blstm`.

    There, the last feature closes the input and the forget gates.
    """
    gates = [model.subgraphs[0].tensors[i] for i in op.inputs[LSTM.input_weights][:2]]
    if any(gate.type != schema.TensorType.FLOAT32 for gate in gates):
        return False
    weights = [
        np.frombuffer(model.buffers[gate.buffer].data.tobytes(), np.float32).reshape(gate.shape)
        for gate in gates
    ]
    return all((w[:, -1] <= _GATE_CLOSED).all() for w in weights)


def _unsupported(content: bytes) -> list[dict]:
    """List the operators that the official TFLM does not have, or rejects with these tensors.

    TFLM stops at the first error, so each kind of operator is tried in a model of its own that has
    the same tensors and one operator.
    """
    if not _allocation_log(content):
        return []
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    kinds = {}
    for graph in model.subgraphs:
        for op in graph.operators:
            inputs = [graph.tensors[i] for i in op.inputs if i >= 0]
            kinds.setdefault(
                (op.opcodeIndex, *((t.type, len(t.shape)) for t in inputs)), (graph, op)
            )
    found = {}
    for graph, op in kinds.values():
        one, alone = copy.copy(model), copy.copy(graph)
        alone.operators = [op]
        one.subgraphs = [alone]
        builder = flatbuffers.Builder(len(content))
        builder.Finish(one.Pack(builder), b"TFL3")
        log = _allocation_log(bytes(builder.Output()))
        name = counts.operator_name(model.operatorCodes[op.opcodeIndex])
        if "Didn't find op" in log:
            found[name] = None
        elif "failed to prepare" in log:
            found.setdefault(name, log.partition("Node ")[0].strip().replace("\n", "; "))
    return [
        {"name": name, "reason": reason, "way_out": WAYS_OUT.get(name, _DEFAULT_REMEDY)}
        for name, reason in found.items()
    ]


def _allocation_log(model: bytes) -> str:
    """Return what TFLM writes to stderr when it cannot allocate a model; empty on success."""
    from tflite_micro.python.tflite_micro import runtime

    with quiet() as written:
        try:
            runtime.Interpreter.from_bytes(model, arena_size=2**28)
        except RuntimeError as e:
            return written() or str(e)
    return ""
