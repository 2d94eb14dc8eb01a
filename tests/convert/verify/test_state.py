"""What a model keeps from one Invoke to the next, and what a reset does, in TFLM and in LiteRT."""

import numpy as np
import pytest
from ai_edge_litert import interpreter

from convert.tflite import flatbuffer, graph, variables
from convert.tflite.graph import Graph, Model, Quantization, Tensor
from convert.verify import state
from tests.helpers.foreign_models import foreign_model, summing
from tests.helpers.tflite_models import Official


class Lite:
    """LiteRT on a model."""

    def __init__(self, content):
        self._interpreter = interpreter.Interpreter(model_content=content)
        self._interpreter.allocate_tensors()
        self.reset = self._interpreter.reset_all_variables

    def __call__(self, x):
        self._interpreter.set_tensor(self._interpreter.get_input_details()[0]["index"], x)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"])


@pytest.mark.parametrize(
    ("initial", "started", "restarted", "words"),
    [
        (-50, -49, -49, state.RESET_TO_ZERO),
        (3, 4, -49, state.RESET_LOSES_VALUES),
        (None, -49, -49, state.RESET_TO_ZERO),
    ],
)
def test_resource_variables_and_their_reset(initial, started, restarted, words):
    """The note says what TFLM's Reset does with initial values."""
    content = flatbuffer.write(summing(initial))
    official, one = Official(content), np.full((1, 4), -49, np.int8)  # 0.1 more than zero
    assert [official(one)[0, 0] for _ in range(3)] == [started, started + 1, started + 2]
    official.reset()
    assert [official(one)[0, 0] for _ in range(2)] == [restarted, restarted + 1]
    [note] = state.notes(flatbuffer.read(content))
    assert note == (
        f"state in 1 resource variables: {state.KEPT_IN_VARIABLES}; {words}; "
        "MicroInterpreter needs MicroResourceVariables for 1"
    )


def test_litert_keeps_resource_variables_over_a_reset():
    lite, one = Lite(flatbuffer.write(summing(-50))), np.full((1, 4), -49, np.int8)
    first = [lite(one)[0, 0] for _ in range(2)]
    lite.reset()
    assert [*first, lite(one)[0, 0]] == [-49, -48, -47]


def test_variables_that_only_call_once_assigns_are_not_state():
    model = summing(-50)
    model.graph.operators.pop()
    [variable] = variables.listed(model)
    assert (variable.name, variable.is_assigned) == ("sum", False)
    assert state.notes(model) == []


def test_float16_lstm_keeps_its_state():
    """LiteRT dequantizes a constant once, so DEQUANTIZE does not reset the state."""
    content = foreign_model("lstm_f16")
    lite, x = Lite(content), np.linspace(-1, 2, 64, dtype=np.float32).reshape(1, 1, 64)
    first, second = lite(x), lite(x)
    assert np.abs(first - second).max() > 1e-3
    lite.reset()
    np.testing.assert_array_equal(lite(x), first)
    expected = f"state of 1 LSTMs: {state.CARRIES_TO_THE_NEXT}"
    assert state.notes(flatbuffer.read(content)) == [expected]
    assert state.notes(flatbuffer.read(foreign_model("lstm_drq"))) == [expected]


def test_variable_tensors_of_other_operators():
    memory = Tensor((1, 80), "float32", is_variable=True)
    weights = [Tensor(shape, "float32", np.ones(shape, "f")) for shape in ((8, 6), (8, 10), (8,))]
    svdf = graph.operator(
        "SVDF", [Tensor((1, 6), "float32"), *weights, memory], [Tensor((1, 8), "float32")]
    )
    model = Model([Graph(svdf.inputs[:1], svdf.outputs, [svdf])])
    assert state.notes(model) == [f"state of SVDF, 1 variable tensors: {state.CARRIES_TO_THE_NEXT}"]


def ends(*named, scale=0.1):
    """Return tensors of (name, shape)."""
    return [Tensor(shape, "int8", None, Quantization.of(scale), name=name) for name, shape in named]


def names(inputs, outputs):
    found = state.pairs(Model([Graph(inputs, outputs)]))
    return [(pair.input_name, pair.output_name) for pair in found]


def test_state_that_the_caller_passes_is_found_by_the_signature():
    model = flatbuffer.read(foreign_model("dtln_like_states_io"))
    assert [(p.input_name, p.output_name) for p in state.pairs(model)] == [
        ("input_8", "lstm_1"),
        ("input_9", "lstm_1_1"),
    ]
    [note] = state.notes(model)
    assert "output 'lstm_1' to input 'input_8'" in note and state.PASSED_BY_CALLER in note


def test_state_that_the_caller_passes_is_found_by_names_and_positions():
    signal, mask = ends(("x", (1, 9))), ends(("y", (1, 9)))
    h, h_next = ends(("h_in", (1, 5))), ends(("h_out", (1, 5)))
    c, c_next = ends(("c_in", (1, 5))), ends(("c_out", (1, 5)))
    assert names(signal + h + c, c_next + mask + h_next) == [("h_in", "h_out"), ("c_in", "c_out")]
    unnamed = ends(("a", (1, 5)), ("b", (1, 5)))
    outputs = ends(("Identity", (1, 9)), ("Identity_1", (1, 5)), ("Identity_2", (1, 5)))
    assert names(signal + unnamed, outputs) == [("a", "Identity_1"), ("b", "Identity_2")]
    assert names(signal, mask) == []
    assert names(signal + ends(("gain", (1,))), mask + ends(("vad", (2,)))) == []


def test_scales_that_differ_are_named():
    inputs = ends(("x", (1, 9)), ("h_in", (1, 5)))
    outputs = [*ends(("y", (1, 9))), *ends(("h_out", (1, 5)), scale=0.25)]
    _, note = state.notes(Model([Graph(inputs, outputs)]))
    assert note == (
        "the state has other scales as an output: 'h_out' has scale 0.25 and zero point 0, "
        "'h_in' 0.1 and 0: requantize it, do not copy its bytes"
    )
