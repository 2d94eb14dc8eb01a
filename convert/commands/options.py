"""Arguments and options that several commands share."""

from typing import Annotated, Literal

import typer

from tf_model.commands import MAX_MIXTURES, complete_checkpoint, complete_corpus

RangesMethod = Literal[
    "min-max", "percentile", "error"
]  # convert.quantization.calibration.Method, which needs NumPy
Core = Literal["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"]


def complete_bundle(incomplete: str) -> list[str]:
    """Complete the name or the folder of a bundle in a shell."""
    from convert import bundle

    return [
        name for name in (*bundle.names(), *map(str, bundle.own())) if name.startswith(incomplete)
    ]


def complete_board(incomplete: str) -> list[str]:
    """Complete the name of a board in a shell."""
    from convert import boards

    return [name for name in boards.boards() if name.startswith(incomplete)]


def _complete_any(incomplete: str) -> list[str]:
    return [*complete_bundle(incomplete), *complete_checkpoint(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
BundleName = Annotated[
    str,
    typer.Argument(
        metavar="BUNDLE",
        help="Name (`groupcomm list`) or folder of a bundle.",
        autocompletion=complete_bundle,
    ),
]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="BUNDLE|MODEL.tflite",
        help="Name (`groupcomm list`) or folder of a bundle, or any integer .tflite.",
        autocompletion=complete_bundle,
    ),
]
BundleOption = Annotated[
    str,
    typer.Option("--bundle", help="Name or folder of a bundle.", autocompletion=complete_bundle),
]
NetworkName = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="A trained network: its name (`groupcomm list`), its run or its folder.",
        autocompletion=complete_checkpoint,
    ),
]
AnyName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="Name or folder of a bundle, or of a trained network or its run.",
        autocompletion=_complete_any,
    ),
]
Split = Annotated[
    Literal["validation", "test", "test-2026-11"],
    typer.Option(
        help="Which speakers and noises. test-2026-11: the test split, with its mixtures, of "
        "versions before 0.2."
    ),
]
RuntimeOption = Annotated[
    Literal["tflm", "keras"] | None,
    typer.Option(
        "--runtime",
        help="tflm: int8 in the official TFLM, the default for a bundle. keras: float32, the "
        "default "
        "for a trained network that is not also a bundle.",
    ),
]
CorpusOption = Annotated[
    str | None,
    typer.Option(
        "--corpus",
        help="Name of a corpus that `groupcomm data` built; by default that of the training.",
        autocompletion=complete_corpus,
    ),
]
CheckpointOption = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        help="The trained network that the bundle was made from; found by its checksum by default.",
        autocompletion=complete_checkpoint,
    ),
]
Mixtures = Annotated[int, typer.Option(min=2, max=MAX_MIXTURES, help="Number of mixtures of 4 s.")]
