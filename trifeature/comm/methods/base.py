"""The interface of a method: what it minimizes, and what a probe may read from it.

A step has two halves. `views` holds all that is random: it draws augmentations and makes them.
`loss_of` is a function of these views and the weights alone, so that it can be compiled, and
compared between precisions on the same views. What a probe reads has two halves too: `encode` looks
at one image, so each image of a data set is encoded once, however many pairs it is in; `combine`
puts codes of the same pairs together.

N samples, n of them encoded by this process, M modalities, S pixels along the canvas, F features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

import torch
from torch import Tensor, nn

from trifeature.comm.networks import (
    alexnet_maps,
    alexnet_maps_unpooled,
    resnet50_maps,
    small_maps,
)
from trifeature.comm.parallel import ALONE, Group, Share, share_statistics
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.views.fused_views import apply_fused
from trifeature.views.images import ApplyViews, ViewSet, apply

ENCODERS = {
    "alexnet": alexnet_maps,
    "alexnet-unpooled": alexnet_maps_unpooled,
    "resnet50": resnet50_maps,
    "small": small_maps,
}
"""How each encoder of `trifeature.comm.settings.ENCODERS` is made."""


@dataclass(frozen=True)
class Loss:
    """What a method minimizes on one batch.

    Attributes:
        total: Scalar to minimize.
        terms: Scalars to report, by name, in nats.
    """

    total: Tensor
    terms: Mapping[str, Tensor]


VARIANTS: Final = 64
"""How many variants of one function the compiler may keep. A process that goes through a whole
paper meets more of them (methods, losses, sets of views, last batches) than its own limit of 8,
beyond which it raises an error."""

LossFunction = Callable[[Tensor, torch.Generator], Loss]
Views = tuple[Tensor, ...]


class Method(nn.Module, ABC):
    """A way of learning from tuples of images.

    A method draws its own views, so that all that distinguishes it stands in one file. It is
    constructed from (settings, modalities, canvas); adding one takes such a file and one line in
    `trifeature.comm.methods.METHODS`.

    Attributes:
        heeds: Settings that not every method knows and this one does: `loss` of the run's, and
            switches of the model's. Another method refuses them.
    """

    heeds: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, settings: RunSettings, modalities: int, canvas: int) -> None:
        super().__init__()
        if len(settings.views) not in (1, modalities):
            raise InputError(
                f"views must be one set for all or one for each of {modalities} modalities, "
                f"not {len(settings.views)}"
            )
        self.settings = settings
        self.modalities = modalities
        self.canvas = canvas
        self.group = ALONE
        self.apply_views: ApplyViews = apply

    def join(self, group: Group) -> None:
        """Train together with other processes from now on, see `trifeature.comm.parallel`."""
        self.group = group
        share_statistics(self, group)

    def share(self, samples: int) -> Share:
        """Which samples of a batch this process encodes: in evaluation, and alone, all."""
        return (self.group if self.training else ALONE).share(samples)

    @abstractmethod
    def views(self, images: Tensor, generator: torch.Generator, share: Share) -> Views:
        """Draw and make the views that one loss is computed from, with `augment`.

        Args:
            images: uint8 [N, M, 3, S, S].
            generator: Source of all randomness, on the images' device.
            share: The samples whose views to make.

        Returns:
            [k · n, 3, S, S] each, whatever `loss_of` expects.
        """

    @abstractmethod
    def loss_of(self, views: Views, share: Share) -> Loss:
        """The loss of views: no randomness, no value that the host would have to wait for.

        `Share.gather` puts the shares of all processes together before samples meet, in BatchNorm
        or in the loss.

        Args:
            views: As `views` returns them.
            share: The samples that they are of.
        """

    def loss(self, images: Tensor, generator: torch.Generator) -> Loss:
        """Draw views of a batch of images, uint8 [N, M, 3, S, S], and compute the loss."""
        share = self.share(len(images))
        return self.loss_of(self.views(images, generator, share), share)

    pure: tuple[str, ...] = ("loss_of",)
    """Names of the functions of views that `compiled` hands to the compiler."""

    @contextmanager
    def compiled(self) -> Iterator[None]:
        """Fuse views and losses by `torch.compile` while inside the block.

        The kernels stay with the process: another run of the same kind finds them ready. Where
        training rounds to bfloat16, views are made in float16, see `trifeature.views.fused_views`.
        """
        half = self.settings.precision == "bfloat16"
        self.apply_views = partial(apply_fused, dtype=torch.float16 if half else torch.float32)
        for name in self.pure:
            setattr(self, name, torch.compile(getattr(self, name), dynamic=False, fullgraph=True))
        try:
            with torch._dynamo.config.patch(recompile_limit=VARIANTS):
                yield
        finally:
            self.apply_views = apply
            for name in self.pure:
                delattr(self, name)  # the class's own function shows again

    def losses(self) -> tuple[LossFunction, ...]:
        """The losses of one step, minimized in turn, each by the parameters of its phase."""
        return (self.loss,)

    def phase_of(self, parameter: str) -> int:  # noqa: ARG002 - for methods of several phases
        """Which of the `losses` a parameter learns from, by the parameter's name."""
        return 0

    @abstractmethod
    def encode(self, images: Tensor, modality: int) -> Tensor:
        """What is known of each image before it meets those of other modalities.

        Args:
            images: float [N, 3, S, S], already normalized.
            modality: Which.

        Returns:
            Codes [N, …].
        """

    @abstractmethod
    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """What a probe reads of pairs, from their images' codes.

        Args:
            codes: Of each modality [N, …], row n of the same pair.
            subsets: Lists of modalities to look at, each without the others.

        Returns:
            float [N, F] for each subset; F may differ between them.
        """

    def features(self, images: Tensor, subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """What a probe reads of normalized images [N, M, 3, S, S]: `encode`, then `combine`."""
        codes = [self.encode(x, m) for m, x in enumerate(images.unbind(1))]
        return self.combine(codes, subsets)

    def embed(self, images: Tensor) -> Tensor | None:  # noqa: ARG002 - for methods that have one
        """What the loss compares: one embedding [N, D] of all modalities, where there is one.

        Args:
            images: float [N, M, 3, S, S], already normalized.
        """
        return None

    def augment(
        self,
        images: Tensor,
        views: ViewSet | int,
        generator: torch.Generator,
        share: Share | None = None,
        copies: int = 1,
    ) -> Tensor:
        """A fresh view of each image.

        Args:
            images: uint8 [copies · N · K, 3, S, S], see `Share.augment`.
            views: The augmentations; a number means the run's for this modality.
            generator: Source of the randomness.
            share: Make the views of its samples only.
            copies: See `Share.augment`.
        """
        part = ALONE.share(len(images)) if share is None else share
        chosen = self.settings.views_of(views) if isinstance(views, int) else views
        return part.augment(images, chosen, generator, copies, self.apply_views)

    def encoders(self) -> nn.ModuleList:
        """A new encoder for each modality."""
        make = ENCODERS[self.settings.model.encoder]
        return nn.ModuleList(make() for _ in range(self.modalities))
