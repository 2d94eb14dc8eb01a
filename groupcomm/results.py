"""What the functions of the public API return: frozen dataclasses that become JSON."""

from __future__ import annotations

import dataclasses
from typing import Any


def _plain(value: Any) -> Any:
    if isinstance(value, _Result):
        return value.to_dict()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value


class _Result:
    """A frozen dataclass that becomes a dict.

    A field's metadata may name its ``key``; an ``optional`` field is left out when it is None.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return the dict that the command prints with ``--json``.

        Returns
        -------
        dict
            Of numbers, texts, lists and dicts. An optional field that is not set is left out.
        """
        found = {}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if value is not None or not field.metadata.get("optional"):
                found[field.metadata.get("key", field.name)] = _plain(value)
        return found


@dataclasses.dataclass(frozen=True)
class Interval(_Result):
    """A mean and its 95 % confidence interval, by bootstrap over the mixtures.

    Attributes
    ----------
    mean, low, high : float
    """

    mean: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Conversion(_Result):
    """A bundle that was written.

    Attributes
    ----------
    bundle : str
        Its folder.
    model_bytes : int
        Size of ``model.tflite``.
    arena_bytes : int
        Smallest tensor arena with which the official TFLM runs it on this machine.
    method : {"ptq", "qat"}
        Post-training quantization, or ranges from quantization-aware training.
    ranges : str
        How the ranges of activations were chosen.
    activations : int
        Bits of activations, 8 or 16.
    calibration_hops : int
        Hops of sound that the ranges were observed on.
    weights : int or None
        Bits of the weights of FULLY_CONNECTED, where they are not 8.
    """

    bundle: str
    model_bytes: int
    arena_bytes: int
    method: str
    ranges: str
    activations: int
    calibration_hops: int
    weights: int | None = dataclasses.field(default=None, metadata={"optional": True})


@dataclasses.dataclass(frozen=True)
class Training(_Result):
    """A training run.

    Attributes
    ----------
    best_step : int
        Step of the best validation score.
    sisdri_db : float
        SI-SDR improvement on the validation mixtures at that step, in dB.
    steps : int
        Steps that were done.
    stopped_early : bool
        Whether the run ended before the last step, because the score did not improve any more.
    checkpoint : str
        Folder of the best weights.
    """

    best_step: int
    sisdri_db: float
    steps: int
    stopped_early: bool
    checkpoint: str


@dataclasses.dataclass(frozen=True)
class Measure(_Result):
    """A quality measure over all mixtures for which it exists.

    Attributes
    ----------
    before, after : float or None
        Means of the mixtures and of the outputs; None when it exists for no mixture.
    improvement : Interval or None
    mixtures : int
        Number of mixtures for which it exists.
    """

    before: float | None = dataclasses.field(metadata={"key": "in"})
    after: float | None = dataclasses.field(metadata={"key": "out"})
    improvement: Interval | None
    mixtures: int


@dataclasses.dataclass(frozen=True)
class Group(_Result):
    """SI-SDR improvement of a group of mixtures, in dB.

    Attributes
    ----------
    mixtures : int
    mean, low, high : float
        The mean and its 95 % confidence interval.
    worst_twentieth : float
        Mean of the lowest 5 %.
    harm : float
        Share of the mixtures that are worse after processing, 0..1.
    """

    mixtures: int
    mean: float
    low: float
    high: float
    worst_twentieth: float
    harm: float


@dataclasses.dataclass(frozen=True)
class Evaluation(_Result):
    """Quality over the fixed mixtures of a split.

    Attributes
    ----------
    name : str
        Name of the network.
    runtime : str
        What ran it.
    corpus, split : str
    mixtures : int
    sisdr_in_db, sisdr_out_db : float
        Mean SI-SDR of the mixtures and of the outputs, in dB.
    sisdri_db : Interval
        SI-SDR improvement, in dB.
    worst_twentieth_db : float
        Mean SI-SDR improvement of the 5 % of the mixtures that improved least, in dB.
    harm : float
        Share of the mixtures that are worse after processing, 0..1.
    measures : dict of str to Measure
        ``sisdr`` and ``sdr`` (dB), ``pesq`` (PESQ-WB), ``stoi`` and ``estoi``.
    by : dict of str to dict of str to Group
        SI-SDR improvement by ``snr``, ``room``, ``disturbance``, ``noise``, ``speaker``, ``sexes``.
    worst : tuple of dict
        The mixtures that improved least: ``index``, ``sisdri_db`` and what they consist of.
    files : tuple of str or None
        Sound files of the worst mixtures, when they were asked for.
    """

    name: str
    runtime: str
    corpus: str
    split: str
    mixtures: int
    sisdr_in_db: float
    sisdr_out_db: float
    sisdri_db: Interval
    worst_twentieth_db: float
    harm: float
    measures: dict[str, Measure]
    by: dict[str, dict[str, Group]]
    worst: tuple[dict[str, Any], ...]
    files: tuple[str, ...] | None = dataclasses.field(default=None, metadata={"optional": True})

    @classmethod
    def of(cls, found: dict[str, Any]) -> Evaluation:
        """Make an evaluation from the dict that `tf_model.evaluation.evaluate.evaluate` returns.

        Parameters
        ----------
        found : dict
            With ``name``, ``runtime`` and ``corpus`` in addition.

        Returns
        -------
        Evaluation
        """

        def measure(one: dict) -> Measure:
            improvement = one["improvement"] and Interval(**one["improvement"])
            return Measure(one["in"], one["out"], improvement, one["mixtures"])

        return cls(
            **found
            | {
                "sisdri_db": Interval(**found["sisdri_db"]),
                "measures": {key: measure(one) for key, one in found["measures"].items()},
                "by": {
                    kind: {key: Group(**one) for key, one in groups.items()}
                    for kind, groups in found["by"].items()
                },
                "worst": tuple(found["worst"]),
                "files": tuple(found["files"]) if "files" in found else None,
            }
        )


@dataclasses.dataclass(frozen=True)
class RuntimeComparison(_Result):
    """One runtime against its reference.

    Attributes
    ----------
    name : str
    reference : str or None
        What it is compared with; None for the reference of the float runtimes.
    equal_bytes : float
        Share of equal output bytes, 0..1 (for float32 and int16: of equal values).
    max_steps : float
        Largest difference in steps of the output's quantization.
    snr_db : float or None
        SNR against the float network, in dB; None where there is no difference.
    """

    name: str
    reference: str | None
    equal_bytes: float
    max_steps: float
    snr_db: float | None


@dataclasses.dataclass(frozen=True)
class Parity(_Result):
    """The same sound in every runtime.

    Attributes
    ----------
    bundle : str
    hops, passes : int
        Hops of a pass, and the number of passes, with a reset between them.
    exact : bool
        Whether all implementations of the int8 network give the same bytes.
    streaming_difference : float
        Largest difference of a mask between the streaming and the sequence view in Keras.
    ok : bool
        `exact`, and that difference is within float32 rounding.
    runtimes : tuple of RuntimeComparison
    """

    bundle: str
    hops: int
    passes: int
    exact: bool
    streaming_difference: float
    ok: bool
    runtimes: tuple[RuntimeComparison, ...]
