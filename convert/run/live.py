"""Live sound: from a microphone through a network to headphones.

Two files can stand for the devices; both ways use the same stream.
"""

import contextlib
import dataclasses
import os
import queue
import select
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from convert.run import audio_file
from convert.run.process import AlignedStream, check_length
from groupcomm.console import note, quiet
from groupcomm.errors import UserError, missing_package
from groupcomm.files import atomic_path
from groupcomm.network import Network, load
from tf_model.signal import PCM_SCALE, to_pcm

Blocks = Iterator[tuple[np.ndarray, np.ndarray]]  # as of `AlignedStream.process`

REPORTS = 4  # per second
SILENCE = 5.0  # seconds without a block, after which a device is given up
BYPASS_KEY = " "
_FILES = "or use files: --input FILE.wav --output FILE.wav"
_XRUNS = ("input_underflow", "input_overflow", "output_underflow", "output_overflow")


@dataclasses.dataclass
class Meters:
    """The state of live sound.

    Attributes
    ----------
    samples : int
        Samples so far, at the sample rate of the network.
    before_db, after_db : float
        Levels since the last report, dBFS, of the first source.
    xruns : int
        Blocks at which the device lost sound or had none to play.
    bypass : bool
        Whether the input is heard.
    device_rate : int or None
        Sample rate of the device, Hz; None for files.
    latency_ms : float or None
        From microphone to headphones by the device's own figures; None for files.
    """

    samples: int = 0
    before_db: float = -np.inf
    after_db: float = -np.inf
    xruns: int = 0
    bypass: bool = False
    device_rate: int | None = None
    latency_ms: float | None = None

    @property
    def gain_db(self) -> float:
        """What the network does to the level, dB; negative where it reduces it."""
        return self.after_db - self.before_db


