"""CoMM + Cross: its loss by loops, and what a probe reads of it."""

import math

import pytest
import torch
from tiny_runs import image_pair, tiny_run
from torch import Tensor

from trifeature.comm.methods import make_method
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.methods.comm_cross import CoMMCross
from trifeature.comm.products import product_of

CANVAS, N = 16, 6


def make(modalities: int = 2, **changes: object) -> CoMMCross:
    torch.manual_seed(0)
    run = tiny_run(method="comm+cross", seed=0, **changes)
    method = make_method(run, image_pair(modalities, CANVAS)).eval()
    assert isinstance(method, CoMMCross)
    return method


def items(modalities: int = 2) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    shape = (N, modalities, 3, CANVAS, CANVAS)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator).unbind(1)


def clip_by_loops(a: Tensor, b: Tensor, temperature: float) -> float:
    """The CLIP loss of two modalities, number by number."""
    units = [[[x / math.hypot(*row) for x in row] for row in z.tolist()] for z in (a, b)]
    total = 0.0
    for first, second in (units, units[::-1]):
        for n, anchor in enumerate(first):
            logits = [
                sum(x * y for x, y in zip(anchor, other, strict=True)) / temperature
                for other in second
            ]
            total += math.log(sum(map(math.exp, logits))) - logits[n]
    return total / (2 * len(a))


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_the_loss_is_comms_and_the_weighted_clip_loss(weight: float) -> None:
    method = make(cross_weight=weight)
    with torch.no_grad():
        codes = method.codes_of(method.views(items(), torch.Generator().manual_seed(1)))
        loss = method.loss_of(codes)
        comm = CoMM.loss_of(method, codes[:-2])
    cross = clip_by_loops(codes[-2], codes[-1], float(method.clip.temperature().detach()))
    assert float(loss.terms["cross"]) == pytest.approx(cross, rel=1e-5)
    assert float(loss.total) == pytest.approx(float(comm.total) + weight * cross, rel=1e-5)
    assert {"L", "L_1", "L_2", "cross"} == set(loss.terms)


def test_a_probe_reads_the_fusion_and_the_products_of_the_projections() -> None:
    method = make(3)
    D = method.settings.option("width")
    batch = [x.float() / 255 for x in items(3)]
    with torch.no_grad():
        codes = [method.encode(x, m) for m, x in enumerate(batch)]
        whole, pair, single = method.combine(codes, [[0, 1, 2], [0, 2], [1]])
        fused = CoMM.combine(method, codes, [[0, 1, 2], [0, 2], [1]])
        alone = [method.projector[m](code.mean(1)) for m, code in enumerate(codes)]
    assert [x.shape[1] for x in (whole, pair, single)] == [5 * D, 2 * D, D]
    torch.testing.assert_close(single, fused[2])
    torch.testing.assert_close(pair[:, :D], fused[1])
    torch.testing.assert_close(pair[:, D:], product_of([alone[0], alone[2]]))
    torch.testing.assert_close(whole[:, -D:], product_of(alone))


def test_the_embedding_is_that_of_the_fusion_alone() -> None:
    method = make()
    batch = tuple(x.float() / 255 for x in items())
    with torch.no_grad():
        found = method.embed(batch)
        codes = [method.encode(x, m) for m, x in enumerate(batch)]
        expected = method.head(CoMM.combine(method, codes, [[0, 1]])[0][None])[0]
    torch.testing.assert_close(found, expected)
