"""The kernels of micro/kernels inside TFLM, on models of one operator, random and extreme.

The parameters that they compute from the model give the bytes of TFLM's own kernels.
"""

import functools
import subprocess

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.run import host_tools
from tests.helpers.random_operators import (
    OPERATORS,
    fully_connected_at_ties,
    random_fully_connected,
    random_lstm,
)
from tests.helpers.tflite_models import (
    INT8,
    INT16,
    Official,
    batch_before_time,
    fuse,
    packed,
    peephole,
    wide_bias,
)

pytestmark = pytest.mark.bazel


@functools.cache
def one_operator():
    """Build the program once: Bazel takes half a second even when there is nothing to do."""
    return host_tools.build("//micro/engine:one_operator")


def ours(folder, name, model: bytes, cases, arena=2**20):
    """Run a model of one operator with one input in TFLM with this project's kernels.

    A case is a tuple of inputs, or "reset".
    """
    (folder / "model.tflite").write_bytes(model)
    calls = b"".join(
        b"R" if isinstance(case, str) else b"I" + b"".join(x.tobytes() for x in case)
        for case in cases
    )
    return subprocess.run(
        [one_operator(), folder / "model.tflite", name, "1", str(arena)],
        input=calls,
        capture_output=True,
    )


def library(model: bytes, cases) -> bytes:
    """Run the same model in TFLM with its own kernels."""
    official, outputs = Official(model), []
    for case in cases:
        if isinstance(case, str):
            official.reset()
        else:
            outputs.append(official(*case).tobytes())
    return b"".join(outputs)


@pytest.mark.parametrize("type", [INT8, INT16])
@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"])
def test_kernels_in_tflm_equal_tflms_own_kernels(name, type, tmp_path):
    make = {"FULLY_CONNECTED": random_fully_connected, "UNIDIRECTIONAL_SEQUENCE_LSTM": random_lstm}[
        name
    ]
    for seed in range(100 if type == INT8 else 40):
        model, cases = make(np.random.default_rng([seed, 1]), type)
        done = ours(tmp_path, name, model, cases)
        assert done.returncode == 0, f"seed {seed}: {done.stderr}"
        assert done.stdout == library(model, cases), f"seed {seed}"


def test_scales_are_multiplied_as_tflm_does(tmp_path):
    for seed in range(10):
        model, cases = fully_connected_at_ties(np.random.default_rng(seed))
        assert ours(tmp_path, "FULLY_CONNECTED", model, cases).stdout == library(model, cases), (
            f"seed {seed}"
        )


@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"])
def test_a_small_arena_gives_no_output_and_never_wrong_bytes(name, tmp_path):
    """Some kernels and allocations of TFLM crash; none continues with overwritten parameters."""
    make = {"FULLY_CONNECTED": random_fully_connected, "UNIDIRECTIONAL_SEQUENCE_LSTM": random_lstm}[
        name
    ]
    for seed in range(2):
        model, cases = make(np.random.default_rng([seed, 3]))
        expected = library(model, cases)
        fits = [
            ours(tmp_path, name, model, cases, arena).stdout for arena in range(1024, 16384, 400)
        ]
        assert set(fits) == {b"", expected} and fits == sorted(fits, key=len)


@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"])
def test_a_bias_beyond_32_bits_is_rejected(name, tmp_path):
    made = (OPERATORS[f"{name} 16"][0](np.random.default_rng([seed, 2]))[0] for seed in range(100))
    model = next(
        m
        for m in (schema.ModelT.InitFromPackedBuf(m, 0) for m in made)
        if m.subgraphs[0].operators[0].inputs[2] >= 0
    )
    wide_bias(model)
    done = ours(tmp_path, name, packed(model), [])
    assert done.returncode == 1 and b"its bias needs more than 32 bits" in done.stderr, done.stderr


def tensor(model, i):
    """Return input ``i`` of the operator."""
    graph = model.subgraphs[0]
    return graph.tensors[graph.operators[0].inputs[i]]


def output(model):
    graph = model.subgraphs[0]
    return graph.tensors[graph.operators[0].outputs[0]]


def quantize(tensor, scale=None, zero_point=None):
    q = tensor.quantization
    q.scale = q.scale if scale is None else np.array(scale, np.float32)
    q.zeroPoint = np.full(
        len(q.scale), q.zeroPoint[0] if zero_point is None else zero_point, np.int64
    )


def leave_out(model, i):
    op = model.subgraphs[0].operators[0]
    op.inputs = [-1 if i == j else int(t) for j, t in enumerate(op.inputs)]


def unbind(model, i):
    """Turn a constant into a value that nothing computes."""
    tensor(model, i).buffer = 0


INT16 = schema.TensorType.INT16
ACTIVATION = schema.ActivationFunctionType
FC, LSTM = "FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"


