"""The demo: committed mixtures through the int8 network, scored, proven and drawn."""

from pathlib import Path

import numpy as np
import soundfile

from calibration_data import clips, mixer
from convert import bundle as bundles
from convert import parity, runner, separator, sound
from groupcomm.console import progress
from groupcomm.files import atomic_path
from tf_model import checkpoint, evaluate
from tf_model.signal import PCM_SCALE


def run_demo(name: str, checkpoint_name: str | None, folder: Path) -> dict:
    """Separate the demo mixtures and write them, with what the float network makes of them, as WAVs and spectrograms; all in ``demo.png``.

    Parameters
    ----------
    name : a bundle's name or folder.
    checkpoint_name : the network it was made from; None: the committed one of its name.
    folder : where the files go.

    Returns
    -------
    dict with ``mixtures`` (``name``, ``sisdr_in_db``, ``sisdr_float_db``, ``sisdr_int8_db``), ``parity`` (see `parity.parity`) and
    ``files`` (paths).
    """
    bundle = bundles.load(name)
    trained = checkpoint.load(checkpoint_name or bundle.name)
    parity.check_pair(bundle, trained)
    in_keras = separator.from_keras(trained)
    rate = bundle.signal.sample_rate
    rows, files, drawn = [], [], {}
    with progress() as bar:
        for demo in bar.track(clips.demo_mixtures(bundle.sources), description="demo mixtures"):
            pcm = bundles.to_pcm(demo.mixture)
            mixture = mixer.Mixture(demo.mixture, demo.references, demo.mixture - demo.references.sum(0), {})
            scores, sounds = {}, {"mixture": pcm}
            for kind, made in (("float", in_keras(demo.mixture)), ("int8", runner.separate_pcm(bundle, pcm)[2] / np.float32(PCM_SCALE))):
                scores[kind] = evaluate.score(0, mixture, made)
                sounds |= _named(kind, made)
            sounds |= _named("clean", demo.references)
            for kind, samples in sounds.items():
                with atomic_path(folder / f"{demo.name}_{kind}.wav") as part:
                    soundfile.write(part, samples, rate, subtype="PCM_16")
                files.append(str(folder / f"{demo.name}_{kind}.wav"))
            with atomic_path(folder / f"{demo.name}.png") as part:
                sound.plot_spectrograms(part, sounds, bundle.signal)
            files.append(str(folder / f"{demo.name}.png"))
            drawn[demo.name] = {kind: samples for kind, samples in sounds.items() if not kind.startswith("float")}
            rows.append({"name": demo.name, "sisdr_in_db": scores["int8"].before["sisdr"],
                         **{f"sisdr_{kind}_db": scores[kind].after["sisdr"] for kind in scores}})  # fmt: skip
    with atomic_path(folder / "demo.png") as part:
        sound.plot_table(part, drawn, bundle.signal)
    files.append(str(folder / "demo.png"))
    return {"mixtures": rows, "parity": parity.parity(bundle, trained, hops=1000), "files": files}


def _named(kind: str, several: np.ndarray) -> dict[str, np.ndarray]:
    """Sounds [shape=(sources, samples), float32] as PCM by name: ``kind``, or ``kind_1``, ``kind_2`` where there are more."""
    names = [kind] if len(several) == 1 else [f"{kind}_{i + 1}" for i in range(len(several))]
    return dict(zip(names, map(bundles.to_pcm, several), strict=True))
