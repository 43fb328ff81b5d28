"""Packages of one module each, in folders that pip installs from without a network."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

import pytest

from addon.install import environment


def tiny_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *wheels: tuple[str, ...]) -> Path:
    """Make a folder with wheels, each a name, a version and lines of metadata; the environment asks for no room."""
    monkeypatch.setattr(environment, "NEEDED_GIB", 0.0)
    monkeypatch.setattr(environment, "NEEDED_WITH_CUDA_GIB", 0.0)
    folder = tmp_path / "wheels"
    folder.mkdir()
    for wheel in wheels:
        write_wheel(folder, *wheel)
    return folder


def write_wheel(folder: Path, name: str, version: str, needs: str = "") -> None:
    """Write a wheel of one module."""
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    files = {
        f"{name}.py": b"MOON = 'full'\n",
        f"{name}-{version}.dist-info/METADATA": about.encode(),
        f"{name}-{version}.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{name}-{version}.dist-info/RECORD"
    lines = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b'=').decode()},{len(text)}"
        for path, text in files.items()
    ]
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(record, "\n".join([*lines, f"{record},,"]))
