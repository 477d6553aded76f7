from __future__ import annotations

import csv
import itertools
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.estimation.estimates import rows_needed
from trifeature.pid.measures import decompose
from trifeature.pid.samples import SampleSizeWarning
from trifeature.pid.screening import blocks
from trifeature.pid.screening.blocks import SCREEN_ATOMS, adjusted, total_p_values
from trifeature.pid.screening.file import ScreenFile, empty
from trifeature.pid.screening.result import Screen
from trifeature.pid.screening.screen_pairs import screen
from trifeature.pid.solver import broja

n = 600
SHUFFLES, PERMUTATIONS, SEED = 3, 16, 5


def columns() -> dict[str, NDArray[np.intp]]:
    """A target, four columns of two and three values that tell something of it, and a constant."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n)
    a, b = rng.integers(0, 2, n), rng.integers(0, 3, n)
    noisy = np.where(rng.random(n) < 0.7, y, rng.integers(0, 3, n))
    return {"a": a, "b": b, "xor": (y + a) % 2, "noisy": noisy, "one": np.ones(n, int), "y": y}


def counted(*codes: NDArray[np.intp]) -> NDArray[np.float64]:
    table = np.zeros([code.max() + 1 for code in codes])
    for row in zip(*codes, strict=True):
        table[row] += 1
    return table


def plain_information(x1: Any, x2: Any, y: Any) -> float:
    """I(X1, X2; Y) in bits, by its definition."""
    p = counted(x1, x2, y) / len(y)
    pairs, classes = p.sum(2), p.sum((0, 1))
    return sum(
        float(p[i] * math.log2(p[i] / (pairs[i[:2]] * classes[i[2]])))
        for i in np.ndindex(p.shape)
        if p[i] > 0
    )


@pytest.fixture(scope="module")
def found() -> Screen:
    return screen(columns(), "y", shuffles=SHUFFLES, permutations=PERMUTATIONS, seed=SEED)


@pytest.fixture(scope="module")
def permuted() -> list[NDArray[np.intp]]:
    rng = np.random.default_rng(SEED)
    return [rng.permutation(columns()["y"]) for _ in range(SHUFFLES + PERMUTATIONS)]


def test_a_screening_is_a_loop_over_the_pairs(
    found: Screen, permuted: list[NDArray[np.intp]]
) -> None:
    data = columns()
    y = data.pop("y")
    data["one"] -= 1
    assert found.pairs == tuple(itertools.combinations(data, 2))
    for row in found.rows:
        one, other = data[row["source1"]], data[row["source2"]]
        tables = [counted(one, other, target) for target in (y, *permuted[:SHUFFLES])]
        atoms = [broja(table, normalize=True) for table in tables]
        loop = np.array([(*each.values, each.total) for each in atoms])
        corrected = loop[0] - loop[1:].mean(0)
        for place, name in enumerate(SCREEN_ATOMS):
            assert row[f"plug_in_{name}"] == pytest.approx(loop[0, place], abs=1e-4)
            assert row[f"null_mean_{name}"] == pytest.approx(loop[1:, place].mean(), abs=1e-4)
            assert row[f"null_sd_{name}"] == pytest.approx(loop[1:, place].std(ddof=1), abs=2e-4)
            assert row[name] == pytest.approx(corrected[place], abs=2e-4)
        assert sum(row[name] for name in ATOM_NAMES) == pytest.approx(row["total"], abs=1e-12)
        assert row["gap"] <= 1e-4
        assert row["converged"]
        assert row["needed"] == rows_needed((one.max() + 1, other.max() + 1, 2))
        assert not row["too_few"]


def test_the_total_is_compared_with_all_permutations(
    found: Screen, permuted: list[NDArray[np.intp]]
) -> None:
    data = columns()
    for row in found.rows[:4]:
        one, other = data[row["source1"]], data[row["source2"]]
        nulls = [plain_information(one, other, target) for target in permuted]
        total = plain_information(one, other, data["y"])
        reached = sum(null >= total - 1e-12 for null in nulls)
        assert row["plug_in_total"] == pytest.approx(total, abs=1e-12)
        assert row["p_value_total"] == (1 + reached) / (1 + SHUFFLES + PERMUTATIONS)


def test_an_exclusive_or_stands_out(found: Screen) -> None:
    (first,) = found.top(1)
    assert (first["source1"], first["source2"]) == ("a", "xor")
    assert first["p_value_total"] == 1 / (1 + SHUFFLES + PERMUTATIONS)
    assert first["q_value_total"] < 1e-6


def test_a_pair_of_a_constant_and_noise_is_not_found(found: Screen) -> None:
    assert not {("a", "one")} & {
        (row["source1"], row["source2"]) for row in found.top(99, "total", largest_q=0.05)
    }


def test_the_tail_is_that_of_a_gamma_distribution() -> None:
    # Mean 2 and standard deviation 2: exponential, so P(X > x) = exp(-x / 2).
    nulls = np.array([[2 - math.sqrt(2), 2 + math.sqrt(2)]] * 2)
    counts, tail = total_p_values(np.array([3.0, 40.0]), nulls)
    assert tail == pytest.approx(np.exp([-1.5, -20.0]), rel=1e-12)
    assert counts.tolist() == [2 / 3, 1 / 3]


def test_nothing_to_compare_with_gives_no_p_value() -> None:
    result = screen(columns(), "y", correction="none", shuffles=0, permutations=0)
    row = result.rows[0]
    assert row["p_value_total"] is row["q_value_total"] is row["null_mean_total"] is None
    assert row["synergy"] == row["plug_in_synergy"]
    with pytest.raises(InputError, match="no q-values: it needs shuffles or permutations"):
        result.top(largest_q=0.05)


def test_q_values_are_the_least_share_of_false_finds() -> None:
    p = np.random.default_rng(1).random(30) ** 3
    p[3] = p[7]
    shares = [min(t * len(p) / (p <= t).sum() for t in p if t >= own) for own in p]
    assert adjusted(p) == pytest.approx(shares)
    assert len(adjusted(np.array([]))) == 0


def test_independent_columns_are_found_as_often_as_they_should() -> None:
    rng = np.random.default_rng(3)
    data, y = rng.integers(0, 3, (150, 24)), rng.integers(0, 2, 150)
    result = screen(data, y, correction="none", shuffles=0, permutations=100)
    # Pairs share columns: the standard deviation of the share is about 0.02.
    for name in ("p_value_total", "p_value_total_tail"):
        assert 0.01 <= (result.values[name] <= 0.05).mean() <= 0.11
    assert result.values["q_value_total"].min() > 0.05


def test_any_measure_can_be_screened() -> None:
    result = screen(columns(), "y", [("xor", "noisy")], measure="MMI", shuffles=1)
    data = columns()
    table = counted(data["xor"], data["noisy"], data["y"])
    expected = decompose(table, "MMI", normalize=True).values
    assert [result.rows[0][f"plug_in_{name}"] for name in ATOM_NAMES] == pytest.approx(expected)


def test_the_size_of_blocks_and_batches_does_not_matter(
    found: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)
    monkeypatch.setattr(blocks, "BATCH_NUMBERS", 60)
    monkeypatch.setattr(blocks, "COUNTED_AT_ONCE", 900)
    again = screen(columns(), "y", shuffles=SHUFFLES, permutations=PERMUTATIONS, seed=SEED)
    assert again.rows == found.rows


@pytest.mark.processes
def test_the_number_of_processes_does_not_matter(found: Screen, tmp_path: Path) -> None:
    out = tmp_path / "screen.jsonl"
    again = screen(
        columns(),
        "y",
        shuffles=SHUFFLES,
        permutations=PERMUTATIONS,
        seed=SEED,
        processes=2,
        out=out,
    )
    assert again.rows == found.rows
    assert len(out.read_text().splitlines()) == 1 + len(found)


# --------------------------------------------------------------------------- the file


def small(out: Path, **settings: Any) -> Screen:
    return screen(columns(), "y", **{"shuffles": 1, "permutations": 2, "out": out, **settings})


def test_a_cut_at_any_byte_of_the_last_line_loses_this_line_alone(tmp_path: Path) -> None:
    out = tmp_path / "screen.jsonl"
    rows = small(out).rows
    content = out.read_bytes()
    lines = content.splitlines(keepends=True)
    assert len(lines) == 1 + len(rows)
    file = ScreenFile(out, json.loads(lines[0]), [(r["source1"], r["source2"]) for r in rows])
    file.append([])
    assert out.read_bytes() == content
    for length in range(len(content) - 1, len(content) - len(lines[-1]) - 1, -1):
        os.truncate(out, length)
        assert file.read(empty(len(rows))).sum() == len(rows) - 1
        if length % 90 == 0:
            file.append([json.loads(lines[-1])])
            assert out.read_bytes() == content


@pytest.mark.parametrize("missing", [1, 100, 2000])
def test_a_screening_goes_on_from_the_whole_lines_of_its_file(missing: int, tmp_path: Path) -> None:
    out = tmp_path / "screen.jsonl"
    rows = small(out).rows
    content = out.read_bytes()
    out.write_bytes(content[:-missing])
    whole = content[:-missing].count(b"\n") - 1
    told: list[tuple[int, int]] = []
    assert small(out, progress=lambda *done: told.append(done)).rows == rows
    assert told[0] == (whole, len(rows))
    assert out.read_bytes() == content


@pytest.mark.parametrize("share", [0.0, 0.2, 0.999])
def test_a_cut_first_line_begins_the_file_anew(share: float, tmp_path: Path) -> None:
    out = tmp_path / "screen.jsonl"
    small(out)
    content = out.read_bytes()
    out.write_bytes(content[: int(share * content.find(b"\n"))])
    small(out)
    assert out.read_bytes() == content


def test_a_screening_that_was_stopped_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "whole.jsonl"
    rows = small(whole).rows
    monkeypatch.setattr(blocks, "BLOCK_NUMBERS", 1)

    def stop(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    out = tmp_path / "new" / "screen.jsonl"
    with pytest.raises(KeyboardInterrupt):
        small(out, progress=stop)
    told: list[int] = []
    assert small(out, progress=lambda done, _: told.append(done)).rows == rows
    assert told == [4, 5, 6, 7, 8, 9, 10]
    assert out.read_bytes() == whole.read_bytes()
    assert small(out, progress=lambda done, _: told.append(done)).rows == rows
    assert told[-1:] == [10]
    assert sorted(path.name for path in out.parent.iterdir()) == ["screen.jsonl"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "with seed 0, not 1: name another file"),
        ({"tolerance": 1e-3}, "with tolerance 0.0001, not 0.001"),
        ({"correction": "none"}, "with correction 'shuffle', not 'none'"),
        ({"pairs": [("a", "b")]}, "of other pairs"),
    ],
)
def test_a_file_of_other_settings_is_refused(
    change: dict[str, Any], words: str, tmp_path: Path
) -> None:
    out = tmp_path / "screen.jsonl"
    small(out)
    content = out.read_bytes()
    with pytest.raises(InputError, match=words):
        small(out, **change)
    assert out.read_bytes() == content


def test_a_file_of_other_data_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "screen.jsonl"
    small(out)
    data = columns()
    data["a"][0] = 1 - data["a"][0]
    with pytest.raises(InputError, match="holds a screening of other data: name another file"):
        screen(data, "y", shuffles=1, permutations=2, out=out)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b,y\n1,2,3\n", "is no file of a screening"),
        (b"\x00\xff\n", "is no file of a screening"),
        (b'{"epochs": 1}\n', "is no file of a screening"),
    ],
)
def test_a_file_of_anything_else_is_kept(content: bytes, words: str, tmp_path: Path) -> None:
    out = tmp_path / "mine.csv"
    out.write_bytes(content)
    with pytest.raises(InputError, match=words):
        small(out)
    assert out.read_bytes() == content
    with pytest.raises(InputError, match="is a folder"):
        small(tmp_path)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    out = tmp_path / "screen.jsonl"
    small(out)
    lines = out.read_text().splitlines()
    row = json.loads(lines[3])
    for broken in ("{", json.dumps({**row, "gap": "wide"}), json.dumps({**row, "source1": "z"})):
        out.write_text("\n".join([*lines[:3], broken, *lines[4:], ""]))
        with pytest.raises(InputError, match="line 4 is damaged"):
            small(out)


# --------------------------------------------------------------------------- what goes in


def test_frames_arrays_and_mappings_give_the_same(found: Screen) -> None:
    pandas = pytest.importorskip("pandas")
    data = columns()
    settings: Any = {"shuffles": SHUFFLES, "permutations": PERMUTATIONS, "seed": SEED}
    y = data.pop("y")
    frame = pandas.DataFrame({**data, "y": y})
    assert screen(frame, "y", **settings).rows == found.rows
    array = np.stack(list(data.values()), axis=1)
    named = screen(array, pandas.Series(y, name="y"), names=list(data), **settings)
    assert named.rows == found.rows
    assert named.target == "y"
    text = {name: [f"v{value}" for value in column] for name, column in data.items()}
    assert screen(text, y.tolist(), **settings).rows == found.rows
    unnamed = screen(array, y, [("x[0]", "x[2]")], **settings)
    assert unnamed.pairs == (("x[0]", "x[2]"),)
    assert unnamed.target == "Y"
    assert unnamed.rows[0]["synergy"] == found.top(1)[0]["synergy"]


def test_a_source_may_have_several_columns() -> None:
    data = columns()
    both = np.stack([data["a"], data["xor"]], axis=1)
    result = screen({"both": both, "a": data["a"]}, data["y"], shuffles=1, permutations=1)
    assert result.rows[0]["plug_in_unique1"] == pytest.approx(1.0, abs=1e-2)


def test_columns_that_are_in_no_pair_may_be_anything() -> None:
    data: dict[str, Any] = {**columns(), "time": np.linspace(0, 1, n), "note": [None] * n}
    settings: Any = {"shuffles": 1, "permutations": 1}
    assert screen(data, "y", [("a", "xor")], **settings).names == ("a", "xor")
    with pytest.raises(InputError, match="'time' looks continuous"):
        screen(data, "y", **settings)
    binned = screen(data, "y", [("time", "a")], bins=2, **settings)
    assert binned.rows[0]["needed"] == rows_needed((2, 2, 2))


def test_swapping_a_pair_swaps_its_unique_atoms() -> None:
    one = screen(columns(), "y", [("noisy", "a")], tolerance=1e-9).rows[0]
    other = screen(columns(), "y", [("a", "noisy")], tolerance=1e-9).rows[0]
    for name, swapped in (("unique1", "unique2"), ("synergy", "synergy"), ("total", "total")):
        assert one[name] == pytest.approx(other[swapped], abs=1e-8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": "why"}, "unknown column 'why': did you mean 'y'"),
        ({"target": [0, 1]}, "'a' has 600 values, the target 'Y' 2"),
        ({"target": "one"}, "target 'one' has one value only"),
        ({"target": np.linspace(0, 1, n)}, "looks continuous"),
        ({"pairs": [("a", "c")]}, "unknown column 'c'"),
        ({"pairs": [("a", "y")]}, "unknown column 'y'"),
        ({"pairs": [("a", "a")]}, "two different columns, not 'a' twice"),
        ({"pairs": [("a", "b"), ("b", "a")]}, "the pair 'b', 'a' is named twice"),
        ({"pairs": ["ab"]}, "a pair must be two names of columns, not 'ab'"),
        ({"pairs": []}, "at least one pair"),
        ({"pairs": "some"}, "unknown choice of pairs 'some'"),
        ({"columns": {"a": [0, 1], "y": [0, 1]}}, "two columns beside the target, got 1"),
        ({"columns": {"a": [0, None], "b": [0, 1], "y": [0, 1]}}, "'a' lacks a value in row 1"),
        ({"columns": {1: [0, 1], "1": [0, 1], "y": [0, 1]}}, "two columns have the same name"),
        ({"names": ["a"]}, "names must be 6 different names"),
        ({"shuffles": 0}, "shuffles must be a whole number of at least 1"),
        ({"permutations": -1}, "permutations must be"),
        ({"correction": "shufle"}, "did you mean 'shuffle'"),
        ({"measure": "broyja"}, "did you mean 'BROJA'"),
        ({"tolerance": 0}, "tolerance must be at least 1e-09"),
        ({"processes": 0}, "processes must be"),
    ],
)
def test_what_cannot_be_screened_is_refused_in_one_line(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words) as raised:
        screen(**{"columns": columns(), "target": "y", **arguments})
    assert "\n" not in str(raised.value)


def test_tables_that_do_not_fit_are_refused_before_any_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trifeature.checks.available_memory", lambda: 2**20)
    values = {name: np.arange(n) % 250 for name in "ab"}
    with pytest.raises(InputError, match="memory are free: take fewer pairs"):
        screen(values, columns()["y"])


def test_an_identifier_is_refused() -> None:
    values = {"trial": np.arange(40), "a": np.arange(40) % 2}
    with pytest.raises(InputError, match="'trial' has 40 different values in 40 rows"):
        screen(values, np.arange(40) % 2)


def test_what_to_do_about_an_identifier_depends_on_what_it_is() -> None:
    n = np.arange(40)
    texts = np.array([f"p{one}" for one in n])
    leave = r"do: leave it out \(on the command line, --column names the columns to pair\)"
    bins = ", or give bins that leave at most 20 values$"
    for columns, target, words in [
        ({"id": texts, "a": n % 2}, n % 2, leave + "$"),
        ({"id": n, "a": n % 2}, n % 2, leave + bins),
        ({"id": np.stack([n, n % 3], 1), "a": n % 2}, n % 2, leave + bins),
        ({"id": {"u": texts, "v": n % 3}, "a": n % 2}, n % 2, leave + "$"),
        ({"a": n % 3, "b": n % 2}, texts, "do: name another target$"),
    ]:
        with pytest.raises(InputError, match=words):
            screen(columns, target)
    with pytest.raises(InputError, match=leave + bins):
        screen({"id": n + 0.5, "a": n % 2}, n % 2, bins=30)
    with pytest.warns(SampleSizeWarning):
        screen({"id": n + 0.5, "a": n % 2}, n % 2, bins=20, shuffles=1, permutations=1)


def test_rare_values_are_not_judged_by_a_gamma_distribution() -> None:
    # The gamma tail of such data once was 2.6e-5, where 20,000 permutations read .023.
    rng = np.random.default_rng(5035)
    data = {f"c{j}": (rng.random(300) < 0.02).astype(int) for j in range(12)}
    found = screen(data, (rng.random(300) < 0.05).astype(int), shuffles=1)
    assert found.values["p_value_total_tail"].min() >= 1 / 202
    assert found.values["q_value_total"].min() > 0.05


def test_too_few_samples_warn_once_with_their_share() -> None:
    data, y = np.random.default_rng(3).integers(0, 9, (150, 3)), np.arange(150) % 2
    with pytest.warns(SampleSizeWarning, match=r"3 of 3 pairs \(100%\) want more samples"):
        screen(data, y, correction="none", shuffles=0, permutations=2)


# --------------------------------------------------------------------------- what comes out


def test_a_frame_and_a_file_hold_the_rows(found: Screen, tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    assert found.to_frame().to_dict("records") == found.rows
    found.write_csv(tmp_path / "screen.csv")
    with (tmp_path / "screen.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert read == [{name: str(value) for name, value in row.items()} for row in found.rows]
    with pytest.raises(InputError, match="is a folder"):
        found.write_csv(tmp_path)


def test_a_frame_without_pandas_is_refused_in_one_line(
    found: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="a data frame needs pandas: pip install pandas"):
        found.to_frame()


def test_the_top_is_sorted(found: Screen) -> None:
    for atom in SCREEN_ATOMS:
        values = [row[atom] for row in found.top(4, atom)]
        assert values == sorted((row[atom] for row in found.rows), reverse=True)[:4]
    with pytest.raises(InputError, match="did you mean 'synergy'"):
        found.top(3, "sinergy")


def test_a_matrix_has_every_pair_at_both_places(found: Screen) -> None:
    names = found.names
    assert names == ("a", "b", "xor", "noisy", "one")
    unique, synergy = found.matrix("unique"), found.matrix("synergy")
    assert np.isnan(np.diag(unique)).all()
    for row in found.rows:
        i, j = names.index(row["source1"]), names.index(row["source2"])
        assert (unique[i, j], unique[j, i]) == (row["unique1"], row["unique2"])
        assert synergy[i, j] == synergy[j, i] == row["synergy"]


def drawn(axes: Any) -> NDArray[np.float64]:
    return np.asarray(axes.images[1].get_array().filled(np.nan))


def test_a_heat_map_shows_the_matrix(found: Screen) -> None:
    axes = found.plot("unique", largest_q=0.05).axes[0]
    shown = drawn(axes)
    np.testing.assert_array_equal(shown, found.matrix("unique"))
    assert [label.get_text() for label in axes.get_yticklabels()] == list(found.names)
    crosses = np.asarray(axes.collections[0].get_offsets())
    assert len(crosses) == 2 * (found.values["q_value_total"] > 0.05).sum()
    half = drawn(found.plot("synergy").axes[0])
    assert np.isfinite(half).sum() == len(found)
    assert half[1, 0] == found.matrix("synergy")[2, 0]


def test_many_columns_are_drawn_without_names() -> None:
    pairs = tuple((f"$column {i}$", f"column\t{i + 1}") for i in range(50))
    values = {name: np.full(len(pairs), 0.5) for name in SCREEN_ATOMS}
    values |= {"too_few": np.ones(len(pairs), dtype=bool)}
    settings = {"tolerance": 1e-4, "correction": "shuffle"}
    axes = Screen("y", pairs, values, 100, settings).plot("total").axes[0]
    assert axes.get_xticklabels() == []
    assert "50 of them want more samples" in axes.get_xlabel()
    few = Screen("y", pairs[:3], {k: v[:3] for k, v in values.items()}, 100, settings)
    labels = [label.get_text() for label in few.plot("total").axes[0].get_yticklabels()]
    assert "column?1" in labels
    with pytest.raises(InputError, match="unknown atom 'unique1': did you mean 'unique'"):
        few.plot("unique1")
