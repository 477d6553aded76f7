"""Volumes and areas against NumPy and geometry, gradients where vectors coincide, the loss."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import image_pair, tiny_run
from torch import Tensor

from trifeature.comm.methods import make_method
from trifeature.comm.methods.gram import (
    SMALLEST,
    Gram,
    Measure,
    adjugate,
    anchor_losses,
    gram_determinants,
    matching_loss,
    volumes,
)
from trifeature.comm.methods.triangle import areas, squared_areas
from trifeature.errors import InputError

N, D = 4, 6


def units(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=-1).to(dtype)


# --------------------------------------------------------------------------- volumes


@pytest.mark.parametrize("others", [1, 2, 3, 4])
def test_determinants_are_those_of_the_gram_matrices_of_every_tuple(others: int) -> None:
    anchor, rest = units(N, D), 2 * units(N, others, D, seed=1)  # of any length
    found = gram_determinants(anchor, rest)
    for i in range(N):
        for j in range(N):
            vectors = np.vstack([anchor[i], rest[j]])
            assert found[i, j].item() == pytest.approx(np.linalg.det(vectors @ vectors.T))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_adjugates_fit_singular_matrices_too(size: int) -> None:
    matrices = torch.randn(3, size, size, dtype=torch.float64)
    matrices[1, -1] = matrices[1, 0] * (0 if size == 1 else 2)
    product = matrices @ adjugate(matrices)
    determinants = torch.linalg.det(matrices)
    expected = determinants[:, None, None] * torch.eye(size, dtype=torch.float64)
    torch.testing.assert_close(product, expected)


def test_a_volume_is_that_of_a_box_and_blind_to_signs() -> None:
    axes = torch.eye(3)
    orthogonal = torch.stack([axes[1], axes[2]])[None]
    assert volumes(axes[:1], orthogonal).item() == pytest.approx(1)
    angle = torch.tensor([[math.cos(0.3), math.sin(0.3), 0.0]])
    assert volumes(axes[:1], angle[:, None]).item() == pytest.approx(math.sin(0.3))
    anchor, rest = units(N, D), units(N, 2, D, seed=1)
    torch.testing.assert_close(volumes(-anchor, rest), volumes(anchor, rest))


# --------------------------------------------------------------------------- areas


def test_areas_are_those_of_the_triangles_and_the_code_leaves_the_root_out() -> None:
    anchor, rest = units(N, D), units(N, 2, D, seed=1)
    plain, squared = areas(anchor, rest), squared_areas(anchor, rest)
    for i in range(N):
        for j in range(N):
            u, v = (anchor[i] - rest[j, 0]).numpy(), (anchor[i] - rest[j, 1]).numpy()
            area = math.sqrt((u @ u) * (v @ v) - (u @ v) ** 2) / 2
            assert plain[i, j].item() == pytest.approx(area)
            assert squared[i, j].item() == pytest.approx(((u @ u) * (v @ v) - (u @ v) ** 2) / 2)
            assert squared[i, j].item() == pytest.approx(2 * area**2)


def test_the_largest_triangle_is_equilateral_on_a_great_circle() -> None:
    turns = torch.tensor([0, 1, 2]) * 2 * math.pi / 3
    corners = torch.stack([turns.cos(), turns.sin()], dim=1).double()
    assert areas(corners[:1], corners[None, 1:]).item() == pytest.approx(3 * math.sqrt(3) / 4)
    flipped = torch.stack([corners[0], -corners[1], corners[2]])  # unlike the volume
    assert areas(flipped[:1], flipped[None, 1:]).item() < 1


# --------------------------------------------------------------------------- gradients


@pytest.mark.parametrize("measure", [volumes, areas, squared_areas])
@pytest.mark.parametrize("same", ["all", "anchor and first", "both others"])
def test_gradients_are_finite_where_vectors_coincide(measure: Measure, same: str) -> None:
    """Where the published root of |det G| has none."""
    z = list(units(3, N, D, dtype=torch.float32))
    if same != "both others":
        z[1] = z[0].clone()
    if same != "anchor and first":
        z[2] = z[1].clone()
    leaves = [one.requires_grad_() for one in z]
    losses = anchor_losses(leaves, measure, 0.07, (0, 1, 2), 0.1)
    total = torch.stack(list(losses.values())).sum()
    gradients = torch.autograd.grad(total, leaves)
    assert total.isfinite()
    for gradient in gradients:
        assert gradient.isfinite().all()
        assert gradient.abs().max() < 100


def test_the_published_root_has_no_gradient_there() -> None:
    z = units(2, D, dtype=torch.float32).requires_grad_()
    same = torch.stack([z[0], z[0]])
    (gradient,) = torch.autograd.grad(torch.det(same @ same.T).abs().sqrt(), z)
    assert not gradient.isfinite().all()
    assert volumes(z[:1], z[None, :1]).item() == pytest.approx(SMALLEST**0.5)


# --------------------------------------------------------------------------- the loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_matching_loss_is_the_cross_entropy_of_rows_and_columns(smoothing: float) -> None:
    logits = torch.randn(N, N, dtype=torch.float64)
    expected = 0.0
    for table in (logits.tolist(), logits.T.tolist()):
        for i, row in enumerate(table):
            norm = math.log(sum(map(math.exp, row)))
            for j, logit in enumerate(row):
                target = smoothing / N + (1 - smoothing) * (i == j)
                expected += target * (norm - logit) / (2 * N)
    assert matching_loss(logits, smoothing).item() == pytest.approx(expected, rel=1e-12)


def loss_by_loops(z: Tensor, anchor: int, tau: float, measure: str) -> float:
    """The unsmoothed loss with a given anchor, from NumPy's determinants and Heron's sides."""
    a, rest = z[anchor].numpy(), [one.numpy() for m, one in enumerate(z) if m != anchor]
    logits = np.empty((N, N))
    for i in range(N):
        for j in range(N):
            vectors = np.vstack([a[i], *(one[j] for one in rest)])
            if measure == "volume":
                logits[i, j] = -math.sqrt(np.linalg.det(vectors @ vectors.T)) / tau
            else:
                u, v = vectors[0] - vectors[1], vectors[0] - vectors[2]
                logits[i, j] = -((u @ u) * (v @ v) - (u @ v) ** 2) / 2 / tau
    rows, columns = (np.log(np.exp(logits).sum(axis)) for axis in (1, 0))
    return float(((rows + columns) / 2 - logits.diagonal()).mean())


@pytest.mark.parametrize(("name", "modalities"), [("gram", 2), ("gram", 4), ("triangle", 3)])
def test_the_loss_is_the_mean_over_the_anchors(name: str, modalities: int) -> None:
    z = units(modalities, N, D)
    kind = "volume" if name == "gram" else "area"
    expected = [loss_by_loops(z, m, 0.07, kind) for m in range(modalities)]
    for anchors, used in (("first", expected[:1]), ("all", expected)):
        method = make(name, modalities, anchors=anchors, label_smoothing=False).double()
        loss = method.loss_of(tuple(3 * z))  # lengths do not matter
        assert [t.item() for t in loss.terms.values()] == pytest.approx(used, rel=1e-5)
        assert loss.total.item() == pytest.approx(sum(used) / len(used), rel=1e-5)


def make(name: str, modalities: int, **changes: Any) -> Gram:
    torch.manual_seed(0)
    method = make_method(tiny_run(method=name, **changes), image_pair(modalities))
    assert isinstance(method, Gram)
    return method


def test_smoothing_and_area_are_as_the_options_say() -> None:
    codes = tuple(units(3, N, D, dtype=torch.float32))
    smooth, sharp = (
        make("gram", 3, label_smoothing=on).loss_of(codes).total for on in (True, False)
    )
    logits = -volumes(codes[0], torch.stack(codes[1:], 1)) / 0.07
    torch.testing.assert_close(smooth - sharp, 0.1 * (logits.diagonal().mean() - logits.mean()))
    root = make("triangle", 3, area="root", label_smoothing=False)
    expected = matching_loss(-areas(codes[0], torch.stack(codes[1:], 1)) / 0.07)
    torch.testing.assert_close(root.loss_of(codes).total, expected)


def test_a_triangle_has_three_corners() -> None:
    with pytest.raises(InputError, match="triangle is defined for three modalities, not 4"):
        make("triangle", 4)
