"""The backend's command line from anywhere: `python FOLDER/backend/farm/start.py run JOB`.

As `python -m backend`, for farms that can set neither the working directory nor PYTHONPATH of a task.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # in the place of this folder, whose modules are no one's
    runpy.run_module("backend", run_name="__main__", alter_sys=True)
