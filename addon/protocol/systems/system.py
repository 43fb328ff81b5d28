"""What a system says of itself: settings, presets, stages and rules of its requests. Standard library only.

The panel, both command lines, the backend's checks, the progress bar and the documents' tables are made from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

Value = int | float | str | bool
# Beside the roles of its images, what a job has that begins from a kept subject, or from a result.
KEPT_SUBJECT = "kept"
FROM_RESULT = "start"

T = TypeVar("T", bound=Value)
S = TypeVar("S")

PRESETS = {  # the shortest first -> what the artist reads
    "bench": ("Quick Test", "The shortest run there is: the right thing, roughly, in less than a minute"),
    "draft": ("Draft", "A first look: few steps and a coarse mesh, minutes on two processor cores"),
    "standard": ("Standard", "More steps and a finer mesh; about four times as long as a draft"),
    "paper": ("Paper", "The numbers of the paper that the system follows: hours without a graphics card"),
}
ROLES = {  # of an image in a request -> what the artist reads
    "reconstruct": ("Object", "The object itself: the result looks like this from there"),
    "subject": ("Photo", "One of several photos of the subject, from any side"),
    "visual_prompt": ("Style or Likeness", "Something that the result is to be like, seen from nowhere in particular"),
    "mask": ("Mask", "White where the object is in its picture, black elsewhere; of the same size"),
}


# ---- settings --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """A heading in the panel, under which settings stand in the order of their class."""

    name: str
    label: str


@dataclass(frozen=True)
class Setting:
    """One number, switch or text. Its type is that of `value`, which it has in the presets that name no other.

    Less than `low` is refused; `high` bounds the slider, not what can be typed. `choices` of a text are value, label
    and tooltip each; without them it can be typed.
    """

    name: str
    value: Value
    label: str
    tooltip: str
    group: Group
    low: float = 0.0
    high: float | None = None
    unit: str = ""
    choices: tuple[tuple[str, str, str], ...] = ()
    presets: Mapping[str, Value] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """Return the tooltip with the unit."""
        return f"{self.tooltip}, in {self.unit}" if self.unit else self.tooltip

    def preset(self, name: str) -> Value:
        """Return the value in a preset."""
        return self.presets.get(name, self.value)


def setting(
    group: Group,
    value: T,
    label: str,
    tooltip: str,
    low: float = 0.0,
    high: float | None = None,
    *,
    unit: str = "",
    choices: tuple[tuple[str, str, str], ...] = (),
    **presets: T,
) -> T:
    """Declare a field of a system's settings class: `steps: int = setting(GROUP, 200, "Steps", "...", 1, paper=4000)`.

    `presets` are the values where they are others than `value`. Raises ValueError for a preset that there is not.
    """
    if unknown := sorted(presets.keys() - PRESETS.keys()):
        raise ValueError(f"{label} has a value for {', '.join(unknown)}; the presets are {', '.join(PRESETS)}")
    words = {"label": label, "tooltip": tooltip, "unit": unit, "group": group, "choices": choices}
    metadata = {**words, "low": low, "high": high, "presets": presets}
    return field(default=value, metadata=metadata)


# ---- stages ----------------------------------------------------------------------------------------------------------


def always(roles: Collection[str], settings: Any) -> bool:
    """Say that every job has the stage."""
    return True


@dataclass(frozen=True)
class Picture:
    """A file that a stage leaves in its folder and that the artist may replace before the job goes on."""

    name: str
    label: str
    tooltip: str


@dataclass(frozen=True)
class Stage:
    """One part of a job, in the order in which they run.

    `seconds` are those of a `draft` job on two processor cores; only their proportions count. A job can stop after any
    stage; the panel offers it after those that leave something to look at, called `stop`. `comes` says whether a job
    has the stage, from the roles of its images and its settings; with `output`, only if that is asked for. What the
    stage leaves is kept with a subject in the folder `kept` of that; a job that begins from it has not the stage.
    """

    name: str
    label: str  # while it runs
    seconds: float
    leaves: tuple[Picture, ...] = ()
    stop: str = ""
    comes: Callable[[Collection[str], Any], bool] = always
    output: str = ""
    kept: str = ""

    def is_in(self, roles: Collection[str], settings: Any) -> bool:
        """Say whether a job has the stage, from `Request.roles` and an object with its settings."""
        return not (self.kept and KEPT_SUBJECT in roles) and self.comes(roles, settings)


# ---- systems ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Former:
    """The setting that one of an earlier version has become, and by what its number is multiplied for that."""

    name: str
    factor: float


@dataclass(frozen=True, eq=False)
class System(Generic[S]):
    """One way of making an object. Its `run` is that of `backend.systems.NAME`.

    `settings_class` is a frozen dataclass of `setting` fields. Without stages the system is known to requests, but not
    part of this version. `roles` are what an image can be to it; the first is what an image is at first. `former` are
    settings that requests and .blend files of earlier versions may name, and what they are now. With fewer images of
    its first role than `fewest_images` a request is refused, in a sentence with `too_few` as its end.
    """

    name: str
    label: str
    description: str
    settings_class: type[S]
    stages: tuple[Stage, ...] = ()
    roles: tuple[str, ...] = ("reconstruct",)
    needs_prompt: bool = True
    needs_image_or_prompt: bool = False  # an image of its first role, or words
    fewest_images: int = 0
    too_few: str = ""
    can_be_edited: bool = False  # a job can begin from the result of another one and change it by words
    edit_stage: str = ""  # it begins from what that stage leaves, and with its subject; from the points where empty
    former: Mapping[str, Former] = field(default_factory=dict)
    mesh_settings: tuple[str, ...] = ()  # those that the last stage alone knows of: a result can be given others

    @property
    def is_built(self) -> bool:
        """Say whether this version can run it."""
        return bool(self.stages)

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """Return what is known of each setting, by name."""
        known: Any = dataclasses.fields(self.settings_class)  # pyright: ignore[reportArgumentType]
        return {each.name: Setting(each.name, each.default, **each.metadata) for each in known}

    @cached_property
    def groups(self) -> dict[Group, tuple[Setting, ...]]:
        """Return the settings under their headings, in the order of the class."""
        groups = dict.fromkeys(setting.group for setting in self.settings.values())
        return {group: tuple(s for s in self.settings.values() if s.group == group) for group in groups}

    @cached_property
    def presets(self) -> dict[str, S]:
        """Return the settings of each preset."""
        values = {name: {each.name: each.preset(name) for each in self.settings.values()} for name in PRESETS}
        return {name: self.settings_class(**chosen) for name, chosen in values.items()}

    def present(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request's own values under the names of this version; where both are given, the new one holds.

        What is no number stays under its old name, to be refused by that.
        """
        kept = {name: value for name, value in values.items() if not self._was_number(name, value)}
        old = {name: value for name, value in values.items() if name not in kept}
        return {self.former[name].name: self.former[name].factor * value for name, value in old.items()} | kept

    def _was_number(self, name: str, value: Any) -> bool:
        return name in self.former and isinstance(value, int | float) and not isinstance(value, bool)

    @property
    def keeps_subjects(self) -> bool:
        """Say whether what a job has learnt of its subject can be kept for others."""
        return any(stage.kept for stage in self.stages)

    @cached_property
    def stops(self) -> dict[str, str]:
        """Return what the panel can stop after: stage -> what it leaves."""
        return {stage.name: stage.stop for stage in self.stages if stage.stop}

    def stage(self, name: str) -> Stage | None:
        """Return the stage of a name, None if the system has none."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def stages_of(self, roles: Collection[str], settings: Any, outputs: Collection[str]) -> list[Stage]:
        """Return the stages of a job: `Request.roles`, an object with its settings, its outputs."""
        asked = (stage for stage in self.stages if not stage.output or stage.output in outputs)
        return [stage for stage in asked if stage.is_in(roles, settings)]
