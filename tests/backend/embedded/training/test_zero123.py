"""The trainer of novel views: the signs of its poses."""

from __future__ import annotations

import math

import numpy as np

from backend.embedded.training.zero123 import pose_between

FACT = {
    "category": "mug", "colour": "red", "accent": "blue", "pattern": "plain", "hat": False, "style": "matte",
    "azimuth": 170.0, "elevation": 10.0, "zoom": 1.0,
}  # fmt: skip


def test_the_way_from_one_camera_to_another_has_the_signs_of_zero123():
    beside = FACT | {"azimuth": -100.0, "elevation": 40.0, "zoom": 1.25}  # 90 degrees on, across the seam
    np.testing.assert_allclose(pose_between(FACT, beside), [math.radians(30), 1, 0, 0.25], atol=1e-9)
    np.testing.assert_allclose(pose_between(FACT, FACT), [0, 0, 1, 0], atol=1e-9)
