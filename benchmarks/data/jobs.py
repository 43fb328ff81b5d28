"""The quality benchmark's job folders: named by what is asked for, run by one backend process, kept for ever."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from addon import protocol
from benchmarks.data.cases import ELEVATION, FOV, Case, write_pictures


@dataclass(frozen=True)
class Run:
    """One case, the request that it becomes, and its job folder."""

    case: Case
    request: protocol.Request
    folder: Path


def prepare(
    case: Case,
    out: Path,
    *,
    system: str,
    preset: str,
    seed: int,
    prior: str,
    threads: int,
    settings: dict[str, protocol.Setting],
) -> Run:
    """Write the job folder of a case if it is not there: CASE-SEED-KEY below out/SYSTEM-PRESET.

    The key is a hash of the request, of the pictures and of the prior's files, so that a folder never holds the result
    of anything else.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        inputs = Path(scratch) / protocol.INPUT_FOLDER
        pictures = [
            (path, protocol.image_fields(role, ELEVATION, fov_degrees=FOV))
            for path, role in write_pictures(case, inputs)
        ]
        images = protocol.input_images(pictures)
        digest = hashlib.sha256(_prior_fingerprint(prior).encode())
        for path, _ in pictures:
            digest.update(path.read_bytes())
        request = protocol.Request(
            system=system, prompt=case.prompt, images=images, seed=seed, preset=preset, prior=prior,
            threads=threads, settings=settings,
        )  # fmt: skip
        digest.update(protocol.encode_request(request).encode())
        folder = out / f"{system}-{preset}" / f"{case.name}-{seed}-{digest.hexdigest()[:12]}"
        if not (folder / protocol.REQUEST_FILE).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            if images:
                shutil.copytree(inputs, folder / protocol.INPUT_FOLDER, dirs_exist_ok=True)
            protocol.write_request(folder, request)
    return Run(case, request, folder)


_fingerprints: dict[str, str] = {}


def _prior_fingerprint(prior: str) -> str:
    from backend.weights import EMBEDDED, fingerprint

    if prior not in _fingerprints:
        _fingerprints[prior] = fingerprint(EMBEDDED if prior == "embedded" else Path(prior))
    return _fingerprints[prior]


def finished(folder: Path) -> bool:
    """Say whether a job folder holds a whole result."""
    events = folder / protocol.EVENTS_FILE
    if not events.is_file() or not (folder / protocol.MESH_FILE).is_file():
        return False
    lines = events.read_bytes().splitlines()
    return bool(lines) and isinstance(protocol.decode(lines[-1]), protocol.Finished)


def run_jobs(runs: list[Run]) -> dict[str, str]:
    """Run job folders in one backend process, one after the other; return what went wrong, by folder name."""
    if not runs:
        return {}
    failed: dict[str, str] = {}
    command = [sys.executable, "-m", "backend", "run", *(str(run.folder) for run in runs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        job, count = "", 0
        for line in process.stdout:
            match protocol.decode(line):
                case protocol.Hello(job=name):
                    job = name
                case protocol.Finished(seconds=seconds):
                    count += 1
                    print(f"{count} of {len(runs)}: {job} in {seconds:.0f} s", flush=True)
                case protocol.Failed(message=message):
                    count += 1
                    failed[job] = message
                    print(f"{count} of {len(runs)}: {job} failed: {message}", flush=True)
                case _:
                    continue
    return failed


def read_facts(folder: Path) -> dict:
    """Return the result.json of a finished job."""
    return json.loads((folder / protocol.RESULT_FILE).read_text())
