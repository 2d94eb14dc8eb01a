"""The counts of the papers are reproduced, and a wrong count is detected."""

import dataclasses
import json

import pytest
from typer.testing import CliRunner

from groupcomm.cli import app
from groupcomm.errors import UserError
from tf_model import networks
from tf_model.paper import counts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def table():
    result = CliRunner().invoke(app, ["cost", "--paper", "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


EXACT = {
    "dprnn": 2_620_224,
    "gc-dprnn-k2": 3_895_104,
    "gc-dprnn-k4": 990_240,
    "gc-dprnn-k8": 258_960,
    "gc-dprnn": 73_608,
    "gc-dprnn-k32": 26_004,
    "gc3-dprnn": 123_772,
    "gc3-tcn": 191_168,
    "gc3-dptnet": 128_636,
}


def test_counts_that_must_be_exact_are_exact(table):
    rows = {row["network"]: row for row in table["rows"] if row["must_be_exact"]}
    assert {name: rows[name]["params_paper"] for name in EXACT} == EXACT
    assert set(rows) == set(EXACT) and all(row["exact"] for row in rows.values())
    assert table["ok"]
    assert [(r["quantity"], r["published"], r["exact"]) for r in table["ratios"]] == [
        ("params", "35.60", True),
        ("macs", "2.29", True),
    ]


def test_pytorch_counts_a_second_bias_vector_per_lstm(table):
    """Formula R(M, h) of the paper, 18 times, with and without the second bias vector."""
    rows = {row["network"]: row for row in table["rows"]}
    r = 8 * 16 * (8 + 16) + 16 * 16 + 2 * 16 * 8 + 8 + 2 * 8
    outer = 64 * 128 + 2 * 128 + 72 + 144
    assert rows["gc-dprnn"]["params_paper"] == outer + 18 * r
    assert rows["gc-dprnn"]["params"] == outer + 18 * (r - 8 * 16)


def test_only_the_known_counts_differ(table):
    verdicts = {(row["network"], row["source"]): row["verdict"] for row in table["rows"]}
    differing = {
        network: verdict
        for (network, _), verdict in verdicts.items()
        if verdict.startswith("differs")
    }
    assert differing == {
        "dprnn": "differs: MACs -0.30 %",
        "dptnet": "differs: MACs +1.31 %",
        "gc3-sudo": "differs: params -0.56 %",
    }


def test_a_wrong_count_is_detected():
    row = counts.Row("x", "nowhere", "1.2K", "3.0G", 1234)
    figures = {
        "params": 1200,
        "params_paper": 1234,
        "macs_4s": 1,
        "macs_4s_thop": 3_049_999_999,
        "macs_per_second": 1,
    }
    assert counts.judge(row, figures)["verdict"] == "exact"
    wrong = counts.judge(row, figures | {"params_paper": 1235})
    assert wrong["exact"] is False and wrong["verdict"] == "differs: params not exact"
    assert (
        counts.judge(row, figures | {"macs_4s_thop": 3_060_000_000})["verdict"]
        == "differs: MACs +2.00 %"
    )


SHORT = ("dprnn", "gc-dprnn")  # the networks of the ratios


@pytest.mark.parametrize(
    ("name", "wrong", "ratio", "code"),
    [
        ("", {}, "35.60", 0),
        ("gc-dprnn", {"required_params": 73_609}, "35.60", 1),
        ("gc-dprnn", {"required_macs_thop": "9.627G"}, "35.60", 1),
        ("dprnn", {"required_macs": "21.141G"}, "35.60", 1),
        ("", {}, "35.61", 1),
    ],
)
def test_exit_code_1_when_one_count_is_wrong(name, wrong, ratio, code, table, monkeypatch):
    kept = {row["network"]: row for row in table["rows"]}
    monkeypatch.setattr(networks, "find", kept.get)
    monkeypatch.setattr(counts, "cost", lambda figures: figures)  # the counts of the fixture
    rows = [row for row in counts.ROWS if row.name in SHORT and row.source == counts.ONE]
    monkeypatch.setattr(
        counts,
        "ROWS",
        [dataclasses.replace(row, **wrong) if row.name == name else row for row in rows],
    )
    monkeypatch.setattr(counts, "RATIOS", [("params", ratio, "params_paper")])
    result = CliRunner().invoke(app, ["cost", "--paper", "--json"])
    assert (result.exit_code, json.loads(result.stdout)["ok"]) == (code, code == 0)


def test_cost_command_prints_one_network():
    result = CliRunner().invoke(app, ["cost", "gc-dprnn-causal", "--json"])
    figures = json.loads(result.stdout)
    assert set(figures) >= {
        "name",
        "params",
        "params_paper",
        "macs_per_second",
        "macs_per_hop",
        "state_bytes",
    }
    assert "exact" not in figures
    result = CliRunner().invoke(app, ["cost"])
    assert isinstance(result.exception, UserError)
