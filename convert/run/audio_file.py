"""Read, convert, write and plot sound files."""

import wave
from pathlib import Path

import numpy as np

from groupcomm.errors import UserError, missing_package
from tf_model import signal as sig


def read(path: Path, rate: int) -> tuple[np.ndarray, list[str]]:
    """Read a sound file and convert it to mono 16-bit PCM.

    Parameters
    ----------
    path : Path
        A file in any format that libsndfile reads.
    rate : int
        Sample rate of the result, Hz.

    Returns
    -------
    pcm : np.ndarray [shape=(samples,), dtype=int16]
    conversions : list of str
        Descriptions of the conversions; empty when there was none.

    Raises
    ------
    UserError
        When the file is missing, empty or not a sound file, or has samples that are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; name a WAV file")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty; name a WAV file with sound")
    audio, given, subtype = _samples(path)
    channels = audio.shape[1]
    if not len(audio):
        raise UserError(f"{path}: the file has no samples; name a WAV file with sound")
    if not np.isfinite(audio).all():
        raise UserError(
            f"{path}: sample {int(np.argmin(np.isfinite(audio).all(1)))} is not a finite number; "
            "export it again"
        )
    conversions = []
    if missing := _missing_bytes(path):
        conversions.append(f"truncated: {missing} bytes of the header's length are missing")
    # Clipping precedes the mix to mono, in which large values would overflow.
    if clipped := int((np.abs(audio) > 1).any(1).sum()):
        conversions.append(f"{clipped} samples beyond full scale clipped")
        audio = np.clip(audio, -1, 1)
    if channels > 1:
        conversions.append(f"{channels} channels mixed to mono")
        audio = audio.mean(1, keepdims=True)
    mono = audio[:, 0]
    if given != rate:
        conversions.append(f"{given} Hz resampled to {rate} Hz")
        try:
            import soxr
        except ModuleNotFoundError as e:
            raise UserError(
                f"{path}: {given} Hz, the network runs at {rate} Hz, and {missing_package(e)}"
            ) from e
        mono = soxr.resample(mono, given, rate, quality="VHQ")
        if not len(mono):
            raise UserError(
                f"{path}: {len(audio)} samples at {given} Hz are less than one sample at {rate} "
                "Hz; name a longer file"
            )
    if subtype != "PCM_16":
        conversions.append(f"{subtype.replace('_', ' ')} to 16-bit PCM")
    return sig.to_pcm(mono), conversions


def _samples(path: Path) -> tuple[np.ndarray, int, str]:
    """Return samples [shape=(samples, channels), dtype=float64], sample rate (Hz) and subtype.

    The subtype is named as in soundfile. Without soundfile, only WAV files of 16-bit PCM can be
    read.
    """
    try:
        import soundfile
    except ModuleNotFoundError as missing:
        try:
            with wave.open(str(path)) as file:
                if file.getsampwidth() != 2:
                    raise wave.Error(f"{8 * file.getsampwidth()}-bit samples")
                pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
                return (
                    pcm.reshape(-1, file.getnchannels()) / sig.PCM_SCALE,
                    file.getframerate(),
                    "PCM_16",
                )
        except (wave.Error, EOFError, ValueError) as e:
            raise UserError(
                f"{path}: not a WAV file of 16-bit PCM ({e}); for other formats, "
                f"{missing_package(missing)}"
            ) from e
    try:
        with soundfile.SoundFile(path) as file:  # float64 represents 24-bit and 32-bit PCM exactly
            return file.read(dtype="float64", always_2d=True), file.samplerate, file.subtype
    except (
        soundfile.LibsndfileError,
        OSError,
        TypeError,
    ) as e:  # soundfile raises TypeError for headerless formats
        raise UserError(f"{path}: not a sound file that can be read ({e}); name a WAV file") from e


def write(path: Path, pcm: np.ndarray, rate: int) -> None:
    """Write a mono WAV file of 16-bit PCM.

    Parameters
    ----------
    path : Path
    pcm : np.ndarray [shape=(samples,), dtype=int16]
    rate : int
        Sample rate, Hz.
    """
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, len(pcm), "NONE", ""))
        file.writeframes(pcm.astype("<i2").tobytes())


def _missing_bytes(path: Path) -> int:
    """Return the bytes that a RIFF header announces beyond the end of the file.

    The result is 0 for other formats and for streams of unknown length.
    """
    with open(path, "rb") as f:
        mark, size = f.read(4), int.from_bytes(f.read(4), "little")
    return max(0, size + 8 - path.stat().st_size) if mark == b"RIFF" and size < 2**32 - 1 else 0


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
