"""Boards as data: micro/boards/boards.toml."""

import dataclasses
import tomllib

from groupcomm.files import resource

FILE = resource("micro/boards/boards.toml")


@dataclasses.dataclass(frozen=True)
class Board:
    """A board.

    Attributes
    ----------
    title, part : for people, and of its processor.
    core : one of `bench.BOARDS`, which counts for it.
    clock_hz, flash_bytes, ram_bytes : of the core.
    reserved_flash_bytes : what a boot loader keeps.
    """

    title: str
    part: str
    core: str
    clock_hz: int
    flash_bytes: int
    ram_bytes: int
    reserved_flash_bytes: int = 0


def boards() -> dict[str, Board]:
    """All boards, by name."""
    return {name: Board(**fields) for name, fields in tomllib.loads(FILE.read_text()).items()}
