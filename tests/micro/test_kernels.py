"""The kernels in C against the official TFLM: models of one operator each, random and extreme, every byte equal."""

import ctypes
import dataclasses
import functools
import shutil
import subprocess

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle, kernels
from groupcomm.errors import UserError
from groupcomm.files import REPO

INT8, INT16, INT32, INT64 = (getattr(schema.TensorType, name) for name in ("INT8", "INT16", "INT32", "INT64"))
DTYPES = {INT8: np.int8, INT16: np.int16, INT32: np.int32, INT64: np.int64}
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
UBSAN = ["-fsanitize=undefined", "-fno-sanitize-recover"]


# Models of one operator


@dataclasses.dataclass
class Tensor:
    """A tensor to be: constant with ``data``, state with ``variable``."""

    shape: tuple
    scale: float | np.ndarray | None = None
    zero_point: int = 0
    type: int = INT8
    data: np.ndarray | None = None
    variable: bool = False


def model_of(name, inputs, outputs, options=None) -> bytes:
    """A `.tflite` of one operator; inputs are `Tensor`, or None where an optional one is left out."""
    return network_of([(name, inputs, outputs, options)])


def network_of(operators) -> bytes:
    """A `.tflite` of operators, each as `model_of` has it; those that share a `Tensor` are connected."""
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
        made.shape, made.type, made.name, made.isVariable = list(t.shape), t.type, f"t{len(graph.tensors)}".encode(), t.variable
        if t.scale is not None:
            scales = np.atleast_1d(np.asarray(t.scale, np.float32))
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = scales
            made.quantization.zeroPoint = np.full(len(scales), t.zero_point, np.int64)
        made.buffer = 0
        if t.data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(t.data, DTYPES[t.type]).tobytes(), np.uint8)
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
            op.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        code.version = 1
        model.operatorCodes.append(code)
        graph.operators.append(op)
    read = [t for _, inputs, _, _ in operators for t in inputs if t is not None]
    made = [t for _, _, outputs, _ in operators for t in outputs]
    graph.inputs = [index(t) for t in read if t.data is None and not t.variable and all(t is not m for m in made)]
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
        self.reset = self._interpreter.reset

    def __call__(self, *inputs):
        for i, x in enumerate(inputs):
            self._interpreter.set_input(x, i)
        self._interpreter.invoke()
        return self._interpreter.get_output(0)


def prepare(model: bytes):
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    return kernels.prepare(parsed, parsed.subgraphs[0].operators[0])


# The kernels


def compile_kernels(folder, *flags, sources=REPO):
    """All of micro/kernels as a shared library."""
    library = folder / "kernels.so"
    files = sorted((sources / "micro/kernels").glob("*.c"))
    files = [f for f in files if f.name not in ("portable.c", "bodies_test.c")]
    subprocess.run(["cc", *STRICT, *flags, f"-I{sources}", *files, "-o", library], check=True)
    return ctypes.CDLL(str(library))


@pytest.fixture(scope="module", params=["plain", "ubsan"])
def library(request, tmp_path_factory):
    return compile_kernels(tmp_path_factory.mktemp(request.param), *(UBSAN if request.param == "ubsan" else []))


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def c_struct(prepared):
    """A prepared operator as its struct in C: the same fields in the same order."""
    fields, values = [], []
    for field in dataclasses.fields(prepared):
        value = getattr(prepared, field.name)
        if dataclasses.is_dataclass(value):
            value = c_struct(value)
            kind = type(value)
        elif isinstance(value, np.ndarray):
            kind, value = ctypes.c_void_p, pointer(value)
        elif value is None:
            kind = ctypes.c_void_p
        else:
            kind = ctypes.c_int32
        fields.append((field.name, kind))
        values.append(value)
    made = type(type(prepared).__name__, (ctypes.Structure,), {"_fields_": fields})(*values)
    made.keep = prepared  # the arrays that it points to
    return made


