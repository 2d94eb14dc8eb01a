"""The release is the same bytes when it is made twice."""

import importlib.util
import os
import re
import subprocess
import tomllib
import zipfile

import pytest

import groupcomm
from groupcomm.files import REPO, folder_files, write_zip

SPEC = importlib.util.spec_from_file_location("dist", REPO / "tools" / "dist.py")
dist = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(dist)


def test_an_archive_depends_on_names_and_contents_only(tmp_path):
    archives = []
    for time, mode, order in ((10**9, 0o600, ("a", "b/c")), (10**9 + 5, 0o755, ("b/c", "a"))):
        folder = tmp_path / str(time) / "folder"
        for name in order:
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)
            file.chmod(mode)
            os.utime(file, (time, time))
        archives.append(tmp_path / f"{time}.zip")
        write_zip(archives[-1], folder_files(folder), 10**9)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as archive:
        assert archive.namelist() == ["folder/a", "folder/b/c"]


def test_the_version_has_one_source():
    assert re.fullmatch(r"\d+\.\d+\.\d+", groupcomm.__version__)
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"] and "version" not in project["project"]
    assert f"version: {groupcomm.__version__}\n" in (REPO / "CITATION.cff").read_text()


@pytest.mark.slow
@pytest.mark.skipif(not (REPO / ".git").exists(), reason="the release is made from a commit")
def test_the_release_is_reproducible(tmp_path, monkeypatch):
    """Only the commit is in its bytes.

    Not the folder, the umask, the order of sets (which the hash seed changes), the time zone, or
    the time that the environment gives.
    """
    sums = []
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=REPO, capture_output=True, text=True, check=True
    ).stdout.strip()
    for folder, umask, seed, zone, epoch in (
        (tmp_path / "1", 0o022, "1", "Pacific/Kiritimati", "1000000000"),
        (tmp_path / "2", 0o077, "2", "America/Adak", "1700000000"),
    ):
        for name, value in zip(
            ("PYTHONHASHSEED", "TZ", "SOURCE_DATE_EPOCH"), (seed, zone, epoch), strict=True
        ):
            monkeypatch.setenv(name, value)
        before = os.umask(umask)
        try:
            dist.write(folder, ("enhance-nano",), commit)
        finally:
            os.umask(before)
        sums.append((folder / "SHA256SUMS").read_text())
    assert sums[0] == sums[1] and len(sums[0].splitlines()) == 5
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=folder, check=True)
    [library] = folder.glob("*-arduino-*.zip")
    with zipfile.ZipFile(library) as archive:
        properties = archive.read("groupcomm-enhance-nano/library.properties").decode()
    assert f"version={groupcomm.__version__}\n" in properties
