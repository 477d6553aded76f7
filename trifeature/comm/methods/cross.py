"""Cross: aligns the modalities with one another, as CLIP does.

Radford et al., "Learning transferable visual models from natural language supervision", ICML
2021, as a baseline of Dufumier et al. (2025). With more than two modalities every pair is
aligned. This is the full-graph loss of CMC (Tian, Krishnan & Isola, "Contrastive multiview coding",
ECCV 2020), with these differences: negatives are the other samples of the batch (CMC keeps a memory
bank of all embeddings and draws 4,096 of them by default), τ is learned from CMC's 0.07 on (CMC
keeps it there), and the pairs' losses are averaged (CMC adds them up, which makes hardly any
difference to AdamW). CMC is therefore no method of its own here: it is Cross on three or more
modalities.

`Projections` holds what Cross shares with other methods that compare one linear projection of each
modality.

N samples, M modalities, D length of the projections.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import torch
from torch import Tensor, nn

from trifeature.comm.losses import info_nce
from trifeature.comm.methods.base import Loss, Method, Tensors
from trifeature.comm.options import ProjectionOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch

INITIAL_TEMPERATURE: Final = 0.07
LARGEST_LOG_SCALE: Final = 4.6052


class Projector(nn.Linear):
    """A linear map without bias, initial standard deviation d^-½ for d inputs, as in CLIP."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)
        nn.init.normal_(self.weight, std=inputs**-0.5)


class LearnedTemperature(nn.Module):
    """A learned temperature τ, as in CLIP.

    The learned parameter is log(1/τ). It starts at log(1/0.07) and is clamped to [0, 4.6052].
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(1 / INITIAL_TEMPERATURE).log())

    def temperature(self) -> Tensor:
        """The scalar τ, after clamping the parameter."""
        with torch.no_grad():
            self.log_scale.clamp_(0, LARGEST_LOG_SCALE)
        return (-self.log_scale).exp()


class ClipLoss(LearnedTemperature):
    """Symmetric InfoNCE between every pair of modalities with a learned temperature.

    Negatives come from the other modality only.
    """

    def forward(self, projections: Sequence[Tensor]) -> Tensor:
        """The mean over pairs of modalities [N, D] of the CLIP loss, in nats."""
        temperature = self.temperature()
        losses = [info_nce(a, b, temperature, "cross") for a, b in combinations(projections, 2)]
        return torch.stack(losses).mean()


class Projections(Method):
    """Base class: a vector encoder and a linear projector for each modality, on light views.

    It uses the light views only, as the alignment of modalities needs no strong augmentation. A
    subclass defines the loss of the projections; its options are `ProjectionOptions` with its own.

    Raises:
        InputError: there are fewer modalities than `least_modalities`.
    """

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, ProjectionOptions)  # noqa: S101 - RunSettings has checked it
        if len(modalities) < self.least_modalities:
            least = {2: "two", 3: "three"}[self.least_modalities]
            raise InputError(f"{settings.method} needs at least {least} modalities")
        self.encoder = self.vector_encoders(options.vector)
        self.projector = nn.ModuleList(Projector(options.vector, options.width) for _ in modalities)

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """One light view of each item."""
        return self.light_views(batch, generator)

    def codes_of(self, views: Tensors) -> Tensors:
        """The projections [N, D] of each modality."""
        return tuple(self.encode(x, m) for m, x in enumerate(views))

    def encode(self, items: Tensor, modality: int) -> Tensor:
        """The projections [N, D] of one modality's items."""
        projected: Tensor = self.projector[modality](self.encoder[modality](items))
        return projected

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The concatenated projections of the modalities, unnormalized: [N, D · modalities]."""
        return concatenated(codes, subsets)


class Cross(Projections):
    """Cross: the CLIP loss of the projections."""

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        self.clip = ClipLoss()

    def loss_of(self, codes: Tensors) -> Loss:
        """The CLIP loss."""
        cross: Tensor = self.clip(codes)
        return Loss(cross, {"cross": cross})


def concatenated(codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
    """Concatenate the vectors [N, F] of the modalities of each subset: [N, F · modalities]."""
    return [torch.cat([codes[m] for m in subset], dim=1) for subset in subsets]
