"""Views of vectors against plain NumPy loops: the same numbers and the stated distributions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torchvision_views import seeded

from trifeature.errors import InputError
from trifeature.views.vectors import (
    CLEAN_VECTOR,
    LIGHT_VECTOR,
    STRONG_VECTOR,
    VectorParameters,
    VectorViews,
)

PRESETS = {"strong": STRONG_VECTOR, "light": LIGHT_VECTOR, "clean": CLEAN_VECTOR}
OTHERS = {
    "much": VectorViews(noise=2.0, noise_probability=0.9, drop=(0.3, 0.6), drop_probability=0.7),
    "all dropped": VectorViews(drop=(1.0, 1.0), drop_probability=1),
}
N, F = 40, 13


def vectors(n: int = N, features: int = F) -> torch.Tensor:
    return torch.randn(n, features, generator=seeded(9))


def loop(views: VectorViews, items: np.ndarray, seed: int) -> np.ndarray:
    """The specification: sample by sample, from the same random numbers."""
    generator = seeded(seed)
    coins, order = (torch.rand(len(items), k, generator=generator).numpy() for k in (3, F))
    normal = torch.randn(len(items), F, generator=generator).numpy()
    result = items.astype(np.float64)
    low, high = views.drop
    for i in range(len(items)):
        if coins[i, 0] < views.noise_probability:
            for j in range(F):
                result[i, j] += views.noise * normal[i, j]
        if coins[i, 1] < views.drop_probability:
            dropped = round((low + (high - low) * float(coins[i, 2])) * F)
            for j in sorted(range(F), key=lambda j: order[i, j])[:dropped]:
                result[i, j] = 0.0
    return result


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("views", [*PRESETS.values(), *OTHERS.values()], ids=[*PRESETS, *OTHERS])
def test_a_view_is_what_a_plain_loop_makes(views: VectorViews, seed: int) -> None:
    items = vectors()
    found = views.apply(items, views.draw(N, (F,), seeded(seed)))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), loop(views, items.numpy(), seed), atol=1e-6)


def test_noise_has_its_deviation_and_comes_as_often_as_it_should() -> None:
    views = VectorViews(noise=0.3, noise_probability=0.4)
    noise = views.draw(4000, (5,), seeded(1)).noise.double()
    noisy = noise.ne(0).any(1)
    assert stats.binomtest(int(noisy.sum()), 4000, 0.4).pvalue > 0.01
    normal = stats.norm(scale=0.3)
    assert stats.kstest(noise[noisy].flatten(), normal.cdf).pvalue > 0.01


def test_the_share_of_dropped_features_is_uniform_and_comes_as_often_as_it_should() -> None:
    views = VectorViews(drop=(0.2, 0.7), drop_probability=0.4)
    dropped = views.draw(3000, (1000,), seeded(2)).dropped
    share = dropped.double().mean(1)
    some = share > 0
    assert stats.binomtest(int(some.sum()), 3000, 0.4).pvalue > 0.01
    assert stats.kstest(share[some], stats.uniform(loc=0.2, scale=0.5).cdf).pvalue > 0.01


def test_every_feature_is_dropped_as_often_and_pairs_of_them_too() -> None:
    views = VectorViews(drop=(0.5, 0.5), drop_probability=1)
    dropped = views.draw(6000, (6,), seeded(3)).dropped
    assert dropped.sum(1).eq(3).all()
    codes = (dropped * 2 ** torch.arange(6)).sum(1)
    _, counts = codes.unique(return_counts=True)
    assert len(counts) == 20  # three of six
    assert stats.chisquare(counts).pvalue > 0.01


def test_ablations_drawn_from_one_seed_share_all_that_they_keep() -> None:
    whole, quiet, full = (
        views.draw(N, (F,), seeded(4))
        for views in (
            STRONG_VECTOR,
            replace(STRONG_VECTOR, noise_probability=0.0),
            STRONG_VECTOR.unique(),
        )
    )
    assert torch.equal(whole.dropped, quiet.dropped)
    assert torch.equal(whole.noise, full.noise)
    assert whole.noise.any()
    assert whole.dropped.any()
    assert not quiet.noise.any()
    assert not full.dropped.any()


def test_unique_is_noise_alone() -> None:
    assert STRONG_VECTOR.unique() == replace(STRONG_VECTOR, drop_probability=0.0)


def test_clean_is_the_vector_and_light_only_noise() -> None:
    items = vectors()
    assert torch.equal(CLEAN_VECTOR.apply(items, CLEAN_VECTOR.draw(N, (F,), seeded())), items)
    light = LIGHT_VECTOR.draw(N, (F,), seeded())
    assert light.noise.ne(0).all()
    assert not light.dropped.any()


@pytest.mark.parametrize("index", [slice(3, 6), torch.tensor([5, 0, 5])], ids=["slice", "tensor"])
def test_a_sample_replays_alone_whatever_its_batch_was(index: slice | torch.Tensor) -> None:
    items, params = vectors(), STRONG_VECTOR.draw(N, (F,), seeded())
    replayed = STRONG_VECTOR.apply(items[index], params[index])
    assert len(params) == N
    assert len(params[index]) == len(replayed) == 3
    assert torch.equal(replayed, STRONG_VECTOR.apply(items, params)[index])


def test_a_draw_is_printed_with_its_numbers() -> None:
    params = VectorParameters(torch.tensor([[0.25, 0.0]]), torch.tensor([[False, True]]))
    assert str(params) == (
        "VectorParameters(noise=tensor([[0.2500, 0.0000]]), dropped=tensor([[False,  True]]))"
    )


def test_one_seed_gives_one_draw_and_the_next_draw_another() -> None:
    generator = seeded(7)
    first, second = (STRONG_VECTOR.draw(N, (F,), generator) for _ in range(2))
    again = STRONG_VECTOR.draw(N, (F,), seeded(7))
    assert torch.equal(first.noise, again.noise)
    assert torch.equal(first.dropped, again.dropped)
    assert not torch.equal(first.noise, second.noise)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64])
def test_items_of_any_type_give_float32_and_are_left_alone(dtype: torch.dtype) -> None:
    items = (10 * vectors()).to(dtype)
    before = items.clone()
    params = OTHERS["much"].draw(N, (F,), seeded())
    result = OTHERS["much"].apply(items, params)
    assert result.dtype == torch.float32
    assert torch.equal(result, OTHERS["much"].apply(items.float(), params))
    result.zero_()
    assert torch.equal(items, before)


def test_an_absent_vector_stays_absent_and_one_missing_feature_is_dropped() -> None:
    views = OTHERS["all dropped"]
    items = torch.tensor([[torch.nan] * 3, [torch.nan, 1.0, 2.0]])
    expected = torch.tensor([[torch.nan] * 3, [0.0] * 3])
    found = views.apply(items, views.draw(2, (3,), seeded()))
    assert torch.equal(found.nan_to_num(7.0), expected.nan_to_num(7.0))


def test_empty_batches_and_single_features_have_views() -> None:
    assert STRONG_VECTOR.apply(torch.empty(0, 4), STRONG_VECTOR.draw(0, (4,), seeded())).shape == (
        0,
        4,
    )
    assert STRONG_VECTOR.apply(torch.ones(3, 1), STRONG_VECTOR.draw(3, (1,), seeded())).shape == (
        3,
        1,
    )


def test_no_step_depends_on_a_value() -> None:
    with FakeTensorMode():  # tensors without values: reading one raises
        params = STRONG_VECTOR.draw(4, (6,), seeded())
        result = STRONG_VECTOR.apply(torch.empty(4, 6), params)
        with pytest.raises(DataDependentOutputException):
            result[0, 0].item()
    assert result.shape == (4, 6)


def test_numbers_of_numpy_become_plain_ones() -> None:
    given: dict[str, Any] = {"noise": np.float32(0.5), "drop_probability": np.int64(1)}
    views = VectorViews(drop=(np.float64(0), 1), **given)
    assert json.loads(json.dumps(views.to_json())) == {
        "kind": "vector",
        "noise": 0.5,
        "noise_probability": 0.5,
        "drop": [0.0, 1.0],
        "drop_probability": 1.0,
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": -0.1}, "noise must be at least 0, not -0.1"),
        ({"noise": float("nan")}, "noise must be at least 0, not nan"),
        ({"noise_probability": 1.5}, "noise_probability must be from 0 to 1, not 1.5"),
        ({"drop_probability": "0.5"}, "drop_probability must be from 0 to 1, not '0.5'"),
        ({"drop": 0.5}, "drop must be a tuple of 2 numbers, not 0.5"),
        ({"drop": (0.1, 0.2, 0.3)}, "drop must be a tuple of 2 numbers"),
        ({"drop": (0.0, 1.5)}, "each number of drop must be from 0 to 1, not 1.5"),
        ({"drop": (0.5, 0.2)}, "drop must not fall: 0.5 is above 0.2"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        VectorViews(**settings)


def test_items_of_another_shape_are_refused() -> None:
    params = STRONG_VECTOR.draw(3, (4,), seeded())
    # [1, 4] would be broadcast to three samples without a word.
    for items in (torch.zeros(1, 4), torch.zeros(3, 1), torch.zeros(4), torch.zeros(3, 4, 1)):
        with pytest.raises(InputError, match=r"vectors must be \[3, 4\] as drawn, not"):
            STRONG_VECTOR.apply(items, params)
    for shape in ((), (3, 8, 8)):
        with pytest.raises(InputError, match=r"a vector has the shape \[F\], not \["):
            STRONG_VECTOR.draw(2, shape, seeded())
    with pytest.raises(InputError, match="count must be a whole number of at least 0, not -1"):
        STRONG_VECTOR.draw(-1, (4,), seeded())
