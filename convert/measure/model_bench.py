"""Measure the cost of any `.tflite` as plain C on an emulated core."""

from pathlib import Path

import numpy as np

from convert import boards
from convert.measure import attribution
from convert.run import cycle_model, emulated_model
from convert.tflite import counts, tflm
from convert.verify import model_parity
from groupcomm.errors import UserError

INVOCATIONS = 50  # of random inputs


def bench(path: Path, board: str, *, portable: bool = False) -> dict:
    """Build the firmware of a model, run it on random inputs, and count.

    Parameters
    ----------
    path : Path
        The `.tflite`.
    board : str
        One of `boards.CORES`.
    portable : bool
        Use the portable implementations of the kernels, for comparison.

    Returns
    -------
    dict
        ``model``, ``board``, ``kernels``, ``invocations``, ``macs``, and

        - ``instructions``: of an invocation, ``mean``, ``worst`` and ``per_mac`` (None without
          multiply-accumulates).
        - ``cycles``: the same in cycles of the model of the core, without wait states.
        - ``operators``, ``kinds``, ``functions``, ``function_cycles``, ``flash``: as `bench.bench`
          returns them.
        - ``flash_bytes``: ``weights`` (with biases) and ``rest`` (code and all other constants).
        - ``ram_bytes``: ``state``, ``activations``, ``buffers`` (inputs and outputs), ``stack`` and
          ``total``.
        - ``estimates``: for each real part with this core, ``clock_hz`` and ``milliseconds``
          {``least``, ``most``} of the worst invocation.

    Raises
    ------
    UserError
        When the model cannot be compiled, or its outputs differ from TFLM's.
    """
    firmware = emulated_model.Firmware(path, board, portable=portable)
    written = firmware.written
    run = _run(firmware, path)
    [span] = run.counted["spans"]
    graph_ops = [counts.graph_op(op, counts.macs(op)) for op in written["operators"]]
    attributed = attribution.attribute(
        graph_ops, firmware.elf, written, run.counted, board, INVOCATIONS
    )
    macs = sum(op.macs or 0 for op in graph_ops)
    cycles = span["cycles"]
    values = [*written["inputs"], *written["outputs"]]
    ram = {
        "state": written["state_bytes"],
        "activations": written["arena_bytes"],
        "buffers": sum(t["bytes"] for t in values),
        "stack": run.stack_bytes,
    }
    return {
        "model": str(path),
        "board": board,
        "kernels": "portable" if portable else "fast",
        "invocations": INVOCATIONS,
        "macs": macs,
        "instructions": _summary(span["instructions"], span["worst"], macs),
        "cycles": _summary(cycles["sum"], cycles["worst"], macs),
        **attributed,
        "flash_bytes": attribution.flash_bytes(firmware.elf, written["weight_bytes"]),
        "ram_bytes": ram | {"total": sum(ram.values())},
        "estimates": {
            real.part: {
                "clock_hz": real.clock_hz,
                "milliseconds": {
                    end: 1e3 * value / real.clock_hz
                    for end, value in cycle_model.interval(
                        real, cycles["worst"], attributed["flash"]
                    ).items()
                },
            }
            for real in boards.boards().values()
            if real.core == board
        },
    }


def _summary(total: int, worst: int, macs: int) -> dict:
    mean = total / INVOCATIONS
    return {"mean": mean, "worst": worst, "per_mac": mean / macs if macs else None}


def _run(firmware: emulated_model.Firmware, path: Path) -> emulated_model.Run:
    """Run the firmware on random inputs, and compare its outputs with TFLM's."""
    inputs = model_parity.random_inputs(firmware.written["inputs"], INVOCATIONS)
    run = firmware.run(inputs, cycles=True)
    official = tflm.outputs(firmware.written["model"], inputs, str(path))
    if not all(np.array_equal(a, b) for a, b in zip(run.outputs, official, strict=True)):
        raise UserError(f"{path}: its outputs differ from TFLM's, so its cost is not reported")
    return run
