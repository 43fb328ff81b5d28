"""Photos whose cameras are found: taught with them, and laid over the first field to hold the final one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol.systems.dreambooth3d import DreamBooth3DSettings
from backend.cameras import azimuth_elevation
from backend.diffusion.camera_search import Place
from backend.diffusion.denoiser import Prior, load_prior
from backend.rendering.volume import volume_renderer
from backend.representations.radiance import EMPTY_RAW
from backend.representations.radiance_grid import RadianceGrid, blob_grid
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems.dreambooth3d import places
from backend.systems.dreambooth3d.places import (
    box,
    camera_of,
    guess_of_photos,
    moved_onto,
    photo_places,
    posed_photos,
    spread,
    taught_photos,
)
from tests.addon.made_subjects import PHOTOS


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def test_the_arc_that_holds_all_sides_may_cross_the_back() -> None:
    assert spread([170.0, -175.0, 180.0]) == pytest.approx(15.0)
    assert spread([0.0, 120.0, 240.0]) == pytest.approx(240.0) and spread([10.0, 10.0]) == 0.0


def test_half_of_a_step_is_told_from_where_the_sure_photos_were_taken(prior: Prior) -> None:
    photos = torch.rand(3, prior.image_size, prior.image_size, 3)
    found = [Place(0.0, 10.0, 5.0), Place(180.0, 10.0, 0.5), Place(90.0, 20.0, 2.5)]
    alone, told = taught_photos(prior, photos, found, "a sks bear", DreamBooth3DSettings(tuning_batch=5))
    assert alone.batch + told.batch == 5 and alone.cameras is None and len(alone.prompts) == 3
    assert told.prompts == ("a sks bear, front view", "a sks bear, side view") and told.cameras is not None
    assert azimuth_elevation(told.cameras)[0].round().tolist() == [0.0, 90.0]
    assert torch.equal(told.latents, alone.latents[[0, 2]])
    for places_found in ([], found[1:2]):
        assert len(taught_photos(prior, photos, places_found, "a sks bear", DreamBooth3DSettings())) == 1


def picture(size: int, rows: slice, columns: slice) -> torch.Tensor:
    layer = torch.zeros(size, size, 4)
    layer[rows, columns] = torch.tensor([0.8, 0.2, 0.1, 1.0])
    return layer


def test_a_cut_out_is_laid_onto_an_outline() -> None:
    layer, wanted = picture(64, slice(8, 40), slice(16, 32)), picture(32, slice(12, 28), slice(20, 28))
    moved = moved_onto(layer, wanted[..., 3])
    assert moved.shape == (32, 32, 4)
    assert torch.allclose(moved[..., 3], wanted[..., 3], atol=0.02)  # half as large, elsewhere, and as sharp
    assert torch.allclose(moved[20, 24], torch.tensor([0.8, 0.2, 0.1, 1.0]), atol=0.01)
    middle, size = box(wanted[..., 3])
    assert middle.tolist() == [0.5, 0.25] and size.tolist() == [0.5, 1.0]


def solid_ball() -> RadianceGrid:
    """Return a ball that is dense, and red on its right half."""
    field = blob_grid(24, radius=0.5)
    side = torch.linspace(-1, 1, 24)
    nodes = torch.stack(torch.meshgrid(side, side, side, indexing="ij"), -1)
    field.values[..., 0] = torch.where(nodes.norm(dim=-1) < 0.5, 8.0, EMPTY_RAW)
    field.values[12:, :, :, 1:] = torch.tensor([3.0, -3.0, -3.0])
    return field


def test_photos_hold_the_field_from_where_they_fit_it() -> None:
    field, size = solid_ball(), 32
    places_found = [Place(0.0, 15.0, 4.0), Place(90.0, 15.0, 4.0), Place(180.0, 15.0, 0.1)]
    alpha = volume_renderer(field, samples=48)(camera_of(places_found[0], size), torch.ones(3)).alpha[0, ..., 0]
    assert bool((alpha > 0.5).any())
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 64), torch.linspace(-1, 1, 64), indexing="ij")
    disc = torch.full((64, 64, 4), 0.3)
    disc[..., 3] = (rows**2 + columns**2 < 0.8).float()
    bar = picture(64, slice(30, 34), slice(2, 62))
    views = posed_photos(torch.stack([disc, bar, disc]), places_found, field, size)
    assert views is not None and len(views.cameras) == 1  # the bar fits no ball, the third is not sure
    assert azimuth_elevation(views.cameras)[0].tolist() == [0.0]
    inside = alpha > 0.9
    assert torch.allclose(views.pictures[0][inside], torch.tensor(0.3), atol=0.2)
    assert posed_photos(bar[None], places_found[:1], field, size) is None
    assert posed_photos(disc[None], [], field, size) is None


def test_what_is_behind_is_guessed_of_the_sure_photo_nearest_to_the_front(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(places, "guess_field", lambda target, *rest: asked.append((target, rest)) or solid_ball())
    layers = torch.stack([picture(64, slice(8, 40), slice(8 + i, 32)) for i in range(4)])
    found = [Place(0.0, 15.0, 0.1), Place(200.0, 15.0, 4.0), Place(330.0, 25.0, 4.0), Place(100.0, 15.0, 4.0)]
    settings = DreamBooth3DSettings(nodes=48)
    assert guess_of_photos(layers, found, settings) is not None
    (target, rest), *more = asked
    assert not more and rest == ("embedded", 48) and target.camera.width == 64
    assert [round(float(angle[0])) % 360 for angle in azimuth_elevation(target.camera)] == [330, 25]
    assert torch.equal(target.mask[0], layers[2, ..., 3:]) and torch.equal(target.rgb[0], layers[2, ..., :3])
    grey = guess_of_photos(layers, found, settings, same=False)
    assert grey is not None and torch.equal(grey.values[..., 0], solid_ball().values[..., 0])
    assert float(grey.values[..., 1:].abs().max()) == 0
    asked.clear()
    assert guess_of_photos(layers, found[:1], settings) is None and guess_of_photos(layers, [], settings) is None
    assert guess_of_photos(layers, found, replace(settings, guessed_sides=False)) is None and not asked


def job_of(folder: Path) -> tuple[Job, list[Any]]:
    folder.mkdir()
    said: list[Any] = []
    request = protocol.Request(system="dreambooth3d", prompt="a bear", images=PHOTOS)
    return Job(folder, request, said.append, Control()), said


def test_photos_of_one_side_are_said(prior: Prior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Place(170.0, 0.0, 3.0), Place(-170.0, 0.0, 3.0), Place(0.0, 0.0, 0.1)]
    monkeypatch.setattr(places, "find_places", lambda *arguments: found)
    job, said = job_of(tmp_path / "job")
    photos = torch.zeros(3, 8, 8, 3)
    assert photo_places(job, prior, photos, "bear", DreamBooth3DSettings(), {}) == found
    assert "taken from one side, within 20 degrees" in " ".join(getattr(event, "message", "") for event in said)
    job, _ = job_of(tmp_path / "off")
    assert photo_places(job, prior, photos, "bear", DreamBooth3DSettings(photo_cameras=False), {}) == []
    assert not job.stages
