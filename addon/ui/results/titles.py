"""What an artist knows a job by: its words, and what its mesh has that the preset has not."""

from __future__ import annotations

from ... import protocol
from ...language.saying import say
from ...protocol.systems import Setting

CLASSES = ()


def title_of(request: protocol.Request) -> str:
    """Return the prompt, or the name of the image, with the mesh's own settings behind it; may be empty.

    A mesh that was made again has the words of the job that it is from, and differs in these alone.
    """
    system = protocol.SYSTEMS[request.system]
    own = system.present(request.settings) if request.settings else {}
    said = [
        _said(system.settings[name], own[name])
        for name in system.mesh_settings
        if name in own and name in system.settings and own[name] != system.settings[name].preset(request.preset)
    ]
    return f"{request.title} ({', '.join(said)})" if said else request.title


def _said(setting: Setting, value: protocol.Setting) -> str:
    label = protocol.Phrase(setting.label)
    if value is True:
        return say(label)
    words = {name: protocol.Phrase(label) for name, label, _ in setting.choices}
    number = f"{value:g}" if isinstance(value, float) else value
    return say("{setting}: {value}", setting=label, value=words.get(str(value), number))
