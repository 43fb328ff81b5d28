"""Each call into nerfacc fits its signature; on a GPU it draws what the packed renderer draws without it."""

from __future__ import annotations

import inspect
import types
from typing import Any

import pytest
import torch

from backend.cameras import orbit, rays
from backend.rendering.volume import volume_renderer
from backend.rendering.volume_nerfacc import Nerfacc
from backend.rendering.volume_packed import box_crossings, march_all, weights_of
from backend.rendering.volume_rendering import DIAGONAL
from backend.representations.occupancy import OccupancyGrid
from tests.backend.rendering.test_volume_packed import smooth_field

nerfacc: Any = pytest.importorskip("nerfacc", reason="nerfacc is not installed")
STEP = DIAGONAL / 96


class Recorded:
    """Takes every call whose arguments fit the original's signature, and gives an answer of the right shapes."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.library = types.SimpleNamespace(
            OccGridEstimator=self.estimator, render_weight_from_density=self.render_weight_from_density
        )

    def estimator(self, *arguments: Any, **options: Any) -> Any:
        inspect.signature(nerfacc.OccGridEstimator).bind(*arguments, **options)
        real = nerfacc.OccGridEstimator(*arguments, **options)

        def sampling(*arguments: Any, **options: Any) -> tuple:
            inspect.signature(real.sampling).bind(*arguments, **options)
            assert real.binaries.shape == (1, 8, 8, 8) and real.binaries.dtype == torch.bool
            assert real.aabbs.tolist() == [[-1, -1, -1, 1, 1, 1]]
            assert options["t_min"].shape == arguments[0].shape[:1] and not options["stratified"]
            self.names.append("sampling")
            return torch.zeros(1, dtype=torch.int32), torch.zeros(1), torch.ones(1)

        object.__setattr__(real, "sampling", sampling)
        return real

    def render_weight_from_density(self, *arguments: Any, **options: Any) -> tuple:
        inspect.signature(nerfacc.render_weight_from_density).bind(*arguments, **options)
        self.names.append("weights")
        # Without rays of their own its dense form runs on the CPU.
        dense = {key: options[key][None] for key in ("t_starts", "t_ends", "sigmas")}
        return tuple(value[0] for value in nerfacc.render_weight_from_density(**dense))


def test_each_call_fits_its_signature_and_weights_are_ours() -> None:
    recorded = Recorded()
    fast = Nerfacc(recorded.library)
    origins, directions = (value.reshape(-1, 3) for value in rays(orbit([0.0], 0.0, size=4)))
    grid = OccupancyGrid(8, step=STEP)
    ray, start, end = fast.samples(origins, directions, *box_crossings(origins, directions), STEP, grid)
    assert ray.dtype == torch.int64 and len(ray) == len(start) == len(end)
    one = torch.tensor([[0.0, -3.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    samples = march_all(*one, *box_crossings(*one), STEP, None)
    densities = torch.rand(len(samples.ray), generator=torch.Generator().manual_seed(0))
    found = fast.weights(samples.ray, samples.start, samples.end, densities, 1)
    torch.testing.assert_close(found, weights_of(samples, densities, 1))
    assert recorded.names == ["sampling", "weights"]


@pytest.mark.gpu
def test_on_the_gpu_it_draws_what_the_cpu_draws() -> None:
    field, cameras = smooth_field(), orbit([0.0, 100.0], 20.0, size=24)
    wanted = volume_renderer(field)(cameras, torch.ones(3), geometry=True)
    on_gpu = field.to("cuda").requires_grad_()
    grid = OccupancyGrid(32, step=STEP, device="cuda")
    for _ in range(8):
        grid.update(on_gpu, torch.Generator().manual_seed(0))
    found = volume_renderer(on_gpu, occupancy=grid)(cameras.to("cuda"), torch.ones(3), geometry=True)
    for name, tolerance in (("rgb", 2e-2), ("alpha", 2e-2), ("depth", 5e-2)):
        torch.testing.assert_close(getattr(found, name).cpu(), getattr(wanted, name), atol=tolerance, rtol=0)
    found.rgb.sum().backward()
    assert on_gpu.values.grad is not None and on_gpu.values.grad.isfinite().all()
