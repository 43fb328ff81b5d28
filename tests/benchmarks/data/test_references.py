"""What stands beside every score: closed, coloured, and as good or as bad as it has to be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from backend.cameras import orbit
from backend.meshes.mesh import volume
from benchmarks.data.cases import choose, true_mesh, true_views
from benchmarks.data.draw import mesh_views
from benchmarks.data.references import MIN_STEPS, ball, billboard, nearest, oracle, training_views
from benchmarks.judges.towers import Tower
from benchmarks.metrics.geometry import surface_points
from benchmarks.metrics.surfaces import chamfer_l1, fit_similarity


def test_a_ball_is_a_ball_of_its_colour() -> None:
    thing = ball(torch.tensor([0.2, 0.6, 0.2]))
    radii = thing.mesh.vertices.norm(dim=-1)
    assert 0.89 < radii.min() and radii.max() < 0.95
    seen = thing.draw(orbit([0.0], 15.0))
    inside = seen.rgb[seen.alpha[..., 0] > 0.99]
    assert (inside[:, 1] > inside[:, 0]).all() and torch.allclose(inside[:, 0], inside[:, 2])


def test_a_billboard_shows_its_picture_in_front_and_nothing_from_the_side() -> None:
    case = choose("image-robot")[0]
    camera = orbit([0.0], 15.0, size=128)
    seen = true_views(case)(camera)
    thing = billboard(seen.rgb[0], seen.alpha[0], camera)
    again = thing.draw(camera)
    assert ((again.alpha > 0.5) == (seen.alpha > 0.5)).float().mean() > 0.97
    both = (again.alpha[..., 0] > 0.99) & (seen.alpha[..., 0] > 0.99)
    assert (again.rgb - seen.rgb)[both].abs().mean() < 0.05
    assert volume(thing.mesh) > 0  # wound outwards
    side = mesh_views(thing.mesh)(orbit([90.0], 0.0, size=128)).alpha.mean()
    assert side < 0.25 * again.alpha.mean()


def test_an_oracle_comes_near_and_a_ball_does_not() -> None:
    case = choose("image-teapot")[0]
    settings = {"mesh_resolution": 40, "max_faces": 3_000, "texture_size": 128}
    thing, steps = oracle(true_views(case), 0.0, settings)
    assert steps == MIN_STEPS
    true = surface_points(true_mesh(case))[::4]

    def distance(points: np.ndarray) -> float:
        return chamfer_l1(fit_similarity(points, true)(points), true)

    assert distance(surface_points(thing.mesh)[::4]) < 0.8 * distance(surface_points(ball(torch.ones(3)).mesh)[::4])


def test_the_nearest_training_object_is_looked_up_by_features(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tower = Tower("conv_s", ["a"]).eval()
    pictures = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3), dtype=np.uint8)
    np.save(tmp_path / "0000.npy", pictures)
    facts = [{"seed": i, "azimuth": azimuth, "modality": "rgb"} for i, azimuth in enumerate((0.0, 30.0, 170.0, -50.0))]
    facts[3]["modality"] = "depth"
    (tmp_path / "0000.json").write_text(json.dumps(facts))
    features, seeds = training_views(tower, tmp_path)
    assert seeds == [0, 1] and features.shape == (2, 128)
    from backend.embedded.objects.shapes import make_subject
    from benchmarks.metrics.geometry import solid_mesh

    found = nearest(features, seeds, features[1])
    assert torch.equal(found.mesh.vertices, solid_mesh(make_subject(1).solid).vertices)
    assert training_views(tower, tmp_path / "none")[1] == []
