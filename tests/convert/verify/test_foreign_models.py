"""`groupcomm inspect` on models that other tools made, see foreign/README.md."""

import collections
import functools
import itertools
import json
import os

import numpy as np
import pytest
from ai_edge_litert import interpreter
from ai_edge_litert import schema_py_generated as schema

from convert import bundle
from convert.codegen import model_source
from convert.tflite import flatbuffer, graph, tflm
from convert.verify import inspection, remedies, state
from groupcomm.errors import UserError
from tests.helpers.cli import groupcomm, refused
from tests.helpers.foreign_models import FOLDER, NAMES, foreign_model, summing
from tests.helpers.random_operators import OPERATORS
from tests.helpers.tflite_models import Official

pytestmark = pytest.mark.slow  # every test starts processes that run TFLM


@pytest.fixture(scope="module")
def inspected(tmp_path_factory):
    """Return a function that inspects a model by name, each once."""
    folder = tmp_path_factory.mktemp("foreign")

    @functools.cache
    def result(name):
        file = folder / f"{name}.tflite"
        file.write_bytes(foreign_model(name))
        return inspection.inspect(str(file))

    return result


@functools.cache
def verdicts():
    return dict(zip(NAMES, tflm.allocate([foreign_model(name) for name in NAMES]), strict=True))


def lacking(found):
    return {o["name"] for o in found["unsupported"] if o["reason"] is None}


def ways_out(found):
    return {o["name"]: o["way_out"] for o in found["unsupported"]}


# Operators that TFLM lacks, or refuses in this form.
REFUSED = {
    "flex_gru": {"FlexTensorListReserve", "FlexTensorListSetItem", "FlexTensorListStack"}
    | {"FILL", "GATHER", "REDUCE_PROD", "RESHAPE"},
    "flex_inverse": {"FlexMatrixInverse"},
    "lstm_drq": {"FULLY_CONNECTED"},
    "lstm_f16": {"DEQUANTIZE"},
    "rfft_inside": {"RFFT2D", "COMPLEX_ABS"},
}


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_is_that_of_tflm(name, inspected):
    """TFLM's own words are kept, and each refusal has its causes."""
    found, verdict = inspected(name), verdicts()[name]
    assert verdict.accepts == (name not in REFUSED) == (found["refusal"] is None)
    assert found["refusal"] == (None if verdict.accepts else verdict.words)
    assert (found["arena_bytes"] is None) == (not verdict.accepts)
    assert {o["name"] for o in found["unsupported"]} == REFUSED.get(name, set())
    assert all(o["way_out"] for o in found["unsupported"])
    json.dumps(found, allow_nan=False)


def test_every_foreign_model_is_in_the_readme():
    assert len(NAMES) == 11
    assert all(f"| `{name}` |" in (FOLDER / "README.md").read_text() for name in NAMES)


def test_flex_operators_are_named_and_no_loop_is_blamed(inspected):
    for name in ("flex_gru", "flex_inverse"):
        found = inspected(name)
        assert found["refusal"] == "Failed to get registration from op code CUSTOM"
        flex = {op for op in REFUSED[name] if op.startswith("Flex")}
        assert flex and lacking(found) - {"REDUCE_PROD"} == flex
        assert {ways_out(found)[op] for op in flex} == {remedies.FLEX}
        assert "WHILE" not in ways_out(found)


@pytest.mark.parametrize(
    ("name", "operator", "way_out"),
    [
        ("lstm_drq", "FULLY_CONNECTED", remedies.DYNAMIC_RANGE),
        ("lstm_f16", "DEQUANTIZE", remedies.FLOAT16),
        ("flex_gru", "FILL", remedies.FREE_SHAPE),
        ("flex_gru", "GATHER", remedies.TYPES.format("int32")),
        ("rfft_inside", "RFFT2D", remedies.WITHOUT_KERNEL["RFFT2D"]),
    ],
)
def test_the_way_out_follows_from_the_reason(name, operator, way_out, inspected):
    assert ways_out(inspected(name))[operator] == way_out