def scratch_bytes(batch, inputs, units) -> int:
    """GC_LSTM_SCRATCH_BYTES."""
    eights, pairs = (inputs + 7) // 8 + (units + 7) // 8, (batch + 1) // 2
    return max(32 * eights * (pairs + 1) + 64 * pairs, 64 * units)


class Kernel:
    """An operator prepared and called as the generated C calls it; `reset` and state as `Official` has them."""

    def __init__(self, library, model: bytes):
        self._library = library
        self._p = p = prepare(model)
        parsed = schema.ModelT.InitFromPackedBuf(model, 0).subgraphs[0]
        self._function = kernels.function(schema.ModelT.InitFromPackedBuf(model, 0), parsed.operators[0], p)
        output = parsed.tensors[parsed.operators[0].outputs[0]]
        self._shape, self._dtype = [int(n) for n in output.shape], DTYPES[output.type]
        if isinstance(p, kernels.Lstm):
            self.hidden = np.empty((p.batch, p.units), self._dtype)
            self.cell = np.empty((p.batch, p.units), np.int16)
            self._bytes = scratch_bytes(p.batch, p.inputs, p.units)
            self.reset()
        self._c = None if isinstance(p, list | kernels.Lookup) else c_struct(p)

    def reset(self):
        self.hidden[:] = self._p.zero_point
        self.cell[:] = 0

    def __call__(self, *inputs):
        p, lib = self._p, self._library
        inputs = [np.ascontiguousarray(x) for x in inputs]
        # Values that no kernel may touch on either side.
        size = int(np.prod(self._shape))
        whole = np.full(size + 32, 85, self._dtype)
        out = whole[16 : 16 + size]
        arguments = [pointer(x) for x in inputs] + [pointer(out)]
        by_reference = None if self._c is None else ctypes.byref(self._c)
        if isinstance(p, list):
            for part, x in zip(p, inputs, strict=True):
                lib.gc_copy_s8(part.rows, part.columns, pointer(x), ctypes.c_void_p(out.ctypes.data + part.offset), part.stride)
        elif isinstance(p, kernels.Lookup):
            lib.gc_lookup_s8(pointer(p.table), p.count, *arguments)
        elif isinstance(p, kernels.Lstm):
            scratch = np.full(self._bytes + 16, 85, np.int8)
            getattr(lib, self._function)(
                by_reference, arguments[0], pointer(self.hidden), pointer(self.cell), arguments[1], pointer(scratch)
            )
            assert np.array_equal(self.hidden.ravel(), out[-self.hidden.size :]) and (scratch[self._bytes :] == 85).all()
        else:
            getattr(lib, self._function)(by_reference, *arguments)
        assert (whole[:16] == 85).all() and (whole[16 + size :] == 85).all()
        return out.reshape(self._shape).copy()


def difference(library, model: bytes, cases) -> int:
    """How many outputs of a kernel differ from the official TFLM's. A case is a tuple of inputs, or "reset"."""
    official, kernel = Official(model), Kernel(library, model)
    count = 0
    for case in cases:
        if isinstance(case, str):
            official.reset()
            kernel.reset()
        else:
            count += np.count_nonzero(official(*case) != kernel(*case))
    return count


# Random operators


def log_uniform(random, low, high, size=None):
    """Powers of two now and then: with those, sums fall exactly between two steps."""
    drawn = np.exp(random.uniform(np.log(low), np.log(high), size))
    return power_of_two(drawn) if random.random() < 0.5 else np.float32(drawn)


def power_of_two(x):
    return np.float32(2.0 ** np.round(np.log2(x)))


def zero_point(random) -> int:
    return int(random.choice([-128, 127, *np.round(random.normal(0, 30, 6)).clip(-128, 127)]))


def values(random, shape, type=INT8) -> np.ndarray:
    """Numbers of some character: noise, one extreme everywhere, only extremes, small."""
    kind, dtype = random.integers(0, 10), DTYPES[type]
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    if kind == 0:
        return np.full(shape, random.choice([low, high]), dtype)
    if kind == 1:
        return random.choice(np.array([low, high], dtype), shape)
    if kind == 2:
        return random.integers(-3, 4, shape, dtype=dtype)
    return random.integers(low, high, shape, dtype=dtype, endpoint=True)


