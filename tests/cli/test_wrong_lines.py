"""Wrong command lines: each is refused at once, in one line, with exit code 2 and nothing left."""

import sys
from pathlib import Path

import pytest

from trifeature.cli import comm_probe_main, trifeature_main
from trifeature.data import dataset
from trifeature.experiments import execute

TRIFEATURE = [
    "generat",
    "--nothing",
    "generate --preset nonsense",
    "generate --preset",
    "generate --copies two",
    "generate --copies 0",
    "generate --copies 10000000",
    "generate --match-rate .5",
    "generate --synergy-map --match-rate 2",
    "generate --synergy-map --match-rate nan",
    "generate --synergy-map=",
    "generate --synergy-map=nonsense",
    "generate --synergy-map=missing.json",
    "generate --synergy-map=random:x",
    "generate identity",
    "generate one two",
    "generate --shapes 1",
    "generate --colors 11",
    "generate --held-out 1000",
    "generate --held-out 500 --validation",
    "generate --seed -1",
    "generate --seed 1000000000000000000000000000000",
    "generate --canvas 31",
    "generate --canvas 4097",
    "generate --box 300",
    "generate --background 2",
    "generate --oversample 0",
    "generate --max-angle nan",
    "generate --period inf",
    "generate --shared texture",
    "generate --unique nothing",
    "generate --synergy texture",
    "generate --synergy texture,color,shape",
    "generate --modalities 1",
    "generate --modalities 9",
    "generate --train-pairs 0",
    "generate --device tpu",
    "generate --device cuda:99",
    "generate file.txt",
    "generate file.txt/folder",
    "verify",
    "verify nowhere",
    "verify file.txt",
    "verify folder",
    "info nowhere",
    "info nowhere --json",
    "gallery nowhere",
    "gallery nowhere --preset quick",
    "gallery --out picture.jpg",
    "gallery --out folder",
    "gallery --out file.txt/picture.png",
    "info folder --picture file.txt/picture.png",
    "gallery --preset nonsense",
    "attributes extra",
    "bench --images 0",
    "bench --images 1000000000",
    "bench --canvas 8",
    "bench --device tpu",
    "bench --rows folder",
    "bench --rows file.txt/rows.jsonl",
    "playground",
    "playground page.html --rows missing.jsonl",
    "playground page.html --rows folder",
    "playground page.html other.html",
    "playground file.txt/page.html",
    "pid sow",
    "pid show",
    "pid show NOTHING",
    "pid show AND XOR",
    "pid show AND --measure nothing",
    "pid show AND --set flip",
    "pid show AND --set flip=x",
    "pid show AND --set nothing=1",
    "pid show NOISY-XOR --set flip=2",
    "pid show AND --format xml",
    "pid show AND --picture folder",
    "pid show AND --picture picture.nonsense",
    "pid show AND --picture file.txt/picture.png",
    "pid measures NOTHING",
    "pid measures AND --picture folder",
    "pid atoms",
    "pid atoms missing.csv --source a --source b --target y",
    "pid atoms folder --source a --source b --target y",
    "pid atoms data.csv --source a --target y",
    "pid atoms data.csv --source a --source b --source c --target y",
    "pid atoms data.csv --source a --source y --target y",
    "pid atoms data.csv --source a --source a --target y",
    "pid atoms data.csv --source a --source x --target y",
    "pid atoms data.csv --source a --source b --target y --bootstraps 0",
    "pid atoms data.csv --source a --source b --target y --exact --bootstraps 9",
    "pid atoms data.csv --source a --source b --target y --exact --permutations 9",
    "pid atoms data.csv --source a --source b --target y --exact --seed 1",
    "pid atoms data.csv --source a --source b --target y --picture folder",
    "pid bounds NOTHING",
    "pid bounds AND --picture x.png",
    "pid bench --of x",
    "pid bench --rows file.txt/rows.jsonl",
    "pid calibrate --out file.txt/rows.jsonl",
    "pid screen data.csv --target y --out file.txt/pairs",
    "pid screen data.csv --target y --csv file.txt/pairs.csv",
    "pid screen data.csv --target y --csv folder",
    "pid pointwise data.csv --source a --source b --target y --out file.txt/rows.csv",
]

