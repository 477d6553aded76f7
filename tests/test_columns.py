"""Columns of every kind: what is read, coded, binned, and what is refused in one line."""

from __future__ import annotations

import datetime
import decimal
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from trifeature import checks
from trifeature.columns import (
    as_columns,
    as_numbers,
    coding,
    discrete,
    drop_missing,
    is_continuous,
    missing_rows,
)
from trifeature.errors import InputError

pandas = pytest.importorskip("pandas")

BIG = 2**53
NORMAL = np.random.default_rng(0).normal(size=300)
SPIKES = np.random.default_rng(0).poisson(0.7, size=300)
DAY, NEXT = np.datetime64("2020-01-01"), np.datetime64("2020-01-02")


def refusal(column: Any, **how: Any) -> str:
    with pytest.raises(InputError) as refused:
        discrete("rate", column, **how)
    message = str(refused.value)
    assert message.isprintable()
    assert "rate" in message
    return message


# --------------------------------------------------------------------------- what is read


@pytest.mark.parametrize(
    ("column", "codes", "values"),
    [
        ([3, 5, 3], [0, 1, 0], (3, 5)),
        (range(3), [0, 1, 2], (0, 1, 2)),
        (np.array([3, 255, 3], np.uint8), [0, 1, 0], (3, 255)),
        (np.array([127, -128], np.int8), [1, 0], (-128, 127)),
        (np.array([2**64 - 1, 2**64 - 2], np.uint64), [1, 0], (2**64 - 2, 2**64 - 1)),
        (np.array([-(2**63), 2**63 - 1]), [0, 1], (-(2**63), 2**63 - 1)),
        (np.array([3, 5, 3], ">i4"), [0, 1, 0], (3, 5)),
        (np.array([3, 3, 5])[::-1], [1, 0, 0], (3, 5)),
        (np.array([3, 0, 5, 0])[::2], [0, 1], (3, 5)),
        (np.array([True, False]), [1, 0], (False, True)),
        ([np.True_, np.False_], [1, 0], (False, True)),
        (np.array([1, 2], np.float16), [0, 1], (1, 2)),
        ([-0.0, 0.0, 1.0], [0, 0, 1], (0, 1)),
        (torch.tensor([5, 3], dtype=torch.int32), [1, 0], (3, 5)),
        (torch.tensor([2.0, 1], requires_grad=True), [1, 0], (1, 2)),
        (torch.tensor([2, 1], dtype=torch.bfloat16), [1, 0], (1, 2)),
        ([torch.tensor(5), torch.tensor(3)], [1, 0], (3, 5)),
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        (np.array(["b", "a"]), [1, 0], ("a", "b")),
        (np.array([b"b", b"a"]), [1, 0], ("a", "b")),
        (pandas.Series(["b", "a"]), [1, 0], ("a", "b")),
        (pandas.Series(["b", "a"], dtype=object), [1, 0], ("a", "b")),
        (pandas.Series(["b", "a"], dtype="category"), [1, 0], ("a", "b")),
        (pandas.array([BIG + 1, BIG], dtype="Int64"), [1, 0], (BIG, BIG + 1)),
        (pandas.array([True, False], dtype="boolean"), [1, 0], (False, True)),
        (pandas.Index([5, 3]), [1, 0], (3, 5)),
        (np.array([NEXT, DAY]), [1, 0], (DAY, NEXT)),
        ([datetime.date(2020, 1, 1)] * 2, [0, 0], (datetime.date(2020, 1, 1),)),
        ([2, 1j, 2], [1, 0, 1], (1j, 2)),
        ([decimal.Decimal("1.5")] * 2, [0, 0], (decimal.Decimal("1.5"),)),
        ([2**70, 1], [1, 0], (1, 2**70)),
        ([BIG + 1, BIG, 0.5, BIG, BIG, 0.5], [2, 1, 0, 1, 1, 0], (0.5, BIG, BIG + 1)),
        (np.ma.masked_equal([5, 3], 9), [1, 0], (3, 5)),
    ],
)
def test_columns_of_every_kind_are_coded(column: Any, codes: Any, values: Any) -> None:
    found = discrete("rate", column)
    assert found.codes.tolist() == codes
    assert found.values == values
    assert (found.size, found.name, found.binned) == (len(values), "rate", None)


