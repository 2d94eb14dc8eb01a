"""Proof that every runtime computes the same: one table, the same real sound for all.

Float runtimes are held against Keras' sequence view. int8 runtimes are fed the same bytes and held against the official TFLM, byte
by byte; their SNR is that of their masks against the float network's.
"""

import dataclasses

import numpy as np

from convert import bundle as bundles
from convert import quantize, runner, runtimes, separator
from groupcomm.console import progress
from tf_model import checkpoint
from tf_model import signal as sig
from tf_model.networks import streaming


@dataclasses.dataclass(frozen=True)
class Row:
    """One runtime against its reference.

    Parameters
    ----------
    name, reference : runtimes; the reference is None for the one that all float rows are held against.
    equal_bytes : share of equal output bytes, 0..1 (for float32: of equal values).
    max_steps : worst difference, in steps of the int8 output (float rows: the float difference over the int8 step).
    max_difference : worst difference of a mask.
    snr_db : of the masks against the float sequence view; None where there is no difference at all.
    """

    name: str
    reference: str | None
    equal_bytes: float
    max_steps: float
    max_difference: float
    snr_db: float | None


def _snr_db(got: np.ndarray, reference: np.ndarray) -> float | None:
    noise = float(np.sum((got.astype(np.float64) - reference) ** 2))
    return None if noise == 0 else round(10 * np.log10(float(np.sum(reference.astype(np.float64) ** 2)) / noise), 2)


def parity(bundle: bundles.Bundle, trained: checkpoint.Checkpoint, *, hops: int) -> dict:
    """Run every runtime over the demo mixtures, reset it, and run it again.

    Parameters
    ----------
    bundle, trained : the bundle and the checkpoint that it was made from.
    hops : length of one pass; there are two, with a reset in between.

    Returns
    -------
    dict with ``hops`` (of both passes), ``resets``, ``exact`` (TFLM in C++ and in Python equal in every byte, the C++ signal path
    included), ``runtimes`` (a `Row` each, as dicts).
    """
    net = trained.net
    pcm = bundles.golden_pcm(hops, net.signal.hop)
    features = bundles.stream_features(pcm, net.signal)  # (hops, bins)
    quantized = bundle.quantize_features(features)
    step = bundle.description["masks"]["scale"]
    rows = []

    def row(name, got, reference_name, reference, masks):
        difference = np.abs(got.astype(np.float64) - reference)
        unit = 1 if got.dtype == np.int8 else step
        rows.append(
            Row(
                name=name,
                reference=reference_name,
                equal_bytes=float(np.mean(got == reference)),
                max_steps=float(difference.max() / unit),
                max_difference=float(difference.max() * (step if got.dtype == np.int8 else 1)),
                snr_db=_snr_db(masks, sequence) if reference_name else None,
            )
        )

    def twice(run, reset):
        first = run()
        reset()
        return np.concatenate([first, run()])

    with progress() as bar:
        task = bar.add_task("parity", total=9)

        def advance(name):
            bar.update(task, advance=1, description=f"parity: {name}")

        one = trained.model("sequence")(features[None]).numpy()[0]
        sequence = np.concatenate([one, one])  # (2 * hops, sources * bins)
        row("keras_sequence", sequence, None, sequence, sequence)
        advance("keras_streaming")
        got = twice(*_keras_streaming(trained, features))
        row("keras_streaming", got, "keras_sequence", sequence, got)
        float_model = quantize.to_float(trained)
        for name, kind in (("tflite_runtime_float", runtimes.TfliteRuntime), ("litert_float", runtimes.LiteRT)):
            advance(name)
            runtime = kind(float_model)
            got = twice(lambda r=runtime: r(features), runtime.reset)
            row(name, got, "keras_sequence", sequence, got)
        advance("tflm_python")
        runtime = runtimes.Tflm(bundle.model)
        truth = twice(lambda: runtime(quantized), runtime.reset)
        row("tflm_python", truth, "keras_sequence", quantize.quantize(sequence, step, bundle.description["masks"]["zero_point"]), bundle.dequantize_masks(truth))
        advance("tflm_cpp")
        got = runner.replay(bundle, quantized, passes=2)
        row("tflm_cpp", got, "tflm_python", truth, bundle.dequantize_masks(got))
        for name, kind in (("tflite_runtime", runtimes.TfliteRuntime), ("litert", runtimes.LiteRT)):
            advance(name)
            runtime = kind(bundle.model)
            got = twice(lambda r=runtime: r(quantized), runtime.reset)
            row(name, got, "tflm_python", truth, bundle.dequantize_masks(got))
        advance("stream_cpp")
        seen, given, out = runner.separate_pcm(bundle, pcm)
        runtime = runtimes.Tflm(bundle.model)
        row("stream_cpp_features", seen[:hops], "python_features", quantized, None)
        row("stream_cpp", given, "tflm_python", runtime(seen), None)
        expected = _python_stream(bundle, pcm, runtimes.Tflm(bundle.model))
        row("stream_cpp_pcm", out, "python_pcm", expected, None)
        advance("done")
    by_name = {r.name: r for r in rows}
    return {
        "bundle": bundle.name,
        "hops": 2 * hops,
        "resets": 1,
        "exact": by_name["tflm_cpp"].equal_bytes == 1.0 and by_name["stream_cpp"].equal_bytes == 1.0,
        "streaming_equals_sequence": by_name["keras_streaming"].max_difference < 1e-5,
        "runtimes": [dataclasses.asdict(r) for r in rows],
    }


def _keras_streaming(trained: checkpoint.Checkpoint, features: np.ndarray):
    """(run, reset) of the streaming view, traced once so that a hop is not a minute of Python."""
    import tensorflow as tf

    model = trained.model("streaming")
    hop = tf.function(lambda frame: model(frame))
    return lambda: np.concatenate([hop(f[None]).numpy() for f in features]), lambda: streaming.reset(model)


def _python_stream(bundle: bundles.Bundle, pcm: np.ndarray, runtime: runtimes.Runtime) -> np.ndarray:
    """What the runner should write for a stream of PCM [shape=(samples,), int16], latency taken out: int16 [sources, samples]."""
    return bundles.to_pcm(separator.from_runtime(bundle, runtime)(pcm.astype(np.float32) / np.float32(sig.PCM_SCALE)))
