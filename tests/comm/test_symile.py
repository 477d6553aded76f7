"""Symile's loss against loops over tuples, its limits, and what a probe can read of a product."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from tiny_runs import image_pair, tiny_run
from torch import Tensor

from trifeature.comm.losses import info_nce
from trifeature.comm.methods import make_method
from trifeature.comm.methods.symile import (
    Symile,
    all_losses,
    multilinear,
    shuffled_losses,
)
from trifeature.comm.products import product_of
from trifeature.comm.settings import run_preset
from trifeature.errors import InputError
from trifeature.modality import Modality

N, D = 5, 4


def embeddings(modalities: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(modalities)
    z = torch.randn(modalities, N, D, generator=generator, dtype=torch.float64)
    return list(torch.nn.functional.normalize(z, dim=2).requires_grad_())


def tuple_product(z: list[Tensor], rows: list[int]) -> float:
    return sum(math.prod(z[m][row][d].item() for m, row in enumerate(rows)) for d in range(D))


def loss_by_loops(z: list[Tensor], negatives: dict[int, list[list[int]]], s: float) -> float:
    """The anchor's mean −log softmax of the matching tuple among it and the negatives."""
    total = 0.0
    for i in range(N):
        matching = s * tuple_product(z, [i] * len(z))
        others = [s * tuple_product(z, rows) for rows in negatives[i]]
        total += math.log(math.exp(matching) + sum(map(math.exp, others))) - matching
    return total / N


@pytest.mark.parametrize("modalities", [2, 3, 4])
def test_shuffled_losses_are_those_of_the_tuples_that_the_permutations_make(
    modalities: int,
) -> None:
    z, scale = embeddings(modalities), torch.tensor(3.0, dtype=torch.float64)
    numbers = torch.rand(N, modalities, modalities, generator=torch.Generator().manual_seed(1))
    orders = numbers.argsort(dim=0)
    found = shuffled_losses(z, orders, scale)
    for m in range(modalities):
        negatives = {
            i: [
                [i if j == m else int(orders[k, m, j]) for j in range(modalities)]
                for k in range(N)
                if k != i
            ]
            for i in range(N)
        }
        assert found[m].item() == pytest.approx(loss_by_loops(z, negatives, 3.0), rel=1e-12)


@pytest.mark.parametrize("modalities", [2, 3, 4])
def test_all_losses_are_those_of_every_tuple_of_the_batch(modalities: int) -> None:
    z = embeddings(modalities)
    found = all_losses(z, torch.tensor(3.0, dtype=torch.float64))
    for m in range(modalities):
        negatives = {
            i: [
                [*rows[:m], i, *rows[m:]]
                for rows in map(list, itertools.product(range(N), repeat=modalities - 1))
                if rows != [i] * (modalities - 1)
            ]
            for i in range(N)
        }
        assert found[m].item() == pytest.approx(loss_by_loops(z, negatives, 3.0), rel=1e-12)


def test_every_tuple_has_a_gradient_with_four_modalities_too() -> None:
    """In the published code the tuples of more than two other modalities are detached."""
    z = embeddings(4)
    gradients = torch.autograd.grad(all_losses(z, torch.tensor(3.0))[0], z)
    assert all(g.abs().min() > 0 for g in gradients)


def test_two_modalities_are_clip() -> None:
    z = embeddings(2)
    clip = info_nce(z[0], z[1], 0.25, "cross")
    found = torch.stack(all_losses(z, torch.tensor(4.0, dtype=torch.float64))).mean()
    torch.testing.assert_close(found, clip)
    torch.manual_seed(0)
    method = make_method(tiny_run(method="symile"), image_pair(2))
    codes = (torch.randn(6, 8), torch.randn(6, 8))
    torch.testing.assert_close(method.loss_of(codes).total, info_nce(*codes, 0.07, "cross"))


def test_an_exclusive_or_is_seen_by_tuples_alone() -> None:
    """With c = a · b in ±1 the matching product is 1; one half of all tuples has −1."""
    a = torch.tensor([1.0, 1, -1, -1]).repeat(2)[:, None]
    b = torch.tensor([1.0, -1, 1, -1]).repeat(2)[:, None]
    z = [a, b, a * b]
    assert multilinear(z).tolist() == [1.0] * 8
    expected = math.log(32 * math.e + 32 / math.e) - 1
    for loss in all_losses(z, torch.tensor(1.0)):
        assert loss.item() == pytest.approx(expected)
    for x, y in itertools.combinations(z, 2):  # above log 8: no pair shares anything
        expected = math.log(4 * math.e + 4 / math.e)
        assert info_nce(x, y, 1.0, "cross").item() == pytest.approx(expected)


def make(modalities: int = 3, **changes: Any) -> Symile:
    torch.manual_seed(0)
    method = make_method(tiny_run(method="symile", **changes), image_pair(modalities))
    assert isinstance(method, Symile)
    return method


def test_the_permutations_are_drawn_with_the_views_and_new_for_each_anchor() -> None:
    method = make()
    batch = torch.randint(256, (7, 3, 3, 32, 32), dtype=torch.uint8).unbind(1)
    *light, numbers = method.views(batch, torch.Generator().manual_seed(3))
    assert len(light) == 3
    orders = numbers.argsort(dim=0)
    assert orders.shape == (7, 3, 3)
    assert torch.equal(orders.sort(dim=0).values[:, 0, 0], torch.arange(7))
    assert not torch.equal(orders[:, 0, 2], orders[:, 1, 2])
    assert len(make(tuples="all").views(batch, torch.Generator())) == 3
    total = method.loss_of((*torch.randn(3, 7, 8), numbers)).total
    assert total.item() > 0


def test_the_scale_makes_the_logits_of_random_embeddings_as_large_as_clips() -> None:
    assert make(2).gain == 1
    assert make(3, width=64).gain == pytest.approx(8)
    D = 64
    x, y, z = torch.nn.functional.normalize(
        torch.randn(3, 4000, D, generator=torch.Generator().manual_seed(0)), dim=2
    )
    ratio = (8 * multilinear([x, y, z])).std() / multilinear([x, y]).std()
    assert ratio.item() == pytest.approx(1, abs=0.05)


def test_a_probe_reads_projections_their_product_or_both() -> None:
    codes = list(torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(0)))
    subsets = [[0], [0, 2], [0, 1, 2]]
    found = {name: make(features=name).combine(codes, subsets) for name in ("both", "product")}
    plain = make(features="concatenated").combine(codes, subsets)
    assert [f.shape[1] for f in found["both"]] == [8, 24, 32]
    assert torch.equal(plain[1], torch.cat([codes[0], codes[2]], dim=1))
    for both, linear, product in zip(
        found["both"][1:], plain[1:], found["product"][1:], strict=True
    ):
        assert torch.equal(both, torch.cat([linear, product], dim=1))
    unit = [z / z.square().mean(1, keepdim=True).sqrt() for z in codes]
    torch.testing.assert_close(found["product"][1], unit[0] * unit[2])
    torch.testing.assert_close(product_of(codes), unit[0] * unit[1] * unit[2])


def test_tuples_that_do_not_fit_into_memory_are_refused() -> None:
    many = [Modality(f"x{m}", "vector", (3,)) for m in range(8)]
    with pytest.raises(InputError, match="tuples=shuffled, or a smaller batch"):
        make_method(run_preset("tiny", method="symile", tuples="all"), many)