def test_a_loop_is_counted_for_one_iteration(inspected):
    found = inspected("gru_while")
    assert (found["macs"], found["parameters"]) == (11_264, 11_264)
    assert f"9,216 {inspection.PER_ITERATION}" in found["notes"]


def test_state_is_named(inspected):
    for name in ("lstm_drq", "lstm_f16"):
        assert f"state of 1 LSTMs: {state.CARRIES_TO_THE_NEXT}" in inspected(name)["notes"]
    assert not any("state" in note for note in inspected("dscnn_int8")["notes"])


# Scale and zero point by name in the signature. As an output, the hidden state has others than as
# an input, and the cell has the same.
ENDS = {
    "input_7": (0.05, 3),
    "input_8": (0.0078125, 0),
    "input_9": (0.04, -5),
    "dense_4": (0.05, 0),
    "lstm_1": (0.004, 10),
    "lstm_1_1": (0.04, -5),
}


def with_int8_ends(content):
    """Return a model of float32 with the inputs and outputs of int8 that `ENDS` describes."""
    model = flatbuffer.read(content)
    network, [signature] = model.graph, model.signatures
    for entry in (*signature.inputs, *signature.outputs):
        inner = network.tensors[entry.tensorIndex]
        quantization = graph.Quantization.of(*ENDS[entry.name.decode()])
        outer = graph.Tensor(inner.shape, "int8", None, quantization, name=f"{inner.name}_int8")
        if inner in network.inputs:
            network.operators.insert(0, graph.operator("DEQUANTIZE", [outer], [inner]))
            network.inputs[network.inputs.index(inner)] = outer
        else:
            network.operators.append(graph.operator("QUANTIZE", [inner], [outer]))
            network.outputs[network.outputs.index(inner)] = outer
        entry.tensorIndex = len(network.tensors)
        network.tensors.append(outer)
    return flatbuffer.write(model)


def test_pairs_of_state_and_scales_that_differ_are_named(inspected, tmp_path):
    """As a file of float32, which has no scales, and with inputs and outputs of int8."""
    file = tmp_path / "m.tflite"
    file.write_bytes(with_int8_ends(foreign_model("dtln_like_states_io")))
    for notes, scales in (
        (inspected("dtln_like_states_io")["notes"], []),
        (
            inspection.inspect(str(file))["notes"],
            [
                "the state has other scales as an output: 'lstm_1' has scale 0.004 and zero point "
                "10, 'input_8' 0.0078125 and 0: requantize it, do not copy its bytes"
            ],
        ),
    ):
        assert [note for note in notes if "state" in note] == [
            "state that the caller passes, as it seems: output 'lstm_1' to input 'input_8', output "
            f"'lstm_1_1' to input 'input_9': {state.PASSED_BY_CALLER}",
            *scales,
        ]


def test_the_notes_say_whether_the_bytes_depend_on_the_release_of_tflm(inspected):
    leaky = flatbuffer.read(OPERATORS["LEAKY_RELU"][0](np.random.default_rng(1))[0])
    assert inspection._release_notes(leaky, True) == [f"1 {inspection.DEPENDS_ON_RELEASE}"]
    assert inspected("dscnn_int8")["notes"] == [inspection.SAME_IN_EVERY_RELEASE]
    for name in ("rfft_inside", "gru_while"):  # refused, or float32
        assert inspection.SAME_IN_EVERY_RELEASE not in inspected(name)["notes"]


