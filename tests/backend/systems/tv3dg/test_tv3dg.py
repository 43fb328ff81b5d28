"""The whole system on the shipped prior, at the smallest size: what it makes, what it refuses, that it resumes."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from addon import protocol
from addon.jobs import store
from addon.protocol.systems.tv3dg import TV3DG, TV3DGSettings
from backend.cameras import orbit
from backend.cli.job_runner import run_system
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.guidance import Guidance, GuidanceOptions, guidance_for
from backend.errors import BackendError, BadInput, JobStopped
from backend.export import read_points_ply
from backend.images import load_image, save_image
from backend.representations.gaussians import ball_of_gaussians
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.systems import tv3dg
from backend.systems.overrides import chosen_settings, options_of
from backend.systems.reference import Target
from backend.systems.tv3dg import multiview
from backend.systems.tv3dg.multiview import imagine_sides
from backend.systems.tv3dg.optimise import SH_CONSTANT
from backend.vision.calibration import Sides
from benchmarks.commands.demo import read_glb
from tests.backend.gltf.test_splats import attributes_of
from tests.backend.processes import Process
from tests.backend.systems.tv3dg.small_jobs import SMALL, new_job, open_job


def guide(prior: Prior, settings: TV3DGSettings) -> Guidance:
    return guidance_for(prior, options_of(GuidanceOptions, settings))


def test_image_and_prompt_become_the_files_of_a_result(tmp_path: Path) -> None:
    events: list[Any] = []
    folder = new_job(tmp_path / "job", image=True, prompt="a red robot on a skateboard")
    tv3dg.run(open_job(folder, events))
    assert {path.name for path in (folder / "result").iterdir()} == {
        "model.glb", "points.ply", "preview.png", "turntable.webp", "result.json",
    }  # fmt: skip
    mesh = read_glb(folder / "result/model.glb")
    assert 20 < len(mesh.faces) <= 1600 and mesh.texture is not None and mesh.texture.shape == (128, 128, 3)
    points = read_points_ply(folder / "result/points.ply")
    assert len(points) > 100 and bool(torch.isfinite(points.means).all())
    result = json.loads((folder / "result/result.json").read_text())
    assert (
        result["seed"] == 4 and result["points"] == "gaussians" and set(result["seconds"]) >= {"perceive", "gaussians"}
    )
    there = protocol.read_pictured(result)
    assert there is not None and (there.azimuth_degrees, there.elevation_degrees, there.fov_degrees) == (0, 15, 40)
    assert 0.5 < there.side < 1 and abs(there.across) < 0.02 and abs(there.down) < 0.1
    stages = [(event.number, event.stages) for event in events if isinstance(event, protocol.Stage)]
    assert stages == [(1, 4), (2, 4), (3, 4), (4, 4)]
    warnings = [event.message for event in events if isinstance(event, protocol.Warning)]
    assert any("skateboard" in message and "robot" not in message for message in warnings)
    before = (folder / "result/model.glb").read_bytes()
    (folder / "result/model.glb").unlink()
    tv3dg.run(open_job(folder))  # every stage is done: the lost file comes back from its stage
    assert (folder / "result/model.glb").read_bytes() == before


def test_points_alone_need_no_mesh_and_are_gltf_too_if_asked_for(tmp_path: Path) -> None:
    folder = new_job(tmp_path / "job", steps=2, splats_glb=True)
    job = open_job(folder)
    tv3dg.run(Job(folder, replace(job.request, outputs=("points",)), lambda event: None, Control()))
    assert {path.name for path in (folder / "result").iterdir()} == {
        "points.ply", "splats.glb", "preview.png", "turntable.webp", "result.json",
    }  # fmt: skip
    result = json.loads((folder / "result/result.json").read_text())
    assert result["faces"] == 0
    assert len(attributes_of(folder / "result/splats.glb")["POSITION"]) == result["gaussians"]


@pytest.mark.parametrize("given", ["style", "reference", "nothing"])
def test_a_visual_prompt_is_the_one_given_else_the_reference_else_a_sample(given: str, tmp_path: Path) -> None:
    folder = new_job(
        tmp_path / "job", image=given != "nothing", steps=2, loss="vpcsm", self_guidance=True, perturbation=1.0
    )
    events: list[Any] = []
    images = list(open_job(folder).request.images)
    if given == "style":
        save_image(folder / "inputs/01.png", torch.tensor([0.1, 0.2, 0.9]).expand(20, 40, 3))
        images.append(protocol.InputImage(path="inputs/01.png", role="visual_prompt"))
    request = replace(open_job(folder).request, images=tuple(images), outputs=("points",))
    tv3dg.run(Job(folder, request, events.append, Control()))
    stages = [event.name for event in events if isinstance(event, protocol.Stage)]
    assert stages[-2:] == ["imagine", "gaussians"] and (stages[0] == "perceive") == (given != "nothing")
    seen = load_image(next(folder.glob("stages/*-imagine/visual.png")))[0]
    assert seen.shape == (128, 128, 3)
    if given == "style":  # all of it, over white
        torch.testing.assert_close(seen[64, 64], torch.tensor([0.1, 0.2, 0.9]), atol=0.01, rtol=0)
        torch.testing.assert_close(seen[4, 64], torch.ones(3))
    assert not [event for event in events if isinstance(event, protocol.Warning)]


def roles(*names: str) -> protocol.Request:
    images = tuple(protocol.InputImage(path=f"inputs/{i:02}.png", role=name) for i, name in enumerate(names))
    return protocol.Request(system="tv3dg", prompt="a red robot", images=images)


def test_an_image_is_seen_in_every_step_unless_the_artist_has_another_or_wants_none() -> None:
    draft, paper = TV3DG.presets["draft"], TV3DG.presets["paper"]
    image, both = roles("reconstruct"), roles("reconstruct", "visual_prompt")
    assert tv3dg.visual_prompt(image, draft) == ("reference", draft.reference_tau) and draft.reference_tau > 0
    assert tv3dg.visual_prompt(both, draft) == ("given", draft.tau)
    assert tv3dg.visual_prompt(both, replace(draft, tau=0.0)) == ("none", 0.0)  # the prompt alone was asked for
    assert tv3dg.visual_prompt(image, replace(draft, reference_tau=0.0)) == ("none", 0.0)
    assert tv3dg.visual_prompt(roles(), draft) == ("none", 0.0)
    assert tv3dg.visual_prompt(roles(), paper) == ("imagined", 0.5)
    assert tv3dg.visual_prompt(image, paper) == ("reference", 0.5)  # as it was
    assert tv3dg.visual_prompt(image, replace(draft, loss="csm")) == ("none", 0.0)
    foreign = replace(image, prior="some/folder")
    assert tv3dg.visual_prompt(foreign, draft) == ("none", 0.0)
    assert tv3dg.visual_prompt(foreign, replace(draft, adapter="some/file")) == ("reference", draft.reference_tau)


def test_the_strength_of_an_image_reaches_the_guidance_and_the_result_says_so(tmp_path: Path) -> None:
    draft = replace(TV3DG.presets["draft"], reference_tau=1.25, tau=0.25)
    assert tv3dg.guidance_options(roles("reconstruct"), draft).tau == 1.25
    assert tv3dg.guidance_options(roles("reconstruct", "visual_prompt"), draft).tau == 0.25
    job = open_job(new_job(tmp_path / "job", image=True, steps=1))
    tv3dg.run(Job(job.folder, replace(job.request, outputs=("points",)), lambda event: None, Control()))
    said = json.loads((job.folder / "result/result.json").read_text())["made_with"]
    assert (said["visual_prompt"], said["tau"]) == ("reference", TV3DG.presets["bench"].reference_tau)


def test_vpcsm_without_tau_and_perturbation_makes_what_csm_makes(tmp_path: Path) -> None:
    made = []
    for loss in ("csm", "vpcsm"):
        job = open_job(new_job(tmp_path / loss, steps=3, loss=loss, tau=0.0, perturbation=0.0))
        tv3dg.run(Job(job.folder, replace(job.request, outputs=("points",)), lambda event: None, Control()))
        made.append((job.folder / "result/points.ply").read_bytes())
    assert made[0] == made[1]


def test_a_loss_or_a_layer_that_is_not_there_gets_a_sentence(tmp_path: Path) -> None:
    prior = load_prior("embedded")
    with pytest.raises(BadInput, match="no loss 'vsdd'"):
        guide(prior, replace(TV3DG.presets["bench"], loss="vsdd"))
    with pytest.raises(BadInput, match="no self-attention lies in 'cellar'"):
        guide(prior, replace(TV3DG.presets["bench"], perturbation=1.0, perturbed_layers="mid_block,cellar"))


def messages(events: list[Any]) -> list[str]:
    return [event.message for event in events if isinstance(event, protocol.Warning)]


def test_it_begins_from_what_four_sides_have_in_common_and_the_artist_may_replace_one(tmp_path: Path) -> None:
    folder, events = new_job(tmp_path / "job", steps=1, start="sides"), []
    request = replace(open_job(folder).request, outputs=("points",))
    tv3dg.run(Job(folder, request, events.append, Control()))
    sides = folder / "stages/1-sides"
    assert {path.stem for path in sides.glob("*.png")} == {"front", "right", "back", "left"} and not messages(events)
    first = read_points_ply(folder / "result/points.ply")
    red, blue = first.colours(torch.zeros(1, 3))[0, :, 0].mean(), first.colours(torch.zeros(1, 3))[0, :, 2].mean()
    assert red > 1.5 * blue  # "a red robot": a grey ball would be as blue as red after one step
    save_image(sides / "front.png", load_image(sides / "front.png")[0].flip(0))  # upside down
    tv3dg.run(Job(folder, request, events.append, Control()))
    assert not torch.equal(read_points_ply(folder / "result/points.ply").means[:9], first.means[:9])


def test_who_looks_at_the_sides_is_told_that_they_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    for fits in (False, True):
        monkeypatch.setattr(multiview, "coarse_shape", lambda *_, fits=fits: () if fits else None)
        folder = new_job(tmp_path / str(fits), start="sides")
        request = replace(open_job(folder).request, stop_after="sides")
        with pytest.raises(JobStopped):
            tv3dg.run(Job(folder, request, (events := []).append, Control()))
        told.append([message[:33] for message in messages(events)])
    assert told == [["The four sides do not fit together"[:33]], []]


def test_sides_with_nothing_in_common_give_a_ball_and_a_warning(tmp_path: Path) -> None:
    job = open_job(new_job(tmp_path / "job"), events := [])
    settings = replace(TV3DG.presets["bench"], count=50)
    nothing = Sides(orbit([0, 90, 180, 270], 15.0, size=16), torch.ones(4, 16, 16, 3), torch.zeros(4, 16, 16, 1))
    ball, _ = tv3dg.begin(job, settings, nothing, None, torch.device("cpu"))
    assert len(ball) == 50 and bool((ball.means.norm(dim=-1) <= settings.radius).all())
    assert [message[:33] for message in messages(events)] == ["The four sides do not fit together"[:33]]
    everything = replace(nothing, mask=torch.ones(4, 16, 16, 1))
    hull, _ = tv3dg.begin(job, settings, everything, None, torch.device("cpu"))
    assert len(messages(events)) == 1 and bool((hull.means.norm(dim=-1) > settings.radius).any())


def test_a_ball_begins_in_the_median_colour_of_what_the_image_shows(tmp_path: Path) -> None:
    job = open_job(new_job(tmp_path / "job"), [])
    rgb = torch.tensor([0.2, 0.3, 0.9]).repeat(1, 8, 8, 1)  # mostly background
    rgb[:, 2:5, 2:5] = torch.tensor([0.7, 0.2, 0.4])
    rgb[:, 2, 2] = 1.0  # a highlight
    mask = torch.zeros(1, 8, 8, 1)
    mask[:, 2:5, 2:5] = 1.0
    settings = replace(TV3DG.presets["bench"], count=4000, start="ball")
    ball, _ = tv3dg.begin(job, settings, None, Target(orbit([0], 0.0, size=8), rgb, mask), torch.device("cpu"))
    assert torch.allclose(0.5 + SH_CONSTANT * ball.sh[:, 0].mean(0), torch.tensor([0.7, 0.2, 0.4]), atol=0.01)


def test_a_reference_takes_the_place_of_the_side_that_it_shows(tmp_path: Path) -> None:
    folder = new_job(tmp_path / "job", image=True, steps=1, start="sides", guessed_sides=False)
    tv3dg.run(Job(folder, replace(open_job(folder).request, outputs=("points",)), lambda event: None, Control()))
    sides = folder / "stages/3-sides"  # behind perceive and imagine
    first = (folder / "result/points.ply").read_bytes()
    for name, changes in (("front", False), ("back", True)):
        save_image(sides / f"{name}.png", load_image(sides / f"{name}.png")[0].flip(0))  # upside down
        tv3dg.run(Job(folder, replace(open_job(folder).request, outputs=("points",)), lambda event: None, Control()))
        assert ((folder / "result/points.ply").read_bytes() != first) == changes


def test_with_an_image_the_sides_are_guessed_until_the_artist_replaces_one(tmp_path: Path) -> None:
    made, drawn = [], {}
    for guessed, held in ((True, 0.0), (True, 30.0), (False, 30.0)):
        folder = new_job(
            tmp_path / f"{guessed}{held:.0f}", image=True, steps=1, start="sides", guessed_sides=guessed,
            imagined_sides=held,
        )  # fmt: skip
        request = replace(open_job(folder).request, outputs=("points",))
        tv3dg.run(Job(folder, request, lambda event: None, Control()))
        sides = folder / "stages/3-sides"  # behind perceive and imagine
        drawn[guessed] = load_image(sides / "front.png")[0]
        made.append((folder / "result/points.ply").read_bytes())
    assert len(set(made)) == 3  # and the guess holds what begins from it
    image, mask = (load_image(folder / f"stages/1-perceive/{name}.png")[0] for name in ("rgb", "mask"))
    given = image * mask + 1 - mask
    assert (drawn[True] - given).abs().mean() < 0.8 * (drawn[False] - given).abs().mean()  # it is the image's own
    folder = tmp_path / "True30"
    back = folder / "stages/3-sides/back.png"
    save_image(back, load_image(back)[0].flip(0))
    tv3dg.run(Job(folder, replace(open_job(folder).request, outputs=("points",)), lambda event: None, Control()))
    assert (folder / "result/points.ply").read_bytes() not in made


def test_calibration_asks_its_networks_and_changes_the_result(tmp_path: Path) -> None:
    made = {}
    weights = {"calibration_geometry": 1.0, "calibration_semantics": 4.0, "calibration_reward": 2.5}
    for name, settings in {
        "none": {}, "all": weights, "seen": {**weights, "rendered_geometry": False},
        "moved": {**weights, "reward_shapes": True},
        "rarely": {**weights, "calibrate_every": 100}, "turned": {**weights, "multi_view": "zero123"},
    }.items():  # fmt: skip
        folder = new_job(tmp_path / name, steps=2, **settings)
        request = replace(open_job(folder).request, outputs=("points",))
        tv3dg.run(Job(folder, request, lambda event: None, Control()))
        made[name] = (folder / "result/points.ply").read_bytes()
    assert len(set(made.values())) == len(made)


def test_what_nobody_can_do_for_a_prior_is_left_out_or_refused(tmp_path: Path) -> None:
    prior, events = load_prior("embedded"), []
    job = open_job(new_job(tmp_path / "job"), events)
    foreign = Job(tmp_path / "other", replace(job.request, prior="some/folder"), events.append, Control())
    wanted = replace(TV3DG.presets["bench"], calibration_geometry=1.0)
    assert tv3dg.supported_settings(job, prior, wanted) == wanted
    assert tv3dg.supported_settings(foreign, prior, wanted).calibration_geometry == 0
    assert [message[:23] for message in messages(events)] == ["Calibration is left out"]
    assert tv3dg.supported_settings(foreign, prior, replace(wanted, companions="there")).calibration_geometry == 1
    blind = replace(prior, camera_encoder=None)
    assert tv3dg.supported_settings(job, blind, wanted).start == "ball"
    assert tv3dg.supported_settings(job, blind, replace(wanted, multi_view="zero123")).start == "sides"
    assert tv3dg.supported_settings(job, prior, replace(wanted, camera_tokens=False)).start == "ball"
    with pytest.raises(BadInput, match="cannot be told where the camera is"):
        imagine_sides(job, guide(blind, wanted), wanted, "a red robot")


def test_a_job_with_everything_has_the_stages_of_the_table_in_their_order() -> None:
    images = tuple(protocol.InputImage(path=f"inputs/{role}.png", role=role) for role in TV3DG.roles)
    request = protocol.Request(system="tv3dg", prompt="a red robot", images=images)
    planned = tv3dg.planned_stages(request, TV3DG.presets["draft"])
    assert planned == tuple(stage.name for stage in TV3DG.stages)


class Sometimes:
    """The prior's UNet, but the last call of every second step gives NaN; or every one."""

    def __init__(self, unet: Any, every: int) -> None:
        self.unet, self.config, self.every, self.pairs = unet, unet.config, every, 0

    def named_modules(self) -> Any:
        return self.unet.named_modules()

    def __call__(self, sample: torch.Tensor, *arguments: Any, **options: Any) -> Any:
        out = self.unet(sample, *arguments, **options).sample
        if arguments[1:] == () and options["encoder_hidden_states"].shape[1] > 32:  # with cameras: once a step
            self.pairs += 1
            if self.pairs % self.every == 0:
                out = torch.full_like(out, torch.nan)
        return SimpleNamespace(sample=out)


