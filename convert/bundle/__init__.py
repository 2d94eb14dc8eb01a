"""The bundle: all that a board needs of a network.

A bundle is a folder with model.tflite, bundle.json and golden vectors. The schema is in
docs/reference/bundle.md. The committed bundles are in ``convert/bundles/NAME`` and are addressed by
name, all others by their path.
"""

from convert.bundle.arena import smallest_arena
from convert.bundle.reader import (
    BUNDLES,
    SCHEMA,
    Bundle,
    describe,
    find,
    folder_of,
    load,
    names,
    own,
)
from convert.bundle.writer import GOLDEN_HOPS, golden_pcm, stream_features, write

__all__ = [
    "BUNDLES",
    "GOLDEN_HOPS",
    "SCHEMA",
    "Bundle",
    "describe",
    "find",
    "folder_of",
    "golden_pcm",
    "load",
    "names",
    "own",
    "smallest_arena",
    "stream_features",
    "write",
]