def test_undefined_padding_is_named(inspected):
    x, y = (graph.Tensor(shape, "int8", name="y") for shape in ((1, 5, 2), (2, 4, 2)))
    block, margins = (
        graph.Tensor(values.shape, "int32", values)
        for values in (np.array([2], np.int32), np.array([[2, 1]], np.int32))
    )
    op = graph.operator("SPACE_TO_BATCH_ND", [x, block, margins], [y])
    model = graph.Model([graph.Graph([x], [y], [op])])
    [note] = inspection._padding_notes(model)
    assert note == f"SPACE_TO_BATCH_ND to tensor 'y': {inspection.UNDEFINED_PADDING}"
    margins.data = np.zeros_like(margins.data)
    assert inspection._padding_notes(model) == []


def test_a_free_batch_is_named_and_what_tflm_computes_is_wrong(inspected):
    """The second half of SPACE_TO_BATCH_ND's output does not fit into the stored shape."""
    content = foreign_model("conv1d_dynamic_batch")
    lite = interpreter.Interpreter(model_content=content)
    lite.allocate_tensors()
    x = np.random.default_rng(0).integers(-128, 128, (1, 100, 40)).astype(np.int8)
    lite.set_tensor(lite.get_input_details()[0]["index"], x)
    lite.invoke()
    equal = Official(content)(x) == lite.get_tensor(lite.get_output_details()[0]["index"])
    assert equal[0, ::2].all() and equal[0, 1::2].mean() < 0.5
    free, wrong, releases = inspected("conv1d_dynamic_batch")["notes"]
    assert free.endswith(inspection.FREE_AXES) and "input_5" in free
    assert wrong == f"SPACE_TO_BATCH_ND: {inspection.WRONG_SHAPES}"
    assert releases.startswith("the bytes do not depend on the release of TFLM")


def test_the_table_names_who_has_a_kernel(inspected):
    assert {o["kernel"] for o in inspected("dscnn_int8")["graph_ops"]} == {"both"}
    assert {o["kernel"] for o in inspected("dtln_like_states_io")["graph_ops"]} == {"tflm"}
    drq = {o["name"]: o["kernel"] for o in inspected("lstm_drq")["graph_ops"]}
    assert (drq["FULLY_CONNECTED"], drq["LOGISTIC"]) == ("none", "tflm")
    ops = inspected("gru_while")["graph_ops"]
    assert {o["graph"] for o in ops} == {0, 1, 2}
    assert sum(o["parameters"] for o in ops) == 11_264


@pytest.mark.parametrize(("initial", "kernel"), [(True, "both"), (False, "tflm")])
def test_plain_c_has_resource_variables_with_constant_initial_values(initial, kernel, tmp_path):
    model = summing(-50)
    if not initial:
        model.graphs[1].operators[-1].inputs[1].data = None
        model.graphs[1].inputs = model.graphs[1].operators[-1].inputs[1:]
    file = tmp_path / "m.tflite"
    file.write_bytes(flatbuffer.write(model))
    kernels = {o["name"]: o["kernel"] for o in inspection.inspect(str(file))["graph_ops"]}
    resources = ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")
    assert {kernels[name] for name in resources} == {kernel}
    assert kernels["ADD"] == "both"


def test_exit_code_1_when_tflm_refuses(tmp_path):
    file = tmp_path / "m.tflite"
    file.write_bytes(foreign_model("flex_inverse"))
    done = groupcomm("inspect", file)
    assert done.returncode == 1, done.stderr
    assert "TFLM lacks FlexMatrixInverse" in done.stdout


def test_a_model_that_ends_tflm_gives_one_line_and_code_2(tmp_path):
    """One wrong byte in a released network: the second operand of an ADD is a bias."""
    content = bytearray((bundle.load("enhance-nano").path / "model.tflite").read_bytes())
    network = schema.Model.GetRootAs(content, 0).Subgraphs(0)
    add = network.Operators(7)
    bias = network.Operators(1).Inputs(2)
    assert flatbuffer.read(bytes(content)).operators[7].name == "ADD" and bias < 256
    place = add.InputsAsNumpy()[1:2].view(np.uint8)
    place[0] = bias
    file = tmp_path / "m.tflite"
    file.write_bytes(content)
    refused(groupcomm("inspect", file), f"{file}: TFLM ends with SIGABRT")
    refused(groupcomm("compile", file), "ADD to tensor")


