"""What the code generator and the C runtime share: the data of `micro/contract`.

`tools/contract.py` writes the C headers of that folder from the same data.
"""

from __future__ import annotations

import dataclasses
import tomllib
from typing import Any

import numpy as np

from groupcomm.files import resource

FOLDER = resource("micro/contract")
_DATA = tomllib.loads((FOLDER / "contract.toml").read_text())
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "any": (object,),
}


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a C struct.

    Attributes
    ----------
    name, type, meaning : str
        As in C.
    rule, bundle : str
        How it follows from which field of bundle.json; see contract.toml.
    range : tuple of str
        Lowest and highest value, as C expressions.
    divides : str
        What the value must divide, as a C expression.
    """

    name: str
    type: str
    meaning: str
    rule: str = ""
    bundle: str = ""
    range: tuple[str, ...] = ()
    divides: str = ""


@dataclasses.dataclass(frozen=True)
class Lstm:
    """Positions among the inputs of the fused LSTM.

    Those with four entries are of the input, forget, cell and output gate.
    """

    input: int
    input_weights: slice
    recurrent_weights: slice
    peepholes: slice
    biases: slice
    projection: slice
    hidden_state: int
    cell_state: int
    layer_norms: slice


SCHEMA: int = _DATA["bundle"]["schema"]
MAX_ARENA_BYTES: int = _DATA["bundle"]["max_arena_bytes"]
BUNDLE_FIELDS: list[list[str]] = _DATA["bundle"]["fields"]
SIGNAL_PATH = [Field(**field) for field in _DATA["signal_path"]]
MODEL = [Field(**field) for field in _DATA["model"]]
OPERATORS: dict[str, str] = _DATA["operators"]
# Lowest and highest value of the sizes whose limits do not depend on other sizes, by field of
# bundle.json.
LIMITS: dict[str, tuple[int, int]] = {
    field.bundle: (int(field.range[0]), int(field.range[1]))
    for field in SIGNAL_PATH
    if field.range and all(limit.isdigit() for limit in field.range)
}
LSTM_INPUTS: dict[str, list[int]] = _DATA["lstm_inputs"]
LSTM = Lstm(
    **{
        name: first if count == 1 else slice(first, first + count)
        for name, (first, count) in LSTM_INPUTS.items()
    }
)
FEATURE_THRESHOLDS = 255  # between the 256 values of a feature


def problem(description: Any) -> str | None:
    """Return what is wrong with the fields of a bundle.json, for example "name is missing".

    It checks that the fields are there, have their types and are within `LIMITS`. None: nothing.
    """
    for path, kind, *optional in BUNDLE_FIELDS:
        parent, _, key = path.rpartition(".")
        holder = description
        for name in parent.split(".") if parent else ():
            holder = holder[name]
        if key not in holder:
            if not optional:
                return f"{path} is missing"
        elif not isinstance(holder[key], _JSON_TYPES[kind]):
            return f"{path} is {holder[key]!r}, not of the type {kind}"
        elif path in LIMITS:
            low, high = LIMITS[path]
            if not low <= holder[key] <= high:
                return f"{path} is {holder[key]}, not in {low} to {high}"
    return None


def tanh_curve() -> np.ndarray:
    """Return the nodes of TFLM's piecewise linear tanh, for k in 0..256.

    Between two nodes, at a distance h = 1 / 48, a chord lies below a concave function by up to
    h^2 / 8 of the second derivative. TFLM's nodes are raised by half of that, which halves the
    largest error. With tanh'' = -2 tanh (1 - tanh^2), and in units of 2^-15, node k is

        2^15 (t + t (1 - t^2) h^2 / 8),  t = tanh(k h).

    The curve ends at 32767, from node 255 on.

    Returns
    -------
    np.ndarray [shape=(257,), dtype=int64]
    """
    t = np.tanh(np.arange(257) / 48)
    nodes = np.rint(2**15 * (t + t * (1 - t**2) / (8 * 48**2))).astype(np.int64)
    nodes[255:] = 2**15 - 1
    return nodes


def tanh_table() -> np.ndarray:
    """Return value and difference to the next value of TFLM's tanh.

    Returns
    -------
    np.ndarray [shape=(512, 2), dtype=int64]
        Of tanh(k / 48) in units of 2^-15, for k in -256..255.
    """
    half = tanh_curve()
    nodes = np.concatenate([-half[:0:-1], half])
    return np.stack([nodes[:-1], np.diff(nodes)], axis=1)
