"""The study engine on planted data, and its parts against plain loops, torch and scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score, r2_score

from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.pid.estimation.predictions import Spread, atoms_of_predictions
from trifeature.pid.representations import Training
from trifeature.samples import Samples
from trifeature.studies import atoms, run
from trifeature.studies.atoms import all_row
from trifeature.studies.controls import exchanged
from trifeature.studies.features import RawFeatures, item_columns
from trifeature.studies.questions import Question, subjects
from trifeature.studies.readers import (
    FAMILIES,
    PENALTIES,
    Parts,
    ReaderSettings,
    _ridge,
    read,
    reduced,
)
from trifeature.studies.readings import f1, number_reading
from trifeature.studies.run import Study, study
from trifeature.studies.words import GIVEN, SHUFFLED, conclusions, verdict

Array = NDArray[np.float64]
FAST = ReaderSettings(folds=3, steps=100, batch=96, hidden=32)
QUICK = Training(hidden=24, steps=60, batch=64)


@pytest.fixture(scope="module", autouse=True)
def fast() -> Iterator[None]:
    """Whole studies with fewer steps than a user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "ReaderSettings", lambda seed: replace(FAST, seed=seed))
        patch.setattr(atoms, "DUAL", QUICK)
        yield


def planted(kind: str, n: int = 400) -> Samples:
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, n, 4))
    y = rng.integers(0, 2, n)
    u = rng.integers(0, 2, n)
    first, second = {"both": (y, y), "one": (y, u), "xor": (u, u ^ y), "none": (u, u)}[kind]
    a[:, 0] += 3 * (2 * first - 1) * (kind != "none")
    b[:, 0] += 3 * (2 * second - 1) * (kind not in ("none", "one"))
    return Samples.from_arrays({"a": a, "b": b}, {"y": y})


# --------------------------------------------------------------------------- the whole


@pytest.fixture(scope="module")
def xor() -> Study:
    said: list[float] = []
    found = study(planted("xor"), methods=(), report=lambda _, share: said.append(share))
    assert said == sorted(said)
    assert said[-1] == 1.0
    return found


def test_an_exclusive_or_is_synergy_and_nothing_else(xor: Study) -> None:
    (row,) = xor.of("conclusion")
    said = {k: row[k] for k in ("redundancy", "unique1", "unique2", "synergy")}
    assert [k for k, word in said.items() if word == "yes"] == ["synergy"]
    assert "something stands in single pairs" in row["text"]


def test_shuffled_partners_lose_the_exclusive_or(xor: Study) -> None:
    (given,) = xor.of("atoms", estimator="minimum", partners=GIVEN)
    (shuffled,) = xor.of("atoms", estimator="minimum", partners=SHUFFLED)
    assert given["atoms"]["synergy"]["low"] > 0.5
    assert shuffled["atoms"]["synergy"]["value"] < 0.05
    assert shuffled["lost"]["low"] > 0.5


def test_every_kind_of_row_is_there_and_is_plain_json(xor: Study) -> None:
    kinds = {row["kind"] for row in xor.rows}
    assert kinds == {"about", "reading", "atoms", "augmentation", "conclusion"}
    assert json.loads(json.dumps(xor.rows, allow_nan=False)) == list(xor.rows)
    about = xor.of("about")[0]
    assert set(about["seconds"]) >= {"readers", "dual", "shuffled"}
    assert about["groups"] is None


