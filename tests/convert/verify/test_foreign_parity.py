"""Models of others as plain C: the bytes of the official TFLM, or one line that says why not."""

import sys

import pytest

from convert.codegen import model_source
from convert.tflite import flatbuffer
from convert.verify import model_parity
from groupcomm import cli
from groupcomm.errors import UserError
from tests.helpers.cli import without_progress
from tests.helpers.foreign_models import (
    NAMES,
    dtln_like_int8,
    foreign_model,
    summing,
    svdf_classifier,
)
from tests.helpers.tflite_models import wrong_operand

MADE = {"dtln_like_int8": dtln_like_int8, "svdf_classifier": svdf_classifier}
# What `compile` says about those that it refuses.
REFUSED = {
    "conv1d_dynamic_batch": "convert with a fixed shape",
    "dtln_like_states_io": "quantize the model fully",
    "flex_gru": "graphs for control flow, which has no kernel",
    "flex_inverse": "quantize the model fully",
    "gru_while": "graphs for control flow, which has no kernel",
    "lstm_drq": "quantize the model fully",
    "lstm_f16": "quantize the model fully",
    "rfft_inside": "quantize the model fully",
}


@pytest.mark.parametrize("name", [*MADE, *(name for name in NAMES if name not in REFUSED)])
def test_every_byte_equals_tflm(name, tmp_path):
    """On random inputs, twice with a reset in between."""
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(MADE[name]() if name in MADE else foreign_model(name))
    found = model_parity.parity(path, invocations=60)
    assert found["ok"] and found["passes"] == 2


def test_a_crash_of_tflm_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capfd):
    """TFLM runs in a process of its own, so the command outlives it."""
    path = tmp_path / "m.tflite"
    path.write_bytes(foreign_model("dscnn_int8"))
    compiled = model_source.compile_model

    def with_a_crash(*arguments):
        return compiled(*arguments) | {"model": wrong_operand()}

    monkeypatch.setattr(model_source, "compile_model", with_a_crash)
    monkeypatch.setattr(sys, "argv", ["groupcomm", "parity", str(path), "--hops", "3"])
    with pytest.raises(SystemExit) as e:
        cli.main()
    said = capfd.readouterr()
    [line] = without_progress(said.err)
    assert (e.value.code, said.out) == (2, "")
    assert line.startswith(f"groupcomm: {path}: TFLM ends with SIGABRT")


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_has_a_reason(name, tmp_path):
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(foreign_model(name))
    with pytest.raises(UserError) as e:
        model_source.compile_model(path, tmp_path / "c")
    assert REFUSED[name] in str(e.value) and len(str(e.value).splitlines()) == 1


def test_a_signature_without_outputs_is_compiled(tmp_path):
    model = flatbuffer.read(foreign_model("dscnn_int8"))
    model.signatures[0].outputs = None
    path = tmp_path / "m.tflite"
    path.write_bytes(flatbuffer.write(model))
    assert len(model_source.compile_model(path, tmp_path / "c")["outputs"]) == 1


def test_a_variable_without_its_handle_gives_one_line(tmp_path):
    model = summing(None)
    assert model.graph.operators.pop(0).name == "VAR_HANDLE"
    path = tmp_path / "m.tflite"
    path.write_bytes(flatbuffer.write(model))
    with pytest.raises(UserError, match="operators ASSIGN_VARIABLE, READ_VARIABLE have no kernel"):
        model_source.compile_model(path, tmp_path / "c")
