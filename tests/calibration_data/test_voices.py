"""Synthetic voices: what they say, how they are asked to, and what is said when they are not there."""

import stat
import sys
import time

import numpy as np
import pytest
import soundfile

from calibration_data import voices
from groupcomm.errors import UserError


def program(folder, name, script):
    """A stand-in on PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_what_a_voice_says_is_random_and_always_the_same():
    said = {name: voices.sentences(name) for name in ("synthetic_lp", "synthetic_awb")}
    assert said["synthetic_lp"] == voices.sentences("synthetic_lp")
    assert len(set(said["synthetic_lp"] + said["synthetic_awb"])) == 2 * voices.SENTENCES
    assert all(text.replace(" ", "").isascii() and text.replace(" ", "").isalpha() for text in said["synthetic_lp"])


@pytest.mark.parametrize(("name", "program_name"), [("synthetic_lp", "festival"), ("synthetic_awb", "flite")])
def test_it_speaks(name, program_name, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "said.wav", np.sin(np.arange(16000) / 20) / 2, 16000)
    stand_in = [
        "import pathlib, re, shutil, sys",
        "asked = ' '.join(sys.argv)",
        "asked += ''.join(pathlib.Path(a).read_text() for a in sys.argv if a.endswith('.scm'))",
        f"with open('{tmp_path}/asked', 'a') as kept: kept.write(asked)",
        f"for to in re.findall(r'/\\S*?[.]wav', asked): shutil.copy('{tmp_path}/said.wav', to)",
    ]
    (tmp_path / "stand_in.py").write_text("\n".join(stand_in))
    program(tmp_path, program_name, f'{sys.executable} {tmp_path}/stand_in.py "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(voices, "SENTENCES", 3)
    made = list(voices.speak(name, lambda: None))
    assert [path for path, *_ in made] == [f"{name}/{i:03d}.wav" for i in range(3)]
    voice = voices.VOICES[name]
    asked = (tmp_path / "asked").read_text()
    for (_, data, entry), text in zip(made, voices.sentences(name), strict=True):
        assert data == (tmp_path / "said.wav").read_bytes()
        assert (entry.split, entry.speaker, entry.lang, entry.package) == ("train", name, voice.lang, voice.package)
        assert voice.voice in asked and text in asked


@pytest.mark.parametrize(
    ("exits", "message"),
    [
        (0, "voice czech_dita: said nothing; install festvox-czech-dita again"),
        (3, "voice czech_dita: exit code 3; free space in .*, or install festvox-czech-dita again"),
    ],
)
def test_a_voice_that_says_nothing_or_fails_is_named(exits, message, tmp_path, monkeypatch):
    program(tmp_path, "festival", f"exit {exits}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UserError, match=message):
        next(voices.speak("synthetic_dita", lambda: None))


def test_missing_packages_are_named_with_the_way_out(tmp_path, monkeypatch):
    program(tmp_path, "dpkg-query", "echo festival installed; echo flite config-files; echo festvox-italp16k installed")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UserError, match="voices of festvox-ca-ona-hts, .*flite: not installed; as root: apt-get install .*festival ") as e:
        voices.require()
    assert "festvox-italp16k" not in str(e.value).split(":")[0]


def test_it_stops_between_two_looks(tmp_path, monkeypatch):
    program(tmp_path, "festival", "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def check():
        raise InterruptedError

    begin = time.monotonic()
    with pytest.raises(InterruptedError):
        next(voices.speak("synthetic_dita", check))
    assert time.monotonic() - begin < 20  # it did not wait for the program


def test_without_debian(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="no dpkg-query here"):
        voices.require()
