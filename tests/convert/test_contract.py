"""The headers of micro/contract, the bundles and the documents agree with contract.toml."""

import functools
import importlib.util
import json

import numpy as np
import pytest

from convert import bundle, contract
from convert.tflite.schema import schema
from groupcomm.files import REPO
from tf_model.signal import Signal


def generator():
    spec = importlib.util.spec_from_file_location("generator", REPO / "tools" / "contract.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_committed_headers_are_what_the_generator_writes():
    headers = generator().headers()
    assert {p.name for p in contract.FOLDER.glob("*.h")} == set(headers)
    for name, text in headers.items():
        assert (contract.FOLDER / name).read_text() == text, name


def flat(value, path=""):
    if not isinstance(value, dict) or path in ("network", "budget"):
        return {path}
    children = set().union(*(flat(v, f"{path}.{k}".lstrip(".")) for k, v in value.items()))
    return children | {path} - {""}


@pytest.mark.parametrize("name", bundle.names())
def test_bundles_have_the_fields_of_the_contract(name):
    description = json.loads((bundle.BUNDLES / name / "bundle.json").read_text())
    fields = {path: bool(optional) for path, _, *optional in contract.BUNDLE_FIELDS}
    assert flat(description) <= set(fields)
    assert {path for path, optional in fields.items() if not optional} <= flat(description)


@pytest.mark.parametrize(
    ("path", "low", "high"),
    [("signal.sample_rate", 8000, 48000), ("signal.window", 32, 4096), ("sources", 1, 8)],
)
def test_sizes_outside_of_their_limits_are_a_problem(path, low, high):
    assert contract.LIMITS[path] == (low, high)
    *parents, key = path.split(".")
    for value, expected in (
        (low, None),
        (high, None),
        (low - 1, f"{path} is {low - 1}, not in {low} to {high}"),
        (high + 1, f"{path} is {high + 1}, not in {low} to {high}"),
    ):
        description = json.loads((bundle.BUNDLES / "enhance" / "bundle.json").read_text())
        (description[parents[0]] if parents else description)[key] = value
        assert contract.problem(description) == expected


HUGE = 10**400  # a number of JSON that no float can be
# Values that are not of a type.
OTHERS = {
    "integer": (None, True, "1", 1.5, [1], HUGE),
    "number": (None, True, "1", [1.0], HUGE, float("nan"), float("-inf")),
    "boolean": (None, 1, "true", []),
    "name": (None, 1, ["a"], "A", "a/b", "a\n"),
    "file": (None, 1, ["a"], "", "..", "a/b", "a\n"),
    "text": (None, 1, ["a"], "a\n", "\x1b[31m", "a" * 201),
    "sha256": (None, 1, "", "0" * 63, "0" * 65, "g" * 64, "0" * 64 + "\n"),
    "sizes": (None, 1, "a", [], {"a": None}, {"a": [1]}, {"a": {}}, {"a": HUGE}, {"a\n": 1}),
    "array": (None, 1, "a", {}),
    "object": (None, 1, "a", []),
    "any": (),  # the budget, which `budget_problem` checks
}
# Sizes whose limits depend on other sizes: `Signal` checks them.
RELATIVE = ("signal.hop", "signal.bands", "signal.pool", "signal.neighbours")


@pytest.mark.parametrize(("path", "kind"), [field[:2] for field in contract.BUNDLE_FIELDS])
def test_every_field_of_a_strangers_bundle_has_its_type(path, kind):
    """Without the field, or with a value of another type, there is one line that names it."""
    text = (bundle.BUNDLES / "enhance" / "bundle.json").read_text()
    *parents, key = path.split(".")
    optional = dict((p, o) for p, _, *o in contract.BUNDLE_FIELDS)[path]

    def said(value):
        description = json.loads(text)
        holder = functools.reduce(dict.get, parents, description)
        if value is ...:
            holder.pop(key, None)
        else:
            holder[key] = value
        return contract.problem(description)

    assert said(...) == (None if optional else f"{path} is missing")
    for value in OTHERS[kind]:
        if value is HUGE and (path == "schema" or path in RELATIVE):
            continue
        found = said(value)
        assert found is not None and found.startswith(f"{path} is "), (value, found)
        assert len(found) < 250 and found.isprintable(), found


def test_every_field_is_in_the_reference():
    text = (REPO / "docs" / "reference" / "bundle.md").read_text()
    missing = [path for path, *_ in contract.BUNDLE_FIELDS if path.split(".")[-1] not in text]
    assert missing == []


def test_signal_path_is_that_of_the_bundle():
    signal = Signal()
    of_bundle = {field.bundle.removeprefix("signal.") for field in contract.SIGNAL_PATH}
    assert set(vars(signal)) <= of_bundle
    for field in contract.SIGNAL_PATH:
        assert field.name in {"sources", "features", "masks", "feature_thresholds"} or hasattr(
            signal, {"analysis": "analysis_window"}.get(field.name, field.name)
        )


def test_operators_are_those_of_the_schema():
    assert list(contract.OPERATORS) == sorted(contract.OPERATORS)
    assert all(hasattr(schema.BuiltinOperator, name) for name in contract.OPERATORS)


def test_lstm_inputs_are_counted_once():
    positions = [
        i for first, count in contract.LSTM_INPUTS.values() for i in range(first, first + count)
    ]
    assert positions == list(range(24))


def test_tanh_curve_is_far_from_the_rounding_boundary():
    """No other library's tanh, a few units in the last place away, gives another table."""
    t = np.tanh(np.arange(255) / 48)
    nodes = 2**15 * (t + t * (1 - t**2) / (8 * 48**2))
    assert np.abs(nodes - np.floor(nodes) - 0.5).min() > 1e-4
    assert np.abs(nodes - contract.tanh_curve()[:255]).max() < 0.5
