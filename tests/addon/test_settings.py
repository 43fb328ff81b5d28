"""What the panel shows of a system is what the backend does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from addon import protocol, settings
from backend.diffusion.guidance import LOSSES
from backend.presets import tv3dg
from backend.systems import tv3dg as tv3dg_system

SYSTEMS = [(settings.TV3DG, tv3dg)]
ROOT = Path(__file__).resolve().parent.parent.parent


def differences(system: settings.System, backend: Any) -> list[str]:
    """Name every value in which a table and the backend's own differ."""
    found = []
    if set(settings.PRESETS) != set(backend.PRESETS):
        found.append(f"presets {sorted(settings.PRESETS)} and {sorted(backend.PRESETS)}")
    if set(system.settings) != {field.name for field in dataclasses.fields(backend.Settings)}:
        found.append(f"settings {sorted(system.settings)}")
    for preset, values in backend.PRESETS.items():
        for name, value in dataclasses.asdict(values).items():
            known = system.settings[name].preset(preset) if name in system.settings else None
            if (type(known), known) != (type(value), value):
                found.append(f"{preset}: {name} is {value!r}, not {known!r}")
    for name, setting in system.settings.items():
        if setting.least != backend.LEAST.get(name, 0):
            found.append(f"{name} is at least {backend.LEAST.get(name, 0)}, not {setting.least}")
    return found


@pytest.mark.parametrize(("system", "backend"), SYSTEMS)
def test_settings_are_those_of_the_backend(system: settings.System, backend: Any) -> None:
    assert differences(system, backend) == []


def test_a_setting_that_the_backend_changes_is_noticed() -> None:
    class Changed:
        PRESETS = tv3dg.PRESETS | {"draft": dataclasses.replace(tv3dg.PRESETS["draft"], steps=301)}
        LEAST = tv3dg.LEAST | {"radius": 0.5}
        Settings = tv3dg.Settings

    assert differences(settings.TV3DG, Changed) == [
        "draft: steps is 301, not 200",
        "radius is at least 0.5, not 0.01",
    ]


def test_stages_to_stop_after_exist() -> None:
    system = settings.TV3DG
    stages = re.findall(r"job\.stage\(\s*\"(\w+)\"", Path(tv3dg_system.__file__).read_text(encoding="utf-8"))
    assert system.stops and set(system.stops) <= set(stages)


def test_the_losses_on_offer_are_those_of_the_backend() -> None:
    offered = [value for value, *_ in settings.TV3DG.settings["loss"].choices]
    assert offered == list(LOSSES)


def test_only_systems_and_presets_of_the_protocol_are_offered() -> None:
    assert set(settings.SYSTEMS) <= set(protocol.SYSTEMS)
    assert set(settings.PRESETS) == set(protocol.PRESETS)


def test_every_setting_has_a_label_and_a_tooltip_in_blenders_style() -> None:
    for system in settings.SYSTEMS.values():
        for setting in system.settings.values():
            assert setting.label and setting.label[0].isupper()
            assert len(setting.description) > 15 and not setting.description.endswith(".")
            if isinstance(setting.value, str):
                assert not setting.choices or setting.value in [value for value, *_ in setting.choices]
                assert all(label and not tip.endswith(".") for _, label, tip in setting.choices)
                continue
            inside = setting.least <= float(setting.value)
            assert inside and (isinstance(setting.value, bool) or float(setting.value) <= (setting.most or 0))


def test_every_stage_of_the_backend_has_a_name_for_the_artist() -> None:
    sources = [ROOT / "backend/systems/tv3dg.py", ROOT / "backend/delivery.py"]
    stages = {name for path in sources for name in re.findall(r"job\.stage\(\s*\"(\w+)\"", path.read_text("utf-8"))}
    assert stages == set(settings.STAGES)
