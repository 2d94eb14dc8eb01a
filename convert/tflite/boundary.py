"""The integer inputs and outputs of a model whose converter left them float32."""

from __future__ import annotations

import dataclasses

from convert.tflite.graph import Graph, Model, Tensor


def with_integers(model: Model) -> Model:
    """Return a model without the QUANTIZE of its inputs and the DEQUANTIZE of its outputs.

    TensorFlow's converter adds these operators unless `inference_input_type` and
    `inference_output_type` are set. A board has the integers at hand.

    Parameters
    ----------
    model : Model

    Returns
    -------
    Model
        The same object when there is nothing to change. A float32 input that other operators read,
        or an output that another operator computes, remains.
    """
    network = model.graph
    # Only an input that one QUANTIZE reads, and an output that a DEQUANTIZE computes.
    readers: dict[Tensor, list] = {}
    for op in network.operators:
        for t in op.inputs:
            if t is not None:
                readers.setdefault(t, []).append(op)
    first = {
        t: ops[0]
        for t, ops in readers.items()
        if t in network.inputs and t.dtype == "float32" and [o.name for o in ops] == ["QUANTIZE"]
    }
    last = {
        op.output: op
        for op in network.operators
        if op.name == "DEQUANTIZE" and op.output in network.outputs and op.output not in readers
    }
    if not first and not last:
        return model
    removed = {*first.values(), *last.values()}
    changed = Graph(
        inputs=[first[t].output if t in first else t for t in network.inputs],
        outputs=[last[t].inputs[0] if t in last else t for t in network.outputs],
        operators=[op for op in network.operators if op not in removed],
        tensors=[t for t in network.tensors if t not in first and t not in last],
        name=network.name,
    )
    return dataclasses.replace(model, graphs=[changed, *model.graphs[1:]], signatures=[])
