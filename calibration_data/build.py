"""The builder: Debian packages and recordings, or a user's own folders, to a speaker-disjoint corpus (see `calibration_data.corpus`).

It works in parts (a package; a speaker's folder). A finished part is kept until the corpus is whole, so a run that was
stopped goes on where it was.
"""

import contextlib
import functools
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path, PurePath

from calibration_data import containers, corpus, recordings, sources, voices
from calibration_data.audio import RATE, SUFFIXES, decode
from calibration_data.corpus import Clip
from calibration_data.sources import OWN_SPLITS, SPLITS, Entry, Package
from groupcomm.console import progress
from groupcomm.errors import UserError
from groupcomm.files import atomic_folder, atomic_path, cache_dir, sha256

SILENCE_DB = {"speech": 40, "noise": 60}
KINDS = ("speech", "noise")
WORKERS = 2  # threads: unpacking runs in its own process, decoding and resampling outside Python's lock
BLOCK = 1 << 20


class _Stopped(Exception):
    """Another part failed or the user pressed Ctrl-C: end this one too."""


@dataclass(frozen=True)
class _Part:
    """A piece of work that is done wholly or not at all.

    ``sounds`` takes a function to call now and then, which raises when it is time to stop, and yields path, bytes and entry
    of the sounds that belong to the corpus; ``count`` is how many there should be.
    """

    name: str
    count: int
    sounds: Callable[[Callable[[], None]], Iterator[tuple[str, bytes, Entry]]]


# ------------------------------------------------------------------------------------------------ the public corpora


def build_public(*, debian: bool = False, folder: Path | None = None, with_voices: bool = False) -> dict:
    """Build "open" from the packages and repositories of ``sources.toml``, or "debian" from the packages alone.

    Packages are fetched, checked, unpacked and decoded. Recordings are read from ``folder``, or fetched from their public addresses.

    Parameters
    ----------
    debian : build "debian": the same splits without the recordings
    folder : where the recordings are (see `calibration_data.recordings.sounds`); None to fetch them
    with_voices : add the voices of `calibration_data.voices` to the training speakers, and "-voices" to the name

    Returns
    -------
    The corpus's report (`calibration_data.corpus.report`); ``missing`` says, by package, how many listed files were not
    found or not readable.

    Raises
    ------
    UserError
        When a package or recording cannot be fetched or read, a checksum is wrong, a voice is not installed, or the disk is full.
    """
    packages, listed, speakers = sources.packages(), sources.listed(), sources.speakers()
    repositories = {} if debian else sources.repositories()
    recorded = {name: sources.recordings()[name] for name in repositories}
    made_of = repr((packages, repositories, listed, recorded, speakers))
    if with_voices:
        made_of += repr(voices.fingerprint())
    name = ("debian" if debian else "open") + ("-voices" if with_voices else "")
    key = _key(made_of)
    if (done := _done(name, key)) is not None:
        return done
    if with_voices:
        voices.require()
    for repository in repositories.values():  # before the packages, which take longer, so that what is missing is told soon
        if folder is None:
            recordings.fetch(repository, recorded[repository.name])
        else:
            recordings.require(recorded[repository.name], folder)
    fetch([package for package in packages.values() if not (_parts_dir(name, key) / package.name).exists()])
    parts = [_Part(name, len(listed[name]), functools.partial(_unpack, package, listed[name])) for name, package in packages.items()]
    for repository in repositories.values():
        files = recorded[repository.name]
        parts.append(_Part(repository.name, len(files), functools.partial(recordings.sounds, repository, files, folder)))
    # The biggest first, so that the two workers end together.
    order = sorted(parts, key=lambda part: -packages[part.name].bytes if part.name in packages else 0)
    if with_voices:
        spoken = [_Part(voice, voices.SENTENCES, functools.partial(voices.speak, voice)) for voice in voices.VOICES]
        parts, order = parts + spoken, order + spoken
        speakers |= {voice: {"sex": about.sex, "tier": "synthetic"} for voice, about in voices.VOICES.items()}
    return _build(name, key, parts, order, speakers, SPLITS)


def packages_dir() -> Path:
    """The folder of the fetched packages."""
    return cache_dir() / "packages"


