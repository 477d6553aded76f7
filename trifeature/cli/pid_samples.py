"""The commands `trifeature pid ...` that read samples: a thin shell over `trifeature.pid`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trifeature import report
from trifeature.cli.common import csv_cell, say, warn
from trifeature.cli.options import refuse_unused
from trifeature.cli.pid import (
    Format,
    FormatOption,
    PictureOption,
    Row,
    draw,
    print_rows,
    warnings_as_lines,
)
from trifeature.cli.pid import app as app  # noqa: PLC0414 - re-exported with more commands
from trifeature.cli.progress import counting
from trifeature.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from trifeature.pid.files import FileColumns

FileArgument = Annotated[
    Path, typer.Argument(help="A file with a header line: CSV, TSV, semicolons, or Parquet.")
]
SourceOption = Annotated[
    list[str], typer.Option(help="A source: a column, or several joined by commas. Repeat it.")
]
TargetOption = Annotated[str, typer.Option(help="The column that the atoms are about.")]
BinsOption = Annotated[
    str | None,
    typer.Option(
        help="For numbers that look continuous: a number of bins, auto (the most that the rows can "
        "carry), or categories (each value as it is)."
    ),
]
BinningOption = Annotated[
    str | None,
    typer.Option(help="count: bins of equally many rows; width: of equal width. [count]"),
]
MissingOption = Annotated[
    str | None, typer.Option(help="refuse rows that lack a value, or drop them. [refuse]")
]
LevelOption = Annotated[
    float | None, typer.Option(help="Confidence level of the intervals. [0.95]")
]
SeedOption = Annotated[
    int | None, typer.Option(min=0, help="Seed of folds, splits and permutations. [0]")
]

SCREENED: Final = (
    *("source1", "source2", "redundancy", "unique1", "unique2", "synergy", "total"),
    *("p_value_total", "q_value_total", "too_few"),
)
"""Columns of `screen` that fit a terminal; the others are in its files."""
LOCAL: Final = ("redundancy", "unique1", "unique2", "synergy", "total")
METHODS: Final = ("clusters", "dual", "gaussian")


@app.command()
def atoms(
    *,
    file: FileArgument,
    source: SourceOption,
    target: TargetOption,
    exact: Annotated[
        bool, typer.Option("--exact", help="Only the certified atoms of the rows as they are.")
    ] = False,
    method: Annotated[
        str | None, typer.Option(help="table: count values. gaussian: numbers as they are. [table]")
    ] = None,
    measure: Annotated[
        str | None, typer.Option(help="The measure of redundancy; see `measures`. [BROJA]")
    ] = None,
    correction: Annotated[
        str | None,
        typer.Option(
            help="crossfit: with intervals and p-values, of BROJA. Points alone: none, linear, "
            "quadratic, shuffle, both. [crossfit; linear for other measures]"
        ),
    ] = None,
    bins: BinsOption = None,
    binning: BinningOption = None,
    level: LevelOption = None,
    weights: Annotated[str | None, typer.Option(help="A column of weights of the rows.")] = None,
    counts: Annotated[
        str | None, typer.Option(help="A column that says how often each row occurred.")
    ] = None,
    given: Annotated[
        str | None, typer.Option(help="A column: the mean of the atoms at each of its values.")
    ] = None,
    missing: MissingOption = None,
    copula: Annotated[
        bool, typer.Option("--copula", help="With gaussian: take normal scores of ranks first.")
    ] = False,
    shrinkage: Annotated[
        str | None, typer.Option(help="With gaussian: auto, or a weight from 0 to 1.")
    ] = None,
    seed: SeedOption = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """Estimate the atoms of two sources about a target from the rows of a file.

    `bits` is the estimate, `low` and `high` its interval, `p_value` tests that this atom is 0, and
    `plug_in` is the biased number of the rows as they are.
    """
    if len(source) != 2:
        raise InputError(f"name exactly two sources with --source, got {len(source)}")
    extra = [name for name in (weights, counts, given) if name is not None]
    groups, found = _read(file, [*source, target, *extra], missing)
    one, other = groups[0], groups[1]
    about = _single("--target", groups[2])
    _require_other(one, other, (about,))
    columns = found.columns
    parts = [{name: columns[name] for name in group} for group in (one, other, (about,))]
    names = ("+".join(one), "+".join(other), about)
    title = f"{names[0]} and {names[1]} about {about}"
    if exact:
        used = {
            "--correction": correction is not None,
            "--level": level is not None,
            "--seed": seed is not None,
            "--method": method is not None,
            "--given": given is not None,
            "--weights": weights is not None,
            "--counts": counts is not None,
        }
        refuse_unused(used, "cannot go with --exact: nothing is estimated")
        _exact(parts, names, title, measure, _bins(bins), binning, output, picture)
        return
    from trifeature.pid.estimator import PID

    settings: dict[str, Any] = {
        "method": method,
        "measure": measure,
        "correction": correction,
        "bins": _bins(bins),
        "binning": binning,
        "interval": level,
        "seed": seed,
        "shrinkage": _number_or_word(shrinkage),
    }
    if correction is None and measure is not None and measure.casefold() != "broja":
        settings["correction"] = "linear"
    chosen = {name: value for name, value in settings.items() if value is not None}
    extras = iter(groups[3:])
    options = {
        name: columns[_single(f"--{name}", next(extras))]
        for name, value in (("weights", weights), ("counts", counts), ("given", given))
        if value is not None
    }
    for name in ("weights", "counts"):
        if name in options:
            options[name] = _as_numbers(name, options[name])
    with warnings_as_lines():
        fitted = PID(copula=copula, **chosen).fit(*parts, names=names, **options)
    print_rows(fitted.estimate_.rows(), output, title, digits=4)
    if output is Format.table:
        say(fitted.estimate_.sentence)
        for name, count in fitted.bins_.items():
            say(f"{name}: {count} bins ({', '.join(map(str, fitted.values_[name]))})")
    if picture is not None:
        _write(fitted.plot(), picture)


def _exact(
    parts: list[dict[str, Any]],
    names: tuple[str, str, str],
    title: str,
    measure: str | None,
    bins: Any,
    binning: str | None,
    output: Format,
    picture: Path | None,
) -> None:
    from trifeature.pid.measures import MEASURES, decompose
    from trifeature.pid.samples import joint_counts

    folded = {name.casefold(): name for name in MEASURES}
    chosen = folded.get((measure or "BROJA").casefold(), measure or "BROJA")
    counts = joint_counts(*parts, bins=bins, binning=binning or "count")
    found = decompose(counts, chosen, normalize=True, sources=(names[0], names[1]), target=names[2])
    print_rows(report.atom_rows([found]), output, title)
    draw({title: [found]}, picture)


@app.command()
def calibrate(
    names: Annotated[
        list[str] | None, typer.Argument(help="Distributions of `gallery`; all by default.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file whose rows' frequencies are the distribution.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="With --file: a source. Twice.")] = None,
    target: Annotated[str | None, typer.Option(help="With --file: the target.")] = None,
    bins: BinsOption = None,
    method: Annotated[
        str, typer.Option(help="table; or gaussian: thirteen Gaussian laws, and their estimates.")
    ] = "table",
    sizes: Annotated[str, typer.Option(help="Numbers of rows.")] = "64,256,1024,4096",
    repetitions: Annotated[int, typer.Option(help="Samples of each distribution and size.")] = 1000,
    level: LevelOption = None,
    seed: SeedOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Append rows to this file (JSON lines); goes on where it was."),
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Measure how often the intervals cover, how wide they are, and how often the tests reject.

    Samples are drawn from distributions whose atoms are known exactly.
    """
    from trifeature.errors import check_name
    from trifeature.pid.calibration import calibrate as measure

    numbers = [_whole("--sizes", part) for part in sizes.split(",")]
    if check_name("method", method, ("table", "gaussian")) == "gaussian":
        given = {"--file": file is not None, "--level": level is not None, "--bins": bool(bins)}
        refuse_unused(given | {"--out": out is not None}, "cannot go with --method gaussian")
        if names:
            raise InputError("--method gaussian has laws of its own: name none")
        from trifeature.pid.gaussians.calibration import calibrate_gaussian

        found_rows = calibrate_gaussian(
            samples=numbers, repetitions=repetitions, seed=seed or 0, bootstraps=300
        )
        print_rows(found_rows, output, digits=3)
        return
    laws: Any = names
    if file is not None:
        if names or source is None or len(source) != 2 or target is None:
            raise InputError("with --file name two sources and a target, and no distribution")
        from trifeature.pid.samples import joint_counts

        groups, found = _read(file, [*source, target], None)
        parts = [{name: found.columns[name] for name in group} for group in groups]
        laws = {str(file): joint_counts(*parts, bins=_bins(bins))}
    elif source or target:
        raise InputError("--source and --target go with --file")
    with counting("calibrating") as progress:
        rows = measure(
            laws,
            numbers,
            repetitions,
            level=0.95 if level is None else level,
            seed=seed or 0,
            out=out,
            progress=progress,
        )
    shown = rows
    if output is not Format.json:
        shown = [{**row, "shape": " x ".join(map(str, row["shape"]))} for row in rows]
    print_rows(shown, output, digits=3)
    if output is Format.table:
        withheld = sum(row["withheld"] for row in rows)
        kept = sum(row["holds"] is True for row in rows)
        say(f"{kept} of {len(rows)} atoms hold, {withheld} are withheld.")


