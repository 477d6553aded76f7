"""Benchmark of training: the step, its parts, and the device's limits.

Every time is the median of several, each until the device has finished. The parts are timed
separately, so their sum is a little more than the step, in which a GPU overlaps them. Matrix peak
and memory bandwidth of the device are measured in the same run.

N pairs in a batch, M modalities, S pixels along the canvas.
"""

from __future__ import annotations

import resource
import statistics
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from trifeature.comm.networks import count_parameters
from trifeature.comm.settings import RunSettings
from trifeature.comm.training import Learner, new_method, numerics
from trifeature.data.dataset import Dataset
from trifeature.extra.accelerate import Execution
from trifeature.extra.bench.rendering import bench_rendering
from trifeature.extra.bench.timing import repeated_ms, timed
from trifeature.extra.settings import STEPS
from trifeature.files import finite
from trifeature.probes.protocol import probe
from trifeature.provenance import provenance

WARM_UP: Final = 3
"""Untimed calls on a GPU before the timed ones; a CPU has one."""

AUTHORS_STEP_SECONDS: Final = 13.0
"""Seconds of one step of the authors' code, with the paper's preset, on two cores of a cloud
machine of 2026; measured once."""

MOMENTS: Final = 7
"""Numbers that AdamW reads (parameter, gradient, two moments) and writes (all but the gradient)."""


@dataclass(frozen=True)
class StepTimes:
    """Milliseconds of a training step and of its parts, each timed alone.

    Attributes:
        step: The whole step, as in training.
        views: Drawing and making the views of all modalities.
        encoders: Forward and backward through the encoders.
        fusion_and_loss: Forward and backward through the rest: the loss's time less the encoders'.
        optimizer: The update.
    """

    step: float
    views: float
    encoders: float
    fusion_and_loss: float
    optimizer: float


