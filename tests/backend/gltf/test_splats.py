"""Splats as glTF: decoded by a reader of its own, each value is that of the Gaussians and of points.ply."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.export import write_points_ply
from backend.gltf.splats import write_splats_glb
from backend.representations.gaussians import Gaussians
from tests.backend.test_export import gaussians

PREFIX = "KHR_gaussian_splatting:"
# From Y up, Z towards the viewer, to Z up: x stays, glTF's up is our z, glTF's z is our -y.
TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def document_and_bytes(path: Path) -> tuple[dict, bytes]:
    data = path.read_bytes()
    magic, version, length, size, kind = struct.unpack("<4sIIII", data[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), 0x4E4F534A) and size % 4 == 0
    count, kind = struct.unpack("<II", data[20 + size : 28 + size])
    assert kind == 0x004E4942 and count == len(data) - 28 - size
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def attributes_of(path: Path) -> dict[str, np.ndarray]:
    """Read every attribute of the one primitive, as the specifications of glTF and of the extension have it."""
    document, data = document_and_bytes(path)
    (primitive,) = document["meshes"][0]["primitives"]
    widths = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
    found = {}
    for name, index in primitive["attributes"].items():
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        assert accessor["componentType"] == 5126 and view["byteOffset"] % 4 == 0
        width = widths[accessor["type"]]
        numbers = np.frombuffer(data, "<f4", accessor["count"] * width, view["byteOffset"])
        assert view["byteLength"] == numbers.nbytes
        found[name] = numbers.reshape(-1, width).astype(np.float64)
    return found


def columns_of_ply(path: Path) -> dict[str, np.ndarray]:
    header, _, body = path.read_bytes().partition(b"end_header\n")
    names = [line.split()[-1] for line in header.decode().splitlines() if line.startswith("property")]
    table = np.frombuffer(body, "<f4").reshape(-1, len(names)).astype(np.float64)
    return dict(zip(names, table.T, strict=True))


def covariances(rotation: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The C C^T of the specification, from quaternions x y z w and linear scales, written out as it stands there."""
    x, y, z, w = rotation.T
    columns = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    spread = columns * scale[:, None, :]
    return spread @ spread.transpose(0, 2, 1)


def colours(attributes: dict[str, np.ndarray], directions: np.ndarray, degree: int) -> np.ndarray:
    """The specification's Color_final of each splat, seen along its own unit direction."""
    x, y, z = directions.T[:, :, None]
    basis = {
        0: [0.2820947917738781 + 0 * x],
        1: [-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x],
        2: [
            1.092548430592079 * x * y, -1.092548430592079 * y * z, 0.31539156525252 * (2 * z * z - x * x - y * y),
            -1.092548430592079 * x * z, 0.5462742152960395 * (x * x - y * y),
        ],
        3: [
            -0.5900435899266435 * y * (3 * x * x - y * y), 2.890611442640554 * x * y * z,
            -0.4570457994644657 * y * (4 * z * z - x * x - y * y),
            0.3731763325901154 * z * (2 * z * z - 3 * x * x - 3 * y * y),
            -0.4570457994644657 * x * (4 * z * z - x * x - y * y), 1.445305721320277 * z * (x * x - y * y),
            -0.5900435899266435 * x * (x * x - 3 * y * y),
        ],
    }  # fmt: skip
    found = 0.5
    for level in range(degree + 1):
        for number, value in enumerate(basis[level]):
            found = found + value * attributes[f"{PREFIX}SH_DEGREE_{level}_COEF_{number}"]
    return np.asarray(found)


def test_every_value_is_that_of_the_gaussians_and_of_points_ply(tmp_path: Path) -> None:
    made = gaussians(bands=1, count=50)
    write_splats_glb(tmp_path / "splats.glb", made)
    write_points_ply(tmp_path / "points.ply", made)
    splats, points = attributes_of(tmp_path / "splats.glb"), columns_of_ply(tmp_path / "points.ply")

    places = splats["POSITION"] @ TO_Z_UP.T
    assert np.abs(places - np.stack([points[axis] for axis in "xyz"], 1)).max() < 1e-6
    assert np.abs(places - made.means.numpy()).max() < 1e-6

    scale = splats[f"{PREFIX}SCALE"]
    assert np.allclose(np.log(scale), np.stack([points[f"scale_{k}"] for k in range(3)], 1), atol=1e-5)
    opacity = splats[f"{PREFIX}OPACITY"][:, 0]
    assert np.allclose(np.log(opacity / (1 - opacity)), points["opacity"], atol=1e-4)
    assert ((opacity >= 0) & (opacity <= 1)).all() and (scale >= 0).all()

    turned = splats[f"{PREFIX}ROTATION"]
    assert np.abs(np.linalg.norm(turned, axis=1) - 1).max() < 1e-6
    before = np.stack([points[f"rot_{k}"] for k in (1, 2, 3, 0)], 1)
    wanted = covariances(before, np.exp(np.stack([points[f"scale_{k}"] for k in range(3)], 1)))
    found = TO_Z_UP @ covariances(turned, scale) @ TO_Z_UP.T
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-6)

    base = splats[f"{PREFIX}SH_DEGREE_0_COEF_0"]
    assert np.allclose(base, np.stack([points[f"f_dc_{k}"] for k in range(3)], 1), atol=1e-6)
    assert not [name for name in splats if "DEGREE_1" in name]


