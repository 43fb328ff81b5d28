"""Faces counted around an object."""

from __future__ import annotations

import pytest

from benchmarks.metrics import janus


def test_one_front_is_no_janus_and_two_are() -> None:
    ring = [i * 15.0 for i in range(24)]
    assert janus.front_clusters(ring) == pytest.approx([0.0])  # across the seam of the ring
    assert not janus.is_janus(ring)
    two = [2 * angle for angle in ring]  # a face on either side
    assert janus.front_clusters(two) == pytest.approx([180.0, 0.0])
    assert janus.is_janus(two)
    assert janus.is_janus([0.0] * 24) and not janus.is_janus([180.0] * 24)


def test_one_misread_view_is_no_face() -> None:
    ring = [i * 15.0 for i in range(24)]
    ring[12] = 0.0
    assert not janus.is_janus(ring)
    ring[13] = 10.0
    assert janus.is_janus(ring)