def bench_training(
    dataset: Dataset,
    settings: RunSettings,
    device: torch.device,
    *,
    execution: Execution | None = None,
    steps: int = STEPS,
    images: int = 500,
    probing: bool = True,
) -> dict[str, Any]:
    """Measure rendering, views, steps and probing of a run.

    Args:
        dataset: Data set whose training pairs are used.
        settings: Method, network, precision.
        device: Device to measure.
        execution: Execution mode of the steps; None for `Execution.default`.
        steps: Number of timed repetitions of the step and of each part.
        images: Number of images to render at a time.
        probing: Time probing too, which takes longer than all the rest.

    Returns:
        A row: times in milliseconds or seconds as its keys say, rates a second, fractions in
        [0, 1]; `peak_memory_gib` is that of the steps (on a CPU of the process until then), `loss`
        that of a step after the timed ones, in nats, None if it is not finite.
    """
    mode = execution or Execution.default(device, settings.precision)
    data = dataset.to(device)
    rendering = bench_rendering(data.settings.render, images, device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    times, first_seconds, loss = _time_steps(data, settings, device, mode, steps)
    peak = _peak_bytes(device)
    ideal = _ideal(data, settings, device)
    views = 2 * settings.batch_size * data.settings.rule.modalities
    comparable = settings == RunSettings(precision=settings.precision) and device.type == "cpu"
    return {
        "bench": "training",
        "method": settings.method,
        "encoder": settings.encoder,
        "canvas": data.settings.render.canvas,
        "batch_size": settings.batch_size,
        "precision": settings.precision,
        "execution": asdict(mode),
        "images_rendered_a_second": round(1000 / rendering["ms"], 1),
        "views_a_second": round(1000 * views / times.views, 1),
        **{f"{name}_ms": round(value, 3) for name, value in asdict(times).items()},
        "first_step_seconds": round(first_seconds, 3),
        "loss": finite(loss),
        **ideal.row(times.step),
        "probing_seconds": _time_probing(data, settings, device) if probing else None,
        "peak_memory_gib": round(peak / 2**30, 3),
        "authors_step_ms": 1000 * AUTHORS_STEP_SECONDS if comparable else None,
        **provenance(device),
    }


def _time_steps(
    data: Dataset, settings: RunSettings, device: torch.device, mode: Execution, steps: int
) -> tuple[StepTimes, float, float]:
    """Times of a step and its parts, seconds of the first step with its compilation, a loss."""
    learner = Learner.of(new_method(settings, data, device), settings, device)
    learner.method.train()
    indices = torch.arange(settings.batch_size, device=device)
    samples = data.samples()
    batch = samples.batch("train", samples.rows_of("train")[indices])
    with mode.backend().steps(learner, samples) as take_step, numerics(settings.precision, device):
        _, first = timed(lambda: take_step(indices), device)
        whole = _median_ms(lambda: take_step(indices), steps, device)
        loss = float(take_step(indices)[1][0])
        views = learner.method.views(batch, learner.generator)

        def learn() -> None:
            learner.method.zero_grad(set_to_none=True)
            learner.objectives[0](views).total.backward()

        parts = StepTimes(
            step=whole,
            views=_median_ms(lambda: learner.method.views(batch, learner.generator), steps, device),
            encoders=_time_encoders(learner, views, steps, device),
            fusion_and_loss=_median_ms(learn, steps, device),
            optimizer=_median_ms(lambda: [o.step() for o in learner.optimizers], steps, device),
        )
    rest = max(0.0, parts.fusion_and_loss - parts.encoders)
    return StepTimes(**{**asdict(parts), "fusion_and_loss": rest}), first, loss


def _time_encoders(
    learner: Learner, views: tuple[Tensor, ...], steps: int, device: torch.device
) -> float:
    """Forward and backward through the encoders alone, on the views that the loss is given."""
    encoders = [*learner.method.get_submodule("encoder").children()]
    modalities = learner.method.modalities
    placed = [(index % len(encoders), view) for index, view in enumerate(views)]
    # Some methods draw masks too, which no encoder sees.
    items = [(m, view) for m, view in placed if view.shape[1:] == modalities[m].shape]

    def run() -> None:
        learner.method.zero_grad(set_to_none=True)
        for m, view in items:
            encoders[m](view).sum().backward()

    return _median_ms(run, steps, device)


def _time_probing(data: Dataset, settings: RunSettings, device: torch.device) -> float:
    """Seconds of probing an untrained network, each modality alone too."""
    _, seconds = timed(
        lambda: probe(new_method(settings, data, device).eval(), data, alone=True), device
    )
    return round(seconds, 3)


def _median_ms(function: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Median milliseconds of a call until the device has finished."""
    warm_up = WARM_UP if device.type == "cuda" else 1
    return statistics.median(repeated_ms(function, repeats, device, warm_up=warm_up))


# --------------------------------------------------------------------------- limits of the device


@dataclass(frozen=True)
class Ideal:
    """Limits of the device, and the operations and memory traffic of a step.

    Attributes:
        flops: FLOPs of the matrix products and convolutions of a step, two for each multiply-add.
        bytes: Smallest memory traffic of the rest: images read, views written and read once, the
            optimizer's numbers.
        peak_flops: FLOPs a second of a large matrix product in the run's precision.
        bandwidth: Bytes a second of a large copy, read and written.
    """

    flops: float
    bytes: float
    peak_flops: float
    bandwidth: float

    @property
    def roofline_ms(self) -> float:
        """Milliseconds of a step if all products ran at the peak and all bytes at bandwidth."""
        return 1000 * (self.flops / self.peak_flops + self.bytes / self.bandwidth)

    def row(self, step_ms: float) -> dict[str, float]:
        """These numbers, and the fractions of them that a step of `step_ms` reaches."""
        return {
            "gflop_a_step": round(self.flops / 1e9, 3),
            "matrix_peak_tflops": round(self.peak_flops / 1e12, 4),
            "bandwidth_gb_s": round(self.bandwidth / 1e9, 2),
            "share_of_matrix_peak": round(1000 * self.flops / self.peak_flops / step_ms, 4),
            "roofline_ms": round(self.roofline_ms, 4),
            "share_of_roofline": round(self.roofline_ms / step_ms, 4),
        }


def _ideal(data: Dataset, settings: RunSettings, device: torch.device) -> Ideal:
    learner = Learner.of(new_method(settings, data, device), settings, device)
    learner.method.train()
    samples = data.samples()
    batch = samples.batch("train", samples.rows_of("train")[: settings.batch_size])
    views = learner.method.views(batch, learner.generator)
    counter = FlopCounterMode(
        display=False
    )  # of the network only: views need not use matrix products
    with numerics(settings.precision, device), counter:
        learner.method.objective(views).total.backward()
    size = 2 if settings.precision == "bfloat16" else 4
    pixels = sum(x.numel() for x in batch)
    moments = 4 * MOMENTS * count_parameters(learner.method)
    with numerics(settings.precision, device):
        peak = _matrix_peak(device, settings.precision == "bfloat16")
    return Ideal(
        flops=float(counter.get_total_flops()),
        bytes=float(pixels + 2 * 2 * pixels * size + moments),
        peak_flops=peak,
        bandwidth=_bandwidth(device),
    )


def _matrix_peak(device: torch.device, half: bool) -> float:
    """FLOPs a second of a large matrix product of random numbers (of zeros it is faster)."""
    size = 8192 if device.type == "cuda" else 1024
    generator = torch.Generator(device).manual_seed(0)
    kind = torch.bfloat16 if half and device.type == "cuda" else torch.float32
    a, b = (torch.randn(size, size, generator=generator, device=device).to(kind) for _ in range(2))
    return 2 * size**3 / (_median_ms(lambda: a @ b, 10, device) / 1000)


def _bandwidth(device: torch.device) -> float:
    """Bytes a second, read and written, of a copy too large for any cache."""
    count = 2**29 if device.type == "cuda" else 2**26
    source = torch.ones(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * count / (_median_ms(lambda: target.copy_(source), 10, device) / 1000)


def _peak_bytes(device: torch.device) -> int:
    """Peak memory in bytes: of the GPU since the last reset, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes if sys.platform == "darwin" else 1024 * kilobytes
