"""The interface of a method: what it minimizes, and what a probe may read from it.

A training step has three parts. `views` holds all randomness: it draws augmentations and applies
them. `codes_of` encodes each sample on its own. In `loss_of` samples meet: as negatives, or in the
BatchNorm of a head. A probe reads a method in two parts: `encode` looks at the items of one
modality, so each item of a data set is encoded once however many samples it is in; `combine` puts
the codes of the same samples together.

N samples, M modalities, k views of an item, F features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from trifeature.comm.encoders import make_encoder, vector_encoder
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch
from trifeature.views import Parameters, Views


@dataclass(frozen=True)
class Loss:
    """What a method minimizes on one batch.

    Attributes:
        total: Scalar to minimize.
        terms: Scalars to report, by name, in nats.
    """

    total: Tensor
    terms: Mapping[str, Tensor]


Tensors = tuple[Tensor, ...]
Objective = Callable[[Tensors], Loss]
"""A loss as a function of views."""


class Exchange(Protocol):
    """What a method does with the samples of a batch where several processes share it."""

    def own(self, samples: int, copies: int) -> Tensor | None:
        """The rows of [copies · N] items that this process makes and encodes; None for all."""

    def gather(self, codes: Tensor) -> Tensor:
        """The codes [n, …] of all processes together [N, …], differentiable."""


def apply_views(views: Views, items: Tensor, parameters: Parameters) -> Tensor:
    """Apply drawn parameters; what `Method.apply` is unless something faster replaces it."""
    return views.apply(items, parameters)


class Method(nn.Module, ABC):
    """A way of learning from samples of several modalities.

    Everything that distinguishes a method stands in its file: options, views, networks, loss. It is
    constructed from (settings, modalities) and added by `register_method`.

    Attributes:
        settings: Of the run; `settings.options` are the method's own.
        modalities: In the order of a batch.
        apply_views: Applies drawn augmentations; a faster implementation may be put here.
        exchange: Set where several processes train together, else None.
    """

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__()
        for name, given in (("views", settings.views), ("encoder", settings.encoder)):
            if not isinstance(given, str) and len(given) not in (1, len(modalities)):
                raise InputError(
                    f"{name} must be one for all or one for each of {len(modalities)} "
                    f"modalities, not {len(given)}"
                )
        self.settings = settings
        self.modalities = tuple(modalities)
        self.apply_views: Callable[[Views, Tensor, Parameters], Tensor] = apply_views
        self.exchange: Exchange | None = None

    # ----------------------------------------------------------------- training

    @abstractmethod
    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """Draw and make the views that one loss is computed from, with `augment`.

        Args:
            batch: The items of N samples, [N, *shape] for each modality.
            generator: Source of all randomness, on the items' device.

        Returns:
            Whatever `codes_of` expects.
        """

    @abstractmethod
    def codes_of(self, views: Tensors) -> Tensors:
        """Codes of each sample on its own, samples along the first dimension: [N, …] each."""

    @abstractmethod
    def loss_of(self, codes: Tensors) -> Loss:
        """The loss of a whole batch, from the codes of all its samples: no randomness."""

    def codes(self, views: Tensors) -> Tensors:
        """`codes_of` for all samples of the batch, whichever process encodes them."""
        own = self.codes_of(views)
        exchange = self.exchange if self.training else None
        return own if exchange is None else tuple(exchange.gather(x) for x in own)

    def objective(self, views: Tensors) -> Loss:
        """The loss as a function of views."""
        return self.loss_of(self.codes(views))

    def objectives(self) -> tuple[Objective, ...]:
        """The losses of one step, minimized in turn, each by the parameters of its phase."""
        return (self.objective,)

    def phase_of(self, parameter: str) -> int:  # noqa: ARG002 - for methods of several phases
        """Which of the `objectives` a parameter learns from, by the parameter's name."""
        return 0

    # ----------------------------------------------------------------- probing

    @abstractmethod
    def encode(self, items: Tensor, modality: int) -> Tensor:
        """Features of one modality's items, before they meet those of other modalities.

        Args:
            items: float [N, *shape], clean or augmented.
            modality: Its place.

        Returns:
            Codes [N, …].
        """

    @abstractmethod
    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """What a probe reads of samples, from the codes of their items.

        Args:
            codes: For each modality [N, …].
            subsets: Lists of modalities to look at, each without the others.

        Returns:
            float [N, F] for each subset; F may differ between them.
        """

    def features(self, batch: Batch, subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """What a probe reads of clean or augmented items: `encode`, then `combine`."""
        return self.combine([self.encode(x, m) for m, x in enumerate(batch)], subsets)

    def embed(self, batch: Batch) -> Tensor | None:  # noqa: ARG002 - for methods that have one
        """The embedding [N, D] of all modalities that the loss compares, where there is one.

        Args:
            batch: Clean or augmented items, float [N, *shape] for each modality.
        """
        return None

    # ----------------------------------------------------------------- for authors of methods

    def views_of(self, modality: int, views: Views | None = None) -> Views:
        """The augmentations of a modality: the given ones, by default the run's.

        Where they are of another kind than the modality, its kind's own default.
        """
        chosen = self.settings.views_of(modality) if views is None else views
        kind = self.modalities[modality].defaults
        if chosen.kind == kind.name:
            return chosen
        return kind.light if chosen == self.settings.light else kind.strong

    def augment(
        self,
        items: Tensor,
        modality: int,
        generator: torch.Generator,
        views: Views | None = None,
        copies: int = 1,
    ) -> Tensor:
        """Fresh views of each item.

        Args:
            items: [N, *shape] of one modality.
            modality: Its place.
            generator: Source of the randomness.
            views: The augmentations; None for the run's.
            copies: Views of each item, k.

        Returns:
            float [k · n, *shape], the batch k times, for the n samples that this process encodes
            (N, where it is alone).
        """
        chosen = self.views_of(modality, views)
        repeated = torch.cat([items] * copies) if copies > 1 else items
        parameters = chosen.draw(len(repeated), tuple(items.shape[1:]), generator, items.device)
        own = None
        if self.exchange is not None and self.training:
            own = self.exchange.own(len(items), copies)
        if own is not None:
            repeated, parameters = repeated[own], parameters[own]
        return self.apply_views(chosen, repeated, parameters)

    def uniform(self, samples: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Random numbers in [0, 1) for each sample of a batch, for masks say: float [n, *shape].

        Args:
            samples: N, the samples of the batch.
            shape: For each sample.
            generator: Source of the randomness.
        """
        drawn = torch.rand(samples, *shape, generator=generator, device=generator.device)
        if self.exchange is not None and self.training:
            own = self.exchange.own(samples, 1)
            return drawn if own is None else drawn[own]
        return drawn

    def light_views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """One light view of each item: float [n, *shape] for each modality.

        Where all modalities are alike their parameters are drawn together, sample by sample, as
        they were for all recorded rows.
        """
        light, M = self.settings.light, len(batch)
        if len({(m.kind, m.shape) for m in self.modalities}) > 1:
            return tuple(self.augment(x, m, generator, light) for m, x in enumerate(batch))
        chosen = self.views_of(0, light)
        together = torch.stack(batch, dim=1).flatten(0, 1)
        shape = tuple(together.shape[1:])
        parameters = chosen.draw(len(together), shape, generator, together.device)
        if self.exchange is not None and self.training:
            own = self.exchange.own(len(batch[0]), 1)
            if own is not None:
                rows = (own[:, None] * M + torch.arange(M, device=own.device)).flatten()
                together, parameters = together[rows], parameters[rows]
        made = self.apply_views(chosen, together, parameters)
        return tuple(made.unflatten(0, (-1, M)).unbind(1))

    def encoders(self) -> list[nn.Module]:
        """A new encoder for each modality."""
        return [make_encoder(self.settings, m, place) for place, m in enumerate(self.modalities)]

    def vector_encoders(self, length: int) -> nn.ModuleList:
        """A new encoder for each modality with a linear layer on top: items to [N, length]."""
        made = self.encoders()
        return nn.ModuleList(
            vector_encoder(encoder, m, length)
            for encoder, m in zip(made, self.modalities, strict=True)
        )
