"""Test synthetic voices: their sentences, their commands and their errors."""

import stat
import sys
import time

import numpy as np
import pytest
import soundfile

from calibration_data.building import voices
from groupcomm.errors import UserError


def program(folder, name, script):
    """Write a program that replaces one on PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_sentences_are_random_and_reproducible():
    texts = {name: voices.sentences(name) for name in ("synthetic_lp", "synthetic_awb")}
    assert texts["synthetic_lp"] == voices.sentences("synthetic_lp")
    assert len(set(texts["synthetic_lp"] + texts["synthetic_awb"])) == 2 * voices.SENTENCES
    assert all(
        text.replace(" ", "").isascii() and text.replace(" ", "").isalpha()
        for text in texts["synthetic_lp"]
    )


@pytest.mark.parametrize(
    ("name", "program_name"), [("synthetic_lp", "festival"), ("synthetic_awb", "flite")]
)
def test_synthesize_yields_every_sentence(name, program_name, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "sound.wav", np.sin(np.arange(16000) / 20) / 2, 16000)
    stand_in = [
        "import pathlib, re, shutil, sys",
        "command = ' '.join(sys.argv)",
        "command += ''.join(pathlib.Path(a).read_text() for a in sys.argv if a.endswith('.scm'))",
        f"with open('{tmp_path}/commands', 'a') as log: log.write(command)",
        f"for to in re.findall(r'/\\S*?[.]wav', command): shutil.copy('{tmp_path}/sound.wav', to)",
    ]
    (tmp_path / "stand_in.py").write_text("\n".join(stand_in))
    program(tmp_path, program_name, f'{sys.executable} {tmp_path}/stand_in.py "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(voices, "SENTENCES", 3)
    sounds = list(voices.synthesize(name, lambda: None))
    assert [path for path, *_ in sounds] == [f"{name}/{i:03d}.wav" for i in range(3)]
    voice = voices.VOICES[name]
    command = (tmp_path / "commands").read_text()
    for (_, data, entry), text in zip(sounds, voices.sentences(name), strict=True):
        assert data == (tmp_path / "sound.wav").read_bytes()
        assert (entry.split, entry.speaker, entry.lang, entry.package) == (
            "train",
            name,
            voice.lang,
            voice.package,
        )
        assert voice.voice in command and text in command


@pytest.mark.parametrize(
    ("exits", "message"),
    [
        (0, "voice czech_dita: wrote no sound; install festvox-czech-dita again"),
        (3, "voice czech_dita: exit code 3; free space in .*, or install festvox-czech-dita again"),
    ],
)
def test_failed_voice_is_reported(exits, message, tmp_path, monkeypatch):
    program(tmp_path, "festival", f"exit {exits}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(UserError, match=message):
        next(voices.synthesize("synthetic_dita", lambda: None))


def test_missing_packages_are_reported_with_the_install_command(tmp_path, monkeypatch):
    program(
        tmp_path,
        "dpkg-query",
        "echo festival installed; echo flite config-files; echo festvox-italp16k installed",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(
        UserError,
        match="voices of festvox-ca-ona-hts, .*flite: not installed; "
        "as root: apt-get install .*festival ",
    ) as e:
        voices.require()
    assert "festvox-italp16k" not in str(e.value).split(":")[0]


def test_synthesize_stops_when_the_check_raises(tmp_path, monkeypatch):
    program(tmp_path, "festival", "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def check():
        raise InterruptedError

    begin = time.monotonic()
    with pytest.raises(InterruptedError):
        next(voices.synthesize("synthetic_dita", check))
    assert time.monotonic() - begin < 20  # it does not wait for the program


def test_missing_dpkg_is_reported(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="dpkg-query is not installed"):
        voices.require()
