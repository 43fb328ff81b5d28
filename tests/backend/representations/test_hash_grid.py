"""The hash grid: its layout, hash and weights by hand, dense where nothing collides, and tinycudann's signature."""

from __future__ import annotations

import inspect
import sys
import types

import pytest
import torch
from torch.nn import functional

from backend.representations.hash_grid import HashGrid, encode, index_of, tinycudann_encoder

SMALL = HashGrid(levels=3, features=2, log2_size=12, base=4, growth=1.5)  # 4, 6 and 9 nodes a side: none is hashed


def points(count: int = 50, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_table(grid: HashGrid) -> torch.Tensor:
    return torch.randn(grid.size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_layout_of_instant_ngp() -> None:
    grid = HashGrid()
    assert [grid.side(level) for level in (0, 1, 2)] == [16, 24, 34]  # ceil(16 * 1.447^l - 1) + 1
    assert grid.entries(0) == 4096 and grid.entries(15) == 1 << 19
    assert not grid.is_hashed(0) and grid.is_hashed(15)
    assert grid.side(15) == pytest.approx(4096, abs=2)
    assert grid.width == 32 and grid.size == len(grid.new_table(torch.Generator()))
    assert HashGrid(levels=1, base=3).entries(0) == 32  # 27 nodes, padded to a multiple of 8


def test_the_hash_by_hand() -> None:
    grid = HashGrid(levels=1, base=64, log2_size=10)
    node = torch.tensor([[3, 5, 7]])
    wanted = (3 ^ (5 * 2_654_435_761 % 2**32) ^ (7 * 805_459_861 % 2**32)) % 1024
    assert index_of(grid, 0, node).item() == wanted
    dense = HashGrid(levels=1, base=8, log2_size=10)
    assert index_of(dense, 0, node).item() == 3 + 8 * 5 + 64 * 7


def test_without_collisions_each_level_is_a_dense_grid() -> None:
    table, places = random_table(SMALL), points()
    found = encode(SMALL, table, places)
    start = 0
    for level in range(SMALL.levels):
        side, count = SMALL.side(level), SMALL.entries(level)
        assert not SMALL.is_hashed(level)
        nodes = table[2 * start : 2 * (start + side**3)].reshape(side, side, side, 2)  # z, y, x
        start += count
        at = places * SMALL.scale(level) + 0.5  # in cells from the first node
        inner = (at < side - 1).all(-1)  # beyond the last node tinycudann's index wraps around
        assert inner.sum() > 20
        where = 2 * at / (side - 1) - 1
        wanted = functional.grid_sample(
            nodes.permute(3, 0, 1, 2)[None], where.reshape(1, -1, 1, 1, 3), align_corners=True
        )[0, :, :, 0, 0].T
        torch.testing.assert_close(found[inner, 2 * level : 2 * level + 2], wanted[inner])


def test_at_a_node_its_own_features_are_returned() -> None:
    table = random_table(SMALL)
    node = torch.tensor([[2, 1, 3]])
    place = (node - 0.5).double() / SMALL.scale(2)
    start = SMALL.entries(0) + SMALL.entries(1)
    entry = start + index_of(SMALL, 2, node).item()
    torch.testing.assert_close(encode(SMALL, table, place)[0, 4:], table[2 * entry : 2 * entry + 2])


def test_nodes_that_collide_share_one_entry_and_their_gradients_add_up() -> None:
    grid = HashGrid(levels=1, features=1, log2_size=3, base=8)
    nodes = torch.cartesian_prod(*[torch.arange(8)] * 3)
    entry = index_of(grid, 0, nodes)
    assert 0 <= entry.min() and entry.max() < 8 and len(entry.unique()) == 8
    same = nodes[entry == entry[0]][:2]
    table = torch.zeros(grid.size, dtype=torch.float64, requires_grad=True)
    encode(grid, table, (same - 0.5).double().clamp_min(0) / grid.scale(0)).sum().backward()
    assert table.grad is not None and table.grad.sum().item() == pytest.approx(2.0)  # the eight weights sum to 1


def test_gradients_are_finite_differences() -> None:
    grid = HashGrid(levels=2, features=2, log2_size=5, base=3, growth=2.0)
    table = random_table(grid).requires_grad_()
    places = points(6, seed=3).requires_grad_()
    assert torch.autograd.gradcheck(lambda t, p: encode(grid, t, p), (table, places))


def test_levels_that_are_not_active_stay_zero_and_get_no_gradient() -> None:
    table = random_table(SMALL).requires_grad_()
    found = encode(SMALL, table, points(), active=1)
    assert found[:, :2].abs().min() > 0 and not found[:, 2:].any()
    found.sum().backward()
    assert table.grad is not None and not table.grad[2 * SMALL.entries(0) :].any()
    torch.testing.assert_close(found[:, :2], encode(SMALL, table, points())[:, :2])


class Encoding(torch.nn.Module):
    """What tinycudann's module of this name takes and does, of bindings/torch/tinycudann/modules.py."""

    def __init__(self, n_input_dims, encoding_config, seed=1337, dtype=None):  # type: ignore[no-untyped-def]
        super().__init__()
        assert n_input_dims == 3 and encoding_config["otype"] == "HashGrid"
        self.params = torch.nn.Parameter(torch.zeros(SMALL.size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return encode(SMALL, self.params, x).half()


def test_tinycudann_reads_our_table_and_passes_its_gradient_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinycudann", types.SimpleNamespace(Encoding=Encoding))
    tinycudann_encoder.cache_clear()
    try:
        encoder = tinycudann_encoder(SMALL)
        assert encoder is not None
        table = random_table(SMALL).float().requires_grad_()
        found = encoder(table, points().float())
        torch.testing.assert_close(found, encode(SMALL, table, points().float()), atol=2e-3, rtol=2e-3)
        found.sum().backward()
        assert table.grad is not None and table.grad.any()
    finally:
        tinycudann_encoder.cache_clear()


def test_without_tinycudann_there_is_no_fast_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinycudann", None)
    tinycudann_encoder.cache_clear()
    assert tinycudann_encoder(SMALL) is None
    tinycudann_encoder.cache_clear()


@pytest.mark.gpu
def test_tinycudann_on_the_gpu_encodes_the_same() -> None:
    tinycudann = pytest.importorskip("tinycudann", reason="tinycudann is not installed", exc_type=ImportError)
    inspect.signature(tinycudann.Encoding.__init__).bind(None, n_input_dims=3, encoding_config=SMALL.config())
    grid = HashGrid()
    encoder = tinycudann_encoder(grid)
    assert encoder is not None
    table, places = grid.new_table(torch.Generator()).cuda() * 1e4, points().float().cuda()
    torch.testing.assert_close(encoder(table, places), encode(grid, table, places), atol=4e-3, rtol=4e-3)
