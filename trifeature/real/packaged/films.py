"""Films: title, people and facts from Wikidata, and genres, several a film.

The file is an SQLite database with two tables, `omdb` and `tomatoes`, joined by `ID`. Films
without a genre are left out. Three modalities:

- `title`: its words, in lower case.
- `cast`: directors, writers and cast, in this order, each person a token. The file lists a cast
  by the alphabet, so that the first names are no leading parts.
- `table`: a vector of numbers that may be missing (`NUMBERS`), certificate, languages, countries.
  A missing number becomes the mean of the training films, and a column beside it says 1 where it
  was missing, so that a reader can tell. Of languages and countries the most frequent are columns
  of 0 and 1; certificates too, none of them where it is missing. Gross and numbers of reviews
  enter as logarithms.

Words, people, means and columns are those of the training films alone. A word or person of fewer
than `least` training films is one unknown word or person. The 39 films that name no one have a
token that says so, since methods learn from films with every modality. The critics' scores are what
Wikidata states, the gross is the largest that it states, in dollars of the day.

P films.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.arrays import WORD
from trifeature.checks import require_number, require_whole
from trifeature.errors import InputError
from trifeature.real.packaged.tables import split_by_class
from trifeature.real.source import find_file
from trifeature.samples import Samples

Array = npt.NDArray[Any]
Film = Mapping[str, Any]

FILE: Final = "movies.db"

NUMBERS: Final = {
    "Year": False,
    "Runtime": False,
    "Metacritic": False,
    "Oscars": False,
    "Meter": False,
    "Stars": False,
    "Reviews": True,
    "BoxOffice": True,
}
"""Columns of numbers, and whether the logarithm is taken. `Stars` is the critics' mean score."""

LISTS: Final = {"Rating": 6, "Language": 12, "Country": 12}
"""Columns of one or several words, and how many of the most frequent become columns."""

PEOPLE: Final = ("Director", "Writer", "Cast")
UNKNOWN: Final = 0
"""The token of every word or person that too few training films have."""

NOTHING: Final = 1
"""The one token of a film that names no one, or whose title has no word."""

QUERY: Final = """
    select omdb.imdbID, omdb.Title, omdb.Genre, omdb.Director, omdb.Writer, omdb."Cast",
           omdb.Rating, omdb.Language, omdb.Country, omdb.Year, omdb.Runtime, omdb.Metacritic,
           omdb.Oscars, tomatoes.Meter, tomatoes.Rating as Stars, tomatoes.Reviews,
           tomatoes.BoxOffice
    from omdb join tomatoes using (ID)
    where omdb.Genre is not null and omdb.Genre != ''
    order by omdb.ID
"""


@dataclass(frozen=True)
class FilmsOptions:
    """How films are read and split.

    Attributes:
        least: A word or person of fewer training films is unknown.
        people: Most people of a film; those after them are left out.
        test_fraction: Fraction of the films to test on.
        seed: Seed of the split.

    Raises:
        InputError: a value is wrong.
    """

    least: int = 3
    people: int = 24
    test_fraction: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        require_whole("least", self.least, 1)
        require_whole("people", self.people, 1)
        require_number("test_fraction", self.test_fraction, above=0, below=1)
        require_whole("seed", self.seed, 0)


def read_films(folder: Path, options: FilmsOptions) -> Samples:
    """Read the films as samples of tokens, tokens and a vector.

    Args:
        folder: Folder with the file.
        options: Vocabularies and split.

    Returns:
        Samples with the task `genre` of many labels, whose groups are the films: two entries of
        one film are never on both sides of a split.

    Raises:
        InputError: the file is missing or is no such database.
    """
    films = _films(find_file(folder, FILE))
    groups = np.array([film["imdbID"] for film in films])
    split = _split(groups, options)
    train = np.flatnonzero(split == "train")
    title, words = coded([_words(film) for film in films], train, options.least)
    people, names = coded([_people(film, options.people) for film in films], train, options.least)
    return Samples.from_arrays(
        {"title": title, "cast": people, "table": facts(films, train)},
        {"genre": _genres(films)},
        groups=groups,
        splits=split,
        kinds={"title": "tokens", "cast": "tokens"},
        vocabularies={"title": words, "cast": names},
    )


