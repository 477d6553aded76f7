from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.estimation.corrections import CORRECTIONS
from trifeature.pid.estimation.crossfit import cross_fit, fold_tables
from trifeature.pid.estimation.estimates import Estimate, most_values, rows_needed
from trifeature.pid.estimation.estimator import PID, estimate, estimate_columns
from trifeature.pid.gallery import example
from trifeature.pid.samples import SampleSizeWarning, samples_needed
from trifeature.pid.solver import broja

Columns = tuple[NDArray[np.intp], ...]


def draw(name: str, n: int, seed: int = 0) -> Columns:
    table = example(name).table()
    cells = np.random.default_rng(seed).choice(table.size, size=n, p=table.ravel())
    return np.unravel_index(cells, table.shape)


X1, X2, Y = draw("NOISY-AND", 64)
WEIGHTS = np.random.default_rng(1).uniform(0.5, 2, 64)
ONE, OTHER = np.random.default_rng(2).normal(size=(2, 400))


def same(one: Estimate, other: Estimate) -> bool:
    """Equal but for names."""
    return (one.corrected, one.intervals, one.p_values, one.samples) == (
        other.corrected,
        other.intervals,
        other.p_values,
        other.samples,
    )


@pytest.fixture(scope="module")
def fitted() -> PID:
    return PID().fit(X1, X2, Y)


# --------------------------------------------------------------------------- the contract


def test_settings_follow_the_contract_of_scikit_learn() -> None:
    one = PID(measure="mmi", correction="none", seed=3, bins={"X1": 4})
    other = clone(one)
    assert other is not one
    assert other.get_params() == one.get_params()
    assert other.set_params(seed=4) is other
    assert (other.seed, one.seed) == (4, 3)
    assert repr(one) == "PID(measure='mmi', correction='none', bins={'X1': 4}, seed=3)"
    assert repr(PID()) == "PID()"
    with pytest.raises(InputError, match="did you mean 'interval'"):
        PID().set_params(intervals=0.9)


def test_fit_keeps_what_it_found(fitted: PID) -> None:
    found = fitted.estimate_
    assert tuple(fitted.atoms_) == ATOM_NAMES
    assert fitted.atoms_ == found.corrected
    assert fitted.intervals_ == found.intervals
    assert fitted.p_values_ == found.p_values
    assert fitted.informations_ == found.informations
    assert fitted.table_ is not None
    wanted = np.zeros((2, 2, 2))
    np.add.at(wanted, (X1, X2, Y), 1)
    assert fitted.table_.tolist() == wanted.tolist()
    assert fitted.values_ == {"X1": (0, 1), "X2": (0, 1), "Y": (0, 1)}
    assert fitted.bins_ == {}
    assert fitted.plug_in_.values == pytest.approx(broja(wanted / 64).values, abs=2e-6)


def test_the_estimate_is_the_cut_cross_fit_of_the_table(fitted: PID) -> None:
    folds, _ = fold_tables((X1, X2, Y), (2, 2, 2), np.ones(64), np.random.default_rng(0))
    found = cross_fit(folds[None])
    for place, name in enumerate(ATOM_NAMES):
        interval = fitted.intervals_[name]
        assert interval is not None
        assert fitted.atoms_[name] == pytest.approx(np.clip(found.point[0, place], 0, 1))
        assert interval.low == pytest.approx(np.clip(found.low[0, place], 0, 1))
        assert interval.high == pytest.approx(np.clip(found.high[0, place], 0, 1))
        assert fitted.p_values_[name] == pytest.approx(found.p_value[0, place])
        assert interval.low <= fitted.atoms_[name] <= interval.high  # type: ignore[operator]


def test_the_thin_calls_are_the_estimator(fitted: PID) -> None:
    assert estimate(X1, X2, Y) == fitted.estimate_
    columns = {"a": X1, "b": X2, "label": Y}
    found = estimate_columns(columns, "a", "b", "label", interval=0.95)
    assert same(found, fitted.estimate_)
    assert (found.plug_in.sources, found.plug_in.target) == (("a", "b"), "label")


