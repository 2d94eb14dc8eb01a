"""Read sound files of any origin in blocks: damaged headers, and channels that are no use.

libsndfile reads the samples. Recorders that were killed, and programs that write to a pipe, leave
sizes in the header of a WAV file that are not those of the file. Such a header is corrected on the
fly, and what was found is said.
"""

from __future__ import annotations

import contextlib
import io
import os
import wave
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from groupcomm.errors import missing_package

RATES = (1000, 768_000)  # Hz; another rate is that of a damaged header
MAX_CHANNELS = 64  # above, the user names one
BLOCK = 1 << 17  # samples of all channels that are read at a time
_CHUNKS = 1000  # of a WAV file that are searched for the samples
_UNKNOWN = 0xFFFFFFFF
# Sizes that programs write which cannot go back to the header: sox 0x7ffff000, arecord 0x80000000,
# ffmpeg 0xffffffff; all of them more or less by the size of the header.
_STREAMED = (range(0x7FFFF000 - 256, 0x80000000 + 256), range(0xFFFFF000 - 256, 1 << 32))
_SILENT = 1e-4  # of the power of the loudest channel: 40 dB
_CANCELS = 0.05  # of the power that the mix of uncorrelated channels would have


class SoundFile:
    """A sound file that is open for reading, from its start.

    Parameters
    ----------
    file : BinaryIO
        Seekable, open for reading. The caller closes it.

    Attributes
    ----------
    rate : int
        Sample rate, Hz.
    channels : int
    subtype : str
        As soundfile names it, for example ``"PCM_16"``.
    frames : int
        Number of samples of a channel, by the header; formats without one may have any number.
    header, mix : str
        What is wrong with the header, and which channels are used; "" when there is nothing to say.
    clipped : int
        Samples beyond full scale so far; they are clipped.

    Raises
    ------
    ValueError
        When it is not a sound file, or its sample rate or its number of channels cannot be.
    """

    def __init__(self, file: BinaryIO):
        patches, self.header = _corrections(file)
        self.mix, self.clipped = "", 0
        self._file = _Patched(file, patches) if patches else file
        self._used: list[int] | None = None
        with _reading():
            self._open()
        low, high = RATES
        if not low <= self.rate <= high:
            raise ValueError(
                f"its header says {self.rate} Hz, and a sample rate is {low} to {high} Hz; "
                "correct the header"
            )

    def _open(self) -> None:
        self._file.seek(0)
        try:
            import soundfile
        except ModuleNotFoundError as missing:
            self._sound = _PlainWave(self._file, missing)
        else:
            self._sound = soundfile.SoundFile(self._file)
        self.rate, self.channels = self._sound.samplerate, self._sound.channels
        self.subtype, self.frames = self._sound.subtype, self._sound.frames

    def choose_channels(self, channel: int | None = None) -> None:
        """Choose which channels are mixed to mono: all but silent ones, unless they cancel.

        It reads the file, and begins it again.

        Parameters
        ----------
        channel : int or None
            The only channel to use, from 1.

        Raises
        ------
        ValueError
            When there is no such channel, there are too many to choose from, or the file cannot be
            read.
        """
        count = self.channels
        if channel is not None and not 1 <= channel <= count:
            raise ValueError(f"--channel {channel}: it has {_counted(count)}; use 1 to {count}")
        if channel is None and count > MAX_CHANNELS:
            raise ValueError(f"it has {_counted(count)}; name one with --channel")
        if count == 1:
            return
        if channel is None:
            self._used, self.mix = _useful(self._covariance())
            with _reading():
                self._open()
        else:
            self._used, self.mix = [channel - 1], f"channel {channel} of {count} taken"

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the sound as mono [shape=(samples,), dtype=float64] in -1..1, block by block.

        Yields
        ------
        np.ndarray

        Raises
        ------
        ValueError
            When a sample is not a finite number, or the file cannot be read.
        """
        at = 0
        for block in self._read():
            if not np.isfinite(block).all():
                first = at + int(np.argmin(np.isfinite(block).all(1)))
                raise ValueError(f"sample {first} is not a finite number; export it again")
            at += len(block)
            # Clipping precedes the mix to mono, in which large values would overflow.
            if clipped := int((np.abs(block) > 1).any(1).sum()):
                self.clipped += clipped
                block = np.clip(block, -1, 1)
            yield (block if self._used is None else block[:, self._used]).mean(1)

    def read_float32(self) -> np.ndarray:
        """Read all of the sound [shape=(samples, channels), dtype=float32], as it is."""
        blocks = list(self._read("float32"))
        return np.concatenate(blocks) if blocks else np.zeros((0, self.channels), np.float32)

    def _read(self, dtype: str = "float64") -> Iterator[np.ndarray]:
        """Yield blocks [shape=(samples, channels)]."""
        frames = max(1, BLOCK // self.channels)
        while True:
            with _reading():
                # float64 represents 24-bit and 32-bit PCM exactly. The number of frames is given,
                # which formats that cannot seek (GSM) need.
                block = self._sound.read(frames, dtype=dtype, always_2d=True)
            if not len(block):
                return
            yield block

    def _covariance(self) -> np.ndarray:
        """Return the covariance of the channels [shape=(channels, channels), dtype=float64]."""
        count, total = 0, np.zeros(self.channels)
        products = np.zeros((self.channels, self.channels))
        for block in self._read():
            block = np.clip(np.nan_to_num(block), -1, 1)
            count, total = count + len(block), total + block.sum(0)
            products += block.T @ block
        mean = total / max(1, count)
        return products / max(1, count) - np.outer(mean, mean)


def cancelling(covariance: np.ndarray, channels: list[int] | None = None) -> tuple[int, str]:
    """Find out whether channels cancel when they are mixed.

    Parameters
    ----------
    covariance : np.ndarray [shape=(channels, channels)]
    channels : list of int or None
        Which are mixed, from 0; None: all.

    Returns
    -------
    loudest : int
        The loudest channel, from 0.
    words : str
        What to say; "" when they do not cancel.
    """
    power, count = np.diag(covariance), len(covariance)
    loudest, used = int(np.argmax(power)), channels or list(range(count))
    mixed = covariance[np.ix_(used, used)].sum()
    if len(used) == 1 or not mixed < _CANCELS * power[used].sum():
        return loudest, ""
    return loudest, (
        f"{_counted(count)}: {_listed(used)} cancel when mixed (opposite phase); "
        f"channel {loudest + 1} taken"
    )


def _useful(covariance: np.ndarray) -> tuple[list[int], str]:
    """Return the channels to mix, from 0, and what to say about it."""
    power, count = np.diag(covariance), len(covariance)
    used = [i for i in range(count) if power[i] > _SILENT * power.max()] or list(range(count))
    loudest, words = cancelling(covariance, used)
    if words:
        return [loudest], words
    if len(used) == count:
        return used, f"{_counted(count)} mixed to mono"
    silent = [i for i in range(count) if i not in used]
    return used, (
        f"{_counted(count)}: {_listed(silent)} {'are' if silent[1:] else 'is'} silent; "
        f"{_listed(used)} {'mixed to mono' if used[1:] else 'taken'}"
    )


def _counted(channels: int) -> str:
    return f"{channels} channel{'s' * (channels > 1)}"


def _listed(channels: list[int]) -> str:
    numbers = ", ".join(str(channel + 1) for channel in channels)
    return f"channel{'s' * (len(channels) > 1)} {numbers}"


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Turn whatever a library raises about a file into a ValueError."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as e:
        reason = getattr(e, "error_string", None) or e
        raise ValueError(f"not a sound file that can be read ({reason}); name a WAV file") from e


class _PlainWave:
    """Reads WAV files of 16-bit PCM without soundfile, with the interface of its SoundFile."""

    subtype = "PCM_16"

    def __init__(self, file: BinaryIO, missing: ModuleNotFoundError):
        try:
            self._wave = wave.open(file)  # noqa: SIM115  the caller closes the file
            if self._wave.getsampwidth() != 2:
                raise wave.Error(f"{8 * self._wave.getsampwidth()}-bit samples")
        except (wave.Error, EOFError) as e:
            raise ValueError(
                f"{e}; it is not a WAV file of 16-bit PCM, and for other formats, "
                f"{missing_package(missing)}"
            ) from e
        self.samplerate, self.channels = self._wave.getframerate(), self._wave.getnchannels()
        self.frames = self._wave.getnframes()

    def read(self, frames: int, dtype: str, always_2d: bool) -> np.ndarray:
        """Read [shape=(frames, channels)]; fewer at the end."""
        content = self._wave.readframes(frames)
        whole = len(content) // (2 * self.channels) * 2 * self.channels
        pcm = np.frombuffer(content[:whole], "<i2").reshape(-1, self.channels)
        return pcm.astype(dtype) / np.dtype(dtype).type(32768)


class _Patched(io.RawIOBase):
    """A file some of whose bytes read as others."""

    def __init__(self, file: BinaryIO, patches: dict[int, bytes]):
        self._file, self._patches = file, patches

    def readinto(self, buffer) -> int:
        """Read as `io.RawIOBase` does."""
        start = self._file.tell()
        content = bytearray(self._file.read(len(buffer)))
        for at, patch in self._patches.items():
            low, high = max(at, start), min(at + len(patch), start + len(content))
            if low < high:
                content[low - start : high - start] = patch[low - at : high - at]
        buffer[: len(content)] = content
        return len(content)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position in the file."""
        return self._file.tell()


