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

from .. import preferences, protocol
from ..jobs import subject_list
from ..protocol.systems import PRESETS, ROLES, Setting, System, built_systems
from .models import choice

MAX_SEED = 2**31 - 1  # Blender's whole numbers have 32 bits
ANGLES = ("elevation", "azimuth", "field_of_view")  # of SeenFrom
DIGITS = 7  # that a number of 32 bits keeps

OUTPUTS = [
    ("mesh", "Mesh", "A textured mesh with a Principled material", "MESH_DATA", 1),
    ("points", "Points", "A coloured point cloud with all that Gaussian splats need", "POINTCLOUD_DATA", 2),
]
SAVED_PRESETS = ("draft", "standard", "paper", "bench")  # a .blend keeps the place in here
PRESET_ITEMS = [(name, *words, "NONE", SAVED_PRESETS.index(name)) for name, words in PRESETS.items()]
SYSTEMS = built_systems()
STOPS = {name: label for system in SYSTEMS.values() for name, label in system.stops.items()}
assert tuple(item[0] for item in OUTPUTS) == protocol.OUTPUTS


# ---- settings behind the preset --------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=64)
def _parsed(system: str, overrides: str) -> dict[str, protocol.Setting]:
    return SYSTEMS[system].present(json.loads(overrides)) if overrides else {}


def _preset_value(group: Any, setting: Setting) -> protocol.Setting:
    return setting.preset(group.id_data.maquette.preset)


def _getter(system: str, setting: Setting) -> Callable[[Any], protocol.Setting]:
    """Return what Blender calls to show a setting: the artist's value, else the preset's."""
    return lambda group: _parsed(system, group.overrides).get(setting.name, _preset_value(group, setting))


def _setter(system: str, setting: Setting) -> Callable[[Any, protocol.Setting], None]:
    """Return what Blender calls when a setting is changed: only what differs from the preset is kept."""

    def keep(group: Any, value: protocol.Setting) -> None:
        if not isinstance(value, bool | str):  # Blender does not hold a setter to the bounds
            value = max(value, type(value)(setting.low))
        if isinstance(value, float):
            value = float(f"{value:.{DIGITS}g}")  # 0.1, not 0.10000000149
        others = {key: other for key, other in _parsed(system, group.overrides).items() if key != setting.name}
        preset = _preset_value(group, setting)
        same = (
            math.isclose(value, preset, rel_tol=1e-6)
            if isinstance(preset, float) and isinstance(value, float)
            else value == preset
        )
        group.overrides = json.dumps(others if same else {**others, setting.name: value})

    return keep


def _property(system: str, setting: Setting) -> Any:
    """Return the Blender property of a setting."""
    options = {
        "name": setting.label,
        "description": setting.description,
        "get": _getter(system, setting),
        "set": _setter(system, setting),
        "options": set(),
    }
    if isinstance(setting.value, bool):
        return bpy.props.BoolProperty(default=setting.value, **options)
    if isinstance(setting.value, str):
        return _choice(setting, options) if setting.choices else bpy.props.StringProperty(**options)
    if isinstance(setting.value, int):
        most = {"soft_max": int(setting.high)} if setting.high is not None else {}
        return bpy.props.IntProperty(default=setting.value, min=int(setting.low), **most, **options)
    fine = any(round(float(value), 2) != value for value in (setting.value, *setting.presets.values()))
    precision = 4 if fine or (setting.high or 1.0) < 0.5 else 2  # 0.999 is not shown as 1
    most = {"soft_max": setting.high} if setting.high is not None else {}
    return bpy.props.FloatProperty(
        default=float(setting.value), min=setting.low, precision=precision, step=10, **most, **options
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
    annotations = {setting.name: _property(system.name, setting) for setting in system.settings.values()}
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
    name: [(role, *ROLES[role], list(ROLES).index(role)) for role in system.roles] for name, system in SYSTEMS.items()
}


