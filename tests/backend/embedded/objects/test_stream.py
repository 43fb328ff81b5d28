"""The stream of shards: whole, in order, resumed, a ring, and nothing that is held out."""

from __future__ import annotations

import numpy as np
import pytest

from backend.embedded.objects import world
from backend.embedded.objects.stream import load_shard, next_seed, shards, stream, trim, write_shard


def fake_group(seed: int, views: int, **wrong) -> tuple[np.ndarray, list[dict]]:
    fact = {"seed": seed, "category": "mug", "free": False, "colour": "teal"} | wrong
    return np.zeros((views, 8, 8, 3), np.uint8), [fact] * views


def test_a_stream_writes_whole_shards_in_order_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("backend.embedded.objects.stream.SHARD_GROUPS", 2)
    monkeypatch.setattr("backend.embedded.objects.stream.render_group", fake_group)
    assert [path.stem for path in stream(tmp_path, groups=4)] == ["00000000", "00000002"]
    (tmp_path / "00000004.partial").write_bytes(b"broken off")
    assert [path.stem for path in stream(tmp_path, groups=2)] == ["00000004"] and next_seed(tmp_path) == 6
    assert [path.stem for path in stream(tmp_path / "other", groups=2, first=8)] == ["00000008"]
    pictures, facts = load_shard(shards(tmp_path)[1])
    assert pictures.shape[0] == len(facts) == 2 and [f[0]["seed"] for f in facts] == [2, 3]
    assert trim(tmp_path, 2.5 * shards(tmp_path)[0].stat().st_size / 1e9) == 1
    assert [path.stem for path in shards(tmp_path)] == ["00000002", "00000004"]


@pytest.mark.parametrize("wrong", [{"category": "turtle"}, {"colour": "red"}])
def test_a_stream_refuses_what_is_held_out(tmp_path, monkeypatch, wrong: dict):
    monkeypatch.setattr("backend.embedded.objects.stream.render_group", lambda s, v: fake_group(s, v, **wrong))
    with pytest.raises(AssertionError):
        write_shard(tmp_path, 0, 1, 2)


def test_a_stream_refuses_seeds_of_evaluation(tmp_path, monkeypatch):
    monkeypatch.setattr("backend.embedded.objects.stream.render_group", fake_group)
    write_shard(tmp_path, world.HELD_OUT_2.first_seed - 1, 1, 2)
    with pytest.raises(AssertionError, match="held out"):
        write_shard(tmp_path, world.HELD_OUT_2.first_seed - 1, 2, 2)
