"""The verdict of TFLM, from a process of its own."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle
from convert.tflite import flatbuffer, tflm
from groupcomm.errors import UserError
from tests.helpers.foreign_models import foreign_model
from tests.helpers.tflite_models import UINT8, Tensor, model_of, network_of, wrong_operand

pytestmark = pytest.mark.slow  # every test starts processes that run TFLM


def large(size):
    """Return a model that needs this many bytes twice."""
    shape = (1, size)
    return model_of("RELU", [Tensor(shape, 0.1)], [Tensor(shape, 0.1)])


def test_a_model_that_runs_has_an_arena():
    found = tflm.run(foreign_model("dscnn_int8"))
    assert found == tflm.Verdict(accepts=True, words="", arena_bytes=found.arena_bytes)
    assert found.arena_bytes % 16 == 0 and 4_000 < found.arena_bytes < 10_000


def test_a_refusal_has_all_words_of_tflm():
    found = tflm.run(foreign_model("lstm_drq"))
    assert not found.accepts and found.ending == "" and found.arena_bytes is None
    assert found.words == (
        "Input type: FLOAT32 with filter type: INT8 not supported.; "
        "Node FULLY_CONNECTED (number 1) failed to prepare with status 1"
    )


def test_a_model_that_ends_the_process_gives_an_error_of_one_line():
    found = tflm.run(wrong_operand())
    assert (found.accepts, found.ending) == (False, "SIGABRT")
    with pytest.raises(UserError, match="^m.tflite: TFLM ends with SIGABRT.*convert it again$"):
        found.check("m.tflite")


def test_a_loop_without_end_is_stopped(monkeypatch):
    """A limit of the time of the processor stops it, also on a busy machine."""
    monkeypatch.setattr(tflm, "_SECONDS", 1)
    model = flatbuffer.read(foreign_model("gru_while"))
    condition = model.graphs[1].operators[0]
    condition.name, condition.options = "GREATER_EQUAL", schema.GreaterEqualOptionsT()
    condition.inputs = condition.inputs[:1] * 2  # always true
    model.graphs[2].operators = []
    found = tflm.run(flatbuffer.write(model))
    assert found == tflm.Verdict(accepts=False, words="", ending="SIGXCPU")
    with pytest.raises(UserError, match="does not finish in 1 s"):
        found.check("m.tflite")


def test_only_a_model_that_is_too_large_needs_more_than_16_mib():
    found = tflm.run(large(9_000_000))
    assert found == tflm.Verdict(accepts=True, words="", arena_bytes=None)
    assert tflm.run(large(8_000_000)).arena_bytes > 16_000_000


def test_smallest_arena_says_why_there_is_none(tmp_path):
    file = tmp_path / "m.tflite"
    file.write_bytes(foreign_model("lstm_drq"))
    with pytest.raises(UserError, match="TFLM refuses it .Input type: FLOAT32"):
        bundle.smallest_arena(file)
    file.write_bytes(large(9_000_000))
    with pytest.raises(UserError, match="TFLM needs more than 16 MiB"):
        bundle.smallest_arena(file)


def test_outputs_have_the_shapes_and_types_of_the_model():
    """Of two inputs and two outputs of different types, invocation by invocation."""
    a, b = Tensor((2, 3), 0.1), Tensor((1, 4), 0.1)
    model = network_of(
        [
            ("RELU", [a], [Tensor((2, 3), 0.1)], None),
            ("QUANTIZE", [b], [Tensor((1, 4), 0.1, 128, type=UINT8)], schema.QuantizeOptionsT()),
        ]
    )
    random = np.random.default_rng(1)
    inputs = [random.integers(-128, 128, (7, *t.shape), np.int8) for t in (a, b)]
    rectified, unsigned = tflm.outputs(model, inputs, "m.tflite")
    np.testing.assert_array_equal(rectified, np.maximum(inputs[0], 0))
    np.testing.assert_array_equal(unsigned, (inputs[1].astype(int) + 128).astype(np.uint8))
    assert (rectified.dtype, unsigned.dtype) == (np.int8, np.uint8)


@pytest.mark.parametrize(
    ("model", "shape", "words"),
    [
        (wrong_operand(), (10, 16), "TFLM ends with SIGABRT"),
        (foreign_model("lstm_drq"), (1,), "TFLM refuses it .Input type: FLOAT32"),
    ],
)
def test_outputs_of_a_model_that_tflm_does_not_run_are_one_line(model, shape, words):
    with pytest.raises(UserError, match=f"^m.tflite: {words}.*$") as e:
        tflm.outputs(model, [np.zeros((1, *shape), np.int8)], "m.tflite")
    assert "\n" not in str(e.value)


def test_models_are_allocated_in_one_process():
    names = ("dscnn_int8", "flex_inverse", "dscnn_int8")
    found = tflm.allocate([foreign_model(name) for name in names])
    assert [verdict.accepts for verdict in found] == [True, False, True]
    assert tflm.allocate([]) == []
