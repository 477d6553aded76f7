"""Cross+Self: aligns the modalities, and two views of each modality with one another.

Yuan et al. (2021) and SLIP (Mu et al., "SLIP: Self-supervision meets language-image
pre-training", ECCV 2022), as a baseline of Dufumier et al. (2025). Their published code uses one
projection head a modality for both kinds of terms; their text (appendix B.1) has linear projectors
and the CLIP loss for the cross term. The option `cross_self` chooses between them.

N samples, M modalities, d length of the encoders' vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from trifeature.comm.losses import info_nce
from trifeature.comm.methods.base import Loss, Method, Tensors
from trifeature.comm.methods.cross import ClipLoss, Projector, concatenated
from trifeature.comm.methods.simclr import self_terms
from trifeature.comm.networks import ProjectionHead
from trifeature.comm.options import CrossSelfOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch


class CrossSelf(Method):
    """Cross+Self: a vector encoder and an MLP head for each modality, twice as wide as CoMM's.

    The cross term uses light views, the self terms two views by the run's augmentations.
    """

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, CrossSelfOptions)  # noqa: S101 - RunSettings has checked it
        if len(modalities) < 2:
            raise InputError("cross+self needs at least two modalities")
        self.temperature = options.temperature
        self.encoder = self.vector_encoders(options.vector)
        self.head = nn.ModuleList(
            ProjectionHead(
                options.vector, 2 * options.hidden, options.embedding, batch_norm=options.head_norm
            )
            for _ in modalities
        )
        self.projector: nn.ModuleList | None = None
        self.clip: ClipLoss | None = None
        if options.cross_self == "paper":
            self.projector = nn.ModuleList(
                Projector(options.vector, options.width) for _ in modalities
            )
            self.clip = ClipLoss()

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """A light view of each modality, then two views of each by the run's augmentations."""
        light = self.light_views(batch, generator)
        strong = self.augment_all(batch, generator, copies=2)
        return (*light, *strong)

    def codes_of(self, views: Tensors) -> Tensors:
        """The vectors of each modality's light view [N, d], then those of both views [N, 2, d]."""
        M = len(self.modalities)
        light = [self.encode(x, m) for m, x in enumerate(views[:M])]
        strong = [self.encode(x, m).unflatten(0, (2, -1)) for m, x in enumerate(views[M:])]
        return (*light, *(both.transpose(0, 1) for both in strong))

    def loss_of(self, codes: Tensors) -> Loss:
        """The cross term plus the mean of the self terms."""
        M = len(self.modalities)
        cross = self._cross(codes[:M])
        unimodal = self_terms(self.head, codes[M:], self.temperature)
        total = cross + torch.stack(list(unimodal.values())).mean()
        return Loss(total, {"cross": cross} | unimodal)

    def _cross(self, vectors: Sequence[Tensor]) -> Tensor:
        """The cross term of the modalities' vectors [N, d], in the variant of the options."""
        z = [self.aligned(vectors, m) for m in range(len(vectors))]
        if self.clip is not None:
            loss: Tensor = self.clip(z)
            return loss
        losses = [info_nce(a, b, self.temperature) for a, b in combinations(z, 2)]
        return torch.stack(losses).mean()

    def encode(self, items: Tensor, modality: int) -> Tensor:
        """The vectors [N, d] of one modality's items, before any head."""
        vectors: Tensor = self.encoder[modality](items)
        return vectors

    def aligned(self, codes: Sequence[Tensor], modality: int) -> Tensor:
        """What the cross term compares: the head's output, or the `paper` variant's projections."""
        vectors = codes[modality]
        if self.projector is not None:
            projected: Tensor = self.projector[modality](vectors)
            return projected
        embedded: Tensor = self.head[modality](vectors[None])[0]
        return embedded

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The concatenated vectors of the encoders: [N, d · modalities]."""
        return concatenated(codes, subsets)