@pytest.mark.parametrize(
    ("name", "hurt", "words"),
    [
        (
            FC,
            lambda m: setattr(tensor(m, 0), "type", INT16),
            "its input or output is not int16 with one scale and zero point 0",
        ),
        (
            FC,
            lambda m: setattr(output(m), "type", INT16),
            "its input or output is not int8 with one scale",
        ),
        (
            FC,
            lambda m: quantize(output(m), [0.1, 0.1]),
            "its input or output is not int8 with one scale",
        ),
        (FC, lambda m: unbind(m, 1), "its weights are not a constant int8 matrix"),
        (
            FC,
            lambda m: setattr(tensor(m, 1), "shape", [3, 2, 5]),
            "its weights are not a constant int8 matrix",
        ),
        (
            FC,
            lambda m: setattr(tensor(m, 0), "shape", [7, 1]),
            "the size of its input is not a multiple of the columns of its weights",
        ),
        (
            FC,
            lambda m: setattr(output(m), "shape", [7, 7]),
            "the size of its output does not match its input and its weights",
        ),
        (FC, lambda m: unbind(m, 2), "its bias is not constant int32"),
        (
            FC,
            lambda m: setattr(tensor(m, 2), "type", schema.TensorType.INT8),
            "its bias is not constant int32",
        ),
        (
            FC,
            lambda m: quantize(tensor(m, 1), [0.1, 0.1]),
            "the scales of its weights are not one for each output",
        ),
        (FC, lambda m: quantize(tensor(m, 1), zero_point=3), "its weights have a zero point"),
        (FC, lambda m: quantize(tensor(m, 0), [1e30]), "its scales are invalid or too far apart"),
        (FC, lambda m: quantize(tensor(m, 0), [-0.1]), "its scales are invalid or too far apart"),
        (FC, lambda m: quantize(output(m), [0]), "its scales are invalid or too far apart"),
        (FC, lambda m: quantize(output(m), [np.nan]), "its scales are invalid or too far apart"),
        (
            FC,
            lambda m: fuse(m, ACTIVATION.TANH),
            "its fused activation does more than limit the range",
        ),
        (LSTM, peephole, "it has peepholes"),
        (LSTM, lambda m: leave_out(m, 12), "or lacks a bias"),
        (
            LSTM,
            lambda m: setattr(tensor(m, 0), "type", INT16),
            "its input or output is not int16 with one scale and zero point 0",
        ),
        (LSTM, lambda m: fuse(m, ACTIVATION.NONE), "its activation is not TANH"),
        (
            LSTM,
            lambda m: setattr(tensor(m, 0), "shape", [7, 7]),
            "its input does not have three dimensions",
        ),
        (
            LSTM,
            batch_before_time,
            "it has several time steps and a batch, and time is not the first dimension",
        ),
        (
            LSTM,
            lambda m: setattr(output(m), "shape", [1, 1, 7]),
            "its output is not one row of units",
        ),
        (
            LSTM,
            lambda m: setattr(tensor(m, 18), "isVariable", False),
            "its hidden state is not a variable tensor",
        ),
        (
            LSTM,
            lambda m: setattr(tensor(m, 19), "isVariable", False),
            "its cell state is not a variable",
        ),
        (
            LSTM,
            lambda m: quantize(tensor(m, 19), zero_point=1),
            "its cell state is not a variable int16 tensor with zero point 0",
        ),
        (
            LSTM,
            lambda m: quantize(tensor(m, 18), [0.4]),
            "its hidden state and its output are quantized differently",
        ),
        (LSTM, lambda m: quantize(tensor(m, 19), [0.3]), "is not a power of two"),
        (LSTM, lambda m: quantize(tensor(m, 19), [4.0]), "is not a power of two from 2^-30 to 1"),
        (LSTM, lambda m: unbind(m, 7), "its weights are not constant int8 matrices"),
        (
            LSTM,
            lambda m: quantize(tensor(m, 3), zero_point=1),
            "its weights are not constant int8 matrices",
        ),
        (
            LSTM,
            lambda m: setattr(tensor(m, 4), "shape", [1, 1]),
            "its weights are not constant int8 matrices",
        ),
        (LSTM, lambda m: unbind(m, 14), "its bias is not constant int32"),
        (LSTM, lambda m: quantize(tensor(m, 0), [1e30]), "its scales are invalid or too far apart"),
    ],
)
def test_unsupported_operators_are_rejected_with_a_reason(name, hurt, words, tmp_path):
    make = {FC: random_fully_connected, LSTM: random_lstm}[name]
    # The first random operator with a bias, more than two outputs, one scale for all weights, and
    # the batch as the first dimension.
    for seed in range(1000):
        model = schema.ModelT.InitFromPackedBuf(make(np.random.default_rng([seed, 2]))[0], 0)
        operator = model.subgraphs[0].operators[0]
        usual = (
            operator.inputs[2] >= 0
            and len(tensor(model, 1).quantization.scale) == 1
            and min(tensor(model, 1).shape) > 2
        )
        if usual and not getattr(operator.builtinOptions, "timeMajor", False):
            break
    hurt(model)
    done = ours(tmp_path, name, packed(model), [])
    assert done.returncode == 1 and words in done.stderr.decode(), done.stderr
