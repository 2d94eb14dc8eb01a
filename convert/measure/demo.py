"""The demo: process the committed mixtures with an int8 network, score, check parity and plot."""

from pathlib import Path

import numpy as np
import soundfile

from calibration_data import clips
from calibration_data.mixing import mixer
from convert import bundle as bundles
from convert.run import audio_file, host_tools, separator
from convert.verify import parity
from groupcomm.console import progress
from groupcomm.files import atomic_path
from tf_model.evaluation import evaluate
from tf_model.signal import PCM_SCALE, to_pcm
from tf_model.training import checkpoint


def run_demo(name: str, checkpoint_name: str | None, folder: Path) -> dict:
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
    dict
        ``mixtures`` (``name``, ``sisdr_in_db``, ``sisdr_float_db``, ``sisdr_int8_db``), ``parity``
        (see `parity.parity`) and ``files`` (paths).

    Raises
    ------
    UserError
        When the bundle is damaged, or was not made from this checkpoint.
    """
    bundle = bundles.load(name)
    trained = checkpoint.load(checkpoint_name or bundle.name)
    parity.check_pair(bundle, trained)
    in_keras = separator.from_keras(trained)
    rate = bundle.signal.sample_rate
    rows, files, drawn = [], [], {}
    with progress() as bar:
        for demo in bar.track(clips.demo_mixtures(bundle.sources), description="demo mixtures"):
            pcm = to_pcm(demo.mixture)
            mixture = mixer.Mixture(
                demo.mixture, demo.references, demo.mixture - demo.references.sum(0), {}
            )
            scores, sounds = {}, {"mixture": pcm}
            for kind, made in (
                ("float", in_keras(demo.mixture)),
                ("int8", host_tools.separate_pcm(bundle, pcm)[2] / np.float32(PCM_SCALE)),
            ):
                scores[kind] = evaluate.score(0, mixture, made)
                sounds |= _named(kind, made)
            sounds |= _named("clean", demo.references)
            for kind, samples in sounds.items():
                with atomic_path(folder / f"{demo.name}_{kind}.wav") as part:
                    soundfile.write(part, samples, rate, subtype="PCM_16")
                files.append(str(folder / f"{demo.name}_{kind}.wav"))
            with atomic_path(folder / f"{demo.name}.png") as part:
                audio_file.plot_spectrograms(part, sounds, bundle.signal)
            files.append(str(folder / f"{demo.name}.png"))
            drawn[demo.name] = {
                kind: samples for kind, samples in sounds.items() if not kind.startswith("float")
            }
            after = {f"sisdr_{kind}_db": score.after["sisdr"] for kind, score in scores.items()}
            before = {"sisdr_in_db": scores["int8"].before["sisdr"]}
            rows.append({"name": demo.name} | before | after)
    with atomic_path(folder / "demo.png") as part:
        audio_file.plot_table(part, drawn, bundle.signal)
    files.append(str(folder / "demo.png"))
    return {"mixtures": rows, "parity": parity.parity(bundle, trained, hops=1000), "files": files}


def _named(kind: str, sounds: np.ndarray) -> dict[str, np.ndarray]:
    """Convert sounds [shape=(sources, samples), dtype=float32] to PCM, by name.

    The name is ``kind`` for one source, and ``kind_1``, ``kind_2`` for more.
    """
    names = [kind] if len(sounds) == 1 else [f"{kind}_{i + 1}" for i in range(len(sounds))]
    return dict(zip(names, map(to_pcm, sounds), strict=True))
