"""The fused training form of the LSTM equals that of Keras: values, last states and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tf_model.layers.lstm import LSTM

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("backwards", (False, True))
@pytest.mark.parametrize("given", (False, True))
def test_values_and_gradients_match_the_keras_lstm(random, backwards, given):
    """Gradients are compared because that of TensorFlow's BlockLSTMV2 is wrong."""
    x = tf.constant(random.standard_normal((3, 7, 4)), tf.float32)
    start = (
        [tf.constant(random.standard_normal((3, 5)), tf.float32) for _ in range(2)]
        if given
        else None
    )
    weigh = [
        random.standard_normal(shape).astype(np.float32) for shape in ((3, 7, 5), (3, 5), (3, 5))
    ]
    block, loop = (
        LSTM(5, export=export, return_state=True, go_backwards=backwards)
        for export in (False, True)
    )
    block(x), loop(x)
    weights = [random.standard_normal(w.shape).astype(np.float32) for w in block.get_weights()]
    results = []
    for layer in (block, loop):
        layer.set_weights(weights)
        inputs = [x, *(start or []), *layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(x, initial_state=start)
            total = tf.add_n([tf.reduce_sum(w * y) for w, y in zip(weigh, outputs, strict=True)])
        results.append([*outputs, *tape.gradient(total, inputs)])
    for mine, keras in zip(*results, strict=True):
        np.testing.assert_allclose(mine, keras, rtol=1e-4, atol=1e-5)


def test_the_graph_has_no_loop(random):
    """A graph without a loop is fast to trace and to train."""
    x = tf.constant(random.standard_normal((2, 3, 4)), tf.float32)
    layer = LSTM(5)
    operators = {o.type for o in tf.function(layer).get_concrete_function(x).graph.get_operations()}
    assert "BlockLSTM" in operators and not operators & {
        "While",
        "StatelessWhile",
        "TensorListReserve",
    }
