"""Images of objects with what fills the space behind them, for the network of `vision/volume.py`.

`python -m backend.embedded.volumes.examples` writes shards: `NNNNNNNN.npz`, named by its first seed.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch.nn import functional

from backend.cameras import Cameras, framing_distance, orbit
from backend.embedded.objects.forms import Form, fit, table
from backend.embedded.objects.groups import Setting, draw_setting
from backend.embedded.objects.pictures import picture
from backend.embedded.objects.surfaces import Light, shade
from backend.embedded.objects.tracing import FOUND, distances_at, materials_at
from backend.embedded.objects.world import HELD_OUT_2, make_thing
from backend.images import MARGIN, crop_box, square_crop
from backend.vision.volume import COARSE, DEPTHS, SIZE, cells

FOLDER = Path(".cache/embedded/volumes")
RENDERED = 80  # pixels along a side, of which the crop has most
VIEWS = 3  # of one object
FRONT_SHARE = 0.5  # of the views, which look at the front more or less
SHARD = 100  # objects
MODELS_FROM = 90_000_000  # number of the first shard of artists' models: the generator's seeds never come so far
# Artists' things are deep otherwise than they look from the front: so are some of ours.
RESHAPED_SHARE = 0.6  # of the objects
STRETCH = 0.28  # standard deviation of its logarithm, of width and depth
MOST_STRETCHED = 1.8
TAPERED_SHARE, BENT_SHARE = 0.15, 0.1  # of those
SOFT = 0.03  # world units about the surface, over which occupancy falls from 1 to 0


class Subject(Protocol):
    """What can be seen and filled: a form of the generator, or an artist's model."""

    def photograph(self, camera: Cameras, setting: Setting) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]: ...
    def occupancy(self, points: np.ndarray, unit: float, shown: np.ndarray) -> np.ndarray: ...
    def colours(self, points: np.ndarray, setting: Setting) -> np.ndarray: ...


def render_volumes(seed: int, views: int = VIEWS, **thing_arguments) -> dict[str, np.ndarray]:
    """Return of one object: rgba uint8 [V, S, S, 4], place fp32 [V, 2] (elevation, field of view of the crop, degrees),

    occupancy uint8 [V, D, S, S] and colours uint8 [V, 3, D / 2, S / 2, S / 2], as if lit like the image. Each volume is
    that of a camera that looks at the middle of the crop, whose circle about the object fills the frame. Further
    arguments go to `make_thing`.
    """
    rng = random.Random(seed * 7919 + 41)
    thing = make_thing(seed, **thing_arguments)
    shapes = random.Random(seed * 6151 + 17)
    if shapes.random() < RESHAPED_SHARE:
        thing = replace(thing, form=reshaped(thing.form, shapes))
    subject = FormSubject(thing.form)
    many = [one_view(subject, draw_camera(rng), draw_setting(rng)) for _ in range(views)]
    return {name: np.stack([one[name] for one in many]) for name in many[0]}


def reshaped(form: Form, rng: random.Random) -> Form:
    """Return a form wider or narrower, deeper or flatter than it was; some, if straight, tapered or bent besides."""
    wide, deep = (math.exp(rng.gauss(0, STRETCH)) for _ in range(2))
    stretch = tuple(min(max(factor, 1 / MOST_STRETCHED), MOST_STRETCHED) for factor in (wide, deep))
    kind, side = rng.random(), rng.choice((-1, 1))
    taper, bend = form.taper, form.bend
    if not (form.bend or form.twist or form.taper):
        if kind < TAPERED_SHARE:
            taper = side * rng.uniform(0.1, 0.4)
        elif kind < TAPERED_SHARE + BENT_SHARE:
            bend = side * rng.uniform(0.2, 0.5)
    if bend:  # what is wider might reach beyond the middle of the bend
        stretch = (min(stretch[0], 1.0), stretch[1])
    return fit(replace(form, stretch=stretch, taper=taper, bend=bend))[0]


def draw_camera(rng: random.Random) -> Cameras:
    """Draw a camera: half of them look at the front, more or less; most from a little above."""
    azimuth = rng.gauss(0, 25) if rng.random() < FRONT_SHARE else rng.uniform(-180, 180)
    elevation, fov = rng.uniform(-10, 40), rng.uniform(22, 55)
    distance = float(framing_distance(fov)) * rng.uniform(0.97, 1.1)
    return orbit([azimuth], [elevation], fov_degrees=fov, distance=distance, size=RENDERED)


