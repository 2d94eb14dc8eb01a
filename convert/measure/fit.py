"""Check whether a bundle fits a board and runs there in real time."""

from convert import boards
from convert import bundle as bundles
from convert.measure import bench


def fit(
    bundle: bundles.Bundle,
    target: str | boards.Board,
    *,
    cycles_per_instruction: float | None = None,
) -> dict:
    """Check whether a bundle's static firmware fits a board and runs there in real time.

    The figures are those of the board's core in QEMU.

    Parameters
    ----------
    bundle : Bundle
    target : str or Board
        The name of a board, or a custom board.
    cycles_per_instruction : float or None
        An assumption, because QEMU counts instructions; None: that of the board.

    Returns
    -------
    dict
        ``bundle``, ``board``, ``title``, ``core``, ``source`` (of clock and memories), ``checks``
        {``flash_bytes``, ``ram_bytes``, ``cycles``: each with ``used``, ``limit``, ``ok``},
        ``stack_bytes`` (part of the RAM), ``instructions`` (of the worst hop), ``load`` (share of a
        hop's time), ``cycles_per_instruction`` (the assumption), ``most_cycles_per_instruction``
        (the highest that is still real time), ``latency_ms`` (of a window) and ``ok``. Flash and
        RAM are those of the engine with its signal path, without an application.

    Raises
    ------
    UserError
        When there is no such board, or as `bench.bench`.
    """
    if isinstance(target, boards.Board):
        name, board = "custom", target
    else:
        name, board = target, boards.find(target)
    found = bench.bench(bundle, board.core)
    return _judge(bundle, name, board, found, cycles_per_instruction)


def fit_all(bundle: bundles.Bundle, *, cycles_per_instruction: float | None = None) -> list[dict]:
    """Check a bundle on all boards with a name of their own.

    Parameters
    ----------
    bundle : Bundle
    cycles_per_instruction : float or None
        As for `fit`.

    Returns
    -------
    list of dict
        The result of `fit` for each board.

    Raises
    ------
    UserError
        As `bench.bench`.
    """
    found = {core: bench.bench(bundle, core) for core in bench.BOARDS}
    return [
        _judge(bundle, name, board, found[board.core], cycles_per_instruction)
        for name, board in boards.boards().items()
        if name not in bench.BOARDS
    ]


def _judge(
    bundle: bundles.Bundle,
    name: str,
    board: boards.Board,
    found: dict,
    cycles_per_instruction: float | None,
) -> dict:
    """Compare what a bundle needs, as `bench.bench` found, with what a board has."""
    cycles = cycles_per_instruction or board.cycles_per_instruction
    signal = bundle.signal
    instructions = found["instructions"]["hop"]["worst"]
    limits = {
        "flash_bytes": (
            sum(found["flash_bytes"].values()),
            board.flash_bytes - board.reserved_flash_bytes,
        ),
        "ram_bytes": (found["ram_bytes"]["total"], board.ram_bytes),
        "cycles": (
            round(instructions * cycles),
            board.clock_hz * signal.hop // signal.sample_rate,
        ),
    }
    checks = {
        key: {"used": used, "limit": limit, "ok": used <= limit}
        for key, (used, limit) in limits.items()
    }
    return {
        "bundle": bundle.name,
        "board": name,
        "title": board.title,
        "core": board.core,
        "source": board.source,
        "checks": checks,
        "stack_bytes": found["ram_bytes"]["stack"],
        "instructions": instructions,
        "load": checks["cycles"]["used"] / checks["cycles"]["limit"],
        "cycles_per_instruction": cycles,
        "most_cycles_per_instruction": checks["cycles"]["limit"] / instructions,
        "latency_ms": 1000 * signal.window / signal.sample_rate,
        "ok": all(check["ok"] for check in checks.values()),
    }
