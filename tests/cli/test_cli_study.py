"""`comm-probe study` as it is typed: files of one's own and data by name; a report or one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_rows import study_rows

from trifeature.cli import comm_probe_main
from trifeature.cli.study import print_study, read_data_options
from trifeature.data import storage
from trifeature.errors import InputError
from trifeature.files import read_rows
from trifeature.pid.representations import Training
from trifeature.real.catalog import SOURCES
from trifeature.real.source import Source
from trifeature.samples import Samples
from trifeature.studies import atoms, run
from trifeature.studies.run import Study

P = 160
STREAM = np.random.default_rng(3)
Y = STREAM.integers(0, 2, P)


def write(name: str, head: str, rows: Sequence[Sequence[Any]]) -> str:
    lines = [head, *(",".join(map(str, row)) for row in rows)]
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return name


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files of features, of which one tells the label, and a file of labels."""
    monkeypatch.chdir(tmp_path)
    seen = STREAM.normal(size=(P, 2)) + 3 * Y[:, None]
    write("seen.csv", "u,v", seen.round(3).tolist())
    write("blind.csv", "s,t", STREAM.normal(size=(P, 2)).round(3).tolist())
    write("labels.csv", "mood,who", [("glad" if y else "sad", k // 2) for k, y in enumerate(Y)])


@dataclass
class Line:
    """What a command line printed."""

    code: int
    out: str
    err: str


Typed = Callable[..., Line]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    def call(line: str) -> Line:
        monkeypatch.setattr(sys, "argv", ["comm-probe", "study", *line.split()])
        with pytest.raises(SystemExit) as stop:
            comm_probe_main()
        out, err = capsys.readouterr()
        return Line(int(stop.value.code or 0), out, err)

    return call


@dataclass
class Asked:
    """What a study was asked for."""

    samples: Samples
    labels: Any
    methods: Any
    options: dict[str, Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """A study that trains nothing and answers with rows made by hand."""
    found: list[Asked] = []

    def study(samples: Samples, labels: Any, methods: Any, **options: Any) -> Study:
        options.pop("report")("training", 0.5)
        found.append(Asked(samples, labels, methods, options))
        return Study(tuple(study_rows()))

    monkeypatch.setattr(run, "study", study)
    return found


def test_two_files_and_a_label_become_a_report(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atoms, "DUAL", Training(hidden=8, steps=40, batch=64))
    line = "seen.csv blind.csv --labels labels.csv --label mood --group who"
    result = typed(f"{line} --method none --no-controls --out report")
    assert (result.code, result.err) == (0, "")
    rows = read_rows(Path("report/rows.jsonl"))
    (verdict,) = (row for row in rows if row["kind"] == "conclusion")
    assert (verdict["unique1"], verdict["synergy"]) == ("yes", "no")
    assert ", unique1 yes, unique2 no, synergy no" in result.out
    assert verdict["text"] in result.out
    assert result.out.endswith("report: report/index.html\n")
    page = Path("report/index.html").read_text(encoding="utf-8")
    assert "What a probe reads: seen, blind" in page
    assert "Unique to seen: at least" in page


def test_options_reach_the_study_and_its_readers(typed: Typed, asked: list[Asked]) -> None:
    result = typed(
        "seen.csv blind.csv --labels labels.csv --label mood --group who --method comm "
        "--method cross --epochs 3 --preset tiny --seed 5 --level .9 --no-controls"
    )
    assert result.code == 0, result.err
    (found,) = asked
    assert found.methods == ("comm", "cross")
    assert found.options == {
        "epochs": 3,
        "preset": "tiny",
        "seed": 5,
        "level": 0.9,
        "controls": False,
    }
    assert found.samples.origin["options"]["seed"] == 5
    assert [m.name for m in found.samples.modalities] == ["seen", "blind"]


def test_names_of_files_and_of_rows_cannot_move_the_cursor(
    typed: Typed, asked: list[Asked]
) -> None:
    Path("seen.csv").rename("se\x1b[31men.csv")
    result = typed("se\x1b[31men.csv blind.csv --labels labels.csv --label mood")
    assert result.code == 0, result.err
    assert asked[0].samples.modalities[0].name == "se\x1b[31men"
    assert not {"\x1b", "\u202e"} & set(result.out)
    assert r"\x1b[31m\u202e" in result.out


def test_what_was_decided_for_the_user_is_said(typed: Typed, asked: list[Asked]) -> None:
    write("seen.csv", "u,town,mood", [(k, ["rome", "oslo"][k % 2], k % 3) for k in Y])
    result = typed("seen.csv blind.csv --labels labels.csv --label mood")
    assert "'mood' of seen.csv: label or group, so no feature" in result.out
    assert "column 'town' of seen.csv is a category of 2 values" in result.out
    assert asked[0].samples.tasks["mood"].names == ("glad", "sad")


def test_real_data_are_studied_by_name_with_options_of_their_reader(
    typed: Typed, asked: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(
        *("made-up", "numbers", ("a", "b"), ("y",), "40", "none", "nobody", (), ()),
        reader="test_cli_study:read_made_up",
        options="test_cli_study:MadeUp",
    )
    monkeypatch.setitem(SOURCES, "made-up", source)
    Path("here").mkdir()
    line = "made-up --folder here --data-option size=44 --data-option check=false"
    result = typed(f"{line} --label y --method none")
    assert result.code == 0, result.err
    (found,) = asked
    assert (found.labels, found.methods) == (["y"], ())
    assert found.samples.origin["options"] == {"size": 44, "seed": 0}
    assert sum(len(found.samples.sets[name]) for name in ("train", "test")) == 44
    assert "unknown label 'z'" in typed(f"{line} --label z --out other").err
    assert "'sise'" in typed("made-up --folder here --data-option sise=3 --out other").err
    assert not Path("other").exists()


@dataclass(frozen=True)
class MadeUp:
    """Options of a reader that is made up."""

    size: int = 40
    seed: int = 0


def read_made_up(_: Path, options: MadeUp) -> Samples:
    y = np.arange(options.size) % 2
    x = np.random.default_rng(options.seed).normal(size=(options.size, 2))
    return Samples.from_arrays({"a": x, "b": x}, {"y": y})


def test_a_trifeature_data_set_is_studied_by_its_folder(
    typed: Typed, asked: list[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pairs").mkdir()
    Path("pairs/dataset.json").write_text("{}", encoding="utf-8")
    made_up = read_made_up(Path(), MadeUp())
    monkeypatch.setattr(storage, "load", {Path("pairs"): made_up}.__getitem__)
    assert typed("pairs --label y").code == 0
    assert asked[0].samples is made_up


FILES = "seen.csv blind.csv --labels labels.csv --label mood"

WRONG = [
    ("", "missing argument"),
    ("watc", "did you mean 'watch'?"),
    ("seen.csv blind.csv", "say what is asked about"),
    ("seen.csv nowhere.csv --labels labels.csv --label mood", "cannot read nowhere.csv"),
    ("seen.csv watch --labels labels.csv", "watch is a set of real data: it is studied by itself"),
    (". --label mood", "is a folder, but no Trifeature data set"),
    ("seen.csv blind.csv --labels labels.csv", "--group who"),
    (f"{FILES} --method clip", "unknown method 'clip'"),
    (f"{FILES} --method none --method comm", "goes with no other method"),
    (f"{FILES} --preset huge", "unknown preset 'huge'"),
    (f"{FILES} --folder here", "--folder goes with a set of real data by name"),
    (f"{FILES} --data-option seed=1", "--data-option goes with a set of real data by name"),
    (f"{FILES} --out labels.csv", "labels.csv"),
    (f"{FILES} --out .", "holds other things than a report"),
    (f"{FILES} --out labels.csv/report", "cannot write to labels.csv/report"),
    (f"{FILES} --missing guess", "unknown way to treat missing values 'guess'"),
    (f"{FILES} --level 2 --method none", "level must be"),
    (f"{FILES} --seed -1", "--seed"),
    ("seen.csv --labels labels.csv --label mood --method none", "at least two modalities"),
    ("watch --id key", "--id goes with files of your own"),
    ("watch --missing drop", "--missing goes with files of your own"),
    ("watch --folder nowhere", "nowhere"),
    ("watch --data-option seed", "--data-option needs KEY=VALUE, not 'seed'"),
]


@pytest.mark.parametrize(("line", "words"), WRONG)
def test_a_wrong_line_is_refused_in_one_line_and_leaves_nothing(
    line: str, words: str, typed: Typed, tmp_path: Path
) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    result = typed(line)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert words in result.err
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_absent_items_are_refused_only_where_a_method_is_trained(
    typed: Typed, asked: list[Asked]
) -> None:
    np.savez("part.npz", values=STREAM.normal(size=(P, 2)), present=np.arange(P) % 80 != 55)
    line = "seen.csv part.npz --labels labels.csv --label mood"
    refused = typed(line)
    assert (refused.code, refused.out, asked) == (2, "", [])
    assert "part.npz lacks the item of row 55 (from 0) (2 of 160 rows lack one)" in refused.err
    assert "--missing drop" in refused.err
    dropped = typed(f"{line} --missing drop --out dropped")
    assert dropped.code == 0
    assert "2 of 160 rows lack a value or a whole item: they are left out" in dropped.out
    assert typed(f"{line} --method none --out kept").code == 0
    for one, absent in zip(asked, (0, 2), strict=True):
        assert sum(one.samples.absent(name).sum() for name in ("train", "test")) == absent


def test_a_report_is_replaced_by_the_next_one_and_other_files_never(
    typed: Typed, asked: list[Asked]
) -> None:
    for _ in range(2):
        assert typed(f"{FILES} --out report").code == 0
    Path("report/notes.txt").write_text("mine", encoding="utf-8")
    assert "--overwrite" in typed(f"{FILES} --out report").err
    assert typed(f"{FILES} --out report --overwrite").code == 0
    assert Path("report/notes.txt").read_text(encoding="utf-8") == "mine"
    assert len(asked) == 3


def test_ctrl_c_says_that_nothing_is_kept(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> Study:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "study", stopped)
    said = typed("seen.csv blind.csv --labels labels.csv --label mood --group who")
    assert (said.code, said.err.strip()) == (130, "stopped: no report was written")
    assert not Path("report").exists()


def test_options_of_a_reader_are_json_or_words() -> None:
    assert read_data_options(["a=1", "b=two=2", "c=[1, null]", "d="]) == {
        "a": 1,
        "b": "two=2",
        "c": [1, None],
        "d": "",
    }
    for words in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(InputError):
            read_data_options(words)


def test_of_many_conclusions_the_terminal_shows_the_verdicts_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {
        **dict.fromkeys(("redundancy", "unique1", "unique2", "synergy"), "open"),
        "kind": "conclusion",
        "sources": ["a", "b"],
        "text": "A paragraph.",
    }
    for count, told in ((4, 4), (5, 0)):
        print_study([row | {"label": f"label {number}"} for number in range(count)])
        said = capsys.readouterr().out
        assert said.count("synergy open") == count
        assert said.count("A paragraph.") == told
