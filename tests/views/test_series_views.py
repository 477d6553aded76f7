"""Views of series against plain NumPy loops: the same numbers and the stated distributions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.testing import assert_close
from torchvision_views import seeded

from trifeature.errors import InputError
from trifeature.views import JointViews, views_from_json
from trifeature.views.series import (
    CLEAN_SERIES,
    LIGHT_SERIES,
    STRONG_SERIES,
    TRANSFORMS,
    SeriesParameters,
    SeriesViews,
    series_views,
)
from trifeature.views.sets import ALL

N, T, F = 30, 11, 3
CHAINS = [
    "drop+noise",
    "noise+drop",
    "multi_drop+noise",
    "noise+multi_drop",
    "drop_consecutive",
    "multi_drop_consecutive+drop",
    "crop+noise",
    "drop+multi_drop+crop",
    "multi_crop",
]
"""Chains for comparison with the loop: every transform, and orders that matter."""


def series(partial: bool = False, steps: int = T, n: int = N) -> torch.Tensor:
    """Random series; if partial, of 0 to T present steps, the rest NaN."""
    items = torch.randn(n, steps, F, generator=seeded(9))
    if partial:
        lengths = torch.arange(n) * (steps + 1) // n
        items[torch.arange(steps) >= lengths[:, None]] = torch.nan
    return items


def zero_steps(items: torch.Tensor) -> torch.Tensor:
    """Which steps are zero in all features: bool [N, T]."""
    return items.eq(0).all(-1)


def always(chain: str) -> SeriesViews:
    return series_views(chain, probability=1.0)


def loop(views: SeriesViews, batch: Sequence[np.ndarray], seed: int) -> list[np.ndarray]:
    """The specification: series by series and sample by sample, from the same random numbers."""
    generator = seeded(seed)
    numbers = []
    for items in batch:
        count, steps, features = items.shape
        coin, share, start = torch.rand(3, count, len(TRANSFORMS), generator=generator).numpy()
        priority = torch.rand(count, 2, steps, generator=generator).numpy()
        normal = torch.randn(count, steps, features, generator=generator).numpy()
        numbers.append((coin, share, start, priority, normal))
    shortest = min(numbers, key=lambda own: own[3].shape[2])
    results = [items.astype(np.float64) for items in batch]
    for result, own in zip(results, numbers, strict=True):
        for i in range(len(result)):
            for name in views.order:
                w = TRANSFORMS.index(name)
                multi = name.startswith("multi_")
                used = shortest if multi else own
                coin = (shortest if multi or views.coins == "joint" else own)[0][i, w]
                family = "crop" if "crop" in name else "drop" if "drop" in name else "noise"
                if coin >= getattr(views, f"{family}_probability"):
                    continue
                if family == "noise":
                    result[i] += views.noise * own[4][i]
                    continue
                low, high = getattr(views, family)
                steps = [t for t in range(result.shape[1]) if not np.isnan(result[i, t, 0])]
                n = len(steps)
                count = round((low + (high - low) * float(used[1][i, w])) * n)
                first = int(float(used[2][i, w]) * max(n - count, 1))
                block = steps[first : first + count]
                if name in ("drop", "multi_drop"):
                    priority = used[3][i, int(multi)]
                    cells = [(2 * k + 1) * len(priority) // (2 * n) for k in range(n)]
                    zeroed = [steps[k] for k in sorted(range(n), key=lambda k: priority[cells[k]])]
                    zeroed = zeroed[:count]
                else:
                    zeroed = block if family == "drop" else [t for t in steps if t not in block]
                for t in zeroed:
                    result[i, t] = 0.0
    return results


@pytest.mark.parametrize("coins", ["own", "joint"])
@pytest.mark.parametrize("partial", [False, True], ids=["whole", "partial"])
@pytest.mark.parametrize("chain", CHAINS)
def test_views_of_three_series_are_what_a_plain_loop_makes(
    chain: str, partial: bool, coins: str
) -> None:
    views = series_views(chain, coins, probability=0.7)
    batch = [series(partial), series(partial), series(partial, steps=25)]
    drawn = views.draw_joint(N, [tuple(items.shape[1:]) for items in batch], seeded(3))
    expected = loop(views, [items.numpy() for items in batch], 3)
    for items, parameters, wanted in zip(batch, drawn, expected, strict=True):
        found = views.apply(items, parameters)
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_absent_steps_stay_absent_and_present_ones_present(name: str) -> None:
    items, views = series(partial=True), always(name)
    found = views.apply(items, views.draw(N, (T, F), seeded()))
    assert torch.equal(found.isnan(), items.isnan())


def test_present_steps_are_counted_wherever_they_stand() -> None:
    items = torch.ones(200, 8, 1)
    items[:, [0, 3, 4]] = torch.nan  # five are present
    for name, zeros in (("drop", 2), ("drop_consecutive", 2), ("crop", 3)):
        views = replace(always(name), drop=(0.4, 0.4), crop=(0.4, 0.4))
        found = views.apply(items, views.draw(200, (8, 1), seeded()))
        assert found.eq(0).sum((1, 2)).eq(zeros).all()
        assert found.isnan().sum((1, 2)).eq(3).all()


def test_noise_has_its_deviation_and_comes_as_often_as_it_should() -> None:
    views = SeriesViews(noise=0.3, noise_probability=0.4)
    noise = views.draw(2000, (5, 2), seeded(1)).noise.double()
    noisy = noise.ne(0).any(-1).any(-1)
    assert stats.binomtest(int(noisy.sum()), 2000, 0.4).pvalue > 0.01
    assert stats.kstest(noise[noisy].flatten(), stats.norm(scale=0.3).cdf).pvalue > 0.01


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("drop", 0.0, 0.8), ("drop_consecutive", 0.0, 0.8), ("crop", 0.0, 0.92)],
)
def test_the_zero_steps_are_a_uniform_share_as_often_as_they_should(
    name: str, low: float, high: float
) -> None:
    views = series_views(name, probability=0.4)
    found = views.apply(torch.ones(800, 1000, 1), views.draw(800, (1000, 1), seeded(2)))
    share = zero_steps(found).double().mean(1)
    some = share > 0
    assert stats.binomtest(int(some.sum()), 800, 0.4).pvalue > 0.01
    assert stats.kstest(share[some], stats.uniform(low, high - low).cdf).pvalue > 0.01


def test_every_set_of_steps_is_dropped_as_often() -> None:
    views = replace(always("drop"), drop=(0.5, 0.5))
    zero = zero_steps(views.apply(torch.ones(6000, 6, 1), views.draw(6000, (6, 1), seeded(3))))
    _, counts = (zero * 2 ** torch.arange(6)).sum(1).unique(return_counts=True)
    assert len(counts) == 20  # three of six
    assert stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize("name", ["drop_consecutive", "crop"])
def test_a_block_begins_anywhere_as_often_but_never_ends_last(name: str) -> None:
    views = replace(always(name), drop=(0.3, 0.3), crop=(0.3, 0.3))
    items = torch.ones(3000, 10, 1)
    zero = zero_steps(views.apply(items, views.draw(3000, (10, 1), seeded(4))))
    block = zero if name == "drop_consecutive" else ~zero
    first = block.int().argmax(1)
    assert block.sum(1).eq(3).all()
    assert all(block[i, t : t + 3].all() for i, t in enumerate(first.tolist()))
    counts = first.bincount(minlength=7)
    assert len(counts) == 7  # starts 0 … 6 of the eight that a block of three has
    assert stats.chisquare(counts).pvalue > 0.01


def test_a_block_of_all_steps_is_all_steps() -> None:
    views = replace(always("drop_consecutive"), drop=(1.0, 1.0))
    assert not views.apply(series(), views.draw(N, (T, F), seeded())).any()
    views = replace(always("crop"), crop=(1.0, 1.0))
    assert torch.equal(views.apply(series(), views.draw(N, (T, F), seeded())), series())


# --------------------------------------------------------------------------- several series


@pytest.mark.parametrize(
    "chain", ["multi_drop+noise", "noise+multi_drop", "multi_crop", "multi_drop_consecutive"]
)
def test_the_same_steps_are_zero_in_all_series_in_either_order(chain: str) -> None:
    views = replace(always(chain), noise=0.0)
    zero = zero_steps(draw_and_apply(views, [series(True), series(True)])).unflatten(0, (2, N))
    assert torch.equal(zero[0], zero[1])
    assert zero.any()
    plain = replace(always(chain.replace("multi_", "")), noise=0.0)
    zero = zero_steps(draw_and_apply(plain, [series(True), series(True)])).unflatten(0, (2, N))
    assert not torch.equal(zero[0], zero[1])


def draw_and_apply(views: SeriesViews, batch: Sequence[torch.Tensor]) -> torch.Tensor:
    """Views of several series of one shape, one series after the other: [k N, T, F]."""
    drawn = views.draw_joint(N, [tuple(items.shape[1:]) for items in batch], seeded())
    return torch.cat([views.apply(x, own) for x, own in zip(batch, drawn, strict=True)])


@pytest.mark.parametrize("name", ["multi_drop", "multi_drop_consecutive", "multi_crop"])
def test_in_series_of_twice_the_steps_the_same_shares_are_zero(name: str) -> None:
    views, steps = always(name), 40
    short, long = views.draw_joint(500, [(steps, 1), (2 * steps, 1)], seeded(5))
    once = zero_steps(views.apply(torch.ones(500, steps, 1), short))
    twice = zero_steps(views.apply(torch.ones(500, 2 * steps, 1), long)).unflatten(1, (steps, 2))
    # A step of the short series is two of the long one. Counts and starts are rounded, so that
    # they may differ at the ends of a block.
    different = (twice != once[..., None]).sum((1, 2))
    assert different.max() <= (1 if name == "multi_drop" else 4)
    assert different.eq(0).any()


@pytest.mark.parametrize(("coins", "agreement"), [("joint", 1.0), ("own", 0.5)])
def test_joint_coins_fall_alike_for_all_series_and_own_ones_do_not(
    coins: str, agreement: float
) -> None:
    views = series_views("drop+noise", coins)
    shapes = [(200, 1), (300, 1)]
    one, two = views.draw_joint(2000, shapes, seeded(6))
    for column in range(2):
        alike = (one.share[:, column] > 0) == (two.share[:, column] > 0)
        assert stats.binomtest(int(alike.sum()), 2000, agreement).pvalue > 0.01
    # The two transforms of a chain have coins of their own.
    alike = (one.share[:, 0] > 0) == (one.share[:, 1] > 0)
    assert stats.binomtest(int(alike.sum()), 2000, 0.5).pvalue > 0.01


def test_joint_coins_leave_shares_and_places_to_each_series() -> None:
    one, two = always("drop+noise").draw_joint(2000, [(5, 1), (5, 1)], seeded(7))
    for name in ("noise", "priority"):
        mine, other = (getattr(drawn, name).flatten() for drawn in (one, two))
        assert stats.pearsonr(mine, other).pvalue > 0.01
    assert stats.pearsonr(one.share[:, 0], two.share[:, 0]).pvalue > 0.01


def test_without_anything_joint_the_series_are_drawn_one_after_the_other() -> None:
    generator, shapes = seeded(8), [(T, F), (7, 2)]
    alone = [STRONG_SERIES.draw(N, shape, generator) for shape in shapes]
    assert not STRONG_SERIES.joint
    drawn = STRONG_SERIES.draw_joint(N, shapes, seeded(8))
    for shape, one, other in zip(shapes, alone, drawn, strict=True):
        items = torch.ones(N, *shape)
        assert torch.equal(STRONG_SERIES.apply(items, one), STRONG_SERIES.apply(items, other))


def test_what_is_joint_is_told() -> None:
    found = {
        chain: (views.joint, views.together)
        for chain in ("drop+noise", "noise+multi_drop")
        for views in [series_views(chain, coins="own")]
    }
    assert found == {"drop+noise": (False, False), "noise+multi_drop": (True, True)}
    assert series_views("drop+noise").joint
    assert isinstance(STRONG_SERIES, JointViews)
    assert not isinstance(ALL, JointViews)


# --------------------------------------------------------------------------- draws


def test_ablations_drawn_from_one_seed_share_all_that_they_keep() -> None:
    whole, quiet, unique, joint, after = (
        views.draw_joint(N, [(T, F), (T, F)], generator)[1]
        for views in (
            STRONG_SERIES,
            replace(STRONG_SERIES, noise_probability=0.0),
            STRONG_SERIES.unique(),
            series_views("multi_drop+noise", "own"),
            SeriesViews(order=("noise", "drop")),
        )
        for generator in [seeded(4)]
    )
    assert whole.noise.any()
    assert not quiet.noise.any()
    for other in (unique, joint, after):
        assert torch.equal(whole.noise, other.noise)
    assert torch.equal(whole.share[:, 0], quiet.share[:, 0])
    assert torch.equal(whole.share, after.share.flip(1))


def test_every_draw_takes_as_many_random_numbers() -> None:
    after = set()
    for views in (STRONG_SERIES, CLEAN_SERIES, *map(series_views, CHAINS)):
        generator = seeded()
        views.draw(3, (4, 2), generator)
        after.add(float(torch.rand((), generator=generator)))
    assert len(after) == 1


def test_unique_is_noise_alone() -> None:
    assert STRONG_SERIES.unique() == SeriesViews(order=("noise",))
    assert series_views("crop+drop").unique() == replace(series_views("crop+drop"), order=())


def test_clean_is_the_series_and_light_only_noise() -> None:
    items = series()
    clean = CLEAN_SERIES.apply(items, CLEAN_SERIES.draw(N, (T, F), seeded()))
    assert torch.equal(clean, items)
    assert clean is not items
    noise = LIGHT_SERIES.draw(N, (T, F), seeded())
    assert noise.noise.ne(0).all()
    assert torch.equal(LIGHT_SERIES.apply(items, noise), items + noise.noise)


@pytest.mark.parametrize("index", [slice(3, 6), torch.tensor([5, 0, 5])], ids=["slice", "tensor"])
def test_a_sample_replays_alone_whatever_its_batch_was(index: slice | torch.Tensor) -> None:
    items, views = series(partial=True), series_views("multi_drop+drop+noise+crop")
    params = views.draw(N, (T, F), seeded())
    replayed = views.apply(items[index], params[index])
    assert len(params) == N
    assert len(params[index]) == len(replayed) == 3
    assert_close(replayed, views.apply(items, params)[index], rtol=0, atol=0, equal_nan=True)


def test_a_draw_is_printed_with_its_numbers() -> None:
    one = torch.tensor([[0.25]])
    params = SeriesParameters(one[..., None], one, one, one, one)
    assert str(params) == (
        "SeriesParameters(noise=tensor([[[0.2500]]]), share=tensor([[0.2500]]), "
        "start=tensor([[0.2500]]), priority=tensor([[0.2500]]), joint_priority=tensor([[0.2500]]))"
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64])
def test_items_of_any_type_give_float32_and_are_left_alone(dtype: torch.dtype) -> None:
    items = (10 * series()).to(dtype)
    before = items.clone()
    params = STRONG_SERIES.draw(N, (T, F), seeded())
    result = STRONG_SERIES.apply(items, params)
    assert result.dtype == torch.float32
    assert torch.equal(result, STRONG_SERIES.apply(items.float(), params))
    result.zero_()
    assert torch.equal(items, before)


def test_empty_batches_and_single_steps_have_views() -> None:
    for n, steps in ((0, 4), (3, 1)):
        for chain in CHAINS:
            views = series_views(chain)
            params = views.draw(n, (steps, 2), seeded())
            assert views.apply(torch.ones(n, steps, 2), params).shape == (n, steps, 2)


def test_no_step_depends_on_a_value() -> None:
    with FakeTensorMode():  # tensors without values: reading one raises
        views = series_views("multi_drop+drop+noise+crop")
        result = views.apply(torch.empty(4, 6, 2), views.draw(4, (6, 2), seeded()))
        with pytest.raises(DataDependentOutputException):
            result[0, 0, 0].item()
    assert result.shape == (4, 6, 2)


# --------------------------------------------------------------------------- settings


def test_numbers_of_numpy_become_plain_ones_and_json_is_read_back() -> None:
    given: dict[str, Any] = {"noise": np.float32(0.5), "crop_probability": np.int64(1)}
    views = SeriesViews(drop=(np.float64(0), 1), **given)
    written = json.loads(json.dumps(views.to_json()))
    assert written == {
        "kind": "series",
        "order": ["drop", "noise"],
        "noise": 0.5,
        "noise_probability": 0.5,
        "drop": [0.0, 1.0],
        "drop_probability": 0.5,
        "crop": [0.08, 1.0],
        "crop_probability": 1.0,
        "coins": "own",
    }
    for some in (views, STRONG_SERIES, LIGHT_SERIES, CLEAN_SERIES, series_views("multi-crop")):
        assert views_from_json(json.loads(json.dumps(some.to_json()))) == some
    assert views_from_json({"kind": "series"}) == STRONG_SERIES


def test_a_chain_is_read_from_the_published_words() -> None:
    assert series_views("drop + noise") == SeriesViews(coins="joint")
    assert series_views("noise", "own", 1.0) == SeriesViews(
        order=("noise",), noise_probability=1.0, drop_probability=1.0, crop_probability=1.0
    )
    assert series_views("multi-drop+multi_crop").order == ("multi_drop", "multi_crop")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": -0.1}, "noise must be at least 0, not -0.1"),
        ({"crop_probability": 1.5}, "crop_probability must be from 0 to 1, not 1.5"),
        ({"drop": (0.5, 0.2)}, "drop must not fall: 0.5 is above 0.2"),
        ({"crop": (0.1, 2)}, "each number of crop must be from 0 to 1, not 2"),
        ({"coins": "common"}, r"unknown coins 'common'.*\(one of own, joint\)"),
        ({"order": "drop+noise"}, "order must be a tuple of transforms, not 'drop.noise'"),
        ({"order": ("drp",)}, "unknown transform of a series 'drp': did you mean 'drop'"),
        ({"order": ("drop", "drop")}, "a transform stands in a chain once: 'drop' is repeated"),
        ({"order": (3,)}, "transform of a series must be one of noise, .*, not 3"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        SeriesViews(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ("simclr", "unknown transform of a series 'simclr'"),
        ("drop+", "unknown transform of a series ''"),
        ("drop+permute", r"unknown transform of a series 'permute' \(one of noise, drop, "),
        (None, "a chain of transforms must be text, not None"),
    ],
)
def test_other_chains_are_refused(chain: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        series_views(chain)


def test_items_of_another_shape_or_order_are_refused() -> None:
    params = STRONG_SERIES.draw(3, (4, 2), seeded())
    for shape in ((1, 4, 2), (3, 1, 2), (3, 4), (3, 4, 1)):
        with pytest.raises(InputError, match=r"series must be \[3, 4, 2\] as drawn, not"):
            STRONG_SERIES.apply(torch.zeros(shape), params)
    with pytest.raises(InputError, match="parameters of 1 transforms are needed, not 2"):
        STRONG_SERIES.unique().apply(torch.zeros(3, 4, 2), params)
    for other in ((4,), (3, 8, 8)):
        with pytest.raises(InputError, match=r"a series has the shape \[T, F\], not \["):
            STRONG_SERIES.draw(2, other, seeded())
    with pytest.raises(InputError, match="count must be a whole number of at least 0, not -1"):
        STRONG_SERIES.draw(-1, (4, 2), seeded())
    with pytest.raises(InputError, match="at least one series must be given to draw for"):
        STRONG_SERIES.draw_joint(2, [], seeded())
