"""The trainer of guessed volumes: its loss, its examples, and that it learns."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.embedded.training import loop
from backend.embedded.training.loop import Budget
from backend.embedded.volumes import training
from backend.embedded.volumes.training import Examples, export_volume, train_volume, volume_loss
from backend.vision.volume import COARSE, DEPTHS, SEEN, SIZE, load_volume


class Says(torch.nn.Module):
    """A network that says the same of every image."""

    def __init__(self, occupancy: float, colour: float) -> None:
        super().__init__()
        self.occupancy, self.colour = occupancy, colour

    def forward(self, folded: torch.Tensor, t: int):
        count, _, height, width = folded.shape
        solid = torch.full((count, 4 * DEPTHS, height, width), self.occupancy).logit()
        shades = torch.full((count, 3 * DEPTHS // COARSE, height, width), self.colour).logit()
        return type("Said", (), {"sample": torch.cat([solid, shades], 1)})


def seen() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return inputs whose mask is the left half, a slab behind it, and its colours, 0.2 everywhere."""
    inputs = torch.zeros(1, SEEN, SIZE, SIZE)
    inputs[:, 3] = -1
    inputs[:, 3, :, : SIZE // 2] = 1
    occupancy = torch.zeros(1, DEPTHS, SIZE, SIZE)
    occupancy[:, 8:16, :, : SIZE // 2] = 1
    return inputs, occupancy, torch.full((1, 3, DEPTHS // 2, SIZE // 2, SIZE // 2), 0.2)


def test_the_loss_is_cross_entropy_near_the_mask_and_the_error_of_colours_at_surfaces() -> None:
    inputs, occupancy, colours = seen()
    share = 8 / DEPTHS * (SIZE // 2) / (SIZE // 2 + 1)  # of the cells behind the mask and a pixel about it
    expected = -(share * np.log(0.25) + (1 - share) * np.log(0.75)) + 0.1
    assert float(volume_loss(Says(0.25, 0.3), inputs, occupancy, colours)) == pytest.approx(expected, abs=0.01)  # pyright: ignore
    colours[:, :, 14:] = 0.9  # far behind the slab, where nothing is
    assert float(volume_loss(Says(0.25, 0.3), inputs, occupancy, colours)) == pytest.approx(expected, abs=0.01)  # pyright: ignore


def shard(folder: Path, name: str = "00000000", count: int = 40) -> None:
    """Write examples of slabs as deep as their grey is bright."""
    draw = np.random.default_rng(0)
    grey = draw.integers(2, 14, count)
    rgba = np.zeros((count, SIZE, SIZE, 4), dtype=np.uint8)
    rgba[:, 8:56, 8:56, 3] = 255
    rgba[..., :3] = (grey * 16)[:, None, None, None]
    occupancy = np.zeros((count, DEPTHS, SIZE, SIZE), dtype=np.uint8)
    for one, deep in zip(occupancy, grey, strict=True):
        one[16 - deep : 16 + deep, 8:56, 8:56] = 255
    colours = np.broadcast_to((grey * 16)[:, None, None, None, None], (count, 3, DEPTHS // 2, SIZE // 2, SIZE // 2))
    np.savez(
        folder / f"{name}.npz", rgba=rgba, place=np.full((count, 2), 30, dtype=np.float32), occupancy=occupancy,
        colours=colours.astype(np.uint8),
    )  # fmt: skip


def test_examples_depend_on_the_generator_alone_and_mirror_all_together(tmp_path: Path) -> None:
    shard(tmp_path)
    examples = Examples(tmp_path)
    examples.look_again()
    one, again = examples.batch(random.Random(1)), examples.batch(random.Random(1))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    inputs, occupancy, colours = one
    assert inputs.shape[1:] == (SEEN, SIZE, SIZE) and colours.shape[1:] == (3, DEPTHS // 2, SIZE // 2, SIZE // 2)
    turned = inputs[:, 4, 0, 0] > inputs[:, 4, 0, -1]  # rays of the mirrored ones still lead to the right on the right
    assert not bool(turned.any())
    assert torch.equal((inputs[:, 3] > 0).float(), occupancy.amax(1))
    shard(tmp_path, "00000100")
    examples.look_again()
    assert len(examples.shards) == 2


class Steps(Budget):
    """A budget of as many steps as it has minutes: a busy machine takes longer, and comes as far."""

    done = 0

    @property
    def share(self) -> float:
        return min(1.0, 60 * self.done / self.seconds)

    def learning_rate(self, peak: float, step: int, warmup: int = 200) -> float:
        self.done += 1
        return super().learning_rate(peak, step, warmup=10)


@pytest.mark.slow
def test_it_learns_how_deep_things_are_and_is_loaded_by_the_product(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "EXAMPLES", 8)
    monkeypatch.setattr(loop, "Budget", Steps)
    shard(tmp_path)
    examples = Examples(tmp_path)
    examples.look_again()
    batch = examples.batch(random.Random(5))
    before = float(volume_loss(training.new_volume(), *batch).detach())
    (tmp_path / "training").mkdir()
    network = train_volume(tmp_path / "training", tmp_path, 50)
    after = float(volume_loss(network, *batch).detach())
    assert after < 0.9 * before
    trained = {name: value.clone() for name, value in network.state_dict().items()}
    export_volume(tmp_path, network)
    load_volume(str(tmp_path / "volume"))
    (tmp_path / "anew").mkdir()
    further = train_volume(tmp_path / "anew", tmp_path, 1, tmp_path)  # one step, of a rate that has just begun
    moved = max(float((value - trained[name]).abs().max()) for name, value in further.state_dict().items())
    assert moved < 0.01  # it goes on from what was exported
