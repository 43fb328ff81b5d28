"""Begins a network from one that was trained for less: more latent channels, more words, longer captions."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# diffusers and transformers annotate their defaults, not what they take.
from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import CLIPTokenizer

EMBEDDING = "embeddings.token_embedding.weight"
POSITION = "embeddings.position_embedding.weight"


@torch.no_grad()
def begin_unet(unet: torch.nn.Module, path: Path) -> None:
    """Fill a UNet from a file; latent channels that the file does not know are neither heard nor drawn at first."""
    given = {name: value.float() for name, value in load_file(path).items()}
    state = unet.state_dict()
    for name in ("conv_in.weight", "conv_out.weight", "conv_out.bias"):
        wide = torch.zeros_like(state[name], device="cpu")
        wide[tuple(slice(0, side) for side in given[name].shape)] = given[name]
        given[name] = wide
    unet.load_state_dict(given)


@torch.no_grad()
def begin_text_encoder(encoder: torch.nn.Module, tokenizer: CLIPTokenizer, folder: Path) -> list[str]:
    """Fill a text encoder from a prior's folder, word by word, and return the tokens that it did not know.

    Those begin as the mean of the tokens that they were cut into before; positions beyond the old ones as the last.
    """
    old: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
    given = {name: value.float() for name, value in load_file(folder / "text_encoder" / "model.safetensors").items()}
    prefix = next(name for name in given if name.endswith(EMBEDDING)).removesuffix(EMBEDDING)
    known, before, state = old.get_vocab(), given[prefix + EMBEDDING], encoder.state_dict()
    words = torch.empty(state[prefix + EMBEDDING].shape)
    fresh = []
    for token, number in tokenizer.get_vocab().items():
        if token in known:
            words[number] = before[known[token]]
        else:
            pieces = old(token.removesuffix("</w>"), add_special_tokens=False).input_ids
            words[number] = before[pieces].mean(dim=0)
            fresh.append(token)
    positions = given[prefix + POSITION]
    longer = positions[-1:].expand(max(0, len(state[prefix + POSITION]) - len(positions)), -1)
    given[prefix + EMBEDDING] = words
    given[prefix + POSITION] = torch.cat([positions, longer])[: len(state[prefix + POSITION])]
    encoder.load_state_dict(given)
    return fresh
