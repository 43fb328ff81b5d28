"""What the artist asks for: properties of the scene, saved in the .blend, and the request that they make together.

The state of jobs is not here; it lives in the job folders.
"""

# Blender makes its module at run time, and reads properties from annotations that are calls.
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportInvalidTypeForm=false

from __future__ import annotations

import functools
import json
import math
import secrets
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import bpy

from . import protocol
from .settings import PRESETS, ROLES, SYSTEMS, Setting, System

MOST_SEED = 2**31 - 1  # Blender's whole numbers have 32 bits
DIGITS = 7  # that a number of 32 bits keeps

OUTPUTS = [
    ("mesh", "Mesh", "A textured mesh with a Principled material", "MESH_DATA", 1),
    ("points", "Points", "A coloured point cloud with all that Gaussian splats need", "POINTCLOUD_DATA", 2),
]
PRIORS = [
    (
        "embedded",
        "Embedded",
        "The small prior that comes with Maquette: works offline, knows few kinds of objects",
    ),
    ("folder", "Folder", "A Stable Diffusion model on this computer, in diffusers' format"),
]
SAVED_PRESETS = ("draft", "standard", "paper", "bench")  # a .blend keeps the place in here
PRESET_ITEMS = [(name, *words, "NONE", SAVED_PRESETS.index(name)) for name, words in PRESETS.items()]
STOPS = {name: label for system in SYSTEMS.values() for name, label in system.stops.items()}
assert tuple(item[0] for item in OUTPUTS) == protocol.OUTPUTS


# ---- settings behind the preset --------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _parsed(overrides: str) -> dict[str, protocol.Setting]:
    return json.loads(overrides) if overrides else {}


def _preset_value(group: Any, setting: Setting) -> protocol.Setting:
    return setting.preset(group.id_data.maquette.preset)


def _getter(setting: Setting) -> Callable[[Any], protocol.Setting]:
    """Return what Blender calls to show a setting: the artist's value, else the preset's."""
    return lambda group: _parsed(group.overrides).get(setting.name, _preset_value(group, setting))


def _setter(setting: Setting) -> Callable[[Any, protocol.Setting], None]:
    """Return what Blender calls when a setting is changed: only what differs from the preset is kept."""

    def keep(group: Any, value: protocol.Setting) -> None:
        if not isinstance(value, bool | str):  # Blender does not hold a setter to the bounds
            value = max(value, type(value)(setting.least))
        if isinstance(value, float):
            value = float(f"{value:.{DIGITS}g}")  # 0.1, not 0.10000000149
        others = {key: other for key, other in _parsed(group.overrides).items() if key != setting.name}
        preset = _preset_value(group, setting)
        same = (
            math.isclose(value, preset, rel_tol=1e-6)
            if isinstance(preset, float) and isinstance(value, float)
            else value == preset
        )
        group.overrides = json.dumps(others if same else {**others, setting.name: value})

    return keep


def _property(setting: Setting) -> Any:
    """Return the Blender property of a setting."""
    options = {
        "name": setting.label,
        "description": setting.description,
        "get": _getter(setting),
        "set": _setter(setting),
        "options": set(),
    }
    if isinstance(setting.value, bool):
        return bpy.props.BoolProperty(default=setting.value, **options)
    if isinstance(setting.value, str):
        return _choice(setting, options) if setting.choices else bpy.props.StringProperty(**options)
    if isinstance(setting.value, int):
        most = {"soft_max": int(setting.most)} if setting.most is not None else {}
        return bpy.props.IntProperty(default=setting.value, min=int(setting.least), **most, **options)
    precision = 4 if (setting.most or 1.0) < 0.5 else 2
    most = {"soft_max": setting.most} if setting.most is not None else {}
    return bpy.props.FloatProperty(
        default=float(setting.value), min=setting.least, precision=precision, step=10, **most, **options
    )


def _choice(setting: Setting, options: dict[str, Any]) -> Any:
    """Return the Blender property of a setting with choices, which Blender numbers."""
    values = [value for value, *_ in setting.choices]
    get, keep = options["get"], options["set"]
    numbered = {"get": lambda group: values.index(get(group)), "set": lambda group, i: keep(group, values[i])}
    items = [(*choice, i) for i, choice in enumerate(setting.choices)]
    return bpy.props.EnumProperty(items=items, **options | numbered)


def _settings_class(system: System) -> type:
    """Make the property group of a system's settings. `overrides` is a JSON object: what differs from the preset."""
    annotations = {setting.name: _property(setting) for setting in system.settings.values()}
    annotations["overrides"] = bpy.props.StringProperty(name="Overrides", options={"HIDDEN"})
    return type(
        f"MAQUETTE_PG_{system.name}",
        (bpy.types.PropertyGroup,),
        {"__annotations__": annotations, "__module__": __name__, "__doc__": f"Settings of {system.label}."},
    )


