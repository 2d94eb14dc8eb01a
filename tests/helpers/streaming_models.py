"""Small streaming networks with random weights, their quantization, and runs of the result."""

import numpy as np

from convert.quantization import export, quantizer
from convert.tflite import flatbuffer
from tf_model import signal as sig
from tf_model.networks.streaming import Streaming
from tf_model.training import checkpoint


def random_checkpoint(folder, net, name, random):
    """Write and load a checkpoint of a network with weights as large as trained ones."""
    model = checkpoint.Checkpoint("net", net, {}, None).model()
    model.set_weights(
        [
            random.normal(0, 0.8 / np.sqrt(w.shape[0]) if w.ndim > 1 else 0.1, w.shape)
            for w in model.get_weights()
        ]
    )
    checkpoint.save(folder, name, net, {}, model)
    return checkpoint.load(str(folder))


def floating(tmp_path_factory, net, name):
    """Float `.tflite` of a network with weights as large as trained ones, and features."""
    folder = tmp_path_factory.mktemp("float")
    random = np.random.default_rng(1)
    trained = random_checkpoint(folder / name, net, name, random)
    return export.to_float(trained), random.uniform(0, 1, (300, net.signal.n_features)).astype(
        np.float32
    )


BANDS = sig.Signal(level=1.0, bands=6, pool=2, window=128, hop=64, neighbours=2)
NETS = {
    "tac": Streaming(signal=BANDS, features=48, groups=6, blocks=2, tac=6, hidden=8, bottleneck=5),
    "blstm": Streaming(features=32, groups=4, blocks=2, group_comm="blstm", blstm=5, hidden=8),
}
TCN = Streaming(
    signal=BANDS, features=48, groups=6, blocks=3, tac=6, over_time="tcn", hidden=12, bottleneck=5
)


def run(kind, model, features):
    """Masks as real numbers, and as integers."""
    network = flatbuffer.read(model).graph
    given, made = (ts[0].quantization for ts in (network.inputs, network.outputs))
    masks = kind(model)(given.quantize(features))
    return made.dequantize(masks), masks


def quantized(model, observed, method, *, is_16x8=False):
    return quantizer.quantize(
        model, quantizer.choose_ranges(model, observed, method, is_16x8=is_16x8), is_16x8=is_16x8
    )


def snr(got, truth):
    return 10 * np.log10(np.sum(truth**2) / np.sum((got - truth) ** 2))
