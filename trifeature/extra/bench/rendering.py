"""Benchmark of the renderer."""

from __future__ import annotations

import statistics
import time
from typing import Any, Final

import numpy as np
import torch

from trifeature.data.render import RenderSettings, render, require_image_memory
from trifeature.extra.bench.timing import repeated_ms
from trifeature.provenance import provenance
from trifeature.threads import one_thread

PUBLISHED_MS: Final = 270.0
"""CPU milliseconds an image at 224 px of the authors' generator, measured on a 2-core cloud
machine of 2026 and not again here."""

REPEATS: Final = 5


def bench_rendering(settings: RenderSettings, images: int, device: torch.device) -> dict[str, Any]:
    """Render random attributes several times and report milliseconds an image.

    On a CPU this is the processor time of one thread, which other processes do not affect; on a GPU
    the wall time until the device has finished.

    Args:
        settings: The canvas and its lengths.
        images: Number of images in each repetition.
        device: Device to render on.
    """
    require_image_memory(images, settings)
    attributes = np.random.default_rng(0).integers(0, 10, (images, 3))
    clock = time.process_time if device.type == "cpu" else time.perf_counter

    def once() -> None:
        render(attributes, 0, seed=0, settings=settings, device=device)

    with one_thread():
        times = [ms / images for ms in repeated_ms(once, REPEATS, device, clock=clock)]
        origin = provenance(device)
    ms = statistics.median(times)
    comparable = settings == RenderSettings() and device.type == "cpu"
    return {
        "bench": "render",
        "canvas": settings.canvas,
        "images": images,
        "ms": round(ms, 4),
        "ms_min": round(min(times), 4),
        "ms_max": round(max(times), 4),
        "published_ratio": round(PUBLISHED_MS / ms, 1) if comparable else None,
        **origin,
    }
