"""The reference image: how it is framed, which camera saw it, and what a replaced mask may be."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from backend.cameras import orbit
from backend.diffusion.denoiser import load_prior
from backend.embedded.objects.solids import Primitive, Solid, photograph
from backend.errors import BadInput, EmptyMask, JobStopped
from backend.images import load_image, save_image
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems.reference import Target, cut_out, perceive, pictured, read_target, seen_view


def ball(folder: Path, *, fov: float, distance: float, size: int = 384) -> Path:
    """Photograph a ball of radius 0.92 and return the picture's path."""
    solid = Solid((Primitive("ellipsoid", (0, 0, 0), (0.92, 0.92, 0.92)),), ((0.8, 0.1, 0.1),))
    camera = orbit([0.0], 0.0, fov_degrees=fov, distance=distance, size=size)
    save_image(folder / "ball.png", photograph(solid, camera, torch.full((3,), 0.9)).rgb[0])
    return folder / "ball.png"


@pytest.mark.parametrize("distance", [3.2, 6.0, 9.0])
def test_a_ball_is_framed_as_the_world_frames_it_from_any_distance(tmp_path: Path, distance: float) -> None:
    """The crop's camera sees a ball of radius 0.92 fill what the crop shows, and its field of view is the crop's."""
    values = cut_out(ball(tmp_path, fov=40.0, distance=distance), tmp_path, 96, 40.0)
    for target in (
        read_target(tmp_path, 0.0, 0.0, values["fov_degrees"]),
        read_target(tmp_path, 0.0, 0.0, values["fov_degrees"], size=96),
    ):
        radius = math.sqrt(float(target.mask.sum()) / math.pi) / (target.camera.width / 2)  # of half the frame
        assert radius == pytest.approx(0.92, abs=0.03) and target.rgb.shape[1] == target.camera.width
    assert target.camera.width == 96
    edge = math.asin(0.92 / distance)  # half the angle under which the ball was seen
    assert math.tan(math.radians(values["fov_degrees"] / 2)) == pytest.approx(math.tan(edge) / 0.92, rel=0.05)


def test_the_artist_may_replace_the_mask(tmp_path: Path) -> None:
    values = cut_out(ball(tmp_path, fov=40.0, distance=5.0), tmp_path, 64, 40.0)
    side = read_target(tmp_path, 0.0, 15.0, values["fov_degrees"]).rgb.shape[1]
    assert 64 < side <= 384  # as many pixels as the picture has there
    assert read_target(tmp_path, 0.0, 15.0, values["fov_degrees"], size=64).rgb.shape == (1, 64, 64, 3)
    save_image(tmp_path / "rgb.png", torch.ones(64, 64, 3))
    save_image(tmp_path / "mask.png", torch.ones(64, 64, 3))
    assert float(read_target(tmp_path, 0.0, 15.0, 40.0).mask.mean()) == 1.0
    save_image(tmp_path / "mask.png", torch.zeros(64, 64, 3))
    with pytest.raises(EmptyMask, match="0 of 4096 pixels"):
        read_target(tmp_path, 0.0, 15.0, 40.0)
    save_image(tmp_path / "mask.png", torch.ones(64, 32, 3))
    with pytest.raises(BadInput, match="64 x 64 pixels, and its mask 32 x 64"):
        read_target(tmp_path, 0.0, 15.0, 40.0)


def job_of(
    folder: Path, picture: torch.Tensor, mask: torch.Tensor | None = None, **fields: Any
) -> tuple[Job, list[Any]]:
    """Open a job of a picture that the artist calls cup.png, and of its mask cup-mask.png."""
    images = [protocol.InputImage(path="inputs/00.png", name="cup.png")]
    if not folder.exists():
        (folder / "inputs").mkdir(parents=True)
        save_image(folder / "inputs/00.png", picture)
    if mask is not None:
        save_image(folder / "inputs/01.png", mask)
        images.append(protocol.InputImage(path="inputs/01.png", role="mask", name="cup-mask.png"))
    said: list[Any] = []
    request = protocol.Request(system="tv3dg", prompt="a cup", images=tuple(images), **fields)
    return Job(folder, request, said.append, Control()), said


def warnings(said: list[Any]) -> list[str]:
    return [event.message for event in said if isinstance(event, protocol.Warning)]


def scene(*places: tuple[int, int, int, int]) -> torch.Tensor:
    """Return red boxes on light grey, [96, 96, 3]: top, left, height, width."""
    image = torch.full((96, 96, 3), 0.85)
    for top, left, height, width in places:
        image[top : top + height, left : left + width] = torch.tensor([0.8, 0.1, 0.1])
    return image


def test_what_is_doubted_is_said_in_the_pictures_name_before_the_job_stops_and_when_it_goes_on(tmp_path: Path) -> None:
    two = scene((10, 10, 50, 40), (60, 60, 30, 30))
    job, said = job_of(tmp_path / "job", two, stop_after="perceive")
    with pytest.raises(JobStopped):
        perceive(job, job.request.images[0], 32)
    sentence = "cup.png: The cut-out has 2 pieces; the largest is 69% of it."
    assert warnings(said) == [sentence] == job.record()["warnings"]
    job, said = job_of(tmp_path / "job", two)
    perceive(job, job.request.images[0], 32)
    assert [event.loaded for event in said if isinstance(event, protocol.Stage)] == [True] and warnings(said) == [
        sentence
    ]
    job, said = job_of(tmp_path / "one", scene((10, 10, 50, 40)))
    perceive(job, job.request.images[0], 32)
    assert warnings(said) == []


