"""A stand-in for Blender's layout: it draws nothing, notes everything, and refuses what the real one would."""

from __future__ import annotations

import importlib
from typing import Any

bpy: Any = importlib.import_module("bpy")

CONTAINERS = ("row", "column", "box", "split", "column_flow", "grid_flow")
FUNCTIONS = bpy.types.UILayout.bl_rna.functions
ICONS = {item.identifier for item in FUNCTIONS["label"].parameters["icon"].enum_items}


class Button:
    """The properties of a drawn operator; setting one that the operator lacks fails as in Blender."""

    idname: str
    label: str
    known: set[str]
    given: dict[str, Any]

    def __init__(self, idname: str) -> None:
        namespace, _, name = idname.partition(".")
        kind = getattr(getattr(bpy.ops, namespace), name).get_rna_type()
        self.__dict__.update(idname=idname, label=kind.name, known=set(kind.properties.keys()), given={})

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.known:
            raise AttributeError(f"{self.idname} has no {name}")
        self.given[name] = value


class Layout:
    """Notes what is drawn in `drawn`, as tuples of kind and text; `buttons` by idname; `texts` of labels."""

    def __init__(self, root: Layout | None = None) -> None:
        self.__dict__["root"] = root or self
        self.__dict__["drawn"] = self.root.drawn if root else []
        self.__dict__["buttons"] = self.root.buttons if root else {}

    @property
    def texts(self) -> list[str]:
        """Return all that can be read."""
        return [text for _, text in self.drawn if text]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in bpy.types.UILayout.bl_rna.properties:
            raise AttributeError(f"a layout has no {name}")

    def __getattr__(self, name: str) -> Any:
        if name not in FUNCTIONS:
            raise AttributeError(f"a layout cannot {name}")
        return lambda *arguments, **options: self._note(name, arguments, options)

    def _note(self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        parameters = FUNCTIONS[kind].parameters
        names = [name for name in parameters.keys() if not parameters[name].is_output]
        known = dict(zip(names, arguments, strict=False)) | options
        if unknown := options.keys() - set(names):
            raise TypeError(f"{kind} takes no {', '.join(unknown)}")
        if known.get("icon", "NONE") not in ICONS:
            raise ValueError(f"there is no icon {known['icon']}")
        text = known.get("text", "")
        if kind == "prop":
            item = known["data"].bl_rna.properties[known["property"]]
            assert item.name and item.description and not item.description.endswith("."), f"{item} has no tooltip"
            text = text or item.name
        if kind == "operator":
            button = self.buttons.setdefault(known["operator"], Button(known["operator"]))
            self.drawn.append((kind, known.get("text", button.label)))
            return button
        self.drawn.append((kind, text))
        if kind == "icon":
            return 1
        return Layout(self.root) if kind in CONTAINERS else None
