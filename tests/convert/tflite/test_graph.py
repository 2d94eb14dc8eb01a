"""The typed graph: what is read is written again, and damage is found when reading."""

import dataclasses
import re

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert import bundle
from convert.contract import LSTM
from convert.tflite import counts, flatbuffer, graph
from groupcomm.errors import UserError
from groupcomm.files import REPO
from tests.helpers.tflite_models import Official, Tensor, model_of, packed


@pytest.mark.parametrize("name", bundle.names())
def test_a_committed_model_is_written_with_the_bytes_that_were_read(name):
    content = bundle.load(name).model
    assert flatbuffer.write(flatbuffer.read(content)) == content


def test_named_fields_are_the_inputs_of_the_schema():
    """The schema's positions of the LSTM, from its comments in the TFLite source."""
    lstm = next(op for op in flatbuffer.read(bundle.load("enhance").model).operators if op.states)
    gates = [lstm.input_gate, lstm.forget_gate, lstm.cell_gate, lstm.output_gate]
    assert [g.weights for g in gates] == lstm.inputs[1:5]
    assert [g.recurrent for g in gates] == lstm.inputs[5:9]
    assert [g.bias for g in gates] == lstm.inputs[12:16]
    assert lstm.states == (lstm.state.hidden, lstm.state.cell) == tuple(lstm.inputs[18:20])
    assert all(t.is_variable for t in lstm.states) and not lstm.has_optional_parts
    assert (lstm.steps, lstm.batch) == (1, 12) and lstm.activation == "TANH"
    again = graph.Lstm.with_gates(lstm, lstm.input, gates, lstm.state, lstm.output)
    assert again.inputs == lstm.inputs


@pytest.mark.parametrize(
    "position",
    [LSTM.peepholes.start, LSTM.projection.start, LSTM.layer_norms.start],
)
def test_optional_parts_of_an_lstm_are_seen(position):
    model = flatbuffer.read(bundle.load("enhance").model)
    lstm = next(op for op in model.operators if op.states)
    lstm.inputs[position] = lstm.input_gate.bias
    assert lstm.has_optional_parts


def test_unknown_operators_are_kept_and_never_counted_as_zero():
    x, y = Tensor((2, 3), 0.1), Tensor((2, 3), 0.1)
    model = flatbuffer.read(model_of("NEG", [x], [y], schema.NegOptionsT()))
    network = model.graph
    network.operators[0] = graph.operator(
        "Mystery",
        network.inputs,
        network.outputs,
        is_custom=True,
        version=7,
        extra={"customOptions": np.arange(5, dtype=np.uint8)},
    )
    again = flatbuffer.read(flatbuffer.write(model))
    [op] = again.graph.operators
    assert type(op) is graph.Operator and (op.name, op.version, op.is_custom) == (
        "Mystery",
        7,
        True,
    )
    assert op.extra["customOptions"].tolist() == [0, 1, 2, 3, 4]
    found = counts.count(again)
    assert found.uncounted == ("Mystery",) and found.operators[0].macs is None and found.macs == 0
    assert flatbuffer.write(again) == flatbuffer.write(model)


def test_all_graphs_names_and_options_survive():
    """Another writer's file: equal after reading what was written, and TFLM runs both alike."""
    x = Tensor((1, 4), 0.1)
    w = Tensor((3, 4), [0.1, 0.2, 0.3], data=np.arange(12).reshape(3, 4))
    content = model_of("FULLY_CONNECTED", [x, w, None], [Tensor((1, 3), 0.2)])
    parsed = schema.ModelT.InitFromPackedBuf(content, 0)
    parsed.description = b"two graphs"
    parsed.subgraphs.append(schema.ModelT.InitFromPackedBuf(content, 0).subgraphs[0])
    parsed.subgraphs[1].name = b"body"
    parsed.subgraphs[0].tensors[0].shapeSignature = [-1, 4]
    model = flatbuffer.read(packed(parsed))
    again = flatbuffer.read(flatbuffer.write(model))
    assert again.description == "two graphs" and [g.name for g in again.graphs] == [None, "body"]
    assert again.graph.inputs[0].shape_signature == (-1, 4)
    assert [t.name for t in again.graph.tensors] == [t.name for t in model.graph.tensors]
    [op] = again.graph.operators
    assert op.bias is None and op.weights.data.tolist() == w.data.tolist()
    assert op.weights.scales.tolist() == np.float32([0.1, 0.2, 0.3]).tolist()
    given = np.int8([[1, -2, 3, 4]])
    one = dataclasses.replace(again, graphs=again.graphs[:1])
    assert np.array_equal(Official(content)(given), Official(flatbuffer.write(one))(given))


def test_custom_operators_are_not_taken_for_builtin_ones():
    """A custom operator of a builtin's name is not counted; options of zeros stay."""
    parsed = schema.ModelT.InitFromPackedBuf(
        model_of("NEG", [Tensor((3,), 0.1)], [Tensor((3,), 0.1)]), 0
    )
    parsed.operatorCodes[0].builtinCode = schema.BuiltinOperator.CUSTOM
    parsed.operatorCodes[0].customCode = b"SOFTMAX"
    parsed.subgraphs[0].operators[0].builtinOptionsType = 0
    parsed.subgraphs[0].operators[0].builtinOptions = None
    parsed.subgraphs[0].operators[0].customOptions = [0, 0, 0]
    again = flatbuffer.read(flatbuffer.write(flatbuffer.read(packed(parsed))))
    assert again.graph.operators[0].extra["customOptions"].tolist() == [0, 0, 0]
    assert counts.count(again).uncounted == ("SOFTMAX",)


