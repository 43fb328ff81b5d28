"""Groups of views agree, and their settings are drawn as often as they should be."""

from __future__ import annotations

import random

import numpy as np
import pytest

from backend.embedded.objects.groups import SPREAD_SHARE, draw_setting, render_group, view_parameters


def test_views_of_a_group_agree_and_the_same_seed_gives_the_same_bytes():
    images, facts = render_group(7, 4)
    again, _ = render_group(7, 4)
    assert images.shape == (4, 128, 128, 3) and images.dtype == np.uint8 and np.array_equal(images, again)
    own = ("azimuth", "elevation", "zoom")
    assert len({str({k: v for k, v in fact.items() if k not in own}) for fact in facts}) == 1
    azimuths = np.sort([fact["azimuth"] for fact in facts])
    gaps = np.diff(np.append(azimuths, azimuths[0] + 360))
    assert gaps.min() > 10 and gaps.max() < 170


def test_heights_of_a_group_are_within_eight_degrees_or_any_that_optimisations_look_from():
    groups = [[view["elevation"] for view in view_parameters(random.Random(i), 8)] for i in range(1000)]
    spread = [heights for heights in groups if np.ptp(heights) > 16]
    assert len(spread) / len(groups) == pytest.approx(SPREAD_SHARE, abs=0.05)
    assert np.min(spread) >= -10 and np.max(spread) <= 50 and np.mean(spread) == pytest.approx(20, abs=1)


def test_settings_are_drawn_as_often_as_they_should_be():
    settings = [draw_setting(random.Random(i)) for i in range(2000)]
    assert np.mean([s.background == "white" for s in settings]) == pytest.approx(0.40, abs=0.06)
    assert all(s.lamp.flat == (s.light == "flat") and bool(s.side) == (s.light == "hard") for s in settings)
    assert not any(s.light == "flat" and s.finish in ("glossy", "metallic") for s in settings)
    for s in settings:
        assert np.linalg.norm(s.lamp.direction) == pytest.approx(1)
        if s.side == "left":  # as seen by who looks at the front, from -Y
            assert s.lamp.direction[0] < -0.5
