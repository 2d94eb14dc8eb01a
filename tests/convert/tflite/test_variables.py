"""Resource variables of a float model become variable tensors."""

import numpy as np
import pytest

from convert.tflite import graph, variables
from convert.tflite.graph import Graph, Model, Tensor
from convert.tflite.schema import schema
from groupcomm.errors import UserError


def running_sum(initial=0.0, *, reads_late=False, assigns_input=False):
    """Return a model that adds its input to the variable `sum`, and outputs what it read."""
    handles = [Tensor((), "resource"), Tensor((), "resource")]
    x, old, new, out, zero = (Tensor((1, 4), "float32") for _ in range(5))
    zero.data = np.full((1, 4), initial, np.float32)
    named, once = schema.VarHandleOptionsT(), schema.CallOnceOptionsT()
    named.sharedName, once.initSubgraphIndex = b"sum", 1
    operators = [
        graph.operator("VAR_HANDLE", [], handles[:1], options=named),
        graph.operator("CALL_ONCE", [], [], options=once),
        graph.operator("READ_VARIABLE", handles[:1], [old]),
        graph.operator("RELU", [old], [out]),
        graph.operator("ADD", [old, x], [new]),
        graph.operator("ASSIGN_VARIABLE", [handles[0], x if assigns_input else new], []),
    ]
    if reads_late:
        operators[3], operators[4] = operators[4], operators[3]
    first = Graph(
        [],
        [],
        [
            graph.operator("VAR_HANDLE", [], handles[1:], options=named),
            graph.operator("ASSIGN_VARIABLE", [handles[1], zero], []),
        ],
    )
    return Model([Graph([x], [out], operators, [*handles[:1], x, old, new, out]), first])


def test_the_variable_is_an_input_and_an_output_of_operators():
    model = running_sum()
    made = variables.to_tensors(model)
    assert len(made.graphs) == 1
    relu, add = made.graph.operators
    [state] = made.graph.assigned_states()
    assert (state.name, state.is_variable, state.shape) == ("sum", True, (1, 4))
    assert relu.input is add.a is add.output is state and state.data is None
    assert [op.name for op in model.graph.operators][:2] == ["VAR_HANDLE", "CALL_ONCE"]
    assert variables.to_tensors(made) is made  # a model without resource variables


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"initial": 1.0}, "state 'sum' begins with other values than 0.*; begin with zeros"),
        ({"reads_late": True}, "operator RELU reads state 'sum' after .*; read it before"),
        ({"assigns_input": True}, "state 'sum': no operator computes its next value"),
    ],
)
def test_variables_that_a_tensor_cannot_replace_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        variables.to_tensors(running_sum(**changes))
