"""Press the sidebar's buttons from a script: in `blender -b` an operator runs to its end, and raises where it fails.

blender -b scene.blend --python-exit-code 1 --python operators.py -- "a red mug" with_mug.blend
"""

from __future__ import annotations

import sys

import bpy

prompt, save = sys.argv[sys.argv.index("--") + 1 :]
bpy.context.scene.cursor.location = (0, 3, 0)
try:
    bpy.ops.maquette.generate(prompt=prompt, preset="draft", seed=1, import_when_done=True)
except RuntimeError as error:
    sys.exit(f"There is no {prompt}: {error}")
bpy.ops.wm.save_as_mainfile(filepath=save)
