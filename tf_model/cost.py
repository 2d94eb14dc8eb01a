"""What a network costs."""

from tf_model.networks import streaming


def cost(net: streaming.Streaming) -> dict:
    """Parameters, multiply-accumulates and state of a streaming network.

    Returns
    -------
    dict with ``params``, ``macs_per_hop``, ``macs_per_second``, ``state_bytes`` (int8), ``latency_ms``.
    """
    macs = streaming.macs_per_hop(net)
    return {
        "params": streaming.build(net).count_params(),
        "macs_per_hop": macs,
        "macs_per_second": macs * net.signal.sample_rate // net.signal.hop,
        "state_bytes": streaming.state_bytes(net),
        "latency_ms": 1000 * net.signal.window / net.signal.sample_rate,
    }
