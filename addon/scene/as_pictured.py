"""Things of one picture stand as in it: which jobs are of one picture, and where each of their results stands."""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import protocol
from .placing import TOUCH, Box, Corner, box_of, overlap, size_of
from .result_files import picture_of, place_of_mesh, read_json

if TYPE_CHECKING:
    from .importer import Imported

GROUND_FROM = 5.0  # degrees: a camera that is higher sees the ground on which things stand
FARTHEST = 4.0  # times the largest thing's depth, or its inverse: what would be there does not stand on its ground


@dataclass(frozen=True)
class Thing:
    """What the picture shows of an object, and the height of its base in the unit sphere that it was made in."""

    seen: protocol.Pictured
    base: float


@dataclass(frozen=True)
class Stand:
    """Where a thing stands: its base, from that of the largest; the radius of its sphere; how far about Z, radians."""

    offset: Corner
    size: float
    turn: float


def together(jobs: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Return the jobs, in their order, those together that are of different things of one picture.

    Two jobs of one thing are in two groups. It is their requests that say it, so that it holds before they are done.
    """
    groups: list[dict[object, Path]] = []
    open_groups: dict[str, list[dict[object, Path]]] = {}
    for job in jobs:
        found = _piece_of(job)
        if found is None:
            groups.append({0: job})
            continue
        picture, piece = found
        fitting = [group for group in open_groups.setdefault(picture, []) if piece not in group]
        if not fitting:
            fitting = [{}]
            open_groups[picture] += fitting
            groups += fitting
        fitting[0][piece] = job
    return [tuple(group.values()) for group in groups]


def _piece_of(job: Path) -> tuple[str, int] | None:
    """Return a digest of a job's picture and which thing of it the job is about, None for all of it."""
    try:
        request = protocol.read_request(job)
        piece = request.settings.get("piece", 0)
        name = next((image.path for image in request.images if image.role == "reconstruct"), "")
        if not piece or not name or (protocol.file_size(job, name) or protocol.INPUT_BYTES) >= protocol.INPUT_BYTES:
            return None
        with protocol.open_file(job, name, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), int(piece)
    except (ValueError, OSError):  # whoever imports it says what is wrong with it
        return None


def stands(things: Sequence[Thing]) -> list[Stand]:
    """Return where things of one picture stand; the one that is largest there stands at the origin, as it was made.

    The camera has the azimuth and the elevation e of the largest. In its axes (right, up, forward) the middle of a
    thing lies at z (2 t x, 2 t y, 1): x and y are how far right and up from its middle the picture shows it, in shares
    of the longer side, t is the tangent of half the angle that this side is seen under, and z the depth. A crop of the
    side s is seen under half the angle h, tan h = t s, and the thing was made in the unit sphere that fills such a
    picture: here that sphere has the radius r = z sin h. The largest has r = 1.

    One picture does not say how deep a thing stands, its ground does. The world's up is (0, cos e, -sin e) in the
    camera's axes, and a base at b in the unit sphere lies z b sin h above the thing's middle, so that its height is

        z (2 t y cos e - sin e + b sin h) = z g,

    below the camera where g < 0. All bases are as high as that of the largest, z0 g0, if z = z0 g0 / g. What would be
    absurdly deep then (it flies, or stands on something), and everything under a camera that is not above the ground,
    stands as deep as the largest, and so further up or down.
    """
    first = max(things, key=lambda thing: thing.seen.side)
    elevation, azimuth = math.radians(first.seen.elevation_degrees), math.radians(first.seen.azimuth_degrees)
    rise, away = math.sin(elevation), math.cos(elevation)
    right = (math.cos(azimuth), math.sin(azimuth), 0.0)
    up = (-rise * math.sin(azimuth), rise * math.cos(azimuth), away)
    forward = (-away * math.sin(azimuth), away * math.cos(azimuth), -rise)

    def half(thing: Thing) -> float:
        return math.atan(math.tan(math.radians(thing.seen.fov_degrees) / 2) * thing.seen.side)

    def shares(thing: Thing) -> tuple[float, float]:
        double = 2 * math.tan(math.radians(thing.seen.fov_degrees) / 2)
        return double * thing.seen.across, -double * thing.seen.down

    def below(thing: Thing) -> float:
        return shares(thing)[1] * away - rise + thing.base * math.sin(half(thing))

    def base(thing: Thing, depth: float) -> Corner:
        x, y = shares(thing)
        middle = [depth * (x * right[axis] + y * up[axis] + forward[axis]) for axis in range(3)]
        return middle[0], middle[1], middle[2] + depth * math.sin(half(thing)) * thing.base

    nearest = 1 / math.sin(half(first))
    origin, made = base(first, nearest), []
    for thing in things:
        depth = nearest
        if first.seen.elevation_degrees >= GROUND_FROM and max(below(first), below(thing)) < 0:
            ratio = below(first) / below(thing)
            depth *= ratio if 1 / FARTHEST <= ratio <= FARTHEST else 1.0
        x, y, z = (there - here for there, here in zip(base(thing, depth), origin, strict=True))
        turn = azimuth - math.radians(thing.seen.azimuth_degrees)  # where each camera was looked for
        made.append(Stand((x, y, z), depth * math.sin(half(thing)), turn))
    return made


def slides(boxes: Sequence[Box], first: int, right: Corner) -> list[float]:
    """Return how far each box must go along `right`, away from the `first`, so that none is in another."""
    lengths, placed = [0.0] * len(boxes), [boxes[first]]

    def beside(number: int) -> float:
        """Return how far to the right of the first one a box has its middle."""
        ends = zip(boxes[number], boxes[first], strict=True)
        return sum((here[axis] - there[axis]) * right[axis] for here, there in ends for axis in (0, 1))

    for number in sorted(set(range(len(boxes))) - {first}, key=lambda number: abs(beside(number))):
        way = 1.0 if beside(number) >= 0 else -1.0
        steps = [way * right[axis] for axis in (0, 1)]
        while hit := next((other for other in placed if _meet(boxes[number], other, steps, lengths[number])), None):
            box, length = boxes[number], lengths[number]
            free = [
                (hit[1][axis] - box[0][axis] if step > 0 else hit[0][axis] - box[1][axis]) / step
                for axis, step in enumerate(steps) if abs(step) > TOUCH
            ]  # fmt: skip
            lengths[number] = min(each for each in free if each > length)
        low, high = (
            (corner[0] + steps[0] * lengths[number], corner[1] + steps[1] * lengths[number], corner[2])
            for corner in boxes[number]
        )
        placed.append((low, high))
        lengths[number] *= way
    return lengths


def _meet(box: Box, other: Box, steps: Sequence[float], length: float) -> bool:
    """Say whether a box that has gone so far is in another."""
    reach = TOUCH * max(size_of(box))
    shifts = (*(step * length for step in steps), 0.0)
    return all(overlap(box, other, axis, shifts[axis]) > reach for axis in range(3))


def arrange(made: Sequence[tuple[Path, Imported]]) -> list[Imported]:
    """Give results of one picture, of which each was imported to the same place, their sizes and places.

    Returns those that do not say where in their picture they were, which stay as they are.
    """
    import bpy

    from .importer import resize

    results = [(each, read_json(job, protocol.RESULT_FILE)) for job, each in made]
    seen = [(each, picture_of(result), *place_of_mesh(result)) for each, result in results]
    known = [(each, picture, scale, lift) for each, picture, scale, lift in seen if picture is not None]
    if known:
        things = [Thing(picture, (each.base - lift) / scale) for each, picture, scale, lift in known]
        first = max(range(len(things)), key=lambda number: things[number].seen.side)
        unit = known[first][2]  # of the scene, per radius of the largest thing's sphere
        for (each, _, scale, _), stand in zip(known, stands(things), strict=True):
            resize(each, stand.size * unit / scale)
            for item in each.objects:
                item.location = [at + unit * step for at, step in zip(item.location, stand.offset, strict=True)]
                item.rotation_euler.z = stand.turn
        bpy.context.view_layer.update()  # else their matrices are those of before
        azimuth = math.radians(things[first].seen.azimuth_degrees)
        right = (math.cos(azimuth), math.sin(azimuth), 0.0)
        lengths = slides([box_of(each.objects[0]) for each, *_ in known], first, right)
        for (each, *_), length in zip(known, lengths, strict=True):
            for item in each.objects:
                item.location = [at + length * step for at, step in zip(item.location, right, strict=True)]
    return [each for each, picture, *_ in seen if picture is None]
