"""The demo: committed mixtures through the int8 network, scored, proven and drawn."""

from pathlib import Path

import numpy as np
import soundfile

from calibration_data import clips
from convert import bundle as bundles
from convert import parity, runner, separator, sound
from groupcomm.console import progress
from groupcomm.errors import UserError
from groupcomm.files import atomic_path
from tf_model import checkpoint
from tf_model.evaluate import si_sdr_db


def demonstrate(name: str, checkpoint_name: str | None, folder: Path) -> dict:
    """Separate the demo mixtures and write them, with what the float network makes of them, as WAVs and spectrograms.

    Parameters
    ----------
    name : an enhancement bundle's name or folder.
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
    if bundle.sources != 1:
        raise UserError(f"{bundle.path}: separates {bundle.sources} sources, the demo mixtures have one; name an enhancement bundle")
    in_keras = separator.from_keras(trained)
    rate = bundle.signal.sample_rate
    rows, files = [], []
    with progress() as bar:
        for demo in bar.track(clips.demo_mixtures(), description="demo mixtures"):
            pcm = bundles.to_pcm(demo.mixture)
            by_name = {
                "mixture": pcm,
                "float": bundles.to_pcm(in_keras(demo.mixture)[0]),
                "int8": runner.separate_pcm(bundle, pcm)[2][0],
                "clean": bundles.to_pcm(demo.reference),
            }
            for kind, samples in by_name.items():
                with atomic_path(folder / f"{demo.name}_{kind}.wav") as part:
                    soundfile.write(part, samples, rate, subtype="PCM_16")
                files.append(str(folder / f"{demo.name}_{kind}.wav"))
            with atomic_path(folder / f"{demo.name}.png") as part:
                sound.plot_spectrograms(part, by_name, bundle.signal)
            files.append(str(folder / f"{demo.name}.png"))
            scores = {kind: si_sdr_db(by_name[kind].astype(np.float32), demo.reference) for kind in ("mixture", "float", "int8")}
            rows.append({"name": demo.name, "sisdr_in_db": scores["mixture"],
                         "sisdr_float_db": scores["float"], "sisdr_int8_db": scores["int8"]})  # fmt: skip
    return {"mixtures": rows, "parity": parity.parity(bundle, trained, hops=1000), "files": files}
