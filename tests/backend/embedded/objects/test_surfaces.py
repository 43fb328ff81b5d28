"""What traced points look like: base colours in flat light, shadows in a hard one."""

from __future__ import annotations

from dataclasses import replace

import torch

from backend.cameras import orbit
from backend.embedded.objects.forms import Form, Material, Piece
from backend.embedded.objects.pictures import picture
from backend.embedded.objects.solids import Primitive
from backend.embedded.objects.surfaces import Light

FLAT = Light((0.0, -0.6, 0.8), flat=True)


def test_flat_light_shows_the_base_colours_and_a_hard_one_throws_shadows():
    pieces = (
        Piece(Primitive("box", (0, 0, -0.4), (0.6, 0.6, 0.05))),
        Piece(Primitive("ellipsoid", (0, 0, 0.2), (0.2, 0.2, 0.2))),
    )
    form = Form(pieces, (Material((0.6, 0.4, 0.2)),))
    camera = orbit([0.0], 60.0, size=64)
    flat = picture(form, camera, (0.0, 0.0, 0.0), FLAT)
    inside = flat.rgb[0][torch.nn.functional.avg_pool2d(flat.mask[..., 0], 5, 1, 2)[0] == 1]
    torch.testing.assert_close(inside, torch.tensor([0.6, 0.4, 0.2]).expand_as(inside), atol=1e-4, rtol=0)
    sun = Light((0.6, 0.0, 0.8), shadows=True)
    lit, shadowed = (picture(form, camera, (0.0,) * 3, light) for light in (replace(sun, shadows=False), sun))  # type: ignore
    darker = (lit.rgb - shadowed.rgb).amax(-1)[0] > 0.1
    columns = torch.nonzero(darker)[:, 1].float()
    assert darker.sum() > 20 and float(columns.mean()) < 30  # away from the sun, which stands on the right
