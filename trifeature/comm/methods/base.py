"""The interface of a method: what it minimizes, and what a probe may read from it.

N samples, M modalities, S pixels along the canvas, F features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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


LossFunction = Callable[[Tensor, torch.Generator], Loss]


class Method(nn.Module, ABC):
    """A way of learning from tuples of images.

    A method draws its own views, so that all that distinguishes it stands in one file. It is
    constructed from (settings, modalities, canvas); adding one takes such a file and one line in
    `trifeature.comm.methods.METHODS`.
    """

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

    def join(self, group: Group) -> None:
        """Train together with other processes from now on, see `trifeature.comm.parallel`."""
        self.group = group
        share_statistics(self, group)

    def share(self, samples: int) -> Share:
        """Which samples of a batch this process encodes: in evaluation, and alone, all."""
        return (self.group if self.training else ALONE).share(samples)

    @abstractmethod
    def loss(self, images: Tensor, generator: torch.Generator) -> Loss:
        """Draw views of a batch and compute the loss.

        Only the samples of `share` need be encoded here; `Share.gather` puts the shares of all
        processes together before samples meet, in BatchNorm or in the loss.

        Args:
            images: uint8 [N, M, 3, S, S].
            generator: Source of the views' randomness, on the images' device.
        """

    def losses(self) -> tuple[LossFunction, ...]:
        """The losses of one step, minimized in turn, each by the parameters of its phase."""
        return (self.loss,)

    def phase_of(self, parameter: str) -> int:  # noqa: ARG002 - for methods of several phases
        """Which of the `losses` a parameter learns from, by the parameter's name."""
        return 0

    @abstractmethod
    def features(self, images: Tensor, subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """What a probe reads.

        Args:
            images: float [N, M, 3, S, S], already normalized.
            subsets: Lists of modalities to look at, each without the others.

        Returns:
            float [N, F] for each subset; F may differ between them.
        """

    def embed(self, images: Tensor) -> Tensor | None:  # noqa: ARG002 - for methods that have one
        """What the loss compares: one embedding [N, D] of all modalities, where there is one.

        Args:
            images: float [N, M, 3, S, S], already normalized.
        """
        return None

    def augment(
        self,
        images: Tensor,
        modality: int,
        generator: torch.Generator,
        share: Share | None = None,
        copies: int = 1,
    ) -> Tensor:
        """A fresh view of each image [N, 3, S, S] of one modality, by the run's augmentations.

        With a `share`, of its images only; `copies` as in `Share.augment`.
        """
        part = ALONE.share(len(images)) if share is None else share
        return part.augment(images, self.settings.views_of(modality), generator, copies)

    def encoders(self) -> nn.ModuleList:
        """A new encoder for each modality."""
        make = ENCODERS[self.settings.model.encoder]
        return nn.ModuleList(make() for _ in range(self.modalities))
