"""Films: words, people, a table with gaps and many labels, from a database the test writes."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_files import installed

from trifeature.errors import InputError
from trifeature.real.catalog import load_real
from trifeature.real.packaged.films import NOTHING, UNKNOWN, FilmsOptions, coded, facts, read_films
from trifeature.samples import Samples

OMDB = """create table omdb (ID integer, imdbID text, Title text, Year integer, Rating text,
    Runtime real, Genre text, Released text, Director text, Writer text, "Cast" text,
    Metacritic integer, imdbRating real, imdbVotes integer, Language text, Country text,
    Awards text, lastUpdated text, Oscars integer)"""
TOMATOES = """create table tomatoes (ID integer, Image text, Rating real, Meter integer,
    Reviews integer, Fresh integer, Rotten integer, Consensus text, userMeter integer,
    userRating real, userReviews integer, DVD text, BoxOffice real, Production text, Website text,
    lastUpdated text)"""

FILMS: list[dict[str, Any]] = [
    {
        "ID": n,
        "imdbID": f"tt{n // 2 if n < 2 else n}",  # the first two are one film
        "Title": f"The Film, Part {n % 3}",
        "Year": 1990 + n,
        "Rating": ("R", "PG", None)[n % 3],
        "Runtime": None if n % 4 == 0 else 90.0 + n,
        "Genre": ("Drama, Crime", "Comedy", "Drama", "")[n % 4],
        "Director": "A. B",
        "Writer": None if n % 2 else "A. B, C D",
        "Cast": "E F, C D" if n % 5 else "",
        "Metacritic": None,
        "Language": ("English, French", "French")[n % 2],
        "Country": "France",
        "Oscars": n % 2,
        "Meter": 10 * (n % 10),
        "Stars": 5.5,
        "Reviews": 5 + n,
        "BoxOffice": None if n % 3 else 1000.0 * n,
    }
    for n in range(24)
]
"""As their tables hold them; without a genre are every fourth, from the third on."""


def write(folder: Path, films: Sequence[dict[str, Any]] = FILMS) -> Path:
    with sqlite3.connect(folder / "movies.db") as base:
        base.execute(OMDB)
        base.execute(TOMATOES)
        for film in reversed(films):  # rows have no order
            for table, names in {
                "omdb": 'ID imdbID Title Year Rating Runtime Genre Director Writer "Cast" '
                "Metacritic Language Country Oscars",
                "tomatoes": "ID Rating Meter Reviews BoxOffice",
            }.items():
                columns = names.split()
                own = film | ({"Rating": film["Stars"]} if table == "tomatoes" else {})
                places = ", ".join("?" * len(columns))
                base.execute(
                    f"insert into {table} ({', '.join(columns)}) values ({places})",  # noqa: S608
                    [own[name.strip('"')] for name in columns],
                )
    base.close()
    return folder


@pytest.fixture(scope="module")
def kept() -> list[dict[str, Any]]:
    return [film for film in FILMS if film["Genre"]]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return read_films(write(tmp_path_factory.mktemp("films")), FilmsOptions(least=1, people=3))


def test_films_with_a_genre_have_three_modalities(
    samples: Samples, kept: list[dict[str, Any]]
) -> None:
    assert [(m.name, m.kind) for m in samples.modalities] == [
        ("title", "tokens"),
        ("cast", "tokens"),
        ("table", "vector"),
    ]
    assert len(samples.items["all"][0]) == len(kept) == 18
    genres = samples.tasks["genre"]
    assert (genres.kind, genres.names) == ("labels", ("Comedy", "Crime", "Drama"))
    for one in samples.sets.values():
        for p, labels in zip(one.rows[:, 0], one.labels["genre"], strict=True):
            assert labels.tolist() == [name in kept[p]["Genre"] for name in genres.names]


def test_two_entries_of_one_film_are_in_one_set(tmp_path: Path) -> None:
    write(tmp_path)
    for seed in range(5):
        films = read_films(tmp_path, FilmsOptions(seed=seed))
        train, test = (set(films.sets[name].rows[:, 0]) for name in ("train", "test"))
        assert not train & test
        assert len({0, 1} & test) in (0, 2)
        assert len(train) + len(test) == 18


def test_tokens_are_equal_where_words_are(samples: Samples, kept: list[dict[str, Any]]) -> None:
    title, cast, _ = samples.items["all"]
    for p, film in enumerate(kept):
        words = film["Title"].lower().replace(",", "").split()
        assert int((~title[p].isnan()).sum()) == len(words) == 4
        names = ["A. B", *([] if film["Writer"] is None else ["C D"])]
        names += [x for x in ("E F", "C D") if x in film["Cast"] and x not in names]
        assert int((~cast[p].isnan()).sum()) == len(names[:3])
    assert len(title[:, 0].unique()) == 1  # every title begins with "the"
    assert len(title[:, 3].unique()) == 3
    by_part = {film["Title"]: title[p, 3].item() for p, film in enumerate(kept)}
    assert all(by_part[film["Title"]] == title[p, 3].item() for p, film in enumerate(kept))


def test_rare_words_are_unknown_and_counts_are_of_training_texts_alone() -> None:
    texts = [["a", "b", "a"], ["b", "c"], [], ["c", "c", "d"]]
    tokens, size = coded(texts, np.array([0, 1]), least=1)
    assert size == 5  # unknown, nothing, b (2 texts), a, c
    assert tokens == [[3, 2, 3], [2, 4], [NOTHING], [4, 4, UNKNOWN]]
    assert coded(texts, np.array([0, 1]), least=2) == ([[0, 2, 0], [2, 0], [1], [0, 0, 0]], 3)


def test_a_missing_number_is_the_training_mean_and_is_marked(kept: list[dict[str, Any]]) -> None:
    train = np.arange(12)
    table = facts(kept, train)
    assert np.isfinite(table).all()
    runtime = np.array([np.nan if f["Runtime"] is None else f["Runtime"] for f in kept])
    mean = float(np.nanmean(runtime[:12]))
    expected = [[mean if np.isnan(x) else x, float(np.isnan(x))] for x in runtime]
    np.testing.assert_allclose(table[:, 1:3], expected)
    assert table[:, 0].tolist() == [film["Year"] for film in kept]
    # Never known: a column of zeros, and one of ones.
    assert table[:, 3:5].tolist() == [[0.0, 1.0]] * len(kept)
    gross = np.array([np.nan if f["BoxOffice"] is None else f["BoxOffice"] for f in kept])
    logs = np.log(1 + gross)
    column = np.where(np.isnan(logs), np.nanmean(logs[:12]), logs)
    assert any(np.allclose(column, table[:, c]) for c in range(table.shape[1]))
    for word, name in (("English", "Language"), ("French", "Language"), ("R", "Rating")):
        flags = [float(word in (film[name] or "").split(", ")) for film in kept]
        assert flags in table.T.tolist(), word


@pytest.mark.parametrize(
    ("films", "words"),
    [
        ([FILMS[3]], "holds no film with a genre"),
        ([FILMS[0]], "too few to split"),
        ([film | {"Runtime": "long"} for film in FILMS], "column Runtime holds 'long'"),
    ],
)
def test_a_wrong_database_is_one_line(
    tmp_path: Path, films: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_films(write(tmp_path, films), FilmsOptions())


def test_a_file_that_is_none_is_one_line_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_films(tmp_path, FilmsOptions())
    assert not list(tmp_path.iterdir())
    (tmp_path / "movies.db").write_text("not a database, but long enough for a header of one")
    with pytest.raises(InputError, match="is no database of films"):
        read_films(tmp_path, FilmsOptions())
    with pytest.raises(InputError, match="least must be a whole number"):
        FilmsOptions(least=0)


@pytest.mark.slow  # a second of reading 17,029 films; the catalog checks the file by its digest
def test_the_published_file_has_the_published_size() -> None:
    films = load_real("films", installed("films"))
    assert sum(len(films.sets[name]) for name in ("train", "test")) == 17_029
    assert films.tasks["genre"].classes == 21
