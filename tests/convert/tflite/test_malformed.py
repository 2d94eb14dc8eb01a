"""Operators whose inputs are missing or do not belong together give one line."""

import pytest

from convert.tflite import graph, kernel_params
from convert.tflite.graph import Tensor
from groupcomm.errors import UserError


@pytest.mark.parametrize("name", ["ADD", "FULLY_CONNECTED", "MEAN", "RESHAPE", "STRIDED_SLICE"])
def test_an_operator_without_its_inputs_is_refused(name):
    op = graph.operator(name, [None], [Tensor((1, 4), "int8")])
    with pytest.raises(UserError) as e:
        kernel_params.prepare(op)
    assert name in str(e.value) and len(str(e.value).splitlines()) == 1
