"""HRIL's terms against plain loops and a slow Tucker decomposition, and its known defect."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import image_pair, tiny_run
from torch import Tensor

from trifeature.comm.methods import hril, make_method
from trifeature.comm.methods.hril import HRIL
from trifeature.comm.options import HRILOptions
from trifeature.comm.settings import run_preset
from trifeature.errors import InputError

Array = np.ndarray[Any, Any]
EPSILON = 1e-4


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def make(modalities: int = 2, seed: int = 0, **changes: Any) -> HRIL:
    torch.manual_seed(seed)
    method = make_method(tiny_run(method="hril", **changes), image_pair(modalities)).train()
    assert isinstance(method, HRIL)
    return method.double()


# --------------------------------------------------------------------------- alignment


def joint(embeddings: Sequence[Tensor]) -> list[list[float]]:
    """Unit rows of each modality, one after the other, and unit again; one row at a time."""
    found = []
    for rows in zip(*(z.tolist() for z in embeddings), strict=True):
        long = [x / math.hypot(*row) for row in rows for x in row]
        found.append([x / math.hypot(*long) for x in long])
    return found


def invariance(first: list[list[float]], second: list[list[float]]) -> float:
    cosines = [
        sum(x * y for x, y in zip(u, v, strict=True)) for u, v in zip(first, second, strict=True)
    ]
    return sum((1 - c) ** 2 for c in cosines) / len(cosines)


def variance(first: list[list[float]], second: list[list[float]], target: float) -> float:
    total = 0.0
    for d in range(len(first[0])):
        column = [(u[d] + v[d]) / 2 for u, v in zip(first, second, strict=True)]
        mean = sum(column) / len(column)
        around = sum((x - mean) ** 2 for x in column) / len(column)
        total += max(0.0, target - math.sqrt(around + EPSILON))
    return total / len(first[0])


@pytest.mark.parametrize("target", [0.5, 0.2])  # the hinge of 0.2 ends in some dimensions
def test_alignment_is_that_of_plain_loops(target: float) -> None:
    views = [[random(7, d, seed=10 * v + d) for d in (3, 5)] for v in (1, 2)]
    z_1, z_2 = (hril.joint(view) for view in views)
    first, second = (joint(view) for view in views)
    torch.testing.assert_close(z_1, torch.tensor(first, dtype=torch.float64))
    assert hril.invariance(z_1, z_2).item() == pytest.approx(invariance(first, second))
    assert hril.spread(z_1, z_2, target).item() == pytest.approx(variance(first, second, target))


def test_invariance_knows_equal_orthogonal_and_opposite_views() -> None:
    z = torch.eye(4)
    found = [hril.invariance(z, other).item() for other in (z, z.roll(1, 0), -z)]
    assert found == [0.0, 1.0, 4.0]


def test_the_hinge_of_the_variance_never_ends() -> None:
    """Unit rows of D′ entries: mean deviation ≤ √(1/D′ + ε), whatever the embeddings are."""
    for N, D in ((64, 1024), (8, 16), (1024, 64)):
        spread_out = hril.joint([random(N, D // 2, seed=s) for s in (1, 2)])
        collapsed = spread_out[:1].expand(N, -1)
        best, worst = (hril.spread(z, z, 0.5).item() for z in (spread_out, collapsed))
        assert 0.5 - math.sqrt(1 / D + EPSILON) <= best < worst
        assert worst == pytest.approx(0.5 - math.sqrt(EPSILON))
    assert best == pytest.approx(0.5 - math.sqrt(1 / 64 + EPSILON), abs=1e-3)  # nearly reached


# --------------------------------------------------------------------------- synergy


def hooi(moment: Array, iterations: int = 15, tolerance: float = 1e-3) -> float:
    """max G² / ‖G‖² by higher-order orthogonal iteration of full rank, begun by unfoldings' SVD."""

    def unfold(tensor: Array, axis: int) -> Array:
        return np.moveaxis(tensor, axis, 0).reshape(tensor.shape[axis], -1)

    def contract(tensor: Array, factors: list[Array], skip: int | None = None) -> Array:
        for axis, factor in enumerate(factors):
            if axis != skip:
                tensor = np.moveaxis(np.tensordot(factor.T, tensor, (1, axis)), 0, axis)
        return tensor

    M = moment.ndim
    factors = [np.linalg.svd(unfold(moment, m))[0] for m in range(M)]
    before = math.inf
    for _ in range(iterations):
        for m in range(M):
            factors[m] = np.linalg.svd(unfold(contract(moment, factors, m), m))[0]
        core = contract(moment, factors)
        error = math.sqrt(max(0.0, (moment**2).sum() - (core**2).sum()))
        if abs(before - error) < tolerance:
            break
        before = error
    return float((core**2).max() / (core**2).sum())