# --------------------------------------------------------------------------- names


def test_names_come_from_columns_or_are_given() -> None:
    def names(*columns: Any, **settings: Any) -> tuple[str, ...]:
        found = PID().fit(*columns, **settings).plug_in_
        return (*found.sources, found.target)

    series = pd.Series(X1, name="left")
    assert names(series, X2, pd.Series(Y, name="gate")) == ("left", "X2", "gate")
    assert names(series, series, Y) == ("left (X1)", "left (X2)", "Y")
    assert names(pd.DataFrame({"a": X1, "b": X2}), X2, Y) == ("a+b", "X2", "Y")
    assert names(X1, X2, Y, names=("p", "q", "r")) == ("p", "q", "r")
    found = PID().fit({"größe": X1}, {"日本": X2}, Y)
    assert found.plug_in_.sources == ("größe", "日本")
    assert list(found.values_) == ["größe", "日本", "Y"]


@pytest.mark.parametrize("names", [("a", "b"), ("a", "a", "b"), "abc", 3])
def test_wrong_names_are_refused(names: Any) -> None:
    with pytest.raises(InputError, match="names"):
        PID().fit(X1, X2, Y, names=names)
    even = np.full((30, 2), 0.5)
    with pytest.raises(InputError, match="names"):
        PID().fit_predictions(even, even, even, [0, 1] * 15, names=names)


# --------------------------------------------------------------------------- columns


@pytest.mark.parametrize(
    "convert",
    [
        torch.from_numpy,
        lambda x: torch.tensor(x, dtype=torch.float32, requires_grad=True),
        lambda x: pd.Series(x, index=np.arange(64)[::-1] + 7),
        lambda x: pd.Series(x, dtype="category"),
        lambda x: pd.Series(x, dtype="Int64"),
        lambda x: x.astype(bool),
        lambda x: x.astype(np.float32),
        lambda x: np.array([" no", "yes "])[x],
        lambda x: x.astype(object) * 10**30,
        lambda x: x.tolist(),
    ],
)
def test_values_of_any_type_are_the_same_rows(convert: Any, fitted: PID) -> None:
    assert same(PID().fit(convert(X1), convert(X2), convert(Y)).estimate_, fitted.estimate_)


def test_several_columns_are_one_source(fitted: PID) -> None:
    twice = np.stack([X1, 1 - X1], 1)
    assert same(PID().fit(twice, X2, Y).estimate_, fitted.estimate_)
    found = PID().fit(X1, X2, pd.DataFrame({"a": X1, "b": X2}))
    assert found.plug_in_.target == "a+b"
    assert found.values_["a+b"] == ((0, 0), (0, 1), (1, 0), (1, 1))


def test_missing_values_are_refused_or_dropped_with_their_weights() -> None:
    with_gap = [None, *X2[1:].tolist()]
    with pytest.raises(InputError, match="column 'X2' lacks a value in row 0"):
        PID().fit(X1, with_gap, Y)
    found = PID(missing="drop").fit(X1, with_gap, Y, weights=WEIGHTS)
    wanted = PID().fit(X1[1:], X2[1:], Y[1:], weights=WEIGHTS[1:])
    assert found.estimate_ == wanted.estimate_
    assert found.estimate_.samples == 63
    with pytest.raises(InputError, match="no row has a value"):
        PID(missing="drop").fit(X1, [None] * 64, Y)
    with pytest.raises(InputError, match="did you mean 'drop'"):
        PID(missing="dorp").fit(X1, X2, Y)


# --------------------------------------------------------------------------- bins


def test_numbers_that_look_continuous_are_asked_about() -> None:
    one, other = ONE, OTHER
    with pytest.raises(InputError, match="'X1' looks continuous, 400 different") as caught:
        PID().fit(one, other, one > 0)
    assert "\n" not in str(caught.value)