def test_a_pencil_that_points_up_and_to_the_left_does_so_in_gltf(tmp_path: Path) -> None:
    turn = math.radians(30) / 2  # its long axis, x, is turned by 30 degrees from +X towards +Z: about -Y
    pencil = Gaussians(
        means=torch.tensor([[1.0, 2.0, 3.0]]),
        log_scales=torch.tensor([[0.5, 0.02, 0.01]]).log(),
        quaternions=3.0 * torch.tensor([[math.cos(turn), 0.0, -math.sin(turn), 0.0]]),
        opacity_logits=torch.tensor([2.0]),
        sh=torch.zeros(1, 1, 3),
    )
    write_splats_glb(tmp_path / "splats.glb", pencil)
    splats = attributes_of(tmp_path / "splats.glb")
    assert splats["POSITION"][0] == pytest.approx([1, 3, -2])
    spread, axes = np.linalg.eigh(covariances(splats[f"{PREFIX}ROTATION"], splats[f"{PREFIX}SCALE"])[0])
    assert np.sqrt(spread) == pytest.approx([0.01, 0.02, 0.5], rel=1e-4)
    long = axes[:, 2] * np.sign(axes[0, 2])
    assert long == pytest.approx([math.cos(math.radians(30)), 0.5, 0.0], abs=1e-4)  # glTF's up is y
    assert abs(axes[2, 1]) == pytest.approx(1.0, abs=1e-4)  # the middle one was y, and is glTF's z


def test_it_is_what_the_specification_asks_for(tmp_path: Path) -> None:
    made = gaussians(bands=4, count=5)
    write_splats_glb(tmp_path / "splats.glb", made, name="bear", extras={"seed": 1})
    document, data = document_and_bytes(tmp_path / "splats.glb")
    assert document["asset"]["version"] == "2.0" and document["extensionsUsed"] == ["KHR_gaussian_splatting"]
    assert "extensionsRequired" not in document  # others show points
    assert document["buffers"] == [{"byteLength": len(data)}]
    assert document["nodes"] == [{"extras": {"seed": 1}, "mesh": 0, "name": "bear"}]
    (primitive,) = document["meshes"][0]["primitives"]
    assert primitive["mode"] == 0 and primitive["extensions"]["KHR_gaussian_splatting"] == {
        "kernel": "ellipse", "colorSpace": "srgb_rec709_display", "projection": "perspective",
        "sortingMethod": "cameraDistance",
    }  # fmt: skip
    own = {"ROTATION", "SCALE", "OPACITY", "SH_DEGREE_0_COEF_0", *(f"SH_DEGREE_1_COEF_{n}" for n in range(3))}
    assert set(primitive["attributes"]) == {"POSITION", "COLOR_0", *(PREFIX + name for name in own)}
    place = document["accessors"][primitive["attributes"]["POSITION"]]
    positions = attributes_of(tmp_path / "splats.glb")["POSITION"]
    assert place["min"] == pytest.approx(positions.min(0)) and place["max"] == pytest.approx(positions.max(0))


def test_programs_without_the_extension_get_linear_colours_and_opacities(tmp_path: Path) -> None:
    made = gaussians(bands=1, count=20)
    write_splats_glb(tmp_path / "splats.glb", made)
    splats = attributes_of(tmp_path / "splats.glb")
    srgb = np.clip(0.5 + 0.2820947917738781 * splats[f"{PREFIX}SH_DEGREE_0_COEF_0"], 0, 1)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    assert np.allclose(splats["COLOR_0"][:, :3], linear, atol=1e-6)
    assert np.array_equal(splats["COLOR_0"][:, 3:], splats[f"{PREFIX}OPACITY"])


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_colours_that_depend_on_the_view_are_turned_with_the_splats(tmp_path: Path, degree: int) -> None:
    made = gaussians(bands=(degree + 1) ** 2, count=30)
    write_splats_glb(tmp_path / "splats.glb", made)
    camera = torch.tensor([[0.3, -4.0, 1.7]])
    wanted = made.colours(camera)[0].numpy()
    seen = made.means - camera
    directions = torch.nn.functional.normalize(seen, dim=1).numpy().astype(np.float64) @ TO_Z_UP  # to Y up
    found = colours(attributes_of(tmp_path / "splats.glb"), directions, degree).clip(0)
    assert np.abs(found - wanted).max() < 1e-5


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    made = gaussians()
    made.log_scales[2, 0] = 1_000.0  # whose exponential is infinite
    with pytest.raises(ValueError, match="1 of 7 Gaussians hold numbers that are not finite"):
        write_splats_glb(tmp_path / "splats.glb", made)
    assert not (tmp_path / "splats.glb").exists()


def test_the_same_gaussians_make_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.glb", "b.glb"):
        write_splats_glb(tmp_path / name, gaussians(bands=9))
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()
