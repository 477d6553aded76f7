"""Spend fifteen minutes of a GPU: `gpu.sh smoke OUT`, then `gpu.sh rows OUT SECONDS --from SMOKE`.

`smoke` answers: which GPU is it; do ten steps of CoMM at the paper's size run in every mode, how
fast and with a finite loss; does one epoch become a row, with all its probes; do the tests that
need a GPU pass. OUT/smoke.jsonl gets a line for each answer when it is known.

`rows` trains what has no row yet (`ORDER` in gpu_parts.py), most valuable first, while another
process compiles what comes later. A process that fails or hangs before it has taken steps is
followed by one in the next mode, down to plain steps; a run that fails later is left out. Rows are
in OUT/paper.jsonl and OUT/fast.jsonl, which begin as those of figures/; each is written when its
run ends, so a clock that runs out loses only the unfinished run. Put them into figures/ afterwards:
the next call goes on from there.

Compiled kernels are kept in OUT/kernels.*, for a later call that is given the folder by `--from`;
`rows` then also begins with the mode that was fastest. Every part is a process with a limit, whose
words go to OUT/log.txt. Nothing is installed.
"""

from __future__ import annotations

import argparse
import io
import json
import lzma
import math
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO

ROOT: Final = Path(__file__).parents[1]
PARTS: Final = Path(__file__).with_name("gpu_parts.py")
SMOKE: Final = "smoke.jsonl"
KERNELS: Final = "kernels"

MODES: Final = ("graphs", "compiled", "captured", "plain")
"""The ways to take steps, in the order in which they are tried; see gpu_parts.py."""

RUN_STEPS: Final = 15_700
"""Steps of a run of the paper's preset: 100 epochs of 10,000 pairs in batches of 64."""

SMOKE_SECONDS: Final = 150
LAST_SECONDS: Final = 15
"""Kept free at the end of a call, to store the kernels."""
SILENCE: Final = 120
"""Seconds without a word after which a process that trains is taken to hang."""
LATE: Final = "out of time"
SHORTEST: Final = 5
"""Seconds below which no part is started."""

PIECE: Final = 15 * 2**20
PIECES: Final = 3
"""Kernels are kept in at most three files of 15 MiB: a transfer takes eight of 16 MiB."""

Row = dict[str, Any]


# --------------------------------------------------------------------------- processes


