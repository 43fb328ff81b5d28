"""The renderer of fields: which engine draws what, tables of cameras and lights, samples that a seed repeats."""

from __future__ import annotations

import pytest
import torch

from backend.cameras import orbit, rays
from backend.rendering.renderer import turntable_view
from backend.rendering.volume import SAMPLES, camera_table, light_table, volume_renderer
from backend.rendering.volume_rendering import DIAGONAL
from backend.rendering.volume_shading import Shading
from backend.representations.hash_field import HashField
from backend.representations.hash_grid import HashGrid
from backend.representations.radiance_grid import blob_grid
from tests.backend.dense_volume import looking


def test_a_pixel_times_its_cameras_matrix_is_its_ray() -> None:
    cameras = looking(5)
    table = camera_table(cameras)
    pixel = torch.tensor([3.5, 1.5, 1.0], dtype=torch.float64)  # column 3, row 1
    found = table[:, :9].reshape(2, 3, 3) @ pixel
    _, directions = rays(cameras)
    torch.testing.assert_close(torch.nn.functional.normalize(found, dim=-1).float(), directions[:, 1, 3])
    assert table[:, 9:12].float().equal(cameras.position)
    torch.testing.assert_close(table[:, 12].float(), cameras.position.norm(dim=-1))  # they look at the origin


def test_a_light_has_a_row_for_each_view() -> None:
    near = light_table(Shading("lambertian", torch.tensor([0.0, 3.0, 4.0]), ambient=0.25, diffuse=0.5), 2)
    assert near.tolist() == [[1, 0.25, 0.5, 0, 3, 4, 1]] * 2
    far = light_table(Shading("textureless", torch.tensor([0.0, 3.0, 4.0]), True), 1)
    torch.testing.assert_close(far, torch.tensor([[2, 0.1, 0.9, 0, 0.6, 0.8, 0]], dtype=torch.float64))
    each = light_table(Shading("lambertian", torch.eye(3)), 3)
    torch.testing.assert_close(each[:, 3:6], torch.eye(3, dtype=torch.float64))


def test_a_seed_repeats_its_samples_and_goes_on() -> None:
    field, cameras = blob_grid(9), looking(8)

    def drawn(seed: int, times: int) -> list[torch.Tensor]:
        render = volume_renderer(field, samples=16, generator=torch.Generator().manual_seed(seed))
        return [render(cameras, torch.ones(3)).rgb for _ in range(times)]

    first, second = drawn(1, 2)
    assert torch.equal(drawn(1, 1)[0], first) and not torch.equal(first, second)
    assert not torch.equal(drawn(2, 1)[0], first)


def test_samples_divide_the_diagonal_of_the_box() -> None:
    assert volume_renderer(blob_grid(5)).step == pytest.approx(DIAGONAL / SAMPLES)
    assert volume_renderer(blob_grid(5), samples=32).step == pytest.approx(DIAGONAL / 32)


def test_both_kinds_of_fields_stand_in_for_each_other() -> None:
    """A hash field starts as the same blob of grey as a grid does."""
    hashed = HashField(HashGrid(levels=2, base=4, log2_size=8), torch.Generator().manual_seed(0))
    cameras = orbit([30.0], 20.0, size=12)
    pictures = []
    for field in (hashed, blob_grid(48)):
        drawn = volume_renderer(field)(cameras, torch.tensor([0.0, 0.5, 1.0]), geometry=True)
        assert drawn.depth.shape == (1, 12, 12, 1) and drawn.normal.shape == (1, 12, 12, 3)
        pictures.append(drawn.rgb.detach())
    torch.testing.assert_close(*pictures, atol=0.03, rtol=0)
    assert turntable_view(volume_renderer(hashed), 8, 3).shape == (8, 8, 3)
