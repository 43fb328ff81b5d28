"""Double what a function returns, and run its tests: whoever notices no factor of two tests no scale.

    python -m tests.doubling REPORT MODULE TESTS [MODULE TESTS...]

For each public function of each module in turn; its tests are those of the file whose code names it. REPORT is a JSON
object: function -> what became of its tests (FAILED, PASSED, or NONE where there are none).
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

FAILED, PASSED, NONE = "failed", "passed", "none"
ENDS = {pytest.ExitCode.TESTS_FAILED: FAILED, pytest.ExitCode.OK: PASSED, pytest.ExitCode.NO_TESTS_COLLECTED: NONE}


def public_functions(module: ModuleType) -> list[str]:
    """Return the names of the functions that a module defines for others, in its order."""
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]


def twice(value: Any) -> Any:
    """Return a number or a tensor doubled; each of them in a list or a tuple."""
    return type(value)(map(twice, value)) if isinstance(value, list | tuple) else 2 * value


def names_in(code: CodeType) -> Iterator[str]:
    """Yield what a function's code and the functions inside it name."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from names_in(inner)


class Doubled:
    """A plugin that runs only the tests that name a function, and doubles it wherever it was imported by name."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.patch = pytest.MonkeyPatch()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests of the function."""
        name = self.function.__name__
        items[:] = [i for i in items if isinstance(i, pytest.Function) and name in names_in(i.function.__code__)]

    def pytest_collection_finish(self) -> None:
        """Double it, now that all who import it are there."""

        @functools.wraps(self.function)
        def doubled(*arguments: Any, **options: Any) -> Any:
            return twice(self.function(*arguments, **options))

        for module in list(sys.modules.values()):
            if vars(module).get(self.function.__name__) is self.function:
                self.patch.setattr(module, self.function.__name__, doubled)

    def pytest_unconfigure(self) -> None:
        """Let it be as it was."""
        self.patch.undo()


def run_tests(path: str, *plugins: object) -> str:
    """Run the tests of a file until one fails, and return FAILED, PASSED or NONE. Raises ValueError else."""
    code = pytest.main(["-q", "-x", "--tb=line", "-p", "no:cacheprovider", path], plugins=plugins)
    if code not in ENDS:
        raise ValueError(f"pytest ended with {code} on {path}")
    return ENDS[pytest.ExitCode(code)]


def main(report: str, pairs: list[str]) -> None:
    """Write what became of the tests of each function. Raises ValueError where they fail without any doubling."""
    found = {}
    for name, path in zip(pairs[::2], pairs[1::2], strict=True):
        if run_tests(path) != PASSED:
            raise ValueError(f"{path} fails by itself")
        module = importlib.import_module(name)
        for function in public_functions(module):
            found[function] = run_tests(path, Doubled(getattr(module, function)))
    Path(report).write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
