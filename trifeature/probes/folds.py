"""Cross-validation folds that keep out whole attribute combinations, of every image of a pair.

Pairs are drawn from a few images, so with folds of random *pairs* nearly every validation pair
would consist of images the probe was fitted on, and the chosen cost would reward remembering
them. Here a validation pair has no image, nor any other render of its attributes, in common with
the pairs fitted on: the situation of the test pairs.

F folds, N pairs, M modalities (images in a pair).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trifeature.errors import InputError

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Folds:
    """Which pairs each fold fits on and which it validates on.

    Attributes:
        fit: Pairs the fold fits on [F, N].
        validate: Pairs the fold validates on [F, N].

    Raises:
        InputError: the shapes differ, a fold has no pairs to fit or validate on, or a pair is in
            both.
    """

    fit: BoolArray
    validate: BoolArray

    def __post_init__(self) -> None:
        if self.fit.ndim != 2 or self.fit.shape != self.validate.shape:
            raise InputError(
                f"fit and validate must both be [folds, pairs], not {self.fit.shape} and "
                f"{self.validate.shape}"
            )
        if self.fit.dtype != np.bool_ or self.validate.dtype != np.bool_:
            raise InputError("fit and validate must be boolean masks")
        if (self.fit & self.validate).any():
            raise InputError("a pair is both fitted and validated on in the same fold")
        for name, mask in (("fit", self.fit), ("validate", self.validate)):
            empty = np.flatnonzero(~mask.any(axis=1))
            if len(mask) == 0 or len(empty) > 0:
                raise InputError(
                    f"fold {empty[:1].tolist()} has no pairs to {name} on: use fewer folds or "
                    "more pairs"
                )


def combination_folds(combinations: npt.ArrayLike, *, folds: int, seed: int) -> Folds:
    """Divide the attribute combinations at random into groups, one held out a fold.

    Fold k validates on the pairs whose images *all* have their combination in group k and fits on
    the pairs with *no* image in group k. Pairs with some images in the group and some outside
    take no part in that fold.

    Args:
        combinations: Integer id of the combination of each image of each pair [N, M].
        folds: F, the number of groups, at least 2.
        seed: Decides the division; the same seed and ids give the same folds.

    Returns:
        Masks over the pairs, [F, N] each. With combinations drawn evenly a fold fits on about
        (1 - 1/F)^M of the pairs and validates on about F^-M of them.

    Raises:
        InputError: `combinations` is not an [N, M] integer array, `folds` is below 2, or a fold
            would be empty.

    >>> combination_folds([[0, 0], [1, 1], [0, 1]], folds=2, seed=0).validate.sum(axis=1).tolist()
    [1, 1]
    """
    ids = np.asarray(combinations)
    if ids.ndim != 2 or ids.size == 0 or ids.dtype.kind not in "iu":
        raise InputError(
            f"combinations must be integers [pairs, modalities], not {ids.dtype} {ids.shape}"
        )
    distinct, position = np.unique(ids, return_inverse=True)
    if not 2 <= folds <= len(distinct):
        raise InputError(f"folds must be from 2 to the {len(distinct)} combinations, not {folds}")
    order = np.random.default_rng(seed).permutation(len(distinct))
    group_of = np.empty(len(distinct), dtype=np.int64)
    group_of[order] = np.arange(len(distinct)) % folds
    inside = group_of[position.reshape(ids.shape)] == np.arange(folds)[:, None, None]
    return Folds(fit=~inside.any(axis=2), validate=inside.all(axis=2))
