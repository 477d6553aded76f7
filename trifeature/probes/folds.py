"""Cross-validation folds that keep groups apart.

Samples are often made from a few items: pairs of images, segments of a film, sentences of a
speaker. With folds of random *samples* nearly every validation sample would consist of items the
probe was fitted on, and the chosen cost would reward remembering them. With folds of groups a
validation sample shares no group with the samples fitted on. Trifeature's groups are combinations
of attributes: a validation pair has no image, nor another render of its attributes, in common with
the pairs fitted on, which is the situation of the test pairs.

F folds, N samples, M modalities.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trifeature.checks import as_array, require_whole
from trifeature.errors import InputError
from trifeature.probes.inputs import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Folds:
    """The samples that each fold fits on and validates on.

    Attributes:
        fit: Samples the fold fits on [F, N].
        validate: Samples the fold validates on [F, N].

    Raises:
        InputError: the shapes differ, a fold has no samples to fit or validate on, or a sample is
            in both.
    """

    fit: BoolArray
    validate: BoolArray

    def __post_init__(self) -> None:
        if self.fit.ndim != 2 or self.fit.shape != self.validate.shape:
            raise InputError(
                f"fit and validate must both be [folds, samples], not {self.fit.shape} and "
                f"{self.validate.shape}"
            )
        if self.fit.dtype != np.bool_ or self.validate.dtype != np.bool_:
            raise InputError("fit and validate must be boolean masks")
        if (self.fit & self.validate).any():
            raise InputError("a sample is both fitted and validated on in the same fold")
        for name, mask in (("fit", self.fit), ("validate", self.validate)):
            empty = np.flatnonzero(~mask.any(axis=1))
            if len(mask) == 0 or len(empty) > 0:
                raise InputError(
                    f"fold {empty[:1].tolist()} has no samples to {name} on: use fewer folds or "
                    "more samples"
                )


def group_folds(groups: npt.ArrayLike, *, folds: int, seed: int) -> Folds:
    """Divide the groups at random into F parts, one held out by each fold.

    Fold k validates on the samples whose groups are *all* in part k and fits on the samples with
    *no* group in part k. Samples with some groups in the part and some outside are left out of that
    fold.

    Args:
        groups: Group of each sample [N], or of each item of each sample [N, M]; integers, strings.
        folds: F, the number of parts, at least 2.
        seed: Decides the division; the same seed and groups give the same folds.

    Returns:
        Masks over the samples, [F, N] each. With groups drawn evenly and independently for each
        item a fold fits on about (1 - 1/F)^M of the samples and validates on about F^-M of them.

    Raises:
        InputError: `groups` are not such an array, `folds` is below 2 or above the number of
            groups, or a fold would be empty.

    >>> group_folds([[0, 0], [1, 1], [0, 1]], folds=2, seed=0).validate.sum(axis=1).tolist()
    [1, 1]
    """
    count, places = _places_of(groups)
    if not 2 <= require_whole("folds", folds, 0) <= count:
        raise InputError(f"folds must be from 2 to the {count} groups, not {folds}")
    require_whole("seed", seed, 0)
    order = np.random.default_rng(seed).permutation(count)
    part_of = np.empty(count, dtype=np.int64)
    part_of[order] = np.arange(count) % folds
    inside = part_of[places] == np.arange(folds)[:, None, None]
    return Folds(fit=~inside.any(axis=2), validate=inside.all(axis=2))


def group_split(groups: npt.ArrayLike, *, share: float, seed: int) -> Folds:
    """One fold, which fits on a share of the groups drawn at random and validates on the others.

    Args:
        groups: As `group_folds`.
        share: Of the groups to fit on, above 0 and below 1.
        seed: Decides the draw.

    Raises:
        InputError: `groups` are not such an array, or too few of them.

    >>> group_split(["a", "a", "b", "c", "d", "e"], share=0.6, seed=1).fit.tolist()
    [[True, True, True, False, False, True]]
    """
    count, places = _places_of(groups)
    if count < 2:
        raise InputError("one group is too few to split")
    fitted = np.zeros(count, dtype=np.bool_)
    drawn = np.random.default_rng(seed).permutation(count)
    fitted[drawn[: min(max(1, round(share * count)), count - 1)]] = True
    inside = fitted[places]
    return Folds(fit=np.stack([inside.all(axis=1)]), validate=np.stack([~inside.any(axis=1)]))


def _places_of(groups: npt.ArrayLike) -> tuple[int, IntArray]:
    """How many groups there are, and the place of each entry among them, [N, 1] or [N, M]."""
    ids = as_array(groups)
    if ids.ndim not in (1, 2) or ids.size == 0 or ids.dtype.kind not in "iuUSO":
        raise InputError(
            "groups must be integers or strings [samples] or [samples, modalities], not "
            f"{ids.dtype} {ids.shape}"
        )
    distinct, position = np.unique(ids, return_inverse=True)
    return len(distinct), position.reshape(len(ids), -1)


def stratified_folds(labels: IntArray, *, folds: int, seed: int) -> Folds:
    """Divide the samples at random into F parts with the same share of every class.

    For samples that share no items; otherwise use `group_folds`.

    Args:
        labels: Class of each sample [N].
        folds: F, at least 2.
        seed: Decides the division.

    Returns:
        Masks over the samples, [F, N] each. A fold fits on 1 - 1/F of the samples.

    Raises:
        InputError: `folds` is below 2 or above the number of samples.

    >>> stratified_folds(np.array([0, 0, 1, 1]), folds=2, seed=0).validate.sum(axis=1).tolist()
    [2, 2]
    """
    if not 2 <= require_whole("folds", folds, 0) <= len(labels):
        raise InputError(f"folds must be from 2 to the {len(labels)} samples, not {folds}")
    require_whole("seed", seed, 0)
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # shuffled within each class
    part = np.empty(len(labels), dtype=np.int64)
    part[order] = np.arange(len(labels)) % folds
    validate = part == np.arange(folds)[:, None]
    return Folds(fit=~validate, validate=validate)


def best_of(scores: FloatArray, bits: FloatArray) -> int:
    """Place of the highest of held-out scores; ties go to fewer bits, then to the first."""
    return min(range(len(scores)), key=lambda k: (-scores[k], bits[k], k))
