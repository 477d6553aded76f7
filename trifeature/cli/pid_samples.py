"""The commands `trifeature pid ...` that estimate from rows: one pair, many, and how well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trifeature import report
from trifeature.cli.common import echo, require_other_file, writable_file
from trifeature.cli.options import refuse_unused
from trifeature.cli.pid_input import (
    AutoBinsOption,
    BinningOption,
    BinsOption,
    FileArgument,
    LevelOption,
    MissingOption,
    SeedOption,
    SourceOption,
    TargetOption,
    TwoSources,
    bins_of,
    column_of_numbers,
    number_or_word,
    read_all,
    two_sources,
    whole,
    write_picture,
)
from trifeature.cli.pid_output import (
    Format,
    FormatOption,
    PictureOption,
    app,
    draw,
    print_rows,
    warnings_as_lines,
)
from trifeature.cli.progress import counting
from trifeature.errors import InputError

WAYS: Final = "--bins N, --bins auto, --method gaussian, or --bins categories"
SCREENED: Final = (
    *("source1", "source2", "redundancy", "unique1", "unique2", "synergy", "total"),
    *("p_value_total", "p_value_total_tail", "q_value_total", "too_few"),
)
"""Columns of `screen` that fit a terminal; the others are in its files."""


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
    bins: AutoBinsOption = None,
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
    named = {"--weights": weights, "--counts": counts, "--given": given}
    extra = {option: column for option, column in named.items() if column is not None}
    read = two_sources(file, source, target, missing, extra)
    if exact:
        used = {
            "--correction": correction is not None,
            "--level": level is not None,
            "--seed": seed is not None,
            "--method": method is not None,
            "--given": given is not None,
            "--weights": weights is not None,
            "--counts": counts is not None,
            "--copula": copula,
            "--shrinkage": shrinkage is not None,
        }
        refuse_unused(used, "cannot go with --exact: nothing is estimated")
        _exact(read, measure, bins_of(bins), binning, output, picture)
        return
    from trifeature.pid.estimation.estimator import PID

    settings: dict[str, Any] = {
        "method": method,
        "measure": measure,
        "correction": correction,
        "bins": bins_of(bins, auto=True),
        "binning": binning,
        "interval": level,
        "seed": seed,
        "shrinkage": number_or_word(shrinkage),
    }
    if correction is None and measure is not None and measure.casefold() != "broja":
        settings["correction"] = "linear"
    chosen = {name: value for name, value in settings.items() if value is not None}
    options = dict(zip((option[2:] for option in extra), read.extra, strict=True))
    for name in {"weights", "counts"} & options.keys():
        options[name] = column_of_numbers(name, options[name])
    with warnings_as_lines(WAYS):
        fitted = PID(copula=copula, **chosen).fit(*read.parts, names=read.names, **options)
    found_atoms = fitted.estimate_
    # Where nothing is estimated no number is shown: what is shown is copied.
    if output is not Format.table or not found_atoms.too_few:
        print_rows(found_atoms.rows(), output, read.title, digits=4)
    if output is Format.table:
        echo(found_atoms.sentence)
        lines = [
            line
            for name, part in zip(read.names, read.parts, strict=True)
            if name in fitted.bins_
            for line in _lines_of_bins(part, fitted.values_[name])
        ]
        for line in dict.fromkeys(lines):  # a column may be in both sources
            echo(line)
    if picture is not None:
        write_picture(fitted.plot(), picture)


def _lines_of_bins(part: Mapping[str, Any], values: Sequence[Any]) -> Iterator[str]:
    """A line on each column of a source that was binned; `values` are tuples of several columns."""
    from trifeature.columns.coding import coded

    rows = [one if len(part) > 1 else (one,) for one in values]
    for (name, column), own in zip(part.items(), zip(*rows, strict=True), strict=True):
        # Numbers that are text now are intervals; columns of words have no bins.
        if isinstance(own[0], str) and coded(name, column).kind == "number":
            found = sorted(set(own), key=_lower_end)
            yield f"{name}: {len(found)} bins ({', '.join(found)})"


def _lower_end(interval: str) -> float:
    return float(interval[1:].partition(",")[0])


def _exact(
    read: TwoSources,
    measure: str | None,
    bins: Any,
    binning: str | None,
    output: Format,
    picture: Path | None,
) -> None:
    from trifeature.pid.measures import decompose
    from trifeature.pid.samples import joint_counts

    with warnings_as_lines():
        counts = joint_counts(*read.parts, bins=bins, binning=binning or "count")
    one, other, target = read.names
    found = decompose(
        counts, measure or "BROJA", normalize=True, sources=(one, other), target=target
    )
    print_rows(report.atom_rows([found]), output, read.title)
    draw({read.title: [found]}, picture)


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
        typer.Option(
            help="Append rows to this file (JSON lines); goes on where it was.",
            callback=writable_file,
        ),
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Measure how often the intervals cover, how wide they are, and how often the tests reject.

    Samples are drawn from distributions whose atoms are known exactly.
    """
    from trifeature.errors import check_name
    from trifeature.pid.estimation.calibration import calibrate as measure

    numbers = [whole("--sizes", part) for part in sizes.split(",")]
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
        if names or source is None or target is None:
            raise InputError("with --file name two sources and a target, and no distribution")
        from trifeature.pid.samples import joint_counts

        read = two_sources(file, source, target, None)
        with warnings_as_lines():
            laws = {str(file): joint_counts(*read.parts, bins=bins_of(bins))}
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
        echo(f"{kept} of {len(rows)} atoms hold, {withheld} are withheld.")


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
        Path | None,
        typer.Option(
            help="Append pairs to this file; goes on where it was.", callback=writable_file
        ),
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(help="Write all pairs into this file.", callback=writable_file)
    ] = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """Decompose every pair of many columns about one target: the pairs with the most of an atom."""
    from trifeature.errors import check_name
    from trifeature.pid.screening import screen as screen_pairs
    from trifeature.pid.screening.blocks import SCREEN_ATOMS

    check_name("atom", atom, SCREEN_ATOMS)
    found = read_all(file, [*(column or []), target] if column else None, missing)
    for path in (out, csv):
        require_other_file(path, file)
    if target not in found.columns:
        check_name(f"column of {file}", target, found.columns)
    with warnings_as_lines(), counting("pairs") as progress:
        result = screen_pairs(
            found.columns,
            target,
            bins=bins_of(bins),
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
        write_picture(result.plot(atom), picture)
