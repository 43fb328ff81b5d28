"""Tries recipes of the autoencoder at equal minutes: `python -m benchmarks.training.autoencoders --minutes 5`.

Every recipe trains for the same minutes of process time on one thread, from where it begins; what is judged are
reconstructions of held-out renders and of the pictures from outside. Rows that the file already has are kept.
"""

# pyright: reportArgumentType=false, reportCallIssue=false
# diffusers and torch annotate less than they take.
from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from backend.embedded.objects.data import render_object
from backend.embedded.objects.shapes import HELD_OUT
from backend.embedded.train_next import NEXT
from backend.embedded.training.codecs import encode, load_codec
from backend.embedded.training.crops import to_network
from backend.embedded.training.reconstruction import Recipe, codec_loss, new_codec, psnr, train_codec
from backend.images import load_image, save_image
from backend.weights import EMBEDDED

OUTSIDE = Path(__file__).parents[1] / "outside"
TINY = Recipe(whole=0.1)
KL = replace(TINY, network="kl", channels_last=False)
PLAIN = replace(
    KL, channels=4, hold=0, half=False, channels_last=True, edges=False, varied=False, gradient=0, muon=False
)
RECIPES = {
    "KL 4, as today": PLAIN,
    "KL 4, bf16": replace(PLAIN, half=True, channels_last=False),
    "KL 8, held": replace(KL, edges=False, varied=False, gradient=0),
    "KL 8, held, edges, varied, gradient": KL,
    "KL 8, held, half size too": replace(KL, smaller=0.5),
    "KL 16, held": replace(KL, channels=16),
    "tiny 4, held": replace(TINY, channels=4),
    "tiny 8, held": TINY,
    "tiny 8, held, Adam": replace(TINY, muon=False),
    "tiny 8, held, half size too": replace(TINY, smaller=0.5),
    "tiny 16, held": replace(TINY, channels=16),
}


def held_out_renders(objects: int = 24) -> np.ndarray:
    """Return uint8 [N, H, W, 3]: four views each of held-out objects of the first generation's world."""
    views = [render_object(HELD_OUT.first_seed + i, 4, modalities=False, unseen=True)[0] for i in range(objects)]
    return np.concatenate(views)


def outside_pictures() -> np.ndarray:
    """Return uint8 [N, 128, 128, 3]: the objects that Blender drew, shrunk to what the prior sees."""
    images = [load_image(path)[0] for path in sorted(OUTSIDE.glob("*.png"))]
    shrunk = [torch.nn.functional.adaptive_avg_pool2d(i.permute(2, 0, 1), 128).permute(1, 2, 0) for i in images]
    return (255 * torch.stack(shrunk)).round().byte().numpy()


def judged(codec: Any, renders: np.ndarray, outside: np.ndarray) -> dict[str, object]:
    """Return what the table says of an autoencoder: mean PSNR on both sets, and the worst picture from outside."""
    inside, other = psnr(codec, renders), psnr(codec, outside)
    return {
        "held_out": round(sum(inside) / len(inside), 2),
        "outside": round(sum(other) / len(other), 2),
        "outside_each": [round(v, 1) for v in other],
    }


def cost(codec: Any, renders: np.ndarray, shipped: Path) -> dict[str, float]:
    """Return GFLOP of encoding and decoding an image, parameters, and how far the first four channels are from today's.

    The distance is the RMS difference over the RMS of today's latents.
    """
    images = to_network(renders[:8])
    with torch.no_grad():
        with FlopCounterMode(display=False) as encoding:
            latents = encode(codec, images)
        with FlopCounterMode(display=False) as decoding:
            codec.decode(latents)
        today = encode(load_codec(shipped), images)
        distance = (latents[:, :4] - today).square().mean().sqrt() / today.square().mean().sqrt()
    return {
        "encode_gflop": round(encoding.get_total_flops() / 8e9, 3),
        "decode_gflop": round(decoding.get_total_flops() / 8e9, 3),
        "parameters_m": round(sum(p.numel() for p in codec.parameters()) / 1e6, 3),
        "distance_to_todays_latents": round(float(distance), 3),
    }