def live(
    name: str,
    *,
    files: tuple[Path, Path] | None = None,
    folder: Path | None = None,
    seconds: float | None = None,
    attenuation_limit_db: float | None = None,
    report: Callable[[Meters], None] = lambda meters: None,
) -> dict:
    """Run live sound through the plain C code of a network.

    Ctrl-C ends it, and so does a device that disappears. What was recorded is kept. The space bar
    switches between the output of the network and its input, which is delayed equally.

    Parameters
    ----------
    name : str
        A bundle's name or folder.
    files : tuple of Path or None
        A sound file in place of the microphone, and a WAV file in place of the headphones, with one
        channel for each source. It appears whole or not at all.
    folder : Path or None
        Gets ``before.wav`` (mono) and ``after.wav`` (one channel for each source), aligned.
    seconds : float or None
        Length; None: until Ctrl-C, or the end of the file.
    attenuation_limit_db : float or None
        See `groupcomm.Network.process`.
    report : callable
        Is called `REPORTS` times for each second of sound.

    Returns
    -------
    dict
        ``bundle``, ``files`` (paths that were written), ``sample_rate``, ``seconds``, and
        ``xruns``, ``device_rate`` and ``latency_ms``, as in `Meters`.

    Raises
    ------
    UserError
        When sounddevice or an audio device is missing, for a file that cannot be used, or a damaged
        bundle. When a device disappears, after the recording was kept.
    """
    network = load(name, engine="compiled")
    aligned = AlignedStream(network, attenuation_limit_db)
    most = None if seconds is None else max(1, round(seconds * network.sample_rate))
    meters = Meters()
    paths = {} if folder is None else {folder / "before.wav": 0, folder / "after.wav": 1}
    paths |= {files[1]: 1} if files else {}
    failure: UserError | None = None
    with contextlib.ExitStack() as stack:
        blocks = stack.enter_context(
            _file(files[0], network, aligned) if files else _device(network, aligned, meters)
        )
        parts = [(stack.enter_context(atomic_path(path)), i) for path, i in paths.items()]
        channels = 1, network.sources
        outputs = [
            (stack.enter_context(audio_file.writer(part, network.sample_rate, channels[i])), i)
            for part, i in parts
        ]
        try:
            _write(blocks, outputs, meters, most, network.sample_rate // REPORTS, report)
        except (KeyboardInterrupt, UserError) as e:
            if files:  # a part of a file is not a result
                raise
            failure = e if isinstance(e, UserError) else None
    length = meters.samples / network.sample_rate
    if failure is not None:
        kept = f"; {length:.2f} s are in {folder}" if folder else ""
        raise UserError(f"{failure}{kept}") from failure
    return {
        "bundle": str(network.path),
        "files": list(map(str, paths)),
        "sample_rate": network.sample_rate,
        "seconds": length,
        **{key: getattr(meters, key) for key in ("xruns", "device_rate", "latency_ms")},
    }


def _write(
    blocks: Blocks,
    outputs: list[tuple[wave.Wave_write, int]],
    meters: Meters,
    most: int | None,
    every: int,
    report: Callable[[Meters], None],
) -> None:
    """Write the sound before (0) and after (1), and report levels after every few samples."""
    levels = audio_file.Levels()
    reported = 0
    for before, after in blocks:
        left = None if most is None else most - meters.samples
        before, after = before[:left], after[:, :left]
        for file, i in outputs:
            file.writeframes(np.ascontiguousarray((before, after.T)[i], "<i2").tobytes())
        meters.samples += len(before)
        levels.add(before, after[0])
        if meters.samples - reported >= every:
            reported = meters.samples
            meters.before_db, meters.after_db = levels.take()
            report(meters)
        if meters.samples == most:
            break


@contextlib.contextmanager
def _file(path: Path, network: Network, aligned: AlignedStream) -> Iterator[Blocks]:
    with audio_file.opened(path, network.sample_rate) as recording:
        check_length(path, recording)
        yield aligned.process_all(recording.blocks())


@contextlib.contextmanager
def _device(network: Network, aligned: AlignedStream, meters: Meters) -> Iterator[Blocks]:
    """Yield the blocks that go through the default microphone and headphones."""
    sounddevice = _sounddevice()
    rate, channels = _choose_rate(sounddevice, network.sample_rate)
    duplex = _Duplex(sounddevice, network, aligned, meters, rate)
    meters.device_rate = rate
    with _pressed_keys() as pressed:
        with _device_errors(sounddevice):
            stream = sounddevice.Stream(
                samplerate=rate,
                blocksize=round(network.hop * rate / network.sample_rate),
                channels=(1, channels),
                dtype="int16",
                latency="low",
                callback=duplex.callback,
                finished_callback=lambda: duplex.blocks.put(None),
            )
        with stream:
            note("space bar: bypass on or off; Ctrl-C: end", style="dim")
            yield _from_device(duplex, meters, pressed, sum(stream.latency))


def _from_device(
    duplex: "_Duplex", meters: Meters, pressed: Callable[[], str], latency: float
) -> Blocks:
    while True:
        try:
            block = duplex.blocks.get(timeout=SILENCE)
        except queue.Empty:
            raise UserError(f"the audio device gave no sound for {SILENCE:g} s; check it") from None
        if isinstance(block, Exception):
            raise block
        if block is None:
            raise UserError("the audio device stopped; check that it is connected")
        meters.bypass ^= bool(pressed().count(BYPASS_KEY) % 2)
        meters.latency_ms = 1000 * (latency + duplex.delay / duplex.rate)
        yield block


class _Duplex:
    """What the audio thread calls: it takes a block from the microphone and gives one to hear.

    Attributes
    ----------
    blocks : queue.SimpleQueue
        The sound before and after; None at the end; an exception that was raised.
    delay : int
        Samples of the device by which what is heard lies behind what was taken.
    """

    def __init__(
        self,
        sounddevice: ModuleType,
        network: Network,
        aligned: AlignedStream,
        meters: Meters,
        rate: int,
    ):
        self.blocks: queue.SimpleQueue = queue.SimpleQueue()
        self.delay, self.rate = 0, rate
        self._abort = sounddevice.CallbackAbort
        self._aligned, self._meters = aligned, meters
        self._to_network = _resampler(rate, network.sample_rate, 1)
        self._to_device = _resampler(network.sample_rate, rate, network.sources)
        self._ready = np.zeros((0, network.sources), np.int16)
        self._bypassed = 0.0

    def callback(
        self, taken: np.ndarray, heard: np.ndarray, frames: int, _time: Any, status: Any
    ) -> None:
        """Process one block [shape=(frames, channels), dtype=int16], in the audio thread."""
        self._meters.xruns += any(getattr(status, name) for name in _XRUNS)
        try:
            sound = self._process(taken[:, :1])
            heard[:] = sound[:, np.arange(heard.shape[1]) % sound.shape[1]]
        except Exception as e:
            self.blocks.put(e)
            raise self._abort from e

    def _process(self, taken: np.ndarray) -> np.ndarray:
        before, after = self._aligned.process(self._to_network(taken)[:, 0])
        self.blocks.put((before, after))
        # A step from one sound to the other would be a click.
        share = np.linspace(self._bypassed, self._meters.bypass, len(before))[:, None]
        self._bypassed = share[-1, 0] if len(share) else self._bypassed
        sound = np.rint((1 - share) * after.T + share * before[:, None]).astype(np.int16)
        ready = np.concatenate([self._ready, self._to_device(sound)])
        if len(ready) < len(taken):  # a whole block of silence, so that it happens only at first
            self.delay += len(taken)
            ready = np.pad(ready, [(len(taken), 0), (0, 0)])
        sound, self._ready = np.split(ready, [len(taken)])
        return sound


def _resampler(given: int, wanted: int, channels: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of the next samples [shape=(n, channels), dtype=int16], and of its kind."""
    if given == wanted:
        return lambda pcm: pcm
    import soxr

    # LQ has the shortest filter.
    resampler = soxr.ResampleStream(given, wanted, channels, dtype="float32", quality="LQ")

    def resample(pcm: np.ndarray) -> np.ndarray:
        found = resampler.resample_chunk(pcm / np.float32(PCM_SCALE))
        return to_pcm(found).reshape(-1, channels)

    return resample


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ModuleNotFoundError as e:
        missing = missing_package(e)
        raise UserError(f"{missing}, {_FILES}") if isinstance(missing, UserError) else e from e
    except OSError as e:  # of sounddevice, when it does not find the library
        raise UserError(f"{e}; install PortAudio (apt install libportaudio2), {_FILES}") from e
    return sounddevice


@contextlib.contextmanager
def _device_errors(sounddevice: ModuleType) -> Iterator[None]:
    """Turn errors of a device into one line, and drop the lines that its driver prints."""
    failure = None
    with quiet():
        try:
            yield
        except (sounddevice.PortAudioError, ValueError) as e:
            failure = e
    if failure is not None:
        raise UserError(
            f"no microphone and headphones that can be used: {failure.args[0]}; connect them, "
            f"{_FILES}"
        ) from failure


def _choose_rate(sounddevice: ModuleType, wanted: int) -> tuple[int, int]:
    """Return the sample rate that both devices take, and the number of channels to hear."""
    with _device_errors(sounddevice):
        devices = [sounddevice.query_devices(kind=kind) for kind in ("output", "input")]
        channels = min(2, devices[0]["max_output_channels"])
        failure = None
        for rate in (wanted, *(round(device["default_samplerate"]) for device in devices)):
            try:
                sounddevice.check_input_settings(channels=1, dtype="int16", samplerate=rate)
                sounddevice.check_output_settings(channels=channels, dtype="int16", samplerate=rate)
                return rate, channels
            except sounddevice.PortAudioError as e:
                failure = e
        raise failure


@contextlib.contextmanager
def _pressed_keys() -> Iterator[Callable[[], str]]:
    """Yield a function that returns the keys pressed since its last call, without waiting."""
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()

    def pressed() -> str:
        ready, _, _ = select.select([terminal], [], [], 0)
        return os.read(terminal, 64).decode(errors="replace") if ready else ""

    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield pressed
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
