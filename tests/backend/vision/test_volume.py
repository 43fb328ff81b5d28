"""What is guessed behind an image: where its cells lie, what mirroring means, and that it keeps to the outline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from backend.cameras import Cameras, framing_distance, orbit, rays
from backend.errors import MissingModel
from backend.vision.volume import (
    DEPTHS,
    LIKELIEST,
    SIZE,
    Volume,
    cells,
    load_volume,
    look_into,
    mirrored,
    somewhere,
    told,
)
from backend.weights import EMBEDDED

FOV = 35.0


def seen(azimuth: float = 30.0, elevation: float = 20.0, size: int = SIZE) -> Cameras:
    return orbit([azimuth], [elevation], fov_degrees=FOV, size=size)


def middles(camera: Cameras) -> torch.Tensor:
    far = float(framing_distance(FOV))
    return cells(camera.camera_to_world[0], camera.intrinsics[0], far - 1, far + 1)


def test_a_cell_lies_on_the_ray_of_its_pixel_from_one_unit_before_the_origin_to_one_behind() -> None:
    camera = seen()
    points = middles(camera)
    origins, directions = rays(camera)
    offset = points - origins[0]
    across = offset - (offset * directions[0]).sum(-1, keepdim=True) * directions[0]
    assert points.shape == (DEPTHS, SIZE, SIZE, 3) and float(across.abs().max()) < 1e-5
    forward = camera.camera_to_world[0, :3, 2]
    deep = points @ forward  # the origin's is 0
    assert torch.allclose(deep[0], torch.tensor(-1 + 1 / DEPTHS), atol=1e-5)
    assert torch.allclose(deep[-1], torch.tensor(1 - 1 / DEPTHS), atol=1e-5)


@pytest.mark.parametrize("size", [SIZE, 128])
def test_what_is_written_into_the_cells_is_found_again_at_their_places(size: int) -> None:
    def solid(points: torch.Tensor) -> torch.Tensor:
        return 0.5 + 0.2 * points[..., 0] - 0.15 * points[..., 1] + 0.1 * points[..., 2]

    points = middles(seen())
    coarse = points.unflatten(0, (-1, 2)).unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((1, 3, 5))
    colours = torch.stack([solid(coarse), coarse[..., 2] / 2 + 0.5, torch.full_like(coarse[..., 0], 0.3)])
    volume = Volume(solid(points)[None], colours[None])
    places = 0.8 * (2 * torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) - 1)
    occupancy, found = look_into(volume, seen(size=size), places / 3**0.5)
    assert torch.allclose(occupancy, solid(places / 3**0.5), atol=0.005)
    assert torch.allclose(found[:, 1], places[:, 2] / 3**0.5 / 2 + 0.5, atol=0.02)
    assert torch.allclose(found[:, 2], torch.tensor(0.3), atol=1e-5)
    nothing, _ = look_into(volume, seen(size=size), torch.tensor([[0.0, 0.0, 5.0], [0.0, 9.0, 0.0]]))
    assert torch.equal(nothing, torch.zeros(2))


def test_the_mirrored_image_is_told_as_the_mirror_image_of_what_is_told() -> None:
    draw = torch.Generator().manual_seed(1)
    images, masks = torch.rand(2, SIZE, SIZE, 3, generator=draw), torch.rand(2, SIZE, SIZE, 1, generator=draw).round()
    cameras = orbit([10.0, -50.0], [0.0, 30.0], fov_degrees=FOV, size=SIZE)
    straight = told(images, masks, cameras)
    assert torch.allclose(told(images.flip(2), masks.flip(2), cameras), mirrored(straight), atol=1e-5)
    assert torch.equal(straight[:, :3][(masks == 0).permute(0, 3, 1, 2).expand(-1, 3, -1, -1)].unique(), torch.zeros(1))


def test_what_is_told_does_not_depend_on_the_side_that_the_image_shows() -> None:
    images, masks = torch.rand(1, SIZE, SIZE, 3), torch.ones(1, SIZE, SIZE, 1)
    assert torch.allclose(told(images, masks, seen(0.0)), told(images, masks, seen(137.0)), atol=1e-5)
    assert not torch.allclose(told(images, masks, seen(0.0)), told(images, masks, seen(0.0, 40.0)), atol=1e-2)


def test_nothing_is_guessed_outside_the_mask_and_something_on_each_ray_inside() -> None:
    network = load_volume("embedded")
    masks = torch.zeros(1, SIZE, SIZE, 1)
    masks[:, 12:52, 20:44] = 1
    images = torch.full((1, SIZE, SIZE, 3), 0.4)
    with torch.no_grad():
        volume = network(images, masks, seen())
        turned = network(images.flip(2), masks.flip(2), seen())
    inside = masks[..., 0] > 0
    assert float(volume.occupancy.amax(1)[~inside].max()) == 0
    assert float(volume.occupancy.amax(1)[inside].min()) >= LIKELIEST - 1e-4
    assert volume.colours.shape == (1, 3, DEPTHS // 2, SIZE // 2, SIZE // 2)
    assert torch.allclose(turned.occupancy, volume.occupancy.flip(-1), atol=1e-3)  # of a mirrored image the mirror


def test_on_each_ray_the_two_likeliest_neighbours_are_filled() -> None:
    rays = torch.tensor([[0.1, 0.2, 0.15, 0.0], [0.9, 0.1, 0.3, 0.8], [0.0, 1e-3, 5e-4, 0.0], [0.7, 0.8, 0.9, 0.1]])
    found = somewhere(rays.T[None, :, :, None])[0, :, :, 0].T  # of four rays
    wanted = [[0.3, 0.6, 0.6, 0.0], [0.9, 0.1, 0.6, 0.8], [0.0, 0.6, 0.6, 0.0], [0.7, 0.8, 0.9, 0.1]]
    assert torch.allclose(found, torch.tensor(wanted))


def test_a_network_of_other_channels_is_refused(tmp_path: Path) -> None:
    config = json.loads((EMBEDDED / "volume" / "config.json").read_text())
    tensors = load_file(EMBEDDED / "volume" / "diffusion_pytorch_model.safetensors")
    for name in ("conv_out.weight", "conv_out.bias"):
        tensors[name] = tensors[name][:100].clone()
    (tmp_path / "config.json").write_text(json.dumps(config | {"out_channels": 100}))
    save_file(tensors, tmp_path / "diffusion_pytorch_model.safetensors", {"format": "pt"})
    with pytest.raises(MissingModel, match="28 channels in and 100 out"):
        load_volume(str(tmp_path))
    with pytest.raises(MissingModel, match="role volume"):
        load_volume(str(tmp_path / "nowhere"))