def test_an_unknown_refusal_is_a_refusal(inspected, tmp_path, monkeypatch):
    """The words of TFLM decide nothing."""
    file = tmp_path / "m.tflite"
    file.write_bytes(foreign_model("dscnn_int8"))
    monkeypatch.setattr(tflm, "run", lambda model: tflm.Verdict(False, "Strange; words"))
    found = inspection.inspect(str(file))
    assert (found["refusal"], found["arena_bytes"]) == ("Strange; words", None)
    assert found["unsupported"] == [
        {"name": "the model", "reason": "Strange; words", "way_out": remedies.SMALLER}
    ]


def test_the_operator_that_tflm_names_is_among_the_causes(tmp_path, monkeypatch):
    """Alone it is not refused, but in the model it is."""
    file = tmp_path / "m.tflite"
    file.write_bytes(foreign_model("rfft_inside"))
    words = "Strange; Node RESHAPE (number 0) failed to prepare with status 1"
    monkeypatch.setattr(tflm, "run", lambda model: tflm.Verdict(False, words))
    causes = {o["name"]: o["reason"] for o in inspection.inspect(str(file))["unsupported"]}
    assert causes == {"RFFT2D": None, "COMPLEX_ABS": None, "RESHAPE": "Strange"}


# Damaged models of each test; GROUPCOMM_FUZZ_EXAMPLES=10000 for a long run, see foreign/README.md.
MUTANTS = int(os.environ.get("GROUPCOMM_FUZZ_EXAMPLES", 100))
SMALL = ["dscnn_int8", "flex_inverse", "layernorm_prelu_int8", "rfft_inside"]


def mutants(names, random):
    """Yield damaged models: a wrong byte, or a missing end."""
    for number in range(MUTANTS):
        changed = bytearray(foreign_model(names[number % len(names)]))
        if number % 8 == 0:
            del changed[random.integers(8, len(changed)) :]
        else:
            changed[random.integers(8, len(changed))] = random.integers(0, 256)
        yield bytes(changed)


def test_damaged_models_give_a_result_or_one_line(random, tmp_path, monkeypatch):
    """With `inspect` and `compile`; TFLM is told to accept and to refuse by turns."""
    answers = itertools.count()

    def answer(model):
        return tflm.Verdict(next(answers) % 2 == 0, "Node ADD (number 1) failed", 1024)

    monkeypatch.setattr(tflm, "run", answer)
    monkeypatch.setattr(tflm, "allocate", lambda models: [answer(model) for model in models])
    file, found = tmp_path / "m.tflite", collections.Counter()
    for content in mutants([*SMALL, "conv1d_dynamic_batch", "gru_unrolled_int8"], random):
        file.write_bytes(content)
        for command in ("inspect", "compile"):
            try:
                if command == "inspect":
                    json.dumps(inspection.inspect(str(file)), allow_nan=False)
                else:
                    model_source.compile_model(file, tmp_path / "c")
                found[command] += 1
            except UserError as e:
                assert len(str(e).splitlines()) == 1
                found["refused"] += 1
    print(dict(found))
    assert all(found[kind] > MUTANTS / 8 for kind in ("inspect", "compile", "refused"))


def test_damaged_models_end_no_process_but_tflms_own(random):
    contents, ends = [], collections.Counter()
    for content in mutants(SMALL, random):
        try:
            flatbuffer.read(content)
        except UserError:
            continue
        contents.append(content)
    for first in range(0, len(contents), 500):
        verdicts = tflm.allocate(contents[first : first + 500])
        assert all(v.accepts or v.words or v.ending for v in verdicts)
        ends.update(v.ending or ("accepted" if v.accepts else "refused") for v in verdicts)
    print(dict(ends))
    assert len(contents) > MUTANTS / 4
