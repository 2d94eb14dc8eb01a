"""The smallest arena with which TFLM runs a model."""

from __future__ import annotations

from pathlib import Path

from convert.contract import MAX_ARENA_BYTES
from convert.tflite import tflm
from groupcomm.errors import UserError


def smallest_arena(model: Path) -> int:
    """Find the smallest arena with which the official TFLM on this machine runs a model.

    Parameters
    ----------
    model : Path
        A `.tflite`.

    Returns
    -------
    int
        Bytes, a multiple of 16.

    Raises
    ------
    UserError
        When TFLM refuses the model, or the model needs more than `MAX_ARENA_BYTES`.
    """
    verdict = tflm.run(model.read_bytes())
    verdict.check(str(model))
    if not verdict.accepts:
        raise UserError(
            f"{model}: TFLM refuses it ({verdict.words}); `groupcomm inspect` says what to change"
        )
    if verdict.arena_bytes is None:
        raise UserError(
            f"{model}: TFLM needs more than {MAX_ARENA_BYTES // 2**20} MiB for it; "
            "use a smaller network"
        )
    return verdict.arena_bytes
