"""CMC: aligns every pair of modalities with negatives of both (contrastive multiview coding).

Tian, Krishnan & Isola, "Contrastive multiview coding", ECCV 2020, in the form that the code of
Dufumier et al. (2025) ran as their rival for three modalities: NT-Xent in place of a memory bank.
Cross differs in its loss, CLIP's, with negatives of the other modality only and a learned
temperature.

N samples, M modalities, d length of the encoders' vectors, D length of the projections.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from trifeature.comm.losses import info_nce
from trifeature.comm.methods.base import Loss, Tensors
from trifeature.comm.methods.cross import Projections
from trifeature.comm.options import CMCOptions
from trifeature.comm.settings import RunSettings
from trifeature.modality import Modality


class CMC(Projections):
    """CMC: NT-Xent between linear projections of every pair of modalities, on light views.

    A probe reads the encoders' vectors, before the projections.
    """

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, CMCOptions)  # noqa: S101 - RunSettings has checked it
        self.temperature = options.temperature

    def codes_of(self, views: Tensors) -> Tensors:
        """The projections [N, D] of each modality."""
        codes = [self.encode(x, m) for m, x in enumerate(views)]
        return tuple(self.aligned(codes, m) for m in range(len(codes)))

    def loss_of(self, codes: Tensors) -> Loss:
        """The mean of NT-Xent over all pairs of modalities."""
        pairs = combinations(codes, 2)
        cross = torch.stack([info_nce(a, b, self.temperature) for a, b in pairs]).mean()
        return Loss(cross, {"cross": cross})

    def encode(self, items: Tensor, modality: int) -> Tensor:
        """The vectors [N, d] of one modality's items, before the projection."""
        vectors: Tensor = self.encoder[modality](items)
        return vectors

    def aligned(self, codes: Sequence[Tensor], modality: int) -> Tensor:
        """The projections [N, D], which the loss compares."""
        projected: Tensor = self.projector[modality](codes[modality])
        return projected
