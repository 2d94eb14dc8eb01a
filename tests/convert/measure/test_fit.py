"""Boards, and whether a bundle fits one."""

import json
import math
from pathlib import Path

import pytest

from convert import boards, bundle
from convert.measure import bench, fit
from convert.run import cycle_model
from groupcomm.errors import UserError
from tests.helpers.cli import groupcomm, refused


@pytest.fixture
def counted(monkeypatch):
    """Return stub results of the benchmark, which a test may change.

    On an nRF52840 at 1.5 cycles per instruction, 341,333 instructions take exactly 8 ms.
    """
    found = {
        "instructions": {"hop": {"worst": 341_333}},
        "cycles": {"hop": {"worst": 400_000}},
        "flash": {"reads": 10_000, "misses": [{"cache": 8_192, "line": 16, "lines": 5_000}]},
        "flash_bytes": {"weights": 900_000, "rest": 83_040},
        "ram_bytes": {"stack": 1_000, "total": 262_144},
    }
    monkeypatch.setattr(bench, "bench", lambda bundle, core: found)
    return found


def test_every_board_has_an_emulated_core():
    known = boards.boards()
    assert {"nano33ble", "nrf52840dk", "nrf5340dk", "nrf5340_audio_dk", *boards.CORES} <= set(known)
    for name, board in known.items():
        assert board.core in boards.CORES
        assert 0 <= board.reserved_flash_bytes < board.flash_bytes
        assert bool(board.source) == (name not in boards.CORES)  # a template has no source


def test_exact_limits_fit(counted):
    found = fit.fit(bundle.load("enhance-nano"), "nano33ble", cycles_per_instruction=1.5)
    assert found["ok"] and all(check["ok"] for check in found["checks"].values())
    assert found["checks"]["cycles"] == {"used": 512_000, "limit": 512_000, "ok": True}
    assert found["load"] == {"least": 1, "most": 1} and found["cycles_per_instruction"] == 1.5
    assert found["latency_ms"] == 16 and found["stack_bytes"] == 1_000


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("flash_bytes", {"flash_bytes": {"weights": 900_000, "rest": 83_041}}),
        ("ram_bytes", {"ram_bytes": {"stack": 1_000, "total": 262_145}}),
        ("cycles", {"instructions": {"hop": {"worst": 341_334}}}),
    ],
)
def test_one_unit_above_a_limit_does_not_fit(counted, key, change):
    counted |= change
    found = fit.fit(bundle.load("enhance-nano"), "nano33ble", cycles_per_instruction=1.5)
    assert not found["ok"]
    assert [name for name, check in found["checks"].items() if not check["ok"]] == [key]


def test_a_board_adds_its_flash_and_the_error_of_the_model(counted):
    """One access to data of the nRF52840 waits 2 cycles, one line of the nRF5340's cache 10."""
    for name, waits in (("nano33ble", 20_000), ("nrf5340dk", 50_000), ("teensy41", 0)):
        found = fit.fit(bundle.load("enhance-nano"), name)
        most = (400_000 + waits) * (1 + cycle_model.ERROR)
        assert found["cycles_per_instruction"] is None
        assert found["cycles"]["least"] == 400_000
        assert found["cycles"]["most"] == found["checks"]["cycles"]["used"]
        assert found["checks"]["cycles"]["used"] == pytest.approx(most, abs=1)
        assert found["load"]["least"] < found["load"]["most"]


def test_a_load_whose_upper_end_is_above_one_does_not_fit(counted):
    counted |= {"cycles": {"hop": {"worst": 500_000}}}
    found = fit.fit(bundle.load("enhance-nano"), "nano33ble")
    assert found["load"]["least"] < 1 < found["load"]["most"] and not found["ok"]


