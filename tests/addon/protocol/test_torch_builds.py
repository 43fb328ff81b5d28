"""The builds of torch: their CUDA, their index, and what an old driver or card does not do."""

from __future__ import annotations

import pytest

from addon.protocol import torch_builds


def test_a_build_says_its_cuda_and_where_it_is() -> None:
    assert [torch_builds.cuda_of(name) for name in ("cpu", "cu130", "cu126")] == [None, (13, 0), (12, 6)]
    assert torch_builds.index_of("cu128") == "https://download.pytorch.org/whl/cu128"
    cudas = [torch_builds.cuda_of(name) or (0, 0) for name in torch_builds.CUDA_BUILDS]
    assert cudas == sorted(cudas, reverse=True)
    with pytest.raises(ValueError, match="'cuda13' is no build of torch; they are called cpu, cu130"):
        torch_builds.index_of("cuda13")


@pytest.mark.parametrize(
    ("cuda", "driver", "capability", "expected"),
    [
        ((12, 8), (12, 2), (8, 6), {}),  # of the same major version
        ((13, 0), (13, 0), (7, 5), {}),
        ((13, 0), (13, 0), None, {}),  # not told
        ((13, 0), (12, 8), (8, 6), {"driver": "the driver 570.1 knows CUDA 12.8, and torch needs 13.0"}),
        ((13, 0), (13, 0), (6, 1), {"card": "GTX 1080 has compute capability 6.1, and this torch starts at 7.5"}),
    ],
)
def test_an_old_driver_or_card_is_said(cuda, driver, capability, expected) -> None:  # type: ignore[no-untyped-def]
    assert torch_builds.why_too_old(cuda, "570.1", driver, "GTX 1080", capability) == expected
