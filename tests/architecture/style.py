"""How the source tree is written: each rule is a function from the files to the sentences that say who breaks it.

`test_style.py` applies them to this repository, and to made-up offenders to show that they can fail.
"""

from __future__ import annotations

import ast
import re

from tests.architecture.source import Files, imports, library, python

PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
# Command lines; the trainer's is spread over several files.
PRINTERS = (
    "build.py",
    "backend/__main__.py",
    "backend/cli/",
    "addon/cli/commands.py",
    "backend/embedded/train",
)
MAX_LINES = 400  # of a file
MAX_MODULES = 16  # of a folder

# Written so that this file does not match itself.
FORBIDDEN_TEXT = {
    r"\bpypi[.]org|pythonhosted[.]org|deb[.]debian[.]org|registry[.]npmjs": "names a package registry's host",
    r"(?<![\w.])/(?:wor[k]|roo[t]|tmp/[w])/": "names a path of the machine that it was written on",
}
FORBIDDEN_CODE = {r"\b(?:TOD[O]|FIXM[E]|XX[X]|NotImplementedErro[r])\b": "leaves something unfinished"}


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
        if lines > MAX_LINES:
            problems.append(f"{path} has {lines} lines; split it so that no file has more than {MAX_LINES}")
        for part in path.removesuffix(".py").split("/"):
            if part in VAGUE_NAMES:
                problems.append(f"{path}: {part} says nothing about what is inside")
        code = [node for node in ast.parse(text, path).body if not isinstance(node, ast.Expr)]
        if code and path != "build.py" and "from __future__ import annotations" not in text:
            problems.append(f"{path} lacks: from __future__ import annotations")
    return problems


def rooms_with_few_doors(files: Files) -> list[str]:
    """A folder holds at most 16 modules: more are a corridor without signs."""
    folders: dict[str, list[str]] = {}
    for path, _ in python(files):
        if not path.endswith("__init__.py"):
            folders.setdefault(path.rpartition("/")[0], []).append(path)
    return [
        f"{max(paths)} is one of {len(paths)} modules in {folder}; make rooms of at most {MAX_MODULES}"
        for folder, paths in sorted(folders.items())
        if len(paths) > MAX_MODULES
    ]


def nothing_foreign_in_the_text(files: Files) -> list[str]:
    """No file names a registry's host or a path of the author's machine, and no code is left unfinished."""
    problems = []
    for path, text in files.items():
        for pattern, what in FORBIDDEN_TEXT.items() | (FORBIDDEN_CODE.items() if path.endswith(".py") else set()):
            for match in re.finditer(pattern, text):
                problems.append(f"{path}:{text.count(chr(10), 0, match.start()) + 1} {what}: {match[0]}")
    return problems
