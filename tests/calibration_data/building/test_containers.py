"""Test the readers of archives on small archives that are made here."""

import gzip
import io
import struct
import zipfile

import pytest

from calibration_data.building import containers


def _read(data, path):
    return list(containers.sounds(io.BytesIO(data), path))


def _zip(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def _cat(files, flag=1 << 31):
    table, data = b"", b""
    for title, sound in files.items():
        table += struct.pack("<II", flag | 8 * len(files) + len(data), len(sound))
        data += bytes([len(title) + 1]) + title.encode() + b"\0" + sound
    return table + data


def _group(files):
    """Return an uncompressed C4Group; a dict in it becomes a nested group."""
    header = bytearray(204)
    header[: len(containers.C4_ID)] = containers.C4_ID
    struct.pack_into("<i", header, 36, len(files))
    header[0:-2:3], header[2::3] = header[2::3], header[0:-2:3]
    entries, content = b"", b""
    for name, data in files.items():
        piece = _group(data) if isinstance(data, dict) else data
        entries += struct.pack(
            "<260s5i", name.encode(), 0, isinstance(data, dict), len(piece), 0, len(content)
        ).ljust(316, b"\0")
        content += piece
    return bytes(byte ^ 237 for byte in header) + entries + content


def _ocg(files):
    return b"\x1e\x8c" + gzip.compress(_group(files))[2:]


@pytest.mark.parametrize("path", ["usr/a.zip", "usr/a.pk3", "usr/A.PK3"])
def test_sounds_of_zip_files(path):
    assert containers.is_container(path)
    assert _read(_zip({"a/b.ogg": b"sound", "readme.txt": b"text"}), path) == [
        ("a/b.ogg", b"sound")
    ]


def test_sounds_of_cat_files_are_numbered():
    assert _read(_cat({"Wind, by nobody": b"RIFF1", "Rain": b"RIFF22"}), "opensfx.cat") == [
        ("00.wav", b"RIFF1"),
        ("01.wav", b"RIFF22"),
    ]


def test_sounds_of_nested_groups_in_ocg_files():
    data = _ocg(
        {
            "Fire.ocg": {"Fuse.ogg": b"hiss", "Blast.ocg": {"1.wav": b"bang"}},
            "Title.txt": b"text",
            "Rain.ogg": b"rain",
        }
    )
    assert _read(data, "Sound.ocg") == [
        ("Fire.ocg/Fuse.ogg", b"hiss"),
        ("Fire.ocg/Blast.ocg/1.wav", b"bang"),
        ("Rain.ogg", b"rain"),
    ]


def test_other_suffixes_are_not_containers():
    assert not containers.is_container("usr/a.ogg") and not containers.is_container("usr/zip")


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b"no zip", "a.zip"),
        (b"short", "a.cat"),
        (_cat({"Wind": b"RIFF"}, flag=0), "a.cat"),
        (b"no group", "a.ocg"),
        (b"\x1e\x8c" + b"no gzip at all", "a.ocg"),
        (_ocg({"Rain.ogg": b"rain"})[:40], "a.ocg"),
        (b"\x1e\x8c" + gzip.compress(bytes(300))[2:], "a.ocg"),
    ],
    ids=["zip", "short", "no flag", "no group", "no gzip", "cut", "no names"],  # gzip has the time
)
def test_damaged_archive_is_rejected(data, path):
    with pytest.raises(ValueError, match="damaged archive"):
        _read(data, path)