@pytest.mark.parametrize(("kind", "wanted"), [("one", "unique1"), ("none", None)])
def test_without_controls_nothing_is_called_synergy(kind: str, wanted: str | None) -> None:
    found = study(planted(kind), methods=(), controls=False)
    (row,) = found.of("conclusion")
    said = [k for k in ("redundancy", "unique1", "unique2", "synergy") if row[k] == "yes"]
    assert said == ([wanted] if wanted else [])
    assert not found.of("augmentation")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ["z"]}, "label"),
        ({"labels": []}, "name a label"),
        ({"labels": ["y", "y"]}, "named twice"),
        ({"methods": ("nonsense",)}, "method"),
        ({"level": 1.0}, "level"),
        ({"epochs": -1}, "epochs"),
    ],
)
def test_wrong_requests_are_one_line(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as problem:
        study(planted("one"), **{"methods": (), **change})
    assert "\n" not in str(problem.value)


# --------------------------------------------------------------------------- groups


def test_errors_over_groups_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(0)
    score, one, other = rng.normal(size=40), rng.integers(0, 6, 40), rng.integers(0, 5, 40)
    apart = score - score.mean()

    def variance(groups: Any) -> float:
        names = sorted(set(groups))
        sums = [sum(x for x, g in zip(apart, groups, strict=True) if g == name) for name in names]
        return float(len(sums) / (len(sums) - 1) * sum(s**2 for s in sums) / 40**2)

    assert Spread.of(40, one, 0.9).error(score) == pytest.approx(variance(one) ** 0.5)
    both = variance(one) + variance(other) - score.var(ddof=1) / 40
    wanted = max(both, variance(one), variance(other)) ** 0.5
    assert Spread.of(40, np.stack([one, other], 1), 0.9).error(score) == pytest.approx(wanted)
    assert Spread.of(40, one, 0.9).quantile == pytest.approx(2.0150, abs=1e-4)  # t, 5 degrees


def test_copies_of_items_do_not_narrow_intervals_over_groups() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 60)
    p = np.where(y[:, None] == [0, 1], 0.8, 0.2) * np.exp(0.1 * rng.normal(size=(60, 2)))
    p /= p.sum(1, keepdims=True)
    even = np.full((60, 2), 0.5)
    many, flat, labels = (np.repeat(x, 10, axis=0) for x in (p, even, y))
    groups = np.repeat(np.arange(60), 10)
    plain = atoms_of_predictions(p, even, p, y).mmi.intervals["unique1"]
    naive = atoms_of_predictions(many, flat, many, labels).mmi.intervals["unique1"]
    by_group = atoms_of_predictions(many, flat, many, labels, groups=groups)
    wide = by_group.mmi.intervals["unique1"]
    assert plain
    assert naive
    assert wide
    assert naive.high - naive.low < 0.5 * (plain.high - plain.low)
    assert wide.high - wide.low >= 0.95 * (plain.high - plain.low)


@pytest.mark.parametrize("groups", [np.zeros(60), np.zeros((59, 2)), np.zeros((60, 2, 2))])
def test_wrong_groups_are_refused(groups: Array) -> None:
    even = np.full((60, 2), 0.5)
    with pytest.raises(InputError, match="group"):
        atoms_of_predictions(even, even, even, np.arange(60) % 2, groups=groups)


def test_no_group_is_on_both_sides_of_a_fold() -> None:
    groups = np.random.default_rng(0).integers(0, 30, (200, 2))
    for parts in (Parts.of(groups, FAST), Parts.of(groups[:, 0], FAST)):
        own = parts.groups.reshape(200, -1)
        for fit, held in zip(parts.folds.fit, parts.folds.validate, strict=True):
            assert not set(own[fit].ravel()) & set(own[held].ravel())


def test_partners_are_exchanged_within_class_and_part_alone() -> None:
    rng = np.random.default_rng(0)
    labels, within = rng.integers(0, 3, 100), rng.integers(0, 4, 100)
    places = exchanged(labels, within, rng)
    assert sorted(places) == list(range(100))
    assert (labels[places] == labels).all()
    assert (within[places] == within).all()
    assert (places != np.arange(100)).mean() > 0.5


# --------------------------------------------------------------------------- readers


def test_a_reader_of_noise_predicts_the_class_frequencies() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 5)), (rng.random(300) < 0.3).astype(np.int64)
    found = read(x, y, x[:9], Parts.of(np.arange(300), FAST), FAST, classes=2)
    assert found.family == "frequencies"
    np.testing.assert_allclose(found.test[:, 0, 1], (y.sum() + 0.5) / 301)


def test_labels_read_together_are_each_read() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = (x > 0).astype(np.int64)
    found = read(x[:300], y[:300], x[300:], Parts.of(np.arange(300), FAST), FAST, classes=2)
    assert ((found.test[..., 1] > 0.5) == y[300:]).mean(0).min() > 0.9
    np.testing.assert_allclose(found.test.sum(-1), 1)


def test_ridge_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x, z, y = rng.normal(size=(50, 4)), rng.normal(size=(7, 4)), rng.normal(size=(50, 2))
    for penalty, own in zip(PENALTIES, _ridge(x, y, z), strict=True):
        np.testing.assert_allclose(own, Ridge(alpha=50 * penalty).fit(x, y).predict(z), atol=1e-8)


def test_f1_is_scikit_learns_and_components_keep_distances() -> None:
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 2, 50), rng.random(50) > 0.4
    assert f1(labels, predicted) == pytest.approx(f1_score(labels, predicted))
    flat = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 9))
    (one, _), before = reduced(flat, flat, 3), np.linalg.norm(flat[0] - flat[1:], axis=1)
    after = np.linalg.norm(one[0] - one[1:], axis=1)
    np.testing.assert_allclose(after / after[0], before / before[0])


