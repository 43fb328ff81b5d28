"""What a job begins with: four sides, or another result, which is a sentence where it cannot be used."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from addon import protocol
from backend.errors import BadInput
from backend.export import write_points_ply
from backend.systems.tv3dg import begin
from backend.systems.tv3dg import start as starts
from tests.backend.gaussian_shapes import two_coloured_shell
from tests.backend.systems.tv3dg.small_jobs import new_edit, run_edit
from tests.backend.systems.tv3dg.toy_optimisation import settings_of, sides


def test_another_start_is_another_edit(tmp_path: Path) -> None:
    folder = new_edit(tmp_path / "job")
    before = run_edit(folder)
    write_points_ply(folder / "inputs/start.ply", two_coloured_shell(120, radius=0.4))
    events: list[Any] = []
    assert len(run_edit(folder, emit=events.append)) == 120 != len(before)
    assert any("made again" in event.message for event in events if isinstance(event, protocol.Warning))


def test_a_start_may_have_more_gaussians_than_the_preset_makes(tmp_path: Path) -> None:
    """Two steps with density control in between, which would otherwise leave no more than `max_count`."""
    assert len(run_edit(new_edit(tmp_path / "job", max_count=100, growth_rounds=1))) == 150


@pytest.mark.parametrize("case", ["missing", "link", "damaged", "too many", "nowhere"])
def test_a_start_that_cannot_be_used_is_a_sentence(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, words = new_edit(tmp_path / "job", max_count=100), ""
    path = folder / "inputs/start.ply"
    match case:
        case "missing":
            path.unlink()
            words = "inputs/start.ply is missing in the job folder"
        case "link":
            path.rename(tmp_path / "start.ply")
            path.symlink_to(tmp_path / "start.ply")
            words = "inputs/start.ply leads out of the job folder"
        case "damaged":
            path.write_bytes(path.read_bytes()[:-8])
            words = "start.ply has .* its header promises"
        case "too many":
            monkeypatch.setattr(starts, "MAX_STARTED", 100)
            words = "150 Gaussians; it needs 8 at least and 100 at most"
        case "nowhere":
            far = two_coloured_shell(20)
            far.means[4, 2] = 1e3
            write_points_ply(path, far)
            words = "1 of the 20 Gaussians of the start lie farther than 10"
    with pytest.raises(BadInput, match=words) as caught:
        run_edit(folder)
    assert caught.value.hint


def test_points_of_four_sides_begin_as_large_as_is_set_and_flat_along_the_surface() -> None:
    made = []
    for size in (1.0, 0.5):
        job: Any = SimpleNamespace(generator=torch.Generator().manual_seed(3))
        settings = settings_of(start="sides", count=300, start_size=size, start_opacity=0.5)
        made.append(begin(job, settings, sides(), None, torch.device("cpu"))[0])
    whole, half = made
    assert torch.equal(whole.means, half.means)
    torch.testing.assert_close(half.scales, 0.5 * whole.scales)
    axes = half.rotations[:, :, 2]  # of a ball about the origin
    outwards = torch.cosine_similarity(axes, half.means, dim=-1).abs()
    assert float(outwards.mean()) > 0.85  # chance: 0.5