def test_all_boards_are_judged_by_the_counts_of_their_cores(monkeypatch):
    instructions = dict(zip(boards.CORES, (400_000, 390_000, 401_000, 100_000), strict=True))
    monkeypatch.setattr(
        bench,
        "bench",
        lambda bundle, core: {
            "instructions": {"hop": {"worst": instructions[core]}},
            "cycles": {"hop": {"worst": 2 * instructions[core]}},
            "flash": {"reads": 0, "misses": []},
            "flash_bytes": {"all": 60_000},
            "ram_bytes": {"stack": 1_000, "total": 10_000},
        },
    )
    found = {one["board"]: one for one in fit.fit_all(bundle.load("enhance-nano"))}
    known = boards.boards()
    assert set(found) == set(known) - set(boards.CORES) and len(found) >= 15
    assert {known[name].core for name in found} == set(boards.CORES)
    for name, one in found.items():
        assert one["instructions"] == instructions[known[name].core]
        assert one["load"]["least"] == pytest.approx(
            2 * one["instructions"] / known[name].clock_hz / 8e-3, abs=1e-5
        )
    assert not found["nano33ble"]["ok"] and found["teensy41"]["ok"]


def test_unknown_board_is_reported():
    with pytest.raises(UserError, match="board 'nano' is not known; did you mean nano33ble"):
        fit.fit(bundle.load("enhance-nano"), "nano")


def test_custom_chip(counted):
    chip = boards.custom("cortex-m33", 64, 1024, 256)
    assert (chip.clock_hz, chip.flash_bytes, chip.ram_bytes) == (64_000_000, 1_048_576, 262_144)
    found = fit.fit(bundle.load("enhance-nano"), chip)
    assert found["ok"] and (found["board"], found["core"]) == ("custom", "cortex-m33")
    slow = boards.custom("cortex-m33", 58.9, 1024, 256)  # 472,000 cycles take 59 MHz
    assert not fit.fit(bundle.load("enhance-nano"), slow)["ok"]


def test_a_model_is_judged_by_the_time_between_its_invocations(monkeypatch):
    counts = {
        "instructions": {"worst": 100_000},
        "cycles": {"worst": 120_000},
        "flash": {"reads": 0, "misses": [{"cache": 8_192, "line": 16, "lines": 1_000}]},
        "flash_bytes": {"all": 60_000},
        "ram_bytes": {"stack": 1_000, "total": 10_000},
    }
    monkeypatch.setattr(fit.model_bench, "bench", lambda path, core: counts)
    board = boards.find("nrf5340dk")  # 128 MHz
    most = math.ceil((120_000 + 1_000 * board.wait_cycles) * (1 + cycle_model.ERROR))
    found = fit.fit(fit.Model(Path("m.tflite"), 10.0), "nrf5340dk")
    assert (found["network"], found["run"], found["latency_ms"]) == ("m.tflite", "invocation", None)
    assert found["checks"]["cycles"] == {"used": most, "limit": 1_280_000, "ok": True}
    assert found["load"]["least"] == 120_000 / 1_280_000
    assert not fit.fit(fit.Model(Path("m.tflite"), 1.0), "nrf5340dk")["ok"]
    for arguments, says in (
        (("m.tflite",), "m.tflite: give --period MS"),
        (("enhance-nano", "--period", "8"), "--period is for a .tflite"),
    ):
        refused(groupcomm("fit", *arguments, "--board", "nrf5340dk"), says)


@pytest.mark.bazel
@pytest.mark.board
@pytest.mark.parametrize(
    ("name", "board", "fits"),
    [("enhance-nano", "nrf5340dk", True), ("enhance", "nano33ble", False)],
)
def test_command_reports_whether_the_bundle_fits(name, board, fits):
    """The figures are within the budget of the bundle."""
    said = groupcomm("fit", name, "--board", board, "--json")
    found = json.loads(said.stdout)
    assert said.returncode == int(not fits) and found["ok"] == fits
    assert found["source"] == boards.find(board).source
    budget = bundle.load(name).description["budget"][found["core"]]
    used = {key: found["checks"][key]["used"] for key in ("flash_bytes", "ram_bytes")} | {
        "instructions": found["instructions"]
    }
    for key, most in budget.items():
        assert 0.9 * most < used[key] <= most


@pytest.mark.bazel
@pytest.mark.board
def test_load_above_one_is_reported_for_a_slow_core():
    slow = groupcomm("fit", "enhance-nano", "--board", "nano33ble", "--cycles-per-instruction", "3")
    assert slow.returncode == 1 and "cycles per hop too many" in slow.stdout
