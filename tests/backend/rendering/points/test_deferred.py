"""Neural points as a renderer: what they show at first, and what they learn."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.rendering.points.deferred import DeferredRenderer, NeuralPoints, scaled_cameras
from backend.runtime.checkpoint import load_checkpoint, save_checkpoint
from tests.backend.meshes.test_poisson_disk import sphere

SIZE = 32


def ball(count: int) -> torch.Tensor:
    from backend.meshes.poisson_disk import poisson_disk

    return poisson_disk(sphere(), count, torch.Generator().manual_seed(0))[0]


def covered(cameras: Cameras) -> torch.Tensor:
    rows, columns = torch.meshgrid(torch.arange(cameras.height) + 0.5, torch.arange(cameras.width) + 0.5, indexing="ij")
    half = cameras.width / 2
    inside = (rows - half) ** 2 + (columns - half) ** 2 < (0.8 * half) ** 2
    return inside.float()[None, ..., None].expand(len(cameras), -1, -1, -1)


def test_at_first_the_picture_is_that_of_the_points_own_colours() -> None:
    points = ball(1_500)
    green = torch.tensor([0.2, 0.7, 0.3])
    neural = NeuralPoints(points, green.expand(1_500, 3), torch.Generator().manual_seed(1))
    render = DeferredRenderer(neural, covered)
    cameras, behind = orbit([0.0, 90.0], 0.0, size=SIZE), torch.tensor([0.9, 0.9, 1.0])
    seen = render(cameras, behind)
    inside = covered(cameras)[..., 0] > 0
    assert torch.allclose(seen.rgb[inside], green.expand(int(inside.sum()), 3), atol=1e-4)
    assert torch.allclose(seen.rgb[~inside], behind.expand(int((~inside).sum()), 3))
    assert torch.equal(seen.alpha, covered(cameras))
    with pytest.raises(ValueError, match="no depth"):
        render(cameras, behind, geometry=True)


def test_they_learn_a_picture_that_no_colour_of_theirs_shows() -> None:
    points, camera = ball(400), orbit([0.0], 0.0, size=SIZE)
    neural = NeuralPoints(points, torch.full((400, 3), 0.5), torch.Generator().manual_seed(1))
    render, white = DeferredRenderer(neural, covered), torch.ones(3)
    fine = torch.arange(SIZE)[:, None] % 2 == torch.zeros(SIZE, dtype=torch.long)  # stripes of one pixel
    wanted = torch.where(covered(camera)[0] > 0, torch.where(fine[..., None], 0.9, 0.2).expand(-1, -1, 3), white)

    def error() -> torch.Tensor:
        return (render(camera, white).rgb[0] - wanted).abs().mean()

    before = error().item()
    optimiser = torch.optim.Adam(neural.parameters().values(), lr=0.02)
    for _ in range(60):
        optimiser.zero_grad()
        error().backward()
        optimiser.step()
    assert error().item() < 0.5 * before


def test_a_state_comes_back_from_disk_and_one_of_other_points_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    points = ball(200)
    first, other = (NeuralPoints(points, torch.full((200, 3), 0.5), torch.Generator().manual_seed(s)) for s in (1, 2))
    torch.nn.init.ones_(first.network.out.weight)
    save_checkpoint(tmp_path / "points.safetensors", first.state_dict())
    other.load_state_dict(load_checkpoint(tmp_path / "points.safetensors"))
    camera = orbit([40.0], 10.0, size=SIZE)
    drawn = [DeferredRenderer(each, covered)(camera, torch.ones(3)).rgb for each in (first, other)]
    assert torch.equal(*drawn)
    with pytest.raises(ValueError, match="colours"):
        first.load_state_dict(NeuralPoints(points[:5], torch.zeros(5, 3), torch.Generator()).state_dict())


def test_a_camera_of_fewer_pixels_sees_the_same() -> None:
    camera = orbit([0.0], 0.0, size=SIZE)
    half = scaled_cameras(camera, 2)
    place = torch.tensor([0.3, -0.2, 0.1, 1.0])
    pixels = [(c.intrinsics[0] @ (c.world_to_camera[0] @ place)[:3]) for c in (camera, half)]
    assert torch.allclose(pixels[0][:2] / pixels[0][2] / 2, pixels[1][:2] / pixels[1][2])
    with pytest.raises(ValueError, match="no 64 x 64 blocks"):
        scaled_cameras(camera, 64)


def test_a_network_of_half_the_width_takes_less_of_the_processor(
    record_property: Callable[[str, object], None],
) -> None:
    points, camera, seconds = ball(20_000), orbit([0.0], 0.0, size=128), {8: 9.0, 16: 9.0}
    for width in seconds:
        neural = NeuralPoints(points, torch.full((20_000, 3), 0.5), torch.Generator().manual_seed(1), width)
        render = DeferredRenderer(neural, covered)
        for _ in range(5):
            started = time.process_time()
            render(camera, torch.ones(3)).rgb.sum().backward()
            seconds[width] = min(seconds[width], time.process_time() - started)
    record_property("seconds", seconds)  # forward and backward at 128 pixels
    assert seconds[8] < seconds[16], seconds
