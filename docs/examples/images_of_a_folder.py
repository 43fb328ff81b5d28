"""Make one object of each picture of a folder, in a row; go on after a failure, and say at the end what failed.

blender -b --python-exit-code 1 --python images_of_a_folder.py -- PICTURES out.blend --prompt "a toy {name}"

`blender --command maquette batch` does the same and more; this shows how to do it your own way.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bpy
from bl_ext.user_default.maquette.addon import api

parser = argparse.ArgumentParser(prog="images_of_a_folder.py")
parser.add_argument("folder", type=Path)
parser.add_argument("save")
parser.add_argument("--prompt", default="{name}")
parser.add_argument("--preset", default="draft")
options = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])

failed = []
for number, picture in enumerate(sorted(options.folder.glob("*.png"))):
    job = api.submit(
        prompt=options.prompt.replace("{name}", picture.stem.replace("_", " ")), images=[picture], preset=options.preset
    )
    try:
        api.wait(job)
    except api.JobFailed as error:
        failed.append(f"{picture.name}: {error.message}")
        continue
    api.import_result(job, location=(2.5 * number, 0, 0))

bpy.ops.wm.save_as_mainfile(filepath=options.save)
if failed:
    sys.exit("\n".join(failed))
