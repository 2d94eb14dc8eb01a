import json
import subprocess
import sys
from pathlib import Path

import pytest

from calibration_data.building import build
from groupcomm import cli


def _run(monkeypatch, capsys, *args):
    """Return the exit code, stdout and stderr of ``groupcomm data ARGS``."""
    monkeypatch.setattr(sys, "argv", ["groupcomm", "data", *map(str, args)])
    with pytest.raises(SystemExit) as e:
        cli.main()
    output = capsys.readouterr()
    return e.value.code, output.out, output.err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--source", "x"], "--source needs --name"),
        (["--name", "x"], "--name needs --source"),
        (["--noise", "x"], "--noise x: needs --source"),
        (["--clips", "--source", "x", "--name", "y"], "leave one of the two out"),
        (["--clips"], "run `groupcomm data`"),
        (["--source", "/nowhere", "--name", "x"], "/nowhere: is not a folder"),
        (["--source", ".", "--name", "debian"], "corpus name 'debian'"),
        (["--source", ".", "--name", "debian-voices"], "corpus name 'debian-voices'"),
        (["--source", ".", "--name", "open"], "corpus name 'open'"),
        (["--voices", "--clips"], "--voices: belongs to the corpora open and debian"),
        (["--kokoro", "--clips"], "--kokoro: belongs to the corpora open and debian"),
        (["--debian", "--clips"], "--debian: belongs to the corpora open and debian"),
        (
            ["--recordings", ".", "--source", ".", "--name", "x"],
            "--recordings: belongs to the corpora open and debian",
        ),
        (["--debian", "--recordings", "."], "the corpus debian has no recordings"),
        (["--sauce"], "No such option"),
    ],
)
def test_invalid_options_are_rejected(empty, monkeypatch, capsys, args, message):
    code, out, err = _run(monkeypatch, capsys, *args)
    assert code == 2
    assert message in err.replace("\n", " ") and not out
    assert "Traceback" not in err


def test_data_builds_corpus_from_own_folders(tiny, folders, monkeypatch, capsys):
    args = ("--source", folders[0], "--noise", folders[1], "--name", "tiny")
    code, out, err = _run(monkeypatch, capsys, *args, "--json")
    assert code == 0
    assert json.loads(out)["speakers"] == {"train": 16, "validation": 2, "test": 2}
    code, out, _ = _run(monkeypatch, capsys, *args)
    assert code == 0 and "validation" in out and "16" in out


def test_options_select_the_public_corpus(empty, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(
        build, "build_public", lambda **options: calls.append(options) or {"name": "x"}
    )
    assert _run(monkeypatch, capsys, "--recordings", "here", "--json")[0] == 0
    assert _run(monkeypatch, capsys, "--debian", "--voices", "--json")[0] == 0
    assert _run(monkeypatch, capsys, "--kokoro", "--json")[0] == 0
    neither = {"debian": False, "folder": None, "with_voices": False, "with_kokoro": False}
    assert calls == [
        neither | {"folder": Path("here")},
        neither | {"debian": True, "with_voices": True},
        neither | {"with_kokoro": True},
    ]


def test_command_imports_no_heavy_modules():
    script = (
        "import sys, calibration_data.commands; "
        "sys.exit(bool({'numpy', 'scipy', 'librosa', 'soundfile'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
