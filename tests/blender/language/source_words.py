"""Reads the add-on's source for what it shows: words, and templates of sentences; and for what nobody can translate."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ADDON = Path(__file__).resolve().parents[3] / "addon"
BACKEND = ADDON.parent / "backend"
TABLES = ADDON / "language"
# Functions whose first argument is shown, and calls whose words of these names are.
SAYING = {"say", "say_report", "Phrase"}
SHOWN_WORDS = {"text", "title", "confirm_text", "heading", "placeholder"}
JOINING = {"Phrase": 0, "joined": 1}  # of the backend: function -> the place of its template
SHOWN_LAST = {"poll_message_set": 0, "report": 1}  # method -> the place of what it shows
Constants = dict[str, set[str]]  # name -> what it may be
SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")
LETTERS = re.compile(r"[^\W\d_]")


def backend_phrases() -> set[str]:
    """Return the templates of the sentences that the backend says of a job, and that whoever shows them translates."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sorted(BACKEND.rglob("*.py"))]
    common: Constants = {}
    for tree in trees:
        for name, texts in constants_of(tree, only_capitals=True).items():
            common.setdefault(name, set()).update(texts)
    return set().union(*(phrases(tree, common) for tree in trees))


def phrases(tree: ast.Module, common: Constants | None = None) -> set[str]:
    """Return the templates of a file's phrases, and of what it joins them with."""
    constants = (common or {}) | constants_of(tree)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in JOINING:
            place = JOINING[ast.unparse(node.func).rpartition(".")[2]]
            found |= _texts(node.args[place], constants) if len(node.args) > place else set()
    return {text for text in found if has_words(text)}


def sources(*places: str) -> Iterator[tuple[Path, ast.Module]]:
    """Yield the files of the add-on, or of some of its places, but for the tables of words themselves."""
    for place in places or ("",):
        path = ADDON / place
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            if TABLES not in file.parents:
                yield file, ast.parse(file.read_text(encoding="utf-8"))


def shown(tree: ast.Module, common: Constants | None = None) -> set[str]:
    """Return the words and templates that a file shows, wherever they are written as they are.

    `common` are constants of other files, which may be named here.
    """
    constants = (common or {}) | constants_of(tree)
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments, keywords=keywords):
                words = {word.arg: word.value for word in keywords}
                if name in SAYING and arguments:
                    found |= _texts(arguments[0], constants)
                elif name in SHOWN_LAST and len(arguments) > SHOWN_LAST[name]:
                    found |= _texts(arguments[SHOWN_LAST[name]], constants)
                elif name.endswith("Property") and "HIDDEN" not in ast.unparse(words.get("options", node.func)):
                    found |= _texts(words["name"], constants) if "name" in words else set()
                    found |= _choices(words["items"]) if "items" in words else set()
                elif isinstance(node.func, ast.Attribute):  # of a layout or of the window manager
                    found = found.union(*(_texts(words[key], constants) for key in SHOWN_WORDS & words.keys()))
            case ast.Assign(targets=[ast.Name(id="bl_label")], value=value):
                found |= _texts(value, constants)
    return {text for text in found if has_words(text)}


def tooltips(tree: ast.Module) -> set[str]:
    """Return the tooltips of a file's operators, and of the properties and choices that are not hidden."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name), keywords=keywords) if name.endswith("Property"):
                words = {word.arg: word.value for word in keywords}
                if "HIDDEN" not in ast.unparse(words.get("options", node.func)):
                    found |= _texts(words["description"], {}) if "description" in words else set()
                    found |= _choices(words["items"], 2) if "items" in words else set()
            case ast.Assign(targets=[ast.Name(id="bl_description")], value=value):
                found |= _texts(value, {})
    return {text for text in found if has_words(text)}


def constants_of(tree: ast.Module, *, only_capitals: bool = False) -> Constants:
    """Return the texts that each name of a file may stand for."""
    found: Constants = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for name, value in (pair for target in node.targets for pair in _assigned(target, node.value)):
                if name.isupper() or not only_capitals:
                    found.setdefault(name, set()).update(_texts(value, {}))
    return found


def _choices(items: ast.expr, place: int = 1) -> set[str]:
    """Return the names of choices that are written as they are, the second of each tuple, or their tooltips."""
    tuples = [each for each in getattr(items, "elts", ()) if isinstance(each, ast.Tuple) and len(each.elts) > place]
    return set().union(*(_texts(each.elts[place], {}) for each in tuples))


def has_words(text: str) -> bool:
    """Say whether there is something to translate in a template: letters outside of its braces."""
    return bool(LETTERS.search(re.sub(r"\{[^{}]*\}", "", text)))


def _assigned(target: ast.expr, value: ast.expr) -> list[tuple[str, ast.expr]]:
    """Return name and value of an assignment, of several names at once each."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return [pair for one in zip(target.elts, value.elts, strict=False) for pair in _assigned(*one)]
    return [(target.id, value)] if isinstance(target, ast.Name) else []


def _texts(node: ast.expr, constants: Constants) -> set[str]:
    """Return the texts that an expression can be: constants, choices between them, and names of constants."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=body, orelse=orelse):
            return _texts(body, constants) | _texts(orelse, constants)
        case ast.BoolOp(values=values):
            return set().union(*(_texts(value, constants) for value in values))
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return constants.get(name, set())
    return set()


def mixed(tree: ast.Module) -> list[tuple[int, str]]:
    """Return line and words of each f-string that reads like a sentence: nothing could translate it before filling.

    What is for a log, is a pattern, or is a tooltip, which is English still, is not looked at.
    """
    logs = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword)
        and node.arg == "description"
        or isinstance(node, ast.Assign)
        and "bl_description" in ast.unparse(node.targets[0])
        for inner in ast.walk(node)
    }
    logs |= {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("_log.", "re."))
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in logs:
            words = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            if SENTENCE.search(words):
                found.append((node.lineno, words))
    return found
