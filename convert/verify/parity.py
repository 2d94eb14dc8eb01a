"""Prove that every runtime computes the same, on the same real sound.

Float runtimes are compared with Keras' sequence view. int8 runtimes get the same bytes and are
compared with the official TFLM, byte by byte. The SNR of every row compares its result with the
result of the float network for the same sound.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from convert import bundle as bundles
from convert.codegen import c_source
from convert.quantization import export
from convert.run import host_tools, resolve, separator
from convert.tflite import runtimes, simulation
from groupcomm.console import step
from groupcomm.files import scratch_folder
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
    resolve.check_pair(bundle, trained)
    case, rows = _Case(bundle, trained, hops), []
    checks = [check for check in RUNTIMES if bundle.activations in check.activations]
    with step("parity", len(checks)) as shown:
        for check in shown.track(checks):
            shown.update(f"parity: {check.name}")
            rows.append(check.compare(case).row(check.name))
    exact = all(
        row.equal_bytes == 1.0
        for check, row in zip(checks, rows, strict=True)
        if check.must_be_exact
    )
    difference = float(np.abs(case.streaming - case.sequence).max())
    return {
        "bundle": bundle.name,
        "hops": hops,
        "passes": len(case.truth) // len(case.quantized),
        "exact": exact,
        "streaming_difference": difference,
        "ok": exact and difference <= STREAMING_TOLERANCE,
        "runtimes": [dataclasses.asdict(row) for row in rows],
    }


class _Case:
    """A bundle with real sound, and what several rows use.

    Each result is computed once, when a row first needs it.

    Parameters
    ----------
    bundle : Bundle
    trained : Checkpoint
    hops : int
        Hops of one pass.

    Attributes
    ----------
    bundle, trained
        As given.
    pcm, audio : np.ndarray [shape=(samples,)]
        The sound in int16, and in float32 in -1..1.
    features, quantized : np.ndarray [shape=(hops, inputs)]
        Its features in float32, and in int8.
    """

    def __init__(self, bundle: bundles.Bundle, trained: checkpoint.Checkpoint, hops: int):
        self.bundle, self.trained = bundle, trained
        self.pcm = bundles.golden_pcm(hops, bundle.signal.hop)
        self.audio = self.pcm.astype(np.float32) / np.float32(sig.PCM_SCALE)
        self.features = sig.features(sig.stft(self.audio, bundle.signal), bundle.signal)
        self.quantized = bundle.quantize_features(self.features)

    @functools.cached_property
    def sequence(self) -> np.ndarray:
        """Masks of Keras' sequence view in both passes [shape=(hops, sources * bins)]."""
        one = self.trained.model("sequence")(self.features[None]).numpy()[0]
        return np.concatenate([one, one])

    @functools.cached_property
    def streaming(self) -> np.ndarray:
        """Masks of Keras' streaming view in both passes."""
        return _twice(*_keras_streaming(self.trained, self.features))

    @functools.cached_property
    def float_model(self) -> bytes:
        """The float `.tflite`."""
        return export.to_float(self.trained)

    @functools.cached_property
    def tflm(self) -> runtimes.Tflm:
        """The official TFLM in Python."""
        return runtimes.Tflm(self.bundle.model)

    @functools.cached_property
    def truth(self) -> np.ndarray:
        """Masks of `tflm` in both passes."""
        return self.run_int8(self.tflm)

    @functools.cached_property
    def replayed(self) -> np.ndarray:
        """Masks of TFLM in C++ in both passes."""
        return host_tools.replay(self.bundle, self.quantized, passes=2)

    @functools.cached_property
    def cpp_stream(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features, masks and PCM of the C++ stream: FFT, features, engine, overlap-add."""
        return host_tools.separate_pcm(self.bundle, self.pcm)

    def run_int8(self, runtime: runtimes.Runtime) -> np.ndarray:
        """Return the int8 masks of a runtime in both passes."""
        return _twice(lambda: runtime(self.quantized), runtime.reset)


def _twice(run: Callable[[], np.ndarray], reset: Callable[[], None]) -> np.ndarray:
    """Return the results of two passes, with a reset in between."""
    first = run()
    reset()
    return np.concatenate([first, run()])


@dataclasses.dataclass(frozen=True)
class _Comparison:
    """A result beside that of its reference.

    Attributes
    ----------
    got, expected : np.ndarray
        The result, and that of the reference.
    reference : str or None
        See `Row`.
    step : float
        Size of a step of ``got``.
    value, ideal : np.ndarray or None
        The real value of ``got``, and that of the float network. None: without SNR.
    """

    got: np.ndarray
    expected: np.ndarray
    reference: str | None
    step: float = 1.0
    value: np.ndarray | None = None
    ideal: np.ndarray | None = None

    def row(self, name: str) -> Row:
        """Return the row of the table."""
        return Row(
            name,
            self.reference,
            equal_bytes=float(np.mean(self.got == self.expected)),
            max_steps=float(np.abs(self.got.astype(np.float64) - self.expected).max() / self.step),
            snr_db=None if self.value is None else _snr_db(self.value, self.ideal),
        )


def _snr_db(got: np.ndarray, reference: np.ndarray) -> float | None:
    noise = float(np.sum((got.astype(np.float64) - reference) ** 2))
    return (
        None
        if noise == 0
        else round(10 * np.log10(float(np.sum(reference.astype(np.float64) ** 2)) / noise), 2)
    )


def _float_masks(case: _Case, masks: np.ndarray) -> _Comparison:
    return _Comparison(
        masks,
        case.sequence,
        "keras_sequence",
        step=case.bundle.description["masks"]["scale"],
        value=masks,
        ideal=case.sequence,
    )


def _int8_masks(
    case: _Case, masks: np.ndarray, reference: str, expected: np.ndarray
) -> _Comparison:
    return _Comparison(
        masks,
        expected,
        reference,
        value=case.bundle.dequantize_masks(masks),
        ideal=case.sequence[: len(masks)],
    )


def _keras_sequence(case: _Case) -> _Comparison:
    scale = case.bundle.description["masks"]["scale"]
    return _Comparison(case.sequence, case.sequence, None, step=scale)


def _keras_stream(case: _Case) -> _Comparison:
    return _float_masks(case, case.streaming)


def _in_float(kind: type[runtimes.Runtime]) -> Callable[[_Case], _Comparison]:
    """Return the comparison of a runtime of float `.tflite` files."""

    def compare(case: _Case) -> _Comparison:
        runtime = kind(case.float_model)
        return _float_masks(case, _twice(lambda: runtime(case.features), runtime.reset))

    return compare


def _in_int8(kind: type[runtimes.Runtime]) -> Callable[[_Case], _Comparison]:
    """Return the comparison of a runtime of integer `.tflite` files."""

    def compare(case: _Case) -> _Comparison:
        masks = case.run_int8(kind(case.bundle.model))
        return _int8_masks(case, masks, "tflm_python", case.truth)

    return compare


def _tflm_python(case: _Case) -> _Comparison:
    return _int8_masks(case, case.truth, "tflm_cpp", case.replayed)


def _tflm_cpp(case: _Case) -> _Comparison:
    return _int8_masks(case, case.replayed, "tflm_python", case.truth)


def _tflm_cpp_kernels(case: _Case) -> _Comparison:
    masks = host_tools.replay(case.bundle, case.quantized, passes=2, kernels="groupcomm")
    return _int8_masks(case, masks, "tflm_python", case.truth)


def _static_c(case: _Case) -> _Comparison:
    return _int8_masks(case, case.run_int8(_static(case.bundle)), "tflm_python", case.truth)


def _tflm_cpp_golden(case: _Case) -> _Comparison:
    features, masks = case.bundle.golden()
    return _Comparison(host_tools.replay(case.bundle, features, passes=1), masks, "golden")


def _stream_cpp_features(case: _Case) -> _Comparison:
    features, _, _ = case.cpp_stream
    return _Comparison(
        features,
        case.quantized,
        "python_features",
        value=case.bundle.quantization("features").dequantize(features),
        ideal=case.features,
    )


def _stream_cpp(case: _Case) -> _Comparison:
    features, masks, _ = case.cpp_stream
    case.tflm.reset()
    return _int8_masks(case, masks, "tflm_python", case.tflm(features))


def _stream_cpp_pcm(case: _Case) -> _Comparison:
    _, _, pcm = case.cpp_stream  # (sources, samples)
    in_python = separator.from_runtime(case.bundle, case.tflm)(case.audio)
    return _Comparison(
        pcm,
        sig.to_pcm(in_python),
        "python_pcm",
        value=pcm / np.float32(sig.PCM_SCALE),
        ideal=separator.from_keras(case.trained)(case.audio),
    )


@dataclasses.dataclass(frozen=True)
class _Check:
    """A row of the test.

    Attributes
    ----------
    name : str
    compare : callable
        Runs it on a case.
    must_be_exact : bool
        Whether every byte must be equal.
    activations : tuple of int
        Bits of the activations of the bundles that have this row.
    """

    name: str
    compare: Callable[[_Case], _Comparison]
    must_be_exact: bool = False
    activations: tuple[int, ...] = (8, 16)


RUNTIMES = (
    _Check("keras_sequence", _keras_sequence),
    _Check("keras_streaming", _keras_stream),
    _Check("tflite_runtime_float", _in_float(runtimes.TfliteRuntime)),
    _Check("litert_float", _in_float(runtimes.LiteRT)),
    _Check("tflm_python", _tflm_python, must_be_exact=True),
    _Check("tflm_cpp", _tflm_cpp, must_be_exact=True),
    _Check("tflm_cpp_kernels", _tflm_cpp_kernels, must_be_exact=True),
    _Check("static_c", _static_c, must_be_exact=True),
    _Check("simulation", _in_int8(simulation.Simulation), must_be_exact=True),
    _Check("tflm_cpp_golden", _tflm_cpp_golden, must_be_exact=True),
    # TFLite has no int16 LSTM.
    _Check("tflite_runtime", _in_int8(runtimes.TfliteRuntime), activations=(8,)),
    _Check("litert", _in_int8(runtimes.LiteRT), activations=(8,)),
    # The whole C++ stream, PCM to PCM.
    _Check("stream_cpp_features", _stream_cpp_features),
    _Check("stream_cpp", _stream_cpp, must_be_exact=True),
    _Check("stream_cpp_pcm", _stream_cpp_pcm),
)


def _static(bundle: bundles.Bundle) -> runtimes.Static:
    with scratch_folder() as scratch:
        folder = scratch / "c"
        written = c_source.compile_bundle(bundle, folder)
        return runtimes.Static(folder / f"{written['name']}.c")


def _keras_streaming(trained: checkpoint.Checkpoint, features: np.ndarray):
    """Return functions that run and reset the streaming view.

    The view is traced once, so that a hop does not run layer by layer in Python.
    """
    import tensorflow as tf

    model = trained.model("streaming")
    hop = tf.function(lambda frame: model(frame), autograph=False)
    return lambda: np.concatenate(
        [hop(f[None]).numpy() for f in features]
    ), lambda: streaming.reset(model)
