"""The script for a GPU of fifteen minutes: it never stops, and loses no row that was ready."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from trifeature.experiments.experiment import Setup
from trifeature.experiments.plan import result_rows
from trifeature.experiments.reproduction import plans_for
from trifeature.presets import get_preset

SCRIPTS = Path(__file__).parents[2] / "scripts"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parts() -> ModuleType:
    return load("gpu_parts")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    return load("gpu")


# --------------------------------------------------------------------------- what is trained


def test_the_first_comparison_comes_first_then_the_figures_seed_by_seed(parts: ModuleType) -> None:
    words = [f"{p.preset} {p.describe()}" for item in parts.ORDER for p in item.plans()]
    both = ("biased", "unbiased")
    assert words[:4] == [
        *(f"paper L_CoMM {pairs} seed 0" for pairs in both),
        *(f"paper L_CoMM temperature 0.4 {pairs} seed 0" for pairs in both),
    ]
    arms = ("L_CoMM", "L_i", "L", "cross", "cross+self", "factorcl")
    assert words[4:40] == [
        f"fast {arm} {pairs} seed {seed}" for seed in range(3) for arm in arms for pairs in both
    ]
    assert words[40] == "paper L_CoMM biased seed 1"


def test_the_first_rows_are_those_of_figures_4_and_5_by_both_probes(parts: ModuleType) -> None:
    first, control, *_ = parts.ORDER[0].plans()
    assert get_preset(first.preset).drawings == "published"
    assert (first.official, first.products) == (True, True)
    assert first.run.option("temperature", 0.0) == 0.1
    assert first.probe_epochs == control.probe_epochs
    assert {0, 100} <= set(first.probe_epochs)
    keys = {plan.key for plan in plans_for("fig4", Setup("paper", seeds=1), "CoMM")}
    assert keys == {first.key, control.key}


def test_kinds_differ_in_more_than_seed_and_pairs(parts: ModuleType) -> None:
    kinds = [(plan.preset, plan.run.change(seed=0)) for plan in parts.kinds()]
    assert len(kinds) == len(set(kinds))
    every = {(p.preset, p.run.change(seed=0)) for item in parts.ORDER for p in item.plans()}
    assert set(kinds) == every


# --------------------------------------------------------------------------- which mode


def step_row(mode: str, first: float, step: float, **more: Any) -> dict[str, Any]:
    times = {"first_step_seconds": first, "step_ms": step}
    return {"part": "steps", "mode": mode, "precision": "bfloat16", **times, **more}


def test_the_mode_is_that_in_which_a_whole_run_ends_first(gpu: ModuleType) -> None:
    found = [
        step_row("plain", 1, 20),  # 1 + 15,700 · 0.020 = 315 s
        step_row("graphs", 60, 6),  # 154 s
        step_row("captured", 2, 13),  # 206 s
        step_row("compiled", 1, 1, failed="InductorError"),
        step_row("plain", 0, 0.1, precision="float32"),
        {"part": "chip"},
    ]
    assert gpu.fastest(found) == "graphs"
    assert gpu.fastest([*found, step_row("captured", 2, 9)]) == "captured"  # 143 s
    assert gpu.fastest(found[3:]) is None


# --------------------------------------------------------------------------- kernels


def test_kernels_come_back_in_pieces_as_they_were(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = gpu.Log(io.StringIO())
    folder, out = tmp_path / "kernels", tmp_path / "out"
    out.mkdir()
    (folder / "a").mkdir(parents=True)
    content = {"a/one.cubin": os.urandom(5000), "two.py": b"x = 1\n"}
    for name, data in content.items():
        (folder / name).write_bytes(data)
    monkeypatch.setattr(gpu, "PIECE", 2000)
    gpu.store(folder, out, log)
    assert [path.name for path in sorted(out.iterdir())] == [f"kernels.{k}" for k in range(3)]
    assert all(path.stat().st_size <= 2000 for path in out.iterdir())
    gpu.fetch(out, tmp_path / "again", log)
    for name, data in content.items():
        assert (tmp_path / "again" / name).read_bytes() == data

    (out / "kernels.1").unlink()
    gpu.fetch(out, tmp_path / "broken", log)
    assert "compiled anew" in log.file.getvalue()
    monkeypatch.setattr(gpu, "PIECES", 2)
    gpu.store(folder, tmp_path, log)
    assert "too many" in log.file.getvalue()
    assert not list(tmp_path.glob("kernels.*"))


# --------------------------------------------------------------------------- processes


def part(gpu: ModuleType, code: str, limit: float = 10, **how: Any) -> Any:
    log = gpu.Log(io.StringIO())
    one = gpu.Part("part", [sys.executable, "-c", code], os.environ, limit, log, **how)
    while not one.ended():
        time.sleep(0.01)
    return one


def test_a_part_tells_its_run_and_whether_it_took_steps(gpu: ModuleType) -> None:
    code = "print('run one of two'); print('step: 1'); print('run two'); import os; os.dup2(1, 2)"
    one = part(gpu, code)
    assert (one.run, one.stepped, one.failed) == ("two", False, False)
    assert part(gpu, "print('run one'); print('step: 1')").stepped
    assert part(gpu, "raise SystemExit(3)").failed


@pytest.mark.parametrize(("limit", "silence"), [(0.5, 10), (10, 0.5)])
def test_a_part_is_stopped_with_all_that_it_started(
    limit: float, silence: float, gpu: ModuleType, tmp_path: Path
) -> None:
    sign = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(sign)!r}).touch()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    one = part(gpu, code, limit, silence=silence)
    assert one.stopped == (gpu.LATE if limit < silence else "silent for too long")
    assert time.monotonic() - one.started < 2
    time.sleep(2.2 - (time.monotonic() - one.started))
    assert not sign.exists()


ACTOR = """
import json, pathlib, sys, time
part, mode, seconds, *without = sys.argv[1:sys.argv.index("--out")] + [""] * 3
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
with (out / "story").open("a") as story:
    story.write(" ".join([part, mode, *filter(None, without)]).strip() + "\\n")
