"""CoMM: align two views of the fused modalities, and each modality alone with the fusion.

Dufumier, Castillo Navarro, Tuia & Thiran, "What to align in multimodal contrastive learning?",
ICLR 2025, section 3 and Algorithm 1, and the code published with it; where they differ the
default is what produced the published numbers, and the other is a setting.

N samples, M modalities, T tokens, D fusion width, G subsets of modalities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trifeature.comm.losses import combine, comm_terms, loss_names, terms_of
from trifeature.comm.methods.base import Loss, Method, Views
from trifeature.comm.networks import (
    AttentionFusion,
    LinearFusion,
    PatchEmbedding,
    ProjectionHead,
    output_shape,
    vector_encoder,
)
from trifeature.comm.parallel import Share
from trifeature.comm.settings import RunSettings
from trifeature.errors import check_name
from trifeature.views.images import CLEAN


class CoMM(Method):
    """Encoders, latent converters, attention fusion and one shared projection head.

    The two views of a modality pass its encoder as one batch. For an encoder with BatchNorm (the
    small one; AlexNet has none) both views so share their statistics.
    """

    heeds = frozenset({"loss", "fusion", "masking", "unimodal", "negatives", "head_norm"})

    def __init__(self, settings: RunSettings, modalities: int, canvas: int) -> None:
        super().__init__(settings, modalities, canvas)
        check_name("loss", settings.loss, loss_names(modalities))
        model = settings.model
        self.encoder = self.encoders()
        self.converter: nn.ModuleList
        self.fusion: AttentionFusion | LinearFusion
        if model.fusion == "attention":
            channels, rows, columns = output_shape(self.encoder[0], canvas)
            self.converter = nn.ModuleList(
                PatchEmbedding(channels, rows, columns, model.width) for _ in range(modalities)
            )
            self.fusion = AttentionFusion(model.width, model.heads, model.masking)
        else:
            # Table 4: a vector encoder (its last linear map) instead of a latent converter.
            self.encoder = nn.ModuleList(
                vector_encoder(maps, canvas, model.vector) for maps in self.encoder
            )
            self.converter = nn.ModuleList(nn.Identity() for _ in range(modalities))
            self.fusion = LinearFusion([model.vector] * modalities, model.width)
        self.head = ProjectionHead(
            model.width, model.hidden, model.embedding, batch_norm=model.head_norm
        )
        self.terms = terms_of(settings.loss, modalities)

    def encode(self, images: Tensor, modality: int) -> Tensor:
        """Images [N, 3, S, S] of one modality to what the fusion reads."""
        converted: Tensor = self.converter[modality](self.encoder[modality](images))
        return converted

    @property
    def _alone(self) -> list[tuple[int, ...]]:
        """The modalities that a term of the run's loss sees alone."""
        return [(m,) for m in range(self.modalities) if f"L_{m + 1}" in self.terms]

    def views(self, images: Tensor, generator: torch.Generator, share: Share) -> Views:
        """Two views of each modality; the plain images after them where L_i sees those."""
        made = [
            self.augment(torch.cat([x, x]), m, generator, share, copies=2)
            for m, x in enumerate(images.unbind(1))
        ]
        if self.settings.model.unimodal == "plain" and self._alone:
            made += [self.augment(x, CLEAN, generator, share) for x in images.unbind(1)]
        return tuple(made)

    def loss_of(self, views: Views, share: Share) -> Loss:
        """The mean of the terms that the run's `loss` names."""
        M, alone = self.modalities, self._alone
        everything = tuple(range(M))
        plain = len(views) > M
        tokens = [self.encode(x, m) for m, x in enumerate(views[:M])]
        subsets = [everything] if plain else [everything, *alone]
        z = self._embed(tokens, subsets, share, views=2)
        if plain:
            clean = [self.encode(x, m) for m, x in enumerate(views[M:])]
            z = torch.cat([z, self._embed(clean, alone, share, views=1).expand(-1, 2, -1, -1)])
        terms = comm_terms(
            (z[0, 0], z[0, 1]),
            [(one[0], one[1]) for one in z[1:]],
            self.settings.model.temperature,
            self.settings.model.negatives,
        )
        named = {"L": terms["L"]} | {
            f"L_{subset[0] + 1}": terms[f"L_{place + 1}"] for place, subset in enumerate(alone)
        }
        return Loss(combine(named, self.terms), named)

    def _embed(
        self, tokens: list[Tensor], subsets: list[tuple[int, ...]], share: Share, views: int
    ) -> Tensor:
        """Fuse each subset, gather, and project: [G, views, N, embedding].

        The head normalizes each of the G · views batches on its own.
        """
        fused = self.fusion(tokens, subsets)
        G, rows, D = fused.shape
        batches = share.gather(fused.view(G * views, rows // views, D), dim=1)
        projected: Tensor = self.head(batches)
        return projected.view(G, views, *projected.shape[1:])

    def embed(self, images: Tensor) -> Tensor:
        """The projection of all modalities fused: [N, embedding]."""
        everything = list(range(self.modalities))
        projected: Tensor = self.head(self.features(images, [everything])[0][None])
        return projected[0]

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The fused embeddings before the head, unnormalized: [N, D] for each subset."""
        return list(self.fusion(codes, subsets))
