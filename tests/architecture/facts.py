"""Facts written once, or tested: each rule is a function from the files to the sentences that say who breaks it.

`test_facts.py` applies them to this repository, and to made-up offenders to show that they can fail.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator

from tests.architecture.layers import TOUCHES_BLENDER, room_of, system_of
from tests.architecture.source import Files, imports, module_file, python

Constant = tuple[str, int, str, object]  # path, line, name without underscores in front, value

# Constants that have the same name and value by chance: to change one is not to change the other.
COINCIDENCES = {
    "BAR",  # the width of a bar of progress, in Blender's terminal and in the backend's
    "PEAK_RATE",  # the learning rates of two networks of the bundled model
}

FOLDING = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Pow: operator.pow, ast.LShift: operator.lshift, ast.BitOr: operator.or_,
}  # fmt: skip

MATHS_IS_TESTED = (
    "backend/losses.py",
    "backend/regularisers.py",
    "backend/schedules.py",
    "backend/diffusion/scores.py",
)

TABLES = "addon/protocol/systems/"
# Stages whose names are words for other things too; they count only where they stand for a stage.
WORDS_OF_OTHERS = {"mesh", "gaussians", "points", "export"}

# Modules without a `test_<module>*.py` in the folder of tests/ that mirrors theirs. It only ever gets shorter.
UNMIRRORED = {
    # run as programs by the tests of what they start
    "addon/__main__.py",
    "backend/__main__.py",
    # tables of words, all of them read by tests/blender/language/test_words.py
    "addon/language/course.py",
    "addon/language/cut_out.py",
    "addon/language/installation.py",
    "addon/language/pictures.py",
    "addon/language/refusals.py",
    "addon/language/settings.py",
    "addon/language/setup.py",
    "addon/language/systems.py",
    "addon/language/tab.py",
    "addon/language/told.py",
    "addon/language/scene_tooltips.py",
    "addon/language/setup_tooltips.py",
    # in Blender, all releases of it: tests/blender/test_scene.py, tests/blender/test_panel_cost.py
    "benchmarks/commands/panel.py",
    "benchmarks/commands/scene.py",
    # the trainer's command line, and what tests/backend/embedded/test_train_companions.py exports and reads back
    "backend/embedded/train.py",
    "backend/embedded/training/image_prompt.py",
    # tables of objects, all of them built by tests/backend/embedded/objects/test_world.py
    "backend/embedded/objects/recipes/buildings.py",
    "backend/embedded/objects/recipes/characters.py",
    "backend/embedded/objects/recipes/creatures.py",
    "backend/embedded/objects/recipes/devices.py",
    "backend/embedded/objects/recipes/free.py",
    "backend/embedded/objects/recipes/household.py",
    "backend/embedded/objects/recipes/nature.py",
    "backend/embedded/objects/recipes/props.py",
    "backend/embedded/objects/recipes/sheet.py",
    "backend/embedded/objects/recipes/vehicles.py",
    # minutes or hours of measuring; their tables are tested
    "benchmarks/commands/companions.py",
    "benchmarks/commands/field.py",
    "benchmarks/commands/prior.py",
    "benchmarks/commands/rasteriser.py",
    "benchmarks/report/styles.py",
    "benchmarks/training/autoencoders.py",
    "benchmarks/training/denoisers.py",
    "benchmarks/training/sides.py",
    # renders in a whole Blender what lies beside it
    "benchmarks/outside/make.py",
}


def one_home_for_a_constant(files: Files) -> list[str]:
    """No module-level constant of the product has the same name and value in two modules."""
    homes: dict[str, list[Constant]] = {}
    for constant in constants(files):
        homes.setdefault(constant[2], []).append(constant)
    problems, needless = [], set(COINCIDENCES)
    for name, found in sorted(homes.items()):
        for index, (path, line, _, value) in enumerate(found):
            first = next(
                (o for o in found[:index] if o[0] != path and (type(o[3]), o[3]) == (type(value), value)), None
            )
            if first and name in COINCIDENCES:
                needless.discard(name)
            elif first:
                problems.append(f"{path}:{line} says again what {first[0]}:{first[1]} says: {name} = {value!r}")
    return problems + [
        f"tests/architecture/facts.py: {name} needs no place in COINCIDENCES" for name in sorted(needless)
    ]


def constants(files: Files) -> Iterator[Constant]:
    """Yield the product's UPPERCASE module-level constants whose values can be read; empty ones say nothing."""
    for path, text in python(files, "addon", "backend"):
        for node in ast.parse(text, path).body:
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                try:
                    value = ast.literal_eval(Folded().visit(node.value))
                except (ValueError, TypeError):
                    continue  # computed from something else
                for target in targets:
                    if isinstance(target, ast.Name) and target.id.isupper() and value not in (None, "", (), [], {}):
                        yield path, node.lineno, target.id.lstrip("_"), value


class Folded(ast.NodeTransformer):
    """Put numbers in the place of arithmetic with numbers: `256 << 20` becomes `268435456`."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Fold one operation, its operands first."""
        left, right = self.visit(node.left), self.visit(node.right)
        fold = FOLDING.get(type(node.op))
        numbers = [side.value for side in (left, right) if isinstance(side, ast.Constant)]
        if fold is None or len(numbers) < 2 or not all(type(number) in (int, float) for number in numbers):
            return node
        return ast.copy_location(ast.Constant(fold(*numbers)), node)


