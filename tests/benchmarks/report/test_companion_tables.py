"""The companions' tables from figures that are made up."""

from __future__ import annotations

from benchmarks.report.companion_tables import companions, image_prompts, novel_views, volumes

SEEN = {
    f"{what}_{ground}": value
    for what, value in (("mask_iou", 0.9512), ("depth_pearson", 0.9), ("normal_error", 12.34))
    for ground in ("plain", "any_background")
}


def test_each_figure_stands_in_its_row_in_its_unit() -> None:
    words = {"reward_auc": 0.9, "reward_prefers_the_true_caption": 0.875, "image_encoder_category": 0.5}
    words["features_neighbour_of_the_same_category"] = 0.25
    rows = companions({"perception": SEEN | {"normal_error_plain": 10.0}, "words": words})
    assert {len(row) for row in rows} == {3} and len(rows) == 11
    assert rows[1][:2] == ["mask IoU, plain background", "0.951"]
    assert [row[1] for row in rows if row[0].startswith("normals")] == ["10.0 degrees", "12.3 degrees"]
    assert [row[1] for row in rows[-4:]] == ["0.900", "88%", "50%", "25%"]


def test_what_is_made_stands_beside_its_copy() -> None:
    figures = {f"{what}_{turn}_{who}": 10.0 + turn / 90 + (who == "made") for what in ("psnr", "iou")
               for turn in (30, 90, 180) for who in ("made", "copy")}  # fmt: skip
    assert novel_views({"novel_views": figures})[2] == ["90 degrees", "12.0 dB", "11.0 dB", "12.00", "11.00"]
    prompts = {tau: {"category_of_the_words": 1 - float(tau), "colour_of_the_picture": float(tau)}
               for tau in ("0", "0.5", "1")}  # fmt: skip
    found = image_prompts({"image_prompts": prompts})
    assert found[1:] == [["0", "100%", "0%"], ["0.5", "50%", "50%"], ["1", "0%", "100%"]]


def test_guessed_volumes_stand_beside_a_copy_and_less_it() -> None:
    def side(psnr: float, iou: float) -> dict[str, dict[str, list[float]]]:
        turns = ("30", "90", "180", "-90")
        return {
            "psnr": {turn: [psnr, psnr - 1, psnr + 1, psnr - 15, -0.26, 2.5] for turn in turns},
            "iou": {turn: [iou, iou - 0.1, iou + 0.1, iou - 0.5, -0.1, 0.2] for turn in turns},
        }

    figures = {"guessed": side(16.2, 0.6), "a copy": side(15.0, 0.5), "its outline, blown up": side(14.0, 0.4)}
    rows = volumes({"artists": {"objects": 12, "sides": figures}, "generated": {"objects": 40, "sides": figures}})
    assert rows[1][:3] == ["40 of the generator's", "30 degrees", "PSNR"]
    assert rows[1][3:] == ["15.0 dB", "14.0 dB", "16.2 dB", "+1.2 dB (-0.3 to +2.5)"]
    assert rows[2][2:] == ["silhouette IoU", "0.50", "0.40", "0.60", "+0.10 (-0.10 to +0.20)"]
    assert rows[9][0] == "12 artists' models" and len(rows) == 17
