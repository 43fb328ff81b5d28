"""Artists' models: which are taught, how they stand, and what colours they have."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from backend.embedded.objects.solids import FIT_RADIUS
from backend.embedded.volumes.models import HELD_OUT, distance_between, load_model, unpack
from benchmarks.data.artists import MODELS

CATALOGUE = "model#{number}=/set/{name}/{name}.obj\ncreator#{number}={author}\n"


def furniture(path: Path, authors: dict[str, str]) -> Path:
    """Write a set of models that are a box each."""
    lines = [
        CATALOGUE.format(number=k + 1, name=name, author=author) for k, (name, author) in enumerate(authors.items())
    ]
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("PluginFurnitureCatalog.properties", "id=1\n" + "".join(lines))
        for name in authors:
            packed.writestr(f"set/{name}/{name}.obj", str(trimesh.creation.box((1, 2, 3)).export(file_type="obj")))
    return path


def test_the_benchmark_s_models_are_held_out() -> None:
    assert set(HELD_OUT) == set(MODELS)


def test_what_the_authors_of_held_out_models_made_is_not_taught(tmp_path: Path) -> None:
    authors = {name: f"Somebody {k}" for k, name in enumerate(HELD_OUT)}
    authors |= {"mug": "Another", "spoon": "somebody 3 & Another", "fork": "", "sofa": "Somebody 30"}
    found = unpack(furniture(tmp_path / "set.sh3f", authors), tmp_path / "unpacked")
    assert found.taught == ["fork", "mug", "sofa"]
    assert found.files["mug"].is_file()


def test_a_set_without_them_is_another(tmp_path: Path) -> None:
    packed = furniture(tmp_path / "set.sh3f", dict.fromkeys(HELD_OUT[1:], "Somebody"))
    with pytest.raises(ValueError, match="has no model 'desklamp': it is another set"):
        _ = unpack(packed, tmp_path / "unpacked").taught
    with pytest.raises(ValueError, match="There is no file"):
        unpack(tmp_path / "none.sh3f", tmp_path / "unpacked")


@pytest.fixture
def obj(tmp_path: Path) -> Path:
    """A wall in the plane z = 0 whose picture is red above and green below, a linear grey block, and clear glass."""
    picture = np.zeros((8, 8, 3), dtype=np.uint8)
    picture[:4, :, 0], picture[4:, :, 1] = 255, 255
    Image.fromarray(picture).save(tmp_path / "picture.png")
    (tmp_path / "thing.mtl").write_text(
        "newmtl wall\nKd 0 0 0\nmap_Kd picture.png\n"
        "newmtl block\nKd 0.25 0.25 0.25\nd 1\n"
        "newmtl glass\nKd 1 1 1\nd 0.1\n"
    )
    (tmp_path / "thing.obj").write_text(
        "mtllib thing.mtl\n"
        "v -1 0 0\nv 1 0 0\nv 1 2 0\nv -1 2 0\n"
        "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
        "usemtl wall\nf 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
        "v -1 0 1\nv 1 0 1\nv 1 2 1\n"
        "usemtl block\nf 5 6 7\n"
        "v 9 9 9\nv 9 8 9\nv 8 9 9\n"
        "usemtl glass\nf 8 9 10\n"
    )
    return tmp_path / "thing.obj"


def test_models_stand_upright_with_their_front_to_the_camera_in_their_own_colours(obj: Path) -> None:
    model = load_model(obj)
    assert np.linalg.norm(model.vertices, axis=1).max() == pytest.approx(FIT_RADIUS)
    points, colours = model.surface
    grey = np.abs(colours - colours.mean(1, keepdims=True)).max(1) < 1e-3
    assert points[grey][:, 1].max() < points[~grey][:, 1].min()  # z = 1 became the side to the camera, y < 0
    assert colours[grey] == pytest.approx(0.537, abs=0.002)  # of linear 0.25
    red = colours[:, 0] > 0.9
    assert (
        points[red][:, 2].min() > points[~grey & ~red][:, 2].max() - 1e-3
    )  # up is z, and pictures stand on their feet
    assert len(model.faces) == 3  # the glass is not there


def test_a_model_of_glass_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thing.mtl").write_text("newmtl glass\nKd 1 1 1\nd 0.1\n")
    (tmp_path / "thing.obj").write_text("mtllib thing.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl glass\nf 1 2 3\n")
    with pytest.raises(ValueError, match="thing.obj has nothing that is seen"):
        load_model(tmp_path / "thing.obj")


def test_stretched_models_fill_the_ball_and_keep_their_normals_upright_on_it(obj: Path) -> None:
    path = obj.with_name("ball.obj")
    path.write_text(str(trimesh.creation.icosphere(3).export(file_type="obj")))
    flat = load_model(path).stretched(1.0, 0.5)
    extents = np.ptp(flat.vertices, axis=0)
    assert extents[1] / extents[0] == pytest.approx(0.5, rel=1e-3)
    assert np.linalg.norm(flat.vertices, axis=1).max() == pytest.approx(FIT_RADIUS)
    gradient = flat.vertices / np.array([1.0, 0.25, 1.0])  # of an ellipsoid
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    assert (gradient * flat.normals).sum(1).min() > 0.99


def test_the_same_thing_turned_is_alike_and_another_is_not(tmp_path: Path) -> None:
    for name, extents in {"one": (1, 2, 3), "turned": (3, 2, 1), "other": (3, 1, 1)}.items():  # Y is up
        (tmp_path / f"{name}.obj").write_text(str(trimesh.creation.box(extents).export(file_type="obj")))
    one, turned, other = (load_model(tmp_path / f"{name}.obj") for name in ("one", "turned", "other"))
    assert distance_between(one, turned) < 0.06 < distance_between(one, other)
