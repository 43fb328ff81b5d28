"""The set that every system is judged on: prompts, prompts with a style, subjects in photos, single images.

What is shown has seeds and shapes held out from training; five single images come from outside the generator. Twelve
more, chosen as `artists`, show artists' models, where these are on the machine: benchmarks/data/artists.py.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file

from backend.cameras import Cameras, azimuth_elevation, framing_distance, orbit
from backend.embedded.objects.shapes import COLOURS, HELD_OUT, Subject, make_subject
from backend.embedded.objects.solids import photograph
from backend.images import load_image, save_image, square
from backend.meshes.mesh import Mesh
from benchmarks.data.artists import MODELS, artist_mesh, artist_photo, artist_views
from benchmarks.data.draw import Draw, painted_views, solid_views
from benchmarks.metrics.geometry import solid_mesh

KINDS = ("prompt", "style", "subject", "image")
ELEVATION, FOV = 15.0, 40.0  # of single images; a user would have to say so
PHOTOS = 5  # of a subject
OUTSIDE = Path(__file__).parent.parent / "outside"


@dataclass(frozen=True)
class Case:
    """One thing to make. What it shows is drawn from `seed`; `category` is empty for what no generator draws."""

    name: str
    kind: str
    prompt: str
    category: str = ""
    colour: str = ""
    pattern: str = "plain"
    hat: bool = False
    seed: int = 0
    style: str = "matte"  # how the style image of a `style` case is drawn
    style_of: str = ""  # category of what the style image shows
    unseen: bool = False  # whether the shape lies outside what the prior was trained on
    model: str = ""  # of an artist
    shown: str = ""  # colour of the subject in its photos, where the prompt wants it in another

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.name}: unknown kind {self.kind!r}, one of {', '.join(KINDS)}")

    @property
    def outside(self) -> bool:
        """Say whether the object is none of the generator's."""
        return not self.category


def _seeds(first: int) -> int:
    return HELD_OUT.first_seed + first


_PROMPTS = [
    ("a red mug", "mug", "red", {}),
    ("a blue chair", "chair", "blue", {}),
    ("a green cactus", "cactus", "green", {}),
    ("a yellow car", "car", "yellow", {}),
    ("a white rabbit", "rabbit", "white", {}),
    ("a purple teapot", "teapot", "purple", {}),
    ("a brown teddy bear", "bear", "brown", {}),
    ("an orange fish", "fish", "orange", {}),
    ("a pink house", "house", "pink", {}),
    ("a teal bird with a hat", "bird", "teal", {"hat": True}),
    ("a red mushroom with white dots", "mushroom", "red", {"pattern": "dots"}),
    ("a blue and yellow striped rocket", "rocket", "blue", {"pattern": "stripes"}),
]
_STYLES = [
    ("a chair", "chair", "red", "checks", "matte", "table"),
    ("a mug", "mug", "blue", "stripes", "matte", "bottle"),
    ("a teapot", "teapot", "green", "dots", "glossy", "mushroom"),
    ("a car", "car", "orange", "plain", "cartoon", "robot"),
    ("a house", "house", "purple", "checks", "matte", "castle"),
    ("a dog", "dog", "yellow", "stripes", "matte", "fish"),
    ("a rabbit", "rabbit", "pink", "plain", "pastel", "bear"),
    ("a robot", "robot", "teal", "plain", "neon", "car"),
    ("a sofa", "sofa", "brown", "checks", "matte", "chair"),
    ("a boat", "boat", "white", "stripes", "glossy", "rocket"),
    ("a lamp", "lamp", "red", "dots", "matte", "mug"),
    ("a bird", "bird", "blue", "plain", "cartoon", "rabbit"),
]
_SUBJECTS = [
    ("dog", "red", "plain", False), ("mug", "green", "stripes", False), ("chair", "yellow", "plain", False),
    ("snowman", "blue", "plain", True), ("teapot", "orange", "dots", False), ("car", "purple", "plain", False),
    ("bird", "teal", "plain", True), ("sofa", "pink", "checks", False), ("bear", "brown", "plain", False),
    ("boat", "white", "plain", False), ("rabbit", "gray", "plain", False), ("castle", "red", "plain", False),
]  # fmt: skip
_RECOLOURED = (
    "blue", "red", "green", "red", "purple", "yellow", "orange", "teal", "red", "orange", "purple", "white",
)  # fmt: skip
_IMAGES = [
    ("chair", "green"), ("robot", "red"), ("dog", "blue"), ("teapot", "yellow"), ("car", "orange"),
    ("bird", "purple"), ("sofa", "teal"), ("turtle", "green"), ("cake", "pink"), ("clock", "blue"),
]  # fmt: skip
_OUTSIDE = [
    ("monkey", "a brown monkey"), ("doughnut", "a pink doughnut"), ("star", "a yellow star"),
    ("vase", "a teal vase"), ("snail", "an orange snail"),
]  # fmt: skip


