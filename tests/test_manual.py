"""The manual's pictures are there, and each yes beside the other add-ons is backed by tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def missing_pictures(page: str, folder: Path) -> list[str]:
    return [path for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page) if not (folder / path).is_file()]


def unbacked(page: str, tests: set[str]) -> list[str]:
    """Name what a page of peers claims without a test: notes without one, tests that are not there."""
    notes = dict(re.findall(r"^(\d+)\. (.*)$", page, re.MULTILINE))
    claims = re.findall(r"\| y(?: \[(\d+)\])? \|$", page, re.MULTILINE)
    named = {number: re.findall(r"`(test_\w+)`", text) for number, text in notes.items()}
    problems = [f"[{number}]" for number in claims if not named.get(number)]
    return problems + [name for names in named.values() for name in names if name not in tests]


def all_tests() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)}


def test_the_manuals_pictures_are_there() -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        assert missing_pictures(page.read_text(encoding="utf-8"), page.parent) == [], page.name
    assert missing_pictures("![a](images/none.png)", ROOT / "docs") == ["images/none.png"]


def test_each_yes_beside_the_peers_has_a_test() -> None:
    page = (ROOT / "docs/peers.md").read_text(encoding="utf-8")
    assert page.count("| y [") > 20 and unbacked(page, all_tests()) == []


def unshown(page: str, tests: set[str]) -> list[str]:
    """Name the promises of the page on strangers without a test, and tests that are not there."""
    promises = page.partition("## What it can do")[0]
    lines = [line for line in promises.splitlines() if line.startswith("- ")]
    named = re.findall(r"`(test_\w+)`", page)
    return [line for line in lines if "`test_" not in line] + [name for name in named if name not in tests]


def test_each_promise_about_strangers_has_a_test() -> None:
    page = (ROOT / "docs/strangers.md").read_text(encoding="utf-8")
    assert page.count("`test_") > 30 and unshown(page, all_tests()) == []
    assert unshown("- It cannot.\n- Nor (`test_a`).\n", set()) == ["- It cannot.", "test_a"]


def strange_cells(page: str) -> list[str]:
    """Name the cells of the table that say something else than the legend explains, and rows with too few of them."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    table = [row for row in rows if len(row) > 2][1:]  # without its head, and without the table of names
    known = re.compile(r"[yp](?: \[\d+\])?|–|\?|n/a")
    strange = [f"{row[0]}: {cell}" for row in table for cell in row[1:] if not known.fullmatch(cell)]
    return strange + [f"{row[0]}: {len(row)} cells" for row in table if len(row) != 11]


def test_the_table_of_peers_says_what_its_legend_explains() -> None:
    assert strange_cells((ROOT / "docs/peers.md").read_text(encoding="utf-8")) == []
    head = "| | " + " | ".join("ABCDEFGHIJ") + " |\n"
    assert strange_cells(head + "| bar | yes |" + " – |" * 9) == ["bar: yes"]
    assert strange_cells(head + "| bar | y |" + " – |" * 8) == ["bar: 10 cells"]


def test_a_yes_without_a_test_is_noticed() -> None:
    page = "| cancel | – | y [1] |\n| bar | – | y |\n\n1. `test_gone`\n"
    assert unbacked(page, {"test_here"}) == ["[]", "test_gone"]
    assert unbacked(page.replace("| y |", "| – |"), {"test_gone"}) == []
