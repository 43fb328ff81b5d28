"""The source tree obeys its rules, and each rule fails on a made-up file that breaks it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import architecture as rules

ROOT = Path(__file__).resolve().parent.parent
TEXT_SUFFIXES = {".py", ".md", ".toml", ".lock", ".json", ".jsonl", ".txt", ".cfg", ".ini", ".csv", ""}
STANDARD_LIBRARY = frozenset(sys.stdlib_module_names)


def addon_is_light(files: rules.Files) -> list[str]:
    return rules.addon_is_light(files, STANDARD_LIBRARY)


RULES = [
    addon_is_light,
    rules.addon_layers,
    rules.backend_layers,
    rules.systems_are_apart,
    rules.libraries_in_their_places,
    rules.light_at_start,
    rules.product_reaches_no_judge,
    rules.no_pickle,
    rules.no_silent_except,
    rules.only_command_lines_print,
    rules.short_files_with_telling_names,
    rules.nothing_foreign_in_the_text,
]


@pytest.fixture(scope="module")
def repository() -> rules.Files:
    """Every text file that belongs to the repository: what git would commit, else what lies in its folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True) if shutil.which("git") else None
    if listing and listing.returncode == 0:
        paths = [ROOT / line for line in listing.stdout.splitlines()]
    else:  # unpacked from an archive
        folders = ("addon", "backend", "benchmarks", "docs", "tests", ".ci")
        paths = [path for folder in folders for path in (ROOT / folder).rglob("*")] + list(ROOT.glob("*.*"))
    return {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in paths
        if path.is_file() and path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_obeys(rule, repository):
    assert {"build.py", "addon/protocol.py", "backend/__main__.py"} <= repository.keys()
    assert rule(repository) == []


FUTURE = "from __future__ import annotations\n"
OFFENDERS = [
    (addon_is_light, {"addon/client.py": "import requests"}, "imports requests"),
    (addon_is_light, {"addon/jobs.py": "def f():\n    import bpy"}, "imports bpy"),
    (addon_is_light, {"addon/paths.py": "import bpy"}, "imports bpy"),
    (addon_is_light, {"addon/operators.py": "import numpy as np"}, "imports numpy"),
    (addon_is_light, {"addon/operators.py": "from backend import errors"}, "imports backend.errors"),
    (addon_is_light, {"addon/client.py": "import importlib\nimportlib.import_module('torch')"}, ":2 imports torch"),
    (rules.addon_layers, {"addon/protocol.py": "from . import client", "addon/client.py": ""}, "not below it"),
    (
        rules.addon_layers,
        {"addon/client.py": "from addon.operators import x", "addon/operators.py": ""},
        "not below it",
    ),
    (rules.addon_layers, {"addon/jobs.py": "from .client import x", "addon/client.py": ""}, "not below it"),
    (rules.addon_layers, {"addon/wizard.py": ""}, "has no place"),
    (rules.backend_layers, {"backend/cameras.py": "import bpy"}, "never does"),
    (rules.backend_layers, {"backend/losses.py": "from tests.backend import x"}, "never does"),
    (rules.backend_layers, {"backend/systems/a.py": "import benchmarks.quality"}, "never does"),
    (
        rules.backend_layers,
        {"backend/job.py": "from addon import client"},
        "only __main__, job, new_job, queue, systems do",
    ),
    (rules.backend_layers, {"backend/job.py": "import addon"}, "only __main__, job, new_job, queue, systems do"),
    (
        rules.backend_layers,
        {"backend/export.py": "from addon.protocol import Request"},
        "only __main__, job, new_job, queue, systems do",
    ),
    (rules.backend_layers, {"backend/systems/a.py": "from backend.embedded import shapes"}, "not below systems"),
    (rules.backend_layers, {"backend/diffusion/a.py": "from ..embedded import train"}, "not below diffusion"),
    (rules.backend_layers, {"backend/vision/a.py": "def f():\n    import backend.embedded.train"}, "not below vision"),
    (rules.backend_layers, {"backend/__main__.py": "from backend.embedded import train"}, "not below __main__"),
    (rules.backend_layers, {"backend/cameras.py": "from backend.rendering import splats"}, "not below cameras"),
    (
        rules.backend_layers,
        {"backend/representations/a.py": "from backend import rendering"},
        "not below representations",
    ),
    (rules.backend_layers, {"backend/export.py": "from backend.job import Job"}, "not below export"),
    (rules.backend_layers, {"backend/misplaced.py": ""}, "has no place"),
    (
        rules.systems_are_apart,
        {"backend/systems/a.py": "from backend.systems import b", "backend/systems/b.py": ""},
        "never import each other",
    ),
    (
        rules.libraries_in_their_places,
        {"backend/systems/a.py": "def f():\n    import diffusers"},
        "belongs into diffusion/",
    ),
    (rules.libraries_in_their_places, {"backend/losses.py": "from transformers import CLIPModel"}, "belongs into"),
    (
        rules.libraries_in_their_places,
        {"backend/rendering/volume_cpu.py": "import nerfacc"},
        "belongs into rendering/volume",
    ),
    (rules.libraries_in_their_places, {"backend/cameras.py": "import numba"}, "belongs into"),
    (rules.libraries_in_their_places, {"backend/rendering/splats.py": "import gsplat"}, "at its top"),
    (
        rules.light_at_start,
        {"addon/__init__.py": "from . import panels", "addon/panels.py": "import bpy"},
        "as soon as addon",
    ),
    (
        rules.light_at_start,
        {"backend/__main__.py": "from backend.job import Job", "backend/job.py": "import torch"},
        "backend/job.py:1 imports torch as soon as",
    ),
    (
        rules.light_at_start,
        {"backend/__main__.py": "import backend.a.b", "backend/a/__init__.py": "import numpy", "backend/a/b.py": ""},
        "backend/a/__init__.py:1 imports numpy",
    ),
    (
        rules.product_reaches_no_judge,
        {"backend/systems/a.py": "def f():\n    import benchmarks.judges.reader"},
        "comes to benchmarks.judges.reader through backend/systems/a.py:2",
    ),
    (
        rules.product_reaches_no_judge,
        {
            "backend/images.py": "from backend.embedded import tokenizer",
            "backend/embedded/tokenizer.py": "def f():\n    from backend.embedded.shapes import COLOURS",
            "backend/embedded/shapes.py": "",
        },
        "comes to backend.embedded.shapes.COLOURS through backend/embedded/tokenizer.py:2",
    ),
    (rules.no_pickle, {"backend/a.py": "import pickle"}, "imports pickle"),
    (rules.no_pickle, {"backend/a.py": "torch.load(path)"}, "calls torch.load"),
    (rules.no_pickle, {"benchmarks/a.py": "f(trust_remote_code=True)"}, "passes trust_remote_code"),
    (rules.no_silent_except, {"backend/a.py": "try:\n    f()\nexcept:\n    raise"}, "catches everything"),
    (rules.no_silent_except, {"tests/a.py": "try:\n    f()\nexcept OSError:\n    pass"}, "swallows OSError"),
    (rules.only_command_lines_print, {"backend/job.py": "print('done')"}, "prints"),
    (rules.only_command_lines_print, {"backend/embedded/shapes.py": "print('done')"}, "prints"),
    (rules.short_files_with_telling_names, {"backend/a.py": "\n" * 401}, "has 401 lines"),
    (rules.short_files_with_telling_names, {"backend/utils.py": ""}, "utils says nothing"),
    (rules.short_files_with_telling_names, {"backend/a.py": "import os"}, "lacks: from __future__"),
    (rules.nothing_foreign_in_the_text, {"README.md": "see https://pypi" + ".org/project/x"}, "registry's host"),
    (rules.nothing_foreign_in_the_text, {"docs/a.md": "cd /wor" + "k/main"}, "path of the machine"),
    (rules.nothing_foreign_in_the_text, {"backend/a.py": "# TO" + "DO later"}, "unfinished"),
]


@pytest.mark.parametrize(("rule", "files", "message"), OFFENDERS)
def test_a_rule_names_the_offender(rule, files, message):
    problems = rule(files)
    assert len(problems) == 1 and message in problems[0] and problems[0].startswith(tuple(files))


INNOCENTS = [
    (addon_is_light, {"addon/importer.py": "import numpy\nimport bpy\nfrom . import protocol"}),
    (addon_is_light, {"addon/paths.py": "def f():\n    import bpy"}),
    (
        rules.addon_layers,
        {
            "addon/panels.py": "from . import operators",
            "addon/operators.py": "from .jobs import x",
            "addon/jobs.py": "",
        },
    ),
    (rules.backend_layers, {"backend/job.py": "from addon import protocol\nfrom backend.errors import BackendError"}),
    (
        rules.backend_layers,
        {"backend/embedded/train.py": "from backend.embedded import shapes\nimport backend.cameras"},
    ),
    (rules.libraries_in_their_places, {"backend/rendering/splats.py": "def f():\n    import gsplat"}),
    (rules.light_at_start, {"backend/__main__.py": "def f():\n    import torch\nif TYPE_CHECKING:\n    import numpy"}),
    (rules.only_command_lines_print, {"backend/embedded/train.py": 'print()\nif __name__ == "__main__":\n    main()'}),
    (rules.only_command_lines_print, {"backend/embedded/training.py": "print()"}),
    (
        rules.product_reaches_no_judge,
        {
            "backend/embedded/train_denoiser.py": "from backend.embedded.shapes import COLOURS",
            "backend/embedded/shapes.py": "",
            "benchmarks/demo.py": "from backend.embedded.shapes import COLOURS",
        },
    ),
    (rules.no_pickle, {"backend/a.py": "f(trust_remote_code=False)"}),
    (
        rules.short_files_with_telling_names,
        {"backend/a.py": FUTURE + "x = 1\n" * 399, "backend/__init__.py": '"""Doc."""'},
    ),
    (rules.nothing_foreign_in_the_text, {"docs/a.md": "src/work/main and the framework/ folder"}),
]


@pytest.mark.parametrize(("rule", "files"), INNOCENTS)
def test_a_rule_leaves_the_innocent_alone(rule, files):
    assert rule(files) == []


def test_importing_the_addon_imports_no_blender_and_nothing_heavy():
    code = "import sys, addon, addon.protocol; print(sorted({'bpy', 'numpy', 'torch'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_shipped_weights_stay_within_their_budget():
    sizes = {path: path.stat().st_size for path in (ROOT / "backend" / "embedded").rglob("*.safetensors")}
    assert all(size <= 16 * 2**20 for size in sizes.values()), "a file of weights has at most 16 MiB"
    assert sum(sizes.values()) <= 35e6, "the embedded prior has at most 35 MB in all"
