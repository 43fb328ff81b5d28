"""What a job notes of a stage that is done and of a loop on its way, looked at field by field when it is read.

Files that are whole, and yet no such notes, come of disks, of editors and of strangers.
"""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import safetensors

from addon import protocol
from addon.protocol.systems import stage_of
from backend.errors import BackendError, BadInput, Defect, explain

REDO_WORK = "Delete this file; the work since then is redone."
REDO_STAGE = "Delete this folder; the stage is done again."

# What goes wrong with content that is not what was written.
DAMAGE = (
    FileNotFoundError, safetensors.SafetensorError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
    RuntimeError,
)  # fmt: skip


def replaced_words(system: str, name: str, files: Iterable[str]) -> protocol.Phrase:
    """Return what to say of files of a stage that somebody has replaced; pictures are named as an artist sees them."""
    stage = stage_of(system, name)
    labels = {each.name: protocol.Phrase(each.label) for each in stage.leaves} if stage is not None else {}
    named = protocol.joined((labels.get(file, protocol.Phrase(file)) for file in files), "{first}, {second}")
    label = protocol.Phrase(stage.label if stage is not None else name)
    told = "Of the stage {stage}, {files} was replaced; the job goes on with that."
    return protocol.Phrase(told, stage=label, files=named)


@contextlib.contextmanager
def named_if_damaged(path: Path, hint: str) -> Iterator[None]:
    """Raise BadInput, which names a file and says what to do, for whatever its content makes go wrong in the block.

    Links and a lack of memory stay what they are.
    """
    try:
        yield
    except (BackendError, protocol.LinkInside):
        raise
    except DAMAGE as error:
        if isinstance(error, RuntimeError) and not isinstance(explain(error), Defect):
            raise
        lines = str(error).splitlines() or [""]
        said = f"{type(error).__name__}: {lines[0][:200]}" if isinstance(error, LookupError) else lines[0][:200]
        raise BadInput(f"{path} is damaged ({said.rstrip('.: ')}).", hint) from error


def checked_stage(note: Any, number: int) -> dict[str, Any]:
    """Return the note of a finished stage. Raises ValueError, TypeError or KeyError if it is none of this number."""
    _expect(isinstance(note, dict), "it is no object")
    _expect(type(note["number"]) is int and note["number"] == number, f"its number is {str(note['number'])[:20]}")
    _expect(isinstance(note["name"], str) and bool(note["name"]), "it has no name")
    _expect(_is_amount(note["seconds"]), "its seconds are no number")
    _expect(type(note["finish"]) is bool, "it does not say whether to finish")
    _expect(isinstance(note["made_from"], str), "it does not say what it was made from")
    files, replaced = note["files"], note["replaced"]
    _expect(isinstance(files, dict) and all(isinstance(value, str) for value in files.values()), "its files are none")
    _expect(isinstance(replaced, list) and all(isinstance(name, str) for name in replaced), "what was replaced is none")
    return note


def checked_loop(note: Any) -> dict[str, Any]:
    """Return the note of a loop. Raises ValueError, TypeError or KeyError if it is none; its state is not looked at."""
    _expect(isinstance(note, dict), "it is no object")
    _expect(isinstance(note["made_from"], str), "it does not say what it was made from")
    _expect(all(type(note[name]) is int for name in ("step", "total")), "its steps are no whole numbers")
    _expect(0 <= note["step"] <= note["total"], f"step {str(note['step'])[:20]} of {str(note['total'])[:20]}")
    _expect(all(type(note[name]) is bool for name in ("is_done", "finish")), "it does not say whether it is done")
    _expect(_is_amount(note["seconds"]), "its seconds are no number")
    _expect(all(isinstance(note[name], dict) for name in ("randomness", "state")), "it has no state")
    return note


def _is_amount(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= sys.maxsize


def _expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise ValueError(otherwise)