def test_a_step_without_a_number_is_left_out_and_reported(tmp_path: Path) -> None:
    prior = load_prior("embedded")
    events: list[Any] = []
    job = open_job(new_job(tmp_path / "job"), events)
    broken = replace(prior, unet=Sometimes(prior.unet, every=2))
    settings = chosen_settings(TV3DG, "bench", job.settings)
    guidance = guide(broken, settings)
    made = job.stage(
        "gaussians",
        lambda: tv3dg.optimise(
            job, guidance, "a red robot", settings, ball_of_gaussians(settings.count, 0.5, torch.manual_seed(2))
        ),
    )
    assert all(bool(torch.isfinite(value).all()) for value in made.values())
    messages = [event.message for event in events if isinstance(event, protocol.Warning)]
    assert messages == [f"Step {step} was left out: the guidance is not a number." for step in (1, 3, 5)]


def test_a_prior_that_only_gives_nan_ends_the_job(tmp_path: Path) -> None:
    prior = load_prior("embedded")
    job = open_job(new_job(tmp_path / "job", steps=30))
    broken = replace(prior, unet=Sometimes(prior.unet, every=1))
    with pytest.raises(BackendError, match="20 steps in a row gave no usable gradient"):
        settings = chosen_settings(TV3DG, "bench", job.settings)
        guidance = guide(broken, settings)
        job.stage(
            "gaussians",
            lambda: tv3dg.optimise(
                job, guidance, "a red robot", settings, ball_of_gaussians(settings.count, 0.5, torch.manual_seed(2))
            ),
        )


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_job_ends_in_the_same_bytes(tmp_path: Path) -> None:
    steps: dict[str, Any] = {"steps": 30, "checkpoint_steps": 3}
    whole = new_job(tmp_path / "whole", image=True, threads=2, **steps)
    assert Process(tmp_path, "run", whole, run_system=run_system).wait(1200).returncode == 0
    killed = new_job(tmp_path / "killed", image=True, threads=2, **steps)
    moments = random.Random(3)
    reached = []
    for wanted in sorted(moments.randrange(1, 28) for _ in range(5)):
        offset = (killed / "events.jsonl").stat().st_size if (killed / "events.jsonl").exists() else 0
        process = Process(tmp_path, "run", killed, run_system=run_system)
        while True:
            assert process.is_alive
            fresh = store.read_events(killed, offset)[0]
            seen = [event.step for event in fresh if isinstance(event, protocol.Progress)]
            if seen and seen[-1] >= wanted:
                break
            time.sleep(0.005)
        time.sleep(moments.uniform(0.0, 0.1))
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait().returncode == -signal.SIGKILL
        reached.append(seen[-1])
    assert Process(tmp_path, "run", killed, run_system=run_system).wait(1200).returncode == 0
    assert reached[-1] > reached[0]
    assert len(read_points_ply(whole / "result/points.ply")) > SMALL["count"]  # some were cloned or split on the way
    for name in ("points.ply", "model.glb"):
        assert (killed / "result" / name).read_bytes() == (whole / "result" / name).read_bytes(), name
