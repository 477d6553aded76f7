"""Numbers as people read them: means, spreads and differences against scipy and against hand."""

import math

import numpy as np
import pytest
from scipy import stats

from trifeature.report import (
    COLUMNS,
    Difference,
    Row,
    Summary,
    compare,
    holm,
    paired,
    summarize,
    table_row,
)

VALUES = [0.703, 0.688, 0.741, 0.719, 0.752]


def rows(*values: float, column: str = "S") -> list[dict[str, float]]:
    return [{column: value} for value in values]


def summary(*values: float) -> Summary:
    found = Summary.of(values)
    assert found is not None
    return found


def test_mean_spread_and_standard_error_are_scipys_in_percent() -> None:
    found = summary(*VALUES)
    percent = 100 * np.array(VALUES)
    assert found.mean == pytest.approx(stats.tmean(percent))
    assert found.spread == pytest.approx(stats.tstd(percent))
    assert found.standard_error == pytest.approx(stats.sem(percent))
    assert found.n == 5


def test_the_spread_divides_by_n_minus_one() -> None:
    assert summary(0.5, 0.7).spread == pytest.approx(math.sqrt(200))


def test_a_single_value_has_no_spread_and_says_so_by_leaving_it_out() -> None:
    found = summary(0.719)
    assert (found.spread, found.standard_error, found.n) == (None, None, 1)
    assert str(found) == "71.9"


def test_several_values_are_written_as_mean_and_spread() -> None:
    assert str(summary(0.5, 0.7)) == "60.0 ± 14.1"
    assert str(summary(1.0, 1.0, 1.0)) == "100.0 ± 0.0"


def test_nothing_has_no_summary() -> None:
    assert Summary.of([]) is None
    assert summarize([], "S") is None


def test_rows_without_the_column_or_without_its_value_are_left_out() -> None:
    mixed: list[Row] = [{"S": 0.5}, {"R": 1.0}, {"S": None}, {"S": 0.7}]
    assert summarize(mixed, "S") == summary(0.5, 0.7)
    assert summarize(mixed, "U1") is None


def test_a_line_of_the_table_holds_every_column_and_n() -> None:
    both = [
        {"R": 1.0, "U1": 0.8, "U2": 0.7, "S": 0.5, "S_auc": 0.61, "S_balanced": 0.55},
        {"R": 0.9, "U1": 0.6, "U2": 0.7, "S": 0.5, "S_auc": 0.63, "S_balanced": 0.55},
    ]
    cells = ["95.0 ± 7.1", "70.0 ± 14.1", "70.0 ± 0.0", "50.0 ± 0.0", "62.0 ± 1.4", "55.0 ± 0.0"]
    assert table_row("CoMM", both) == ["CoMM", *cells, "2"]
    assert len(cells) == len(COLUMNS)


def test_what_was_not_measured_is_a_dash_in_the_table() -> None:
    assert table_row("CoMM", []) == ["CoMM", *["–"] * len(COLUMNS), "0"]
    assert table_row("paper probing", [{"R": 1.0, "S_auc": None}])[1:] == [
        "100.0",
        *["–"] * 5,
        "1",
    ]


def seeded(*values: float, column: str = "S", first: int = 0) -> list[dict[str, float]]:
    return [{column: value, "seed": first + place} for place, value in enumerate(values)]


def difference(treated: list[dict[str, float]], control: list[dict[str, float]]) -> Difference:
    found = paired(treated, control)
    assert found is not None
    return found


def test_a_difference_is_paired_by_seed_with_the_interval_of_students_t() -> None:
    control = [0.64, 0.66, 0.61, 0.70, 0.55]
    expected = stats.ttest_rel(VALUES, control)
    interval = expected.confidence_interval(0.95)
    shuffled = [seeded(*control)[place] for place in (3, 0, 4, 1, 2)]
    found = difference(seeded(*VALUES), shuffled)
    assert found.n == 5
    assert found.mean == pytest.approx(100 * (np.mean(VALUES) - np.mean(control)))
    assert (found.low, found.high) == pytest.approx((100 * interval.low, 100 * interval.high))
    assert found.p_value == pytest.approx(expected.pvalue)


def test_only_seeds_of_both_sides_are_compared() -> None:
    found = difference(seeded(0.5, 0.9), seeded(0.4, 0.1, first=1))
    assert found.mean == pytest.approx(50.0)
    assert (found.low, found.n) == (None, 1)
    assert paired(seeded(0.5), seeded(0.5, first=1)) is None
    assert paired([], seeded(0.5)) is None
    assert paired(seeded(0.5), seeded(0.5), column="R") is None


def test_equal_differences_have_an_interval_without_width() -> None:
    same, other = seeded(0.5, 0.75), seeded(0.25, 0.5)
    assert difference(same, same).p_value == 1.0
    assert difference(same, other).p_value == 0.0
    assert difference(seeded(0.5 + 1e-13, 0.75 + 2e-13), same).p_value == 1.0
    assert str(difference(same, same)) == "+0.0 [+0.0, +0.0]"


def test_a_difference_in_words() -> None:
    # 10 and 12 points: mean 11, error 1, and the quantile of one degree of freedom is 12.706.
    assert compare(seeded(0.70, 0.74), seeded(0.60, 0.62)) == (
        "+11.0 points (95 % interval -1.7 to +23.7, paired by seed, n = 2)"
    )
    assert compare(seeded(0.5), seeded(0.7)) == "-20.0 points (n = 1: no interval)"
    assert compare(seeded(0.5), []) is None
    assert compare(seeded(0.9, column="R"), seeded(0.5, column="R"), column="R") == (
        "+40.0 points (n = 1: no interval)"
    )


def test_holms_adjustment_by_hand() -> None:
    # Sorted .01, .02, .03, .9: times 4, 3, 2, 1, and never below the one before.
    assert holm([0.9, 0.01, 0.03, 0.02]) == pytest.approx([0.9, 0.04, 0.06, 0.06])
    assert holm([]) == []
    assert holm([0.6, 0.7]) == [1.0, 1.0]
