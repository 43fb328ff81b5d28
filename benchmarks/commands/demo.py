"""Makes a 3D object from a sample image and says how good it is: `python -m benchmarks.commands.demo --out out/demo`.

The sample is an object of the generator whose shape lies outside what the embedded prior was trained on; its true form
is known, so the result can be measured from sides that the image does not show.
"""

from __future__ import annotations

from backend.runtime.leaving import LEFT, end_process, leave_when_told

if __name__ == "__main__":
    leave_when_told()

# What follows takes a busy machine seconds, and the process can be told to leave meanwhile.
import argparse
import json
import math
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from addon import protocol
from addon.processes import run_in_foreground
from backend.cameras import gltf_to_blender, orbit
from backend.embedded.objects.shapes import HELD_OUT, Subject, make_subject
from backend.embedded.objects.solids import photograph
from backend.images import load_image, save_image
from backend.meshes.mesh import Mesh
from backend.meshes.rasteriser import render_mesh, silhouette_iou
from backend.systems.reference import read_target
from benchmarks.metrics.framing import framed
from benchmarks.metrics.geometry import (
    align,
    aligned_chamfer,
    ball_points,
    billboard_points,
    chamfer,
    solid_mesh,
    surface_points,
)

PROMPT = "a red and gray robot"
ELEVATION, FOV = 15.0, 40.0


def sample_subject() -> Subject:
    """Return the demo's object: its seed and its shape are held out from training."""
    return make_subject(
        HELD_OUT.first_seed + 77, category="robot", colour="red", pattern="plain", hat=False, unseen=True
    )


def make_sample(path: Path) -> None:
    """Photograph the sample before a grey wall, 512 px."""
    camera = orbit([0.0], ELEVATION, fov_degrees=FOV, size=512)
    save_image(path, photograph(sample_subject().solid, camera, torch.full((3,), 0.86)).rgb[0])


def measure(job: Path) -> dict[str, float]:
    """Compare the job's mesh with the sample: at the given view, from eight others, and as a surface.

    The outlines are compared after a fit of the surfaces, and as the mesh stands by the camera of its image.
    """
    mesh = read_glb(job / protocol.MESH_FILE)
    stage = job / protocol.STAGES_FOLDER / "1-perceive"
    fov = json.loads((stage / "values.json").read_text())["fov_degrees"]
    target = read_target(stage, 0.0, ELEVATION, fov, size=128)  # what the optimisation sees
    rgb, mask, camera = target.rgb[0], target.mask[0], target.camera
    seen = render_mesh(mesh, camera)
    inside = mask > 0.5
    error = ((seen.rgb[0] - rgb) ** 2 * inside).sum() / (3 * inside.sum())
    solid = sample_subject().solid
    true, made = surface_points(solid_mesh(solid)), surface_points(mesh)
    scale, shift = align(made, true)
    placed = replace(mesh, vertices=mesh.vertices * scale + torch.tensor(shift, dtype=torch.float32))
    others = orbit([22.5 + 45 * i for i in range(8)], [5.0, 30.0] * 4, size=128)
    outlines = photograph(solid, others, torch.ones(3)).mask
    overlap = silhouette_iou(render_mesh(placed, others).alpha, outlines)
    given = orbit([0.0], ELEVATION, fov_degrees=FOV, size=256)
    photo = photograph(solid, given, torch.ones(3))
    _, origin, unit = framed(photo.rgb[0], photo.mask[0], given, 128)
    there = replace(mesh, vertices=mesh.vertices * unit + origin)
    return {
        "reference_mask_iou": float(silhouette_iou(seen.alpha, mask[None])),
        "reference_psnr": -10 * math.log10(float(error)),
        "other_views_iou": float(overlap.mean()),
        "other_views_worst_iou": float(overlap.min()),
        "framed_iou": float(silhouette_iou(render_mesh(there, others).alpha, outlines).mean()),
        "chamfer": chamfer(scale * made + shift, true),
        "chamfer_ball": aligned_chamfer(ball_points(), true),
        "chamfer_billboard": aligned_chamfer(billboard_points(mask, camera), true),
    }


def read_glb(path: Path) -> Mesh:
    """Return the mesh of a GLB with its texture, in Blender's axes, read by a program that is not ours."""
    import trimesh

    read: Any = trimesh.load(path, process=False, force="mesh")
    uv = torch.tensor(read.visual.uv, dtype=torch.float32)
    uv[:, 1] = 1 - uv[:, 1]  # trimesh turns glTF's v upside down
    texture = torch.from_numpy(np.array(read.visual.material.baseColorTexture.convert("RGB")) / 255.0).float()
    vertices = gltf_to_blender(torch.tensor(read.vertices, dtype=torch.float32))
    return Mesh(vertices, torch.tensor(read.faces), uv, texture)


