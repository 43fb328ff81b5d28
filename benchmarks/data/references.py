"""What every score stands beside: the oracle, the nearest training object, a ball, a billboard, the prior's samples."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from backend.cameras import Cameras, orbit, view_word
from backend.diffusion.denoiser import Prior
from backend.diffusion.sampling import sample
from backend.embedded.objects.data import load_dataset
from backend.embedded.objects.shapes import make_subject
from backend.embedded.objects.solids import Primitive, Solid
from backend.losses import photometric, silhouette
from backend.meshes.mesh import Mesh
from backend.rendering.splats import screen_gradients, splat_renderer
from backend.representations.densify import DensityControl, DensitySettings, GaussianAdam
from backend.representations.gaussians import Gaussians, ball_of_points, gaussians_from_points
from backend.schedules import log_linear
from backend.systems.textured_mesh import textured_gaussians
from benchmarks.data.draw import Draw, mesh_views, painted_views, solid_views
from benchmarks.judges.towers import Tower
from benchmarks.metrics.geometry import solid_mesh

RENDERS = Path(".cache/embedded/renders")
PROMPT_AZIMUTHS = (0, 45, 90, 135, 180, -135, -90, -45)
SAMPLING_STEPS = 30
MIN_STEPS = 40  # of an oracle, however little time there is


@dataclass(frozen=True)
class Thing:
    """Something to measure: how it looks, its surface, and whether it stands in the world of its picture's crop."""

    draw: Draw
    mesh: Mesh
    framed: bool = False


def textured(mesh: Mesh, *, framed: bool = False) -> Thing:
    """Return a mesh with a texture as a thing."""
    return Thing(mesh_views(mesh), mesh, framed)


def painted(mesh: Mesh, colours: torch.Tensor) -> Thing:
    """Return a mesh with a base colour for each vertex, [V, 3], as a thing."""
    return Thing(painted_views(mesh, colours), mesh)


def generated(solid: Solid) -> Thing:
    """Return a generated object as a thing."""
    return Thing(solid_views(solid), solid_mesh(solid))


def ball(colour: torch.Tensor, radius: float = 0.92) -> Thing:
    """Return a ball of one colour [3]."""
    mesh = solid_mesh(Solid((Primitive("ellipsoid", (0, 0, 0), (radius, radius, radius)),), ((1, 1, 1),)), 48)
    return painted(mesh, colour.expand(len(mesh.vertices), 3))


def billboard(
    rgb: torch.Tensor, mask: torch.Tensor, camera: Cameras, thickness: float = 0.03, cells: int = 64
) -> Thing:
    """Return the reference picture as a closed slab through the origin that faces its camera.

    rgb [S, S, 3] and mask [S, S, 1] are the camera's own image; both sides of the slab show it.
    """
    small = torch.nn.functional.adaptive_avg_pool2d(mask.permute(2, 0, 1)[None], cells)[0, 0] > 0.5
    axes = camera.camera_to_world[0, :3, :3].double().numpy()
    distance, focal = float(camera.position[0].norm()), float(camera.intrinsics[0, 0, 0]) / camera.width
    side = distance / focal / cells
    vertices: dict[tuple[int, int, int], int] = {}
    faces: list[tuple[int, int, int]] = []

    def corner(row: int, column: int, back: int) -> int:
        return vertices.setdefault((row, column, back), len(vertices))

    def quad(a: int, b: int, c: int, d: int) -> None:
        faces.extend(((a, b, c), (a, c, d)))

    filled = set(zip(*np.nonzero(small.numpy()), strict=True))
    for row, column in filled:
        r, c = int(row), int(column)
        ring = [(r, c), (r + 1, c), (r + 1, c + 1), (r, c + 1)]  # anticlockwise as the camera sees it
        quad(*(corner(*place, 0) for place in ring))
        quad(*(corner(*place, 1) for place in reversed(ring)))
        for i, (next_row, next_column) in enumerate(((r, c - 1), (r + 1, c), (r, c + 1), (r - 1, c))):
            if (next_row, next_column) not in filled:  # wall it off
                a, b = ring[i], ring[(i + 1) % 4]
                quad(corner(*a, 0), corner(*a, 1), corner(*b, 1), corner(*b, 0))
    grid = np.array(list(vertices), dtype=float)  # row, column, back
    local = np.stack(
        [(grid[:, 1] - cells / 2) * side, (grid[:, 0] - cells / 2) * side, (grid[:, 2] - 0.5) * thickness], 1
    )
    mesh = Mesh(
        torch.from_numpy(local @ axes.T).float(), torch.tensor(faces),
        torch.from_numpy(grid[:, 1::-1] / cells).float(), rgb,
    )  # fmt: skip
    return textured(mesh)


