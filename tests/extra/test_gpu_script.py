"""The script for a GPU of fifteen minutes: it never stops, and loses no row that was ready."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
    load("gpu")  # which it imports
    return load("gpu_parts")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The script, whose temporary files are the test's and whose signal handlers go again."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    before = {sign: signal.getsignal(sign) for sign in (signal.SIGTERM, signal.SIGINT)}
    yield load("gpu")
    for sign, handler in before.items():
        signal.signal(sign, handler)


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


def test_the_modes_are_those_of_the_command_line(parts: ModuleType) -> None:
    assert set(sys.modules["gpu"].MODES) == set(parts.EXECUTIONS)


def test_kinds_differ_in_more_than_seed_and_pairs(parts: ModuleType) -> None:
    kinds = [(plan.preset, plan.run.change(seed=0)) for plan in parts.kinds()]
    assert len(kinds) == len(set(kinds))
    every = {(p.preset, p.run.change(seed=0)) for item in parts.ORDER for p in item.plans()}
    assert set(kinds) == every


# --------------------------------------------------------------------------- which mode


def step_row(mode: str, step: float | None, **more: Any) -> dict[str, Any]:
    row = {"part": "steps", "mode": mode, "precision": "bfloat16", "step_ms": step}
    return row | more


def test_modes_that_ran_are_tried_by_their_speed_and_plain_steps_last(
    gpu: ModuleType, tmp_path: Path
) -> None:
    found = [
        step_row("plain", 20),
        step_row("graphs", 6),
        step_row("captured", 13),
        step_row("compiled", 1, failed="InductorError"),
        step_row("plain", 0.1, precision="float32"),
        step_row("graphs", None),
        {"part": "chip"},
    ]
    assert gpu.working(found) == ["graphs", "captured", "plain"]
    log = gpu.Log(io.BytesIO())

    def tried(content: str, *words: str) -> list[str]:
        (tmp_path / "smoke.jsonl").write_text(content)
        call = ["rows", str(tmp_path / "out"), "60", "--from", str(tmp_path), *words]
        return list(gpu.modes_to_try(gpu.read_options(call), log))

    lines = "".join(json.dumps(row) + "\n" for row in found)
    assert tried(lines) == ["graphs", "captured", "plain"]
    assert tried(lines + '{"part": "st') == ["graphs", "captured", "plain"]  # cut off by a kill
    assert tried(lines, "--mode", "compiled") == ["compiled", "captured", "plain"]
    assert tried('{"part": "chip"}\n') == ["plain"]  # nothing else ran
    fast = json.dumps(step_row("plain", 5))
    assert tried(lines.replace(json.dumps(found[0]), fast)) == ["plain"]  # faster than the others
    assert tried("[1\n") == list(gpu.MODES)
    assert "is damaged" in log.file.getvalue().decode()


# --------------------------------------------------------------------------- kernels


def test_kernels_come_back_in_pieces_as_they_were(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = gpu.Log(io.BytesIO())
    folder, out = tmp_path / "kernels", tmp_path / "out"
    out.mkdir()
    (folder / "a").mkdir(parents=True)
    content = {"a/one.cubin": os.urandom(5000), "two.py": b"x = 1\n"}
    for age, (name, data) in enumerate(content.items()):
        (folder / name).write_bytes(data)
        os.utime(folder / name, (age, age))
    monkeypatch.setattr(gpu, "PIECE", 2000)
    monkeypatch.setattr(gpu, "PIECES", 10)
    monkeypatch.setattr(gpu, "HELD_BACK", 1000)
    (out / "kernels.7").write_bytes(b"of an earlier call")
    gpu.store(folder, out, log)
    assert [path.name for path in sorted(out.iterdir())] == [f"kernels.{k}" for k in range(3)]
    assert all(path.stat().st_size <= 2000 for path in out.iterdir())
    gpu.fetch(out, tmp_path / "again", log)
    for name, data in content.items():
        assert (tmp_path / "again" / name).read_bytes() == data

    monkeypatch.setattr(gpu, "PIECES", 1)
    (folder / "three.py").write_text("later than both")
    (folder / "a/one.cubin").write_bytes(b"small")
    os.utime(folder / "a/one.cubin", (0, 0))
    (folder / "two.py").write_bytes(os.urandom(5000))
    os.utime(folder / "two.py", (1, 1))
    gpu.store(folder, out, log)  # what was compiled first is kept, what does not fit is not
    gpu.fetch(out, tmp_path / "partly", log)
    assert [path.name for path in (tmp_path / "partly").rglob("*.*")] == ["one.cubin"]
    assert "1 of 3 files kept" in log.file.getvalue().decode()


def test_damaged_kernels_leave_nothing_behind(gpu: ModuleType, tmp_path: Path) -> None:
    log = gpu.Log(io.BytesIO())
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "one").write_bytes(os.urandom(100_000))
    gpu.store(tmp_path / "kernels", tmp_path, log)
    piece = tmp_path / "kernels.0"
    piece.write_bytes(piece.read_bytes()[:50_000])
    gpu.fetch(tmp_path, tmp_path / "again", log)
    assert "compiled anew" in log.file.getvalue().decode()
    assert not (tmp_path / "again").exists()


# --------------------------------------------------------------------------- processes


def part(gpu: ModuleType, code: str, limit: float = 10, **how: Any) -> Any:
    log = gpu.Log(io.BytesIO())
    one = gpu.Part("part", [sys.executable, "-c", code], os.environ, limit, log, **how)
    while not one.ended():
        time.sleep(0.01)
    return one


def test_a_part_tells_its_run_and_whether_it_took_steps(gpu: ModuleType) -> None:
    one = part(gpu, "print('run one of two'); print('step: 1'); print('row: 1'); print('run two')")
    assert (one.run, one.stepped, one.rows, one.failed) == ("two", False, 1, False)
    assert part(gpu, "print('run one'); print('step: 1')").stepped
    one = part(gpu, "raise ValueError('why')")
    assert one.failed
    text = one.log.file.getvalue().decode()
    assert "failed (ValueError: why) after" in text


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


@pytest.mark.parametrize(("seconds", "stopped"), [(1.2, ""), (9, "silent for too long")])
def test_a_run_that_takes_steps_may_be_silent_for_longer(
    seconds: float, stopped: str, gpu: ModuleType
) -> None:
    code = f"import time; print('run A'); print('step: 1', flush=True); time.sleep({seconds})"
    assert part(gpu, code, silence=1).stopped == stopped


def test_a_log_that_cannot_be_written_ends_nothing(
    gpu: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        log = gpu.Log(full)
        log.say("the disk is full")
    log = gpu.Log(io.BytesIO())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Closed())
        log.say("so is the terminal")
    log = gpu.Log(io.BytesIO())
    monkeypatch.setattr(gpu, "LOG_BYTES", 5000)
    for _ in range(10):
        log.say("y" * 100_000, shown=False)
    assert len(log.file.getvalue()) < 5000


class Closed(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


ACTOR = """
import json, pathlib, sys, time
part, mode, *keys = sys.argv[1:sys.argv.index("--out")]
keys = keys[1:]
out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
with (out / "story").open("a") as story:
    story.write(" ".join([part, mode, *keys]) + "\\n")

