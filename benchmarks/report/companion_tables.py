"""The rows of the companions' tables, made from `benchmarks/results/companions.json`."""

from __future__ import annotations

from typing import Any


def companions(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of what the companions see, draw and prefer: what, measured, aim or what is usual."""
    seen, words = figures["perception"], figures["words"]
    return [
        ["", "measured", "aim"],
        *(
            [
                [f"mask IoU, {ground}", f"{seen[f'mask_iou_{key}']:.3f}", "0.95"],
                [f"depth, Pearson correlation, {ground}", f"{seen[f'depth_pearson_{key}']:.3f}", "0.95"],
                [f"normals, mean error, {ground}", f"{seen[f'normal_error_{key}']:.1f} degrees", "15 degrees"],
            ][i]
            for i in range(3)
            for key, ground in (("plain", "plain background"), ("any_background", "any background"))
        ),
        ["reward: AUC of true against corrupted captions", f"{words['reward_auc']:.3f}", "0.5 is chance"],
        ["reward prefers the true caption", f"{words['reward_prefers_the_true_caption']:.0%}", "chance 50 %"],
        ["image encoder: category among 24 words", f"{words['image_encoder_category']:.0%}", "chance 4 %"],
        ["features: nearest picture of another object has the category",
         f"{words['features_neighbour_of_the_same_category']:.0%}", "chance 4 %"],
    ]  # fmt: skip


def novel_views(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of novel views beside those of copying the reference."""
    views = figures["novel_views"]
    rows = [["turned by", "PSNR", "of a copy of the reference", "silhouette IoU", "of a copy"]]
    for turn in (30, 90, 180):
        numbers = [f"{views[f'psnr_{turn}_{what}']:.1f} dB" for what in ("made", "copy")]
        numbers += [f"{views[f'iou_{turn}_{what}']:.2f}" for what in ("made", "copy")]
        rows.append([f"{turn} degrees", *numbers])
    return rows


VOLUME_SETS = {"generated": "of the generator's", "image": "single images", "artists": "artists' models"}


def volumes(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of guessed volumes: sides of them beside those of a copy, and less these, pair by pair."""
    rows = [
        ["objects", "turned by", "measure", "a copy of the front", "its outline, blown up", "guessed",
         "guessed less a copy"],
    ]  # fmt: skip
    for name, called in VOLUME_SETS.items():
        if name not in figures:
            continue
        sides = figures[name]["sides"]
        for turn in ("30", "90", "180", "-90"):
            for measure, unit, digits in (("psnr", " dB", 1), ("iou", "", 2)):
                copy, blown, own = (sides[who][measure][turn] for who in ("a copy", "its outline, blown up", "guessed"))
                less = f"{own[3]:+.{digits}f}{unit} ({own[4]:+.{digits}f} to {own[5]:+.{digits}f})"
                rows.append(
                    [
                        f"{figures[name]['objects']} {called}", f"{turn} degrees",
                        "PSNR" if measure == "psnr" else "silhouette IoU",
                        *(f"{one[0]:.{digits}f}{unit}" for one in (copy, blown, own)), less,
                    ]
                )  # fmt: skip
    return rows


def image_prompts(figures: dict[str, Any]) -> list[list[str]]:
    """Return the rows of image prompts of another category: what is left of the words, what comes of the picture."""
    prompts = figures["image_prompts"]
    rows = [["tau", "category of the words", "main colour of the picture"]]
    for tau in ("0", "0.5", "1"):
        row = prompts[tau]
        rows.append([tau, f"{row['category_of_the_words']:.0%}", f"{row['colour_of_the_picture']:.0%}"])
    return rows