SETTINGS_CLASSES = {name: _settings_class(system) for name, system in SYSTEMS.items()}


# ---- the scene's properties ------------------------------------------------------------------------------------------


def _list_roles(reference: Any, context: bpy.types.Context | None) -> list[tuple[str, str, str, int]]:
    """Return what an image can be to the chosen system."""
    return _ROLE_ITEMS[str(reference.id_data.maquette.system)]


# Blender does not keep the strings of a list that is made anew.
_ROLE_ITEMS = {
    name: [(role, *ROLES[role], protocol.ROLES.index(role)) for role in system.roles]
    for name, system in SYSTEMS.items()
}


class MAQUETTE_PG_reference(bpy.types.PropertyGroup):
    """One reference image, what it is to the system and where it was seen from."""

    image: bpy.props.PointerProperty(
        type=bpy.types.Image, name="Image", description="Picture of the object, best before a plain background"
    )
    role: bpy.props.EnumProperty(
        name="Shows", description="What the picture is to the object that is made", items=_list_roles, options=set()
    )
    elevation: bpy.props.FloatProperty(
        name="Elevation",
        description="How high the camera stands above the object; 0 looks at it from the side",
        subtype="ANGLE",
        min=-math.pi / 2,
        max=math.pi / 2,
        step=500,
        options=set(),
    )
    azimuth: bpy.props.FloatProperty(
        name="Azimuth",
        description="Which side the camera sees: 0 is the front, 90 the right view (at your right), 180 the back",
        subtype="ANGLE",
        min=-2 * math.pi,
        max=2 * math.pi,
        step=500,
        options=set(),
    )
    field_of_view: bpy.props.FloatProperty(
        name="Field of View",
        description="Opening angle of the camera along the longer side of the image",
        subtype="ANGLE",
        min=math.radians(1),
        max=math.radians(120),
        default=math.radians(40),
        step=500,
        options=set(),
    )


class MAQUETTE_PG_scene(bpy.types.PropertyGroup):
    """What the artist asks for in one scene."""

    system: bpy.props.EnumProperty(
        name="System",
        description="How the object is made",
        items=[(system.name, system.label, system.description) for system in SYSTEMS.values()],
        options=set(),
    )
    prompt: bpy.props.StringProperty(
        name="Prompt",
        description="The object in a few words, for example: a red mug with white dots",
        maxlen=protocol.PROMPT_CHARACTERS,
        options=set(),
    )
    negative_prompt: bpy.props.StringProperty(
        name="Negative Prompt",
        description="What the object must not look like",
        maxlen=protocol.PROMPT_CHARACTERS,
        options=set(),
    )
    references: bpy.props.CollectionProperty(
        type=MAQUETTE_PG_reference, name="Reference Images", description="Pictures of what the object looks like"
    )
    active_reference: bpy.props.IntProperty(name="Reference Image", description="The selected picture", options=set())
    seed: bpy.props.IntProperty(
        name="Seed",
        description="Start of all randomness: the same seed and settings give the same object",
        min=0,
        max=MOST_SEED,
        options=set(),
    )
    new_seed: bpy.props.BoolProperty(
        name="New Seed Each Time",
        description="Draw another seed whenever a job is started",
        default=True,
        options=set(),
    )
    preset: bpy.props.EnumProperty(
        name="Preset",
        description="How much time to spend",
        items=PRESET_ITEMS,
        default="draft",
        options=set(),
    )
    prior: bpy.props.EnumProperty(
        name="Prior", description="The model that knows what things look like", items=PRIORS, options=set()
    )
    prior_folder: bpy.props.StringProperty(
        name="Model Folder",
        description="Folder that holds a model_index.json and the model's parts",
        subtype="DIR_PATH",
        options={"PATH_SUPPORTS_BLEND_RELATIVE"},
    )
    outputs: bpy.props.EnumProperty(
        name="Output",
        description="What to make; hold Shift to choose both",
        items=OUTPUTS,
        default=set(protocol.OUTPUTS),
        options={"ENUM_FLAG"},
    )
    stop_after: bpy.props.EnumProperty(
        name="Stop After",
        description="Look at what a stage has made, or replace it, before the long part begins",
        items=[
            ("NOTHING", "Nothing", "Run to the end"),
            *((name, label, f"Stop when the {label.lower()} is made") for name, label in STOPS.items()),
        ],
        options=set(),
    )
    import_when_done: bpy.props.BoolProperty(
        name="Import When Done",
        description="Put the result at the 3D cursor as soon as it is there, if this file is still open",
        default=True,
        options=set(),
    )
    mark_asset: bpy.props.BoolProperty(
        name="Mark as Asset",
        description="Show what is imported in the Asset Browser, with the job's picture",
        options=set(),
    )
    asset_tags: bpy.props.StringProperty(
        name="Tags", description="Words to find the asset by, separated by commas", options=set()
    )
    threads: bpy.props.IntProperty(
        name="Processor Cores",
        description="Cores that the backend may use; 0 means all, which can make Blender slow meanwhile",
        min=0,
        max=1024,
        soft_max=64,
        options=set(),
    )
    tv3dg: bpy.props.PointerProperty(type=SETTINGS_CLASSES["tv3dg"])