if part == "ahead" or mode == "graphs":
    sys.exit(1)  # before any run
print("run A", flush=True)
if mode == "compiled":
    time.sleep(60)  # hangs before its first step
if mode == "captured" and "A" not in without:
    print("step: 1", flush=True)
    sys.exit(1)
print("run B", flush=True)
with (out / "paper.jsonl").open("a") as rows:
    rows.write(json.dumps({"row": 1}) + "\\n")
    rows.flush()
    rows.write(json.dumps({"row": 2}) + "\\n")
if "B" not in without:
    sys.exit(1)
"""


def test_rows_go_on_in_the_next_mode_and_without_a_run_that_fails(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = tmp_path / "actor.py"
    actor.write_text(ACTOR)
    monkeypatch.setattr(gpu, "PARTS", actor)
    monkeypatch.setattr(gpu, "SILENCE", 0.7)
    monkeypatch.setattr(gpu, "SHORTEST", 0.1)
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    monkeypatch.setenv("TRIFEATURE_COMMIT", "0123456789ab")
    out = tmp_path / "out"
    assert gpu.main(["rows", str(out), "30"]) == 0
    story = [line for line in (out / "story").read_text().splitlines() if line != "ahead"]
    assert story == [
        "rows graphs",  # fails before any run: the next mode
        "rows compiled",  # hangs: the next mode
        "rows captured",  # A fails after it has taken steps: without A
        "rows captured A",  # B fails before: the next mode
        "rows plain A",  # there is no other: without B
        "rows plain A B",
    ]
    assert "6 paper.jsonl" in (out / "log.txt").read_text()


# --------------------------------------------------------------------------- the command line


def run(*words: str, environment: dict[str, str] | None = None) -> Any:
    return subprocess.run(  # noqa: S603
        [str(SCRIPTS / "gpu.sh"), *words],
        env={**os.environ, "PYTHON": sys.executable, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "command"),
        (["measure", "out"], "invalid choice: 'measure'"),
        (["rows", "out"], "seconds"),
        (["rows", "out", "9"], "SECONDS must be 20 or more, not 9"),
        (["smoke", "out", "nan"], "SECONDS must be 20 or more, not nan"),
        (["smoke", __file__], "is a file: name a folder"),
        (["rows", "out", "60", "--from", "nowhere"], "nowhere is no folder"),
        (["rows", "out", "60", "--mode", "fast"], "invalid choice: 'fast'"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], message: str, gpu: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        gpu.main(words)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not Path("out").exists()


def test_a_copy_without_a_commit_is_refused(
    gpu: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    monkeypatch.delenv("TRIFEATURE_COMMIT", raising=False)
    with pytest.raises(SystemExit):
        gpu.main(["smoke", str(tmp_path / "out")])
    assert "which commit this copy is of" in capsys.readouterr().err


# --------------------------------------------------------------------------- end to end


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.processes  # nine processes that import torch
def test_both_calls_on_a_cpu_whose_compiler_fails(tmp_path: Path) -> None:
    """Miniature presets: smoke, rows until the clock runs out, and rows that go on."""
    first, second = tmp_path / "smoke", tmp_path / "rows"
    (tmp_path / "tmp").mkdir()
    environment = {"TMPDIR": str(tmp_path / "tmp"), "CXX": "/bin/false"}
    how = ("--device", "cpu", "--miniature")
    smoke = run("smoke", str(first), "150", *how, environment=environment)
    assert smoke.returncode == 1, smoke.stdout  # graphs and compiled steps do not run here
    found = lines_of(first / "smoke.jsonl")
    assert [row["part"] for row in found] == ["chip", *["steps"] * 5, "epoch"]
    tried = {(row["mode"], row["precision"]): row for row in found if row["part"] == "steps"}
    works = {key: "failed" not in row for key, row in tried.items()}
    assert works == {
        ("plain", "float32"): True,
        ("plain", "bfloat16"): True,
        ("captured", "bfloat16"): False,
        ("compiled", "bfloat16"): False,
        ("graphs", "bfloat16"): False,
    }
    assert tried["plain", "bfloat16"]["loss"] > 0
    assert "CUDA graphs need a GPU" in tried["graphs", "bfloat16"]["failed"]
    assert "compiler" in tried["compiled", "bfloat16"]["failed"]
    assert found[-1]["mode"] == "plain"
    assert len(list(first.iterdir())) <= 8  # as many as a transfer takes

    # The first mode that is asked for does not run, nor do the next two.
    call = ("--from", str(first), *how)
    rows = run("rows", str(second), "75", "--mode", "graphs", *call, environment=environment)
    assert rows.returncode == 0, rows.stdout
    log = (second / "log.txt").read_text(encoding="utf-8")
    for mode in ("compiled", "captured", "plain"):
        assert f"next mode: {mode}" in log
    assert "out of time" in log
    written = result_rows(second / "paper.jsonl")
    assert {(row["epoch"], row["biased"]) for row in written} >= {(0, True), (1, True)}
    last = [row for row in written if row["epoch"] == 1]
    assert all({"official", "S_auc", "products", "commit"} <= row.keys() for row in last)
    assert all("threads" in row["device"] for row in written)
    again = run("rows", str(second), "35", *call, environment=environment)
    assert again.returncode == 0
    more = result_rows(second / "paper.jsonl")
    assert more[: len(written)] == written
    keys = [(row["key"], row["epoch"]) for row in more]
    assert len(keys) == len(set(keys))
    assert "next mode" not in again.stdout  # the smoke call had shown what works


@pytest.mark.slow  # a compiler takes a minute on a CPU
def test_kernels_of_one_machine_serve_the_next(gpu: ModuleType, tmp_path: Path) -> None:
    """Compiled, kept, unpacked in their place: nothing of a step is compiled again."""
    calls, compiler, kernels = tmp_path / "calls", tmp_path / "compiler", tmp_path / "kernels"
    compiler.write_text(f'#!/bin/sh\necho "$*" >> {calls}\nexec g++ "$@"\n')
    compiler.chmod(0o755)
    environment = {
        **os.environ,
        "PYTHONPATH": str(SCRIPTS.parent),
        "CXX": str(compiler),
        "TORCHINDUCTOR_CACHE_DIR": str(kernels / "inductor"),
    }
    places = ("--out", str(tmp_path), "--runs", str(tmp_path / "runs"), "--device", "cpu")
    command = [sys.executable, str(SCRIPTS / "gpu_parts.py"), "steps", "compiled:bfloat16"]
    compiled = []
    for again in (False, True):
        if again:
            gpu.fetch(tmp_path, kernels, gpu.Log(io.StringIO()))
        subprocess.run([*command, *places, "--miniature"], env=environment, check=True)  # noqa: S603
        compiled.append([line for line in calls.read_text().splitlines() if ".main.cpp" in line])
        calls.unlink()
        gpu.store(kernels, tmp_path, gpu.Log(io.StringIO()))
        shutil.rmtree(kernels)
    assert len(compiled[0]) > 10
    assert compiled[1] == []
