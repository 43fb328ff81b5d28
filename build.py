"""Sets up, runs, tests, measures and packs Maquette; needs nothing but Python's standard library.

python build.py demo                  makes .venv if needed, turns a sample image into a textured object in out/demo/
python build.py test [pytest args]    makes .venv if needed, runs every test, says what was skipped and why
python build.py setup [--cuda|--cpu]  makes .venv only; with torch for NVIDIA's cards, or for the processor
python build.py check                 linter, formatter, type checker
python build.py bench [--gpu]         every benchmark that takes minutes: tables and benchmarks/results/*.json
python build.py zip                   dist/maquette-VERSION.zip, the Blender extension
python build.py install --blender PATH
python build.py repository            dist/repository/, a folder that Blender can install the extension from
python build.py docs                  takes the manual's screenshots anew, in a real Blender, into docs/images/
"""

# No `from __future__ import annotations` here: Python 3.6 must be able to read all of this to say that it is too old.
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

# Older ones stop at the first line that they cannot read, and show it; its annotation makes it this one:
SUPPORTED: tuple = ((3, 11), (3, 12), (3, 13))  # Maquette needs Python 3.11, 3.12 or 3.13: python3.11 build.py demo

ENVIRONMENT = 3  # the exit status where something is missing on this machine
WITH_BLENDER = ((3, 11), (3, 13))  # those that Blender is published for as a package: bpy 5.0 and bpy 5.2


def check_python(command="demo"):
    """Exit with one sentence and status 3 unless this is a Python that all pinned packages are published for."""
    if tuple(sys.version_info[:2]) in SUPPORTED:
        return
    others = [name for name in ("python3.11", "python3.12", "python3.13") if shutil.which(name)]
    remedy = f"Run: {others[0]} build.py {command}" if others else "Install Python 3.11 and use that."
    found = ".".join(map(str, sys.version_info[:3]))
    print(f"Maquette needs Python 3.11 to 3.13, and this is {found}. {remedy}", file=sys.stderr)
    sys.exit(ENVIRONMENT)


check_python(*sys.argv[1:2])

from addon import processes  # noqa: E402
from addon.install import driver, environment, pip_steps  # noqa: E402

ROOT = Path(__file__).resolve().parent
LOCKS = ("backend/requirements.lock", "requirements-dev.lock", "backend/torch.lock")
ILLUSTRATED = "manual.md queue-and-history.md edit-by-text.md customize-it-3d.md dreambooth3d.md".split()  # in the zip
DEMO_FILES = ("model.glb", "points.ply", "preview.png", "turntable.webp", "scene.blend", "result.json")
# Modules of benchmarks/commands/ without --out for figures and --gpu.
NOT_BENCHMARKS = {"demo", "edits", "playground", "scene", "variants"}
HOURS_LONG = "quality"  # benchmarks whose names begin so run for hours and are started by hand

NO_BLENDER = "Blender is published as a package for Python 3.11 and 3.13 alone."

# What the bpy package links and Debian's smallest installation lacks, and the Debian package of each.
SYSTEM_LIBRARIES = {
    "libX11.so.6": "libx11-6", "libXext.so.6": "libxext6", "libXfixes.so.3": "libxfixes3", "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1", "libxkbcommon.so.0": "libxkbcommon0", "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6", "libGL.so.1": "libgl1", "libEGL.so.1": "libegl1",
}  # fmt: skip