def test_options_that_differ_in_one_value_are_both_written():
    """Longer than the arrays that NumPy prints in full."""
    model = flatbuffer.read(model_of("NEG", [Tensor((3,), 0.1)], [Tensor((3,), 0.1)]))
    [op] = model.graph.operators
    shapes = [np.zeros(2000, np.int32), np.zeros(2000, np.int32)]
    shapes[1][1000] = 1
    for shape in shapes:
        options = schema.ReshapeOptionsT()
        options.newShape = shape
        model.graph.operators.append(
            graph.operator("RESHAPE", op.inputs, op.outputs, options=options)
        )
    before = len(model.graph.tensors)
    again = flatbuffer.read(flatbuffer.write(model))
    written = [np.asarray(o.options.newShape) for o in again.graph.operators[1:]]
    assert all(np.array_equal(*pair) for pair in zip(written, shapes, strict=True))
    assert len(model.graph.tensors) == before


def test_int4_values_are_read_and_written():
    model = flatbuffer.read(model_of("NEG", [Tensor((3,), 0.1)], [Tensor((3,), 0.1)]))
    values = np.int8([-8, 7, -1])
    model.graph.operators[0].inputs.append(graph.Tensor((3,), "int4", values))
    again = flatbuffer.read(flatbuffer.write(model)).graph.operators[0].inputs[1]
    assert again.data.tolist() == values.tolist() and again.byte_size == 2


def damaged(change) -> bytes:
    x, w = Tensor((1, 4), 0.1), Tensor((3, 4), 0.1, data=np.ones((3, 4)))
    options = schema.FullyConnectedOptionsT()
    content = model_of("FULLY_CONNECTED", [x, w, None], [Tensor((1, 3), 0.2)], options)
    parsed = schema.ModelT.InitFromPackedBuf(content, 0)
    change(parsed, parsed.subgraphs[0])
    return packed(parsed)


def unknown_options(model, graph):
    """Options of a schema that is newer than TensorFlow's."""
    graph.operators[0].builtinOptionsType = 250


def no_stride(model, graph):
    """Set a stride of 0, by which a window never moves."""
    graph.operators[0].builtinOptionsType = schema.BuiltinOptions.Pool2DOptions
    graph.operators[0].builtinOptions = schema.Pool2DOptionsT()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (no_stride, "FULLY_CONNECTED has the strideW 0"),
        (lambda m, g: setattr(g, "outputs", [9]), "output of the graph: position 9 of 3"),
        (
            lambda m, g: setattr(g.operators[0], "inputs", [0, 1, -2]),
            "input of FULLY_CONNECTED: position -2 of 3",
        ),
        (lambda m, g: setattr(g.operators[0], "opcodeIndex", 4), "operator code: position 4 of 1"),
        (lambda m, g: setattr(g.tensors[1], "buffer", 8), "buffer: position 8 of 2"),
        (lambda m, g: setattr(g.tensors[1], "shape", [3, 5]), "has 12 bytes of values, its shape"),
        (lambda m, g: setattr(g.tensors[0], "shape", [-3, 5]), "has the shape (-3, 5)"),
        (
            lambda m, g: setattr(g.tensors[0].quantization, "scale", np.float32([np.nan])),
            "tensor 0 has a scale that is not a finite number",
        ),
        (lambda m, g: setattr(m, "subgraphs", []), "it has no graph"),
        (unknown_options, "options of the unknown type 250"),
        (
            lambda m, g: setattr(g.operators[0].builtinOptions, "fusedActivationFunction", 77),
            "FULLY_CONNECTED has the unknown fusedActivationFunction 77",
        ),
    ],
)
def test_damage_is_reported_in_one_line(change, words):
    with pytest.raises(UserError, match=re.escape(words)) as e:
        flatbuffer.read(damaged(change), "my.tflite")
    message = str(e.value)
    assert message.startswith("my.tflite: damaged TFLite model (") and "\n" not in message


def test_truncated_and_mutated_files_give_one_line_or_a_model(random):
    """Nothing but a `UserError` comes out of a damaged file."""
    content = bundle.load("enhance-nano").model
    outcomes = []
    for _ in range(150):
        changed = bytearray(content)
        for position in random.integers(8, 6000, 3):
            changed[position] = random.integers(0, 256)
        try:
            flatbuffer.read(bytes(changed))
            outcomes.append("read")
        except UserError as e:
            outcomes.append("refused")
            assert "\n" not in str(e)
    assert set(outcomes) == {"read", "refused"}
    for size in (0, 4, 8, 100, len(content) // 2):
        with pytest.raises(UserError):
            flatbuffer.read(content[:size])


def test_no_position_of_the_lstm_stands_outside_of_the_graph():
    """Positions of inputs are named in one place."""
    for file in sorted((REPO / "convert").rglob("*.py")):
        if file.name in ("graph.py", "flatbuffer.py"):
            continue
        assert not re.search(r"inputs\[\d\d", file.read_text()), file
        assert "InitFromPackedBuf" not in file.read_text(), file
