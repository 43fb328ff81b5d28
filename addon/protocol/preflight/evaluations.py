"""The floor of a job: what its stages ask of the networks, in pictures, as it follows from the settings.

It is what the systems in backend/systems do; tests count there with hooks, and the numbers are the same. What a draw
decides (noise levels, how views are lit) is here its mean.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Any

from ..systems.system import FROM_RESULT

LEVELS = 1_000  # of the noise schedule
WINDOW = ((0.22, 0.98), (0.02, 0.78))  # from which a step draws its level, at first and in the end
ISM_STRIDE = 200
PLAIN_STEPS, SIDE_STEPS, CLASS_STEPS, SHOWN_STEPS, VARIETY_STEPS = 50, 25, 25, 12, 12  # of sampling, by purpose
TOGETHER = 4  # views of one object that are seen together
SEARCHED = 8 * (24 + 6)  # noises times cameras, to find out from where a picture was taken
SHOWN_EVERY = 10  # steps of teaching, of which the last may show a sample
NEAR = 50.0  # degrees from the image's side


@dataclass(frozen=True)
class Asked:
    """What is asked of the networks: pictures, but for `told`, which are prompts. `views` are drawn by the renderer
    and back; `parts` are the shares of the work on a processor that every such stage has.
    """

    drawn: float = 0.0  # by the UNet
    learnt: float = 0.0  # by the UNet, and back
    encoded: float = 0.0
    pulled: float = 0.0  # through the encoder, and back
    decoded: float = 0.0
    told: float = 0.0
    views: float = 0.0

    def __add__(self, other: Asked) -> Asked:
        return Asked(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __rmul__(self, times: float) -> Asked:
        return Asked(*(times * getattr(self, each.name) for each in fields(self)))


@dataclass(frozen=True)
class Knows:
    """What a base can be told of."""

    cameras: bool = False
    views: bool = False  # several of one object, that see each other
    reference: bool = False  # beside them, a clean one
    large: bool = False  # its pictures go through the encoder one by one


def inversions(loss: str, t: int, delta_t: int) -> int:
    """Return how often a loss asks of each view before it compares, at the noise level t."""
    if loss == "ism":
        return -(-(t - delta_t) // ISM_STRIDE) + 1 if t > delta_t else 1
    return -(-t // delta_t) if loss in ("csm", "vpcsm") else 0


def mean_inversions(loss: str, delta_t: int, window: tuple[float, float]) -> float:
    """Return the mean of `inversions` over the levels of a window."""
    low, high = max(1, round(window[0] * LEVELS)), min(LEVELS - 1, round(window[1] * LEVELS))
    return sum(inversions(loss, t, delta_t) for t in range(low, high + 1)) / (high - low + 1)


def sliding(loss: str, delta_t: int, steps: int, warmup: float) -> float:
    """Return the same over a run whose window slides for a share of its steps, then stays."""
    if inversions(loss, 1, delta_t) == 0:
        return 0.0
    moves, (begin, end) = min(steps, warmup * steps), WINDOW
    places = [0.1, 0.3, 0.5, 0.7, 0.9] if moves else []
    windows = [(begin[0] + (end[0] - begin[0]) * p, begin[1] + (end[1] - begin[1]) * p) for p in places]
    moving = sum(mean_inversions(loss, delta_t, window) for window in windows) / max(1, len(windows))
    return (moves * moving + (steps - moves) * mean_inversions(loss, delta_t, end)) / steps


def scored(
    loss: str, views: int, k: float, knows: Knows, *, perturbed: bool = False, perp_neg: bool = False, beside: int = 0
) -> Asked:
    """Return one step of guidance: `k` inversions of each view, then the views with the prompt and without.

    `beside` is 1 where a clean picture stands beside the views.
    """
    drawn = k * views + 2 * views + beside
    drawn += views * (perturbed and loss == "vpcsm") + 2 * views * perp_neg + views * (loss == "vsd")
    told = views * (5 if perp_neg else 2) + beside
    encoded = views * knows.large + beside
    return Asked(
        drawn=drawn, learnt=views * (loss == "vsd"), encoded=encoded, pulled=views, told=told, views=views
    )  # fmt: skip


def sampled(pictures: int, steps: int) -> Asked:
    """Return the drawing of pictures from a prompt."""
    return Asked(drawn=2 * pictures * steps, decoded=pictures, told=2 * pictures)


def taught(steps: int, batch: int, of_class: int) -> Asked:
    """Return steps of teaching, each on so many pictures and so many of the class."""
    return steps * Asked(learnt=batch + of_class, told=batch + of_class)


def redrawn(pictures: int, steps: int, noise: float) -> Asked:
    """Return the redrawing of pictures from a share of the noise."""
    count = int(steps * noise)
    return pictures * Asked(drawn=2 * count, encoded=1, decoded=1, told=2 * (count > 0))


def tv3dg(s: Any, roles: Collection[str], images: int, knows: Knows) -> dict[str, Asked]:
    """Return what the stages of TV-3DG ask."""
    seen, is_edit = "reconstruct" in roles, FROM_RESULT in roles
    cameras = s.camera_tokens and knows.cameras
    joint = s.joint_views and cameras and knows.views and s.loss != "vsd" and not s.perp_neg
    beside = int(seen and s.see_reference and knows.reference)
    self_guided = s.self_guidance and not is_edit and not {"reconstruct", "visual_prompt"} & set(roles)
    steps, delta_t = (s.edit_steps, s.edit_delta_t) if is_edit else (s.steps, s.delta_t)
    k = sliding(s.loss, delta_t, steps, s.warmup)
    step = scored(
        s.loss, s.views, k, knows, perturbed=s.perturbation > 0, perp_neg=s.perp_neg > 0, beside=beside * joint
    )
    step += Asked(encoded=beside * (not joint), views=2 * seen)  # the image, and its palette on all views
    sides = sampled(4, SIDE_STEPS) + beside * Asked(drawn=SIDE_STEPS, encoded=1, told=1)
    sides += Asked(told=12 * (s.perp_neg > 0))
    if is_edit:  # once with the old words, once with the new ones and against the old
        sides = Asked(drawn=20 * SIDE_STEPS, encoded=4, decoded=8, told=12)
    return {
        "perceive": Asked(),
        "imagine": sampled(1, PLAIN_STEPS) if self_guided else Asked(),
        "sides": sides if is_edit or (cameras and s.start == "sides") else Asked(),
        "gaussians": steps * step,
        "mesh": Asked(),
    }


def dreambooth3d(s: Any, roles: Collection[str], images: int, knows: Knows) -> dict[str, Asked]:
    """Return what the stages of DreamBooth3D ask."""
    cameras = s.camera_tokens and knows.cameras
    joint = s.joint_views and cameras and knows.views
    group = TOGETHER if joint and s.class_views else 1
    classes = -(-s.class_pictures // group) * group if s.class_weight > 0 else 0
    of_class = max(1, s.tuning_batch // group) * group if classes else 0
    of_views = TOGETHER if joint and s.pseudo_views % TOGETHER == 0 else 1
    of_views = max(1, s.tuning_batch // of_views) * of_views
    steps = max(s.partial_steps, s.full_steps)
    noise = s.edit_redraw if FROM_RESULT in roles else s.pseudo_noise

    def shaped(steps: int, known: int) -> Asked:
        k = sliding(s.loss, s.delta_t, steps, s.warmup)
        return steps * (scored(s.loss, s.views, k, knows, perp_neg=s.perp_neg > 0) + Asked(views=known))

    shown = sampled(1, SHOWN_STEPS)
    return {
        "cutouts": Asked(),
        "places": images * Asked(drawn=SEARCHED, encoded=1, told=30) if knows.cameras else Asked(),
        "classes": sampled(classes, CLASS_STEPS) + Asked(decoded=-classes),  # they stay latents
        "teaching": taught(steps, s.tuning_batch, of_class) + Asked(encoded=images) + (steps // SHOWN_EVERY) * shown,
        "coarse": shaped(s.coarse_steps, 0),
        "redrawn": redrawn(s.pseudo_views, s.pseudo_steps, noise),
        "reteaching": taught(s.multi_view_steps, s.tuning_batch + of_views, of_class)
        + Asked(encoded=s.pseudo_views)
        + (s.multi_view_steps // SHOWN_EVERY) * shown,
        "refined": shaped(s.edit_steps if FROM_RESULT in roles else s.final_steps, s.reconstruction_views),
        "mesh": Asked(),
    }


def customize_it_3d(s: Any, roles: Collection[str], images: int, knows: Knows) -> dict[str, Asked]:
    """Return what the stages of Customize-It-3D ask; a Zero-1-to-3 counts as the base's own UNet."""
    cameras = s.camera_tokens and knows.cameras
    counts = {kind: getattr(s, f"{kind}_steps") for kind in ("rgb", "mask", "depth", "normal")}
    steps = counts["rgb"] if s.modalities == "rgb" else sum(counts.values())
    batch = 1 if s.schedule == "sequential" else s.tuning_batch
    classes = s.class_pictures if s.class_weight > 0 else 0
    k = mean_inversions(s.loss, s.delta_t, (s.low_noise, s.high_noise))
    own = scored(s.loss, s.views, k, knows, perp_neg=s.perp_neg > 0)
    beside = int(knows.reference and knows.views and knows.cameras)
    turned = scored(s.loss if beside else "sds", s.views, k if beside else 0, knows, beside=beside)
    lit = (1 - s.unlit) * s.lit * (1 - (s.normal_views + s.depth_views + s.mask_views) * (s.modalities == "all"))
    near = sum(min(n, s.enhanced_views - n) * 360 / s.enhanced_views <= NEAR for n in range(s.enhanced_views))
    return {
        "modalities": Asked() if roles else sampled(1, PLAIN_STEPS),
        "viewpoint": Asked(drawn=SEARCHED, encoded=1, told=30) if knows.cameras else Asked(),
        "classes": sampled(classes, CLASS_STEPS) + Asked(decoded=-classes),
        "teaching": taught(steps, batch, s.tuning_batch if classes else 0)
        + Asked(encoded=4)
        + 2 * sampled(4, VARIETY_STEPS),
        "sides": sampled(3, SIDE_STEPS) if cameras else Asked(),
        "coarse": s.coarse_steps * (own + (1 - lit) * (s.novel_views > 0) * turned + Asked(views=3)),
        "surface": Asked(),
        "enhanced": redrawn(near, s.enhance_steps, s.enhance_near)
        + redrawn(s.enhanced_views - near, s.enhance_steps, s.enhance_far),
        "refined": s.refine_steps * (own + (s.refine_novel_views > 0) * turned + Asked(views=1)),
        "mesh": Asked(),
    }


FLOORS: dict[str, Callable[[Any, Collection[str], int, Knows], dict[str, Asked]]] = {
    "tv3dg": tv3dg, "dreambooth3d": dreambooth3d, "customize_it_3d": customize_it_3d,
}  # fmt: skip
