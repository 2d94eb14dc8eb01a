"""A tiny corpus: harmonics at a speaker's own pitch for speech, white noise for noise."""

import pytest

from calibration_data import build
from tests.helpers import corpora


@pytest.fixture(scope="session")
def sound():
    """The function that makes sounds."""
    return corpora.synthetic_sound


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """(speech, noise): LibriSpeech's layout, and three categories of noise."""
    return corpora.write_folders(tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory, folders):
    """A cache folder with the corpus "tiny" in it."""
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROUPCOMM_CACHE", str(path))
        build.build_folder(*folders, "tiny")
    return path


@pytest.fixture
def tiny(cache, monkeypatch):
    """The environment in which the corpus "tiny" is there."""
    monkeypatch.setenv("GROUPCOMM_CACHE", str(cache))


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("GROUPCOMM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