@pytest.mark.parametrize(
    "column",
    [
        [[3, "a"], [5, "a"], [3, "b"]],
        [(3, "a"), (5, "a"), (3, "b")],
        np.array([[3, "a"], [5, "a"], [3, "b"]], dtype=object),
        np.array([(3, "a"), (5, "a"), (3, "b")], dtype=[("p", int), ("q", "U1")]),
        pandas.DataFrame({"p": [3, 5, 3], "q": ["a", "a ", "b"]}),
        pandas.MultiIndex.from_tuples([(3, "a"), (5, "a"), (3, "b")]).to_frame(),
        {"p": [3, 5, 3], "q": pandas.Series(["a", "a", "b"])},
    ],
)
def test_several_columns_are_joined_by_their_combinations(column: Any) -> None:
    found = discrete("x", column)
    assert found.values == ((3, "a"), (3, "b"), (5, "a"))
    assert found.codes.tolist() == [0, 2, 1]


def test_joined_columns_agree_with_a_dictionary_of_rows() -> None:
    rows = np.random.default_rng(1).integers(0, 4, (500, 3))
    found = discrete("x", rows)
    order = sorted(set(map(tuple, rows.tolist())))
    assert found.values == tuple(order)
    assert found.codes.tolist() == [order.index(tuple(row)) for row in rows.tolist()]


@pytest.mark.parametrize(
    "column",
    [
        [[BIG + 1, 0.5], [BIG, 0.5]],
        {"id": np.array([BIG + 1, BIG]), "x": np.array([0.5, 0.5])},
        pandas.DataFrame({"id": [BIG + 1, BIG], "x": [0.5, 0.5]}),
        {"id": [BIG + 1, BIG], "x": np.array([0.5, 0.5], np.float32)},
    ],
)
def test_a_large_identifier_beside_floats_keeps_its_neighbor_apart(column: Any) -> None:
    assert discrete("x", column).codes.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (["1", "1.0", "1e0", " 1 ", "+1"], (1,)),
        (["10", "9", "9.0"], (9, 10)),
        (["007", "7", "07"], ("007", "07", "7")),
        (["1", "x", "x "], ("1", "x")),
        ([str(BIG + 1), str(BIG)], (BIG, BIG + 1)),
        (["9" * 5000, "1"], ("1", "9" * 5000)),
        (["1_0", "10"], ("10", "1_0")),
        (["True", "False"], ("False", "True")),
    ],
)
def test_text_of_numbers_is_numbers_and_identifiers_stay_text(text: Any, values: Any) -> None:
    assert discrete("x", text).values == values
    assert discrete("x", np.array(text)).values == values


def test_columns_keep_their_names_and_types() -> None:
    found = as_columns("x", pandas.DataFrame({"a": np.array([1, 2], ">i2"), 3: ["u", "v"]}))
    assert list(found) == ["a", "3"]
    assert found["a"].dtype == np.int16
    assert found["a"].flags.c_contiguous
    assert as_columns("x", found).keys() == found.keys()
    assert list(as_columns("x", np.zeros((4, 2)))) == ["x[0]", "x[1]"]


def test_frames_of_polars_are_read() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"id": [BIG + 1, BIG], "q": ["a", "a "]})
    assert discrete("x", frame).values == ((BIG, "a"), (BIG + 1, "a"))
    assert discrete("x", polars.Series(["b", "a"], dtype=polars.Categorical)).values == ("a", "b")
    assert missing_rows("x", polars.Series([BIG + 1, None])).tolist() == [False, True]
    assert as_columns("x", polars.Series([BIG + 1, None]))["x"][0] == BIG + 1
    assert "collect()" in refusal(frame.lazy())


# --------------------------------------------------------------------------- missing values

