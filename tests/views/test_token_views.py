"""Views of tokens against plain NumPy loops: the same numbers and the stated distributions."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch.testing import assert_close
from torchvision_views import seeded

from trifeature.errors import InputError
from trifeature.views import views_from_json
from trifeature.views.tokens import (
    CLEAN_TOKENS,
    LIGHT_TOKENS,
    MASKED,
    STRONG_TOKENS,
    TokenViews,
)

N, T = 40, 12
SETTINGS = {
    "strong": STRONG_TOKENS,
    "light": LIGHT_TOKENS,
    "clean": CLEAN_TOKENS,
    "kept": TokenViews(mask=0.6, mask_probability=0.7, keep=(0, 3)),
    "dropped": TokenViews(mask=0.0, drop=(0.2, 0.9), drop_probability=0.7, keep=(3,)),
    "both": TokenViews(mask=0.3, drop_probability=1.0),
}


def tokens(n: int = N) -> torch.Tensor:
    """Random tokens of a vocabulary of six, 0 to T of them in an item, the rest NaN."""
    items = torch.randint(6, (n, T), generator=seeded(9)).float()
    items[torch.arange(T) >= (torch.arange(n) * (T + 1) // n)[:, None]] = torch.nan
    return items


def loop(views: TokenViews, items: np.ndarray, seed: int) -> np.ndarray:
    """The specification: sample by sample, from the same random numbers."""
    generator = seeded(seed)
    coins = torch.rand(len(items), 3, generator=generator).numpy()
    mask, priority = torch.rand(2, *items.shape, generator=generator).numpy()
    result = items.copy()
    low, high = views.drop
    for i in range(len(items)):
        chosen = [t for t, x in enumerate(items[i]) if not np.isnan(x) and x not in views.keep]
        if coins[i, 0] < views.mask_probability:
            for t in chosen:
                if mask[i, t] < views.mask:
                    result[i, t] = -1.0
        if coins[i, 1] < views.drop_probability:
            count = round((low + (high - low) * float(coins[i, 2])) * len(chosen))
            for t in sorted(chosen, key=lambda t: priority[i, t])[:count]:
                result[i, t] = -1.0
    return result


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("views", SETTINGS.values(), ids=[*SETTINGS])
def test_a_view_is_what_a_plain_loop_makes(views: TokenViews, seed: int) -> None:
    items = tokens()
    found = views.apply(items, views.draw(N, (T,), seeded(seed)))
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), loop(views, items.numpy(), seed))


def test_present_tokens_are_masked_as_often_as_they_should_and_no_others() -> None:
    items = tokens(3000)
    views = replace(STRONG_TOKENS, keep=(2,))
    found = views.apply(items, views.draw(3000, (T,), seeded(1)))
    masked, able = found == MASKED, ~items.isnan() & (items != 2)
    assert stats.binomtest(int(masked.sum()), int(able.sum()), 0.15).pvalue > 0.01
    assert not (masked & ~able).any()
    assert torch.equal(found.isnan(), items.isnan())
    assert torch.equal(found[~masked & able], items[~masked & able])


def test_masks_of_two_tokens_are_independent() -> None:
    masked = STRONG_TOKENS.draw(4000, (2,), seeded(2)).masked
    table = [[(masked == torch.tensor([a, b])).all(1).sum().item() for a in (0, 1)] for b in (0, 1)]
    assert stats.chi2_contingency(table).pvalue > 0.01


def test_a_sample_is_masked_as_often_as_it_should() -> None:
    views = TokenViews(mask=1.0, mask_probability=0.3)
    found = views.apply(torch.zeros(2000, 5), views.draw(2000, (5,), seeded(3)))
    assert torch.equal(found.eq(MASKED).any(1), found.eq(MASKED).all(1))
    assert stats.binomtest(int(found[:, 0].eq(MASKED).sum()), 2000, 0.3).pvalue > 0.01


def test_a_uniform_share_of_the_tokens_is_dropped() -> None:
    views = TokenViews(mask=0.0, drop=(0.2, 0.7), drop_probability=1.0)
    found = views.apply(torch.ones(800, 1000), views.draw(800, (1000,), seeded(4)))
    share = found.eq(MASKED).double().mean(1)
    assert stats.kstest(share, stats.uniform(0.2, 0.5).cdf).pvalue > 0.01


def test_ablations_drawn_from_one_seed_share_all_that_they_keep() -> None:
    both, masked, dropped = (
        views.apply(torch.zeros(N, T), views.draw(N, (T,), seeded(5)))
        for views in (
            TokenViews(drop_probability=0.5),
            STRONG_TOKENS,
            TokenViews(mask=0.0, drop_probability=0.5),
        )
    )
    assert torch.equal(both, torch.minimum(masked, dropped))
    assert masked.any()
    assert dropped.any()


def test_unique_and_clean_views_mask_nothing() -> None:
    items = tokens()
    for views in (CLEAN_TOKENS, SETTINGS["both"].unique()):
        found = views.apply(items, views.draw(N, (T,), seeded()))
        assert_close(found, items, rtol=0, atol=0, equal_nan=True)
    assert STRONG_TOKENS.unique() == CLEAN_TOKENS


@pytest.mark.parametrize("index", [slice(3, 6), torch.tensor([5, 0, 5])], ids=["slice", "tensor"])
def test_a_sample_replays_alone_whatever_its_batch_was(index: slice | torch.Tensor) -> None:
    items, views = tokens(), SETTINGS["both"]
    params = views.draw(N, (T,), seeded())
    assert len(params) == N
    assert len(params[index]) == 3
    replayed, whole = views.apply(items[index], params[index]), views.apply(items, params)
    assert_close(replayed, whole[index], rtol=0, atol=0, equal_nan=True)


def test_whole_numbers_are_tokens_too_and_items_are_left_alone() -> None:
    items = torch.randint(6, (N, T), generator=seeded(9))
    before = items.clone()
    params = SETTINGS["kept"].draw(N, (T,), seeded())
    result = SETTINGS["kept"].apply(items, params)
    assert torch.equal(result, SETTINGS["kept"].apply(items.float(), params))
    result.zero_()
    assert torch.equal(items, before)


def test_json_is_read_back() -> None:
    given: dict[str, Any] = {"mask": np.float64(0.5), "keep": [np.int64(4), 7]}
    views = TokenViews(**given)
    written = json.loads(json.dumps(views.to_json()))
    assert written == {
        "kind": "tokens",
        "mask": 0.5,
        "mask_probability": 1.0,
        "drop": [0.0, 0.8],
        "drop_probability": 0.0,
        "keep": [4, 7],
    }
    for some in (views, *SETTINGS.values()):
        assert views_from_json(json.loads(json.dumps(some.to_json()))) == some


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mask": 1.5}, "mask must be from 0 to 1, not 1.5"),
        ({"drop_probability": -1}, "drop_probability must be from 0 to 1, not -1"),
        ({"drop": 0.5}, "drop must be a tuple of 2 numbers, not 0.5"),
        ({"keep": 3}, "keep must be a tuple of tokens, not 3"),
        ({"keep": (-1,)}, "each token of keep must be a whole number of at least 0, not -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TokenViews(**settings)


def test_items_of_another_shape_are_refused() -> None:
    params = STRONG_TOKENS.draw(3, (4,), seeded())
    for items in (torch.zeros(1, 4), torch.zeros(3, 1), torch.zeros(4), torch.zeros(3, 4, 1)):
        with pytest.raises(InputError, match=r"tokens must be \[3, 4\] as drawn, not"):
            STRONG_TOKENS.apply(items, params)
    with pytest.raises(InputError, match=r"an item of tokens has the shape \[T\], not \[4, 2\]"):
        STRONG_TOKENS.draw(2, (4, 2), seeded())
    with pytest.raises(InputError, match="count must be a whole number of at least 0, not -1"):
        STRONG_TOKENS.draw(-1, (4,), seeded())
