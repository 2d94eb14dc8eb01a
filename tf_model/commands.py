"""Verbs of the Keras room."""

from pathlib import Path
from typing import Annotated

import typer

from groupcomm.console import err, out, print_json

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add this room's verbs to the front door."""
    app.command(name="cost")(cost)
    app.command(name="train")(train)


def cost(
    name: Annotated[str, typer.Argument(help="A network's name (`groupcomm list`).")],
    json: Json = False,
) -> None:
    """Parameters, multiply-accumulates and state of a network."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from tf_model import cost as costs
    from tf_model import networks

    figures = costs.cost(networks.find(name))
    if json:
        print_json({"name": name, **figures})
        return
    for key, value in figures.items():
        out.print(f"{key:>16}  {value:,}")


def train(
    name: Annotated[str, typer.Argument(help="A network's name (`groupcomm list`).")],
    folder: Annotated[Path | None, typer.Option("--out", help="The run's folder; build/train/NAME unless told.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 8000,
    batch: Annotated[int, typer.Option(min=1, help="Mixtures a step.")] = 24,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of a training mixture, s.")] = 2.5,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Peak of Adam's learning rate.")] = 2e-3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and mixtures.")] = 0,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations and saved states.")] = 250,
    patience: Annotated[int, typer.Option(min=1, help="Validations without a better score before stopping.")] = 12,
    corpus: Annotated[str, typer.Option(help="Name of the corpus that `groupcomm data` built.")] = "debian",
    json: Json = False,
) -> None:
    """Train a network; the same command goes on with a run that was stopped."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from tf_model import networks
    from tf_model import train as training

    net = networks.find(name)
    folder = folder or Path("build") / "train" / name

    recipe = training.Recipe(
        steps=steps, batch=batch, seconds=seconds, learning_rate=learning_rate, seed=seed,
        validate_every=validate_every, patience=patience, corpus=corpus,
    )  # fmt: skip
    result = training.train(name, net, recipe, folder)
    if json:
        print_json(result)
        return
    err.print(f"best at step {result['best_step']}: {result['sisdri_db']:.2f} dB; {result['checkpoint']}, {folder / 'curve.png'}")
