"""Flamenco 3: its job type script, and one job with a task for each job folder, for the Manager's web interface.

Source: flamenco.blender.org, usage/job-types and the Manager's API.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from backend.farm.plan import PATIENCE_SECONDS, START, Order, Plan, write

JOB_TYPE = Path(__file__).with_name("maquette.js")
PRIORITY = 50  # in the middle
PLATFORMS = {"win32": "windows", "darwin": "darwin"}
INSTALL = 'Put {script} into the folder "scripts" beside the Manager\'s executable, once.'
NO_TAG = "Workers with a GPU are chosen by a tag: say --worker-tag, with its UUID from the Manager's page of tags."


def made(plan: Plan, manager: str, blend_file: Path | None, worker_tag: str) -> Order:
    """Write the job type and the job, and say what submits that to the Manager at a URL."""
    content = json.dumps(job(plan, blend_file, worker_tag), indent=1, ensure_ascii=False)
    write(plan, {"scripts/maquette.js": JOB_TYPE.read_text(encoding="utf-8"), "job.json": f"{content}\n"})
    notes = [INSTALL.format(script=plan.out / "scripts" / "maquette.js")]
    notes += [NO_TAG] if plan.needs.gpus and not worker_tag else []
    words = ["curl", "--fail-with-body", "--header", "Content-Type: application/json"]
    words += ["--data-binary", f"@{plan.out / 'job.json'}", f"{manager.rstrip('/')}/api/v3/jobs"]
    return Order(words, tuple(notes))


def job(plan: Plan, blend_file: Path | None, worker_tag: str) -> dict[str, Any]:
    """Return the job that the Manager takes. It has no field for memory: that is for the tag to say."""
    options = ["--progress", "text", "--patience", str(PATIENCE_SECONDS)]
    return {
        "name": f"Maquette, {len(plan.names)} objects",
        "type": "maquette",
        "priority": PRIORITY,
        "submitter_platform": PLATFORMS.get(sys.platform, "linux"),
        "settings": {
            "jobs": plan.jobs.as_posix(),
            "names": "\n".join(plan.names),
            "python": plan.python,
            "start": f"{plan.root.as_posix()}/{START}",
            "options": "\n".join(options),
            "blend_file": blend_file.absolute().as_posix() if blend_file else "",
        },
        "metadata": {"project": "Maquette"},
        **({"worker_tag": worker_tag} if worker_tag else {}),
    }
