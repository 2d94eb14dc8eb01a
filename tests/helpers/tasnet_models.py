"""Small networks of the papers' family."""

import numpy as np
import tf_keras as keras

from tf_model.networks import tasnet
from tf_model.networks.tasnet import TasNet

SMALL = {"blocks": 2, "chunk": 6, "features": 16, "hidden": 5, "window": 8}
TAC = {"group_comm": "tac", "groups": 2, "tac": 6, "codec_hidden": 3, "codec_tac": 4}
NETS = {
    "plain": TasNet(**SMALL, bottleneck=8),
    "flstm": TasNet(**SMALL | {"hidden": 6}, bottleneck=8, group_comm="flstm", groups=2),
    "gc": TasNet(**SMALL, group_comm="blstm", groups=2),
    "one source": TasNet(**SMALL, group_comm="blstm", groups=2, sources=1),
    "gc3": TasNet(**SMALL, **TAC, context=4),
    "tcn": TasNet("tcn", **SMALL, bottleneck=8),
    "gc3-tcn": TasNet("tcn", **SMALL, **TAC, context=4),
    "dptnet": TasNet("dptnet", **SMALL, bottleneck=8),
    "gc3-dptnet": TasNet("dptnet", **SMALL, **TAC, context=4),
    "sudo": TasNet("sudo", **SMALL, depth=3, bottleneck=8),
    "gc3-sudo": TasNet("sudo", **SMALL, **TAC, depth=3, context=4),
    "gc-causal": TasNet(**SMALL | {"chunk": 4}, group_comm="blstm", groups=2, causal=True),
    "gc3-causal": TasNet(**SMALL | {"chunk": 1}, **TAC, context=4, causal=True),
}


def randomized(net, random):
    keras.utils.set_random_seed(0)  # the first weights are drawn too, and not by ``random``
    model = tasnet.build(net)
    model.set_weights(
        [w + 0.3 * random.standard_normal(w.shape).astype(np.float32) for w in model.get_weights()]
    )
    return model
