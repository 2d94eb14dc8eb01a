"""The command `groupcomm data`."""

from pathlib import Path
from typing import Annotated

import typer

from groupcomm.console import new_table, note, out, report
from groupcomm.errors import UserError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def data(
    source: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a known corpus (LibriSpeech, LibriMix, VCTK, DNS challenge, TIMIT, "
            "VoiceBank-DEMAND), with a manifest.tsv, or with one folder for each speaker."
        ),
    ] = None,
    noise: Annotated[Path | None, typer.Option(help="Folder of noises, with --source.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the corpus, with --source.")] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of the recordings; they are downloaded by default.")
    ] = None,
    debian: Annotated[
        bool, typer.Option("--debian", help="Build the corpus debian, from Debian packages only.")
    ] = False,
    voices: Annotated[
        bool,
        typer.Option(
            "--voices",
            help="Add speech synthesizers to the training speakers: open-voices or debian-voices.",
        ),
    ] = False,
    kokoro: Annotated[
        bool,
        typer.Option(
            "--kokoro",
            help="Add talkers of the neural synthesizer Kokoro to the training speakers; "
            "-kokoro is appended to the name. Needs onnxruntime.",
        ),
    ] = False,
    clips: Annotated[
        bool, typer.Option("--clips", help="Write the committed clips again, from the corpus open.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Build a corpus of speech and noise.

    By default it is the corpus open (downloads 5 GB). With --source and --name, it is built from
    your own recordings.
    """
    public = {
        "--voices": voices,
        "--kokoro": kokoro,
        "--debian": debian,
        "--recordings": recordings is not None,
    }
    _refuse_conflicts(source, noise, name, clips, public)
    if clips:
        from calibration_data.clips import write_clips

        paths = write_clips()
        found = {"clips": [str(path) for path in paths]}
        report(found, as_json, lambda: note(f"{len(paths)} clips in {paths[0].parent.parent}"))
        return

    from calibration_data.building import build

    if source is None:
        built = build.build_public(
            debian=debian, folder=recordings, with_voices=voices, with_kokoro=kokoro
        )
    else:
        built = build.build_folder(source, noise, name)
    then = f"groupcomm train enhance-nano --corpus {built['name']}"
    report(built, as_json, lambda: _show_corpus(built), then=then)


def _refuse_conflicts(
    source: Path | None, noise: Path | None, name: str | None, clips: bool, public: dict[str, bool]
) -> None:
    if (source is None) != (name is None):
        given, needed = ("--source", "--name") if name is None else ("--name", "--source")
        raise UserError(
            f"{given} needs {needed}: groupcomm data --source DIR [--noise DIR] --name NAME"
        )
    if noise is not None and source is None:
        raise UserError(
            f"--noise {noise}: needs --source and --name; the corpora open and debian have their "
            f"own noise"
        )
    if clips and source is not None:
        raise UserError(
            f"--clips with --source {source}: the clips come from the corpus open; leave one of "
            f"the two out"
        )
    for option, given in public.items():
        if given and (clips or source is not None):
            raise UserError(
                f"{option}: belongs to the corpora open and debian; leave --source and --clips out"
            )
    if public["--debian"] and public["--recordings"]:
        raise UserError(
            "--debian with --recordings: the corpus debian has no recordings; leave one of the "
            "two out"
        )


def _show_corpus(built: dict) -> None:
    from calibration_data.corpus import corpus_dir

    headers = ("split", "speech, hours", "speakers", "noise, hours", "categories")
    table = new_table(*headers, title=f"corpus {built['name']}")
    for split, hours in built["hours"].items():
        speakers, categories = built["speakers"][split], built["categories"][split]
        table.add_row(
            split, f"{hours['speech']:.2f}", str(speakers), f"{hours['noise']:.2f}", str(categories)
        )
    out.print(table)
    for part, count in built["missing"].items():
        note(f"{part}: {count} sounds are missing, silent or not readable", style="yellow")
    note(f"in {corpus_dir(built['name'])}")
