"""Rows of what graphics cards can do with Stable Diffusion as the floor predicts it, and of predictions beside runs."""

from __future__ import annotations

from typing import Any

from addon.protocol import SYSTEMS, preflight
from backend.weights import EMBEDDED
from benchmarks.cards import predicted

# Card -> gigaoperations a second in half precision: its published peak, times the share of that which Stable Diffusion
# was seen to reach elsewhere (0.40 to 0.45). None of them was measured by us.
CARDS = {
    "RTX 4060, 8 GB": 24_000.0, "RTX 3090, 24 GB": 32_000.0, "RTX 4090, 24 GB": 74_000.0, "A100, 40 GB": 125_000.0,
    "H100, 80 GB": 445_000.0,
}  # fmt: skip
PROCESSOR = 200.0  # of the machine around the card, with eight cores; assumed
FREE = (4, 6, 8, 12, 16, 24)  # GB
GIVEN = {"tv3dg": (set(), 0), "dreambooth3d": ({"subject"}, 4), "customize_it_3d": ({"reconstruct"}, 1)}
PRESETS = ("draft", "standard", "paper")


def card(gflops: float) -> preflight.Speed:
    """Return the speed of a machine with a card."""
    return preflight.Speed(
        device="a GPU", threads=8, processor=PROCESSOR, small=gflops, large=gflops, half=True
    )  # fmt: skip


def memory() -> list[list[str]]:
    """Return, by system and preset, the memory that is predicted, and what is done where less is free."""
    by_level = [f"{each} at a time" if each else "all pictures at once" for each in preflight.TOGETHER]
    rows = [["", *by_level, *(f"with {free} GB free" for free in FREE)]]
    for name, system in SYSTEMS.items():
        for preset in PRESETS:
            needed = [
                preflight.memory(
                    name, system.presets[preset], preflight.STABLE_DIFFUSION_BASE, card(1.0), each
                ) / preflight.GB
                for each in preflight.TOGETHER
            ]  # fmt: skip
            chosen = [next((i for i, each in enumerate(needed) if each <= free), -1) for free in FREE]
            words = ["all", *(str(each) for each in preflight.TOGETHER if each), "too little"]
            sizes = [f"{each:.1f} GB" for each in needed]
            rows.append([f"{system.label}, {preset}", *sizes, *(words[i] for i in chosen)])
    return rows


def times() -> list[list[str]]:
    """Return, by system and preset, how long the cards are predicted to take."""
    rows = [["", *CARDS]]
    for name, system in SYSTEMS.items():
        roles, images = GIVEN[name]
        for preset in PRESETS:
            found = [
                preflight.forecast(
                    name, system.presets[preset], roles, images, ("mesh",), preflight.STABLE_DIFFUSION_BASE, card(each)
                )
                for each in CARDS.values()
            ]
            rows.append([f"{system.label}, {preset}", *(preflight.duration(each.seconds) for each in found)])
    return rows


def tried(figures: dict[str, Any]) -> list[list[str]]:
    """Return predictions beside what happened, of jobs on the embedded prior with one thread, in its processor time."""
    rows = [["job", "predicted", "measured", "off by", "memory predicted", "memory measured"]]
    for job in figures["jobs"]:
        system, (roles, images) = SYSTEMS[job["system"]], GIVEN[job["system"]]
        speed = preflight.Speed(device="cpu", threads=1, processor=figures["gflops"], small=figures["gflops"])
        base, settings = preflight.read_base(EMBEDDED), system.presets[job["preset"]]
        count = job.get("images", images)
        found = preflight.forecast(system.name, settings, roles, count, ("mesh", "points"), base, speed)
        off = found.seconds / job["seconds"] - 1
        rows.append(
            [f"{system.label}, {job['preset']}", f"{found.seconds:.0f} s", f"{job['seconds']:.0f} s", f"{off:+.0%}",
             f"{found.memory / preflight.GB:.1f} GB", f"{job['memory_bytes'] / preflight.GB:.1f} GB"]
        )  # fmt: skip
    return rows


def steps(figures: dict[str, Any]) -> list[list[str]]:
    """Return predictions beside single steps at Stable Diffusion's true size, in processor time of one thread."""
    rows = [["a step of", "predicted", "measured", "off by", "memory predicted", "memory measured"]]
    for row in figures["rows"]:
        found, stage = predicted.prediction(row), SYSTEMS[row["system"]].stage(row["stage"])
        assert stage is not None
        seconds = found.stages[stage.name]
        memory = f"{found.memory / preflight.GB:.1f} GB" if row["stage"] != "teaching" else ""
        rows.append(
            [f"{SYSTEMS[row['system']].label}, {stage.label}", f"{seconds:.0f} s", f"{row['seconds']:.0f} s",
             f"{seconds / row['seconds'] - 1:+.0%}", memory, f"{row['memory_bytes'] / preflight.GB:.1f} GB"]
        )  # fmt: skip
    return rows


def full_size(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of steps at full size, each lever against what a job does by itself."""
    rows = [["system, stage", "lever", "precision", "UNet images", "step", "floor", "step / floor", "most memory"]]
    for row in figures["rows"]:
        named = [f"{SYSTEMS[row['system']].label}, {row['stage']}", row["lever"], row.get("precision", "")]
        if "failed" in row:
            rows.append([*named, "", "too little memory", "", "", ""])
            continue
        times = [f"{row['step_ms']:.0f} ms", f"{row['floor_ms']:.0f} ms", f"{row['step_over_floor']:.2f}"]
        rows.append([*named, f"{row['unet_images']:.1f}", *times, f"{row['peak_gib']:.1f} GiB"])
    return rows
