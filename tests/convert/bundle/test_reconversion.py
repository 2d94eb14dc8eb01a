"""A committed checkpoint, quantized again with the ranges of its bundle, gives the bundle's bytes.

The ranges come from the committed model, because the values of a float network on the calibration
clips depend in their last bits on the processor.
"""

import pytest

from convert import bundle
from convert.quantization import export, quantizer
from convert.tflite import flatbuffer, graph
from tf_model.training import checkpoint

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def ranges_of(exact: graph.Graph, integers: graph.Graph) -> quantizer.Ranges:
    """Return the range of every activation of a float model that gives the scales of another."""
    found = {}
    for a, b in zip(exact.operators, integers.operators, strict=True):
        pairs = zip((*a.inputs, *a.outputs), (*b.inputs, *b.outputs), strict=True)
        for x, q in pairs:
            if x is None or x.data is not None or q.quantization is None:
                continue
            scale = float(q.scale)
            lowest, highest = (-32767, 32767) if q.dtype == "int16" else (-128, 127)
            found[x.index] = (
                (lowest - q.zero_point) * scale,
                (highest - q.zero_point) * scale,
            )
    return found


@pytest.mark.parametrize("name", bundle.names())
def test_conversion_gives_the_committed_bytes(name):
    committed = bundle.load(name)
    exact = export.to_float(checkpoint.load(name))
    ranges = ranges_of(flatbuffer.read(exact).graph, flatbuffer.read(committed.model).graph)
    assert set(ranges) == set(quantizer.activations(exact))
    assert quantizer.quantize(exact, ranges, is_16x8=False) == committed.model
