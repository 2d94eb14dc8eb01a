"""Which constants of a model are parameters: weights and biases, but not shapes or axes.

A parameter can reach its operator through others: float16 weights come out of DEQUANTIZE, and the
body of a WHILE receives weights as its inputs.
"""

from __future__ import annotations

from convert.contract import LSTM
from convert.tflite.graph import Graph, Model, Operator, Tensor

_LSTM_STATES = (LSTM.hidden_state, LSTM.cell_state)

# Inputs of operators that are parameters where they are constant.
_POSITIONS: dict[str, tuple[int, ...]] = {
    "BATCH_MATMUL": (0, 1),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 35), *range(40, 48)),
    "BIDIRECTIONAL_SEQUENCE_RNN": (1, 2, 3, 5, 6, 7, 10, 11),
    "CONV_2D": (1, 2),
    "CONV_3D": (1, 2),
    "CONV_3D_TRANSPOSE": (1, 3),
    "DEPTHWISE_CONV_2D": (1, 2),
    "EMBEDDING_LOOKUP": (1,),
    "FULLY_CONNECTED": (1, 2),
    "LSTM": tuple(i for i in range(1, 24) if i not in _LSTM_STATES),
    "PRELU": (1,),
    "RNN": (1, 2, 3),
    "SVDF": (1, 2, 3),
    "TRANSPOSE_CONV": (1, 3),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": tuple(i for i in range(1, 24) if i not in _LSTM_STATES),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (1, 2, 3),
}
# Operators whose constants are parameters when they have more than one element: a bias or a gain
# of a layer, but not the epsilon of a norm.
_ELEMENTWISE = frozenset(["ADD", "DIV", "GATHER", "MUL", "SUB"])
# Operators that pass a constant on to the operator that computes with it.
_PASSING = frozenset(
    ["CAST", "DENSIFY", "DEQUANTIZE", "EXPAND_DIMS", "QUANTIZE", "RESHAPE", "SQUEEZE", "TRANSPOSE"]
)


class Parameters:
    """The parameters of the operators of a model.

    Parameters
    ----------
    model : Model
    """

    def __init__(self, model: Model):
        self._sources: dict[Tensor, Tensor] = {}
        for network in model.graphs:
            for op in network.operators:
                if op.name in _PASSING and not op.is_custom and op.inputs and op.inputs[0]:
                    self._sources |= dict.fromkeys(op.outputs, op.inputs[0])
                for callee in op.subgraphs:
                    self._bind(op, model.graphs[callee])

    def _bind(self, op: Operator, callee: Graph) -> None:
        """Note which tensors of a caller the inputs of a graph are.

        An input of a loop is constant only where the loop hands it on unchanged.
        """
        arguments = op.inputs[1:] if op.name == "IF" else op.inputs
        handed_on = callee.outputs if op.name == "WHILE" else callee.inputs
        for inner, outer, after in zip(callee.inputs, arguments, handed_on, strict=False):
            if outer is not None and inner is after:
                self._sources.setdefault(inner, outer)

    def constant(self, tensor: Tensor | None) -> Tensor | None:
        """Return the constant that a tensor holds, as it is stored; None where it holds none."""
        seen = set()
        while tensor is not None and tensor.data is None and tensor not in seen:
            seen.add(tensor)
            tensor = self._sources.get(tensor)
        return tensor if tensor is not None and tensor.data is not None else None

    def of(self, op: Operator) -> list[Tensor]:
        """List the parameters of an operator, each once.

        Parameters
        ----------
        op : Operator

        Returns
        -------
        list of Tensor
        """
        if op.is_custom:
            return []
        found = [self.constant(t) for t in op.inputs]
        if op.name in _ELEMENTWISE:
            kept = [t for t in found if t is not None and t.size > 1 and _is_real(t)]
        else:
            positions = _POSITIONS.get(op.name, ())
            kept = [t for i, t in enumerate(found) if t is not None and i in positions]
        return list(dict.fromkeys(kept))

    def unknown(self, op: Operator, is_known: bool) -> bool:
        """Return whether an operator has constants of which it is not known what they are.

        Parameters
        ----------
        op : Operator
        is_known : bool
            Whether it is known what the operator computes.

        Returns
        -------
        bool
        """
        if is_known or (op.name in _POSITIONS and not op.is_custom):
            return False
        found = [self.constant(t) for t in op.inputs]
        return any(t is not None and t.size > 1 and _is_real(t) for t in found)


def _is_real(tensor: Tensor) -> bool:
    """Return whether a tensor holds real numbers, not positions or sizes."""
    return tensor.dtype.startswith("float") or tensor.quantization is not None
