"""Verbs of the Keras room."""

import textwrap
from pathlib import Path
from typing import Annotated, Literal

import typer

from groupcomm.console import err, out, print_json, progress
from groupcomm.errors import UserError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class _WithNetworks(typer.core.TyperCommand):
    """A command whose help ends with the names of all networks."""

    def format_epilog(self, ctx, formatter) -> None:
        from tf_model import load_tensorflow

        load_tensorflow()
        from tf_model import networks

        with formatter.section("Networks"):
            names = textwrap.fill(", ".join(networks.NETWORKS), 76, break_on_hyphens=False)  # a name stays a name
            formatter.write(textwrap.indent(names, "  ") + "\n")


def register(app: typer.Typer) -> None:
    """Add this room's verbs to the front door."""
    app.command(name="cost")(cost)
    app.command(name="train", cls=_WithNetworks)(train)
    app.command(name="reproduce")(reproduce)


def cost(
    name: Annotated[str | None, typer.Argument(help="A network's name (`groupcomm list`), or a trained one's folder.")] = None,
    paper: Annotated[bool, typer.Option("--paper", help="All of the papers' systems against their published figures.")] = False,
    json: Json = False,
) -> None:
    """Parameters, multiply-accumulates and state of a network; with --paper, exit code 1 if a count that must be exact is not."""
    if (name is None) != paper:
        raise UserError("cost: name one network, or ask for --paper")
    from tf_model import load_tensorflow

    load_tensorflow()
    if paper:
        _paper(json)
        return
    from tf_model import checkpoint, networks
    from tf_model import cost as costs
    from tf_model import paper as papers

    trained = name in checkpoint.names() or (Path(name) / "network.json").is_file()
    net = checkpoint.load(name).net if trained else networks.find(name)
    figures = costs.cost(net)
    published = [papers.judge(row, figures) for row in papers.ROWS if networks.find(row.name) == net]
    if json:
        print_json({"name": name, **figures, "published": published})
        return
    for key, value in figures.items():
        out.print(f"{key:>16}  {value:,}")
    for row in published:
        out.print(f"{row['source']}: {_published(row)}; {row['verdict']}" + (f" ({row['note']})" if row["note"] else ""), soft_wrap=True)


def _paper(json: bool) -> None:
    from tf_model import paper

    with progress() as bar:
        task = bar.add_task("count", total=len({row.name for row in paper.ROWS}))
        result = paper.table(lambda name: bar.update(task, advance=1, description=f"count {name}"))
    if json:
        print_json(result)
    else:
        _print_paper(result)
    if not result["ok"]:
        raise typer.Exit(1)


def _print_paper(result: dict) -> None:
    header = (
        f"{'network':<14}{'source':<18}{'params':>11}{'(PyTorch)':>11}{'MACs of 4 s':>16}{'(thop)':>16}{'MACs/s':>16}  published; verdict"
    )
    out.print(header, soft_wrap=True)
    for row in result["rows"]:
        out.print(
            f"{row['network']:<14}{row['source'].partition(',')[0]:<18}{row['params']:>11,}{row['params_paper']:>11,}"
            f"{row['macs_4s']:>16,}{row['macs_4s_thop']:>16,}{row['macs_per_second']:>16,}  {_published(row)}; {row['verdict']}"
            + (f" ({row['note']})" if row["note"] else ""),
            soft_wrap=True,
        )
    for ratio in result["ratios"]:
        verdict = "exact" if ratio["exact"] else "differs"
        out.print(f"dprnn : gc-dprnn, {ratio['quantity']}: published {ratio['published']}, ours {ratio['ours']:.2f}: {verdict}")


def _published(row: dict) -> str:
    """Printed figures of a row, each with how far ours is from it."""
    pairs = ((row[f"published_{key}"], row[f"{what}_difference_percent"]) for key, what in (("params", "params"), ("macs_4s", "macs")))
    return ", ".join(f"{printed} ({difference:+.2f} %)" if printed else "-" for printed, difference in pairs)


