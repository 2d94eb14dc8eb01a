"""Mixtures, processed and scored by any separators. This module needs no TensorFlow."""

import dataclasses
from collections.abc import Callable

import numpy as np

from calibration_data import clips
from calibration_data.mixing import mixer
from groupcomm.console import step
from tf_model.evaluation import evaluate
from tf_model.signal import to_pcm


@dataclasses.dataclass(frozen=True)
class Processed:
    """A mixture, processed and scored.

    Attributes
    ----------
    name : str
    sounds : dict of str to np.ndarray [shape=(samples,), dtype=int16]
        ``mixture``, the output of every separator by its name, and ``clean``; with two speakers
        ``NAME_1``, ``NAME_2`` in the order of the clean speech.
    before_db : float
        SI-SDR of the mixture.
    after_db : dict of str to float
        SI-SDR of the output of every separator.
    """

    name: str
    sounds: dict[str, np.ndarray]
    before_db: float
    after_db: dict[str, float]


def process_mixtures(
    sources: int, separators: dict[str, Callable[[np.ndarray], np.ndarray]]
) -> list[Processed]:
    """Process and score the demo mixtures.

    Parameters
    ----------
    sources : int
        Number of sources that the separators output.
    separators : dict of str to callable
        Separators as in `convert.run.separator`, by name.

    Returns
    -------
    list of Processed
    """
    demos = list(clips.demo_mixtures(sources))
    with step("process the demo mixtures", len(demos)) as shown:
        return [
            process(
                demo.name,
                mixer.Mixture(
                    demo.mixture, demo.references, demo.mixture - demo.references.sum(0), {}
                ),
                separators,
            )
            for demo in shown.track(demos)
        ]


def process(
    name: str, mixture: mixer.Mixture, separators: dict[str, Callable[[np.ndarray], np.ndarray]]
) -> Processed:
    """Process and score a mixture.

    Parameters
    ----------
    name : str
        Name of the mixture.
    mixture : mixer.Mixture
    separators : dict of str to callable
        As for `process_mixtures`.

    Returns
    -------
    Processed
    """
    sounds, after_db = {"mixture": to_pcm(mixture.mixture)}, {}
    for kind, separate in separators.items():
        made = evaluate.in_best_order(separate(mixture.mixture), mixture.sources)
        score = evaluate.score(0, mixture, made)
        after_db[kind] = score.after["sisdr"]
        sounds |= _named(kind, made)
    sounds |= _named("clean", mixture.sources)
    return Processed(name, sounds, score.before["sisdr"], after_db)


def _named(kind: str, sounds: np.ndarray) -> dict[str, np.ndarray]:
    """Convert sounds [shape=(sources, samples), dtype=float32] to PCM, by name.

    The name is ``kind`` for one source, and ``kind_1``, ``kind_2`` for more.
    """
    names = [kind] if len(sounds) == 1 else [f"{kind}_{i + 1}" for i in range(len(sounds))]
    return dict(zip(names, map(to_pcm, sounds), strict=True))
