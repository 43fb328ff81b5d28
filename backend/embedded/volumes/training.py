"""Trains the network that guesses what fills the space behind one image (`vision/volume.py`)."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel
from torch.nn import functional

from backend.cameras import orbit
from backend.embedded.training.loop import fit
from backend.embedded.volumes.examples import MODELS_FROM
from backend.vision.volume import CHANNELS, COARSE, FOLD, SEEN, SIZE, guess, mirrored, told

PEAK_RATE = 1e-3
EXAMPLES = 32
AROUND = 1  # pixels about the mask, in which the network is asked for occupancy
UNSURE = 5.0  # degrees, standard deviation, by which the elevation that is told is wrong
LOST = 1e-2  # of a coarse cell, from which its colour counts
COLOURS = 1.0  # what they weigh against occupancy
OVERLAP = 0.3  # the same, of the overlap of what is guessed with what is there: it counts thin things as much as thick
PRINTED_SHARE = 0.15  # of the images, which have a picture of something else printed on what is seen
RECOLOURED_SHARE = 0.25  # whose red, green and blue are exchanged
UNKNOWN = -1.0  # a colour that is not told: what is printed says nothing of the other sides
MODELLED_SHARE = 0.2  # of the images, which show artists' models, where there are some
KEPT = 120  # shards that lie in memory, some 60 MB each
EXCHANGED = 4  # of them, whenever it looks again


def new_volume() -> UNet2DModel:
    """Return the network: 64 px folded to 32 px by 28 channels -> 176 channels of occupancy and colours."""
    return UNet2DModel(
        sample_size=SIZE // FOLD, in_channels=SEEN * FOLD**2, out_channels=sum(CHANNELS), layers_per_block=1,
        block_out_channels=(32, 80, 128), down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"), attention_head_dim=16, norm_num_groups=16,
    )  # fmt: skip


def volume_loss(network: UNet2DModel, inputs: torch.Tensor, occupancy: torch.Tensor, colours: torch.Tensor):
    """Return the loss of a guess: cross entropy and soft IoU of occupancy near the mask, colour at possible surfaces.

    inputs [B, SEEN, S, S], occupancy [B, D, S, S] and colours [B, 3, D / 2, S / 2, S / 2] in [0, 1], or UNKNOWN.
    """
    with torch.autocast("cpu", torch.bfloat16):
        logits, shades = guess(network, inputs)
    near = functional.max_pool2d(inputs[:, 3:4], 2 * AROUND + 1, 1, AROUND) > 0  # [B, 1, S, S]
    each = functional.binary_cross_entropy_with_logits(logits.float(), occupancy, reduction="none")
    outline = (each * near).sum() / (near.sum() * occupancy.shape[1])
    guessed = logits.float().sigmoid() * near
    both = (guessed * occupancy).sum((1, 2, 3))
    apart = 1 - (both / (guessed.sum((1, 2, 3)) + occupancy.sum((1, 2, 3)) - both).clamp_min(1)).mean()
    filled = functional.avg_pool3d(occupancy[:, None], COARSE)  # [B, 1, D / 2, S / 2, S / 2]
    surface = (functional.avg_pool3d(filled, 3, 1, 1) < 1 - LOST) & (filled > LOST) & (colours[:, :1] != UNKNOWN)
    off = (shades.float().sigmoid() - colours).abs().mean(1, keepdim=True)
    return outline + OVERLAP * apart + COLOURS * (off * surface).sum() / surface.sum().clamp_min(1)


class Examples:
    """The shards of a folder, at most `kept` of them at a time; those that come while it trains are taken up."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        self.folder, self.kept = folder, kept
        self.shards: dict[Path, dict[str, np.ndarray]] = {}

    def look_again(self, rng: random.Random) -> None:
        """Read shards that are not in memory; where there are too many, in the place of others."""
        new = [path for path in sorted(self.folder.glob("[0-9]" * 8 + ".npz")) if path not in self.shards]
        rng.shuffle(new)
        full = len(self.shards) >= self.kept
        for path in new[: EXCHANGED if full else self.kept - len(self.shards)]:
            if full:
                del self.shards[rng.choice(list(self.shards))]
            with np.load(path) as arrays:
                self.shards[path] = {name: arrays[name] for name in arrays.files}

    def batch(self, rng: random.Random) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw inputs, occupancy and colours, varied: half of them mirrored, some printed on or in other colours.

        All images are a little brighter, darker, noisier.
        """
        drawn = []
        forms = [shard for path, shard in self.shards.items() if int(path.stem) < MODELS_FROM]
        models = [shard for path, shard in self.shards.items() if int(path.stem) >= MODELS_FROM]
        for _ in range(EXAMPLES):
            modelled = models and (not forms or rng.random() < MODELLED_SHARE)
            shard = rng.choice(models if modelled else forms)
            which = rng.randrange(len(shard["place"]))
            drawn.append({name: array[which] for name, array in shard.items()})
        rgba, place, solid, shades = (
            torch.from_numpy(np.stack([one[name] for one in drawn])).float()
            for name in ("rgba", "place", "occupancy", "colours")
        )
        noise = torch.Generator().manual_seed(rng.getrandbits(32))
        elevation = (place[:, 0] + UNSURE * torch.randn(EXAMPLES, generator=noise)).clamp(-85, 85)
        cameras = orbit(torch.zeros(EXAMPLES), elevation, fov_degrees=place[:, 1], size=SIZE)
        images, colours = rgba[..., :3] / 255, shades / 255
        printed = torch.rand(EXAMPLES, generator=noise) < PRINTED_SHARE
        images = torch.where(printed[:, None, None, None], printed_on(images, rgba[..., 3:] / 255, rng), images)
        colours[printed] = UNKNOWN
        for i in range(EXAMPLES):
            if rng.random() < RECOLOURED_SHARE:
                order = rng.sample(range(3), 3)
                images[i], colours[i] = images[i][..., order], colours[i][order]
        gain = 1 + 0.08 * torch.randn(EXAMPLES, 1, 1, 3, generator=noise)
        grain = 0.03 * torch.rand(EXAMPLES, 1, 1, 1, generator=noise)
        grain = grain * torch.randn(EXAMPLES, SIZE, SIZE, 3, generator=noise)
        images = (images * gain + grain).clamp(0, 1)
        inputs = told(images, rgba[..., 3:] / 255, cameras)
        lit = (colours * gain[:, 0, 0, :, None, None, None]).clamp(0, 1)
        occupancy, colours = solid / 255, torch.where(colours == UNKNOWN, UNKNOWN, lit)
        turned = torch.rand(EXAMPLES, generator=noise) < 0.5
        inputs[turned] = mirrored(inputs[turned])
        occupancy[turned], colours[turned] = occupancy[turned].flip(-1), colours[turned].flip(-1)
        return inputs, occupancy, colours


def printed_on(images: torch.Tensor, masks: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """Return images [B, S, S, 3] with a part of the next one, moved, over each, where both have something.

    Shapes stay: a network that sees this does not take what is printed on a carton for a part of it.
    """
    shift = rng.randrange(SIZE), rng.randrange(SIZE)
    other, there = (torch.roll(each.roll(1, 0), shift, (1, 2)) for each in (images, masks))
    return torch.where(there * masks > 0.5, images + rng.uniform(0.5, 1) * (other - images), images)


def train_volume(folder: Path, volumes: Path, minutes: float, weights: Path | None = None) -> UNet2DModel:
    """Train on the shards of a folder (`examples.py`), which may grow meanwhile.

    Where there is no checkpoint it begins from the exported network in `weights`, if there is one.
    """
    network, examples = new_volume(), Examples(volumes)
    if weights is not None and (weights / "volume").is_dir() and not (folder / "volume.safetensors").exists():
        network.load_state_dict(UNet2DModel.from_pretrained(weights / "volume").state_dict())
    drawn = 0

    def loss_of_batch(rng: random.Random) -> torch.Tensor:
        nonlocal drawn
        if drawn % 100 == 0:
            examples.look_again(rng)
        drawn += 1
        return volume_loss(network, *examples.batch(rng))

    fit(folder, "volume", network, loss_of_batch, minutes, peak_rate=PEAK_RATE, batch=EXAMPLES, decay=0.998, muon=True)
    return network.eval()


def export_volume(weights: Path, network: UNet2DModel) -> None:
    """Write the network in diffusers' format, in fp16."""
    network.half().save_pretrained(weights / "volume")
