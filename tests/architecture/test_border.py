"""One place touches the files of a job folder: the repository obeys, and the rule fails on a made-up offender."""

from __future__ import annotations

import pytest

from tests.architecture import border

RULES = [border.one_place_for_files_of_a_job, border.nothing_is_downloaded]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_obeys(rule, repository):
    assert {"addon/protocol/inside.py", "backend/runtime/job.py"} <= repository.keys()
    assert rule(repository) == []


OFFENDERS = [
    ("addon/jobs/a.py", "def f(job):\n    with (job / 'events.jsonl').open('ab') as file: ...", ".open"),
    ("addon/ui/a.py", "import os\nos.replace(a, b)", "calls os.replace"),
    ("addon/scene/a.py", "def f(p):\n    p.replace(q)", "calls p.replace"),
    ("addon/protocol/a.py", "def f(p):\n    return open(p)", ":2 calls open"),
    ("addon/api.py", "(job / 'a').write_text('x')", ".write_text"),
    ("addon/cli/a.py", "class A:\n    def f(self):\n        self.path.mkdir()", "self.path.mkdir"),
    ("backend/runtime/a.py", "f = lambda p: p.unlink(missing_ok=True)", "p.unlink"),
    ("backend/systems/a/__init__.py", "def run(job):\n    (job.folder / 'result').mkdir()", ".mkdir"),
    ("backend/systems/results.py", "import shutil\nshutil.rmtree(p)", "shutil.rmtree"),
    ("backend/cli/a.py", "[p for p in folder.rglob('*')]", "folder.rglob"),
    ("backend/__main__.py", "def other(p):\n    p.read_bytes()", "p.read_bytes"),
]


@pytest.mark.parametrize(("path", "text", "message"), OFFENDERS)
def test_the_rule_names_the_offender(path, text, message, monkeypatch):
    monkeypatch.setattr(border, "BY_THEMSELVES", {})
    (problem,) = border.one_place_for_files_of_a_job({path: text})
    assert problem.startswith(f"{path}:") and message in problem


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("addon/protocol/inside.py", "import os\nos.unlink(a)"),
        ("addon/install/a.py", "p.write_text('x')"),  # the environment's own folder
        ("backend/export.py", "open(path, 'wb')"),  # is given a path
        ("backend/embedded/train.py", "p.mkdir()"),
        (
            "addon/jobs/a.py",
            "text.replace('a', 'b')\nreplace(request, threads=0)\nprotocol.open_file(f, n)",
        ),
        ("addon/scene/a.py", "objects.unlink(mesh)"),
    ],
)
def test_the_rule_leaves_the_innocent_alone(path, text):
    assert border.one_place_for_files_of_a_job({path: text}) == []


def test_an_exception_that_is_not_needed_is_named(monkeypatch):
    monkeypatch.setattr(border, "BY_THEMSELVES", {("addon/jobs/a.py", "f"): "", ("addon/jobs/gone.py", "*"): ""})
    needed, needless = {"addon/jobs/a.py": "def f():\n    p.mkdir()"}, {"addon/jobs/a.py": "def f(): ..."}
    assert border.one_place_for_files_of_a_job(needed) == []
    (problem,) = border.one_place_for_files_of_a_job(needless)
    assert "addon/jobs/a.py, f needs no place" in problem


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("backend/weights.py", "network.from_pretrained(folder)", "calls network.from_pretrained without"),
        ("backend/vision/a.py", "A.from_pretrained(folder, local_files_only=False)", "without local_files_only=True"),
        ("backend/diffusion/a.py", "def f():\n    from huggingface_hub import snapshot_download", "opens connections"),
        ("addon/jobs/a.py", "import urllib.request", "opens connections"),
    ],
)
def test_what_would_open_a_connection_is_named(path, text, message):
    (problem,) = border.nothing_is_downloaded({path: text})
    assert problem.startswith(f"{path}:") and message in problem


def test_what_is_loaded_from_this_machine_is_left_alone():
    files = {
        "backend/weights.py": "network.from_pretrained(folder, local_files_only=True)\nimport urllib.parse",
        "backend/embedded/train.py": "A.from_pretrained(folder)",
        "addon/install/environment.py": "import urllib.request",
    }
    assert border.nothing_is_downloaded(files) == []