def fetch(packages: list[Package]) -> None:
    """Bring packages into `packages_dir` with ``apt-get download`` (no root needed), check those that are there.

    Raises
    ------
    UserError
        When apt-get is not there or cannot fetch one, or a checksum is wrong; a file with a wrong checksum is deleted.
    """
    with progress() as bar:
        task = bar.add_task("fetch packages (MB)", total=sum(package.bytes for package in packages) / 1e6)
        before = 0
        for package in packages:
            path = packages_dir() / package.file
            if not path.exists():
                with atomic_path(path) as whole, tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as folder:
                    _download(package, Path(folder), lambda size, before=before: bar.update(task, completed=(before + size) / 1e6))
                    _check(Path(folder) / package.file, package)
                    (Path(folder) / package.file).replace(whole)
            else:
                _check(path, package)
            before += package.bytes
            bar.update(task, completed=before / 1e6)


def _download(package: Package, folder: Path, report: Callable[[int], None]) -> None:
    by_hand = f"fetch it from https://snapshot.debian.org/binary/{package.name}/ and put it into {packages_dir()}"
    command = ["apt-get", "download", f"{package.name}={package.version}"]
    try:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        raise UserError(f"{package.file}: there is no apt-get here; {by_hand}") from None
    with _ended(process):
        while process.poll() is None:
            time.sleep(0.1)
            report(sum(path.stat().st_size for path in folder.iterdir()))
        said = [line for line in process.stderr.read().splitlines() if line.startswith("E:")]
    if process.returncode or not (folder / package.file).exists():
        why = said[0].removeprefix("E:").strip() if said else f"exit code {process.returncode}"
        raise UserError(f"{package.file}: apt-get cannot fetch it ({why}); run `apt-get update` as root, or {by_hand}")


def _check(path: Path, package: Package) -> None:
    found = sha256(path)
    if found != package.sha256:
        path.unlink()
        raise UserError(
            f"{path}: sha256 {found[:12]}.. is not {package.sha256[:12]}.., the file is deleted; run `groupcomm data` to fetch it again"
        )


def _unpack(package: Package, entries: dict[str, Entry], check: Callable[[], None]) -> Iterator[tuple[str, bytes, Entry]]:
    """Yield the listed sounds of a package, also those in archives inside it; a sound that is there twice comes once."""
    left = dict(entries)
    for path, data in _sounds_in(packages_dir() / package.file, check):
        check()
        entry = left.pop(hashlib.md5(data).hexdigest(), None)
        if entry is not None:
            yield path, data, entry


def _sounds_in(package: Path, check: Callable[[], None]) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of every sound file in a .deb, also of those in archives that `calibration_data.containers` can read."""
    try:
        process = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, bufsize=BLOCK)
    except FileNotFoundError:
        raise UserError(f"{package}: there is no dpkg-deb here to unpack it; install dpkg") from None
    with _ended(process):
        with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
            for member in tar:
                path, suffix = member.name.removeprefix("./"), PurePath(member.name).suffix.lower()
                if member.isfile() and containers.is_container(path):
                    with _spooled(tar.extractfile(member), check) as spool:
                        try:
                            yield from ((f"{path}/{name}", data) for name, data in containers.sounds(spool, path))
                        except ValueError as e:
                            raise UserError(f"{package}: {path}: {e}; delete the package and run `groupcomm data` again") from e
                elif member.isfile() and suffix in SUFFIXES:
                    yield path, tar.extractfile(member).read()
        if process.wait():
            raise UserError(f"{package}: dpkg-deb cannot unpack it (exit code {process.returncode}); delete it and run `groupcomm data`")


@contextlib.contextmanager
def _spooled(stream, check: Callable[[], None]):
    """A copy of a stream on disk, because zipfile has to seek (0ad's is 3.3 GB); it has no name, so nothing can leave it behind."""
    try:
        with tempfile.TemporaryFile(dir=cache_dir()) as spool:
            while block := stream.read(BLOCK):
                check()
                spool.write(block)
            spool.seek(0)
            yield spool
    except OSError as e:
        raise UserError(f"{cache_dir()}: cannot write ({e.strerror or e}); free 4 GB or set GROUPCOMM_CACHE to another folder") from e


@contextlib.contextmanager
def _ended(process: subprocess.Popen):
    """See a child process out, whatever happens in the block."""
    try:
        yield
    finally:
        process.kill()
        with process:  # closes its pipes and waits
            pass


# ------------------------------------------------------------------------------------------------ a user's folders


def build_folder(source: Path, noise: Path | None, name: str) -> dict:
    """Build a corpus from a folder of speaker folders (LibriSpeech's SPEAKER/CHAPTER/*.flac is one) and a folder of noises.

    Speakers go to train, validation and test about 80 : 10 : 10 by the order of the hashes of their names: two or more in
    each split when there are six, else one. Noise files are split the same way; a noise's category is the first folder it
    lies in, below ``noise``, or "noise".

    Parameters
    ----------
    source : every folder in it is one speaker; sounds may lie deeper
    noise : any folder of noises; None for a corpus without noise
    name : the corpus's name, for `calibration_data.corpus.open_corpus`

    Returns
    -------
    The corpus's report; ``missing`` says, by part, how many files were not readable or silent.

    Raises
    ------
    UserError
        When the name does not do, a folder is not there, holds fewer than 3 speakers (or 3 noises), or a disk is full.
    """
    if name in corpus.COMMANDS or not re.fullmatch(r"\w[\w.-]*", name):
        taken = ", ".join(corpus.COMMANDS)
        raise UserError(f"corpus name {name!r}: cannot be used; use letters, digits, '.', '_' and '-', and none of {taken}")
    source = source.resolve()
    speakers: dict[str, list[Path]] = {}
    for path in _sounds_below(source):
        if path.parent != source:
            speakers.setdefault(path.relative_to(source).parts[0], []).append(path)
    if len(speakers) < 3:
        raise UserError(f"{source}: {len(speakers)} speaker folders with sounds; at least 3 are needed, one for each split")
    entries = {
        path: Entry(split, f"{source.name}/{speaker}", speaker=speaker)
        for speaker, split in _split(speakers).items()
        for path in speakers[speaker]
    }
    parts = [_Part(f"speech-{who}", len(paths), functools.partial(_read, source, paths, entries)) for who, paths in speakers.items()]
    if noise is not None:
        noise = noise.resolve()
        noises = {str(path.relative_to(noise)): path for path in _sounds_below(noise)}
        if len(noises) < 3:
            raise UserError(f"{noise}: {len(noises)} noises; at least 3 are needed, one for each split")
        entries |= {
            noises[path]: Entry(split, noise.name, category=PurePath(path).parts[0] if len(PurePath(path).parts) > 1 else "noise")
            for path, split in _split(noises).items()
        }
        parts.append(_Part("noise", len(noises), functools.partial(_read, noise, list(noises.values()), entries)))
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(entries)]
    key = _key(json.dumps([str(source), str(noise), files]))
    return _done(name, key) or _build(name, key, parts, parts, {}, OWN_SPLITS)


