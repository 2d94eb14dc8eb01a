"""The documents: links resolve, lines are short, and every page can be reached.

Every command that they name exists.
"""

import re
from pathlib import Path

import pytest
import typer

from groupcomm.cli import app
from groupcomm.files import REPO

PAGES = sorted(
    page
    for folder in ("", "docs", "micro", "calibration_data")
    for page in (REPO / folder).glob("**/*.md" if folder else "*.md")
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?<![\w/.-])groupcomm\s+([a-z][a-z-]*)")
IN_HISTORY = {"CHANGELOG.md"}  # names commands of earlier releases
LONGEST = 120


def ids(page: Path) -> str:
    return str(page.relative_to(REPO))


def is_code(line: str) -> bool:
    """Whether a line is indented code, and not the continuation of a list item."""
    return line.startswith("    ") and not re.match(r" +([-*]|[0-9]+\.) ", line)


def without_code(text: str) -> str:
    return "\n".join(line for line in FENCE.sub("", text).splitlines() if not is_code(line))


def anchors(page: Path) -> set[str]:
    """Anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ +(.*)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets(page: Path) -> list[tuple[Path, str]]:
    """Relative links of a page: file and anchor."""
    links = [
        link
        for link in LINK.findall(without_code(page.read_text()))
        if not re.match(r"[a-z]+:", link)
    ]
    return [
        (
            (page.parent / link.partition("#")[0]).resolve() if link[0] != "#" else page,
            link.partition("#")[2],
        )
        for link in links
    ]


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_every_relative_link_resolves(page):
    broken = [f"{file.relative_to(REPO)}#{anchor}" for file, anchor in targets(page)
              if not file.exists() or (anchor and anchor not in anchors(file))]  # fmt: skip
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_no_prose_line_is_too_long(page):
    lines = FENCE.sub(lambda fence: "\n" * fence[0].count("\n"), page.read_text()).splitlines()
    prose = {
        number: line
        for number, line in enumerate(lines, 1)
        if not line.lstrip().startswith("|") and not is_code(line)
    }
    assert not {number: line for number, line in prose.items() if len(line) > LONGEST}


def test_every_page_is_reachable_from_the_readme_or_the_index():
    reached, new = set(), {REPO / "README.md", REPO / "docs" / "index.md"}
    while new:
        page = new.pop()
        reached.add(page)
        new |= {
            file for file, _ in targets(page) if file.suffix == ".md" and file.exists()
        } - reached
    assert set(PAGES) <= reached


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in IN_HISTORY], ids=ids)
def test_every_command_that_is_named_exists(page):
    group = typer.main.get_command(app)
    known = set(group.list_commands(typer.Context(group)))
    text = page.read_text()
    code = [
        *FENCE.findall(text),
        *re.findall(r"^    .*$", text, re.MULTILINE),
        *re.findall(r"`([^`]+)`", FENCE.sub("", text)),
    ]
    named = {name for piece in code for name in COMMAND.findall(re.sub(r"#.*", "", piece))}
    assert named <= known, sorted(named - known)
