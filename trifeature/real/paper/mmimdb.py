"""Reader of MM-IMDb: posters and plots of films, of 23 genres any number each.

A folder holds `split.json`, with lists of identifiers `train`, `dev` and `test` (15,552, 2,608 and
7,799 films), and `dataset/ID.json`, with `plot` (a list of texts) and `genres` (a list), and
`dataset/ID.jpeg`, 8 GB altogether. MultiBench's own `multimodal_imdb.hdf5` is another format.

Posters are resized so that the shorter side is `side`, and cropped to the middle, as published for
testing. Training views crop these squares; the published ones crop the whole poster. Plots are
read as words, of which those of train and dev are known. The published code draws one of a film's
plots anew each time, in testing too; here a film has its first plot (`plot="first"`), or one that
is drawn once (`plot="random"`). Genres besides the 23 (news, adult, …) are left out, as published,
and counted.

The paper's CLIP and BLIP-2 features are precomputed elsewhere: `frozen="FOLDER"` reads `image.npz`
and `text.npz` of a folder in their place, see `trifeature.real.frozen`.

P films.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.checks import require_choice, require_memory, require_text, require_whole
from trifeature.errors import InputError
from trifeature.files import read_json
from trifeature.real.frozen import features_at, read_features_of
from trifeature.real.paper.published import (
    VALIDATIONS,
    file_at,
    joint_digest,
    with_findings,
    with_validation,
)
from trifeature.real.source import sha256_of
from trifeature.samples import Samples

Array = npt.NDArray[Any]

GENRES: Final = (
    "action",
    "adventure",
    "animation",
    "biography",
    "comedy",
    "crime",
    "documentary",
    "drama",
    "family",
    "fantasy",
    "film-noir",
    "history",
    "horror",
    "music",
    "musical",
    "mystery",
    "romance",
    "sci-fi",
    "short",
    "sport",
    "thriller",
    "war",
    "western",
)
"""The 23 genres."""

PARTS: Final = ("train", "dev", "test")
"""The parts of the split."""

PLOTS: Final = ("first", "random")
"""Which of a film's plots is read."""


@dataclass(frozen=True)
class MmimdbOptions:
    """Options of `read_mmimdb`.

    Attributes:
        side: Rows and columns of posters.
        plot: `first` or `random`, see `PLOTS`.
        words: Number of words of a plot that are kept, the first ones.
        frozen: Folder with features `image` and `text` of `read_features`, in the set's folder or
            anywhere; empty to read posters and plots.
        validation: Whether probes are fitted on the films of `dev` too, see `VALIDATIONS`.
        seed: Seed of `plot="random"`.
    """

    side: int = 224
    plot: str = "first"
    words: int = 128
    frozen: str = ""
    validation: str = "probe"
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "side", require_whole("side", self.side, 8))
        require_choice("plot", self.plot, PLOTS)
        object.__setattr__(self, "words", require_whole("words", self.words, 1))
        require_text("frozen", self.frozen)
        require_choice("validation", self.validation, VALIDATIONS)
        require_whole("seed", self.seed, 0)


def read_mmimdb(folder: Path, options: MmimdbOptions | None = None) -> Samples:
    """Read `split.json` and `dataset/`: modalities `image` and `text`, task `genres`.

    Raises:
        InputError: a file is missing or damaged, or posters need more memory than there is.
    """
    options = options or MmimdbOptions()
    split_file = file_at(folder, "split.json")
    split, folder = _split(split_file), split_file.parent
    ids = [name for part in PARTS for name in split[part]]
    owner = np.repeat(PARTS, [len(split[part]) for part in PARTS])
    films = [_film(folder, name) for name in ids]
    labels, others = _genres([film["genres"] for film in films])
    items = (
        _frozen(folder, options.frozen, ids)
        if options.frozen
        else _read(folder, ids, films, options)
    )
    samples = Samples.from_arrays(
        items,
        {"genres": {genre: labels[:, place] for place, genre in enumerate(GENRES)}},
        splits=np.where(owner == "test", "test", "train"),
        kinds={name: _kind_of_features(x) for name, x in items.items()}
        if options.frozen
        else {"image": "image", "text": "tokens"},
        encoders={"image": "frozen", "text": "frozen"} if options.frozen else None,
        standardize=False,
        task_kinds={"genres": "labels"},
    )
    return with_findings(
        with_validation(samples, owner == "dev", options.validation),
        content={f"{len(ids)} films": _digest(folder, ids)},
        other_genres=others,
    )