def _sounds_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: is not a folder; give the one that holds the sounds")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def _split(names) -> dict[str, str]:
    """A split for each name: a function of the names only, whatever their order."""
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
    held = max(2 if len(order) >= 6 else 1, round(len(order) / 10))  # two speakers, so that a split has two-speaker mixtures
    return {name: "validation" if i < held else "test" if i < 2 * held else "train" for i, name in enumerate(order)}


def _read(folder: Path, paths: list[Path], entries: dict[Path, Entry], check: Callable[[], None]) -> Iterator[tuple[str, bytes, Entry]]:
    for path in paths:
        check()
        try:
            data = path.read_bytes()
        except OSError as e:
            raise UserError(f"{path}: cannot be read ({e.strerror}); make it readable or take it away") from e
        yield str(path.relative_to(folder)), data, entries[path]


# ------------------------------------------------------------------------------------------------ parts, and the whole


def _key(of: str) -> str:
    """What the corpus is made of, as a hash; the schema is in it because it says how."""
    return hashlib.sha256(f"{corpus.SCHEMA} {of}".encode("utf-8", "surrogateescape")).hexdigest()


def _done(name: str, key: str) -> dict | None:
    try:
        there = corpus.report(name)
    except UserError:  # not there, damaged or of another version: all are built anew
        return None
    return there if there.get("key") == key else None


def _parts_dir(name: str, key: str) -> Path:
    return cache_dir() / "corpus" / ".parts" / f"{name}-{key[:16]}"


def _part_dir(name: str, key: str, part: _Part) -> Path:
    # A speaker's folder may have any name; one that is no plain file name is hashed.
    plain = part.name if re.fullmatch(r"\w[\w.-]{0,100}", part.name) else hashlib.sha256(part.name.encode("utf-8", "replace")).hexdigest()
    return _parts_dir(name, key) / plain


