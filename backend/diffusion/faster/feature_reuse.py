"""Feature reuse along an inversion: neighbouring steps see almost the same latents, so that the deep layers need not be
asked at each.

At a step that reuses, only the UNet's outermost blocks look at the latents, those of full resolution on the way down
and up; what lies between answers what it said at the last full step.
Source: Ma et al., DeepCache (arXiv 2312.00858), section 3; here along a DDIM inversion instead of a sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from backend.diffusion.denoiser import Prior
from backend.diffusion.image_prompt import twin
from backend.diffusion.scores import PredictNoise


class FeatureReuse:
    """A prior whose UNet goes through its deep layers once in `every` steps of an inversion; the prior stays as it is.

    Where the pictures of a step are asked about in parts, for want of memory, nothing is reused.
    """

    def __init__(self, prior: Prior, every: int) -> None:
        """Share all tensors with the prior's UNet. Raises ValueError for fewer than one step."""
        if every < 1:
            raise ValueError(f"deep layers cannot be asked once in {every} steps")
        self.every = every
        self._asks = True  # whether the deep layers are asked
        network = twin(prior.unet)
        inner: Any = getattr(network, "unet", network)  # inside what lets it see images
        for block in (*inner.down_blocks[1:], inner.mid_block, *inner.up_blocks[:-1]):
            block.forward = self._remembering(block.forward)
        self._prior = replace(prior, unet=network)

    def along_inversion(self) -> PredictNoise:
        """Return what predicts the noise along one inversion, its first step a full one."""
        step = 0

        def predict(latents: torch.Tensor, t: int, context: torch.Tensor) -> torch.Tensor:
            nonlocal step
            in_parts = 0 < self._prior.most_together < len(latents)
            self._asks = in_parts or step % self.every == 0
            step += 1
            return self._prior.predict_noise(latents, t, context)

        return predict

    def _remembering(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        said: Any = None

        def answer(*inputs: Any, **options: Any) -> Any:
            nonlocal said
            if self._asks:
                said = forward(*inputs, **options)
            return said

        return answer
