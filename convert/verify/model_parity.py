"""Prove that a `.tflite` as plain C computes the bytes of the official TFLM."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from convert.codegen import model_source
from convert.run import emulated_model
from convert.tflite import runtimes, tflm
from groupcomm.errors import UserError
from groupcomm.files import scratch_folder
from groupcomm.limits import require_memory

PASSES = 2
_SEED = 1


def parity(
    path: Path, *, invocations: int = 1000, given: Path | None = None, board: str | None = None
) -> dict:
    """Run a model in the official TFLM and as plain C on the same inputs, and compare.

    Parameters
    ----------
    path : Path
        The `.tflite`.
    invocations : int
        Of a pass. All runtimes process two passes with a reset in between.
    given : Path or None
        An ``.npz`` file with one array for each input [shape=(n, *shape)], integers or real values,
        by the names that `groupcomm compile` prints. It is repeated as often as necessary. None
        selects random integers.
    board : str or None
        An emulated core that runs the model too, such as ``"cortex-m4"``.

    Returns
    -------
    dict
        ``model``, ``invocations``, ``passes``, ``inputs`` (``"random"`` or the file), ``ok``, and
        ``runtimes``: for ``"plain C"`` and the board, ``name``, ``equal`` (share of equal
        values), ``different_invocations`` and ``max_steps`` (largest difference).

    Raises
    ------
    UserError
        When the model cannot be compiled, the inputs do not fit it, or TFLM refuses it or crashes.
    """
    with scratch_folder() as folder:
        written = model_source.compile_model(path, folder / "c")
        inputs = _inputs(written["inputs"], invocations, given)
        plain = runtimes.Compiled(written)
        results = {"plain C": _passes(plain, inputs)}
    if board is not None:
        firmware = emulated_model.Firmware(path, board)
        results[board] = firmware.run(inputs, PASSES).outputs
    # TFLM begins every pass with a new interpreter, so one pass has the bytes of all. After a reset
    # it does not run CALL_ONCE again, so it does not restore the values of resource variables.
    first = tflm.outputs(written["model"], inputs, str(path))
    expected = [np.concatenate([x] * PASSES) for x in first]
    rows = [_row(name, found, expected) for name, found in results.items()]
    return {
        "model": str(path),
        "invocations": invocations,
        "passes": PASSES,
        "inputs": str(given) if given else "random",
        "runtimes": rows,
        "ok": all(row["equal"] == 1 for row in rows),
    }


def _passes(run: runtimes.Compiled, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Return the outputs [shape=(passes * invocations, ...)]."""
    found = []
    for number in range(PASSES):
        if number:
            run.reset()
        found += [run([x[i] for x in inputs]) for i in range(len(inputs[0]))]
    return [np.stack(values) for values in zip(*found, strict=True)]


def _row(name: str, found: list[np.ndarray], expected: list[np.ndarray]) -> dict:
    different = [a.astype(int) - b for a, b in zip(found, expected, strict=True)]
    wrong = np.any([d.reshape(len(d), -1).any(1) for d in different], axis=0)
    values = np.concatenate([d.ravel() for d in different])
    return {
        "name": name,
        "equal": float(np.mean(values == 0)),
        "different_invocations": int(wrong.sum()),
        "max_steps": int(np.abs(values).max()),
    }


def random_inputs(tensors: list[dict], invocations: int) -> list[np.ndarray]:
    """Draw all values of each input with equal probability.

    Parameters
    ----------
    tensors : list of dict
        ``inputs`` of `model_source.compile_model`.
    invocations : int

    Returns
    -------
    list of np.ndarray [shape=(invocations, ...)]
        The same in every call.
    """
    random = np.random.default_rng(_SEED)
    values = invocations * sum(math.prod(t["shape"]) for t in tensors)
    require_memory(10 * values, f"{invocations} invocations", "ask for fewer")  # drawn as int64
    limits = [np.iinfo(t["dtype"]) for t in tensors]
    return [
        random.integers(limit.min, limit.max + 1, (invocations, *t["shape"])).astype(t["dtype"])
        for t, limit in zip(tensors, limits, strict=True)
    ]


def _inputs(tensors: list[dict], invocations: int, given: Path | None) -> list[np.ndarray]:
    """Return the values of each input [shape=(invocations, ...)]."""
    if given is None:
        return random_inputs(tensors, invocations)
    try:
        arrays = dict(np.load(given))
    except (OSError, ValueError) as e:
        raise UserError(f"{given}: cannot read as .npz ({e})") from e
    names = [t["name"] for t in tensors]
    if set(arrays) != set(names):
        raise UserError(
            f"{given}: has the arrays {', '.join(sorted(arrays)) or 'none'}; "
            f"the inputs of the model are {', '.join(names)}"
        )
    return [_repeated(arrays[t["name"]], t, invocations, given) for t in tensors]


def _repeated(x: np.ndarray, t: dict, invocations: int, given: Path) -> np.ndarray:
    if x.shape[1:] != tuple(t["shape"]) or not len(x):
        raise UserError(
            f"{given}: {t['name']} has the shape {x.shape}; (n, {', '.join(map(str, t['shape']))}) "
            "is necessary"
        )
    if x.dtype.kind == "f":
        x = np.rint(x / t["scale"]) + t["zero_point"]
    limits = np.iinfo(t["dtype"])
    x = np.clip(x, limits.min, limits.max).astype(t["dtype"])
    return np.concatenate([x] * -(-invocations // len(x)))[:invocations]
