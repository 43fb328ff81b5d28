"""Muon: its updates are orthogonal, its steps go downhill, and small parameters go to Adam."""

from __future__ import annotations

import torch

from backend.embedded.training.muon import RMS, Muon, orthogonalised


def test_singular_values_come_near_one_and_directions_stay():
    torch.manual_seed(0)
    for shape in ((2, 12, 30), (3, 30, 12)):
        matrices = torch.randn(shape) * 7
        values = torch.linalg.svdvals(orthogonalised(matrices))
        assert values.min() > 0.5 and values.max() < 1.3
        u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
        agreement = (orthogonalised(matrices) * (u @ vh)).sum(dim=(1, 2)) / 12
        assert (agreement > 0.8).all()


def test_the_first_step_is_the_orthogonal_part_of_the_gradient():
    torch.manual_seed(0)
    kernel = torch.nn.Parameter(torch.zeros(8, 4, 3, 3))
    kernel.grad = torch.randn_like(kernel)
    Muon([kernel], lr=0.1).step()
    expected = -0.1 * RMS * 36**0.5 * orthogonalised(kernel.grad.flatten(1)[None])[0]
    torch.testing.assert_close(kernel.detach().flatten(1), expected, atol=2e-3, rtol=0.05)


def test_vectors_and_plain_parameters_take_the_steps_of_adam():
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(5)), torch.nn.Parameter(torch.randn(6, 7))]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    muon = Muon(ours, lr=0.01, plain=ours[1:])
    adam = torch.optim.Adam(theirs, lr=0.01, betas=(0.9, 0.99))
    for _ in range(3):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        muon.step()
        adam.step()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_it_solves_a_linear_problem():
    torch.manual_seed(0)
    true, layer = torch.randn(6, 10), torch.nn.Linear(10, 6)
    optimiser = Muon(layer.parameters(), lr=0.1)
    for _ in range(150):
        x = torch.randn(64, 10)
        loss = (layer(x) - x @ true.T).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.1