def test_a_mask_of_the_artists_is_taken_and_one_piece_can_be_chosen(tmp_path: Path) -> None:
    two = scene((4, 4, 34, 64), (44, 40, 48, 48 - 8))
    mask = torch.zeros(96, 96, 1)
    mask[20:70, 20:70] = 1.0
    job, said = job_of(tmp_path / "given", two, mask)
    photo = perceive(job, job.request.images[0], 32).photo
    assert warnings(said) == [] and float(photo.mask.mean()) == pytest.approx(0.92**2 / 2, abs=0.02)  # a square
    job, said = job_of(tmp_path / "second", two)
    photo = perceive(job, job.request.images[0], 32, piece=2).photo
    assert warnings(said) == [] and float(photo.mask.mean()) == pytest.approx(0.92**2 / 2, abs=0.02)
    job, _ = job_of(tmp_path / "wrong", two, torch.ones(64, 96, 1))
    with pytest.raises(BadInput, match=r"cup\.png: The mask has 96 x 64 pixels, its picture 96 x 96"):
        perceive(job, job.request.images[0], 32)


def test_where_in_the_picture_a_piece_was_is_said_in_shares_of_its_longer_side(tmp_path: Path) -> None:
    """In a picture of 128 x 96 a box of 40 x 40 about (30, 50), and one of 20 x 20 about (100, 30)."""
    two = torch.full((96, 128, 3), 0.85)
    two[30:70, 10:50] = two[20:40, 90:110] = torch.tensor([0.8, 0.1, 0.1])
    for piece, (across, down, width) in {1: (30 - 64, 50 - 48, 40), 2: (100 - 64, 30 - 48, 20)}.items():
        job, _ = job_of(tmp_path / str(piece), two)
        image = replace(job.request.images[0], azimuth_degrees=30.0, elevation_degrees=15.0, fov_degrees=50.0)
        seen = perceive(job, image, 32, piece=piece)
        there = seen.pictured
        assert there is not None and (there.across, there.down) == pytest.approx((across / 128, down / 128))
        circle = width * math.sqrt(2) / 0.92
        assert 0.9 * circle < there.side * 128 <= circle + 1  # the mask of a box has soft corners
        assert (there.azimuth_degrees, there.elevation_degrees, there.fov_degrees) == (30.0, 15.0, 50.0)
        half = math.tan(math.radians(50 / 2)) * there.side  # as the crop's own camera has it
        width_of_one = float(seen.photo.camera.intrinsics[0, 0, 0]) / seen.photo.camera.width
        assert 0.5 / width_of_one == pytest.approx(half, rel=1e-4)
        again, _ = job_of(tmp_path / str(piece), two)
        assert perceive(again, image, 32, piece=piece).pictured == there


def test_a_stage_from_before_that_was_said_says_nothing() -> None:
    image = protocol.InputImage(path="inputs/00.png", elevation_degrees=15.0)
    assert pictured(image, {"fov_degrees": 20.0}) is None
    there = pictured(image, {"crop": [0.1, -0.2, 0.5]}, (40.0, 5.0))
    assert there == protocol.Pictured(0.1, -0.2, 0.5, 40.0, 5.0, 40.0)


def test_a_line_is_too_thin_until_its_mask_is_painted_thicker(tmp_path: Path) -> None:
    line, mask = scene(), torch.zeros(96, 96, 1)
    mask[4:92, 48] = 1.0
    job, said = job_of(tmp_path / "job", line, mask)
    with pytest.raises(EmptyMask, match=r"cup\.png: The object is too thin: 0 of 1024 pixels") as caught:
        perceive(job, job.request.images[0], 32)
    assert "the mask thicker" in caught.value.hint and "100% of the cut-out is thinner" in warnings(said)[0]
    painted = tmp_path / "job/stages/1-perceive/mask.png"
    thick = load_image(painted)[0]
    thick[:, 40:56] = 1.0
    save_image(painted, thick)
    job, said = job_of(tmp_path / "job", line, mask)
    assert float(perceive(job, job.request.images[0], 32).target.mask.max()) > 0.9
    assert len(warnings(said)) == 1 and "Mask was replaced" in warnings(said)[0]


def test_a_cut_out_in_the_priors_pixels_has_no_dark_edge(tmp_path: Path) -> None:
    mask = torch.zeros(96, 96, 1)
    mask[20:75, 30:71] = 1.0
    save_image(tmp_path / "rgb.png", 0.8 * mask.expand(-1, -1, 3))
    save_image(tmp_path / "mask.png", mask.expand(-1, -1, 3))
    target = read_target(tmp_path, 0.0, 0.0, 40.0, size=64)
    inside = target.rgb[target.mask[..., 0] > 0.02]
    torch.testing.assert_close(inside, torch.full_like(inside, 0.8), atol=0.003, rtol=0)


def test_a_prior_sees_the_reference_before_the_background_that_the_views_have() -> None:
    prior = load_prior("embedded")
    size = prior.image_size
    mask = torch.zeros(1, size, size, 1)
    mask[:, 40:90, 30:80] = 1
    target = Target(orbit([20.0], 5.0, size=size), torch.rand(1, size, size, 3), mask)
    grey = torch.full((3,), 0.5)
    seen = seen_view(prior, target, grey)
    assert torch.equal(seen.latents, prior.encode(torch.where(mask > 0, target.rgb, grey)))
    assert seen.camera is target.camera and not seen.latents.requires_grad
    with pytest.raises(ValueError, match="64 pixels for a prior of 128"):
        seen_view(prior, Target(target.camera, target.rgb[:, :64, :64], mask[:, :64, :64]), grey)
