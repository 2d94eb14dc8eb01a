"""A `.tflite` without a bundle as plain C equals the official TFLM."""

import ctypes
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle
from convert.codegen import model_source
from convert.tflite import flatbuffer, runtimes
from convert.verify import model_parity
from groupcomm.errors import UserError
from tests.helpers.cli import groupcomm, ok
from tests.helpers.tflite_models import (
    INT16,
    INT32,
    UINT8,
    Tensor,
    model_of,
    network_of,
    packed,
)

FLOAT32, RESOURCE = schema.TensorType.FLOAT32, schema.TensorType.RESOURCE


def shared(name):
    options = schema.VarHandleOptionsT()
    options.sharedName = name
    return options


@pytest.fixture(scope="module")
def delay_line():
    """Return a model that outputs the sum of its input and the input before the last.

    Two resource variables are the state. The graph that CALL_ONCE runs sets their initial values.
    """
    x, old, older = (Tensor((1, 4), 0.1, 3) for _ in range(3))
    y = Tensor((1, 4), 0.2, -5)
    first = Tensor((1, 4), 0.1, 3, data=[[7, -8, 9, 101]])
    second = Tensor((1, 4), 0.1, 3, data=np.full((1, 4), 3))
    a, b, a2, b2 = (Tensor((), type=RESOURCE) for _ in range(4))
    model = network_of(
        [
            ("VAR_HANDLE", [], [a], shared("a")),
            ("VAR_HANDLE", [], [b], shared("b")),
            ("CALL_ONCE", [], [], once := schema.CallOnceOptionsT()),
            ("READ_VARIABLE", [a], [old], schema.ReadVariableOptionsT()),
            ("READ_VARIABLE", [b], [older], schema.ReadVariableOptionsT()),
            ("ASSIGN_VARIABLE", [b, old], [], schema.AssignVariableOptionsT()),
            ("ASSIGN_VARIABLE", [a, x], [], schema.AssignVariableOptionsT()),
            ("ADD", [x, older], [y], schema.AddOptionsT()),
            # These two operators and the constants move to the second graph.
            ("VAR_HANDLE", [], [a2], shared("a")),
            ("VAR_HANDLE", [], [b2], shared("b")),
            ("ASSIGN_VARIABLE", [a2, first], [], schema.AssignVariableOptionsT()),
            ("ASSIGN_VARIABLE", [b2, second], [], schema.AssignVariableOptionsT()),
        ]
    )
    once.initSubgraphIndex = 1
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    main = parsed.subgraphs[0]
    init = schema.SubGraphT()
    init.tensors, init.inputs, init.outputs = main.tensors, [], []
    main.operators, init.operators = main.operators[:-4], main.operators[-4:]
    main.operators[2].builtinOptions.initSubgraphIndex = 1
    parsed.subgraphs.append(init)
    main.outputs = [i for i in main.outputs if parsed.subgraphs[0].tensors[i].type != RESOURCE]
    return packed(parsed)


@pytest.fixture(scope="module")
def two_ways():
    """Return a model with two inputs and two outputs, one of which is a reshaped input."""
    a, b = Tensor((2, 3), 0.1, 4), Tensor((1, 3), 0.05, -3)
    total, flat = Tensor((2, 3), 0.2, 9), Tensor((6,), 0.1, 4)
    shape = Tensor((1,), type=INT32, data=[6])
    return network_of(
        [
            ("ADD", [a, b], [total], schema.AddOptionsT()),
            ("RESHAPE", [a, shape], [flat], schema.ReshapeOptionsT()),
        ]
    )


@pytest.fixture(scope="module")
def float_outside():
    """Return a model whose input and output the converter left float32."""
    x, y = Tensor((1, 8), type=FLOAT32), Tensor((1, 8), type=FLOAT32)
    q, r = Tensor((1, 8), 0.1, 2), Tensor((1, 8), 2.0**-8, -128)
    return network_of(
        [
            ("QUANTIZE", [x], [q], schema.QuantizeOptionsT()),
            ("LOGISTIC", [q], [r], None),
            ("DEQUANTIZE", [r], [y], schema.DequantizeOptionsT()),
        ]
    )


