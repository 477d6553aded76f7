"""The commands `trifeature pid ...` that read arrays: predictions, features, covariances."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trifeature import report
from trifeature.cli.common import echo
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

if TYPE_CHECKING:
    from trifeature.pid.estimation.estimates import Estimate
    from trifeature.pid.representations import DualAtoms, PairedFeatures

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
            echo(f"{name} assumes that {found.assumes[name]}. {one.sentence}")
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
    from trifeature.pid.representations import discretized_atoms, dual_atoms

    check_name("method", method, METHODS)
    arrays = arrays_of(file, ("x1", "x2", "y"), ("groups",))
    lengths = {name: array.shape[:1] for name, array in arrays.items()}
    if () in lengths.values() or len(set(lengths.values())) > 1:
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise InputError(f"{file}: arrays must have one row a pair, got {shapes}")
    if method == "gaussian":
        found, note = _as_gaussian(file, arrays, seed or 0), ""
    else:
        train, test = _halves(file, arrays, seed or 0)
        if method == "dual":
            _print_dual(dual_atoms(train, test), output, picture)
            return
        with warnings_as_lines():
            codes = discretized_atoms(train, test, seed=seed or 0)
        found = codes.estimate
        note = (
            f"These are atoms of {codes.count} clusters of each modality, on the held-out half; "
            "the features may tell more (--method dual)."
        )
    print_rows(found.rows(), output, digits=4)
    if output is Format.table:
        echo(f"{found.sentence} {note}".strip())
    if picture is not None:
        write_picture(estimate_bars([found]), picture)


def _as_gaussian(file: Path, arrays: Mapping[str, Any], seed: int) -> Estimate:
    from trifeature.columns import is_continuous
    from trifeature.pid.estimation.estimator import PID

    if not is_continuous(arrays["y"]):
        raise InputError(
            f"{file}: y looks like a label, and --method gaussian wants numbers: take "
            "clusters or dual"
        )
    with warnings_as_lines():
        fitted = PID(method="gaussian", seed=seed).fit(arrays["x1"], arrays["x2"], arrays["y"])
    return fitted.estimate_


def _halves(
    file: Path, arrays: Mapping[str, Any], seed: int
) -> tuple[PairedFeatures, PairedFeatures]:
    """Random halves of the pairs, or of the groups."""
    import numpy as np

    from trifeature.pid.representations import PairedFeatures

    groups = arrays.get("groups", np.arange(len(arrays["y"])))
    units = np.unique(groups)
    if len(units) < 2:
        raise InputError(f"{file}: one group cannot be halved")
    half = np.random.default_rng(seed).permutation(units)[: len(units) // 2]
    first = np.isin(groups, half)
    order = ("x1", "x2", "y", "groups") if "groups" in arrays else ("x1", "x2", "y")
    return PairedFeatures.coded(
        tuple(arrays[name][first] for name in order),
        tuple(arrays[name][~first] for name in order),
    )


def _print_dual(found: DualAtoms, output: Format, picture: Path | None) -> None:
    rows = report.atom_rows([found.atoms])
    for row in rows:
        del row["low"], row["high"], row["converged"]
        row["standard_error"] = found.standard_errors[row["atom"]]
        row["bias"] = found.bias[row["atom"]]
    print_rows(rows, output, digits=4)
    if output is Format.table:
        names = ", ".join(found.clipped)
        clipped = f" Below 0 before it was cut: {names}." if names else ""
        echo(
            f"Probes read {found.atoms.total:.3f} bits about the label on the held-out half. Not "
            "certified: standard errors say how other pairs would move a number, not how far the "
            f"probes fall short; an atom below 0 says that they do.{clipped}"
        )
    draw({"x1 and x2": [found.atoms]}, picture)


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
    except OSError as problem:
        raise InputError(f"cannot read {file}: {problem.strerror or problem}") from None
    except ValueError as problem:
        raise InputError(
            f"{file} is not a table of numbers ({problem}): numpy.save or numpy.savetxt writes one"
        ) from None
    found = decompose_gaussian(matrix, numbers)
    print_rows(report.atom_rows([found]), output)
    draw({"X1 and X2": [found]}, picture)
