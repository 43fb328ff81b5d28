"""What comes along with a single file; tests/backend/models/test_importing.py converts a whole one."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from backend.models.checkpoint_file import shapes_in, write_tokenizer


def test_the_tokenizer_that_comes_along_is_clips(tmp_path: Path) -> None:
    """The numbers are those that every user of CLIP's tokenizer sees."""
    from transformers import CLIPTokenizer

    write_tokenizer(tmp_path)
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path, local_files_only=True)
    assert len(tokenizer) == 49408
    assert tokenizer("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]


def test_shapes_are_read_without_the_tensors(tmp_path: Path) -> None:
    save_file({"a.weight": torch.zeros(3, 2), "b": torch.zeros(())}, tmp_path / "x.safetensors")
    assert shapes_in(tmp_path / "x.safetensors") == {"a.weight": [3, 2], "b": []}
