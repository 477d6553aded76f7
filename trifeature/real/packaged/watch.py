"""A watch's accelerometer and gyroscope during shoulder exercises (Burns et al. 2018).

The file is a NumPy array of one dictionary: `X`, a list of recordings [steps, 6] at 50 Hz with the
columns of `X_labels` (ax ay az in g, wx wy wz in rad/s), and for each recording `y`, the exercise
as a place in `y_labels`, `subject`, the person, and `side`, 1 for the right arm and 0 for the left.
140 recordings of ten people: each of seven exercises on each side.

A recording is cut into windows that overlap. Neighbouring windows are alike, and so are all of one
person, so people, not windows, are split: scores on a random half of the windows would be those of
people known from training.

W steps of a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_whole
from trifeature.errors import InputError
from trifeature.real.packaged.tables import SPLIT_STREAM, require_wholes
from trifeature.real.source import find_file
from trifeature.real.unpickle import load_pickle
from trifeature.samples import Samples

Array = npt.NDArray[Any]

FILE: Final = "watch_dataset.npy"
COLUMNS: Final = {"accelerometer": ("ax", "ay", "az"), "gyroscope": ("wx", "wy", "wz")}
"""The columns of each modality."""

SIDES: Final = np.array(["left", "right"])


@dataclass(frozen=True)
class WatchOptions:
    """How recordings are cut and split.

    Attributes:
        window: Steps of a window, at 50 a second.
        stride: Steps from the start of a window to the start of the next.
        test_people: Numbers of the people to test on, in any order; empty for `tested` people drawn
            by `seed`.
        tested: How many people are drawn.
        seed: Seed of the draw.

    Raises:
        InputError: a value is wrong.
    """

    window: int = 128
    stride: int = 64
    test_people: tuple[int, ...] = (8, 9, 10)
    tested: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("window", 1), ("stride", 1), ("tested", 1), ("seed", 0)):
            require_whole(name, getattr(self, name), least)
        people = require_wholes("test_people", self.test_people, 0)
        object.__setattr__(self, "test_people", people)


def read_watch(folder: Path, options: WatchOptions) -> Samples:
    """Read the recordings as samples of two series, W steps each.

    Args:
        folder: Folder with the file.
        options: Windows and split.

    Returns:
        Samples with the tasks `exercise` and `side`, whose groups are the people. Each channel is
        standardized over the training people.

    Raises:
        InputError: the file is missing or is not such a dictionary, no recording is as long as a
            window, or there are no such people.
    """
    path = find_file(folder, FILE)
    content = _content(path)
    starts = [range(0, len(x) - options.window + 1, options.stride) for x in content["X"]]
    windows = [
        x[start : start + options.window]
        for x, places in zip(content["X"], starts, strict=True)
        for start in places
    ]
    if not windows:
        raise InputError(f"window must be at most the length of a recording, not {options.window}")
    values = np.stack(windows)  # [P, W, 6]
    recording = np.repeat(np.arange(len(starts)), [len(places) for places in starts])
    people = content["subject"][recording]
    names = list(content["X_labels"])
    return Samples.from_arrays(
        {
            sensor: values[..., [names.index(column) for column in columns]]
            for sensor, columns in COLUMNS.items()
        },
        {
            "exercise": np.array(content["y_labels"])[content["y"][recording]],
            "side": SIDES[content["side"][recording]],
        },
        groups=people,
        splits=np.where(np.isin(people, _tested(content["subject"], options)), "test", "train"),
    )


def _tested(people: Array, options: WatchOptions) -> Array:
    """Numbers of the people to test on."""
    known = np.unique(people)
    if unknown := [x for x in options.test_people if x not in known]:
        raise InputError(
            f"test_people must be some of {', '.join(map(str, known.tolist()))}, not {unknown[0]}"
        )
    count = len(set(options.test_people)) or options.tested
    if count >= len(known):
        raise InputError(f"{count} of {len(known)} people to test on leave none to train on")
    if options.test_people:
        return np.array(options.test_people)
    return np.random.default_rng([SPLIT_STREAM, options.seed]).permutation(known)[:count]


def _content(path: Path) -> dict[str, Any]:
    """The file's dictionary, with `y`, `subject` and `side` as whole numbers."""
    loaded = load_pickle(path)
    content = loaded.item() if isinstance(loaded, np.ndarray) and loaded.ndim == 0 else loaded
    if not isinstance(content, Mapping):
        raise InputError(f"{path} must hold one dictionary")
    wanted = ("X", "y", "subject", "side", "X_labels", "y_labels")
    if lacking := [name for name in wanted if name not in content]:
        raise InputError(f"{path} lacks {lacking[0]!r}")
    columns = [column for names in COLUMNS.values() for column in names]
    if sorted(content["X_labels"]) != sorted(columns):
        raise InputError(f"{path}: X_labels must be {', '.join(columns)}")
    if any(np.ndim(x) != 2 or np.shape(x)[1] != len(columns) for x in content["X"]):
        raise InputError(f"{path}: each recording must be numbers [steps, {len(columns)}]")
    limits = {"y": len(content["y_labels"]), "subject": 2**31, "side": len(SIDES)}
    return {**content, **{name: _whole(path, content, name, n) for name, n in limits.items()}}


def _whole(path: Path, content: Mapping[str, Any], name: str, limit: int) -> Array:
    """A whole number below a limit for each recording, int64."""
    values = np.asarray(content[name])
    count = len(content["X"])
    if values.shape != (count,) or values.dtype.kind not in "biuf":
        raise InputError(f"{path}: {name!r} must be a number for each of {count} recordings")
    if (values != np.floor(values)).any() or values.min() < 0 or values.max() >= limit:
        raise InputError(f"{path}: {name!r} must be whole numbers from 0 to {limit - 1}")
    return values.astype(np.int64)
