"""The C kernels give the bytes of the official TFLM.

The models have one operator each, with random and extreme parameters and inputs.
"""

import ctypes
import dataclasses
import shutil
import subprocess

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle
from convert.tflite import fixed_point, flatbuffer, graph, kernel_params
from groupcomm.errors import UserError
from groupcomm.files import REPO, kernel_files
from tests.helpers.random_operators import OPERATORS, fully_connected_at_ties
from tests.helpers.tflite_models import (
    INT8,
    INT16,
    INT32,
    Official,
    Tensor,
    batch_before_time,
    fuse,
    model_of,
    other_rows,
    packed,
    peephole,
    set_type,
    wide_bias,
    without_bias,
    zero_point_of_input,
    zero_point_of_output,
)

STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
# Also without what the compiler does with vector instructions of this machine.
UBSAN = ["-fsanitize=undefined", "-fno-sanitize-recover", "-DGC_PORTABLE_ONLY"]


def prepare(model: bytes):
    return kernel_params.prepare(flatbuffer.read(model).graph.operators[0])


# The kernels


def compile_kernels(folder, *flags, sources=REPO):
    """Compile all of micro/kernels to a shared library."""
    library = folder / "kernels.so"
    files = kernel_files(".c", sources / "micro/kernels")
    includes = [f"-I{sources}", f"-I{REPO}"]  # a copy of the kernels, and micro/contract
    subprocess.run(["cc", *STRICT, *flags, *includes, *files, "-o", library], check=True)
    return ctypes.CDLL(str(library))


@pytest.fixture(scope="module", params=["plain", pytest.param("ubsan", marks=pytest.mark.slow)])
def library(request, tmp_path_factory):
    return compile_kernels(
        tmp_path_factory.mktemp(request.param), *(UBSAN if request.param == "ubsan" else [])
    )


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def c_struct(prepared):
    """Convert a prepared operator to its C struct, which has the same fields in the same order."""
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
    made.keep = prepared  # keeps the arrays alive that it points to
    return made