@app.command()
def sources(
    file: FileArgument,
    source: SourceOption,
    target: TargetOption,
    bins: BinsOption = None,
    missing: MissingOption = None,
    output: FormatOption = Format.table,
) -> None:
    """What each of two or more sources alone adds, and what all tell only together; certified.

    The numbers are those of the rows as they are.
    """
    from trifeature.pid.sources.coded import source_counts
    from trifeature.pid.sources.union import sources_report

    parts, about, values = _several(file, source, target, missing)
    with warnings_as_lines():
        counts = source_counts(parts, values, target_name=about, bins=_bins(bins))
    found = sources_report(counts, normalize=True, sources=list(parts), target=about)
    print_rows(found.rows(), output, f"{', '.join(parts)} about {about}", digits=4)


@app.command()
def lattice(
    file: FileArgument,
    source: SourceOption,
    target: TargetOption,
    measure: Annotated[str, typer.Option(help="I_min, MMI or I_sx.")] = "I_min",
    bins: BinsOption = None,
    missing: MissingOption = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """The lattice of two to four sources: 4, 18 or 166 atoms of the rows as they are."""
    from trifeature.pid.sources.coded import source_counts
    from trifeature.pid.sources.lattice import lattice_atoms
    from trifeature.pid.sources.lattice_diagram import lattice_diagram

    parts, about, values = _several(file, source, target, missing)
    with warnings_as_lines():
        counts = source_counts(parts, values, target_name=about, bins=_bins(bins))
    found = lattice_atoms(counts, measure, normalize=True, sources=list(parts), target=about)
    print_rows(found.rows(), output, f"{', '.join(parts)} about {about}", digits=4)
    if picture is not None:
        _write(lattice_diagram(found), picture)


@app.command()
def pointwise(
    file: FileArgument,
    source: SourceOption,
    target: TargetOption,
    measure: Annotated[
        str, typer.Option(help='I_sx, I_ccs, I_pm or "pointwise minimum".')
    ] = "I_sx",
    atom: Annotated[
        str, typer.Option(help="Sort by redundancy, unique1, unique2, synergy or total.")
    ] = "synergy",
    top: Annotated[int, typer.Option(min=1, help="Rows with the most and the least to show.")] = 5,
    bins: BinsOption = None,
    missing: MissingOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the columns and the atoms of every row, as CSV.")
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """One value of each atom for every row; shows the rows with the most and the least.

    Rows are numbered by the line of the file.
    """
    from trifeature.files import write_atomically
    from trifeature.pid.sources.pointwise import pointwise_columns

    if len(source) != 2:
        raise InputError(f"name exactly two sources with --source, got {len(source)}")
    groups, found = _read(file, [*source, target], missing)
    one, other, about = groups[0], groups[1], _single("--target", groups[2])
    _require_other(one, other, (about,))
    parts = [{name: found.columns[name] for name in group} for group in groups]
    with warnings_as_lines():
        local = pointwise_columns(
            parts[0],
            parts[1],
            parts[2],
            measure,
            bins=_bins(bins),
            sources=("+".join(one), "+".join(other)),
            target_name=about,
        )
    values = local.columns()

    narrow = [name for name in values if name in LOCAL] if output is Format.table else list(values)

    def row(place: int, names: Iterable[str]) -> Row:
        cells: Row = {"row": found.place(place)}
        cells |= {name: str(found.columns[name][place]) for group in groups for name in group}
        return cells | {name: float(values[name][place]) for name in names}

    chosen = [*local.most(top, atom), *reversed(local.least(top, atom).tolist())]
    print_rows([row(place, narrow) for place in dict.fromkeys(map(int, chosen))], output, digits=3)
    if out is not None:
        every = [row(place, values) for place in range(len(local.total))]
        safe = [{name: csv_cell(cell) for name, cell in one_row.items()} for one_row in every]
        write_atomically(out, report.csv_text(safe).encode())
        warn(f"wrote {len(every)} rows to {out}")


@app.command()
def pairs(
    folder: Annotated[Path, typer.Argument(help="A Trifeature data set of two modalities.")],
    task: Annotated[
        str, typer.Option(help="The task whose label the atoms are about.")
    ] = "synergy",
    atom: Annotated[
        str, typer.Option(help="Sort by redundancy, unique1, unique2, synergy or total.")
    ] = "synergy",
    measure: Annotated[
        str, typer.Option(help='I_sx, I_ccs, I_pm or "pointwise minimum".')
    ] = "I_sx",
    top: Annotated[int, typer.Option(min=1, max=20, help="Pairs with the most and least.")] = 6,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """The test pairs of a data set that tell the most and the least about a label."""
    from trifeature.data.storage import load
    from trifeature.pair_sheet import pair_sheet

    with warnings_as_lines():
        figure, found = pair_sheet(load(folder), task, atom, measure=measure, examples=top)
    values = {name: found.value(name) for name in LOCAL}
    chosen = [*found.most(top, atom), *reversed(found.least(top, atom).tolist())]
    rows = [
        {"pair": str(place), **{name: float(column[place]) for name, column in values.items()}}
        for place in dict.fromkeys(map(int, chosen))
    ]
    print_rows(rows, output, f"test pairs by their {atom} about {found.target}", digits=3)
    if picture is not None:
        _write(figure, picture)


@app.command()
def screen(
    file: FileArgument,
    target: TargetOption,
    column: Annotated[
        list[str] | None, typer.Option(help="A column to pair; all but the target by default.")
    ] = None,
    bins: BinsOption = None,
    binning: BinningOption = None,
    measure: Annotated[str, typer.Option(help="The measure of redundancy.")] = "BROJA",
    correction: Annotated[str, typer.Option(help="shuffle or none.")] = "shuffle",
    shuffles: Annotated[int, typer.Option(help="Shuffled targets whose mean is subtracted.")] = 20,
    missing: MissingOption = None,
    seed: SeedOption = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes to use.")] = 1,
    atom: Annotated[str, typer.Option(help="The atom to sort by and to draw.")] = "synergy",
    top: Annotated[int, typer.Option(min=1, help="Pairs to show.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Append pairs to this file; goes on where it was.")
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write all pairs into this file.")] = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """Decompose every pair of many columns about one target: the pairs with the most of an atom."""
    from trifeature.pid.screening import screen as screen_pairs

    found = _read_all(file, [*(column or []), target] if column else None, missing)
    if target not in found.columns:
        from trifeature.errors import check_name

        check_name(f"column of {file}", target, found.columns)
    with warnings_as_lines(), counting("pairs") as progress:
        result = screen_pairs(
            found.columns,
            target,
            bins=_bins(bins),
            binning=binning or "count",
            measure=measure,
            correction=correction,
            shuffles=shuffles,
            seed=seed or 0,
            processes=processes,
            out=out,
            progress=progress,
        )
    rows = result.top(top, atom)
    if output is Format.table:
        rows = [{name: row[name] for name in SCREENED} for row in rows]
    print_rows(rows, output, f"pairs with the most {atom} about {target}", digits=3)
    if csv is not None:
        result.write_csv(csv)
    if picture is not None:
        _write(result.plot(atom), picture)


@app.command()
def predictions(
    file: Annotated[Path, typer.Argument(help="An .npz file with p1, p2, p12 [n, K] and y [n].")],
    level: LevelOption = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """The atoms from class probabilities of two unimodal models and a joint one."""
    from trifeature.pid.bars import estimate_bars
    from trifeature.pid.predictions import atoms_of_predictions

    arrays = _arrays(file, ("p1", "p2", "p12", "y"))
    p1, p2, p12, y = arrays.values()
    found = atoms_of_predictions(p1, p2, p12, y, 0.95 if level is None else level)
    rows = [row for one in (found.mmi, found.pointwise) for row in one.rows()]
    print_rows(rows, output, digits=4)
    if output is Format.table:
        for name, one in (("MMI", found.mmi), ("pointwise minimum", found.pointwise)):
            say(f"{name} assumes that {found.assumes[name]}. {one.sentence}")
    if picture is not None:
        _write(estimate_bars([found.mmi, found.pointwise]), picture)


@app.command()
def features(
    file: Annotated[
        Path,
        typer.Argument(help="An .npz file with x1 [n, D1], x2 [n, D2], y [n], perhaps groups [n]."),
    ],
    method: Annotated[str, typer.Option(help=f"One of {', '.join(METHODS)}.")] = "clusters",
    seed: SeedOption = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """The atoms of two feature matrices about a label, on a held-out half.

    clusters: k-means codes and the atoms of their table, with intervals. dual: probes and a product
    of experts, not certified. gaussian: all rows, features as jointly Gaussian.
    """
    from trifeature.errors import check_name
    from trifeature.pid.bars import estimate_bars

    check_name("method", method, METHODS)
    arrays = _arrays(file, ("x1", "x2", "y"), ("groups",))
    if method == "gaussian":
        from trifeature.pid.estimator import PID

        fitted = PID(method="gaussian", seed=seed or 0)
        found = fitted.fit(arrays["x1"], arrays["x2"], arrays["y"]).estimate_
    else:
        import numpy as np

        from trifeature.pid.representations import PairedFeatures, discretized_atoms, dual_atoms

        groups = arrays.get("groups", np.arange(len(arrays["y"])))
        units = np.unique(groups)
        if len(units) < 2:
            raise InputError(f"{file}: one group cannot be halved")
        half = np.random.default_rng(seed or 0).permutation(units)[: len(units) // 2]
        first = np.isin(groups, half)
        order = ("x1", "x2", "y", "groups") if "groups" in arrays else ("x1", "x2", "y")
        train, test = PairedFeatures.coded(
            tuple(arrays[name][first] for name in order),
            tuple(arrays[name][~first] for name in order),
        )
        if method == "dual":
            dual = dual_atoms(train, test)
            rows = report.atom_rows([dual.atoms])
            for row in rows:
                del row["low"], row["high"], row["converged"]
                row["standard_error"] = dual.standard_errors[row["atom"]]
            print_rows(rows, output, digits=4)
            draw({"x1 and x2": [dual.atoms]}, picture)
            return
        with warnings_as_lines():
            codes = discretized_atoms(train, test, seed=seed or 0)
        found = codes.estimate
    print_rows(found.rows(), output, digits=4)
    if output is Format.table:
        say(found.sentence)
    if picture is not None:
        _write(estimate_bars([found]), picture)


@app.command()
def gaussian(
    file: Annotated[
        Path, typer.Argument(help="A covariance matrix: .npy, or text with commas or blanks.")
    ],
    sizes: Annotated[str, typer.Option(help="Dimensions of X1, X2 and Y, such as 2,2,1.")],
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """The atoms of jointly Gaussian variables from their covariance matrix, certified."""
    import numpy as np

    from trifeature.pid import gaussian as decompose_gaussian

    numbers = [_whole("--sizes", part) for part in sizes.split(",")]
    try:
        if file.suffix == ".npy":
            matrix = np.load(file, allow_pickle=False)
        else:
            text = file.read_text(encoding="utf-8-sig")
            matrix = np.loadtxt(text.replace(",", " ").splitlines(), ndmin=2)
    except (OSError, ValueError, UnicodeDecodeError) as problem:
        raise InputError(f"cannot read {file}: {problem}") from None
    found = decompose_gaussian(matrix, numbers)
    print_rows(report.atom_rows([found]), output)
    draw({"X1 and X2": [found]}, picture)


# --------------------------------------------------------------------------- input


def _read(
    file: Path, texts: list[str], missing: str | None
) -> tuple[list[tuple[str, ...]], FileColumns]:
    """The columns that the options name, without missing values."""
    from trifeature.pid.files import read_joined

    groups, found = read_joined(file, texts)
    return groups, _whole_rows(found, missing)


def _read_all(file: Path, names: list[str] | None, missing: str | None) -> FileColumns:
    from trifeature.pid.files import read_file

    return _whole_rows(read_file(file, names), missing)


def _whole_rows(found: FileColumns, missing: str | None) -> FileColumns:
    from trifeature.errors import check_name

    if check_name("--missing", missing or "refuse", ("refuse", "drop")) == "drop":
        return found.without_missing()
    found.refuse_missing()
    return found


def _several(
    file: Path, source: list[str], target: str, missing: str | None
) -> tuple[dict[str, Any], str, Any]:
    """The parts of each source by its name, the target's name and its values."""
    groups, found = _read(file, [*source, target], missing)
    about = _single("--target", groups[-1])
    _require_other(*groups[:-1], (about,))
    parts = {
        "+".join(group): {name: found.columns[name] for name in group} for group in groups[:-1]
    }
    return parts, about, found.columns[about]


def _require_other(*groups: tuple[str, ...]) -> None:
    """No source is the target or another source."""
    *given, (target,) = groups
    for place, names in enumerate(given):
        if target in names:
            raise InputError(
                f"{target!r} cannot be its own source: name other columns with --source"
            )
        if any(set(names) == set(other) for other in given[:place]):
            raise InputError(f"two sources are {','.join(names)!r}: name another with --source")


def _single(option: str, names: tuple[str, ...]) -> str:
    if len(names) != 1:
        raise InputError(f"name one column with {option}, got {', '.join(map(repr, names))}")
    return names[0]


def _bins(text: str | None) -> Any:
    """A number of bins, or a word."""
    if text is None or text in ("auto", "categories"):
        return text
    return _whole("--bins", text, "a whole number, auto or categories")


def _whole(option: str, text: str, words: str = "whole numbers") -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{option} must be {words}, not {text!r}") from None


def _number_or_word(text: str | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _as_numbers(name: str, column: Any) -> Any:
    from trifeature.columns import as_numbers

    return as_numbers(name, column)[:, 0]


def _arrays(file: Path, names: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Named arrays of an .npz file."""
    import zipfile

    import numpy as np

    try:
        with np.load(file, allow_pickle=False) as content:
            known = list(content.files)
            found = {name: content[name] for name in (*names, *optional) if name in known}
    except (
        OSError,
        ValueError,
        EOFError,
        zipfile.BadZipFile,
        AttributeError,
        TypeError,
    ) as problem:
        raise InputError(f"cannot read {file} as .npz: {problem}") from None
    lacking = [name for name in names if name not in found]
    if lacking:
        listed = ", ".join(known) or "none"
        raise InputError(
            f"{file} lacks {', '.join(lacking)}: it must hold arrays of these names "
            f"(it holds {listed})"
        )
    return found


def _write(figure: Figure, path: Path) -> None:
    from trifeature.plots import write_figure

    write_figure(figure, path, dpi=150)
