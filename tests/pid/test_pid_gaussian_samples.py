from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import digamma
from scipy.stats import norm
from sklearn.covariance import ledoit_wolf_shrinkage

from trifeature.errors import InputError
from trifeature.extra.bench.pid import random_covariance
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.gaussians.calibration import calibrate_gaussian, calibration_laws
from trifeature.pid.gaussians.decomposition import gaussian
from trifeature.pid.gaussians.inference import Sampling, information_bias
from trifeature.pid.gaussians.laws import (
    Law,
    components,
    law_of,
    log_ratios,
    tied,
    values_of,
    with_informations,
    without_redundancy,
    without_synergy,
    without_unique2,
)
from trifeature.pid.gaussians.samples import (
    NotGaussianWarning,
    estimate_gaussian,
    heavy_tails,
    ledoit_wolf,
    normal_scores,
    samples_wanted,
)

Array = NDArray[np.float64]
Sizes = tuple[int, int, int]
SHAPES: list[Sizes] = [(1, 1, 1), (2, 1, 3), (3, 3, 2), (1, 1, 2)]


def samples(law: Law, n: int, seed: int = 0) -> tuple[Array, Array, Array]:
    root, (d1, d2, _) = np.linalg.cholesky(law.covariance()), law.sizes
    data = np.random.default_rng(seed).standard_normal((n, len(root))) @ root.T
    return data[:, :d1], data[:, d1 : d1 + d2], data[:, d1 + d2 :]


def equal_looks() -> Law:
    return Law(np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1)))


def atoms_of(law: Law) -> list[float]:
    return list(values_of(law.covariance()[None], law.sizes).atoms[0])


# --------------------------------------------------------------------------- laws


@pytest.mark.parametrize("sizes", SHAPES)
def test_a_law_has_the_atoms_of_its_covariance(sizes: Sizes) -> None:
    covariance = random_covariance(sizes)
    law = law_of(covariance, sizes)
    assert law.sizes == sizes
    expected = gaussian(covariance, sizes).values
    assert atoms_of(law) == pytest.approx(expected, abs=1e-10)
    assert gaussian(law.covariance(), sizes).values == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("sizes", SHAPES)
def test_each_null_law_lacks_its_atom_and_keeps_what_it_can(sizes: Sizes) -> None:
    law = law_of(random_covariance(sizes), sizes)
    before = values_of(law.covariance()[None], sizes).informations[0]
    for j, null in (
        (0, without_redundancy(law)),
        (1, without_unique2(law.swapped()).swapped()),
        (2, without_unique2(law)),
        (3, without_synergy(law)),
    ):
        after = values_of(null.covariance()[None], sizes)
        assert after.atoms[0, j] == pytest.approx(0, abs=1e-6)
        if j == 2:
            assert after.informations[0, 0] == pytest.approx(before[0])
            assert after.informations[0, 1] <= before[1] + 1e-12
        if j == 3:
            assert after.informations[0, [0, 1, 3]] == pytest.approx(before[[0, 1, 3]])


@pytest.mark.parametrize("sizes", SHAPES)
def test_a_law_can_be_weakened_to_given_informations(sizes: Sizes) -> None:
    law = law_of(random_covariance(sizes), sizes)
    before = values_of(law.covariance()[None], sizes).informations[0]
    half = with_informations(law, (before[0] / 2, before[1] / 2, before[2]))
    most = values_of(half.covariance()[None], sizes).informations[0]
    assert most[:2] == pytest.approx(before[:2] / 2, abs=1e-9)
    # I12 sinks to its goal, but not below I_union.
    for share in (0.4, -0.1):
        goal = most[3] + share * (most[2] - most[3])
        less = with_informations(law, (before[0] / 2, before[1] / 2, goal))
        after = values_of(less.covariance()[None], sizes).informations[0]
        assert after[[0, 1, 3]] == pytest.approx(most[[0, 1, 3]], abs=1e-9)
        assert after[2] == pytest.approx(max(goal, most[3]), abs=1e-6)
    nothing = with_informations(law, (-1.0, 0.0, -1.0))
    assert not nothing.H1.any()
    assert atoms_of(nothing) == pytest.approx([0, 0, 0, 0], abs=1e-12)


