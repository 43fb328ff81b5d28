"""How long a job will take, and how much memory: what its stages ask, times what that costs, over the machine's speed.

Beside the networks there is the renderer, and what a processor does with meshes and files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..request import Request
from ..systems import SYSTEMS, checked
from ..systems.evaluations import Asked
from ..systems.floors import FIELD, FLOORS, MESH_WORK, OWN_WORK, PICTURE, VIEWS
from ..typed_json import ProtocolError
from .base_networks import Base
from .speed import Speed

GB = 10**9
BEGIN_AND_END = 375.0  # gigaoperations of a processor: what comes before and after the stages
LEARNING = 5.0  # times what the UNet takes there, with the few pictures that are in a step of teaching
LEARNING_AGAIN = 3.3  # of a large one, beside a LoRA: there, again, and back without its own weights' gradients
ENCODER_EASE = 0.8  # of a large encoder's operations on a processor, which its wide layers make faster than a UNet's
DRAFT_RESOLUTION = 112
DRAWN_ON_GPU = 0.1  # of the networks' time, for the renderer; not measured yet

# Bytes, in maps: numbers of the first layer's width at full size. Counted from the tensors alive at once at the layout
# of Stable Diffusion 1.5: of each picture in the UNet; in the UNet, and in the encoder, on the way back, layers being
# computed again.
UNET_MAPS, LEARNING_MAPS, ENCODER_MAPS = 26, 89, 15.3
LEARNING_MAPS_KEPT = 176  # of a small base, whose layers are not
PROCESS, GPU_CONTEXT = 1.0 * GB, 0.5 * GB  # what is there before any network: libraries, kernels, a renderer's tables
OVERHEAD = 1.1  # of what frameworks keep beside what is alive
GAUSSIAN_BYTES, NODE_BYTES = 2_000, 64  # each in training: its numbers, their gradients and Adam's
TAUGHT = {"tv3dg": 0, "dreambooth3d": 2, "customize_it_3d": 1}  # copies of the UNet at once, beside the base's own
CHANGED = 0.11  # of a UNet's weights, which a LoRA changes: its attentions', at the layout of Stable Diffusion 1.5


@dataclass(frozen=True)
class Forecast:
    """What a job will take."""

    seconds: float
    memory: int  # bytes at the peak: of the GPU if networks run there, else of the process
    stages: Mapping[str, float]  # seconds of each

    @property
    def line(self) -> str:
        """Return it in a few words: about 3 min, 2.1 GB."""
        return words(self.seconds, self.memory)


def words(seconds: float, memory: int) -> str:
    """Return seconds and bytes in a few words: about 3 min, 2.1 GB."""
    return f"about {duration(seconds)}, {memory / GB:.1f} GB"


def of_request(request: Request, base: Base, speed: Speed, together: int = 0) -> Forecast:
    """Return the forecast of a request. Raises WrongSetting."""
    settings = settings_of(request.system, request.preset, request.settings)
    count = sum(image.role == SYSTEMS[request.system].roles[0] for image in request.images)
    return forecast(
        request.system, settings, request.roles, count, request.outputs, base, speed, together, request.stop_after
    )


def settings_of(name: str, preset: str, own: Mapping[str, Any]) -> Any:
    """Return a preset's settings with a request's own; what belongs to the job itself is passed over.

    Raises WrongSetting.
    """
    system = SYSTEMS[name]
    known = {each: value for each, value in system.present(own).items() if each in system.settings}
    return replace(system.presets[preset], **{each: checked(system, each, value) for each, value in known.items()})


def forecast(
    name: str, settings: Any, roles: Collection[str], images: int, outputs: Collection[str], base: Base, speed: Speed,
    together: int = 0, stop_after: str = "",
) -> Forecast:  # fmt: skip
    """Return the forecast of a job of a system, whose networks are asked about so many pictures at a time (0: all).

    Stages behind `stop_after` do not count; the memory is that of the whole job.
    Raises ProtocolError for a system whose floor nobody has written.
    """
    asked = _floor(name)(settings, roles, images, base.knows)
    on_gpu = speed.device != "cpu"
    rate = (speed.large or speed.small) if base.knows.large else speed.small
    seconds = {}
    for stage in SYSTEMS[name].stages_of(roles, settings, outputs):
        networks = work(asked[stage.name], base, on_gpu) / rate
        drawn = asked[stage.name].views * _view(name, stage.name, settings, base)
        beside = DRAWN_ON_GPU * networks if on_gpu else drawn / speed.processor
        own = OWN_WORK.get(stage.name, 0.0)
        own += MESH_WORK.get(stage.name, 0.0) * (settings.mesh_resolution / DRAFT_RESOLUTION) ** 2
        seconds[stage.name] = networks + beside + own / speed.processor
        if stage.name == stop_after:
            break
    whole = sum(seconds.values()) + BEGIN_AND_END / speed.processor
    return Forecast(whole, memory(name, settings, base, speed, together), seconds)


def work(asked: Asked, base: Base, on_gpu: bool) -> float:
    """Return the gigaoperations of what is asked. The way back through frozen layers is as long as that there;
    layers of a large base are computed again for it, but not the small encoder's.
    """
    cost, again = base.gflop, base.knows.large
    unet = (asked.drawn + (LEARNING_AGAIN if again else LEARNING) * asked.learnt) * cost["unet"]
    encoder = (asked.encoded + (2 + again) * asked.pulled) * cost["encoder"]
    encoder *= ENCODER_EASE if again and not on_gpu else 1.0
    encoder += (asked.encoded_small + 2 * asked.pulled_small) * cost["small_encoder"]
    unet += asked.reused * cost["unet_outer"]
    return unet + encoder + asked.decoded * cost["decoder"] + asked.told * cost["text"]


def memory(name: str, settings: Any, base: Base, speed: Speed, together: int = 0) -> int:
    """Return the bytes at the peak: weights, and the larger of pictures in the UNet, encoder and teaching.

    Raises ProtocolError for a system whose floor nobody has written.
    """
    _floor(name)
    large = base.knows.large
    size = 2 if speed.half and large else 4
    unet, autoencoder = base.configs["unet"], base.configs["vae"]
    row = unet["block_out_channels"][0] * unet["sample_size"] ** 2 * size
    views = settings.views
    rows = max(2 * views + 1, 2 * min(8, getattr(settings, "class_pictures", 0)))
    forward = UNET_MAPS * row * (min(rows, together) if together else rows)
    at_once = 1 if together else getattr(settings, "views_at_once", 0) or (1 if large else views)
    # The last steps go through the base's own, also where others go through the small one.
    encoder = ENCODER_MAPS * autoencoder["block_out_channels"][0] * base.pixels**2 * size * at_once
    learning = 0.0
    weights = size * sum(base.weights.values())
    if TAUGHT[name]:
        whole = settings.tuning_whole == "all" or (settings.tuning_whole == "auto" and not large)
        weights += TAUGHT[name] * (1.0 if whole else CHANGED) * size * base.weights["unet"]
        learning = (LEARNING_MAPS if large else LEARNING_MAPS_KEPT) * row * settings.tuning_batch
        learning += 12.0 * base.weights["unet"] if whole else 0.0  # gradients, and Adam's two
    made = GAUSSIAN_BYTES * settings.max_count if name == "tv3dg" else NODE_BYTES * settings.nodes**3
    fixed = GPU_CONTEXT if speed.device != "cpu" else PROCESS
    return int(fixed + OVERHEAD * (weights + max(forward, encoder, learning) + made))


def duration(seconds: float) -> str:
    """Return a duration in words as coarse as it is sure: 40 s, 3 min, 1 h 20 min."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(10 * round(minutes / 10), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def _floor(name: str) -> Any:
    if name not in FLOORS:
        raise ProtocolError(f"What a job of {name} asks of the networks is not known.")
    return FLOORS[name]


def _view(name: str, stage: str, settings: Any, base: Base) -> float:
    """Return the gigaoperations of a view that a stage draws, there and back; of those without views 0."""
    cost, kind = VIEWS.get((name, stage), (0.0, PICTURE))
    if kind == FIELD:
        return cost * (settings.view_size / 64) ** 2 * settings.nodes / 48
    return cost * (base.pixels / 128) ** 2
