"""What the add-on does in a process of its own, so that Blender never waits for it: `python -m addon COMMAND`.

    make FOLDER [--python PATH] [--wheels FOLDER] [--torch cuda|cpu|cu126] [--anew]    the backend's environment
    verify FOLDER                                             its packages, and every engine
    diagnose PYTHON                                           what a Python can run
    models PYTHON -- WORD...                                  what `python -m backend models` does with the words
    remove FOLDER

Each writes one JSON object per line to stdout: {"share", "text"} for progress, and last a diagnosis; "phrases" has the
templates and values of their texts. With --supervised,
when stdin ends, `make` stops and leaves what was there before, and the others end at once. Exit code 0 if jobs can run,
or if the folder is removed, else 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from . import processes
from .install import diagnosis, driver, environment, interpreters, models, verification
from .install.diagnosis import Diagnosis
from .paths import backend_python
from .protocol import Phrase, packed

LEAVE_SECONDS = 4.0  # for putting back what was there; then what is half-made stays, for the next call to clear away


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m addon", description="See to the backend's environment.")
    parser.add_argument("--supervised", action="store_true", help="leave when stdin closes")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("make", "verify", "remove"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        command.add_argument("--lock", type=Path, nargs="+", default=diagnosis.LOCKS)
        if name == "make":
            command.add_argument(
                "--python", default="", help="the Python to make it from; default: the first that fits"
            )
            command.add_argument("--wheels", type=Path, help="install from this folder, without the network")
            command.add_argument("--torch", help="cuda: for the card that the driver tells of; cpu; or a build: cu126")
            command.add_argument("--anew", action="store_true", help="also if it is whole")
    commands.add_parser("diagnose").add_argument("python", type=Path)
    command = commands.add_parser("models")
    command.add_argument("python", type=Path)
    command.add_argument("words", nargs="+")
    options = parser.parse_args(arguments)
    gone = threading.Event()

    def leave() -> None:
        gone.set()
        time.sleep(LEAVE_SECONDS if options.command == "make" else 0.0)
        processes.end_own_tree()

    if options.supervised:
        processes.when_parent_is_gone(leave)
    try:
        match options.command:
            case "make":
                made = make(options, gone)
            case "verify":
                made = verify(options.folder, options.lock)
            case "diagnose":
                made = diagnosis.diagnose(options.python)
            case "models":
                made = models.ask(options.python, options.words, say)
            case _:
                environment.remove(options.folder)
                made = Diagnosis("missing", diagnosis.NOT_INSTALLED, is_usable=True)
    except environment.EnvironmentProblem as problem:
        made = diagnosis.of_problem(problem)
    except environment.Stopped:
        made = Diagnosis("missing", Phrase("The installation was stopped."))
    say(dataclasses.asdict(made))
    return 0 if made.is_usable else 1


def make(options: argparse.Namespace, gone: threading.Event) -> Diagnosis:
    """Make the environment unless the parent is gone, and let the backend in it say what it can run."""

    def show(progress: environment.Progress) -> None:
        text = Phrase("{text} ({done} of {total})", text=progress.text, done=progress.done, total=progress.total)
        say({"share": 0.9 * progress.share, "text": text})
        if gone.is_set():
            raise environment.Stopped

    folder = options.folder.absolute()
    build = options.torch and driver.chosen_build(options.torch)  # before anything is made
    python = environment.provide(
        folder,
        options.lock,
        show,
        python=interpreters.choose(options.python),
        wheels=options.wheels,
        log=environment.log_file(folder),
        anew=options.anew,
        build=build,
    )
    say({"share": 0.9, "text": Phrase("trying it out")})
    return diagnosis.diagnose(python)


def verify(folder: Path, locks: Sequence[Path]) -> Diagnosis:
    """Compare the packages with the lock, then try every engine."""
    say({"share": 0.1, "text": Phrase("comparing files with the lock")})
    problems = verification.verify(folder, locks)
    if problems:
        return Diagnosis("broken", verification.sentence(problems))
    say({"share": 0.3, "text": Phrase("trying every engine")})
    return diagnosis.diagnose(backend_python(folder), deep=True)


def say(content: dict[str, object]) -> None:
    """Write one line; beside texts that can be translated, their templates and values."""
    phrases = {name: packed(text) for name, text in content.items() if isinstance(text, Phrase)}
    sys.stdout.write(json.dumps(content | ({"phrases": phrases} if phrases else {})) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
