"""Writes a .blend with a job's result in it, lit and seen by a camera, through Blender as a Python module.

python -m benchmarks.commands.scene out/demo --save out/demo/scene.blend
"""

# Blender makes its module at run time; pyright sees an almost empty one.
# pyright: reportAttributeAccessIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # Blender's own Python knows no checkout

from addon import protocol
from addon.scene import importer


def find_job(folder: Path) -> Path:
    """Return the folder itself if it is a job folder, else the one job folder that lies in it.

    Raises ValueError where there is none or more than one.
    """
    if (folder / protocol.REQUEST_FILE).is_file():
        return folder
    jobs = sorted(path.parent for path in folder.glob(f"*/{protocol.REQUEST_FILE}"))
    if len(jobs) != 1:
        raise ValueError(f"{folder} holds {len(jobs)} job folders, and one is needed: name the folder of one job.")
    return jobs[0]


def write_scene(job: Path, save: Path) -> None:
    """Import the job's result into an otherwise empty file, add a camera and a sun, and save it.

    The camera stands in front of the object (towards -Y, as Blender's own front view) and sees all of it.
    """
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    importer.import_result(job, location=(0.0, 0.0, 0.0))
    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location = (0.0, -4.5, 2.2)  # the object lies within two units above the floor
    camera.rotation_euler = (math.radians(75.0), 0.0, 0.0)
    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy = 3.0
    sun.rotation_euler = (math.radians(45.0), 0.0, math.radians(30.0))
    for thing in (camera, sun):
        scene.collection.objects.link(thing)
    scene.camera = camera
    scene.world = bpy.data.worlds.new("World")
    save.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(save.resolve()), compress=True)


def main() -> None:
    """Read the command line and write the scene."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, help="a finished job folder, or a folder that holds one")
    parser.add_argument("--save", type=Path, required=True, metavar="FILE.blend")
    given = sys.argv[1:] if "--" not in sys.argv else sys.argv[sys.argv.index("--") + 1 :]  # of ours, inside Blender
    options = parser.parse_args(given)
    try:
        write_scene(find_job(options.folder), options.save)
    except (ValueError, ImportError) as error:  # no result in the folder, or bpy cannot be loaded
        sys.exit(f"{options.save.name} was not written: {error}")
    sys.stdout.flush()
    os._exit(
        0
    )  # as a module, Blender's threads and destructors wait for each other at the end of some processes for ever


if __name__ == "__main__":
    main()
