"""What the code generator and the C runtime share: the data of `micro/contract`.

`tools/contract.py` writes the C headers of that folder from the same data.
"""

from __future__ import annotations

import dataclasses
import re
import reprlib
import sys
import tomllib
from typing import Any

import numpy as np

from groupcomm.files import is_name, resource

FOLDER = resource("micro/contract")
_DATA = tomllib.loads((FOLDER / "contract.toml").read_text())
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "name": (str,),
    "file": (str,),
    "text": (str,),
    "sha256": (str,),
    "sizes": (dict,),
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
# Lowest and highest value of the numbers whose limits do not depend on other sizes, by field of
# bundle.json.
LIMITS: dict[str, tuple[int, int]] = {
    field.bundle: (int(field.range[0]), int(field.range[1]))
    for field in SIGNAL_PATH
    if field.range and all(limit.isdigit() for limit in field.range)
} | {path: (low, high) for path, (low, high) in _DATA["bundle"]["limits"].items()}
# Numbers that C stores as float32 and that divide or are exponents.
_POSITIVE = ("signal.exponent", "features.scale", "masks.scale")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile("[0-9a-f]{64}")
_MAX_TEXT = 200  # characters
_MAX_SIZES = 64
_MAX_BUDGET = (1 << 32) - 1  # bytes or instructions
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

    It checks that the fields are there, have their types and are within `LIMITS`, that names are
    names, that files are in the folder of the bundle, that texts can be printed in one line, and
    that numbers are finite. None: nothing.
    """
    for path, kind, *optional in BUNDLE_FIELDS:
        parent, _, key = path.rpartition(".")
        holder = description
        for name in parent.split(".") if parent else ():
            holder = holder[name]
        if key in holder:
            if wrong := _wrong(path, kind, holder[key]):
                return f"{path} is {reprlib.repr(holder[key])}, {wrong}"
        elif not optional:
            return f"{path} is missing"
    for number, operator in enumerate(description["operators"]):
        if not isinstance(operator, dict) or operator.get("name") not in OPERATORS:
            return f"operators[{number}] is {reprlib.repr(operator)}, not an operator of the engine"
    return None


def _wrong(path: str, kind: str, value: Any) -> str:
    """Return how a value differs from what its field must be, or ""."""
    is_other_type = isinstance(value, bool) and kind not in ("any", "boolean")
    if not isinstance(value, _JSON_TYPES[kind]) or is_other_type:
        names = {(str,): "string", (dict,): "object"}
        return f"not of the type {names.get(_JSON_TYPES[kind], kind)}"
    if kind == "name" and not is_name(value):
        return "not a name; use lower-case letters, digits, '-' and '_', beginning with a letter"
    if kind == "file" and not _FILE.fullmatch(value):
        return "not the name of a file in the folder of the bundle"
    if kind == "text" and not _is_text(value):
        return f"not a text of one line and at most {_MAX_TEXT} characters"
    if kind == "sha256" and not _SHA256.fullmatch(value):
        return "not 64 hexadecimal digits"
    if kind == "sizes" and not (
        len(value) <= _MAX_SIZES and all(_is_text(k) and _is_size(v) for k, v in value.items())
    ):
        return f"not at most {_MAX_SIZES} numbers, booleans and texts by name"
    if kind == "number" and not _is_finite(value):
        return "not a finite number"
    if path in _POSITIVE and not np.finfo(np.float32).tiny <= value <= np.finfo(np.float32).max:
        return "not a positive float32"
    if path in LIMITS:
        low, high = LIMITS[path]
        if not low <= value <= high:
            return f"not in {low} to {high}"
    return ""


def _is_text(value: str) -> bool:
    return len(value) <= _MAX_TEXT and value.isprintable()


def _is_size(value: Any) -> bool:
    if isinstance(value, str):
        return _is_text(value)
    return isinstance(value, (int, float)) and _is_finite(value)


def _is_finite(value: float) -> bool:
    """Return whether a number can be a float: `math.isfinite` raises for an integer that cannot."""
    return abs(value) <= sys.float_info.max


def budget_problem(budget: Any) -> str | None:
    """Return what is wrong with the types in the budget of a bundle.json. None: nothing."""
    if not isinstance(budget, dict) or not all(isinstance(part, dict) for part in budget.values()):
        return f"budget {reprlib.repr(budget)} is not a table of limits by board"
    for key, limit in ((key, limit) for part in budget.values() for key, limit in part.items()):
        name = key if _is_text(key) else reprlib.repr(key)
        if not isinstance(limit, int) or isinstance(limit, bool):
            return f"budget {name} {reprlib.repr(limit)} is not a whole number"
        if not 0 <= limit <= _MAX_BUDGET:
            return f"budget {name} {reprlib.repr(limit)} is not in 0 to {_MAX_BUDGET}"
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
