"""A user's own files: read right, or refused in one line that names the place."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trifeature.errors import InputError
from trifeature.real.own.files import OwnFiles, draw_split, read_own_files
from trifeature.samples import Samples

P = 60
STREAM = np.random.default_rng(0)
Y = np.arange(P) % 2
A = (Y[:, None] + STREAM.normal(size=(P, 2))).round(3)
B = STREAM.normal(size=(P, 2)).round(3)
IDS = [f"p{row}" for row in range(P)]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, columns: dict[str, Any], delimiter: str = ",") -> str:
    """A file of columns; returns its name."""
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=delimiter)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))
    return name


def one(**more: Any) -> str:
    return write("one.csv", {"u": A[:, 0].tolist(), "v": A[:, 1].tolist(), **more})


def two(**more: Any) -> str:
    return write("two.csv", {"s": B[:, 0].tolist(), "t": B[:, 1].tolist(), **more})


def labels(**more: Any) -> str:
    return write("labels.csv", {"y": ["yes" if y else "no" for y in Y], **more})


def read(*paths: str, complete: bool = False, **options: Any) -> Samples:
    return read_own_files(paths, OwnFiles(**{"labels": "labels.csv", **options}), complete=complete)


def standardized(values: Any, train: Any) -> Any:
    return (values - values[train].mean(0)) / values[train].std(0)


def in_order(samples: Samples, m: int) -> Any:
    """The items of all samples and the places of the training ones."""
    return samples.items["all"][m].numpy(), samples.sets["train"].rows[:, m]


def words_of(problem: pytest.ExceptionInfo[InputError]) -> str:
    assert "\n" not in str(problem.value)
    return str(problem.value)


# --------------------------------------------------------------------------- what is read


def test_two_files_and_a_file_of_labels_are_two_vectors_and_a_task() -> None:
    found = read(one(), two(), labels=labels())
    assert [(m.name, m.kind, m.shape) for m in found.modalities] == [
        ("one", "vector", (2,)),
        ("two", "vector", (2,)),
    ]
    assert found.tasks["y"].names == ("no", "yes")
    for m, values in enumerate((A, B)):
        items, train = in_order(found, m)
        assert np.allclose(items, standardized(values, train), atol=1e-5)
    test = found.sets["test"]
    assert np.array_equal(test.labels["y"], Y[test.rows[:, 0]])
    assert len(test) == 15
    assert set(found.origin["files"]) == {"one.csv", "two.csv", "labels.csv"}
    assert found.origin["notes"] == []


def test_rows_are_joined_by_an_identifier_in_any_order() -> None:
    order = STREAM.permutation(P)[: P - 5]
    write("two.csv", {"key": [IDS[i] for i in order], "s": B[order, 0], "t": B[order, 1]})
    labels(key=[f" {one} " for one in IDS])
    found = read(one(key=IDS), "two.csv", id="key")
    kept = np.sort(order)
    for m, values in enumerate((A, B)):
        items, train = in_order(found, m)
        assert np.allclose(items, standardized(values[kept], train), atol=1e-5)
    (note,) = found.origin["notes"]
    assert note.startswith("55 rows are joined by 'key'; rows without a partner are left out: ")
    assert note.endswith("5 of 60 in one.csv, 5 of 60 in labels.csv")


def test_copies_on_both_sides_of_the_split_are_said() -> None:
    twice = np.arange(P) // 2 * 2
    write("one.csv", {"u": A[twice, 0], "v": A[twice, 1]})
    write("two.csv", {"s": B[twice, 0], "t": B[twice, 1]})
    labels(pair=twice.tolist())
    found = read("one.csv", "two.csv", label=("y",))
    train = set((found.sets["train"].rows[:, 0] // 2).tolist())
    copied = sum(row // 2 in train for row in found.sets["test"].rows[:, 0].tolist())
    assert copied
    assert found.origin["notes"][-1].startswith(f"{copied} of 15 test rows have the same features")
    assert not read("one.csv", "two.csv", label=("y",), group="pair").origin["notes"]


def test_labels_and_groups_may_stand_among_the_features_and_are_none() -> None:
    people = [row // 4 for row in range(P)]
    path = one(y=Y.tolist(), person=people)
    found = read(path, two(y=Y.tolist()), labels=path, label=("y",), group="person")
    assert [m.shape for m in found.modalities] == [(2,), (2,)]
    groups = [set(found.sets[name].groups.tolist()) for name in ("train", "test")]
    assert groups[0].isdisjoint(groups[1])
    assert found.origin["notes"] == [
        "'y', 'person' of one.csv: label or group, so no feature",
        "'y' of two.csv: label or group, so no feature",
    ]
    other = read(path, write("three.csv", {"w": B[:, 0]}), labels=None, label=("y",))
    assert other.tasks["y"].classes == 2


def test_words_become_categories_and_long_text_tokens() -> None:
    cities = ["rome", "oslo", "rome ", "bern"] * (P // 4)
    texts = [f"word{row} {'good' if y else 'bad'} end" for row, y in enumerate(Y)]
    labels()
    found = read(one(city=cities), write("text.csv", {"title": texts}))
    items, train = in_order(found, 0)
    hot = np.array([[c.strip() == name for name in ("bern", "oslo", "rome")] for c in cities])
    assert np.allclose(items[:, 2:], standardized(hot.astype(float), train), atol=1e-5)
    assert (found.modalities[1].kind, found.modalities[1].shape) == ("tokens", (3,))
    assert "column 'city' of one.csv is a category of 3 values" in found.origin["notes"]


def test_several_labels_and_numbers_to_predict() -> None:
    labels(z=[row % 3 for row in range(P)], size=A[:, 0] * 2)
    found = read(one(), two(), label=("y", "z"), number=("size",))
    kinds = {name: (task.kind, task.classes) for name, task in found.tasks.items()}
    assert kinds == {"y": ("classes", 2), "z": ("classes", 3), "size": ("numbers", 1)}
    test = found.sets["test"]
    assert np.allclose(test.labels["size"].reshape(-1), 2 * A[test.rows[:, 0], 0])
    with pytest.raises(InputError, match="--number size"):
        read("one.csv", "two.csv")


def test_arrays_are_vectors_series_and_images() -> None:
    labels()
    series = STREAM.normal(size=(P, 6, 3))
    series[3, 4:] = np.nan
    image = STREAM.integers(0, 256, (P, 1, 32, 32)).astype(np.uint8)
    np.save("v.npy", A)
    np.save("s.npy", series)
    np.save("i.npy", image)
    np.save("flat.npy", image[:, 0])
    found = read("v.npy", "s.npy", "i.npy", "flat.npy")
    assert [(m.kind, m.shape, m.partial) for m in found.modalities] == [
        ("vector", (2,), False),
        ("series", (6, 3), True),
        ("image", (1, 32, 32), False),
        ("image", (1, 32, 32), False),
    ]
    assert np.array_equal(np.isnan(found.items["all"][1].numpy()), np.isnan(series))
    assert np.array_equal(found.items["all"][2].numpy(), image)


def test_an_archive_says_which_steps_and_items_are_there_and_who_they_are() -> None:
    labels(id=IDS)
    steps = np.arange(4) < (np.arange(P) % 5)[:, None]
    order = STREAM.permutation(P)
    series = np.ones((P, 4, 2)) * np.arange(P)[:, None, None]
    np.savez("s.npz", values=series[order], present=steps[order], id=np.array(IDS)[order])
    np.savez("v.npz", values=A, present=np.arange(P) != 7, id=np.array(IDS))
    found = read("v.npz", "s.npz", id="id")
    vectors, tables = (x.numpy() for x in found.items["all"])
    assert np.flatnonzero(np.isnan(vectors).all(1)).tolist() == [7]
    assert np.array_equal(~np.isnan(tables[..., 0]), steps)


def test_names_of_files_are_names_of_modalities() -> None:
    labels()
    for folder in ("x", "y"):
        Path(folder).mkdir()
        write(f"{folder}/same.data.csv", {"u": A[:, 0]})
    found = read("x/same.data.csv", "y/same.data.csv")
    assert [m.name for m in found.modalities] == ["x/same.data.csv", "y/same.data.csv"]
    odd = "a\x1b[31m.tsv"
    write(odd, {"u": A[:, 0]}, delimiter="\t")
    assert read(odd, "x/same.data.csv").modalities[0].name == "a\x1b[31m"


# --------------------------------------------------------------------------- missing values


def test_a_missing_value_is_refused_dropped_or_filled() -> None:
    labels()
    holes = A[:, 0].astype(object)
    holes[[4, 9]] = "NA", ""
    path = one(w=holes, city=["rome" if row != 9 else "" for row in range(P)])
    with pytest.raises(InputError) as problem:
        read(path, two())
    assert words_of(problem) == (
        "one.csv: column 'w' lacks a value in line 6 (2 of 60 rows lack one): --missing drop "
        "leaves such rows out, --missing mean fills in the mean of the training rows"
    )
    dropped = read(path, two(), missing="drop")
    assert sum(len(dropped.sets[name]) for name in ("train", "test")) == P - 2
    filled = read(path, two(), missing="mean")
    items, train = in_order(filled, 0)
    known = np.setdiff1d(train, [4, 9])
    wanted = np.where(np.isin(np.arange(P), [4, 9]), A[known, 0].mean(), A[:, 0])
    assert np.allclose(items[:, 2], standardized(wanted, train), atol=1e-5)


def test_a_missing_label_cannot_be_filled_in() -> None:
    path = write("labels.csv", {"y": ["", *("yes" if y else "none" for y in Y[1:])]})
    for missing, words in [
        ("refuse", r"line 2 \(1 of 60 rows lack one"),
        ("mean", "cannot be filled in"),
    ]:
        with pytest.raises(InputError, match=words):
            read(one(), two(), labels=path, missing=missing)
    assert read(one(), two(), labels=path, missing="drop").tasks["y"].names == ("none", "yes")


def test_a_torn_step_of_a_series_is_refused() -> None:
    labels()
    series = STREAM.normal(size=(P, 4, 2))
    series[5, 1, 0] = np.nan
    np.save("s.npy", series)
    with pytest.raises(InputError, match=r"a step of the series in row 5 \(from 0\) lacks"):
        read(one(), "s.npy")


def items_absent() -> list[tuple[str, str]]:
    """Files that lack the item of row 5 altogether, and words on it."""
    there = np.arange(P) != 5
    np.savez("v.npz", values=A, present=there)
    np.savez("i.npz", values=np.zeros((P, 1, 8, 8), dtype=np.uint8), present=there)
    np.save("s.npy", np.where(there[:, None, None], np.ones((P, 4, 2)), np.nan))
    write("t.csv", {"title": [f"word{row}" if row != 5 else "?!" for row in range(P)]})
    return [
        ("v.npz", "v.npz lacks the item of row 5 (from 0)"),
        ("i.npz", "i.npz lacks the item of row 5 (from 0)"),
        ("s.npy", "s.npy lacks the item of row 5 (from 0)"),
        ("t.csv", "t.csv: column 'title' has no word in line 7"),
    ]


def test_an_absent_item_is_kept_refused_or_dropped_with_its_row() -> None:
    one(), labels()
    for path, words in items_absent():
        kept = read("one.csv", path)
        assert sum(kept.absent(name)[:, 1].sum() for name in ("train", "test")) == 1
        with pytest.raises(InputError) as problem:
            read("one.csv", path, complete=True)
        assert words_of(problem) == (
            f"{words} (1 of 60 rows lack one): --missing drop leaves such rows out"
        )
        with pytest.raises(InputError) as problem:
            read("one.csv", path, complete=True, missing="mean")
        assert words_of(problem) == (
            f"{words}, which cannot be filled in: --missing drop leaves the row out"
        )
        dropped = read("one.csv", path, missing="drop")
        assert sum(len(dropped.sets[name]) for name in ("train", "test")) == P - 1
        assert not any(dropped.absent(name).any() for name in ("train", "test"))
        assert (
            "1 of 60 rows lack a value or a whole item: they are left out"
            in dropped.origin["notes"]
        )


# --------------------------------------------------------------------------- what is refused


WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    # columns of one.csv, options, words
    ({}, {"labels": None}, "say what is asked about: --label COLUMN, or --labels FILE"),
    ({}, {"label": ("z",)}, "unknown column of labels.csv 'z'"),
    ({}, {"labels": "one.csv"}, "one.csv holds features too: name the labels, --label COLUMN"),
    ({}, {"labels": "none.csv"}, "cannot read none.csv"),
    (
        {},
        {"labels": None, "label": ("z",)},
        "unknown column to ask about 'z' (one of u, v, s, t): --labels FILE names the file that",
    ),
    ({}, {"group": "z"}, "unknown column of groups 'z' (one of y, u, v, s, t)"),
    ({}, {"drop": ("z",)}, "unknown column to drop 'z'"),
    ({}, {"drop": ("u", "v")}, "one.csv has no column left that could be a feature"),
    ({}, {"id": "key"}, "unknown column of one.csv 'key'"),
    ({}, {"missing": "guess"}, "unknown way to treat missing values 'guess'"),
    ({}, {"label": ("y",), "group": "y"}, "column 'y' is named twice"),
    ({"key": ["a", "a", *IDS[2:]]}, {"id": "key"}, "'a' in line 2 and in line 3"),
    ({"key": [*IDS[:-1], ""]}, {"id": "key"}, "'key' lacks a value in line 61"),
    ({"key": [f"q{one}" for one in IDS]}, {"id": "key"}, "no value of 'key' stands in all of"),
    ({"key": IDS}, {}, "--id key joins the rows by it, --drop key"),
    ({"w": IDS}, {}, "60 different words, more than 50: leave it out with --drop w"),
    ({"w": [*A[:-1, 0], "?"]}, {}, "holds numbers, but '?' in line 61 is none"),
    ({"w": [*A[:-1, 0], "inf"]}, {}, "column 'w' holds infinity in line 61"),
    ({"w": [*A[:-1, 0], "1" + 200 * "0" + "e200"]}, {}, "infinity in line 61"),
]


@pytest.mark.parametrize(("columns", "options", "words"), WRONG)
def test_what_cannot_be_read_is_refused_in_one_line(
    columns: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    key = {"key": IDS} if "key" in columns else {}
    one(**columns), two(**key), labels(**key)
    with pytest.raises(InputError) as problem:
        read("one.csv", "two.csv", **options)
    assert words in words_of(problem)


def test_files_that_do_not_fit_are_refused() -> None:
    labels()
    short = write("short.csv", {"w": B[:-1, 0]})
    np.save("objects.npy", np.array([{}] * P), allow_pickle=True)
    np.save("five.npy", np.zeros((P, 1, 1, 1, 1)))
    np.savez("odd.npz", values=A, other=A)
    np.savez("steps.npz", values=A, present=np.ones((P, 3), dtype=bool))
    Path("ragged.csv").write_text("a,b\n1,2\n3\n", encoding="utf-8")
    Path("empty.csv").write_text("", encoding="utf-8")
    for paths, words in [
        (("one.csv", short), "one.csv 60, short.csv 59, labels.csv 60"),
        (("one.csv", "one.csv"), "one.csv is named 2 times"),
        (("one.csv", "objects.npy"), "cannot read objects.npy: it holds Python objects"),
        (("one.csv", "five.npy"), "five.npy has shape"),
        (("one.csv", "odd.npz"), "unknown array in odd.npz 'other'"),
        (("one.csv", "steps.npz"), "'present'"),
        (("one.csv", "ragged.csv"), "line 3 has 1 cells, the header 2"),
        (("one.csv", "empty.csv"), "empty.csv is empty"),
        (("one.csv", "nowhere.csv"), "cannot read nowhere.csv: No such file"),
        ((), "name at least one file"),
    ]:
        one()
        with pytest.raises(InputError) as problem:
            read(*paths)
        assert words in words_of(problem)


def test_arrays_alone_need_a_file_of_labels() -> None:
    np.save("v.npy", A)
    with pytest.raises(InputError, match="arrays have no columns to ask about: --labels FILE"):
        read("v.npy", labels=None, label=("y",))


def test_a_column_that_counts_rows_is_no_feature() -> None:
    labels()
    found = read(one(row=range(P)), two())
    assert found.modalities[0].shape == (2,)
    assert found.origin["notes"] == ["column 'row' of one.csv only counts the rows: it is left out"]


def test_too_little_to_test_on_is_refused() -> None:
    one(), two()
    labels(person=["a"] * P)
    with pytest.raises(InputError, match="1 group is too few"):
        read("one.csv", "two.csv", label=("y",), group="person")
    labels(person=["a" if y else f"b{row}" for row, y in enumerate(Y)])
    with pytest.raises(InputError, match="y is 'yes' in 1 of them"):
        read("one.csv", "two.csv", label=("y",), group="person")
    write(
        "labels.csv",
        {"y": [["a", "b", "rare"][min(row, 2 if row < 4 else row % 2)] for row in range(P)]},
    )
    found = read("one.csv", "two.csv")
    assert found.tasks["y"].names == ("a", "b")
    assert found.origin["notes"] == ["y is 'rare' in 2 rows only: they are left out"]


def test_a_split_holds_every_class_on_both_sides_and_cuts_no_group() -> None:
    groups = np.array([f"g{row // 3}" for row in range(90)])
    classes = {"y": np.repeat([0, 1, 2], 30), "rare": np.arange(90) % 18 == 0}
    for seed in range(20):
        split = draw_split(classes, groups, 0.25, seed, 90)
        assert len(set(groups[split == "test"])) == round(0.25 * 30)
        assert set(groups[split == "test"]).isdisjoint(groups[split == "train"])
        for values in classes.values():
            assert set(values[split == "test"]) == set(values[split == "train"]) == set(values)
    assert not np.array_equal(split, draw_split(classes, groups, 0.25, 99, 90))
