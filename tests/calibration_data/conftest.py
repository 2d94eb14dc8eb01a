"""Provide a small corpus: harmonics for speech, white noise for noise."""

import pytest

from calibration_data.building import build
from tests.helpers import corpora


@pytest.fixture(scope="session")
def sound():
    """Return the function that makes sounds."""
    return corpora.synthetic_sound


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Return the folders of speech, in the layout of LibriSpeech, and of three noise categories."""
    return corpora.write_folders(tmp_path_factory.mktemp("sounds"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory, folders):
    """Return a cache folder that contains the corpus "tiny"."""
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROUPCOMM_CACHE", str(path))
        build.build_folder(*folders, "tiny")
    return path


@pytest.fixture
def tiny(cache, monkeypatch):
    """Use the cache folder that contains the corpus "tiny"."""
    monkeypatch.setenv("GROUPCOMM_CACHE", str(cache))


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """Use an empty cache folder."""
    monkeypatch.setenv("GROUPCOMM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
