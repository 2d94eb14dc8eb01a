"""Process a sound file with a network."""

import contextlib
import tempfile
from pathlib import Path

from convert.run import audio_file
from groupcomm.console import err
from groupcomm.files import atomic_path
from groupcomm.network import load
from tf_model.signal import to_pcm


def separate(
    wav: Path,
    name: str,
    folder: Path,
    plot: Path | None = None,
    attenuation_limit_db: float | None = None,
) -> dict:
    """Process a sound file with the int8 network of a bundle in TFLM, hop by hop.

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

    Returns
    -------
    dict
        ``input``, ``bundle``, ``seconds``, ``conversions`` (what was done to the input, in words)
        and ``outputs`` (paths).

    Raises
    ------
    UserError
        For a file that cannot be used, a damaged bundle, or a folder that cannot be written;
        nothing is written then.
    """
    wav, folder = Path(wav), Path(folder)
    network = load(name)
    pcm, conversions = audio_file.read(wav, network.sample_rate)
    with err.status(f"process {wav}"):
        estimates = to_pcm(
            network.process(pcm, attenuation_limit_db=attenuation_limit_db)
        )  # (sources, samples)
    sources = (
        ["speech"] if network.sources == 1 else [f"speaker{i + 1}" for i in range(network.sources)]
    )
    names = [f"{wav.stem}_{source}.wav" for source in sources]
    with tempfile.TemporaryDirectory() as scratch:
        if plot:
            sounds = {wav.name: pcm} | dict(zip(names, estimates, strict=True))
            drawn = Path(scratch) / "plot.png"
            audio_file.plot_spectrograms(drawn, sounds, network.signal)
        with contextlib.ExitStack() as stack:  # all of them or none
            for file, estimate in zip(names, estimates, strict=True):
                audio_file.write(
                    stack.enter_context(atomic_path(folder / file)), estimate, network.sample_rate
                )
            if plot:
                stack.enter_context(atomic_path(Path(plot))).write_bytes(drawn.read_bytes())
    return {
        "input": str(wav),
        "bundle": str(network.path),
        "seconds": len(pcm) / network.sample_rate,
        "conversions": conversions,
        "outputs": [str(folder / file) for file in names],
    }
