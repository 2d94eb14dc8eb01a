"""Inspection counts operators, and reports what TFLM does not support."""

import pytest
import tensorflow as tf

from convert.verify import inspection, remedies

pytestmark = pytest.mark.tensorflow


def test_the_committed_bundle():
    found = inspection.inspect("enhance")
    assert found["unsupported"] == []
    assert found["macs"] <= 400_000 and found["parameters"] <= 60_000
    assert found["arena_bytes"] % 16 == 0 and 10_000 < found["arena_bytes"] < 100_000
    assert {o["name"] for o in found["operators"]} >= {
        "FULLY_CONNECTED",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
    }
    assert sum(o["macs"] for o in found["operators"]) == found["macs"]


def test_operators_missing_in_tflm_are_reported_with_a_remedy(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([1, 8], tf.float32)])
    def f(x):
        return tf.nn.gelu(tf.math.cumsum(x), approximate=True) + tf.math.atan2(x, x + 1)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([f.get_concrete_function()])
    (tmp_path / "m.tflite").write_bytes(converter.convert())
    found = inspection.inspect(str(tmp_path / "m.tflite"))
    # TFLM has CUMSUM and ADD.
    assert {o["name"] for o in found["unsupported"]} == {
        "GELU",
        "ATAN2",
    }
    assert {o["name"]: o["way_out"] for o in found["unsupported"]}["GELU"].startswith("use ReLU")
    assert found["arena_bytes"] is None


def test_operators_rejected_by_tflm_are_reported_with_its_reason(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([1, 2, 3, 4, 5], tf.float32)])
    def f(x):
        return x[:, :, :, 1:] * 2

    (tmp_path / "m.tflite").write_bytes(
        tf.lite.TFLiteConverter.from_concrete_functions([f.get_concrete_function()]).convert()
    )
    [refused] = inspection.inspect(str(tmp_path / "m.tflite"))["unsupported"]
    assert refused["name"] == "STRIDED_SLICE" and refused["reason"].endswith(
        "input dim should not exceed 4"
    )
    assert refused["way_out"] == remedies.AXES


def test_arena_is_the_smallest_that_runs(tmp_path):
    from tflite_micro.python.tflite_micro import runtime

    from groupcomm.console import quiet

    @tf.function(input_signature=[tf.TensorSpec([1, 8], tf.float32)])
    def f(x):
        return x * tf.nn.relu(x) + 1

    (tmp_path / "m.tflite").write_bytes(
        tf.lite.TFLiteConverter.from_concrete_functions([f.get_concrete_function()]).convert()
    )
    size = inspection.inspect(str(tmp_path / "m.tflite"))["arena_bytes"]
    content = (tmp_path / "m.tflite").read_bytes()
    runtime.Interpreter.from_bytes(content, arena_size=size).invoke()
    with pytest.raises(RuntimeError), quiet():
        runtime.Interpreter.from_bytes(content, arena_size=size - 32)
