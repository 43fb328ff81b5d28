"""A subject from photos in the window of a real Blender: learnt once, kept, and made again by another prompt.

Screenshots are kept in out/screenshots/.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from addon import protocol
from tests.blender.program import artist
from tests.blender.program.real import CHECKOUT, Window

pytestmark = [pytest.mark.blender, pytest.mark.slow]

PICTURES = CHECKOUT / "out/screenshots"
SECONDS = 900.0  # that either job may take when other programs want the same cores
SMALL = {
    "partial_steps": 1, "full_steps": 2, "multi_view_steps": 1, "tuning_batch": 1, "class_pictures": 1,
    "coarse_steps": 3, "final_steps": 3, "nodes": 24, "view_size": 32, "views": 2, "pseudo_views": 2, "pseudo_steps": 2,
    "mesh_resolution": 32, "max_faces": 400, "texture_size": 64, "texture_steps": 0, "points": 100,
}  # fmt: skip
WISHES = """
bpy.data.objects.remove(bpy.data.objects["Cube"])
wishes = bpy.context.scene.maquette
wishes.system, wishes.preset, wishes.threads = "dreambooth3d", "bench", 1
wishes.dreambooth3d.overrides = {settings!r}
window, area, region = region("WINDOW")
with bpy.context.temp_override(window=window, area=area, region=region):
    bpy.ops.maquette.add_references(directory={folder!r}, files=[{{"name": f"{{n}}.png"}} for n in range(5)])
answer = len(wishes.references)
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five photos of the demo's robot, from five sides."""
    import torch

    from backend.cameras import orbit
    from backend.embedded.objects.solids import photograph
    from backend.images import save_image
    from benchmarks.commands.demo import sample_subject

    folder, solid = tmp_path_factory.mktemp("photos"), sample_subject().solid
    for number in range(5):
        seen = photograph(solid, orbit([70.0 * number], 15.0, size=96), torch.full((3,), 0.86))
        save_image(folder / f"{number}.png", seen.rgb[0])
    return folder


def stages_of_the_shown_job(shown: Window) -> list[str]:
    """Wait until the job has ended well, and return the stages that it had."""
    shown.wait(lambda: artist.has_ended(shown), "the end of the job", SECONDS)
    assert artist.has_ended(shown) == "Finished", shown.value(f"str({artist.COURSE}.last)")
    job = Path(shown.value(f"str({artist.SHOWN})"))
    return sorted(path.name.partition("-")[2] for path in (job / protocol.STAGES_FOLDER).iterdir())


def test_a_second_prompt_of_a_kept_subject_has_the_stages_of_the_field_alone(shown: Window, photos: Path) -> None:
    assert shown.ask(WISHES.format(settings=json.dumps(SMALL), folder=str(photos))) == 5
    shown.open_tab("Maquette")
    artist.write_prompt(shown, "a red robot")
    artist.press_generate(shown)
    first = shown.value(f"str({artist.SHOWN})")
    assert {"cutouts", "teaching", "coarse", "mesh"} <= set(stages_of_the_shown_job(shown))
    shown.wait(lambda: len(shown.value(artist.MADE)) == 1, "an object in the scene")

    shown.ask(f"answer = list(bpy.ops.maquette.keep_subject(job={first!r}, name='Robbie'))")
    assert shown.value("bpy.context.scene.maquette.subject") == "Robbie"
    shown.ask("answer = list(bpy.ops.maquette.use_recipe(recipe='colour'))")
    assert shown.value("bpy.context.scene.maquette.prompt") == "a blue sks robot"
    shown.ask("region('UI')[2].tag_redraw(); answer = None")
    shown.click(*shown.find("maquette.generate"))
    shown.wait(lambda: shown.value(f"str({artist.SHOWN})") != first, "another job")
    shown.screenshot(PICTURES / "6-kept-subject.png")
    made = stages_of_the_shown_job(shown)  # and where the kept photos were taken from
    assert made == ["coarse", "mesh", "redrawn", "refined", "reteaching"]
    shown.wait(lambda: len(shown.value(artist.MADE)) == 2, "a second object in the scene")
    shown.screenshot(PICTURES / "7-second-prompt.png")