def cases_for(random, *shapes, count=6, type=INT8):
    limits = np.iinfo(DTYPES[type])
    every = [tuple(np.full(s, v, DTYPES[type]) for s in shapes) for v in (limits.min, limits.max)]
    return every + [tuple(values(random, s, type) for s in shapes) for _ in range(count)]


def activation(random, shape, scale, type=INT8) -> Tensor:
    """An input or output of some zero point, which is 0 for int16; of int16 of 256 times smaller steps."""
    return Tensor(shape, scale, zero_point(random)) if type == INT8 else Tensor(shape, np.float32(scale / 256), type=type)


def random_fully_connected(random, type=INT8):
    rows, inputs, outputs = (int(n) for n in random.integers(1, [20, 70, 40]))
    if random.random() < 0.3:  # the committed network's
        rows, inputs, outputs = ((16, 8, 16), (16, 16, 8), (16, 32, 8), (1, 16, 16), (1, 129, 128), (1, 128, 129))[random.integers(0, 6)]
    x = activation(random, (rows, inputs), log_uniform(random, 1e-3, 0.1), type)
    scales = log_uniform(random, 1e-3, 0.1, outputs if random.random() < 0.6 and outputs > 1 else None)
    w = Tensor((outputs, inputs), scales, data=values(random, (outputs, inputs)))
    reach = 2**31 - 1 if random.random() < 0.1 else 2 ** random.integers(1, 14)
    if type == INT16 and reach < 2**30:
        reach *= 2**8
    bias_type = INT32 if type == INT8 else INT64
    bias = Tensor((outputs,), x.scale * np.float32(scales), type=bias_type, data=random.integers(-reach, reach + 1, outputs))
    cases = cases_for(random, x.shape, type=type)
    # An output scale that lets most values through, sometimes one that saturates or nearly extinguishes them.
    sums = [(case[0].astype(int) - x.zero_point) @ w.data.T.astype(int) for case in cases[2:]]
    usual = power_of_two(np.median(np.abs(np.concatenate(sums) + bias.data) * x.scale * scales) / 50 + 1e-6)
    y = activation(random, (rows, outputs), usual * log_uniform(random, *random.choice([(0.5, 2), (0.5, 2), (1e-4, 1e4)])), type)
    if type == INT16:
        y.scale = max(y.scale, np.float32(x.scale * np.max(scales) / 100))  # TFLM shifts by 7 bits at the most
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = int(random.choice([0, 0, 1, 2, 3]))
    return model_of("FULLY_CONNECTED", [x, w, bias if random.random() < 0.8 else None], [y], options), cases


def fully_connected_at_ties(random):
    """One scale for all weights, and biases so large that sums fall next to the middle of two steps: the last bits of the product of
    the scales decide."""
    x, w = (np.float32(random.uniform(0.01, 0.1)) for _ in range(2))
    y = np.float32(2.0**22 * float(x) * float(w))
    ties = (np.arange(-120, 120) + 0.5) * float(y) / (float(x) * float(w))
    near = np.concatenate([np.round(ties) + i for i in (-8, -4, -2, -1, 0, 1, 2, 4, 8)])
    weights = Tensor((len(near), 1), w, data=np.ones((len(near), 1)))
    bias = Tensor((len(near),), x * w, type=INT32, data=near)
    options = schema.FullyConnectedOptionsT()
    model = model_of("FULLY_CONNECTED", [Tensor((1, 1), x), weights, bias], [Tensor((1, len(near)), y)], options)
    return model, [(np.zeros((1, 1), np.int8),)]


