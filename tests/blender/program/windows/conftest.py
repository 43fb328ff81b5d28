"""What tests of a real Blender's window share: the extension in it, on a screen of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import build
from tests.blender.program.real import CHECKOUT, Window, install, window


@pytest.fixture
def shown(blender: Path, tmp_path: Path) -> Iterator[Window]:
    """Blender's window, with the extension and this environment as its backend."""
    resources = tmp_path / "resources"
    install(blender, resources, build.make_zip(CHECKOUT))
    with window(blender, resources, tmp_path / "window", MAQUETTE_PYTHON=sys.executable) as opened:
        yield opened
