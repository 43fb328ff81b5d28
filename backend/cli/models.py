"""The command `models`: what there is, fetching, comparing, removing and importing models.

With --json each line is an object: {"share", "text"} while it works, then {"done"} or {"error", "hint", "exit_code"}.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

from addon import protocol
from addon.protocol import models
from backend.cli.console import clock
from backend.errors import BackendError, BadInput, MissingModel, explain
from backend.models import store
from backend.models.checking import AGAIN, problems

YES = "--yes"


def add_models(commands: Any) -> None:
    """Add the command and its actions."""
    command = commands.add_parser("models", help="fetch, import, compare and remove models for subjects of every kind")
    actions = command.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="what is installed, and what can be had")
    fetching = actions.add_parser("fetch", help="fetch a model from a hub; the same command goes on where it stopped")
    verifying = actions.add_parser("verify", help="compare every file with what was installed")
    removing = actions.add_parser("remove", help="delete a model's files")
    importing = actions.add_parser("import", help="take a folder or a .safetensors file that you have")
    fetching.add_argument("name", help="one of the catalogue, such as sd15")
    fetching.add_argument("--from", dest="source", default="", metavar="OWNER/NAME", help="another repository")
    fetching.add_argument("--revision", default="main", help="a branch, a tag or a commit")
    fetching.add_argument("--endpoint", default="", metavar="URL", help="another hub, or a mirror of it")
    fetching.add_argument(YES, action="store_true", help="do not ask: size and licence are known")
    verifying.add_argument("name", nargs="?", default="", help="one model; else all of them")
    removing.add_argument("name")
    importing.add_argument("path", type=Path, metavar="PATH")
    importing.add_argument("--name", default="", help="what it is called; else as its file")
    importing.add_argument("--role", default="", choices=["", *models.ROLES], help="where its files do not tell")
    importing.add_argument("--base", default="", metavar="NAME", help="the base that a LoRA changes")
    importing.add_argument("--strength", type=float, default=1.0, help="of a LoRA; 1 is as it was trained")
    for each in (listing, fetching, verifying, removing, importing):
        each.add_argument("--models", type=Path, metavar="FOLDER", help="else MAQUETTE_MODELS, or among your data")
        each.add_argument("--json", action="store_true", help="write one JSON object a line, for programs")


def run(arguments: argparse.Namespace) -> int:
    """Do what `models` asks for and return the exit code."""
    teller = _Teller(arguments.json)
    try:
        folder = (arguments.models or store.models_folder()).absolute()
        done = {"list": _list, "fetch": _fetch, "verify": _verify, "remove": _remove, "import": _import}
        teller.done(done[arguments.action](arguments, folder, teller))
        return 0
    except KeyboardInterrupt:
        teller.failed(BackendError("Stopped.", "The same command goes on where it is."))
        return 4
    except protocol.ProtocolError as error:
        return teller.failed(BadInput(str(error), "See `python -m backend models list`."))
    except BrokenPipeError:  # nobody reads the answer
        raise
    except (BackendError, OSError, ImportError) as error:
        return teller.failed(explain(error))


class _Teller:
    """Says how far it is and what has come of it, to a person or a program."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._is_terminal = sys.stderr.isatty() and not as_json
        self._said = -math.inf

    def progress(self, done: int, total: int, seconds: float, what: str) -> None:
        """Tell how many bytes are there."""
        left = f", {clock(seconds)} left" if math.isfinite(seconds) else ""
        text = f"{what}: {models.gigabytes(done)} of {models.gigabytes(total)}{left}"
        if self._as_json:
            print(json.dumps({"share": done / max(total, 1), "text": text}), flush=True)
        elif self._is_terminal:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._said > 15 or done == total:
            self._said = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def done(self, answer: Any) -> None:
        """Write what has come of it: text, or with --json whatever there is."""
        if self._as_json:
            print(json.dumps({"done": answer}), flush=True)
            return
        if self._is_terminal:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
        print(protocol.plain_text(answer if isinstance(answer, str) else _table(answer)))

    def failed(self, error: BackendError) -> int:
        """Write why not, and return the exit code."""
        if self._as_json:
            said = {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
            print(json.dumps(said), flush=True)
        else:
            print(protocol.plain_text(f"error: {error.message} {error.hint}".rstrip()), file=sys.stderr)
        return error.exit_code


def listing(folder: Path) -> dict[str, Any]:
    """Return what is installed and what else the catalogue has, for programs."""
    installed = models.list_installed(folder)
    there = {each.name for each in installed}
    return {
        "folder": str(folder),
        "installed": [
            {
                "name": each.name, "title": each.title, "role": each.record.role if each.record else "",
                "line": each.line, "bytes": each.size, "problem": each.problem, "folder": str(each.folder),
            }
            for each in installed
        ],
        "available": [
            {
                "name": model.name, "title": model.title, "role": model.role, "line": model.line,
                "size": models.size_words(model), "licence": model.licence, "note": model.note,
            }
            for model in models.CATALOGUE.values()
            if model.name not in there
        ],
    }  # fmt: skip


def _table(answer: dict[str, Any]) -> str:
    lines = [f"{'embedded':16} {'base':14} {'':>9}  {models.EMBEDDED_LINE}"]
    for each in answer["installed"]:
        size = models.gigabytes(each["bytes"])
        lines.append(f"{each['name']:16} {each['role']:14} {size:>9}  {each['problem'] or each['line']}")
    lines.append(f"\nNot installed (fetch NAME; into {answer['folder']}):")
    for each in answer["available"]:
        note = f" ({each['note']})" if each["note"] else ""
        lines.append(f"{each['name']:28} {each['role']:14} {each['size']}, licence {each['licence']}: "
                     f"{each['title']}, {each['line']}{note}")  # fmt: skip
    return "\n".join(lines)


def _list(arguments: argparse.Namespace, folder: Path, teller: _Teller) -> dict[str, Any]:
    return listing(folder)


def _fetch(arguments: argparse.Namespace, folder: Path, teller: _Teller) -> str:
    from backend.models.fetching import fetch, look_up

    model = models.known_model(arguments.name)
    offer = look_up(model, arguments.source, arguments.revision, arguments.endpoint)
    terms = f"{model.title} from {offer.source}: {models.gigabytes(offer.size)}, licence {offer.licence}"
    if not arguments.yes:
        if not sys.stdin.isatty():
            raise BadInput(f"{terms}.", f"The same command with {YES} fetches it, and accepts its licence.")
        if input(f"{terms}. Fetch it, and accept its licence? [y/N] ").strip().lower() not in ("y", "yes"):
            return "Nothing was fetched."
    made = fetch(
        offer, folder, lambda *told: teller.progress(told[0], told[1], told[2], model.title), arguments.endpoint
    )
    return f"{made.title} is installed: {models.gigabytes(made.size)} in {made.folder}"


def _verify(arguments: argparse.Namespace, folder: Path, teller: _Teller) -> str:
    chosen = [models.find_installed(folder, arguments.name)] if arguments.name else models.list_installed(folder)
    total, read = sum(each.size for each in chosen), 0
    wrong: list[str] = []

    def listen(count: int) -> None:
        nonlocal read
        read += count
        teller.progress(read, total, math.inf, "comparing")

    for each in chosen:
        wrong += [f"{each.name}: {problem}" for problem in problems(each, listen)]
    if wrong:
        raise MissingModel("; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""), AGAIN)
    names = ", ".join(each.name for each in chosen)
    return f"{names}: every file is as it was installed" if chosen else f"No model is in {folder}."


def _remove(arguments: argparse.Namespace, folder: Path, teller: _Teller) -> str:
    gone = store.remove(folder, arguments.name)
    return f"{arguments.name} is removed" + (f": {models.gigabytes(gone.size)}" if gone.size else "")


def _import(arguments: argparse.Namespace, folder: Path, teller: _Teller) -> str:
    from backend.models.importing import import_path

    made = import_path(
        arguments.path, folder, name=arguments.name, role=arguments.role, base=arguments.base,
        strength=arguments.strength,
    )  # fmt: skip
    how = f"--prior {made.name}" if made.record and made.record.role == models.BASE else made.folder
    return f"{made.title} is installed: {models.gigabytes(made.size)}; {how}"