def random_lstm(random, type=INT8, **fixed):
    batch, inputs, units = (int(n) for n in random.integers(1, [6, 20, 34]))
    if random.random() < 0.3:
        batch, inputs, units = 16, 8, 32  # the committed network's
    steps = 1
    if random.random() < 0.3:
        steps, batch = int(random.integers(2, 18)), batch if random.random() < 0.3 else 1
    x = activation(random, (batch, steps, inputs), log_uniform(random, 1e-3, 0.1), type)
    hidden = activation(random, (batch, units), log_uniform(random, 1 / 256, 1 / 100), type)
    hidden.variable = True
    cell = Tensor((batch, units), 2.0 ** -int(random.integers(9, 17)), type=INT16, variable=True)
    gain = float(log_uniform(random, 0.3, 10))  # of a usual sum before the activation
    weights = [
        Tensor(
            (units, n),
            log_uniform(random, 0.5, 2) * gain / (np.sqrt(n) * 70 * 70 * scale * (1 if type == INT8 else 256)),
            data=values(random, (units, n)),
        )
        for n, scale in [(inputs, x.scale)] * 4 + [(units, hidden.scale)] * 4
    ]
    bias_type, bias_unit = (INT32, 1) if type == INT8 else (INT64, 256)
    biases = [
        Tensor((units,), x.scale * w.scale, type=bias_type, data=random.integers(-99, 100, units) * 2 ** random.integers(1, 14) * bias_unit)
        for w in weights[:4]
    ]
    y = Tensor((batch, steps, units), hidden.scale, hidden.zero_point, type)
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.TANH
    options.cellClip = float(random.choice([0, 0, 0.5, 2, 10]))
    options.timeMajor = bool(random.random() < 0.3 or (steps > 1 and batch > 1))
    if options.timeMajor:
        x.shape, y.shape = (steps, batch, inputs), (steps, batch, units)
    for key, value in fixed.items():
        setattr(options, key, value)
    inputs = [x, *weights, *[None] * 3, *biases, None, None, hidden, cell, *[None] * 4]
    cases = cases_for(random, x.shape, count=8, type=type)
    steady = values(random, x.shape, type)  # the same for long drives the cells to their limits
    return model_of("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], options), [*cases, "reset", *[(steady,)] * 12, "reset", *cases]


SHAPES = [
    ((16, 8), (1, 8)),
    ((16, 8), (16, 8)),
    ((5, 7), (5, 1)),
    ((3, 4, 5), (1,)),
    ((1, 6), (9, 6)),
    ((1,), (2, 3)),
    ((2, 3, 5), (3, 5)),
    ((4, 1), (1, 5)),
]


def random_pair(random, name, type=INT8):
    shapes = SHAPES[random.integers(0, len(SHAPES))]
    a, b = (activation(random, s, log_uniform(random, 1e-3, 0.1), type) for s in shapes)
    if name == "ADD":
        scale = max(a.scale, b.scale) * log_uniform(random, *random.choice([(0.5, 2), (0.05, 20)]))
        options = schema.AddOptionsT()
    else:
        scale = a.scale * b.scale * (1 if type == INT8 else 256) * log_uniform(random, *random.choice([(30, 200), (0.05, 1000)]))
        options = schema.MulOptionsT()
    y = activation(random, np.broadcast_shapes(*shapes), scale * (1 if type == INT8 else 256), type)
    options.fusedActivationFunction = int(random.integers(0, 4))
    return model_of(name, [a, b], [y], options), cases_for(random, *shapes, type=type)


def random_mean(random, type=INT8):
    shape = tuple(int(n) for n in random.integers(1, 20, random.integers(2, 4)))
    first = int(random.integers(0, len(shape)))
    axes = list(range(first, int(random.integers(first + 1, len(shape) + 1))))
    x = activation(random, shape, log_uniform(random, 1e-3, 0.1), type)
    options = schema.ReducerOptionsT()
    options.keepDims = True
    scale = x.scale * log_uniform(random, 0.1, 2) * (1 if type == INT8 else 256)
    y = activation(random, tuple(1 if i in axes else n for i, n in enumerate(shape)), scale, type)
    axis = Tensor((len(axes),), type=INT32, data=np.array([a - len(shape) * random.integers(0, 2) for a in axes]))
    return model_of("MEAN", [x, axis], [y], options), cases_for(random, shape, type=type)


def all_bytes(random, type=INT8):
    limits = np.iinfo(DTYPES[type])
    return [(np.arange(limits.min, limits.max + 1).astype(DTYPES[type]).reshape(1, -1),)]


def random_lookup(random, name):
    x = Tensor((1, 256), log_uniform(random, 1e-4, 1), zero_point(random))
    y = Tensor(x.shape, 1 / 256, -128) if name == "LOGISTIC" else Tensor(x.shape, 1 / 128, 0)
    return model_of(name, [x], [y]), all_bytes(random)


def random_curve16(random, name):
    scale = log_uniform(random, 1e-6, 1) if random.random() < 0.7 else 2.0 ** -int(random.integers(9, 15))
    x = Tensor((1, 65536), scale, type=INT16)
    return model_of(name, [x], [Tensor(x.shape, 2.0**-15, type=INT16)]), all_bytes(random, INT16)


def random_requantize(random, name, types=(INT8, INT8)):
    x = activation(random, (1, 256 if types[0] == INT8 else 65536), log_uniform(random, 1e-3, 0.1), types[0])
    real = x.scale * (1 if types[0] == INT8 else 256) * log_uniform(random, *random.choice([(0.2, 5), (1e-4, 1e4)]))
    y = activation(random, x.shape, real, types[1])
    return model_of(name, [x], [y], schema.QuantizeOptionsT() if name == "QUANTIZE" else None), all_bytes(random, types[0])


def random_concatenation(random, type=INT8):
    first, last = (int(n) for n in random.integers(1, 9, 2))
    axis = int(random.integers(0, 3))
    shapes = [tuple(int(random.integers(1, 9)) if i == axis else n for i, n in enumerate((first, 3, last))) for _ in range(3)]
    total = tuple(sum(s[i] for s in shapes) if i == axis else n for i, n in enumerate(shapes[0]))
    options = schema.ConcatenationOptionsT()
    options.axis = axis - 3 * int(random.integers(0, 2))
    inputs = [Tensor(s, 0.1, type=type) for s in shapes]
    return model_of("CONCATENATION", inputs, [Tensor(total, 0.1, type=type)], options), cases_for(random, *shapes, type=type)


def random_reshape(random, type=INT8):
    options = schema.ReshapeOptionsT()
    options.newShape = [1, 24]
    shape = Tensor((2,), type=INT32, data=np.array([1, 24]))
    x, y = Tensor((4, 6), 0.1, type=type), Tensor((1, 24), 0.1, type=type)
    return model_of("RESHAPE", [x, shape], [y], options), cases_for(random, (4, 6), type=type)


def random_squeeze(random, type=INT8):
    options = schema.SqueezeOptionsT()
    options.squeezeDims = [0]
    shape = tuple(int(n) for n in random.integers(1, 20, 2))
    x, y = Tensor((1, *shape), 0.1, type=type), Tensor(shape, 0.1, type=type)
    return model_of("SQUEEZE", [x], [y], options), cases_for(random, (1, *shape), type=type)


def random_gather(random):
    shape = tuple(int(n) for n in random.integers(1, 20, 3))
    axis = int(random.integers(0, 3))
    shape = (1,) * axis + shape[axis:]
    options = schema.GatherOptionsT()
    options.axis = axis - 3 * int(random.integers(0, 2))
    last_first = Tensor((shape[axis],), type=INT32, data=np.arange(shape[axis])[::-1])
    return model_of("GATHER", [Tensor(shape, 0.1), last_first], [Tensor(shape, 0.1)], options), cases_for(random, shape)


OPERATORS = {
    "FULLY_CONNECTED": (random_fully_connected, 400),
    "FULLY_CONNECTED 16": (functools.partial(random_fully_connected, type=INT16), 400),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (random_lstm, 100),
    "UNIDIRECTIONAL_SEQUENCE_LSTM 16": (functools.partial(random_lstm, type=INT16), 100),
    "ADD": (functools.partial(random_pair, name="ADD"), 200),
    "MUL": (functools.partial(random_pair, name="MUL"), 200),
    "MEAN": (random_mean, 200),
    "LOGISTIC": (functools.partial(random_lookup, name="LOGISTIC"), 30),
    "TANH": (functools.partial(random_lookup, name="TANH"), 30),
    "QUANTIZE": (functools.partial(random_requantize, name="QUANTIZE"), 40),
    "RELU": (functools.partial(random_requantize, name="RELU"), 40),
    "CONCATENATION": (random_concatenation, 20),
    "RESHAPE": (random_reshape, 2),
    "SQUEEZE": (random_squeeze, 2),
    "GATHER": (random_gather, 20),
    "ADD 16": (functools.partial(random_pair, name="ADD", type=INT16), 200),
    "MUL 16": (functools.partial(random_pair, name="MUL", type=INT16), 200),
    "MEAN 16": (functools.partial(random_mean, type=INT16), 200),
    "LOGISTIC 16": (functools.partial(random_curve16, name="LOGISTIC"), 40),
    "TANH 16": (functools.partial(random_curve16, name="TANH"), 40),
    "QUANTIZE 8 to 16": (functools.partial(random_requantize, name="QUANTIZE", types=(INT8, INT16)), 40),
    "QUANTIZE 16 to 8": (functools.partial(random_requantize, name="QUANTIZE", types=(INT16, INT8)), 40),
    "QUANTIZE 16": (functools.partial(random_requantize, name="QUANTIZE", types=(INT16, INT16)), 40),
    "RELU 16": (functools.partial(random_requantize, name="RELU", types=(INT16, INT16)), 40),
    "CONCATENATION 16": (functools.partial(random_concatenation, type=INT16), 20),
    "RESHAPE 16": (functools.partial(random_reshape, type=INT16), 2),
    "SQUEEZE 16": (functools.partial(random_squeeze, type=INT16), 2),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_kernel_equals_the_official_tflm(library, name):
    make, count = OPERATORS[name]
    for seed in range(count):
        model, cases = make(np.random.default_rng([seed, len(name)]))
        assert difference(library, model, cases) == 0, f"seed {seed}"


def test_scales_are_multiplied_as_tflm_does(library):
    for seed in range(10):
        assert difference(library, *fully_connected_at_ties(np.random.default_rng(seed))) == 0, f"seed {seed}"


# The tests' own test: defects that the comparison must see

DEFECTS = {
    "halves up": (
        "arithmetic.h",
        "  x += x >> 31;\n",
        "",
        ["FULLY_CONNECTED", "ADD", "MUL", "MEAN", "QUANTIZE", "UNIDIRECTIONAL_SEQUENCE_LSTM"],
    ),
    "halves up, int16": ("arithmetic.h", "  x += x >> 31;\n", "", ["ADD 16", "MUL 16", "MEAN 16", "QUANTIZE 16 to 8"]),
    "halves down, int16": (
        "arithmetic.h",
        " + ((int64_t)1 << (14 - shift))",
        "",
        ["FULLY_CONNECTED 16", "UNIDIRECTIONAL_SEQUENCE_LSTM 16"],
    ),
    "upper multiplier, int16": ("arithmetic.h", "x * (multiplier >> 16)", "x * (multiplier >> 17 << 1)", ["FULLY_CONNECTED 16"]),
    "end of the curve": ("lstm.c", "-end, end)), 1, 32767)", "-end, end)), 0, 32767)", ["LOGISTIC 16"]),
    "low half cut off": ("arithmetic.h", " * multiplier + (1 << 30)", " * multiplier", ["FULLY_CONNECTED", "MUL", "MEAN"]),
    "cells forgotten": ("lstm.c", "  (void)scratch;\n", "  (void)scratch;\n  memset(cell, 0, 2 * p->batch * p->units);\n", None),
    "hidden forgotten": ("lstm.c", "  (void)scratch;\n", "  (void)scratch;\n  memset(hidden, p->zero_point, p->batch * p->units);\n", None),
    "negative arguments": ("lstm.c", "(x & 255) + 128 + (x >> 31)", "(x & 255) + 128", None),
    "gates not clamped": ("lstm.c", "return 3 * gc_clamp16(x + h);", "return 3 * (int16_t)(x + h);", None),
    "cells forgotten, int16": (
        "lstm.c",
        "    gc_lstm16_portable(p,",
        "    memset(cell, 0, 2 * p->batch * p->units);\n    gc_lstm16_portable(p,",
        ["UNIDIRECTIONAL_SEQUENCE_LSTM 16"],
    ),
    "cells not clamped": ("lstm.c", "int32_t c = gc_clamp16(kept + added);", "int32_t c = (int16_t)(kept + added);", None),
    "not clipped": ("lstm.c", "if (p->cell_clip > 0)", "if (0)", None),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_in_a_kernel_is_seen(defect, tmp_path):
    file, right, wrong, operators = DEFECTS[defect]
    shutil.copytree(REPO / "micro/kernels", tmp_path / "micro/kernels")
    source = tmp_path / "micro/kernels" / file
    text = source.read_text()
    assert right in text
    source.write_text(text.replace(right, wrong))
    library = compile_kernels(tmp_path, sources=tmp_path)
    for name in operators or ["UNIDIRECTIONAL_SEQUENCE_LSTM"]:
        make, _ = OPERATORS[name]
        assert any(difference(library, *make(np.random.default_rng(seed))) for seed in range(40)), name


# Parts


@pytest.mark.parametrize(("name", "function", "factor"), [("LOGISTIC", "logistic", 3), ("TANH", "tanh", 3), ("TANH", "tanh", 6)])
def test_activations_of_the_lstm_on_every_argument(tmp_path, name, function, factor):
    (tmp_path / "probe.c").write_text(
        '#include "micro/kernels/lstm.c"\n'
        "void probe(int32_t factor, const int16_t* in, int16_t* out) {\n"
        f"  for (int32_t i = 0; i < 65536; ++i) out[i] = (int16_t)gc_{function}16(in[i] * factor);\n"
        "}\n"
    )
    subprocess.run(["cc", *STRICT, *UBSAN, f"-I{REPO}", tmp_path / "probe.c", "-o", tmp_path / "probe.so"], check=True)
    x = np.arange(-(2**15), 2**15).astype(np.int16)
    y = np.empty_like(x)
    ctypes.CDLL(str(tmp_path / "probe.so")).probe(factor, pointer(x), pointer(y))
    model = model_of(name, [Tensor((1, 65536), factor / 3 / 4096, type=INT16)], [Tensor((1, 65536), 2.0**-15, type=INT16)])
    assert np.array_equal(Official(model)(x[None])[0], y)


@pytest.fixture(scope="module")
def wheel():
    """TFLM's own helper functions, which the wheel's binary exports."""
    from tflite_micro.python.tflite_micro import _runtime

    library = ctypes.CDLL(_runtime.__file__)
    multiplier, by = library._ZN6tflite5micro18QuantizeMultiplierEdPiS1_, library._ZN6tflite5micro29MultiplyByQuantizedMultiplierEiii
    multiplier.argtypes = [ctypes.c_double, ctypes.POINTER(ctypes.c_int32), ctypes.POINTER(ctypes.c_int32)]
    multiplier.restype = None
    by.argtypes, by.restype = [ctypes.c_int32] * 3, ctypes.c_int32
    return multiplier, by


def test_multipliers_are_those_of_tflm(wheel, random):
    quantize, multiply = wheel
    reals = np.concatenate(
        [np.exp(random.uniform(-30, 15, 3000)), 2.0 ** np.arange(-40, 20), np.nextafter(2.0 ** np.arange(-33, 20), 0), [0.0]]
    )
    for real in reals:
        multiplier, shift = ctypes.c_int32(), ctypes.c_int32()
        quantize(real, multiplier, shift)
        scale = kernels.quantize_multiplier(float(real))
        assert (multiplier.value, shift.value) == (scale.multiplier, scale.shift), real
        reach = 2 ** int(random.integers(1, 32)) - 1
        for x in (*random.integers(-reach - 1, reach, 3, endpoint=True), -(2**31), 2**31 - 1):
            assert kernels.rescale(int(x), scale) == multiply(int(x), multiplier, shift), (x, scale)


def test_scratch_is_what_the_header_says(tmp_path):
    (tmp_path / "size.c").write_text(
        '#include "micro/kernels/kernels.h"\nint size(int batch, int inputs, int units);\n'
        "int size(int batch, int inputs, int units) { return GC_LSTM_SCRATCH_BYTES(batch, inputs, units); }\n"
    )
    subprocess.run(["cc", *STRICT, f"-I{REPO}", tmp_path / "size.c", "-o", tmp_path / "size.so"], check=True)
    assert ctypes.CDLL(str(tmp_path / "size.so")).size(16, 8, 32) == scratch_bytes(16, 8, 32)


@pytest.mark.parametrize("name", bundle.names())
def test_every_operator_of_a_committed_bundle_is_prepared(name):
    parsed = schema.ModelT.InitFromPackedBuf(bundle.load(name).model, 0)
    for op in parsed.subgraphs[0].operators:
        kernels.prepare(parsed, op)


def fuse(model, activation):
    model.subgraphs[0].operators[0].builtinOptions.fusedActivationFunction = activation


def set_type(model, kind):
    model.subgraphs[0].tensors[0].type = kind


def wide_bias(model):
    model.buffers[-1].data = np.frombuffer(np.full(len(model.buffers[-1].data) // 8, 2**31, np.int64).tobytes(), np.uint8)


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


@pytest.mark.parametrize(
    ("name", "hurt", "words"),
    [
        ("RESHAPE", lambda m: setattr(m.operatorCodes[0], "builtinCode", 150), "GELU has no kernel in micro/kernels; it has ADD, "),
        ("FULLY_CONNECTED", lambda m: set_type(m, INT32), "tensor 't0' is not int8 with one scale"),
        ("FULLY_CONNECTED", lambda m: set_type(m, INT16), "is not int16 with one scale and zero point 0"),
        ("FULLY_CONNECTED 16", wide_bias, "its bias needs more than 32 bits"),
        ("FULLY_CONNECTED 16", lambda m: set_type(m, INT8), "tensor 't3' is not int8 with one scale"),
        ("FULLY_CONNECTED", lambda m: setattr(m.buffers[1], "data", None), "its weights are not a constant int8 matrix"),
        ("FULLY_CONNECTED", lambda m: fuse(m, schema.ActivationFunctionType.TANH), "fused activation TANH"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", lambda m: fuse(m, schema.ActivationFunctionType.NONE), "its activation is not TANH"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", peephole, "it has peepholes"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", batch_before_time, "it has 5 time steps for each of 7 in a batch that is not behind time"),
        ("GATHER", other_rows, "it does more than to turn rows around, the last first"),
        ("SQUEEZE", lambda m: set_type(m, INT32), "is neither int8 nor int16, or another type than the output"),
        ("LOGISTIC", zero_point_of_output, "is not -128"),
    ],
)
def test_what_has_no_kernel_is_refused(name, hurt, words, random):
    parsed = schema.ModelT.InitFromPackedBuf(OPERATORS[name][0](random)[0], 0)
    hurt(parsed)
    with pytest.raises(UserError, match=words):
        kernels.prepare(parsed, parsed.subgraphs[0].operators[0])


def test_broadcasting_along_two_separate_axes_is_refused():
    model = model_of("ADD", [Tensor((4, 1, 8), 0.1), Tensor((1, 5, 1), 0.1)], [Tensor((4, 5, 8), 0.1)], schema.AddOptionsT())
    with pytest.raises(UserError, match="broadcast along more than one axis"):
        prepare(model)


def test_mean_over_axes_that_are_no_neighbours_is_refused():
    axis = Tensor((2,), type=INT32, data=np.array([0, 2]))
    with pytest.raises(UserError, match=r"axes \[0, 2\] are not neighbours"):
        prepare(model_of("MEAN", [Tensor((2, 3, 4), 0.1), axis], [Tensor((1, 3, 1), 0.1)], schema.ReducerOptionsT()))