def test_tied_components_have_equal_errors_and_others_keep_theirs() -> None:
    law = law_of(random_covariance((3, 3, 2)), (3, 3, 2))
    basis, ratios = components(law)
    after = tied(law, basis, np.array([True, False]))
    found = log_ratios(after.covariance()[None], (3, 3, 2), basis)[0]
    assert found == pytest.approx([0, ratios[1]], abs=1e-9)
    assert log_ratios(law.covariance()[None], (3, 3, 2), basis)[0] == pytest.approx(ratios)


def test_drawn_covariances_have_the_moments_of_a_wishart() -> None:
    covariance = law_of(random_covariance((1, 1, 1)), (1, 1, 1)).covariance()
    law = law_of(covariance, (1, 1, 1))
    sampling = Sampling(20, 20_000, np.random.default_rng(0))
    drawn = np.concatenate(list(sampling.covariances(law)))
    sigma = law.covariance()
    assert drawn.mean(0) == pytest.approx(sigma, abs=0.02)
    expected = (np.outer(np.diag(sigma), np.diag(sigma)) + sigma**2) / 19
    assert drawn.var(0) == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 2, 2)])
def test_the_correction_is_the_mean_bias_of_samples(sizes: Sizes) -> None:
    law, n = law_of(random_covariance(sizes), sizes), 15
    truth = values_of(law.covariance()[None], sizes).informations[0]
    d1, d2, dy = sizes
    drawn = Sampling(n, 4000, np.random.default_rng(0)).values(law).informations
    for j, d in enumerate((d1, d2, d1 + d2)):
        error = 4 * drawn[:, j].std() / np.sqrt(len(drawn))
        bias = information_bias(d, dy, n)
        assert drawn[:, j].mean() - truth[j] == pytest.approx(bias, abs=error)


def test_the_bias_of_two_scalars_is_a_difference_of_digammas() -> None:
    expected = (digamma(19 / 2) - digamma(18 / 2)) / (2 * np.log(2))
    assert information_bias(1, 1, 20) == pytest.approx(expected)


# --------------------------------------------------------------------------- estimates


def test_the_plug_in_atoms_are_those_of_the_sample_covariance() -> None:
    x1, x2, y = samples(law_of(random_covariance((2, 1, 2)), (2, 1, 2)), 60)
    found = estimate_gaussian(x1, x2, y, bootstraps=0)
    covariance = np.cov(np.hstack([x1, x2, y]).T)
    assert found.plug_in.values == pytest.approx(gaussian(covariance, (2, 1, 2)).values, abs=1e-9)
    assert found.sizes == (2, 1, 2)
    assert found.atoms.total == pytest.approx(found.plug_in.total - information_bias(3, 2, 60))
    assert estimate_gaussian(x1, x2, y, bootstraps=0, correction=False).atoms == found.plug_in


def test_atoms_are_not_negative_lie_in_their_intervals_and_keep_the_identities() -> None:
    for name in ("independent 2, 2, 1", "equal looks 1, 1, 1", "copy 1, 1, 2"):
        x1, x2, y = samples(calibration_laws()[name], 40, seed=3)
        found = estimate_gaussian(x1, x2, y, bootstraps=100)
        assert min(found.atoms.values) >= -1e-14
        assert sum(found.atoms.values) == pytest.approx(found.atoms.total, abs=1e-12)
        for atom in ATOM_NAMES:
            interval, p = found.intervals[atom], found.p_values[atom]
            assert interval is not None
            assert interval.low <= found.atoms.value(atom) <= interval.high
            # The interval excludes 0 only where the one-sided test does.
            assert p is not None
            assert interval.low <= max(found.atoms.value(atom), 0) if p > 0.025 else p > 0


def test_clear_atoms_are_found_and_absent_ones_are_not() -> None:
    law = Law(np.eye(2)[:1] * 1.5, np.eye(2)[1:] * 1.5, np.zeros((1, 1)))
    found = estimate_gaussian(*samples(law, 400), bootstraps=200)
    p = found.p_values
    assert p["unique1"] == p["unique2"] == pytest.approx(1 / 201)
    assert min(p["redundancy"] or 0, p["synergy"] or 0) > 0.05
    for atom, truth in zip(ATOM_NAMES, atoms_of(law), strict=True):
        interval = found.intervals[atom]
        assert interval is not None
        assert interval.low <= truth <= interval.high


def test_the_same_seed_gives_the_same_result_and_another_another() -> None:
    data = samples(equal_looks(), 50)
    one, same = (estimate_gaussian(*data, bootstraps=100, seed=1) for _ in range(2))
    assert one == same
    assert estimate_gaussian(*data, bootstraps=100, seed=2).intervals != one.intervals


