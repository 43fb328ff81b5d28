"""`models list | fetch | verify | remove | import`, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend import __main__ as program
from tests.backend.models.hub_server import serving

SOURCE = "depth-anything/Depth-Anything-V2-Small-hf"
FILES = {SOURCE: {"config.json": b"{}", "preprocessor_config.json": b"{}", "model.safetensors": b"weights" * 1000}}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path))
    for name in ("HF_TOKEN", "HF_ENDPOINT", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def said(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = program.main(["models", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_model_is_listed_shown_with_its_licence_fetched_compared_and_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, _ = said(capsys, "list")
    assert code == 0 and "embedded" in text and "about 2.13 GB, licence creativeml-openrail-m" in text
    with serving(FILES) as hub:
        code, _, error = said(capsys, "fetch", "depth", "--endpoint", hub.url)
        assert code == 2 and "7 kB, licence test-licence" in error and "--yes" in error
        assert hub.gets == []  # nothing before that was seen
        code, text, error = said(capsys, "fetch", "depth", "--endpoint", hub.url, "--yes")
    assert code == 0 and "Depth Anything V2 Small is installed: 7 kB" in text
    code, text, _ = said(capsys, "verify")
    assert code == 0 and "depth: every file is as it was installed" in text
    weights = tmp_path / "companions" / "depth" / "model.safetensors"
    weights.write_bytes(b"other!!" * 1000)
    code, _, error = said(capsys, "verify", "depth")
    assert code == 3 and "depth: model.safetensors has changed since" in error
    code, text, _ = said(capsys, "remove", "depth")
    assert (code, text) == (0, "depth is removed: 7 kB\n") and not weights.exists()


def test_programs_read_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(FILES) as hub:
        _, out, _ = said(capsys, "fetch", "depth", "--endpoint", hub.url, "--yes", "--json")
    lines: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert [sorted(line) for line in lines[:-1]] == [["share", "text"]] * (len(lines) - 1)
    assert lines[-2]["share"] == 1 and lines[-1]["done"].startswith("Depth Anything V2 Small is installed")
    _, out, _ = said(capsys, "list", "--json")
    answer = json.loads(out)["done"]
    assert [each["name"] for each in answer["installed"]] == ["depth"]
    assert "depth" not in [each["name"] for each in answer["available"]]
    code, out, _ = said(capsys, "fetch", "sd9", "--json")
    assert code == 2 and json.loads(out)["exit_code"] == 2 and "no model 'sd9'" in json.loads(out)["error"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("remove", "depth"), 2, "No model 'depth' is in"),
        (("verify", "depth"), 2, "No model 'depth' is in"),
        (("import", "nowhere.safetensors"), 2, "There is nothing at"),
        (("fetch", "depth", "--endpoint", "http://127.0.0.1:9", "--yes"), 3, "could not be reached"),
        (("fetch", "sd2", "--yes"), 2, "its public copy was withdrawn"),
        (("fetch", "depth", "--from", "no-owner", "--yes"), 2, "'no-owner' is no source"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    words: tuple[str, ...], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, out, error = said(capsys, *words)
    assert (ended, out) == (code, "") and error.startswith("error: ") and sentence in error and error.count("\n") == 1


def test_interrupting_is_no_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("backend.models.fetching.fetch", interrupt)
    with serving(FILES) as hub:
        code, _, error = said(capsys, "fetch", "depth", "--endpoint", hub.url, "--yes")
    assert code == 4 and "The same command goes on" in error
