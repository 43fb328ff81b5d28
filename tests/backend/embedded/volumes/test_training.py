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
from backend.embedded.volumes.examples import MODELS_FROM
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


def test_the_loss_is_cross_entropy_and_overlap_near_the_mask_and_the_error_of_colours_at_surfaces() -> None:
    inputs, occupancy, colours = seen()
    share = 8 / DEPTHS * (SIZE // 2) / (SIZE // 2 + 1)  # of the cells behind the mask and a pixel about it
    cells = SIZE * (SIZE // 2 + 1) * DEPTHS
    overlap = 0.25 * share / (0.25 + share - 0.25 * share)  # soft IoU, of shares of those cells
    assert share * cells == pytest.approx(float(occupancy.sum()))
    expected = -(share * np.log(0.25) + (1 - share) * np.log(0.75)) + training.OVERLAP * (1 - overlap) + 0.1
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
    examples.look_again(random.Random(0))
    one, again = examples.batch(random.Random(1)), examples.batch(random.Random(1))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    inputs, occupancy, colours = one
    assert inputs.shape[1:] == (SEEN, SIZE, SIZE) and colours.shape[1:] == (3, DEPTHS // 2, SIZE // 2, SIZE // 2)
    turned = inputs[:, 4, 0, 0] > inputs[:, 4, 0, -1]  # rays of the mirrored ones still lead to the right on the right
    assert not bool(turned.any())
    assert torch.equal((inputs[:, 3] > 0).float(), occupancy.amax(1))
    shard(tmp_path, "00000100")
    examples.look_again(random.Random(0))
    assert len(examples.shards) == 2


def test_no_more_shards_lie_in_memory_than_may_and_all_have_their_turn(tmp_path: Path) -> None:
    for i in range(7):
        shard(tmp_path, f"{100 * i:08d}", 1)
    examples, rng, met = Examples(tmp_path, kept=5), random.Random(0), set()
    for _ in range(8):
        examples.look_again(rng)
        assert len(examples.shards) == 5
        met |= set(examples.shards)
    assert len(met) == 7


def test_what_is_printed_on_an_object_changes_its_pixels_and_tells_no_colour_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard(tmp_path)
    monkeypatch.setattr(training, "RECOLOURED_SHARE", 0.0)
    batches = {}
    for share in (0.0, 1.0):
        monkeypatch.setattr(training, "PRINTED_SHARE", share)
        examples = Examples(tmp_path)
        examples.look_again(random.Random(0))
        batches[share] = examples.batch(random.Random(1))
    (plain, solid, _), (printed, still, colours) = batches[0.0], batches[1.0]
    assert torch.equal(solid, still) and torch.equal(plain[:, 3:], printed[:, 3:])  # shape and mask stay
    differs = (plain[:, :3] - printed[:, :3]).abs().amax(1) > 0.05
    assert 0.2 < float(differs[plain[:, 3] > 0].float().mean()) < 0.9 and not bool(differs[plain[:, 3] < 0].any())
    assert bool((colours == training.UNKNOWN).all())


def test_colours_that_are_not_told_cost_nothing() -> None:
    inputs, occupancy, colours = seen()
    told = float(volume_loss(Says(0.25, 0.3), inputs, occupancy, colours))  # pyright: ignore
    nothing = torch.full_like(colours, training.UNKNOWN)
    assert float(volume_loss(Says(0.25, 0.3), inputs, occupancy, nothing)) == pytest.approx(told - 0.1, abs=0.002)  # pyright: ignore


def test_an_image_in_other_colours_has_its_volume_in_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard(tmp_path)
    with np.load(tmp_path / "00000000.npz") as arrays:
        red = {name: arrays[name].copy() for name in arrays.files}
    red["rgba"][..., 1:3] = 10
    red["colours"][:, 1:] = 10
    red["rgba"][..., 0], red["colours"][:, 0] = 200, 200
    np.savez(tmp_path / "00000000.npz", **red)
    monkeypatch.setattr(training, "RECOLOURED_SHARE", 1.0)
    monkeypatch.setattr(training, "PRINTED_SHARE", 0.0)
    examples = Examples(tmp_path)
    examples.look_again(random.Random(0))
    inputs, _, colours = examples.batch(random.Random(1))
    image, behind = inputs[:, :3, SIZE // 2, SIZE // 2], colours[:, :, 8, 16, 16]
    assert torch.equal(image.argmax(1), behind.argmax(1)) and len(set(behind.argmax(1).tolist())) == 3


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
    examples.look_again(random.Random(0))
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


def test_a_fifth_of_the_images_show_artists_models_however_many_shards_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards of the generator are deep in all cells, those of models in none."""
    monkeypatch.setattr(training, "PRINTED_SHARE", 0.0)
    for name in ("00000000", f"{MODELS_FROM}", f"{MODELS_FROM + 1}", f"{MODELS_FROM + 2}"):
        shard(tmp_path, name)
        with np.load(tmp_path / f"{name}.npz") as arrays:
            changed = dict(arrays)
        changed["occupancy"][:] = 255 if name == "00000000" else 0
        np.savez(tmp_path / f"{name}.npz", **changed)
    examples, rng = Examples(tmp_path), random.Random(0)
    examples.look_again(rng)
    modelled = [bool(one.max() < 0.5) for _ in range(12) for one in examples.batch(rng)[1]]
    assert sum(modelled) / len(modelled) == pytest.approx(training.MODELLED_SHARE, abs=0.07)
    alone = Examples(tmp_path)
    alone.shards = {path: kept for path, kept in examples.shards.items() if int(path.stem) >= MODELS_FROM}
    assert alone.batch(rng)[1].max() == 0
