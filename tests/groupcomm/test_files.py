"""Files are whole or absent."""

import json
import math
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile

from groupcomm import files
from groupcomm.errors import UserError
from groupcomm.files import REPO, atomic_folder, atomic_path, json_text, locked

exchange = files._exchange


def test_a_file_appears_whole(tmp_path):
    with atomic_path(tmp_path / "new" / "a.txt") as part:
        part.write_text("new")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.txt"]
    assert (tmp_path / "new" / "a.txt").stat().st_mode & 0o044


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(error), atomic_path(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_pipe_or_a_folder_is_never_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "folder", "link"):
        with pytest.raises(UserError, match=f"{name}: is not a file"), atomic_path(tmp_path / name):
            pytest.fail("the work began")
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "folder").is_dir()
    assert (tmp_path / "link").is_symlink() and len(list(tmp_path.iterdir())) == 3


def test_a_link_to_a_file_stays_and_its_file_is_replaced(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_text("old")
    (tmp_path / "link").symlink_to("d/a.txt")
    with atomic_path(tmp_path / "link") as part:
        part.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "d" / "a.txt").read_text() == "new"
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_line(tmp_path):
    with (
        pytest.raises(UserError, match="No space left"),
        atomic_path(tmp_path / "a.txt"),
        open("/dev/full", "w") as full,
    ):
        full.write("x")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_line_when_libsndfile_meets_it(tmp_path):
    with pytest.raises(UserError, match="cannot write"), atomic_path(tmp_path / "a.wav"):
        soundfile.write("/dev/full", [0.0] * 100_000, 16000, format="WAV")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_replaces_an_older_version_whole(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("old")
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "d") as part:
        (part / "a").write_text("half")
        raise RuntimeError
    assert (tmp_path / "d" / "a").read_text() == "old"
    with atomic_folder(tmp_path / "d") as part:
        (part / "a").write_text("new")
        (part / "b").touch()
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["a", "b"]
    assert (tmp_path / "d" / "a").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "notes.txt").write_text("mine")
    monkeypatch.chdir(tmp_path / "d")
    for path in (tmp_path / "d", "."):
        with (
            pytest.raises(UserError, match="notes.txt, which would be lost"),
            atomic_folder(path) as part,
        ):
            (part / "a").touch()
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["notes.txt"]
    with pytest.raises(UserError, match="is a file"), atomic_folder(tmp_path / "d" / "notes.txt"):
        pass


@pytest.mark.parametrize("kind", [atomic_path, atomic_folder])
def test_a_place_that_cannot_be_written_is_named(tmp_path, kind):
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="file is a file, and a folder.*choose another"),
        kind(tmp_path / "file" / "sub" / "x"),
    ):
        pass


KILLED = """
import sys, time
from pathlib import Path
from groupcomm.files import atomic_folder
with atomic_folder(Path(sys.argv[1]) / "a") as part:
    (part / "half").touch()
    print(flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    (tmp_path / ".groupcomm-of-the-user").mkdir()
    command = [sys.executable, "-c", KILLED, tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPO) as process:
        process.stdout.readline()
        with atomic_path(tmp_path / "b") as part:
            part.write_text("b")
        assert len(list(tmp_path.iterdir())) == 3  # that of a process that lives stays
        process.kill()
    with atomic_path(tmp_path / "b") as part:
        part.write_text("b")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".groupcomm-of-the-user", "b"]


def test_a_folder_is_replaced_in_one_step_where_the_system_can(tmp_path, monkeypatch):
    for exchanges in (True, False):
        (tmp_path / "d").mkdir(exist_ok=True)
        if not exchanges:
            monkeypatch.setattr(files, "_exchange", lambda a, b: False)
        with atomic_folder(tmp_path / "d") as part:
            (part / "a").write_text(f"{exchanges}")
        assert (tmp_path / "d" / "a").read_text() == f"{exchanges}"
        assert [p.name for p in tmp_path.iterdir()] == ["d"]
    assert sys.platform != "linux" or _exchanged(tmp_path)


def _exchanged(folder):
    for name in ("x", "y"):
        (folder / name).mkdir()
        (folder / name / name).touch()
    assert exchange(folder / "x", folder / "y")
    return (folder / "x" / "y").exists() and (folder / "y" / "x").exists()


HOLDER = """
import sys, time
from pathlib import Path
from groupcomm.files import locked
with locked(Path(sys.argv[1]), "it"):
    print(flush=True)
    time.sleep(60)
"""


def test_a_lock_says_who_holds_it_and_ends_with_its_process(tmp_path):
    lock = tmp_path / "run" / ".lock"
    command = [sys.executable, "-c", HOLDER, lock]
    with subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        words = (
            rf"build/x: used by process {holder.pid} since .* \(-c {lock}\); wait for its end, or"
        )
        with pytest.raises(UserError, match=words), locked(lock, "build/x"):
            pytest.fail("locked twice")
        holder.kill()
        holder.wait()
        assert lock.exists()
        with locked(lock, "build/x"):
            assert f"process {os.getpid()} since" in lock.read_text()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_lock_waits_for_another_process(tmp_path, capfd):
    lock, order = tmp_path / ".lock", []

    def second():
        with locked(lock, "build/x", wait=True):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(lock, "build/x"):
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"] and not lock.exists()
    assert f"build/x: used by process {os.getpid()} since" in capfd.readouterr().err


def test_json_has_null_for_a_number_that_is_not_finite():
    value = {"a": [1.5, math.nan, (np.float64(math.inf), "nan")], "b": {"c": -math.inf}}
    assert json.loads(json_text(value)) == {"a": [1.5, None, [None, "nan"]], "b": {"c": None}}