@pytest.mark.parametrize("columns", [256, 257, 600])
def test_many_columns_are_read_as_well_as_few(columns: int) -> None:
    """Of principal components those of noise do not count like the first."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    signal = rng.normal(size=(300, 10))
    signal[:, 0] += 4 * y
    x = signal @ rng.normal(size=(10, columns)) + rng.normal(size=(300, columns))
    data = Samples.from_arrays({"x": x, "n": rng.normal(size=(300, 2))}, {"y": y})
    fit, test = RawFeatures.new(data).of(data, (0,))
    probe, asked = data.sets["probe"], data.sets["test"].labels["y"]
    for family in FAMILIES:
        parts = Parts.of(probe.groups, FAST)
        found = read(fit, probe.labels["y"], test, parts, FAST, classes=2, families=[family])
        assert (found.test[:, 0].argmax(1) == asked).mean() > 0.9, family


# --------------------------------------------------------------------------- plain columns


def test_columns_of_a_series_are_those_of_a_loop_over_present_steps() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 9, 2))
    lengths = (9, 6, 1)
    for row, length in zip(x, lengths, strict=True):
        row[length:] = np.nan
    modality = Modality("s", "series", (9, 2), partial=True)
    found = item_columns(modality, torch.from_numpy(x).float())
    for row, length, own in zip(x, lengths, found, strict=True):
        steps = row[:length]
        quarters = [steps[[t for t in range(length) if t * 4 // length == q]] for q in range(4)]
        parts = [steps.mean(0), steps.std(0), steps.min(0), steps.max(0), steps[-1] - steps[0]]
        parts += [q.mean(0) if len(q) else steps.mean(0) for q in quarters]
        np.testing.assert_allclose(own, [*np.concatenate(parts), length / 9], atol=1e-5)


def test_columns_do_not_depend_on_padding_and_absent_items_are_finite() -> None:
    x = torch.randn(4, 5, 2)
    x[0] = torch.nan
    padded = torch.cat([x, torch.full((4, 3, 2), torch.nan)], 1)
    own, longer = (
        item_columns(Modality("s", "series", tuple(t.shape[1:]), partial=True), t)
        for t in (x, padded)
    )
    np.testing.assert_array_equal(own[:, :-1], longer[:, :-1])
    assert np.isfinite(own).all()


def test_tokens_are_counted() -> None:
    tokens = torch.tensor([[0.0, 2.0, 2.0], [1.0, torch.nan, torch.nan]])
    modality = Modality("t", "tokens", (3,), vocabulary=3, partial=True)
    found = item_columns(modality, tokens)[:, :3]
    np.testing.assert_allclose(found, np.log1p([[1, 0, 2], [0, 1, 0]]))


# --------------------------------------------------------------------------- rows and words


def test_what_all_tell_is_that_of_a_loop_over_subsets() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 80)
    subsets = [(0, 1, 2), (0,), (1,), (2,), (1, 2), (0, 2), (0, 1)]
    tables = {}
    for subset in subsets:
        logits = rng.normal(size=(80, 2))
        logits[np.arange(80), y] += len(subset)
        tables[subset] = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    question = Question("y", 0, 2, ("no", "yes"), "y", {"test": y})
    row = all_row(question, tables, "abc", Spread(0.95))
    own = {s: np.log2(t[np.arange(80), y]).mean() for s, t in tables.items()}
    gains = [own[0, 1, 2] - own[s] for s in ((1, 2), (0, 2), (0, 1))]
    assert [row["unique"][m]["value"] for m in "abc"] == pytest.approx(gains)
    assert row["synergy"]["value"] == pytest.approx(min(gains))
    share = np.bincount(y) / 80
    single = max(own[m,] for m in range(3)) - (share * np.log2(share)).sum()
    assert row["union"]["value"] == pytest.approx(single + 1 / (160 * np.log(2)))


def row_of(estimator: str, partners: str, values: Any, **more: Any) -> dict[str, Any]:
    names = ("redundancy", "unique1", "unique2", "synergy")
    ends = {
        k: dict(zip(("value", "low", "high"), v, strict=True))
        for k, v in zip(names, values, strict=True)
    }
    told = {k: {"value": 0.5, "low": 0.4, "high": 0.6} for k in ("source1", "source2", "both")}
    return {
        "kind": "atoms",
        "label": "y",
        "features": "raw",
        "sources": ["a", "b"],
        "estimator": estimator,
        "partners": partners,
        "atoms": ends,
        "informations": told,
        "entropy": 1.0,
        "held_out": 0.5,
        "refused": None,
        **more,
    }


NONE, SOME, WIDE = (0.0, 0.0, 0.01), (0.3, 0.2, 0.4), (0.1, -0.1, 0.3)


@pytest.mark.parametrize(
    ("synergy", "dual", "lost", "wanted"),
    [
        (SOME, 0.2, (0.3, 0.2, 0.4), "yes"),
        (SOME, 0.2, (0.0, -0.1, 0.1), "open"),  # as much remains: evidence that adds up
        (SOME, -0.1, (0.3, 0.2, 0.4), "open"),  # the estimators disagree
        (SOME, 0.04, (0.3, 0.2, 0.4), "open"),  # the dual's is small
        (SOME, 0.2, (0.02, 0.01, 0.03), "open"),  # what the shuffle takes is small
        (WIDE, 0.2, (0.3, 0.2, 0.4), "open"),
        (NONE, 0.2, (0.3, 0.2, 0.4), "no"),
    ],
)
def test_synergy_needs_every_evidence(synergy: Any, dual: float, lost: Any, wanted: str) -> None:
    taken = dict(zip(("value", "low", "high"), lost, strict=True))
    rows = [
        row_of("minimum", GIVEN, (SOME, NONE, NONE, synergy)),
        row_of("dual", GIVEN, (SOME, NONE, NONE, (dual, dual - 0.1, dual + 0.1))),
        row_of("minimum", SHUFFLED, (SOME, NONE, NONE, synergy), lost=taken),
    ]
    (found,) = conclusions(rows)
    assert found["synergy"] == wanted
    assert ("evidence that adds up" in found["text"]) == (lost[0] < 0.05)


@pytest.mark.parametrize(("probe", "wanted"), [(1600, "no"), (1599, "open")])
def test_synergy_is_denied_with_samples_enough_only(probe: int, wanted: str) -> None:
    row = row_of("minimum", GIVEN, (SOME, NONE, NONE, NONE), probe=probe, columns=40)
    (found,) = conclusions([row])
    assert found["synergy"] == wanted
    assert ("too few to see" in found["text"]) == (wanted == "open")


def test_synergy_is_denied_where_one_modality_leaves_nothing_to_tell() -> None:
    row = row_of("minimum", GIVEN, (SOME, NONE, NONE, NONE), probe=100, columns=40, entropy=0.41)
    assert verdict("synergy", {("minimum", GIVEN): row}) == "no"


def test_nothing_is_denied_where_a_reader_was_short_of_samples() -> None:
    """Two of 20 columns tell all by an exclusive or; 75 samples do not show it."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 100, 10))
    data = Samples.from_arrays({"a": a, "b": b}, {"y": ((a[:, 0] > 0) ^ (b[:, 0] > 0)).astype(int)})
    (found,) = study(data, methods=(), controls=False).of("conclusion")
    assert "no" not in [found[atom] for atom in ("redundancy", "unique1", "unique2", "synergy")]
    assert "No synergy" not in found["text"]


