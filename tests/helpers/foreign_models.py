"""Models that other tools made, see tests/convert/verify/foreign/README.md, or could make."""

import lzma

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite import graph
from convert.tflite.graph import Graph, Model, Quantization, Tensor
from groupcomm.files import REPO

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
