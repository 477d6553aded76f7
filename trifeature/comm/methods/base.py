"""The interface of a method: its loss in training, and its features for a probe.

A training step has three parts. `views` draws and applies augmentations; all randomness is there.
`codes_of` encodes each sample independently of the others. `loss_of` computes the loss of the
batch, in which samples interact as negatives or through the BatchNorm of a head.

A probe uses two parts. `encode` maps the items of one modality to codes, so each item of a data set
is encoded once, no matter how many samples contain it. `combine` joins the codes of the modalities
of each sample.

N samples of a batch, n of them in this process (N if it is alone), M modalities, k views of an
item, F features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from trifeature.comm.encoders import make_encoder, vector_encoder
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch
from trifeature.views import JointViews, Parameters, Views


@dataclass(frozen=True)
class Loss:
    """The loss of a batch.

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
    """Divides the samples of a batch among processes and gathers their codes."""

    def local_indices(self, samples: int, copies: int) -> Tensor | None:
        """Indices into [copies · N] items of those that this process encodes; None for all."""

    def gather(self, codes: Tensor) -> Tensor:
        """Concatenate the codes [n, …] of all processes to [N, …]; differentiable."""


def apply_views(views: Views, items: Tensor, parameters: Parameters) -> Tensor:
    """Apply drawn parameters: the default of `Method.apply_views`."""
    return views.apply(items, parameters)


