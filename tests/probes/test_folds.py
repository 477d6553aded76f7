from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trifeature.errors import InputError
from trifeature.probes.folds import Folds, group_folds, stratified_folds


def draw_pairs(modalities: int, pairs: int = 4000, combinations: int = 60) -> npt.NDArray[np.int64]:
    return np.random.default_rng(0).integers(1000, 1000 + combinations, size=(pairs, modalities))


@pytest.mark.parametrize("modalities", [1, 2, 3])
def test_no_group_is_shared_between_fit_and_validation(modalities: int) -> None:
    ids = draw_pairs(modalities)
    folds = group_folds(ids, folds=4, seed=3)
    for fit, validate in zip(folds.fit, folds.validate, strict=True):
        assert not set(ids[fit].ravel()) & set(ids[validate].ravel())


def test_every_group_is_held_out_once_and_parts_are_even() -> None:
    ids = draw_pairs(2)
    folds = group_folds(ids, folds=4, seed=3)
    groups = [set(ids[validate].ravel()) for validate in folds.validate]
    assert [len(group) for group in groups] == [15] * 4
    assert set.union(*groups) == set(ids.ravel())


@pytest.mark.parametrize("modalities", [2, 3])
def test_sizes_are_those_of_independent_draws(modalities: int) -> None:
    folds = group_folds(draw_pairs(modalities), folds=4, seed=0)
    assert folds.fit.shape == folds.validate.shape == (4, 4000)
    np.testing.assert_allclose(folds.fit.mean(axis=1), 0.75**modalities, atol=0.03)
    np.testing.assert_allclose(folds.validate.mean(axis=1), 0.25**modalities, atol=0.03)


def test_the_seed_decides() -> None:
    ids = draw_pairs(2)
    first, again, other = (group_folds(ids, folds=4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.fit, again.fit)
    np.testing.assert_array_equal(first.validate, again.validate)
    assert (first.fit != other.fit).any()


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_one_group_a_sample_of_any_type_keeps_whole_groups_together(shape: tuple[int, ...]) -> None:
    people = np.array(["ann", "bob", "cleo", "dan"])[np.arange(40) % 4]
    folds = group_folds(people.reshape(shape), folds=2, seed=0)
    np.testing.assert_array_equal(folds.fit, ~folds.validate)
    for validate in folds.validate:
        assert len(set(people[validate])) == 2
        assert validate.sum() == 20


@pytest.mark.parametrize("samples", [30, 31, 100])
def test_stratified_folds_hold_out_each_sample_once_and_each_class_alike(samples: int) -> None:
    labels = np.random.default_rng(0).choice(3, p=[0.7, 0.2, 0.1], size=samples)
    folds = stratified_folds(labels, folds=3, seed=1)
    np.testing.assert_array_equal(folds.validate.sum(axis=0), 1)
    np.testing.assert_array_equal(folds.fit, ~folds.validate)
    for label in range(3):
        counts = folds.validate[:, labels == label].sum(axis=1)
        assert counts.max() - counts.min() <= 1
    other = stratified_folds(labels, folds=3, seed=2)
    assert (folds.validate != other.validate).any()
    for wrong in (1, samples + 1):
        with pytest.raises(InputError, match="from 2 to the"):
            stratified_folds(labels, folds=wrong, seed=0)


@pytest.mark.parametrize(
    ("ids", "folds", "message"),
    [
        ([[[0, 1, 2]]], 2, "modalities"),
        ([[0.0, 1.0]], 2, "integers"),
        ([[0, 1], [1, 0]], 3, "from 2 to the 2 groups"),
        ([[0, 1], [1, 0]], 1, "from 2"),
        ([[0, 1], [1, 0]], 2, "no samples to fit"),
        ([[0, 0], [0, 1], [0, 2]], 3, "no samples to"),
    ],
)
def test_folds_that_cannot_be_are_refused(ids: Any, folds: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        group_folds(ids, folds=folds, seed=0)


def test_masks_that_overlap_or_disagree_are_refused() -> None:
    mask = np.ones((1, 3), dtype=np.bool_)
    with pytest.raises(InputError, match="both fitted and validated"):
        Folds(fit=mask, validate=mask)
    with pytest.raises(InputError, match="must both be"):
        Folds(fit=mask, validate=~mask[:, :2])
    with pytest.raises(InputError, match="boolean"):
        Folds(fit=np.array([[1, 0]]), validate=np.array([[0, 1]]))
