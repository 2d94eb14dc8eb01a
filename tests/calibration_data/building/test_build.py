import errno
import hashlib
import io
import shutil
import subprocess
import zipfile

import numpy as np
import pytest
import soundfile

from calibration_data import corpus, sources
from calibration_data.building import build
from calibration_data.sources import (
    OLD_TEST,
    OWN_SPLITS,
    SPLITS,
    Entry,
    Package,
    Recording,
    Repository,
    Wheel,
)
from groupcomm.errors import UserError

SPEAKERS = 20


def _names(split, name="tiny"):
    c = corpus.open_corpus(split, name=name)
    return {g.name for g in c.speakers}, {clip.path for g in c.categories for clip in g.clips}


def test_splits_of_own_folders_are_disjoint(tiny):
    speakers, noises = zip(*(_names(split) for split in OWN_SPLITS), strict=True)
    assert [len(names) for names in speakers] == [16, 2, 2]
    assert len(set().union(*speakers)) == SPEAKERS
    assert sum(map(len, noises)) == len(set().union(*noises)) == 15
    assert {g.name for g in corpus.open_corpus("train", name="tiny").categories} == {
        "rain",
        "wind",
        "crowd",
    }


def test_split_depends_on_names_only():
    names = [f"speaker {i}" for i in range(30)]
    split = build._split(names)
    assert split == build._split(reversed(names))
    assert sorted(split.values()).count("train") == 24
    assert sorted(build._split("abc").values()) == sorted(OWN_SPLITS)


def test_finished_corpus_is_not_built_again(tiny, folders, monkeypatch):
    monkeypatch.setattr(build, "decode", None)
    assert build.build_folder(*folders, "tiny") == corpus.report("tiny")


def test_corpus_contains_the_sound_of_the_file(tiny, folders):
    c = corpus.open_corpus("train", name="tiny")
    clip = c.speakers[0].clips[0]
    original, _ = soundfile.read(folders[0] / clip.path)
    stored = c.speech[clip.offset : clip.offset + clip.samples] / 32768
    best = np.correlate(original, stored[:4000], "valid").max() / (stored[:4000] @ stored[:4000])
    assert best > 0.99


def test_report_counts_unreadable_files(empty, tmp_path, sound):
    for speaker in "abc":
        (tmp_path / "s" / speaker).mkdir(parents=True)
        soundfile.write(
            tmp_path / "s" / speaker / "x.wav", sound(np.random.default_rng(1), pitch=100), 16000
        )
    (tmp_path / "s" / "b" / "broken.wav").write_bytes(b"no sound")
    report = build.build_folder(tmp_path / "s", None, "three")
    assert report["missing"] == {"speech-b": 1}
    assert (
        report["speakers"] == dict.fromkeys(OWN_SPLITS, 1)
        and report["hours"]["train"]["noise"] == 0
    )


@pytest.mark.parametrize("name", [*corpus.COMMANDS, "", "../up", ".hidden", "a b"])
def test_build_folder_rejects_invalid_or_reserved_names(folders, name):
    with pytest.raises(UserError, match="corpus name"):
        build.build_folder(folders[0], None, name)


def test_build_folder_rejects_missing_folder_and_too_few_sounds(folders, tmp_path):
    with pytest.raises(UserError, match="gone.*is not a folder"):
        build.build_folder(tmp_path / "gone", None, "x")
    with pytest.raises(UserError, match="1 speaker folders.*at least 3"):
        build.build_folder(folders[0].parent / "speech" / "000", None, "x")
    (tmp_path / "quiet").mkdir()
    with pytest.raises(UserError, match="0 noises"):
        build.build_folder(folders[0], tmp_path / "quiet", "x")