def scratch_bytes(batch, inputs, units) -> int:
    """Compute GC_LSTM_SCRATCH_BYTES of kernels.h."""
    eights, pairs = [(n + 7) // 8 for n in (inputs, units)], (batch + 1) // 2
    return max(pairs * (32 * sum(eights) + 112) + 64 * max(eights), 64 * units)


class Kernel:
    """An operator, prepared and called as in the generated C code.

    ``reset`` and the state are like those of `Official`.
    """

    def __init__(self, library, model: bytes):
        self._library = library
        self._p = p = prepare(model)
        self._op = op = flatbuffer.read(model).graph.operators[0]
        self._function = kernel_params.function(op, p)
        if isinstance(p, kernel_params.Lstm):
            self.hidden = np.empty((p.batch, p.units), op.output.dtype)
            self.cell = np.empty((p.batch, p.units), np.int16)
            self._bytes = scratch_bytes(p.batch, p.inputs, p.units)
            self.reset()
        elif isinstance(p, kernel_params.Svdf):
            self.state = np.empty(op.state.size, op.state.dtype)
            self.reset()
        self._c = None if isinstance(p, list | kernel_params.Lookup) else c_struct(p)

    def reset(self):
        if isinstance(self._p, kernel_params.Svdf):
            self.state[:] = self._p.state_zero_point
            return
        self.hidden[:] = self._p.zero_point
        self.cell[:] = 0

    def __call__(self, *inputs) -> list[np.ndarray]:
        """Return all outputs."""
        p, lib = self._p, self._library
        # Guard values on both sides, which no kernel may change.
        whole = [np.full(t.size + 32, 85, t.dtype) for t in self._op.outputs]
        outs = [w[16:-16] for w in whole]
        if isinstance(self._op, graph.Binary):
            inputs = [*inputs, *(t.data for t in (self._op.a, self._op.b) if t.data is not None)]
        inputs = [np.ascontiguousarray(x) for x in inputs]
        arguments = [pointer(x) for x in (*inputs, outs[0])]
        by_reference = None if self._c is None else ctypes.byref(self._c)
        if isinstance(p, list):
            following = iter(inputs)
            given = [
                next(following) if t is not None and t.data is None else t and t.data
                for t in self._op.inputs
            ]
            for part in p:
                self._move(part, given, outs)
        elif isinstance(p, kernel_params.Lookup):
            lib.gc_lookup_s8(pointer(p.table), p.count, *arguments)
        elif isinstance(p, kernel_params.Lstm):
            scratch = np.full(self._bytes + 16, 85, np.int8)
            getattr(lib, self._function)(
                by_reference,
                arguments[0],
                pointer(self.hidden),
                pointer(self.cell),
                arguments[1],
                pointer(scratch),
            )
            assert (
                np.array_equal(self.hidden.ravel(), outs[0][-self.hidden.size :])
                and (scratch[self._bytes :] == 85).all()
            )
        elif isinstance(p, kernel_params.Svdf):
            state = pointer(self.state)
            getattr(lib, self._function)(by_reference, arguments[0], state, arguments[1])
        elif kernel_params.scratch_bytes(p):
            scratch = np.full(kernel_params.scratch_bytes(p) + 16, 85, np.int8)
            getattr(lib, self._function)(by_reference, *arguments, pointer(scratch))
            assert (scratch[-16:] == 85).all()
        else:
            getattr(lib, self._function)(by_reference, *arguments)
        assert all((w[:16] == 85).all() and (w[-16:] == 85).all() for w in whole)
        return [out.reshape(t.shape).copy() for out, t in zip(outs, self._op.outputs, strict=True)]

    def _move(self, part, inputs, outputs):
        if isinstance(part, kernel_params.Fill):
            outputs[0].view(np.int8)[: part.count] = part.value
            return
        self._library.gc_copy_s8(
            part.rows,
            part.columns,
            ctypes.c_void_p(inputs[part.input].ctypes.data + part.in_offset),
            part.in_stride,
            ctypes.c_void_p(outputs[part.output].ctypes.data + part.offset),
            part.stride,
        )


def difference(library, model: bytes, cases) -> int:
    """Count the outputs of a kernel that differ from the official TFLM.

    A case is a tuple of inputs, or "reset".
    """
    official, kernel = Official(model), Kernel(library, model)
    count = 0
    for case in cases:
        if isinstance(case, str):
            official.reset()
            kernel.reset()
        else:
            for theirs, ours in zip(official.run_all(*case), kernel(*case), strict=True):
                count += np.count_nonzero(theirs != ours)
    return count


# Random models of each operator: one in 40 where a quick check has to suffice, and all of them.
PARTS = [pytest.param(40, id="quick"), pytest.param(1, id="all", marks=pytest.mark.slow)]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", OPERATORS)
def test_kernel_equals_the_official_tflm(library, name, part):
    make, count = OPERATORS[name]
    for seed in range(max(2, count // part)):
        model, cases = make(np.random.default_rng([seed, len(name)]))
        assert difference(library, model, cases) == 0, f"seed {seed}"


def test_scales_are_multiplied_as_tflm_does(library):
    for seed in range(10):
        assert difference(library, *fully_connected_at_ties(np.random.default_rng(seed))) == 0, (
            f"seed {seed}"
        )


# Mutation tests: defects that the comparison must detect

DEFECTS = {
    "ties up": (
        "fixed_point.h",
        "  x += x >> 31;\n",
        "",
        ["FULLY_CONNECTED", "ADD", "MUL", "MEAN", "QUANTIZE", "UNIDIRECTIONAL_SEQUENCE_LSTM"],
    ),
    "ties up, int16": (
        "fixed_point.h",
        "  x += x >> 31;\n",
        "",
        ["ADD 16", "MUL 16", "MEAN 16", "QUANTIZE 16 to 8"],
    ),
    "truncated, int16": (
        "fixed_point.h",
        " + ((int64_t)1 << (14 - shift))",
        "",
        ["FULLY_CONNECTED 16", "UNIDIRECTIONAL_SEQUENCE_LSTM 16"],
    ),
    "upper multiplier, int16": (
        "fixed_point.h",
        "x * (multiplier >> 16)",
        "x * (multiplier >> 17 << 1)",
        ["FULLY_CONNECTED 16"],
    ),
    "end of the curve": (
        "logistic/logistic_s16.c",
        "gc_logistic16(x), 1, 32767",
        "gc_logistic16(x), 0, 32767",
        ["LOGISTIC 16"],
    ),
    "product truncated": (
        "fixed_point.h",
        " * multiplier + (1 << 30)",
        " * multiplier",
        ["FULLY_CONNECTED", "MUL", "MEAN"],
    ),
    "mean of padding": (
        "pool/pool.h",
        "gc_clamp(left + w->width, 0, w->in_width) - first",
        "w->width",
        ["AVERAGE_POOL_2D"],
    ),
    "padding with 0": (
        "window/window_s8.c",
        "memset(to, p->zero_point, (size_t)channels)",
        "memset(to, 0, (size_t)channels)",
        ["CONV_2D", "DEPTHWISE_CONV_2D"],
    ),
    "state of SVDF not moved": (
        "svdf/svdf_portable.c",
        "    gc_put(row, width, m, x);\n",
        "",
        ["SVDF", "SVDF 16"],
    ),
    "zero point of SVDF's state clamped": (
        "svdf/svdf.h",
        "values[i] + zero)",
        "gc_clamp(values[i] + zero, gc_svdf_lowest(width), ~gc_svdf_lowest(width)))",
        ["SVDF"],
    ),
    "squares of one half less": (
        "squared_difference/squared_difference_portable_s8.c",
        "difference * difference,",
        "difference * difference - (difference >> 1),",
        ["SQUARED_DIFFERENCE"],
    ),
    "cell state lost": (
        "lstm/lstm_portable_s8.c",
        "  const int32_t units = p->units;\n",
        "  const int32_t units = p->units;\n  memset(cell, 0, 2 * p->batch * p->units);\n",
        None,
    ),
    "hidden state lost": (
        "lstm/lstm_portable_s8.c",
        "  const int32_t units = p->units;\n",
        "  const int32_t units = p->units;\n  memset(hidden, p->zero_point, p->batch * units);\n",
        None,
    ),
    "negative arguments": ("curve.h", "(x & 255) + 128 + (x >> 31)", "(x & 255) + 128", None),
    "gates not clamped": (
        "lstm/lstm_portable_s8.c",
        "return 3 * gc_clamp16(x + h);",
        "return 3 * (int16_t)(x + h);",
        None,
    ),
    "cell state lost, int16": (
        "lstm/lstm_portable_s16.c",
        "  const int32_t units = p->units;\n",
        "  const int32_t units = p->units;\n  memset(cell, 0, 2 * p->batch * p->units);\n",
        ["UNIDIRECTIONAL_SEQUENCE_LSTM 16"],
    ),
    "cells not clamped": (
        "lstm/lstm_portable.h",
        "int32_t c = gc_clamp16(kept + added);",
        "int32_t c = (int16_t)(kept + added);",
        None,
    ),
    "not clipped": ("lstm/lstm_portable.h", "if (p->cell_clip > 0)", "if (0)", None),
}


@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS)
def test_the_comparison_detects_a_defect_in_a_kernel(defect, tmp_path):
    file, right, wrong, operators = DEFECTS[defect]
    shutil.copytree(REPO / "micro/kernels", tmp_path / "micro/kernels")
    source = tmp_path / "micro/kernels" / file
    text = source.read_text()
    assert right in text
    source.write_text(text.replace(right, wrong))
    library = compile_kernels(tmp_path, sources=tmp_path)
    for name in operators or ["UNIDIRECTIONAL_SEQUENCE_LSTM"]:
        make, _ = OPERATORS[name]
        assert any(difference(library, *make(np.random.default_rng(seed))) for seed in range(40)), (
            name
        )


# Activations, scales, sizes and rejected operators


@pytest.mark.parametrize(
    ("name", "function", "factor"),
    [("LOGISTIC", "logistic", 3), ("TANH", "tanh", 3), ("TANH", "tanh", 6)],
)
def test_lstm_activations_equal_tflm_on_every_argument(tmp_path, name, function, factor):
    (tmp_path / "probe.c").write_text(
        '#include "micro/kernels/curve.h"\n'
        "void probe(int32_t factor, const int16_t* in, int16_t* out);\n"
        "void probe(int32_t factor, const int16_t* in, int16_t* out) {\n"
        "  for (int32_t i = 0; i < 65536; ++i)\n"
        f"    out[i] = (int16_t)gc_{function}16(in[i] * factor);\n"
        "}\n"
    )
    subprocess.run(
        [
            *("cc", *STRICT, *UBSAN, f"-I{REPO}", tmp_path / "probe.c"),
            *(REPO / "micro/kernels/tanh_table.c", "-o", tmp_path / "probe.so"),
        ],
        check=True,
    )
    x = np.arange(-(2**15), 2**15).astype(np.int16)
    y = np.empty_like(x)
    ctypes.CDLL(str(tmp_path / "probe.so")).probe(factor, pointer(x), pointer(y))
    model = model_of(
        name,
        [Tensor((1, 65536), factor / 3 / 4096, type=INT16)],
        [Tensor((1, 65536), 2.0**-15, type=INT16)],
    )
    assert np.array_equal(Official(model)(x[None])[0], y)


def test_the_inverse_of_softmax_equals_that_of_tflm_in_every_bit(tmp_path, random):
    """The eight bits of the output do not show the last ones of it."""
    (tmp_path / "probe.c").write_text(
        '#include "micro/kernels/softmax/softmax_s8.c"\n'
        "int32_t probe(int32_t x);\n"
        "int32_t probe(int32_t x) { return gc_reciprocal(x); }\n"
    )
    subprocess.run(
        ["cc", *STRICT, *UBSAN, f"-I{REPO}", tmp_path / "probe.c", "-o", tmp_path / "probe.so"],
        check=True,
    )
    probe = ctypes.CDLL(str(tmp_path / "probe.so")).probe
    for x in (0, 1, 2**31 - 1, *random.integers(0, 2**31, 2000).tolist()):
        assert probe(x) == fixed_point.inverse(x), x


def test_scratch_size_equals_the_macro_of_the_header(tmp_path):
    (tmp_path / "size.c").write_text(
        '#include "micro/kernels/kernels.h"\nint size(int batch, int inputs, int units);\n'
        "int size(int batch, int inputs, int units) {\n"
        "  return GC_LSTM_SCRATCH_BYTES(batch, inputs, units);\n}\n"
    )
    subprocess.run(
        ["cc", *STRICT, f"-I{REPO}", tmp_path / "size.c", "-o", tmp_path / "size.so"], check=True
    )
    assert ctypes.CDLL(str(tmp_path / "size.so")).size(16, 8, 32) == scratch_bytes(16, 8, 32)


@pytest.mark.parametrize("name", bundle.names())
def test_every_operator_of_a_committed_bundle_is_supported(name):
    for op in flatbuffer.read(bundle.load(name).model).graph.operators:
        kernel_params.prepare(op)


@pytest.mark.parametrize(
    ("name", "hurt", "words"),
    [
        (
            "RESHAPE",
            lambda m: setattr(m.operatorCodes[0], "builtinCode", 150),
            "GELU has no kernel in micro/kernels; supported: ADD, ",
        ),
        ("FULLY_CONNECTED", lambda m: set_type(m, INT32), "tensor 't0' is not int8 with one scale"),
        (
            "FULLY_CONNECTED",
            lambda m: set_type(m, INT16),
            "is not int16 with one scale and zero point 0",
        ),
        ("FULLY_CONNECTED 16", wide_bias, "its bias needs more than 32 bits"),
        (
            "FULLY_CONNECTED 16",
            lambda m: set_type(m, INT8),
            "tensor 't3' is not int8 with one scale",
        ),
        (
            "FULLY_CONNECTED",
            lambda m: setattr(m.buffers[1], "data", None),
            "its weights are not a constant int8 matrix",
        ),
        (
            "FULLY_CONNECTED",
            lambda m: fuse(m, schema.ActivationFunctionType.TANH),
            "fused activation TANH",
        ),
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            lambda m: fuse(m, schema.ActivationFunctionType.NONE),
            "its activation is not TANH",
        ),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", peephole, "it has peepholes"),
        (
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            batch_before_time,
            "it has 5 time steps and a batch of 7, and time is not the first axis",
        ),
        (
            "CONV_2D",
            lambda m: setattr(m.subgraphs[0].tensors[-1], "shape", [3, 3, 3, 3]),
            "its output has the shape",
        ),
        (
            "DEPTHWISE_CONV_2D",
            lambda m: setattr(m.buffers[1], "data", None),
            "its weights are not constant int8 with four dimensions",
        ),
        (
            "SPACE_TO_BATCH_ND",
            lambda m: setattr(m.buffers[2], "data", np.ones_like(m.buffers[2].data)),
            "TFLM pads it with uninitialized memory",
        ),
        ("GATHER", other_rows, "it does not reverse the order of all rows"),
        (
            "SQUEEZE",
            lambda m: set_type(m, INT32),
            "is not int8 or int16, or differs in type from the output",
        ),
        ("LOGISTIC", zero_point_of_output, "is not -128"),
        ("RSQRT", zero_point_of_input, "of its input is not -128: it can be negative"),
        ("SVDF", without_bias, "it has no bias, which TFLM needs"),
        (
            "SVDF",
            lambda m: setattr(m.subgraphs[0].tensors[4], "isVariable", False),
            "its state is not a variable tensor",
        ),
        (
            "SVDF",
            lambda m: setattr(m.subgraphs[0].operators[0].builtinOptions, "rank", 1000),
            "its rank 1000 does not divide",
        ),
    ],
)
def test_unsupported_operators_are_rejected_with_a_reason(name, hurt, words, random):
    parsed = schema.ModelT.InitFromPackedBuf(OPERATORS[name][0](random)[0], 0)
    hurt(parsed)
    with pytest.raises(UserError, match=words):
        prepare(packed(parsed))


def test_broadcasting_along_two_separate_axes_is_rejected():
    model = model_of(
        "ADD",
        [Tensor((4, 1, 8), 0.1), Tensor((1, 5, 1), 0.1)],
        [Tensor((4, 5, 8), 0.1)],
        schema.AddOptionsT(),
    )
    with pytest.raises(UserError, match="broadcast along more than one axis"):
        prepare(model)


def test_a_part_of_many_separate_blocks_is_rejected():
    begin, end, stride = (
        Tensor((4,), type=INT32, data=np.array(values))
        for values in ([0, 0, 0, 0], [18, 9, 9, 9], [1, 2, 2, 2])
    )
    model = model_of(
        "STRIDED_SLICE",
        [Tensor((18, 9, 9, 9), 0.1), begin, end, stride],
        [Tensor((18, 5, 5, 5), 0.1)],
        schema.StridedSliceOptionsT(),
    )
    with pytest.raises(UserError, match="it moves 450 separate blocks; at most 256 are possible"):
        prepare(model)


def test_mean_over_axes_that_are_not_adjacent_is_rejected():
    axis = Tensor((2,), type=INT32, data=np.array([0, 2]))
    with pytest.raises(UserError, match=r"axes \[0, 2\] are not adjacent"):
        prepare(
            model_of(
                "MEAN",
                [Tensor((2, 3, 4), 0.1), axis],
                [Tensor((1, 3, 1), 0.1)],
                schema.ReducerOptionsT(),
            )
        )
