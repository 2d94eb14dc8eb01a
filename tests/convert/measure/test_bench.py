"""The benchmark is reproducible, its parts add up, and it checks budgets."""

import json

import pytest

from convert import boards, bundle
from convert.commands import tables
from convert.measure import bench, cost_model
from convert.run import host_tools
from convert.tflite import runtimes
from convert.verify import inspection
from groupcomm.errors import UserError
from tests.helpers.cli import groupcomm, ok, refused
from tf_model import networks
from tf_model.training import checkpoint

pytestmark = [pytest.mark.bazel, pytest.mark.board]


@pytest.fixture(scope="module")
def m4():
    return bench.bench(bundle.load("enhance"), "cortex-m4")


def test_two_runs_give_the_same_counts(m4):
    assert bench.bench(bundle.load("enhance"), "cortex-m4") == m4


def test_the_cost_model_predicts_a_bundle(m4):
    """The weights of the bundle are trained; those of the fitted kernels are random."""
    predicted = cost_model.hop(networks.find("enhance"), "cortex-m4")
    for unit in ("instructions", "cycles"):
        assert predicted[unit] == pytest.approx(m4[unit]["hop"]["mean"], rel=0.03)
        assert predicted["network"][unit] == pytest.approx(m4[unit]["network"]["mean"], rel=0.03)


def test_optimized_kernels_are_faster_than_portable_ones(m4):
    portable = bench.bench(bundle.load("enhance"), "cortex-m4", portable=True)
    assert (
        portable["instructions"]["network"]["worst"] > 2.5 * m4["instructions"]["network"]["worst"]
    )


@pytest.mark.tensorflow
def test_totals_equal_sums_of_parts(m4):
    i = m4["instructions"]
    assert i["network"]["mean"] + i["signal"]["mean"] == i["hop"]["mean"] <= i["hop"]["worst"]
    assert i["network_per_mac"] == i["network"]["mean"] / m4["macs"]
    assert sum(m4["functions"].values()) == pytest.approx(i["hop"]["mean"])
    kernels = sum(count for name, count in m4["functions"].items() if name.startswith("gc_"))
    assert 0.9 * i["network"]["mean"] < kernels < i["network"]["mean"]
    assert m4["ram_bytes"]["total"] == sum(v for k, v in m4["ram_bytes"].items() if k != "total")
    # int8 weights and int32 biases. The half of TAC's last layer without a bias has one of zeros,
    # which its kernel requires.
    weights = checkpoint.load("enhance").model().get_weights()
    assert (
        m4["flash_bytes"]["weights"]
        == sum(w.size if w.ndim > 1 else 4 * w.size for w in weights) + 3 * 4 * 16
    )
    c = m4["cycles"]
    assert c["network"]["mean"] + c["signal"]["mean"] == c["hop"]["mean"] <= c["hop"]["worst"]
    assert sum(m4["function_cycles"].values()) == pytest.approx(c["hop"]["mean"])
    assert 0 < m4["flash"]["reads"] < i["hop"]["mean"]
    load = m4["estimates"]["nRF52840"]["load"]
    assert load["least"] == pytest.approx(c["hop"]["worst"] / 64e6 / 0.008)
    assert load["most"] > 1.1 * load["least"]


def test_operator_counts_add_up_to_the_network(m4):
    """Each operator has the instructions of its own kernel and the functions that it calls."""
    operators, kinds, functions = (
        m4["operators"],
        {kind["name"]: kind for kind in m4["kinds"]},
        m4["functions"],
    )
    network = m4["instructions"]["network"]["mean"]
    taken = sum(o["instructions"] for o in operators)
    assert network - 50 < taken < network
    cycles = m4["cycles"]["network"]["mean"]
    assert cycles - 100 < sum(o["cycles"] for o in operators) < cycles
    assert sum(kind["instructions"] for kind in kinds.values()) == pytest.approx(taken)
    assert (
        sum(o["macs"] for o in operators)
        == sum(kind["macs"] for kind in kinds.values())
        == m4["macs"]
    )
    assert {name: kind["count"] for name, kind in kinds.items()} == {
        o["name"]: o["count"] for o in bundle.load("enhance").description["operators"]
    }
    assert all((o["instructions"] == 0) == (o["name"] == "RESHAPE") for o in operators)
    # The call in the network's C file takes a few instructions in addition to the kernel.
    for name, kernel in (
        ("ADD", "gc_add_"),
        ("MEAN", "gc_mean_"),
        ("LOGISTIC", "gc_lookup_"),
    ):
        own = sum(count for function, count in functions.items() if function.startswith(kernel))
        assert 0 < kinds[name]["instructions"] - own < 10 * kinds[name]["count"]
    lstm = [o for o in operators if o["name"] == "UNIDIRECTIONAL_SEQUENCE_LSTM"]
    net = bundle.load("enhance").description["network"]
    groups, width, units = net["groups"], net["bottleneck"], net["hidden"]
    assert len(lstm) == net["blocks"]
    assert (lstm[0]["input"], lstm[0]["output"]) == ((groups, 1, width), (groups, 1, units))
    assert lstm[0]["macs"] == groups * 4 * units * (width + units)
    # The LSTMs have one shape. But where a product is shifted left by two bits or more, each word
    # of its weights takes two more instructions.
    assert max(o["instructions"] for o in lstm) < 1.05 * min(o["instructions"] for o in lstm)
    assert lstm[0]["per_mac"] == lstm[0]["instructions"] / lstm[0]["macs"]