def test_interrupted_build_continues(empty, folders, monkeypatch):
    calls = []

    def stop_at(limit):
        def decode(*args, **kwargs):
            calls.append(args[1])
            if len(calls) == limit:
                raise KeyboardInterrupt
            return build_decode(*args, **kwargs)

        return decode

    build_decode = build.decode
    monkeypatch.setattr(build, "decode", stop_at(30))
    with pytest.raises(KeyboardInterrupt):
        build.build_folder(*folders, "stopped")
    with pytest.raises(UserError):
        corpus.report("stopped")
    first = len(calls)
    monkeypatch.setattr(build, "decode", stop_at(-1))
    build.build_folder(*folders, "stopped")
    assert 2 * SPEAKERS + 15 <= len(calls) < first + 2 * SPEAKERS + 15 - 10
    assert not list((empty / "corpus" / ".parts").iterdir())
    assert _names("test", "stopped")[0]


def test_what_a_build_left_that_was_killed_at_its_end_is_removed(tiny, cache, folders):
    """The corpus is complete, and the old version of it is not yet removed."""
    folder = cache / "corpus"
    (folder / ".groupcomm-abcd1234" / "part").mkdir(parents=True)
    (folder / ".tiny.lock").touch()
    build.build_folder(*folders, "tiny")
    assert not (folder / ".groupcomm-abcd1234").exists()
    assert not (folder / ".tiny.lock").exists()


def test_two_builds_give_identical_files(cache, empty, folders):
    build.build_folder(*folders, "tiny")
    for path in (cache / "corpus" / "tiny").rglob("*.*"):
        assert path.read_bytes() == (empty / path.relative_to(cache)).read_bytes(), path


def test_full_disk_is_reported(empty, folders, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(build, "decode", full)
    with pytest.raises(UserError, match="No space left on device.*free some space"):
        build.build_folder(*folders, "full")


PACKAGE = Package("tiny-sounds", "1:2-3", 10, "0" * 64, "CC0", "nothing")


def test_package_with_wrong_checksum_is_deleted(empty):
    path = build.packages_dir() / PACKAGE.file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not it")
    with pytest.raises(UserError, match="tiny-sounds_1%3a2-3_all.deb.*sha256"):
        build.fetch([PACKAGE])
    assert not path.exists()


def test_missing_apt_get_is_reported(empty, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="apt-get is not installed.*snapshot.debian.org"):
        build.fetch([PACKAGE])
    assert not build.packages_dir().exists()


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt-get")
def test_failed_apt_get_is_reported(empty):
    with pytest.raises(UserError, match="tiny-sounds.*apt-get cannot download it"):
        build.fetch([PACKAGE])
    assert not build.packages_dir().exists()


WHEEL = Wheel("no-such-wheel", "1.0", 10, "0" * 64, "CC0", "nothing")


def test_wheel_with_wrong_checksum_is_deleted(empty):
    path = build.packages_dir() / "no_such_wheel-1.0-py3-none-any.whl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not it")
    with pytest.raises(UserError, match="no_such_wheel-1.0-py3-none-any.whl: sha256"):
        build.fetch([WHEEL])
    assert not path.exists()


def test_failed_pip_is_reported(empty, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(
        UserError,
        match="no_such_wheel.*pip cannot download it .Could not find a version.*; download it from "
        "https://pypi.org/project/no-such-wheel/1.0/#files and put it into",
    ):
        build.fetch([WHEEL])
    assert not build.packages_dir().exists()


def _deb(top, files):
    """Build a package of these files, and return its entry for sources.toml."""
    (top / "DEBIAN").mkdir(parents=True)
    (top / "DEBIAN" / "control").write_text(
        "Package: tiny-sounds\nVersion: 1:2-3\nArchitecture: all\nMaintainer: a\nDescription: b\n"
    )
    for name, data in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(data)
    path = build.packages_dir() / PACKAGE.file
    path.parent.mkdir(parents=True)
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-b", top, path], check=True, capture_output=True
    )
    return Package(
        "tiny-sounds",
        "1:2-3",
        path.stat().st_size,
        hashlib.sha256(path.read_bytes()).hexdigest(),
        "CC0",
        "",
    )


