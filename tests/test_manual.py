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


def test_a_yes_without_a_test_is_noticed() -> None:
    page = "| cancel | – | y [1] |\n| bar | – | y |\n\n1. `test_gone`\n"
    assert unbacked(page, {"test_here"}) == ["[]", "test_gone"]
    assert unbacked(page.replace("| y |", "| – |"), {"test_gone"}) == []
