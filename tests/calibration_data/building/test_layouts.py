"""Who speaks in a folder of sounds: known corpora, manifests, and what is refused."""

import errno
import os

import pytest
import soundfile

from calibration_data import corpus
from calibration_data.building import build, layouts
from groupcomm.errors import UserError

LIBRISPEECH = """
train-clean-100/103/1240/103-1240-0000.flac
train-clean-100/103/1241/103-1241-0000.flac
dev-clean/84/121123/84-121123-0001.flac
test-clean/1089/134686/1089-134686-0000.flac
"""
LIBRIMIX = """
wav16k/min/train-100/s1/4077-13754-0001_5142-33396-0065.wav
wav16k/min/train-100/s2/4077-13754-0001_5142-33396-0065.wav
wav16k/min/train-100/mix_clean/4077-13754-0001_5142-33396-0065.wav
wav16k/min/train-100/noise/4077-13754-0001_5142-33396-0065.wav
wav16k/min/test/s1/61-70968-0000_8455-210777-0012.wav
wav16k/min/test/s2/61-70968-0000_8455-210777-0012.wav
wav8k/min/train-100/s1/4077-13754-0001_5142-33396-0065.wav
"""
VCTK = """
wav48_silence_trimmed/p225/p225_001_mic1.flac
wav48_silence_trimmed/p225/p225_001_mic2.flac
wav48_silence_trimmed/p226/p226_001_mic1.flac
wav48_silence_trimmed/s5/s5_001_mic1.flac
"""
DNS = """
clean/read_speech/book_00000_chp_0009_reader_06709_0_seg_1.wav
clean/read_speech/book_00000_chp_0009_reader_06709_1_seg_1.wav
clean/read_speech/book_00012_chp_0001_reader_00012_0.wav
clean/vctk_wav48_silence_trimmed/p225/p225_001_mic1.wav
noise/zzzz.wav
impulse_responses/small/r1.wav
"""
TIMIT = """
TRAIN/DR1/FCJF0/SA1.WAV
TRAIN/DR1/FCJF0/SA1.WAV.wav
TRAIN/DR2/MDAC0/SX181.WAV
TEST/DR1/FAKS0/SI943.WAV
"""
VOICEBANK = """
clean_trainset_28spk_wav/p226_001.wav
clean_trainset_28spk_wav/p287_001.wav
noisy_trainset_28spk_wav/p226_001.wav
clean_testset_wav/p232_001.wav
noisy_testset_wav/p232_001.wav
"""
# The corpus, its files, and the speakers with the numbers of their sounds.
KNOWN = {
    "LibriSpeech": (LIBRISPEECH, {"103": 2, "84": 1, "1089": 1}),
    "LibriTTS": (LIBRISPEECH.replace("-1240-", "_1240_"), {"103": 2, "84": 1, "1089": 1}),
    "Libri2Mix": (LIBRIMIX, {"4077": 1, "5142": 1, "61": 1, "8455": 1}),
    "VCTK": (VCTK, {"p225": 1, "p226": 1, "s5": 1}),
    "DNS": (DNS, {"06709": 2, "00012": 1, "p225": 1}),
    "TIMIT": (TIMIT, {"FCJF0": 1, "MDAC0": 1, "FAKS0": 1}),
    "timit": (TIMIT.lower(), {"fcjf0": 1, "mdac0": 1, "faks0": 1}),
    "VoiceBank": (VOICEBANK, {"p226": 1, "p287": 1, "p232": 1}),
    "own": ("anna/x.wav\nbert/y/1.ogg\nbert/y/2.ogg\nzoe/1.MP3", {"anna": 1, "bert": 2, "zoe": 1}),
    "numbers": ("001/7/0.wav\n002/7/0.wav\n003/7/0.wav", {"001": 1, "002": 1, "003": 1}),
    "VCTK and own": (
        "p225/p225_001.wav\np226/p226_001.wav\nanna/1.wav",
        {"p225": 1, "p226": 1, "anna": 1},
    ),
}


def tree(top, files):
    for name in files.split():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(b"")
    return top


def found(top):
    return {who: len(paths) for who, paths in layouts.speakers_of(top).items()}


