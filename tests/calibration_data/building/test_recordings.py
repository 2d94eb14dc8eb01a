"""Test the recordings of repositories, from a folder and from a local server."""

import functools
import hashlib
import http.server
import io
import threading

import numpy as np
import pytest
import soundfile

from calibration_data.building import recordings
from calibration_data.sources import Entry, Recording, Repository
from groupcomm.errors import UserError

REPOSITORY = Repository("talk", "https://github.com/someone/talk", "abc123", "CC0", "nothing")


def _file(seed, file_format):
    file = io.BytesIO()
    samples = (3000 * np.random.default_rng(seed).standard_normal(4000)).astype(np.int16)
    soundfile.write(
        file, samples, 16000, format=file_format, subtype="PCM_16" if file_format != "OGG" else None
    )
    return file.getvalue()


VOICE, RAIN = _file(0, "WAV"), _file(1, "OGG")
LISTED = [
    Recording(
        "audio/smart mirror/1.wav",
        "speech/anna/smart_mirror_1.flac",
        hashlib.sha256(VOICE).hexdigest(),
        recordings.samples_sha256(VOICE),
        Entry("train", "talk", speaker="anna", lang="en"),
    ),
    Recording(
        "rain.ogg",
        "noise/rain.ogg",
        hashlib.sha256(RAIN).hexdigest(),
        "",
        Entry("test", "talk", category="rain_thunder"),
    ),
]


def _write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _read(folder):
    return list(recordings.sounds(REPOSITORY, LISTED, folder, lambda: None))


@pytest.fixture
def folder(tmp_path):
    """Return a folder for ``--recordings``: a lossless copy of the voice, and the original rain."""
    _write(tmp_path / "here" / LISTED[0].file, _file(0, "FLAC"))
    _write(tmp_path / "here" / LISTED[1].file, RAIN)
    return tmp_path / "here"


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a folder as the commit of the repository, and return it."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    top = tmp_path / "served"
    top.mkdir()
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=top)
    ) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        monkeypatch.setenv("GROUPCOMM_RECORDINGS_URL", f"http://127.0.0.1:{httpd.server_port}")
        yield top / "someone" / "talk" / "abc123"
        httpd.shutdown()
        thread.join()


def test_sounds_reads_a_folder(folder):
    (path, data, entry), (rain_path, rain, _) = _read(folder)
    assert (path, entry) == ("audio/smart mirror/1.wav", LISTED[0].entry)
    assert recordings.samples_sha256(data) == LISTED[0].samples
    assert (rain_path, rain) == ("rain.ogg", RAIN)


def test_wav_replaces_flac_in_the_folder(folder):
    (folder / LISTED[0].file).unlink()
    _write((folder / LISTED[0].file).with_suffix(".wav"), VOICE)
    assert _read(folder)[0][1] == VOICE


def test_missing_or_wrong_file_in_the_folder_is_reported(folder):
    (folder / LISTED[1].file).write_bytes(_file(2, "OGG"))
    with pytest.raises(
        UserError, match="rain.ogg: is not the listed recording.*copy it from the repository"
    ):
        _read(folder)
    (folder / LISTED[0].file).write_bytes(b"no sound")
    with pytest.raises(UserError, match="smart_mirror_1.flac: is not the listed recording"):
        _read(folder)
    (folder / LISTED[0].file).unlink()
    with pytest.raises(
        UserError, match="smart_mirror_1.flac: cannot be read.*needs every listed recording"
    ):
        _read(folder)


def test_require_reports_missing_recordings(folder, tmp_path):
    recordings.require(LISTED, folder)
    with pytest.raises(
        UserError, match="elsewhere/speech/anna/smart_mirror_1.flac and 1 more: missing"
    ):
        recordings.require(LISTED, tmp_path / "elsewhere")
    (folder / LISTED[1].file).unlink()
    with pytest.raises(UserError, match="here/noise/rain.ogg: missing; --recordings needs"):
        recordings.require(LISTED, folder)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_fetch_downloads_from_the_server_once(empty, server, suffix):
    _write((server / LISTED[0].path).with_suffix(suffix), _file(0, suffix[1:].upper()))
    _write(server / LISTED[1].path, RAIN)
    recordings.fetch(REPOSITORY, LISTED)
    assert [path for path, *_ in _read(None)] == [recording.path for recording in LISTED]
    (server / LISTED[1].path).unlink()
    recordings.fetch(REPOSITORY, LISTED)  # existing files are not downloaded again


def test_missing_or_wrong_file_on_the_server_is_reported(empty, server):
    _write(server / LISTED[1].path, b"something else")
    with pytest.raises(
        UserError, match="rain.ogg: is not the listed recording.*--recordings DIR.*--debian"
    ):
        recordings.fetch(REPOSITORY, LISTED[1:])
    with pytest.raises(
        UserError,
        match="someone/talk/abc123/audio/smart%20mirror/1.wav: does not exist.*--recordings DIR",
    ):
        recordings.fetch(REPOSITORY, LISTED[:1])
    assert not [path for path in recordings.recordings_dir().rglob("*") if path.is_file()]


def test_unreachable_server_is_reported(empty, monkeypatch):
    monkeypatch.setenv("GROUPCOMM_RECORDINGS_URL", "http://127.0.0.1:1")
    with pytest.raises(UserError, match="cannot be downloaded.*refused.*--recordings DIR") as e:
        recordings.fetch(REPOSITORY, LISTED)
    assert "\n" not in str(e.value)


def test_server_error_is_reported(empty, monkeypatch):
    def urlopen(address, timeout):
        raise recordings.urllib.error.HTTPError(address, 503, "Service Unavailable", None, None)

    monkeypatch.setattr(recordings.urllib.request, "urlopen", urlopen)
    with pytest.raises(
        UserError,
        match=r"https://raw.githubusercontent.com/someone/talk/abc123/.*answers 503 .*try again",
    ):
        recordings.fetch(REPOSITORY, LISTED)


def test_checksum_of_samples_is_empty_without_sound():
    assert recordings.samples_sha256(b"no sound") == ""
