"""Read and write `.tflite` files: the only place that knows the FlatBuffers schema's tables.

`read` verifies a file and returns a `graph.Model`; `write` is its inverse. What the project does
not know is kept and written unchanged.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np

from convert.contract import LSTM
from convert.tflite.graph import (
    NUMPY_TYPES,
    Graph,
    Lstm,
    Model,
    Operator,
    Quantization,
    Tensor,
    constants,
    operator,
)
from convert.tflite.schema import schema
from convert.tflite.verifier import StructureError, verify
from groupcomm.console import printable
from groupcomm.errors import UserError

_TYPE_NAMES = {value: name.lower() for value, name in constants(schema.TensorType).items()}
_TYPE_VALUES = {name: value for value, name in _TYPE_NAMES.items()}
_OPERATOR_NAMES = constants(schema.BuiltinOperator)
# Options whose values have names.
_NAMED_OPTIONS = {
    "fusedActivationFunction": constants(schema.ActivationFunctionType),
    "padding": constants(schema.Padding),
}


def read_file(path: Path) -> Model:
    """Read a `.tflite` file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Model

    Raises
    ------
    UserError
        When the file is missing, is not a TFLite flatbuffer, or is damaged.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as e:
        raise UserError(
            f"{path}: cannot read ({e.strerror}); make it with `groupcomm convert`"
        ) from e
    return read(content, str(path))


def read(content: bytes, source: str = "model") -> Model:
    """Read and verify a `.tflite`.

    Parameters
    ----------
    content : bytes
    source : str
        What messages call it.

    Returns
    -------
    Model

    Raises
    ------
    UserError
        When it is not a TFLite flatbuffer, or is damaged: a part outside of the file, a position
        outside of its table, or a constant whose bytes are not those of its shape.
    """
    if content[4:8] != b"TFL3":
        raise UserError(
            f"{source}: not a TFLite model (no TFL3 identifier at byte 4); "
            "make it with `groupcomm convert`"
        )
    try:
        verify(content)
        return _Reader(schema.ModelT.InitFromPackedBuf(content, 0)).model()
    except Exception as e:  # the generated reader fails in many ways on unknown types of a union
        known = isinstance(e, _Damage | StructureError)
        problem = printable(str(e)) if known else f"{type(e).__name__} while reading"
        raise UserError(f"{source}: damaged TFLite model ({problem}); convert it again") from e


class _Damage(Exception):
    """What is wrong with a model."""


_TENSOR_EXTRA = ("sparsity", "hasRank", "variantTensors")
_OPERATOR_EXTRA = (
    "customOptions",
    "customOptionsFormat",
    "mutatingVariableInputs",
    "builtinOptions2",
    "builtinOptions2Type",
)


