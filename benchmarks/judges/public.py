"""The papers' own judges, from folders that lie on this machine; nothing is downloaded.

Below the given folder, each in transformers' layout with safetensors: clip-vit-base-patch16, clip-vit-base-patch32,
clip-vit-large-patch14 (CLIPModel with tokenizer and preprocessor), dino-vitb16 (ViTModel with preprocessor). LPIPS is
lpips-vgg.safetensors or lpips-alex.safetensors: `features.N.weight` and `.bias` as torchvision names them, and the
linear layers `lin0.weight` to `lin4.weight` [1, C, 1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks.judges import attributes, reader
from benchmarks.judges.bench import Judges, hash_of
from benchmarks.metrics.features import Distance

CLIPS = {
    "b16": "clip-vit-base-patch16", "b32": "clip-vit-base-patch32", "l14": "clip-vit-large-patch14",
}  # fmt: skip
DINO = "dino-vitb16"
# Channels of each convolution, "M" for max pooling; where LPIPS looks: the layers' numbers in torchvision's Sequential.
VGG = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512)
VGG_TAPS = (3, 8, 15, 22, 29)
ALEX_TAPS = (1, 4, 7, 9, 11)
LPIPS_SHIFT, LPIPS_SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
NO_FID = (
    "FID is not computed: it needs the Inception network of torch-fidelity, which is not installed; the Frechet "
    "distance in CLIP features stands in its place."
)


class PublicClip:
    """A CLIP model with its own preprocessing."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel

        self.model: Any = CLIPModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.prepare = _preparation(CLIPImageProcessor.from_pretrained(folder, local_files_only=True))

    @torch.no_grad()
    def images(self, images: torch.Tensor) -> torch.Tensor:
        """Return unit features [B, D] of square images [B, H, W, 3] in [0, 1]."""
        seen = self.model.visual_projection(self.model.vision_model(self.prepare(images)).pooler_output)
        return torch.nn.functional.normalize(seen, dim=-1)

    @torch.no_grad()
    def captions(self, captions: Sequence[str]) -> torch.Tensor:
        """Return unit features [N, D] of captions."""
        tokens = self.tokenizer(list(captions), padding=True, truncation=True, return_tensors="pt")
        said = self.model.text_model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask).pooler_output
        return torch.nn.functional.normalize(self.model.text_projection(said), dim=-1)


def dino(folder: Path) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what gives the class token [B, D] of DINO for images [B, H, W, 3] in [0, 1]."""
    from transformers import AutoImageProcessor, ViTModel

    model: Any = ViTModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, add_pooling_layer=False)
    prepare = _preparation(AutoImageProcessor.from_pretrained(folder, local_files_only=True))
    model.eval()

    @torch.no_grad()
    def look(images: torch.Tensor) -> torch.Tensor:
        return model(prepare(images)).last_hidden_state[:, 0]

    return look


def lpips(path: Path) -> Distance:
    """Return LPIPS with its learned weights, of images [B, H, W, 3] in [0, 1].

    Source: Zhang et al., The unreasonable effectiveness of deep features as a perceptual metric, 2018, eq. 1.
    """
    tensors = load_file(path)
    is_vgg = "features.28.weight" in tensors
    network, taps = (_vgg(tensors), VGG_TAPS) if is_vgg else (_alex(tensors), ALEX_TAPS)
    weights = [tensors[f"lin{i}.weight"].float() for i in range(len(taps))]  # [1, C, 1, 1]
    shift, scale = (torch.tensor(value)[:, None, None] for value in (LPIPS_SHIFT, LPIPS_SCALE))

    def maps(images: torch.Tensor) -> list[torch.Tensor]:
        planes, found = (images.permute(0, 3, 1, 2) * 2 - 1 - shift) / scale, []
        for number, layer in enumerate(network):
            planes = layer(planes)
            if number in taps:
                found.append(torch.nn.functional.normalize(planes, dim=1, eps=1e-10))
        return found

    @torch.no_grad()
    def distance(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        pairs = zip(maps(one), maps(other), weights, strict=True)
        return torch.stack([((a - b).square() * w).sum(1).mean((1, 2)) for a, b, w in pairs]).sum(0)

    return distance


def load_public(folder: Path) -> Judges:
    """Load what lies in `folder`; the sentences of what does not are in `missing`.

    Raises FileNotFoundError where there is no CLIP at all.
    """
    towers = {name: PublicClip(folder / place) for name, place in CLIPS.items() if (folder / place).is_dir()}
    if not towers:
        raise FileNotFoundError(
            f"{folder} holds none of {', '.join(CLIPS.values())}: put CLIP models there in transformers' layout, with "
            "safetensors, or use --towers embedded."
        )
    missing = [f"{place} is not in {folder}: no figures of it." for n, place in CLIPS.items() if n not in towers]
    identity: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {n: tower.images for n, tower in towers.items()}
    if (folder / DINO).is_dir():
        identity["dino"] = dino(folder / DINO)
    else:
        missing.append(f"{DINO} is not in {folder}: likeness is judged by CLIP alone.")
    distances = {}
    for name in ("vgg", "alex"):
        path = folder / f"lpips-{name}.safetensors"
        if path.is_file():
            distances[name] = lpips(path)
        else:
            missing.append(f"{path.name} is not in {folder}: no LPIPS and no A-LPIPS of it.")
    return Judges(
        towers=towers,
        distances=distances,
        identity=identity,
        reader=reader.load_reader(),
        attributes=attributes.load_attribute_reader(),
        fingerprint=hash_of(sorted(folder.rglob("*.safetensors"))),
        missing=(*missing, NO_FID),
    )


def _preparation(processor: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    size = processor.size
    side = int(size["shortest_edge"] if "shortest_edge" in size else size["height"])
    mean, deviation = (torch.tensor(v)[:, None, None] for v in (processor.image_mean, processor.image_std))

    def prepare(images: torch.Tensor) -> torch.Tensor:
        planes = torch.nn.functional.interpolate(
            images.permute(0, 3, 1, 2), (side, side), mode="bicubic", align_corners=False, antialias=True
        ).clamp(0, 1)
        return (planes - mean) / deviation

    return prepare


def _vgg(tensors: dict[str, torch.Tensor]) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    layers: list[Callable[[torch.Tensor], torch.Tensor]] = []
    for step in VGG:
        if step == "M":
            layers.append(torch.nn.MaxPool2d(2))
        else:
            layers += [_convolution(tensors, len(layers), 1, 1), torch.relu]
    return layers


def _alex(tensors: dict[str, torch.Tensor]) -> list[Callable[[torch.Tensor], torch.Tensor]]:
    pool = torch.nn.MaxPool2d(3, 2)
    return [
        _convolution(tensors, 0, 4, 2), torch.relu, pool, _convolution(tensors, 3, 1, 2), torch.relu, pool,
        _convolution(tensors, 6, 1, 1), torch.relu, _convolution(tensors, 8, 1, 1), torch.relu,
        _convolution(tensors, 10, 1, 1), torch.relu,
    ]  # fmt: skip


def _convolution(
    tensors: dict[str, torch.Tensor], number: int, stride: int, padding: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    weight, bias = tensors[f"features.{number}.weight"].float(), tensors[f"features.{number}.bias"].float()
    return lambda planes: torch.nn.functional.conv2d(planes, weight, bias, stride, padding)
