"""CMC and SimCLR: their losses by loops, and what a probe reads of them."""

import math
from itertools import combinations

import pytest
import torch
from tiny_runs import image_pair, tiny_run
from torch import Tensor

from trifeature.comm.methods import make_method
from trifeature.comm.methods.base import Method

N = 5


def make(name: str, modalities: int) -> Method:
    torch.manual_seed(0)
    return make_method(tiny_run(method=name, temperature=0.3), image_pair(modalities, 16))


def items(modalities: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    shape = (N, modalities, 3, 16, 16)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator).unbind(1)


def nt_xent(a: Tensor, b: Tensor, temperature: float) -> float:
    """NT-Xent of two views, number by number: every other vector of both is a negative."""
    units = [[x / math.hypot(*row) for x in row] for row in [*a.tolist(), *b.tolist()]]
    n, total = len(units), 0.0
    for k, anchor in enumerate(units):
        logits = [sum(x * y for x, y in zip(anchor, u, strict=True)) / temperature for u in units]
        others = sum(math.exp(value) for j, value in enumerate(logits) if j != k)
        total += math.log(others) - logits[(k + n // 2) % n]
    return total / n


@pytest.mark.parametrize("modalities", [2, 3])
def test_cmc_is_nt_xent_of_every_pair(modalities: int) -> None:
    method = make("cmc", modalities)
    with torch.no_grad():
        codes = method.codes_of(method.views(items(modalities), torch.Generator().manual_seed(1)))
        loss = method.loss_of(codes)
    each = [nt_xent(a, b, 0.3) for a, b in combinations(codes, 2)]
    assert float(loss.total) == pytest.approx(sum(each) / len(each), rel=1e-5)


@pytest.mark.parametrize("modalities", [1, 2, 3])
def test_simclr_is_nt_xent_of_two_views_of_each(modalities: int) -> None:
    method = make("simclr", modalities).eval()  # so that the head can be called view by view
    with torch.no_grad():
        codes = method.codes_of(method.views(items(modalities), torch.Generator().manual_seed(1)))
        loss = method.loss_of(codes)
        heads = method.get_submodule("head").children()
        z = [head(x.transpose(0, 1)) for head, x in zip(heads, codes, strict=True)]
    each = [nt_xent(both[0], both[1], 0.3) for both in z]
    assert float(loss.total) == pytest.approx(sum(each) / len(each), rel=1e-5)
    assert len(loss.terms) == modalities


@pytest.mark.parametrize("name", ["cmc", "simclr"])
def test_a_probe_reads_the_encoders_vectors(name: str) -> None:
    method = make(name, 2).eval()
    batch = [x.float() for x in items(2)]
    with torch.no_grad():
        both, second = method.features(tuple(batch), [[0, 1], [1]])
        vectors = [
            encoder(x)
            for encoder, x in zip(method.get_submodule("encoder").children(), batch, strict=True)
        ]
    assert torch.equal(both, torch.cat(vectors, dim=1))
    assert torch.equal(second, vectors[1])