class _Reader:
    """Translates the schema's Python classes to those of this module."""

    def __init__(self, parsed):
        self._parsed = parsed

    def model(self) -> Model:
        parsed = self._parsed
        if not parsed.subgraphs:
            raise _Damage("it has no graph")
        graphs = [self._graph(g) for g in parsed.subgraphs]
        for op in (op for graph in graphs for op in graph.operators):
            for i in op.subgraphs:
                _check(i, len(graphs), f"graph of operator {op.name}")
        return Model(
            graphs,
            description=_text(parsed.description),
            signatures=parsed.signatureDefs or [],
            metadata={
                _text(m.name) or "": self._bytes(m.buffer) or b"" for m in parsed.metadata or []
            },
            version=parsed.version,
        )

    def _bytes(self, buffer: int) -> bytes | None:
        _check(buffer, len(self._parsed.buffers or []), "buffer")
        found = self._parsed.buffers[buffer]
        if getattr(found, "offset", 0) > 1:
            raise _Damage("its constants are outside of the flatbuffer, as in files over 2 GB")
        return None if found.data is None else np.asarray(found.data, np.uint8).tobytes()

    def _graph(self, parsed) -> Graph:
        tensors = [self._tensor(i, t) for i, t in enumerate(_list(parsed.tensors))]

        def found(positions, what: str, *, lowest: int = 0) -> list:
            for i in (positions := [int(i) for i in _list(positions)]):
                _check(i, len(tensors), what, lowest=lowest)
            return [tensors[i] if i >= 0 else None for i in positions]

        operators = []
        for op in _list(parsed.operators):
            if op.builtinOptionsType and op.builtinOptions is None:
                raise _Damage(
                    f"an operator has options of the unknown type {op.builtinOptionsType}"
                )
            _check(op.opcodeIndex, len(_list(self._parsed.operatorCodes)), "operator code")
            code = self._parsed.operatorCodes[op.opcodeIndex]
            name, is_custom = _operator_name(code)
            operators.append(
                operator(
                    name,
                    found(op.inputs, f"input of {name}", lowest=-1),
                    found(op.outputs, f"output of {name}"),
                    version=code.version,
                    options=op.builtinOptions,
                    is_custom=is_custom,
                    intermediates=found(op.intermediates, f"intermediate of {name}"),
                    extra=_extra(op, _OPERATOR_EXTRA),
                )
            )
            _check_options(name, op.builtinOptions)
            if isinstance(operators[-1], Lstm):
                _check_lstm(operators[-1])
        return Graph(
            found(parsed.inputs, "input of the graph"),
            found(parsed.outputs, "output of the graph"),
            operators,
            tensors,
            _text(parsed.name),
        )

    def _tensor(self, index: int, parsed) -> Tensor:
        shape = tuple(int(n) for n in _list(parsed.shape))
        if any(n < 0 for n in shape):
            raise _Damage(f"tensor {index} has the shape {shape}")
        if parsed.type not in _TYPE_NAMES:
            raise _Damage(f"tensor {index} has the unknown type {parsed.type}")
        dtype = _TYPE_NAMES[parsed.type]
        signature = _list(parsed.shapeSignature)
        return Tensor(
            shape,
            dtype,
            _decode(index, shape, dtype, self._bytes(parsed.buffer)),
            _quantization(index, parsed.quantization),
            bool(parsed.isVariable),
            _text(parsed.name),
            index,
            tuple(int(n) for n in signature) if len(signature) else None,
            _extra(parsed, _TENSOR_EXTRA),
        )


def _check_options(name: str, options) -> None:
    for option, values in _NAMED_OPTIONS.items():
        if (value := getattr(options, option, 0)) not in values:
            raise _Damage(f"{name} has the unknown {option} {value}")
    for option in ("strideW", "strideH"):
        if (value := getattr(options, option, 1)) < 1:
            raise _Damage(f"{name} has the {option} {value}")


def _check_lstm(op: Lstm) -> None:
    if len(op.inputs) <= LSTM.cell_state:
        raise _Damage(f"{op.name} has {len(op.inputs)} inputs")
    if None in (op.input, *op.states) or not op.input.shape:
        raise _Damage(f"{op.name} has no input or no state")


def _list(vector):
    return [] if vector is None else vector


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")


def _check(index: int, count: int, what: str, *, lowest: int = 0) -> None:
    if not lowest <= index < count:
        raise _Damage(f"{what}: position {index} of {count}")