def _films(path: Path) -> list[Film]:
    """The films with a genre, in the order of their ID."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        # Read-only, and without the files that SQLite would put beside it.
        base = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    except sqlite3.Error as problem:
        raise InputError(f"{path} cannot be opened: {problem}") from None
    try:
        base.row_factory = sqlite3.Row
        films: list[Film] = [dict(row) for row in base.execute(QUERY)]
    except sqlite3.Error as problem:
        raise InputError(f"{path} is no database of films: {problem}") from None
    finally:
        base.close()
    if not films:
        raise InputError(f"{path} holds no film with a genre")
    return films


def _split(groups: Array, options: FilmsOptions) -> Array:
    """The set of each entry: films are of many genres, so all count as one class."""
    count = len(np.unique(groups))
    if max(1, round(options.test_fraction * count)) >= count:
        raise InputError(f"{count} films are too few to split")
    one_class = np.zeros(len(groups), np.int64)
    return split_by_class(one_class, groups, options.test_fraction, options.seed)


def listed(text: Any) -> list[str]:
    """The entries of a list with commas; none of a missing one.

    >>> listed("Drama, Crime"), listed(None)
    (['Drama', 'Crime'], [])
    """
    return [word for word in str(text or "").split(", ") if word]


def _words(film: Film) -> list[str]:
    return WORD.findall(str(film["Title"]).lower())


def _people(film: Film, most: int) -> list[str]:
    """The people of a film, each once."""
    names = (name for column in PEOPLE for name in listed(film[column]))
    return list(dict.fromkeys(names))[:most]


def coded(texts: Sequence[Sequence[str]], train: Array, least: int) -> tuple[list[list[int]], int]:
    """Words as tokens: numbers in the order of their frequency in training texts.

    Args:
        texts: P lists of words.
        train: Places of the training texts.
        least: A word of fewer training texts is the token `UNKNOWN`.

    Returns:
        The tokens of each text, `NOTHING` of a text without words, and the size of the vocabulary.
    """
    counts = Counter(word for p in train.tolist() for word in dict.fromkeys(texts[p]))
    known = sorted((x for x in counts if counts[x] >= least), key=lambda x: (-counts[x], x))
    places = {word: place for place, word in enumerate(known, NOTHING + 1)}
    tokens = [[places.get(x, UNKNOWN) for x in text] or [NOTHING] for text in texts]
    return tokens, len(known) + 2


def _genres(films: Sequence[Film]) -> dict[str, npt.NDArray[np.int64]]:
    """For each genre, by the alphabet, whether films are of it, [P]."""
    own = [frozenset(listed(film["Genre"])) for film in films]
    names = sorted(frozenset().union(*own))
    return {name: np.array([name in one for one in own], dtype=np.int64) for name in names}


def facts(films: Sequence[Film], train: Array) -> npt.NDArray[np.float64]:
    """The vector of facts of each film [P, F], see the module."""
    columns: list[Array] = []
    for name, logarithm in NUMBERS.items():
        columns += _number(_floats(name, films), train, logarithm=logarithm)
    for name, most in LISTS.items():
        columns += _indicators([listed(film[name]) for film in films], train, most)
    return np.stack(columns, axis=1)


def _floats(name: str, films: Iterable[Film]) -> npt.NDArray[np.float64]:
    """A column of numbers, NaN where missing."""
    values = [film[name] for film in films]
    if wrong := [x for x in values if not isinstance(x, int | float | None)]:
        raise InputError(f"films: column {name} holds {wrong[0]!r}, which is no number")
    return np.array([np.nan if x is None else float(x) for x in values])


def _number(values: Array, train: Array, *, logarithm: bool) -> list[Array]:
    """A column without gaps; if there were any in training films, a second that marks them."""
    numbers = np.log1p(np.maximum(values, 0)) if logarithm else values
    missing = np.isnan(numbers)
    known = numbers[train][~missing[train]]
    filled = np.where(missing, known.mean() if len(known) else 0.0, numbers)
    return [filled, missing.astype(np.float64)] if missing[train].any() else [filled]


def _indicators(lists: Sequence[Sequence[str]], train: Array, most: int) -> list[Array]:
    """0 and 1 for each of the most frequent words of training films."""
    counts = Counter(word for p in train.tolist() for word in lists[p])
    chosen = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    return [np.array([float(word in one) for one in lists]) for word in chosen]
