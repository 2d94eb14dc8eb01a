"""The command `groupcomm report`."""

from pathlib import Path
from typing import Annotated

import typer

from convert.commands.options import (
    BundleName,
    CheckpointOption,
    CorpusOption,
    Json,
    Split,
    complete_bundle,
)
from groupcomm import console
from groupcomm.files import output_file


def report(
    name: BundleName,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Another bundle to compare with; can be repeated.",
            autocompletion=complete_bundle,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--out", callback=output_file, help="The page; by default build/report/NAME.html."
        ),
    ] = None,
    mixtures: Annotated[
        int,
        typer.Option(
            help="Mixtures of 4 s that every network is evaluated on; 0 for none. Their scores are "
            "kept."
        ),
    ] = 30,
    split: Split = "test",
    corpus: CorpusOption = None,
    baselines: Annotated[
        Path | None,
        typer.Option(help="The baselines.json of `groupcomm baselines`, for a table."),
    ] = None,
    checkpoint: CheckpointOption = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Leave out float32, baselines, the evaluation, drift, emulated cores and parity.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a web page of a network: what it is, how it sounds, its quality and its cost.

    The page is one file that loads nothing. The demo mixtures can be played and compared in it,
    blindly too. What this machine cannot measure is left out, and the page says how to get it.
    """
    from convert import bundle
    from convert.report import report as reports
    from groupcomm.errors import UserError

    if mixtures < 0 or mixtures == 1:
        raise UserError(f"--mixtures {mixtures}: an interval needs at least 2; 0 for none")
    opened = bundle.load(name)
    result = reports.write_report(
        opened,
        file or Path("build") / "report" / f"{opened.name}.html",
        others=reports.open_others(opened, against or []),
        quick=quick,
        checkpoint_name=checkpoint,
        mixtures=mixtures,
        split=split,
        corpus=corpus,
        baselines=baselines,
    )

    def show() -> None:
        if not quick:
            for section, reason in result["missing"].items():
                console.line(f"without {section}: {reason}", style="yellow")
        console.line("{file}: {bytes:,} bytes".format(**result))

    console.report(result, as_json, show, then=f"open {result['file']} in a browser")
