"""Measures one thing as one case: every metric that the kind of case allows, as a flat dict of numbers."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from backend.cameras import orbit
from backend.embedded.objects.shapes import COLOURS, HELD_OUT, TRAINED_CATEGORIES, WITH_FRONT, make_subject
from backend.embedded.objects.solids import PATTERNS
from backend.meshes.mesh import Mesh
from benchmarks.data.cases import Case, family, style_image, true_mesh, true_views
from benchmarks.data.draw import Draw, Views, moved, solid_views
from benchmarks.data.references import PROMPT_AZIMUTHS, Thing
from benchmarks.judges.attributes import CAN_WEAR_A_HAT, read_attributes
from benchmarks.judges.bench import Judges
from benchmarks.judges.reader import read
from benchmarks.metrics import features, janus, pictures, surfaces, words
from benchmarks.metrics.colours import colour_distance, from_behind
from benchmarks.metrics.framing import frame_of
from benchmarks.metrics.geometry import held_out_cameras, surface_points

FAMILY = 16  # members that a prompt's result is compared with
FAMILY_POINTS = 1500
RING = 36  # views of A-LPIPS, 10 degrees apart
GALLERY = tuple(f"a {k} {c}" for c in TRAINED_CATEGORIES for k in COLOURS if not HELD_OUT.pair(c, k))  # 240


def measure(thing: Thing, case: Case, judges: Judges) -> dict[str, float]:
    """Return all metrics of a thing that was made for a case; those that make no sense for it are left out."""
    has_truth = case.kind in ("subject", "image")
    figures = against_truth(thing, case, judges) if has_truth else against_family(thing, case)
    return figures | looks(thing.draw, case, judges)


def against_truth(thing: Thing, case: Case, judges: Judges) -> dict[str, float]:
    """Compare with the true object: its surface, and 24 held-out views after alignment.

    Photos without a pose leave the azimuth open, so it is fitted for subjects; a single image shows the front, and
    the half of the views that stand behind the object show what it does not. What was made of one is compared once
    more where its image says that it stands.
    """
    true_surface, true, wanted = _truth(case)
    made = surface_points(thing.mesh)
    fit = surfaces.fit_similarity(made, true, turning=case.kind == "subject")
    placed = surfaces.place(thing.mesh, fit)
    laid = fit(made)
    cameras = held_out_cameras()
    seen = moved(thing.draw, fit)(cameras)
    back = from_behind(cameras)
    front = [i for i in range(len(cameras)) if i not in back]
    figures = _where_it_stands(thing, case, wanted, back) if thing.framed else {}
    return figures | {
        "chamfer": surfaces.chamfer_l1(laid, true),
        "f_score": surfaces.f_score(laid, true),
        "volume_iou": math.nan if case.model else surfaces.volume_iou(placed, true_surface),  # theirs are not closed
        "silhouette_iou": float(pictures.silhouette_iou(seen.alpha, wanted.alpha).mean()),
        "psnr": float(pictures.psnr(seen.rgb, wanted.rgb).clamp_max(60).mean()),
        "back_psnr": float(pictures.psnr(seen.rgb[back], wanted.rgb[back]).clamp_max(60).mean()),
        "back_colour": colour_distance(seen.rgb[back], seen.alpha[back], wanted.rgb[back], wanted.alpha[back]),
        "back_to_front": colour_distance(seen.rgb[back], seen.alpha[back], seen.rgb[front], seen.alpha[front]),
        "ssim": float(pictures.ssim(seen.rgb, wanted.rgb).mean()),
        "normal_error": float(pictures.normal_error(seen.normal, wanted.normal).nanmean()),
        **{f"lpips_{n}": float(apart(seen.rgb, wanted.rgb).mean()) for n, apart in judges.distances.items()},
    }


def _where_it_stands(thing: Thing, case: Case, wanted: Views, back: list[int]) -> dict[str, float]:
    seen = moved(thing.draw, frame_of(case))(held_out_cameras())
    decibels = pictures.psnr(seen.rgb, wanted.rgb).clamp_max(60)
    overlap = float(pictures.silhouette_iou(seen.alpha, wanted.alpha).mean())
    return {
        "framed_psnr": float(decibels.mean()), "framed_back_psnr": float(decibels[back].mean()), "framed_iou": overlap,
    }  # fmt: skip


@lru_cache(maxsize=4)  # a result and five references are measured against it
def _truth(case: Case) -> tuple[Mesh, np.ndarray, Views]:
    surface = true_mesh(case)
    return surface, surface_points(surface), true_views(case)(held_out_cameras())


def against_family(thing: Thing, case: Case) -> dict[str, float]:
    """Compare the surface with draws of what the prompt may mean."""
    members, own = _family(case)
    best = surfaces.best_of_family(surface_points(thing.mesh)[:FAMILY_POINTS], members)
    return {"family_chamfer": best, "family_own": own, "family_members": FAMILY}


@lru_cache(maxsize=64)
def _family(case: Case) -> tuple[list[np.ndarray], float]:
    members = [surface_points(mesh)[:FAMILY_POINTS] for mesh in family(case, FAMILY)]
    return members, surfaces.family_distance(members)


def looks(draw: Draw, case: Case, judges: Judges) -> dict[str, float]:
    """Return what renders alone say: words, attributes, consistency, fronts, saturation, identity, style."""
    around = draw(orbit(PROMPT_AZIMUTHS, 15.0))
    ring = draw(orbit([360.0 * i / RING for i in range(RING)], 15.0))
    figures = {f"a_lpips_{n}": features.adjacent_distance(ring.rgb, apart) for n, apart in judges.distances.items()}
    figures["saturation"] = float(pictures.saturation(around.rgb, around.alpha).mean())
    figures |= spoken(around.rgb, case, judges)
    if case.category in WITH_FRONT:
        shown = draw(orbit([15.0 * i for i in range(24)], 15.0)).rgb
        said = read(judges.reader, shown, TRAINED_CATEGORIES.index(case.category))["azimuth"]
        figures["janus"] = float(janus.is_janus(said.tolist()))
    if case.kind == "subject":
        figures |= likeness(around.rgb, case, judges)
    if case.kind == "style":
        style = style_image(case)[None]
        cosines = [features.identity(look(around.rgb), look(style)) for look in judges.identity.values()]
        figures["style_similarity"] = sum(cosines) / len(cosines)
    return figures


def spoken(images: torch.Tensor, case: Case, judges: Judges) -> dict[str, float]:
    """Return R-precision and CLIP score of each tower, and what the readers say right, of images [N, H, W, 3].

    The gallery has 240 captions, every trained pair of category and colour; the case's own words take the place of
    their pair, or of the last caption. What lies outside the judges' words has no such figures.
    """
    if case.category not in TRAINED_CATEGORIES:
        return {}
    plain = f"a {case.colour} {case.category}"
    own = plain if case.kind in ("subject", "image") else case.prompt
    number = GALLERY.index(plain) if plain in GALLERY else len(GALLERY) - 1
    gallery = [*GALLERY[:number], own, *GALLERY[number + 1 :]]
    figures = {}
    for name, tower in judges.towers.items():
        with torch.no_grad():
            seen, said = tower.images(images), tower.captions(gallery)
        figures[f"clip_{name}"] = words.clip_score(seen, said[number])
        figures[f"r_precision_{name}"] = words.r_precision(seen, said, number)
    told = read(judges.reader, images) | read_attributes(judges.attributes, images)
    true: dict[str, int | bool] = {"category": TRAINED_CATEGORIES.index(case.category)}
    if case.kind != "style":  # whose prompt names no colour
        true |= {"colour": list(COLOURS).index(case.colour), "pattern": PATTERNS.index(case.pattern)}
    if case.category in CAN_WEAR_A_HAT:
        true["hat"] = case.hat
    return figures | {f"read_{name}": share for name, share in words.read_right(told, true).items()}


def likeness(renders: torch.Tensor, case: Case, judges: Judges) -> dict[str, float]:
    """Return how like renders [N, H, W, 3] are to held-out views of the subject, and to another of its category.

    The figures are means over the identity networks; `margin` is the difference of the two.
    """
    held_out = orbit([20.0 + 45 * i for i in range(8)], 25.0)
    other = make_subject(case.seed + 5_000, category=case.category, unseen=True)
    true, impostor = true_views(case)(held_out).rgb, solid_views(other.solid)(held_out).rgb
    same, wrong = [], []
    for look in judges.identity.values():
        seen = look(renders)
        same.append(features.identity(seen, look(true)))
        wrong.append(features.identity(seen, look(impostor)))
    identity, impostors = sum(same) / len(same), sum(wrong) / len(wrong)
    return {"identity": identity, "identity_impostor": impostors, "identity_margin": identity - impostors}


def finite(figures: dict[str, float]) -> dict[str, float]:
    """Return the figures that are numbers, to five digits after the point."""
    return {name: round(float(value), 5) for name, value in figures.items() if math.isfinite(value)}