CLASSES = (*SETTINGS_CLASSES.values(), MAQUETTE_PG_reference, MAQUETTE_PG_scene)


def register_extra() -> None:
    """Give every scene its properties."""
    bpy.types.Scene.maquette = bpy.props.PointerProperty(type=MAQUETTE_PG_scene, name="Maquette")


def unregister_extra() -> None:
    """Take the properties away from the scenes; what is saved in a .blend comes back with the add-on."""
    del bpy.types.Scene.maquette


# ---- the request -----------------------------------------------------------------------------------------------------


def roles_of(wish: MAQUETTE_PG_scene) -> tuple[str, ...]:
    """Return what an image can be to the chosen system."""
    return SYSTEMS[str(wish.system)].roles


def chosen_images(wish: MAQUETTE_PG_scene, role: str = "") -> list[MAQUETTE_PG_reference]:
    """Return the reference images that name a picture, all or those of a role."""
    return [each for each in wish.references if each.image is not None and role in ("", _role_of(each, wish))]


def roles_chosen(wish: MAQUETTE_PG_scene) -> set[str]:
    """Return what the reference images that name a picture are."""
    return {_role_of(each, wish) for each in chosen_images(wish)}


def _role_of(reference: MAQUETTE_PG_reference, wish: MAQUETTE_PG_scene) -> str:
    """Return what an image is; of one that was something that the chosen system does not take, what that takes."""
    return str(reference.role) if reference.role in roles_of(wish) else roles_of(wish)[0]


def input_path(number: int, source: Path) -> str:
    """Return where a job folder has the copy of an image."""
    return f"{protocol.INPUT_FOLDER}/{number:02}{source.suffix.lower()}"


def seen_from(reference: MAQUETTE_PG_reference, wish: MAQUETTE_PG_scene) -> dict[str, Any]:
    """Return what a request says of one reference image, but for its path; only what it shows has a place."""
    role = _role_of(reference, wish)
    names = {"elevation": "elevation", "azimuth": "azimuth", "fov": "field_of_view"} if role == "reconstruct" else {}
    angles = {f"{key}_degrees": round(math.degrees(getattr(reference, name)), 4) for key, name in names.items()}
    return {"role": role, **angles}


def request_of(
    wish: MAQUETTE_PG_scene, images: tuple[protocol.InputImage, ...] | None = None, **changes: Any
) -> protocol.Request:
    """Return the request that a scene's properties make, with some fields changed.

    Without `images`, those of the scene are taken for PNG files. Raises ProtocolError with the sentence that the artist
    reads, also as the reason why Generate is greyed out.
    """
    if images is None:
        chosen = [(f"{protocol.INPUT_FOLDER}/{n:02}.png", each) for n, each in enumerate(chosen_images(wish))]
        images = tuple(protocol.InputImage(path=path, **seen_from(each, wish)) for path, each in chosen)
    fields = {
        "system": wish.system,
        "prompt": wish.prompt.strip(),
        "negative_prompt": wish.negative_prompt.strip(),
        "images": images,
        "seed": wish.seed,
        "preset": wish.preset,
        "prior": wish.prior if wish.prior != "folder" else bpy.path.abspath(wish.prior_folder),
        "outputs": tuple(output for output in protocol.OUTPUTS if output in wish.outputs),
        "stop_after": wish.stop_after if can_stop(wish, {image.role for image in images}) else "",
        "threads": wish.threads,
        "settings": dict(changed_settings(wish)),
    }
    return protocol.Request(**fields | changes)


def can_stop(wish: MAQUETTE_PG_scene, roles: Collection[str]) -> bool:
    """Say whether the stage to stop after will have something to look at, where images have these roles."""
    leaves = {
        "perceive": "reconstruct" in roles,
        "imagine": "visual_prompt" in roles,
        "sides": getattr(settings_of(wish), "start", "") == "sides",
    }
    return leaves.get(wish.stop_after, False)


def settings_of(wish: MAQUETTE_PG_scene) -> Any:
    """Return the settings of the chosen system."""
    return getattr(wish, wish.system)


def changed_settings(wish: MAQUETTE_PG_scene) -> dict[str, protocol.Setting]:
    """Return the settings that differ from the preset."""
    return _parsed(settings_of(wish).overrides)


def reset_settings(wish: MAQUETTE_PG_scene, name: str = "") -> None:
    """Give one setting, or all, the preset's value."""
    kept = {key: value for key, value in changed_settings(wish).items() if name and key != name}
    settings_of(wish).overrides = json.dumps(kept) if kept else ""


def new_seed() -> int:
    """Draw a seed."""
    return secrets.randbelow(MOST_SEED)
