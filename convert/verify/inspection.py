"""Inspect what a `.tflite` needs from a board, and whether TFLM can run it."""

import collections
import dataclasses
from pathlib import Path

from convert import bundle as bundles
from convert.tflite import counts, flatbuffer, graph, releases
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
DEPENDS_ON_RELEASE = (
    "operators can compute other bytes in TFLM before October 2026, in Arduino and in Zephyr than "
    "in the wheel: their products of scales are not exact in float32"
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
        invocation, ``uncounted`` (names of the operators that ``macs`` does not include),
        ``inputs`` and ``outputs`` (`graph.Tensor.as_dict`), ``operators`` (list
        of ``name``, ``version``, ``count``, ``macs``), ``arena_bytes`` (the smallest with which the
        official TFLM on this machine runs the model; None when it does not, or needs more than 16
        MiB), ``unsupported`` (list of ``name``, ``reason``, ``way_out``; the reason is TFLM's own
        message when it has the operator but rejects this variant, else None) and ``notes`` (list of
        str: how to handle the state of fused LSTMs, and whether the bytes depend on the release of
        TFLM).

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
    content = file.read_bytes()
    model = flatbuffer.read(content, str(file))
    found = counts.count(model)
    unsupported = _unsupported(model, content)
    return {
        "model": str(file),
        "model_bytes": len(content),
        "parameters": found.parameters,
        "macs": found.macs,
        "uncounted": list(found.uncounted),
        "inputs": [t.as_dict() for t in found.inputs],
        "outputs": [t.as_dict() for t in found.outputs],
        "operators": [dataclasses.asdict(kind) for kind in found.operators],
        "arena_bytes": None if unsupported else _arena(file),
        "unsupported": unsupported,
        "notes": [*_state_notes(model), *_release_notes(model)],
    }


def _arena(file: Path) -> int | None:
    try:
        return bundles.smallest_arena(file)
    except UserError:
        return None


def _state_notes(model: graph.Model) -> list[str]:
    """Describe how the state of fused LSTMs is handled."""
    notes: collections.Counter = collections.Counter()
    for op in model.graph.operators:
        if not isinstance(op, graph.Lstm):
            continue
        kept = model.graph.persistent_states(op)
        if op.steps == 1 and kept:
            notes[f"state of {{}} LSTMs: {CARRIES_TO_THE_NEXT}"] += 1
        elif not kept:
            notes[f"{{}} LSTMs {SET_BY_OPERATORS}"] += 1
        elif not _begins_from_zero(op):
            notes[f"{{}} LSTMs {CARRIES_OVER_SEQUENCES}"] += 1
    return [note.format(count) for note, count in notes.items()]


def _release_notes(model: graph.Model) -> list[str]:
    """Say whether the bytes depend on the release of TFLM."""
    different = sum(map(releases.depends_on_release, model.graph.operators))
    return [f"{different} {DEPENDS_ON_RELEASE}"] if different else []


def _begins_from_zero(op: graph.Lstm) -> bool:
    """Return whether a fused LSTM has the resetting first step of `tf_model.layers.blstm`.

    There, the last feature closes the input and the forget gates.
    """
    weights = [gate.weights for gate in (op.input_gate, op.forget_gate)]
    if any(w is None or w.data is None or w.dtype != "float32" for w in weights):
        return False
    return all((w.data[:, -1] <= _GATE_CLOSED).all() for w in weights)


def _unsupported(model: graph.Model, content: bytes) -> list[dict]:
    """List the operators that the official TFLM does not have, or rejects with these tensors.

    TFLM stops at the first error, so each kind of operator is tried in a model of its own that has
    the same tensors and one operator.
    """
    if not _allocation_log(content):
        return []
    kinds = {}
    for network in model.graphs:
        for op in network.operators:
            types = tuple((t.dtype, len(t.shape)) for t in op.inputs if t is not None)
            kinds.setdefault((op.name, op.version, types), (network, op))
    found = {}
    for network, op in kinds.values():
        alone = dataclasses.replace(network, operators=[op])
        one = dataclasses.replace(model, graphs=[alone], signatures=[])
        log = _allocation_log(flatbuffer.write(one))
        if "Didn't find op" in log:
            found[op.name] = None
        elif "failed to prepare" in log:
            found.setdefault(op.name, log.partition("Node ")[0].strip().replace("\n", "; "))
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
