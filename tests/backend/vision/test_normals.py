"""Normals of images, and depth with them: axes, gradients, by the embedded network and by public ones."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from backend import weights
from backend.diffusion.denoiser import load_prior
from backend.errors import MissingModel
from backend.vision.depth import PerceptionDepth, load_depth
from backend.vision.normals import MarigoldNormals, PerceptionNormals, load_geometry, load_normals
from backend.vision.perception import load_perception
from tests.backend.tiny_networks import SIZE, write_depth_anything, write_marigold, write_perception


def test_marigold_comes_with_our_axes_unit_lengths_and_no_gradient(tmp_path):
    prior = load_prior("embedded")
    write_marigold(tmp_path, prior.tokenizer, prior.text_encoder)
    normals = load_normals(str(tmp_path))
    assert isinstance(normals, MarigoldNormals) and not normals.differentiable
    images = torch.rand(2, SIZE, SIZE, 3)
    got = normals(images)
    assert got.shape == (2, SIZE, SIZE, 3)
    torch.testing.assert_close(got.norm(dim=-1), torch.ones(2, SIZE, SIZE), atol=1e-4, rtol=0)
    assert torch.equal(got, normals(images))  # the noise that it starts from is fixed


def test_marigolds_axes_are_passed_on_as_they_are():
    """diffusers' defaults (x right, y top, z facing the observer) are ours; only the channels move to the end."""
    made: dict[str, Any] = {}

    class Known:
        device = "cpu"

        def __call__(self, images: torch.Tensor, **options: Any) -> SimpleNamespace:
            made.update(options, images=images)
            normals = torch.zeros_like(images)
            normals[:, 0, :, :2], normals[:, 1, :, 2:4], normals[:, 2, :, 4:] = 1.0, 1.0, 1.0
            return SimpleNamespace(prediction=normals)

    images = torch.rand(1, 4, 6, 3)
    normals = MarigoldNormals(Known())(images)
    assert normals[0, 1, [0, 2, 5]].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert torch.equal(made["images"], images.permute(0, 3, 1, 2)) and made["num_inference_steps"] == 4


def test_the_embedded_geometry_is_one_pass(tmp_path, monkeypatch):
    write_perception(tmp_path / "perception")
    monkeypatch.setattr(weights, "EMBEDDED", tmp_path)
    passes: list[int] = []
    original = type(load_perception("embedded")).__call__
    monkeypatch.setattr(
        "backend.vision.perception.Perception.__call__", lambda self, x: passes.append(1) or original(self, x)
    )
    images = torch.rand(1, SIZE, SIZE, 3, requires_grad=True)
    depth, normal = load_geometry("embedded", "embedded")(images)
    assert len(passes) == 1
    alone, normals = load_depth("embedded"), load_normals("embedded")
    assert isinstance(alone, PerceptionDepth) and isinstance(normals, PerceptionNormals) and normals.differentiable
    assert torch.equal(depth, alone(images)) and torch.equal(normal, normals(images))
    (gradient,) = torch.autograd.grad(normal[..., 0].sum(), images)
    assert gradient.abs().max() > 0


def test_one_of_each_kind_makes_a_geometry_too(tmp_path, monkeypatch):
    write_perception(tmp_path / "perception")
    write_depth_anything(tmp_path / "public")
    monkeypatch.setattr(weights, "EMBEDDED", tmp_path)
    images = torch.rand(1, SIZE, SIZE, 3)
    depth, normal = load_geometry(str(tmp_path / "public"), "embedded")(images)
    assert torch.equal(depth, load_depth(str(tmp_path / "public"))(images))
    assert torch.equal(normal, load_normals("embedded")(images))


def test_missing_networks_are_said(tmp_path):
    with pytest.raises(MissingModel, match="role depth"):
        load_depth(str(tmp_path))
    with pytest.raises(MissingModel, match=r"role normals in .*: model_index\.json is missing"):
        load_normals(str(tmp_path))