@pytest.fixture
def public(empty, tmp_path, monkeypatch, sound):
    """Replace the lists by a package and a repository, and return the folder of the recordings.

    The package has a voice and a noise in each of the three splits; those in "test" are also in the
    old test split. The repository has one speaker, in training.
    """
    random = np.random.default_rng(0)

    def wav(pitch=None):
        file = io.BytesIO()
        soundfile.write(file, sound(random, pitch=pitch), 16000, format="WAV")
        return file.getvalue()

    voices, noises, unlisted, speech = (
        [wav(100), wav(150), wav(200)],
        [wav() for _ in range(3)],
        wav(250),
        wav(220),
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as inner:
        for i, data in enumerate(noises):
            inner.writestr(f"sound/{i}.wav", data)
    files = {f"usr/{i}.wav": data for i, data in enumerate([*voices, unlisted, voices[0]])}
    package = _deb(tmp_path / "package", files | {"usr/noise.pk3": archive.getvalue()})
    entries = {}
    for i, split in enumerate(("train", "validation", f"test,{OLD_TEST}")):
        entries[hashlib.md5(voices[i]).hexdigest()] = Entry(
            split, package.name, speaker=f"voice{i}", lang="en"
        )
        entries[hashlib.md5(noises[i]).hexdigest()] = Entry(split, package.name, category="rain")
    entries["0" * 32] = Entry("train", package.name, category="rain")
    entry = Entry("train", "speech", speaker="talker", lang="en")
    recording = Recording(
        "a/1.wav", "speech/talker/1.wav", hashlib.sha256(speech).hexdigest(), "", entry
    )
    folder = tmp_path / "recordings"
    (folder / "speech" / "talker").mkdir(parents=True)
    (folder / "speech" / "talker" / "1.wav").write_bytes(speech)
    monkeypatch.setattr(sources, "packages", lambda: {package.name: package})
    monkeypatch.setattr(sources, "listed", lambda: {package.name: entries})
    monkeypatch.setattr(
        sources,
        "repositories",
        lambda: {
            "speech": Repository("speech", "https://github.com/a/speech", "abc123", "CC0", "")
        },
    )
    monkeypatch.setattr(sources, "recordings", lambda: {"speech": [recording]})
    monkeypatch.setattr(sources, "speakers", lambda: {"voice0": {"tier": "core", "sex": "F"}})
    return folder


needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb")


@needs_dpkg
def test_debian_corpus_contains_listed_files_of_package(public):
    report = build.build_public(debian=True)
    assert report["missing"] == {"tiny-sounds": 1}
    train = corpus.open_corpus("train", name="debian")
    assert [group.name for group in train.speakers] == ["voice0"]
    (clip,) = train.speakers[0].clips
    assert (clip.speaker, clip.tier, clip.sex, clip.lang, clip.path) == (
        "voice0",
        "core",
        "F",
        "en",
        "usr/0.wav",
    )
    assert train.categories[0].clips[0].path == "usr/noise.pk3/sound/0.wav"


@needs_dpkg
def test_file_can_be_in_two_splits(public):
    build.build_public(debian=True)
    test, old = (corpus.open_corpus(split, name="debian") for split in ("test", OLD_TEST))
    assert (test.speakers, test.categories) == (old.speakers, old.categories)
    assert test.speakers[0].name == "voice2"
    assert np.array_equal(test.speech, old.speech) and np.array_equal(test.noise, old.noise)


@needs_dpkg
def test_open_corpus_contains_packages_and_recordings(public, monkeypatch):
    assert build.build_public(folder=public)["name"] == "open"
    train = corpus.open_corpus("train")
    assert [
        (group.name, group.clips[0].package, group.clips[0].path) for group in train.speakers
    ] == [("talker", "speech", "a/1.wav"), ("voice0", "tiny-sounds", "usr/0.wav")]
    build.build_public(debian=True)
    for split in SPLITS[1:]:
        assert (
            corpus.open_corpus(split).speakers == corpus.open_corpus(split, name="debian").speakers
        )
    monkeypatch.setattr(build, "decode", None)
    # The corpus is finished, so nothing is downloaded.
    assert build.build_public() == corpus.report("open")


@needs_dpkg
def test_build_downloads_recordings(public, monkeypatch):
    monkeypatch.setenv("GROUPCOMM_RECORDINGS_URL", public.as_uri())
    served = public / "a" / "speech" / "abc123" / "a" / "1.wav"
    served.parent.mkdir(parents=True)
    served.write_bytes((public / "speech" / "talker" / "1.wav").read_bytes())
    build.build_public()
    assert corpus.open_corpus("train").speakers[0].name == "talker"


@needs_dpkg
def test_missing_recording_stops_the_build(public):
    with pytest.raises(UserError, match="gone/speech/talker/1.wav: missing"):
        build.build_public(folder=public / "gone")
    with pytest.raises(UserError, match="run `groupcomm data`"):
        corpus.open_corpus("train")


@needs_dpkg
def test_voices_are_added_to_training_speakers_only(public, monkeypatch):
    spoken = (public / "speech" / "talker" / "1.wav").read_bytes()

    def synthesize(name, check):
        yield f"{name}/000.wav", spoken, Entry("train", "a package", speaker=name, lang="it")

    monkeypatch.setattr(build.voices, "require", lambda: None)
    monkeypatch.setattr(build.voices, "SENTENCES", 1)
    monkeypatch.setattr(build.voices, "synthesize", synthesize)
    assert build.build_public(debian=True, with_voices=True)["name"] == "debian-voices"
    assert build.build_public(folder=public, with_voices=True)["name"] == "open-voices"
    build.build_public(debian=True)
    more = corpus.open_corpus("train", name="debian-voices")
    assert {group.name for group in more.speakers} == {"voice0", *build.voices.VOICES}
    for group in more.speakers[:-1]:  # the last group is voice0
        (clip,) = group.clips
        assert (clip.tier, clip.sex) == ("synthetic", build.voices.VOICES[group.name].sex)
    for split in SPLITS[1:]:
        assert (
            corpus.open_corpus(split, name="debian-voices").speakers
            == corpus.open_corpus(split, name="debian").speakers
        )
    assert len(corpus.open_corpus("train", name="open-voices").speakers) == len(more.speakers) + 1


@needs_dpkg
def test_kokoro_is_added_to_training_speakers_only(public, monkeypatch):
    spoken = (public / "speech" / "talker" / "1.wav").read_bytes()
    begun = []

    def synthesize(model, name, check):
        begun.append(name)
        if begun == list(build.kokoro.TALKERS)[:3]:
            raise KeyboardInterrupt
        yield f"{name}/000.wav", spoken, Entry("train", "a wheel", speaker=name)

    monkeypatch.setattr(build, "WORKERS", 1)
    monkeypatch.setattr(sources, "wheels", dict)
    monkeypatch.setattr(build.kokoro, "require", lambda: None)
    monkeypatch.setattr(build.kokoro, "Model", dict)
    monkeypatch.setattr(build.kokoro, "SENTENCES", 1)
    monkeypatch.setattr(build.kokoro, "synthesize", synthesize)
    with pytest.raises(KeyboardInterrupt):
        build.build_public(debian=True, with_kokoro=True)
    assert build.build_public(debian=True, with_kokoro=True)["name"] == "debian-kokoro"
    # The second build keeps the talkers that the first one has finished.
    assert [begun.count(f"kokoro_{i:02d}") for i in (1, 2, 3, 24)] == [1, 1, 2, 1]
    more = corpus.open_corpus("train", name="debian-kokoro")
    assert {group.name for group in more.speakers} == {"voice0", *build.kokoro.TALKERS}
    sexes = {group.name: group.clips[0].sex for group in more.speakers}
    assert (sexes["kokoro_01"], sexes["kokoro_02"], sexes["kokoro_03"]) == ("", "M", "F")
    assert more.speakers[0].clips[0].tier == "synthetic"
    build.build_public(debian=True)
    for split in SPLITS[1:]:
        assert (
            corpus.open_corpus(split, name="debian-kokoro").speakers
            == corpus.open_corpus(split, name="debian").speakers
        )


@needs_dpkg
def test_damaged_archive_is_reported_with_its_path(empty, tmp_path):
    package = _deb(tmp_path / "package", {"usr/Sound.ocg": b"no group"})
    with pytest.raises(
        UserError, match="tiny-sounds.*usr/Sound.ocg: damaged archive.*delete the package"
    ):
        list(build._unpack(package, {}, lambda: None))
