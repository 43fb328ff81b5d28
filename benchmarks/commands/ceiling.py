"""Measures what the optimiser can reach with a perfect prior: `python -m benchmarks.commands.ceiling --out FILE`.

The product's own loop runs from the hull of four true sides, but its guidance is 7.5 times the difference to the
latents of the true view from the same camera, so that what is lost against the true views is lost by the optimiser.
`pixels` stands for an autoencoder that loses nothing. Beside them: what the autoencoder keeps of the true views, and
the start. The prior costs what a real run loses beyond this.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import pixel_unshuffle

from addon.protocol import Request
from addon.protocol.systems.tv3dg import TV3DG, TV3DGSettings
from backend.cameras import Cameras, orbit
from backend.diffusion.denoiser import Prior, load_prior
from backend.diffusion.guidance import Contexts, Guidance, GuidanceOptions, guidance_for
from backend.diffusion.joint_views import SeenView
from backend.embedded.objects.shapes import HELD_OUT, make_subject
from backend.rendering.splats import splat_renderer
from backend.representations.gaussians import Gaussians
from backend.runtime.control import Control
from backend.runtime.job import Job
from backend.runtime.machine import keep_freed_memory
from backend.systems.overrides import options_of
from backend.systems.tv3dg import begin, optimise
from backend.vision.calibration import Sides, calibration_cameras
from benchmarks.commands.demo import sample_subject
from benchmarks.data.draw import Draw, solid_views
from benchmarks.metrics.pictures import psnr

STRENGTH = 7.5  # as the scale of classifier-free guidance
PRESETS = ("bench", "draft")
HELD_OUT_AZIMUTHS, HELD_OUT_ELEVATIONS = [7.5 + 30.0 * i for i in range(12)], [5.0, 20.0, 35.0] * 4
PATCH = 8  # pixels of a side of what stands for a latent in `pixels`


@dataclass(frozen=True)
class PixelPrior:
    """A prior whose autoencoder loses nothing: its latents are the pixels of a picture in [-1, 1], rearranged."""

    prior: Prior

    def __getattr__(self, name: str) -> Any:
        return getattr(self.prior, name)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Return [B, 3 * PATCH^2, H / PATCH, W / PATCH]."""
        return pixel_unshuffle(images.permute(0, 3, 1, 2) * 2 - 1, PATCH)


@dataclass(frozen=True)
class PerfectGuidance(Guidance):
    """Guidance that knows the object: it pulls straight to the true view from each camera."""

    true: Draw = field(kw_only=True)
    asked: list[Cameras] = field(default_factory=list, kw_only=True)

    def contexts(
        self, prompt: str, negative_prompt: str, cameras: Cameras, *, tell_cameras: bool, against: str = "",
        background: str = "white", seen: SeenView | None = None,
    ) -> Contexts:  # fmt: skip
        """Note the cameras; there is nothing to say."""
        self.asked[:] = [cameras]
        return Contexts(torch.zeros(0), torch.zeros(0))

    def gradient(self, latents: torch.Tensor, t: int, contexts: Contexts, generator: torch.Generator) -> torch.Tensor:
        """Return STRENGTH times the latents' difference to those of the true views."""
        with torch.no_grad():
            return STRENGTH * (latents - self.prior.encode(self.true(self.asked[0]).rgb))


def perfect(prior: Any, settings: TV3DGSettings, true: Draw) -> PerfectGuidance:
    """Return guidance of a prior that knows what is to be made."""
    plain = guidance_for(prior, options_of(GuidanceOptions, replace(settings, loss="csm")))
    return PerfectGuidance(**vars(plain), true=true)


def true_sides(true: Draw, size: int) -> Sides:
    """Return the four sides of an object as they are."""
    cameras = calibration_cameras(size)
    seen = true(cameras)
    return Sides(cameras, seen.rgb, (seen.alpha > 0.5).float())


def run(guidance: Guidance, settings: TV3DGSettings, true: Draw) -> tuple[Gaussians, Gaussians, float]:
    """Return what the loop begins with, what it makes of it, and the seconds of that; in a throw-away job."""
    with tempfile.TemporaryDirectory() as folder:
        request = Request(system="tv3dg", prompt="it", seed=1, settings={"checkpoint_seconds": 1e6})
        job = Job(Path(folder), request, lambda event: None, Control())
        size, device = guidance.prior.image_size, guidance.prior.device
        first, _ = begin(job, settings, true_sides(true, size), None, device)
        copy, started = Gaussians(**first.state_dict()), time.perf_counter()
        made = job.stage("gaussians", lambda: optimise(job, guidance, "it", settings, first))
        return copy, Gaussians(**made), time.perf_counter() - started


