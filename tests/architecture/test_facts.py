"""Facts that are written once or tested: the repository obeys, and each rule fails on a made-up file that breaks it."""

from __future__ import annotations

import pytest

from tests.architecture import facts

RULES = [
    facts.one_home_for_a_constant,
    facts.mirrored_by_tests,
    facts.maths_is_imported_by_tests,
    facts.stages_are_named_once,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_obeys(rule, repository):
    assert {"build.py", "addon/protocol/__init__.py", "backend/__main__.py", "backend/losses.py"} <= repository.keys()
    assert rule(repository) == []


def test_the_tables_of_the_systems_can_be_read(repository):
    assert facts.stages(repository)["tv3dg"] >= {"perceive", "imagine", "sides", "gaussians", "mesh"}


@pytest.fixture(autouse=True)
def no_exceptions(request, monkeypatch):
    """Offenders and innocents are judged without what this repository has been allowed."""
    if "files" in request.fixturenames:
        monkeypatch.setattr(facts, "UNMIRRORED", set())
        monkeypatch.setattr(facts, "COINCIDENCES", set())


TABLE = {"addon/protocol/systems/a.py": 'A = System(Stage("perceive", "Cutting"), Stage(name="mesh", label="M"))'}
OFFENDERS = [
    (
        facts.one_home_for_a_constant,
        {"addon/a.py": "INPUT_BYTES = 256 << 20", "backend/b.py": "INPUT_BYTES: int = 268_435_456"},
        "backend/b.py:1 says again what addon/a.py:1 says: INPUT_BYTES = 268435456",
    ),
    (
        facts.one_home_for_a_constant,
        {"backend/a/c.py": "_FILES = ('a', 2 * 3)", "backend/b.py": "FILES = ('a', 6)"},
        "FILES = ('a', 6)",
    ),
    (facts.mirrored_by_tests, {"addon/jobs/queue.py": "", "tests/addon/test_queue.py": ""}, "addon/jobs/test_queue.py"),
    (
        facts.mirrored_by_tests,
        {"backend/a/hull.py": "", "tests/backend/a/test_hulls.py": ""},
        "no tests/backend/a/test_hull.py",
    ),
    (
        facts.mirrored_by_tests,
        {"addon/ui/panels.py": "", "tests/addon/ui/test_panels.py": ""},
        "blender/ui/test_panels",
    ),
    (facts.mirrored_by_tests, {"backend/systems/a/__init__.py": "def run(): ..."}, "tests/backend/systems/a/test_a.py"),
    (
        facts.mirrored_by_tests,
        {"addon/jobs/queue.py": "", "addon/jobs/queue_files.py": "", "tests/addon/jobs/test_queue_files_old.py": ""},
        "addon/jobs/queue.py has no",
    ),
    (
        facts.maths_is_imported_by_tests,
        {
            "backend/losses.py": "def a(): ...\n\n\ndef b(): ...\n\n\ndef _c(): ...",
            "tests/test_x.py": "from backend.losses import a",
            "tests/toy.py": "from backend.losses import b",
        },
        "backend/losses.py:4 b is imported by no test",
    ),
    (
        facts.maths_is_imported_by_tests,
        {
            "backend/diffusion/scores.py": "def sds(): ...\ndef csd(): ...",
            "tests/test_x.py": "from backend.diffusion import scores\nscores.csd()",
        },
        "sds is imported by no test",
    ),
    (facts.stages_are_named_once, TABLE | {"addon/ui/a.py": 'X = {"perceive": 1}'}, "addon/ui/a.py:1 names the stage"),
    (facts.stages_are_named_once, TABLE | {"addon/jobs/a.py": 'x = event.stage == "mesh"'}, "names the stage 'mesh'"),
    (facts.stages_are_named_once, TABLE | {"backend/cli/a.py": 'f(stop_after="mesh")'}, "names the stage 'mesh'"),
    (
        facts.stages_are_named_once,
        TABLE | {"backend/systems/b/__init__.py": 'job.stage("mesh", f)'},
        "backend/systems/b/__init__.py:1",
    ),
]


@pytest.mark.parametrize(("rule", "files", "message"), OFFENDERS)
def test_a_rule_names_the_offender(rule, files, message):
    problems = rule(files)
    assert len(problems) == 1 and message in problems[0] and problems[0].startswith(tuple(files))


INNOCENTS = [
    (
        facts.one_home_for_a_constant,
        {
            "addon/a.py": "A = 1\nB = 1\nCLASSES = ()\nROOT = f()\nlower = 2",
            "backend/a.py": "A = 1.0\nB = True\nCLASSES = ()\nROOT = f()\nlower = 2",
            "benchmarks/a.py": "A = 1",
        },
    ),
    (facts.one_home_for_a_constant, {"backend/a.py": "def f():\n    A = 1", "backend/b.py": "A = 1"}),
    (
        facts.mirrored_by_tests,
        {
            "addon/jobs/queue.py": "",
            "tests/addon/jobs/test_queue_detached.py": "",
            "addon/scene/__init__.py": '"""Doc."""',
            "addon/scene/points.py": "",
            "tests/blender/scene/test_points.py": "",
            "addon/api.py": "",
            "tests/blender/test_api.py": "",
            "backend/systems/a/__init__.py": "def run(): ...",
            "tests/backend/systems/a/test_a_edits.py": "",
        },
    ),
    (
        facts.maths_is_imported_by_tests,
        {
            "backend/losses.py": "def a(): ...\ndef b(): ...",
            "tests/test_x.py": "from backend.losses import a",
            "tests/test_y.py": "def test():\n    import backend.losses\n    backend.losses.b()",
        },
    ),
    (
        facts.stages_are_named_once,
        TABLE
        | {
            "addon/ui/a.py": 'OUTPUTS = ("mesh", "points")\nx = "mesh" in outputs',
            "backend/systems/a/__init__.py": 'job.stage("perceive", f)',
            "backend/systems/results.py": 'job.stage("mesh", f)',
        },
    ),
    (facts.stages_are_named_once, {"addon/ui/a.py": 'X = {"perceive": 1}'}),
]


@pytest.mark.parametrize(("rule", "files"), INNOCENTS)
def test_a_rule_leaves_the_innocent_alone(rule, files):
    assert rule(files) == []


def test_an_exception_that_is_not_needed_is_named(monkeypatch):
    files = {"addon/a.py": "A = 1", "tests/addon/test_a.py": ""}
    monkeypatch.setattr(facts, "UNMIRRORED", {"addon/a.py", "addon/gone.py"})
    monkeypatch.setattr(facts, "COINCIDENCES", {"A"})
    assert len(facts.mirrored_by_tests(files)) == 2 and len(facts.one_home_for_a_constant(files)) == 1
    assert facts.mirrored_by_tests({"addon/a.py": "A = 1", "addon/gone.py": ""}) == []
