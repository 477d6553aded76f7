"""The commands `trifeature pid ...` that read arrays: predictions, features, covariances."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from trifeature import report
from trifeature.cli.common import say
from trifeature.cli.pid_input import (
    LevelOption,
    SeedOption,
    arrays_of,
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
from trifeature.errors import InputError

METHODS: Final = ("clusters", "dual", "gaussian")


@app.command()
def predictions(
    file: Annotated[Path, typer.Argument(help="An .npz file with p1, p2, p12 [n, K] and y [n].")],
    level: LevelOption = None,
    output: FormatOption = Format.table,
    picture: PictureOption = None,
) -> None:
    """The atoms from class probabilities of two unimodal models and a joint one."""
    from trifeature.pid.estimation.bars import estimate_bars
    from trifeature.pid.estimation.predictions import atoms_of_predictions

    arrays = arrays_of(file, ("p1", "p2", "p12", "y"))
    p1, p2, p12, y = arrays.values()
    found = atoms_of_predictions(p1, p2, p12, y, 0.95 if level is None else level)
    rows = [row for one in (found.mmi, found.pointwise) for row in one.rows()]
    print_rows(rows, output, digits=4)
    if output is Format.table:
        for name, one in (("MMI", found.mmi), ("pointwise minimum", found.pointwise)):
            say(f"{name} assumes that {found.assumes[name]}. {one.sentence}")
    if picture is not None:
        write_picture(estimate_bars([found.mmi, found.pointwise]), picture)


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
    from trifeature.pid.estimation.bars import estimate_bars

    check_name("method", method, METHODS)
    arrays = arrays_of(file, ("x1", "x2", "y"), ("groups",))
    lengths = {name: array.shape[:1] for name, array in arrays.items()}
    if () in lengths.values() or len(set(lengths.values())) > 1:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise InputError(f"{file}: arrays must have one row a pair, got {shapes}")
    if method == "gaussian":
        from trifeature.pid.estimation.estimator import PID

        fitted = PID(method="gaussian", seed=seed or 0)
        with warnings_as_lines():
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
        write_picture(estimate_bars([found]), picture)


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

    numbers = [whole("--sizes", part) for part in sizes.split(",")]
    try:
        if file.suffix == ".npy":
            matrix = np.load(file, allow_pickle=False)
        else:
            text = file.read_text(encoding="utf-8-sig")
            if not text.strip():
                raise ValueError("it is empty")
            matrix = np.loadtxt(text.replace(",", " ").splitlines(), ndmin=2)
    except (OSError, ValueError, UnicodeDecodeError) as problem:
        raise InputError(f"cannot read {file}: {problem}") from None
    found = decompose_gaussian(matrix, numbers)
    print_rows(report.atom_rows([found]), output)
    draw({"X1 and X2": [found]}, picture)
