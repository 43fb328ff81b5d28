"""The rules of the source tree, each a function from the files (path -> text) to the sentences that say who breaks it.

`test_architecture.py` applies them to this repository, and to made-up offenders to show that they can fail.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

Files = dict[str, str]  # path relative to the repository's root, with forward slashes -> text

STANDARD_BLENDER = {"bpy", "bpy_extras", "bmesh", "mathutils", "gpu", "gpu_extras", "bl_math", "addon_utils", "blf"}
TOUCHES_BLENDER = {
    "preferences",
    "setup",
    "properties",
    "references",
    "previews",
    "arrivals",
    "running",
    "operators",
    "drop",
    "cutout",
    "panels",
    "queue_panel",
    "history",
    "edits",
    "batch_operators",
    "importer",
    "points",
    "assets",
    "api",
    "commands",
}  # also `paths`, when called

# Who imports whom inside addon/: a module imports only modules of lower rank.
ADDON_RANKS = {
    "typed_json": -1,
    "request": -0.5,
    "protocol": 0,
    **dict.fromkeys(("course", "journal"), 1),
    **dict.fromkeys(("paths", "settings", "wording", "results", "pictures"), 1),
    **dict.fromkeys(("points", "assets"), 1.5),
    "processes": 1,
    "interpreters": 1.5,
    **dict.fromkeys(("client", "jobs", "environment", "importer", "properties"), 2),
    **dict.fromkeys(("verification", "turns"), 2.2),
    "diagnosis": 2.5,
    "background": 2.7,
    "preferences": 3,
    "setup": 4,
    **dict.fromkeys(("references", "previews", "wishes"), 2),
    "arrivals": 3,
    **dict.fromkeys(("arguments", "terminal"), 2),
    "api": 3.5,
    **dict.fromkeys(("queue", "batch", "catalogue"), 3),
    "report": 3,
    "running": 4,
    **dict.fromkeys(("operators", "drop", "cutout"), 5),
    **dict.fromkeys(("panels", "commands", "__main__"), 6),
    **dict.fromkeys(("queue_panel", "history", "batch_operators"), 6.5),
    "edits": 6.7,
    "__init__": 7,
}

# Who imports whom inside backend/: the first part of the module's name -> the first parts of what it may import.
LEAVES = {"cameras", "losses", "schedules", "images", "errors", "weights"}
PROCESS = {"arguments", "checkpoint", "console", "machine", "gpus", "supervision"}
ENGINES = {"diffusion", "vision", "meshing", "baking", "export", "rendering", "representations"}
BACKEND_LAYERS = {
    **dict.fromkeys(LEAVES, LEAVES),
    **dict.fromkeys(PROCESS, PROCESS | LEAVES),
    "presets": {"presets"} | LEAVES,
    "representations": {"representations"} | LEAVES,
    "rendering": {"rendering", "representations"} | LEAVES,
    **dict.fromkeys(("meshing", "baking"), {"rendering", "representations"} | LEAVES),
    "export": {"representations"} | LEAVES,
    "diffusion": {"diffusion", "vision", "representations"} | LEAVES,
    "vision": {"vision", "representations"} | LEAVES,
    "job": PROCESS | LEAVES,
    "queue": PROCESS | LEAVES,
    "new_job": PROCESS | LEAVES,
    "doctor": ENGINES | PROCESS | LEAVES,
    **dict.fromkeys(("preparation", "delivery"), {"job", "machine"} | ENGINES | LEAVES),  # before and after a system
    "redrawing": {"job", "preparation"} | ENGINES | LEAVES,
    "systems": {"job", "machine", "delivery", "preparation", "redrawing", "presets"} | ENGINES | LEAVES,
    "embedded": {"embedded"} | ENGINES | LEAVES,
    "__main__": {"systems", "delivery", "job", "queue", "new_job", "doctor"} | ENGINES | PROCESS | LEAVES,
    "__init__": set(),
}
SPEAKS_PROTOCOL = {"__main__", "job", "queue", "new_job", "systems"}

# Library -> where in backend/ it may be imported; a name without a slash at its end is one module.
LIBRARY_PLACES = {
    **dict.fromkeys(("diffusers", "peft", "transformers"), ("diffusion/", "vision/", "embedded/")),
    **dict.fromkeys(("nerfacc", "tinycudann"), ("rendering/volume", "representations/nerf")),
    "gsplat": ("rendering/splats", "representations/gaussians"),
    "numba": ("rendering/", "representations/", "meshing", "baking"),
}
NEVER_AT_IMPORT = {"gsplat", "nerfacc", "tinycudann"}  # fail or compile at import on a machine without CUDA
NEVER_AT_START = {
    "torch",
    "numpy",
    "scipy",
    "numba",
    "PIL",
    "skimage",
    "diffusers",
    "transformers",
    "peft",
    "safetensors",
}
GENERATOR = {f"backend/embedded/{name}.py" for name in ("shapes", "solids", "categories", "data", "captions")}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
# Command lines; the trainer's is spread over several files.
PRINTERS = ("build.py", "backend/__main__.py", "backend/doctor.py", "addon/commands.py", "backend/embedded/train")
LONGEST_FILE = 400

# Written so that this file does not match itself.
FORBIDDEN_TEXT = {
    r"\bpypi[.]org|pythonhosted[.]org|deb[.]debian[.]org|registry[.]npmjs": "names a package registry's host",
    r"(?<![\w.])/(?:wor[k]|roo[t]|tmp/[w])/": "names a path of the machine that it was written on",
}
FORBIDDEN_CODE = {r"\b(?:TOD[O]|FIXM[E]|XX[X]|NotImplementedErro[r])\b": "leaves something unfinished"}


@dataclass(frozen=True)
class Import:
    """One imported name: `target` is absolute (`from a.b import c` gives `a.b.c`); `when` it happens."""

    line: int
    target: str
    when: str  # "import" (of the module that holds it) | "call" | "typing"


def imports(path: str, text: str) -> list[Import]:
    """List what a file imports, also through `importlib.import_module("name")`."""
    found = []

    def visit(node: ast.AST, when: str) -> None:
        if isinstance(node, ast.Import):
            found.extend(Import(node.lineno, alias.name, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.removesuffix(".py").split("/")[: -node.level] if node.level else []
            module = ".".join([*package, *([node.module] if node.module else [])])
            found.extend(Import(node.lineno, f"{module}.{alias.name}", when) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "importlib.import_module",
            "import_module",
            "__import__",
        ):
            if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                found.append(Import(node.lineno, node.args[0].value, when))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.body:
                visit(child, "typing")
            for child in node.orelse:
                visit(child, when)
            return
        inner = "call" if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else when
        for child in ast.iter_child_nodes(node):
            visit(child, inner)

    visit(ast.parse(text, path), "import")
    return found


def library(target: str) -> str:
    """The distribution-level name of an import: `torch.nn.functional` -> `torch`."""
    return target.split(".")[0]


def python(files: Files, *folders: str) -> Iterator[tuple[str, str]]:
    """The Python files below some top-level folders (or named exactly)."""
    for path, text in files.items():
        if path.endswith(".py") and (path.split("/")[0] in folders or not folders):
            yield path, text


def module_file(target: str, files: Files) -> str | None:
    """The file of this repository that an import of `target` runs, the deepest one."""
    parts = target.split(".")
    for count in range(len(parts), 0, -1):
        stem = "/".join(parts[:count])
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if path in files:
                return path
    return None


def part_of(path: str) -> str:
    """The first part of a path below its top folder: `backend/systems/tv3dg.py` -> `systems`."""
    return path.split("/")[1].removesuffix(".py")


# Imports


def addon_is_light(files: Files, standard_library: frozenset[str]) -> list[str]:
    """addon/ imports the standard library and itself, bpy where it draws or imports, numpy only where it imports."""
    problems = []
    for path, text in python(files, "addon"):
        name = part_of(path)
        for item in imports(path, text):
            root = library(item.target)
            if root in STANDARD_BLENDER:
                allowed = name in TOUCHES_BLENDER or (name in ("paths", "__init__") and item.when != "import")
            elif root == "numpy":
                allowed = name in ("importer", "points")
            else:
                allowed = root == "addon" or root in standard_library
            if not allowed:
                problems.append(f"{path}:{item.line} imports {item.target}, which has no place there")
    return problems


def addon_layers(files: Files) -> list[str]:
    """Inside addon/ imports go from panels down to the protocol, never up or sideways."""
    problems = []
    for path, text in python(files, "addon"):
        name = part_of(path)
        if name not in ADDON_RANKS:
            problems.append(f"{path} has no place among the layers of addon/; give it one in ADDON_RANKS")
            continue
        for item in imports(path, text):
            file = module_file(item.target, files) if library(item.target) == "addon" else None
            if file and file != path and part_of(file) != "__init__":
                if ADDON_RANKS.get(part_of(file), 9) >= ADDON_RANKS[name]:
                    problems.append(f"{path}:{item.line} imports {item.target}, which is not below it")
    return problems


def backend_layers(files: Files) -> list[str]:
    """Inside backend/ imports follow BACKEND_LAYERS; of addon/ only the protocol; never Blender, tests, benchmarks."""
    problems = []
    for path, text in python(files, "backend"):
        name = part_of(path)
        if name not in BACKEND_LAYERS:
            problems.append(f"{path} has no place among the layers of backend/; give it one in BACKEND_LAYERS")
            continue
        for item in imports(path, text):
            root, _, rest = item.target.partition(".")
            part = rest.split(".")[0] if rest else "__init__"
            if root in STANDARD_BLENDER | {"tests", "benchmarks", "build"}:
                problems.append(f"{path}:{item.line} imports {item.target}, which the backend never does")
            elif root == "addon" and (part != "protocol" or name not in SPEAKS_PROTOCOL):
                problems.append(
                    f"{path}:{item.line} imports {item.target}; only __main__, job, new_job, queue, systems do"
                )
            elif root == "backend" and f"backend/{part}.py" not in files and part not in BACKEND_LAYERS:
                continue  # a name of backend/__init__.py
            elif root == "backend" and part not in BACKEND_LAYERS[name] and module_file(item.target, files) != path:
                problems.append(f"{path}:{item.line} imports {item.target}, which is not below {name}")
    return problems


def systems_are_apart(files: Files) -> list[str]:
    """One system never imports another."""
    return [
        f"{path}:{item.line} imports {item.target}; systems never import each other"
        for path, text in python(files, "backend")
        if path.startswith("backend/systems/")
        for item in imports(path, text)
        if item.target.startswith("backend.systems.") and module_file(item.target, files) != path
    ]


def libraries_in_their_places(files: Files) -> list[str]:
    """Heavy libraries are imported only in the folders that adapt them."""
    problems = []
    for path, text in python(files, "backend"):
        inside = path.removeprefix("backend/").removesuffix(".py")
        for item in imports(path, text):
            places = LIBRARY_PLACES.get(library(item.target))
            if places and not any(
                inside == place or (place[-1] == "/" and inside.startswith(place)) for place in places
            ):
                problems.append(f"{path}:{item.line} imports {item.target}; it belongs into {', '.join(places)}")
            elif library(item.target) in NEVER_AT_IMPORT and item.when == "import":
                problems.append(f"{path}:{item.line} imports {item.target} at its top; import it where it is used")
    return problems


def light_at_start(files: Files) -> list[str]:
    """Importing addon never imports bpy, and `python -m backend` answers before it imports anything heavy."""
    problems = []
    for start, heavy in (("addon/__init__.py", STANDARD_BLENDER), ("backend/__main__.py", NEVER_AT_START)):
        waiting, seen = [start], set()
        while waiting:
            path = waiting.pop()
            if path in seen or path not in files:
                continue
            seen.add(path)
            for item in imports(path, files[path]):
                if item.when == "import" and library(item.target) in heavy:
                    problems.append(f"{path}:{item.line} imports {item.target} as soon as {start} is imported")
                elif item.when == "import" and (file := module_file(item.target, files)):
                    folders = file.split("/")[:-1]
                    waiting += [file, *("/".join([*folders[:n], "__init__.py"]) for n in range(1, len(folders) + 1))]
    return problems


def product_reaches_no_judge(files: Files) -> list[str]:
    """What ships never comes, by any chain of imports, to the judges or to the generator of objects.

    Only the trainers in backend/embedded/, benchmarks/ and tests/ import these.
    """
    problems, found = [], {path: imports(path, text) for path, text in python(files, "addon", "backend")}
    for start in (path for path in found if not path.startswith("backend/embedded/")):
        waiting, seen = [start], set()
        while waiting:
            if (path := waiting.pop()) in seen:
                continue
            seen.add(path)
            for item in found[path]:
                file = module_file(item.target, files)
                if library(item.target) == "benchmarks" or file in GENERATOR:
                    problems.append(f"{start} comes to {item.target} through {path}:{item.line}")
                elif file in found:
                    waiting.append(file)
    return problems


# Safety and style


def no_pickle(files: Files) -> list[str]:
    """Nothing that could run foreign code is read: no pickle, no torch.load, no trust_remote_code."""
    problems = []
    for path, text in python(files, "addon", "backend", "benchmarks"):
        found = [(i.line, f"imports {i.target}") for i in imports(path, text) if library(i.target) in PICKLES]
        for node in ast.walk(ast.parse(text, path)):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                found += [(node.lineno, f"calls {name}")] if name in ("torch.load", "torch.save") else []
                unsafe = ("trust_remote_code", "allow_pickle")
                found += [
                    (node.lineno, f"passes {k.arg}")
                    for k in node.keywords
                    if k.arg in unsafe and ast.unparse(k.value) != "False"
                ]
        problems += [f"{path}:{line} {what}; use safetensors and JSON" for line, what in found]
    return problems


def no_silent_except(files: Files) -> list[str]:
    """Every exception handler names what it catches and does something about it."""
    problems = []
    for path, text in python(files):
        for node in ast.walk(ast.parse(text, path)):
            if isinstance(node, ast.ExceptHandler):
                if node.type is None:
                    problems.append(f"{path}:{node.lineno} catches everything; name the exception")
                elif all(
                    isinstance(n, ast.Pass) or (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
                    for n in node.body
                ):
                    problems.append(f"{path}:{node.lineno} swallows {ast.unparse(node.type)}; say or do something")
    return problems


def only_command_lines_print(files: Files) -> list[str]:
    """print is called only in build.py, in __main__ and in files that are command lines themselves."""
    return [
        f"{path}:{node.lineno} prints; raise, return or send an event"
        for path, text in python(files, "addon", "backend", "build.py")
        if not path.startswith(PRINTERS) and not re.search(r'^if __name__ == "__main__":', text, re.MULTILINE)
        for node in ast.walk(ast.parse(text, path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "pprint")
    ]


def short_files_with_telling_names(files: Files) -> list[str]:
    """A Python file has at most 400 lines, a name that says what it is about, and postponed annotations."""
    problems = []
    for path, text in python(files):
        lines = len(text.splitlines())
        if lines > LONGEST_FILE:
            problems.append(f"{path} has {lines} lines; split it so that no file has more than {LONGEST_FILE}")
        for part in path.removesuffix(".py").split("/"):
            if part in VAGUE_NAMES:
                problems.append(f"{path}: {part} says nothing about what is inside")
        code = [node for node in ast.parse(text, path).body if not isinstance(node, ast.Expr)]
        if code and path != "build.py" and "from __future__ import annotations" not in text:
            problems.append(f"{path} lacks: from __future__ import annotations")
    return problems


def nothing_foreign_in_the_text(files: Files) -> list[str]:
    """No file names a registry's host or a path of the author's machine, and no code is left unfinished."""
    problems = []
    for path, text in files.items():
        for pattern, what in FORBIDDEN_TEXT.items() | (FORBIDDEN_CODE.items() if path.endswith(".py") else set()):
            for match in re.finditer(pattern, text):
                problems.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1} {what}: {match[0]}")
    return problems