def all_cases() -> tuple[Case, ...]:
    """Return the 12 prompts, 12 prompts with a style, 12 subjects with 2 prompts each, and 15 single images.

    Of a subject's prompts one asks for it as it is, the other for it in another colour: so its truth is known, too.
    """
    cases = [
        Case(f"prompt-{category}", "prompt", prompt, category, colour, seed=_seeds(100 + i), **more)
        for i, (prompt, category, colour, more) in enumerate(_PROMPTS)
    ]
    cases += [
        Case(
            f"style-{category}", "style", prompt, category, colour, pattern, seed=_seeds(200 + i), style=style,
            style_of=shown,
        )
        for i, (prompt, category, colour, pattern, style, shown) in enumerate(_STYLES)
    ]  # fmt: skip
    cases += [
        Case(f"subject-{category}", "subject", f"a {category}", category, colour, pattern, hat, _seeds(300 + i))
        for i, (category, colour, pattern, hat) in enumerate(_SUBJECTS)
    ]
    cases += [
        Case(
            f"subject-{category}-{wanted}", "subject", f"a {wanted} {category}", category, wanted, pattern, hat,
            _seeds(300 + i), shown=colour,
        )
        for i, ((category, colour, pattern, hat), wanted) in enumerate(zip(_SUBJECTS, _RECOLOURED, strict=True))
    ]  # fmt: skip
    cases += [
        Case(
            f"image-{category}", "image", f"a {colour} {category}", category, colour, seed=_seeds(400 + i), unseen=True
        )
        for i, (category, colour) in enumerate(_IMAGES)
    ]
    cases += [Case(f"image-{name}", "image", prompt) for name, prompt in _OUTSIDE]
    return tuple(cases)


def artist_cases() -> tuple[Case, ...]:
    """Return the single images of the twelve artists' models."""
    return tuple(Case(f"artist-{name}", "image", prompt, model=name) for name, (prompt, _) in MODELS.items())


def choose(names: str) -> tuple[Case, ...]:
    """Return the cases of a list like "prompt,image-robot": kinds, names, or `all`. Raises ValueError for others.

    `artists` are no part of `image` and `all`, because not every machine has them.
    """
    cases, artists, chosen = all_cases(), artist_cases(), []
    for name in names.split(","):
        found = [case for case in cases if name in (case.name, case.kind, "all")]
        found += [case for case in artists if name in (case.name, "artists")]
        if not found:
            raise ValueError(
                f"there is no case {name!r}: name a kind ({', '.join(KINDS)}), `artists`, `all`, or one of "
                f"{', '.join(case.name for case in (*cases, *artists))}"
            )
        chosen += [case for case in found if case not in chosen]
    return tuple(chosen)


# ---- what a case truly is --------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def subject_of(case: Case) -> Subject:
    """Return the generated object of a case. For a prompt it is one of many that the words may mean."""
    if case.outside:
        raise ValueError(f"{case.name} is no object of the generator")
    drawn = make_subject(
        case.seed, category=case.category, colour=case.shown or case.colour, pattern=case.pattern, hat=case.hat,
        unseen=case.unseen,
    )  # fmt: skip
    if not case.shown:
        return drawn
    colours = (COLOURS[case.colour], *drawn.solid.colours[1:])
    return replace(drawn, colour=case.colour, solid=replace(drawn.solid, colours=colours))


def true_views(case: Case) -> Draw:
    """Return what draws the true object."""
    if not case.outside:
        return solid_views(subject_of(case).solid)
    if case.model:
        return artist_views(case.model)
    mesh, colours = outside_mesh(case)
    return painted_views(mesh, colours)


@lru_cache(maxsize=8)
def true_mesh(case: Case) -> Mesh:
    """Return the true surface, in world units."""
    if case.model:
        return artist_mesh(case.model)
    return outside_mesh(case)[0] if case.outside else solid_mesh(subject_of(case).solid)


def family(case: Case, members: int) -> list[Mesh]:
    """Return surfaces of objects that the case's words may mean: of its category, each drawn anew."""
    seeds = range(case.seed + 10_000, case.seed + 10_000 + members)
    return [solid_mesh(make_subject(s, category=case.category, colour=case.colour, hat=case.hat).solid) for s in seeds]


def outside_mesh(case: Case) -> tuple[Mesh, torch.Tensor]:
    """Return the surface and the base colours [V, 3] of an object from outside the generator."""
    tensors = load_file(OUTSIDE / f"{case.name.removeprefix('image-')}.safetensors")
    return Mesh(tensors["vertices"].float(), tensors["faces"].long()), tensors["colours"].float()


# ---- what a system is shown ------------------------------------------------------------------------------------------