COMM_PROBE = [
    "trian",
    "--nothing",
    "train --method clip",
    "train --los L",
    "train --loss L_9",
    "train --loss L --method cross",
    "train --cross-self code",
    "train --method cross+self --cross-self x",
    "train --method factorcl --temperature .1",
    "train --epochs 0",
    "train --epochs two",
    "train --seed -1",
    "train --seed 1000000000000000000000000000000",
    "train --batch-size 1",
    "train --batch-size 1000000000",
    "train --width 100000000",
    "train --width 30",
    "train --heads 0",
    "train --temperature 0",
    "train --temperature nan",
    "train --learning-rate -1",
    "train --learning-rate inf",
    "train --weight-decay -1",
    "train --warmup 1 --schedule cosine",
    "train --warmup .5 --schedule constant",
    "train --schedule linear",
    "train --fusion none",
    "train --fusion linear --heads 4",
    "train --fusion linear --masking learned",
    "train --vector 32",
    "train --method cross+self --width 64",
    "train --negatives all",
    "train --encoder vit",
    "train --views nonsense",
    "train --views all --views light --views all",
    "train --precision float16",
    "train --execution nonsense",
    "train --device tpu",
    "train --device cuda:99",
    "train --probing nonsense",
    "train --probe-at x",
    "train --probe-at 99",
    "train --probe-at -1",
    "train --data nowhere",
    "train --data file.txt",
    "train --data folder --unbiased",
    "train --preset nonsense",
    "train --out file.txt",
    "train --out file.txt/runs",
    "train extra",
    "train --plugin missing.py",
    "train --plugin missing_module",
    "--plugin",
    "ablate --loss X",
    "ablate --loss L_3",
    "ablate --seeds 0",
    "ablate --seed -1",
    "ablate --jobs 0",
    "ablate --probe-at 1,,2",
    "ablate --probing x",
    "ablate --preset nonsense",
    "ablate --device tpu",
    "ablate --data nowhere",
    "ablate --control maybe",
    "ablate --out file.txt",
    "ablate --out file.txt/runs",
    "probe",
    "probe nowhere",
    "probe folder",
    "probe file.txt",
    "probe folder --probing nonsense",
    "probe folder --classifier nonsense",
    "probe folder --probing authors --classifier logistic",
    "probe folder --control nowhere",
    "demo extra",
    "demo --jobs 0",
    "demo --device tpu",
    "demo --out file.txt",
    "demo --out file.txt/runs",
    "demo --rows file.txt/rows.jsonl",
    "reproduce",
    "reproduce nonsense",
    "reproduce fig4 --preset nonsense",
    "reproduce fig4 --dry-run --execution nonsense",
    "reproduce fig4 --dry-run --precision nonsense",
    "reproduce fig4 --dry-run --device tpu",
    "reproduce fig4 --dry-run --probing nonsense",
    "reproduce fig4 --dry-run --rows folder",
    "reproduce fig4 --dry-run --seeds 0",
    "reproduce fig4 --verbose",
    "reproduce fig4 --execution nonsense",
    "reproduce fig4 --executor slurm",
    "reproduce fig4 --ray-address here",
    "reproduce fig4 --executor ray --jobs 2",
    "reproduce fig4 --gpus-per-run -1",
    "reproduce fig4 --jobs 0",
    "reproduce fig4 --time-budget -1",
    "reproduce fig4 --time-budget nan",
    "reproduce fig4 --rows folder",
    "reproduce fig4 --out file.txt",
    "reproduce fig4 --out file.txt/runs",
    "reproduce fig4 --rows file.txt/rows.jsonl",
    "figure nonsense",
    "figure fig4",
    "figure",
    "figure --rows missing.jsonl",
    "figure --rows folder",
    "figure curves --rows rows.jsonl",
    "figure curves --seeds 2",
    "figure curves --epochs 2",
    "figure curves --preset paper",
    "figure curves --precision float32",
    "figure curves --probing authors",
    "figure fig4 --rows rows.jsonl --out file.txt",
    "figure fig4 --rows rows.jsonl --out file.txt/figures",
    "finetune",
    "finetune nowhere",
    "finetune folder",
    "finetune folder --loss nonsense",
    "finetune folder --epochs 0",
    "finetune folder --patience 0",
    "finetune folder --loss cross-entropy --temperature .1",
    "finetune folder --folds 1",
    "complexity --method clip",
    "complexity --encoder vit",
    "complexity --preset huge",
    "complexity --batch 0",
    "complexity --repetitions 0",
    "complexity --rows file.txt/rows.jsonl",
    "complexity --json --latex",
    "complexity --device tpu",
    "bench --steps 0",
    "bench --speedrun --steps 3",
    "bench --speedrun --reference",
    "bench --epochs 3",
    "bench --seeds 3",
    "bench --validation",
    "bench --speedrun --preset fast",
    "bench --method clip",
    "bench --execution nonsense",
    "bench --precision half",
    "bench --device tpu",
]


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with a file, a folder, a small table and no rows; nothing is rendered or run."""
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("some words\n")
    Path("folder").mkdir()
    Path("data.csv").write_text("a,b,y\n0,0,0\n0,1,0\n1,0,0\n1,1,1\n")
    Path("rows.jsonl").write_text("")

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("work has begun before the line was refused")

    monkeypatch.setattr(dataset, "render", forbidden)
    monkeypatch.setattr(execute, "carry_out", forbidden)
    return tmp_path


def contents(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "line",
    [
        *(f"trifeature {line}" for line in TRIFEATURE),
        *(f"comm-probe {line}" for line in COMM_PROBE),
    ],
)
def test_a_wrong_line_is_refused_in_one_line(
    line: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(place)
    words = line.split()
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        (trifeature_main if words[0] == "trifeature" else comm_probe_main)()
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert contents(place) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("comm-probe train --seed -1", "seed must be a whole number from 0"),
        ("comm-probe train --warmup .5 --schedule constant", "--warmup needs --schedule cosine"),
        (
            "comm-probe train --method cross --loss L",
            "comm, two-temperatures, comm+cross, infmasking, dropping, not of cross",
        ),
        ("comm-probe train --widht 3", "no such option: --widht"),
        ("comm-probe train --width 30", "must be a multiple of 4, not 30"),
        ("comm-probe figure curves --seeds 2", "--seeds choose rows of one figure"),
        ("comm-probe reproduce fig4 --verbose", "--verbose needs --dry-run"),
        ("comm-probe reproduce fig4 --dry-run --execution nonsense", "one of plain, compiled"),
        ("comm-probe finetune x --loss cross-entropy --temperature 1", "needs --loss supcon"),
        ("trifeature generat", "did you mean 'generate'"),
        ("trifeature gallery folder --preset quick", "--preset is for the gallery of a preset"),
        ("trifeature bench --images 1000000000", "GiB of memory are free"),
        ("trifeature pid show AND --picture x.bmp", "ends in .png, .svg, .pdf"),
        ("trifeature pid atoms data.csv --source a --source a --target y", "both sources are 'a'"),
    ],
)
def test_the_line_says_what_would_be_right(
    line: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", line.split())
    with pytest.raises(SystemExit):
        (trifeature_main if line.startswith("trifeature") else comm_probe_main)()
    assert words in capsys.readouterr().err.replace("Did", "did")
