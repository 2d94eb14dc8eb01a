"""The noise suppressor of Speex."""

import numpy as np

from calibration_data.audio import RATE
from convert.measure.baselines.baseline import BaselineUnavailable, Run, blocks
from tf_model import signal as sig


def load() -> Run:
    """Load the preprocessor of speexdsp, which has no network."""
    try:
        from speexdsp_ns import NoiseSuppression
    except ImportError:
        raise BaselineUnavailable("speexdsp_ns is not installed") from None

    def run(x):
        suppressor = NoiseSuppression.create(256, RATE)
        clean = [suppressor.process(block.tobytes()) for block in blocks(sig.to_pcm(x), 256)]
        return np.frombuffer(b"".join(clean), "<i2") / 32768

    return run
