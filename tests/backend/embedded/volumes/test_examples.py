"""Training volumes: what fills them is the object, seen as in the picture beside them, and none that is held out."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.forms import signed_distance
from backend.embedded.objects.world import HELD_OUT_2, make_thing
from backend.embedded.volumes import examples
from backend.embedded.volumes.examples import render_volumes, reshaped, write_shard
from backend.vision.volume import COARSE, DEPTHS, SIZE, Volume, look_into


@pytest.mark.parametrize("seed", [3, 14])  # 14 is a windmill: its sails are thinner than a cell is deep
def test_a_volume_throws_the_shadow_that_its_picture_shows(seed: int) -> None:
    one = render_volumes(seed, views=2)
    for rgba, solid in zip(one["rgba"], one["occupancy"], strict=True):
        mask, shadow = rgba[..., 3] > 127, solid.max(0) > 127
        assert (mask & shadow).sum() / (mask | shadow).sum() > 0.97
        rows, columns = np.nonzero(mask)
        assert np.hypot(rows + 0.5 - SIZE / 2, columns + 0.5 - SIZE / 2).max() == pytest.approx(0.46 * SIZE, abs=1.5)


def test_two_views_of_an_object_hold_the_same_solid() -> None:
    """From another side, both volumes throw nearly the same shadow: shape by the ratio of its extents."""
    one = render_volumes(8, views=2)
    heights = []
    for k in range(2):
        elevation, fov = (float(v) for v in one["place"][k])
        camera = orbit([0.0], [elevation], fov_degrees=fov, size=SIZE)
        volume = Volume(
            torch.from_numpy(one["occupancy"][k : k + 1] / 255.0).float(),
            torch.from_numpy(one["colours"][k : k + 1] / 255.0).float(),
        )
        line = torch.linspace(-0.98, 0.98, 50)
        points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
        inside = points[look_into(volume, camera, points)[0] > 0.5]
        spread = inside.std(0)
        heights.append(float(spread[2] / spread[:2].norm()))
    assert heights[0] == pytest.approx(heights[1], rel=0.12)


def test_colours_are_the_material_s_in_the_picture_s_light() -> None:
    one = render_volumes(8, views=3)
    for rgba, solid, colours in zip(one["rgba"], one["occupancy"], one["colours"], strict=True):
        shown = rgba[rgba[..., 3] > 250][:, :3].mean(0) / 255
        coarse = solid.reshape(DEPTHS // COARSE, COARSE, SIZE // COARSE, COARSE, SIZE // COARSE, COARSE).mean((1, 3, 5))
        inside = colours.transpose(1, 2, 3, 0)[coarse > 127].mean(0) / 255
        assert np.abs(shown - inside).max() < 0.2


def test_reshaped_objects_are_wider_and_deeper_by_what_was_drawn_and_fill_the_sphere() -> None:
    form = make_thing(26).form  # an apple
    extents = []
    for seed in range(12):
        shape = reshaped(form, random.Random(seed))
        line = np.linspace(-1, 1, 41)
        grid = np.stack(np.meshgrid(line, line, line, indexing="ij"), -1).reshape(-1, 3)
        inside = grid[signed_distance(shape, grid) < 0]
        extents.append(np.ptp(inside, axis=0))
        assert np.linalg.norm(inside, axis=1).max() == pytest.approx(0.92, abs=0.08)
        if not (shape.bend or shape.taper):
            assert extents[-1][0] / extents[-1][1] == pytest.approx(shape.stretch[0] / shape.stretch[1], rel=0.12)
    widths = [extent[0] / extent[1] for extent in extents]
    assert max(widths) > 1.2 and min(widths) < 0.85


def test_shards_are_written_once_and_hold_nothing_that_is_held_out(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(examples, "render_volumes", lambda seed: {"place": np.full((3, 2), seed, dtype=np.float32)})
    path = write_shard(tmp_path, 200, 2)
    with np.load(path) as arrays:
        assert arrays["place"][:, 0].tolist() == [200, 200, 200, 201, 201, 201]
    stamp = path.stat().st_mtime_ns
    assert write_shard(tmp_path, 200, 2) == path and path.stat().st_mtime_ns == stamp
    with pytest.raises(AssertionError, match="is held out"):
        write_shard(tmp_path, HELD_OUT_2.first_seed - 1, 2)
