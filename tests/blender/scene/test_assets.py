"""Imported objects as assets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from addon.scene import importer
from tests.blender.made_results import has_red_left_and_blue_right, make_result

bpy: Any = pytest.importorskip("bpy", reason="bpy is not in this environment; install requirements.lock")


@pytest.fixture(autouse=True)
def empty_scene() -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def job(tmp_path: Path) -> Path:
    return make_result(tmp_path / "20260101-120000-ab", seed=2**40)


def test_only_what_is_asked_for_becomes_an_asset(job: Path) -> None:
    plain = importer.import_result(job)
    assert plain.mesh is not None and plain.points is not None
    assert plain.mesh.asset_data is None and plain.points.asset_data is None
    marked = importer.import_result(job, outputs=("points",), as_asset=True)
    assert (
        marked.points is not None
        and marked.points.asset_data is not None
        and has_red_left_and_blue_right(marked.points)
    )
    assert {image.name for image in bpy.data.images if image.name.startswith("preview")} == set()
