"""A network that runs on this machine: whole recordings and streams."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from groupcomm.errors import UserError, missing_package
from groupcomm.files import scratch_folder

if TYPE_CHECKING:
    from convert.bundle import Bundle
    from convert.run import separator
    from convert.tflite import runtimes
    from convert.tflite.runtimes import Runtime
    from tf_model.signal import Signal

Engine = Literal["tflm", "compiled"]


def load(bundle: str | Path = "enhance", *, engine: Engine = "tflm") -> Network:
    """Open a network.

    Parameters
    ----------
    bundle : str or Path
        Name of a released bundle (``"enhance"``, ``"enhance-max"``, ``"enhance-nano"``,
        ``"enhance-fast"``, ``"separate"``) or the folder of a bundle that `convert` wrote.
    engine : {"tflm", "compiled"}
        What runs the int8 network. ``"tflm"``: the official TensorFlow Lite Micro. ``"compiled"``:
        the C code that ``groupcomm compile`` generates, built by the C compiler of this machine
        (``cc``); it gives the same bytes and is faster.

    Returns
    -------
    Network

    Raises
    ------
    UserError
        When there is no such bundle, when it is damaged, or when there is no C compiler for
        ``"compiled"``.

    Examples
    --------
    >>> import groupcomm
    >>> network = groupcomm.load("separate")
    >>> network.name, network.sources, network.sample_rate
    ('separate', 2, 16000)
    """
    from convert import bundle as bundles

    if engine not in ("tflm", "compiled"):
        raise UserError(f"engine {engine!r}: there is no such engine; use 'tflm' or 'compiled'")
    return Network(bundles.load(str(bundle)), engine)


class Network:
    """A network and its signal path.

    `load` makes it. The network runs in int8 arithmetic, as on a board. The signal path (STFT,
    features, masks, overlap-add) runs in NumPy.

    Attributes
    ----------
    name : str
        Name of the bundle.
    engine : {"tflm", "compiled"}
        What runs the int8 network.
    sources : int
        Number of output signals: 1 for enhancement, 2 for the separation of two speakers.
    sample_rate : int
        Sample rate of a stream, in Hz.
    hop : int
        Samples that a stream takes and gives at a time.
    latency : int
        Samples by which the output of a stream lies behind its input, ``window - hop``. With the
        wait for a full hop, a stream delays sound by ``latency + hop`` samples.
    description : dict
        The content of ``bundle.json``.
    path : Path
        Folder of the bundle.
    signal : tf_model.signal.Signal
        Sizes of the signal path.

    Examples
    --------
    >>> import groupcomm, numpy as np
    >>> network = groupcomm.load("enhance-nano")
    >>> noisy = np.random.default_rng(0).normal(0, 0.1, 48000)
    >>> clean = network.process(noisy, rate=16000)
    >>> clean.shape, clean.dtype
    ((1, 48000), dtype('float32'))
    """

    def __init__(self, bundle: Bundle, engine: Engine):
        signal = bundle.signal
        self._bundle = bundle
        self.name: str = bundle.name
        self.engine: Engine = engine
        self.sources: int = bundle.sources
        self.sample_rate: int = signal.sample_rate
        self.hop: int = signal.hop
        self.latency: int = signal.window - signal.hop
        self.path: Path = bundle.path
        self.signal: Signal = signal
        self.description: dict = copy.deepcopy(bundle.description)
        self._stream = self._new_stream()

    def __repr__(self) -> str:
        """Name, sources and sample rate."""
        return f"<groupcomm.Network {self.name!r}, {self.sources} source(s), {self.sample_rate} Hz>"

    def process(
        self, x: np.ndarray, rate: int = 16000, *, attenuation_limit_db: float | None = None
    ) -> np.ndarray:
        """Process a whole recording.

        The network starts from a fresh state, and the output is aligned with the input.

        Parameters
        ----------
        x : np.ndarray [shape=(samples,)]
            Mono sound: float in -1..1, or int16 PCM.
        rate : int
            Its sample rate in Hz. When it is not `sample_rate`, the sound is resampled with soxr,
            and the output is resampled back; it then holds nothing above half of the lower rate.
        attenuation_limit_db : float or None
            By how many dB a sound is attenuated at most, from 0 (the output is the input). Some of
            the noise remains, and speech is distorted less. None: no limit.

        Returns
        -------
        np.ndarray [shape=(sources, samples), dtype=float32]
            The sound of every source in about -1..1, at the rate of the input.

        Raises
        ------
        UserError
            When `x` is not mono, is neither float nor int16 or holds values that are not finite,
            when the limit is negative, or when soxr is needed and is not installed.
        """
        x = _samples(x)
        self._stream.lowest_gain = _lowest_gain(attenuation_limit_db)
        if rate == self.sample_rate:
            return self._stream.process_whole(x)
        if not rate > 0:
            raise UserError(f"rate {rate}: not a sample rate; give it in Hz, for example 48000")
        try:
            import soxr
        except ModuleNotFoundError as e:
            raise UserError(
                f"rate {rate}: the network runs at {self.sample_rate} Hz, and {missing_package(e)}"
            ) from e
        out = self._stream.process_whole(soxr.resample(x, rate, self.sample_rate, quality="VHQ"))
        back = soxr.resample(out.T, self.sample_rate, rate, quality="VHQ").T[:, : len(x)]
        return np.pad(back, [(0, 0), (0, len(x) - back.shape[1])])  # resamplers round the length

    def stream(self, *, attenuation_limit_db: float | None = None) -> Stream:
        """Begin a stream.

        Streams of one network are independent of each other.

        Parameters
        ----------
        attenuation_limit_db : float or None
            As in `process`.

        Returns
        -------
        Stream

        Raises
        ------
        UserError
            When the limit is negative.
        """
        return Stream(self, attenuation_limit_db)

    def _new_stream(self) -> separator.Stream:
        from convert.run import separator

        return separator.Stream(self._bundle, self._new_runtime())

    def _new_runtime(self) -> Runtime:
        from convert.tflite import runtimes

        if self.engine == "tflm":
            return runtimes.Tflm(self._bundle.model)
        return self._program.with_own_state()

    @functools.cached_property
    def _program(self) -> runtimes.Static:
        from convert.codegen import c_source
        from convert.tflite import runtimes

        with scratch_folder() as folder:
            written = c_source.compile_bundle(self._bundle, folder / "c")
            return runtimes.Static(folder / "c" / f"{written['name']}.c")


class Stream:
    """Sound that is processed hop by hop, as on a board.

    `Network.stream` makes it.

    Attributes
    ----------
    latency : int
        Samples by which the output lies behind the input.

    Examples
    --------
    >>> import groupcomm, numpy as np
    >>> network = groupcomm.load("enhance-nano")
    >>> stream = network.stream()
    >>> hop = np.zeros(network.hop, np.float32)
    >>> stream.process(hop).shape == (network.sources, network.hop)
    True
    >>> stream.latency
    128
    """

    def __init__(self, network: Network, attenuation_limit_db: float | None = None):
        self._stream = network._new_stream()
        self._stream.lowest_gain = _lowest_gain(attenuation_limit_db)
        self._hop = network.hop
        self.latency: int = network.latency

    def process(self, hop: np.ndarray) -> np.ndarray:
        """Process the next hop, or several hops.

        Parameters
        ----------
        hop : np.ndarray [shape=(hop,)]
            The next samples, float in -1..1 or int16 PCM; a multiple of `Network.hop` of them.

        Returns
        -------
        np.ndarray [shape=(sources, hop), dtype=float32]
            As many samples of every source, `latency` samples behind the input.

        Raises
        ------
        UserError
            When the number of samples is not a multiple of the hop, and as `Network.process`.
        """
        x = _samples(hop)
        if not len(x) or len(x) % self._hop:
            raise UserError(
                f"{len(x)} samples: a stream takes {self._hop} samples at a time, or a multiple"
            )
        return self._stream.process(x)

    def reset(self) -> None:
        """Go back to the start of a stream: forget all sound so far."""
        self._stream.reset()


def _lowest_gain(attenuation_limit_db: float | None) -> float:
    """Return the factor of a limit in dB; 0 without a limit."""
    if attenuation_limit_db is None:
        return 0.0
    if not attenuation_limit_db >= 0:
        raise UserError(
            f"attenuation_limit_db {attenuation_limit_db}: not a limit; give dB from 0, or None"
        )
    return float(10 ** (-attenuation_limit_db / 20))


def _samples(x: np.ndarray) -> np.ndarray:
    """Mono sound as float32 in -1..1 [shape=(samples,)]."""
    x = np.asarray(x)
    if x.ndim != 1:
        raise UserError(
            f"shape {x.shape}: not mono; give one axis of samples, for example x.mean(axis=1)"
        )
    if x.dtype == np.int16:
        return x.astype(np.float32) / 32768
    if not np.issubdtype(x.dtype, np.floating):
        raise UserError(f"dtype {x.dtype}: give float samples in -1..1, or int16 PCM")
    x = x.astype(np.float32)
    if not np.isfinite(x).all():
        bad = int(np.argmin(np.isfinite(x)))
        raise UserError(f"sample {bad} is {x[bad]}, not a finite number; correct the input")
    return x
