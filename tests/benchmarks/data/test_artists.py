"""Artists' models: unpacked from a package, turned to their front, and drawn where the cameras say."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch

from backend.cameras import orbit
from backend.meshes.rasteriser import silhouette_iou, silhouettes
from benchmarks.data import artists
from benchmarks.data.cases import choose

# A pointed roof of two triangles each way: its ridge reaches far to -Z of the file, which is our back.
POINTS = ("-1 0 1", "1 0 1", "0 1 1", "-1 0 -3", "1 0 -3", "0 1 -3")
OBJ = "mtllib NAME.mtl\n" + "".join(f"v {point}\n" for point in POINTS) + "usemtl A\nf 1 2 3\nf 4 6 5\nf 1 3 6 4\n"
MTL = "newmtl A\nKd 0.8 0.1 0.1\n"


def package(path: Path, *, leave_out: str = "") -> Path:
    """Write a Debian package with a set of small models."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as file:
        for name in artists.MODELS:
            if name != leave_out:
                file.writestr(f"blendswap-cc-0/{name}/{name}.obj", OBJ.replace("NAME", name))
                file.writestr(f"blendswap-cc-0/{name}/{name}.mtl", MTL)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as tar:
        member = tarfile.TarInfo(f"./usr/share/sweethome3d/furniture/{artists.SET}")
        member.size = len(inner.getvalue())
        tar.addfile(member, io.BytesIO(inner.getvalue()))
    parts = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0"), ("data.tar.xz", data.getvalue())):  # the first has an odd length
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        parts += head + content + b"\n" * (len(content) % 2)
    path.write_bytes(parts)
    return path


def test_a_package_is_unpacked_and_another_set_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artists, "CACHE", tmp_path / "cache")
    artists.unpack(package(tmp_path / "a.deb"))
    assert sorted(path.name for path in (tmp_path / "cache/models").iterdir()) == sorted(artists.MODELS)
    assert "v -1 0 1" in (tmp_path / "cache/models/deer/deer.obj").read_text()
    with pytest.raises(ValueError, match="b.deb has no model 'deer'"):
        artists.unpack(package(tmp_path / "b.deb", leave_out="deer"))
    with pytest.raises(ValueError, match="There is no file .*apt-get download"):
        artists.unpack(tmp_path / "c.deb")


def test_without_models_a_sentence_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artists, "CACHE", tmp_path)
    monkeypatch.setattr(artists, "INSTALLED", tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="apt-get download sweethome3d-furniture"):
        artists.model_file("deer")


def test_artists_are_single_images_that_are_asked_for_by_name() -> None:
    found = choose("artists")
    assert len(found) == 12 and all(case.kind == "image" and case.outside and case.model for case in found)
    assert not {case.name for case in found} & {case.name for case in choose("all")}
    assert [case.name for case in choose("artist-deer")] == ["artist-deer"]


def test_a_model_is_turned_to_its_front_fitted_and_photographed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bpy")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(artists, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(artists, "SAMPLES", 4)
    artists.artist_mesh.cache_clear()
    artists.unpack(package(tmp_path / "a.deb"))
    long = {}
    for name in ("oakChair", "deer"):  # shown from 0 and from 90 degrees
        mesh = artists.artist_mesh(name)
        assert mesh.vertices.norm(dim=1).max().item() == pytest.approx(0.92, abs=1e-4)
        spans = mesh.vertices.amax(0) - mesh.vertices.amin(0)
        long[name] = int(spans.argmax())
    assert long == {"oakChair": 1, "deer": 0}  # along the line of sight, across it
    camera = orbit([0.0], 15.0, size=48)
    seen = artists.artist_views("deer")(camera)
    assert seen.rgb.shape == (1, 48, 48, 3) and 0.05 < seen.alpha.mean() < 0.6
    drawn = silhouettes(artists.artist_mesh("deer"), camera)
    assert silhouette_iou(seen.alpha, drawn).item() > 0.9
    solid = seen.alpha[0, ..., 0] > 0.99
    assert seen.rgb[0][solid][:, 0].mean() > seen.rgb[0][solid][:, 1].mean() + 0.2  # red
    towards = torch.nn.functional.normalize(camera.position[0], dim=0)
    assert (seen.normal[0][solid] @ towards > -0.3).float().mean() > 0.95
    before = {path: os.stat(path).st_mtime_ns for path in (tmp_path / "cache/deer").glob("*.png")}
    artists.artist_views("deer")(camera)
    assert before == {path: os.stat(path).st_mtime_ns for path in (tmp_path / "cache/deer").glob("*.png")}
    artists._loaded.clear()
