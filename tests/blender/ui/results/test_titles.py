"""What a job is called: by its words, and a mesh that was made again also by what it has of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from addon import protocol

REQUEST = protocol.Request(system="tv3dg", prompt="a red mug", preset="draft")


def test_a_job_is_called_by_its_words(enabled: Any) -> None:
    from addon.ui.results.titles import title_of

    assert title_of(REQUEST) == "a red mug"
    steps = {"steps": 400, "max_faces": protocol.SYSTEMS["tv3dg"].settings["max_faces"].preset("draft")}
    assert title_of(replace(REQUEST, settings=steps)) == "a red mug"  # nothing of the mesh differs


def test_meshes_of_one_job_are_told_apart(enabled: Any) -> None:
    from addon.ui.results.titles import title_of

    settings = [{"max_faces": 800}, {"texture_size": 64}, {"mirror": "left", "height": 0.25}, {"splats_glb": True}]
    titles = [title_of(replace(REQUEST, settings={"steps": 400, **own})) for own in settings]
    assert len(set(titles)) == 4 and all(title.startswith("a red mug (") for title in titles)
    assert titles[0].endswith(": 800)") and "0.25" in titles[2] and "Left Half" in titles[2]
