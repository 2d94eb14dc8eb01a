"""Process a sound file with a network."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from convert.run import audio_file
from groupcomm.console import err
from groupcomm.errors import UserError
from groupcomm.files import atomic_path
from groupcomm.network import Network, load
from tf_model.signal import to_pcm

PLOT_SECONDS = 600  # a plot keeps all of the sound in memory


def separate(
    wav: Path,
    name: str,
    folder: Path,
    plot: Path | None = None,
    attenuation_limit_db: float | None = None,
    channel: int | None = None,
) -> dict:
    """Process a sound file with the int8 network of a bundle in TFLM, hop by hop.

    The file is read, processed and written in blocks: memory does not depend on its length.

    Parameters
    ----------
    wav : Path
        A sound file. Other formats than 16 kHz mono 16-bit PCM are converted first.
    name : str
        A bundle's name or folder.
    folder : Path
        Where the WAV files go, ``STEM_speech.wav`` or ``STEM_speaker1.wav`` and so on, as long as
        the input and aligned with it.
    plot : Path or None
        PNG file for the spectrograms of input and outputs.
    attenuation_limit_db : float or None
        See `groupcomm.Network.process`.
    channel : int or None
        See `convert.run.audio_file.opened`.

    Returns
    -------
    dict
        ``input``, ``bundle``, ``seconds``, ``conversions`` (what was done to the input, in words)
        and ``outputs`` (paths).

    Raises
    ------
    UserError
        For a file that cannot be used, a damaged bundle, a plot of a long file, or a folder that
        cannot be written; nothing is written then.
    """
    wav, folder = Path(wav), Path(folder)
    network = load(name)
    sources = (
        ["speech"] if network.sources == 1 else [f"speaker{i + 1}" for i in range(network.sources)]
    )
    names = [f"{wav.stem}_{source}.wav" for source in sources]
    drawn: list[np.ndarray] = []  # input and estimates of each block [shape=(1 + sources, samples)]
    with audio_file.opened(wav, network.sample_rate, channel) as recording:
        _check_length(wav, recording, plot)
        with contextlib.ExitStack() as stack:  # all of them or none
            stack.enter_context(err.status(f"process {wav}"))
            parts = [stack.enter_context(atomic_path(folder / file)) for file in names]
            picture = stack.enter_context(atomic_path(Path(plot))) if plot else None
            with contextlib.ExitStack() as files:
                outputs = [
                    files.enter_context(audio_file.writer(part, network.sample_rate))
                    for part in parts
                ]
                for pcm, estimates in _process(network, recording, attenuation_limit_db):
                    for output, estimate in zip(outputs, estimates, strict=True):
                        output.writeframes(estimate.astype("<i2").tobytes())
                    if plot:
                        drawn.append(np.concatenate([pcm[None], estimates]))
            if picture:
                sounds = zip([wav.name, *names], np.concatenate(drawn, axis=1), strict=True)
                audio_file.plot_spectrograms(picture, dict(sounds), network.signal)
        return {
            "input": str(wav),
            "bundle": str(network.path),
            "seconds": recording.samples / network.sample_rate,
            "conversions": recording.conversions,
            "outputs": [str(folder / file) for file in names],
        }


def _check_length(wav: Path, recording: audio_file.Recording, plot: Path | None) -> None:
    seconds, rate = recording.expected_seconds, recording.rate
    if seconds * rate * 2 > audio_file.MAX_WAV_BYTES:
        raise UserError(
            f"{wav}: {seconds / 3600:.0f} hours are more than a WAV file can hold "
            f"({audio_file.MAX_WAV_BYTES / rate / 7200:.0f} hours); divide it"
        )
    if plot and seconds > PLOT_SECONDS:
        raise UserError(
            f"--plot {plot}: {wav} has {seconds:.0f} s, and a plot at most {PLOT_SECONDS} s; "
            "leave it out or divide the file"
        )


def _process(
    network: Network, recording: audio_file.Recording, attenuation_limit_db: float | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield input [shape=(n,)] and estimates [shape=(sources, n)], aligned, both as int16."""
    stream = network.stream(attenuation_limit_db=attenuation_limit_db)
    front, _ = network.signal.padding(0)
    waiting = np.zeros(0, np.int16)  # less than a hop, which the network does not have
    delayed = np.zeros(0, np.int16)  # what the network has, and whose estimates it still keeps
    skip = front

    def run(x: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nonlocal delayed, skip
        estimates = to_pcm(stream.process(x))[:, skip:]
        skip -= min(skip, len(x))
        known, delayed = delayed[: estimates.shape[1]], delayed[estimates.shape[1] :]
        yield known, estimates[:, : len(known)]

    for block in recording.blocks():
        waiting, delayed = np.concatenate([waiting, block]), np.concatenate([delayed, block])
        whole = len(waiting) // network.hop * network.hop
        if whole:
            yield from run(waiting[:whole])
            waiting = waiting[whole:]
    _, back = network.signal.padding(recording.samples)
    yield from run(np.concatenate([waiting, np.zeros(back, np.int16)]))