def _split(path: Path) -> dict[str, list[str]]:
    """Identifiers of each part."""
    content = read_json(path)
    for part in PARTS:
        names = content.get(part)
        if not isinstance(names, list) or not names:
            raise InputError(f"{path} must hold a list of identifiers {part!r}")
    found = {part: [str(name) for name in content[part]] for part in PARTS}
    counts = Counter(name for names in found.values() for name in names)
    name, most = counts.most_common(1)[0]
    if most > 1:
        raise InputError(f"{path} names film {name!r} {most} times: each belongs to one part")
    return found


def _film(folder: Path, name: str) -> dict[str, Any]:
    """A film's entry, checked."""
    path = _path(folder, name, "json")
    film = read_json(path)
    for key in ("plot", "genres"):
        values = film.get(key)
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise InputError(f"{path}: {key!r} must be a list of texts")
    return film


def _path(folder: Path, name: str, ending: str) -> Path:
    """A file of a film. An identifier is a name, never a path that leads elsewhere."""
    if Path(name).name != name:
        raise InputError(f"{name!r} is no identifier of a film")
    return folder / "dataset" / f"{name}.{ending}"


def _genres(lists: Sequence[Sequence[str]]) -> tuple[Array, dict[str, int]]:
    """0 and 1 for each film and genre, int64 [P, 23], and how often other genres are named."""
    places = {genre: place for place, genre in enumerate(GENRES)}
    labels = np.zeros((len(lists), len(GENRES)), np.int64)
    others: Counter[str] = Counter()
    for row, names in zip(labels, lists, strict=True):
        for name in (one.lower() for one in names):
            if name in places:
                row[places[name]] = 1
            else:
                others[name] += 1
    return labels, dict(sorted(others.items()))


# --------------------------------------------------------------------------- modalities


def _read(
    folder: Path, ids: list[str], films: list[dict[str, Any]], options: MmimdbOptions
) -> dict[str, Any]:
    """Posters, uint8 [P, 3, S, S], and plots, texts."""
    rng = np.random.default_rng(options.seed)
    plots = [_plot(film["plot"], options, rng) for film in films]
    return {"image": _posters(folder, ids, options.side), "text": plots}


def _plot(plots: list[str], options: MmimdbOptions, rng: np.random.Generator) -> str | None:
    """The first words of a film's plot; None if it has none."""
    if not plots:
        return None
    place = int(rng.integers(len(plots))) if options.plot == "random" else 0
    return " ".join(plots[place].split()[: options.words]) or None


def _posters(folder: Path, ids: list[str], side: int) -> Array:
    needed = 3.0 * len(ids) * side**2
    require_memory(f"{len(ids):,} posters", needed, "read smaller ones (option `side`)")
    table = np.empty((len(ids), 3, side, side), np.uint8)
    for row, name in zip(table, ids, strict=True):
        row[:] = _poster(_path(folder, name, "jpeg"), side)
    return table


def _poster(path: Path, side: int) -> Array:
    """A poster, uint8 [3, S, S]: its shorter side resized to S, its middle."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except (OSError, UnidentifiedImageError) as problem:
        raise InputError(f"{path} is damaged: {problem}") from None
    width, height = image.size
    shorter = min(width, height)
    size = (side * width // shorter, side * height // shorter)
    resized = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    top, left = (round((length - side) / 2) for length in resized.shape[:2])
    return resized[top : top + side, left : left + side].transpose(2, 0, 1)


def _frozen(folder: Path, name: str, ids: list[str]) -> dict[str, Any]:
    """Features of posters and plots in the order of the films."""
    place = folder / name if (folder / name).is_dir() else Path(name).expanduser()
    return {key: read_features_of(features_at(place, key), ids) for key in ("image", "text")}


def _kind_of_features(features: Any) -> str:
    """Told here, since a plugin may bring another kind of as many dimensions."""
    return "series" if any(x is not None and x.ndim == 2 for x in features) else "vector"


def _digest(folder: Path, ids: list[str]) -> str:
    """One SHA-256 of all entries. Posters and features are in the digest of the samples."""
    paths = [_path(folder, name, "json") for name in ids]
    return joint_digest({f"dataset/{path.name}": sha256_of(path) for path in paths})
