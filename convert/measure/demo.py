"""The demo: process the committed mixtures with an int8 network, score, check parity and plot."""

from pathlib import Path

import numpy as np
import soundfile

from convert import bundle as bundles
from convert.measure.demo_mixtures import Processed, process_mixtures
from convert.run import audio_file, host_tools, resolve, separator
from convert.verify import parity
from groupcomm.files import atomic_path
from tf_model.signal import PCM_SCALE, to_pcm
from tf_model.training import checkpoint


def run_demo(name: str, checkpoint_name: str | None, folder: Path) -> tuple[dict, list[Processed]]:
    """Process the demo mixtures in int8 and in float; write WAV files and spectrograms.

    ``demo.png`` shows all of them.

    Parameters
    ----------
    name : str
        The name or folder of a bundle.
    checkpoint_name : str or None
        The network that it was made from. None selects the committed one of the same name.
    folder : Path
        Where the files go.

    Returns
    -------
    result : dict
        ``mixtures`` (``name``, ``sisdr_in_db``, ``sisdr_float_db``, ``sisdr_int8_db``), ``parity``
        (see `parity.parity`) and ``files`` (paths).
    processed : list of Processed
        With the separators ``float`` and ``int8``.

    Raises
    ------
    UserError
        When the bundle is damaged, or was not made from this checkpoint.
    """
    bundle = bundles.load(name)
    trained = checkpoint.load(checkpoint_name or bundle.name)
    resolve.check_pair(bundle, trained)
    processed = process_mixtures(
        bundle.sources,
        {
            "float": separator.from_keras(trained),
            "int8": lambda x: host_tools.separate_pcm(bundle, to_pcm(x))[2] / np.float32(PCM_SCALE),
        },
    )
    rows = [
        {"name": one.name, "sisdr_in_db": one.before_db}
        | {f"sisdr_{kind}_db": score for kind, score in one.after_db.items()}
        for one in processed
    ]
    files = _write(processed, bundle, folder)
    found = parity.parity(bundle, trained, hops=1000)
    return {"mixtures": rows, "parity": found, "files": files}, processed


def _write(processed: list[Processed], bundle: bundles.Bundle, folder: Path) -> list[str]:
    """Write WAV files and spectrograms; return their paths."""
    files, drawn = [], {}
    for one in processed:
        for kind, samples in one.sounds.items():
            with atomic_path(folder / f"{one.name}_{kind}.wav") as part:
                soundfile.write(part, samples, bundle.signal.sample_rate, subtype="PCM_16")
            files.append(str(folder / f"{one.name}_{kind}.wav"))
        with atomic_path(folder / f"{one.name}.png") as part:
            audio_file.plot_spectrograms(part, one.sounds, bundle.signal)
        files.append(str(folder / f"{one.name}.png"))
        drawn[one.name] = {
            kind: samples for kind, samples in one.sounds.items() if not kind.startswith("float")
        }
    with atomic_path(folder / "demo.png") as part:
        audio_file.plot_table(part, drawn, bundle.signal)
    return [*files, str(folder / "demo.png")]