@pytest.fixture(scope="module")
def convolutional():
    """Return a model with most kinds of operators of convolutional networks, in one dimension."""
    random = np.random.default_rng(0)

    def weights(*shape, axis=0):
        return Tensor(shape, 0.02, data=random.integers(-127, 128, shape), axis=axis)

    def times(length, channels, scale=0.1, point=-3, **fields):
        return Tensor((1, length, 1, channels), scale, point, **fields)

    convolution, depthwise = schema.Conv2DOptionsT(), schema.DepthwiseConv2DOptionsT()
    pool, transposed, split = (
        schema.Pool2DOptionsT(),
        schema.TransposeConvOptionsT(),
        schema.SplitOptionsT(),
    )
    for options in (convolution, depthwise, pool, transposed):
        options.strideH, options.strideW = 1, 1
    depthwise.padding = pool.padding = schema.Padding.VALID
    depthwise.depthMultiplier = 1
    pool.filterHeight, pool.filterWidth, pool.strideH, transposed.strideH = 2, 1, 2, 2
    leaky = schema.LeakyReluOptionsT()
    leaky.alpha, split.numSplits = 0.2, 2
    x, a, b, c, d = times(16, 6), times(16, 8), times(16, 8), times(18, 8), times(16, 8)
    halves, e, f = [times(16, 4), times(16, 4)], times(16, 4), times(16, 4)
    g, h = times(8, 4), times(16, 5, 0.2)
    paddings = Tensor((4, 2), type=INT32, data=[[0, 0], [2, 0], [0, 0], [0, 0]])
    slopes = Tensor((1, 1, 4), 0.01, data=[[[10, -20, 30, 90]]])
    return network_of(
        [
            ("CONV_2D", [x, weights(8, 3, 1, 6)], [a], convolution),
            ("LEAKY_RELU", [a], [b], leaky),
            ("PAD", [b, paddings], [c], schema.PadOptionsT()),
            ("DEPTHWISE_CONV_2D", [c, weights(1, 3, 1, 8, axis=3)], [d], depthwise),
            ("SPLIT", [Tensor((), type=INT32, data=[3]), d], halves, split),
            ("SUB", halves, [e], schema.SubOptionsT()),
            ("PRELU", [e, slopes], [f], None),
            ("MAX_POOL_2D", [f], [g], pool),
            (
                "TRANSPOSE_CONV",
                [Tensor((4,), type=INT32, data=[1, 16, 1, 5]), weights(5, 3, 1, 4), g],
                [h],
                transposed,
            ),
            ("QUANTIZE", [h], [times(16, 5, 0.2, 125, type=UINT8)], schema.QuantizeOptionsT()),
        ]
    )


@pytest.mark.parametrize("name", ["delay_line", "two_ways", "float_outside", "convolutional"])
def test_every_byte_equals_tflm(name, request, tmp_path):
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(request.getfixturevalue(name))
    found = model_parity.parity(path, invocations=20)
    assert found["ok"] and found["runtimes"][0]["different_invocations"] == 0


def test_state_starts_with_the_initial_values_and_a_reset_restores_them(delay_line, tmp_path):
    path = tmp_path / "delay.tflite"
    path.write_bytes(delay_line)
    written = model_source.compile_model(path, tmp_path / "c")
    assert written["state_bytes"] == 16  # two variables of 4 bytes, aligned to 8
    run = runtimes.Compiled(written)
    x = np.full((1, 4), 3, np.int8)  # zero
    zero, initial = run([x])[0], run([x])[0]
    assert (zero == -5).all() and initial[0, 3] == (101 - 3) // 2 - 5
    run.reset()
    np.testing.assert_array_equal(run([x])[0], zero)
    np.testing.assert_array_equal(run([x])[0], initial)


def test_a_committed_network_without_its_bundle_equals_its_golden_masks(tmp_path):
    opened = bundle.load("enhance-nano")
    features, masks = opened.golden()
    run = runtimes.Compiled(
        model_source.compile_model(opened.path / "model.tflite", tmp_path / "c"),
        *("-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fno-sanitize-recover=all"),
    )
    found = np.concatenate([run([f[None]])[0] for f in features[:100]])
    np.testing.assert_array_equal(found, masks[:100])


