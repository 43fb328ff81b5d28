"""Photos become cut-outs on white, what cannot be used is said, and doubts are about what is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from backend.cameras import orbit
from backend.embedded.objects.shapes import HELD_OUT, make_subject
from backend.embedded.objects.solids import photograph
from backend.errors import EmptyMask
from backend.images import load_image, save_image
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems.dreambooth3d.photos import asked_photos, cut_out_photos, doubts, unlike


def job_of(folder: Path, pictures: list[torch.Tensor], others: int = 0) -> tuple[Job, list[Any]]:
    (folder / "inputs").mkdir(parents=True)
    for number, picture in enumerate(pictures):
        save_image(folder / f"inputs/{number}.png", picture)
    images = tuple(protocol.InputImage(path=f"inputs/{n}.png", role="subject") for n in range(len(pictures)))
    images += tuple(protocol.InputImage(path=f"inputs/{n}.png") for n in range(others))
    request = protocol.Request(system="dreambooth3d", prompt="a bear", images=images)
    said: list[Any] = []
    return Job(folder, request, said.append, Control()), said


def disc(x: float = 0.0, y: float = 0.0, wide: float = 0.4, high: float = 0.4, colour: float = 0.2) -> torch.Tensor:
    """Return an ellipse on light grey, [60, 80, 3]."""
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 60), torch.linspace(-1.33, 1.33, 80), indexing="ij")
    inside = (((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 < 1)[..., None]
    return torch.where(inside, torch.tensor([0.8, colour, 0.1]), torch.tensor(0.85))


def cut(picture: torch.Tensor) -> torch.Tensor:
    inside = (picture[..., :1] - 0.85).abs() < 0.04
    alpha = ((picture[..., 2:] < 0.5) | ~inside).float()
    return torch.cat([picture, alpha], -1)[:, 10:70]


def warnings(said: list[Any]) -> str:
    return " ".join(event.message for event in said if isinstance(event, protocol.Warning))


def test_photos_become_squares_on_white_and_may_be_replaced(tmp_path: Path) -> None:
    job, _ = job_of(tmp_path / "job", [disc(0.5), disc(-0.4, 0.2, 0.2, 0.5)])
    photos = cut_out_photos(job, 32)
    assert photos.shape == (2, 32, 32, 3)
    assert torch.allclose(photos[:, 0, 0], torch.ones(2, 3))
    assert torch.allclose(photos[:, 16, 16], torch.tensor([0.8, 0.2, 0.1]), atol=0.02)
    assert float((photos[0] < 0.9).any(-1).float().mean()) == pytest.approx(3.1416 / 4 * 0.92**2, abs=0.06)
    folder = job.stage_path("cutouts")
    assert load_image(folder / "photo-01.png")[1] is not None
    save_image(folder / "photo-02.png", torch.full((32, 32, 3), 0.3))
    again = Job(tmp_path / "job", job.request, lambda event: None, Control())
    seen = cut_out_photos(again, 32)
    assert torch.allclose(seen[1], torch.tensor(0.3), atol=0.01) and torch.equal(seen[0], photos[0])


def test_fifty_photos_are_more_than_are_needed_and_images_of_something_else_are_not_used(tmp_path: Path) -> None:
    job, said = job_of(tmp_path / "many", [disc()] * 50)
    assert len(asked_photos(job)) == 50 and "50 photos are more" in warnings(said)
    job, said = job_of(tmp_path / "few", [disc()] * 2, others=1)
    assert len(asked_photos(job)) == 2 and warnings(said).startswith("1 images are not used")


def test_a_photo_without_a_subject_is_left_out_and_too_few_are_refused(tmp_path: Path) -> None:
    grey = torch.full((60, 80, 3), 0.5)
    job, said = job_of(tmp_path / "job", [disc(), grey, disc(0.3, wide=0.2)])
    assert len(cut_out_photos(job, 32)) == 2 and "inputs/1.png is left out: The mask is empty" in warnings(said)
    with pytest.raises(EmptyMask, match="Only 1 of 2 photos show a subject"):
        cut_out_photos(job_of(tmp_path / "few", [disc(), grey])[0], 32)


def test_doubts_are_about_twins_one_side_thin_subjects_and_strangers() -> None:
    sides = [disc(wide=0.5), disc(wide=0.25), disc(high=0.3)]
    fine = torch.stack([cut(each) for each in sides])
    assert doubts(fine) == []

    def said(*pictures: torch.Tensor) -> str:
        return " ".join(sentence for sentence, _ in doubts(torch.stack([cut(each) for each in pictures])))

    assert said(*sides, sides[0]) == "Photos 1 and 4 are nearly the same."
    assert "All photos seem to show one side." in said(
        *(disc(wide=0.9, high=0.9, colour=colour) for colour in (0.0, 0.12, 0.24))
    )
    assert said(*(disc(x=0.0, wide=0.03, high=high) for high in (0.9, 0.6, 0.4))) == "The subject is thin."
    assert said(*sides, disc(high=0.5, colour=0.9)) == "Photo 4 has other colours than the rest."


@pytest.fixture(scope="module")
def things() -> dict[str, torch.Tensor]:
    """Photos of three things of one colour from three sides, [3, 96, 96, 3] each."""
    made = {}
    for seed, category in ((1, "mug"), (2, "house"), (5, "rocket")):
        solid = make_subject(HELD_OUT.first_seed + 900 + seed, category=category, colour="red", unseen=True).solid
        made[category] = photograph(solid, orbit([10.0, 120.0, 250.0], 20.0, size=96), torch.ones(3)).rgb
    return made


def test_a_photo_of_something_else_is_told_though_it_has_the_same_colour(things: Any) -> None:
    mug, house, rocket = things.values()

    def said(*pictures: torch.Tensor) -> list[str]:
        return [sentence for sentence, _ in unlike(torch.cat(pictures))]

    assert said(mug) == said(house) == said(rocket) == []
    assert said(mug, rocket[:1]) == ["Photo 4 seems to show something else than the rest."]
    assert said(mug, rocket[:2]) == ["Photos 4, 5 seem to show something else than the rest."]
    for mixed in ((mug, rocket), (mug[:1], rocket[:1])):
        assert said(*mixed) == ["The photos seem to show different things."]


def test_a_job_warns_of_it(things: Any, tmp_path: Path) -> None:
    job, said = job_of(tmp_path / "job", [things["mug"][0], things["rocket"][0]])
    cut_out_photos(job, 96)
    assert "The photos seem to show different things." in warnings(said)
