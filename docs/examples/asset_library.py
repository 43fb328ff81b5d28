"""Turn finished jobs, from here or from a farm, into assets: one .blend for each, with its picture as preview.

blender -b --python-exit-code 1 --python asset_library.py -- ~/assets/toys JOB JOB ... --tag toy
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bpy
from bl_ext.user_default.maquette.addon import api

parser = argparse.ArgumentParser(prog="asset_library.py")
parser.add_argument("library", type=Path)
parser.add_argument("jobs", type=Path, nargs="+")
parser.add_argument("--tag", action="append", default=[])
options = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])

for job in options.jobs:
    bpy.ops.wm.read_homefile(use_empty=True)
    imported = api.import_result(job, location=(0, 0, 0), outputs=["mesh"], as_asset=True, tags=options.tag)
    target = options.library / f"{imported.mesh.name}-{job.name}.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(target), compress=True)
    print(target)
