"""Element-wise products of features: the numbers, and what a linear probe sees by them."""

from itertools import combinations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_runs import image_pair, tiny_run
from torch import Tensor

from trifeature.comm.methods import make_method
from trifeature.comm.methods.cross_self import CrossSelf
from trifeature.comm.products import UnequalLengthsError, product_of, with_products
from trifeature.errors import InputError
from trifeature.probes.protocol import probe_features


def features(*lengths: int, count: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(count, length, generator=generator) for length in lengths]


def looped(parts: list[Tensor]) -> Tensor:
    """The product by its formula, number by number."""
    made = np.ones(parts[0].shape)
    for x in parts:
        for i, row in enumerate(x.double().tolist()):
            root = (sum(value**2 for value in row) / len(row)) ** 0.5
            for d, value in enumerate(row):
                made[i, d] *= value / root
    return torch.from_numpy(made).float()


def test_products_of_two_stand_after_the_features() -> None:
    a, b = features(3, 3)
    whole = torch.cat([a, b], dim=1)
    found = with_products(whole, [a, b])
    assert torch.equal(found[:, :6], whole)
    torch.testing.assert_close(found[:, 6:], looped([a, b]))
    torch.testing.assert_close(product_of([a]), looped([a]))


def test_three_modalities_have_the_product_of_every_pair_and_of_all() -> None:
    parts = features(3, 3, 3)
    found = with_products(parts[0], parts)
    groups = [*(list(pair) for pair in combinations(parts, 2)), parts]
    torch.testing.assert_close(found[:, 3:], torch.cat([looped(g) for g in groups], dim=1))


def test_a_single_modality_has_no_products() -> None:
    (a,) = features(3)
    assert torch.equal(with_products(a, [a]), a)


def test_features_of_unequal_lengths_are_refused() -> None:
    a, b = features(3, 4)
    with pytest.raises(UnequalLengthsError, match="one length for every modality, not 3, 4"):
        with_products(torch.cat([a, b], dim=1), [a, b])


@pytest.mark.parametrize("shape", [(3, 3), (4,), (4, 3, 2)])
def test_what_is_no_table_of_features_is_refused(shape: tuple[int, ...]) -> None:
    whole = torch.ones(4, 6)
    with pytest.raises(InputError, match=r"features \[N, F\] of each modality for 4 samples, not"):
        with_products(whole, [torch.ones(shape), torch.ones(4, 3)])


def test_whether_two_values_fit_is_read_from_products_alone() -> None:
    """Two one-hot codes, and whether they are the same: no sum of a part of each tells it."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(4, size=(2, 1200))
    second = np.where(rng.random(1200) < 0.5, first, second)
    one, two = (torch.eye(4)[torch.from_numpy(values)] for values in (first, second))
    apart = torch.cat([one, two], dim=1)
    same, scores = first == second, {}
    for name, x in (("apart", apart), ("products", with_products(apart, [one, two]))):
        reading = probe_features(x[:600], same[:600], x[600:], same[600:])
        scores[name] = reading.row()["label_auc"]
    assert scores["apart"] < 0.6
    assert scores["products"] == 1


@pytest.mark.parametrize("variant", ["code", "paper"])
def test_cross_self_multiplies_what_its_cross_term_compares(variant: str) -> None:
    torch.manual_seed(0)
    run = tiny_run(method="cross+self", cross_self=variant, seed=0)
    method = make_method(run, image_pair(2, 16)).eval()
    assert isinstance(method, CrossSelf)
    codes = features(run.option("vector"), run.option("vector"))
    with torch.no_grad():
        for m, vectors in enumerate(codes):
            if method.projector is None:
                expected = method.head[m](vectors[None])[0]
            else:
                expected = F.linear(vectors, method.projector[m].get_parameter("weight"))
            torch.testing.assert_close(method.aligned(codes, m), expected)
