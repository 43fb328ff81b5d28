"""Groups of views: one object under one light, before one background, from all around."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import torch

from backend.embedded.objects.data import VIEWS, cameras_of, modality_image
from backend.embedded.objects.pictures import picture
from backend.embedded.objects.solids import Photograph
from backend.embedded.objects.surfaces import Light
from backend.embedded.objects.world import COLOURS_2, Thing, make_thing

MODALITY_SHARE = 0.06  # of the groups show depth, normals or masks instead, all views the same
SPREAD_SHARE = 0.6  # of the groups, whose views are seen from heights of their own
FINISHES_DRAWN = {"matte": 52, "glossy": 18, "metallic": 9, "cartoon": 7, "pastel": 7, "neon": 7}
LIGHTS = {"soft": 42, "flat": 14, "hard": 16, "warm": 10, "cool": 10, "dim": 8}
SIDES = {"front": (0, 40), "left": (-75, 30), "right": (75, 30), "behind": (180, 30), "above": (0, 82)}
BACKGROUNDS = {"white": 45, "gray": 14, "black": 9} | {
    name: 2 for name in COLOURS_2 if name not in ("white", "gray", "black")
}
NEON_BACKGROUND = (0.05, 0.05, 0.09)


@dataclass(frozen=True)
class Setting:
    """What a group's views share beside the object: its light and background by name and by value, and its finish."""

    light: str
    side: str  # of SIDES: where a hard light comes from, seen from the object's front; else empty
    lamp: Light
    background: str
    colour: tuple[float, float, float]
    finish: str


def render_group(seed: int, views: int = VIEWS, **thing_arguments) -> tuple[np.ndarray, list[dict]]:
    """Render one object from `views` spread azimuths: uint8 [V, SIZE, SIZE, 3] and the facts of each view.

    Light, background, field of view and a band of elevations are the group's, so that its views agree. A few groups
    show another modality than rgb (see the facts). Further arguments go to `make_thing`.
    """
    photograph, poses, facts = photograph_group(seed, views, **thing_arguments)
    modality = facts[0]["modality"]
    images = photograph.rgb
    if modality != "rgb":
        images = [modality_image(modality, photograph, poses, i) for i in range(views)]
    pixels = np.stack([np.asarray(image) for image in images])
    return np.round(255 * pixels).astype(np.uint8), facts


def photograph_group(seed: int, views: int = VIEWS, **thing_arguments) -> tuple[Photograph, torch.Tensor, list[dict]]:
    """Return what `render_group` renders from, with its depth, normals and masks; the poses [V, 4, 4]; the facts.

    Depth and poses together say where each pixel is seen in the other views.
    """
    rng = random.Random(seed * 7919 + 29)
    thing = make_thing(seed, **thing_arguments)
    setting = draw_setting(rng)
    parameters = view_parameters(rng, views)
    modality = rng.choice(("depth", "normal", "mask")) if rng.random() < MODALITY_SHARE else "rgb"
    cameras = cameras_of(parameters)
    photograph = picture(thing.form, cameras, setting.colour, setting.lamp, finish=setting.finish)
    told = facts_of(thing, setting) | {"seed": seed, "modality": modality}
    return photograph, cameras.camera_to_world, [told | view for view in parameters]


def facts_of(thing: Thing, setting: Setting) -> dict:
    """Return all that a caption may say of an object and its setting."""
    return {
        "category": thing.category, "free": thing.free, "colour": thing.colour, "shade": thing.shade,
        "accent": thing.accent, "accent_seen": thing.accent_seen, "pattern": thing.pattern, "hat": thing.hat,
        "proportions": list(thing.proportions), "details": list(thing.details), "style": setting.finish,
        "background": setting.background, "light": setting.light, "side": setting.side,
    }  # fmt: skip


def draw_setting(rng: random.Random) -> Setting:
    """Draw light, background and finish."""
    finish = rng.choices(list(FINISHES_DRAWN), list(FINISHES_DRAWN.values()))[0]
    background = rng.choices(list(BACKGROUNDS), list(BACKGROUNDS.values()))[0]
    colour = COLOURS_2[background]
    if background == "white":
        colour = (1.0, 1.0, 1.0)
    elif background == "gray":
        grey = rng.uniform(0.4, 0.75)
        colour = (grey, grey, grey)
    if finish == "neon":
        background, colour = "black", NEON_BACKGROUND
    light = rng.choices(list(LIGHTS), list(LIGHTS.values()))[0]
    if finish in ("neon", "cartoon"):
        light = "soft"  # these have a light of their own
    if light == "flat" and finish in ("glossy", "metallic"):
        finish = "matte"  # base colours alone show no gloss
    side = rng.choice(list(SIDES)) if light == "hard" else ""
    return Setting(light, side, lamp_of(light, side, rng), background, colour, finish)


def lamp_of(light: str, side: str, rng: random.Random) -> Light:
    """Return a light by name; where it stands varies a little, and with a hard one by its side."""
    azimuth, elevation = rng.uniform(-50, 50), rng.uniform(35, 65)
    if side:
        azimuth, elevation = (mean + rng.uniform(-12, 12) for mean in SIDES[side])
    a, e = math.radians(azimuth), math.radians(min(elevation, 88))
    direction = (math.cos(e) * math.sin(a), -math.cos(e) * math.cos(a), math.sin(e))
    match light:
        case "flat":
            return Light(direction, flat=True)
        case "hard":
            return Light(direction, (0.85, 0.84, 0.80), (0.30, 0.31, 0.34), shadows=True)
        case "warm":
            return Light(direction, (0.55, 0.36, 0.16), (0.62, 0.50, 0.36))
        case "cool":
            return Light(direction, (0.18, 0.30, 0.46), (0.46, 0.56, 0.74))
        case "dim":
            return Light(direction, (0.16, 0.16, 0.17), (0.30, 0.30, 0.32))
        case _:
            return Light(direction, (0.34, 0.34, 0.34), (0.74, 0.74, 0.74))


def view_parameters(rng: random.Random, count: int) -> list[dict]:
    """Draw a group's cameras: spread azimuths, one field of view, near zooms; elevations within eight degrees, or any.

    Optimisations look from all heights at once, beside an image from one of them.
    """
    start, zoom = rng.uniform(0, 360), rng.uniform(0.96, 1.12)
    fov = rng.uniform(30, 50) if rng.random() < 0.6 else rng.uniform(20, 70)
    height = rng.uniform(-5, 40) if rng.random() < 0.87 else rng.uniform(45, 75)
    spread = rng.random() < SPREAD_SHARE
    views = []
    for i in range(count):
        azimuth = (start + 360 * (i + rng.uniform(-0.4, 0.4)) / count + 180) % 360 - 180
        elevation = rng.uniform(-10, 50) if spread else height + rng.uniform(-8, 8)
        views.append({"azimuth": azimuth, "elevation": elevation, "fov": fov, "zoom": zoom * rng.uniform(0.99, 1.01)})
    return views
