"""What the rules of the source tree read it with: its files, and what each of them imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

Files = dict[str, str]  # path relative to the repository's root, with forward slashes -> text


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
