"""The commands that train networks."""

import textwrap
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer import core

from groupcomm.console import line, new_table, note, out, report
from groupcomm.errors import UserError
from groupcomm.files import output_folder

MAX_MIXTURES = 100_000  # 111 hours of mixtures of 4 s
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def complete_network(incomplete: str) -> list[str]:
    """Complete the name of a network in a shell."""
    from tf_model import networks

    return [name for name in networks.NETWORKS if name.startswith(incomplete)]


def complete_corpus(incomplete: str) -> list[str]:
    """Complete the name of a corpus in a shell."""
    from calibration_data import corpus

    return [name for name in corpus.names() if name.startswith(incomplete)]


def complete_checkpoint(incomplete: str) -> list[str]:
    """Complete the name of a checkpoint or the folder of a run in a shell."""
    from tf_model.training import checkpoint

    known = [*checkpoint.names(), *map(str, checkpoint.runs())]
    return [name for name in known if name.startswith(incomplete)]


class _WithNetworks(core.TyperCommand):
    """A command whose help ends with the names of all networks."""

    def format_epilog(self, ctx, formatter) -> None:
        from tf_model import networks

        with formatter.section("Networks"):
            names = textwrap.fill(", ".join(networks.NETWORKS), 76, break_on_hyphens=False)
            formatter.write(textwrap.indent(names, "  ") + "\n")


# Options of `train`: the fields of the recipe, and where the network comes from.
RunFolder = Annotated[
    Path | None,
    typer.Option(
        "--out", callback=output_folder, help="Folder of the run; by default build/train/NETWORK."
    ),
]
Steps = Annotated[int, typer.Option(min=1, help="Optimizer steps.")]
Batch = Annotated[int, typer.Option(min=1, max=MAX_MIXTURES, help="Mixtures per step.")]
Seconds = Annotated[float, typer.Option(min=0.1, max=60, help="Length of a training mixture, s.")]
LearningRate = Annotated[float, typer.Option(min=0.0, help="Peak of the learning rate.")]
Optimizer = Annotated[Literal["soap", "adam"], typer.Option(help="Optimizer.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of weights and mixtures.")]
ValidateEvery = Annotated[
    int, typer.Option(min=1, help="Steps between validations and saved states.")
]
ValidationMixtures = Annotated[
    int, typer.Option(min=1, max=MAX_MIXTURES, help="Mixtures of each validation.")
]
Patience = Annotated[
    int, typer.Option(min=1, help="Validations without improvement before the run stops.")
]
TrainingCorpus = Annotated[
    str,
    typer.Option(
        help="Name of a corpus that `groupcomm data` built.", autocompletion=complete_corpus
    ),
]
Objective = Annotated[
    Literal["snr", "si-sdr", "spectral", "perceptual"],
    typer.Option(
        help="Training objective. si-sdr ignores the level; spectral is the mean of the SNR "
        "and of the SNR of compressed spectra; perceptual adds approximations of PESQ and eSTOI."
    ),
]
Rooms = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help="Share of the training mixtures in a simulated room."),
]
Noise = Annotated[
    Literal["recorded", "varied", "wide"],
    typer.Option(
        help="Conditions of the training mixtures. varied: noises at half to twice their speed, "
        "two at once, and synthetic ones. wide: SNR -10 to 30 dB, and levels, rooms, microphones "
        "and noises as devices meet them."
    ),
]
Ceiling = Annotated[
    float,
    typer.Option(
        min=0.0,
        help="Ceiling of the objective, dB. A lower one gives noisy mixtures more weight.",
    ),
]
Harm = Annotated[
    float,
    typer.Option(min=0.0, help="Weight of the penalty on estimates worse than the mixture."),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.toml",
        help="Sizes of the network: its fields, those of the signal path in the table [signal], "
        "and options of this command in the table [recipe]. Options given here take precedence.",
    ),
]
Sizes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a size of the network, e.g. hidden=32 or signal.pool=4. Can be repeated.",
    ),
]
Start = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="RUN",
        help="Begin with the weights of a trained network (name, run or folder). It has the same "
        "sizes, or no bottleneck, or more hidden units.",
        autocompletion=complete_checkpoint,
    ),
]
Keep = Annotated[
    int,
    typer.Option(
        min=0,
        help="Prune to this number of parameters in the first half of the steps; 0: no pruning.",
    ),
]


