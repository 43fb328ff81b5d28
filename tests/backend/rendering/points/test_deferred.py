"""Neural points as a renderer: what they show at first, and what they learn."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.rendering.points.deferred import DeferredRenderer, NeuralPoints
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


def plainly(neural: NeuralPoints, cameras: Cameras, background: torch.Tensor, radius: float) -> torch.Tensor:
    """Draw as the paper says it, a scale at a time: each pixel's nearest points found by looking at all of them."""
    carried, scales = torch.cat([neural.colours, neural.features], dim=1), []
    for level in range(3):
        camera = cameras.with_width(cameras.width >> level)
        matrix = camera.world_to_camera[0]
        local = neural.points @ matrix[:3, :3].T + matrix[:3, 3]
        places = local @ camera.intrinsics[0].T
        places = places[:, :2] / places[:, 2:]
        centres = torch.arange(camera.width) + 0.5
        along, down = centres[None, :, None] - places[:, 0], centres[:, None, None] - places[:, 1]
        away = (along**2 + down**2) / radius**2  # [H, W, N]
        order = torch.where(away < 1, local[:, 2], torch.inf).argsort(dim=-1, stable=True)[..., :8]
        opaque = torch.where(away < 1, 1 - (0.1 * away).clamp(1e-3, 1).sqrt(), 0.0).gather(-1, order)
        through = torch.cat([torch.ones_like(opaque[..., :1]), (1 - opaque).cumprod(-1)[..., :-1]], dim=-1)
        weight = opaque * through
        image = (weight[..., None] * carried[order]).sum(-2) / weight.sum(-1, keepdim=True).clamp_min(1e-3)
        scales.append(image.permute(2, 0, 1)[None])
    own = scales[0][:, :3].clamp(0.01, 0.99)
    rgb = torch.sigmoid(torch.logit(own) + neural.network(scales)).permute(0, 2, 3, 1)
    return rgb * covered(cameras) + background * (1 - covered(cameras))


def test_pictures_and_gradients_are_those_of_a_plain_renderer() -> None:
    points, camera, behind = ball(600), orbit([30.0], 20.0, size=SIZE), torch.tensor([0.2, 0.5, 0.9])
    colours = torch.rand(600, 3, generator=torch.Generator().manual_seed(2))
    found = []
    for draw in (DeferredRenderer, None):
        neural = NeuralPoints(points, colours, torch.Generator().manual_seed(1), 8)
        torch.nn.init.normal_(neural.network.out.weight, generator=torch.Generator().manual_seed(3))
        rgb = draw(neural, covered, 1.6)(camera, behind).rgb if draw else plainly(neural, camera, behind, 1.6)
        (rgb * torch.rand(rgb.shape, generator=torch.Generator().manual_seed(4))).sum().backward()
        found.append([rgb.detach(), *(value.grad for value in neural.parameters().values())])
    for ours, plain in zip(*found, strict=True):
        assert ours is not None and plain is not None
        assert float((ours - plain).abs().max()) < 2e-4 * float(plain.abs().max())


def test_a_network_of_half_the_width_takes_less_of_the_processor(
    record_property: Callable[[str, object], None],
) -> None:
    points, camera, seconds = ball(20_000), orbit([0.0], 0.0, size=128), {8: 9.0, 16: 9.0}
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # two that wait for each other on a busy machine take the processor, too
    try:
        for width in seconds:
            neural = NeuralPoints(points, torch.full((20_000, 3), 0.5), torch.Generator().manual_seed(1), width)
            render = DeferredRenderer(neural, covered)
            for _ in range(5):
                started = time.process_time()
                render(camera, torch.ones(3)).rgb.sum().backward()
                seconds[width] = min(seconds[width], time.process_time() - started)
    finally:
        torch.set_num_threads(before)
    record_property("seconds", seconds)  # forward and backward at 128 pixels
    assert seconds[8] < seconds[16], seconds
