from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from trifeature.cli.pid import app

runner = CliRunner()


@pytest.fixture
def xor_file(tmp_path: Path) -> Path:
    path = tmp_path / "xor.csv"
    rows = [f"{a},{b},0,{a ^ b}" for a in (0, 1) for b in (0, 1)] * 60
    path.write_text("\n".join(["a,b,c,label", *rows]) + "\n", encoding="utf-8")
    return path


def test_the_gallery_lists_every_name() -> None:
    result = runner.invoke(app, ["gallery", "--format", "json"])
    rows = {row["name"]: row for row in json.loads(result.output)}
    assert rows["AND"]["R"] == pytest.approx(0.311278, abs=1e-6)
    assert "flip=0.1" in rows["NOISY-XOR"]["parameters"]


def test_show_prints_certified_atoms_and_the_target() -> None:
    result = runner.invoke(app, ["show", "xor"])
    assert result.exit_code == 0
    assert "target Y" in result.output
    assert "1.000000" in result.output


def test_show_takes_parameters_and_measures() -> None:
    result = runner.invoke(
        app, ["show", "NOISY-XOR", "--set", "flip=0.5", "--measure", "all", "--format", "json"]
    )
    synergies = {r["measure"]: r["bits"] for r in json.loads(result.output)}
    assert len(synergies) == 6
    assert synergies["BROJA"] == pytest.approx(0, abs=1e-9)


def test_measures_compares_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "parts.png"
    result = runner.invoke(app, ["measures", "COPY", "--format", "csv", "--picture", str(picture)])
    assert result.output.splitlines()[0].endswith("measure,R,U1,U2,S,total")
    assert picture.stat().st_size > 1000


def test_atoms_of_a_csv_file(xor_file: Path) -> None:
    options = ["--source", "a,c", "--source", "b", "--target", "label", "--format", "json"]
    exact = runner.invoke(app, ["atoms", str(xor_file), *options, "--exact"])
    assert json.loads(exact.output)[3]["bits"] == pytest.approx(1)
    found = runner.invoke(app, ["atoms", str(xor_file), *options, "--bootstraps", "20"])
    row = json.loads(found.stdout)[3]
    assert (row["source1"], row["target"], row["samples"]) == ("a+c", "label", 240)
    assert row["bits"] == pytest.approx(1, abs=0.05)


def test_too_few_samples_warn_on_standard_error(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("a,b,y\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n", encoding="utf-8")
    result = runner.invoke(
        app, ["atoms", str(path), "--source", "a", "--source", "b", "--target", "y"]
    )
    assert result.exit_code == 0
    assert "warning: a table of 2 x 2 x 2 cells wants 217 samples, got 4" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "XORR"], "did you mean 'XOR'"),
        (["show", "NOISY-XOR", "--set", "flip"], "NAME=NUMBER"),
        (["show", "NOISY-XOR", "--set", "flop=1"], "did you mean 'flip'"),
        (["show", "XOR", "--measure", "Imin"], "unknown measure"),
        (
            ["show", "XOR", "--picture", "x.nothing"],
            "name a file that ends in .png",
        ),
        (["atoms", "none.csv", "--source", "a", "--source", "b", "--target", "y"], "cannot read"),
        (["atoms", "none.csv", "--source", "a", "--target", "y"], "exactly two sources"),
        (["atoms", "x.csv", "--source", "a", "--source", "y", "--target", "y"], "its own source"),
        (["bounds", "XORR"], "did you mean 'XOR'"),
        (["bounds", "NOISY-XOR", "--set", "flip=9"], "flip is a probability"),
        (["show", "AND", "--set", "flip=.1"], "AND takes no parameters"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert isinstance(result.exception, SystemExit)


def test_mounted_in_another_app_mistakes_are_still_one_line() -> None:
    outer = typer.Typer()
    outer.add_typer(app, name="pid")
    outer.command("other")(lambda: None)
    result = runner.invoke(outer, ["pid", "show", "XORR"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: unknown distribution")
