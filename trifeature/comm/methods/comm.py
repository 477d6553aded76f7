"""CoMM: aligns two views of the fused modalities, and each modality alone with the fusion.

Dufumier, Castillo Navarro, Tuia & Thiran, "What to align in multimodal contrastive learning?",
ICLR 2025, section 3 and Algorithm 1, and the code published with it. Where they differ, the default
is the one that produced the published numbers and the other is an option.

N samples, M modalities, T tokens, D fusion width, G subsets of modalities, V views.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trifeature.comm.encoders import encode_tokens, latent_converter
from trifeature.comm.losses import combine, comm_terms, loss_names, terms_of
from trifeature.comm.methods.base import Loss, Method, Tensors
from trifeature.comm.networks import AttentionFusion, LinearFusion, ProjectionHead
from trifeature.comm.options import CoMMOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError, check_name
from trifeature.modality import Modality
from trifeature.samples import Batch


class CoMM(Method):
    """CoMM: encoders, latent converters, attention fusion and one common projection head.

    The two views of a modality pass through its encoder as one batch. An encoder with BatchNorm
    (`small`; AlexNet has none) therefore normalizes both by common statistics.
    """

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options, M = settings.options, len(modalities)
        assert isinstance(options, CoMMOptions)  # noqa: S101 - RunSettings has checked it
        if M < 2:
            raise InputError(f"{settings.method} needs at least two modalities")
        self.options = options
        check_name("loss", options.loss, loss_names(M))
        self.converter: nn.ModuleList
        if options.fusion == "attention":
            self.encoder = nn.ModuleList(self.encoders())
            self.converter = nn.ModuleList(
                latent_converter(encoder, m, options.width)
                for encoder, m in zip(self.encoder, modalities, strict=True)
            )
        else:
            # Table 4: a vector encoder (its last linear map) instead of a latent converter.
            self.encoder = self.vector_encoders(options.vector)
            self.converter = nn.ModuleList(nn.Identity() for _ in modalities)
        self.fusion = self.make_fusion()
        self.head = ProjectionHead(
            options.width, options.hidden, options.embedding, batch_norm=options.head_norm
        )
        self.terms = terms_of(options.loss, M)
        self.all = tuple(range(M))
        self.alone = tuple((m,) for m in self.all if f"L_{m + 1}" in self.terms)
        """The modalities that a term L_i of the loss uses alone, as subsets."""

    def make_fusion(self) -> AttentionFusion | LinearFusion:
        """Make an untrained fusion, as the option `fusion` says."""
        options = self.options
        if options.fusion == "attention":
            partial = any(m.partial for m in self.modalities)
            return AttentionFusion(options.width, options.heads, options.masking, partial=partial)
        return LinearFusion([options.vector] * len(self.modalities), options.width)

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """Two views of each modality, followed by the plain items if L_i uses them."""
        made = self.augment_all(batch, generator, copies=2)
        if self.options.unimodal == "plain" and self.alone:
            clean = [m.defaults.clean for m in self.modalities]
            made += [self.augment(x, m, generator, clean[m]) for m, x in enumerate(batch)]
        return tuple(made)

    def codes_of(self, views: Tensors) -> Tensors:
        """The fused embeddings of all modalities, and of each modality that an L_i uses alone.

        Returns:
            One tensor [N, G, 2, D]; if L_i uses plain items, [N, 1, 2, D] and [N, G − 1, 1, D].
        """
        M = len(self.modalities)
        tokens = [self.encode(x, m) for m, x in enumerate(views[:M])]
        if len(views) == M:
            return (self.fuse(tokens, (self.all, *self.alone), view_count=2),)
        plain = [self.encode(x, m) for m, x in enumerate(views[M:])]
        return (
            self.fuse(tokens, (self.all,), view_count=2),
            self.fuse(plain, self.alone, view_count=1),
        )

    def loss_of(self, codes: Tensors) -> Loss:
        """The mean of the terms that the option `loss` names."""
        named = self.terms_between(self.embeddings(codes))
        return Loss(combine(named, self.terms), named)

    def embeddings(self, codes: Tensors, head: nn.Module | None = None) -> Tensor:
        """The embeddings of all codes, projected by a head: [G, 2, N, embedding]."""
        return torch.cat([self.project(one, head) for one in codes])

    def terms_between(self, z: Tensor, temperature: float | None = None) -> dict[str, Tensor]:
        """CoMM's terms of embeddings [G, 2, N, embedding] of all modalities and of each alone.

        Args:
            z: See `embeddings`.
            temperature: τ; the option's by default.
        """
        terms = comm_terms(
            (z[0, 0], z[0, 1]),
            [(one[0], one[1]) for one in z[1:]],
            self.options.temperature if temperature is None else temperature,
            self.options.negatives,
        )
        return {"L": terms["L"]} | {
            f"L_{m + 1}": terms[f"L_{index + 1}"] for index, (m,) in enumerate(self.alone)
        }

    def fuse(
        self, tokens: Sequence[Tensor], subsets: Sequence[Sequence[int]], view_count: int
    ) -> Tensor:
        """Fuse each subset of tokens [V · N, T, D]: [N, G, V, D]."""
        return by_view(self.fusion(tokens, subsets), view_count)

    def project(self, fused: Tensor, head: nn.Module | None = None) -> Tensor:
        """Project [N, G, V, D] to [G, 2, N, embedding]; a single view is used as both.

        The head (the method's own by default) normalizes each of the G · V batches by its own
        statistics.
        """
        N, G, V, D = fused.shape
        projected: Tensor = (head or self.head)(fused.permute(1, 2, 0, 3).reshape(G * V, N, D))
        return projected.view(G, V, N, -1).expand(-1, 2, -1, -1)

    def encode(self, items: Tensor, modality: int) -> Tensor:
        """Encode items of one modality to tokens [N, T, D], or to vectors for linear fusion.

        Absent tokens are NaN.
        """
        encoder, converter = self.encoder[modality], self.converter[modality]
        if self.options.fusion == "linear":
            vectors: Tensor = encoder(items)
            return vectors
        return encode_tokens(encoder, converter, self.modalities[modality], items)

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The fused embeddings before the head, unnormalized: [N, D] for each subset."""
        return list(self.fusion(codes, subsets))

    def embed(self, batch: Batch) -> Tensor:
        """The projected embedding of all modalities: [N, embedding]."""
        codes = [self.encode(x, m) for m, x in enumerate(batch)]
        projected: Tensor = self.head(self.fusion(codes, [self.all]))
        return projected[0]


def by_view(fused: Tensor, view_count: int) -> Tensor:
    """Separate the V views of fused embeddings: [G, V · N, D] to [N, G, V, D]."""
    views: Tensor = fused.unflatten(1, (view_count, -1))
    return views.permute(2, 0, 1, 3)
