"""Images of artists' models with what fills the space behind them, beside those of the generator.

`python -m backend.embedded.volumes.model_examples --furniture BlendSwap-CC-0.sh3f` writes shards as `examples.py` does,
into the same folder, numbered from MODELS_FROM on. With `--development` all models of another set, as they are, are
rendered into a folder of their own, from which nothing is taught: `benchmarks.training.occupancies` reads it.
"""

from __future__ import annotations

import argparse
import math
import random
from dataclasses import dataclass
from functools import cache, cached_property
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from backend.cameras import Cameras, rays
from backend.embedded.objects.forms import Material
from backend.embedded.objects.groups import Setting, draw_setting
from backend.embedded.objects.surfaces import shade
from backend.embedded.objects.tracing import FOUND
from backend.embedded.volumes.carving import depths_around, inside
from backend.embedded.volumes.examples import (
    FOLDER,
    MODELS_FROM,
    SOFT,
    STRETCH,
    VIEWS,
    brightness,
    draw_camera,
    filled,
    one_view,
)
from backend.embedded.volumes.models import ALIKE, HELD_OUT, Model, distance_between, load_model, unpack
from backend.meshes.rasteriser import rasterise

VARIANTS = 6  # of a model, each of other proportions, in a shard
SET = Path("/usr/share/sweethome3d/furniture/BlendSwap-CC-0.sh3f")
FINER = 3  # samples along a side of a pixel
STRAIGHT_SHARE = 0.3  # of the variants, which keep the proportions that the artist gave them
MOST = 1.5  # of a stretch
NEAR = 0.2  # world units, within which a surface has a say in colours
WHITE = Material((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), "plain", 1.0)
BLACK = Material((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "plain", 1.0)


@dataclass(frozen=True)
class ModelSubject:
    """An artist's model, to be seen and to be filled."""

    model: Model

    @cached_property
    def around(self) -> tuple[Cameras, np.ndarray]:
        """Return what cameras about it see: `carving.depths_around`."""
        return depths_around(self.model.mesh)

    def photograph(self, camera: Cameras, setting: Setting) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        """Return a picture [S, S, 3] before white, its mask [S, S, 1], and by how much light makes it brighter, [3]."""
        size = camera.width
        fine = camera.with_width(FINER * size)
        seen = rasterise(self.model.mesh, fine)
        covered = seen.face >= 0
        if not covered.any():
            raise ValueError("It is thinner than a pixel.")
        face, weights = seen.face[covered], seen.barycentric[covered]
        flat = self.model.colours_at(face, weights)
        normals = (weights[:, :, None] * self.model.normals[self.model.faces[face]]).sum(1)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-9)
        directions = rays(fine)[1][0].numpy()[covered]
        away = (normals * directions).sum(1, keepdims=True) > 0
        lit = lit_by(setting, flat, np.where(away, -normals, normals), directions)
        both = torch.zeros(FINER * size, FINER * size, 4)
        both[torch.from_numpy(covered)] = torch.from_numpy(np.concatenate([lit, np.ones_like(lit[:, :1])], 1)).float()
        small = torch.nn.functional.avg_pool2d(both.permute(2, 0, 1)[None], FINER)[0].permute(1, 2, 0)
        mask = small[..., 3:]
        means = (torch.from_numpy(colours.mean(0)).float() for colours in (lit, flat))
        return small[..., :3] + 1 - mask, (mask > 0.5).float(), brightness(*means)

    def occupancy(self, points: np.ndarray, unit: float, shown: np.ndarray) -> np.ndarray:
        """Return how much of cells at points [D, H, W, 3] is inside; something is on every ray that is shown.

        Each cell has the more of its front and back halves, so that no sheet slips between.
        """
        step = (points[1] - points[0]) / 4
        halves = [inside(*self.around, (points + at * step).reshape(-1, 3), SOFT * unit) for at in (-1, 1)]

        def distance(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            return self.model.nearest.query(points[:, rows, columns])[0]

        return filled(np.maximum(*halves).reshape(points.shape[:3]), shown, distance)

    def colours(self, points: np.ndarray, setting: Setting) -> np.ndarray:
        """Return the sRGB colours of the surface nearest to world points [N, 3], unlit: [N, 3]; grey far from it."""
        which = self.model.nearest.query(points, distance_upper_bound=NEAR)[1]
        return np.concatenate([self.model.surface[1], np.full((1, 3), 0.5, dtype=np.float32)])[which]


def lit_by(setting: Setting, colours: np.ndarray, normals: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return what colours [N, 3] look like in a light, along directions [N, 3]; they are matte, glossy or flat."""
    finish = "glossy" if setting.finish in ("glossy", "metallic") else "matte"
    found = np.zeros((len(colours), FOUND), dtype=np.float32)
    found[:, 3:6] = normals
    found[:, 10:12] = 1.0  # nothing is in the way of sky and sun
    glow, gloss = (shade(found, directions, (material,), setting.lamp, finish) for material in (WHITE, BLACK))
    return np.clip(colours * (glow - gloss) + gloss, 0, 1)


def render_model(model: Model, seed: int, variants: int | None = None) -> dict[str, np.ndarray]:
    """Return VARIANTS of a model, most of them wider or deeper than it is, in the form of `render_volumes`.

    With a number of variants they are so many; a single one is the model as it is.
    """
    rng = random.Random(seed)
    count = VARIANTS if variants is None else variants
    many = []
    for _ in range(count):
        wide, deep = (min(max(math.exp(rng.gauss(0, STRETCH)), 1 / MOST), MOST) for _ in range(2))
        straight = count == 1 or rng.random() < STRAIGHT_SHARE
        subject = ModelSubject(model if straight else model.stretched(wide, deep))
        many += [one_view(subject, draw_camera(rng), draw_setting(rng)) for _ in range(VIEWS)]
    return {name: np.stack([one[name] for one in many]) for name in many[0]}


def write_model(folder: Path, number: int, file: Path, shown: list[Path]) -> str:
    """Render one model into a shard, unless it looks like one of those `shown` to the benchmark; say what was done.

    Where nothing is shown, nothing is taught either: it is rendered as it is.
    """
    path = folder / f"{MODELS_FROM + number}.npz"
    if path.exists():
        return f"{file.stem}: there"
    try:
        model = load_model(file)
        near = min(((distance_between(model, _shown(other)), other.stem) for other in shown), default=(ALIKE, ""))
        if near[0] < ALIKE:
            return f"{file.stem}: left out, it is like {near[1]} ({near[0]:.3f})"
        made = render_model(model, MODELS_FROM + number, None if shown else 1)
    except ValueError as error:  # nothing is seen of it, or it is thinner than a pixel
        return f"{file.stem}: left out. {error}"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as opened:
        np.savez(opened, **made)
    partial.rename(path)
    return f"{file.stem}: {path.name}"


@cache
def _shown(file: Path) -> Model:
    return load_model(file)


def _task(task: tuple[Path, int, Path, list[Path]]) -> str:
    torch.set_num_threads(1)
    return write_model(*task)


def main() -> None:
    """Unpack the set and render all models that are taught."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--furniture", type=Path, default=SET)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--development", action="store_true", help="render all of a set, to measure by")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    catalogue = unpack(options.furniture, options.folder / "models")
    names, shown = sorted(catalogue.files), []
    if not options.development:
        names, shown = catalogue.taught, [catalogue.files[name] for name in HELD_OUT]
    tasks = [(options.folder, k, catalogue.files[name], shown) for k, name in enumerate(names)]
    with get_context("spawn").Pool(options.processes) as pool:
        for said in pool.imap_unordered(_task, tasks):
            print(said, flush=True)


if __name__ == "__main__":
    main()
