"""Run the add-on's tests in the Blender releases that are supported, each as a Python module in its own environment.

    python -m tests.blender.versions [RELEASE...]      # all of RELEASES, if none is named

Makes .cache/bpy-RELEASE once (1.2 GiB each) with the Python that the release needs, if this machine has one, and runs
tests/blender there, less what needs a real Blender or torch. Exits with 1 where tests failed, and says what it skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
RELEASES = {"4.5.15": "python3.11", "5.0.1": "python3.11", "5.2.3": "python3.13"}  # the oldest to the newest supported
PACKAGES = ("numpy", "pytest", "pytest-timeout", "pillow", "trimesh")
PROVIDE_SECONDS = 300.0  # for the packages of one release
# bpy's threads and its destructors wait for each other at the end of some processes, for ever: none of them is run.
PYTEST = """
import os, sys
import pytest
code = pytest.main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
"""
STAMP = "maquette.stamp"


def provide(release: str, python: str) -> Path:
    """Return the Python of an environment with bpy of a release, after making it if it is not there, or not whole."""
    folder = CHECKOUT / ".cache" / f"bpy-{release}"
    own, stamp, wanted = folder / "bin/python", folder / STAMP, (f"bpy=={release}", *PACKAGES)
    if not stamp.exists() or stamp.read_text() != " ".join(wanted):
        shutil.rmtree(folder, ignore_errors=True)
        install = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        for command in ([python, "-m", "venv", folder], install):
            subprocess.run(command, check=True, timeout=PROVIDE_SECONDS)
        stamp.write_text(" ".join(wanted))
    # Without the system's libraries it cannot be loaded; then every test would be skipped, which looks like success.
    subprocess.run([own, "-c", "import bpy, os; os._exit(0)"], check=True, timeout=PROVIDE_SECONDS)
    return own


def main(releases: list[str]) -> int:
    """Run the tests in each release and return the number of those where they failed."""
    failed = []
    for release in releases or RELEASES:
        python = RELEASES.get(release)
        if python is None:
            sys.exit(f"{release} is not one of {', '.join(RELEASES)}.")
        if subprocess.run(f"{python} --version", shell=True, capture_output=True).returncode:  # pyenv's may not run
            say(f"Blender {release}: skipped, since there is no {python} on this machine")
            continue
        try:
            own = provide(release, python)
        except (subprocess.SubprocessError, OSError) as error:
            say(f"Blender {release}: skipped, since its environment could not be made: {error}")
            continue
        command = [own, "-c", PYTEST, "-q", "-p", "no:cacheprovider", "tests/blender"]
        command += ["-m", "not blender and not slow and not gpu"]
        command += ["-W", "default"]  # no errors: what a release brings along is not in our locks
        say(f"Blender {release}")
        if subprocess.run(command, cwd=CHECKOUT, env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode:
            failed.append(release)
    say(f"failed in {', '.join(failed)}" if failed else "no failure")
    return len(failed)


def say(text: str) -> None:
    """Write a line for whoever watches."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
