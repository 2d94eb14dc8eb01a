"""Prove that every runtime computes the same, on the same real sound.

Float runtimes are compared with Keras' sequence view. int8 runtimes get the same bytes and are
compared with the official TFLM, byte by byte. The SNR of every row compares its result with the
result of the float network for the same sound.
"""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from convert import bundle as bundles
from convert.codegen import c_source
from convert.quantization import export
from convert.run import host_tools, separator
from convert.tflite import runtimes, simulation
from groupcomm.console import progress
from groupcomm.errors import UserError
from tf_model import signal as sig
from tf_model.networks import streaming
from tf_model.training import checkpoint

# Tolerance of a mask in 0..1. The views round differently in float32, because their operations have
# a different order.
STREAMING_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True)
class Row:
    """Comparison of one runtime with its reference.

    Attributes
    ----------
    name, reference : str
        What ran, and what it is compared with. The reference is None for the sequence view, which
        is the reference of float rows.
    equal_bytes : float
        Share of equal output bytes in 0..1. For float32 and int16, the share of equal values.
    max_steps : float
        Largest difference in steps of the output: of int8, of int16 PCM, or for float masks of the
        int8 scale.
    snr_db : float or None
        SNR relative to the float network. None where there is no difference.
    """

    name: str
    reference: str | None
    equal_bytes: float
    max_steps: float
    snr_db: float | None


def _snr_db(got: np.ndarray, reference: np.ndarray) -> float | None:
    noise = float(np.sum((got.astype(np.float64) - reference) ** 2))
    return (
        None
        if noise == 0
        else round(10 * np.log10(float(np.sum(reference.astype(np.float64) ** 2)) / noise), 2)
    )


def check_pair(bundle: bundles.Bundle, trained: checkpoint.Checkpoint) -> None:
    """Check that a bundle was made from a checkpoint.

    Parameters
    ----------
    bundle : Bundle
    trained : Checkpoint

    Raises
    ------
    UserError
        When it was not.
    """
    if bundle.description["checkpoint_sha256"] != trained.sha256():
        raise UserError(
            f"{bundle.path}: made from other weights than {trained.weights}; convert again, "
            "or give its --checkpoint"
        )


