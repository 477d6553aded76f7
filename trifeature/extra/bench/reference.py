"""Reference training loop with a `DataLoader`, as in most published code.

Workers read pairs one by one and apply torchvision's transforms to each image; training is float32
without compilation. Network, loss and optimizer are those of this package, so the comparison
measures the cost of the loop around them.

N pairs in a batch, M modalities, S pixels along the canvas.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision.transforms import v2

from trifeature.comm.settings import RunSettings
from trifeature.comm.training import Learner, new_method, numerics
from trifeature.data.dataset import Dataset
from trifeature.errors import InputError
from trifeature.extra.bench.timing import repeated_ms
from trifeature.extra.settings import STEPS
from trifeature.provenance import provenance
from trifeature.views.sets import ViewSet

BLUR_KERNEL: Final = 9
"""Kernel size of torchvision's blur at 224 px; a larger kernel would slow the reference down."""


def torchvision_transform(views: ViewSet, size: int) -> Callable[[Tensor], Tensor]:
    """A view set as torchvision transforms of one uint8 image [3, S, S]."""
    steps: list[Any] = []
    if views.crop_scale is not None:
        steps.append(
            v2.RandomResizedCrop(
                size, scale=views.crop_scale, ratio=views.crop_ratio, antialias=True
            )
        )
    if views.jitter_probability > 0:
        jitter = v2.ColorJitter(views.brightness, views.contrast, views.saturation, views.hue)
        steps.append(v2.RandomApply([jitter], p=views.jitter_probability))
    if views.grayscale_probability > 0:
        steps.append(v2.RandomGrayscale(views.grayscale_probability))
    if views.blur_probability > 0:
        blur = v2.GaussianBlur(BLUR_KERNEL, views.blur_sigma)
        steps.append(v2.RandomApply([blur], p=views.blur_probability))
    if views.flip_probability > 0:
        steps.append(v2.RandomHorizontalFlip(views.flip_probability))
    steps.append(v2.ToDtype(torch.float32, scale=True))
    if views.mean is not None and views.std is not None:
        steps.append(v2.Normalize(list(views.mean), list(views.std)))
    transform: Callable[[Tensor], Tensor] = v2.Compose(steps)
    return transform


class PairViews(TorchDataset[Tensor]):
    """Two views of every image of a pair, made one by one: float [2, M, 3, S, S]."""

    def __init__(self, dataset: Dataset, settings: RunSettings) -> None:
        self.images = dataset.images["train"].cpu()
        self.pairs = dataset.pairs["train"].images
        size = dataset.settings.render.canvas
        count = dataset.settings.rule.modalities
        chosen = [settings.views_of(m) for m in range(count)]
        self.transforms = [torchvision_transform(v, size) for v in chosen if isinstance(v, ViewSet)]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Tensor:
        shown = self.images[torch.as_tensor(self.pairs[index])]
        views = [
            torch.stack([make(x) for make, x in zip(self.transforms, shown, strict=True)])
            for _ in range(2)
        ]
        return torch.stack(views)


def check_reference(settings: RunSettings) -> None:
    """Check that the views of a run are two of each image.

    Raises:
        InputError: the method is not CoMM, or its L_i use plain images.
    """
    if settings.method != "comm" or settings.option("unimodal") == "plain":
        raise InputError("the reference loop supports only comm with augmented views")


def bench_reference(
    dataset: Dataset,
    settings: RunSettings,
    device: torch.device,
    *,
    steps: int = STEPS,
    workers: int | None = None,
) -> dict[str, Any]:
    """Measure milliseconds of a step of the reference loop.

    Args:
        dataset: Data set whose training pairs are used.
        settings: Settings of a CoMM run whose L_i use augmented views.
        device: Device of the network; the loader's workers make the views on the CPU.
        steps: Number of timed steps, after two untimed ones.
        workers: Number of worker processes; by default one for each core.

    Raises:
        InputError: the views are not two of each image, or there are too few pairs.
    """
    check_reference(settings)
    plain = replace(settings, precision="float32")
    learner = Learner.of(new_method(plain, dataset, device), plain, device)
    learner.method.train()
    count = workers if workers is not None else os.cpu_count() or 1
    loader = DataLoader(
        PairViews(dataset, plain),
        batch_size=plain.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=count,
        persistent_workers=count > 0,
        generator=torch.Generator().manual_seed(plain.seed),
    )
    if not len(loader):
        raise InputError(f"the training set has fewer pairs than a batch of {plain.batch_size}")
    batches = _endless(loader)
    with numerics("float32", device):
        times = repeated_ms(lambda: _learn(learner, next(batches).to(device)), steps, warm_up=2)
    return {
        "bench": "reference",
        "method": plain.method,
        "encoder": plain.encoder,
        "canvas": dataset.settings.render.canvas,
        "batch_size": plain.batch_size,
        "workers": count,
        "step_ms": round(statistics.median(times), 3),
        **provenance(device),
    }


def _endless(loader: DataLoader[Tensor]) -> Iterator[Tensor]:
    while True:
        yield from loader


def _learn(learner: Learner, views: Tensor) -> None:
    """Take a step on views [N, 2, M, 3, S, S]; the host reads the loss, as most loops do."""
    made = tuple(x.transpose(0, 1).flatten(0, 1) for x in views.unbind(2))
    loss = learner.method.objective(made).total
    learner.method.zero_grad(set_to_none=True)
    loss.backward()
    for optimizer in learner.optimizers:
        optimizer.step()
    loss.item()