class SeenFrom:
    """Where a picture was taken from, as its properties say it."""

    elevation: bpy.props.FloatProperty(
        name="Elevation", description="How high the camera stands above the object; 0 looks at it from the side",
        subtype="ANGLE", min=-math.pi / 2, max=math.pi / 2, step=500, options=set(),
    )  # fmt: skip
    azimuth: bpy.props.FloatProperty(
        name="Azimuth",
        description="Which side the camera sees: 0 is the front, 90 the right view (at your right), 180 the back",
        subtype="ANGLE", min=-2 * math.pi, max=2 * math.pi, step=500, options=set(),
    )  # fmt: skip
    field_of_view: bpy.props.FloatProperty(
        name="Field of View", description="Opening angle of the camera along the longer side of the image",
        subtype="ANGLE", min=math.radians(1), max=math.radians(120), default=math.radians(40), step=500, options=set(),
    )  # fmt: skip

    @property
    def degrees(self) -> tuple[float, ...]:
        """Return elevation, azimuth and field of view as a request says them."""
        return tuple(round(math.degrees(getattr(self, name)), 4) for name in ANGLES)


class MAQUETTE_PG_reference(SeenFrom, bpy.types.PropertyGroup):
    """One reference image, what it is to the system and where it was seen from."""

    image: bpy.props.PointerProperty(
        type=bpy.types.Image, name="Image", description="Picture of the object, best before a plain background"
    )
    role: bpy.props.EnumProperty(
        name="Shows", description="What the picture is to the object that is made", items=_list_roles, options=set()
    )


class MAQUETTE_PG_scene(bpy.types.PropertyGroup):
    """What the artist asks for in one scene."""

    system: bpy.props.EnumProperty(
        name="System",
        description="How the object is made",
        items=[(system.name, system.label, system.description) for system in SYSTEMS.values()],
        options=set(),
    )
    subject: bpy.props.StringProperty(
        name="Subject",
        description="A kept subject, which an earlier job has learnt; empty for that of photos",
        options=set(),
    )
    prompt: bpy.props.StringProperty(
        name="Prompt",
        description="The object in a few words, for example: a red mug with white dots",
        maxlen=protocol.PROMPT_CHARACTERS,
        options={"TEXTEDIT_UPDATE"},  # unknown words are named while the artist types
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
        max=MAX_SEED,
        options=set(),
    )
    new_seed: bpy.props.BoolProperty(
        name="New Seed Each Time",
        description="Draw another seed whenever a job is started",
        default=True,
        options=set(),
    )
    preset: bpy.props.EnumProperty(
        name="Preset", description="How much time to spend", items=PRESET_ITEMS, default="draft", options=set()
    )
    prior: bpy.props.EnumProperty(
        name="Prior", description="The model that knows what things look like", items=choice.PRIORS, options=set()
    )
    prior_model: bpy.props.StringProperty(
        name="Model", description="An installed base, by its name", default=choice.FIRST, search=choice.suggest
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
        name="Mark as Asset", description="Show what is imported in the Asset Browser, with its picture", options=set()
    )
    asset_tags: bpy.props.StringProperty(
        name="Tags", description="Words to find the asset by, separated by commas", options=set()
    )
    threads: bpy.props.IntProperty(
        name="Processor Cores",
        description="Cores that the backend may use; 0 means all that no other program keeps busy when the job begins",
        min=0,
        max=1024,
        soft_max=64,
        options=set(),
    )


for _name, _class in SETTINGS_CLASSES.items():  # a .blend keeps a system's settings by its name
    MAQUETTE_PG_scene.__annotations__[_name] = bpy.props.PointerProperty(type=_class)


CLASSES = (*SETTINGS_CLASSES.values(), MAQUETTE_PG_reference, MAQUETTE_PG_scene)


def register_extra() -> None:
    """Give every scene its properties."""
    bpy.types.Scene.maquette = bpy.props.PointerProperty(type=MAQUETTE_PG_scene, name="Maquette")


def unregister_extra() -> None:
    """Take the properties away from the scenes; what is saved in a .blend comes back with the add-on."""
    del bpy.types.Scene.maquette


# ---- the request -----------------------------------------------------------------------------------------------------


def roles_of(props: MAQUETTE_PG_scene) -> tuple[str, ...]:
    """Return what an image can be to the chosen system."""
    return SYSTEMS[str(props.system)].roles


def chosen_images(props: MAQUETTE_PG_scene, role: str = "") -> list[MAQUETTE_PG_reference]:
    """Return the reference images that name a picture, all or those of a role; none beside a kept subject."""
    if _named_subject(props):
        return []
    return [each for each in props.references if each.image is not None and role in ("", role_of(each, props))]


