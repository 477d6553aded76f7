"""Computational cost of a method: FLOPs, MACs, parameters and latency, as in Table 8.

Dufumier et al. (ICLR 2025), appendix F, report the cost of CoMM's fusion on pre-trained CLIP and
BLIP-2 backbones; they state neither input, batch nor device. Here the cost is that of one forward
pass of a method's features on clean items, as in probing.

N samples in a batch, M modalities.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from trifeature.checks import require_settings, require_whole
from trifeature.comm.methods import Method, make_method
from trifeature.comm.networks import count_parameters
from trifeature.comm.settings import RunSettings
from trifeature.extra.bench.timing import repeated_ms
from trifeature.extra.settings import REPETITIONS
from trifeature.modality import Modality
from trifeature.provenance import device_name
from trifeature.samples import Batch

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
"""Table 8 of the paper: image and text through large pre-trained backbones. Our models do not have
these backbones; the numbers are shown for scale."""

COLUMNS: Final = ("model", "FLOPs", "MACs", "backbones", "params", "latency, ms")


@dataclass(frozen=True)
class Complexity:
    """Cost of one forward pass of a method's features.

    Attributes:
        flops: Floating-point operations of matrix products and convolutions, see `count_flops`.
        backbone_flops: FLOPs of the backbones alone (`Method.encoders`), one for each modality; the
            rest is the cost of fusion. CoMM's attention computes the row of CLS only
            (`trifeature.comm.networks.AttentionFusion`), a small part of the cost of the whole
            Transformer block.
        parameters: Trainable parameters, including heads that only the loss uses.
        latency_ms: Median wall time of a forward pass, in milliseconds.
        latency_spread_ms: Interquartile range of these times.
        repetitions: Number of timed passes.
        batch: N, samples in the pass.
        shapes: Shape of one item of each modality.
        device: Device of the passes; for a CPU with the number of threads.
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
        """Multiply-accumulate operations of the backbones."""
        return self.backbone_flops // 2

    def row(self) -> dict[str, Any]:
        """All numbers as a JSON row."""
        return {**asdict(self), "macs": self.macs, "backbone_macs": self.backbone_macs}


def count_flops(module: Callable[[T], object], items: T) -> int:
    """Count the FLOPs of a forward pass, two for each multiply-add.

    PyTorch's `FlopCounterMode` counts matrix products, convolutions and fused attention from their
    shapes. It does not count biases, normalization, activations, pooling and softmax, which take a
    few operations for each number where a product takes hundreds.

    Args:
        module: Function to call, without gradients.
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
    """Measure the cost of an untrained method.

    Args:
        settings: Method and network.
        modalities: Modalities of the items, see `trifeature.samples.Samples`.
        batch: N, samples in the forward pass.
        repetitions: Number of timed passes, after `WARM_UP` untimed ones.
        device: Device of the passes.

    Raises:
        InputError: an argument is out of range, or an item does not fit its encoder.
    """
    require_settings("settings", settings, RunSettings)
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
        latency_spread_ms=round(_interquartile_range(times), 4),
        repetitions=repetitions,
        batch=batch,
        shapes=tuple(m.shape for m in modalities),
        device=device_name(target),
    )


def _new_method(settings: RunSettings, modalities: Sequence[Modality]) -> Method:
    """Make a method without changing the state of the global random generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return make_method(settings, modalities)


def _forward(method: Method) -> Callable[[Batch], object]:
    """The features of all modalities, as a function of clean items."""
    return lambda items: method.features(items, [range(len(items))])


def _backbone_flops(method: Method, items: Batch) -> int:
    """FLOPs of the encoders of all modalities."""
    with torch.random.fork_rng(devices=[]):
        backbones = [one.to(items[0].device).eval() for one in method.encoders()]
    return sum(count_flops(backbone, x) for backbone, x in zip(backbones, items, strict=True))


@torch.inference_mode()
def _time(method: Method, items: Batch, repetitions: int) -> list[float]:
    """Milliseconds of each forward pass until the device has finished."""
    forward, device = _forward(method), items[0].device
    return repeated_ms(lambda: forward(items), repetitions, device, warm_up=WARM_UP)


def _interquartile_range(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return third - first


# --------------------------------------------------------------------------- the table


def table(found: Mapping[str, Complexity]) -> list[list[str]]:
    """Table 8: the column names, our methods by name, then the paper's models.

    `backbones` is the MACs of the backbones alone; the rest is fusion and projections. The latency
    is the median ± half the interquartile range.
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
    """Format a number by three significant digits and an SI letter.

    >>> short(655_566_528), short(9.22e12), short(512)
    ('656M', '9.22T', '512')
    """
    mantissa, exponent = f"{number:.2e}".split("e")
    power, shift = divmod(int(exponent), 3)
    return f"{float(mantissa) * 10**shift:.{2 - shift}f}{('', 'k', 'M', 'G', 'T', 'P')[power]}"
