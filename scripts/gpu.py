"""Spend fifteen minutes of a GPU, in two calls.

    gpu.sh smoke SMOKE
    gpu.sh rows ROWS 500 --from SMOKE

`smoke` answers: which GPU it is; whether ten steps of CoMM at the paper's size run in every mode,
how fast, and with a finite loss; whether one epoch becomes a row, with all its probes; whether the
tests that need a GPU pass. SMOKE/smoke.jsonl gets a line for each answer when it is known.

`rows` trains what has no row yet (`ORDER` in gpu_parts.py), most valuable first, while another
process compiles what comes later. A run that fails or hangs before it has taken steps is tried in
the next mode, down to plain steps; one that fails later is left out. Rows are in ROWS/paper.jsonl
and ROWS/fast.jsonl, which begin as those of figures/; each is written when its run ends, so a clock
that runs out loses only the unfinished run. Copy both over those of figures/ afterwards: the next
call goes on from there.

The modes are `graphs` (compiled, and replayed as CUDA graphs), `compiled`, `captured` (CUDA graphs
without the compiler) and `plain`. Compiled kernels are kept in kernels.* of a call's folder, for a
later call that is given this folder by `--from`, also on another machine of the same kind; `rows`
then tries the modes that worked there, the fastest first.

Every part is a process with a limit. What it says goes to log.txt; its errors go only there. The
Python of $PYTHON (python3) needs what the package needs; nothing is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import lzma
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn, TextIO

from trifeature.errors import InputError
from trifeature.files import read_rows
from trifeature.provenance import commit

ROOT: Final = Path(__file__).parents[1]
PARTS: Final = Path(__file__).with_name("gpu_parts.py")
SMOKE: Final = "smoke.jsonl"
KERNELS: Final = "kernels"

MODES: Final = ("graphs", "compiled", "captured", "plain")
"""The ways to take steps (`--execution`), in the order in which they are tried."""

SMOKE_SECONDS: Final = 150
LAST_SECONDS: Final = 15
"""Kept free at the end of a call, to store the kernels."""
SILENCE: Final = 90
"""Seconds without a word, before any step, after which a process that trains is taken to hang."""
PATIENCE: Final = 2
"""How many times as long it may be silent after steps, as it does not speak while it probes."""
LATE: Final = "out of time"
SHORTEST: Final = 5
"""Seconds below which no part is started."""
LEAST_SECONDS: Final = 60
"""Of a call: below, no part would do more than import torch."""

STOP_SECONDS: Final = 2
"""Given to a process that is told to end, before it is killed."""
STORE_SECONDS: Final = 8
"""After which no further kernel is kept."""
LOG_LINE: Final = 2_000
LOG_BYTES: Final = 12 * 2**20
"""Most characters of a line, and of the log, which has to come back too."""

PIECE: Final = 15 * 2**20
PIECES: Final = 3
HELD_BACK: Final = 2**21
"""Kernels are kept in at most three files of 15 MiB: lent machines give back few and small ones."""

FILES: Final = ("paper.jsonl", "fast.jsonl")
COMPILED: Final = ("graphs", "compiled")
"""The modes that need the compiler."""
WORK: Final = "trifeature-gpu"
"""Folder of what parts share, among the temporary files: compiled kernels name their place."""

Row = dict[str, Any]


# --------------------------------------------------------------------------- processes


class Log:
    """What happens, on the terminal and in a file, with the seconds since the start."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.start, self.lock = file, time.monotonic(), threading.Lock()
        self.written = 0

    def say(self, words: str, *, shown: bool = True) -> None:
        """Write one line, to the file alone if it is not to be shown."""
        line = f"{time.monotonic() - self.start:6.1f}  {words[:LOG_LINE]}\n"
        content = line.encode(errors="replace")
        with self.lock:
            self.written += len(content)
            # A full disk or a closed terminal must not end a call.
            if self.written < LOG_BYTES:
                with suppress(OSError):
                    self.file.write(content)
            if shown:
                with suppress(OSError):
                    sys.stdout.write(line)
                    sys.stdout.flush()


