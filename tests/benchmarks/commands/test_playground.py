"""The 2D playground: its menu is the backend's, its parts of SDS add up, and it moves images."""

from __future__ import annotations

import pytest
import torch

from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.guidance import LOSSES, Contexts
from benchmarks.commands import playground


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior("embedded")


def test_the_menu_is_the_backends(prior: Prior) -> None:
    assert set(LOSSES) <= set(playground.losses(prior, 7.5, 100))


def test_the_two_parts_of_sds_add_up(prior: Prior) -> None:
    menu = playground.losses(prior, 7.5, 100)
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    contexts = Contexts(prior.embed(["a red mug"]), prior.embed([""]))

    def gradient(name: str) -> torch.Tensor:
        return menu[name](latents, 400, contexts, torch.Generator().manual_seed(1))

    # uncond - noise + s (cond - uncond) = (cond - noise) + (s - 1) (cond - uncond)
    parts = gradient("sds: difference") + (7.5 - 1) / 7.5 * gradient("sds: classifier")
    assert torch.allclose(gradient("sds"), parts, atol=1e-4)


def test_a_course_counts_and_moves(prior: Prior) -> None:
    menu = playground.losses(prior, 7.5, 100)
    start = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    course = playground.optimise(prior, menu["csd"], start, ["a red mug"], 3, 0.05, seed=0)
    assert course.evaluations == 6 and course.snapshots.shape == (4, 1, 128, 128, 3)
    moved = (course.latents - start).abs()
    assert 0.05 < moved.mean() < 0.16  # Adam takes steps of its rate
    assert not torch.equal(course.snapshots[0], course.snapshots[-1])


def test_a_row_has_its_title_in_front() -> None:
    row = playground.labelled("sds", torch.zeros(2, 16, 16, 3), width=48)
    assert row.shape == (16, 48 + 32, 3) and row[:, :48].mean() > 0.8 and row[:, 48:].max() == 0
