"""Builds small TFLite models, changes them, and runs them in the official TFLM."""

import dataclasses

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert.tflite import flatbuffer, graph

INT8, UINT8, INT16, INT32, INT64 = (
    getattr(schema.TensorType, name) for name in ("INT8", "UINT8", "INT16", "INT32", "INT64")
)
DTYPES = {INT8: np.int8, UINT8: np.uint8, INT16: np.int16, INT32: np.int32, INT64: np.int64}


@dataclasses.dataclass
class Tensor:
    """A tensor to be: constant with ``data``, state with ``variable``."""

    shape: tuple
    scale: float | np.ndarray | None = None
    zero_point: int = 0
    type: int = INT8
    data: np.ndarray | None = None
    variable: bool = False
    axis: int = 0  # of several scales


def model_of(name, inputs, outputs, options=None) -> bytes:
    """Return a `.tflite` of one operator; an input is a `Tensor`, or None where it is optional."""
    return network_of([(name, inputs, outputs, options)])


def network_of(operators) -> bytes:
    """Return a `.tflite` of operators, each as for `model_of`; a shared `Tensor` connects them."""
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    model.operatorCodes = []
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []
    indices = {id(None): -1}

    def index(t) -> int:
        if id(t) in indices:
            return indices[id(t)]
        made = schema.TensorT()
        made.shape, made.type, made.name, made.isVariable = (
            list(t.shape),
            t.type,
            f"t{len(graph.tensors)}".encode(),
            t.variable,
        )
        if t.scale is not None:
            scales = np.atleast_1d(np.asarray(t.scale, np.float32))
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = scales
            made.quantization.zeroPoint = np.full(len(scales), t.zero_point, np.int64)
            made.quantization.quantizedDimension = t.axis
        made.buffer = 0
        if t.data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(
                np.ascontiguousarray(t.data, DTYPES[t.type]).tobytes(), np.uint8
            )
            made.buffer = len(model.buffers)
            model.buffers.append(buffer)
        indices[id(t)] = len(graph.tensors)
        graph.tensors.append(made)
        return indices[id(t)]

    for number, (name, inputs, outputs, options) in enumerate(operators):
        op = schema.OperatorT()
        op.opcodeIndex = number
        op.inputs, op.outputs = [index(t) for t in inputs], [index(t) for t in outputs]
        if options is not None:
            op.builtinOptions = options
            op.builtinOptionsType = getattr(
                schema.BuiltinOptions, type(options).__name__.removesuffix("T")
            )
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        model.operatorCodes.append(code)
        graph.operators.append(op)
    read = [t for _, inputs, _, _ in operators for t in inputs if t is not None]
    made = [t for _, _, outputs, _ in operators for t in outputs]
    inputs = (
        index(t)
        for t in read
        if t.data is None and not t.variable and all(t is not m for m in made)
    )
    graph.inputs = list(dict.fromkeys(inputs))
    graph.outputs = [index(t) for t in made if all(t is not r for r in read)]
    model.subgraphs = [graph]
    return packed(model)


def packed(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class Official:
    """The official TFLM on a model of one operator."""

    def __init__(self, model: bytes):
        from tflite_micro.python.tflite_micro import runtime

        self._interpreter = runtime.Interpreter.from_bytes(model, arena_size=2**20)
        self._outputs = range(len(flatbuffer.read(model).graph.outputs))
        self.reset = self._interpreter.reset

    def __call__(self, *inputs):
        """Return the first output."""
        return self.run_all(*inputs)[0]

    def run_all(self, *inputs) -> list[np.ndarray]:
        """Return all outputs."""
        for i, x in enumerate(inputs):
            self._interpreter.set_input(x, i)
        self._interpreter.invoke()
        return [self._interpreter.get_output(i) for i in self._outputs]


def carrying(content):
    """Return the model as the converter leaves it: the LSTMs across the groups keep their state."""
    model = flatbuffer.read(content)
    network = model.graph
    network.operators = [op for op in network.operators if not isinstance(op, graph.Squeeze)]
    return flatbuffer.write(model)


# Changes of the first operator of a model


def fuse(model, activation):
    model.subgraphs[0].operators[0].builtinOptions.fusedActivationFunction = activation


def set_type(model, kind):
    model.subgraphs[0].tensors[0].type = kind


def wide_bias(model):
    model.buffers[-1].data = np.frombuffer(
        np.full(len(model.buffers[-1].data) // 8, 2**31, np.int64).tobytes(), np.uint8
    )


def peephole(model):
    op = model.subgraphs[0].operators[0]
    op.inputs = [0 if i == 9 else int(t) for i, t in enumerate(op.inputs)]


def batch_before_time(model):
    model.subgraphs[0].tensors[0].shape = [7, 5, 7]
    model.subgraphs[0].operators[0].builtinOptions.timeMajor = False


def other_rows(model):
    model.buffers[1].data = model.buffers[1].data[::-1].copy()


def zero_point_of_output(model):
    model.subgraphs[0].tensors[1].quantization.zeroPoint = [5]


def zero_point_of_input(model):
    model.subgraphs[0].tensors[0].quantization.zeroPoint = [5]


def without_bias(model):
    op = model.subgraphs[0].operators[0]
    op.inputs = [-1 if i == 3 else int(t) for i, t in enumerate(op.inputs)]


def wrong_operand() -> bytes:
    """Return a model whose ADD has an operand without a scale, on which TFLM aborts."""
    a, b = Tensor((10, 16), 0.1), Tensor((16,), type=INT32, data=np.ones(16))
    return model_of("ADD", [a, b], [Tensor((10, 16), 0.1)], schema.AddOptionsT())