def outer(embeddings: Sequence[Tensor]) -> Array:
    """The mean over samples of the outer product of their embeddings, one sample at a time."""
    rows = zip(*(z.numpy() for z in embeddings), strict=True)
    products = [reduce(np.multiply.outer, row) for row in rows]
    mean: Array = np.mean(products, axis=0)
    return mean


@pytest.mark.parametrize("samples", [40, 3])  # of rank r, and of less
@pytest.mark.parametrize("modalities", [2, 3, 4])
@pytest.mark.parametrize("shift", [0.0, 1.0])  # uncentred: a common mean is a large component
def test_dominance_is_that_of_the_tucker_core(modalities: int, samples: int, shift: float) -> None:
    z = [random(samples, 5, seed=m) + shift for m in range(modalities)]
    moment = hril.cross_moment(z)
    expected = outer(z)
    np.testing.assert_allclose(moment.numpy(), expected, rtol=1e-10, atol=1e-12)
    assert hril.dominance(moment).item() == pytest.approx(hooi(expected), rel=1e-6)
    single = hril.dominance(moment.float())
    assert single.item() == pytest.approx(hooi(expected), rel=1e-4)


def test_dominance_of_two_modalities_is_the_largest_singular_values_share() -> None:
    matrix = random(24, 24)
    s = np.linalg.svd(matrix.numpy(), compute_uv=False)
    assert hril.dominance(matrix).item() == pytest.approx(s[0] ** 2 / (s**2).sum(), rel=1e-9)
    close = torch.diag(torch.tensor([1.0, 0.999, *[0.99] * 22]))
    share = (close.diagonal()[0] ** 2 / close.square().sum()).item()
    assert hril.dominance(close).item() == pytest.approx(share, rel=1e-4)


@pytest.mark.parametrize("modalities", [2, 3])
def test_the_gradient_of_dominance_is_its_slope(modalities: int) -> None:
    moment = random(*[3] * modalities, seed=5).requires_grad_()
    assert torch.autograd.gradcheck(hril.dominance, moment, atol=1e-6)


@pytest.mark.parametrize("modalities", [2, 3])
def test_equal_singular_values_and_nothing_at_all_have_finite_gradients(modalities: int) -> None:
    diagonal = torch.zeros([4] * modalities)
    diagonal[(torch.arange(4),) * modalities] = 1.0
    few = hril.cross_moment([random(2, 4, seed=m).float() for m in range(modalities)])
    for moment in (diagonal, torch.zeros_like(diagonal), few):
        moment.requires_grad_()
        share = hril.dominance(moment)
        share.backward()
        assert 0 <= share <= 1 + 1e-6
        assert moment.grad is not None
        assert moment.grad.isfinite().all()
    assert hril.dominance(diagonal).item() == pytest.approx(1 / 4, rel=1e-5)


def test_the_synergy_hinge_of_one_component_of_two_and_of_four() -> None:
    P = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)

    def loss(*directions: int) -> float:
        z = torch.eye(4, dtype=torch.float64)[list(directions)]
        return hril.synergy([z, 3 * z], P, 0.6).item()

    assert loss(0, 0, 0) == pytest.approx(0.6 - 1e-6)  # ρ = 1, clipped
    assert loss(0, 1) == pytest.approx(0.1)  # ρ = 1/2
    assert loss(0, 0, 1) == pytest.approx(0.4)  # ρ = 4/5
    assert loss(0, 1, 2, 3) == 0  # ρ = 1/4


# --------------------------------------------------------------------------- the whole loss


def views_of(method: HRIL, samples: int = 6) -> tuple[Tensor, ...]:
    shape = (samples, len(method.modalities), 3, 32, 32)
    batch = torch.randint(256, shape, generator=torch.Generator().manual_seed(1)).byte().unbind(1)
    return tuple(x.double() for x in method.views(batch, torch.Generator().manual_seed(2)))


def estimate(anchors: Tensor, others: Tensor, temperature: float) -> float:
    """Î less log N: both directions, negatives of the other view, the positive among the sum."""
    a, b = ((z / z.norm(dim=1, keepdim=True)).detach().numpy() for z in (anchors, others))
    total = 0.0
    for own, other in ((a, b), (b, a)):
        for k in range(len(own)):
            weights = [math.exp(own[k] @ w / temperature) for w in other]
            total += math.log(weights[k] / sum(weights))
    return total / (2 * len(a))


def fuse(method: HRIL, views: tuple[Tensor, ...], modalities: Sequence[int]) -> Tensor:
    """CLS of both views of some modalities: [2, N, D]."""
    tokens = [method.encode(x, m) for m, x in enumerate(views)]
    fused: Tensor = method.fusion(tokens, [list(modalities)])[0]
    by_view: Tensor = fused.detach().unflatten(0, (2, -1))
    return by_view