def _corrections(file: BinaryIO) -> tuple[dict[int, bytes], str]:
    """Compare the sizes in a WAV header with the file.

    Returns
    -------
    patches : dict of int to bytes
        What the header should be, by position.
    note : str
        What is wrong with it; "" when nothing is.
    """
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
        return {}, ""
    riff, large, at = int.from_bytes(head[4:8], "little"), 0, 12
    for _ in range(_CHUNKS):
        file.seek(at)
        chunk = file.read(8)
        if len(chunk) < 8:
            return {}, ""
        size, start = int.from_bytes(chunk[4:], "little"), at + 8
        if chunk[:4] == b"ds64":
            large = start
        if chunk[:4] == b"data":
            break
        at = start + size + size % 2
    else:
        return {}, ""
    present = end - start
    is_64_bit = large > 0 and size == _UNKNOWN
    if is_64_bit:
        file.seek(large)
        riff, size = (int.from_bytes(file.read(8), "little") for _ in range(2))
    note = _judge(riff, size, start, present, is_64_bit)
    if not note or note.startswith("truncated"):
        return {}, note
    if is_64_bit:
        return {
            large: (end - 8).to_bytes(8, "little"),
            large + 8: present.to_bytes(8, "little"),
        }, note
    sizes = [min(n, _UNKNOWN).to_bytes(4, "little") for n in (end - 8, present)]
    return {4: sizes[0], start - 4: sizes[1]}, note


def _judge(riff: int, size: int, start: int, present: int, is_64_bit: bool) -> str:
    """Say what is wrong with the sizes of a WAV file.

    Parameters
    ----------
    riff, size : int
        Bytes of the file and of the samples, by the header.
    start, present : int
        Where the samples begin, and the bytes from there to the end of the file.
    is_64_bit : bool
        Whether the sizes have 64 bits.
    """
    # The second: a header that was written before the first sample.
    if size == 0 and present and (riff == 0 or riff + 8 <= start):
        return f"unfinished header (length 0): all {present} bytes of sound read"
    if size <= present:
        return ""
    streamed = size >= 1 << 62 if is_64_bit else any(size in sizes for sizes in _STREAMED)
    if streamed:
        return "length unknown (streamed header): read to the end of the file"
    return f"truncated: {size - present} bytes of the header's length are missing"