def _extra(parsed, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those fields that the file has."""
    found = {name: getattr(parsed, name, None) for name in names}
    return {n: v for n, v in found.items() if v is not None and (np.ndim(v) or v)}


def _operator_name(code) -> tuple[str, bool]:
    if code.customCode:
        return code.customCode.decode(errors="replace"), True
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    return _OPERATOR_NAMES.get(builtin, f"BUILTIN_{builtin}"), False


def _quantization(index: int, parsed) -> Quantization | None:
    if parsed is None or parsed.scale is None or len(parsed.scale) == 0:
        return None
    if not np.isfinite(parsed.scale).all():
        raise _Damage(f"tensor {index} has a scale that is not a finite number")
    zero_points = _list(parsed.zeroPoint)
    return Quantization(
        np.asarray(parsed.scale, np.float32),
        np.asarray(zero_points, np.int64) if len(zero_points) else np.zeros(1, np.int64),
        int(parsed.quantizedDimension),
    )


def _decode(index: int, shape, dtype: str, content: bytes | None) -> np.ndarray | None:
    """Return the values of a constant."""
    if content is None:
        return None
    if dtype == "int4":
        expected = (math.prod(shape) + 1) // 2
    elif dtype in NUMPY_TYPES:
        expected = math.prod(shape) * NUMPY_TYPES[dtype].itemsize
    else:
        return np.frombuffer(content, np.uint8)
    if len(content) != expected:
        raise _Damage(f"tensor {index} has {len(content)} bytes of values, its shape {expected}")
    if dtype == "int4":
        packed = np.frombuffer(content, np.int8)
        halves = np.stack([packed << 4 >> 4, packed >> 4], -1).ravel()
        return halves[: math.prod(shape)].reshape(shape)
    return np.frombuffer(content, NUMPY_TYPES[dtype]).reshape(shape)


def _encode(tensor: Tensor) -> bytes | None:
    """Return the bytes of a constant in a file."""
    if tensor.data is None:
        return None
    if tensor.dtype == "int4":  # two values in a byte, the first in its low half
        flat = np.append(tensor.data.ravel(), np.zeros(tensor.size % 2, np.int8)).astype(np.uint8)
        return ((flat[::2] & 15) | flat[1::2] << 4).tobytes()
    return np.ascontiguousarray(tensor.data, NUMPY_TYPES.get(tensor.dtype, np.uint8)).tobytes()


def write(model: Model) -> bytes:
    """Serialize a model to a flatbuffer in which equal parts are stored once.

    Constants begin at multiples of 16 bytes, as in files of TFLite's own writer. A core without
    unaligned loads needs this for 64-bit biases.

    Parameters
    ----------
    model : Model

    Returns
    -------
    bytes
    """
    return _Writer(model).content()


class _Writer:
    """Serializes a model; every method returns the offset of what it wrote."""

    def __init__(self, model: Model):
        self._model = model
        self._builder = flatbuffers.Builder(1024)
        self._written: dict[tuple, int] = {}
        self._buffers: list[bytes | None] = [None]  # an empty buffer is the first one
        self._buffer_index: dict[bytes, int] = {}
        self._codes: dict[tuple[str, int, bool], int] = {}

    def content(self) -> bytes:
        model = self._model
        tensors = [_all_tensors(graph) for graph in model.graphs]
        # The order of the parts: buffers first, then each graph.
        of_tensor = {t: self._buffer(_encode(t)) for ts in tensors for t in ts}
        metadata = {name: self._buffer(content) for name, content in model.metadata.items()}
        for op in model.operators:
            key = (op.name, op.version, op.is_custom)
            self._codes.setdefault(key, len(self._codes))
        buffers = self._offsets([self._constant(b) for b in self._buffers])
        graphs = [
            self._graph(graph, {t: of_tensor[t] for t in ts})
            for graph, ts in zip(model.graphs, tensors, strict=True)
        ]
        codes = [self._code(*key) for key in self._codes]
        parts = {
            "OperatorCodes": self._offsets(codes),
            "Subgraphs": self._offsets(graphs),
            "Buffers": buffers,
        }
        if model.description is not None:
            parts["Description"] = self._builder.CreateString(model.description)
        if metadata:
            parts["Metadata"] = self._offsets([self._metadata(*item) for item in metadata.items()])
        if model.signatures:
            packed = [signature.Pack(self._builder) for signature in model.signatures]
            parts["SignatureDefs"] = self._offsets(packed)
        self._builder.Finish(self._table("Model", Version=model.version, **parts), b"TFL3")
        return bytes(self._builder.Output())

    def _once(self, key: tuple, make) -> int:
        if key not in self._written:
            self._written[key] = make()
        return self._written[key]

    def _vector(self, values, dtype) -> int:
        array = np.ascontiguousarray(values, dtype)
        return self._once((dtype, array.tobytes()), lambda: self._builder.CreateNumpyVector(array))

    def _table(self, kind: str, **fields) -> int:
        getattr(schema, f"{kind}Start")(self._builder)
        for name, value in fields.items():
            if value is not None:
                getattr(schema, f"{kind}Add{name}")(self._builder, value)
        return getattr(schema, f"{kind}End")(self._builder)

    def _offsets(self, values: list[int]) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependUOffsetTRelative(value)
        return self._builder.EndVector()

    def _buffer(self, content: bytes | None) -> int:
        if content is None:
            return 0
        if content not in self._buffer_index:
            self._buffer_index[content] = len(self._buffers)
            self._buffers.append(content)
        return self._buffer_index[content]

    def _constant(self, content: bytes | None) -> int:
        if content is None:
            return self._table("Buffer")
        builder = self._builder
        builder.StartVector(1, len(content), 16)
        builder.head -= len(content)
        builder.Bytes[builder.head : builder.head + len(content)] = content
        return self._table("Buffer", Data=builder.EndVector())

    def _metadata(self, name: str, buffer: int) -> int:
        return self._table("Metadata", Name=self._builder.CreateString(name), Buffer=buffer)

    def _code(self, name: str, version: int, is_custom: bool) -> int:
        text = self._builder.CreateString(name) if is_custom else None
        builtin = (
            schema.BuiltinOperator.CUSTOM
            if is_custom
            else int(name.removeprefix("BUILTIN_"))
            if name.startswith("BUILTIN_")
            else getattr(schema.BuiltinOperator, name)
        )
        return self._table(
            "OperatorCode",
            DeprecatedBuiltinCode=min(builtin, 127),
            CustomCode=text,
            Version=version,
            BuiltinCode=builtin,
        )

    def _graph(self, graph: Graph, of_tensor: dict[Tensor, int]) -> int:
        position = {t: i for i, t in enumerate(of_tensor)}

        def positions(tensors: list) -> list[int]:
            return [-1 if t is None else position[t] for t in tensors]

        tensors = self._offsets([self._tensor(*item) for item in of_tensor.items()])
        operators = self._offsets([self._operator(op, positions) for op in graph.operators])
        ends = [self._vector(positions(ts), np.int32) for ts in (graph.inputs, graph.outputs)]
        name = None if graph.name is None else self._builder.CreateString(graph.name)
        return self._table(
            "SubGraph",
            Tensors=tensors,
            Inputs=ends[0],
            Outputs=ends[1],
            Operators=operators,
            Name=name,
        )

    def _tensor(self, t: Tensor, buffer: int) -> int:
        shape = self._vector(t.shape, np.int32)
        quantization = None if t.quantization is None else self._scales(t.quantization)
        signature = None if t.shape_signature is None else self._vector(t.shape_signature, np.int32)
        name = None if t.name is None else self._builder.CreateString(t.name)
        sparsity = t.extra["sparsity"].Pack(self._builder) if "sparsity" in t.extra else None
        variants = (
            self._offsets([v.Pack(self._builder) for v in t.extra["variantTensors"]])
            if "variantTensors" in t.extra
            else None
        )
        return self._table(
            "Tensor",
            Shape=shape,
            Type=_TYPE_VALUES[t.dtype],
            Buffer=buffer,
            Quantization=quantization,
            IsVariable=t.is_variable,
            Name=name,
            ShapeSignature=signature,
            Sparsity=sparsity,
            HasRank=t.extra.get("hasRank"),
            VariantTensors=variants,
        )

    def _scales(self, q: Quantization) -> int:
        parts = self._vector(q.scales, np.float32), self._vector(q.zero_points, np.int64)
        return self._once(
            ("scales", *parts, q.axis),
            lambda: self._table(
                "QuantizationParameters",
                Scale=parts[0],
                ZeroPoint=parts[1],
                QuantizedDimension=q.axis or None,
            ),
        )

    def _options(self, options) -> int | None:
        if options is None:
            return None
        values = (
            v.tobytes() if isinstance(v, np.ndarray) else str(v) for v in vars(options).values()
        )
        return self._once((type(options), *values), lambda: options.Pack(self._builder))

    def _operator(self, op: Operator, positions) -> int:
        options = self._options(op.options)
        options2 = self._options(op.extra.get("builtinOptions2"))
        custom = op.extra.get("customOptions")
        mutating = op.extra.get("mutatingVariableInputs")
        return self._table(
            "Operator",
            OpcodeIndex=self._codes[op.name, op.version, op.is_custom],
            Inputs=self._vector(positions(op.inputs), np.int32),
            Outputs=self._vector(positions(op.outputs), np.int32),
            BuiltinOptionsType=_options_type(op.options),
            BuiltinOptions=options,
            Intermediates=self._vector(positions(op.intermediates), np.int32)
            if op.intermediates
            else None,
            CustomOptions=None if custom is None else self._vector(custom, np.uint8),
            CustomOptionsFormat=op.extra.get("customOptionsFormat"),
            MutatingVariableInputs=None if mutating is None else self._vector(mutating, np.bool_),
            BuiltinOptions2Type=op.extra.get("builtinOptions2Type"),
            BuiltinOptions2=options2,
        )


def _all_tensors(graph: Graph) -> list[Tensor]:
    """Return the tensors of a graph, then those that only its operators name."""
    used = (t for op in graph.operators for t in (*op.inputs, *op.intermediates, *op.outputs))
    return list(dict.fromkeys([*graph.tensors, *(t for t in used if t is not None)]))


def _options_type(options) -> int | None:
    if options is None:
        return None
    return getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
