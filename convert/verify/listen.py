"""Record what a board sends: the sound before and after its network.

The board's side is micro/parity/live.h.
"""

import contextlib
import dataclasses
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import serial

from convert.run import audio_file
from convert.verify import serial_link
from groupcomm.errors import UserError
from groupcomm.files import atomic_path

LIVE = ord("L")
_SIZES = struct.Struct("<IIIIHH")
SILENCE = 5.0  # seconds without a frame, after which a board is given up
REPORTS = 4  # per second


@dataclasses.dataclass(frozen=True)
class Hop:
    """One hop from a board.

    Attributes
    ----------
    number : int
        Counts from 0 and includes the hops that the board lost.
    lost : int
        Hops that the board lost so far, because its network was too slow.
    model_crc32, sample_rate : int
    before : np.ndarray [shape=(hop,), dtype=int16]
    after : np.ndarray [shape=(sources, hop), dtype=int16]
    """

    number: int
    lost: int
    model_crc32: int
    sample_rate: int
    before: np.ndarray
    after: np.ndarray

    @property
    def form(self) -> tuple[int, int, int, int]:
        """What all hops of one recording have in common."""
        return self.model_crc32, self.sample_rate, *self.after.shape


@dataclasses.dataclass
class Progress:
    """The state of a recording.

    Attributes
    ----------
    hops : int
        Length of the recording, hops.
    received : int
        Hops that arrived; silence stands for the others.
    lost : int
        Hops that the board lost, because its network was too slow.
    damaged : int
        Frames that were damaged on the line.
    before_db, after_db : float
        Levels since the last report, dBFS.
    """

    hops: int = 0
    received: int = 0
    lost: int = 0
    damaged: int = 0
    before_db: float = -np.inf
    after_db: float = -np.inf


def parse(payload: bytes) -> Hop | None:
    """Parse the payload of a frame of kind `LIVE`; None when its length is wrong."""
    if len(payload) < _SIZES.size:
        return None
    number, lost, crc, rate, hop, sources = _SIZES.unpack(payload[: _SIZES.size])
    if not hop or not sources or len(payload) != _SIZES.size + 2 * hop * (1 + sources):
        return None
    pcm = np.frombuffer(payload, "<i2", offset=_SIZES.size)
    return Hop(number, lost, crc, rate, pcm[:hop], pcm[hop:].reshape(sources, hop))


def listen(
    port: serial.Serial,
    folder: Path,
    *,
    seconds: float | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    silence: float = SILENCE,
) -> dict:
    """Record the sound before and after the network of a board as two WAV files.

    Ctrl-C ends a recording, and so does a board that disappears. What was recorded is kept.

    Parameters
    ----------
    port : serial.Serial
        An open port, see `serial_link.open_port`.
    folder : Path
        Gets ``before.wav`` (mono) and ``after.wav`` (one channel for each source).
    seconds : float or None
        Length of the recording; None: until Ctrl-C.
    report : callable
        Is called `REPORTS` times for each second of sound.
    silence : float
        Seconds without a hop, after which the board is given up.

    Returns
    -------
    dict
        ``files``, ``sample_rate``, ``model_crc32``, ``first_hop`` (the board's number of the first
        hop), ``seconds``, ``hops``, ``received``, ``lost`` and ``damaged``, as in `Progress`.

    Raises
    ------
    UserError
        When no hop arrives, the board changes its network, the port disappears, or a file cannot
        be written.
    """
    progress = Progress()
    hops = _hops(port, progress, silence)
    first = next(hops)
    size, rate = len(first.before), first.sample_rate
    most = None if seconds is None else max(1, round(seconds * rate / size))
    every = max(1, rate // size // REPORTS)
    files = [folder / "before.wav", folder / "after.wav"]
    failure = None
    with contextlib.ExitStack() as stack:
        parts = [stack.enter_context(atomic_path(file)) for file in files]
        before, after = (
            stack.enter_context(audio_file.writer(part, rate, channels))
            for part, channels in zip(parts, (1, len(first.after)), strict=True)
        )
        levels = audio_file.Levels()
        try:
            for hop in _in_order(first, hops, progress, most):
                before.writeframes(hop.before.tobytes())
                after.writeframes(np.ascontiguousarray(hop.after.T).tobytes())
                levels.add(hop.before, hop.after[0])
                if progress.hops % every == 0:
                    progress.before_db, progress.after_db = levels.take()
                    report(progress)
        except KeyboardInterrupt:
            pass
        except UserError as e:
            failure = e
    if failure is not None:
        kept = f"{progress.hops * size / rate:.2f} s are in {folder}"
        raise UserError(f"{failure}; the recording ended, {kept}") from failure
    return {
        "files": [str(file) for file in files],
        "sample_rate": rate,
        "model_crc32": first.model_crc32,
        "first_hop": first.number,
        "seconds": progress.hops * size / rate,
        **{key: getattr(progress, key) for key in ("hops", "received", "lost", "damaged")},
    }


def _in_order(
    first: Hop, hops: Iterator[Hop], progress: Progress, most: int | None
) -> Iterator[Hop]:
    """Yield every hop from the first one on, and silence for those that are missing."""
    silent = dataclasses.replace(
        first, before=np.zeros_like(first.before), after=np.zeros_like(first.after)
    )
    hop: Hop | None = first
    while hop is not None and (most is None or progress.hops < most):
        missing = hop.number - first.number - progress.hops
        if missing < 0:  # the board was reset: its count began again
            first = dataclasses.replace(first, number=hop.number - progress.hops)
            missing = 0
        for one in (*[silent] * missing, hop):
            if most is None or progress.hops < most:
                progress.hops += 1
                progress.received += one is hop
                progress.lost = hop.lost
                yield one
        hop = next(hops) if most is None or progress.hops < most else None


def _hops(port: serial.Serial, progress: Progress, silence: float) -> Iterator[Hop]:
    """Yield the hops that arrive undamaged."""
    link = serial_link.Link(port)
    form, last = None, time.monotonic()
    while True:
        frame = link.frame(0.2)
        found = serial_link.decode(frame) if frame else None
        hop = parse(found[2]) if found and found[0] == LIVE else None
        if hop is None:
            progress.damaged += bool(frame) and form is not None
            if time.monotonic() - last > silence:
                raise UserError(
                    f"{port.name}: no sound for {silence:g} s; check that this is the board's port "
                    "and that it runs the example EnhanceMicrophone"
                )
            continue
        form, last = form or hop.form, time.monotonic()
        if hop.form != form:
            raise UserError(
                f"{port.name}: the board changed its network during the recording; record again"
            )
        yield hop
