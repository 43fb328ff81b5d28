"""Gaussians that an optimisation begins with: a ball, or a file that anybody may have made."""

from __future__ import annotations

import pytest
import torch

from backend.errors import BadInput
from backend.representations.gaussians import Gaussians, ball_of_gaussians, check_start, reach, scaled
from tests.backend.gaussian_shapes import two_coloured_shell


def start(count: int = 20) -> Gaussians:
    return two_coloured_shell(count)


def test_a_ball_is_grey_round_and_drawn_from_the_generator() -> None:
    one, other = (ball_of_gaussians(200, 0.5, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.means, other.means) and torch.equal(one.sh, other.sh)
    assert float(one.means.norm(dim=-1).max()) <= 0.5
    assert float((one.base_colours - 0.5).abs().max()) <= 0.2 + 1e-6 and float(one.base_colours.std()) > 0.05


def test_a_good_start_keeps_everything_but_what_depends_on_the_view() -> None:
    given = start()
    given.sh = torch.cat([given.sh, torch.ones(20, 8, 3)], dim=1)
    checked = check_start(given, 20)
    assert torch.equal(checked.means, given.means) and torch.equal(checked.opacity_logits, given.opacity_logits)
    assert checked.sh.shape == (20, 1, 3) and torch.equal(checked.sh, given.sh[:, :1])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("means", float("nan"), "1 of the 20 Gaussians of the start hold numbers that are not finite"),
        ("sh", float("inf"), "not finite"),
        ("means", 11.0, "lie farther than 10 from the origin"),
        ("log_scales", 0.1, "are larger than 1"),
        ("opacity_logits", -1e5, "hold numbers beyond 10000"),
        ("sh", 2e4, "hold numbers beyond 10000"),
    ],
)
def test_a_number_that_no_object_has_is_refused(name: str, value: float, words: str) -> None:
    broken = start()
    broken.parameters()[name][3] = value
    with pytest.raises(BadInput, match=words) as caught:
        check_start(broken, 20)
    assert caught.value.hint


def test_too_many_and_too_few_are_refused() -> None:
    with pytest.raises(BadInput, match="20 Gaussians; it needs 8 at least and 19 at most") as caught:
        check_start(start(20), 19)
    assert "max_count" in caught.value.hint
    with pytest.raises(BadInput, match="has 7 Gaussians"):
        check_start(start(7), 19)
    check_start(start(8), 8)


def test_scaling_scales_places_and_sizes_and_leaves_the_given_ones() -> None:
    given = two_coloured_shell(200, radius=0.6)
    half = scaled(given, 0.5)
    assert torch.allclose(half.means, 0.5 * given.means) and torch.allclose(half.scales, 0.5 * given.scales)
    assert torch.equal(half.sh, given.sh) and half.sh.data_ptr() != given.sh.data_ptr()
    assert reach(half) == pytest.approx(0.5 * reach(given))


def test_a_few_astray_and_what_is_hardly_there_reach_nowhere() -> None:
    given = two_coloured_shell(300, radius=0.6)
    assert reach(given) == pytest.approx(0.65)  # with the size of a Gaussian
    given.means[0] *= 5
    given.means[100:150] *= 3
    given.opacity_logits[100:150] = -7.0
    assert reach(given) == pytest.approx(0.65)
    given.opacity_logits[100:150] = 2.0
    assert reach(given) == pytest.approx(1.85)
    given.log_scales[:] -= 3.0
    assert reach(given) < 1.85