def copy_results(job: Path, out: Path) -> None:
    """Copy what a job has made to where a newcomer looks first; not all that a job can make is made by each."""
    for path in sorted((job / protocol.RESULT_FOLDER).iterdir()):
        shutil.copyfile(path, out / path.name)


def contact_sheet(out: Path, mesh: Mesh) -> torch.Tensor:
    """Return the picture for the README: the image, the mesh from eight sides, and below the true object."""
    cameras = orbit(range(0, 360, 45), ELEVATION, fov_degrees=FOV, size=160)
    made = render_mesh(mesh, cameras).rgb
    true = photograph(sample_subject().solid, cameras, torch.ones(3)).rgb
    image = torch.nn.functional.interpolate(
        load_image(out / "sample.png")[0].permute(2, 0, 1)[None], (320, 320), mode="area"
    )
    return torch.cat([image[0].permute(1, 2, 0), torch.cat([torch.cat(list(row), 1) for row in (made, true)], 0)], 1)


def verdict(figures: dict[str, float]) -> str:
    """Return the figures as lines, each with its aim and whether that was met."""
    lines = [
        ("mask IoU at the given view", figures["reference_mask_iou"], 0.85, ""),
        ("PSNR inside the mask, dB", figures["reference_psnr"], 18.0, ""),
        ("silhouette IoU from eight other views, after alignment", figures["other_views_iou"], 0.7, ""),
        ("the same, where the image says that it stands", figures["framed_iou"], 0.7, ""),
        ("Chamfer distance, below that of a ball", -figures["chamfer"], -figures["chamfer_ball"], "below "),
        (
            "Chamfer distance, below that of a flat picture",
            -figures["chamfer"],
            -figures["chamfer_billboard"],
            "below ",
        ),
    ]
    return "\n".join(
        f"  {what}: {abs(value):.3g} (aim: {word}{abs(aim):.3g}{'' if value >= aim else ', MISSED'})"
        for what, value, aim, word in lines
    )


def can_go_on(out: Path, preset: str, seed: int) -> bool:
    """Say whether a demo of this preset and seed was broken off there; one that was finished begins anew."""
    request = out / "job" / "request.json"
    if not request.is_file() or (out / "measured.json").exists():
        return False
    asked = json.loads(request.read_text(encoding="utf-8"))
    return (asked["preset"], asked["seed"]) == (preset, seed)


def put_aside(out: Path) -> None:
    """Rename a finished demo, in the place of the one before it; remove what is no finished one."""
    if (out / "measured.json").exists():
        before = out.with_name(f"{out.name}-before")
        shutil.rmtree(before, ignore_errors=True)
        out.rename(before)
        print(f"The finished demo is now in {before}.", flush=True)
    shutil.rmtree(out, ignore_errors=True)


def main() -> int:
    """Run the demo and return the backend's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/demo"))
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0 means every core; 1 beside other programs")
    parser.add_argument("--results", type=Path, help="write the measured figures to this file too")
    parser.add_argument("--sheet", type=Path, help="write a picture of image, result and true object to this file")
    options = parser.parse_args()
    out, job = options.out, options.out / "job"
    if out.is_dir() and any(out.iterdir()) and not (out / "sample.png").is_file():
        print(f"{out} holds other things than a demo: give an empty folder with --out.", file=sys.stderr)
        return 2
    if not can_go_on(out, options.preset, options.seed):
        put_aside(out)
        out.mkdir(parents=True)
        make_sample(out / "sample.png")
    print(f"From {out / 'sample.png'} and the prompt {PROMPT!r}:", flush=True)
    command = [sys.executable, "-m", "backend", "generate", "--system", "tv3dg", "--prompt", PROMPT]
    command += ["--image", out / "sample.png", "--elevation", ELEVATION, "--fov", FOV]
    command += ["--preset", options.preset, "--seed", options.seed, "--threads", options.threads, "--out", job]
    started = time.monotonic()
    code = run_in_foreground([str(part) for part in command], stdout=subprocess.DEVNULL)
    if code:
        return code
    seconds = time.monotonic() - started
    copy_results(job, out)
    figures = {"seconds": round(seconds, 1), **measure(job)}
    for path in filter(None, (out / "measured.json", options.results)):
        path.write_text(json.dumps(figures, indent=2) + "\n")
    if options.sheet:
        save_image(options.sheet, contact_sheet(out, read_glb(out / "model.glb")))
    print(f"\nMade in {seconds:.0f} seconds. Against the true object:\n{verdict(figures)}")
    return 0


if __name__ == "__main__":
    code = main()
    if code == LEFT:
        end_process(code)
    sys.exit(code)