def test_a_refusal_is_open_and_said() -> None:
    refused = row_of("minimum", GIVEN, (NONE,) * 4) | {"atoms": None, "refused": "too few items"}
    assert verdict("synergy", {("minimum", GIVEN): refused}) == "open"
    assert "too few items" in conclusions([refused])[0]["text"]


# --------------------------------------------------------------------------- other labels


def test_many_labels_and_numbers_become_questions_of_two_classes() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    many = (x[:, :2] > 0).astype(int)
    data = Samples.from_arrays(
        {"a": x, "b": rng.normal(size=(200, 2))},
        {"many": many, "size": x[:, 0]},
        task_kinds={"size": "numbers"},
    )
    first, second = subjects(data, None)
    assert [q.label for q in first.questions] == ["many: 0", "many: 1"] or len(first.questions) == 2
    (half,) = second.questions
    assert half.values["probe"].mean() == pytest.approx(0.5, abs=0.01)
    assert "median" in half.target
    found = study(data, ["size"], methods=(), controls=False)
    best = max(row["r2"] for row in found.of("reading"))
    assert best > 0.95


def test_r2_leaves_out_numbers_that_are_constant_among_the_test_samples() -> None:
    told = np.column_stack([np.arange(12.0), np.arange(12.0) % 6])
    told[8:, 1] = 2.0
    samples = Samples.from_arrays(
        {"a": np.arange(12.0)[:, None]},
        {"y": told},
        splits=["train"] * 8 + ["test"] * 4,
        task_kinds={"y": "numbers"},
    )
    off = told[8:] + np.array([0.5, 3.0])
    found = number_reading(samples, "y", off)
    assert found["r2"] == pytest.approx(r2_score(told[8:, 0], off[:, 0]))
    assert found["mse"] == pytest.approx((0.25 + 9.0) / 2)
