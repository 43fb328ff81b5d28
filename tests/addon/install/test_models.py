"""What the backend says of its models comes back as progress and a diagnosis, whatever else is printed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from addon import __main__ as program
from addon.install import models
from addon.install.diagnosis import FIXES, KINDS
from tests.addon.install.doctor_answers import backend

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pretended backend is a shell script")


def asked(folder: Path, script: str) -> tuple[Any, list[dict[str, object]]]:
    heard: list[dict[str, object]] = []
    return models.ask(backend(folder, script), ["fetch", "sd15", "--yes"], heard.append), heard


def test_progress_is_passed_on_and_the_end_returned(tmp_path: Path) -> None:
    lines = [{"share": 0.5, "text": "half"}, {"done": "Stable Diffusion 1.5 is installed"}]
    script = "echo 'a library prints'; " + "; ".join(f"echo '{json.dumps(line)}'" for line in lines)
    found, heard = asked(tmp_path, f'{script}; test "$3 $4 $5 $6 $7" = "models fetch sd15 --yes --json" || exit 9')
    assert heard == [lines[0]]
    assert found.is_usable and found.sentence == "Stable Diffusion 1.5 is installed."


def test_a_refusal_is_a_sentence_with_what_to_do(tmp_path: Path) -> None:
    said = json.dumps({"error": "The hub answers 401.", "hint": "Put a token.", "exit_code": 3})
    found, _ = asked(tmp_path, f"echo '{said}'; exit 3")
    assert (found.kind, found.sentence, found.hint) == (models.KIND, "The hub answers 401.", "Put a token.")
    assert not found.is_usable and all(name in FIXES for name in KINDS[models.KIND])


def test_a_backend_that_breaks_is_told(tmp_path: Path) -> None:
    found, _ = asked(tmp_path, "echo 'No module named backend' >&2; exit 1")
    assert found.kind == "protocol"
    assert models.ask(tmp_path / "none", ["list"], lambda said: None).kind == "broken"


def test_the_helper_says_it_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = backend(tmp_path, """echo '{"share": 1, "text": "all"}'; echo '{"done": "gone"}'""")
    assert program.main(["models", str(python), "--", "remove", "sd15"]) == 0
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"share": 1, "text": "all"} and last["sentence"] == "gone."
