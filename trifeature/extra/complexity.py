"""How large and how fast a method is: FLOPs, MACs, parameters and latency, as in Table 8.

Dufumier et al. (ICLR 2025), appendix F, report what CoMM's fusion adds to pre-trained CLIP and
BLIP-2 backbones; they name neither input, batch nor device. Here it is one forward pass of a
method's features on plain images: what a probe or a user of the trained network runs.

N samples in a batch, M modalities.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from trifeature.checks import require_whole
from trifeature.comm.methods import Method, make_method
from trifeature.comm.networks import count_parameters
from trifeature.comm.settings import RunSettings
from trifeature.extra.settings import REPETITIONS
from trifeature.modality import Modality
from trifeature.provenance import device_name
from trifeature.samples import Batch
from trifeature.threads import wait_for

T = TypeVar("T")

WARM_UP: Final = 3
"""Forward passes before the first timed one."""

PUBLISHED: Final[Mapping[str, Mapping[str, float]]] = {
    "CLIP": {"flops": 251e9, "macs": 126e9, "parameters": 222e6, "latency_ms": 488},
    "CoMM (w/ CLIP)": {"flops": 281e9, "macs": 140e9, "parameters": 229e6, "latency_ms": 493},
    "BLIP-2": {"flops": 9.22e12, "macs": 4.61e12, "parameters": 1.17e9, "latency_ms": 14e3},
    "CoMM (w/ BLIP-2)": {
        "flops": 9.48e12,
        "macs": 4.74e12,
        "parameters": 1.17e9,
        "latency_ms": 15e3,
    },
}
"""Table 8 of the paper: image and text through large pre-trained backbones. No model of ours has
these backbones, so the numbers stand beside ours for scale, not to be reached."""

COLUMNS: Final = ("model", "FLOPs", "MACs", "backbones", "params", "latency, ms")


@dataclass(frozen=True)
class Complexity:
    """What one forward pass of a method's features costs.

    Attributes:
        flops: Floating-point operations of matrix products and convolutions, see `count_flops`.
        backbone_flops: Those of the bare backbones (`Method.encoders`), one a modality; what is
            left is the cost of fusing. CoMM's attention computes the row of CLS only, the one that
            is read (`trifeature.comm.networks.AttentionFusion`), so it costs a small part of the
            whole Transformer block that the paper describes.
        parameters: Numbers that learn, heads included that only the loss uses.
        latency_ms: Median wall time of a forward pass, in milliseconds.
        latency_spread_ms: Distance between the quartiles of these times.
        repetitions: How many were timed.
        batch: N, samples in the pass.
        shapes: Of one item of each modality.
        device: Where it was timed; on a CPU with the number of threads.
    """

    flops: int
    backbone_flops: int
    parameters: int
    latency_ms: float
    latency_spread_ms: float
    repetitions: int
    batch: int
    shapes: tuple[tuple[int, ...], ...]
    device: str

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations: half the FLOPs."""
        return self.flops // 2

    @property
    def backbone_macs(self) -> int:
        """The backbones' share of `macs`."""
        return self.backbone_flops // 2

    def row(self) -> dict[str, Any]:
        """Every number, for a JSON line."""
        return {**asdict(self), "macs": self.macs, "backbone_macs": self.backbone_macs}


def count_flops(module: Callable[[T], object], items: T) -> int:
    """FLOPs of a forward pass, two for each multiplication and addition of a product.

    Counted, from the shapes, are what PyTorch's `FlopCounterMode` knows: products of matrices,
    convolutions and fused attention. Not counted: biases, normalization, activations, pooling and
    softmax, a few operations for each number where a product takes hundreds.

    Args:
        module: What to call; without gradients.
        items: Its argument.
    """
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        module(items)
    return int(counter.get_total_flops())


def complexity(
    settings: RunSettings,
    modalities: Sequence[Modality],
    *,
    batch: int = 1,
    repetitions: int = REPETITIONS,
    device: torch.device | str = "cpu",
) -> Complexity:
    """Measure a method as it would be trained, with fresh weights.

    Args:
        settings: Method and network.
        modalities: M, see `trifeature.samples.Samples.modalities`.
        batch: N, samples in the forward pass.
        repetitions: How many passes to time, after some that are not.
        device: Where to time them.

    Raises:
        InputError: an argument is out of range, or an item does not fit its encoder.
    """
    require_whole("batch", batch, 1)
    require_whole("repetitions", repetitions, 1)
    target = torch.device(device)
    method = _new_method(settings, modalities).to(target).eval()
    items = tuple(torch.zeros(batch, *m.shape, device=target) for m in modalities)
    times = _time(method, items, repetitions)
    return Complexity(
        flops=count_flops(_forward(method), items),
        backbone_flops=_backbone_flops(method, items),
        parameters=count_parameters(method),
        latency_ms=round(statistics.median(times), 4),
        latency_spread_ms=round(_between_quartiles(times), 4),
        repetitions=repetitions,
        batch=batch,
        shapes=tuple(m.shape for m in modalities),
        device=device_name(target),
    )


def _new_method(settings: RunSettings, modalities: Sequence[Modality]) -> Method:
    """A method whose construction leaves the global random numbers alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return make_method(settings, modalities)


def _forward(method: Method) -> Callable[[Batch], object]:
    """The features of all modalities, as a function of clean items."""
    return lambda items: method.features(items, [range(len(items))])


def _backbone_flops(method: Method, items: Batch) -> int:
    """FLOPs of the backbones alone."""
    with torch.random.fork_rng(devices=[]):
        backbones = [one.to(items[0].device).eval() for one in method.encoders()]
    return sum(count_flops(backbone, x) for backbone, x in zip(backbones, items, strict=True))


@torch.inference_mode()
def _time(method: Method, items: Batch, repetitions: int) -> list[float]:
    """Milliseconds of each forward pass until the device is done."""
    forward = _forward(method)
    times = []
    for _ in range(WARM_UP + repetitions):
        wait_for(items[0].device)
        started = time.perf_counter()
        forward(items)
        wait_for(items[0].device)
        times.append((time.perf_counter() - started) * 1000)
    return times[WARM_UP:]


def _between_quartiles(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return third - first


# --------------------------------------------------------------------------- the table


def table(found: Mapping[str, Complexity]) -> list[list[str]]:
    """Table 8: a heading, ours by name, and the paper's models below.

    `backbones` is the part of the MACs that the bare backbones take; the rest is what fusion
    and projections add. The latency is the median and, after ±, half the distance between the
    quartiles.
    """
    lines = [list(COLUMNS)]
    for name, one in found.items():
        latency = f"{one.latency_ms:.1f} ± {one.latency_spread_ms / 2:.1f}"
        numbers = (one.flops, one.macs, one.backbone_macs, one.parameters)
        lines.append([name, *map(short, numbers), latency])
    for name, paper in PUBLISHED.items():
        numbers_of = [short(paper[key]) for key in ("flops", "macs", "parameters")]
        numbers_of.insert(2, "–")
        lines.append([f"paper: {name}", *numbers_of, f"{paper['latency_ms']:.0f}"])
    return lines


def short(number: float) -> str:
    """Three digits and the unit's letter.

    >>> short(655_566_528), short(9.22e12), short(512)
    ('656M', '9.22T', '512')
    """
    mantissa, exponent = f"{number:.2e}".split("e")
    power, shift = divmod(int(exponent), 3)
    return f"{float(mantissa) * 10**shift:.{2 - shift}f}{('', 'k', 'M', 'G', 'T', 'P')[power]}"