@pytest.mark.parametrize("terms", HRILOptions.choices["terms"])
@pytest.mark.parametrize(("modalities", "fused"), [(2, False), (2, True), (3, False)])
def test_the_loss_is_the_weighted_sum_of_the_named_terms(
    terms: str, modalities: int, fused: bool
) -> None:
    changes: dict[str, Any] = {
        "align_weight": 0.7,
        "synergy_weight": 0.3,
        "projection": 3,
        "synergy_target": 0.9,
    }
    method = make(modalities, terms=terms, fused=fused, temperature=0.5, **changes)
    views, parts = views_of(method), method.parts
    loss = method.objective(views)
    everything = fuse(method, views, range(modalities))
    alone = [fuse(method, views, [m]) for m in range(modalities)]
    f_1, f_2 = (method.head(one[None])[0] for one in everything)
    expected = 0.0
    for one in alone if "nce" in parts else []:
        z_1, z_2 = (method.head(z[None])[0] for z in one)
        expected -= (estimate(z_1, f_2, 0.5) + estimate(z_2, f_1, 0.5)) / 2
    if fused:
        expected -= estimate(f_1, f_2, 0.5)
    if "align" in parts:
        first, second = (joint([one[v] for one in alone]) for v in (0, 1))
        expected += 0.7 * (invariance(first, second) + variance(first, second, 0.5))
    if "syn" in parts:
        for v in (0, 1):
            small = [one[v] @ P for one, P in zip(alone, method.projections, strict=True)]
            expected += 0.3 / 2 * max(0.0, 0.9 - (1 - hooi(outer(small))))
    assert loss.total.item() == pytest.approx(expected, rel=1e-6)
    names = ["L"] * fused + [f"L_{m + 1}" for m in range(modalities)] * ("nce" in parts)
    names += ["L_inv", "L_var"] * ("align" in parts) + ["L_syn"] * ("syn" in parts)
    assert list(loss.terms) == names


def test_without_the_contrastive_term_head_and_fused_embedding_learn_nothing() -> None:
    method = make(terms="align+syn", synergy_target=0.9)
    loss = method.objective(views_of(method))
    loss.total.backward()
    assert all(p.grad is None for p in method.head.parameters())
    learned = [p.grad for p in method.fusion.parameters() if p.grad is not None]
    assert learned
    assert all(gradient.isfinite().all() for gradient in learned)


@pytest.mark.parametrize("modalities", [2, 3])
def test_each_term_reaches_every_encoder(modalities: int) -> None:
    for term in ("L_inv", "L_var", "L_syn"):
        method = make(modalities, synergy_target=0.99)
        method.objective(views_of(method)).terms[term].backward()
        for encoder in method.encoder:
            gradients = [p.grad for p in encoder.parameters()]
            assert all(g is not None and g.isfinite().all() for g in gradients)
            assert any(g is not None and g.abs().max() > 0 for g in gradients)


def test_the_projections_are_drawn_by_the_seed_and_fixed() -> None:
    one, same, other = (make(seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one.projections, same.projections)
    assert not torch.allclose(one.projections, other.projections)
    P = one.projections
    products = P.transpose(1, 2) @ P
    unit = torch.eye(P.shape[2]).double().expand_as(products)
    torch.testing.assert_close(products, unit, rtol=0, atol=1e-5)
    assert "projections" in one.state_dict()
    assert "projections" not in dict(one.named_parameters())
    assert "projections" not in make(terms="nce+align").state_dict()


def test_it_starts_as_comm_does() -> None:
    torch.manual_seed(0)
    comm = make_method(tiny_run(method="comm"), image_pair())
    ours = dict(make().named_parameters())
    for name, parameter in comm.named_parameters():
        assert torch.equal(ours[name], parameter.double())


# --------------------------------------------------------------------------- options


def test_negatives_are_cross_view_unless_said_otherwise() -> None:
    assert run_preset("quick", method="hril").option("negatives") == "cross"
    assert run_preset("quick", method="hril", negatives="both").option("negatives") == "both"


def test_what_hril_fixes_is_no_option_of_it() -> None:
    for name, value in (("loss", "L_i"), ("unimodal", "plain")):
        with pytest.raises(InputError, match=f"{name} is an option of .*, not of hril"):
            run_preset("quick", method="hril", **{name: value})


def test_a_moment_too_large_is_refused_and_one_modality_too() -> None:
    with pytest.raises(InputError, match=r"8\^8 entries, more than 10,000,000: take a smaller"):
        make(8)
    make(8, terms="nce+align")
    with pytest.raises(InputError, match="hril needs at least two modalities"):
        make(1)
