from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from trifeature.cli.pid import app
from trifeature.pid import representations
from trifeature.pid.estimation.calibration import calibrate
from trifeature.pid.estimation.estimator import PID
from trifeature.pid.representations import Training

runner = CliRunner()

BITS: NDArray[np.int64] = np.array(list(np.ndindex(2, 2)) * 20)
NOISE = np.random.default_rng(0)
OPTIONS = ("--source", "a", "--source", "b", "--target", "label")


def run(*arguments: object) -> Result:
    return runner.invoke(app, [str(argument) for argument in arguments])


def rows_of(*arguments: object) -> list[dict[str, Any]]:
    """The rows that a command prints as JSON."""
    result = run(*arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def write(path: Path, header: str, rows: Sequence[Sequence[object]]) -> Path:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def xor_file(tmp_path: Path) -> Path:
    """Eighty rows of an exclusive or, with weights, counts, a stratum and a decimal number."""
    rows = [
        (a, b, 0, a ^ b, 1 + i % 2, 1 + i % 3, "uv"[i // 40], f"{a + 0.01 * i:.2f}")
        for i, (a, b) in enumerate(BITS.tolist())
    ]
    return write(tmp_path / "xor.csv", "a,b,c,label,w,k,z,number", rows)


# --------------------------------------------------------------------------- tables


def test_the_gallery_lists_every_name() -> None:
    rows = {row["name"]: row for row in rows_of("gallery")}
    assert rows["AND"]["R"] == pytest.approx(0.311278, abs=1e-6)
    assert "flip=0.1" in rows["NOISY-XOR"]["parameters"]


def test_show_prints_certified_atoms_and_the_target() -> None:
    result = run("show", "xor")
    assert result.exit_code == 0
    assert "target Y" in result.output
    assert "1.000000" in result.output


def test_show_takes_parameters_and_measures() -> None:
    rows = rows_of("show", "NOISY-XOR", "--set", "flip=0.5", "--measure", "all")
    synergies = {row["measure"]: row["bits"] for row in rows}
    assert len(synergies) == 6
    assert synergies["BROJA"] == pytest.approx(0, abs=1e-9)


def test_measures_compares_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "parts.png"
    result = run("measures", "COPY", "--format", "csv", "--picture", picture)
    assert result.output.splitlines()[0].endswith("measure,R,U1,U2,S,total")
    assert picture.stat().st_size > 1000


# --------------------------------------------------------------------------- atoms


def test_atoms_are_those_of_the_estimator(xor_file: Path) -> None:
    rows = rows_of("atoms", xor_file, "--source", "a,c", *OPTIONS[2:], "--level", 0.9, "--seed", 4)
    a, b = BITS.T
    found = PID(interval=0.9, seed=4).fit(np.stack([a, 0 * a], 1), b, a ^ b)
    assert [row["atom"] for row in rows] == ["redundancy", "unique1", "unique2", "synergy"]
    for row in rows:
        interval = found.intervals_[row["atom"]]
        assert interval is not None
        assert row["bits"] == pytest.approx(found.atoms_[row["atom"]])
        assert (row["low"], row["high"]) == pytest.approx(interval)
        assert row["p_value"] == pytest.approx(found.p_values_[row["atom"]])
        assert (row["source1"], row["source2"], row["target"]) == ("a+c", "b", "label")
        assert (row["samples"], row["correction"]) == (80, "crossfit")
    text = run("atoms", xor_file, *OPTIONS).stdout
    assert all(word in text for word in ("bits", "low", "high", "p_value", "Above 0 by their"))


def test_exact_atoms_are_those_of_the_rows(xor_file: Path) -> None:
    exact = rows_of("atoms", xor_file, *OPTIONS, "--exact")
    assert [row["bits"] for row in exact] == pytest.approx([0, 0, 0, 1], abs=1e-8)
    other = rows_of("atoms", xor_file, *OPTIONS, "--exact", "--measure", "mmi")
    assert [row["measure"] for row in other] == ["MMI"] * 4


def test_atoms_take_weights_counts_and_strata(xor_file: Path) -> None:
    a, b = BITS.T
    places = np.arange(80)
    extras: dict[str, Any] = {
        "--weights": {"weights": 1 + places % 2},
        "--counts": {"counts": 1 + places % 3},
        "--given": {"given": np.array(["u", "v"])[places // 40]},
    }
    for (option, settings), column in zip(extras.items(), "wkz", strict=True):
        rows = rows_of("atoms", xor_file, *OPTIONS, option, column)
        wanted = PID().fit(a, b, a ^ b, **settings).atoms_
        assert {row["atom"]: row["bits"] for row in rows} == pytest.approx(wanted)


def test_atoms_take_measures_corrections_and_bins(xor_file: Path) -> None:
    rows = rows_of("atoms", xor_file, *OPTIONS, "--measure", "mmi")
    assert {row["correction"] for row in rows} == {"linear"}
    assert {row["low"] for row in rows} == {None}
    rows = rows_of("atoms", xor_file, *OPTIONS, "--measure", "i_min", "--correction", "none")
    assert [row["bits"] for row in rows] == pytest.approx([row["plug_in"] for row in rows])
    chosen = ("--source", "number", *OPTIONS[2:])
    result = run("atoms", xor_file, *chosen, "--bins", 2, "--binning", "width")
    assert result.exit_code == 0, result.output
    assert "number: 2 bins ([0, " in " ".join(result.stdout.split())
    assert len(rows_of("atoms", xor_file, *chosen, "--bins", "auto")) == 4


def test_bins_of_a_joined_source_have_a_line_for_each_column(tmp_path: Path) -> None:
    # The second column's lower bin comes first although it goes with the first's upper one.
    rows = [(f"{1 - b}.{i:02}", f"{b}.{i:02}", "uv"[i % 2], b) for i, (_, b) in enumerate(BITS)]
    file = write(tmp_path / "numbers.csv", "a,b,word,label", rows)
    result = run(
        *("atoms", file, "--source", "a,b,word", "--source", "b", "--target", "label"),
        *("--bins", 2, "--method", "table"),
    )
    assert result.exit_code == 0, result.output
    shown = [line for line in result.stdout.splitlines() if " bins (" in line]
    assert [line.split(" (")[0] for line in shown] == ["a: 2 bins", "b: 2 bins"]
    assert all(line.count("[") == 2 and "'" not in line for line in shown)
    assert shown[1] == "b: 2 bins ([0, 1.01), [1.01, 1.79])"


def test_a_missing_value_is_refused_by_line_or_dropped(xor_file: Path) -> None:
    text = xor_file.read_text(encoding="utf-8").splitlines()
    text[5] = "NA" + text[5][1:]
    xor_file.write_text("\n".join(text), encoding="utf-8")
    result = run("atoms", xor_file, *OPTIONS)
    assert (result.exit_code, "line 6" in result.stderr) == (2, True)
    rows = rows_of("atoms", xor_file, *OPTIONS, "--missing", "drop", "--weights", "w")
    assert rows[0]["samples"] == 79


def test_a_gaussian_estimate_of_a_file(tmp_path: Path) -> None:
    numbers = NOISE.normal(size=(60, 3)).round(3)
    path = write(tmp_path / "numbers.csv", "a,b,label", numbers.tolist())
    options = ("--method", "gaussian", "--copula", "--shrinkage", 0.5)
    rows = rows_of("atoms", path, *OPTIONS, *options)
    assert [row["samples"] for row in rows] == [60] * 4
    assert all(row["bits"] < 0.1 for row in rows)


def test_too_few_samples_warn_on_standard_error(tmp_path: Path) -> None:
    rows = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)] * 3
    path = write(tmp_path / "few.csv", "a,b,label", rows)
    picture = tmp_path / "few.svg"
    result = run("atoms", path, *OPTIONS, "--picture", picture)
    assert result.exit_code == 0
    assert "warning: a table of 2 x 2 x 2 cells wants 32 samples, got 12" in result.stderr
    assert "More rows are needed" in " ".join(result.stdout.split())
    assert picture.stat().st_size > 1000
    assert "redundancy" not in result.stdout  # no number, and no table for one


# --------------------------------------------------------------------------- more commands


def test_calibrate_prints_what_was_measured(tmp_path: Path, xor_file: Path) -> None:
    out = tmp_path / "cells.jsonl"
    settings = ("--sizes", 64, "--repetitions", 20)
    rows = rows_of("calibrate", "XOR", *settings, "--out", out)
    assert rows == calibrate(["XOR"], 64, 20)
    assert len(out.read_text(encoding="utf-8").splitlines()) == 4
    result = run("calibrate", "--file", xor_file, *OPTIONS, *settings)
    assert result.exit_code == 0, result.output
    assert "of 4 atoms hold, 0 are withheld" in result.stdout


def test_sources_and_their_lattice(xor_file: Path, tmp_path: Path) -> None:
    three = (*OPTIONS, "--source", "c")
    rows = rows_of("sources", xor_file, *three)
    assert any(row["bits"] == pytest.approx(1, abs=1e-6) for row in rows)
    picture = tmp_path / "lattice.svg"
    assert len(rows_of("lattice", xor_file, *three, "--picture", picture)) == 18
    assert picture.stat().st_size > 1000


def test_pointwise_shows_rows_by_line_and_writes_all(xor_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    rows = rows_of("pointwise", xor_file, *OPTIONS, "--top", 2, "--out", out)
    assert len(rows) <= 4
    every = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert len(every) == 80
    mean = np.mean([float(row["synergy"]) for row in every])
    assert {"row", "a", "b", "label", "synergy"} <= set(every[0])
    assert rows[0]["synergy"] >= mean


def test_the_file_that_is_read_is_not_written(xor_file: Path) -> None:
    before = xor_file.read_bytes()
    check_mistake(run("pointwise", xor_file, *OPTIONS, "--out", xor_file), "is the file that is")
    for option in ("--csv", "--out"):
        again = run("screen", xor_file, "--target", "label", option, xor_file)
        check_mistake(again, "is the file that is read: name another one to write")
    assert xor_file.read_bytes() == before


def test_a_lattice_refuses_before_it_reads_rows() -> None:
    sources = [word for name in "abcde" for word in ("--source", name)]
    check_mistake(run("lattice", "none.csv", *sources, "--target", "y"), "from 2 to 4, not 5")
    words = ("lattice", "none.csv", *sources[:4], "--target", "y", "--measure", "imin")
    check_mistake(run(*words), "unknown measure on a lattice 'imin'")


def test_screen_lists_the_pairs_with_the_most_of_an_atom(xor_file: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    columns = ("--column", "a", "--column", "b", "--column", "k")
    options = ("--shuffles", 2, "--csv", table, "--target", "label")
    rows = rows_of("screen", xor_file, *columns, *options)
    assert (rows[0]["source1"], rows[0]["source2"]) == ("a", "b")
    assert len(table.read_text(encoding="utf-8").splitlines()) == 4


def test_predictions_of_three_models(tmp_path: Path) -> None:
    y = np.arange(40) % 2
    even, sure = np.full((40, 2), 0.5), np.where(y[:, None] == [0, 1], 0.9, 0.1)
    path = tmp_path / "predictions.npz"
    np.savez(path, p1=even, p2=even, p12=sure, y=y)
    rows = rows_of("predictions", path, "--level", 0.9)
    assert {row["measure"] for row in rows} == {"MMI", "pointwise minimum"}
    assert rows[3]["bits"] == pytest.approx(1 + np.log2(0.9), abs=0.05)
    assert "assumes that" in run("predictions", path).stdout


def test_features_of_two_modalities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = np.random.default_rng(0).integers(0, 2, (2, 160))
    noise = np.random.default_rng(1).normal(size=(2, 160, 2)) / 20
    x1, x2 = a[:, None] + noise[0], b[:, None] + noise[1]
    path = tmp_path / "features.npz"
    np.savez(path, x1=x1, x2=x2, y=a)
    rows = {row["atom"]: row for row in rows_of("features", path)}
    assert rows["unique1"]["bits"] > 0.8
    assert rows["unique1"]["p_value"] < 0.05
    shown = run("features", path).stdout
    assert "These are atoms of" in " ".join(shown.split())
    check_mistake(run("features", path, "--method", "gaussian"), "y looks like a label")
    short = functools.partial(representations.dual_atoms, training=Training(steps=40))
    monkeypatch.setattr(representations, "dual_atoms", short)  # of 400 steps
    dual = run("features", path, "--method", "dual").stdout
    assert "Not certified" in " ".join(dual.split())


def test_arrays_of_features_must_have_one_row_a_pair(tmp_path: Path) -> None:
    path = tmp_path / "features.npz"
    np.savez(path, x1=np.zeros((30, 2)), x2=np.zeros((29, 2)), y=np.arange(30) % 2)
    for method in ("clusters", "dual", "gaussian"):
        check_mistake(
            run("features", path, "--method", method),
            "must have one row a pair, got x1 [30, 2], x2 [29, 2], y [30]",
        )


def test_gaussian_atoms_of_a_covariance(tmp_path: Path) -> None:
    covariance = np.array([[1, 0, 0.6], [0, 1, 0.6], [0.6, 0.6, 1]])
    np.save(tmp_path / "c.npy", covariance)
    np.savetxt(tmp_path / "c.txt", covariance, delimiter=",")
    one, other = (
        rows_of("gaussian", tmp_path / name, "--sizes", "1,1,1") for name in ("c.npy", "c.txt")
    )
    assert one == other
    # I(X1, X2; Y) = -log2(1 - .36 - .36) / 2 and R = I(X1; Y) = -log2(1 - .36) / 2.
    assert one[0]["bits"] == pytest.approx(-np.log2(0.64) / 2, abs=1e-6)
    assert sum(row["bits"] for row in one) == pytest.approx(-np.log2(0.28) / 2, abs=1e-6)


# --------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "XORR"], "did you mean 'XOR'"),
        (["show", "NOISY-XOR", "--set", "flip"], "NAME=NUMBER"),
        (["show", "NOISY-XOR", "--set", "flop=1"], "did you mean 'flip'"),
        (["show", "XOR", "--measure", "Imin"], "unknown measure"),
        (["show", "XOR", "--picture", "x.nothing"], "name a file that ends in .png"),
        (["atoms", "none.csv", *OPTIONS], "cannot read"),
        (["atoms", "none.csv", "--source", "a", "--target", "y"], "exactly two sources"),
        (["bounds", "XORR"], "did you mean 'XOR'"),
        (["bounds", "NOISY-XOR", "--set", "flip=9"], "flip is a probability"),
        (["show", "AND", "--set", "flip=.1"], "AND takes no parameters"),
        (["calibrate", "ANDD"], "did you mean 'AND'"),
        (["calibrate", "AND", "--sizes", "many"], "--sizes must be whole numbers, not 'many'"),
        (["calibrate", "AND", "--sizes", "5"], "of at least 10, not 5"),
        (["calibrate", "--source", "a"], "go with --file"),
        (["calibrate", "AND", "--method", "gaussain"], "did you mean 'gaussian'"),
        (["predictions", "none.npz"], "cannot read none.npz: No such file"),
        (["predictions", __file__], "is not an .npz file: numpy.savez writes one"),
        (["gaussian", __file__, "--sizes", "1,1,1"], "is not a table of numbers"),
        (["features", "none.npz", "--method", "cluster"], "did you mean 'clusters'"),
        (["gaussian", "none.npy", "--sizes", "1,1,1"], "cannot read none.npy"),
        (["gaussian", "none.npy", "--sizes", "one"], "--sizes must be whole numbers"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    check_mistake(run(*arguments), message)


def check_mistake(result: Result, message: str) -> None:
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "label", "--source", "b", "--target", "label"], "its own source"),
        (["--source", "a", "--source", "a", "--target", "label"], "both sources are 'a'"),
        (["--source", "aa", "--source", "b", "--target", "label"], "did you mean 'a'"),
        (["--source", "a", "--source", "b", "--target", "label,c"], "name one column with --tar"),
        (["--source", "number", "--source", "b", "--target", "label"], "looks continuous"),
        ([*OPTIONS, "--measure", "brioja"], "unknown measure"),
        ([*OPTIONS, "--measure", "mmi", "--correction", "crossfit"], "is of measure BROJA"),
        ([*OPTIONS, "--correction", "liner"], "did you mean 'linear'"),
        ([*OPTIONS, "--level", "95"], "above 0 and below 1, not 95"),
        ([*OPTIONS, "--bins", "many"], "a whole number, auto or categories, not 'many'"),
        ([*OPTIONS, "--bins", "1"], "at least 2, not 1"),
        ([*OPTIONS, "--binning", "hight"], "unknown binning 'hight'"),
        ([*OPTIONS, "--weights", "z"], "must hold numbers, not 'u'"),
        ([*OPTIONS, "--counts", "number"], "counts must be whole numbers"),
        ([*OPTIONS, "--weights", "w", "--counts", "k"], "cannot go together"),
        ([*OPTIONS, "--given", "zz"], "did you mean 'z'"),
        ([*OPTIONS, "--missing", "dorp"], "did you mean 'drop'"),
        ([*OPTIONS, "--method", "tables"], "did you mean 'table'"),
        ([*OPTIONS, "--exact", "--level", "0.9"], "cannot go with --exact"),
        ([*OPTIONS, "--exact", "--copula"], "cannot go with --exact"),
        ([*OPTIONS, "--method", "gaussian", "--given", "z"], "cannot go with method"),
        ([*OPTIONS, "--method", "gaussian", "--bins", "3"], "cannot go with method"),
        ([*OPTIONS, "--shrinkage", "0.5"], 'cannot go with method "table"'),
    ],
)
def test_wrong_lines_about_a_file_are_one_line(
    arguments: list[str], message: str, xor_file: Path
) -> None:
    check_mistake(run("atoms", xor_file, *arguments), message)


@pytest.mark.parametrize("content", [b"", b"\n", b"a\n", b"a,b,label\n", b"\x00\xff\x00", b"PAR1"])
def test_files_without_rows_are_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)
    check_mistake(run("atoms", path, *OPTIONS), "error: ")


def test_mounted_in_another_app_mistakes_are_still_one_line() -> None:
    outer = typer.Typer()
    outer.add_typer(app, name="pid")
    outer.command("other")(lambda: None)
    result = runner.invoke(outer, ["pid", "show", "XORR"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: unknown distribution")


def test_a_continuous_column_is_asked_about_in_the_words_of_the_command(tmp_path: Path) -> None:
    rows = [(f"{i}.5", i % 2, (i // 2) % 2) for i in range(40)]
    path = write(tmp_path / "rate.csv", "a,b,label", rows)
    check_mistake(run("atoms", path, *OPTIONS), "--bins auto, --method gaussian, or --bins")
    check_mistake(run("sources", path, *OPTIONS), "give --bins N, or --bins categories")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--level", "2"], "error: the level of an interval must be above 0 and below 1, not 2\n"),
        (["--method", "gaussian"], ' (shrinkage "auto" works with fewer)\n'),
        ([], "needs 32 at the least (exact atoms of the rows as they are need no such number)\n"),
    ],
)
def test_no_hint_names_what_the_command_line_lacks(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "few.csv", "a,b,label", [(0, 1, 0), (1, 0, 1), (1, 1, 1)])
    check_mistake(run("atoms", path, *OPTIONS, *arguments), words)