def parity(bundle: bundles.Bundle, trained: checkpoint.Checkpoint, *, hops: int) -> dict:
    """Run every runtime over the demo mixtures, reset it, and run it again.

    Parameters
    ----------
    bundle : Bundle
    trained : Checkpoint
        The checkpoint that the bundle was made from.
    hops : int
        Hops of real sound in one pass. There are two equal passes, with a reset in between.

    Returns
    -------
    dict
        ``bundle``, ``hops`` (of one pass), ``passes``, ``runtimes`` (a `Row` each, as dicts),
        ``exact``, ``streaming_difference`` (the largest difference of a mask between Keras'
        streaming and sequence views) and ``ok`` (exact, and that difference is within
        `STREAMING_TOLERANCE`).

        ``exact`` is true when all of these are equal in every byte: TFLM in Python; TFLM in C++ by
        replay, with its kernels and with GroupComm's; the C++ stream; the golden vectors; plain C;
        and the simulation.

    Raises
    ------
    UserError
        When the bundle was not made from this checkpoint.
    """
    check_pair(bundle, trained)
    pcm = bundles.golden_pcm(hops, bundle.signal.hop)  # (samples,)
    audio = pcm.astype(np.float32) / np.float32(sig.PCM_SCALE)
    features = sig.features(sig.stft(audio, bundle.signal), bundle.signal)  # (hops of a pass, bins)
    quantized = bundle.quantize_features(features)
    masks_scale = bundle.description["masks"]["scale"]
    rows = []

    def row(name, got, against, reference, *, step=1.0, value=None, ideal=None):
        """Append a row.

        ``value`` is the real value of ``got``, and ``ideal`` that of the float network.
        """
        worst = float(np.abs(got.astype(np.float64) - reference).max() / step)
        snr = None if value is None else _snr_db(value, ideal)
        rows.append(Row(name, against, float(np.mean(got == reference)), worst, snr))
        bar.update(task, advance=1, description=f"parity: {name}")

    def twice(run, reset):
        first = run()
        reset()
        return np.concatenate([first, run()])

    with progress() as bar:
        task = bar.add_task("parity", total=15 if bundle.activations == 8 else 13)
        one = trained.model("sequence")(features[None]).numpy()[0]
        sequence = np.concatenate([one, one])  # (hops, sources * bins)
        row("keras_sequence", sequence, None, sequence, step=masks_scale)
        stream = twice(*_keras_streaming(trained, features))
        row(
            "keras_streaming",
            stream,
            "keras_sequence",
            sequence,
            step=masks_scale,
            value=stream,
            ideal=sequence,
        )
        float_model = export.to_float(trained)
        for name, kind in (
            ("tflite_runtime_float", runtimes.TfliteRuntime),
            ("litert_float", runtimes.LiteRT),
        ):
            runtime = kind(float_model)
            got = twice(lambda r=runtime: r(features), runtime.reset)
            row(name, got, "keras_sequence", sequence, step=masks_scale, value=got, ideal=sequence)

        def int8_row(name, got, against, reference):
            row(
                name,
                got,
                against,
                reference,
                value=bundle.dequantize_masks(got),
                ideal=sequence[: len(got)],
            )

        tflm = runtimes.Tflm(bundle.model)
        truth = twice(lambda: tflm(quantized), tflm.reset)
        cpp = host_tools.replay(bundle, quantized, passes=2)
        int8_row("tflm_python", truth, "tflm_cpp", cpp)
        int8_row("tflm_cpp", cpp, "tflm_python", truth)
        int8_row(
            "tflm_cpp_kernels",
            host_tools.replay(bundle, quantized, passes=2, kernels="groupcomm"),
            "tflm_python",
            truth,
        )
        static = _static(bundle)
        int8_row("static_c", twice(lambda: static(quantized), static.reset), "tflm_python", truth)
        simulated = simulation.Simulation(bundle.model)
        int8_row(
            "simulation", twice(lambda: simulated(quantized), simulated.reset), "tflm_python", truth
        )
        golden_features, golden_masks = bundle.golden()
        golden_got = host_tools.replay(bundle, golden_features, passes=1)
        row("tflm_cpp_golden", golden_got, "golden", golden_masks)
        in_tflite = (
            (("tflite_runtime", runtimes.TfliteRuntime), ("litert", runtimes.LiteRT))
            if bundle.activations == 8
            else ()
        )
        for name, kind in in_tflite:  # TFLite has no int16 LSTM
            runtime = kind(bundle.model)
            got = twice(lambda r=runtime: r(quantized), runtime.reset)
            int8_row(name, got, "tflm_python", truth)

        # The whole C++ stream, PCM to PCM: FFT, features, engine, masks and overlap-add.
        seen, given, out = host_tools.separate_pcm(bundle, pcm)
        tflm.reset()
        row(
            "stream_cpp_features",
            seen,
            "python_features",
            quantized,
            value=bundle.quantization("features").dequantize(seen),
            ideal=features,
        )
        int8_row("stream_cpp", given, "tflm_python", tflm(seen))
        expected = sig.to_pcm(separator.from_runtime(bundle, tflm)(audio))  # (sources, samples)
        ideal = separator.from_keras(trained)(audio)
        row(
            "stream_cpp_pcm",
            out,
            "python_pcm",
            expected,
            value=out / np.float32(sig.PCM_SCALE),
            ideal=ideal,
        )
    equal = {r.name: r.equal_bytes == 1.0 for r in rows}
    exact = all(
        equal[name]
        for name in (
            "tflm_python",
            "tflm_cpp",
            "tflm_cpp_kernels",
            "static_c",
            "simulation",
            "tflm_cpp_golden",
            "stream_cpp",
        )
    )
    difference = float(np.abs(stream - sequence).max())
    return {
        "bundle": bundle.name,
        "hops": hops,
        "passes": len(truth) // len(quantized),
        "exact": exact,
        "streaming_difference": difference,
        "ok": exact and difference <= STREAMING_TOLERANCE,
        "runtimes": [dataclasses.asdict(r) for r in rows],
    }


def _static(bundle: bundles.Bundle) -> runtimes.Static:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "c"
        written = c_source.compile_bundle(bundle, folder)
        return runtimes.Static(folder / f"{written['name']}.c")


def _keras_streaming(trained: checkpoint.Checkpoint, features: np.ndarray):
    """Return functions that run and reset the streaming view.

    The view is traced once, so that a hop does not run layer by layer in Python.
    """
    import tensorflow as tf

    model = trained.model("streaming")
    hop = tf.function(lambda frame: model(frame))
    return lambda: np.concatenate(
        [hop(f[None]).numpy() for f in features]
    ), lambda: streaming.reset(model)
