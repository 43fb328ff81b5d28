"""The closed table of systems: a new one is a module here, a folder in backend/systems and one line below.

Nothing of a system is looked up by a name from elsewhere: what is not in the table does not exist.
"""

from __future__ import annotations

from typing import Any

from .checks import WrongSetting as WrongSetting
from .checks import check_settings as check_settings
from .checks import checked as checked
from .customize_it_3d import CUSTOMIZE_IT_3D
from .dreambooth3d import DREAMBOOTH3D
from .system import FROM_RESULT as FROM_RESULT
from .system import KEPT_SUBJECT as KEPT_SUBJECT
from .system import PRESETS as PRESETS
from .system import ROLES as ROLES
from .system import Group as Group
from .system import Setting as Setting
from .system import Stage as Stage
from .system import System as System
from .system import Value as Value
from .tv3dg import TV3DG

# The panel's choices are kept in a .blend by their places in here: a new system comes last of those that are built.
SYSTEMS: dict[str, System[Any]] = {
    system.name: system
    for system in (
        TV3DG,
        DREAMBOOTH3D,
        CUSTOMIZE_IT_3D,
    )
}
DEFAULT_SYSTEM = TV3DG.name


def built_systems() -> dict[str, System[Any]]:
    """Return the systems that this version can run."""
    return {name: system for name, system in SYSTEMS.items() if system.is_built}


def stage_names() -> list[str]:
    """Return the names of all stages of the systems that can run, each once."""
    return list(dict.fromkeys(stage.name for system in built_systems().values() for stage in system.stages))


def first_role(system: str) -> str:
    """Return what an image is to a system if nobody says; also for a name that no system has."""
    return SYSTEMS[system].roles[0] if system in SYSTEMS else next(iter(ROLES))


def stage_of(system: str, name: str) -> Stage | None:
    """Return a stage of a system; of one that is not known, that of the first system that has such a stage."""
    return next((each for each in _stages_with(system, name) if each.name == name), None)


def stages_after(system: str, name: str) -> tuple[Stage, ...]:
    """Return the stages that may follow one; none for a name that no stage has."""
    stages = _stages_with(system, name)
    return stages[[each.name for each in stages].index(name) + 1 :] if stages else ()


def _stages_with(system: str, name: str) -> tuple[Stage, ...]:
    systems = [SYSTEMS[system]] if system in SYSTEMS else SYSTEMS.values()
    return next((each.stages for each in systems if each.stage(name)), ())
