"""Counts of parameters and multiply-accumulates, of every kind of operator that has them."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from convert.tflite import counts, flatbuffer, graph
from convert.tflite.graph import Graph, Model, Quantization, Tensor
from tests.helpers.foreign_models import foreign_model


def made(*shape, dtype="float32", signature=None):
    return Tensor(shape, dtype, shape_signature=signature)


def constant(*shape, dtype="float32"):
    quantization = Quantization.of(0.1) if dtype == "int8" else None
    return Tensor(shape, dtype, np.ones(shape, dtype), quantization)


def op(name, inputs, outputs, **options):
    table = type("Options", (), {})()
    vars(table).update(options)
    return graph.operator(name, inputs, outputs, options=table if options else None)


def model(*operators):
    used = {t for o in operators for t in o.outputs}
    inputs = {t for o in operators for t in o.inputs if t is not None and t.data is None} - used
    return Model([Graph(list(inputs), list(operators[-1].outputs), list(operators))])


LSTM = [constant(5, 3)] * 4 + [constant(5, 5)] * 4 + [None] * 3 + [constant(5)] * 4
STATES = [Tensor((2, 5), "float32", is_variable=True) for _ in range(2)]


@pytest.mark.parametrize(
    ("operator", "macs", "parameters"),
    [
        (
            op("TRANSPOSE_CONV",
               [constant(4, dtype="int32"), constant(4, 3, 1, 8), made(1, 5, 1, 8)],
               [made(1, 11, 1, 4)]),
            5 * (4 * 3 * 8),
            4 * 3 * 8,
        ),
        (
            op("CONV_2D", [made(1, 9, 7, 6), constant(8, 3, 3, 3), constant(8)],
               [made(1, 7, 5, 8)]),
            7 * 5 * 8 * (3 * 3 * 3),  # two groups
            8 * 3 * 3 * 3 + 8,
        ),
        (
            op("DEPTHWISE_CONV_2D", [made(1, 9, 7, 6), constant(1, 3, 3, 6)], [made(1, 7, 5, 6)]),
            7 * 5 * 6 * 9,
            54,
        ),
        (
            op("CONV_3D", [made(1, 4, 9, 7, 2), constant(2, 3, 3, 2, 5)], [made(1, 3, 7, 5, 5)]),
            3 * 7 * 5 * 5 * (2 * 3 * 3 * 2),
            2 * 3 * 3 * 2 * 5,
        ),
        (
            op("SVDF", [made(2, 6), constant(8, 6), constant(8, 10), constant(8),
                        Tensor((2, 80), "float32", is_variable=True)], [made(2, 8)]),
            2 * (8 * 6 + 8 * 10),
            8 * 6 + 8 * 10 + 8,
        ),
        (
            op("UNIDIRECTIONAL_SEQUENCE_LSTM",
               [made(2, 7, 3), *LSTM, constant(4, 5), None, *STATES], [made(2, 7, 4)]),
            2 * 7 * (4 * 15 + 4 * 25 + 20),  # the last is the projection
            15 + 25 + 5 + 20,  # constants that gates share count once
        ),
        (
            op("UNIDIRECTIONAL_SEQUENCE_RNN",
               [made(2, 7, 3), constant(5, 3), constant(5, 5), constant(5), STATES[0]],
               [made(2, 7, 5)]),
            2 * 7 * (15 + 25),
            15 + 25 + 5,
        ),
        (op("BATCH_MATMUL", [made(2, 3, 4), made(2, 4, 5)], [made(2, 3, 5)]), 2 * 3 * 4 * 5, 0),
        (op("PRELU", [made(1, 8), constant(1, 8, dtype="int8")], [made(1, 8)]), 0, 8),
        (op("MUL", [made(1, 8), constant(1, 8, dtype="int8")], [made(1, 8)]), 0, 8),
        (op("ADD", [made(1, 8), constant()], [made(1, 8)]), 0, 0),  # an epsilon
        (op("ADD", [made(1, 8), constant(8, dtype="int32")], [made(1, 8)]), 0, 0),  # positions
        (op("RESHAPE", [made(1, 8), constant(2, dtype="int32")], [made(2, 4)]), 0, 0),
    ],
    ids=lambda value: value.name if isinstance(value, graph.Operator) else "",
)  # fmt: skip
def test_one_operator(operator, macs, parameters):
    found = counts.count(model(operator))
    assert (found.macs, found.parameters) == (macs, parameters)
    assert found.uncounted == found.uncounted_parameters == ()


def test_what_is_not_known_is_named_and_not_zero():
    strange = graph.operator("Strange", [made(1, 8), constant(4, 8)], [made(1, 4)], is_custom=True)
    rfft = op("RFFT2D", [strange.outputs[0], constant(2, dtype="int32")], [made(1, 4)])
    found = counts.count(model(strange, rfft))
    assert found.uncounted == ("RFFT2D", "Strange")
    assert found.uncounted_parameters == ("Strange",)
    assert [o.macs for o in found.operators] == [None, None]


def test_products_without_their_inputs_are_named():
    """Every operator of the schema gets a count or is named, and those with products no 0."""
    names = set(graph.constants(schema.BuiltinOperator).values()) - {"UNIDIRECTIONAL_SEQUENCE_LSTM"}
    zero = {n for n in names if counts.count(model(op(n, [], [made(1)]))).uncounted != (n,)}
    products = ["BATCH_MATMUL", "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN"]
    products += ["CALL", "CONV_2D", "CONV_3D", "CONV_3D_TRANSPOSE", "DEPTHWISE_CONV_2D", "CUSTOM"]
    products += ["FULLY_CONNECTED", "IF", "LSTM", "RFFT2D", "RNN", "STABLEHLO_CONVOLUTION"]
    products += ["STABLEHLO_DOT_GENERAL", "SVDF", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_RNN"]
    assert zero.isdisjoint([*products, "WHILE"]) and {"ADD", "MUL", "SOFTMAX"} <= zero


@pytest.mark.parametrize("through", ["DEQUANTIZE", "TRANSPOSE", "DENSIFY"])
def test_weights_behind_another_operator_count_as_stored(through):
    stored = constant(4, 8, dtype="float16")
    weights = made(4, 8)
    passing = op(through, [stored], [weights])
    product = op("FULLY_CONNECTED", [made(1, 8), weights, None], [made(1, 4)])
    found = counts.count(model(passing, product))
    assert (found.parameters, found.macs) == (32, 32)


def loop(argument, handed_on):
    """Return a WHILE whose body multiplies with its second input."""
    x, w = made(1, 8), made(8, 8)
    product = op("FULLY_CONNECTED", [x, w, None], [made(1, 8)])
    body = Graph([x, w], [product.output, w if handed_on else made(8, 8)], [product])
    condition = Graph([made(1, 8), made(8, 8)], [made(dtype="bool")])
    network = model(
        op("WHILE", [made(1, 8), argument], [made(1, 8), made(8, 8)], condSubgraphIndex=1,
           bodySubgraphIndex=2)
    )  # fmt: skip
    network.graphs += [condition, body]
    return network


def test_a_loop_counts_one_iteration_and_the_weights_that_it_hands_on():
    found = counts.count(loop(constant(8, 8), handed_on=True))
    assert (found.macs, found.macs_in_loops, found.parameters) == (64, 64, 64)
    assert counts.count(loop(constant(8, 8), handed_on=False)).parameters == 0
    swapped = loop(constant(8, 8), handed_on=True)
    swapped.graphs[2].outputs.reverse()
    assert counts.count(swapped).parameters == 0


def test_a_loop_in_which_something_is_unknown_is_not_counted():
    network = loop(constant(8, 8), handed_on=True)
    strange = graph.operator("Strange", [made(1)], [made(1)], is_custom=True)
    network.graphs[2].operators.append(strange)
    assert counts.count(network).uncounted == ("Strange", "WHILE")


def test_a_branch_counts_as_the_larger_one():
    def branch(width):
        x = made(1, 8)
        product = op("FULLY_CONNECTED", [x, constant(width, 8), None], [made(1, width)])
        return Graph([x], [product.output], [product])

    network = model(
        op("IF", [made(dtype="bool"), made(1, 8)], [made(1, 4)], thenSubgraphIndex=1,
           elseSubgraphIndex=2)
    )  # fmt: skip
    network.graphs += [branch(4), branch(6)]
    found = counts.count(network)
    assert (found.macs, found.macs_in_loops, found.parameters) == (48, 0, 80)


def test_a_graph_that_runs_itself_is_not_counted():
    network = loop(constant(8, 8), handed_on=True)
    network.graphs[2].operators.append(network.graph.operators[0])
    assert counts.count(network).uncounted == ("WHILE",)


@pytest.mark.parametrize(
    ("name", "macs", "parameters", "in_loops"),
    [
        ("conv1d_dynamic_batch", 192_000, 1_936, 0),
        ("dscnn_int8", 130_064, 1_152, 0),
        ("dtln_like_states_io", 14_336, 14_464, 0),
        ("gru_unrolled_int8", 8_192, 8_192, 0),
        ("gru_while", 11_264, 11_264, 9_216),
        ("layernorm_prelu_int8", 0, 64, 0),
        ("lstm_drq", 14_336, 14_400, 0),
        ("lstm_f16", 14_336, 14_400, 0),
    ],
)
def test_foreign_models(name, macs, parameters, in_loops):
    found = counts.count(flatbuffer.read(foreign_model(name)))
    assert (found.macs, found.parameters, found.macs_in_loops) == (macs, parameters, in_loops)
    assert found.uncounted == found.uncounted_parameters == ()


def test_two_free_axes_are_not_counted():
    x = made(1, 1, 8, signature=(-1, -1, 8))
    y = made(1, 1, 4, signature=(-1, -1, 4))
    found = counts.count(model(op("FULLY_CONNECTED", [x, constant(4, 8), None], [y])))
    assert (found.uncounted, found.parameters) == (("FULLY_CONNECTED",), 32)