def test_tflm_on_the_host():
    found = ok("bench", "enhance", "--engine", "tflm-host", "--json")
    library, ours = found["kernels"]["tflm"], found["kernels"]["groupcomm"]
    assert (found["engine"], found["hops"], found["macs"]) == (
        "tflm-host",
        500,
        inspection.inspect("enhance")["macs"],
    )
    assert (
        0.3 < ours["instructions"] / library["instructions"] < 0.5
        and library["per_mac"] == library["instructions"] / found["macs"]
    )
    for kernels in (library, ours):
        assert 0 < kernels["microseconds"]["median"] <= kernels["microseconds"]["worst"]
        assert 20_000 < kernels["arena_bytes"]["used"] < kernels["arena_bytes"]["smallest"] < 64_000
    opened = bundle.load("enhance")
    features = opened.golden()[0][:2]
    assert host_tools.count_replay(opened, features) == host_tools.count_replay(opened, features)


def test_tflm_on_the_host_without_valgrind(monkeypatch, capsys):
    monkeypatch.setattr(host_tools, "count_replay", lambda *_, **__: None)
    found = bench.bench_host(bundle.load("enhance"))
    assert (
        found["kernels"]["groupcomm"]["instructions"]
        is found["kernels"]["groupcomm"]["per_mac"]
        is None
    )
    tables.show_bench_host(found)
    assert "apt-get install valgrind" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("option", [("--board", "cortex-m4"), ("--portable",)])
def test_board_options_are_rejected_for_host_engine(option):
    refused(
        groupcomm("bench", "enhance", "--engine", "tflm-host", *option),
        f"{option[0]} is for --engine static",
    )


def test_bench_fails_when_masks_differ_from_tflm(monkeypatch):
    tflm = runtimes.Tflm.__call__

    def broken(self, features):
        masks = tflm(self, features)
        masks[-1, -1] ^= 1
        return masks

    monkeypatch.setattr(runtimes.Tflm, "__call__", broken)
    with pytest.raises(UserError, match="its masks differ from TFLM's"):
        bench.bench(bundle.load("enhance"), "cortex-m4")
    with pytest.raises(UserError, match="the masks of kernels tflm differ from TFLM's"):
        bench.bench_host(bundle.load("enhance"))


def test_bench_fails_when_masks_of_our_kernels_differ_from_tflm(monkeypatch):
    replay = host_tools.timed_replay

    def broken(*arguments, kernels):
        masks, times = replay(*arguments, kernels=kernels)
        masks[-1, -1] ^= kernels == "groupcomm"
        return masks, times

    monkeypatch.setattr(host_tools, "timed_replay", broken)
    with pytest.raises(UserError, match="the masks of kernels groupcomm differ from TFLM's"):
        bench.bench_host(bundle.load("enhance"))


def used(found: dict) -> dict[str, int]:
    """Compute the figures of a budget from the parts."""
    flash, ram = found["flash_bytes"], found["ram_bytes"]
    return {
        "instructions": found["instructions"]["hop"]["worst"],
        "flash_bytes": flash["weights"] + flash["rest"],
        "ram_bytes": ram["state"] + ram["activations"] + ram["stream"] + ram["stack"],
    }


def test_budget_covers_all_parts(m4):
    assert {key: b["used"] for key, b in m4["budget"].items()} == used(m4)
    assert all(count > 0 for part in ("flash_bytes", "ram_bytes") for count in m4[part].values())


@pytest.mark.parametrize("over", [None, *boards.BUDGET])
def test_budget_is_exceeded_by_one_instruction_or_byte(bundle_copy, m4, over):
    """A budget is met exactly, and exceeded by one more instruction or byte."""
    limits = {key: count - (key == over) for key, count in used(m4).items()}
    path = bundle_copy / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"budget": {"cortex-m4": limits}}))
    budget = ok("bench", bundle_copy, "--json", code=int(over is not None))["budget"]
    assert budget == {
        key: {"limit": limits[key], "used": count, "ok": key != over}
        for key, count in used(m4).items()
    }


def test_unknown_board_is_rejected():
    assert groupcomm("bench", "enhance", "--board", "cortex-m0").returncode == 2


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (
            {"cortex-m4": {"cycles": 1}},
            "the figure 'cycles', which is not known; use instructions, flash_bytes, ram_bytes",
        ),
        (
            {"cortex_m4": {"instructions": 1}},
            "the board 'cortex_m4', which is not known; "
            "use cortex-m4, cortex-m7, cortex-m33, cortex-m55",
        ),
        ({"cortex-m4": {"instructions": "few"}}, "budget instructions 'few' is not a whole number"),
        ({"cortex-m4": 840000}, "is not a table of limits by board"),
        ([840000], "is not a table of limits by board"),
    ],
)
def test_malformed_budget_is_rejected(bundle_copy, budget, words):
    path = bundle_copy / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"budget": budget}))
    with pytest.raises(UserError, match=words):
        bench.bench(bundle.load(str(bundle_copy)), "cortex-m4")


BUDGETS = [
    (name, board)
    for name in bundle.names()
    for board in bundle.load(name).description.get("budget", {})
]


@pytest.mark.parametrize(("name", "board"), BUDGETS)
def test_committed_bundles_meet_their_budgets(name, board, m4):
    found = (
        m4 if (name, board) == ("enhance", "cortex-m4") else bench.bench(bundle.load(name), board)
    )
    assert list(found["budget"]) == list(boards.BUDGET)
    assert all(b["ok"] for b in found["budget"].values()), found["budget"]


def test_the_committed_bundle_has_a_budget_on_every_board():
    assert {("enhance", board) for board in boards.CORES} <= set(BUDGETS)