def test_bins_are_a_number_or_one_for_each_column() -> None:
    one, other = ONE, OTHER
    found = PID(bins=3).fit(one, other, one > 0)
    assert found.bins_ == {"X1": 3, "X2": 3}
    assert found.table_ is not None
    assert found.table_.shape == (3, 3, 2)
    assert found.table_.sum((1, 2)).tolist() == [133, 134, 133]
    assert all("[" in value for value in found.values_["X1"])
    mixed = PID(bins={"X1": 2, "Y": 2}, binning="width").fit(one, X1.repeat(7)[:400], other)
    assert mixed.bins_ == {"X1": 2, "Y": 2}
    middle = (one.min() + one.max()) / 2
    assert mixed.table_ is not None
    assert mixed.table_.sum((1, 2)).tolist() == [(one < middle).sum(), (one >= middle).sum()]


def test_a_number_of_bins_leaves_a_target_of_whole_numbers() -> None:
    classes = np.arange(400) % 5
    for bins in (2, np.int64(2)):
        found = PID(bins=bins).fit(ONE, OTHER, classes)  # type: ignore[arg-type]
        assert found.bins_ == {"X1": 2, "X2": 2}
        assert found.values_["Y"] == (0, 1, 2, 3, 4)
    assert PID(bins=2).fit(ONE, OTHER, ONE).bins_["Y"] == 2


def test_auto_takes_the_most_bins_that_the_rows_can_carry() -> None:
    one, other = ONE, OTHER
    found = PID(bins="auto").fit(one, other, one > 0)
    bins = found.bins_["X1"]
    assert rows_needed((bins, bins, 2)) <= 400 < rows_needed((bins + 2, bins + 2, 2))
    assert not found.estimate_.too_few
    part = (slice(None, 100),)
    few = PID(bins="auto").fit(one[part], other[part], (one > 0)[part])
    assert few.bins_["X1"] < bins
    counted = PID(bins="auto").fit(one[part], other[part], (one > 0)[part], counts=np.full(100, 4))
    assert counted.bins_["X1"] == bins
    halves = PID(bins="auto").fit(one, other, one > 0, given=np.arange(400) % 4)
    assert halves.bins_["X1"] == few.bins_["X1"]
    assert not halves.estimate_.too_few


def test_categories_take_each_value_as_it_is() -> None:
    values = X1 + 0.5 * np.arange(64)
    with pytest.warns(SampleSizeWarning):
        found = PID(bins="categories").fit(values, X2, Y)
    assert found.table_ is not None
    assert found.table_.shape[0] == len(set(values.tolist()))


@pytest.mark.parametrize("bins", [1, 0, True, 2.5, "Auto", [3], {"X3": 3}, {"X1": 1}])
def test_senseless_bins_are_refused(bins: Any) -> None:
    with pytest.raises(InputError, match=r"bins of column|column of bins"):
        PID(bins=bins).fit(ONE, OTHER, ONE > 0)


# --------------------------------------------------------------------------- weights and counts


def test_weights_of_1_and_any_equal_weights_are_no_weights(fitted: PID) -> None:
    for weight in (1.0, 0.1, 1e-200, 1e200):
        found = PID().fit(X1, X2, Y, weights=np.full(64, weight)).estimate_
        for name in ATOM_NAMES:
            assert found.corrected[name] == pytest.approx(fitted.atoms_[name], abs=1e-6)
            assert found.intervals[name] == pytest.approx(fitted.intervals_[name], abs=1e-6)


def test_32_rows_of_equal_weight_count_as_32() -> None:
    for weight in (0.1, 0.3, 1 / 3):
        assert not PID().fit(X1[:32], X2[:32], Y[:32], weights=[weight] * 32).estimate_.too_few


