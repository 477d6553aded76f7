"""Numbers as people read them: means, spreads and differences against scipy and against hand."""

import math

import numpy as np
import pytest
from scipy import stats

from trifeature.report import COLUMNS, Row, Summary, compare, summarize, table_row

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


def test_a_difference_stands_with_its_standard_error() -> None:
    # Spreads of 1.414 each, so errors of 1 each and of √2 for the difference: 10 / √2 = 7.07.
    assert compare(rows(0.70, 0.72), rows(0.60, 0.62)) == (
        "+10.0 ± 1.4 points (7.1 standard errors, n = 2 and 2)"
    )


def test_the_number_of_standard_errors_is_welchs_t() -> None:
    control = [0.64, 0.66, 0.61]
    t = stats.ttest_ind(VALUES, control, equal_var=False).statistic
    words = compare(rows(*VALUES), rows(*control))
    assert words is not None
    assert f"({t:.1f} standard errors, n = 5 and 3)" in words


def test_a_difference_downwards_is_negative() -> None:
    words = compare(rows(0.5, 0.6), rows(0.7, 0.8))
    assert words == "-20.0 ± 7.1 points (-2.8 standard errors, n = 2 and 2)"


@pytest.mark.parametrize(("treated", "control"), [((0.7,), (0.6, 0.62)), ((0.7, 0.7), (0.6,))])
def test_a_single_seed_is_no_spread_to_judge_by(
    treated: tuple[float, ...], control: tuple[float, ...]
) -> None:
    words = compare(rows(*treated), rows(*control))
    assert words is not None
    assert words.endswith(f"(n = {len(treated)} and {len(control)}: no spread to judge it by)")
    assert "standard error" not in words


def test_equal_seeds_are_not_divided_by_their_spread_of_zero() -> None:
    assert compare(rows(0.5, 0.5), rows(0.5, 0.5)) == "+0.0 ± 0.0 points (n = 2 and 2)"


def test_without_both_sides_there_is_no_comparison() -> None:
    assert compare([], rows(0.5)) is None
    assert compare(rows(0.5), []) is None
    assert compare(rows(0.5), rows(0.5), column="R") is None


def test_another_column_can_be_compared() -> None:
    words = compare(rows(0.9, column="R"), rows(0.5, column="R"), column="R")
    assert words == "+40.0 points (n = 1 and 1: no spread to judge it by)"