def main(arguments: "list[str] | None" = None) -> int:
    """Run one command and return its exit status."""
    parser = argparse.ArgumentParser(prog="build.py", description="Set up, run, test, measure and pack Maquette.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("setup", help="make .venv")
    text = "torch for NVIDIA's cards, from PyTorch's own index, after a look at the driver; BUILD such as cu126"
    command.add_argument("--cuda", dest="torch", nargs="?", const=driver.CUDA, metavar="BUILD", help=text)
    text = "torch for the processor, which takes less disk"
    command.add_argument("--cpu", dest="torch", action="store_const", const="cpu", help=text)
    command.add_argument("--wheels", type=Path, metavar="FOLDER", help="install from this folder, without the network")
    command.set_defaults(run=lambda options: setup(ROOT, options.torch, options.wheels))
    command = commands.add_parser("demo", help="turn a sample image into a textured object in out/demo/")
    text = "0 means every core; if nothing is said, every core, or 1 where other programs keep them busy"
    command.add_argument("--threads", default="", metavar="N", help=text)
    command.set_defaults(run=lambda options: demo(ROOT, options.threads))
    command = commands.add_parser("test", help="run the tests; further arguments go to pytest", add_help=False)
    command.set_defaults(run=lambda options: test(ROOT, further))
    command = commands.add_parser("check", help="linter, formatter and type checker")
    command.set_defaults(run=lambda options: check(ROOT))
    command = commands.add_parser("bench", help="run every benchmark that takes minutes")
    command.add_argument("--gpu", action="store_true", help="passed on to the benchmarks")
    command.set_defaults(run=lambda options: bench(ROOT, options.gpu))
    command = commands.add_parser("zip", help="pack the Blender extension")
    command.set_defaults(run=lambda options: print(make_zip(ROOT)) or 0)
    for name, act, text in (
        ("install", install, "pack the extension and install it into a Blender"),
        ("repository", make_repository, "pack the extension into a folder that Blender can install it from"),
        ("docs", take_screenshots, "take the manual's screenshots anew, in a real Blender"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--blender", metavar="PATH", help="the program; default: $BLENDER, else that on the path")
        command.set_defaults(run=lambda options, act=act: act(ROOT, find_blender(ROOT, options)))
    options, further = parser.parse_known_args(arguments)
    if further and options.command != "test":
        parser.error(f"{options.command} does not take {' '.join(further)}")
    return options.run(options)


# Commands


def setup(root: Path, torch: "str | None" = None, wheels: "Path | None" = None) -> int:
    """Make .venv, with a build of torch if one is asked for, and see to the system libraries."""
    print(f"Ready: {provide_environment(root, torch, wheels)}")
    provide_system_libraries(root)
    return 0


def demo(root: Path, threads: str = "") -> int:
    """Make the sample object, put it into a scene and print where the files lie."""
    threads = threads or chosen_threads()
    python = provide_environment(root)
    lacking = provide_system_libraries(root)
    out = root / "out" / "demo"
    scene = out / "scene.blend"
    status = run(root, python, "-m", "benchmarks.commands.demo", "--out", out, "--threads", threads)
    if status:
        return status
    program = shutil.which("blender") if lacks_blender() else None
    if lacking:
        print(f"scene.blend is not made: Blender's module lacks {', '.join(lacking)}; how to get them is said above.")
    elif not lacks_blender():
        status = run(root, python, "-m", "benchmarks.commands.scene", out, "--save", scene)
    elif program:
        script = root / "benchmarks" / "commands" / "scene.py"
        status = run(root, program, "-b", "--factory-startup", "--python", script, "--", out, "--save", scene)
    else:
        print(f"scene.blend is not made: {NO_BLENDER} Import the result into a Blender, or put one on the PATH.")
    print("\nThe demo's files:")
    for name in DEMO_FILES:
        made = (out / name).exists()
        print(f"    {out / name}" if made else f"    {name} was not made")
        if not made and not (name == scene.name and (lacking or (lacks_blender() and not program))):
            status = 1
    return status


def lacks_blender() -> bool:
    """Say whether Blender is not published as a package for this Python."""
    return tuple(sys.version_info[:2]) not in WITH_BLENDER


def chosen_threads() -> str:
    """Return "0", every core, or "1" where other programs want them all: threads that wait for each other crawl there.

    It is asked before anything is installed, which keeps a core busy, too.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0  # Windows does not tell
    if load <= cores or cores == 1:
        return "0"
    print(f"Other programs keep the {cores} cores busy (load {load:.1f}), so one thread is used; --threads 0 uses all.")
    return "1"


def test(root: Path, further: list[str]) -> int:
    """Run the tests, all of them in two processes; nothing is printed after pytest's closing line."""
    python = provide_environment(root)
    provide_system_libraries(root)
    return run(root, python, "-m", "pytest", *(further or ("-n2", "--no-loadscope-reorder")))


def check(root: Path) -> int:
    """Run every checker, also after one has failed, and return 1 if any did."""
    python = provide_environment(root)
    commands = (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("pyright",))
    return max([run(root, python, "-m", *command) != 0 for command in commands])


def bench(root: Path, gpu: bool) -> int:
    """Run every benchmark in turn, each writing benchmarks/results/NAME.json, and name those that failed."""
    python = provide_environment(root)
    asks = "from backend.runtime import devices; raise SystemExit(devices.why_no_card() or 0)"
    if gpu and run(root, python, "-c", asks):
        return ENVIRONMENT
    results = root / "benchmarks" / "results"
    results.mkdir(exist_ok=True)
    failed = []
    modules = [f"commands.{name}" for name in benchmarks(root)] + ["cards.full_size"] * gpu
    for module in modules:
        name = module.rpartition(".")[2]
        print(f"\n== {name}")
        if run(root, python, "-m", f"benchmarks.{module}", "--out", results / f"{name}.json", *["--gpu"] * gpu):
            failed.append(name)
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    return 1 if failed else 0


def benchmarks(root: Path) -> list[str]:
    """Name the modules of benchmarks/commands/ that measure something within minutes."""
    return [
        path.stem
        for path in sorted((root / "benchmarks" / "commands").glob("*.py"))
        if path.stem not in NOT_BENCHMARKS | {"__init__"} and not path.stem.startswith(HOURS_LONG)
    ]


def install(root: Path, blender: str) -> int:
    """Pack the extension and install it into a Blender by that Blender's own command line."""
    archive = make_zip(root)
    status = run(root, blender, "--command", "extension", "install-file", "-r", "user_default", "-e", archive)
    if status == 0:
        print("Installed. In Blender's 3D view press N and choose the tab Maquette; it says how to get its backend.")
    return status


def make_repository(root: Path, blender: str) -> int:
    """Pack the extension into dist/repository/ with the index.json of a static repository, and print its address."""
    archive, folder = make_zip(root), root / "dist" / "repository"
    if folder.exists():
        shutil.rmtree(folder)  # an index of older versions would offer them
    folder.mkdir()
    shutil.copy2(archive, folder)
    status = run(root, blender, "--command", "extension", "server-generate", "--repo-dir", folder)
    if status == 0:
        print((folder / "index.json").as_uri())
    return status


def take_screenshots(root: Path, blender: str) -> int:
    """Take the screenshots of docs/manual.md in a real window."""
    python = provide_environment(root)
    return run(root, python, "-m", "tests.blender.program.screenshots", blender, root / "docs" / "images")


def find_blender(root: Path, options: argparse.Namespace) -> str:
    """Return the Blender to use, or exit with a sentence if there is none or it is too old."""
    blender = options.blender or os.environ.get("BLENDER") or shutil.which("blender")
    if not blender or not shutil.which(blender):
        where = blender or "the usual places"
        raise Unfit(f"There is no Blender at {where}. Say where: build.py {options.command} --blender PATH")
    answer = subprocess.run([blender, "--version"], capture_output=True, text=True)
    found = re.search(r"Blender (\d+)\.(\d+)", answer.stdout)
    oldest = manifest(root)["blender_version_min"]
    if not found:
        raise Unfit(f"{blender} --version does not answer as Blender does: {(answer.stdout + answer.stderr)[:200]!r}")
    if (int(found[1]), int(found[2])) < tuple(int(part) for part in oldest.split(".")[:2]):
        raise Unfit(f"Maquette needs Blender {oldest} or later, and {blender} is {found[1]}.{found[2]}.")
    return blender


# The environment


def provide_environment(root: Path, torch: "str | None" = None, wheels: "Path | None" = None) -> Path:
    """Return the Python of root/.venv, after making .venv if it is missing or was made from other locks.

    `torch` is a build, such as cu130, or what `driver.chosen_build` makes one of; None leaves it as it is.
    """
    folder, locks = root / ".venv", [root / name for name in LOCKS]
    begin = f"Making {folder} with {sys.executable}; it takes a few minutes, once."
    try:
        build = torch and driver.chosen_build(torch)
        return environment.provide(folder, locks, Display(begin), wheels=wheels, build=build)
    except environment.EnvironmentProblem as problem:
        raise Unfit(f"{problem.message} {problem.hint}".rstrip()) from problem


class Unfit(Exception):
    """Say in a sentence what this machine lacks."""


class Display:
    """A line on the terminal that says how far the installation is; in a file, a new line every ten seconds.

    `begin` comes before the first one: when there is something to be made, and nobody else is at it.
    """

    def __init__(self, begin: str) -> None:
        self.begin = begin
        self.started = time.monotonic()
        self.shown = -10.0

    def __call__(self, progress: environment.Progress) -> None:
        if self.begin:
            print(self.begin, flush=True)
            self.begin = ""
        done, total, seconds = progress.done, progress.total, time.monotonic() - self.started
        line = f"[{'#' * (20 * done // max(total, 1)):<20}] {done}/{total}  {seconds:.0f} s  {progress.text}"
        is_last = progress.share == 1.0
        if sys.stdout.isatty():
            print(f"\r{line[:78]:<78}", end="\n" if is_last else "", flush=True)
        elif is_last or seconds - self.shown >= 10:
            print(line, flush=True)
            self.shown = seconds


def provide_system_libraries(root: Path) -> list[str]:
    """Install the system libraries that bpy links where this is root on Debian, else print the line that does.

    Returns the names of those that are still missing; then everything but scene.blend works.
    """
    lacking = missing_libraries(root)
    packages = sorted({SYSTEM_LIBRARIES[name] for name in lacking if name in SYSTEM_LIBRARIES})
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing the system libraries that Blender's module links: {' '.join(packages)}", flush=True)
        for command in (["apt-get", "update"], install):
            variables = processes.child_environment({"DEBIAN_FRONTEND": "noninteractive"})
            done = subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                print(f"{' '.join(command[:2])} failed: {pip_steps.explain(done.stderr)}")
        lacking = missing_libraries(root)
    if lacking:
        print(f"Blender's module links system libraries that are not here: {', '.join(lacking)}. Install them with")
        print(f"    sudo {' '.join(install)}")
        print("Until then no scene.blend is made, and the tests that use Blender's module are skipped.", flush=True)
    return lacking


def missing_libraries(root: Path) -> list[str]:
    """Ask the linker which system libraries the bpy package in .venv links and does not find."""
    modules = list((root / ".venv").glob("lib/python*/site-packages/bpy/__init__*.so"))
    if not modules or not sys.platform.startswith("linux") or not shutil.which("ldd"):
        return []
    variables = processes.child_environment({"LC_ALL": "C"})
    answer = subprocess.run(["ldd", str(modules[0])], capture_output=True, text=True, env=variables)
    return sorted(set(re.findall(r"^\s*(\S+) => not found", answer.stdout, re.MULTILINE)))


# The extension


def manifest(root: Path) -> dict:
    """Read blender_manifest.toml, the only place where the version is written."""
    import tomllib

    return tomllib.loads((root / "blender_manifest.toml").read_text(encoding="utf-8"))


def make_zip(root: Path) -> Path:
    """Pack the extension for Blender; the same files give the same bytes."""
    facts = manifest(root)
    if not list((root / "backend" / "embedded" / "weights").rglob("*.safetensors")):
        sys.exit(
            "backend/embedded/weights holds no .safetensors file, and the backend cannot do without. Restore them."
        )
    files = [root / "LICENSE", root / "blender_manifest.toml"]
    files += [path for folder in ("addon", "backend") for path in (root / folder).rglob("*") if is_shipped(path, root)]
    files += [path for kind in ("*.md", "examples/*.py", "decisions/*.md") for path in (root / "docs").glob(kind)]
    shown = "".join(path.read_text(encoding="utf-8") for path in files if path.name in ILLUSTRATED)
    files += [root / "docs" / name for name in re.findall(r"!\[[^]]*\]\((images/[^)]+)\)", shown)]
    contents = {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
    contents["__init__.py"] = f'"""{facts["tagline"]}."""\nfrom .addon import register, unregister\n'.encode()
    target = root / "dist" / f"{facts['id']}-{facts['version']}.zip"
    target.parent.mkdir(exist_ok=True)
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w") as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # the same on every system that packs
            archive.writestr(entry, contents[name], zipfile.ZIP_DEFLATED, compresslevel=9)
    partial.replace(target)
    return target


def is_shipped(path: Path, root: Path) -> bool:
    """Whether a file under addon/ or backend/ goes into the extension: no caches, no hidden files, no links.

    Nor do weights that are still being trained.
    """
    parts = path.relative_to(root).parts
    hidden = any(part.startswith(".") or part in ("__pycache__", "weights_next") for part in parts)
    return path.is_file() and not path.is_symlink() and not hidden and path.suffix != ".pyc"


# Small things


def run(root: Path, *command: "str | Path") -> int:
    """Run a command in the repository's root and return its exit status; it shares this terminal."""
    sys.stdout.flush()
    return processes.run_in_foreground(command, cwd=root, env=processes.child_environment())


def stop(number: int, frame: object) -> None:
    """Leave as after Ctrl+C: what is half-made is cleared away."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for name in processes.ENDING:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        sys.exit(main())
    except Unfit as unfit:
        print(unfit, file=sys.stderr)
        sys.exit(ENVIRONMENT)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(processes.STOPPED)
