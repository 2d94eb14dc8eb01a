"""`cost --board` predicts what `bench` counts, and `search` lists what fits."""

import json
from pathlib import Path

import numpy as np
import pytest

from convert import boards, bundle
from convert.measure import cost_model, random_network
from convert.run import cycle_model
from convert.tflite import counts, flatbuffer, graph, kernel_params, runtimes
from groupcomm.errors import UserError
from tests.helpers.cli import groupcomm, ok, refused
from tf_model import networks

# Written by tools/cost_model.py, which does not fit to them.
COUNTED = json.loads(Path(__file__).with_name("counted_sizes.json").read_text())


def network(name, sizes=""):
    return networks.changed(networks.find(name), dict(s.split("=") for s in sizes.split()))


PREDICTED = sorted(set(bundle.names()) - {"enhance-tasnet", "enhance-tcn"})


@pytest.mark.parametrize("name", ["enhance-tasnet", "enhance-tcn"])
def test_a_network_without_counted_kernels_is_refused(name):
    with pytest.raises(UserError, match="groupcomm bench"):
        cost_model.calls(networks.find(name))


def name_of(counted):
    return f"{counted['network']} {counted['set']}".strip()


@pytest.mark.parametrize("core", boards.CORES)
@pytest.mark.parametrize("counted", COUNTED, ids=name_of)
def test_predictions_are_within_3_percent_of_the_counts(counted, core):
    found = cost_model.hop(network(counted["network"], counted["set"]), core)
    for unit in ("instructions", "cycles"):
        assert found[unit] == pytest.approx(counted[core][unit], rel=0.03)


@pytest.mark.parametrize("board", ["nrf52840dk", "nrf5340dk"])
@pytest.mark.parametrize("counted", COUNTED, ids=name_of)
def test_the_upper_end_of_the_load_is_close(counted, board):
    target = boards.find(board)
    found = counted[target.core]
    reads, *lines = found["flash"]
    misses = [
        {"cache": size, "line": line, "lines": count}
        for (size, line), count in zip(boards.caches(target.core), lines, strict=True)
    ]
    cycles = cycle_model.interval(
        target, round(found["cycles"]), {"reads": reads, "misses": misses}
    )
    predicted = cost_model.estimate(network(counted["network"], counted["set"]), target)
    # An LSTM across the groups reads its weights in every step, from a cache or not.
    limit = 0.07 if counted["network"] == "enhance-blstm" else 0.05
    assert predicted["cycles"]["most"] == pytest.approx(cycles["most"], rel=limit)


def test_a_dozen_sizes_were_counted_some_with_odd_sizes():
    assert len(COUNTED) >= 12
    assert sum(network(c["network"], c["set"]).hidden % 4 > 0 for c in COUNTED) >= 5


def sizes_of_kernel(op):
    """Return the sizes of a call as its kernel gets them."""
    p = kernel_params.prepare(op)
    match p:
        case kernel_params.FullyConnected():
            return {"rows": p.rows, "inputs": p.inputs, "outputs": p.outputs}
        case kernel_params.Add():
            return {"rows": p.rows, "columns": p.columns}
        case kernel_params.Lstm():
            return {"steps": p.steps, "batch": p.batch, "inputs": p.inputs, "units": p.units}
        case kernel_params.Mean():
            return {"rows": p.count, "columns": p.inner}
    return {}


@pytest.mark.parametrize("name", PREDICTED)
def test_the_calls_are_those_of_the_bundle(name):
    operators = flatbuffer.read(bundle.load(name).model).graph.operators
    operators = [op for op in operators if op.name != "RESHAPE"]
    calls = cost_model.calls(networks.find(name))
    assert [call.kernel for call in calls] == [op.name for op in operators]
    for call, op in zip(calls, operators, strict=True):
        sizes = dict(call.sizes)
        expected = sizes_of_kernel(op)
        assert {key: sizes[key] for key in expected} == expected
        if "relu" in sizes:
            assert sizes["relu"] == (op.activation == "RELU")


