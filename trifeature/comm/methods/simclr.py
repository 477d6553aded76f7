"""SimCLR: aligns two views of each modality by itself; modalities never meet in its loss.

Chen, Kornblith, Norouzi & Hinton, "A simple framework for contrastive learning of visual
representations", ICML 2020. With one modality it is that method; with more of them it is
Cross+Self without the cross term, the control that tells what alignment adds.

N samples, M modalities, d length of the encoders' vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from trifeature.comm.losses import info_nce
from trifeature.comm.methods.base import Loss, Method, Tensors
from trifeature.comm.methods.cross import concatenated
from trifeature.comm.networks import ProjectionHead
from trifeature.comm.options import SimCLROptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch


class SimCLR(Method):
    """SimCLR: a vector encoder and an MLP head for each modality."""

    least_modalities = 1

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, SimCLROptions)  # noqa: S101 - RunSettings has checked it
        if not modalities:
            raise InputError("simclr needs at least one modality")
        self.temperature = options.temperature
        self.encoder = self.vector_encoders(options.vector)
        self.head = nn.ModuleList(
            ProjectionHead(
                options.vector, options.hidden, options.embedding, batch_norm=options.head_norm
            )
            for _ in modalities
        )

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """Two views of each modality: [2 · N, *shape]."""
        return tuple(self.augment_all(batch, generator, copies=2))

    def codes_of(self, views: Tensors) -> Tensors:
        """The vectors of both views of each modality: [N, 2, d]."""
        both = [self.encode(x, m).unflatten(0, (2, -1)) for m, x in enumerate(views)]
        return tuple(x.transpose(0, 1) for x in both)

    def loss_of(self, codes: Tensors) -> Loss:
        """The mean of NT-Xent over the modalities."""
        terms = self_terms(self.head, codes, self.temperature)
        return Loss(torch.stack(list(terms.values())).mean(), terms)

    def encode(self, items: Tensor, modality: int) -> Tensor:
        """The vectors [N, d] of one modality's items, before the head."""
        vectors: Tensor = self.encoder[modality](items)
        return vectors

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The concatenated vectors of the encoders: [N, d · modalities]."""
        return concatenated(codes, subsets)


def self_terms(
    heads: Iterable[nn.Module], codes: Iterable[Tensor], temperature: float
) -> dict[str, Tensor]:
    """NT-Xent of the two views of each modality: `self_1`, `self_2`, …, in nats.

    Args:
        heads: The head of each modality.
        codes: The vectors of both views of each modality, [N, 2, d].
        temperature: τ.
    """
    terms = {}
    for number, (head, both) in enumerate(zip(heads, codes, strict=True), start=1):
        z = head(both.transpose(0, 1))
        terms[f"self_{number}"] = info_nce(z[0], z[1], temperature)
    return terms
