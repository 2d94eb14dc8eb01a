"""A bundle as plain C equals the official TFLM, and its memory plan has no overlap."""

import ctypes
import dataclasses
import subprocess

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle
from convert.codegen import c_source, planner
from convert.codegen.planner import Buffer, plan
from convert.run import host_tools
from convert.tflite import flatbuffer, graph, kernel_params, runtimes
from groupcomm.errors import UserError
from groupcomm.files import REPO
from tests.helpers.tflite_models import (
    INT8,
    INT16,
    INT32,
    INT64,
    Official,
    Tensor,
    model_of,
    network_of,
)
from tf_model import signal as sig
from tf_model.signal import Signal, to_pcm
from tf_model.training import checkpoint


class Program(runtimes.Static):
    """Plain C of a bundle, in memory between two guards. Undefined behaviour ends the process."""

    def __init__(self, opened, folder):
        self.written = c_source.compile_bundle(opened, folder / "c")
        flags = ["-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
        super().__init__(folder / "c" / f"{self.written['name']}.c", *flags)

    def _allocate(self, size):
        self._all = np.full(size + 48, 77, np.uint8)
        self._start = -self._all.ctypes.data % 16 + 16
        self._end = self._start + size
        return self._all[self._start : self._end]

    def guards_stand(self):
        return (self._all[: self._start] == 77).all() and (self._all[self._end :] == 77).all()


@pytest.fixture(scope="module")
def banded(tmp_path_factory):
    """Write a bundle of a small network for two speakers whose groups are bands."""
    from tf_model.networks import streaming
    from tf_model.networks.streaming import Streaming

    signal = Signal(level=0.5, bands=5, pool=4, neighbours=3, dc=0.25)
    net = Streaming(
        signal=signal, sources=2, features=40, groups=5, blocks=2, tac=7, hidden=8, bottleneck=6
    )
    folder = tmp_path_factory.mktemp("banded")
    model, random = streaming.build(net), np.random.default_rng(0)
    model.set_weights(
        [
            random.normal(0, 0.8 / np.sqrt(len(w)) if w.ndim > 1 else 0.3, w.shape)
            for w in model.get_weights()
        ]
    )
    checkpoint.save(folder / "net", "banded", net, {}, model)
    return bundle.write(checkpoint.load(str(folder / "net")), folder / "bundle")


@pytest.fixture(
    scope="module",
    params=[
        *(pytest.param(name, marks=pytest.mark.slow) for name in bundle.names()),
        pytest.param("banded", marks=pytest.mark.tensorflow),
    ],
)
def compiled(request, tmp_path_factory):
    """Return (bundle, program) for every committed bundle and for a banded one."""
    opened = (
        request.getfixturevalue("banded")
        if request.param == "banded"
        else bundle.load(request.param)
    )
    return opened, Program(opened, tmp_path_factory.mktemp(request.param))


@pytest.mark.bazel
@pytest.mark.parametrize("kind", [pytest.param("banded", marks=pytest.mark.tensorflow), "waveform"])
def test_stream_equals_python(kind, request):
    """The C++ stream equals Python for PCM on a DC of 0.1.

    Features have no DC, a running level and neighbours; masks of two sources are in every bin. In
    the other case, samples take the place of both.
    """
    opened = (
        request.getfixturevalue("banded") if kind == "banded" else bundle.load("enhance-tasnet")
    )
    pcm = to_pcm(bundle.golden_pcm(800, 128) / np.float32(sig.PCM_SCALE) + np.float32(0.1))
    seen, given, sound = host_tools.separate_pcm(opened, pcm)
    audio = pcm / np.float32(sig.PCM_SCALE)
    difference = np.abs(
        seen.astype(int)
        - opened.quantize_features(sig.features(sig.stft(audio, opened.signal), opened.signal))
    )
    assert difference.max() <= 1 and difference.mean() < 1e-3
    assert len(np.unique(seen)) > 100
    np.testing.assert_array_equal(runtimes.Tflm(opened.model)(seen), given)
    spectrum = sig.stft(audio, opened.signal)
    masked = sig.apply_masks(
        spectrum, opened.dequantize_masks(given), opened.sources, opened.signal
    )
    expected = to_pcm(sig.istft(masked, len(audio), opened.signal))
    assert np.abs(sound.astype(int) - expected).max() <= 1
    # The sources differ, and a single source from its input.
    other = expected[1] if opened.sources == 2 else pcm
    assert np.abs(expected[0].astype(int) - other).max() > 100
    assert pcm.mean() > 3000 and np.abs(sound[:, 8000:].mean(1)).max() < 33  # 1e-3


def test_every_byte_equals_tflm(compiled):
    opened, program = compiled
    features, masks = opened.golden()
    program.reset()
    np.testing.assert_array_equal(program(features), masks)
    assert (program(features[:200]) != masks[:200]).any()  # the state was kept
    program.reset()
    np.testing.assert_array_equal(program(features), masks)
    assert program.guards_stand()


def test_extreme_inputs_equal_tflm(compiled, random):
    opened, program = compiled
    inputs = opened.signal.n_features
    loud = np.where(random.random((300, inputs)) < 0.5, -128, 127).astype(np.int8)
    features = np.concatenate(
        [loud, np.full((100, inputs), 127, np.int8), np.full((100, inputs), -128, np.int8)]
    )
    program.reset()
    np.testing.assert_array_equal(program(features), runtimes.Tflm(opened.model)(features))


def wide_network(random) -> bytes:
    """Build a network of 129 bins with all int16 kernels, and with int8 at both ends."""
    operators = []

    def to(shape, scale, name, *inputs, options=None, zero_point=0, type=INT16):
        y = Tensor(shape, scale, zero_point, type)
        operators.append((name, list(inputs), [y], options))
        return y

    def weights(outputs, inputs):
        return Tensor(
            (outputs, inputs),
            0.4 / 128 / np.sqrt(inputs / 8),
            data=random.integers(-128, 128, (outputs, inputs)),
        )

    def bias(x, w):
        return Tensor(
            (len(w.data),),
            x.scale * w.scale,
            type=INT64,
            data=random.integers(-9999, 9999, len(w.data)),
        )

    def dense(x, outputs, scale, activation=schema.ActivationFunctionType.NONE):
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = activation
        w = weights(outputs, x.shape[-1])
        return to(
            (x.shape[0], outputs), scale, "FULLY_CONNECTED", x, w, bias(x, w), options=options
        )

    def reshape(x, shape):
        options = schema.ReshapeOptionsT()
        options.newShape = list(shape)
        return to(
            shape,
            x.scale,
            "RESHAPE",
            x,
            Tensor((len(shape),), type=INT32, data=np.array(shape)),
            options=options,
        )

    features = Tensor((1, 129), 1 / 64, -5)
    x = to((1, 129), 2 / 32768, "QUANTIZE", features, options=schema.QuantizeOptionsT())
    x = reshape(dense(x, 128, 3 / 32768, schema.ActivationFunctionType.RELU), (16, 1, 8))
    hidden, cell = (
        Tensor((16, 12), 2.0**-15, type=INT16, variable=True),
        Tensor((16, 12), 2.0**-12, type=INT16, variable=True),
    )
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = schema.ActivationFunctionType.TANH
    w, r = [weights(12, 8) for _ in range(4)], [weights(12, 12) for _ in range(4)]
    gates = [
        *w,
        *r,
        None,
        None,
        None,
        *[bias(x, v) for v in w],
        None,
        None,
        hidden,
        cell,
        None,
        None,
        None,
        None,
    ]
    x = to((16, 1, 12), 2.0**-15, "UNIDIRECTIONAL_SEQUENCE_LSTM", x, *gates, options=options)
    x = dense(reshape(x, (16, 12)), 8, 1 / 32768)
    keep = schema.ReducerOptionsT()
    keep.keepDims = True
    mean = to(
        (1, 8), 0.5 / 32768, "MEAN", x, Tensor((1,), type=INT32, data=np.array([0])), options=keep
    )
    total = to((16, 8), 1.5 / 32768, "ADD", x, mean, options=schema.AddOptionsT())
    squashed = to((16, 8), 2.0**-15, "TANH", total)
    factor = Tensor((16, 8), 1 / 20000, type=INT16, data=random.integers(-30000, 30000, (16, 8)))
    product = to((16, 8), 1 / 32768, "MUL", squashed, factor, options=schema.MulOptionsT())
    options = schema.ConcatenationOptionsT()
    options.axis = 1
    both = reshape(
        to((16, 16), 1 / 32768, "CONCATENATION", product, product, options=options), (1, 256)
    )
    logits = to((1, 129), 5 / 32768, "RELU", dense(both, 129, 4 / 32768))
    mask = to((1, 129), 2.0**-15, "LOGISTIC", logits)
    to(
        (1, 129),
        1 / 256,
        "QUANTIZE",
        mask,
        options=schema.QuantizeOptionsT(),
        zero_point=-128,
        type=INT8,
    )
    return network_of(operators)


@pytest.mark.slow
def test_int16_activations_equal_tflm(tmp_path, random):
    model = wide_network(random)
    program = Program(dataclasses.replace(bundle.load("enhance-blstm"), model=model), tmp_path)
    official = Official(model)
    features = random.integers(-128, 128, (100, 129), dtype=np.int8)
    for _ in range(2):
        expected = np.concatenate([official(f[None]) for f in features])
        np.testing.assert_array_equal(program(features), expected)
        assert len(np.unique(expected)) > 15 and (expected[1:] != expected[:-1]).mean() > 0.3
        official.reset()
        program.reset()
    assert program.guards_stand()


def test_int16_features_are_rejected(tmp_path):
    model = model_of(
        "LOGISTIC",
        [Tensor((1, 129), 1 / 4096, type=INT16)],
        [Tensor((1, 129), 2.0**-15, type=INT16)],
    )
    with pytest.raises(UserError, match="features are not int8; convert the network again"):
        c_source.compile_bundle(
            dataclasses.replace(bundle.load("enhance-blstm"), model=model), tmp_path / "c"
        )


def test_program_constants_match_the_bundle(compiled):
    opened, program = compiled
    model, d = program.model, opened.description
    assert (model.name.decode(), model.model_crc32) == (
        opened.name.replace("-", "_"),
        d["model"]["crc32"],
    )
    signal, path = opened.signal, model.signal
    assert (path.sample_rate, path.window, path.hop, path.sources) == (
        signal.sample_rate,
        signal.window,
        signal.hop,
        opened.sources,
    )
    assert path.exponent == np.float32(signal.exponent)
    assert path.level_decay == np.float32(signal.level_decay)
    assert (path.bands, path.pool, path.neighbours) == (
        signal.bands,
        signal.pool,
        signal.neighbours,
    )
    assert path.dc_decay == np.float32(signal.dc_decay)
    assert path.waveform == signal.waveform
    assert (model.inputs, model.outputs) == (signal.n_features, opened.sources * signal.n_values)
    np.testing.assert_array_equal(path.analysis[: signal.window], signal.analysis_window())
    for ours, theirs in ((path.features, d["features"]), (path.masks, d["masks"])):
        assert (ours.scale, ours.zero_point) == (np.float32(theirs["scale"]), theirs["zero_point"])
    # The states of the recurrence in time; a BLSTM across groups keeps none.
    net = opened.description["network"]
    # A convolution over time holds its past frames and their successor at once.
    share = 2 if net.get("over_time") == "tcn" else 3
    assert program.written["arena_bytes"] < program.written["unplanned_bytes"] / share
    # LSTM: hidden state (int8) and cell (int16); TCN: past frames (int8), dilations 1, 2, 4, ...
    per_unit = 3 * net["blocks"]
    if net.get("over_time") == "tcn":
        per_unit = (net["taps"] - 1) * (2 ** net["blocks"] - 1)
    assert program.written["state_bytes"] == net["groups"] * net["hidden"] * per_unit


def test_feature_thresholds_match_quantization(compiled, random):
    """A power at a threshold is the first that rounds to the next byte."""
    opened, program = compiled
    if opened.signal.waveform:
        assert not program.model.signal.feature_thresholds
        return
    thresholds = np.array(program.model.signal.feature_thresholds[:255], np.int32)
    power = (random.uniform(0, 1.2, 100_000) * 255 * opened.description["features"]["scale"]) ** (
        2 / opened.signal.exponent
    )
    bytes_ = (
        np.searchsorted(thresholds.view(np.float32), power.astype(np.float32), side="right") - 128
    )
    expected = opened.quantize_features(
        power.astype(np.float32) ** np.float32(opened.signal.exponent / 2)
    )
    assert np.abs(bytes_ - expected).max() <= 1
    assert (bytes_ != expected).mean() < 1e-4
    assert len(np.unique(bytes_)) == 256


def test_scratch_size_matches_the_kernel_header(tmp_path):
    shapes = [(16, 8, 32), (1, 1, 1), (7, 9, 20), (2, 40, 8), (33, 3, 64)]
    calls = "".join(f"GC_LSTM_SCRATCH_BYTES({b}, {i}, {u})," for b, i, u in shapes)
    (tmp_path / "sizes.c").write_text(
        f'#include "micro/kernels/kernels.h"\nconst int sizes[] = {{{calls}}};\n'
    )
    subprocess.run(
        ["cc", "-shared", "-fPIC", f"-I{REPO}", tmp_path / "sizes.c", "-o", tmp_path / "sizes.so"],
        check=True,
    )
    theirs = list((ctypes.c_int * len(shapes)).in_dll(ctypes.CDLL(tmp_path / "sizes.so"), "sizes"))
    operators = flatbuffer.read(bundle.load("enhance").model).graph.operators
    prepared = [kernel_params.prepare(op) for op in operators]
    step = next(p for p in prepared if isinstance(p, kernel_params.Lstm))
    assert [
        dataclasses.replace(step, batch=b, inputs=i, units=u).scratch_bytes for b, i, u in shapes
    ] == theirs


def test_memory_plan_does_not_overlap_live_buffers(random):
    for _ in range(200):
        starts = random.integers(0, 20, 30)
        buffers = [
            Buffer(int(random.integers(1, 500)), int(s), int(s + random.integers(0, 8)))
            for s in starts
        ]
        total = plan(buffers)
        for step in range(30):
            alive = sorted(
                (b for b in buffers if b.first <= step <= b.last), key=lambda b: b.offset
            )
            assert all(
                a.offset + a.size <= b.offset for a, b in zip(alive, alive[1:], strict=False)
            )
            assert sum(b.size for b in alive) <= total
        assert all(
            b.offset % planner.ALIGNMENT == 0 and b.offset + b.size <= total for b in buffers
        )
        assert total < sum(b.size for b in buffers)


def test_operator_without_a_kernel_is_reported(tmp_path):
    opened = bundle.load("enhance")
    model = flatbuffer.read(opened.model)
    network = model.graph
    network.operators = [
        graph.operator("ELU", op.inputs, op.outputs) if op.name == "LOGISTIC" else op
        for op in network.operators
    ]
    with pytest.raises(UserError, match="ELU has no kernel.*FULLY_CONNECTED"):
        c_source.compile_bundle(
            dataclasses.replace(opened, model=flatbuffer.write(model)), tmp_path / "c"
        )
    assert not (tmp_path / "c").exists()
