"""Tasks of every kind side by side: three modalities, together, alone, and all but each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_images import SideBySide
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from torch import Tensor

from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.probes.protocol import extract, probe, probe_features
from trifeature.samples import Samples, SampleSet, Task


def scene(count: int = 240) -> Samples:
    """Three vectors: the species, two genres, and a position; each tells one task alone."""
    rng = np.random.default_rng(0)
    species, genres = rng.integers(3, size=count), rng.integers(2, size=(count, 2))
    position = rng.normal(size=(count, 2))
    items = (np.eye(3)[species], 2.0 * genres - 1, position)
    labels = {"species": species, "genres": genres, "position": position}
    tasks = {
        "species": Task(3, names=("ann", "bob", "cleo")),
        "genres": Task(2, names=("noir", "western"), kind="labels"),
        "position": Task(2, names=("x", "y"), kind="numbers"),
    }
    groups, half = np.arange(count) % 12, np.arange(count) < count // 2

    def part(chosen: np.ndarray) -> SampleSet:
        rows = np.repeat(np.flatnonzero(chosen)[:, None], 3, axis=1)
        return SampleSet("all", rows, {k: v[chosen] for k, v in labels.items()}, groups[chosen])

    return Samples(
        tuple(
            Modality(name, "vector", (x.shape[1],))
            for name, x in zip(("image", "text", "table"), items, strict=True)
        ),
        {"all": tuple(torch.from_numpy(x).float() for x in items)},
        {"train": part(half), "probe": part(half), "test": part(~half)},
        tasks,
        {},
    )


def method() -> SideBySide:
    return SideBySide(scene())


@pytest.mark.usefixtures("one_cost")
def test_tasks_of_every_kind_are_read_from_all_from_each_and_from_all_but_each() -> None:
    reading = probe(method(), scene(), alone=True, without=True)
    assert "array(" not in str(reading)
    row = reading.row()
    assert (row["species"], row["genres"]) == (1.0, 1.0)
    assert row["position"] == pytest.approx(1, abs=1e-6)
    told = {"image": "species", "text": "genres", "table": "position"}
    for modality, task in told.items():
        assert row[modality][task] == pytest.approx(1, abs=1e-6)
        assert row["without"][modality][task] < 0.75
        for other in set(told.values()) - {task}:
            assert row[modality][other] < 0.75
            assert row["without"][modality][other] == pytest.approx(1, abs=1e-6)
        assert {"species_accuracy", "genres_weighted_f1", "position_mse"} <= set(row[modality])
    assert row["kinds"] == {"genres": "labels", "position": "numbers"}
    assert list(reading.without) == list(reading.alone) == ["image", "text", "table"]
    heading, *lines = reading.table()
    alone = ["image alone", "text alone", "table alone"]
    assert heading[4:] == ["all", *alone, "all but image", "all but text", "all but table"]
    assert all(len(line) == len(heading) for line in lines)
    assert {line[1] for line in lines} == {"classes", "labels", "numbers"}
    json.dumps(row, allow_nan=False)


@pytest.mark.usefixtures("one_cost")
def test_of_two_modalities_all_but_one_is_the_other_alone() -> None:
    samples = scene()
    two = replace(
        samples,
        modalities=samples.modalities[:2],
        items={"all": samples.items["all"][:2]},
        sets={k: replace(s, rows=s.rows[:, :2]) for k, s in samples.sets.items()},
        tasks={"species": samples.tasks["species"]},
    )
    reading = probe(SideBySide(two), two, without=True)
    assert (reading.without, reading.alone) == ({}, {})
    assert "without" not in reading.row()


@pytest.mark.usefixtures("one_cost")
def test_a_mean_is_of_tasks_of_any_kind_and_columns_clash_in_one_line() -> None:
    samples = scene()
    tasks = {name: replace(task, mean="all_of_it") for name, task in samples.tasks.items()}
    reading = probe(method(), replace(samples, tasks=tasks))
    row = reading.row()
    mean = np.mean([row[task] for task in tasks])
    assert row["all_of_it"] == pytest.approx(mean)
    assert "all_of_it" not in row["information"]
    assert reading.accuracies() == {"species": row["species"]}
    clash = replace(samples.tasks["species"], column="genres_weighted_f1")
    with pytest.raises(InputError, match="two columns 'genres_weighted_f1'"):
        probe(method(), replace(samples, tasks={**samples.tasks, "species": clash}))


@pytest.mark.parametrize("probing", ["ours", "products", "authors"])
def test_absent_items_pass_through_every_protocol_and_features_are_finite(probing: str) -> None:
    """Of an absent vector the method gets NaN, as it does in training."""
    samples = scene()
    image, text, table = samples.items["all"]
    image[::3] = torch.nan
    modalities = (replace(samples.modalities[0], partial=True), *samples.modalities[1:])
    partial = replace(samples, modalities=modalities, items={"all": (image, text, table)})
    seen = []

    class Watched(SideBySide):
        def encode(self, items: Tensor, modality: int) -> Tensor:
            seen.append((modality, int(items.isnan().all(1).sum()), int(items.isnan().sum())))
            return items

        def aligned(self, codes: Sequence[Tensor], modality: int) -> Tensor:
            return codes[modality].nan_to_num(0)[:, :2]

    watched = Watched(partial).eval()
    (features,) = extract(
        watched,
        partial,
        "test",
        [[0, 1, 2]],
        probing,  # type: ignore[arg-type]
    )
    assert bool(features.isfinite().all())
    assert len(features) == 120
    assert seen == [(0, 40, 120), (1, 0, 0), (2, 0, 0)]


# ------------------------------------------------------------------ plain accuracy


def test_plain_accuracy_and_the_majority_class_stand_beside_macro_accuracy() -> None:
    rng = np.random.default_rng(0)
    y = rng.choice([3, 7, 11], size=300, p=[0.7, 0.2, 0.1])  # labels need not be 0, 1, 2
    X = rng.normal(size=(300, 4)) + 1.5 * (y[:, None] == [3, 7, 11, 0])
    found = probe_features(X[:200], y[:200], X[200:], y[200:])
    result, row = found.results["label"], found.row()
    guess = np.array([3, 7, 11])[result.log_probabilities.argmax(1)]
    assert result.accuracy == accuracy_score(y[200:], guess) == row["label_accuracy"]
    assert result.majority == np.mean(y[200:] == 3) == row["label_majority"]
    assert row["label"] == pytest.approx(balanced_accuracy_score(y[200:], guess))
    assert found.tasks["label"].names == ("3", "7", "11")
    lines = found.table()[1:]
    assert lines[0][2:] == ["macro accuracy", "33.3", f"{100 * row['label']:.1f}"]
    assert lines[1][2:4] == ["accuracy", f"{100 * result.majority:.1f}"]


def test_a_class_that_the_test_samples_lack_has_no_part_in_macro_accuracy() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(200) % 4
    X, test = np.eye(4)[y] + 0.3 * rng.normal(size=(200, 4)), np.flatnonzero(y != 2)[:90]
    found = probe_features(X, y + 5, X[test], y[test] + 5)
    guess = found.results["label"].log_probabilities.argmax(1)
    expected = np.mean([np.mean(guess[y[test] == c] == c) for c in (0, 1, 3)])
    assert found.row()["label"] == pytest.approx(expected)
    assert found.table()[1][3] == "33.3"