def run(key):
    print("run", key, flush=True)
    fate = FATES[key].get(mode)
    if fate == "hangs":
        time.sleep(60)
    if fate == "fails late":
        print("step: 1", flush=True)
    if fate:
        sys.exit(1)
    with (out / "paper.jsonl").open("a") as rows:
        rows.write(json.dumps({"row": key}) + "\\n")
    print("row: of", key, flush=True)

if mode == BROKEN:
    sys.exit(1)
(out / "paper.jsonl").touch()
done = [json.loads(line)["row"] for line in (out / "paper.jsonl").open()]
for key in FATES:
    if (key in keys) == (part == "run") and key not in done:
        run(key)
"""
"""Stands in for gpu_parts.py: what becomes of each run, by mode."""

EVERY = dict.fromkeys(("graphs", "compiled", "captured", "plain"), "fails")


@pytest.mark.parametrize(
    ("broken", "fates", "story", "rows"),
    [
        # A mode that nothing runs in is left for the next; so is one that hangs.
        (
            "graphs",
            {"A": {"compiled": "hangs"}, "B": {}},
            ["rows graphs", "rows compiled", "rows captured"],
            "AB",
        ),
        # A run that fails after steps is left out, and the mode stays.
        ("", {"A": {"graphs": "fails late"}, "B": {}}, ["rows graphs", "rows graphs A"], "B"),
        # Where other runs work, one that does not is tried alone in the other modes.
        (
            "",
            {"A": {}, "B": {"graphs": "fails", "compiled": "fails"}, "C": {}},
            ["rows graphs", "run compiled B", "run captured B", "rows graphs"],
            "ABC",
        ),
        # One that fails in every mode is at fault, whether it is the first or not.
        (
            "",
            {"A": EVERY, "B": {}},
            [*(f"rows {mode}" for mode in EVERY), "rows graphs A"],
            "B",
        ),
        (
            "",
            {"A": {}, "B": EVERY, "C": {}},
            ["rows graphs", *(f"run {mode} B" for mode in list(EVERY)[1:]), "rows graphs B"],
            "AC",
        ),
    ],
)
def test_rows_go_on_whatever_fails(  # noqa: PLR0917 - fixtures
    broken: str,
    fates: dict[str, Any],
    story: list[str],
    rows: str,
    gpu: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    actor = tmp_path / "actor.py"
    actor.write_text(ACTOR.replace("FATES", repr(fates)).replace("BROKEN", repr(broken)))
    monkeypatch.setattr(gpu, "PARTS", actor)
    monkeypatch.setattr(gpu, "SILENCE", 0.7)
    monkeypatch.setattr(gpu, "COMPILED", ())  # nothing is compiled ahead
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    out = tmp_path / "out"
    assert gpu.main(["rows", str(out), "60"]) == 0
    assert (out / "story").read_text().splitlines() == story
    written = [json.loads(line)["row"] for line in (out / "paper.jsonl").read_text().splitlines()]
    assert "".join(written) == rows
    assert f"rows written: {len(rows)} (paper.jsonl)" in (out / "log.txt").read_text()


def test_where_no_mode_works_a_call_says_so_and_ends(
    gpu: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = tmp_path / "actor.py"
    actor.write_text("raise OSError('no GPU')")
    monkeypatch.setattr(gpu, "PARTS", actor)
    monkeypatch.setattr(gpu, "ROOT", tmp_path)
    assert gpu.main(["rows", str(tmp_path / "rows"), "60"]) == 1
    said = (tmp_path / "rows" / "log.txt").read_text()
    assert said.count("failed (OSError: no GPU)") >= 4
    assert "rows written: 0 (none)" in said
    assert gpu.main(["smoke", str(tmp_path / "smoke")]) == 1
    said = (tmp_path / "smoke" / "log.txt").read_text()
    assert "no step could be tried, so nothing else is" in said


@pytest.mark.usefixtures("gpu")  # for its folder
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT], ids=lambda sign: sign.name)
def test_a_call_that_is_ended_from_outside_stops_all_its_parts(
    sign: signal.Signals, tmp_path: Path
) -> None:
    """Neither the run nor what is compiled beside it holds the GPU afterwards."""
    pids, actor = tmp_path / "pids", tmp_path / "actor.py"
    actor.write_text(
        f"import os, time; open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(60)"
    )
    start = f"import gpu, pathlib; gpu.PARTS = pathlib.Path({str(actor)!r}); "
    code = start + f"raise SystemExit(gpu.main(['rows', {str(tmp_path / 'out')!r}, '60']))"
    environment = {**os.environ, "PYTHONPATH": f"{SCRIPTS}:{SCRIPTS.parent}"}
    call = subprocess.Popen([sys.executable, "-c", code], env=environment)  # noqa: S603
    while not pids.exists() or len(pids.read_text().split()) < 2:
        time.sleep(0.05)
    call.send_signal(sign)
    assert call.wait(10) == {signal.SIGTERM: 143, signal.SIGINT: 130}[sign]
    for pid in pids.read_text().split():
        assert not Path(f"/proc/{pid}").exists()
    assert "ended" in (tmp_path / "out" / "log.txt").read_text()


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
        (["rows", "out", "59"], "SECONDS must be 60 or more, not 59"),
        (["smoke", "out", "nan"], "SECONDS must be 60 or more, not nan"),
        (["smoke", __file__], "is a file: name a folder"),
        (["smoke", "out", "--device", "mps"], "--device is cpu or cuda, not mps"),
        (["smoke", "150"], "OUT is a folder for what is found, not 150"),
        (["rows", "out", "60", "--from", "nowhere"], "nowhere has no smoke.jsonl"),
        (["smoke", "/proc/out"], "/proc/out cannot be written"),
        (["rows", "out", "60", "--mode", "fast"], "invalid choice: 'fast'"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], message: str, gpu: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        sys.exit(gpu.main(words))
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
    monkeypatch.setattr(gpu, "commit", lambda: None)
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
    smoke = run("smoke", str(first), "600", *how, environment=environment)
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
    rows = run("rows", str(second), "70", "--mode", "graphs", *call, environment=environment)
    assert rows.returncode == 0, rows.stdout
    log = (second / "log.txt").read_text(encoding="utf-8")
    for mode in ("compiled", "captured", "plain"):
        assert f"next mode: {mode}" in log
    assert "out of time" in log
    written = result_rows(second / "paper.jsonl")
    assert {(row["epoch"], row["biased"]) for row in written} >= {(0, True), (2, True)}
    last = [row for row in written if row["epoch"] == 2]
    assert all({"official", "S_auc", "products", "commit"} <= row.keys() for row in last)
    assert all("threads" in row["device"] for row in written)
    again = run("rows", str(second), "60", *call, environment=environment)
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
            gpu.fetch(tmp_path, kernels, gpu.Log(io.BytesIO()))
        subprocess.run([*command, *places, "--miniature"], env=environment, check=True)  # noqa: S603
        compiled.append([line for line in calls.read_text().splitlines() if ".main.cpp" in line])
        calls.unlink()
        gpu.store(kernels, tmp_path, gpu.Log(io.BytesIO()))
        shutil.rmtree(kernels)
    assert len(compiled[0]) > 10
    assert compiled[1] == []
