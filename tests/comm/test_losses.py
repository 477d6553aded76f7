"""The losses against the paper's sums in plain loops, closed forms and numerical gradients."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from trifeature.comm.losses import (
    combine,
    comm_terms,
    info_nce,
    loss_names,
    terms_of,
)
from trifeature.comm.options import NEGATIVES, Negatives
from trifeature.errors import InputError

Rows = list[list[float]]


def embeddings(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def unit(z: Tensor) -> Rows:
    return [[x / math.hypot(*row) for x in row] for row in z.tolist()]


def weight(u: list[float], v: list[float], temperature: float) -> float:
    return math.exp(sum(x * y for x, y in zip(u, v, strict=True)) / temperature)


def nt_xent(z_a: Tensor, z_b: Tensor, temperature: float) -> float:
    """(1/2N) Σ_k [ℓ(a_k→b) + ℓ(b_k→a)] of SimCLR, one exponential at a time."""
    a, b = unit(z_a), unit(z_b)
    total = 0.0
    for own, other in ((a, b), (b, a)):
        for k, anchor in enumerate(own):
            across = sum(weight(anchor, w, temperature) for w in other)
            within = sum(weight(anchor, w, temperature) for i, w in enumerate(own) if i != k)
            total -= math.log(weight(anchor, other[k], temperature) / (across + within))
    return total / (2 * len(a))


def clip(z_a: Tensor, z_b: Tensor, temperature: float) -> float:
    """The mean of two cross-entropies over the other view: from a to b and from b to a."""
    a, b = unit(z_a), unit(z_b)
    total = 0.0
    for own, other in ((a, b), (b, a)):
        for k, anchor in enumerate(own):
            across = sum(weight(anchor, w, temperature) for w in other)
            total -= math.log(weight(anchor, other[k], temperature) / across)
    return total / (2 * len(a))


def algorithm_1(z_a: Tensor, z_b: Tensor, temperature: float) -> float:
    """The printed Algorithm 1: from a to b only, the positive not in the denominator."""
    a, b = unit(z_a), unit(z_b)
    total = 0.0
    for k, anchor in enumerate(a):
        others = sum(weight(anchor, w, temperature) for i, w in enumerate(b) if i != k)
        total -= math.log(weight(anchor, b[k], temperature) / others)
    return total / len(a)


PLAIN: dict[Negatives, Callable[[Tensor, Tensor, float], float]] = {
    "both": nt_xent,
    "cross": clip,
    "algorithm1": algorithm_1,
}


def test_the_plain_sums_cover_every_kind_of_negatives() -> None:
    assert tuple(PLAIN) == NEGATIVES


@pytest.mark.parametrize("negatives", NEGATIVES)
@pytest.mark.parametrize("samples", [2, 3, 9])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_info_nce_is_the_papers_sum(negatives: Negatives, samples: int, temperature: float) -> None:
    z_a, z_b = embeddings(2, samples, 4, seed=samples)
    expected = PLAIN[negatives](z_a, z_b, temperature)
    assert info_nce(z_a, z_b, temperature, negatives).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("negatives", ["both", "cross"])
def test_info_nce_does_not_care_which_view_comes_first(negatives: Negatives) -> None:
    z_a, z_b = embeddings(2, 6, 5)
    there, back = (info_nce(*z, negatives=negatives) for z in ((z_a, z_b), (z_b, z_a)))
    torch.testing.assert_close(there, back)


def test_algorithm_1_looks_from_the_first_view_at_the_second_only() -> None:
    z_a, z_b = embeddings(2, 6, 5)
    there, back = (info_nce(*z, negatives="algorithm1") for z in ((z_a, z_b), (z_b, z_a)))
    assert abs(there - back) > 0.01


@pytest.mark.parametrize("samples", [2, 5, 64])
def test_info_nce_of_coinciding_embeddings_is_the_log_of_the_number_compared(samples: int) -> None:
    z = embeddings(1, 7).expand(samples, -1)
    compared = {"both": 2 * samples - 1, "cross": samples, "algorithm1": samples - 1}
    for negatives in NEGATIVES:
        expected = pytest.approx(math.log(compared[negatives]), abs=1e-12)
        assert info_nce(z, z, negatives=negatives).item() == expected


@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0])
def test_info_nce_of_aligned_orthogonal_samples_has_its_closed_form(temperature: float) -> None:
    z = torch.eye(6, dtype=torch.float64)
    other = math.exp(-1 / temperature)
    expected = {
        "both": math.log1p(10 * other),
        "cross": math.log1p(5 * other),
        "algorithm1": math.log(5 * other),
    }
    for negatives in NEGATIVES:
        loss = info_nce(z, z, temperature, negatives).item()
        assert loss == pytest.approx(expected[negatives])


def test_a_temperature_that_is_learned_has_the_gradient_of_finite_differences() -> None:
    z_a, z_b = embeddings(2, 4, 3)
    temperature = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: info_nce(z_a, z_b, t, "cross"), (temperature,))


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_info_nce_ignores_the_length_of_every_row(negatives: Negatives) -> None:
    z_a, z_b = embeddings(2, 6, 5)
    lengths = embeddings(2, 6, 1, seed=1).exp()
    torch.testing.assert_close(
        info_nce(z_a * lengths[0], z_b * lengths[1], negatives=negatives),
        info_nce(z_a, z_b, negatives=negatives),
    )


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_info_nce_does_not_depend_on_the_order_of_the_samples(negatives: Negatives) -> None:
    z_a, z_b = embeddings(2, 6, 5)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(
        info_nce(z_a[order], z_b[order], negatives=negatives),
        info_nce(z_a, z_b, negatives=negatives),
    )


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_info_nce_has_the_gradient_of_finite_differences(negatives: Negatives) -> None:
    z_a, z_b = (z.clone().requires_grad_() for z in embeddings(2, 4, 3))
    assert torch.autograd.gradcheck(lambda a, b: info_nce(a, b, 0.5, negatives), (z_a, z_b))


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_info_nce_treats_leading_dimensions_as_separate_batches(negatives: Negatives) -> None:
    z_a, z_b = embeddings(2, 2, 3, 5, 4)
    losses = info_nce(z_a, z_b, negatives=negatives)
    assert losses.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            one = info_nce(z_a[i, j], z_b[i, j], negatives=negatives)
            torch.testing.assert_close(losses[i, j], one)


@pytest.mark.parametrize("negatives", NEGATIVES)
def test_info_nce_stays_finite_where_the_exponentials_would_overflow(negatives: Negatives) -> None:
    z_a, z_b = embeddings(2, 8, 3).float()
    z_a.requires_grad_()
    loss = info_nce(z_a, z_b, 1e-3, negatives)
    loss.backward()
    assert loss.isfinite()
    assert z_a.grad is not None
    assert z_a.grad.isfinite().all()


@pytest.mark.parametrize(
    ("left", "right"), [((4, 3), (5, 3)), ((4, 3), (4, 2)), ((1, 3), (1, 3)), ((3,), (3,))]
)
def test_shapes_that_do_not_fit_are_refused_and_both_named(
    left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    with pytest.raises(InputError) as refusal:
        info_nce(torch.ones(left), torch.ones(right))
    assert str(list(left)) in str(refusal.value)
    assert str(list(right)) in str(refusal.value)


@pytest.mark.parametrize("temperature", [0.0, -0.1, math.nan])
def test_a_temperature_that_is_not_positive_is_refused(temperature: float) -> None:
    with pytest.raises(InputError, match="temperature must be positive"):
        info_nce(torch.ones(3, 2), torch.ones(3, 2), temperature)


def test_an_unknown_kind_of_negatives_is_refused_not_taken_for_another() -> None:
    with pytest.raises(InputError, match="algorithm1"):
        info_nce(torch.ones(3, 2), torch.ones(3, 2), 0.1, "algorithm2")  # type: ignore[arg-type]


# --------------------------------------------------------------------------- CoMM's terms


@pytest.mark.parametrize("modalities", [2, 3])
@pytest.mark.parametrize("negatives", NEGATIVES)
def test_comm_terms_pair_each_modality_with_the_fusion_of_the_other_view(
    modalities: int, negatives: Negatives
) -> None:
    views = embeddings(2, 5, 4)
    alone = embeddings(modalities, 2, 5, 4, seed=1)
    ntx = PLAIN[negatives]
    expected = {"L": ntx(views[0], views[1], 0.2)}
    for i in range(modalities):
        first, second = alone[i]
        expected[f"L_{i + 1}"] = (ntx(first, views[1], 0.2) + ntx(second, views[0], 0.2)) / 2
    terms = comm_terms((views[0], views[1]), [(z[0], z[1]) for z in alone], 0.2, negatives)
    assert list(terms) == list(expected)
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected)


def test_comm_terms_of_a_plain_image_compare_it_with_both_views() -> None:
    first, second, plain = embeddings(3, 5, 4)
    terms = comm_terms((first, second), [(plain, plain)])
    expected = (nt_xent(plain, second, 0.1) + nt_xent(plain, first, 0.1)) / 2
    assert terms["L_1"].item() == pytest.approx(expected)


def test_comm_terms_do_not_care_which_view_comes_first() -> None:
    first, second, one, two = embeddings(4, 5, 4)
    terms = comm_terms((first, second), [(one, two)])
    swapped = comm_terms((second, first), [(two, one)])
    torch.testing.assert_close(terms, swapped)


def test_comm_terms_have_the_gradients_of_finite_differences() -> None:
    z = [row.clone().requires_grad_() for row in embeddings(4, 3, 3)]

    def total(first: Tensor, second: Tensor, one: Tensor, two: Tensor) -> Tensor:
        terms = comm_terms((first, second), [(one, two)], 0.5)
        return combine(terms, ("L", "L_1"))

    assert torch.autograd.gradcheck(total, tuple(z))


# --------------------------------------------------------------------------- what is minimized


def test_loss_names_offer_each_modality_on_its_own() -> None:
    assert loss_names(3) == ("L_CoMM", "L", "L_i", "L_1", "L_2", "L_3")


@pytest.mark.parametrize(
    ("loss", "terms"),
    [
        ("L_CoMM", ("L", "L_1", "L_2", "L_3")),
        ("L", ("L",)),
        ("L_i", ("L_1", "L_2", "L_3")),
        ("L_2", ("L_2",)),
    ],
)
def test_a_choice_of_loss_adds_up_its_terms(loss: str, terms: tuple[str, ...]) -> None:
    assert terms_of(loss, 3) == terms


@pytest.mark.parametrize("modalities", [2, 3])
def test_every_choice_of_loss_is_made_of_terms_that_exist(modalities: int) -> None:
    views = embeddings(2, 4, 3)
    terms = comm_terms((views[0], views[1]), [(views[0], views[1])] * modalities)
    for loss in loss_names(modalities):
        assert set(terms_of(loss, modalities)) <= set(terms)


def test_combine_is_the_mean_of_the_named_terms_alone() -> None:
    terms = {"L": torch.tensor(1.0), "L_1": torch.tensor(2.0), "L_2": torch.tensor(6.0)}
    assert combine(terms, ("L", "L_1", "L_2")).item() == 3.0
    assert combine(terms, ("L_1", "L_2")).item() == 4.0
    assert combine(terms, ("L",)).item() == 1.0
