"""The four images of the object, seen, replaced, and made smaller."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol.systems.subject_prompts import class_word
from backend.cameras import azimuth_elevation
from backend.diffusion.camera_search import Place
from backend.diffusion.denoiser import kept_prior
from backend.errors import BadInput, EmptyMask, JobStopped
from backend.images import load_image, save_image
from backend.meshes.rasteriser import silhouette_iou
from backend.systems import customize_it_3d
from backend.systems.customize_it_3d import perceived
from backend.systems.customize_it_3d.perceived import perceive, read_perceived, resized, without_lists
from backend.systems.overrides import chosen_settings
from tests.backend.systems.customize_it_3d.small_jobs import new_job, open_job


def look(job: Any) -> Any:
    settings = chosen_settings(protocol.SYSTEMS["customize_it_3d"], "bench", job.settings)
    return perceive(job, kept_prior("embedded"), settings)


def warnings(said: list[Any]) -> list[str]:
    return [event.message for event in said if isinstance(event, protocol.Warning)]


def test_an_image_becomes_four_that_the_artist_may_replace(tmp_path: Path) -> None:
    with pytest.raises(JobStopped):
        customize_it_3d.run(new_job(tmp_path / "job", stop_after="modalities"))
    folder = tmp_path / "job/stages/1-modalities"
    pictures = {name: load_image(folder / f"{name}.png")[0] for name in ("rgb", "mask", "depth", "normal")}
    side = pictures["rgb"].shape[0]
    assert all(picture.shape == (side, side, 3) for picture in pictures.values())
    inside, outside = pictures["mask"][..., 0] > 0.99, pictures["mask"][..., 0] < 0.01
    assert pictures["normal"][outside].min() > 0.97 and pictures["depth"][outside].max() < 0.03
    facing = pictures["normal"][inside][:, 2].mean()
    assert facing > 0.6  # what is seen faces the viewer

    save_image(folder / "depth.png", torch.full((side, side, 3), 0.25))
    job = open_job(tmp_path / "job")
    seen = look(job)
    assert float(seen.depth.mean()) == pytest.approx(0.25, abs=0.01) and seen.subject == "robot"
    assert seen.target.rgb.shape == (1, 128, 128, 3) and seen.photo.rgb.shape[1] == side
    for kind in ("rgb", "mask", "depth", "normal"):
        assert seen.picture(kind).shape == (1, 128, 128, 3)
    save_image(folder / "normal.png", torch.zeros(7, 7, 3))
    with pytest.raises(BadInput, match="normal.png has 7 x 7 pixels, rgb.png"):
        look(open_job(tmp_path / "job"))


def test_without_a_prompt_the_image_is_named_and_that_is_said(tmp_path: Path) -> None:
    said: list[Any] = []
    seen = look(new_job(tmp_path / "job", prompt="", said=said))
    assert seen.subject.isalpha() and f"The object is taken for {seen.prompt}." in warnings(said)
    assert seen.prompt.endswith(f" {seen.subject}")
    said.clear()
    seen = look(new_job(tmp_path / "named", prompt="", subject_class="Golem", said=said))
    assert seen.subject == "golem" and not any("taken for" in sentence for sentence in warnings(said))


def test_of_listed_colours_the_thing_itself_is_found() -> None:
    for prompt, subject in {
        "a red and gray robot": "robot",
        "a black, white and red bird on a stick": "bird",
        "a robot and a ball": "robot",
        "a teal vase": "vase",
        "salt, pepper": "salt",
    }.items():
        assert class_word(without_lists(prompt), "sks") == subject


def test_without_an_image_the_prior_draws_one(tmp_path: Path) -> None:
    seen = look(new_job(tmp_path / "job", prompt="a red mug", image=False))
    assert (tmp_path / "job/stages/1-modalities/sampled.png").is_file() and seen.subject == "mug"


def test_a_white_image_and_a_tiny_one_have_their_sentences(tmp_path: Path) -> None:
    with pytest.raises(EmptyMask, match="robot.png: The mask is empty: 0 of 4096 pixels"):
        look(new_job(tmp_path / "white", picture=torch.ones(64, 64, 3)))
    said: list[Any] = []
    tiny = torch.ones(16, 16, 3)
    tiny[3:13, 4:12] = torch.tensor([0.8, 0.1, 0.1])
    look(new_job(tmp_path / "tiny", picture=tiny, said=said))
    assert "robot.png: The object is only 8 x 10 pixels large in its picture." in warnings(said)


def test_of_several_things_one_is_taken_and_a_mask_counts_before_all(tmp_path: Path) -> None:
    two = torch.ones(64, 96, 3)
    two[10:50, 8:40] = torch.tensor([0.8, 0.1, 0.1])
    two[30:50, 60:80] = torch.tensor([0.1, 0.1, 0.8])
    said: list[Any] = []
    seen = look(new_job(tmp_path / "all", picture=two, said=said))
    assert any("The cut-out has 2 pieces" in sentence for sentence in warnings(said))
    small = look(new_job(tmp_path / "second", picture=two, piece=2))
    blue = (small.target.rgb * small.target.mask).sum((0, 1, 2)) / small.target.mask.sum()
    assert blue[2] > 0.7 > 0.3 > blue[0] and float(seen.target.mask.mean()) > 0.1

    job = new_job(tmp_path / "masked", picture=two)
    mask = torch.zeros(64, 96, 3)
    mask[30:50, 60:80] = 1
    save_image(tmp_path / "masked/inputs/01.png", mask)
    images = (*job.request.images, protocol.InputImage(path="inputs/01.png", role="mask"))
    protocol.write_request(tmp_path / "masked", replace(job.request, images=images))
    masked = look(open_job(tmp_path / "masked"))
    assert float(silhouette_iou(masked.target.mask, small.target.mask)) > 0.9


def test_the_camera_is_found_where_the_prior_is_sure_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    sureness = 5.0

    def find(prior: Any, pictures: torch.Tensor, prompt: str, generator: Any) -> list[Place]:
        asked.append(prompt)
        return [Place(90.0, 25.0, sureness)]

    monkeypatch.setattr(perceived, "find_places", find)
    said: list[Any] = []
    seen = look(new_job(tmp_path / "sure", find_camera=True, said=said))
    azimuth, elevation = azimuth_elevation(seen.target.camera)
    assert (float(azimuth), float(elevation)) == pytest.approx((90, 25), abs=1e-3) and asked == ["a robot"]
    assert "The image was taken from azimuth 90, elevation 25 degrees, as the prior sees it." in warnings(said)
    assert seen.pictured and (seen.pictured.azimuth_degrees, seen.pictured.elevation_degrees) == (90, 25)
    sureness = 1.0
    unsure = look(new_job(tmp_path / "unsure", find_camera=True, said=said))
    assert float(azimuth_elevation(unsure.target.camera)[1]) == pytest.approx(15, abs=1e-3)
    assert any("not sure of the camera (perhaps azimuth 90" in sentence for sentence in warnings(said))


def test_a_smaller_view_is_the_same_view(tmp_path: Path) -> None:
    folder = tmp_path
    rows = torch.linspace(0, 1, 64)[:, None, None].expand(64, 64, 3)
    save_image(folder / "rgb.png", rows)
    save_image(folder / "mask.png", (rows > 0.25).float())
    save_image(folder / "depth.png", torch.where(rows > 0.25, rows, torch.zeros(())))
    save_image(folder / "normal.png", torch.tensor([0.5, 0.5, 1.0]).expand(64, 64, 3))
    seen = read_perceived(folder, (30.0, 10.0), 40.0, 64, "thing")
    small = resized(seen, 16)
    assert resized(seen, 64) is seen and small.target.rgb.shape == (1, 16, 16, 3)
    place = torch.tensor([0.2, 0.1, -0.3, 1.0])
    pixels = [
        view.target.camera.intrinsics[0] @ (view.target.camera.world_to_camera[0] @ place)[:3] for view in (seen, small)
    ]
    assert torch.allclose(pixels[0][:2] / pixels[0][2] / 4, pixels[1][:2] / pixels[1][2])
    inside = small.target.mask[0, :, 0, 0] > 0.99
    wanted = torch.linspace(0, 1, 64).view(16, 4).mean(1)
    assert torch.allclose(small.depth[0, :, 0, 0][inside], wanted[inside], atol=0.03)
    assert torch.allclose(small.normal[0, inside, 8, 2], torch.ones(int(inside.sum())), atol=0.01)
