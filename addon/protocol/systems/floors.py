"""The floor of a job: what each stage of a system asks of the networks, as it follows from the settings.

It is what backend/systems does; tests count there with hooks, and the numbers are the same. What a draw decides (noise
levels, how views are lit) is here its mean.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from .evaluations import Asked, Knows, mean_inversions, redrawn, sampled, scored, sliding, small_share, taught
from .system import FROM_RESULT

PLAIN, SIDES, CLASSES, SHOWN, VARIETY = 50, 25, 25, 12, 12  # steps of sampling, by purpose
GROUP = 4  # views of one object that are seen together
SEARCHED = 8 * (24 + 6)  # noises times cameras, to find out from where a picture was taken
SHOWN_EVERY = 10  # steps of teaching, of which the last may show a sample
NEAR = 50.0  # degrees from the image's side

# Beside the networks, as measured on a processor, in gigaoperations of a UNet there: a view there and back, as a
# picture of 128 pixels a side or of a field of 48 nodes in 64; a stage's own work, of a mesh at a draft's resolution.
PICTURE, FIELD = "picture", "field"
VIEWS = {
    ("tv3dg", "gaussians"): (1.0, PICTURE),
    ("dreambooth3d", "coarse"): (3.1, FIELD),
    ("dreambooth3d", "refined"): (3.1, FIELD),
    ("customize_it_3d", "coarse"): (3.1, FIELD),
    ("customize_it_3d", "refined"): (3.1, PICTURE),
}
OWN_WORK = {"perceive": 20.0, "cutouts": 25.0, "modalities": 15.0}
MESH_WORK = {"surface": 480.0, "mesh": 400.0}


def tv3dg(s: Any, roles: Collection[str], images: int, knows: Knows) -> dict[str, Asked]:
    """Return what the stages of TV-3DG ask."""
    seen, is_edit = "reconstruct" in roles, FROM_RESULT in roles
    cameras = s.camera_tokens and knows.cameras
    joint = s.joint_views and cameras and knows.views and s.loss != "vsd" and not s.perp_neg
    beside = int(seen and s.see_reference and knows.reference)
    self_guided = s.self_guidance and not is_edit and not {"reconstruct", "visual_prompt"} & set(roles)
    steps, delta_t = (s.edit_steps, s.edit_delta_t) if is_edit else (s.steps, s.delta_t)
    k, asked = (sliding(s.loss, delta_t, steps, s.warmup, every) for every in (1, s.reuse))
    step = scored(
        s.loss, s.views, k, knows, asked=asked, perturbed=s.perturbation > 0, perp_neg=s.perp_neg > 0,
        beside=beside * joint, small=small_share(s, steps),
    )  # fmt: skip
    step += Asked(encoded=beside * (not joint), views=2 * seen)  # the image, and its palette on all views
    sides = sampled(4, SIDES) + beside * Asked(drawn=SIDES, encoded=1, told=1)
    sides += Asked(told=12 * (s.perp_neg > 0))
    if is_edit:  # once with the old words, once with the new ones and against the old
        sides = Asked(drawn=20 * SIDES, encoded=4, decoded=8, told=12)
    return {
        "perceive": Asked(),
        "imagine": sampled(1, PLAIN) if self_guided else Asked(),
        "sides": sides if is_edit or (cameras and s.start == "sides" and not (seen and s.guessed_sides)) else Asked(),
        "gaussians": steps * step,
        "mesh": Asked(),
    }


def dreambooth3d(s: Any, roles: Collection[str], images: int, knows: Knows) -> dict[str, Asked]:
    """Return what the stages of DreamBooth3D ask."""
    cameras = s.camera_tokens and knows.cameras
    joint = s.joint_views and cameras and knows.views
    group = GROUP if joint and s.class_views else 1
    classes = -(-s.class_pictures // group) * group if s.class_weight > 0 else 0
    of_class = max(1, s.tuning_batch // group) * group if classes else 0
    of_views = GROUP if joint and s.pseudo_views % GROUP == 0 else 1
    of_views = max(1, s.tuning_batch // of_views) * of_views
    steps = max(s.partial_steps, s.full_steps)
    noise = s.edit_redraw if FROM_RESULT in roles else s.pseudo_noise

    painted = 0.5 * s.views * (s.palette > 0 and knows.cameras)  # colours alone, without what shows the shape

    def shaped(steps: int, known: float) -> Asked:
        k, asked = (sliding(s.loss, s.delta_t, steps, s.warmup, every) for every in (1, s.reuse))
        step = scored(s.loss, s.views, k, knows, asked=asked, perp_neg=s.perp_neg > 0, small=small_share(s, steps))
        return steps * (step + Asked(views=known))

    shown = sampled(1, SHOWN)
    return {
        "cutouts": Asked(),
        "places": images * Asked(drawn=SEARCHED, encoded=1, told=30) if knows.cameras else Asked(),
        "classes": sampled(classes, CLASSES) + Asked(decoded=-classes),  # they stay latents
        "teaching": taught(steps, s.tuning_batch, of_class) + Asked(encoded=images) + (steps // SHOWN_EVERY) * shown,
        "coarse": shaped(s.coarse_steps, painted),
        "redrawn": redrawn(s.pseudo_views, s.pseudo_steps, noise),
        "reteaching": taught(s.multi_view_steps, s.tuning_batch + of_views, of_class)
        + Asked(encoded=s.pseudo_views)
        + (s.multi_view_steps // SHOWN_EVERY) * shown,
        "refined": shaped(s.edit_steps if FROM_RESULT in roles else s.final_steps, s.reconstruction_views + painted),
        "mesh": Asked(),
    }


def customize_it_3d(s: Any, roles: Collection[str], images: int, knows: Knows) -> dict[str, Asked]:
    """Return what the stages of Customize-It-3D ask; a Zero-1-to-3 counts as the base's own UNet."""
    cameras = s.camera_tokens and knows.cameras
    counts = {kind: getattr(s, f"{kind}_steps") for kind in ("rgb", "mask", "depth", "normal")}
    steps = counts["rgb"] if s.modalities == "rgb" else sum(counts.values())
    batch = 1 if s.schedule == "sequential" else s.tuning_batch
    classes = s.class_pictures if s.class_weight > 0 else 0
    window = (s.low_noise, s.high_noise)
    k, asked = (mean_inversions(s.loss, s.delta_t, window, every) for every in (1, s.reuse))
    beside = int(knows.reference and knows.views and knows.cameras)

    def own(steps: int) -> Asked:
        return scored(s.loss, s.views, k, knows, asked=asked, perp_neg=s.perp_neg > 0, small=small_share(s, steps))

    def turned(steps: int) -> Asked:  # a Zero-1-to-3 has an encoder of its own
        small = small_share(s, steps) * beside
        if not beside:
            return scored("sds", s.views, 0, knows)
        return scored(s.loss, s.views, k, knows, asked=asked, beside=beside, small=small)

    coarse, refined = s.coarse_steps, s.refine_steps
    lit = (1 - s.unlit) * s.lit * (1 - (s.normal_views + s.depth_views + s.mask_views) * (s.modalities == "all"))
    near = sum(min(n, s.enhanced_views - n) * 360 / s.enhanced_views <= NEAR for n in range(s.enhanced_views))
    return {
        "modalities": Asked() if roles else sampled(1, PLAIN),
        "viewpoint": Asked(drawn=SEARCHED, encoded=1, told=30) if knows.cameras else Asked(),
        "classes": sampled(classes, CLASSES) + Asked(decoded=-classes),
        "teaching": taught(steps, batch, s.tuning_batch if classes else 0) + Asked(encoded=4) + 2 * sampled(4, VARIETY),
        "sides": sampled(3, SIDES) if cameras and not s.guessed_sides else Asked(),
        "coarse": coarse * (own(coarse) + (1 - lit) * (s.novel_views > 0) * turned(coarse) + Asked(views=3)),
        "surface": Asked(),
        "enhanced": redrawn(near, s.enhance_steps, s.enhance_near)
        + redrawn(s.enhanced_views - near, s.enhance_steps, s.enhance_far),
        "refined": refined * (own(refined) + (s.refine_novel_views > 0) * turned(refined) + Asked(views=1)),
        "mesh": Asked(),
    }


FLOORS: dict[str, Callable[[Any, Collection[str], int, Knows], dict[str, Asked]]] = {
    "tv3dg": tv3dg, "dreambooth3d": dreambooth3d, "customize_it_3d": customize_it_3d,
}  # fmt: skip
