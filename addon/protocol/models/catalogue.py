"""The public models that Maquette knows what to do with, by role.

Sizes and licences are what the models' pages said when they were looked up, rounded as the pages round them; what was
not to be found there says so, and is known once it is fetched: the hub's answer is recorded beside the files.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..phrases import Phrase
from ..typed_json import ProtocolError

UNKNOWN = "unknown until fetched"
BASE, EVALUATION = "base", "evaluation"
MB, GB = 10**6, 10**9  # as hubs count

# Role -> what it is for. All but the base and what is for evaluation are companions: one of each role.
ROLES = {
    BASE: "draws what the prompt says; every job needs one",
    "ip_adapter": "lets a base see an image beside the words",
    "zero123": "turns an image to another side",
    "depth": "says what is near",
    "normals": "says which way surfaces face",
    "features": "compares parts of pictures",
    "reward": "says which picture fits the words better",
    "matting": "cuts the subject out",
    "image_encoder": "names what a picture shows, and compares it with words",
    "small_encoder": "encodes pictures with a ninth of the work",
    EVALUATION: "judges results in the benchmarks; no job needs it",
}
EMBEDDED_LINE = "comes with Maquette: simple toy-like objects, minutes on two processor cores, 4 GB of memory"

DIFFUSERS = (
    "model_index.json", "scheduler/*.json", "tokenizer/*", "text_encoder/*", "unet/*", "vae/*",
)  # fmt: skip
WHOLE = ("*.json", "*.txt", "*.safetensors")


@dataclass(frozen=True, kw_only=True)
class Model:
    """One entry. An empty `source`: whoever fetches it names one, as `OWNER/NAME` at a hub."""

    name: str
    role: str
    title: str
    line: str  # what it knows or does
    source: str = ""
    files: tuple[str, ...] = WHOLE  # patterns of names in the repository; nothing but weights and texts is ever taken
    below: str = ""  # the folder of the repository that the patterns begin in
    licence: str = UNKNOWN
    size: int = 0  # bytes of these files, rounded; 0: not looked up
    systems: tuple[str, ...] = ()  # that ask for it; () of a base: all
    note: str = ""


def _clip(name: str) -> Model:
    title = f"CLIP {name.removeprefix('clip-vit-')}"
    line = "R-precision and CLIP scores, as in the papers"
    return Model(name=name, role=EVALUATION, title=title, line=line, source=f"openai/{name}", files=WHOLE)


CATALOGUE: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="sd15", role=BASE, title="Stable Diffusion 1.5", source="stable-diffusion-v1-5/stable-diffusion-v1-5",
            files=DIFFUSERS, licence="creativeml-openrail-m", size=2_133 * MB,
            line="knows nearly everything; for a GPU with 6 GB and more",
        ),
        Model(
            name="sd2", role=BASE, title="Stable Diffusion 2.x", files=DIFFUSERS,
            line="knows nearly everything; for a GPU with 6 GB and more",
            note="its public copy was withdrawn: name a mirror that you trust, --from OWNER/NAME",
        ),
        Model(
            name="multiview", role=BASE, title="A base that draws several sides together", files=DIFFUSERS,
            line="knows what objects look like from all sides",
            note="to be imported: a folder in diffusers' format whose prior.json says joint_views. The public "
            "conversions of MVDream bring code of their own, which is never run",
        ),
        Model(
            name="ip_adapter", role="ip_adapter", title="IP-Adapter for Stable Diffusion 1.5", source="h94/IP-Adapter",
            below="models", files=("ip-adapter_sd15.safetensors", "image_encoder/*"), licence="apache-2.0",
            size=2_573 * MB, line=ROLES["ip_adapter"], systems=("tv3dg",),
        ),
        Model(
            name="zero123", role="zero123", title="Zero-1-to-3 XL", source="ashawkey/zero123-xl-diffusers",
            files=(
                "model_index.json", "unet/*", "vae/*", "image_encoder/*", "scheduler/*", "feature_extractor/*",
                "clip_camera_projection/*",
            ),
            licence="mit", size=2_500 * MB, line=ROLES["zero123"], systems=("customize_it_3d", "tv3dg"),
        ),
        Model(
            name="depth", role="depth", title="Depth Anything V2 Small",
            source="depth-anything/Depth-Anything-V2-Small-hf", licence="apache-2.0", size=99 * MB,
            line=ROLES["depth"], systems=("customize_it_3d", "tv3dg"),
        ),
        Model(
            name="normals", role="normals", title="Marigold normals", source="prs-eth/marigold-normals-lcm-v0-1",
            files=DIFFUSERS, licence="apache-2.0", line=ROLES["normals"], systems=("customize_it_3d", "tv3dg"),
        ),
        Model(
            name="features", role="features", title="DINO ViT-S/8", source="facebook/dino-vits8",
            licence="apache-2.0", size=87 * MB, line=ROLES["features"], systems=("customize_it_3d", "tv3dg"),
        ),
        Model(
            name="reward", role="reward", title="PickScore v1", source="yuvalkirstain/PickScore_v1",
            size=3_944 * MB, line=ROLES["reward"], systems=("tv3dg",),
        ),
        Model(
            name="matting", role="matting", title="Segment Anything ViT-B", source="facebook/sam-vit-base",
            licence="apache-2.0", size=375 * MB, line=ROLES["matting"], systems=("tv3dg",),
        ),
        Model(
            name="image_encoder", role="image_encoder", title="CLIP ViT-L/14", source="openai/clip-vit-large-patch14",
            size=1_714 * MB, line=ROLES["image_encoder"], systems=("customize_it_3d",),
        ),
        Model(
            name="small_encoder", role="small_encoder", title="TAESD", source="madebyollin/taesd",
            files=("config.json", "diffusion_pytorch_model.safetensors"), licence="mit", size=10 * MB,
            line=ROLES["small_encoder"], systems=("tv3dg", "dreambooth3d", "customize_it_3d"),
            note="for Stable Diffusion; a job uses it with the setting Small Encoder",
        ),
        *map(_clip, ("clip-vit-base-patch16", "clip-vit-base-patch32", "clip-vit-large-patch14")),
    )
}  # fmt: skip


def known_model(name: str) -> Model:
    """Return an entry of the catalogue. Raises ProtocolError that names all of them."""
    if name not in CATALOGUE:
        raise ProtocolError(f"There is no model {name[:60]!r}; known are {', '.join(CATALOGUE)}.")
    return CATALOGUE[name]


def gigabytes(size: int) -> str:
    """Return a size as hubs write it: 2.13 GB, 99 MB, 12 kB."""
    for unit, name in ((GB, "GB"), (MB, "MB"), (1000, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}" if size < 1000 * unit else f"{size / unit:.0f} {name}"
    return f"{size} bytes"


def size_words(model: Model) -> Phrase:
    """Return what is known of an entry's size before it is fetched."""
    return Phrase("about {size}", size=gigabytes(model.size)) if model.size else Phrase("size unknown until fetched")