@pytest.mark.parametrize("name", KNOWN)
def test_speakers_are_speakers(name, tmp_path):
    files, speakers = KNOWN[name]
    assert found(tree(tmp_path / name, files)) == speakers


def test_a_known_corpus_is_recognised_above_and_below_its_root(tmp_path):
    tree(tmp_path / "LibriSpeech", LIBRISPEECH)
    assert found(tmp_path) == KNOWN["LibriSpeech"][1]
    assert found(tmp_path / "LibriSpeech" / "train-clean-100") == {"103": 2}
    root = tree(tmp_path / "timit", TIMIT)
    assert found(root / "TRAIN") == {"FCJF0": 1, "MDAC0": 1}
    root = tree(tmp_path / "voicebank", VOICEBANK)
    assert found(root / "clean_trainset_28spk_wav") == {"p226": 1, "p287": 1}


def test_what_is_left_out_of_a_known_corpus_is_named(tmp_path, capfd):
    found(tree(tmp_path / "mix", LIBRIMIX))
    found(tree(tmp_path / "dns", DNS))
    said = capfd.readouterr().err
    assert "LibriMix: the same sounds as /wav8k/min/ are in /wav16k/min/, which is used" in said
    assert "LibriMix, 4 speakers; left out: 1 of mix_clean, 1 of noise" in said
    assert "DNS challenge, VCTK, 3 speakers; left out: 1 of small, 1 of noise" in said


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ("train/a.wav\ndev/a.wav\ntest/a.wav", "dev: looks like a subset"),
        ("train-other/ann/a.wav\nx/a.wav", "train-other: looks like a subset"),
        ("dr1/ann/a.wav\ndr2/a.wav", "dr1: looks like a dialect"),
        ("english/a.wav\ngerman/a.wav\nfrench/a.wav", "english: looks like a language"),
        ("de_DE/ann/a.wav\nen_US/a.wav", "de_DE: looks like a language"),
        ("wav48/a.wav\ntxt/a.wav", "wav48: looks like a folder of all sounds"),
        ("female/a.wav\nmale/a.wav", "female: looks like a sex"),
        ("clean/a.wav\nnoisy/a.wav", "clean: looks like a kind of sound"),
        (DNS + "clean/french_speech/x/1.wav", "french_speech/x: the folder "),
        ("1.wav\n2.wav\n3.wav\n4.wav", "0 speaker folders with sounds; at least 3"),
    ],
)
def test_folders_that_are_not_speakers_are_refused(files, says, tmp_path):
    with pytest.raises(UserError) as e:
        layouts.speakers_of(tree(tmp_path / "mine", files))
    assert says in str(e.value) and "\n" not in str(e.value)
    way_out = f"write {tmp_path / 'mine'}/manifest.tsv with the columns file and speaker"
    assert str(e.value).endswith(way_out)


def test_people_may_have_any_other_name(tmp_path):
    names = ["Devon", "Testa", "Trainor", "Al", "Jo", "Cleo", "Wavell", "Mixon", "Dr. No"]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.wav").write_bytes(b"")
    assert set(found(tmp_path)) == set(names)


def test_a_manifest_says_who_speaks(tmp_path, capfd):
    tree(tmp_path, "1.wav\n2.wav\ntrain/3.wav\n4.wav")
    rows = ["file\tlength\tspeaker", "1.wav\t3\tanna", "train/3.wav\t4\tbert", "2.wav\t1\tanna"]
    (tmp_path / "manifest.tsv").write_text("\n".join(rows))
    speakers = layouts.speakers_of(tmp_path)
    assert speakers == {
        "anna": [tmp_path / "1.wav", tmp_path / "2.wav"],
        "bert": [tmp_path / "train" / "3.wav"],
    }
    assert f"does not name 1 sounds, left out ({tmp_path / '4.wav'} ...)" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has the columns none; the first line must name file and speaker"),
        (b"path\tspeaker\n", "has the columns path, speaker"),
        (b"file\tspeaker\n1.wav\n", "line 2: has no file or no speaker"),
        (b"file\tspeaker\n1.wav\ta\n2.wav\ta\n", "line 3: 2.wav: no such file below"),
        (b"file\tspeaker\n../m/1.wav\ta\n", "line 2: ../m/1.wav: no such file below"),
        (b"file\tspeaker\n1.wav\ta\n1.wav\tb\n", "line 3: 1.wav: is listed twice"),
        (b"file\tspeaker\n\xff\xfe.wav\ta\n", "cannot be read ("),
    ],
)
def test_a_wrong_manifest_is_refused(content, says, tmp_path):
    tree(tmp_path / "m", "1.wav")
    (tmp_path / "m" / "manifest.tsv").write_bytes(content)
    with pytest.raises(UserError) as e:
        layouts.speakers_of(tmp_path / "m")
    assert says in str(e.value) and "manifest.tsv: " in str(e.value)