def test_counts_are_repeated_rows() -> None:
    counts = np.random.default_rng(3).integers(0, 3, 64)
    found = PID().fit(X1, X2, Y, counts=pd.Series(counts)).estimate_
    repeated = [np.repeat(column, counts) for column in (X1, X2, Y)]
    assert found == PID().fit(*repeated).estimate_
    assert found.samples == counts.sum()


def test_unequal_weights_tell_less() -> None:
    weights = np.r_[np.full(32, 9.0), np.full(32, 0.1)]
    found, plain = PID().fit(X1, X2, Y, weights=weights), PID().fit(X1, X2, Y)
    wide, narrow = found.intervals_["synergy"], plain.intervals_["synergy"]
    assert wide is not None
    assert narrow is not None
    assert wide.high - wide.low > narrow.high - narrow.low


def test_values_of_rows_without_weight_are_left_out() -> None:
    labels = np.array(["b", "c"])[X1].astype(object)
    labels[0] = "a"
    weights = np.ones(64)
    weights[0] = 0
    found = PID().fit(labels, X2, Y, weights=weights)
    assert found.values_["X1"] == ("b", "c")
    assert found.table_ is not None
    assert found.table_.shape == (2, 2, 2)
    assert found.estimate_ == PID().fit(labels[1:], X2[1:], Y[1:]).estimate_


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": np.zeros(64)}, "weights are all 0"),
        ({"weights": np.full(64, np.nan)}, "finite and at least 0"),
        ({"weights": -np.ones(64)}, "finite and at least 0"),
        ({"weights": np.ones(63)}, r"weights must be \[64\], one for each row, not \[63\]"),
        ({"weights": np.ones((64, 1))}, r"not \[64, 1\]"),
        ({"weights": 1.0}, r"not \[\]"),
        ({"weights": ["a"] * 64}, "weights must be numbers"),
        ({"weights": np.ones(64), "counts": np.ones(64)}, "cannot go together"),
        ({"counts": np.full(64, 0.5)}, "counts must be whole numbers"),
        ({"counts": np.full(64, 10**12)}, "of memory are free"),
        ({"counts": np.full(64, 1e300)}, "too many"),
    ],
)
def test_wrong_weights_and_counts_are_refused(settings: dict[str, Any], message: str) -> None:
    for bins in (None, "auto"):
        with pytest.raises(InputError, match=message):
            PID(bins=bins).fit(X1, X2, Y, **settings)


# --------------------------------------------------------------------------- little or nothing


def test_a_constant_target_has_no_information() -> None:
    found = PID().fit(X1, X2, np.zeros(64))
    assert list(found.atoms_.values()) == [0.0] * 4
    assert set(found.intervals_.values()) == {(0.0, 0.0)}
    assert set(found.p_values_.values()) == {1.0}


def test_a_constant_source_leaves_the_other_alone() -> None:
    found = PID().fit(np.zeros(64), X2, X2)
    assert found.atoms_["unique2"] == pytest.approx(1, abs=0.05)
    assert all(found.p_values_[name] > 0.05 for name in ATOM_NAMES if name != "unique2")  # type: ignore[operator]


@pytest.mark.parametrize("n", [2, 9])
def test_less_than_ten_rows_are_refused(n: int) -> None:
    with pytest.raises(InputError, match=f"{n} rows cannot be decomposed") as caught:
        PID().fit(X1[:n], X2[:n], Y[:n])
    assert "32 at the least" in str(caught.value)


@pytest.mark.parametrize("n", [10, 31])
def test_less_than_32_rows_have_a_sentence_but_no_number(n: int) -> None:
    with pytest.warns(SampleSizeWarning, match=f"2 x 2 x 2 cells wants 32 samples, got {n}"):
        found = PID().fit(X1[:n], X2[:n], X1[:n] ^ X2[:n])
    assert found.estimate_.too_few
    assert "nothing is estimated" in found.estimate_.sentence
    assert "More rows are needed" in found.estimate_.sentence
    assert set(found.atoms_.values()) == {None}