def train(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK",
            help="Name of a network (`groupcomm list`).",
            autocompletion=complete_network,
        ),
    ],
    folder: RunFolder = None,
    steps: Steps = 8000,
    batch: Batch = 24,
    seconds: Seconds = 2.5,
    learning_rate: LearningRate = 4e-3,
    optimizer: Optimizer = "soap",
    seed: Seed = 0,
    validate_every: ValidateEvery = 250,
    validation_mixtures: ValidationMixtures = 256,
    patience: Patience = 12,
    corpus: TrainingCorpus = "open",
    objective: Objective = "snr",
    rooms: Rooms = 0.0,
    noise: Noise = "recorded",
    ceiling: Ceiling = 30.0,
    harm: Harm = 0.0,
    config: Config = None,
    sizes: Sizes = None,
    start: Start = "",
    keep: Keep = 0,
    as_json: Json = False,
) -> None:
    """Train a network. The same command continues a run that was stopped.

    With TF_CONFIG set, this process is one of many workers.
    """
    import groupcomm

    recipe = {
        "steps": steps,
        "batch": batch,
        "seconds": seconds,
        "learning_rate": learning_rate,
        "optimizer": optimizer,
        "seed": seed,
        "validate_every": validate_every,
        "validation_mixtures": validation_mixtures,
        "patience": patience,
        "corpus": corpus,
        "objective": objective,
        "rooms": rooms,
        "noise": noise,
        "ceiling": ceiling,
        "harm": harm,
        "start": start,
        "keep": keep,
    }
    if config is not None:  # an option given here takes precedence over the file
        recipe = {k: v for k, v in recipe.items() if ctx.get_parameter_source(k).name != "DEFAULT"}
    result = groupcomm.train(name, folder, sizes=given_sizes(sizes or []), config=config, **recipe)
    run = Path(result.checkpoint).parent

    def show() -> None:
        note(
            f"best at step {result.best_step}: {result.sisdri_db:.2f} dB; "
            f"{result.checkpoint}, {run / 'curve.png'}"
        )

    report(result.to_dict(), as_json, show, then=f"groupcomm evaluate {run}")


def given_sizes(assignments: list[str]) -> dict[str, str]:
    """Read the values of ``--set``."""
    for size in assignments:
        if "=" not in size:
            raise UserError(f"--set {size}: is not FIELD=VALUE; write for example hidden=32")
    return dict(size.split("=", 1) for size in assignments)


train.command_class = _WithNetworks


def reproduce(
    folder: Annotated[
        Path,
        typer.Option(
            "--out",
            callback=output_folder,
            help="Folder for scores, reproduction.json and reproduction.png.",
        ),
    ] = Path("build/reproduction"),
    mixtures: Annotated[
        int, typer.Option(min=2, max=MAX_MIXTURES, help="Test mixtures of each task.")
    ] = 200,
    corpus: Annotated[
        str | None,
        typer.Option(
            help="Name of a corpus that `groupcomm data` built; by default that of the training.",
            autocompletion=complete_corpus,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Reproduce the paper's comparison of Group Communication with its baseline on real speech.

    The baseline is also quantized, pruned and narrowed.
    """
    from tf_model import load_tensorflow

    load_tensorflow()
    from tf_model.paper import reproduction

    result = reproduction.reproduce(folder, mixtures=mixtures, corpus=corpus)
    report(
        result, as_json, lambda: _show_reproduction(result, folder), then="groupcomm cost --paper"
    )


def _show_reproduction(result: dict, folder: Path) -> None:
    for task, title in (("separate", "Two speakers"), ("enhance", "Speech in noise")):
        sizes = new_table("system", "parameters", "bytes", "MMAC/s", title=f"{title}: size")
        scores = new_table(
            "system",
            "SI-SDRi (dB), 95 % CI",
            "seeds",
            "minus baseline, 95 % CI",
            title=f"{title}: quality",
        )
        for row in (r for r in result["rows"] if r["task"] == task):
            sizes.add_row(
                row["system"],
                f"{row['params']:,}",
                f"{row['weight_bytes']:,}",
                f"{row['macs_per_second'] / 1e6:.1f}",
            )
            score, against = row["sisdri_db"], row["against_baseline_db"]
            is_baseline = row["kind"] == "dprnn" and row["bits"] == 32
            scores.add_row(
                row["system"],
                f"{score['mean']:.2f} ({score['low']:.2f} to {score['high']:.2f})",
                ", ".join(f"{db:.2f}" for db in row["seeds_db"]),
                "-"
                if is_baseline
                else f"{against['mean']:+.2f} ({against['low']:+.2f} to {against['high']:+.2f})",
            )
        out.print(sizes, scores)
    line(f"{result['mixtures']} test mixtures of each task, mean of the seeds")
    line(f"{folder / 'reproduction.json'}, {folder / 'reproduction.png'}")