def test_scale_and_shift_of_columns_do_not_matter() -> None:
    x1, x2, y = samples(equal_looks(), 50)
    one = estimate_gaussian(x1, x2, y, bootstraps=0)
    other = estimate_gaussian(1e200 * x1, 1e-200 * x2, 5e3 + y, bootstraps=0)
    assert other.plug_in.values == pytest.approx(one.plug_in.values, abs=1e-9)


def test_tensors_and_frames_are_read_alike() -> None:
    x1, x2, y = samples(law_of(random_covariance((2, 1, 1)), (2, 1, 1)), 30)
    expected = estimate_gaussian(x1, x2, y, bootstraps=0)
    tensor = torch.tensor(x1, requires_grad=True)
    frame, series = pd.DataFrame(x2), pd.Series(y[:, 0], dtype="object")
    assert estimate_gaussian(tensor, frame, series, bootstraps=0) == expected


def test_the_copula_option_undoes_monotone_maps() -> None:
    x1, x2, y = samples(equal_looks(), 300)
    expected = estimate_gaussian(x1, x2, y, bootstraps=0, copula=True)
    found = estimate_gaussian(np.exp(x1), x2**3, np.arctan(y), bootstraps=0, copula=True)
    assert found.atoms == expected.atoms
    assert found.copula
    assert found.atoms.redundancy == pytest.approx(0.5, abs=0.15)
    with pytest.warns(NotGaussianWarning, match="heavier"):
        raw = estimate_gaussian(np.exp(3 * x1), x2**3, y, bootstraps=0)
    assert raw.atoms.redundancy < 0.3


def test_normal_scores_are_quantiles_of_average_ranks() -> None:
    column = np.array([[5.0], [1.0], [1.0], [7.0], [9.0]])
    expected = norm.ppf(np.array([3, 1.5, 1.5, 4, 5]) / 6)
    assert normal_scores(column, ["x"])[:, 0] == pytest.approx(expected)


def test_shrinkage_is_ledoit_and_wolfs_and_withholds_intervals() -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((25, 12)) @ rng.standard_normal((12, 12))
    standard = (data - data.mean(0)) / data.std(0)
    expected = ledoit_wolf_shrinkage(standard, assume_centered=True)
    assert ledoit_wolf(standard) == pytest.approx(expected)
    x1, x2, y = data[:10, :5], data[:10, 5:10], data[:10, 10:]
    found = estimate_gaussian(x1, x2, y, shrinkage="auto")
    assert 0 < found.shrinkage < 1
    assert found.atoms == found.plug_in
    assert set(found.intervals.values()) == {None}
    assert set(found.p_values.values()) == {None}
    assert "shrinkage" in found.withheld
    halved = estimate_gaussian(x1, x2, y, shrinkage=0.5)
    matrix = np.corrcoef(data[:10].T) / 2 + np.eye(12) / 2
    assert halved.plug_in.values == pytest.approx(gaussian(matrix, (5, 5, 2)).values)


def test_too_few_samples_are_refused_or_get_no_interval() -> None:
    law = law_of(random_covariance((3, 3, 2)), (3, 3, 2))
    wanted = samples_wanted((3, 3, 2))
    x1, x2, y = samples(law, wanted)
    few = estimate_gaussian(x1[:-1], x2[:-1], y[:-1])
    assert set(few.intervals.values()) == {None}
    assert f"want {wanted} Gaussian samples, got {wanted - 1}" in few.withheld
    enough = estimate_gaussian(x1, x2, y, bootstraps=100)
    assert None not in enough.intervals.values()
    assert not enough.withheld
    with pytest.raises(InputError, match="8 variables want at least 10 samples"):
        estimate_gaussian(x1[:9], x2[:9], y[:9])


