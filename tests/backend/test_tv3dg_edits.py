"""A result that is edited by text: where it begins, what holds it, that it resumes, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from backend.cameras import orbit
from backend.diffusion.denoiser import load_prior
from backend.errors import BadInput, JobInterrupted
from backend.export import read_points_ply, write_points_ply
from backend.job import Job
from backend.losses import untouched
from backend.presets.tv3dg import PRESETS, of_edit
from backend.rendering.anchor import Anchor
from backend.rendering.splats import renderer_for
from backend.representations.gaussians import Gaussians, reach
from backend.supervision import Control
from backend.systems import tv3dg
from tests.backend.gaussian_shapes import two_coloured_shell

SMALL: dict[str, Any] = {
    "edit_steps": 4,
    "edit_delta_t": 400,
    "views": 2,
    "edit_grow_gradient": 1e6,
    "steps": 1,
    "edit_redraw": 0.0,
}


def new_edit(folder: Path, *, start: Gaussians | None = None, **settings: Any) -> Path:
    """Write the folder of an edit of a small red and blue ball."""
    (folder / "inputs").mkdir(parents=True)
    write_points_ply(folder / "inputs/start.ply", two_coloured_shell(150, radius=0.5) if start is None else start)
    first = protocol.Request(system="tv3dg", prompt="a red mug", seed=4, preset="bench", threads=1, outputs=("points",))
    protocol.write_request(folder, first.edited("a green mug", settings=SMALL | settings))
    return folder


def run(folder: Path, control: Control | None = None, emit: Any = lambda event: None) -> Gaussians:
    tv3dg.run(Job(folder, protocol.read_request(folder), emit, control or Control()))
    return read_points_ply(folder / "result/points.ply")


def test_an_edit_begins_from_its_start_and_takes_its_own_steps(tmp_path: Path) -> None:
    events: list[Any] = []
    made = run(new_edit(tmp_path / "job"), emit=events.append)
    start = read_points_ply(tmp_path / "job/inputs/start.ply")
    assert [event.steps for event in events if isinstance(event, protocol.Progress)][-1] == SMALL["edit_steps"]
    assert len(made) == len(start) and not torch.equal(made.means, start.means)
    # Adam moves a coordinate by its rate at most, or little more, in each step; it was smaller meanwhile.
    moved = 1.5 * SMALL["edit_steps"] * PRESETS["bench"].mean_rate / PRESETS["bench"].edit_room
    assert float((made.means - start.means).abs().max()) < moved
    assert reach(made) == pytest.approx(reach(start), rel=1e-4)
    assert not [event for event in events if isinstance(event, protocol.Warning)]


def test_the_anchor_holds_and_the_old_words_matter(tmp_path: Path) -> None:
    """The same edit with more weight stays nearer to its start; guided against nothing, it becomes another one."""
    cameras, white = orbit([0.0, 120.0, 240.0], 15.0, size=48), torch.ones(3)
    render = renderer_for("cpu")

    def distance(folder: Path, **settings: Any) -> float:
        made = run(new_edit(folder, colour_rate=0.1, **settings))
        start = read_points_ply(folder / "inputs/start.ply")
        return float((render(made, cameras, white).rgb - render(start, cameras, white).rgb).abs().mean())

    free = distance(tmp_path / "free", anchor=0.0, anchor_mask=0.0)
    held = distance(tmp_path / "held", anchor=1000.0, anchor_mask=1000.0)
    alone = distance(tmp_path / "alone", anchor=0.0, anchor_mask=0.0, edit_contrast=False)
    assert held < 0.8 * free and abs(alone - free) > 1e-5


def test_guiding_against_the_same_words_says_nothing() -> None:
    guidance, cameras = tv3dg.guide(load_prior("embedded"), PRESETS["bench"]), orbit([0.0, 180.0], 15.0)
    same = guidance.contexts("a red mug", "", cameras, tell_cameras=True, against="a red mug")
    assert torch.equal(same.conditional, same.unconditional)
    refused = guidance.contexts("a red mug", "fog", cameras, tell_cameras=True, against="a red mug").unconditional
    assert refused.shape == same.conditional.shape and not torch.equal(refused, same.conditional)


def test_an_interrupted_edit_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = new_edit(tmp_path / "whole"), new_edit(tmp_path / "broken")
    run(whole)
    control, steps = Control(), []

    def interrupt(event: Any) -> None:
        if isinstance(event, protocol.Progress):
            steps.append(event.step)
            control.interrupt("the test says so")

    with pytest.raises(JobInterrupted):
        run(broken, control, interrupt)
    assert 0 < steps[-1] < SMALL["edit_steps"] and not (broken / "result").exists()
    moved = tmp_path / "elsewhere"
    shutil.move(broken, moved)  # a folder is complete and can be moved
    run(moved)
    assert (moved / "result/points.ply").read_bytes() == (whole / "result/points.ply").read_bytes()


def test_another_start_is_another_edit(tmp_path: Path) -> None:
    folder = new_edit(tmp_path / "job")
    before = run(folder)
    write_points_ply(folder / "inputs/start.ply", two_coloured_shell(120, radius=0.4))
    events: list[Any] = []
    assert len(run(folder, emit=events.append)) == 120 != len(before)
    assert any("made again" in event.message for event in events if isinstance(event, protocol.Warning))


def test_a_start_may_have_more_gaussians_than_the_preset_makes(tmp_path: Path) -> None:
    """Two steps with density control in between, which would otherwise leave no more than `max_count`."""
    assert len(run(new_edit(tmp_path / "job", max_count=100, densify_every=1))) == 150


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
            monkeypatch.setattr(tv3dg, "MOST_STARTED", 100)
            words = "150 Gaussians; it needs 8 at least and 100 at most"
        case "nowhere":
            far = two_coloured_shell(20)
            far.means[4, 2] = 1e3
            write_points_ply(path, far)
            words = "1 of the 20 Gaussians of the start lie farther than 10"
    with pytest.raises(BadInput, match=words) as caught:
        run(folder)
    assert caught.value.hint


def test_an_edit_has_no_use_for_what_would_be_another_object() -> None:
    edit = of_edit(PRESETS["paper"])
    assert not edit.self_guidance and edit.calibration_geometry == edit.calibration_semantics == 0
    assert edit.steps == PRESETS["paper"].edit_steps
    assert edit.calibration_reward == PRESETS["paper"].calibration_reward > 0  # of the new words


def test_only_what_is_hardly_pulled_is_held() -> None:
    gradient = torch.zeros(2, 4, 8, 8)
    gradient[0, :, 2:4, 2:4] = 5.0
    gradient[1, 0] = torch.linspace(0, 1e-3, 8)  # its own longest vector counts, however short
    kept = untouched(gradient, 64)
    assert kept.shape == (2, 64, 64, 1) and float(kept.min()) == 0 and float(kept.max()) == 1
    assert float(kept[0, 20:28, 20:28].max()) == 0 and float(kept[0, 48:].min()) == 1
    assert bool((kept[1, :, 1:] <= kept[1, :, :-1]).all())
    assert float(untouched(torch.zeros(1, 4, 8, 8), 16).min()) == 1  # nothing pulls: everything is held


def test_the_anchor_is_zero_at_the_start_and_pulls_back() -> None:
    start = two_coloured_shell(150, radius=0.5)
    cameras, background, nothing = orbit([0.0], 15.0, size=32), torch.ones(3), torch.zeros(1, 4, 4, 4)
    anchor, render = Anchor(start, 0.5, 1.0, 1.0), renderer_for("cpu")
    gaussians = Gaussians(**start.state_dict()).requires_grad_()
    loss = anchor.loss(render, render(gaussians, cameras, background), cameras, background, nothing)
    assert float(loss.detach()) == 0
    changed = Gaussians(**start.state_dict()).requires_grad_()
    with torch.no_grad():
        changed.sh += 0.5  # brighter
    loss = anchor.loss(render, render(changed, cameras, background), cameras, background, nothing)
    loss.backward()
    assert float(loss.detach()) > 0.01 and changed.sh.grad is not None and float(changed.sh.grad.mean()) > 0
    everywhere = torch.ones(1, 4, 4, 4)
    with torch.no_grad():
        loss = anchor.loss(render, render(changed, cameras, background), cameras, background, everywhere)
    assert float(loss) == 0
