"""The verb of the first room."""

from pathlib import Path
from typing import Annotated

import typer

from groupcomm.console import err, out, print_json
from groupcomm.errors import UserError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add this room's verb to the front door."""
    app.command(name="data")(data)


def data(
    source: Annotated[Path | None, typer.Option(help="Folder of speaker folders (LibriSpeech's layout is one).")] = None,
    noise: Annotated[Path | None, typer.Option(help="Folder of noises, with --source.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the corpus made from --source.")] = None,
    recordings: Annotated[Path | None, typer.Option(help="Folder of the recordings, instead of fetching them.")] = None,
    debian: Annotated[bool, typer.Option("--debian", help="Build debian: from Debian packages alone, without recordings.")] = False,
    voices: Annotated[
        bool, typer.Option("--voices", help="Add speech synthesizers to the training speakers: open-voices or debian-voices.")
    ] = False,
    clips: Annotated[bool, typer.Option("--clips", help="Make the committed clips again, from the corpus open.")] = False,
    json: Json = False,
) -> None:
    """Build a speech and noise corpus: "open" (downloads 5 GB), or one from your own folders; or make the committed clips."""
    if (source is None) != (name is None):
        given, needed = ("--source", "--name") if name is None else ("--name", "--source")
        raise UserError(f"{given} needs {needed}: groupcomm data --source DIR [--noise DIR] --name NAME")
    if noise is not None and source is None:
        raise UserError(f"--noise {noise}: needs --source and --name; the corpora open and debian have their own noise")
    if clips and source is not None:
        raise UserError(f"--clips with --source {source}: the clips come from the corpus open; leave one of the two out")
    for option, given in (("--voices", voices), ("--debian", debian), ("--recordings", recordings is not None)):
        if given and (clips or source is not None):
            raise UserError(f"{option}: belongs to the corpora open and debian; leave --source and --clips out")
    if debian and recordings is not None:
        raise UserError("--debian with --recordings: the corpus debian has no recordings; leave one of the two out")
    if clips:
        from calibration_data.clips import write_clips

        paths = write_clips()
        if json:
            print_json({"clips": [str(path) for path in paths]})
        else:
            err.print(f"{len(paths)} clips in {paths[0].parent.parent}")
        return

    from calibration_data import build
    from calibration_data.corpus import corpus_dir

    if source is None:
        report = build.build_public(debian=debian, folder=recordings, with_voices=voices)
    else:
        report = build.build_folder(source, noise, name)
    if json:
        print_json(report)
        return
    from rich.table import Table

    table = Table(title=f"corpus {report['name']}")
    for heading in ("split", "speech h", "speakers", "noise h", "categories"):
        table.add_column(heading, justify="left" if heading == "split" else "right")
    for split, hours in report["hours"].items():
        speakers, categories = report["speakers"][split], report["categories"][split]
        table.add_row(split, f"{hours['speech']:.2f}", str(speakers), f"{hours['noise']:.2f}", str(categories))
    out.print(table)
    for part, count in report["missing"].items():
        err.print(f"{part}: {count} sound(s) missing, silent or not readable", style="yellow")
    err.print(f"in {corpus_dir(report['name'])}")
