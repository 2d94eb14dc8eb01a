"""Compute the parameters of the kernels in `micro/kernels` from the operators of a `.tflite`.

The kernels are int8 and 16x8, and the parameters equal the numbers that TFLM prepares. Each
dataclass here is the struct of the same name in `micro/kernels/kernels.h`, field by field. All that
depends only on the model is computed here: zero points are folded into biases, scales become
multipliers and shifts, and functions of one byte become tables. Each family of operators has a
module.
"""

import re

from convert.tflite import graph
from convert.tflite.counts import MALFORMED
from convert.tflite.graph import Operator
from convert.tflite.kernel_params import moves
from convert.tflite.kernel_params.common import LOWERINGS
from convert.tflite.kernel_params.elementwise import (
    Add,
    Mul,
    Operand,
    Prelu,
    SquaredDifference,
    Sub,
)
from convert.tflite.kernel_params.fully_connected import FullyConnected
from convert.tflite.kernel_params.functions import Logistic, Lookup, Requantize, Tanh
from convert.tflite.kernel_params.lstm import Lstm, LstmGate
from convert.tflite.kernel_params.moves import Copy, Fill
from convert.tflite.kernel_params.reductions import Mean, Softmax
from convert.tflite.kernel_params.svdf import Svdf
from convert.tflite.kernel_params.windows import (
    AveragePool,
    Convolution,
    DepthwiseConvolution,
    MaxPool,
    Window,
)
from groupcomm.errors import UserError

__all__ = [
    "Add",
    "AveragePool",
    "Convolution",
    "Copy",
    "DepthwiseConvolution",
    "Fill",
    "FullyConnected",
    "Logistic",
    "Lookup",
    "Lstm",
    "LstmGate",
    "MaxPool",
    "Mean",
    "Mul",
    "Operand",
    "Prelu",
    "Requantize",
    "Softmax",
    "SquaredDifference",
    "Sub",
    "Svdf",
    "Tanh",
    "Window",
    "function",
    "kind",
    "prepare",
    "prepare_all",
    "scratch_bytes",
]


def prepare(op: Operator):
    """Compute the kernel parameters of one operator.

    Parameters
    ----------
    op : Operator

    Returns
    -------
    dataclass or list of Copy
        One of the dataclasses of this package; a list of `Copy` for a `graph.Move`, which begins
        with a `Fill` for PAD.

    Raises
    ------
    UserError
        When there is no kernel for the operator, or none with these types, shapes or options.
    """
    _need_kernels([op])
    try:
        prepared = LOWERINGS[type(op)](op)
        if isinstance(prepared, list):
            moves.need_inside(op, prepared)
    except MALFORMED as e:  # an input is missing, or shapes do not belong together
        raise UserError(
            f"operator {op.name} is malformed ({type(e).__name__}: {e}); convert the model again"
        ) from e
    return prepared


def prepare_all(operators: list[Operator]) -> dict[Operator, object]:
    """Compute the kernel parameters of all operators of a network.

    Parameters
    ----------
    operators : list of Operator

    Returns
    -------
    dict of Operator to object
        See `prepare`.

    Raises
    ------
    UserError
        As `prepare` does. The message names all kinds of operators that have no kernel.
    """
    _need_kernels(operators)
    return {op: prepare(op) for op in operators}


def function(op: Operator, prepared) -> str:
    """Return the name of the C function for a prepared operator, which depends on its types."""
    first = op.a if isinstance(op, graph.Binary) else op.input
    state = op.states if isinstance(op, graph.Svdf) else ()
    types = dict.fromkeys(t.dtype.replace("int", "s") for t in (first, *state, op.output))
    return "_".join(["gc", kind(prepared), *types])


def kind(prepared) -> str:
    """Return the name of the C struct of a prepared operator without ``gc_``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(prepared).__name__).lower()


def scratch_bytes(prepared) -> int:
    """Return the scratch memory in bytes that the kernel of a prepared operator needs."""
    return getattr(prepared, "scratch_bytes", 0)


def _need_kernels(operators: list[Operator]) -> None:
    """Raise a `UserError` that names all kinds of operators that have no kernel."""
    missing = sorted({op.name for op in operators if type(op) not in LOWERINGS})
    if missing:
        names = (
            f"operators {', '.join(missing)} have" if missing[1:] else f"operator {missing[0]} has"
        )
        supported = ", ".join(sorted(graph.names(LOWERINGS)))
        raise UserError(f"{names} no kernel in micro/kernels; supported: {supported}")
