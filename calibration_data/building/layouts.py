"""Find out who speaks in a folder of sounds: known corpora, a manifest, or a folder per speaker."""

import csv
import dataclasses
import os
import re
from collections import Counter
from pathlib import Path, PurePosixPath

from calibration_data.audio import SUFFIXES
from groupcomm.console import note
from groupcomm.errors import UserError

MANIFEST = "manifest.tsv"
WAY_OUT = (
    "choose the folder that contains one folder per speaker, or write {}/" + MANIFEST + " with the "
    "columns file and speaker"
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a public corpus names its speakers.

    The expressions are searched in a path below the folder of the user, with the name of that
    folder in front, with ``/`` between the parts, without regard to case.

    Attributes
    ----------
    name : str
    speech : tuple of str
        Each matches paths of speech; the group ``who`` is the speaker.
    others : str
        Matches sounds of the corpus that are not speech of one speaker, or are in it twice.
    copies : tuple of str
        Names of folders with the same sounds, the best one first; the others are left out.
    """

    name: str
    speech: tuple[str, ...]
    others: str = r"(?!)"  # nothing
    copies: tuple[str, ...] = ()


LAYOUTS = (
    Layout(  # SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-NUMBER.flac; LibriTTS has _
        "LibriSpeech", (r"/(?P<who>\d+)/(?P<chapter>\d+)/(?P=who)[-_](?P=chapter)[-_][^/]+$",)
    ),
    Layout(  # wav16k/max/SUBSET/s1/SPEAKER-CHAPTER-NUMBER_SPEAKER-CHAPTER-NUMBER.wav
        "LibriMix",
        (
            r"/s1/(?P<who>\d+)-\d+-\d+_[^/]+$",
            r"/s2/\d+-\d+-\d+_(?P<who>\d+)-\d+-\d+(_[^/]+)?\.[^/]+$",
            r"/s3/\d+-\d+-\d+_\d+-\d+-\d+_(?P<who>\d+)-[^/]+$",
        ),
        others=r"/(mix_(clean|both|single)|noise)/\d+-\d+-\d+_[^/]+$",
        copies=("/wav16k/max/", "/wav16k/min/", "/wav8k/max/", "/wav8k/min/"),
    ),
    Layout(  # wav48_silence_trimmed/p225/p225_001_mic1.flac
        "VCTK",
        (r"/(?P<who>[ps]\d+)/(?P=who)_\d+(_mic1)?\.[^/]+$",),
        others=r"/([ps]\d+)/\1_\d+_mic2\.[^/]+$",
    ),
    Layout(  # clean/read_speech/book_00000_chp_0009_reader_06709_0.wav
        "DNS challenge",
        (r"/book_\d+_chp_\d+_reader_(?P<who>\d+)_[^/]+$",),
        others=r"/(noise(_fullband)?|impulse_responses|(dev|test)[-_]?(test)?set[^/]*)/",
    ),
    Layout(  # TRAIN/DR1/FCJF0/SA1.WAV
        "TIMIT", (r"/dr[1-8]/(?P<who>[fm][a-z]{2}[a-z0-9]\d)/s[aix]\d+\.wav(\.wav)?$",)
    ),
    Layout(  # clean_trainset_28spk_wav/p226_001.wav
        "VoiceBank-DEMAND",
        (r"/clean_(train|test)set[^/]*/(?P<who>p\d+)_\d+\.[^/]+$",),
        others=r"/noisy_(train|test)set[^/]*/p\d+_\d+\.[^/]+$",
    ),
)
LANGUAGES = (
    "arabic|chinese|czech|danish|dutch|english|finnish|french|german|greek|hindi|italian|japanese|"
    "korean|mandarin|norwegian|polish|portuguese|russian|spanish|swedish|turkish"
)
# Folders that are not speakers, whole names without regard to case, by what they look like.
NOT_SPEAKERS = {
    "a subset": r"(train|dev|test|eval|valid|validation)([-_. ]?(set|ing)?[-_. ].*|set|ing|\d*)"
    r"|tr|cv|tt|(un)?labell?ed",
    "a dialect": r"dr\d|dialect.*|accents?",
    "a language": rf"({LANGUAGES})([-_ ].*)?|[a-z]{{2}}[-_][A-Z]{{2}}",
    "a kind of sound": r"(clean|noisy|noise|mix|reverb)([-_].*|s)?|mixtures?|music|rirs?"
    r"|impulse_responses|.*_speech|singing_voice",
    "a folder of all sounds": r"wavs?\d*k?([-_].*)?|flac\d*|mp3|audios?|clips|sounds?|speech|corpus"
    r"|data(set)?s?(_.*)?|recordings?|\d?speakers",
    "a sex": r"(fe)?males?|(wo)?men|girls|boys",
}


def sounds_below(folder: Path) -> list[Path]:
    """Return the sound files below a folder, also below folders that are linked into it.

    What is left out is named: a link that leads nowhere, and a folder that was read already.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path
        Sorted. Of ``x.wav`` and ``x.wav.wav``, as copies of TIMIT have them, only the second.

    Raises
    ------
    UserError
        When it is not a folder, or one below it cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: is not a folder; give the one that contains the sounds")

    def refuse(error: OSError) -> None:
        raise UserError(
            f"{error.filename}: cannot be read ({error.strerror}); make it readable or remove it"
        ) from error

    found, seen = set(), {folder.resolve()}
    for top, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        for name in sorted(folders, key=lambda name: (Path(top, name).is_symlink(), name)):
            path = Path(top, name)
            if path.resolve() in seen:
                note(f"{path}: the same folder as one that is read, left out", style="yellow")
                folders.remove(name)
            seen.add(path.resolve())
        folders.sort()
        for name in sorted(files):
            path = Path(top, name)
            if path.is_symlink() and not path.exists():
                note(f"{path}: a link that leads nowhere, left out", style="yellow")
            elif path.suffix.lower() in SUFFIXES and path.is_file():
                found.add(path)
    return sorted(path for path in found if path.with_name(f"{path.name}.wav") not in found)


def speakers_of(source: Path) -> dict[str, list[Path]]:
    """Return the sounds of each speaker below a folder.

    A `MANIFEST` in the folder says who speaks. Without one, the folder is a corpus of `LAYOUTS`, or
    it contains one folder per speaker. Sounds that are left out are counted on stderr.

    Parameters
    ----------
    source : Path

    Returns
    -------
    dict of str to list of Path

    Raises
    ------
    UserError
        When the speakers of some sounds are not known, or folders do not look like speakers.
    """
    paths = sounds_below(source)
    if (source / MANIFEST).is_file():
        return _of_manifest(source, paths)
    known = _of_layouts(source, paths)
    return known if known is not None else _of_folders(source, paths)


def _of_manifest(source: Path, paths: list[Path]) -> dict[str, list[Path]]:
    file = source / MANIFEST
    try:
        with open(file, encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, delimiter="\t", quoting=csv.QUOTE_NONE)
            columns, rows = reader.fieldnames or [], list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise UserError(f"{file}: cannot be read ({e}); write UTF-8 text with tabs") from e
    if not {"file", "speaker"} <= set(columns):
        raise UserError(
            f"{file}: has the columns {', '.join(columns) or 'none'}; the first line must name "
            "file and speaker, with a tab between them"
        )
    speakers: dict[str, list[Path]] = {}
    named: dict[Path, str] = {}
    for number, row in enumerate(rows, 2):
        where, speaker = ((row[column] or "").strip() for column in ("file", "speaker"))
        path = source / where
        if not speaker or not where:
            raise UserError(f"{file}: line {number}: has no file or no speaker; write both")
        if Path(where).is_absolute() or ".." in Path(where).parts or not path.is_file():
            raise UserError(f"{file}: line {number}: {where}: no such file below {source}")
        if path in named:
            raise UserError(f"{file}: line {number}: {where}: is listed twice; remove one line")
        named[path] = speaker
        speakers.setdefault(speaker, []).append(path)
    if rest := [path for path in paths if path not in named]:
        note(f"{file}: does not name {len(rest)} sounds, left out ({rest[0]} ...)", style="yellow")
    return speakers


def _of_layouts(source: Path, paths: list[Path]) -> dict[str, list[Path]] | None:
    """Return the speakers of known corpora; None when there is none in the folder."""
    speakers: dict[str, list[Path]] = {}
    names, others, unknown = Counter[str](), Counter[str](), []
    by_folder = True  # whether a folder per speaker says the same
    for path in _without_copies(source, paths):
        where = _searched(source, path)
        if found := _match(where):
            layout, speaker = found
            names[layout.name] += 1
            speakers.setdefault(speaker, []).append(path)
            by_folder &= path.relative_to(source).parts[0] == speaker
        elif any(re.search(layout.others, where, re.IGNORECASE) for layout in LAYOUTS):
            others[path.parent.name] += 1
        else:
            unknown.append(path)
    if not names or (unknown and by_folder):
        return None
    title = ", ".join(names)
    if unknown:
        raise UserError(
            f"{unknown[0].parent}: the folder {source} is {title}, but the speakers of "
            f"{len(unknown)} sounds are not known; {WAY_OUT.format(source)}"
        )
    words = f"{source}: {title}, {len(speakers)} speakers"
    if others:
        left = ", ".join(f"{count} of {folder}" for folder, count in others.most_common(5))
        words += f"; left out: {left}"
    note(words)
    return speakers


def _searched(source: Path, path: Path) -> str:
    return "/" + (PurePosixPath(source.name) / path.relative_to(source).as_posix()).as_posix()


def _match(where: str) -> tuple[Layout, str] | None:
    for layout in LAYOUTS:
        if re.search(layout.others, where, re.IGNORECASE):
            continue
        for speech in layout.speech:
            if found := re.search(speech, where, re.IGNORECASE):
                return layout, found["who"]
    return None


def _without_copies(source: Path, paths: list[Path]) -> list[Path]:
    """Leave out the worse copies of a corpus that has its sounds several times."""
    for layout in LAYOUTS:
        copies = {
            copy: {path for path in paths if copy in _searched(source, path)}
            for copy in layout.copies
        }
        best, *worse = [copy for copy, found in copies.items() if found] or [""]
        for copy in worse:
            note(f"{source}: {layout.name}: the same sounds as {copy} are in {best}, which is used")
            paths = [path for path in paths if path not in copies[copy]]
    return paths


def _of_folders(source: Path, paths: list[Path]) -> dict[str, list[Path]]:
    """Return the speakers of a folder that has one folder for each of them."""
    speakers: dict[str, list[Path]] = {}
    direct = 0
    for path in paths:
        parts = path.relative_to(source).parts
        if len(parts) > 1:
            speakers.setdefault(parts[0], []).append(path)
        else:
            direct += 1
    for name in speakers:
        for looks_like, pattern in NOT_SPEAKERS.items():
            if re.fullmatch(pattern, name, re.IGNORECASE):
                raise UserError(
                    f"{source / name}: looks like {looks_like}, not like a speaker; "
                    f"{WAY_OUT.format(source)}"
                )
    if len(speakers) < 3:
        raise UserError(
            f"{source}: {len(speakers)} speaker folders with sounds; at least 3 are needed, one "
            f"for each split; {WAY_OUT.format(source)}"
        )
    if direct:
        note(f"{source}: {direct} sounds are in no folder of a speaker, left out", style="yellow")
    return speakers
