"""A sound file through the C++ runner."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import soundfile

from convert import bundle, runner, sound
from groupcomm.console import err
from groupcomm.files import atomic_path


def separate(wav: Path, name: str, folder: Path, plot: Path | None = None) -> dict:
    """Separate a sound file with an int8 bundle in TFLM, hop by hop, in C++.

    Parameters
    ----------
    wav : a sound file; other than 16 kHz mono 16-bit PCM is converted first.
    name : a bundle's name or folder.
    folder : where the WAVs go, ``STEM_speech.wav`` or ``STEM_speaker1.wav`` and so on, as long as the input and aligned with it.
    plot : PNG of the spectrograms, if any.

    Returns
    -------
    dict with ``input``, ``bundle``, ``seconds``, ``conversions`` (what was done to the input, in words), ``outputs`` (paths).

    Raises
    ------
    UserError
        For a file that cannot be used, a damaged bundle, or a folder that cannot be written; nothing is written then.
    """
    opened = bundle.load(name)
    rate = opened.signal.sample_rate
    pcm, conversions = sound.read(wav, rate)
    with tempfile.TemporaryDirectory() as scratch, err.status(f"separate {wav}"):
        given = Path(scratch) / f"{Path(wav).stem}.wav"
        soundfile.write(given, pcm, rate, subtype="PCM_16")
        results = runner.separate_wav(opened, given, Path(scratch) / "out")
        finished = {Path(folder) / result.name: result for result in results}
        outputs = [str(path) for path in finished]
        if plot:
            sounds = {Path(wav).name: pcm} | {result.name: soundfile.read(result, dtype="int16")[0] for result in results}
            finished[Path(plot)] = Path(scratch) / "plot.png"
            sound.plot_spectrograms(finished[Path(plot)], sounds, opened.signal)
        with contextlib.ExitStack() as stack:  # all of them or none
            for path, made in finished.items():
                shutil.copyfile(made, stack.enter_context(atomic_path(path)))
    return {"input": str(wav), "bundle": str(opened.path), "seconds": len(pcm) / rate, "conversions": conversions, "outputs": outputs}
