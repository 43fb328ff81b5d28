"""The Janus problem: an object that shows its front in more than one direction."""

from __future__ import annotations

from collections.abc import Sequence

FRONT = 45.0  # a view that is read within so many degrees of azimuth 0 shows a front
APART = 90.0
MIN_VIEWS = 2  # of a cluster; one view alone is taken for an error of the reader


def front_clusters(read_degrees: Sequence[float]) -> list[float]:
    """Return the azimuths at whose middle a run of views shows a front.

    The views stand at even steps around the object, from azimuth 0; `read_degrees` is what a regressor takes each for.
    A cluster is a run, on the closed ring, of at least two neighbours that are read within 45 degrees of the front.
    """
    count = len(read_degrees)
    step = 360.0 / count
    is_front = [abs((angle + 180) % 360 - 180) <= FRONT for angle in read_degrees]
    if all(is_front):
        return [0.0, 180.0]  # a front wherever one looks
    middles, start = [], next(i for i in range(count) if not is_front[i])
    run: list[int] = []
    for i in range(start, start + count + 1):
        if is_front[i % count]:
            run.append(i)
        else:
            if len(run) >= MIN_VIEWS:
                middles.append(step * (run[0] + run[-1]) / 2 % 360)
            run = []
    return middles


def is_janus(read_degrees: Sequence[float]) -> bool:
    """Say whether two clusters of front views lie more than 90 degrees apart.

    Print the share of true objects of which a regressor says so beside that of results.
    """
    middles = front_clusters(read_degrees)
    return any(abs((a - b + 180) % 360 - 180) > APART for a in middles for b in middles)
