"""A result that is edited by text: where it begins, what holds it, that it resumes, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from addon.protocol.systems.tv3dg import TV3DG
from backend.cameras import orbit
from backend.diffusion.denoiser import load_prior
from backend.diffusion.guidance import GuidanceOptions, guidance_for
from backend.errors import JobInterrupted
from backend.export import read_points_ply
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import Gaussians, extent
from backend.runtime.control import Control
from backend.systems.overrides import options_of
from backend.systems.tv3dg.edit import Anchor
from backend.systems.tv3dg.edit_settings import of_edit
from tests.backend.gaussian_shapes import two_coloured_shell
from tests.backend.systems.tv3dg.small_jobs import SMALL_EDIT, new_edit, run_edit


def test_an_edit_begins_from_its_start_and_takes_its_own_steps(tmp_path: Path) -> None:
    events: list[Any] = []
    made = run_edit(new_edit(tmp_path / "job"), emit=events.append)
    start = read_points_ply(tmp_path / "job/inputs/start.ply")
    assert [event.steps for event in events if isinstance(event, protocol.Progress)][-1] == SMALL_EDIT["edit_steps"]
    assert len(made) == len(start) and not torch.equal(made.means, start.means)
    # Adam moves a coordinate by its rate at most, or little more, in each step; it was smaller meanwhile.
    moved = 1.5 * SMALL_EDIT["edit_steps"] * TV3DG.presets["bench"].mean_rate / TV3DG.presets["bench"].edit_room
    assert float((made.means - start.means).abs().max()) < moved
    assert extent(made) == pytest.approx(extent(start), rel=1e-4)
    assert not [event for event in events if isinstance(event, protocol.Warning)]


def test_the_anchor_holds_and_the_old_words_matter(tmp_path: Path) -> None:
    """The same edit with more weight stays nearer to its start; guided against nothing, it becomes another one."""
    cameras, white = orbit([0.0, 120.0, 240.0], 15.0, size=48), torch.ones(3)

    def distance(folder: Path, **settings: Any) -> float:
        made = run_edit(new_edit(folder, colour_rate=0.1, **settings))
        start = read_points_ply(folder / "inputs/start.ply")
        return float(
            (splat_renderer(made)(cameras, white).rgb - splat_renderer(start)(cameras, white).rgb).abs().mean()
        )

    free = distance(tmp_path / "free", anchor=0.0, anchor_mask=0.0)
    held = distance(tmp_path / "held", anchor=1000.0, anchor_mask=1000.0)
    alone = distance(tmp_path / "alone", anchor=0.0, anchor_mask=0.0, edit_contrast=False)
    assert held < 0.8 * free and abs(alone - free) > 1e-5


def test_guiding_against_the_same_words_says_nothing() -> None:
    options, cameras = options_of(GuidanceOptions, TV3DG.presets["bench"]), orbit([0.0, 180.0], 15.0)
    guidance = guidance_for(load_prior("embedded"), options)
    same = guidance.contexts("a red mug", "", cameras, tell_cameras=True, against="a red mug")
    assert torch.equal(same.conditional, same.unconditional)
    refused = guidance.contexts("a red mug", "fog", cameras, tell_cameras=True, against="a red mug").unconditional
    assert refused.shape == same.conditional.shape and not torch.equal(refused, same.conditional)


def test_an_interrupted_edit_ends_in_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = new_edit(tmp_path / "whole"), new_edit(tmp_path / "broken")
    run_edit(whole)
    control, steps = Control(), []

    def interrupt(event: Any) -> None:
        if isinstance(event, protocol.Progress):
            steps.append(event.step)
            control.interrupt("the test says so")

    with pytest.raises(JobInterrupted):
        run_edit(broken, control, interrupt)
    assert 0 < steps[-1] < SMALL_EDIT["edit_steps"] and not (broken / "result").exists()
    moved = tmp_path / "elsewhere"
    shutil.move(broken, moved)  # a folder is complete and can be moved
    run_edit(moved)
    assert (moved / "result/points.ply").read_bytes() == (whole / "result/points.ply").read_bytes()


def test_an_edit_has_no_use_for_what_would_be_another_object() -> None:
    edit = of_edit(TV3DG.presets["paper"])
    assert not edit.self_guidance and edit.calibration_geometry == edit.calibration_semantics == 0
    assert edit.steps == TV3DG.presets["paper"].edit_steps
    assert edit.calibration_reward == TV3DG.presets["paper"].calibration_reward > 0  # of the new words


def test_the_anchor_is_zero_at_the_start_and_pulls_back() -> None:
    start = two_coloured_shell(150, radius=0.5)
    cameras, background, nothing = orbit([0.0], 15.0, size=32), torch.ones(3), torch.zeros(1, 4, 4, 4)
    anchor = Anchor(splat_renderer(start), 0.5, 1.0, 1.0)
    gaussians = Gaussians(**start.state_dict()).requires_grad_()
    loss = anchor.loss(splat_renderer(gaussians)(cameras, background), cameras, background, nothing)
    assert float(loss.detach()) == 0
    changed = Gaussians(**start.state_dict()).requires_grad_()
    with torch.no_grad():
        changed.sh += 0.5  # brighter
    loss = anchor.loss(splat_renderer(changed)(cameras, background), cameras, background, nothing)
    loss.backward()
    assert float(loss.detach()) > 0.01 and changed.sh.grad is not None and float(changed.sh.grad.mean()) > 0
    everywhere = torch.ones(1, 4, 4, 4)
    with torch.no_grad():
        loss = anchor.loss(splat_renderer(changed)(cameras, background), cameras, background, everywhere)
    assert float(loss) == 0
