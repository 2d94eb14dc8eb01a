"""What the converter adds is taken out, in float and in int8."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from convert import bundle, quantize, runtimes
from tf_model import checkpoint


def cell_clips(content):
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    options = [op.builtinOptions for op in model.subgraphs[0].operators]
    return [o.cellClip for o in options if isinstance(o, schema.UnidirectionalSequenceLSTMOptionsT)]


def test_no_cell_is_clipped():
    """The trained cells go beyond 10 on real sound: with the converter's clip, float TFLite would leave Keras by far more."""
    trained = checkpoint.load("enhance")
    content = quantize.to_float(trained)
    assert cell_clips(content) == [0] * trained.net.blocks == cell_clips(bundle.load("enhance").model)
    features = bundle.stream_features(bundle.golden_pcm(400, trained.net.signal.hop), trained.net.signal)
    expected = trained.model("sequence")(features[None]).numpy()[0]
    np.testing.assert_allclose(runtimes.LiteRT(content)(features), expected, atol=1e-5)