def write_pictures(case: Case, folder: Path) -> list[tuple[Path, str]]:
    """Write what the system is given into a folder: files with their roles, none for a prompt alone."""
    folder.mkdir(parents=True, exist_ok=True)
    match case.kind:
        case "image":
            path = folder / "00.png"
            save_image(path, artist_image(case) if case.model else single_image(case))
            return [(path, "reconstruct")]
        case "style":
            path = folder / "00.png"
            save_image(path, style_image(case))
            return [(path, "visual_prompt")]
        case "subject":
            paths = [folder / f"{i:02}.png" for i in range(PHOTOS)]
            for i, path in enumerate(paths):
                save_image(path, photo(case, i))
            return [(path, "subject") for path in paths]
        case _:
            return []


def single_image(case: Case) -> torch.Tensor:
    """Return the front view before a grey wall, [256, 256, 3]; an artist's before white."""
    if case.model:
        rgb, alpha = artist_image(case).split([3, 1], dim=-1)
        return square(rgb, alpha, 256)
    if case.outside:
        return load_image(OUTSIDE / f"{case.name.removeprefix('image-')}.png")[0]
    camera = orbit([0.0], ELEVATION, fov_degrees=FOV, size=256)
    return photograph(subject_of(case).solid, camera, torch.full((3,), 0.86)).rgb[0]


def artist_image(case: Case) -> torch.Tensor:
    """Return the front view of an artist's model, cut out, [512, 512, 4]: some are as white as any wall."""
    return artist_photo(case.model, orbit([0.0], ELEVATION, fov_degrees=FOV, size=512))


@lru_cache(maxsize=8)
def style_image(case: Case) -> torch.Tensor:
    """Return a picture of another thing in the style of the case, [256, 256, 3]."""
    other = make_subject(case.seed, category=case.style_of, colour=case.colour, pattern=case.pattern, hat=False)
    camera = orbit([30.0], 20.0, fov_degrees=FOV, size=256)
    return photograph(other.solid, camera, torch.ones(3), style=case.style).rgb[0]


def photo(case: Case, number: int) -> torch.Tensor:
    """Return one unposed photo of a subject, [256, 256, 3]: any side, crop and light, before a busy background."""
    rng = _photo_draws(case, number)
    camera = _photo_camera(rng)
    intrinsics = camera.intrinsics.clone()
    intrinsics[:, 0, 2] += 256 * rng.uniform(-0.12, 0.12)  # not in the middle
    intrinsics[:, 1, 2] += 256 * rng.uniform(-0.12, 0.12)
    camera = replace(camera, intrinsics=intrinsics)
    azimuth, height = rng.uniform(0, 2 * math.pi), rng.uniform(0.3, 1.2)
    sun = torch.tensor([math.cos(azimuth), math.sin(azimuth), height])
    solid = subject_of(replace(case, colour=case.shown or case.colour, shown="")).solid
    # Before white and before black: the difference says how much of each pixel is background.
    white = photograph(solid, camera, torch.ones(3), light=sun).rgb[0]
    black = photograph(solid, camera, torch.zeros(3), light=sun).rgb[0]
    open_share = (white - black).mean(-1, keepdim=True)
    return (black + open_share * _background(rng, 256)).clamp(0, 1)


def photo_place(case: Case, number: int) -> tuple[float, float]:
    """Return azimuth and elevation, in degrees, from which a photo of a subject was taken; no system is told."""
    azimuth, elevation = azimuth_elevation(_photo_camera(_photo_draws(case, number)))
    return float(azimuth[0]), float(elevation[0])


def _photo_draws(case: Case, number: int) -> random.Random:
    return random.Random(1000 * case.seed + number)


def _photo_camera(rng: random.Random) -> Cameras:
    fov = rng.uniform(30, 50)
    return orbit(
        [rng.uniform(-180, 180)], rng.uniform(-5, 40), fov_degrees=fov,
        distance=float(framing_distance(fov)) * rng.uniform(0.95, 1.5), size=256,
    )  # fmt: skip


def _background(rng: random.Random, size: int) -> torch.Tensor:
    """Draw a room, [size, size, 3]: a wall and a floor of two colours, and blurred spots."""
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    wall, floor = (
        0.4 + 0.4 * torch.rand(1, generator=generator) + 0.2 * torch.rand(3, generator=generator) for _ in range(2)
    )
    rows = torch.arange(size)[:, None, None] / size
    horizon = rng.uniform(0.45, 0.75)
    room = torch.where(rows < horizon, wall * (0.8 + 0.3 * rows), floor * (0.7 + 0.3 * rows)).expand(size, size, 3)
    spots = torch.rand(1, 3, 4, 4, generator=generator) - 0.5
    spots = torch.nn.functional.interpolate(spots, (size, size), mode="bicubic", align_corners=False)
    return (room + 0.2 * spots[0].permute(1, 2, 0)).clamp(0, 1)
