"""What the readers of the paper's data sets share: files, digests, and the validation samples.

The published sets come in three parts: train, validation and test. A probe is fitted twice there:
on train to choose its penalty on validation, then on both. Here a probe chooses by folds of the
samples that it is fitted on, so that one question is left: whether these include validation.

P samples, M modalities.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.errors import InputError
from trifeature.real.source import find_file
from trifeature.samples import Samples

Array = npt.NDArray[Any]

PADDINGS: Final = ("mask", "code")
"""Absent steps are absent (`mask`), or steps of zeros as in the published code (`code`)."""

VALIDATIONS: Final = ("probe", "leave")
"""Probes are fitted on train and validation, as published (`probe`), or on train (`leave`)."""

ENCODER_CHOICES: Final = ("published", "default")
"""The encoders of the paper, or each kind's default one, which is smaller and faster."""


def file_at(folder: Path, name: str) -> Path:
    """A file of a folder; the file itself may be given in place of its folder.

    Raises:
        InputError: there is no such file.
    """
    path = folder if folder.is_file() else find_file(folder, name)
    if not path.is_file():
        raise InputError(
            f"{path} is missing: `trifeature data list` names the sets and their files"
        )
    return path


def joint_digest(digests: Mapping[str, str]) -> str:
    """SHA-256 of the lines `DIGEST  NAME` of many files in the order of their names.

    `sha256sum FILES… | sha256sum` prints the same if FILES are sorted.
    """
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def require_entries(content: Any, names: Iterable[str], where: str) -> dict[str, Array]:
    """The arrays of these names in a dictionary, by name.

    Raises:
        InputError: it is no dictionary, lacks a name, or holds lists of different lengths.
    """
    if not isinstance(content, Mapping):
        raise InputError(f"{where} must hold a dictionary, not {type(content).__name__}")
    lacking = [name for name in names if name not in content]
    if lacking:
        found = ", ".join(map(str, content)) or "nothing"
        raise InputError(f"{where} lacks {lacking[0]!r}: it holds {found}")
    try:
        return {name: np.asarray(content[name]) for name in names}
    except ValueError as problem:  # nested lists of different lengths
        raise InputError(f"{where} holds no arrays: {problem}") from None


def require_one_count(
    arrays: Mapping[str, Array], dimensions: Mapping[str, int], where: str
) -> int:
    """P, the first dimension of all arrays.

    Raises:
        InputError: an array has other dimensions, or another number of samples.
    """
    for name, array in arrays.items():
        if array.ndim != dimensions[name] or array.dtype.kind not in "biuf":
            raise InputError(
                f"{where}: {name!r} must be numbers of {dimensions[name]} dimensions, not "
                f"{array.dtype} of shape {list(array.shape)}"
            )
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) != 1:
        raise InputError(f"{where}: the numbers of samples differ: {counts}")
    return next(iter(counts.values()))


def finite_or_zero(values: Array) -> tuple[Array, int]:
    """The values with 0 for NaN and ±infinity, and how many these were."""
    wrong = ~np.isfinite(values)
    count = int(wrong.sum())
    return (np.where(wrong, 0, values) if count else values), count


def with_validation(samples: Samples, held_out: Array, validation: str) -> Samples:
    """Take the validation samples out of the training set.

    Args:
        samples: Samples of which entry p of the tables is sample p, and whose `train` holds the
            validation samples. So the probe's samples are checked for classes that they lack.
        held_out: bool [P], which are the validation samples.
        validation: `probe` to fit probes on train and validation, `leave` on train alone.
    """
    both = samples.sets["train"]
    train = both.select(~np.asarray(held_out)[both.rows[:, 0]])
    probe = both if validation == "probe" else train
    return replace(samples, sets={**samples.sets, "train": train, "probe": probe})


def with_findings(samples: Samples, **found: Any) -> Samples:
    """The samples with what was found in their files, as JSON, in their origin.

    The number of samples of each set is among it: it is what the files hold, and the papers'
    numbers differ. Name, options and digests of the files are added by `trifeature.real.catalog`.
    """
    sizes = {name: len(one) for name, one in samples.sets.items()}
    return replace(samples, origin={**samples.origin, "samples": sizes, **found})
