"""Models that other tools made, see tests/convert/verify/foreign/README.md, or could make."""

import lzma

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite import graph
from convert.tflite.graph import Graph, Model, Quantization, Tensor
from groupcomm.files import REPO
from tests.helpers.tflite_models import INT16, INT32, network_of
from tests.helpers.tflite_models import Tensor as Made

FOLDER = REPO / "tests/convert/verify/foreign"
NAMES = sorted(path.name.partition(".")[0] for path in FOLDER.glob("*.xz"))


def foreign_model(name: str) -> bytes:
    """Return the `.tflite` of a name."""
    return lzma.decompress((FOLDER / f"{name}.tflite.xz").read_bytes())


def _handle(name=b"sum"):
    options = schema.VarHandleOptionsT()
    options.container, options.sharedName = b"", name
    return graph.operator("VAR_HANDLE", [], [Tensor((), "resource")], options=options)


def _assign(variable, value):
    options = schema.AssignVariableOptionsT()
    return graph.operator("ASSIGN_VARIABLE", [variable.output, value], [], options=options)


def summing(initial: int | None, zero_point: int = -50) -> Model:
    """Return a model that adds its input to a resource variable and returns the sum."""
    quantization = Quantization.of(0.1, zero_point)
    x, before, after = (Tensor((1, 4), "int8", None, quantization) for _ in range(3))
    variable = _handle()
    network = Graph([x], [after])
    network.operators = [
        variable,
        graph.operator(
            "READ_VARIABLE", [variable.output], [before], options=schema.ReadVariableOptionsT()
        ),
        graph.operator("ADD", [before, x], [after], options=schema.AddOptionsT(), version=2),
        _assign(variable, after),
    ]
    if initial is None:
        return Model([network])
    value = Tensor((1, 4), "int8", np.full((1, 4), initial, np.int8), quantization)
    options = schema.CallOnceOptionsT()
    options.initSubgraphIndex = 1
    network.operators.insert(0, graph.operator("CALL_ONCE", [], [], options=options))
    start = _handle()
    return Model([network, Graph([], [], [start, _assign(start, value)])])


def _lstm(random, x: Made, units: int) -> tuple:
    """Return a fused LSTM of one step as for `network_of`."""
    hidden = Made((1, units), 1 / 128, variable=True)
    cell = Made((1, units), 2.0**-12, type=INT16, variable=True)
    weights = [
        Made((units, n), 2 / (np.sqrt(n) * 70 * 70 * scale), data=_int8(random, units, n))
        for n, scale in [(x.shape[-1], x.scale)] * 4 + [(units, hidden.scale)] * 4
    ]
    biases = [
        Made((units,), x.scale * w.scale, type=INT32, data=random.integers(-2000, 2000, units))
        for w in weights[:4]
    ]
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.TANH
    options.timeMajor = False
    given = [x, *weights, *[None] * 3, *biases, None, None, hidden, cell, *[None] * 4]
    y = Made((1, 1, units), hidden.scale)
    return "UNIDIRECTIONAL_SEQUENCE_LSTM", given, [y], options


def _int8(random, *shape: int) -> np.ndarray:
    return random.integers(-127, 128, shape)


def _dense(random, x: Made, outputs: int, unit: float = 0.02) -> tuple:
    inputs = x.shape[-1]
    w = Made((outputs, inputs), unit, data=_int8(random, outputs, inputs))
    scale = x.scale * w.scale
    bias = Made((outputs,), scale, type=INT32, data=random.integers(-2000, 2000, outputs))
    y = Made((1, outputs), 100 * np.sqrt(inputs) * scale)
    return "FULLY_CONNECTED", [x, w, bias], [y], schema.FullyConnectedOptionsT()


def dtln_like_int8() -> bytes:
    """Return half of DTLN's first part in int8: two LSTMs, a dense layer and a mask."""
    random = np.random.default_rng(0)
    first = _lstm(random, Made((1, 1, 129), 0.03, -20), 64)
    second = _lstm(random, first[2][0], 64)
    dense = _dense(random, second[2][0], 129)
    mask = ("LOGISTIC", dense[2], [Made((1, 129), 2.0**-8, -128)], None)
    return network_of([first, second, dense, mask])


def svdf_classifier() -> bytes:
    """Return a keyword spotter: two SVDF with states of int16, a dense layer and a softmax."""
    random, operators, x = np.random.default_rng(0), [], Made((1, 40), 0.05, -10)
    for filters, memory in ((128, 10), (64, 8)):
        w = Made((filters, x.shape[1]), 0.01, data=_int8(random, filters, x.shape[1]))
        t = Made((filters, memory), 2.0**-15, type=INT16, data=_int8(random, filters, memory) * 200)
        unit = x.scale * w.scale / 4
        state = Made((1, filters * memory), unit, type=INT16, variable=True)
        bias = Made((filters,), unit * t.scale, type=INT32, data=_int8(random, filters) * 1000)
        options = schema.SVDFOptionsT()
        options.rank = 1
        y = Made((1, filters), 200 * x.scale * w.scale, 5)
        operators.append(("SVDF", [x, w, t, bias, state], [y], options))
        x = y
    dense = _dense(random, x, 12, 2e-4)  # logits around 1
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    classes = ("SOFTMAX", dense[2], [Made((1, 12), 2.0**-8, -128)], softmax)
    return network_of([*operators, dense, classes])