def training_views(tower: Tower, folder: Path = RENDERS) -> tuple[torch.Tensor, list[int]]:
    """Return the tower's features of all training renders seen from within 60 degrees of the front, and their seeds.

    Empty where the training renders are not on this machine.
    """
    shards, facts = load_dataset(folder)
    features, seeds, first = [], [], 0
    for shard in shards:
        here = facts[first : first + len(shard)]
        first += len(shard)
        chosen = [i for i, f in enumerate(here) if f["modality"] == "rgb" and abs(f["azimuth"]) < 60]
        with torch.no_grad():
            features.append(tower.images(torch.from_numpy(shard[chosen]).float() / 255))
        seeds += [here[i]["seed"] for i in chosen]
    return (torch.cat(features) if features else torch.zeros(0, 1)), seeds


def nearest(features: torch.Tensor, seeds: list[int], wanted: torch.Tensor) -> Thing:
    """Return the training object one of whose views lies nearest to a feature [D] of an image or of a caption."""
    return generated(make_subject(seeds[int((features @ wanted).argmax())]).solid)


def oracle(true: Draw, seconds: float, settings: dict[str, int], seed: int = 0) -> tuple[Thing, int]:
    """Fit Gaussians to 24 true views for some seconds, mesh them as a system does; return it and the steps taken.

    It is the same representation, given what no system is given. `settings` are the mesh's resolution, faces, texture.
    """
    gaussians, steps = fitted(true, seconds, seed=seed)
    mesh, _ = textured_gaussians(
        gaussians, resolution=settings["mesh_resolution"], max_faces=settings["max_faces"],
        texture_size=settings["texture_size"],
    )  # fmt: skip
    return textured(mesh), steps


def fitted(true: Draw, seconds: float, least: int = MIN_STEPS, seed: int = 0) -> tuple[Gaussians, int]:
    """Fit Gaussians to 24 true views for some seconds, `least` steps at least; return them and the steps taken.

    In no time at all the steps are `least`, and the Gaussians the same every time.
    """
    generator = torch.Generator().manual_seed(seed)
    cameras = orbit([15.0 * i for i in range(24)], [-10.0, 15.0, 40.0, 65.0] * 6, size=128)
    views = true(cameras)
    points = ball_of_points(2_000, 0.6, generator)
    gaussians = gaussians_from_points(points, torch.full_like(points, 0.5)).requires_grad_()
    render = splat_renderer(gaussians)
    optimiser = GaussianAdam(gaussians, betas=(0.9, 0.99))
    control = DensityControl(gaussians, DensitySettings(max_count=6_000))
    started, step = time.monotonic(), 0
    while (used := (time.monotonic() - started) / max(seconds, 1e-3)) < 1 or step < least:
        share = min(used, 1.0) if step >= least else min(used, step / least)
        chosen = torch.randperm(24, generator=generator)[:4]
        shown = Cameras(cameras.camera_to_world[chosen], cameras.intrinsics[chosen], 128, 128)
        seen = render(shown, torch.ones(3))
        alpha = views.alpha[chosen]
        loss = photometric(seen.rgb, views.rgb[chosen], torch.ones_like(alpha)) + silhouette(seen.alpha, alpha)
        (20 * loss).backward()
        control.observe(screen_gradients(seen, shown), seen.visible)
        progress = round(1000 * share)
        optimiser.step(
            {
                "means": log_linear(progress, 1000, 8e-3, 4e-4), "log_scales": 1e-2, "quaternions": 1e-2,
                "opacity_logits": 4e-2, "sh": log_linear(progress, 1000, 2e-2, 5e-3),
            }
        )  # fmt: skip
        step += 1
        if step % 40 == 0 and share < 0.8:
            control.adapt(gaussians, optimiser, generator)
    return Gaussians(**{name: value.detach() for name, value in gaussians.parameters().items()}), step


def prior_samples(prior: Prior, prompt: str, seed: int) -> torch.Tensor:
    """Return what the prior alone draws of a prompt from eight azimuths, [8, S, S, 3], with guidance 4."""
    cameras = orbit(PROMPT_AZIMUTHS, 15.0, size=prior.image_size)
    words = [f"{prompt}, {view_word(azimuth, 15.0)} view" for azimuth in PROMPT_AZIMUTHS]
    return sample(
        prior, words, steps=SAMPLING_STEPS, scale=4.0, generator=torch.Generator().manual_seed(seed),
        cameras=cameras if prior.takes_cameras else None,
    )  # fmt: skip
