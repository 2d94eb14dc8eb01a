"""The generated tables: each mark names a table, and a page changes only between its marks."""

import functools
import importlib.util
import inspect
import json
import re

import pytest

from convert import boards
from convert.verify import inspection
from groupcomm.files import REPO

SPEC = importlib.util.spec_from_file_location("figures", REPO / "docs" / "figures.py")
figures = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(figures)

inspected_once = functools.cache(inspection.inspect)
MARKED = [
    (page, found[2]) for page in figures.PAGES for found in figures.MARK.finditer(page.read_text())
]


def test_every_mark_has_an_end():
    assert len(MARKED) >= 15
    for page in figures.PAGES:
        text = page.read_text()
        of_page = sum(where == page for where, _ in MARKED)
        assert text.count("<!-- figures: ") == of_page, page
        assert len(re.findall(r"<!-- figures(\(\S+\))?: ", text)) == text.count("<!-- end"), page


@pytest.mark.parametrize("mark", sorted({mark for _, mark in MARKED}))
def test_every_mark_names_a_table_and_existing_bundles(mark):
    name, *arguments = mark.split()
    inspect.signature(getattr(figures, name)).bind(*arguments)
    assert all(
        (REPO / "convert" / "bundles" / argument / "bundle.json").is_file()
        for argument in arguments
    )


def test_every_table_was_measured_with_the_bundles_that_are_here():
    for page in figures.PAGES:
        for found in figures.MARK.finditer(page.read_text()):
            assert found[3] == figures.checksum(found[2].split()[1:]), (page, found[2])


def test_every_chart_was_drawn_of_the_bundles_that_are_here_and_is_shown():
    files = {file.stem: file for file in (REPO / "docs" / "pictures").glob("*.svg")}
    assert set(files) == set(figures.CHARTS)
    shown = "".join(page.read_text() for page in figures.PAGES)
    for name, bundles in figures.CHARTS.items():
        text = files[name].read_text()
        assert text.endswith(f"</svg>\n<!-- end {figures.checksum(list(bundles))} -->\n"), name
        assert len(text) < 60_000 and f"pictures/{name}.svg)" in shown


def test_an_edit_during_a_measurement_is_kept(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- figures: slow -->\n| old |\n<!-- end -->\nafter\n")

    def measure():
        page.write_text(page.read_text().replace("before", "edited"))
        return "| new |\n"

    monkeypatch.setattr(figures, "slow", measure, raising=False)
    monkeypatch.setattr(figures, "REPO", tmp_path)
    monkeypatch.setattr(figures, "PAGES", [page])
    for said in ("page.md: slow\n", ""):  # the second time, the table is the same
        figures.main(["slow"])
        assert capsys.readouterr().out == said
    end = figures.checksum([])
    assert page.read_text() == (
        f"edited\n\n<!-- figures: slow -->\n| new |\n<!-- end {end} -->\nafter\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "table"), [("README.md", "networks"), ("docs/results.md", "cost")]
)
def test_table_sizes_match_the_bundles(page, table):
    found = next(
        m for m in figures.MARK.finditer((REPO / page).read_text()) if m[2].startswith(table)
    )
    names = found[2].split()[1:]
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in found[0].splitlines()
        if line.startswith("| `")
    ]
    assert [row[0] for row in rows] == names
    for row in rows:
        inspected = inspected_once(row[0])
        for figure in (f"{inspected['parameters']:,}", figures._macs(inspected["macs"], row[0])):
            assert figure in row, (figure, row)
        assert {
            f"{inspected['model_bytes']:,} bytes",
            f"{inspected['model_bytes'] / 1000:.0f} KB",
        } & set(row), row


def test_main_writes_only_between_the_marks(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- figures: cost one -->\nold\n<!-- end -->\nbetween\n"
        "<!-- figures: parity one -->\nkept\n<!-- end -->\nafter\n"
    )
    results = {
        "cost": {
            "params": 1000,
            "macs_per_hop": 20000,
            "macs_per_second": 2500000,
            "state_bytes": 30,
        },
        "inspect": {"model_bytes": 1500, "arena_bytes": 4000},
    }
    bundle = tmp_path / "convert" / "bundles" / "one" / "bundle.json"
    bundle.parent.mkdir(parents=True)
    bundle.write_text(json.dumps({"signal": {"hop": 128, "sample_rate": 16000}}))
    for name, value in {
        "PAGES": [page],
        "REPO": tmp_path,
        "ask": lambda *command: results[command[0]],
    }.items():
        monkeypatch.setattr(figures, name, value)
    figures.main(["cost"])
    first, kept = page.read_text().split("between")
    assert (
        first.startswith("before\n<!-- figures: cost one -->\n| ")
        and first.endswith(f" |\n<!-- end {figures.checksum(['one'])} -->\n")
        and "old" not in first
    )
    assert (
        "| `one` | 1,000 | 20,000 | 2,500,000 | 30 bytes | 1,500 bytes | 1.50 | 4,000 bytes |"
        in first
    )
    assert kept == "\n<!-- figures: parity one -->\nkept\n<!-- end -->\nafter\n"


def test_results_are_cached_until_the_bundle_changes(tmp_path, monkeypatch):
    commands = []

    class Done:
        returncode, stdout = 0, '{"ok": true}'

    def run(command, **_):
        commands.append(command[1:])
        return Done

    bundle = tmp_path / "convert" / "bundles" / "one" / "bundle.json"
    bundle.parent.mkdir(parents=True)
    bundle.write_text('{"model": 1, "budget": 1}')
    for name, value in {"REPO": tmp_path, "KEPT": tmp_path / "kept"}.items():
        monkeypatch.setattr(figures, name, value)
    monkeypatch.setattr(figures.subprocess, "run", run)
    assert figures.ask("inspect", "one") == figures.ask("inspect", "one") == {"ok": True}
    assert commands == [["inspect", "one", "--json"]]
    bundle.write_text('{"model": 1, "budget": 2}')  # the budget does not affect measurements
    figures.ask("inspect", "one")
    assert len(commands) == 1
    bundle.write_text('{"model": 2, "budget": 1}')
    figures.ask("inspect", "one")
    assert len(commands) == 2


def cells(name):
    """Return the cells of a table by its first column."""
    page = next(page for page, mark in MARKED if mark.split()[0] == name)
    found = next(m for m in figures.MARK.finditer(page.read_text()) if m[2].split()[0] == name)
    return {
        line.split("|")[1].strip(" `"): [c.strip() for c in line.split("|")[2:-1]]
        for line in found[0].splitlines()
        if line[:3] == "| `"
    }


def test_the_table_of_boards_has_every_board_with_its_memories():
    known = {name: board for name, board in boards.boards().items() if board.source}
    table = cells("boards")
    assert set(table) == set(known)
    for name, board in known.items():
        usable = (board.flash_bytes - board.reserved_flash_bytes, board.ram_bytes)
        assert table[name][1:3] == [f"{memory / 1000:,.0f} KB" for memory in usable]


def test_load_columns_of_the_readme_match_the_loads_table():
    for network, row in cells("networks").items():
        estimated = cells("loads")[network]
        assert row[6:8] == [estimated[0].split(" (")[0], estimated[2].split(" (")[0]]