def speeds(steps: int = 4) -> dict[str, float]:
    """Return milliseconds of process time for a crop of 64 px, forward and back, in each number and memory format."""
    found = {}
    for network in ("kl", "tiny"):
        for last in (False, True):
            for half in (False, True):
                recipe = replace(TINY, network=network, half=half, channels_last=last, from_shipped=False)
                codec, images = new_codec(recipe, load_codec(EMBEDDED / "vae")), torch.rand(16, 3, 64, 64) * 2 - 1
                kind = torch.channels_last if last else torch.contiguous_format
                torch.nn.Module.to(codec, memory_format=kind)
                started = 0.0
                for step in range(steps + 1):
                    if step == 1:  # the first one also prepares
                        started = time.process_time()
                    codec_loss(codec, recipe, images.contiguous(memory_format=kind), None)[0].backward()
                name = f"{network}, {'bf16' if half else 'fp32'}, channels {'last' if last else 'first'}"
                found[name] = round(1000 * (time.process_time() - started) / steps / len(images), 1)
    return found


def sheet(codecs: list[Any], renders: np.ndarray, outside: np.ndarray, path: Path) -> None:
    """Write a picture, twice as big: true images above, and below what each autoencoder makes of them."""
    chosen = np.concatenate([renders[3::13][:5], outside])
    images = to_network(chosen)
    rows = [images]
    for codec in codecs:
        with torch.no_grad():
            rows.append(codec.decode(encode(codec, images)).sample.clamp(-1, 1))
    strip = torch.cat([torch.cat(list(row.permute(0, 2, 3, 1)), 1) for row in rows], 0)
    save_image(path, ((strip + 1) / 2).repeat_interleave(2, 0).repeat_interleave(2, 1))


def main() -> None:
    """Train and judge every recipe that is asked for and not yet in the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/autoencoders.json"))
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--renders", type=Path, nargs="+", default=[Path(".cache/embedded/renders")])
    parser.add_argument("--only", nargs="+", choices=list(RECIPES))
    parser.add_argument("--cache", type=Path, default=Path(".cache/embedded/autoencoders"))
    parser.add_argument("--sheet", type=Path, help="write a picture of today's and the next reconstructions, and stop")
    parser.add_argument("--exported", action="store_true", help="judge the exported autoencoder anew, and stop")
    parser.add_argument("--speed", action="store_true", help="print what a crop costs in each format, and stop")
    options = parser.parse_args()
    torch.set_num_threads(1)
    renders, outside, shipped = held_out_renders(), outside_pictures(), EMBEDDED / "vae"
    if options.sheet:
        sheet([load_codec(shipped), load_codec(NEXT / "vae")], renders, outside, options.sheet)
        return
    if options.speed:
        print(json.dumps(speeds(), indent=1))
        return
    table = json.loads(options.out.read_text()) if options.out.exists() else {"rows": {}}
    if "today" not in table["rows"]:
        codec = load_codec(shipped)
        table["rows"]["today"] = judged(codec, renders, outside) | cost(codec, renders, shipped)
    if options.exported:
        codec = load_codec(NEXT / "vae").eval()
        table["rows"]["exported"] = judged(codec, renders, outside) | cost(codec, renders, shipped)
        print(table["rows"]["exported"])
        options.out.write_text(json.dumps(table, indent=1) + "\n")
        return
    for name in options.only or RECIPES:
        if name in table["rows"]:
            continue
        folder = options.cache / name.replace(" ", "-").replace(",", "")
        folder.mkdir(parents=True, exist_ok=True)
        started = time.process_time()
        codec = train_codec(RECIPES[name], folder, options.renders, options.minutes, shipped)
        table["rows"][name] = {
            **judged(codec, renders, outside), **cost(codec, renders, shipped),
            "minutes": round((time.process_time() - started) / 60, 1), "recipe": asdict(RECIPES[name]),
        }  # fmt: skip
        print(name, table["rows"][name], flush=True)
        options.out.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
