"""The loop that shapes: a ball in closed form, the schedules of its views, and a kill in the middle."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from addon.protocol.systems.customize_it_3d import CustomizeIt3DSettings
from backend.cameras import Cameras, azimuth_elevation, fields_of_view, orbit
from backend.meshes.rasteriser import silhouette_iou
from backend.rendering.volume import volume_renderer
from backend.representations.radiance_grid import RadianceGrid, blob_grid
from backend.systems.customize_it_3d import coarse
from backend.systems.customize_it_3d.coarse import (
    draw_look,
    draw_views,
    fine_pixels,
    first_shape,
    optimise_shape,
    pulled,
)
from backend.systems.customize_it_3d.perceived import Perceived
from backend.systems.customize_it_3d.sides import MISFIT, Beginning
from backend.systems.reference import Target
from tests.backend.systems.customize_it_3d.closed_form import (
    GREEN,
    RADIUS,
    SIZE,
    SMALL,
    Pull,
    ball,
    ball_seen,
    inside,
    open_stage,
)


def shaped(
    folder: Path, pull: Any, settings: CustomizeIt3DSettings, steps: int, novel: Any = None, checkpoint_steps: int = 0,
    sides: Beginning | None = None,
) -> RadianceGrid:  # fmt: skip
    job = open_stage(folder, checkpoint_steps=checkpoint_steps)
    settings = replace(settings, coarse_steps=steps)
    shape = partial(optimise_shape, job, pull, novel, ball_seen(), settings, sides=sides)
    return RadianceGrid(**job.stage("coarse", shape))


@torch.no_grad()
def error(field: RadianceGrid, azimuths: list[float]) -> float:
    """Return the mean difference to the green ball, inside of it, from some sides."""
    cameras = orbit(azimuths, 10.0, size=SIZE)
    wrong = (volume_renderer(field)(cameras, torch.ones(3)).rgb - ball(cameras, GREEN, torch.ones(3))).abs().mean(-1)
    return float(wrong[inside(cameras)[..., 0] > 0].mean())


def test_the_image_alone_shapes_its_own_side(tmp_path: Path) -> None:
    field = shaped(tmp_path, Pull(None), replace(SMALL, novel_views=0.0), 50)
    assert error(field, [0.0]) < 0.1 < error(field, [90.0, 180.0, 270.0])


def test_the_finest_grid_is_held_to_the_image_in_more_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    real = coarse.reference_loss

    def note(field: RadianceGrid, seen: Perceived, *more: Any) -> torch.Tensor:
        compared.append((len(field), seen.target.camera.width))
        return real(field, seen, *more)

    monkeypatch.setattr(coarse, "reference_loss", note)
    shaped(tmp_path, Pull(None), replace(SMALL, novel_views=0.0, view_size=12), 10)
    assert set(compared) == {(8, 12), (16, 12), (24, SIZE)} and compared == sorted(compared)
    large = replace(ball_seen(), target=Target(orbit([0.0], 0.0, size=512), torch.ones(1, 512, 512, 3), torch.ones(1)))
    assert [fine_pixels(large, replace(SMALL, view_size=size)) for size in (64, 256)] == [128, 256]


def test_the_images_colours_hold_the_sides_that_it_does_not_show(tmp_path: Path) -> None:
    free = shaped(tmp_path / "free", Pull(None), replace(SMALL, novel_views=0.0), 50)
    held = shaped(tmp_path / "held", Pull(None), replace(SMALL, novel_views=0.0, palette=10.0), 50)
    assert error(held, [180.0]) < 0.6 * error(free, [180.0])


def test_the_shape_begins_from_sides_that_fit_and_is_held_to_them(tmp_path: Path) -> None:
    cameras = orbit([90.0, 180.0, 270.0], 10.0, size=SIZE)
    sides = Target(cameras, ball(cameras, GREEN, torch.ones(3)), inside(cameras))
    settings = replace(SMALL, novel_views=0.0, drawn_sides=20.0)
    held = shaped(tmp_path / "held", Pull(None), settings, 30, sides=Beginning(sides))
    loose = shaped(tmp_path / "loose", Pull(None), settings, 30)
    assert error(held, [90.0, 180.0, 270.0]) < 0.5 * error(loose, [90.0, 180.0, 270.0])
    empty = Target(cameras, sides.rgb, torch.zeros_like(sides.mask))
    job = open_stage(tmp_path / "misfit")
    once, pull = replace(settings, coarse_steps=1), cast(Any, Pull())
    job.stage("coarse", lambda: optimise_shape(job, pull, None, ball_seen(), once, None, Beginning(empty)))
    assert job.warnings == [MISFIT[0]]
    guessed = blob_grid(24, radius=RADIUS, strength=60.0)
    guessed.values[..., 1:] = GREEN.logit()
    one = shaped(tmp_path / "guessed", Pull(None), once, 1, sides=Beginning(sides, guessed))
    assert error(one, [180.0]) < error(shaped(tmp_path / "ball", Pull(None), once, 1), [180.0])
    # A guess holds every side: also those between the three, which show red here.
    wrong = Beginning(replace(sides, rgb=1 - sides.rgb), guessed)
    red = Pull(1 - GREEN)
    kept = shaped(tmp_path / "kept", red, settings, 30, sides=wrong)
    astray = shaped(tmp_path / "astray", red, replace(settings, drawn_sides=0.0), 30, sides=wrong)
    assert error(kept, [135.0, 180.0, 225.0]) < 0.6 * error(astray, [135.0, 180.0, 225.0])


def test_what_knows_the_other_sides_shapes_them(tmp_path: Path) -> None:
    class Ball:
        weights: list[float] = []

        def pull(
            self, images: Any, cameras: Cameras, background: Any, t: int, generator: Any, weight: float, encoder: Any
        ) -> bool:
            self.weights.append(weight)
            wrong = images.detach() - ball(cameras, GREEN, background)
            images.backward(weight * wrong / wrong.numel(), retain_graph=True)
            return True

    alone = shaped(tmp_path / "alone", Pull(None), replace(SMALL, novel_views=0.0), 50)
    held = shaped(tmp_path / "held", Pull(None), replace(SMALL, novel_views=5.0), 50, Ball())
    sides = [100.0, 180.0, 260.0]
    assert error(held, sides) < 0.6 * error(alone, sides) and set(Ball.weights) == {5.0}


def test_normals_are_judged_with_their_own_words_and_colours_with_theirs(tmp_path: Path) -> None:
    pull, settings = Pull(None), replace(SMALL, normal_views=1.0, novel_views=0.0)
    shaped(tmp_path / "normals", pull, settings, 3)
    assert pull.told == ["a normal map of sks ball"] * 3
    pull.told.clear()
    shaped(tmp_path / "unaware", pull, replace(settings, shading_aware=False), 2)
    assert pull.told == ["a rgb photo of sks ball"] * 2


def test_guidance_that_is_no_number_is_left_out_and_twenty_in_a_row_end_the_job(tmp_path: Path) -> None:
    class Bad(Pull):
        def gradient(self, latents: torch.Tensor, *rest: Any) -> torch.Tensor:
            return torch.full_like(latents, torch.nan)

    from backend.errors import BackendError

    with pytest.raises(BackendError, match="20 steps in a row gave no usable gradient"):
        shaped(tmp_path, Bad(), SMALL, 30)


def test_a_killed_loop_goes_on_to_the_same_bytes_also_over_a_finer_grid(tmp_path: Path) -> None:
    class Killed(Pull):
        left = 7  # after the first finer grid, at step 3

        def gradient(self, *arguments: Any) -> torch.Tensor:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            return super().gradient(*arguments)

    settings = replace(SMALL, novel_views=0.0)
    whole = shaped(tmp_path / "whole", Pull(), settings, 12)
    with pytest.raises(KeyboardInterrupt):
        shaped(tmp_path / "half", Killed(), settings, 12, checkpoint_steps=5)
    again = shaped(tmp_path / "half", Pull(), settings, 12, checkpoint_steps=5)
    assert all(torch.equal(value, whole.parameters()[name]) for name, value in again.parameters().items())


def test_the_shape_begins_as_a_ball_or_as_the_outline() -> None:
    small, seen = replace(SMALL, coarse_steps=9), ball_seen()
    assert torch.equal(first_shape(seen, small).values, blob_grid(8, radius=0.4).values)
    blown = first_shape(seen, replace(small, start="outline", nodes=96))
    alpha = volume_renderer(blown, samples=96)(seen.target.camera, torch.ones(3)).alpha
    assert len(blown) == 64 and float(silhouette_iou(alpha, seen.target.mask)) > 0.8


def test_views_spread_from_the_images_side_until_they_are_all_round() -> None:
    settings = replace(SMALL, first_azimuth=45.0, widened=0.5, views=4, low_elevation=-10.0, high_elevation=30.0)
    reference, generator = orbit([30.0], 10.0, fov_degrees=33.0), torch.Generator().manual_seed(0)

    def away(step: int) -> torch.Tensor:
        drawn = [draw_views(step, 100, reference, settings, SIZE, generator) for _ in range(100)]
        heights = torch.cat([azimuth_elevation(cameras)[1] for cameras in drawn])
        assert -10.1 < heights.min() < -8 and 28 < heights.max() < 30.1
        assert torch.allclose(fields_of_view(drawn[0]), torch.full((4,), 33.0), atol=1e-3)
        return torch.stack([(azimuth_elevation(cameras)[0] - 30 + 180) % 360 - 180 for cameras in drawn])

    assert 40 < away(0).abs().max() <= 45.01
    half = away(25)
    assert 105 < half.abs().max() <= 112.6 and (half.diff(dim=1) > 0).all()  # one in each part of the range
    assert away(50).abs().max() > 170 and away(100).abs().max() > 170
    compat = draw_views(0, 100, reference, replace(settings, paper_compat=True), SIZE, generator)
    assert torch.allclose(fields_of_view(compat), torch.full((4,), 60.0), atol=1e-3)


def test_looks_come_in_their_shares_and_take_the_same_draws() -> None:
    settings = replace(
        SMALL, normal_views=0.3, depth_views=0.2, mask_views=0.1, unlit=0.5, lit=1.0, textureless=0.0, modalities="all"
    )
    cameras, generator = orbit([0.0, 90.0], 10.0), torch.Generator().manual_seed(0)
    early, late = ([draw_look(step, 100, cameras, settings, generator) for _ in range(2_000)] for step in (0, 60))
    for looks, lit in ((early, "albedo"), (late, "lambertian")):
        shares = {kind: sum(look.kind == kind for look in looks) / 2_000 for kind in ("normal", "depth", "mask", "rgb")}
        assert shares == pytest.approx({"normal": 0.3, "depth": 0.2, "mask": 0.1, "rgb": 0.4}, abs=0.04)
        assert {look.shading.kind for look in looks if look.kind == "rgb"} == {lit}
        assert {look.shading.kind for look in looks if look.kind != "rgb"} == {"albedo"}
    untaught = replace(settings, modalities="rgb")  # normals that were never taught are not judged
    assert {draw_look(0, 100, cameras, untaught, generator).kind for _ in range(50)} == {"rgb"}
    states = []
    for step in (0, 99):
        own = torch.Generator().manual_seed(4)
        draw_look(step, 100, cameras, settings, own)
        states.append(own.get_state())
    assert torch.equal(*states)


def test_what_copies_have_collected_comes_back_once() -> None:
    pictures = torch.rand(1, 2, 2, 3).requires_grad_()
    leaves = pictures.detach().requires_grad_()
    assert float(pulled(pictures, leaves).detach()) == 0
    (leaves * 3).sum().backward()
    pulled(pictures, leaves).backward()
    assert pictures.grad is not None and torch.equal(pictures.grad, torch.full((1, 2, 2, 3), 3.0))