Column = Any
x = np.random.default_rng(0).standard_normal((3, 20))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (np.where(np.arange(20) == 3, np.nan, x[0]), "'X1' lacks a value in row 3"),
        (np.where(np.arange(20) == 4, np.inf, x[0]), "'X1' holds infinity in row 4"),
        (np.stack([x[0], [None, *x[1, 1:]]], 1), r"'X1\[1\]' lacks a value in row 0"),
        (pd.Series([pd.NA, *x[0, 1:]], dtype="object"), "'X1' lacks a value in row 0"),
        (["a"] * 20, "'X1' must hold numbers, not 'a'"),
        (x[0] * 1j, "must hold numbers, not .*j"),
        (np.arange(20).astype("datetime64[s]"), "must hold numbers, not datetime"),
        (np.ones(20), "X1 is constant"),
        (1e9 + 1e-9 * x[0], "X1 is constant"),
        (x[1], r"X1, X2 are linearly dependent"),
        (x[1] + x[2], "X1, X2, Y determine each other"),
        (x[0, :19], "got 19 of X1, 20 of X2, 20 of Y"),
        ([], r"shape \[n\] or \[n, c\], got shape \(0,\)"),
        (x[None], r"got shape \(1, 3, 20\)"),
        ([[1.0], [1.0, 2.0]], "rows of one length"),
    ],
)
def test_columns_that_cannot_be_used_are_refused_by_name(column: Column, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        estimate_gaussian(column, x[1], x[2], bootstraps=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"copula": 1}, "copula must be true or false"),
        ({"shrinkage": "some"}, 'shrinkage is "auto" or from 0 to 1'),
        ({"shrinkage": 1.5}, "shrinkage must be from 0 to 1"),
        ({"interval": 1.0}, "interval must be"),
        ({"bootstraps": 10}, "bootstraps is 0 or at least 100"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        estimate_gaussian(x[0], x[1], x[2], **settings)


def test_discrete_columns_are_noticed() -> None:
    binary = (x[2] > 0).astype(int)
    with pytest.warns(NotGaussianWarning, match="Y has 2 different values"):
        estimate_gaussian(x[0], x[1], binary, bootstraps=0)
    with pytest.raises(InputError, match="Y has 2 different values in 20 samples: it is discrete"):
        estimate_gaussian(x[0], x[1], binary, bootstraps=0, copula=True)


def test_heavy_tails_are_mardias_kurtosis() -> None:
    data = np.random.default_rng(0).standard_normal((40, 3)) @ np.diag([1, 5, 0.1])
    inverse = np.linalg.inv(np.cov(data.T, bias=True))
    distances = [(row @ inverse @ row) ** 2 for row in data - data.mean(0)]
    assert heavy_tails(data) == pytest.approx(np.mean(distances) / (15 * 39 / 41))


def test_samples_with_heavy_tails_count_as_fewer() -> None:
    data, rng = np.hstack(samples(equal_looks(), 400)), np.random.default_rng(1)
    heavy = data / np.sqrt(rng.chisquare(5, size=(400, 1)) / 5)
    with pytest.warns(NotGaussianWarning, match="tails are heavier"):
        found = estimate_gaussian(*heavy.T, bootstraps=100)
    assert found.tails > 1.25
    calm = estimate_gaussian(*data.T, bootstraps=100)
    assert calm.tails == pytest.approx(1, abs=0.15)
    wide, narrow = found.intervals["redundancy"], calm.intervals["redundancy"]
    assert wide is not None
    assert narrow is not None
    assert wide.high - wide.low > 1.1 * (narrow.high - narrow.low)


# --------------------------------------------------------------------------- calibration


def test_calibration_rows_count_what_holds() -> None:
    rows = calibrate_gaussian({"tie": equal_looks()}, (30, 5), repetitions=3, bootstraps=100)
    assert [(row["n"], row["atom"]) for row in rows] == [
        (n, a) for n in (30, 5) for a in ATOM_NAMES
    ]
    held = rows[0]
    assert held["truth"] == pytest.approx(0.5)
    assert held["coverage"] in (0, 1 / 3, 2 / 3, 1)
    assert held["rejected"] is None
    assert rows[1]["rejected"] in (0, 1 / 3, 2 / 3, 1)
    assert [row["withheld"] for row in rows] == [0] * 4 + [3] * 4
    assert rows[4]["coverage"] is rows[4]["width"] is None
    with pytest.raises(InputError, match="repetitions"):
        calibrate_gaussian(repetitions=1)


@pytest.mark.slow  # 400 estimates of 1,000 draws: ten seconds.
@pytest.mark.parametrize("name", ["equal looks 1, 1, 1", "copy 1, 1, 2"])
def test_intervals_cover_and_tests_keep_their_level(name: str) -> None:
    rows = calibrate_gaussian(
        {name: calibration_laws()[name]}, (64,), repetitions=200, bootstraps=100
    )
    for row in rows:
        # Two standard errors of 200 repetitions below 0.93, and above 0.06.
        assert row["coverage"] >= 0.894
        assert row["rejected"] is None or row["rejected"] <= 0.094
