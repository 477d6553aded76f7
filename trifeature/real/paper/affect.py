"""Readers of MOSI, UR-FUNNY ("humor") and MUStARD ("sarcasm") as MultiBench files them.

A file is a pickled dictionary of `train`, `valid` and `test`; each holds `vision`, `audio` and
`text` [P, 50, F], `labels` [P, 1, 1], [P, 1] or [P], and `id`. The 50 steps are words, aligned
between modalities, with steps of zeros in FRONT of shorter samples.

| file            | vision | audio | text | samples (train, valid, test) |
|-----------------|--------|-------|------|------------------------------|
| `mosi_data.pkl` | 20     | 5     | 300  | 1,284, 229, 686              |
| `humor.pkl`     | 371    | 81    | 300  | in the file: papers disagree |
| `sarcasm.pkl`   | 371    | 81    | 300  | 690 altogether, 138 in test  |

As published, samples whose text sums to 0 are dropped, −∞ in audio becomes 0, and the steps before
the first one with text are cut from every modality. (Any other value that is not finite becomes 0
too; none is known. `Samples.origin` counts them all.) There is no normalization: units differ by
orders of magnitude, so that an augmentation by noise of deviation 0.1 does nothing to some features
and drowns others; `standardize` avoids that.

What is left has different lengths. The published code pads each batch with zeros and does not mask
them, so that there an embedding depends on which samples share its batch. Here absent steps are
absent (`padding="mask"`), or all samples are padded with zeros to the longest of the file
(`padding="code"`): the published behaviour with one fixed length.

P samples, T steps, F features.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_choice, require_flag, require_whole
from trifeature.errors import InputError, check_name
from trifeature.real.paper.published import (
    ENCODER_CHOICES,
    PADDINGS,
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

PARTS: Final = ("train", "valid", "test")
"""The parts of a file."""

MODALITIES: Final = ("vision", "audio", "text")
"""The modalities of a file."""

GROUPS: Final = ("sample", "video")
"""What folds keep together: nothing, or clips of one video, by their `id`."""

NEUTRALS: Final = ("negative", "positive", "drop")
"""What a score of 0 is: negative as in CoMM, positive as in FactorCL, or left out."""


@dataclass(frozen=True)
class AffectOptions:
    """Options of the readers of this file.

    Attributes:
        modalities: Which modalities, in their order; the published pair by default. Table 3 of the
            paper has all three of UR-FUNNY.
        padding: `mask` or `code`, see `PADDINGS`.
        standardize: Bring each feature to mean 0 and deviation 1 over the present steps of the
            training samples. The published inputs are as filed.
        validation: Whether probes are fitted on the validation samples too, see `VALIDATIONS`.
        encoders: `published` (a Transformer of width 40 for each modality) or `default`.
        groups: `sample` or `video`, see `GROUPS`.
        seed: Nothing is drawn at random here.
    """

    modalities: tuple[str, ...] = ("vision", "text")
    padding: str = "mask"
    standardize: bool = False
    validation: str = "probe"
    encoders: str = "published"
    groups: str = "sample"
    seed: int = 0

    def __post_init__(self) -> None:
        names = tuple(check_name("modality", name, MODALITIES) for name in self.modalities)
        if not names or len(set(names)) < len(names):
            raise InputError(f"modalities must be some of {', '.join(MODALITIES)}, each once")
        object.__setattr__(self, "modalities", names)
        require_choice("padding", self.padding, PADDINGS)
        require_flag("standardize", self.standardize)
        require_choice("validation", self.validation, VALIDATIONS)
        require_choice("encoders", self.encoders, ENCODER_CHOICES)
        require_choice("groups", self.groups, GROUPS)
        require_whole("seed", self.seed, 0)


@dataclass(frozen=True)
class MosiOptions(AffectOptions):
    """Options of `read_mosi`.

    Attributes:
        neutral: What a sentiment of 0 is, see `NEUTRALS`.
    """

    neutral: str = "negative"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("neutral", self.neutral, NEUTRALS)


@dataclass(frozen=True, eq=False)
class _Part:
    """One part of a file: the items of each modality, scores [P], and what was left out."""

    name: str
    items: Mapping[str, list[Array]]
    scores: Array
    videos: list[str]
    dropped: int
    zeroed: Mapping[str, int]


def read_mosi(folder: Path, options: MosiOptions | None = None) -> Samples:
    """Read `mosi_data.pkl`; task `sentiment`, negative or positive.

    Raises:
        InputError: the file is missing, holds anything but arrays, or has other shapes.
    """
    options = options or MosiOptions()
    words = ("negative", "positive")
    return _read(file_at(folder, "mosi_data.pkl"), options, "sentiment", words)


def read_humor(folder: Path, options: AffectOptions | None = None) -> Samples:
    """Read `humor.pkl` (UR-FUNNY); task `humor`, no or yes.

    Raises:
        InputError: the file is missing, holds anything but arrays, or has other shapes.
    """
    path = file_at(folder, "humor.pkl")
    return _read(path, options or AffectOptions(), "humor", ("no", "yes"))


def read_sarcasm(folder: Path, options: AffectOptions | None = None) -> Samples:
    """Read `sarcasm.pkl` (MUStARD); task `sarcasm`, no or yes.

    Raises:
        InputError: the file is missing, holds anything but arrays, or has other shapes.
    """
    path = file_at(folder, "sarcasm.pkl")
    return _read(path, options or AffectOptions(), "sarcasm", ("no", "yes"))


def _read(path: Path, options: AffectOptions, task: str, words: tuple[str, str]) -> Samples:
    neutral = options.neutral if isinstance(options, MosiOptions) else "negative"
    parts = _parts(path, neutral)
    owner = np.repeat([part.name for part in parts], [len(part.scores) for part in parts])
    samples = Samples.from_arrays(
        {name: _modality(name, parts, options) for name in options.modalities},
        {task: np.concatenate([_words(part.scores, neutral, words) for part in parts])},
        groups=_groups(parts, path) if options.groups == "video" else None,
        splits=np.where(owner == "test", "test", "train"),
        kinds=dict.fromkeys(options.modalities, "series"),
        encoders=dict.fromkeys(options.modalities, "transformer")
        if options.encoders == "published"
        else None,
        standardize=False,
    )
    return with_findings(
        with_validation(samples, owner == "valid", options.validation),
        dropped={part.name: part.dropped for part in parts},
        zeroed={m: sum(part.zeroed[m] for part in parts) for m in MODALITIES},
    )


def _parts(path: Path, neutral: str) -> list[_Part]:
    content = load_pickle(path)
    require_entries(content, PARTS, str(path))
    return [_part(name, content[name], f"{path}, {name}", neutral) for name in PARTS]


def _part(name: str, content: Any, where: str, neutral: str) -> _Part:
    """Read, clean and align one part."""
    arrays = require_entries(content, (*MODALITIES, "labels"), where)
    scores = arrays.pop("labels")
    P = require_one_count(arrays, dict.fromkeys(MODALITIES, 3), where)
    if scores.size != P:
        raise InputError(f"{where}: 'labels' must be one a sample, not {list(scores.shape)}")
    scores = scores.reshape(P).astype(np.float64)
    if len({x.shape[1] for x in arrays.values()}) != 1:
        shapes = {m: list(x.shape) for m, x in arrays.items()}
        raise InputError(f"{where}: the modalities must have the same steps, not {shapes}")
    cleaned = {m: finite_or_zero(x) for m, x in arrays.items()}
    kept = cleaned["text"][0].sum((1, 2), dtype=np.float64) != 0
    if neutral == "drop":
        kept &= scores != 0
    starts = (cleaned["text"][0] != 0).any(2).argmax(1)
    items = {m: _cut(x[kept], starts[kept]) for m, (x, _) in cleaned.items()}
    videos = _videos(content.get("id"), kept)
    zeroed = {m: count for m, (_, count) in cleaned.items()}
    return _Part(name, items, scores[kept], videos, int((~kept).sum()), zeroed)


def _cut(items: Array, starts: Array) -> list[Array]:
    """The steps of each item from its start on, float32."""
    return [item[start:].astype(np.float32) for item, start in zip(items, starts, strict=True)]


def _words(scores: Array, neutral: str, words: tuple[str, str]) -> Array:
    """The word of each score."""
    high = scores >= 0 if neutral == "positive" else scores > 0
    return np.where(high, words[1], words[0])


def _modality(name: str, parts: list[_Part], options: AffectOptions) -> Any:
    """The items of all parts, as `Samples.from_arrays` takes them."""
    items = [item for part in parts for item in part.items[name]]
    if options.standardize:
        items = _standardized(items, parts[0].items[name])
    return items if options.padding == "mask" else _padded(items)


def _standardized(items: list[Array], train: list[Array]) -> list[Array]:
    """(x − mean) / deviation of each feature over the steps of the training samples."""
    steps = np.concatenate(train).astype(np.float64)
    mean, deviation = steps.mean(0), steps.std(0)
    scale = np.where(deviation > 0, deviation, np.inf)
    return [((item - mean) / scale).astype(np.float32) for item in items]


def _padded(items: list[Array]) -> Array:
    """Items [P, T, F] with steps of zeros at the end."""
    table = np.zeros((len(items), max(map(len, items)), items[0].shape[1]), np.float32)
    for row, item in zip(table, items, strict=True):
        row[: len(item)] = item
    return table


def _videos(identifiers: Any, kept: Array) -> list[str]:
    """The video of each kept sample; "" if its `id` does not tell."""
    if identifiers is None or len(identifiers) != len(kept):
        return [""] * int(kept.sum())
    return [_video(one) for one, keep in zip(identifiers, kept, strict=True) if keep]


def _video(identifier: Any) -> str:
    """The video of a clip: of `VIDEO[3]`, `VIDEO$_$3` and `[VIDEO, 3.1, 4.5]` it is VIDEO."""
    parts = [_text(one) for one in np.asarray(identifier, dtype=object).reshape(-1)]
    if len(parts) > 1:
        return parts[0]
    found = re.fullmatch(r"(.+?)(\[|\$_\$).*", parts[0]) if parts else None
    return found[1] if found else ""


def _text(value: Any) -> str:
    """A value as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _groups(parts: list[_Part], path: Path) -> list[str]:
    """The video of each sample of all parts."""
    groups = [video for part in parts for video in part.videos]
    if not all(groups):
        raise InputError(f'{path}: the entries of "id" do not tell videos: use groups="sample"')
    return groups
