"""The hyperparameters of a training run. This module does not import TensorFlow."""

import dataclasses
import math
from typing import Literal

from calibration_data import corpus as corpora
from groupcomm.errors import UserError

_LOWEST = {"steps": 1, "batch": 1, "validate_every": 1, "patience": 1, "validation_mixtures": 1}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training run.

    Parameters
    ----------
    steps : int
        Optimizer steps. The learning rate rises over the first 2 % of the steps, and then decays by
        a cosine to 1 % of its peak.
    batch : int
        Mixtures per step, of all replicas together.
    seconds : float
        Length of a training mixture, s.
    learning_rate : float
        Peak of the learning rate.
    optimizer : str
        "soap" (`tf_model.training.soap`) or "adam". Recipes without this field, written by earlier
        versions, mean "adam".
    seed : int
        Seed of the weights and of all mixtures.
    validate_every : int
        Steps between validations. Each validation saves the state.
    validation_mixtures : int
        Number of mixtures of 4 s in the validation set, which is fixed.
    patience : int
        Validations without improvement before the run stops.
    corpus : str
        Name of the corpus (`groupcomm data`).
    objective : str
        "snr" constrains the level of the estimates. "si-sdr" does not, and escapes sooner from the
        plateau in which a separation network outputs the louder speaker and silence. "spectral" is
        the mean of the SNR and of the SNR of compressed spectra. "perceptual" adds
        approximations of PESQ and eSTOI to it (`tf_model.training.perceptual`).
    rooms : float
        Share of the training mixtures in a simulated room (see `mixer.MixtureSpec`). It must be 0
        with ``noise="wide"``, which includes rooms.
    noise : str
        Conditions of the training mixtures. "recorded": recorded noises as they are. "varied": also
        much faster and slower noises, more often two at once, and synthetic ones (`mixer.VARIED`).
        "wide": SNR, levels, rooms, microphones and noises as devices meet them (`mixer.WIDE`).
    ceiling : float
        Soft ceiling of the objective, dB. A lower ceiling gives noisy mixtures more weight.
    harm : float
        Weight of a penalty of 1 dB for each dB by which an estimate is worse than the mixture; 0:
        no penalty.
    start : str
        Trained network (name or folder) whose weights initialize the run; "": random weights. It
        has the same sizes, or no bottleneck, or more hidden units; of those, the units with the
        largest outgoing weights are kept.
    ranges : str
        In quantization-aware training, the method that initializes the ranges of the activations;
        "" in float training.
    weights : int
        In quantization-aware training, the bits of the weights of FULLY_CONNECTED.
    keep : int
        Number of parameters that remain; the others are pruned in the first half of the steps (see
        `tf_model.training.pruning`). 0: no pruning.

    Raises
    ------
    UserError
        When a number is not finite, or below its lowest value.
    """

    steps: int = 8000
    batch: int = 24
    seconds: float = 2.5
    learning_rate: float = 2e-3
    optimizer: Literal["adam", "soap"] = "adam"
    seed: int = 0
    validate_every: int = 250
    validation_mixtures: int = 256
    patience: int = 12
    corpus: str = corpora.DEFAULT
    objective: Literal["snr", "si-sdr", "spectral", "perceptual"] = "snr"
    rooms: float = 0.0
    noise: Literal["recorded", "varied", "wide"] = "recorded"
    ceiling: float = 30.0
    harm: float = 0.0
    start: str = ""
    ranges: str = ""
    weights: int = 8
    keep: int = 0

    def __post_init__(self) -> None:
        """Check that every number is finite and within its limits."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            low = _LOWEST.get(field.name, 0)
            if field.type in (int, float) and not low <= value < math.inf:
                raise UserError(
                    f"{field.name} {value}: not a finite number of at least {low}; correct it"
                )
            if field.type is int and value >= 1 << 32:
                raise UserError(f"{field.name} {value}: must be below 2^32")
