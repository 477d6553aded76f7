"""Cross+Self: align the modalities, and two views of each modality with one another.

Yuan et al. (2021) and SLIP (Mu et al., "SLIP: Self-supervision meets language-image
pre-training", ECCV 2022), as a baseline of Dufumier et al. (2025). Their published code runs both
kinds of terms through one projection head a modality; their text (appendix B.1) gives the cross
term linear projectors and the CLIP loss. `model.cross_self` chooses.

N samples, M modalities, d length of the encoders' vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from trifeature.comm.losses import info_nce
from trifeature.comm.methods.base import Loss, Method, Views
from trifeature.comm.methods.cross import ClipLoss, Projector, side_by_side
from trifeature.comm.networks import ProjectionHead, vector_encoder
from trifeature.comm.parallel import Share
from trifeature.comm.settings import RunSettings


class CrossSelf(Method):
    """A vector encoder and an MLP head a modality, twice as wide as CoMM's.

    The cross term sees light crops, the self terms two views by the run's augmentations.
    """

    heeds = frozenset({"cross_self", "head_norm"})

    def __init__(self, settings: RunSettings, modalities: int, canvas: int) -> None:
        super().__init__(settings, modalities, canvas)
        model = settings.model
        self.encoder = nn.ModuleList(
            vector_encoder(encoder, canvas, model.vector) for encoder in self.encoders()
        )
        self.head = nn.ModuleList(
            ProjectionHead(
                model.vector, 2 * model.hidden, model.embedding, batch_norm=model.head_norm
            )
            for _ in range(modalities)
        )
        self.projector: nn.ModuleList | None = None
        self.clip: ClipLoss | None = None
        if model.cross_self == "paper":
            self.projector = nn.ModuleList(
                Projector(model.vector, model.width) for _ in range(modalities)
            )
            self.clip = ClipLoss()

    def encode(self, images: Tensor, modality: int) -> Tensor:
        """The vectors [N, d] of one modality's images, before any head."""
        vectors: Tensor = self.encoder[modality](images)
        return vectors

    def views(self, images: Tensor, generator: torch.Generator, share: Share) -> Views:
        """A light view of each modality, then two views of each by the run's augmentations."""
        light = self.augment(images.flatten(0, 1), self.settings.light, generator, share)
        strong = [
            self.augment(torch.cat([x, x]), m, generator, share, copies=2)
            for m, x in enumerate(images.unbind(1))
        ]
        return (*light.unflatten(0, (-1, self.modalities)).unbind(1), *strong)

    def loss_of(self, views: Views, share: Share) -> Loss:
        """The cross term plus the mean of the self terms."""
        M = self.modalities
        light, strong = views[:M], views[M:]
        cross = self._cross([share.gather(self.encode(x, m)) for m, x in enumerate(light)])
        alone = []
        for m, x in enumerate(strong):
            both = self.encode(x, m).unflatten(0, (2, -1))
            z = self.head[m](share.gather(both, dim=1))
            alone.append(info_nce(z[0], z[1], self.settings.model.temperature))
        terms = {"cross": cross} | {f"self_{m + 1}": term for m, term in enumerate(alone)}
        return Loss(cross + torch.stack(alone).mean(), terms)

    def _cross(self, vectors: list[Tensor]) -> Tensor:
        """Align the modalities' vectors [N, d], by either variant."""
        if self.projector is not None and self.clip is not None:
            aligned: Tensor = self.clip(
                [project(v) for project, v in zip(self.projector, vectors, strict=True)]
            )
            return aligned
        z = [head(v[None])[0] for head, v in zip(self.head, vectors, strict=True)]
        temperature = self.settings.model.temperature
        return torch.stack([info_nce(a, b, temperature) for a, b in combinations(z, 2)]).mean()

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The encoders' vectors side by side: [N, d · modalities]."""
        return side_by_side(codes, subsets)
