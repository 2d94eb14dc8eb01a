"""Boards, as listed in micro/contract/boards.toml."""

import dataclasses
import tomllib
from typing import Any

from convert import contract
from groupcomm.errors import UserError
from groupcomm.suggest import suggest

FILE = contract.FOLDER / "boards.toml"
CORES = ("cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55")  # those of the emulated boards
BUDGET = ("instructions", "flash_bytes", "ram_bytes")  # instructions are those of the worst hop


@dataclasses.dataclass(frozen=True)
class Board:
    """A board.

    Attributes
    ----------
    title, part : str
        Display names of the board and of its processor.
    core : str
        One of `CORES`, on which instructions are counted.
    clock_hz : int
    flash_bytes, ram_bytes : int
        Memory that the core can use.
    reserved_flash_bytes : int
        Flash that a boot loader reserves.
    wait_cycles : int
        Cycles that the core waits for the flash: for each access to data without a cache, or for
        each line that its cache loads. 0 for program and weights in RAM.
    cache_bytes, line_bytes : int
        The cache of the flash and one of its lines; 0 without a cache of data.
    source : str
        The documents that clock and memories were compared with; empty for a chip of one's own.
    """

    title: str
    part: str
    core: str
    clock_hz: int
    flash_bytes: int
    ram_bytes: int
    reserved_flash_bytes: int = 0
    wait_cycles: int = 0
    cache_bytes: int = 0
    line_bytes: int = 0
    source: str = ""


def boards() -> dict[str, Board]:
    """Return all boards by name."""
    return {name: Board(**fields) for name, fields in tomllib.loads(FILE.read_text()).items()}


def budget_problem(budget: dict[str, dict[str, Any]]) -> str:
    """Return which board or figure of a budget is not known, and those that are; "" if all are.

    A budget is written by hand.
    """
    for kind, found, known in (
        ("board", budget, CORES),
        ("figure", set().union(*budget.values()), BUDGET),
    ):
        if unknown := sorted(set(found) - set(known)):
            return f"the {kind} {unknown[0]!r}, which is not known; use {', '.join(known)}"
    return ""


def caches(core: str) -> list[tuple[int, int]]:
    """Return the caches of the boards with a core.

    Parameters
    ----------
    core : str

    Returns
    -------
    list of tuple of int
        Bytes, and bytes of a line, each pair once.
    """
    known = boards().values()
    return sorted(
        {(b.cache_bytes, b.line_bytes) for b in known if b.core == core and b.cache_bytes}
    )


def find(name: str) -> Board:
    """Return a board by name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Board

    Raises
    ------
    UserError
        When there is no such board. A similar name is suggested.
    """
    known = boards()
    if name not in known:
        hint = suggest(name, known, "describe your chip with --clock, --flash and --ram")
        raise UserError(f"board {name!r} is not known; {hint}")
    return known[name]


def custom(core: str, clock_mhz: float, flash_kb: float, ram_kb: float) -> Board:
    """Describe a chip that is not in the list.

    Parameters
    ----------
    core : {"cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"}
    clock_mhz : float
    flash_kb, ram_kb : float
        In units of 1024 bytes.

    Returns
    -------
    Board
    """
    title = f"{clock_mhz:g} MHz, {flash_kb:g} KB of flash, {ram_kb:g} KB of RAM"
    return Board(
        title, title, core, round(clock_mhz * 1e6), round(flash_kb * 1024), round(ram_kb * 1024)
    )