def roles_chosen(props: MAQUETTE_PG_scene) -> set[str]:
    """Return what the reference images that name a picture are."""
    return {role_of(each, props) for each in chosen_images(props)}


def role_of(reference: MAQUETTE_PG_reference, props: MAQUETTE_PG_scene) -> str:
    """Return what an image is; of one that was something that the chosen system does not take, what that takes."""
    return str(reference.role) if reference.role in roles_of(props) else roles_of(props)[0]


def seen_from(reference: MAQUETTE_PG_reference, props: MAQUETTE_PG_scene) -> dict[str, Any]:
    """Return what a request says of one reference image, but for its path; only what it shows has a place."""
    return protocol.image_fields(role_of(reference, props), *reference.degrees)


def request_of(
    props: MAQUETTE_PG_scene, images: tuple[protocol.InputImage, ...] | None = None, **changes: Any
) -> protocol.Request:
    """Return the request that a scene's properties make, with some fields changed.

    Without `images`, those of the scene are taken for PNG files. Raises ProtocolError with the sentence that the artist
    reads, also as the reason why Generate is greyed out.
    """
    if images is None:
        images = protocol.input_images((Path("any.png"), seen_from(each, props)) for each in chosen_images(props))
    fields = {
        "system": props.system,
        "prompt": props.prompt.strip() or proposed_prompt(props),
        "negative_prompt": props.negative_prompt.strip(),
        "images": images,
        "seed": props.seed,
        "preset": props.preset,
        "prior": choice.chosen_prior(props),
        "outputs": tuple(output for output in protocol.OUTPUTS if output in props.outputs),
        "stop_after": props.stop_after if can_stop(props, {image.role for image in images}) else "",
        "threads": props.threads,
        "settings": dict(changed_settings(props)),
    }
    if (kept := kept_subject(props)) is not None:
        own, files = protocol.subject_files(kept)
        fields |= {"subject": own, "subject_files": tuple(files)}
    return protocol.Request(**fields | changes)


def proposed_prompt(props: MAQUETTE_PG_scene) -> str:
    """Return what the first image of the object is called, for want of a prompt; empty where it says nothing."""
    shown = chosen_images(props, "reconstruct") if protocol.takes_prompt_of_name(str(props.system)) else []
    if not shown:
        return ""
    image = shown[0].image
    return protocol.proposed_prompt(Path(image.filepath).name) or protocol.proposed_prompt(image.name)


def can_stop(props: MAQUETTE_PG_scene, roles: Collection[str]) -> bool:
    """Say whether the stage to stop after will have something to look at, where images have these roles."""
    stage = SYSTEMS[str(props.system)].stage(str(props.stop_after))
    if _named_subject(props):
        roles = {*roles, protocol.KEPT_SUBJECT}
    return stage is not None and stage.is_in(roles, settings_of(props))


def _named_subject(props: MAQUETTE_PG_scene) -> str:
    """Return the name of the kept subject to begin from, none where the system takes none."""
    return str(props.subject) if SYSTEMS[str(props.system)].keeps_subjects else ""


def kept_subject(props: MAQUETTE_PG_scene) -> protocol.Subject | None:
    """Return the kept subject to begin from, None for photos. Raises ProtocolError for one that is not there."""
    name = _named_subject(props)
    return subject_list.find(preferences.subjects_folder(), name) if name else None


def settings_of(props: MAQUETTE_PG_scene) -> Any:
    """Return the settings of the chosen system."""
    return getattr(props, props.system)


def changed_settings(props: MAQUETTE_PG_scene) -> dict[str, protocol.Setting]:
    """Return the settings that differ from the preset."""
    return _parsed(str(props.system), settings_of(props).overrides)


def reset_settings(props: MAQUETTE_PG_scene, name: str = "") -> None:
    """Give one setting, or all, the preset's value."""
    kept = {key: value for key, value in changed_settings(props).items() if name and key != name}
    settings_of(props).overrides = json.dumps(kept) if kept else ""


def new_seed() -> int:
    """Draw a seed."""
    return secrets.randbelow(MAX_SEED)
