"""Benchmarks of generating: the command that makes a data set in parts, and pairs on the fly."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import torch

from trifeature.data import storage
from trifeature.data.dataset import SPLITS, Dataset, draw_items, plan_images, plan_pairs
from trifeature.data.png import encode_png
from trifeature.data.settings import DatasetSettings, preset
from trifeature.data.stream import stream
from trifeature.errors import InputError
from trifeature.provenance import provenance
from trifeature.threads import one_thread

T = TypeVar("T")

BEFORE_CPU_S: Final = 16.4
"""CPU seconds of `trifeature generate` at the paper's preset with data sets of format 2, measured
on a 2-core cloud machine of 2026."""

IMPORTS: Final = "import trifeature.cli.data, trifeature.data.storage, trifeature.device"
"""What the command imports."""

WARM_UP: Final = 3
"""Batches of a stream before its memory is read for the first time."""

MILLION: Final = 1_000_000


def bench_generating(name: str = "paper") -> dict[str, Any]:
    """Processor seconds of `trifeature generate --preset NAME`, and of its parts.

    `cpu_s` is that of the whole command in a process of its own, all its threads together, and
    `imports_s` that of a process that only imports. The other parts are timed in this process with
    one thread.

    Args:
        name: A preset.
    """
    settings = preset(name)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "data"
        command = ("-m", "trifeature", "generate", str(out), "--preset", name)
        row = {
            "bench": "generate",
            "preset": name,
            "files": settings.images,
            "cpu_s": _cpu_of(*command),
            "imports_s": _cpu_of("-c", IMPORTS),
            **_parts(settings, Path(folder)),
        }
    before = BEFORE_CPU_S if name == "paper" else None
    return {**row, "before_cpu_s": before, **provenance(torch.device("cpu"))}


def _cpu_of(*arguments: str) -> float:
    """Processor seconds of a Python process and its threads."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return round(spent, 2)


def _parts(settings: DatasetSettings, folder: Path) -> dict[str, float]:
    """Processor seconds of each part of writing a data set of color images."""
    seconds: dict[str, float] = {}

    def timed(part: str, work: Callable[[], T]) -> T:
        start = time.process_time()
        result = work()
        seconds[f"{part}_s"] = round(time.process_time() - start, 2)
        return result

    with one_thread():
        tables = plan_images(settings)
        pairs = timed("pairs", lambda: plan_pairs(settings, tables))
        data = Dataset(settings, tables, pairs, {})
        images = timed(
            "rendering",
            lambda: [draw_items(settings, tables[split], "color").numpy() for split in SPLITS],
        )
        files = timed("encoding", lambda: [encode_png(x) for some in images for x in some])
        entries = timed(
            "hashing_and_writing",
            lambda: [
                storage.write_file(folder / f"{number}.png", content)
                for number, content in enumerate(files)
            ],
        )
        timed("tables", lambda: storage.tables_of(data))
        named = {str(number): entry for number, entry in enumerate(entries)}
        timed("truth_and_manifest", lambda: storage.manifest_of(data, named))
    return seconds


def bench_streaming(settings: DatasetSettings, images: int, batch: int = 256) -> dict[str, Any]:
    """Images a second that `trifeature.data.stream.stream` renders on one core, and its memory.

    Args:
        settings: Of which data set the pairs are.
        images: Number of images to render, at least that of `WARM_UP` + 1 batches.
        batch: Pairs in a batch.

    Returns:
        A row; `growth_mb` is by how much the process grew at its peak after the first batches, and
        `million_images_s` the processor seconds for 10⁶ images, extrapolated.

    Raises:
        InputError: too few images.
    """
    M = settings.rule.modalities
    if images < (WARM_UP + 1) * batch * M:
        raise InputError(f"--images must be at least {(WARM_UP + 1) * batch * M:,} to stream")
    rendered, warm = 0, 0
    start = time.process_time()
    with one_thread():
        for number, part in enumerate(stream(settings, images // M, batch)):
            rendered += len(part.attributes) * M
            if number == WARM_UP - 1:
                warm = _peak_kb()
    seconds = time.process_time() - start
    return {
        "bench": "stream",
        "canvas": settings.render.canvas,
        "images": rendered,
        "images_a_second": round(rendered / seconds, 1),
        "growth_mb": round((_peak_kb() - warm) / 1024, 1),
        "million_images_s": round(seconds * MILLION / rendered, 1),
        **provenance(torch.device("cpu")),
    }


def _peak_kb() -> int:
    """The largest size in memory that the process has had: KiB on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
