"""Where in its picture an object was, as result.json says it, and which camera took the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from .typed_json import ProtocolError, build

KEY = "picture"  # in result.json
MOST = 100.0  # sides of a picture that a crop may reach or be away; a thin thing's crop is larger than its picture


@dataclass(frozen=True)
class Pictured:
    """The square that was cut out of a picture around an object. Lengths are shares of the picture's longer side."""

    across: float  # from the picture's middle to the square's, to the right
    down: float
    side: float
    azimuth_degrees: float  # of the camera
    elevation_degrees: float
    fov_degrees: float  # along the picture's longer side

    def __post_init__(self) -> None:
        """Refuse what no picture has."""
        for name, low, high in (
            ("across", -MOST, MOST), ("down", -MOST, MOST), ("side", 1 / MOST, MOST), ("azimuth_degrees", -360, 360),
            ("elevation_degrees", -90, 90), ("fov_degrees", 0.1, 179),
        ):  # fmt: skip
            number = getattr(self, name)
            if not (math.isfinite(number) and low <= number <= high):
                raise ProtocolError(f"The {name} of an object in its picture is {number!r}: no result has that.")


def read_pictured(result: dict[str, Any]) -> Pictured | None:
    """Return what a result.json says of its object's picture, None for nothing. Raises ProtocolError."""
    said = result.get(KEY)
    if said is None:
        return None
    if not isinstance(said, dict):
        raise ProtocolError(f"The {KEY} of a result is {str(said)[:80]!r}; expected an object.")
    known = {field.name for field in fields(Pictured)}  # a later version may say more
    return build(Pictured, {name: value for name, value in said.items() if name in known})
