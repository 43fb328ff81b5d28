"""Provide a real Blender for the tests: a small Debian of its own, below a folder, made as root on Debian.

    BLENDER=$(python -m tests.blender.program.provide .cache/blender) python build.py test

prints the program's path, or says in one line why there is none and exits with 1. Debian's Blender is newer than what
is installed here can be, so it gets a root of its own; each program runs in a mount namespace of its own, in which this
checkout, its environment and the temporary folder lie where they lie outside. Nothing stays mounted.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent.parent
SUITE = "sid"  # the only one with a Blender that is new enough
PACKAGES = """blender xvfb xauth xdotool imagemagick libgl1-mesa-dri libegl1 libegl-mesa0 libgl1 libglx-mesa0
    python3-cattr python3-requests python3-numpy""".split()  # the last three: Blender's own modules import them
PROGRAMS = ("blender", "Xvfb", "xdotool", "import")  # written to the folder's bin/
NEEDED_GIB = 3.0  # 1.7 GiB stay
STAMP = "maquette.stamp"  # in the root, once it is whole
OLDEST = (4, 5)

WRAPPER = """#!/bin/sh
# Runs {name} of the Debian root {root}; what is mounted here is gone when it ends.
exec unshare --mount --propagation private sh -ec '
root=$1; name=$2; shift 2
for place in /proc /dev /sys; do mount --rbind "$place" "$root$place"; done
{binds}
here=$(pwd -P 2>/dev/null || true)
[ -n "$here" ] && [ -d "$root$here" ] || here=/ # it is gone, or not in the root
exec chroot "$root" /usr/bin/env -C "$here" "/usr/bin/$name" "$@"' sh {root} {name} "$@"
"""


class NotProvided(Exception):
    """Say in one sentence why there is no Blender."""


def provide(folder: Path) -> Path:
    """Return the program, after making the root below `folder` if it is not there. Raises NotProvided."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise NotProvided("making a Debian root with Blender takes root on Linux; name your own Blender in BLENDER")
    folder = folder.resolve()
    root = folder / "root"
    stamp = root / STAMP
    wanted = f"{SUITE} {' '.join(PACKAGES)}\n"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        partial = folder / "root.partial"
        for old in (partial, root):
            if old.exists():
                shutil.rmtree(old)
        make_root(partial)
        (partial / STAMP).write_text(wanted, encoding="utf-8")
        partial.rename(root)
    programs = write_programs(folder / "bin", root)
    version = run([str(programs[0]), "--version"], "Blender did not start")
    found = re.search(r"Blender (\d+)\.(\d+)", version)
    if not found or (int(found[1]), int(found[2])) < OLDEST:
        raise NotProvided(f"{SUITE} has no Blender {OLDEST[0]}.{OLDEST[1]} or later: {version[:80]!r}")
    return programs[0]


def make_root(partial: Path) -> None:
    """Install Debian and the packages into a new folder. Raises NotProvided."""
    partial.mkdir(parents=True)
    free = shutil.disk_usage(partial).free / 2**30
    if free < NEEDED_GIB:
        raise NotProvided(f"{partial} has {free:.1f} GiB of free disk, and a Debian with Blender needs {NEEDED_GIB}")
    if not shutil.which("apt-get"):
        raise NotProvided("making a Debian root with Blender takes apt-get, and there is none")
    mirror = find_mirror()
    if not shutil.which("debootstrap"):
        run(["apt-get", "update"], "apt-get update failed")
        run(["apt-get", "install", "-y", "--no-install-recommends", "debootstrap"], "debootstrap was not installed")
    tell(f"Making a Debian {SUITE} with Blender in {partial.parent}; it takes about three minutes, once.")
    run(["debootstrap", "--variant=minbase", SUITE, str(partial), mirror], "debootstrap failed")
    (partial / "etc/apt/sources.list").write_text(f"deb {mirror} {SUITE} main\n", encoding="utf-8")
    (partial / "etc/mtab").symlink_to("/proc/self/mounts")  # Blender asks it for the disks
    apt = f"chroot {shlex.quote(str(partial))} apt-get -y -o Acquire::Check-Valid-Until=false"
    install = f"{apt} install --no-install-recommends {' '.join(PACKAGES)}"
    mounts = [f"mount --rbind {place} {shlex.quote(f'{partial}{place}')}" for place in ("/proc", "/dev")]
    script = " && ".join([*mounts, f"{apt} update", install, f"{apt} clean"])
    run(["unshare", "--mount", "--propagation", "private", "sh", "-ec", script], "Blender was not installed")


def find_mirror() -> str:
    """Return the address of the Debian archive that apt of this machine is configured for. Raises NotProvided."""
    printed = run(["apt-get", "--print-uris", "update"], "apt does not say where its archive is")
    for address in re.findall(r"^'([^']+)/dists/[^']+/InRelease'", printed, re.MULTILINE):
        if address.endswith("/debian"):
            return address
    raise NotProvided("apt of this machine is not configured for a Debian archive")


def write_programs(folder: Path, root: Path) -> list[Path]:
    """Write a script for each program that runs it inside the root, and return them."""
    folder.mkdir(exist_ok=True)
    places = [CHECKOUT, Path(tempfile.gettempdir()).resolve(), *interpreter_places()]
    for place in places:
        target = root / place.relative_to("/")
        if place.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    # The shortest first, so that one place does not hide another that lies in it.
    places.sort(key=lambda place: len(place.parts))
    binds = "\n".join(f'mount --rbind {shlex.quote(str(place))} "$root"{shlex.quote(str(place))}' for place in places)
    if "'" in binds:
        raise NotProvided(f"a path has a quote, a blank or another sign that a shell would take for its own: {places}")
    programs = []
    for name in PROGRAMS:
        program = folder / name
        program.write_text(WRAPPER.format(name=name, root=shlex.quote(str(root)), binds=binds), encoding="utf-8")
        program.chmod(0o755)
        programs.append(program)
    return programs


def interpreter_places() -> list[Path]:
    """Return what the interpreter needs that .venv was made with, so that the backend runs in the root as well."""
    home = Path(sys.base_prefix) / "bin"
    settings = CHECKOUT / ".venv/pyvenv.cfg"
    if settings.exists():
        said = re.search(r"^home\s*=\s*(.+?)\s*$", settings.read_text(encoding="utf-8"), re.MULTILINE)
        home = Path(said[1]) if said else home
    elsewhere = (CHECKOUT / ".venv").resolve()  # as in a second work tree, which links the first one's
    linked = [elsewhere] if elsewhere.is_dir() and not elsewhere.is_relative_to(CHECKOUT) else []
    if home != Path("/usr/bin"):
        return [*linked, home.parent.resolve()]
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"  # the system's own: only that, the rest is the root's
    return [*linked, Path("/usr/bin") / name, Path("/usr/lib") / name]


def run(command: list[str], what: str) -> str:
    """Return what a command prints. Raises NotProvided with its last line."""
    environment = os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise NotProvided(f"{what}: {error}") from error
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise NotProvided(f"{what}: {(lines or ['no reason was given'])[-1]}")
    return done.stdout


def tell(text: str) -> None:
    """Say something that is not the answer."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{provide(Path(sys.argv[1] if len(sys.argv) > 1 else CHECKOUT / '.cache/blender'))}\n")
    except NotProvided as reason:
        tell(f"No Blender for the tests: {reason}.")
        sys.exit(1)
