"""What a network costs."""

import tf_keras as keras

from tf_model import networks


def paper_params(model: keras.Model) -> int:
    """Parameters as PyTorch, and so the papers, count them: its LSTMs have two bias vectors, Keras' have one."""
    lstms = (part for part in model.submodules if isinstance(part, keras.layers.LSTM) and part.weights)
    return model.count_params() + sum(4 * lstm.units for lstm in lstms)


def cost(net: networks.Network) -> dict:
    """Parameters, multiply-accumulates and state of a network.

    Returns
    -------
    dict with ``params``, ``params_paper`` (as PyTorch counts), ``macs_per_second``; ``macs_per_hop``, ``state_bytes`` (int8) and
    ``latency_ms`` of what streams; ``macs_4s`` and ``macs_4s_thop`` of the papers' family.
    """
    family = networks.family(net)
    model = family.build(net)
    return {"params": model.count_params(), "params_paper": paper_params(model), **family.cost(net, model)}