def test_linked_folders_are_followed_and_the_rest_is_named(tmp_path, capfd):
    elsewhere = tree(tmp_path / "elsewhere", "anna/1.wav\nbert/1.wav")
    mine = tree(tmp_path / "mine", "zoe/1.wav")
    for name in ("anna", "bert"):
        (mine / name).symlink_to(elsewhere / name)
    (mine / "again").symlink_to(mine / "zoe")
    (mine / "zoe" / "loop").symlink_to(mine)
    (mine / "zoe" / "gone.wav").symlink_to("nowhere.wav")
    (mine / "zoe" / "2.wav").symlink_to(elsewhere / "anna" / "1.wav")
    assert found(mine) == {"anna": 1, "bert": 1, "zoe": 2}
    said = capfd.readouterr().err
    for name, why in (
        ("again", "the same folder as one that is read, left out"),
        ("zoe/loop", "the same folder as one that is read, left out"),
        ("zoe/gone.wav", "a link that leads nowhere, left out"),
    ):
        assert f"{mine / name}: {why}\n" in said
    assert said.count("left out") == 3


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    tree(tmp_path, "anna/1.wav")
    scan = os.scandir

    def refuse(path):
        if os.path.basename(path) == "anna":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"anna: cannot be read \(Permission denied\)"):
        layouts.speakers_of(tmp_path)


def test_sounds_in_no_folder_are_named(tmp_path, capfd):
    tree(tmp_path, "a/1.wav\nb/1.wav\nc/1.wav\n4.wav\n5.wav")
    assert found(tmp_path) == {"a": 1, "b": 1, "c": 1}
    assert "2 sounds are in no folder of a speaker, left out" in capfd.readouterr().err


@pytest.mark.parametrize("usable", [0, 2])
def test_a_corpus_without_a_usable_sound_in_a_split_is_refused(usable, empty, tmp_path, random):
    top = tree(tmp_path / "mine", "a/1.wav\nb/1.wav\nc/1.wav")
    for name in "abc"[:usable]:
        soundfile.write(top / name / "1.wav", random.normal(0, 0.1, 16000), 16000)
    with pytest.raises(UserError, match="no speech of the split .* can be used; . sounds are sil"):
        build.build_folder(top, None, "mine")
    assert not corpus.corpus_dir("mine").exists()


def test_noise_without_a_usable_sound_is_refused(empty, tmp_path, folders):
    noise = tree(tmp_path / "noise", "a/1.wav\nb/1.wav\nc/1.wav")
    with pytest.raises(UserError, match="no noise of the split train can be used"):
        build.build_folder(folders[0], noise, "mine")


def test_a_changed_manifest_builds_the_corpus_again(empty, tmp_path, random):
    top = tree(tmp_path / "mine", "1.wav\n2.wav\n3.wav")
    for number in (1, 2, 3):
        soundfile.write(top / f"{number}.wav", random.normal(0, 0.1, 16000), 16000)
    for names in ("abc", "xyz"):
        rows = [f"{number}.wav\t{name}" for number, name in enumerate(names, 1)]
        (top / "manifest.tsv").write_text("\n".join(["file\tspeaker", *rows]))
        build.build_folder(top, None, "mine")
        splits = [corpus.open_corpus(split, name="mine") for split in build.OWN_SPLITS]
        assert {g.name for split in splits for g in split.speakers} == set(names)
