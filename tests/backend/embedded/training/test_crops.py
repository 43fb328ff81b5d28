"""Crops: where there is something to see, and only of whole shards."""

from __future__ import annotations

import numpy as np
import torch

from backend.embedded.training.crops import crop_batch, finished_shards, load_shards


def test_crops_are_taken_rather_where_there_is_something_to_see():
    image = np.full((1, 128, 128, 3), 200, dtype=np.uint8)
    image[0, :32, :32] = np.random.default_rng(0).integers(0, 256, (32, 32, 3))
    hits = {}
    for edges in (False, True):
        crops = crop_batch([image], np.random.default_rng(1), 400, 64, edges=edges, varied=False)
        hits[edges] = float((crops.std(dim=(1, 2, 3)) > 0.01).float().mean())
    assert hits[True] > 1.5 * hits[False]


def test_varied_crops_hold_the_same_values_in_another_order():
    image = np.zeros((1, 128, 128, 3), dtype=np.uint8)
    image[..., 0], image[..., 1] = 255, 100
    crops = crop_batch([image], np.random.default_rng(0), 60, 64, edges=True, varied=True)
    assert crops.shape == (60, 3, 64, 64)
    values = crops.mean(dim=(2, 3))
    expected = torch.tensor([0, 100, 255]) / 127.5 - 1
    torch.testing.assert_close(values.sort(dim=1).values, expected.expand(60, 3))
    assert len(values.unique(dim=0)) == 6


def test_shards_that_are_being_written_are_left_alone(tmp_path):
    np.save(tmp_path / "0000.npy", np.zeros((2, 3, 16, 16, 3), dtype=np.uint8))
    np.save(tmp_path / "0001.npy", np.zeros((2, 16, 16, 3), dtype=np.uint8))
    np.save(tmp_path / "0002.partial.npy", np.zeros((2, 16, 16, 3), dtype=np.uint8))
    (tmp_path / "0000.json").write_text("[]")
    assert [path.name for path in finished_shards(tmp_path)] == ["0000.npy"]
    assert [shard.shape for shard in load_shards(tmp_path)] == [(6, 16, 16, 3)]
