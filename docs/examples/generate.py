"""Make one object in the open scene, at the 3D cursor, and save the file under another name.

blender -b scene.blend --python-exit-code 1 --python generate.py -- --prompt "a red mug" --save with_mug.blend
"""

from __future__ import annotations

import argparse
import sys

import bpy
from bl_ext.user_default.maquette.addon import api

parser = argparse.ArgumentParser(prog="generate.py")
parser.add_argument("--prompt", required=True)
parser.add_argument("--image", action="append", default=[])
parser.add_argument("--preset", default="draft")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--save", required=True)
options = parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])

job = api.submit(prompt=options.prompt, images=options.image, preset=options.preset, seed=options.seed)
api.wait(job, on_event=lambda event: print(event, file=sys.stderr))
imported = api.import_result(job)
print(f"{imported.collection.name}: {len(imported.mesh.data.polygons)} faces, from {job}")
bpy.ops.wm.save_as_mainfile(filepath=options.save)