ABSENT = [
    [3, None, 5],
    [3.0, np.nan, 5.0],
    [3, float("nan"), 5],
    ["a", np.nan, "b"],
    ["a", None, "b"],
    [decimal.Decimal(3), decimal.Decimal("nan"), 5],
    *[["a", word, "b"] for word in ("", " ", "NA", "n/a", "nan", "NaN", "null", "None")],
    ["1", "NA", "2"],
    np.array(["a", np.nan, "b"]),  # NumPy makes the text "nan" of it
    np.array([3, np.nan, 5], ">f4"),
    np.array([1j, complex(0, np.nan), 2]),
    np.array([DAY, "NaT", NEXT], dtype="M8[s]"),
    np.array([1, "NaT", 2], dtype="m8[s]"),
    np.ma.masked_equal([3, 4, 5], 4),
    np.ma.masked_equal([3.0, 4, 5], 4),
    np.ma.MaskedArray(["a", "x", "b"], [False, True, False]),
    np.ma.MaskedArray([DAY, DAY, NEXT], [False, True, False]),
    [3, np.ma.masked, 5],
    pandas.array([BIG + 1, None, BIG], dtype="Int64"),
    pandas.Series(["a", None, "b"]),
    pandas.Series(["a", None, "b"], dtype="category"),
    pandas.Series([3, pandas.NA, 5], dtype=object),
    pandas.Series(pandas.to_datetime(["2020-01-01", None, "2020-01-02"])),
    pandas.Series(pandas.to_datetime(["2020-01-01", None, "2020-01-02"])).dt.tz_localize("UTC"),
    torch.tensor([3, np.nan, 5]),
]


@pytest.mark.parametrize("column", ABSENT, ids=range(len(ABSENT)))
def test_missing_values_of_every_kind_are_found_refused_and_marked(column: Any) -> None:
    assert missing_rows("rate", column).tolist() == [False, True, False]
    message = refusal(column)
    assert "lacks a value in row 1" in message
    assert "in 1 of 3 rows" in message
    marked = discrete("rate", column, missing="mark", bins="categories")
    assert sorted(marked.codes.tolist()) == [-1, 0, 1]
    assert marked.codes[1] == -1


def test_rows_that_lack_a_value_in_any_column_are_dropped_from_all() -> None:
    columns = {"x": [[1, None], [2, 3], [4, 5]], "y": ["a", "NA", "b"], "z": torch.arange(3)}
    kept, rows = drop_missing(columns)
    assert rows.tolist() == [False, False, True]
    assert [discrete(name, part).values for name, part in kept.items()] == [((4, 5),), ("b",), (2,)]
    with pytest.raises(InputError, match="no row has a value in every column of 'x', 'y'"):
        drop_missing({"x": [None, 1], "y": [1, None]})
    with pytest.raises(InputError, match=r"one length, got \[1, 2\]"):
        drop_missing({"x": [1], "y": [1, 2]})


def test_a_row_that_lacks_one_of_its_values_has_no_code() -> None:
    found = discrete("x", [[1, None], [1, 2], [None, 2], [0, 2]], missing="mark")
    assert found.codes.tolist() == [-1, 1, -1, 0]
    assert found.values == ((0, 2), (1, 2))
    assert discrete("x", [[None, 1], [1, None]], missing="mark").codes.tolist() == [-1, -1]


def test_the_words_of_missing_values_can_be_chosen() -> None:
    assert discrete("x", ["none", "left"], words=("nan",)).values == ("left", "none")


# --------------------------------------------------------------------------- continuous columns


@pytest.mark.parametrize(
    ("column", "answer"),
    [
        (NORMAL, True),
        (NORMAL.astype(np.float32), True),
        (NORMAL.astype(str), True),
        (NORMAL.round(1), True),
        (np.tile(np.arange(33) / 2, 10), True),
        (np.tile(np.arange(32) / 2, 10), False),
        ([0.5, 0.5, 1.5, 1.5], False),
        ([0.5, 0.5, 1.5, 2.5], True),
        ([0.5, None, None, None], True),
        (np.arange(300), False),
        (np.arange(300.0), False),
        (NORMAL + 1j, True),
        ([decimal.Decimal(k) / 7 for k in range(9)], True),
        (list("abcdef"), False),
        (np.arange(300).astype("M8[s]"), False),
        (np.stack([SPIKES, NORMAL], axis=1), True),
    ],
)
def test_what_looks_continuous_is_noticed(column: Any, answer: bool) -> None:
    assert is_continuous(column) is answer


def test_a_continuous_column_is_refused_with_the_ways_out() -> None:
    message = refusal(NORMAL)
    for words in ("300 different", "300 rows", "bins=", 'method="gaussian"', 'bins="categories"'):
        assert words in message
    assert "'rate[1]'" in refusal(np.stack([SPIKES, NORMAL], axis=1))
    assert "imaginary" in refusal(NORMAL + 1j, bins=4)


