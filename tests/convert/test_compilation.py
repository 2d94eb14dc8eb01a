"""A bundle as plain C gives the official TFLM's bytes; its memory plan overlaps nothing that is alive; what it cannot do it names."""

import ctypes
import dataclasses
import subprocess

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle, compilation, flatbuffer, kernels, runtimes
from convert.compilation import Buffer, plan
from groupcomm.errors import UserError
from groupcomm.files import REPO


class Quantization(ctypes.Structure):
    _fields_ = [("scale", ctypes.c_float), ("zero_point", ctypes.c_int32)]


class Model(ctypes.Structure):
    """gc_model of micro/engine/static_model.h."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("model_crc32", ctypes.c_uint32),
        ("window", ctypes.c_int32),
        ("hop", ctypes.c_int32),
        ("sources", ctypes.c_int32),
        ("exponent", ctypes.c_float),
        ("features", Quantization),
        ("masks", Quantization),
        ("memory_bytes", ctypes.c_uint32),
        ("reset", ctypes.CFUNCTYPE(None, ctypes.c_void_p)),
        ("run", ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)),
    ]


class Program:
    """Compiled C of a bundle, in memory between two guards of a known pattern."""

    def __init__(self, opened, folder):
        self.written = compilation.compile_bundle(opened, folder / "c")
        library = folder / "network.so"
        sources = [folder / "c" / f"{self.written['name']}.c", *(REPO / "micro" / "kernels").glob("*.c")]
        flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-shared", "-fPIC"]
        subprocess.run(["cc", *flags, f"-I{REPO}", f"-I{folder / 'c'}", *sources, "-o", library], check=True)
        self.model = Model.in_dll(ctypes.CDLL(library), f"groupcomm_{self.written['name']}")
        self._all = np.full(self.model.memory_bytes + 48, 77, np.uint8)
        self._start = -self._all.ctypes.data % 16 + 16
        self._memory = self._all.ctypes.data + self._start
        self.reset()

    def reset(self):
        self.model.reset(self._memory)

    def __call__(self, features):
        bins = self.model.window // 2 + 1
        masks = np.empty((len(features), self.model.sources * bins), np.int8)
        for given, got in zip(features, masks, strict=True):
            self.model.run(self._memory, given.ctypes.data, got.ctypes.data)
        return masks

    def guards_stand(self):
        end = self._start + self.model.memory_bytes
        return (self._all[: self._start] == 77).all() and (self._all[end:] == 77).all()


@pytest.fixture(scope="module", params=bundle.names())
def compiled(request, tmp_path_factory):
    """(bundle, program) of every committed bundle."""
    opened = bundle.load(request.param)
    return opened, Program(opened, tmp_path_factory.mktemp(request.param))


def test_every_byte_is_tflms(compiled):
    opened, program = compiled
    features, masks = opened.golden()
    program.reset()
    np.testing.assert_array_equal(program(features), masks)
    assert (program(features[:20]) != masks[:20]).any()  # the state went on
    program.reset()
    np.testing.assert_array_equal(program(features), masks)
    assert program.guards_stand()


def test_extremes_are_tflms(compiled, random):
    opened, program = compiled
    bins = opened.signal.bins
    loud = np.where(random.random((300, bins)) < 0.5, -128, 127).astype(np.int8)
    features = np.concatenate([loud, np.full((100, bins), 127, np.int8), np.full((100, bins), -128, np.int8)])
    program.reset()
    np.testing.assert_array_equal(program(features), runtimes.Tflm(opened.model)(features))


def test_the_program_says_what_the_bundle_says(compiled):
    opened, program = compiled
    model, d = program.model, opened.description
    assert (model.name.decode(), model.model_crc32) == (opened.name.replace("-", "_"), d["model"]["crc32"])
    assert (model.window, model.hop, model.sources) == (opened.signal.window, opened.signal.hop, opened.sources)
    assert model.exponent == np.float32(opened.signal.exponent)
    for ours, theirs in ((model.features, d["features"]), (model.masks, d["masks"])):
        assert (ours.scale, ours.zero_point) == (np.float32(theirs["scale"]), theirs["zero_point"])
    assert program.written["arena_bytes"] < program.written["unplanned_bytes"] / 3
    assert program.written["state_bytes"] == 6144  # of the recurrence in time: a BLSTM across groups keeps nothing


def test_scratch_is_what_the_kernel_asks_for(tmp_path):
    shapes = [(16, 8, 32), (1, 1, 1), (7, 9, 20), (2, 40, 8), (33, 3, 64)]
    calls = "".join(f"GC_LSTM_SCRATCH_BYTES({b}, {i}, {u})," for b, i, u in shapes)
    (tmp_path / "sizes.c").write_text(f'#include "micro/kernels/kernels.h"\nconst int sizes[] = {{{calls}}};\n')
    subprocess.run(["cc", "-shared", "-fPIC", f"-I{REPO}", tmp_path / "sizes.c", "-o", tmp_path / "sizes.so"], check=True)
    theirs = list((ctypes.c_int * len(shapes)).in_dll(ctypes.CDLL(tmp_path / "sizes.so"), "sizes"))
    model = schema.ModelT.InitFromPackedBuf(bundle.load("enhance").model, 0)
    prepared = [kernels.prepare(model, op) for op in model.subgraphs[0].operators]
    step = next(p for p in prepared if isinstance(p, kernels.Lstm))
    assert [dataclasses.replace(step, batch=b, inputs=i, units=u).scratch_bytes for b, i, u in shapes] == theirs


def test_a_plan_overlaps_nothing_that_is_alive(random):
    for _ in range(200):
        starts = random.integers(0, 20, 30)
        buffers = [Buffer(int(random.integers(1, 500)), int(s), int(s + random.integers(0, 8))) for s in starts]
        total = plan(buffers)
        for step in range(30):
            alive = sorted((b for b in buffers if b.first <= step <= b.last), key=lambda b: b.offset)
            assert all(a.offset + a.bytes <= b.offset for a, b in zip(alive, alive[1:], strict=False))
            assert sum(b.bytes for b in alive) <= total
        assert all(b.offset % compilation.ALIGNMENT == 0 and b.offset + b.bytes <= total for b in buffers)
        assert total < sum(b.bytes for b in buffers)


def test_an_operator_without_a_kernel_is_named(tmp_path):
    opened = bundle.load("enhance")
    model = schema.ModelT.InitFromPackedBuf(opened.model, 0)
    code = next(c for c in model.operatorCodes if flatbuffer.operator_name(c) == "LOGISTIC")
    code.builtinCode = schema.BuiltinOperator.HARD_SWISH
    code.deprecatedBuiltinCode = schema.BuiltinOperator.HARD_SWISH
    builder = flatbuffers.Builder(1 << 17)
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(UserError, match="HARD_SWISH has no kernel.*FULLY_CONNECTED"):
        compilation.compile_bundle(dataclasses.replace(opened, model=bytes(builder.Output())), tmp_path / "c")
    assert not (tmp_path / "c").exists()
