"""GroupBias matches its formula."""

import numpy as np
import pytest

from tf_model.layers.group_bias import GroupBias

pytestmark = pytest.mark.tensorflow


def test_group_bias_matches_its_formula(random):
    x = random.standard_normal((2, 3, 5, 4)).astype(np.float32)
    layer = GroupBias()
    np.testing.assert_array_equal(layer(x), x)  # the constants are zero before training
    bias = random.standard_normal((5, 4)).astype(np.float32)
    layer.set_weights([bias])
    np.testing.assert_array_equal(layer(x), x + bias)
    np.testing.assert_array_equal(layer(x[0, 0]), x[0, 0] + bias)  # one frame
