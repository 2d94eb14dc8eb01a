"""Check whether a network fits a board and runs there in real time."""

import dataclasses
from pathlib import Path

from convert import boards
from convert import bundle as bundles
from convert.measure import bench, model_bench
from convert.run import cycle_model
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
        An assumption of one's own; None: the model of the core and the flash of the board.

    Returns
    -------
    dict
        ``network``, ``run`` (``"hop"`` of a bundle, ``"invocation"`` of a `.tflite`), ``board``,
        ``title``, ``core``, ``source`` (of clock and memories), ``checks`` {``flash_bytes``,
        ``ram_bytes``, ``cycles``: each with ``used``, ``limit``, ``ok``}, ``stack_bytes`` (part of
        the RAM), ``instructions`` (of the worst run), ``cycles`` and ``load`` (share of its time),
        each {``least``, ``most``}: the core alone, and with its flash and the error of the model
        (`cycle_model.interval`); ``cycles_per_instruction`` (the assumption, or None),
        ``most_cycles_per_instruction`` (the highest that is still real time), ``latency_ms`` (of a
        window; None for a `.tflite`) and ``ok``. ``checks`` has the most cycles. Flash and
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
    found = {core: _measure(network, core) for core in boards.CORES}
    return judge_all(network, found, cycles_per_instruction=cycles_per_instruction)


def judge_all(
    network: bundles.Bundle | Model,
    found: dict[str, dict],
    *,
    cycles_per_instruction: float | None = None,
) -> list[dict]:
    """Check a network on all boards whose core was measured.

    Parameters
    ----------
    network : Bundle or Model
    found : dict of str to dict
        The result of `bench.bench` by core.
    cycles_per_instruction : float or None
        As for `fit`.

    Returns
    -------
    list of dict
        As `fit_all`.
    """
    return [
        _judge(network, name, board, found[board.core], cycles_per_instruction)
        for name, board in boards.boards().items()
        if name not in boards.CORES and board.core in found
    ]


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
    if isinstance(network, Model):
        name_of_network, run, latency_ms = network.path.name, "invocation", None
        instructions, cycles = (found[key]["worst"] for key in ("instructions", "cycles"))
        available = int(board.clock_hz * network.period_ms / 1000)
    else:
        signal = network.signal
        name_of_network, run = network.name, "hop"
        instructions, cycles = (found[key]["hop"]["worst"] for key in ("instructions", "cycles"))
        available = board.clock_hz * signal.hop // signal.sample_rate
        latency_ms = 1000 * signal.window / signal.sample_rate
    needed = cycle_model.interval(board, cycles, found["flash"])
    if cycles_per_instruction:
        needed = dict.fromkeys(needed, round(instructions * cycles_per_instruction))
    limits = {
        "flash_bytes": (
            sum(found["flash_bytes"].values()),
            board.flash_bytes - board.reserved_flash_bytes,
        ),
        "ram_bytes": (found["ram_bytes"]["total"], board.ram_bytes),
        "cycles": (needed["most"], available),
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
        "cycles": needed,
        "load": {end: value / available for end, value in needed.items()},
        "cycles_per_instruction": cycles_per_instruction,
        "most_cycles_per_instruction": available / instructions,
        "latency_ms": latency_ms,
        "ok": all(check["ok"] for check in checks.values()),
    }
