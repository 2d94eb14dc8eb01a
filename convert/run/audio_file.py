"""Read, convert, write and plot sound files."""

import contextlib
import stat
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from calibration_data.sound_file import SoundFile
from groupcomm.errors import UserError, missing_package
from tf_model import signal as sig

MAX_WAV_BYTES = 0xFFFFFFFF - 36  # of samples, in a header of 32 bits


class Recording:
    """A sound file that is read as mono 16-bit PCM of one rate, block by block.

    `opened` makes it.

    Attributes
    ----------
    rate : int
        Its sample rate, Hz.
    samples : int
        Number of samples at this rate that were read so far.
    """

    def __init__(self, path: Path, sound: SoundFile, rate: int):
        self._path, self._sound, self.rate = path, sound, rate
        self.samples = self._given = 0

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the samples [shape=(n,), dtype=int16], block by block.

        Yields
        ------
        np.ndarray

        Raises
        ------
        UserError
            When the file cannot be read, has a sample that is not finite, or has no sound.
        """
        given = self._sound.rate
        try:
            for mono in self._sound.blocks() if given == self.rate else self._resampled():
                self.samples += len(mono)
                yield sig.to_pcm(mono)
        except ValueError as e:
            raise UserError(f"{self._path}: {e}") from e
        if not self.samples:
            raise UserError(
                f"{self._path}: the file has no samples; name a WAV file with sound"
                if not self._given
                else f"{self._path}: {self._given} samples at {given} Hz are less than one sample "
                f"at {self.rate} Hz; name a longer file"
            )

    def _resampled(self) -> Iterator[np.ndarray]:
        given = self._sound.rate
        try:
            import soxr
        except ModuleNotFoundError as e:
            raise UserError(
                f"{self._path}: {given} Hz, the network runs at {self.rate} Hz, and "
                f"{missing_package(e)}"
            ) from e
        resampler = soxr.ResampleStream(given, self.rate, 1, dtype="float64", quality="VHQ")
        for mono in self._sound.blocks():
            self._given += len(mono)
            yield resampler.resample_chunk(mono)
        yield resampler.resample_chunk(np.zeros(0), last=True)

    @property
    def expected_seconds(self) -> float:
        """The length by the header of the file; 0 where it does not say."""
        frames = self._sound.frames
        return frames / self._sound.rate if frames < 1 << 48 else 0.0

    @property
    def conversions(self) -> list[str]:
        """What was done to the sound so far, in words; empty when nothing was."""
        sound = self._sound
        clipped = [f"{sound.clipped} samples beyond full scale clipped"] * bool(sound.clipped)
        words = [*filter(None, (sound.header, *clipped, sound.mix))]
        if sound.rate != self.rate:
            words.append(f"{sound.rate} Hz resampled to {self.rate} Hz")
        if sound.subtype != "PCM_16":
            words.append(f"{sound.subtype.replace('_', ' ')} to 16-bit PCM")
        return words


@contextlib.contextmanager
def opened(path: Path, rate: int, channel: int | None = None) -> Iterator[Recording]:
    """Open a sound file.

    Parameters
    ----------
    path : Path
        A file in any format that libsndfile reads; without soundfile, only WAV files of 16-bit PCM.
    rate : int
        Sample rate of the result, Hz.
    channel : int or None
        The channel to use, from 1; None: the mix of those that are not silent and do not cancel.

    Yields
    ------
    Recording

    Raises
    ------
    UserError
        When the file is missing, empty or not a sound file, or has no such channel.
    """
    path = Path(path)
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise UserError(f"{path}: is a folder; name one sound file in it")
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{path}: is not a file; name a WAV file")
        if found.st_size == 0:
            raise UserError(f"{path}: the file is empty; name a WAV file with sound")
        file = open(path, "rb")  # noqa: SIM115  closed below
    except FileNotFoundError as e:
        raise UserError(f"{path}: no such file; name a WAV file") from e
    except (OSError, ValueError) as e:  # a name with a null character is a ValueError
        reason = getattr(e, "strerror", None) or e
        raise UserError(f"{path}: cannot be read ({reason}); name a WAV file") from e
    with file:
        try:
            sound = SoundFile(file)
            sound.choose_channels(channel)
        except ValueError as e:
            raise UserError(f"{path}: {e}") from e
        yield Recording(path, sound, rate)


def read(path: Path, rate: int, channel: int | None = None) -> tuple[np.ndarray, list[str]]:
    """Read a sound file and convert it to mono 16-bit PCM.

    Parameters
    ----------
    path, rate, channel
        As for `opened`.

    Returns
    -------
    pcm : np.ndarray [shape=(samples,), dtype=int16]
    conversions : list of str
        Descriptions of the conversions; empty when there was none.

    Raises
    ------
    UserError
        As for `opened` and `Recording.blocks`.
    """
    with opened(path, rate, channel) as recording:
        pcm = np.concatenate(list(recording.blocks()))
        return pcm, recording.conversions


@contextlib.contextmanager
def writer(path: Path, rate: int, channels: int = 1) -> Iterator[wave.Wave_write]:
    """Yield a WAV file of 16-bit PCM, open for `wave.Wave_write.writeframes`."""
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        yield file


class Levels:
    """The levels of sound before and after a network, since they were last taken."""

    def __init__(self) -> None:
        self._parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])

    def add(self, before: np.ndarray, after: np.ndarray) -> None:
        """Add samples [shape=(n,), dtype=int16]."""
        self._parts[0].append(before)
        self._parts[1].append(after)

    def take(self) -> list[float]:
        """Return both levels, dBFS, and begin again; silence is -100 dBFS."""
        levels = []
        for part in self._parts:
            power = np.mean(np.square(np.concatenate(part) / sig.PCM_SCALE))
            levels.append(float(10 * np.log10(power + 1e-10)))
            part.clear()
        return levels


def plot_spectrograms(path: Path, sounds: dict[str, np.ndarray], signal: sig.Signal) -> None:
    """Plot the spectrograms of sounds one above the other.

    Parameters
    ----------
    path : Path
        The PNG file to write.
    sounds : dict of str to np.ndarray [shape=(samples,), dtype=int16]
        Sounds by title.
    signal : Signal
        Its window and hop are used.
    """
    _plot_rows(path, {title: {"": pcm} for title, pcm in sounds.items()}, signal, (10, 2.2))


def plot_table(path: Path, rows: dict[str, dict[str, np.ndarray]], signal: sig.Signal) -> None:
    """Plot the spectrograms of sounds as a table. All rows have the same columns.

    Parameters
    ----------
    path : Path
        The PNG file to write.
    rows : dict of str to dict of str to np.ndarray [shape=(samples,), dtype=int16]
        Sounds by row and by column.
    signal : Signal
        Its window and hop are used.
    """
    _plot_rows(path, rows, signal, (4.2, 1.8))


def _plot_rows(
    path: Path,
    rows: dict[str, dict[str, np.ndarray]],
    signal: sig.Signal,
    size: tuple[float, float],
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    # A network without STFT has frames that are too short for a spectrogram.
    signal = sig.Signal() if signal.waveform else signal
    columns = max(map(len, rows.values()))
    figure, axes = plt.subplots(
        len(rows),
        columns,
        figsize=(columns * size[0], len(rows) * size[1]),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for line, (name, sounds) in zip(axes, rows.items(), strict=True):
        for axis, (title, pcm) in zip(line, sounds.items(), strict=True):
            spectrum = sig.stft(pcm / np.float32(sig.PCM_SCALE), signal)
            level = 20 * np.log10(np.maximum(np.abs(spectrum), 1e-6)).T
            image = axis.imshow(
                level,
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=-60,
                vmax=30,
                extent=(0, len(pcm) / signal.sample_rate, 0, signal.sample_rate / 2000),
            )
            axis.set_title(f"{name}: {title}" if title else name, fontsize="medium")
        line[0].set(ylabel="kHz")
        figure.colorbar(image, ax=line[-1], label="dB")
    for axis in axes[-1]:
        axis.set(xlabel="s")
    figure.savefig(path, dpi=90, format="png")
    plt.close(figure)
