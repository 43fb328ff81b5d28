"""The set of cases: what it counts, that it is held out, that its words are true, that nothing of it varies."""

from __future__ import annotations

import collections
from pathlib import Path

import pytest
import torch

from backend.cameras import orbit
from backend.embedded.objects.shapes import COLOURS, HELD_OUT
from backend.images import load_image, subject_mask
from backend.meshes.rasteriser import silhouette_iou
from benchmarks.data import cases
from benchmarks.data.cases import (
    all_cases,
    choose,
    photo,
    single_image,
    subject_of,
    true_mesh,
    true_views,
    write_pictures,
)


def test_the_set_counts_what_it_says() -> None:
    found = all_cases()
    assert collections.Counter(case.kind for case in found) == {"prompt": 12, "style": 12, "subject": 24, "image": 15}
    assert sum(case.outside for case in found) == 5
    assert len({case.name for case in found}) == len(found)


def test_what_is_shown_is_held_out_and_is_what_the_words_say() -> None:
    for case in all_cases():
        if not case.outside:
            subject = subject_of(case)
            assert case.seed >= HELD_OUT.first_seed
            assert (subject.colour, subject.pattern, subject.hat) == (case.colour, case.pattern, case.hat), case.name
            assert case.unseen == (case.kind == "image")
    assert set(HELD_OUT.categories) <= {case.category for case in all_cases()}


def test_cases_are_chosen_by_kind_and_name() -> None:
    assert [case.name for case in choose("image-robot,prompt")][:2] == ["image-robot", "prompt-mug"]
    assert len(choose("all")) == 63 and len(choose("image,image-robot")) == 15
    with pytest.raises(ValueError, match="there is no case 'imag': name a kind"):
        choose("imag")
    with pytest.raises(ValueError, match="unknown kind"):
        cases.Case("x", "video", "a mug")


def test_photos_are_unposed_and_always_the_same(tmp_path: Path) -> None:
    case = choose("subject-mug")[0]
    one, other = photo(case, 0), photo(case, 1)
    assert one.shape == (256, 256, 3) and torch.equal(one, photo(case, 0))
    assert (one - other).abs().mean() > 0.05
    assert one[:40].std((0, 1)).min() > 0.005  # the wall is not of one colour


def test_a_subject_in_another_colour_has_the_photos_and_the_shape_of_the_first() -> None:
    plain, red = choose("subject-bear,subject-bear-red")
    assert (plain.prompt, red.prompt, red.shown) == ("a bear", "a red bear", "brown")
    assert torch.equal(photo(plain, 0), photo(red, 0))
    one, other = subject_of(plain).solid, subject_of(red).solid
    assert one.primitives == other.primitives and one.colours[1:] == other.colours[1:]
    assert one.colours[0] != other.colours[0] == COLOURS["red"]
    assert {case.shown for case in all_cases() if case.kind != "subject"} == {""}


def test_an_image_from_outside_shows_the_mesh_that_is_its_truth() -> None:
    for case in [case for case in all_cases() if case.outside]:
        picture = single_image(case)
        mask = subject_mask(picture, None)
        seen = true_views(case)(orbit([0.0], cases.ELEVATION, fov_degrees=cases.FOV, size=256))
        assert silhouette_iou(seen.alpha, mask[None]).item() > 0.93, case.name
        towards = torch.tensor([0.0, -1.0, 0.3])  # the viewer: what is seen faces it
        facing = (seen.normal[0][seen.alpha[0, ..., 0] > 0.99] @ towards > -0.3).float().mean()
        assert facing > 0.95, case.name
        assert true_mesh(case).vertices.norm(dim=-1).max() <= 0.93


def test_pictures_have_the_roles_of_their_kind(tmp_path: Path) -> None:
    assert write_pictures(choose("prompt-mug")[0], tmp_path) == []
    (path, role), *more = write_pictures(choose("image-star")[0], tmp_path / "a")
    assert role == "reconstruct" and more == [] and load_image(path)[0].shape == (256, 256, 3)