class Method(nn.Module, ABC):
    """Base class of methods that learn from samples of several modalities.

    A subclass defines views, networks and loss. It is constructed from (settings, modalities) and
    added by `register_method`.

    Args:
        settings: Settings of the run.
        modalities: Modalities in the order of a batch.

    Attributes:
        settings: Settings of the run; `settings.options` are those of the method.
        modalities: Modalities in the order of a batch.
        apply_views: Applies drawn augmentations; a backend may set a faster implementation.
        exchange: Set by a backend if several processes train together, else None.
        progress: Scalar, (e + 1) / E in the epoch e = 0, 1, … of E: for losses that change over
            training. A tensor, so that a compiled step sees its changes; it is not saved.
        least_modalities: The smallest number of modalities that the method is defined for. What
            chooses methods for given modalities reads it; a method itself refuses others.
        takes_absent: Whether the method can learn from modalities of which steps are absent.

    Raises:
        InputError: the numbers of views or encoders do not fit the modalities, or steps of some are
            absent and the method takes no such modality.
    """

    least_modalities: ClassVar[int] = 2
    takes_absent: ClassVar[bool] = True

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__()
        for name, given in (("views", settings.views), ("encoder", settings.encoder)):
            if not isinstance(given, str) and len(given) not in (1, len(modalities)):
                raise InputError(
                    f"{name} must be one for all or one for each of {len(modalities)} "
                    f"modalities, not {len(given)}"
                )
        for modality in modalities:
            if modality.partial and not self.takes_absent:
                raise InputError(
                    f"{settings.method} cannot learn from {modality.name!r}, of which some items, "
                    "or steps of items, are absent"
                )
        self.settings = settings
        self.modalities = tuple(modalities)
        self.apply_views: Callable[[Views, Tensor, Parameters], Tensor] = apply_views
        self.exchange: Exchange | None = None
        self.progress: Tensor
        self.register_buffer("progress", torch.ones(()), persistent=False)

    # ----------------------------------------------------------------- training

    @abstractmethod
    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """Draw the views of a batch, with `augment`.

        Args:
            batch: Items of N samples, [N, *shape] for each modality.
            generator: Source of all randomness, on the items' device.

        Returns:
            The argument of `codes_of`.
        """

    @abstractmethod
    def codes_of(self, views: Tensors) -> Tensors:
        """Encode each sample independently of the others: tensors [n, …]."""

    @abstractmethod
    def loss_of(self, codes: Tensors) -> Loss:
        """Compute the loss of a batch from the codes [N, …] of its samples, without randomness."""

    def codes(self, views: Tensors) -> Tensors:
        """The codes [N, …] of all samples of the batch, gathered from all processes."""
        local = self.codes_of(views)
        exchange = self.exchange if self.training else None
        return local if exchange is None else tuple(exchange.gather(x) for x in local)

    def objective(self, views: Tensors) -> Loss:
        """The loss as a function of views."""
        return self.loss_of(self.codes(views))

    def objectives(self) -> tuple[Objective, ...]:
        """The losses of a step, minimized in this order, each by the parameters of its phase."""
        return (self.objective,)

    def phase_of(self, parameter: str) -> int:  # noqa: ARG002 - for methods of several phases
        """Index in `objectives` of the loss that the parameter of this name minimizes."""
        return 0

    # ----------------------------------------------------------------- probing

    @abstractmethod
    def encode(self, items: Tensor, modality: int) -> Tensor:
        """Encode items of one modality, before fusion.

        Args:
            items: float [N, *shape], clean or augmented.
            modality: Index of the modality.

        Returns:
            Codes [N, …].
        """

    @abstractmethod
    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """Compute the features of samples from the codes of their items.

        Args:
            codes: For each modality [N, …].
            subsets: Lists of modalities; each gives features that depend on these modalities only.

        Returns:
            float [N, F] for each subset; F may differ between them.
        """

    def aligned(self, codes: Sequence[Tensor], modality: int) -> Tensor:
        """What a probe with products multiplies by that of the other modalities: float [N, F].

        The features of the modality by itself, unless a method aligns other embeddings than its
        probe reads. F is the same for every modality.

        Args:
            codes: For each modality [N, …].
            modality: Index of the modality.
        """
        return self.combine(codes, [[modality]])[0]

    def features(self, batch: Batch, subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The features of a batch of clean or augmented items: `encode`, then `combine`."""
        return self.combine([self.encode(x, m) for m, x in enumerate(batch)], subsets)

    def embed(self, batch: Batch) -> Tensor | None:  # noqa: ARG002 - for methods that have one
        """The embedding [N, D] of all modalities that the loss compares; None if there is none.

        Args:
            batch: Clean or augmented items, float [N, *shape] for each modality.
        """
        return None

    # ----------------------------------------------------------------- for authors of methods

    def views_of(self, modality: int, views: Views | None = None) -> Views:
        """The augmentations of a modality: `views` if given, else the run's.

        If they are for another kind of modality, the default of this modality's kind.
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
        """Draw views of each item.

        Args:
            items: Items [N, *shape] of one modality.
            modality: Index of the modality.
            generator: Source of the randomness.
            views: The augmentations; None for the run's.
            copies: k, the number of views of each item.

        Returns:
            float [k · n, *shape]: first one view of each of the n samples, then the next.
        """
        chosen = self.views_of(modality, views)
        shape = tuple(items.shape[1:])
        parameters = chosen.draw(copies * len(items), shape, generator, items.device)
        return self._applied(chosen, items, parameters, copies)

    def augment_all(
        self,
        batch: Batch,
        generator: torch.Generator,
        views: Sequence[Views] | None = None,
        copies: int = 1,
    ) -> list[Tensor]:
        """Draw views of every modality, see `augment`, modality by modality.

        Modalities of equal views that are `joint` (see `trifeature.views.series`) are drawn
        together, at the place of the first of them.

        Args:
            batch: Items of N samples, [N, *shape] for each modality.
            generator: Source of the randomness.
            views: The augmentations of each modality; None for the run's.
            copies: k, the number of views of each item.
        """
        chosen = views or [self.views_of(m) for m in range(len(batch))]
        made: dict[int, Tensor] = {}
        for m, own in enumerate(chosen):
            if m in made:
                continue
            if not (isinstance(own, JointViews) and own.joint):
                made[m] = self.augment(batch[m], m, generator, own, copies)
                continue
            joined = [k for k in range(m, len(batch)) if chosen[k] == own]
            shapes = [tuple(batch[k].shape[1:]) for k in joined]
            N, device = len(batch[0]), batch[0].device
            drawn = own.draw_joint(copies * N, shapes, generator, device)
            for k, parameters in zip(joined, drawn, strict=True):
                made[k] = self._applied(own, batch[k], parameters, copies)
        return [made[m] for m in range(len(batch))]

    def _applied(self, views: Views, items: Tensor, parameters: Parameters, copies: int) -> Tensor:
        """Views [k · n, *shape] of the items that this process encodes."""
        repeated = torch.cat([items] * copies) if copies > 1 else items
        # Parameters are drawn for all N samples, so that they do not depend on the processes.
        local = self._local_indices(len(items), copies)
        if local is not None:
            repeated, parameters = repeated[local], parameters[local]
        return self.apply_views(views, repeated, parameters)

    def _local_indices(self, samples: int, copies: int = 1) -> Tensor | None:
        """Indices into [copies · N] items of those that this process encodes; None for all."""
        if self.exchange is None or not self.training:
            return None
        return self.exchange.local_indices(samples, copies)

    def uniform(self, samples: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Draw uniform numbers in [0, 1) for each sample, for masks for example: float [n, *shape].

        Args:
            samples: N, the number of samples of the batch.
            shape: Shape of the numbers of one sample.
            generator: Source of the randomness.
        """
        drawn = torch.rand(samples, *shape, generator=generator, device=generator.device)
        local = self._local_indices(samples)
        return drawn if local is None else drawn[local]

    def light_views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """Draw one light view of each item: float [n, *shape] for each modality.

        If all modalities have the same kind, shape and type, their parameters are drawn together,
        sample by sample: the recorded results depend on this order of draws.
        """
        light, M = self.settings.light, len(batch)
        # Images may be uint8 up to 255 beside partial ones of their shape, floating up to 1.
        alike = zip(self.modalities, batch, strict=True)
        if len({(m.kind, m.shape, x.dtype) for m, x in alike}) > 1:
            return tuple(self.augment(x, m, generator, light) for m, x in enumerate(batch))
        chosen = self.views_of(0, light)
        together = torch.stack(batch, dim=1).flatten(0, 1)
        shape = tuple(together.shape[1:])
        parameters = chosen.draw(len(together), shape, generator, together.device)
        local = self._local_indices(len(batch[0]))
        if local is not None:
            indices = (local[:, None] * M + torch.arange(M, device=local.device)).flatten()
            together, parameters = together[indices], parameters[indices]
        made = self.apply_views(chosen, together, parameters)
        return tuple(made.unflatten(0, (-1, M)).unbind(1))

    def encoders(self) -> list[nn.Module]:
        """Make an untrained encoder for each modality."""
        return [make_encoder(self.settings, m, index) for index, m in enumerate(self.modalities)]

    def vector_encoders(self, length: int) -> nn.ModuleList:
        """Make an encoder with a linear layer for each modality: items to vectors [N, length]."""
        made = self.encoders()
        return nn.ModuleList(
            vector_encoder(encoder, m, length)
            for encoder, m in zip(made, self.modalities, strict=True)
        )
