import errno
import hashlib
import io
import shutil
import subprocess
import zipfile

import numpy as np
import pytest
import soundfile

from calibration_data import build, corpus, sources
from calibration_data.sources import SPLITS, Entry, Package
from groupcomm.errors import UserError

SPEAKERS = 20


def _names(split, name="tiny"):
    c = corpus.open_corpus(split, name=name)
    return {g.name for g in c.speakers}, {clip.path for g in c.categories for clip in g.clips}


def test_folder_splits_are_disjoint(tiny):
    speakers, noises = zip(*(_names(split) for split in SPLITS), strict=True)
    assert [len(names) for names in speakers] == [16, 2, 2]
    assert len(set().union(*speakers)) == SPEAKERS
    assert sum(map(len, noises)) == len(set().union(*noises)) == 15
    assert {g.name for g in corpus.open_corpus("train", name="tiny").categories} == {"rain", "wind", "crowd"}


def test_folder_split_is_a_function_of_the_names():
    names = [f"speaker {i}" for i in range(30)]
    split = build._split(names)
    assert split == build._split(reversed(names))
    assert sorted(split.values()).count("train") == 24
    assert sorted(build._split("abc").values()) == sorted(SPLITS)


def test_folder_is_not_built_twice(tiny, folders, monkeypatch):
    monkeypatch.setattr(build, "decode", None)
    assert build.build_folder(*folders, "tiny") == corpus.report("tiny")


def test_folder_sound_is_the_files_sound(tiny, folders):
    c = corpus.open_corpus("train", name="tiny")
    clip = c.speakers[0].clips[0]
    original, _ = soundfile.read(folders[0] / clip.path)
    stored = c.speech[clip.offset : clip.offset + clip.samples] / 32768
    best = np.correlate(original, stored[:4000], "valid").max() / (stored[:4000] @ stored[:4000])
    assert best > 0.99


def test_folder_tells_of_unreadable_files(empty, tmp_path, sound):
    for speaker in "abc":
        (tmp_path / "s" / speaker).mkdir(parents=True)
        soundfile.write(tmp_path / "s" / speaker / "x.wav", sound(np.random.default_rng(1), pitch=100), 16000)
    (tmp_path / "s" / "b" / "broken.wav").write_bytes(b"no sound")
    report = build.build_folder(tmp_path / "s", None, "three")
    assert report["missing"] == {"speech-b": 1}
    assert report["speakers"] == dict.fromkeys(SPLITS, 1) and report["hours"]["train"]["noise"] == 0


@pytest.mark.parametrize("name", ["debian", "", "../up", ".hidden", "a b"])
def test_folder_refuses_names(folders, name):
    with pytest.raises(UserError, match="corpus name"):
        build.build_folder(folders[0], None, name)


def test_folder_refuses_what_is_too_little(folders, tmp_path):
    with pytest.raises(UserError, match="gone.*is not a folder"):
        build.build_folder(tmp_path / "gone", None, "x")
    with pytest.raises(UserError, match="1 speaker folders.*at least 3"):
        build.build_folder(folders[0].parent / "speech" / "000", None, "x")
    (tmp_path / "quiet").mkdir()
    with pytest.raises(UserError, match="0 noises"):
        build.build_folder(folders[0], tmp_path / "quiet", "x")


def test_a_stopped_build_goes_on(empty, folders, monkeypatch):
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


def test_a_stopped_build_ends_with_the_same_bytes(cache, empty, folders):
    build.build_folder(*folders, "tiny")
    for path in (cache / "corpus" / "tiny").rglob("*.*"):
        assert path.read_bytes() == (empty / path.relative_to(cache)).read_bytes(), path