def _build(
    name: str, key: str, parts: list[_Part], order: list[_Part], speakers: dict[str, dict[str, str]], splits: tuple[str, ...]
) -> dict:
    """Make the parts that are not there, in ``order``, then the corpus from all of them, in the order of ``parts``."""
    stop = threading.Event()
    todo = [part for part in order if not _part_dir(name, key, part).exists()]
    with progress() as bar, ThreadPoolExecutor(WORKERS) as pool:
        total = sum(part.count for part in parts)
        task = bar.add_task("decode sounds", total=total, completed=total - sum(part.count for part in todo))

        def check():
            if stop.is_set():
                raise _Stopped

        try:
            advance = functools.partial(bar.advance, task)
            futures = [pool.submit(_make, _part_dir(name, key, part), part, speakers, check, advance) for part in todo]
            for future in as_completed(futures):
                future.result()
        except BaseException:  # Ctrl-C too: the workers look at `stop` between two files
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    with atomic_folder(corpus.corpus_dir(name)) as folder:
        value = _assemble(name, key, [(part, _part_dir(name, key, part)) for part in parts], folder, splits)
    shutil.rmtree(_parts_dir(name, key), ignore_errors=True)
    return value


def _make(path: Path, part: _Part, speakers: dict[str, dict[str, str]], check: Callable[[], None], advance: Callable[[int], None]) -> None:
    """Decode one part into a folder: SPLIT-KIND.i16, and its clips as JSON lines with their split."""
    with atomic_folder(path) as folder, contextlib.ExitStack() as stack:
        files = {(s, k): stack.enter_context(open(folder / f"{s}-{k}.i16", "wb")) for s in SPLITS for k in KINDS}
        lines = stack.enter_context(open(folder / "clips.jsonl", "w", encoding="utf-8"))
        seen = decoded = 0
        for where, data, entry in part.sounds(check):
            seen += 1
            advance(1)
            kind = "speech" if entry.speaker else "noise"
            try:
                sound = decode(data, where, silence_db=SILENCE_DB[kind])
            except ValueError:
                continue
            person = speakers.get(entry.speaker, {})
            for split in entry.splits:
                clip = Clip(
                    kind=kind,
                    offset=files[split, kind].tell() // sound.itemsize,
                    samples=sound.size,
                    speaker=entry.speaker,
                    lang=entry.lang,
                    sex=person.get("sex", ""),
                    tier=person.get("tier", ""),
                    category=entry.category,
                    package=entry.package,
                    path=where,
                )
                files[split, kind].write(sound.tobytes())
                lines.write(json.dumps([split, asdict(clip)]) + "\n")
            decoded += 1
        (folder / "decoded").write_text(str(decoded), encoding="utf-8")
        advance(part.count - seen)


def _assemble(name: str, key: str, parts: list[tuple[_Part, Path]], folder: Path, splits: tuple[str, ...]) -> dict:
    """Join parts into a corpus in ``folder``; returns its report."""
    clips: dict[str, list[Clip]] = {split: [] for split in splits}
    missing = {}
    ends = dict.fromkeys(((split, kind) for split in splits for kind in KINDS), 0)
    for part, path in parts:
        lines = [json.loads(line) for line in (path / "clips.jsonl").read_text(encoding="utf-8").splitlines()]
        decoded = int((path / "decoded").read_text(encoding="utf-8"))
        if decoded < part.count:
            missing[part.name] = part.count - decoded
        for split, values in lines:
            clip = Clip(**values)
            clips[split].append(replace(clip, offset=clip.offset + ends[split, clip.kind]))
        for split, kind in ends:
            ends[split, kind] += (path / f"{split}-{kind}.i16").stat().st_size // 2
    for split, kind in ends:
        (folder / split).mkdir(exist_ok=True)
        with open(folder / split / f"{kind}.i16", "wb") as whole:
            for _, path in parts:
                with open(path / f"{split}-{kind}.i16", "rb") as piece:
                    shutil.copyfileobj(piece, whole, BLOCK)
    for split in splits:
        rows = [[field.name for field in fields(Clip)], *(astuple(clip) for clip in clips[split])]
        text = "".join("\t".join(re.sub(r"[\t\r\n]", " ", str(value)) for value in row) + "\n" for row in rows)
        (folder / split / "clips.tsv").write_bytes(text.encode("utf-8", "replace"))
    value = {
        "schema": corpus.SCHEMA,
        "name": name,
        "key": key,
        "hours": {split: {kind: round(ends[split, kind] / RATE / 3600, 4) for kind in KINDS} for split in splits},
        "speakers": {split: len({clip.speaker for clip in clips[split] if clip.kind == "speech"}) for split in splits},
        "categories": {split: len({clip.category for clip in clips[split] if clip.kind == "noise"}) for split in splits},
        "missing": missing,
    }
    with atomic_path(folder / "corpus.json") as path:
        path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    return value