class Part:
    """A process with a limit; its lines go to the log, those on its errors to the file alone.

    Args:
        name: In the log.
        command: What to run.
        environment: Its environment.
        limit: Seconds after which it is stopped.
        silence: Seconds without a line after which it is stopped; `PATIENCE` times as many after
            steps.
        log: Where its lines go.

    Attributes:
        stopped: Why it was stopped, such as `out of time`; empty if it was not.
        run: The key of the run that it carries out, from its line `run KEY …`; or empty.
        stepped: Whether that run has taken steps, from a line `step: …`.
        rows: Number of lines `row: …`.
        last: The last line of its errors.
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
        self.stopped, self.run, self.last, self.stepped, self.rows = "", "", "", False, 0
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
                if shown:
                    self._follow(words)
                else:
                    self.last = words or self.last
                self.log.say(f"{self.name}: {words}", shown=shown)

    def _follow(self, words: str) -> None:
        """Keep account of the run that is carried out."""
        kind, _, rest = words.partition(" ")
        if kind == "run":
            self.run, self.stepped = rest.split()[0], False
        self.stepped |= kind == "step:"
        self.rows += kind == "row:"

    def ended(self) -> bool:
        """Whether it has ended; it is stopped here if its time is over or it says nothing."""
        if self.process.poll() is None:
            now = time.monotonic()
            if now > self.ends:
                self.stop(LATE)
            elif now - self.heard > self.silence * (PATIENCE if self.stepped else 1):
                self.stop("silent for too long")
            else:
                return False
        if self.readers:
            self._conclude()
        return True

    def _conclude(self) -> None:
        """Read what is left, and say how it ended."""
        for reader in self.readers:
            reader.join(STOP_SECONDS)
        self.readers = []
        how = self.stopped and f"stopped, {self.stopped},"
        if not how:
            code = self.process.returncode
            how = f"failed ({self.last or f'exit code {code}'})" if code else "ended"
        self.log.say(f"{self.name}: {how} after {time.monotonic() - self.started:.1f} s")

    def stop(self, why: str) -> None:
        """Stop it and all processes that it started."""
        self.stopped = why
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sign)
            except ProcessLookupError:
                break
            try:
                self.process.wait(STOP_SECONDS)
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
        self.out, self.log, self.miniature = options.out, log, options.miniature
        self.ends = log.start + options.seconds - LAST_SECONDS
        self.work = Path(tempfile.gettempdir()) / WORK
        self.kernels = self.work / KERNELS
        self.parts: list[Part] = []
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
        self.parts.append(Part(name, command, self.environment, seconds, self.log, **how))
        return self.parts[-1]

    def command_of(self, *words: str) -> list[str]:
        """The command of a part in gpu_parts.py."""
        return [sys.executable, str(PARTS), *words, *self.shared]

    def wait(self, *parts: Part | None) -> bool:
        """Wait for parts; True if all were started and ended well."""
        running = [part for part in parts if part is not None]
        while sum(part.ended() for part in running) < len(running):
            time.sleep(0.05)
        return len(running) == len(parts) and not any(part.failed for part in running)

    def stop(self) -> None:
        """Stop whatever still runs, so that nothing holds the GPU when the call has ended."""
        for part in self.parts:
            if not part.ended():
                part.stop("the call has ended")
                part.ended()


# --------------------------------------------------------------------------- the two calls


def smoke(call: Call) -> int:
    """Whether everything runs, how fast, and how; 0 if all of it does."""
    (call.out / SMOKE).unlink(missing_ok=True)  # of an earlier call
    first = ("plain:float32", "plain:bfloat16", "captured:bfloat16")
    more = ("compiled:bfloat16", "graphs:bfloat16")
    most = call.left  # no part may take it all
    fine = call.wait(call.start("steps", call.command_of("steps", *first), 0.45 * most))
    if not read_rows(call.out / SMOKE):
        call.log.say("no step could be tried, so nothing else is")
        return 1
    fine &= call.wait(call.start("compiled steps", call.command_of("steps", *more), 0.65 * most))
    modes = working(read_rows(call.out / SMOKE))
    call.log.say(f"modes that run, the fastest first: {', '.join(modes) or 'none'}")
    # Neither is timed, so they need not wait for one another.
    tests = [sys.executable, "-m", "pytest", *TESTS, *tests_of_a_gpu()]
    fine &= call.wait(
        call.start("one epoch", call.command_of("epoch", [*modes, MODES[-1]][0])),
        call.start("tests", tests),
    )
    if modes:
        call.log.say(f"next: gpu.sh rows OUT SECONDS --from {call.out}")
    return 0 if fine else 1


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


def rows(call: Call, modes: Sequence[str]) -> int:
    """Train what has no row yet, in the first of these modes that works; 0 if that was done."""
    before = begin_rows(call.out)
    if modes[0] in COMPILED:
        call.start("ahead", call.command_of("ahead"))
    complete = _train(call, modes)
    written = rows_in(call.out) - before
    call.log.say(f"rows written: {sum(written.values())} ({', '.join(written) or 'none'})")
    if call.miniature:
        call.log.say("miniature: these rows are for nothing else")
    elif written:
        call.log.say(
            "next: copy paper.jsonl and fast.jsonl over those of figures/ and commit them; "
            "`comm-probe figure all --preset paper` (or fast) draws them beside the paper's"
        )
    return 0 if complete or written else 1


def _train(call: Call, modes: Sequence[str]) -> bool:
    """Start processes that train, until no row is lacking (True) or the time is over (False)."""
    place, works, without = 0, False, list[str]()
    while True:
        # The machine's clock, so that the imports of the process are counted.
        command = call.command_of("rows", modes[place], str(call.ends), *without)
        part = call.start("rows", command, silence=SILENCE)
        if call.wait(part):
            return True
        if part is None or part.stopped == LATE:
            return False
        works |= part.rows > 0
        if not part.run or not (part.stepped or works):
            place, works = place + 1, False
            if place < len(modes):
                call.log.say(f"next mode: {modes[place]}")
                continue
            if not part.run:
                return False
            place = 0  # no mode works for this run, so it is at fault, and the others start anew
        elif not part.stepped and _alone(call, part.run, modes[place + 1 :]):
            continue
        call.log.say(f"left out: the run {part.run}")
        without.append(part.run)


def _alone(call: Call, run: str, modes: Sequence[str]) -> bool:
    """Try a run alone in other modes, where a mode works that does not work for it."""
    for mode in modes:
        command = call.command_of("run", mode, str(call.ends), run)
        part = call.start(f"one run, {mode}", command, silence=SILENCE)
        if call.wait(part):
            return True
        if part is None or part.stopped == LATE or part.stepped:
            return False
    return False


def begin_rows(out: Path) -> Counter[str]:
    """Copy the recorded rows to OUT unless it has rows already; how many each file has."""
    for name in FILES:
        recorded = ROOT / "figures" / name
        if recorded.exists() and not (out / name).exists():
            shutil.copy(recorded, out)
    return rows_in(out)


def rows_in(folder: Path) -> Counter[str]:
    """How many rows the files of `paper` and `fast` have."""
    return Counter({name: len(read_rows(folder / name)) for name in FILES})


def working(found: Sequence[Row]) -> list[str]:
    """The modes that ran in bfloat16, the fastest steps first.

    Compilation does not count: kernels are carried along, or compiled while others are trained.
    """
    times = {
        row["mode"]: row["step_ms"]
        for row in found
        if row.get("part") == "steps"
        and row.get("mode") in MODES
        and row.get("precision") == "bfloat16"
        and isinstance(row.get("step_ms"), int | float)
        and "failed" not in row
    }
    return sorted(times, key=lambda mode: times[mode])


def modes_to_try(options: argparse.Namespace, log: Log) -> Sequence[str]:
    """What was asked for and what follows it; what was faster than plain steps, then these; or all.

    Nothing is tried after plain steps, which work wherever anything does.
    """
    if options.mode:
        return MODES[MODES.index(options.mode) :]
    if options.earlier is None:
        return MODES
    try:
        found = working(read_rows(options.earlier / SMOKE))
    except InputError as problem:
        log.say(f"{problem}: every mode is tried")
        return MODES
    return [*takewhile(lambda mode: mode != MODES[-1], found), MODES[-1]]


# --------------------------------------------------------------------------- kernels


def store(folder: Path, out: Path, log: Log) -> None:
    """Keep the files of a folder, the oldest first, as numbered pieces in OUT.

    What is compiled first is needed first, so what does not fit into `PIECES`, or is not packed
    within `STORE_SECONDS`, is left out; it is compiled again.
    """
    for old in out.glob(f"{KERNELS}.*"):
        old.unlink()
    files = sorted((one for one in folder.rglob("*") if one.is_file()), key=_age)
    if not files:
        return
    buffer, ends, kept = io.BytesIO(), time.monotonic() + STORE_SECONDS, 0
    with (
        lzma.open(buffer, "w", preset=0) as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for path in files:
            # What the packer holds back, and this file, of which a tenth is left as a rule.
            reserve = HELD_BACK + path.stat().st_size // 4
            if buffer.tell() + reserve > PIECES * PIECE or time.monotonic() > ends:
                break
            archive.add(path, path.relative_to(folder))
            kept += 1
    content = buffer.getvalue()
    for number, start in enumerate(range(0, len(content), PIECE)):
        (out / f"{KERNELS}.{number}").write_bytes(content[start : start + PIECE])
    log.say(f"kernels: {kept} of {len(files)} files kept, {len(content):,} bytes")


def _age(path: Path) -> float:
    return path.stat().st_mtime


def fetch(earlier: Path, folder: Path, log: Log) -> None:
    """Unpack what `store` kept; kernels that cannot be read are compiled again."""
    pieces = sorted(earlier.glob(f"{KERNELS}.*"))
    if not pieces:
        return
    content = io.BytesIO(b"".join(piece.read_bytes() for piece in pieces))
    try:
        with lzma.open(content) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
            archive.extractall(folder, filter="data")
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError) as problem:
        shutil.rmtree(folder, ignore_errors=True)  # a file that was cut off must not be loaded
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
    shared.add_argument("out", type=Path, help="folder for what is found")
    shared.add_argument(
        "--from", dest="earlier", metavar="SMOKE", type=Path, help="folder of an earlier call"
    )
    shared.add_argument("--device", default="cuda", help="cuda, or cpu to try the script")
    shared.add_argument(
        "--miniature", action="store_true", help="presets of seconds, to try the script on a CPU"
    )
    parser = Parser(
        "gpu.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=Parser)
    length = "of the whole call, the end of which keeps the kernels"
    first = commands.add_parser("smoke", parents=[shared], help="does everything run, and how fast")
    words_of_first = f"{length} [{SMOKE_SECONDS}]"
    first.add_argument("seconds", type=float, nargs="?", default=SMOKE_SECONDS, help=words_of_first)
    second = commands.add_parser("rows", parents=[shared], help="train what has no row yet")
    second.add_argument("seconds", type=float, help=length)
    second.add_argument(
        "--mode", choices=MODES, help="to begin with [what worked in SMOKE, the fastest first]"
    )
    options = parser.parse_args(words)
    if not options.seconds >= LEAST_SECONDS:
        parser.error(f"SECONDS must be {LEAST_SECONDS} or more, not {options.seconds:g}")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", options.device):
        parser.error(f"--device is cpu or cuda, not {options.device}")
    if str(options.out).replace(".", "").isdigit():
        parser.error(
            f"OUT is a folder for what is found, not {options.out}: OUT comes before SECONDS"
        )
    options.out = options.out.resolve()  # parts run in the checkout
    if options.out.exists() and not options.out.is_dir():
        parser.error(f"{options.out} is a file: name a folder for the results")
    if options.earlier is not None and not (options.earlier / SMOKE).exists():
        parser.error(f"{options.earlier} has no {SMOKE}: --from takes the folder of a smoke call")
    if commit() is None:
        parser.error(
            "say which commit this copy is of: TRIFEATURE_COMMIT=$(git rev-parse --short=12 HEAD)"
        )
    return options


@contextmanager
def alone(folder: Path) -> Iterator[bool]:
    """A new folder for what parts share, which another call cannot take; False if one has it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)  # what other code has left
        yield True


def main(words: Sequence[str]) -> int:
    """Carry out a call; its exit code."""
    options = read_options(words)
    # A call that is ended from outside still stops its parts and keeps its kernels, also where a
    # shell has told it to ignore Ctrl-C.
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda number, _: sys.exit(128 + number))
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        file = (options.out / "log.txt").open("ab", buffering=0)
    except OSError as problem:
        sys.stderr.write(f"gpu.sh: {options.out} cannot be written: {problem.strerror}\n")
        return 2
    with file, alone(Path(tempfile.gettempdir()) / WORK) as free:
        if not free:
            sys.stderr.write("gpu.sh: another call is running: wait for its end\n")
            return 2
        call = Call(options, Log(file))
        if options.earlier is not None:
            fetch(options.earlier, call.kernels, call.log)
        try:
            if options.command == "smoke":
                return smoke(call)
            return rows(call, modes_to_try(options, call.log))
        except InputError as problem:
            sys.stderr.write(f"gpu.sh: {problem}\n")
            return 2
        finally:
            call.stop()
            try:
                store(call.kernels, options.out, call.log)
            except OSError as problem:
                call.log.say(f"kernels: not kept ({problem})")
            call.log.say("ended")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