@pytest.mark.parametrize("name", PREDICTED)
def test_a_random_network_has_the_operators_of_the_bundle(name):
    net = networks.find(name)
    model = flatbuffer.write(graph.Model([random_network.graph_of(net)]))
    ours, released = (
        [(op.name, op.output, op.macs) for op in counts.count(flatbuffer.read(m)).graph_ops]
        for m in (model, bundle.load(name).model)
    )
    assert ours == released
    features = np.random.default_rng(0).integers(-128, 128, (3, net.signal.n_features))
    assert runtimes.Tflm(model)(features.astype(np.int8)).std() > 10


def test_terms():
    sizes = {"units": 21, "batch": 3}
    assert cost_model.term("", sizes) == 1
    assert cost_model.term("batch units", sizes) == 63
    assert cost_model.term("units/8 batch//2 units%4", sizes) == 3
    assert cost_model.term("units~8", sizes) == cost_model.term("units>20", sizes) == 1
    assert cost_model.term("units~7", sizes) == cost_model.term("units>21", sizes) == 0


def test_cost_prints_the_load_on_a_board():
    found = ok("cost", "enhance-nano", "--board", "nrf52840dk", "--set", "hidden=13", "--json")
    predicted = found["boards"]["nrf52840dk"]
    assert found["macs_per_hop"] < ok("cost", "enhance-nano", "--json")["macs_per_hop"]
    assert predicted["network_instructions"] < predicted["instructions"]
    assert predicted["load"]["least"] == pytest.approx(predicted["cycles"]["least"] / 64e6 / 0.008)
    assert predicted["load"]["most"] > 1.1 * predicted["load"]["least"]
    shown = groupcomm("cost", "enhance-nano", "--board", "nrf52840dk")
    assert "% of Nordic nRF52840 DK, predicted for int8" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cost", "enhance", "--board", "nrf52840"], "board 'nrf52840' is not known"),
        (["cost", "gc-dprnn", "--board", "nrf52840dk"], "--board nrf52840dk: gc-dprnn is a"),
        (["cost", "--paper", "--set", "hidden=3"], "--set is for one network"),
        (["cost", "enhance", "--set", "hiden=3"], "--set hiden=3: there is no such field"),
        (
            ["cost", "enhance", "--board", "nano33ble", "--set", "memory=8"],
            "memory 8: such a network cannot be quantized",
        ),
        (["search", "--board", "nano33ble", "--load", "0"], "--load"),
        (
            ["search", "tcn", "--board", "nano33ble", "--load", "9"],
            "tcn: not of the streaming",
        ),
        (["search", "enhanse", "--board", "nano33ble", "--load", "9"], "did you mean enhance?"),
    ],
)
def test_wrong_usage(arguments, message):
    refused(groupcomm(*arguments), message)


def test_a_window_that_was_not_counted():
    with pytest.raises(UserError, match="window 64: the model has only windows of 128, 256"):
        cost_model.hop(network("enhance-blstm", "signal.window=64 signal.hop=32"), "cortex-m4")


def test_search_lists_what_fits_the_largest_first():
    found = ok("search", "enhance-nano", "--board", "nrf52840dk", "--load", "60", "--json")
    assert found["candidates"] > found["fitting"] > len(found["networks"]) == 20
    macs = [row["macs_per_hop"] for row in found["networks"]]
    assert macs == sorted(macs, reverse=True)
    first = found["networks"][0]
    options = [part for key, value in first["set"].items() for part in ("--set", f"{key}={value}")]
    again = ok("cost", first["network"], *options, "--board", "nrf52840dk", "--json")
    assert again["boards"]["nrf52840dk"]["load"] == first["load"]
    assert all(row["load"]["most"] <= 0.6 for row in found["networks"])


def test_search_keeps_given_sizes_and_says_when_nothing_fits():
    given = ("search", "enhance-nano", "--board", "nano33ble", "--set", "hidden=20")
    found = ok(*given, "--load", "60", "--json")
    assert all(row["set"]["hidden"] == 20 for row in found["networks"])
    assert groupcomm(*given, "--load", "1").returncode == 1
