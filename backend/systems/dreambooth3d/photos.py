"""The photos of a subject: each cut out and framed as the world frames objects, on white; what to warn of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from addon.protocol import InputImage
from backend.errors import EmptyMask
from backend.images import MARGIN, load_image, resize_cut_out, save_image, square_crop, subject_mask
from backend.runtime.job import Job
from backend.systems.dreambooth3d.cutting import subject_in
from backend.systems.inputs import named
from backend.systems.reference import MAX_PIXELS
from backend.vision.image_encoder import load_image_encoder
from backend.vision.matting import COLOURS, load_matting

FEWEST, MANY = 2, 12
SMALL = 24  # pixels a side, of what is compared
ALIKE = 0.025  # mean difference of colours and alpha, where either is solid, below which two photos are one
ONE_SIDE = 0.88  # least IoU of any two silhouettes, above which all show one side
THIN = 0.35  # share of a silhouette that is left when a rim of a twentieth is taken away
CLOSE = 0.55  # cosine of two embeddings, above which they are of one thing; docs/dreambooth3d.md has the measurement
APART = 0.35  # overlap of the coarse colours of a photo with those of all others, below which it shows another thing


def asked_photos(job: Job) -> tuple[InputImage, ...]:
    """Return the photos of a request, which has as many as it needs; warn of too many, and of others."""
    photos = tuple(image for image in job.request.images if image.role == "subject")
    if others := len(job.request.images) - len(photos):
        job.warn(f"{others} images are not used: they are not photos of the subject.", "Only photos count.")
    if len(photos) > MANY:
        job.warn(f"{len(photos)} photos are more than are needed.", "Three to six from different sides do as much.")
    return photos


def cut_out_photos(job: Job, size: int, matting: str = COLOURS) -> torch.Tensor:
    """Run the stage `cutouts`; return the photos [N, size, size, 3] on white, as `cut_out_layers` does with alpha."""
    return on_white(cut_out_layers(job, size, matting))


def cut_out_layers(job: Job, size: int, matting: str = COLOURS) -> torch.Tensor:
    """Run the stage `cutouts`; return the photos with alpha, [N, size, size, 4].

    A `matting` of `load_matting` finds the subject where a photo has no alpha. It leaves photo-NN.png, with alpha,
    which the artist may replace. Photos without a subject are left out with a warning. Raises BadInput where fewer
    than two are left.
    """
    photos = asked_photos(job)

    def make() -> dict[str, Any]:
        finder = None if matting == COLOURS else load_matting(matting)
        kept: list[str] = []
        lost: list[str] = []
        for number, photo in enumerate(photos, 1):
            path = job.input_path(photo)
            with named(photo):
                rgb, alpha = load_image(path)
            try:
                rgb, mask = (rgb, subject_mask(rgb, alpha)) if finder is None else subject_in(rgb, alpha, finder)
            except EmptyMask as error:
                lost.append(f"{photo.called} is left out: {error.message}")
                continue
            pixels = max(size, min(MAX_PIXELS, max(rgb.shape[:2])))
            rgb, mask = square_crop(rgb, mask, pixels, MARGIN, enclose="circle")
            kept.append(f"photo-{number:02}.png")
            save_image(job.stage_folder / kept[-1], torch.cat([rgb, mask], dim=-1))
            job.preview(rgb * mask + 1 - mask)
        if len(kept) < FEWEST:
            raise EmptyMask(
                f"Only {len(kept)} of {len(photos)} photos show a subject. {' '.join(lost)}",
                "Photograph it whole before a plain background, or cut it out (a PNG with alpha).",
            )
        return {"kept": kept, "lost": lost}

    made = job.stage("cutouts", make)
    folder = job.stage_path("cutouts")
    for sentence in made["lost"]:
        job.warn(sentence, "Photograph it whole before a plain background, or cut it out (a PNG with alpha).")
    layers = read_cut_outs([folder / name for name in made["kept"]], size)
    for sentence, hint in doubts(layers) + unlike(on_white(layers)):
        job.warn(sentence, hint)
    return layers


def read_cut_outs(files: Sequence[Path], size: int) -> torch.Tensor:
    """Return cut-outs in `size` pixels a side, with alpha, [N, S, S, 4]."""
    cut = []
    for file in files:
        rgb, alpha = load_image(file)
        cut.append(torch.cat(resize_cut_out(rgb, torch.ones_like(rgb[..., :1]) if alpha is None else alpha, size), -1))
    return torch.stack(cut)


def on_white(layers: torch.Tensor) -> torch.Tensor:
    """Return cut-outs [N, S, S, 4] on white, [N, S, S, 3]."""
    return layers[..., :3] * layers[..., 3:] + 1 - layers[..., 3:]


def doubts(layers: torch.Tensor) -> list[tuple[str, str]]:
    """Return what speaks against cut-outs [N, S, S, 4] as photos of one subject, each a sentence with a hint."""
    found = []
    small = functional.interpolate(layers.permute(0, 3, 1, 2), (SMALL, SMALL), mode="bilinear", antialias=True)
    seen = torch.cat([small[:, :3] * small[:, 3:], small[:, 3:]], 1)  # [N, 4, s, s]
    solid = small[:, 3] > 0.5
    pairs = list(combinations(range(len(layers)), 2))
    either = [(solid[one] | solid[two]).sum().clamp_min(1) for one, two in pairs]
    differences = [float((seen[a] - seen[b]).abs().mean(0).sum() / n) for (a, b), n in zip(pairs, either, strict=True)]
    twins = [pair for pair, difference in zip(pairs, differences, strict=True) if difference < ALIKE]
    for one, two in twins:
        found.append((f"Photos {one + 1} and {two + 1} are nearly the same.", "Another side would say more."))
    overlaps = [float((solid[a] & solid[b]).sum() / (solid[a] | solid[b]).sum().clamp_min(1)) for a, b in pairs]
    if len(layers) > FEWEST and min(overlaps) > ONE_SIDE and len(twins) < len(pairs):
        found.append(
            (
                "All photos seem to show one side.",
                "The others will be guesses, perhaps with a second face.",
            )
        )
    rim = max(1, layers.shape[1] // 20)
    mask = layers[..., 3][:, None]
    inner = -functional.max_pool2d(-mask, 2 * rim + 1, 1, rim)
    if float((inner.sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(1)).mean()) < THIN:
        found.append(("The subject is thin.", "Thin parts may be lost; the method is known for that."))
    colours = torch.stack([_colours(layer) for layer in layers])  # [N, 64]
    for number, own in enumerate(colours):
        others = torch.cat([colours[:number], colours[number + 1 :]]).mean(0)
        if len(layers) > FEWEST and float(torch.minimum(own, others).sum()) < APART:
            found.append((f"Photo {number + 1} has other colours than the rest.", "Does it show the same subject?"))
    return found


@torch.no_grad()
def unlike(pictures: torch.Tensor) -> list[tuple[str, str]]:
    """Return what speaks against pictures [N, S, S, 3] as photos of one thing, by the embedded image encoder.

    Photos whose embeddings are close, directly or by way of others, are of one thing: two sides of it need not be.
    It knows kinds, where `doubts` compares colours alone.
    """
    vectors = functional.normalize(load_image_encoder("embedded")(pictures), dim=-1)
    linked = (vectors @ vectors.T > CLOSE).fill_diagonal_(True).float()  # [N, N]
    for _ in range(len(pictures).bit_length()):
        linked = (linked @ linked > 0).float()  # by way of twice as many others
    rest = linked[int(linked.sum(1).argmax())].tolist()
    strange = [number for number, is_like in enumerate(rest, 1) if not is_like]
    if not strange:
        return []
    if 2 * len(strange) >= len(pictures):
        return [("The photos seem to show different things.", "What is learnt would be a mixture: take those of one.")]
    names = f"Photo {strange[0]} seems" if len(strange) == 1 else f"Photos {', '.join(map(str, strange))} seem"
    return [(f"{names} to show something else than the rest.", "Leave it away unless it is the same subject.")]


def _colours(layer: torch.Tensor) -> torch.Tensor:
    """Return the shares of 4 x 4 x 4 coarse colours inside the mask of a cut-out [S, S, 4], [64]."""
    places = (layer[..., :3] * 4).long().clamp(0, 3) @ torch.tensor([16, 4, 1])
    shares = torch.bincount(places.reshape(-1), weights=layer[..., 3].reshape(-1), minlength=64)
    return shares / shares.sum().clamp_min(1e-6)