def test_categories_said_explicitly_are_taken_as_they_are() -> None:
    found = discrete("rate", NORMAL, bins="categories")
    assert found.values == tuple(sorted(NORMAL.tolist()))
    assert discrete("rate", ["1,5", "2,5", "?"], bins="categories").size == 3


@pytest.mark.parametrize("odd", ["?", "12,5", "7 Hz"])
def test_one_odd_cell_does_not_make_categories_of_numbers(odd: str) -> None:
    message = refusal([*NORMAL.astype(str)[:9], odd], bins=4)
    assert f"{odd!r} in row 9" in message


# --------------------------------------------------------------------------- bins


def bins_by_count(column: Any, bins: int) -> list[int]:
    """Slow: the bin of a value is that of the middle of its rows, the empty bins left out."""
    counts = Counter(column)
    place, before = {}, 0
    for value in sorted(counts):
        place[value] = int(Fraction(2 * before + counts[value], 2 * len(column)) * bins)
        before += counts[value]
    held = sorted(set(place.values()))
    return [held.index(place[value]) for value in column]


@pytest.mark.parametrize("bins", [2, 3, 8, 299])
@pytest.mark.parametrize("column", [NORMAL, NORMAL.round(1), SPIKES, np.abs(SPIKES - 1) / 2])
def test_bins_by_count_agree_with_a_slow_loop(column: Any, bins: int) -> None:
    found = discrete("rate", column, bins=bins)
    values = column.tolist()
    if len(set(values)) <= bins:
        assert found.binned is None
        assert found.codes.tolist() == [sorted(set(values)).index(value) for value in values]
    else:
        assert found.codes.tolist() == bins_by_count(values, bins)
        assert found.binned == found.size == found.codes.max() + 1


def test_bins_by_count_hold_equally_many_and_never_split_equal_values() -> None:
    assert np.bincount(discrete("rate", NORMAL, bins=4).codes).tolist() == [75] * 4
    tied = discrete("rate", SPIKES, bins=3)
    for value in np.unique(SPIKES):
        assert len(set(tied.codes[value == SPIKES].tolist())) == 1
    assert (tied.values, tied.binned) == (("[0, 1)", "[1, 2)", "[2, 4]"), 3)
    mostly_zero = [0] * 6 + [1, 2, 3, 4]
    assert discrete("rate", mostly_zero, bins=4).values == ("[0, 1)", "[1, 2)", "[2, 4]")


def test_bins_by_width_agree_with_their_edges() -> None:
    found = discrete("rate", NORMAL, bins=5, binning="width")
    edges = np.linspace(NORMAL.min(), NORMAL.max(), 6)
    expected = np.digitize(NORMAL, edges[1:-1])
    assert found.codes.tolist() == expected.tolist()
    lows = [float(str(text).strip("[])").split(", ")[0]) for text in found.values]
    assert lows == pytest.approx(edges[:-1], abs=0.01)
    gap = discrete("rate", [0, 1, 2, 9.5, 9, 10], bins=5, binning="width")
    assert (gap.values, gap.binned) == (("[0, 2)", "[2, 4)", "[8, 10]"), 3)
    assert gap.codes.tolist() == [0, 0, 1, 2, 2, 2]


def test_bins_take_any_numbers_and_leave_text_alone() -> None:
    far = np.array([-1.7e308, 0, 1.7e308])
    assert discrete("rate", far, bins=2, binning="width").codes.tolist() == [0, 1, 1]
    assert discrete("rate", ["0.1", "0.2", "0.4", "0.9"], bins=2).codes.tolist() == [0, 0, 1, 1]
    assert discrete("rate", list("abc"), bins=2).values == ("a", "b", "c")
    assert discrete("rate", [1, 2], bins=2).values == (1, 2)
    assert discrete("rate", [1, None, 2, 3], bins=2, missing="mark").codes.tolist() == [0, -1, 1, 1]
    close = discrete("rate", 1e6 + np.arange(8) / 1000, bins=4)
    assert len(set(close.values)) == 4


def test_each_column_can_have_bins_of_its_own() -> None:
    frame = {"a": NORMAL, "b": SPIKES}
    found = discrete("x", frame, bins={"a": 2})
    assert found.binned == 2
    assert {b for _, b in found.values} == set(SPIKES.tolist())
    assert discrete("x", frame, bins={"x": 2}).size == 4
    with pytest.raises(InputError, match="column 'a' looks continuous"):
        discrete("x", frame, bins={"b": 2})


