"""Reader of MIMIC as MultiBench files it: a table and a series of an intensive-care stay.

`im.pk` is a pickled dictionary: `adm_features_all` [P, 5], `ep_tdata` [P, 24, 12] (12 measurements
in each of 24 hours), `adm_labels_all` [P, 6], `y_icd9` [P, 20]. The whole file has P = 32,616 and
83.2 MB; papers that write 36,000 mean it too. Needs credentials; it cannot be passed on.

As published, NaN and infinity become 0 in both modalities, which are then
standardized, the table by column, the series by channel over P · 24 steps. The published statistics
are those of all samples, of the test set too; `normalize="train"` takes the training samples alone.

P samples.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_choice, require_whole
from trifeature.errors import InputError
from trifeature.real.paper.published import (
    ENCODER_CHOICES,
    VALIDATIONS,
    file_at,
    finite_or_zero,
    require_entries,
    require_one_count,
    with_findings,
    with_validation,
)
from trifeature.real.unpickle import load_pickle
from trifeature.samples import Samples

Array = npt.NDArray[Any]

FILE: Final = "im.pk"
"""Name of the file."""

DIMENSIONS: Final = {"adm_features_all": 2, "ep_tdata": 3, "adm_labels_all": 2, "y_icd9": 2}
"""The arrays of the file and their numbers of dimensions."""

NORMALIZATIONS: Final = ("all", "train", "none")
"""Statistics of all samples (published), of the training samples, or none."""

SPLIT_SEED: Final = 10
"""Seed of the published split."""

ENCODERS: Final = {"table": "mlp-mimic", "series": "gru"}
"""The encoders of the paper."""


@dataclass(frozen=True)
class MimicOptions:
    """Options of `read_mimic`.

    Attributes:
        task: Column of `y_icd9` to predict, 0 to 19 (7, the published one, is ICD-9 460–519,
            diseases of the respiratory system); −1 for mortality in six classes: 0 for survival,
            else the first of columns 1 to 5 of `adm_labels_all` that is above 0.
        normalize: `all`, `train` or `none`, see `NORMALIZATIONS`.
        validation: Whether probes are fitted on the validation samples too, see `VALIDATIONS`.
        encoders: `published` or `default`.
        seed: Nothing here is drawn at random but the published split, whose seed is 10.
    """

    task: int = 7
    normalize: str = "all"
    validation: str = "probe"
    encoders: str = "published"
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "task", require_whole("task", self.task, -1, 19))
        require_choice("normalize", self.normalize, NORMALIZATIONS)
        require_choice("validation", self.validation, VALIDATIONS)
        require_choice("encoders", self.encoders, ENCODER_CHOICES)
        require_whole("seed", self.seed, 0)


def read_mimic(folder: Path, options: MimicOptions | None = None) -> Samples:
    """Read `im.pk`: modalities `table` [5] and `series` [24, 12], task `disease` or `mortality`.

    Raises:
        InputError: the file is missing, holds anything but arrays, or has other shapes.
    """
    options = options or MimicOptions()
    path = file_at(folder, FILE)
    arrays = require_entries(load_pickle(path), DIMENSIONS, str(path))
    P = require_one_count(arrays, DIMENSIONS, str(path))
    split = published_split(P)
    table, wrong_table = finite_or_zero(arrays["adm_features_all"].astype(np.float64))
    series, wrong_series = finite_or_zero(arrays["ep_tdata"].astype(np.float64))
    fitted = np.ones(P, np.bool_) if options.normalize == "all" else split == "train"
    if options.normalize != "none":
        table, series = _normalized(table, fitted, (0,)), _normalized(series, fitted, (0, 1))
    samples = Samples.from_arrays(
        {"table": table, "series": series},
        _labels(arrays, options.task, str(path)),
        splits=np.where(split == "test", "test", "train"),
        kinds={"table": "vector", "series": "series"},
        encoders=ENCODERS if options.encoders == "published" else None,
        standardize=False,
    )
    samples = with_validation(samples, split == "validation", options.validation)
    return with_findings(samples, zeroed={"table": wrong_table, "series": wrong_series})


def published_split(count: int) -> Array:
    """The published set of each sample, [P] of `train`, `validation` and `test`.

    The samples are shuffled; the first tenth is validation, the second test, the rest train.

    >>> split = published_split(32616)
    >>> [int((split == name).sum()) for name in ("train", "validation", "test")]
    [26093, 3261, 3262]
    """
    order = list(range(count))
    random.Random(SPLIT_SEED).shuffle(order)  # noqa: S311 - the published split is this generator's
    split = np.full(count, "train", dtype="<U10")
    split[order[: count // 10]] = "validation"
    split[order[count // 10 : count // 5]] = "test"
    return split


def _normalized(values: Array, fitted: Array, axes: tuple[int, ...]) -> Array:
    """(x − mean) / deviation over the fitted samples; constants become 0."""
    mean, deviation = values[fitted].mean(axes), values[fitted].std(axes)
    scaled: Array = (values - mean) / np.where(deviation > 0, deviation, np.inf)
    return scaled


def _labels(arrays: dict[str, Array], task: int, where: str) -> dict[str, Array]:
    if task < 0:
        return {"mortality": _mortality(arrays["adm_labels_all"])}
    columns = arrays["y_icd9"]
    if task >= columns.shape[1]:
        raise InputError(f"{where}: 'y_icd9' has {columns.shape[1]} columns, there is no {task}")
    return {"disease": columns[:, task].astype(np.int64)}


def _mortality(columns: Array) -> Array:
    """Number of the first of the columns 1, 2, … that is above 0; 0 if none is."""
    dead = columns[:, 1:] > 0
    return np.where(dead.any(1), 1 + dead.argmax(1), 0)
