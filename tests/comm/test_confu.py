"""ConFu's loss against loops in float64, what its fused terms see, and what a probe reads."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from tiny_runs import image_pair, tiny_run
from torch import Tensor

from trifeature.comm.methods import make_method
from trifeature.comm.methods.confu import ConFu, confu_terms
from trifeature.comm.settings import run_preset
from trifeature.errors import InputError

N, D = 5, 4


def clip_by_loops(x: Tensor, y: Tensor, tau: float) -> float:
    def cosine(a: Tensor, b: Tensor) -> float:
        return float(a @ b / (a.norm() * b.norm()))

    total = 0.0
    for one, other in ((x, y), (y, x)):
        for i in range(N):
            logits = [cosine(one[i], other[j]) / tau for j in range(N)]
            total += math.log(sum(map(math.exp, logits))) - logits[i]
    return total / (2 * N)


@pytest.mark.parametrize("modalities", [3, 4])
def test_the_terms_are_the_clip_losses_of_pairs_and_of_fused_pairs_with_the_others(
    modalities: int,
) -> None:
    generator = torch.Generator().manual_seed(0)
    pairs = list(itertools.combinations(range(modalities), 2))
    single = torch.randn(modalities, N, D, generator=generator, dtype=torch.float64)
    fused = torch.randn(len(pairs), N, D, generator=generator, dtype=torch.float64)
    found = confu_terms(list(single), list(fused), 0.2)
    pairwise = [clip_by_loops(single[a], single[b], 0.2) for a, b in pairs]
    third = [
        clip_by_loops(fused[p], single[c], 0.2)
        for p, pair in enumerate(pairs)
        for c in range(modalities)
        if c not in pair
    ]
    assert len(third) == len(pairs) * (modalities - 2)
    assert found["pairwise"].item() == pytest.approx(sum(pairwise) / len(pairwise), rel=1e-12)
    assert found["fused"].item() == pytest.approx(sum(third) / len(third), rel=1e-12)


def make(modalities: int = 3, **changes: Any) -> ConFu:
    torch.manual_seed(0)
    method = make_method(tiny_run(method="confu", **changes), image_pair(modalities))
    assert isinstance(method, ConFu)
    return method


def codes_of(method: ConFu) -> tuple[Tensor, ...]:
    batch = torch.randint(
        256, (N, 3, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    return method.codes_of(method.views(batch.unbind(1), torch.Generator().manual_seed(2)))


def test_the_loss_weighs_both_terms_and_the_publication_counts_six() -> None:
    method = make(fused_weight=0.25)
    loss = method.loss_of(codes_of(method))
    pairwise, fused = loss.terms["pairwise"], loss.terms["fused"]
    torch.testing.assert_close(loss.total, 0.75 * pairwise + 0.25 * fused)
    even = make()
    loss = even.loss_of(codes_of(even))
    published = (0.5 * 3 * loss.terms["pairwise"] + 0.5 * 3 * loss.terms["fused"]) / 6
    torch.testing.assert_close(loss.total, 2 * published)


def test_the_fused_terms_alone_teach_the_heads() -> None:
    method = make()
    single, fused = codes_of(method)
    assert (single.shape, fused.shape) == ((N, 3, 8), (N, 3, 8))
    terms = method.loss_of((single, fused)).terms
    heads = list(method.fusion.parameters())
    for name, taught in (("pairwise", False), ("fused", True)):
        gradients = torch.autograd.grad(terms[name], heads, retain_graph=True)
        assert {bool(g.any()) for g in gradients} == {taught}


def test_a_probe_reads_the_fused_pairs_within_its_subset() -> None:
    method = make().eval()
    vectors = list(torch.randn(3, N, 8))
    subsets = [[1], [0, 2], [0, 1, 2]]
    one, two, three = method.combine(vectors, subsets)
    assert [f.shape[1] for f in (one, two, three)] == [8, 24, 48]
    z0, z2 = method.project(vectors[0], 0), method.project(vectors[2], 2)
    head = method.fusion[1](torch.cat([vectors[0], vectors[2]], dim=1))  # of (0, 1), (0, 2), (1, 2)
    torch.testing.assert_close(two, torch.cat([z0, z2, head], dim=1))
    plain = make(fused_features=False).combine(vectors, subsets)
    assert [f.shape[1] for f in plain] == [8, 16, 24]
    assert torch.equal(plain[1], two[:, :16])


def test_the_temperature_is_the_authors_on_every_preset_unless_it_is_given() -> None:
    assert run_preset("quick", method="confu").option("temperature") == 0.07
    assert run_preset("quick", method="confu", temperature=0.2).option("temperature") == 0.2


def test_a_weight_that_leaves_no_pairwise_term_is_refused() -> None:
    with pytest.raises(InputError, match="fused_weight must be below 1, not 1"):
        make(fused_weight=1.0)
