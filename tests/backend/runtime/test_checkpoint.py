"""Tensors and values to files and back, bit for bit; each file is whole or not there, and damaged ones are named."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from addon import protocol
from backend.errors import BadInput
from backend.runtime.checkpoint import (
    StateGroup,
    load_checkpoint,
    load_values,
    save_checkpoint,
    save_values,
    sha256,
    write_whole,
)

CONTENT: dict[str, Any] = {
    "step": 7, "rate": 0.1, "name": "ü", "none": None, "is_on": True, "list": [1, [2.5, "x"]],
    "state": {0: {"m": torch.tensor([1.0, -0.0, float("inf")])}, 1: torch.tensor([[1, 2]], dtype=torch.int64)},
    "$dollar": torch.tensor(3.0, dtype=torch.float16), "a": {"b": torch.zeros(2)}, "a/b": torch.ones(2),
}  # fmt: skip


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype and one.numpy().tobytes() == other.numpy().tobytes()
    elif isinstance(one, dict):
        assert list(one) == list(other) and [type(key) for key in one] == [type(key) for key in other]
        for key in one:
            assert_same(one[key], other[key])
    else:
        assert one == other and type(one) is type(other)


def test_nested_content_comes_back_bit_for_bit(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a.safetensors", CONTENT)
    assert_same(CONTENT, load_checkpoint(tmp_path / "a.safetensors"))
    save_values(tmp_path / "folder", CONTENT)
    assert_same(CONTENT, load_values(tmp_path / "folder"))
    save_values(tmp_path / "plain", {"x": (1, 2)})
    assert load_values(tmp_path / "plain") == {"x": [1, 2]} and not (tmp_path / "plain/tensors.safetensors").exists()


def test_an_optimiser_goes_on_from_it_as_if_nothing_had_happened(tmp_path: Path) -> None:
    def start() -> tuple[torch.nn.Linear, torch.optim.Adam]:
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 2)
        return network, torch.optim.Adam(network.parameters(), lr=0.1)

    def step(network: torch.nn.Linear, optimiser: torch.optim.Adam) -> None:
        optimiser.zero_grad()
        network(torch.ones(1, 3)).square().sum().backward()
        optimiser.step()

    straight = start()
    for _ in range(2):
        step(*straight)
    save_checkpoint(
        tmp_path / "a.safetensors", StateGroup(dict(zip(("network", "adam"), straight, strict=True))).state_dict()
    )
    step(*straight)
    resumed = start()
    group = StateGroup(dict(zip(("network", "adam"), resumed, strict=True)))
    group.load_state_dict(load_checkpoint(tmp_path / "a.safetensors"))
    step(*resumed)
    assert torch.equal(resumed[0].weight, straight[0].weight)


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff" * 9])
def test_a_damaged_file_is_named_with_a_remedy(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.safetensors is damaged") as caught:
        load_checkpoint(tmp_path / "a.safetensors")
    assert "the work since then is redone" in caught.value.hint
    save_values(tmp_path / "folder", CONTENT)
    (tmp_path / "folder/tensors.safetensors").unlink()
    with pytest.raises(BadInput, match="folder is damaged"):
        load_values(tmp_path / "folder")


def test_what_is_neither_tensor_nor_json_is_refused_by_its_place_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a/1 is a set; only tensors and JSON"):
        save_checkpoint(tmp_path / "a.safetensors", {"a": [1, {2}]})
    assert list(tmp_path.iterdir()) == []


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "file"
    write_whole(path, b"old")
    assert sha256(path) == hashlib.sha256(b"old").hexdigest()

    def crash(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    monkeypatch.undo()
    write_whole(path, b"new")  # whatever the crash has left
    assert path.read_bytes() == b"new" and list(path.parent.iterdir()) == [path]


def test_a_sentence_comes_back_as_one_that_can_be_translated(tmp_path: Path) -> None:
    save_values(tmp_path, {"doubts": [[protocol.Phrase("{count} pieces", count=3), "as it is"]]})
    ((told, plain),) = load_values(tmp_path)["doubts"]
    assert isinstance(told, protocol.Phrase) and told.template == "{count} pieces" and told == "3 pieces"
    assert plain == "as it is" and not isinstance(plain, protocol.Phrase)
