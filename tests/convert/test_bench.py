"""The bench counts the same twice, adds up, and fails over a budget."""

import json

import pytest

from convert import bench, bundle
from groupcomm.errors import UserError
from tests.convert.test_commands import groupcomm, ok


@pytest.fixture(scope="module")
def m4():
    return bench.bench(bundle.load("enhance"), "cortex-m4")


def test_two_runs_count_the_same(m4):
    assert bench.bench(bundle.load("enhance"), "cortex-m4") == m4


def test_the_fast_kernels_are_the_faster_ones(m4):
    portable = bench.bench(bundle.load("enhance"), "cortex-m4", portable=True)
    assert portable["instructions"]["network"]["worst"] > 2.5 * m4["instructions"]["network"]["worst"]


def test_the_figures_add_up(m4):
    i = m4["instructions"]
    assert i["network"]["mean"] + i["signal"]["mean"] == i["hop"]["mean"] <= i["hop"]["worst"]
    assert i["network_per_mac"] == i["network"]["mean"] / m4["macs"]
    assert sum(m4["functions"].values()) == pytest.approx(i["hop"]["mean"])
    kernels = sum(count for name, count in m4["functions"].items() if name.startswith("gc_"))
    assert 0.9 * i["network"]["mean"] < kernels < i["network"]["mean"]
    assert m4["ram_bytes"]["total"] == sum(v for k, v in m4["ram_bytes"].items() if k != "total")
    assert m4["flash_bytes"]["constants"] == 67657
    load = m4["estimates"]["nRF52840"]["load"]
    assert load == pytest.approx(i["hop"]["worst"] * 1.5 / 64e6 / 0.008)


def test_a_budget_is_kept_or_the_answer_is_no(bundle_copy, m4):
    def with_budget(**limits):
        path = bundle_copy / "bundle.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"budget": {"cortex-m4": limits}}))

    worst = m4["instructions"]["hop"]["worst"]
    with_budget(instructions=worst, ram_bytes=32768)
    assert all(b["ok"] for b in ok("bench", bundle_copy, "--json")["budget"].values())
    with_budget(instructions=worst - 1, ram_bytes=32768)
    over = ok("bench", bundle_copy, "--json", code=1)["budget"]
    assert over["instructions"] == {"limit": worst - 1, "used": worst, "ok": False} and over["ram_bytes"]["ok"]
    with_budget(cycles=1)
    with pytest.raises(UserError, match="budget cycles is not known; use instructions, flash_bytes, ram_bytes"):
        bench.bench(bundle.load(str(bundle_copy)), "cortex-m4")
    assert groupcomm("bench", bundle_copy, "--board", "cortex-m0").returncode == 2