class Log:
    """What happens, on the terminal and in a file, with the seconds since the start."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.start, self.lock = file, time.monotonic(), threading.Lock()

    def say(self, words: str, *, shown: bool = True) -> None:
        """Write one line, to the file alone if it is not to be shown."""
        line = f"{time.monotonic() - self.start:6.1f}  {words}\n"
        with self.lock:
            for place in (sys.stdout, self.file) if shown else (self.file,):
                place.write(line)
                place.flush()


class Part:
    """A process with a limit; its lines go to the log, those on its errors to the file alone.

    Args:
        name: In the log.
        command: What to run.
        environment: Its environment.
        limit: Seconds after which it is stopped.
        silence: Seconds without a line after which it is stopped.
        log: Where its lines go.

    Attributes:
        stopped: Why it was stopped, such as `out of time`; empty if it was not.
        run: The key of the run that it carries out, from its line `run KEY …`; or empty.
        stepped: Whether that run has taken steps, from a line `step: …`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        limit: float,
        log: Log,
        *,
        silence: float = math.inf,
    ) -> None:
        self.name, self.log, self.silence = name, log, silence
        self.stopped, self.run, self.stepped = "", "", False
        self.started = self.heard = time.monotonic()
        self.ends = self.started + limit
        log.say(f"{name}: at most {limit:.0f} s")
        self.process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=ROOT,
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
        self.readers = [
            threading.Thread(target=self._read, args=(pipe, shown), daemon=True)
            for pipe, shown in ((self.process.stdout, True), (self.process.stderr, False))
        ]
        for reader in self.readers:
            reader.start()

    def _read(self, pipe: TextIO, shown: bool) -> None:
        with pipe:
            for line in pipe:
                self.heard = time.monotonic()
                words = line.rstrip()
                if shown and words.startswith("run "):
                    self.run, self.stepped = words.split()[1], False
                self.stepped |= shown and words.startswith("step:")
                self.log.say(f"{self.name}: {words}", shown=shown)

    def ended(self) -> bool:
        """Whether it has ended; it is stopped here if its time is over or it says nothing."""
        if self.process.poll() is None:
            now = time.monotonic()
            if now > self.ends:
                self.stop(LATE)
            elif now - self.heard > self.silence:
                self.stop("silent for too long")
            else:
                return False
        if self.readers:
            self._conclude()
        return True

    def _conclude(self) -> None:
        """Read what is left, and say how it ended."""
        for reader in self.readers:
            reader.join(3)
        self.readers = []
        took, code = time.monotonic() - self.started, self.process.returncode
        how = f"stopped, {self.stopped}," if self.stopped else "ended"
        self.log.say(f"{self.name}: {how} after {took:.1f} s" + f", code {code}" * bool(code))

    def stop(self, why: str) -> None:
        """Stop it and all processes that it started."""
        self.stopped = why
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sign)
            except ProcessLookupError:
                break
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                continue

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than well."""
        return bool(self.stopped or self.process.returncode)


class Call:
    """One call of the script.

    Args:
        options: What was asked for, see `read_options`.
        log: Where everything is said.
    """

    def __init__(self, options: argparse.Namespace, log: Log) -> None:
        self.out, self.log = options.out, log
        self.ends = log.start + options.seconds - LAST_SECONDS
        self.work = Path(tempfile.gettempdir()) / "trifeature-gpu"
        self.kernels = self.work / KERNELS
        self.shared = [
            *("--out", str(options.out), "--runs", str(self.work / "runs")),
            *("--device", options.device),
            *(["--miniature"] if options.miniature else []),
        ]
        self.environment = {
            **os.environ,
            "PYTHONUNBUFFERED": "1",
            "TRIFEATURE_TRACEBACK": "1",
            # One folder for all processes, so that each finds what another has compiled.
            "TORCHINDUCTOR_CACHE_DIR": str(self.kernels / "inductor"),
            "TRITON_CACHE_DIR": str(self.kernels / "triton"),
            "TORCHINDUCTOR_FX_GRAPH_CACHE": "1",
            "TORCHINDUCTOR_AUTOGRAD_CACHE": "1",
        }

    @property
    def left(self) -> float:
        """Seconds that parts may still take."""
        return self.ends - time.monotonic()

    def start(
        self, name: str, command: Sequence[str], limit: float = math.inf, **how: Any
    ) -> Part | None:
        """Start a part for at most `limit` seconds, or what is left; None if that is too little."""
        seconds = min(limit, self.left)
        if seconds < SHORTEST:
            self.log.say(f"{name}: no time is left")
            return None
        return Part(name, command, self.environment, seconds, self.log, **how)

    def part(self, *words: str) -> list[str]:
        """The command of a part in gpu_parts.py."""
        return [sys.executable, str(PARTS), *words, *self.shared]

    def wait(self, parts: Iterable[Part | None]) -> bool:
        """Wait for parts; True if all ended well."""
        running = [part for part in parts if part is not None]
        try:
            while sum(part.ended() for part in running) < len(running):
                time.sleep(0.05)
        finally:
            for part in running:
                if part.process.poll() is None:
                    part.stop("interrupted")
        return not any(part.failed for part in running)


# --------------------------------------------------------------------------- the two calls


def smoke(call: Call) -> int:
    """Whether everything runs, how fast, and how; 0 if all of it does."""
    (call.out / SMOKE).unlink(missing_ok=True)
    fine = call.wait(
        [
            call.start(
                "steps",
                call.part("steps", "plain:float32", "plain:bfloat16", "captured:bfloat16"),
                60,
            )
        ]
    )
    more = call.part("steps", "compiled:bfloat16", "graphs:bfloat16")
    fine &= call.wait([call.start("compiled steps", more, 90)])
    found = read(call.out / SMOKE)
    mode = fastest(found) or MODES[-1]
    call.log.say(f"the fastest mode for a whole run: {mode}")
    # Neither is timed, so they need not wait for one another.
    fine &= call.wait(
        [
            call.start("one epoch", call.part("epoch", mode)),
            call.start("tests", [sys.executable, "-m", "pytest", *TESTS, *tests_of_a_gpu()]),
        ]
    )
    return 0 if fine and not any("failed" in row for row in found) else 1


# A warning of a library that nobody has met on this GPU is no failure.
TESTS: Final = (
    *("-q", "-m", "gpu and not slow", "--tb=short", "--durations=5"),
    *("-W", "default", "-p", "no:cacheprovider"),
)


def tests_of_a_gpu() -> list[str]:
    """The files that have tests for a GPU; others may import what is not installed there."""
    return sorted(
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("test_*.py")
        if "pytest.mark.gpu" in path.read_text(encoding="utf-8")
    )


def rows(call: Call, earlier: Path | None, mode: str | None) -> int:
    """Train what has no row yet; 0 if a row was written or none was lacking."""
    before = begin_rows(call.out)
    mode = mode or fastest(read(earlier / SMOKE) if earlier else []) or MODES[0]
    ahead = call.start("ahead", call.part("ahead")) if mode in ("graphs", "compiled") else None
    without: list[str] = []
    complete = False
    while call.left >= SHORTEST and not complete:
        words = ["rows", mode, f"{call.left:.1f}", *without]
        part = call.start("rows", call.part(*words), silence=SILENCE)
        call.wait([part])
        if part is None or part.stopped == LATE:
            break
        complete = not part.failed
        if complete:
            continue
        if part.stepped:
            call.log.say(f"left out: the run {part.run}")
            without.append(part.run)
        elif mode != MODES[-1]:
            mode = MODES[MODES.index(mode) + 1]
            call.log.say(f"next mode: {mode}")
        elif part.run:
            call.log.say(f"left out: the run {part.run}")
            without.append(part.run)
        else:
            break
    if ahead is not None and not ahead.ended():
        ahead.stop(LATE)
    written = {path.name: len(read(path)) - before.get(path.name, 0) for path in rows_in(call.out)}
    call.log.say("rows written: " + ", ".join(f"{n} {name}" for name, n in sorted(written.items())))
    return 0 if complete or any(written.values()) else 1


def begin_rows(out: Path) -> dict[str, int]:
    """Copy the recorded rows to OUT unless it has rows already; how many each file has."""
    for path in rows_in(ROOT / "figures"):
        if not (out / path.name).exists():
            shutil.copy(path, out)
    return {path.name: len(read(path)) for path in rows_in(out)}


def rows_in(folder: Path) -> list[Path]:
    """The files of rows of `paper` and `fast` in a folder."""
    return [path for name in ("paper", "fast") if (path := folder / f"{name}.jsonl").exists()]


def fastest(found: Sequence[Row]) -> str | None:
    """The mode in which a whole run would end first, its compilation included; None if none ran."""
    seconds = {
        row["mode"]: row["first_step_seconds"] + RUN_STEPS * row["step_ms"] / 1000
        for row in found
        if row.get("part") == "steps" and row["precision"] == "bfloat16" and "failed" not in row
    }
    return min(seconds, key=lambda mode: seconds[mode]) if seconds else None


def read(path: Path) -> list[Row]:
    """The JSON lines of a file, none if it does not exist; a line that a kill cut off is no row."""
    if not path.exists():
        return []
    *lines, _ = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines]


# --------------------------------------------------------------------------- kernels


def store(folder: Path, out: Path, log: Log) -> None:
    """Keep a folder as numbered pieces in OUT, unless it is too large for a transfer."""
    if not folder.exists():
        return
    buffer = io.BytesIO()
    with (
        lzma.open(buffer, "w", preset=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        archive.add(folder, arcname=".")
    content = buffer.getvalue()
    if len(content) > PIECES * PIECE:
        log.say(f"kernels: {len(content):,} bytes are too many for a transfer, not kept")
        return
    for number, start in enumerate(range(0, len(content), PIECE)):
        (out / f"{KERNELS}.{number}").write_bytes(content[start : start + PIECE])
    log.say(f"kernels: {len(content):,} bytes kept")


def fetch(earlier: Path, folder: Path, log: Log) -> None:
    """Unpack what `store` kept; kernels that cannot be read are compiled again."""
    pieces = sorted(earlier.glob(f"{KERNELS}.*"))
    if not pieces:
        return
    content = io.BytesIO(b"".join(piece.read_bytes() for piece in pieces))
    try:
        with lzma.open(content) as packed, tarfile.open(fileobj=packed, mode="r:") as archive:
            archive.extractall(folder, filter="data")
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError) as problem:
        log.say(f"kernels: {earlier} holds none that can be read ({problem}); compiled anew")
        return
    log.say(f"kernels: those of {earlier}")


# --------------------------------------------------------------------------- the command line


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """End with the message and exit code 2."""
        self.exit(2, f"gpu.sh: {message}\n")


def read_options(words: Sequence[str]) -> argparse.Namespace:
    """The options of a call."""
    shared = Parser(add_help=False)
    shared.add_argument("out", type=Path, help="folder for what is found; at most eight files")
    shared.add_argument("--from", dest="earlier", type=Path, help="OUT of an earlier call")
    shared.add_argument("--device", default="cuda")
    shared.add_argument(
        "--miniature", action="store_true", help="presets of seconds, to try the script on a CPU"
    )
    parser = Parser(
        "gpu.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    first = commands.add_parser("smoke", parents=[shared], help="does everything run, and how fast")
    first.add_argument("seconds", type=float, nargs="?", default=SMOKE_SECONDS)
    second = commands.add_parser("rows", parents=[shared], help="train what has no row yet")
    second.add_argument("seconds", type=float)
    second.add_argument("--mode", choices=MODES, help="to begin with; by default the fastest known")
    options = parser.parse_args(words)
    least = LAST_SECONDS + SHORTEST
    if not options.seconds >= least:
        parser.error(f"SECONDS must be {least} or more, not {options.seconds:g}")
    if options.out.exists() and not options.out.is_dir():
        parser.error(f"{options.out} is a file: name a folder for the results")
    if options.earlier is not None and not options.earlier.is_dir():
        parser.error(f"{options.earlier} is no folder: --from takes OUT of an earlier call")
    if not (ROOT / ".git").exists() and not os.environ.get("TRIFEATURE_COMMIT"):
        parser.error(
            "say which commit this copy is of: TRIFEATURE_COMMIT=$(git rev-parse --short=12 HEAD)"
        )
    return options


@contextmanager
def logging_to(out: Path) -> Iterator[Log]:
    """A log in OUT."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "log.txt").open("a", encoding="utf-8") as file:
        yield Log(file)


def main(words: Sequence[str]) -> int:
    """Carry out a call; its exit code."""
    options = read_options(words)
    # A call that is ended from outside still ends its parts and keeps its kernels.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with logging_to(options.out) as log:
        call = Call(options, log)
        if options.earlier is not None:
            fetch(options.earlier, call.kernels, log)
        try:
            if options.command == "smoke":
                return smoke(call)
            return rows(call, options.earlier, options.mode)
        finally:
            store(call.kernels, options.out, log)
            log.say("ended")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
