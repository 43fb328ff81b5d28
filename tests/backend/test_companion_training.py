"""What the companions' trainers feed their networks and how they fit them, by hand-made numbers."""

from __future__ import annotations

import math
import random

import numpy as np
import torch

from backend.embedded.shapes import HELD_OUT
from backend.embedded.train_contrastive import contrast, corrupted, spoil, vary
from backend.embedded.train_perception import affine_error, angular_error, before_anything, nearness, render_maps
from backend.embedded.train_zero123 import pose_between
from backend.embedded.training import fit

FACT = {
    "category": "mug", "colour": "red", "accent": "blue", "pattern": "plain", "hat": False, "style": "matte",
    "azimuth": 170.0, "elevation": 10.0, "zoom": 1.0,
}  # fmt: skip


def test_a_corrupted_description_differs_in_one_fact():
    rng = random.Random(0)
    wrong = [corrupted(FACT, rng) for _ in range(200)]
    changed = {frozenset(k for k in FACT if fact[k] != FACT[k]) for fact in wrong}
    assert {len(keys) for keys in changed} == {1}
    assert frozenset().union(*changed) == {"category", "colour", "accent", "pattern", "hat", "azimuth", "style"}
    assert all(-180 <= corrupted(FACT, rng)["azimuth"] < 180 for _ in range(50))


def test_the_contrast_of_two_images_and_four_captions_is_what_a_hand_computes():
    seen, said = torch.eye(2), torch.tensor([[1.0, 0], [0, 1], [0, 1], [1, 0]])
    of_words = -math.log(math.e / (2 * math.e + 2))  # two captions fit each image equally well: the wrong one too
    of_images = -math.log(math.e / (math.e + 1))
    torch.testing.assert_close(contrast(seen, said, torch.tensor(0.0)), torch.tensor((of_words + of_images) / 2))


def test_nearness_is_standard_inside_the_mask_and_the_error_forgives_a_shift_but_not_a_sign():
    depth = torch.tensor([[[[1.0, 2.0], [4.0, 0.0]]]])
    mask = (depth > 0).float()
    near = nearness(depth, mask)
    assert near[0, 0, 0, 0] > near[0, 0, 0, 1] > near[0, 0, 1, 0]
    assert near[0, 0, 1, 1] == 0
    torch.testing.assert_close((near * mask).sum(), torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(near.square().sum() / 3, torch.tensor(1.0))
    assert affine_error(near + 5, near, mask) < 1e-6
    assert affine_error(-near, near, mask) > 1


def test_rendered_maps_agree_with_each_other_and_normals_are_the_cameras():
    rgb, depth, normal = render_maps(HELD_OUT.first_seed, 2, category="mushroom", colour="red")
    assert rgb.shape == (2, 128, 128, 3) and normal.dtype == np.int8
    inside = depth > 0
    assert 0.05 < inside.mean() < 0.7
    directions = normal[inside].astype(np.float32) / 127
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1, atol=0.02)
    assert (directions[:, 2] > -0.05).mean() > 0.99  # what is seen faces the viewer
    rows = np.nonzero(inside)[1]
    upper = rows < np.quantile(rows, 0.1)
    assert directions[upper][:, 1].mean() > 0.3  # the top of a cap looks up
    one = torch.from_numpy(directions[None, :, :, None].transpose(0, 2, 1, 3))
    assert angular_error(2 * one, one, torch.ones(1, 1, *one.shape[2:])) < 1e-3
    assert angular_error(-one, one, torch.ones(1, 1, *one.shape[2:])) > 1.9


def test_variations_depend_on_the_generator_alone_and_backgrounds_leave_the_inside():
    images = torch.rand(3, 3, 32, 32) * 2 - 1
    assert torch.equal(vary(images, random.Random(1)), vary(images, random.Random(1)))
    assert not torch.equal(vary(images, random.Random(1)), vary(images, random.Random(2)))
    assert {spoil(images, random.Random(i)).shape for i in range(6)} == {images.shape}
    mask = torch.zeros(3, 1, 32, 32)
    mask[:, :, 8:24, 8:24] = 1
    placed = before_anything(images, mask, random.Random(4))
    inner = (slice(None), slice(None), slice(10, 22), slice(10, 22))
    assert (placed - images)[inner].abs().mean() < 0.1  # only noise
    assert (placed - images)[:, :, :6].abs().mean() > 0.2


def test_the_way_from_one_camera_to_another_has_the_signs_of_zero123():
    beside = FACT | {"azimuth": -100.0, "elevation": 40.0, "zoom": 1.25}  # 90 degrees on, across the seam
    np.testing.assert_allclose(pose_between(FACT, beside), [math.radians(30), 1, 0, 0.25], atol=1e-9)
    np.testing.assert_allclose(pose_between(FACT, FACT), [0, 0, 1, 0], atol=1e-9)


def test_fitting_trains_what_requires_gradients_and_loads_it_again(tmp_path):
    class Line(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.frozen, self.trained = torch.nn.Linear(2, 2).requires_grad_(False), torch.nn.Linear(2, 1)

        def forward(self, x: float) -> torch.Tensor:
            return self.trained(self.frozen(torch.tensor([[x, 1.0]])))

    module, start, again = Line(), Line(), Line()

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        return (module(rng.random()) - 3).square().mean()

    fit(tmp_path, "line", module, loss_of_batch, 0.01, peak_rate=0.05, batch=1, decay=0.5)
    assert torch.equal(module.frozen.weight, start.frozen.weight)
    assert not torch.equal(module.trained.weight, start.trained.weight)
    assert loss_of_batch(random.Random(0)) < (start(0.8) - 3).square().mean() / 10
    fit(tmp_path, "line", again, loss_of_batch, 0, peak_rate=0.05, batch=1, decay=0.5)
    assert torch.equal(again.trained.weight, module.trained.weight)
