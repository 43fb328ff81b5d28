"""Latents are taken up once, outlive their renders, and are of nothing that is held out."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import json

import pytest
import torch

from backend.embedded.objects.shapes import COLOURS
from backend.embedded.objects.world import HELD_OUT_2
from backend.embedded.training.codecs import fingerprint, new_tiny
from backend.embedded.training.latent_stream import Rows, is_held_out, take_up


def test_new_shards_are_encoded_once_and_outlive_their_renders(tmp_path, renders):
    torch.manual_seed(0)
    codec, rows = new_tiny(5, width=8).eval(), Rows()
    assert take_up(rows, tmp_path, [renders], codec, 3) == 1
    assert rows.groups == [[0, 1, 2], [3, 4, 5]] and rows.latents[0].shape == (5, 16, 16)
    assert take_up(rows, tmp_path, [renders], codec, 3) == 0
    for path in renders.iterdir():
        path.unlink()
    again = Rows()
    assert take_up(again, tmp_path, [renders], codec, 3) == 1
    assert all(torch.equal(a, b) for a, b in zip(rows.latents, again.latents, strict=True))
    assert fingerprint(codec) != fingerprint(new_tiny(5, width=8))


def test_what_is_held_out_is_refused(tmp_path, renders):
    codec, rows = new_tiny(5, width=8).eval(), Rows()
    pair = next((c, k) for c in ("mug", "chair") for k in COLOURS if HELD_OUT_2.pair(c, k))
    fine = {"seed": 3, "modality": "rgb", "category": "mug", "colour": next(k for k in COLOURS if k != pair[1])}
    for wrong in ({"seed": HELD_OUT_2.first_seed}, {"category": "turtle"}, {"category": pair[0], "colour": pair[1]}):
        assert is_held_out(fine | wrong)
        (renders / "00000000.json").write_text(json.dumps([fine] * 5 + [fine | wrong]))
        with pytest.raises(ValueError, match="must not see"):
            take_up(rows, tmp_path, [renders], codec, 1)
    assert not is_held_out(fine) and not is_held_out(fine | {"free": True, "category": pair[0], "colour": pair[1]})
