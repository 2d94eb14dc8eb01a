"""Process a sound file with a network."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from convert.run import audio_file
from groupcomm.console import step
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
        check_length(wav, recording, plot)
        with contextlib.ExitStack() as stack:  # all of them or none
            shown = stack.enter_context(step(f"process {wav}", recording.expected_seconds or None))
            parts = [stack.enter_context(atomic_path(folder / file)) for file in names]
            picture = stack.enter_context(atomic_path(Path(plot))) if plot else None
            with contextlib.ExitStack() as files:
                outputs = [
                    files.enter_context(audio_file.writer(part, network.sample_rate))
                    for part in parts
                ]
                aligned = AlignedStream(network, attenuation_limit_db)
                for pcm, estimates in aligned.process_all(recording.blocks()):
                    shown.advance(len(pcm) / network.sample_rate)
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


def check_length(wav: Path, recording: audio_file.Recording, plot: Path | None = None) -> None:
    """Refuse a recording that is too long for a WAV file or for a plot, before the work.

    Raises
    ------
    UserError
    """
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


class AlignedStream:
    """A stream that takes blocks of any length, and gives its input beside the estimates.

    Both are at the same position: the input comes back as late as the estimates.

    Parameters
    ----------
    network : Network
    attenuation_limit_db : float or None
        See `groupcomm.Network.process`.
    """

    def __init__(self, network: Network, attenuation_limit_db: float | None = None):
        self._stream = network.stream(attenuation_limit_db=attenuation_limit_db)
        self._hop, self._signal = network.hop, network.signal
        self._samples = 0
        self._skip = network.latency  # estimates of the zeros that precede the sound
        self._waiting = np.zeros(0, np.int16)  # less than a hop, which the network does not have
        self._delayed = np.zeros(0, np.int16)  # the input whose estimates are not known
        self._nothing = np.zeros((network.sources, 0), np.int16)

    def process(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Process the next samples.

        Parameters
        ----------
        block : np.ndarray [shape=(samples,), dtype=int16]

        Returns
        -------
        before : np.ndarray [shape=(n,), dtype=int16]
            The next samples of the input whose estimates are known; there may be none.
        after : np.ndarray [shape=(sources, n), dtype=int16]
            Their estimates.
        """
        self._samples += len(block)
        self._delayed = np.concatenate([self._delayed, block])
        return self._run(block)

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what remains, as `process` does."""
        _, back = self._signal.padding(self._samples)
        return self._run(np.zeros(back, np.int16))

    def process_all(self, blocks: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Process all of a sound; the results together are as long as it is."""
        for block in blocks:
            yield self.process(block)
        yield self.finish()

    def _run(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = np.concatenate([self._waiting, block])
        whole = len(x) // self._hop * self._hop
        x, self._waiting = x[:whole], x[whole:]
        estimates = to_pcm(self._stream.process(x)) if whole else self._nothing
        estimates = estimates[:, self._skip :]
        self._skip -= min(self._skip, whole)
        before, self._delayed = np.split(self._delayed, [estimates.shape[1]])
        return before, estimates[:, : len(before)]