def mirrored_by_tests(files: Files) -> list[str]:
    """Each module has a `test_<module>*.py` in the folder of tests/ that mirrors its own, or stands in UNMIRRORED."""
    problems, needless = [], set(UNMIRRORED)
    for path, text in python(files, "addon", "backend", "benchmarks"):
        name = subject(path, text)
        if name is None or has_test(name, mirror(path), files):
            continue
        if path in UNMIRRORED:
            needless.discard(path)
        else:
            problems.append(f"{path} has no {mirror(path)}/test_{name}.py")
    return problems + [f"tests/architecture/facts.py: {path} needs no place in UNMIRRORED" for path in sorted(needless)]


def subject(path: str, text: str) -> str | None:
    """Return what the tests of a module are called after; None for a package's file that holds no code of its own."""
    name = path.removesuffix(".py").rpartition("/")[2]
    if name != "__init__":
        return name.strip("_")
    is_code = any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(text, path).body)
    return path.split("/")[-2] if is_code else None


def mirror(path: str) -> str:
    """Return the folder of a module's tests: the same below tests/, but in tests/blender/ for what uses bpy."""
    folders = path.split("/")[:-1]
    if folders[0] == "addon" and room_of(path) in TOUCHES_BLENDER | {"addon"}:
        folders[0] = "blender"
    return "/".join(["tests", *folders])


def has_test(name: str, folder: str, files: Files) -> bool:
    """Say whether a folder has tests of a module; `test_queue_files.py` are those of queue_files, not of queue."""
    names = {path.rpartition("/")[2].removesuffix(".py") for path in files if path.rpartition("/")[0] == folder}
    source = folder.replace("tests/blender", "addon", 1) if folder.startswith("tests/blender") else folder[6:]
    others = {p.rpartition("/")[2].removesuffix(".py") for p in files if p.rpartition("/")[0] == source} - {name}
    longer = {other for other in others if other.startswith(f"{name}_")}
    return any(
        test == f"test_{name}"
        or (test.startswith(f"test_{name}_") and not any(f"{test}_".startswith(f"test_{other}_") for other in longer))
        for test in names
    )


def maths_is_imported_by_tests(files: Files) -> list[str]:
    """Each public function of losses, schedules and scores is imported by a test, or called on its imported module."""
    used = set()
    for path, text in python(files, "tests"):
        if path.rpartition("/")[2].startswith("test_"):
            for item in imports(path, text):
                used.add(item.target)
                file = module_file(item.target, files)
                if file in MATHS_IS_TESTED and item.target == module_of(file):
                    name = item.target.rpartition(".")[2]
                    used |= {f"{item.target}.{found}" for found in re.findall(rf"\b{name}\.(\w+)", text)}
    return [
        f"{path}:{node.lineno} {node.name} is imported by no test"
        for path in MATHS_IS_TESTED
        for node in ast.parse(files.get(path, ""), path).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if f"{module_of(path)}.{node.name}" not in used
    ]


def module_of(path: str) -> str:
    """Return the name that a file is imported by."""
    return path.removesuffix(".py").replace("/", ".")


def stages_are_named_once(files: Files) -> list[str]:
    """The name of a stage stands in the table of its system, in that system's own folder and in what systems share."""
    problems, names = [], stages(files)
    known = set().union(*names.values())
    for path, text in python(files, "addon", "backend"):
        if path.startswith(TABLES) or re.fullmatch(r"backend/systems/\w+\.py", path):
            continue
        own = names.get(system_of(path) or "", set())
        tree = ast.parse(text, path)
        meant = {id(node) for node in stage_words(tree)}
        problems += [
            f"{path}:{node.lineno} names the stage {node.value!r}; ask the table of its system"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known - own
            if node.value not in WORDS_OF_OTHERS or id(node) in meant
        ]
    return problems


def stages(files: Files) -> dict[str, set[str]]:
    """Return the names of each system's stages, as its table has them: `Stage("perceive", ...)`."""
    found: dict[str, set[str]] = {}
    for path, text in python(files, "addon"):
        if path.startswith(TABLES):
            calls = [node for node in ast.walk(ast.parse(text, path)) if isinstance(node, ast.Call)]
            words = [
                word.value
                for call in calls
                if ast.unparse(call.func).rpartition(".")[2] == "Stage"
                for word in [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
                if isinstance(word, ast.Constant) and isinstance(word.value, str)
            ]
            if words:
                found[path.removesuffix(".py").rpartition("/")[2]] = set(words)
    return found


def stage_words(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what stands where only a stage can: in `stage(...)`, beside a `stage` in a comparison, as `stop_after=`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and re.search(r"\b_?(?:stage|Stage)$", ast.unparse(node.func)):
            yield from node.args[:1]
        if isinstance(node, ast.Compare) and any(
            re.search(r"\b(?:stage|stage\.name|stop_after)$", ast.unparse(side))
            for side in (node.left, *node.comparators)
        ):
            yield from (inner for side in (node.left, *node.comparators) for inner in ast.walk(side))
        if isinstance(node, ast.keyword) and node.arg in ("stage", "stop_after"):
            yield node.value
