"""Who may import whom: the source tree obeys, and each rule fails on a made-up file that breaks it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture import layers
from tests.architecture.conftest import ROOT
from tests.architecture.source import Files

STANDARD_LIBRARY = frozenset(sys.stdlib_module_names)


def addon_is_light(files: Files) -> list[str]:
    return layers.addon_is_light(files, STANDARD_LIBRARY)


RULES = [
    addon_is_light,
    layers.rooms_in_order,
    layers.no_circles,
    layers.systems_are_apart,
    layers.libraries_in_their_places,
    layers.light_at_start,
    layers.product_reaches_no_judge,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_repository_obeys(rule, repository):
    assert {"build.py", "addon/protocol/__init__.py", "backend/__main__.py"} <= repository.keys()
    assert rule(repository) == []


OFFENDERS = [
    (addon_is_light, {"addon/jobs/client.py": "import requests"}, "imports requests"),
    (addon_is_light, {"addon/jobs/store.py": "def f():\n    import bpy"}, "imports bpy"),
    (addon_is_light, {"addon/install/a.py": "import mathutils"}, "imports mathutils"),
    (addon_is_light, {"addon/paths.py": "import bpy"}, "imports bpy"),
    (addon_is_light, {"addon/ui/generate.py": "import numpy as np"}, "imports numpy"),
    (addon_is_light, {"addon/ui/generate.py": "from backend import errors"}, "imports backend.errors"),
    (addon_is_light, {"addon/jobs/a.py": "import importlib\nimportlib.import_module('torch')"}, ":2 imports torch"),
    (layers.rooms_in_order, {"addon/protocol/a.py": "from ..jobs import b", "addon/jobs/b.py": ""}, "not below"),
    (layers.rooms_in_order, {"addon/protocol/a.py": "from .. import processes"}, "not below addon.protocol"),
    (
        layers.rooms_in_order,
        {"addon/jobs/a.py": "from addon.ui.b import x", "addon/ui/b.py": ""},
        "not below addon.jobs",
    ),
    (layers.rooms_in_order, {"addon/jobs/a.py": "from ..install import b", "addon/install/b.py": ""}, "not below"),
    (layers.rooms_in_order, {"addon/cli/a.py": "from ..ui import b", "addon/ui/b.py": ""}, "not below addon.cli"),
    (layers.rooms_in_order, {"addon/wizard.py": ""}, "no room of the house"),
    (layers.rooms_in_order, {"backend/cameras.py": "import bpy"}, "never does"),
    (layers.rooms_in_order, {"backend/losses.py": "from tests.backend import x"}, "never does"),
    (layers.rooms_in_order, {"backend/systems/a.py": "import benchmarks.commands.quality"}, "never does"),
    (layers.rooms_in_order, {"backend/runtime/job.py": "from addon.jobs import client"}, "not below backend.runtime"),
    (layers.rooms_in_order, {"backend/runtime/job.py": "import addon"}, "not below backend.runtime"),
    (layers.rooms_in_order, {"backend/export.py": "from addon.protocol import Request"}, "not below backend.export"),
    (layers.rooms_in_order, {"backend/losses.py": "from addon import protocol"}, "not below backend.losses"),
    (layers.rooms_in_order, {"backend/systems/a.py": "from backend.embedded import shapes"}, "not below"),
    (layers.rooms_in_order, {"backend/diffusion/a.py": "from ..embedded import train"}, "not below"),
    (layers.rooms_in_order, {"backend/vision/a.py": "def f():\n    import backend.embedded.train"}, "not below"),
    (layers.rooms_in_order, {"backend/__main__.py": "from backend.embedded import train"}, "not below"),
    (layers.rooms_in_order, {"backend/cameras.py": "from backend.rendering import splats"}, "not below"),
    (layers.rooms_in_order, {"backend/representations/a.py": "from backend import rendering"}, "not below"),
    (layers.rooms_in_order, {"backend/export.py": "from backend.runtime.job import Job"}, "not below backend.export"),
    (layers.rooms_in_order, {"backend/diffusion/a.py": "def f():\n    from backend.runtime import job"}, "not below"),
    (layers.rooms_in_order, {"backend/misplaced.py": ""}, "no room of the house"),
    (
        layers.systems_are_apart,
        {"backend/systems/a/__init__.py": "from backend.systems.b import c", "backend/systems/b/c.py": ""},
        "never import each other",
    ),
    (
        layers.systems_are_apart,
        {"backend/systems/results.py": "from backend.systems.b import run", "backend/systems/b/__init__.py": ""},
        "never import each other",
    ),
    (
        layers.libraries_in_their_places,
        {"backend/systems/a.py": "def f():\n    import diffusers"},
        "belongs into diffusion/",
    ),
    (layers.libraries_in_their_places, {"backend/losses.py": "from transformers import CLIPModel"}, "belongs into"),
    (layers.libraries_in_their_places, {"backend/rendering/volume_cpu.py": "import nerfacc"}, "volume_nerfacc"),
    (layers.libraries_in_their_places, {"backend/cameras.py": "import numba"}, "belongs into"),
    (layers.libraries_in_their_places, {"backend/rendering/splats.py": "import gsplat"}, "at its top"),
    (
        layers.light_at_start,
        {"addon/__init__.py": "from .ui import panels", "addon/ui/panels.py": "import bpy"},
        "as soon as addon",
    ),
    (
        layers.light_at_start,
        {"backend/__main__.py": "from backend.runtime.job import Job", "backend/runtime/job.py": "import torch"},
        "backend/runtime/job.py:1 imports torch as soon as",
    ),
    (
        layers.light_at_start,
        {"backend/__main__.py": "import backend.a.b", "backend/a/__init__.py": "import numpy", "backend/a/b.py": ""},
        "backend/a/__init__.py:1 imports numpy",
    ),
    (
        layers.product_reaches_no_judge,
        {"backend/systems/a.py": "def f():\n    import benchmarks.judges.reader"},
        "comes to benchmarks.judges.reader through backend/systems/a.py:2",
    ),
    (
        layers.product_reaches_no_judge,
        {
            "backend/images.py": "from backend.embedded import tokenizer",
            "backend/embedded/tokenizer.py": "def f():\n    from backend.embedded.objects.shapes import COLOURS",
            "backend/embedded/objects/shapes.py": "",
        },
        "comes to backend.embedded.objects.shapes.COLOURS through backend/embedded/tokenizer.py:2",
    ),
]


@pytest.mark.parametrize(("rule", "files", "message"), OFFENDERS)
def test_a_rule_names_the_offender(rule, files, message):
    problems = rule(files)
    assert len(problems) == 1 and message in problems[0] and problems[0].startswith(tuple(files))


def test_each_module_of_a_circle_is_named():
    files = {"addon/jobs/a.py": "from . import b", "addon/jobs/b.py": "def f():\n    from .a import x"}
    assert layers.no_circles(files) == [
        "addon/jobs/a.py imports itself through addon/jobs/b.py:2",
        "addon/jobs/b.py imports itself through addon/jobs/a.py:1",
    ]


INNOCENTS = [
    (addon_is_light, {"addon/scene/importer.py": "import numpy\nimport bpy\nfrom .. import protocol"}),
    (addon_is_light, {"addon/paths.py": "def f():\n    import bpy"}),
    (
        layers.rooms_in_order,
        {
            "addon/ui/panels.py": "from . import generate",
            "addon/ui/generate.py": "from ..jobs.store import x",
            "addon/jobs/store.py": "from .. import protocol",
            "addon/protocol/__init__.py": "from . import request",
        },
    ),
    (
        layers.rooms_in_order,
        {"backend/runtime/job.py": "from addon import protocol\nfrom backend.errors import BackendError"},
    ),
    (
        layers.rooms_in_order,
        {"backend/embedded/train.py": "from backend.embedded import shapes\nimport backend.cameras"},
    ),
    (
        layers.no_circles,
        {"addon/jobs/a.py": "from . import b", "addon/jobs/b.py": "from . import c", "addon/jobs/c.py": ""},
    ),
    (
        layers.systems_are_apart,
        {
            "backend/systems/a/__init__.py": "from backend.systems.a import b\nfrom backend.systems.results import c",
            "backend/systems/a/b.py": "",
            "backend/systems/results.py": "",
        },
    ),
    (layers.libraries_in_their_places, {"backend/rendering/splats.py": "def f():\n    import gsplat"}),
    (layers.light_at_start, {"backend/__main__.py": "def f():\n    import torch\nif TYPE_CHECKING:\n    import numpy"}),
    (
        layers.product_reaches_no_judge,
        {
            "backend/embedded/training/denoiser.py": "from backend.embedded.objects.shapes import COLOURS",
            "backend/embedded/objects/shapes.py": "",
            "benchmarks/commands/demo.py": "from backend.embedded.objects.shapes import COLOURS",
        },
    ),
]


@pytest.mark.parametrize(("rule", "files"), INNOCENTS)
def test_a_rule_leaves_the_innocent_alone(rule, files):
    assert rule(files) == []


def test_importing_the_addon_imports_no_blender_and_nothing_heavy():
    code = "import sys, addon, addon.protocol; print(sorted({'bpy', 'numpy', 'torch'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
