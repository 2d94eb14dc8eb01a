"""Check whether a network fits a board and runs there in real time."""

import dataclasses
from pathlib import Path

from convert import boards
from convert import bundle as bundles
from convert.measure import bench, model_bench
from groupcomm.errors import UserError


@dataclasses.dataclass(frozen=True)
class Model:
    """A `.tflite` that runs at regular times.

    Attributes
    ----------
    path : Path
    period_ms : float
        Time from one invocation to the next.
    """

    path: Path
    period_ms: float


def fit(
    network: bundles.Bundle | Model,
    target: str | boards.Board,
    *,
    cycles_per_instruction: float | None = None,
) -> dict:
    """Check whether a network's static firmware fits a board and runs there in real time.

    The figures are those of the board's core in QEMU.

    Parameters
    ----------
    network : Bundle or Model
    target : str or Board
        The name of a board, or a custom board.
    cycles_per_instruction : float or None
        An assumption, because QEMU counts instructions; None: that of the board.

    Returns
    -------
    dict
        ``network``, ``run`` (``"hop"`` of a bundle, ``"invocation"`` of a `.tflite`), ``board``,
        ``title``, ``core``, ``source`` (of clock and memories), ``checks`` {``flash_bytes``,
        ``ram_bytes``, ``cycles``: each with ``used``, ``limit``, ``ok``}, ``stack_bytes`` (part of
        the RAM), ``instructions`` (of the worst run), ``load`` (share of its time),
        ``cycles_per_instruction`` (the assumption), ``most_cycles_per_instruction`` (the highest
        that is still real time), ``latency_ms`` (of a window; None for a `.tflite`) and ``ok``.
        Flash and RAM are those of the engine with its signal path, without an application.

    Raises
    ------
    UserError
        When there is no such board, or as `bench.bench`.
    """
    if isinstance(target, boards.Board):
        name, board = "custom", target
    else:
        name, board = target, boards.find(target)
    found = _measure(network, board.core)
    return _judge(network, name, board, found, cycles_per_instruction)


def fit_all(
    network: bundles.Bundle | Model, *, cycles_per_instruction: float | None = None
) -> list[dict]:
    """Check a network on all boards with a name of their own.

    Parameters
    ----------
    network : Bundle or Model
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
    found = {core: _measure(network, core) for core in bench.BOARDS}
    return [
        _judge(network, name, board, found[board.core], cycles_per_instruction)
        for name, board in boards.boards().items()
        if name not in bench.BOARDS
    ]


def fit_budget(bundle: bundles.Bundle, names: tuple[str, ...]) -> list[dict]:
    """Check whether a bundle that needs all of its budget fits some boards. Nothing is measured.

    Parameters
    ----------
    bundle : Bundle
    names : tuple of str
        Boards.

    Returns
    -------
    list of dict
        The result of `fit`, with ``stack_bytes`` None, for each board for whose core bundle.json
        has a whole budget.

    Raises
    ------
    UserError
        When the budget is malformed, or a board is not known.
    """
    judged = []
    for name in names:
        board = boards.find(name)
        budget = bench.budget(bundle, board.core)
        if set(bench.BUDGET) <= set(budget):
            found = {
                "instructions": {"hop": {"worst": budget["instructions"]}},
                "flash_bytes": {"budget": budget["flash_bytes"]},
                "ram_bytes": {"total": budget["ram_bytes"], "stack": None},
            }
            judged.append(_judge(bundle, name, board, found, None))
    return judged


def _measure(network: bundles.Bundle | Model, core: str) -> dict:
    """Measure what a network needs on a core."""
    if isinstance(network, Model):
        if not network.period_ms > 0:
            raise UserError(f"{network.path}: a period of {network.period_ms:g} ms")
        return model_bench.bench(network.path, core)
    return bench.bench(network, core)


def _judge(
    network: bundles.Bundle | Model,
    name: str,
    board: boards.Board,
    found: dict,
    cycles_per_instruction: float | None,
) -> dict:
    """Compare what a network needs with what a board has."""
    cycles = cycles_per_instruction or board.cycles_per_instruction
    if isinstance(network, Model):
        name_of_network, run, latency_ms = network.path.name, "invocation", None
        instructions = found["instructions"]["worst"]
        available = int(board.clock_hz * network.period_ms / 1000)
    else:
        signal = network.signal
        name_of_network, run = network.name, "hop"
        instructions = found["instructions"]["hop"]["worst"]
        available = board.clock_hz * signal.hop // signal.sample_rate
        latency_ms = 1000 * signal.window / signal.sample_rate
    limits = {
        "flash_bytes": (
            sum(found["flash_bytes"].values()),
            board.flash_bytes - board.reserved_flash_bytes,
        ),
        "ram_bytes": (found["ram_bytes"]["total"], board.ram_bytes),
        "cycles": (round(instructions * cycles), available),
    }
    checks = {
        key: {"used": used, "limit": limit, "ok": used <= limit}
        for key, (used, limit) in limits.items()
    }
    return {
        "network": name_of_network,
        "run": run,
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
        "latency_ms": latency_ms,
        "ok": all(check["ok"] for check in checks.values()),
    }
