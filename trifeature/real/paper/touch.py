"""Reader of Vision&Touch: pictures, forces and positions of a robot arm that fits pegs into holes.

A folder holds `*.h5` files, 11 GB; each has 50 steps of one recording: `image` [50, 128, 128, 3] or
[50, 3, 128, 128] uint8, `ee_forces_continuous` [50, at least 32, 6], `proprio` [50, at least 8] and
`contact` [50, …]. Pictures, forces and positions are those of step t, and the task is about step
t + 1: whether anything touches, or where the hand is. So a file makes 49 samples. The published
code replaces the last of them by another step of the file, drawn anew each time, so that its test
set is random; here they are kept as they are (`last="keep"`) or replaced once (`last="random"`).

File names end in `_NUMBER_1000.h5`, NUMBER from 0 to 19 within a trajectory. The published split is
by file, so that most test steps have training steps of the same trajectory before and after them;
`split="trajectory"` puts whole trajectories aside. Names of another kind do not tell trajectories:
then each 20 files in the order of their names count as one. The published code calls the same files
validation and test, and fits the final probe on both, that is on the test labels. That is not
repeated: there is no validation set, and probes are fitted on training samples.

Pictures are cropped to their middle 128 × 128 and stay uint8; the published code swaps rows and
columns of those that are filed as [3, 128, 128], which is not repeated. Of the forces the last 32
readings are taken, as tanh. Positions are in metres and radians.

P samples, N files, T steps of a file.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_choice, require_flag, require_memory, require_whole
from trifeature.errors import InputError
from trifeature.real.paper.published import ENCODER_CHOICES, joint_digest, with_findings
from trifeature.samples import Samples

Array = npt.NDArray[Any]

KEYS: Final = {"image": "image", "force": "ee_forces_continuous", "proprio": "proprio"}
"""The modalities and their entries in a file."""

KINDS: Final = {"image": "image", "force": "series", "proprio": "vector"}
"""The kinds of the modalities."""

FORCES: Final = 32
"""Readings of the force sensor that are taken, the last ones of a step."""

POSITIONS: Final = 8
"""Numbers of `proprio` that are taken, the first ones."""

OUTPUTS: Final = ("x", "y", "z", "yaw")
"""What the regression predicts: the first four numbers of `proprio` at the next step."""

SIDE: Final = 128
"""Rows and columns of a picture's middle that are taken."""

BLOCK: Final = 20
"""Files of a trajectory."""

SPLITS: Final = ("published", "trajectory")
"""A fifth of the files is tested on (published), or a fifth of the trajectories."""

SPLIT_SEED: Final = 42
"""Seed of the published split."""

NAME: Final = re.compile(r"(?P<trajectory>.+)_\d{1,2}_1000\.h5")
"""A name that tells its trajectory."""

CONTACT_MODALITIES: Final = ("image", "force", "proprio")
"""The three modalities of contact; with two, the force is left out."""

REGRESSION_ENCODERS: Final = {"image": "resnet18", "force": "force"}
"""The paper's encoders of the regression."""

CONTACT_ENCODERS: Final = {"image": "resnet18", "force": "force-token", "proprio": "proprio"}
"""The paper's encoders of contact."""


@dataclass(frozen=True)
class TouchOptions:
    """Options of `read_touch_regression`.

    Attributes:
        split: `published` or `trajectory`, see `SPLITS`.
        last: What the last sample of a file is: `keep` for itself, `random` for one of the others.
        side: Pictures are reduced to so many rows and columns, by means of blocks.
        standardize: Bring each feature of forces and positions to mean 0 and deviation 1 over the
            training samples. The published inputs are not standardized.
        encoders: `published` or `default`.
        seed: Seed of `split="trajectory"` and of `last="random"`.
    """

    split: str = "published"
    last: str = "keep"
    side: int = SIDE
    standardize: bool = False
    encoders: str = "published"
    seed: int = 0

    def __post_init__(self) -> None:
        require_choice("split", self.split, SPLITS)
        require_choice("last", self.last, ("keep", "random"))
        object.__setattr__(self, "side", require_whole("side", self.side, 1, SIDE))
        require_flag("standardize", self.standardize)
        require_choice("encoders", self.encoders, ENCODER_CHOICES)
        require_whole("seed", self.seed, 0)


@dataclass(frozen=True)
class ContactOptions(TouchOptions):
    """Options of `read_touch_contact`.

    Attributes:
        modalities: 2 for pictures and positions, 3 for pictures, forces and positions.
    """

    modalities: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "modalities", require_whole("modalities", self.modalities, 2, 3))


def read_touch_regression(folder: Path, options: TouchOptions | None = None) -> Samples:
    """Read pictures and forces; task `position`, the four numbers `OUTPUTS` at the next step.

    Raises:
        InputError: there is no file, h5py is missing, or a file is damaged or has other shapes.
    """
    return _read(folder, _Wanted(("image", "force"), "position", options or TouchOptions()))


