"""Muon: momentum whose matrices are made orthogonal before each step; Adam for what is no matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from backend.embedded.precision import working_dtype

ADAM_BETAS = (0.9, 0.99)
STEPS = 5
# Coefficients of an odd polynomial that pulls singular values in (0, 1] to about 1. Source: Jordan et al. 2024, Muon.
A, B, C = 3.4445, -4.7750, 2.0315
RMS = (
    0.2  # of an update, as Adam's usually is, so that both take the same learning rate. Source: arXiv 2502.16982, eq. 4
)


class Muon(torch.optim.Optimizer):
    """Descend along orthogonalised momentum; convolutions count as matrices [out, in * k * k].

    Vectors, embeddings and matrices with a side of one go to Adam, as do all `plain` parameters.
    """

    def __init__(
        self, parameters: Iterable[torch.nn.Parameter], lr: float, plain: Iterable[torch.nn.Parameter] = (),
        momentum: float = 0.95, weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self._plain = {id(p) for p in plain}

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Take one step along the gradients that there are."""
        for group in self.param_groups:
            with_gradient = [p for p in group["params"] if p.grad is not None]
            matrices: dict[tuple[int, int], list[torch.nn.Parameter]] = {}
            for parameter in with_gradient:
                if group["weight_decay"]:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                rows, columns = parameter.shape[0], parameter[0].numel() if parameter.dim() > 1 else 1
                if id(parameter) in self._plain or min(rows, columns) == 1:
                    _adam(parameter, self.state[parameter], group["lr"])
                else:
                    matrices.setdefault((rows, columns), []).append(parameter)
            for alike in matrices.values():  # of one shape, and so one batch
                self._orthogonal_step(alike, group["lr"], group["momentum"])

    def _orthogonal_step(self, parameters: list[torch.nn.Parameter], lr: float, momentum: float) -> None:
        pulls = []
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                state["exp_avg"] = torch.zeros_like(parameter)
            gradient = parameter.grad
            assert gradient is not None
            state["exp_avg"].lerp_(gradient, 1 - momentum)
            pulls.append(torch.lerp(gradient, state["exp_avg"], momentum).flatten(1))  # Nesterov
        updates = orthogonalised(torch.stack(pulls))
        size = RMS * max(updates.shape[1:]) ** 0.5
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.sub_(update.reshape(parameter.shape), alpha=lr * size)


def orthogonalised(matrices: torch.Tensor) -> torch.Tensor:
    """Return U V^T, nearly, of matrices U S V^T [B, m, n], by Newton-Schulz iteration in `working_dtype`.

    Singular values come out between 0.7 and 1.2, which is close enough for a step.
    Source: Jordan et al. 2024, Muon.
    """
    x = matrices.to(working_dtype(matrices.device.type))
    wide = x if x.shape[1] <= x.shape[2] else x.transpose(1, 2)
    wide = wide / (wide.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(STEPS):
        square = wide @ wide.transpose(1, 2)
        wide = torch.baddbmm(wide, torch.baddbmm(square, square, square, beta=B, alpha=C), wide, beta=A)
    return (wide if x.shape[1] <= x.shape[2] else wide.transpose(1, 2)).to(matrices)


def _adam(parameter: torch.nn.Parameter, state: dict[str, torch.Tensor], lr: float) -> None:
    if not state:
        state.update(
            step=torch.tensor(0.0), exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter)
        )
    state["step"] += 1
    first, second = ADAM_BETAS
    gradient, step = parameter.grad, float(state["step"])
    assert gradient is not None
    state["exp_avg"].lerp_(gradient, 1 - first)
    state["exp_avg_sq"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
    scale = (state["exp_avg_sq"] / (1 - second**step)).sqrt_().add_(1e-8)
    parameter.addcdiv_(state["exp_avg"], scale, value=-lr / (1 - first**step))
