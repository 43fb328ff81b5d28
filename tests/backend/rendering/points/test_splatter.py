"""The nearest points at each pixel and the way back, against plain sums over all points and pixels."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import torch

from backend.cameras import Cameras, orbit
from backend.rendering.points.splatter import Splats, blend, opacity, splat

SIZE, RADIUS = 12, 1.7


def cloud(count: int, seed: int = 0) -> torch.Tensor:
    return 0.8 * (2 * torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) - 1)


def slowly(points: torch.Tensor, features: torch.Tensor, cameras: Cameras, nearest: int) -> torch.Tensor:
    """Blend every pixel by itself in plain torch: [B, H, W, C + 1], alpha last."""
    out = torch.zeros(len(cameras), cameras.height, cameras.width, features.shape[1] + 1)
    for view, camera in enumerate(cameras):
        matrix = camera.world_to_camera[0]
        local = points @ matrix[:3, :3].T + matrix[:3, 3]
        pixels = local @ camera.intrinsics[0].T
        places = pixels[:, :2] / pixels[:, 2:]
        for row in range(cameras.height):
            for column in range(cameras.width):
                squared = (places - torch.tensor([column + 0.5, row + 0.5])).square().sum(-1) / RADIUS**2
                near = [i for i in local[:, 2].argsort(stable=True).tolist() if squared[i] < 1][:nearest]
                through = torch.ones(())
                for i in near:
                    opaque = 1 - (0.1 * squared[i]).clamp(1e-3, 1).sqrt()
                    out[view, row, column] += through * opaque * torch.cat([features[i], torch.ones(1)])
                    through = through * (1 - opaque)
    return out


@pytest.mark.parametrize("nearest", [1, 3, 8])
def test_pixels_are_those_of_a_plain_search_at_every_scale(nearest: int) -> None:
    """Also where a band has no row of a coarse scale, and discs reach from one band into the next."""
    points, cameras = cloud(120), orbit([10.0, 200.0], [0.0, 30.0], size=SIZE)
    features = torch.randn(120, 5, generator=torch.Generator().manual_seed(1))
    splats = splat(points, cameras, radius=RADIUS, nearest=nearest, scales=3)
    assert splats.shapes == ((2, 12, 12), (2, 6, 6), (2, 3, 3))
    for scale, (image, alpha) in enumerate(zip(blend(features, splats), splats.alphas, strict=True)):
        wanted = slowly(points, features, cameras.with_width(SIZE >> scale), nearest)
        assert torch.allclose(torch.cat([image, alpha], dim=-1), wanted, atol=1e-5)
        one = splat(points, cameras.with_width(SIZE >> scale), radius=RADIUS, nearest=nearest)
        assert np.array_equal(one.index.reshape(-1), of_scale(splats, scale).reshape(-1))


def of_scale(splats: Splats, scale: int) -> np.ndarray:
    """Return the index of one scale."""
    return splats.by_scale(torch.from_numpy(splats.index))[scale].numpy()


def test_means_are_of_what_is_seen_and_their_gradients_too() -> None:
    points, cameras = cloud(120), orbit([10.0], 20.0, size=SIZE)
    features = torch.randn(120, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    splats = splat(points, cameras, radius=RADIUS, scales=2)
    wanted = [
        image / alpha.clamp_min(1e-3) for image, alpha in zip(blend(features, splats), splats.alphas, strict=True)
    ]
    found = blend(features, splats.means)
    gradients = [
        torch.autograd.grad(torch.stack([(image**2).sum() for image in images]).sum(), features)[0]
        for images in (found, wanted)
    ]
    for one, other in (*zip(found, wanted, strict=True), gradients):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5)
    bare = splats.alphas[0][..., 0] == 0
    assert bare.any() and not found[0][bare].any() and found[0].any()


def test_an_image_without_such_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="an image of 12 x 12 pixels has no 8 x 8 blocks"):
        splat(cloud(3), orbit([0.0], 0.0, size=SIZE), scales=4)


def test_points_of_one_depth_keep_their_order_and_those_behind_the_camera_are_before_none() -> None:
    camera = orbit([0.0], 0.0, size=SIZE)
    same = torch.tensor([[0.0, 0.0, 0.0]]).expand(5, 3)
    behind = camera.position * 1.5
    index = splat(torch.cat([behind, same, behind]), camera, radius=RADIUS).index.reshape(SIZE, SIZE, -1)
    assert index[SIZE // 2, SIZE // 2].tolist() == [1, 2, 3, 4, 5, -1, -1, -1]


def test_one_point_is_a_disc_of_the_formula() -> None:
    camera = orbit([0.0], 0.0, size=SIZE)
    (alpha,) = (scale[0, ..., 0] for scale in splat(torch.zeros(1, 3), camera, radius=RADIUS).alphas)
    rows, columns = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    squared = ((rows - SIZE / 2) ** 2 + (columns - SIZE / 2) ** 2) / RADIUS**2
    assert torch.allclose(alpha, opacity(squared), atol=1e-6)
    assert float(alpha.max()) == pytest.approx(1 - (0.1 * 0.5 / RADIUS**2) ** 0.5)  # half a pixel off, both ways
    assert opacity(torch.tensor([0.0, 0.999999, 1.0])).tolist() == pytest.approx([1 - 1e-3**0.5, 1 - 0.1**0.5, 0])


def test_the_nearer_of_two_points_is_in_front_whichever_comes_first() -> None:
    camera = orbit([0.0], 0.0, size=SIZE)
    near, far = torch.tensor([0.0, -0.5, 0.0]), torch.tensor([0.0, 0.5, 0.0])
    for points, colours in (([near, far], [[1.0], [0.0]]), ([far, near], [[0.0], [1.0]])):
        splats = splat(torch.stack(points), camera, radius=RADIUS)
        seen = blend(torch.tensor(colours), splats)[0][0, SIZE // 2, SIZE // 2, 0]
        front = 1 - (0.1 * 0.5 / RADIUS**2) ** 0.5
        assert float(seen) == pytest.approx(front, abs=1e-5)
        assert float(splats.alphas[0][0, SIZE // 2, SIZE // 2, 0]) == pytest.approx(1 - (1 - front) ** 2, abs=1e-5)


def test_gradients_are_those_of_finite_differences_and_points_have_none() -> None:
    points, cameras = cloud(60, 2).requires_grad_(), orbit([0.0, 120.0], 10.0, size=SIZE)
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(60, 6, generator=generator).requires_grad_()
    wanted = torch.randn(2, SIZE, SIZE, 6, generator=generator)
    splats = splat(points, cameras, radius=RADIUS)
    (blend(features, splats)[0] * wanted).sum().backward()
    assert features.grad is not None and points.grad is None

    def value(changed: torch.Tensor) -> float:
        return float((blend(changed, splats)[0].double() * wanted.double()).sum())

    for point, channel in ((0, 0), (7, 3), (31, 5), (59, 2)):
        step = torch.zeros(60, 6)
        step[point, channel] = 0.5  # linear, so that a large step is exact
        difference = value(features.detach() + step) - value(features.detach() - step)
        assert float(features.grad[point, channel]) == pytest.approx(difference, abs=1e-4)


def test_what_is_behind_the_camera_or_beside_the_image_is_not_drawn() -> None:
    camera = orbit([0.0], 0.0, size=SIZE)
    behind = camera.position * 1.5
    assert float(splat(torch.cat([behind, torch.tensor([[9.0, 0.0, 0.0]])]), camera).alphas[0].sum()) == 0


def test_bytes_do_not_depend_on_threads() -> None:
    points, cameras = cloud(300, 4), orbit([0.0, 90.0, 180.0], 20.0, size=SIZE)
    features, found = torch.randn(300, 19, generator=torch.Generator().manual_seed(5)), []
    before = torch.get_num_threads()
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):  # pyright: ignore
            torch.set_num_threads(threads)
            learns = features.clone().requires_grad_()
            images = blend(learns, splat(points, cameras, radius=RADIUS, scales=2).means)
            torch.stack([image.square().sum() for image in images]).sum().backward()
            assert learns.grad is not None
            found.append(
                (b"".join(image.detach().numpy().tobytes() for image in images), learns.grad.numpy().tobytes())
            )
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] and np.frombuffer(found[0][1], np.float32).any()
