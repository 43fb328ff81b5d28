"""Measures guessed volumes cell by cell: `python -m benchmarks.training.occupancies --folder F [--networks N ...]`.

The folder holds shards of `backend.embedded.volumes.model_examples --development`: artists' models of a set from which
nothing is taught. Weights are chosen by these figures, so the quality benchmark does not see the choice. A network is a
folder with diffusers' UNet2DModel, `embedded`, or a checkpoint of its training; names joined by + are their mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional

from backend.cameras import orbit
from backend.embedded.volumes.training import new_volume
from backend.vision.volume import COARSE, SIZE, VolumeNetwork, load_volume
from benchmarks.metrics.intervals import bootstrap, paired_bootstrap

BATCH = 16


def loaded(names: list[str]) -> VolumeNetwork:
    """Return a network; of several the one of their mean weights."""
    states = []
    for name in names:
        if name.endswith(".safetensors"):
            states.append({key[8:]: value for key, value in load_file(name).items() if key.startswith("average.")})
        else:
            states.append({key: value.float() for key, value in load_volume(name).network.state_dict().items()})
    network = new_volume()
    network.load_state_dict({key: torch.stack([state[key] for state in states]).mean(0) for key in states[0]})
    return VolumeNetwork(network.eval().requires_grad_(False))


def measured(network: VolumeNetwork, shard: Path) -> dict[str, list[float]]:
    """Return of each image of a shard the IoU of what is solid, and by how much colours at surfaces are wrong."""
    with np.load(shard) as arrays:
        rgba, place, solid, shades = (
            torch.from_numpy(arrays[name]).float() for name in ("rgba", "place", "occupancy", "colours")
        )
    found: dict[str, list[float]] = {"iou": [], "colours": []}
    for first in range(0, len(rgba), BATCH):
        part = slice(first, first + BATCH)
        cameras = orbit(torch.zeros(len(rgba[part])), place[part, 0], fov_degrees=place[part, 1], size=SIZE)
        guess = network(rgba[part, ..., :3] / 255, rgba[part, ..., 3:] / 255, cameras)
        ours, theirs = guess.occupancy > 0.5, solid[part] > 127
        both, either = (each.sum((1, 2, 3)) for each in (ours & theirs, ours | theirs))
        found["iou"] += (both / either.clamp_min(1)).tolist()
        filled = functional.avg_pool3d(solid[part][:, None] / 255, COARSE)[:, 0]  # [B, D / 2, S / 2, S / 2]
        surface = (filled > 0.01) & (functional.avg_pool3d(filled[:, None], 3, 1, 1)[:, 0] < 0.99)
        off = (guess.colours - shades[part] / 255).abs().mean(1)
        found["colours"] += ((off * surface).sum((1, 2, 3)) / surface.sum((1, 2, 3)).clamp_min(1)).tolist()
    return found


def main() -> int:
    """Print a line of JSON for each network: mean and 95 % interval over models, and less the first network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, nargs="+", required=True, help="of shards")
    parser.add_argument("--networks", nargs="*", default=["embedded"])
    parser.add_argument("--every", type=int, default=1, help="every so many shards, where time is short")
    options = parser.parse_args()
    torch.set_num_threads(1)
    shards = [path for folder in options.folder for path in sorted(folder.glob("[0-9]" * 8 + ".npz"))][:: options.every]
    if not shards:
        print(f"error: no shards in {options.folder[0]}: render them first (see --help)", file=sys.stderr)
        return 2
    first: dict[str, list[float]] = {}
    for name in options.networks:
        network = loaded(name.split("+"))
        each = [measured(network, shard) for shard in shards]
        means = {key: [float(np.mean(one[key])) for one in each] for key in each[0]}
        line: dict[str, object] = {"network": name, "models": len(shards)}
        for key, values in means.items():
            interval = bootstrap(values)
            line[key] = [round(value, 4) for value in (interval.mean, interval.low, interval.high)]
            if first:
                less = paired_bootstrap(values, first[key])
                line[f"{key} less"] = [round(value, 4) for value in (less.mean, less.low, less.high)]
        first = first or means
        print(json.dumps(line), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