def test_init_checks_size_and_alignment(two_ways, tmp_path):
    path = tmp_path / "2 Ways-int8.tflite"
    path.write_bytes(two_ways)
    written = model_source.compile_model(path, tmp_path / "c")
    assert written["name"] == "model_2_ways_int8"
    library = runtimes.build_library(tmp_path / "c" / "model_2_ways_int8.c")
    memory = np.zeros(written["memory_bytes"] + 32, np.uint8)
    start = memory.ctypes.data + -memory.ctypes.data % 16

    def init(address, size):
        return library.model_2_ways_int8_init(ctypes.c_void_p(address), ctypes.c_size_t(size))

    assert init(start, written["memory_bytes"]) == 0
    assert init(start + 1, written["memory_bytes"]) == -1
    if written["memory_bytes"]:
        assert init(start, written["memory_bytes"] - 1) == -1


def test_names_are_those_of_the_signature_and_are_identifiers():
    model = flatbuffer.read(
        network_of(
            [
                (
                    "ADD",
                    [a := Tensor((1, 2), 1), b := Tensor((1, 2), 1)],
                    [Tensor((1, 2), 1)],
                    schema.AddOptionsT(),
                )
            ]
        )
    )
    a, b = model.graph.inputs
    a.name, b.name, model.graph.outputs[0].name = "x:0", "X", "int"
    assert model_source._boundary_names(model) == ["x", "x_", "output_0_int"]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            model_of("LOGISTIC", [Tensor((1, 4), type=FLOAT32)], [Tensor((1, 4), type=FLOAT32)]),
            "type of 't0' is float32.*quantize the model fully",
        ),
        (
            network_of(
                [
                    ("NEG", [Tensor((1, 4), 1)], [y := Tensor((1, 4), 1)], schema.NegOptionsT()),
                    ("ABS", [y], [Tensor((1, 4), 1)], schema.AbsOptionsT()),
                ]
            ),
            "operators ABS, NEG have no kernel in micro/kernels; supported: ADD",
        ),
        (b"nonsense", "not a TFLite"),
    ],
)
def test_what_cannot_be_compiled_is_reported(model, words, tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(model)
    with pytest.raises(UserError, match=words):
        model_source.compile_model(path, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_parity_command_takes_given_inputs_and_finds_a_difference(two_ways, tmp_path, monkeypatch):
    path = tmp_path / "two.tflite"
    path.write_bytes(two_ways)
    made = ok("compile", str(path), "--out", str(tmp_path / "c"), "--json")
    names = [t["name"] for t in made["inputs"]]
    values = {
        names[0]: np.full((3, 2, 3), -0.25, np.float32),
        names[1]: np.ones((2, 1, 3), np.int8),
    }
    np.savez(tmp_path / "given.npz", **values)
    command = ("parity", str(path), "--hops", "7", "--input", str(tmp_path / "given.npz"))
    found = ok(*command, "--json")
    assert found["ok"] and found["invocations"] == 7 and found["inputs"].endswith("given.npz")
    np.savez(tmp_path / "given.npz", other=np.zeros(3))
    refused = groupcomm(*command)
    assert refused.returncode == 2 and "has the arrays other; the inputs of the model are" in (
        refused.stderr.replace("\n", " ")
    )
    assert groupcomm("parity", str(path), "--port", "COM3").returncode == 2
    # A wrong byte in the C program is found.
    real = runtimes.Compiled.__call__
    monkeypatch.setattr(
        runtimes.Compiled, "__call__", lambda self, x: [y + np.int8(1) for y in real(self, x)]
    )
    wrong = model_parity.parity(path, invocations=5)
    assert not wrong["ok"] and wrong["runtimes"][0]["different_invocations"] == 10


def test_int16_inputs_are_supported(tmp_path):
    path = tmp_path / "wide.tflite"
    path.write_bytes(
        model_of(
            "LOGISTIC",
            [Tensor((1, 9), 1 / 4096, type=INT16)],
            [Tensor((1, 9), 2.0**-15, type=INT16)],
        )
    )
    assert model_parity.parity(path, invocations=30)["ok"]


def test_an_error_of_the_compiler_is_one_line(tmp_path):
    (tmp_path / "a.c").write_text("int a = b;\nint c = d;\n")
    with pytest.raises(UserError, match=r"kernels: compilation failed: .*a\.c:1:.*error") as raised:
        runtimes._run(["cc", "-c", tmp_path / "a.c", "-o", tmp_path / "a.o"], Path("kernels"))
    assert "\n" not in str(raised.value)
