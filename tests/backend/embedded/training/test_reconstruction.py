"""The autoencoder's training: its loss, what it is held to, and how it goes on."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from safetensors.torch import load_file

from backend.embedded.training import reconstruction
from backend.embedded.training.codecs import decode, encode, export_codec, fingerprint, load_codec, new_tiny
from backend.embedded.training.reconstruction import Recipe, codec_loss, psnr, reconstruction_loss, train_codec
from backend.weights import EMBEDDED

SMALL = Recipe(network="tiny", channels=5, whole=0)


def test_the_loss_counts_the_shade_of_neighbours():
    image = torch.zeros(1, 3, 16, 16)
    flat, striped = torch.full_like(image, 0.1), torch.zeros_like(image)
    striped[..., ::2], striped[..., 1::2] = 0.1, -0.1  # as far from the image, pixel by pixel
    assert reconstruction_loss(flat, image, 0) > reconstruction_loss(striped, image, 0)  # the mean of patches
    difference = reconstruction_loss(striped, image, 1) - reconstruction_loss(striped, image, 0)
    assert abs(float(difference) - 0.2) < 1e-6
    assert reconstruction_loss(flat, image, 1) == reconstruction_loss(flat, image, 0)
    assert reconstruction_loss(image, image, 1) == 0


def test_the_first_channels_are_held():
    torch.manual_seed(0)
    codec, images = new_tiny(5), torch.rand(2, 3, 64, 64) * 2 - 1
    recipe = replace(SMALL, half=False)
    with torch.no_grad():
        latents = encode(codec, images)
        torch.manual_seed(1)
        near, reconstruction = codec_loss(codec, recipe, images, lambda some: latents[: len(some), :4])
        torch.manual_seed(1)
        far, same = codec_loss(codec, recipe, images, lambda some: latents[: len(some), :4] + 2)
    assert abs(float(far - near) - 4) < 1e-4 and reconstruction == same


def test_training_goes_on_to_the_same_bits_and_begins_from_what_was_exported(tmp_path, renders, monkeypatch):
    def train(folder, steps: int, begin=None):
        """Take `steps` steps, by a clock that ticks once a step."""
        folder.mkdir(exist_ok=True)
        ticks = iter([0.0, *(60.0 * i / steps for i in range(steps + 2) for _ in range(2))])
        monkeypatch.setattr(reconstruction.time, "process_time", lambda: next(ticks))
        return train_codec(SMALL, folder, [renders], 1.0, EMBEDDED / "vae", begin)

    monkeypatch.setattr(reconstruction, "COOLDOWN", 1e-9)
    monkeypatch.setattr(reconstruction, "WARMUP", 1)
    straight = train(tmp_path / "a", 4)
    train(tmp_path / "b", 2)
    train(tmp_path / "b", 2)
    one, two = (load_file(tmp_path / name / "codec.safetensors") for name in "ab")
    assert one["count.step"] == 4 and all(torch.equal(one[name], two[name]) for name in one)
    images = torch.rand(1, 3, 64, 64)
    export_codec(straight, tmp_path / "exported")
    begun = train_codec(SMALL, tmp_path / "c", [renders], 0, EMBEDDED / "vae", tmp_path / "exported")
    with torch.no_grad():
        torch.testing.assert_close(encode(begun, images), encode(load_codec(tmp_path / "exported"), images))


def test_the_decoder_alone_can_be_trained_on_and_belongs_to_its_encoder(tmp_path, renders, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(reconstruction, "CHECKPOINT_SECONDS", 1e9)
    images, frozen = torch.rand(1, 3, 64, 64) * 2 - 1, replace(SMALL, frozen=True)
    exported = []
    for number in range(2):
        exported.append(tmp_path / str(number))
        export_codec(new_tiny(5), exported[-1])

    def train(begin, minutes: float):
        ticks = iter([0.0, 0.0, 0.0, 60.0, 60.0])
        monkeypatch.setattr(reconstruction.time, "process_time", lambda: next(ticks))
        return train_codec(frozen, tmp_path, [renders], minutes, EMBEDDED / "vae", begin)

    before, after = load_codec(exported[0]), train(exported[0], 1.0)
    with torch.no_grad():
        torch.testing.assert_close(encode(after, images), encode(before, images))
        assert fingerprint(after) == fingerprint(before)
        assert not torch.equal(decode(after, encode(before, images)), decode(before, encode(before, images)))
        again, other = train(exported[0], 0), train(exported[1], 0)
        assert torch.equal(decode(again, encode(before, images)), decode(after, encode(before, images)))
        second = load_codec(exported[1])
        torch.testing.assert_close(decode(other, encode(second, images)), decode(second, encode(second, images)))


def test_psnr_is_that_of_the_pictures():
    class Grey(torch.nn.Module):
        def encode(self, images):
            return type("Latents", (), {"latents": images})

        def decode(self, latents):
            return type("Pictures", (), {"sample": torch.zeros_like(latents)})

    white = np.full((1, 8, 8, 3), 255, dtype=np.uint8)
    assert abs(psnr(Grey(), white)[0] - 6.0206) < 1e-3
