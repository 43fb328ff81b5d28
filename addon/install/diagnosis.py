"""What is wrong, in one sentence, and what would put it right: of the backend's installation and of jobs that failed.

`glance` reads a few small files and is for drawing; `diagnose` runs the backend's doctor, which takes a second or more
and is for another process or thread than Blender's main one. Both put what is found into one of KINDS.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import processes, protocol
from ..paths import ROOT, backend_python
from ..protocol import Phrase
from . import environment

LOCKS = (ROOT / "backend" / "requirements.lock", ROOT / "backend" / "torch.lock")
DOCTOR_SECONDS = 300.0  # a deep look compiles kernels
SHOWN = 400  # characters of what a broken backend printed
NOT_INSTALLED = Phrase("The backend is not installed.")

# Fix -> label and tooltip of its button.
FIXES = {
    "install": ("Install", "Install the backend's packages into a folder of their own"),
    "repair": ("Repair", "Make the backend's environment anew; the old one stays until the new one is whole"),
    "choose": ("Choose Python", "Show the preferences where a Python is chosen"),
    "log": ("Open Log", "Show what was printed last"),
    "online": ("Network Preferences", "Show where Blender is allowed to go online"),
    "driver": ("Driver Page", "Open the page of NVIDIA's drivers"),
    "device": ("Choose GPU", "Show the preferences where the GPU is chosen"),
    "space": ("Open Jobs Folder", "Show the folder that fills up first"),
    "folder": ("Open Job Folder", "Show the files of the job"),
    "update": ("Extensions", "Show Blender's extensions, to install the add-on again"),
    "preset": ("Lower Preset", "Set the preset that takes less memory"),
    "resume": ("Resume", "Go on with the job where it stopped"),
    "again": ("Import Again", "Try once more to import the result"),
    "models": ("Models", "Show the models in the preferences, to fetch or import the one that is missing"),
    "seed": ("New Seed", "Start the job again with another seed"),
    "": ("", ""),
}

# Kind of failure -> what may put it right, the likeliest first.
KINDS: dict[str, tuple[str, ...]] = {
    "fine": (),
    "missing": ("install", "choose"),
    "outdated": ("repair",),
    "broken": ("repair", "log", "choose"),
    "python": ("choose",),
    "busy": (),
    "offline": ("online", "log"),
    "disk": ("space",),
    "driver": ("driver", "device"),
    "gpu": ("device",),
    "vram": ("device", "preset"),
    "weights": ("update",),
    "model": ("models", "update"),
    "protocol": ("update", "repair"),
    "input": ("folder",),
    "memory": ("preset", "resume"),
    "diverged": ("seed", "log"),
    "crashed": ("resume", "log"),
    "lost": ("resume", "log"),
    "import": ("again", "folder"),
    "defect": ("log", "resume"),
}

# What protocol.Failed.kind says: the backend's errors, the client's, the importer's -> kind of failure.
FAILURES = {
    "BadInput": "input",
    "EmptyMask": "input",
    "NoSuchPiece": "input",
    "NoSurface": "diverged",
    "UnfitEnvironment": "broken",
    "OutOfMemory": "memory",
    "MissingModel": "model",
    "Defect": "defect",
    "BackendError": "defect",
    "NotStarted": "broken",
    "WrongVersion": "protocol",
    "Garbled": "protocol",
    "Silent": "lost",
    "Died": "crashed",
    "ForeignDied": "crashed",
    "ImportFailed": "import",
}

# What the doctor finds -> kind of failure; the first that is found is the one that is told.
MACHINE_FINDINGS = {"python": "python", "free disk": "disk", "memory": "memory", "embedded prior": "weights"}
GPU_FINDINGS = {"gpu build": "gpu", "gpu driver": "driver", "gpu age": "gpu", "gpu memory": "vram"}


@dataclass(frozen=True)
class Diagnosis:
    """One of KINDS, a sentence, what to do in words, the machine's facts as (name, text), and the names of its GPUs.

    `is_usable`: jobs can run all the same.
    """

    kind: str
    sentence: str
    hint: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    gpus: tuple[str, ...] = ()
    is_usable: bool = False

    @property
    def fixes(self) -> tuple[str, ...]:
        """The names of what may put it right, the likeliest first; FIXES has their labels."""
        return KINDS[self.kind]

    @property
    def fix(self) -> str:
        """The likeliest of them, empty if nothing is to be done."""
        return self.fixes[0] if self.fixes else ""


def glance(folder: Path, locks: Sequence[Path] = LOCKS) -> Diagnosis:
    """Look whether an environment was installed and is of this version, without running anything."""
    record = environment.read_record(folder)
    if not folder.is_dir():
        return Diagnosis("missing", NOT_INSTALLED)
    if not (folder / environment.STAMP).is_file():
        return Diagnosis("missing", Phrase("The backend's installation was cut off; install it again."))
    base = str(record.get("python", ""))
    if base and not Path(base).exists():
        told = Phrase("The backend was made from {path}, which is not there any more.", path=base)
        return Diagnosis("broken", told)
    if not backend_python(folder).exists():
        return Diagnosis("broken", Phrase("{path} is not there any more.", path=backend_python(folder)))
    if not environment.is_whole(folder, locks, str(record.get("language", ""))):
        return Diagnosis("outdated", Phrase("The backend was installed for another version of Maquette."))
    return Diagnosis("fine", Phrase("The backend is installed."), is_usable=True)


def diagnose(
    python: Path | None, *, root: Path = ROOT, deep: bool = False, variables: Mapping[str, str] | None = None
) -> Diagnosis:
    """Ask the backend's doctor what this machine can run; takes seconds, a `deep` look up to minutes."""
    if python is None:
        return Diagnosis("missing", NOT_INSTALLED)
    if not python.is_file():
        return Diagnosis("missing", Phrase("There is no Python at {path}.", path=python))
    command = [str(python), "-m", "backend", "doctor", "--json", *["--deep"] * deep]
    try:
        answer = subprocess.run(
            command,
            cwd=root,
            env=processes.child_environment(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DOCTOR_SECONDS,
            **processes.hidden_options(),
        )
    except subprocess.TimeoutExpired:
        told = Phrase("The backend did not say within {seconds:.0f} seconds what it can do.", seconds=DOCTOR_SECONDS)
        return Diagnosis("broken", told)
    except OSError as error:
        return Diagnosis("broken", Phrase("The backend could not be started: {error}.", error=error))
    try:
        return judge(json.loads(answer.stdout))
    except (ValueError, KeyError, TypeError):  # it said something else, or nothing
        return unanswered(answer.returncode, answer.stderr.decode("utf-8", "replace"))


def judge(answer: Mapping[str, Any]) -> Diagnosis:
    """Return what the doctor's findings come to: what hinders every job first, then what keeps the GPU from being used.

    Raises KeyError or TypeError if it is no answer of the doctor's.
    """
    findings = [(str(item["name"]), item["is_ok"], str(item["text"])) for item in answer["findings"]]
    facts = tuple((name, text) for name, is_ok, text in findings if is_ok is not None or text)
    gpus = tuple(str(name) for name in answer["gpus"])
    bad = {name: text for name, is_ok, text in findings if is_ok is False}
    for name, kind in MACHINE_FINDINGS.items():
        if name in bad:
            told = Phrase("This machine's {name} does not do: {reason}.", name=Phrase(name), reason=bad[name])
            return Diagnosis(kind, told, facts=facts, gpus=gpus)
    if bad:
        name, text = next(iter(bad.items()))
        what = Phrase("{name} is missing or broken", name=name)
        if len(bad) > 1:
            what = Phrase("{name} is missing or broken, and so are {count} more", name=name, count=len(bad) - 1)
        told = Phrase("{what}: {text}.", what=what, text=text) if text else Phrase("{what}.", what=what)
        return Diagnosis("broken", told, facts=facts, gpus=gpus)
    for name, is_ok, text in findings:
        if is_ok is None and name in GPU_FINDINGS:
            sentence = Phrase("Jobs run on the CPU: {text}.", text=text)
            if name == "gpu memory":
                sentence = Phrase("The GPU is full: {text}.", text=text)
            return Diagnosis(GPU_FINDINGS[name], sentence, facts=facts, gpus=gpus, is_usable=True)
    where = next((text for name, is_ok, text in findings if name == "gpu" and is_ok), Phrase("the CPU"))
    return Diagnosis("fine", Phrase("Ready: jobs run on {where}.", where=where), facts=facts, gpus=gpus, is_usable=True)


def unanswered(code: int, printed: str) -> Diagnosis:
    """Return what a backend that did not answer comes to, from its exit code and what it printed."""
    text = printed.strip()[-SHOWN:]
    last = text.splitlines()[-1] if text else Phrase("it printed nothing")
    if "No module named" in last and "backend" in last:
        return Diagnosis("protocol", Phrase("The add-on's own files are not complete: {reason}.", reason=last))
    if "unrecognized arguments" in last or "invalid choice" in last:
        return Diagnosis("protocol", Phrase("The backend is of another version than the add-on."))
    if code >= 0:
        return Diagnosis("broken", Phrase("The backend ended with exit code {code}: {last}", code=code, last=last))
    return Diagnosis("broken", Phrase("The backend was ended by signal {signal}: {last}", signal=-code, last=last))


def of_failure(failed: protocol.Failed) -> Diagnosis:
    """Return what may put a failed job right."""
    kind = FAILURES.get(failed.kind, "defect")
    if kind == "broken" and "disk is full" in failed.message:
        kind = "disk"
    return Diagnosis(kind, failed.message, failed.hint)


def of_problem(problem: environment.EnvironmentProblem) -> Diagnosis:
    """Return what may put right what was in the way of an installation."""
    return Diagnosis(problem.kind, problem.message, problem.hint)