def judged(gaussians: Gaussians, true: Draw, cameras: Cameras) -> dict[str, float]:
    """Return PSNR in dB of the splats at held-out cameras, whole pictures and inside the outline, count and size."""
    with torch.no_grad():
        made, wanted = splat_renderer(gaussians)(cameras, torch.ones(3)).rgb.clamp(0, 1), true(cameras)
    pixels = float((cameras.intrinsics[:, 0, 0] / cameras.position.norm(dim=-1)).mean())  # of a unit at the origin
    return {
        "whole": float(psnr(made, wanted.rgb).mean()),
        "inside": float(psnr(made, wanted.rgb, wanted.alpha).mean()),
        "gaussians": len(gaussians),
        "sigma_px": float(gaussians.scales.median()) * pixels,
    }


def kept_by_autoencoder(prior: Prior, true: Draw, cameras: Cameras) -> dict[str, float]:
    """Return PSNR in dB of true views that went through the autoencoder and back."""
    wanted = true(cameras)
    made = torch.cat([prior.decode(prior.encode(part)) for part in wanted.rgb.split(4)])
    return {
        "whole": float(psnr(made, wanted.rgb).mean()),
        "inside": float(psnr(made, wanted.rgb, wanted.alpha).mean()),
    }


def objects() -> dict[str, Draw]:
    """Return what is made: shapes and seeds that no training saw."""
    seed = HELD_OUT.first_seed
    teapot = make_subject(seed + 5, category="teapot", colour="purple", pattern="plain", hat=False, unseen=True)
    chair = make_subject(seed + 1, category="chair", colour="blue", pattern="plain", hat=False, unseen=True)
    chosen = {"robot": sample_subject(), "teapot": teapot, "chair": chair}
    return {name: solid_views(subject.solid) for name, subject in chosen.items()}


def measure(prior: Prior, preset: str, name: str, true: Draw, **changes: Any) -> dict[str, Any]:
    """Return the figures of one object in one preset."""
    settings = replace(TV3DG.presets[preset], **changes)
    cameras = orbit(HELD_OUT_AZIMUTHS, HELD_OUT_ELEVATIONS, size=prior.image_size)
    row: dict[str, Any] = {"object": name, "preset": preset, "autoencoder": kept_by_autoencoder(prior, true, cameras)}
    for space, encoder in (("latents", prior), ("pixels", PixelPrior(prior))):
        first, made, seconds = run(perfect(encoder, settings, true), settings, true)
        row["start"] = judged(first, true, cameras)
        row[space] = judged(made, true, cameras) | {"seconds": seconds}
    return row


def show(rows: list[dict[str, Any]]) -> None:
    """Print PSNR of held-out views, whole / inside the outline, and how many Gaussians of what median size."""
    for row in rows:
        parts = [f"{row['preset']:6s} {row['object']:7s}"]
        for what in ("autoencoder", "start", "latents", "pixels"):
            figures = row[what]
            text = f"{what} {figures['whole']:.1f} / {figures['inside']:.1f}"
            if "gaussians" in figures:
                text += f" ({figures['gaussians']}, {figures['sigma_px']:.2f} px)"
            parts.append(text)
        print("  ".join(parts), f" {row['latents']['seconds']:.0f} s", flush=True)


def means(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return the mean whole-picture PSNR over the objects, by preset and by what was measured."""
    spaces = ("autoencoder", "start", "latents", "pixels")
    return {
        preset: {s: statistics.mean(row[s]["whole"] for row in rows if row["preset"] == preset) for s in spaces}
        for preset in dict.fromkeys(row["preset"] for row in rows)
    }


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the figures as JSON."""
    figures = {"strength": STRENGTH, "views": len(HELD_OUT_AZIMUTHS), "means": means(rows), "rows": rows}
    path.write_text(json.dumps(figures, indent=1) + "\n")


def main() -> None:
    """Print the rows and write them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--gpu", action="store_true", help="measure on the first CUDA device")
    parser.add_argument("--prior", default="embedded", help="whose autoencoder it is")
    parser.add_argument("--presets", nargs="+", default=PRESETS, help="what is measured; FILE keeps its other rows")
    parser.add_argument("--objects", nargs="+", default=tuple(objects()), help="likewise")
    options = parser.parse_args()
    keep_freed_memory()  # as in a job
    prior = load_prior(options.prior, "cuda" if options.gpu else "cpu")
    known = json.loads(options.out.read_text())["rows"] if options.out and options.out.is_file() else []
    rows = {(row["preset"], row["object"]): row for row in known}
    for preset in options.presets:
        for name in options.objects:
            rows[preset, name] = measure(prior, preset, name, objects()[name])
            show([rows[preset, name]])
            if options.out:
                write(options.out, [rows[key] for key in sorted(rows)])


if __name__ == "__main__":
    main()
