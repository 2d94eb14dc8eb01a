"""Models that other tools made, see tests/convert/verify/foreign/README.md."""

import lzma

from groupcomm.files import REPO

FOLDER = REPO / "tests/convert/verify/foreign"
NAMES = sorted(path.name.partition(".")[0] for path in FOLDER.glob("*.xz"))


def foreign_model(name: str) -> bytes:
    """Return the `.tflite` of a name."""
    return lzma.decompress((FOLDER / f"{name}.tflite.xz").read_bytes())