@dataclass(frozen=True)
class FormSubject:
    """A form of the generator, to be seen and to be filled."""

    form: Form

    def photograph(self, camera: Cameras, setting: Setting) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        """Return a picture [S, S, 3] before white, its mask [S, S, 1], and by how much light makes it brighter, [3]."""
        finish = finish_of(setting)
        seen = picture(self.form, camera, (1.0, 1.0, 1.0), setting.lamp, finish=finish)
        few = camera.with_width(RENDERED // 2)  # enough for a mean
        flat = picture(self.form, few, (1.0, 1.0, 1.0), Light((0.0, 0.0, 1.0), flat=True), finish=finish)
        lit, unlit = (each.rgb[0][each.mask[0, ..., 0] > 0].mean(0) for each in (seen, flat))
        return seen.rgb[0], seen.mask[0], brightness(lit, unlit)

    def occupancy(self, points: np.ndarray, unit: float, shown: np.ndarray) -> np.ndarray:
        """Return how much of cells at points [D, H, W, 3] is inside; looked at closely only near the surface.

        Something is on each ray that is `shown` [H, W]: what slips between its cells, such as a bar, fills the nearest.
        """
        written = table(self.form)
        rough = distances_at(
            np.ascontiguousarray(points[::2, ::2, ::2].reshape(-1, 3)), written.rows, written.placement
        )
        shape = points[::2, ::2, ::2].shape[:3]
        distance = rough.reshape(shape).repeat(2, 0).repeat(2, 1).repeat(2, 2)
        cell = 2 * unit * math.sqrt(1 / DEPTHS**2 + 2 / SIZE**2)
        close = np.abs(distance) < cell + SOFT * unit
        distance[close] = distances_at(np.ascontiguousarray(points[close]), written.rows, written.placement)
        return filled(0.5 - distance / (SOFT * unit), shown, lambda rows, columns: distance[:, rows, columns])

    def colours(self, points: np.ndarray, setting: Setting) -> np.ndarray:
        """Return the sRGB colours of the material at world points [N, 3], unlit: [N, 3]."""
        written = table(self.form)
        found = np.zeros((len(points), FOUND), dtype=np.float32)
        found[:, 6:10] = materials_at(np.ascontiguousarray(points), written.rows, written.placement)
        found[:, 4] = -1.0  # prints are on what looks to the front
        directions = np.tile(np.array([0.0, 1.0, 0.0]), (len(points), 1))
        return shade(found, directions, self.form.materials, Light((0.0, 0.0, 1.0), flat=True), finish_of(setting))


def finish_of(setting: Setting) -> str:
    """Return the finish of a setting; what glows has no sides to be guessed."""
    return "matte" if setting.finish == "neon" else setting.finish


def brightness(lit: torch.Tensor, unlit: torch.Tensor) -> np.ndarray:
    """Return by how much one mean colour [3] is brighter than another, within what light does."""
    return (lit / unlit.clamp_min(0.02)).clamp(0.3, 1.6).numpy()


def filled(
    inside: np.ndarray, shown: np.ndarray, distance: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return occupancy [D, H, W] in [0, 1] of what is `inside` by as much, with something on every ray `shown` [H, W].

    Where there is nothing, it is the cell that is nearest to the object, by its `distance` [D, N] at rows and columns.
    """
    solid = np.clip(inside, 0, 1)
    rows, columns = np.nonzero(shown & (solid.max(0) < 0.5))
    if len(rows):
        solid[distance(rows, columns).argmin(0), rows, columns] = 1.0
    return solid


def one_view(subject: Subject, camera: Cameras, setting: Setting) -> dict[str, np.ndarray]:
    """Return what one camera sees of a subject, and the volume behind its crop: `render_volumes` says of what shape."""
    rgb, mask, light = subject.photograph(camera, setting)
    left, top, side = crop_box(mask, MARGIN, enclose="circle")
    pixels, cut = square_crop(rgb, mask, SIZE, MARGIN, enclose="circle")
    # The same rays as the camera's, counted in the crop's pixels; then its own distance gives the scale.
    zoom = SIZE / side
    intrinsics = camera.intrinsics[0].clone()
    intrinsics[:2] *= zoom
    intrinsics[0, 2], intrinsics[1, 2] = (RENDERED / 2 - left) * zoom, (RENDERED / 2 - top) * zoom
    fov = math.degrees(2 * math.atan(0.5 * SIZE / float(intrinsics[0, 0])))
    framed, distance = float(framing_distance(fov)), float(camera.position[0].norm())
    near, far = distance * (1 - 1 / framed), distance * (1 + 1 / framed)
    unit = distance / framed  # world units, of one of the crop's frame
    points = cells(camera.camera_to_world[0], intrinsics, near, far)
    solid = subject.occupancy(points.double().numpy(), unit, cut[..., 0].numpy() > 0.5)
    coarse = functional.avg_pool3d(points.permute(3, 0, 1, 2), COARSE).permute(1, 2, 3, 0)
    flat = subject.colours(coarse.reshape(-1, 3).double().numpy(), setting)
    lit = (flat * light).clip(0, 1).reshape(*coarse.shape[:3], 3).transpose(3, 0, 1, 2)
    elevation = math.degrees(math.asin(float(camera.position[0, 2]) / distance))
    return {
        "rgba": np.round(255 * torch.cat([pixels, cut], -1).clamp(0, 1).numpy()).astype(np.uint8),
        "place": np.array([elevation, fov], dtype=np.float32),
        "occupancy": np.round(255 * solid).astype(np.uint8),
        "colours": np.round(255 * lit).astype(np.uint8),
    }


def write_shard(folder: Path, first: int, objects: int = SHARD) -> Path:
    """Render the objects of seeds from `first` on into one shard; none of what is held out may be among them."""
    path = folder / f"{first:08d}.npz"
    if path.exists():
        return path
    many = []
    for seed in range(first, first + objects):
        assert seed < HELD_OUT_2.first_seed, f"seed {seed} is held out"
        many.append(render_volumes(seed))
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **{name: np.concatenate([one[name] for one in many]) for name in many[0]})
    partial.rename(path)
    return path


def _shard(task: tuple[Path, int]) -> Path:
    torch.set_num_threads(1)
    return write_shard(*task)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--objects", type=int, default=10000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    firsts = itertools.islice(itertools.count(options.first_seed, SHARD), -(-options.objects // SHARD))
    with get_context("spawn").Pool(options.processes) as pool:
        for path in pool.imap_unordered(_shard, [(options.folder, first) for first in firsts]):
            print(path.name, flush=True)