def read_touch_contact(folder: Path, options: ContactOptions | None = None) -> Samples:
    """Read two or three modalities; task `contact`, whether anything touches at the next step.

    Raises:
        InputError: there is no file, h5py is missing, or a file is damaged or has other shapes.
    """
    options = options or ContactOptions()
    names = CONTACT_MODALITIES if options.modalities == 3 else ("image", "proprio")
    return _read(folder, _Wanted(names, "contact", options))


def trajectories(names: list[str]) -> list[int]:
    """The number of each file's trajectory, by its name or else by blocks of 20 in sorted order.

    >>> trajectories(["a_0_1000.h5", "b_0_1000.h5", "a_10_1000.h5"])
    [0, 1, 0]
    """
    found = [NAME.fullmatch(name) for name in names]
    if all(found):
        owners = [one["trajectory"] for one in found if one]
        return [int(owner) for owner in np.unique(owners, return_inverse=True)[1]]
    places = {name: place for place, name in enumerate(sorted(names))}
    return [places[name] // BLOCK for name in names]


@dataclass(frozen=True)
class _Wanted:
    """What is read of each file."""

    modalities: tuple[str, ...]
    task: str
    options: TouchOptions

    @property
    def target(self) -> str:
        """The entry of a file that holds what is to be predicted."""
        return "contact" if self.task == "contact" else "proprio"

    @property
    def encoders(self) -> dict[str, str] | None:
        """The published encoders of the modalities, or None."""
        published = CONTACT_ENCODERS if self.task == "contact" else REGRESSION_ENCODERS
        chosen = {name: published[name] for name in self.modalities}
        return chosen if self.options.encoders == "published" else None


def _read(folder: Path, wanted: _Wanted) -> Samples:
    paths = _files(folder)
    names = [path.name for path in paths]
    owners = trajectories(names)
    tested = _tested(len(names), owners, wanted.options)
    items, targets, digests = _tables(paths, wanted)
    steps = len(targets) // len(names)
    groups = owners if wanted.options.split == "trajectory" else range(len(names))
    samples = Samples.from_arrays(
        items,
        {wanted.task: _labels(targets, wanted.task)},
        groups=np.repeat(np.array(groups), steps),
        splits=np.repeat(np.where(tested, "test", "train"), steps),
        kinds={name: KINDS[name] for name in wanted.modalities},
        encoders=wanted.encoders,
        standardize=wanted.options.standardize,
        task_kinds={} if wanted.task == "contact" else {wanted.task: "numbers"},
    )
    told = all(NAME.fullmatch(name) for name in names)
    return with_findings(
        samples,
        files={f"{len(names)} files *.h5": joint_digest(digests)},
        trajectories=len(set(owners)),
        trajectories_from="names" if told else f"blocks of {BLOCK} files",
    )


def _labels(targets: Array, task: str) -> Any:
    if task == "contact":
        return np.where(targets, "yes", "no")
    return {name: targets[:, column] for column, name in enumerate(OUTPUTS)}


def _files(folder: Path) -> list[Path]:
    """The `.h5` files of a folder, or of `triangle_real_data` in it, ordered by name."""
    for place in (folder, folder / "triangle_real_data"):
        if found := sorted(place.glob("*.h5"), key=lambda path: path.name):
            return found
    raise InputError(f"{folder} holds no .h5 file: `trifeature data how touch-contact` says more")


def _tested(count: int, owners: list[int], options: TouchOptions) -> Array:
    """Whether each file is tested on, [N]."""
    by_file = options.split == "published"
    units = count if by_file else len(set(owners))
    order = np.arange(units)
    np.random.default_rng(SPLIT_SEED if by_file else options.seed).shuffle(order)
    chosen = order[units - int(0.2 * units) :]
    if not len(chosen):
        raise InputError(f"{units} {'files' if by_file else 'trajectories'} are too few to split")
    return np.isin(np.arange(count) if by_file else owners, chosen)


# --------------------------------------------------------------------------- files


def _tables(paths: list[Path], wanted: _Wanted) -> tuple[dict[str, Array], Array, dict[str, str]]:
    """Items of each modality [P, …], what is to be predicted [P, …], and digests of the files."""
    h5py = _h5py()
    rng = np.random.default_rng(wanted.options.seed)
    tables: dict[str, Array] = {}
    digests: dict[str, str] = {}
    for place, path in enumerate(paths):
        content = path.read_bytes()  # read once, for the digest and for what it holds
        digests[path.name] = hashlib.sha256(content).hexdigest()
        read = _recording(_opened(h5py, path, content, wanted), path, wanted)
        chosen = _chosen_steps(len(read["target"]), wanted.options.last, rng)
        if not tables:
            tables = {name: _table(name, values, len(paths)) for name, values in read.items()}
        for name, values in read.items():
            if values.shape != tables[name].shape[1:]:
                raise InputError(
                    f"{path}: {name!r} has shape {list(values.shape)}, in the files before "
                    f"{list(tables[name].shape[1:])}"
                )
            tables[name][place] = values[chosen]
    flat = {name: x.reshape(-1, *x.shape[2:]) for name, x in tables.items()}
    target = flat.pop("target")
    return flat, target, digests


def _table(name: str, values: Array, count: int) -> Array:
    """Place for the values of all files."""
    # Samples keep uint8 as it is; of other numbers they make copies, up to float64.
    needed = 1.0 * count * values.size * (1 if values.dtype == np.uint8 else 16)
    require_memory(f"{name} of {count:,} files", needed, "reduce the pictures (option `side`)")
    return np.empty((count, *values.shape), values.dtype)


def _chosen_steps(count: int, last: str, rng: np.random.Generator) -> Array:
    """The step of each sample of a file."""
    steps = np.arange(count)
    if last == "random" and count > 1:
        steps[-1] = rng.integers(count - 1)
    return steps


def _opened(h5py: ModuleType, path: Path, content: bytes, wanted: _Wanted) -> dict[str, Array]:
    """The arrays of a file that are wanted, checked."""
    keys = {*(KEYS[name] for name in wanted.modalities), wanted.target}
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            if lacking := sorted(keys - set(file.keys())):
                raise InputError(f"{path} lacks {lacking[0]!r}: it holds {', '.join(file.keys())}")
            arrays = {key: np.asarray(file[key]) for key in sorted(keys)}
    except OSError as problem:
        raise InputError(f"{path} is damaged: {problem}") from None
    _check(path, arrays)
    return arrays


def _recording(arrays: dict[str, Array], path: Path, wanted: _Wanted) -> dict[str, Array]:
    """Modalities at steps 0 … T − 2, and `target` at steps 1 … T − 1."""
    convert = {"image": _pictures, "force": _forces, "proprio": _positions}
    read = {name: convert[name](arrays[KEYS[name]][:-1]) for name in wanted.modalities}
    read["image"] = _reduced(read["image"], wanted.options.side, path)
    after = arrays[wanted.target][1:]
    if wanted.task == "contact":
        read["target"] = after.reshape(len(after), -1).sum(1) > 0
    else:
        read["target"] = after[:, : len(OUTPUTS)].astype(np.float64)
    return read


def _check(path: Path, arrays: dict[str, Array]) -> None:
    """Shapes as they are filed."""
    least = {
        "image": (2, 1, 1, 1),
        "ee_forces_continuous": (2, FORCES, 1),
        "proprio": (2, POSITIONS),
    }
    for key, array in arrays.items():
        sizes = least.get(key, (2,))
        enough = array.ndim >= len(sizes) and all(
            have >= need for have, need in zip(array.shape, sizes, strict=False)
        )
        if not enough or (key in least and array.ndim != len(sizes)):
            raise InputError(f"{path}: {key!r} has shape {list(array.shape)}: at least {sizes}")
    if "image" in arrays and 3 not in (arrays["image"].shape[1], arrays["image"].shape[-1]):
        raise InputError(f"{path}: 'image' must have 3 channels: {list(arrays['image'].shape)}")
    if "image" in arrays and arrays["image"].dtype != np.uint8:
        raise InputError(f"{path}: 'image' must be uint8, not {arrays['image'].dtype}")
    counts = {key: len(array) for key, array in arrays.items()}
    if len(set(counts.values())) != 1:
        raise InputError(f"{path}: the numbers of steps differ: {counts}")


def _pictures(images: Array) -> Array:
    """The middle of pictures as [T, 3, S, S], S at most 128."""
    channels_last = images.shape[-1] == 3
    images = images.transpose(0, 3, 1, 2) if channels_last else images
    side = min(SIDE, *images.shape[2:])
    top, left = (round((length - side) / 2) for length in images.shape[2:])
    return images[:, :, top : top + side, left : left + side]


def _reduced(images: Array, side: int, path: Path) -> Array:
    """Pictures [T, 3, S, S] reduced to so many rows and columns, each a mean of a block."""
    S = images.shape[-1]
    if side >= S:
        return images
    if S % side:
        raise InputError(f"{path}: side must divide {S}, the pictures' rows; {side} does not")
    blocks = images.reshape(*images.shape[:2], side, S // side, side, S // side)
    reduced: Array = np.rint(blocks.mean((3, 5))).astype(np.uint8)
    return reduced


def _forces(forces: Array) -> Array:
    """The last readings of each step, [T, 32, 6], as tanh: some are very large."""
    limited: Array = np.tanh(forces[:, -FORCES:].astype(np.float32))
    return limited


def _positions(positions: Array) -> Array:
    """The first 8 numbers, [T, 8]."""
    return positions[:, :POSITIONS]


def _h5py() -> ModuleType:
    try:
        return importlib.import_module("h5py")  # optional, and needed here alone
    except ImportError:
        raise InputError("files of Vision&Touch need h5py: pip install h5py") from None
