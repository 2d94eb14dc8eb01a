"""Read the sounds in the archives inside packages; each format has one generator.

.zip, .pk3
    A zip file.
.cat
    OpenTTD: a table with the offset and the size of each sound, followed by the sounds. Each sound
    is a title and a WAV file. The sounds get numbers as names here.
.ocg
    OpenClonk (C4Group): gzip with two other magic bytes, around a header, a table of entries, and
    the files.
"""

import gzip
import struct
import zipfile
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from calibration_data.audio import SUFFIXES

C4_MAGIC, GZIP_MAGIC = b"\x1e\x8c", b"\x1f\x8b"
C4_ID = b"RedWolf Design GrpFolder\0"
C4_HEADER, C4_ENTRY = 204, 316  # bytes


def is_container(path: str) -> bool:
    """Return whether `sounds` can read a file with this suffix.

    Parameters
    ----------
    path : str
        Name of the file.

    Returns
    -------
    bool
    """
    return PurePath(path).suffix.lower() in READERS


def sounds(file: BinaryIO, path: str) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of every sound file in an archive.

    Parameters
    ----------
    file : BinaryIO
        The archive, open for reading and seekable.
    path : str
        Name of the archive; its suffix selects the format.

    Yields
    ------
    name : str
        Name of the sound file in the archive.
    data : bytes
        Content of the sound file.

    Raises
    ------
    ValueError
        When the file is not an archive of that format.
    """
    try:
        yield from READERS[PurePath(path).suffix.lower()](file)
    except Exception as e:  # the readers of the formats fail in many ways on damage
        if isinstance(e, ValueError) and str(e).startswith("damaged archive"):
            raise
        raise ValueError(f"damaged archive: {e}") from e


def _is_sound(name: str) -> bool:
    return PurePath(name).suffix.lower() in SUFFIXES


def _zip(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if _is_sound(name):
                yield name, archive.read(name)


def _cat(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    data = file.read()
    flag = 1 << 31  # in an offset: the file has the newer format
    first, _ = struct.unpack_from("<II", data)
    if not first & flag or first & ~flag > len(data):
        raise ValueError("damaged archive: not a .cat file of the newer format")
    for number in range((first & ~flag) // 8):
        offset, size = struct.unpack_from("<II", data, 8 * number)
        begin = offset & ~flag
        begin += 1 + data[begin]  # skip the title; its length precedes it
        yield f"{number:02}.wav", data[begin : begin + size]


def _ocg(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    data = file.read()
    if not data.startswith(C4_MAGIC):
        raise ValueError("damaged archive: not a C4Group file")
    yield from _c4group(gzip.decompress(GZIP_MAGIC + data[len(C4_MAGIC) :]))


def _c4group(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the sounds of an uncompressed group; a group may contain groups."""
    header = bytearray(byte ^ 237 for byte in data[:C4_HEADER])
    header[0:-2:3], header[2::3] = header[2::3], header[0:-2:3]
    if not header.startswith(C4_ID):
        raise ValueError("damaged archive: not a C4Group file")
    (count,) = struct.unpack_from("<i", header, 36)
    content = C4_HEADER + count * C4_ENTRY
    for at in range(C4_HEADER, content, C4_ENTRY):
        name, _, is_group, size, _, offset = struct.unpack_from("<260s5i", data, at)
        name = name.split(b"\0")[0].decode("latin-1")
        piece = data[content + offset : content + offset + size]
        if is_group:
            for inner, sound in _c4group(piece):
                yield f"{name}/{inner}", sound
        elif _is_sound(name):
            yield name, piece


READERS = {".zip": _zip, ".pk3": _zip, ".cat": _cat, ".ocg": _ocg}