@pytest.mark.parametrize("bins", [1, 0, True, 2.5, "many", [2], np.array([2, 3])])
def test_senseless_bins_are_refused(bins: Any) -> None:
    assert "bins" in refusal(NORMAL, bins=bins)


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([], "got shape (0,)"),
        (np.zeros((0, 2)), "got shape (0,)"),
        (np.zeros((3, 0)), "no columns"),
        (np.zeros((2, 2, 2)), "got shape (2, 2, 2)"),
        (np.array(3), "got shape ()"),
        (3, "not int"),
        ("rate", "not str"),
        ({1, 2}, "not set"),
        ((x for x in [1]), "not generator"),
        (None, "not NoneType"),
        ([[1], [2, 3]], "rows of one length: row 1"),
        ([1, [2, 3]], "rows of one length: row 1"),
        ([{}, {}], "unhashable type: 'dict'"),
        ([1, "a"], "int, str that cannot be sorted"),
        ([object(), object()], "object that cannot be sorted"),
        ([[[1], [2]], [[1], [2]]], "unhashable type: 'list'"),
        (pandas.Series([[1, 2], [3, 4]]), "holds lists"),
        (torch.tensor([1, 0]).to_sparse(), "cannot be read"),
        (np.array([1, np.inf]), "infinity in row 1"),
        (["1", "-inf"], "infinity in row 1"),
        ([10**400, 1], "beyond 1e308"),
        (np.array([b"\xff"]), "UTF-8"),
        (np.zeros(2, "V4"), "must hold numbers"),
        ({"p": [1], "rate": [1, 2]}, "one length, got [1, 2]"),
    ],
)
def test_what_is_no_column_is_refused_in_one_line(column: Any, words: str) -> None:
    with pytest.raises(InputError) as refused:
        discrete("rate", column)
    assert words in str(refused.value)
    assert str(refused.value).isprintable()


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pandas.DataFrame([[1, 2]], columns=["b", "b"])
    with pytest.raises(InputError, match="two columns of the name 'b'"):
        as_columns("x", frame)


def test_control_characters_of_names_and_values_are_spelled_out() -> None:
    with pytest.raises(InputError) as refused:
        discrete("\x1b[31mrate\n", ["\x1b[2J", " NA\t"])
    assert str(refused.value).isprintable()


def test_sparse_matrices_are_told_to_become_dense() -> None:
    sparse = type("csr_array", (), {"toarray": None})  # as SciPy's, which takes long to import
    assert "toarray()" in refusal(sparse())


@pytest.mark.parametrize("how", [{"binning": "widht"}, {"missing": "drop"}])
def test_unknown_settings_are_refused(how: Any) -> None:
    with pytest.raises(InputError, match="unknown"):
        discrete("rate", [1, 2], **how)


def test_a_column_larger_than_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coding, "LARGE", 10)
    monkeypatch.setattr(checks, "available_memory", lambda: 100)
    assert "memory" in refusal(np.arange(11))


# --------------------------------------------------------------------------- numbers


def test_numbers_are_read_from_text_and_tables() -> None:
    frame = pandas.DataFrame({"a": [1, 2], "b": ["3", "4.5"]})
    assert as_numbers("x", frame).tolist() == [[1, 3], [2, 4.5]]
    assert as_numbers("x", torch.ones(2, dtype=torch.bool)).tolist() == [[1], [1]]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["1", "b"], "must hold numbers, not 'b'"),
        (["007", "8"], "must hold numbers, not '007'"),
        ([1, None], "lacks a value in row 1"),
        ([1, np.inf], "infinity in row 1"),
        (np.array([DAY]), "must hold numbers, not"),
        ([1j], "must hold numbers, not 1j"),
    ],
)
def test_what_is_no_number_is_refused(column: Any, words: str) -> None:
    with pytest.raises(InputError) as refused:
        as_numbers("rate", column)
    assert words in str(refused.value)


def test_the_cell_that_kept_a_column_text_is_the_one_named() -> None:
    column = [f"0,{10 + place}" for place in range(60)]
    column[39] = "1 234,5"
    with pytest.raises(InputError, match="'1 234,5' in row 39"):
        discrete("rate", column, bins=4)