def train(
    name: Annotated[str, typer.Argument(help="A network's name (`groupcomm list`).")],
    folder: Annotated[Path | None, typer.Option("--out", help="The run's folder; build/train/NAME unless told.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps.")] = 8000,
    batch: Annotated[int, typer.Option(min=1, help="Mixtures a step.")] = 24,
    seconds: Annotated[float, typer.Option(min=0.1, max=60, help="Length of a training mixture, s.")] = 2.5,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Peak of the learning rate.")] = 4e-3,
    optimizer: Annotated[Literal["soap", "adam"], typer.Option(help="What makes the steps.")] = "soap",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of weights and mixtures.")] = 0,
    validate_every: Annotated[int, typer.Option(min=1, help="Steps between validations and saved states.")] = 250,
    patience: Annotated[int, typer.Option(min=1, help="Validations without a better score before stopping.")] = 12,
    corpus: Annotated[str, typer.Option(help="Name of the corpus that `groupcomm data` built.")] = "open",
    objective: Annotated[
        Literal["snr", "si-sdr", "spectral"],
        typer.Option(help="What is made large; si-sdr ignores the level, spectral is half SNR, half that of compressed spectra."),
    ] = "snr",
    rooms: Annotated[float, typer.Option(min=0.0, max=1.0, help="Part of the training mixtures that are in a simulated room.")] = 0.0,
    noise: Annotated[
        Literal["recorded", "varied", "wide"],
        typer.Option(
            help="Conditions of the training mixtures. wide: SNR -10 to 30 dB, levels, rooms, microphones and noises as devices meet them; "
            "varied: noises at half to twice their speed, two at once, and synthetic ones."
        ),
    ] = "recorded",
    ceiling: Annotated[float, typer.Option(min=0.0, help="Of the objective, dB; lower, and noisy mixtures count more.")] = 30.0,
    harm: Annotated[float, typer.Option(min=0.0, help="Weight of the penalty on estimates worse than the mixture.")] = 0.0,
    sizes: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change a size of the network, e.g. hidden=32, signal.pool=8.")
    ] = None,
    start: Annotated[
        str, typer.Option(help="A trained network to start from, of the same sizes or without a bottleneck: a name or a folder.")
    ] = "",
    keep: Annotated[int, typer.Option(min=0, help="Prune to so many parameters over the first half of the steps; 0 prunes none.")] = 0,
    json: Json = False,
) -> None:
    """Train a network; the same command goes on with a run that was stopped. With TF_CONFIG set, this is one of many workers."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from tf_model import networks
    from tf_model import train as training

    net = networks.changed(networks.find(name), sizes or [])
    folder = folder or Path("build") / "train" / name

    recipe = training.Recipe(
        steps=steps, batch=batch, seconds=seconds, learning_rate=learning_rate, optimizer=optimizer, seed=seed,
        validate_every=validate_every, patience=patience, corpus=corpus, objective=objective, rooms=rooms, noise=noise,
        ceiling=ceiling, harm=harm, start=start, keep=keep,
    )  # fmt: skip
    result = training.train(name, net, recipe, folder)
    if json:
        print_json(result)
        return
    err.print(f"best at step {result['best_step']}: {result['sisdri_db']:.2f} dB; {result['checkpoint']}, {folder / 'curve.png'}")


def reproduce(
    folder: Annotated[Path, typer.Option("--out", help="Folder for scores, reproduction.json and reproduction.png.")] = Path(
        "build/reproduction"
    ),
    mixtures: Annotated[int, typer.Option(min=2, help="Test mixtures of each task.")] = 200,
    corpus: Annotated[str, typer.Option(help="Name of the corpus that `groupcomm data` built.")] = "debian",
    json: Json = False,
) -> None:
    """Reproduce the paper's comparison on real speech: Group Communication against its baseline, also quantized, pruned and narrow."""
    from tf_model import load_tensorflow

    load_tensorflow()
    from tf_model import reproduction

    result = reproduction.reproduce(folder, mixtures=mixtures, corpus=corpus)
    if json:
        print_json(result)
        return
    for task, title in (("separate", "two speakers"), ("enhance", "speech in noise")):
        out.print(
            f"{title:<34}{'parameters':>11}{'bytes':>11}{'MMAC/s':>8}  SI-SDRi, dB, 95 %      seeds       against baseline, 95 %",
            soft_wrap=True,
        )
        for row in (r for r in result["rows"] if r["task"] == task):
            score, against = row["sisdri_db"], row["against_baseline_db"]
            seeds = ", ".join(f"{db:.2f}" for db in row["seeds_db"])
            out.print(
                f"{row['system']:<34}{row['params']:>11,}{row['weight_bytes']:>11,}{row['macs_per_second'] / 1e6:>8.1f}"
                f"  {score['mean']:5.2f} ({score['low']:.2f} to {score['high']:.2f})  {seeds}"
                + (
                    ""
                    if row["kind"] == "dprnn" and row["bits"] == 32
                    else f"  {against['mean']:+.2f} ({against['low']:+.2f} to {against['high']:+.2f})"
                ),
                soft_wrap=True,
            )
    out.print(
        f"{mixtures} test mixtures of each task, mean of the seeds; {folder / 'reproduction.json'}, {folder / 'reproduction.png'}",
        soft_wrap=True,
    )