@pytest.mark.parametrize(
    ("n", "shape"), [(200, (8, 8, 4)), (500, (10, 10, 5)), (40, (20, 20, 5)), (200, (50, 50, 40))]
)
def test_a_table_too_large_for_its_rows_has_no_number(n: int, shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(n)
    columns = [rng.integers(0, size, n) for size in shape]
    for column, size in zip(columns, shape, strict=True):
        column[:size] = np.arange(size)[: len(column)]
    with pytest.warns(SampleSizeWarning, match=f"wants {samples_needed(shape, 0.2)} samples"):
        found = PID().fit(*columns).estimate_
    for part in (found.corrected, found.intervals, found.p_values):
        assert dict(part) == dict.fromkeys(ATOM_NAMES)
    assert set(found.informations.values()) == {None}
    assert found.needed == samples_needed(shape, 0.2) > n
    assert str(found.needed) in found.sentence
    assert "not established" in found.sentence
    indication = found.indication
    assert indication is not None
    assert abs(indication.total) < 0.15
    assert indication.most_values == most_values(n, shape[2])
    if indication.most_values:
        coarse = (indication.most_values, indication.most_values, shape[2])
        assert rows_needed(coarse) <= n
        assert f"at most {indication.most_values} values each" in found.sentence
    large = shape[0] * shape[1] * shape[2] > 20_000
    assert set(indication.atoms) == (set() if large else set(ATOM_NAMES))
    for row in found.rows():
        assert (row["bits"], row["low"], row["high"], row["p_value"]) == (None,) * 4
        assert row["shuffled"] == indication.atoms.get(row["atom"])


def test_an_indication_finds_what_is_plain() -> None:
    with pytest.warns(SampleSizeWarning):
        found = PID().fit(X1[:20], X2[:20], X1[:20] ^ X2[:20]).estimate_
    assert found.indication is not None
    assert found.indication.p_value == 1 / 200
    assert "is established" in found.sentence


# --------------------------------------------------------------------------- given


def test_given_is_the_mean_of_the_strata() -> None:
    x1, x2, y = draw("NOISY-AND", 120, 3)
    z = np.array(["low"] * 40 + ["high"] * 80)
    found = PID().fit(x1, x2, y, given=z)
    strata = [PID().fit(x1[z == value], x2[z == value], y[z == value]) for value in ("high", "low")]
    shares = (2 / 3, 1 / 3)
    for name in ATOM_NAMES:
        points = [one.atoms_[name] for one in strata]
        assert found.atoms_[name] == pytest.approx(np.dot(shares, points))  # type: ignore[arg-type]
        for place in (0, 1):
            ends = [one.intervals_[name][place] for one in strata]  # type: ignore[index]
            assert found.intervals_[name][place] == pytest.approx(np.dot(shares, ends))  # type: ignore[index]
        # Bonferroni: the least p-value times the number of strata.
        least = min(one.p_values_[name] for one in strata)  # type: ignore[type-var]
        assert found.p_values_[name] == pytest.approx(min(1, 2 * least))  # type: ignore[operator]
    plug_in = np.dot(shares, [one.plug_in_.values for one in strata])
    assert found.plug_in_.values == pytest.approx(plug_in, abs=1e-9)
    assert (found.plug_in_.target, found.estimate_.samples) == ("Y", 120)
    assert found.table_ is not None
    assert found.table_.sum() == 120
    again = PID().fit(x1, x2, y, given=z)
    assert again.estimate_ == found.estimate_


def test_a_withheld_stratum_withholds_the_mean_and_is_named() -> None:
    z = np.array(["a"] * 32 + ["b"] * 20 + ["c"] * 12)
    weights = np.ones(64)
    weights[32:52] = 0  # of stratum b nothing is left
    with pytest.warns(SampleSizeWarning):
        found = PID().fit(X1, X2, Y, given=z, weights=weights).estimate_
    assert found.too_few
    assert "given c" in found.sentence
    assert found.needed == 64
    assert set(found.corrected.values()) == {None}
    with pytest.raises(InputError, match="given a: 4 rows cannot be decomposed"):
        PID().fit(X1, X2, Y, given=["a"] * 4 + ["b"] * 60)


def test_given_goes_with_a_correction_and_with_any_names() -> None:
    z = np.arange(64) % 2
    settings: dict[str, Any] = {"measure": "mmi", "correction": "none"}
    names = ("Y given", "b", "Y")
    found = PID(**settings).fit(X1, X2, Y, given=z, names=names)
    parts = [PID(**settings).fit(X1[z == i], X2[z == i], Y[z == i]) for i in (0, 1)]
    for name in ATOM_NAMES:
        mean = (parts[0].atoms_[name] + parts[1].atoms_[name]) / 2  # type: ignore[operator]
        assert found.atoms_[name] == pytest.approx(mean)
    assert found.plug_in_.sources == ("Y given", "b")
    assert set(found.intervals_.values()) == {None}


# --------------------------------------------------------------------------- settings


def test_measures_are_named_in_any_case_and_corrections_must_fit() -> None:
    found = PID(measure="I_MIN", correction="none").fit(X1, X2, Y)
    assert found.plug_in_.measure == "I_min"
    assert list(found.atoms_.values()) == pytest.approx(found.plug_in_.values)
    assert {*found.intervals_.values(), *found.p_values_.values()} == {None}
    assert "no intervals" in found.estimate_.sentence
    with pytest.raises(InputError, match='"crossfit" is of measure BROJA: for MMI give one of'):
        PID(measure="mmi").fit(X1, X2, Y)
    with pytest.raises(InputError, match="did you mean 'linear'"):
        PID(correction="liner").fit(X1, X2, Y)
    with pytest.raises(InputError, match="unknown measure"):
        PID(measure="brioja").fit(X1, X2, Y)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_every_correction_gives_points_that_add_up(correction: str) -> None:
    found = PID(measure="mmi", correction=correction).fit(X1, X2, Y).estimate_
    r, u1, u2, s = (value or 0.0 for value in found.corrected.values())
    sums = {"source1": r + u1, "source2": r + u2, "both": r + u1 + u2 + s}
    assert found.informations == pytest.approx(sums)
    assert found.correction == correction
    assert found.rows()[0]["correction"] == correction


def test_a_seed_repeats_and_another_does_not(fitted: PID) -> None:
    assert PID(seed=np.int64(0)).fit(X1, X2, Y).estimate_ == fitted.estimate_  # type: ignore[arg-type]
    other = PID(seed=1).fit(X1, X2, Y).estimate_
    assert other.plug_in == fitted.plug_in_
    assert other.intervals != fitted.intervals_


def test_a_higher_level_has_wider_intervals(fitted: PID) -> None:
    wide = PID(interval=0.999).fit(X1, X2, Y)
    for name in ATOM_NAMES:
        one, other = wide.intervals_[name], fitted.intervals_[name]
        assert one is not None
        assert other is not None
        assert one.low <= other.low <= other.high <= one.high
    assert "99.9 %" in wide.estimate_.sentence


@pytest.mark.parametrize(
    "settings",
    [
        {"interval": 1},
        {"interval": 95},
        {"seed": -1},
        {"seed": None},
        {"method": "tables"},
        {"measure": None},
        {"binning": "heights", "bins": 2},
    ],
)
def test_senseless_settings_are_refused_in_one_line(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"must be|unknown") as caught:
        PID(**settings).fit(X1, X2, Y)
    assert "\n" not in str(caught.value)


# --------------------------------------------------------------------------- what is shown


def test_the_report_has_a_row_an_atom_and_a_sentence(fitted: PID) -> None:
    lines = fitted.report().splitlines()
    assert lines[0].split() == ["bits", "low", "high", "p"]
    assert [line.split()[0] for line in lines[1:5]] == list(ATOM_NAMES)
    assert float(lines[1].split()[1]) == pytest.approx(fitted.atoms_["redundancy"], abs=6e-4)
    assert lines[5] == fitted.estimate_.sentence
    found = PID().fit(X1, X2, X1 ^ X2)
    assert "Above 0 by their 95 % intervals: synergy" in found.report()
    assert "Not told from 0: redundancy" in found.report()
    assert "-0.000" not in found.report()


def test_a_frame_has_the_rows(fitted: PID, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = fitted.to_frame()
    assert frame["atom"].tolist() == list(ATOM_NAMES)
    assert frame["bits"].tolist() == list(fitted.atoms_.values())
    assert frame["samples"].tolist() == [64] * 4
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        fitted.to_frame()


def test_bars_show_points_and_intervals(fitted: PID) -> None:
    (axis,) = fitted.plot().axes
    assert [bar.get_height() for bar in axis.patches] == list(fitted.atoms_.values())  # type: ignore[attr-defined]
    assert "X1 and X2" in axis.get_title()
    assert "95 % intervals" in axis.get_xlabel()
    with pytest.warns(SampleSizeWarning):
        few = PID().fit(X1[:12], X2[:12], Y[:12])
    (axis,) = few.plot().axes
    assert not axis.patches
    assert "12 rows, 32 needed" in axis.get_xlabel()


def test_nothing_is_shown_before_a_fit() -> None:
    for method in ("report", "to_frame", "plot"):
        with pytest.raises(InputError, match="call fit"):
            getattr(PID(), method)()


# --------------------------------------------------------------------------- other inputs


def test_predictions_are_fitted_by_minimum_mutual_information() -> None:
    classes = np.arange(60) % 2
    sure = np.where(classes[:, None] == [0, 1], 0.9, 0.1)
    even = np.full((60, 2), 0.5)
    found = PID().fit_predictions(sure, even, sure, classes, names=("image", "text", "label"))
    assert found.atoms_["unique1"] == pytest.approx(1 + np.log2(0.9), abs=0.02)
    assert found.plug_in_.sources == ("image", "text")
    assert found.predictions_.mmi == found.estimate_
    assert found.table_ is None
    with pytest.raises(InputError, match="interval must be"):
        PID(interval=2).fit_predictions(sure, even, sure, classes)


def test_the_gaussian_method_takes_numbers_as_they_are() -> None:
    one, other = ONE[:80], OTHER[:80]
    target = one + 0.5 * np.random.default_rng(3).normal(size=80)
    found = PID(method="gaussian").fit(one, pd.Series(other, name="other"), target)
    assert found.plug_in_.sources == ("X1", "other")
    # I(X1; Y) = log2(1 + 1 / .25) / 2 for the law; X2 tells nothing.
    assert found.atoms_["unique1"] == pytest.approx(np.log2(5) / 2, abs=0.3)
    for name in ATOM_NAMES:
        interval = found.intervals_[name]
        assert interval is not None
        assert interval.low <= interval.high
    assert (found.table_, found.values_, found.bins_) == (None, {}, {})
    assert "unique1" in found.report()
    extras: list[dict[str, Any]] = [{name: np.ones(80)} for name in ("weights", "counts", "given")]
    for extra in extras:
        with pytest.raises(InputError, match='cannot go with method "gaussian"'):
            PID(method="gaussian").fit(one, other, target, **extra)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "gaussian", "bins": 3},
        {"method": "gaussian", "measure": "mmi", "correction": "none"},
        {"method": "gaussian", "correction": "linear"},
        {"copula": True},
        {"shrinkage": 0.5},
    ],
)
def test_settings_that_a_method_would_ignore_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="cannot go with method"):
        PID(**settings).fit(X1, X2, Y)
