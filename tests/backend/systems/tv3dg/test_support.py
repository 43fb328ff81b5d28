"""What a preset asks for and a prior cannot do is left out, and named: one sentence each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addon import protocol
from addon.protocol.systems.tv3dg import TV3DG, TV3DGSettings
from backend.systems.tv3dg.support import supported_settings

STYLE = protocol.InputImage(path="inputs/00.png", role="visual_prompt")


def left_out(
    settings: TV3DGSettings,
    *,
    prior: str = "some/folder",
    takes_cameras: bool = False,
    sees_reference: bool = False,
    images: Any = (),
) -> tuple[TV3DGSettings, list[str]]:
    """Return the settings that are supported, and the sentences."""
    said: list[str] = []
    request = protocol.Request(system="tv3dg", prompt="a red chair", prior=prior, images=images)
    job: Any = SimpleNamespace(request=request, warn=lambda message, hint="": said.append(message))
    network: Any = SimpleNamespace(takes_cameras=takes_cameras, sees_reference=sees_reference)
    return supported_settings(job, network, settings), said


@pytest.mark.parametrize("preset", TV3DG.presets)
def test_the_embedded_prior_can_do_what_every_preset_asks(preset: str) -> None:
    settings = TV3DG.presets[preset]
    kept, said = left_out(settings, prior="embedded", takes_cameras=True, images=(STYLE,))
    assert not said
    assert kept == replace(settings, start=settings.start if settings.camera_tokens else "ball")


def test_the_paper_beside_a_prior_alone_says_what_is_missing() -> None:
    kept, said = left_out(TV3DG.presets["paper"])
    assert [sentence.split(":")[0] for sentence in said] == [
        "The visual prompt and tau are left out",
        "Calibration is left out",
        "This prior cannot be told where the camera is, and there is no Zero-1-to-3",
    ]
    assert not any(sentence.rstrip(".").count(".") for sentence in said)
    assert (kept.tau, kept.self_guidance, kept.start, kept.calibration_reward) == (0.0, False, "ball", 0.0)
    assert kept.perturbation == 1.0 and kept.lambda_guidance == 0.1


def test_an_image_that_a_prior_cannot_look_at_in_every_step_is_named() -> None:
    image = protocol.InputImage(path="inputs/00.png", role="reconstruct")
    asked = replace(TV3DG.presets["draft"], start="ball", camera_tokens=False)
    kept, said = left_out(asked, images=(image,))
    assert said == ["The image as a visual prompt and tau are left out: no image adapter is named for this prior."]
    assert kept.reference_tau == 0 and kept.reference == asked.reference  # its own view is held as before
    assert left_out(replace(asked, reference_tau=0.0), images=(image,))[1] == []
    assert left_out(replace(asked, adapter="there"), images=(image,))[1] == []


def test_guessed_sides_ask_for_no_camera() -> None:
    image = protocol.InputImage(path="inputs/00.png", role="reconstruct")
    asked = replace(TV3DG.presets["draft"], reference_tau=0.0)
    kept, said = left_out(asked, images=(image,))
    assert kept.start == "sides" and [sentence[-20:] for sentence in said] == ["told in words alone."]
    kept, said = left_out(replace(asked, guessed_sides=False), images=(image,))
    assert kept.start == "ball" and said[0].endswith("begins from a ball.")


def test_a_prior_that_sees_the_image_in_every_step_needs_no_adapter() -> None:
    image = protocol.InputImage(path="inputs/00.png", role="reconstruct")
    settings = replace(TV3DG.presets["draft"], see_reference=True)
    kept, said = left_out(settings, takes_cameras=True, sees_reference=True, images=(image,))
    assert kept.reference_tau == 0.0 and not said
    for seeing in (settings, replace(settings, see_reference=False)):
        _, said = left_out(seeing, takes_cameras=True, sees_reference=seeing is not settings, images=(image,))
        assert len(said) == 1 and "no image adapter" in said[0]


def test_zero123_draws_the_sides_where_the_prior_takes_no_cameras(tmp_path: Path) -> None:
    """As ImageDream does in the paper; the object begins from them, as the paper's does from a network's points."""
    (tmp_path / "zero123").mkdir()
    asked = replace(TV3DG.presets["paper"], companions=str(tmp_path), adapter="there")
    kept, said = left_out(asked)
    assert kept == replace(asked, multi_view="zero123", start="sides")
    assert [sentence.split(",")[1][:18] for sentence in said] == [" so Zero-1-to-3 tu"]
    (tmp_path / "zero123").rmdir()
    kept, said = left_out(asked)
    assert (kept.calibration_geometry, kept.calibration_semantics, kept.calibration_reward) == (0.0, 0.0, 2.5)
    assert kept.start == "ball" and ["geometry and semantics" in sentence for sentence in said] == [True]


def test_cameras_and_images_are_missed_by_whoever_asks_for_them() -> None:
    _, said = left_out(TV3DG.presets["draft"])
    assert len(said) == 2 and said[0].endswith("begins from a ball.") and said[1].endswith("told in words alone.")
    quiet = replace(TV3DG.presets["draft"], camera_tokens=False, start="ball")
    assert left_out(quiet) == (quiet, [])
    kept, said = left_out(quiet, images=(STYLE,))
    assert kept.tau == 0 and len(said) == 1
    assert left_out(replace(quiet, tau=0.0), images=(STYLE,))[1] == []  # nobody asked for it
    assert left_out(replace(quiet, loss="csm"), images=(STYLE,))[1] == []