def test_full_disk(empty, folders, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(build, "decode", full)
    with pytest.raises(UserError, match="No space left on device.*free some space"):
        build.build_folder(*folders, "full")


PACKAGE = Package("tiny-sounds", "1:2-3", 10, "0" * 64, "CC0", "nothing")


def test_wrong_checksum_deletes_the_file(empty):
    path = build.packages_dir() / PACKAGE.file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not it")
    with pytest.raises(UserError, match="tiny-sounds_1%3a2-3_all.deb.*sha256"):
        build.fetch([PACKAGE])
    assert not path.exists()


def test_no_apt_get(empty, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="no apt-get here.*snapshot.debian.org"):
        build.fetch([PACKAGE])
    assert not list(build.packages_dir().iterdir())


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no apt-get")
def test_apt_get_fails(empty):
    with pytest.raises(UserError, match="tiny-sounds.*apt-get cannot fetch it"):
        build.fetch([PACKAGE])
    assert not list(build.packages_dir().iterdir())


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb")
def test_debian_corpus_from_a_tiny_package(empty, tmp_path, monkeypatch, sound):
    random = np.random.default_rng(0)

    def wav(pitch=None):
        file = io.BytesIO()
        soundfile.write(file, sound(random, pitch=pitch), 16000, format="WAV")
        return file.getvalue()

    voices, noises, unlisted = [wav(100), wav(150), wav(200)], [wav() for _ in range(3)], wav(250)
    top = tmp_path / "package"
    (top / "DEBIAN").mkdir(parents=True)
    (top / "DEBIAN" / "control").write_text("Package: tiny-sounds\nVersion: 1:2-3\nArchitecture: all\nMaintainer: a\nDescription: b\n")
    (top / "usr").mkdir()
    for i, data in enumerate([*voices, unlisted, voices[0]]):
        (top / "usr" / f"{i}.wav").write_bytes(data)
    with zipfile.ZipFile(top / "usr" / "noise.pk3", "w") as inner:
        for i, data in enumerate(noises):
            inner.writestr(f"sound/{i}.wav", data)
    path = build.packages_dir() / PACKAGE.file
    path.parent.mkdir(parents=True)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", top, path], check=True, capture_output=True)
    package = Package("tiny-sounds", "1:2-3", path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest(), "CC0", "")
    entries = {}
    for i, split in enumerate(SPLITS):
        entries[hashlib.md5(voices[i]).hexdigest()] = Entry(split, package.name, speaker=f"voice{i}", lang="en")
        entries[hashlib.md5(noises[i]).hexdigest()] = Entry(split, package.name, category="rain")
    entries["0" * 32] = Entry("train", package.name, category="rain")
    monkeypatch.setattr(sources, "packages", lambda: {package.name: package})
    monkeypatch.setattr(sources, "listed", lambda: {package.name: entries})
    monkeypatch.setattr(sources, "speakers", lambda: {"voice0": {"tier": "core", "sex": "F"}})

    report = build.build_debian()
    assert report["missing"] == {"tiny-sounds": 1}
    train = corpus.open_corpus("train")
    (clip,) = train.speakers[0].clips
    assert (clip.speaker, clip.tier, clip.sex, clip.lang, clip.path) == ("voice0", "core", "F", "en", "usr/0.wav")
    assert train.categories[0].clips[0].path == "usr/noise.pk3/sound/0.wav"

    def speak(name, check):
        yield f"{name}/000.wav", wav(180), Entry("train", "a package", speaker=name, lang="it")

    monkeypatch.setattr(build.voices, "require", lambda: None)
    monkeypatch.setattr(build.voices, "SENTENCES", 1)
    monkeypatch.setattr(build.voices, "speak", speak)
    assert build.build_debian(with_voices=True)["name"] == "debian-voices"
    more = corpus.open_corpus("train", name="debian-voices")
    assert {group.name for group in more.speakers} == {"voice0", *build.voices.VOICES}
    for group in more.speakers[:-1]:  # the last is voice0
        (clip,) = group.clips
        assert (clip.tier, clip.sex) == ("synthetic", build.voices.VOICES[group.name].sex)
    for split in ("validation", "test"):
        assert corpus.open_corpus(split, name="debian-voices").speakers == corpus.open_corpus(split).speakers
