"""COrAL: a fused path and one path for each modality alone, made orthogonal to one another.

Cissee, Younis & Ahmadi, "Orthogonalized multimodal contrastive learning with asymmetric masking for
structured representations", arXiv:2602.14983, 2026, and the code published with it, whose run on
Trifeature is the default: all weights are 1 there, 10 for the orthogonality on MultiBench.

The shared path is CoMM's network, fused from all modalities only. In training a share of its tokens
is dropped, those of one modality in the first view and those of the other in the second: to align
the views, the network must infer from each modality what is missing of the other. Dropped tokens
are zero vectors, positions included, and stay in the sequence; after the LayerNorm each equals its
bias. Each token is dropped independently, so their number varies. Every modality also has a unique
path, which sees all of its tokens.

The method is published for two modalities. For more we drop the first, third, … in the first view
and the second, fourth, … in the second, and penalize every pair of unique embeddings.

The published accuracies are of a probe that was fitted on test pairs too; ours is not.

N samples, M modalities, T tokens, D width, U = D / 2 width of the unique embeddings, E length of
the heads' output, V = 2 views.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trifeature.comm.encoders import latent_converter, token_count
from trifeature.comm.losses import info_nce
from trifeature.comm.methods.base import Loss, Method, Tensors
from trifeature.comm.methods.dropping import asymmetric_presence
from trifeature.comm.networks import AttentionFusion, ProjectionHead
from trifeature.comm.options import COrALOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch


def orthogonality(embeddings: Sequence[Tensor]) -> Tensor:
    """Penalty on the angles between embeddings of the same sample: Σ_{i<j} mean_b cos²(z_ib, z_jb).

    Args:
        embeddings: At least two tensors [..., N, E].

    Returns:
        float [...], from 0 where all are orthogonal to the number of pairs where all are parallel.

    >>> x, y = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    >>> float(orthogonality([x, y, -x]))
    1.0
    """
    with torch.autocast(embeddings[0].device.type, enabled=False):
        full = torch.promote_types(embeddings[0].dtype, torch.float32)
        unit = [F.normalize(z.to(full), dim=-1) for z in embeddings]
        pairs = [(a * b).sum(-1).square().mean(-1) for a, b in combinations(unit, 2)]
        return torch.stack(pairs).sum(0)


def coral_terms(
    shared: Tensor, unique: Sequence[Tensor], temperature: float = 0.1
) -> dict[str, Tensor]:
    """The terms of COrAL's loss; the loss is their sum, with `orthogonality` weighted.

    `shared` = NTX(z′, z″) and `unique_i` = NTX(u_i′, u_i″) align the two views of each embedding;
    `orthogonality` is the sum of `orthogonality` over both views, between the fused and all unique
    embeddings.

    Args:
        shared: z, float [2, N, E], the fused embeddings of both views.
        unique: For each modality u_i, float [2, N, E].
        temperature: τ > 0.

    Returns:
        `shared`, `unique_1`, … `unique_M` in nats, and `orthogonality`; each a scalar.
    """
    aligned = info_nce(
        torch.stack([z[0] for z in (shared, *unique)]),
        torch.stack([z[1] for z in (shared, *unique)]),
        temperature,
    )
    names = ["shared", *(f"unique_{m + 1}" for m in range(len(unique)))]
    terms = dict(zip(names, aligned.unbind(), strict=True))
    return terms | {"orthogonality": orthogonality([*unique, shared]).sum()}


class UniquePath(nn.Module):
    """The path of one modality alone: items to unique embeddings [N, U].

    Encoder and latent converter give tokens x_t; with h_t = GELU(LayerNorm(W x_t + b)) and
    y_t = A h_t + c, the embedding is Σ_t a_t y_t with the weights a = softmax_t(w·y_t) of a learned
    vector w. Tokens are pooled before the map to y, which gives the same at less cost:
    w·y_t = (Aᵀ w)·h_t + w·c, where the constant does not change the softmax, and
    Σ_t a_t y_t = A (Σ_t a_t h_t) + c.

    Args:
        encoder: Items to maps, tokens or vectors; its weights are used, so pass a copy.
        converter: The encoder's output to tokens [N, T, D], likewise.
        width: D.
        out: U.
    """

    def __init__(self, encoder: nn.Module, converter: nn.Module, width: int, out: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.converter = converter
        self.expand = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.GELU())
        self.reduce = nn.Linear(width, out)
        self.query = nn.Parameter(torch.randn(out))

    def forward(self, items: Tensor) -> Tensor:
        """Unique embeddings [N, U] of items [N, *shape]."""
        return self.pool(self.converter(self.encoder(items)))

    def pool(self, tokens: Tensor) -> Tensor:
        """Unique embeddings [N, U] of tokens [N, T, D]."""
        hidden = self.expand(tokens)
        scores = F.linear(hidden, (self.query @ self.reduce.weight)[None])  # [N, T, 1]
        pooled = scores.softmax(1).transpose(1, 2) @ hidden
        unique: Tensor = self.reduce(pooled[:, 0])
        return unique


class COrAL(Method):
    """COrAL: CoMM's network on all modalities and a unique path for each of them.

    A unique path starts from the same weights of encoder and latent converter as the shared path,
    and all heads of the unique paths start from the same weights, as in the authors' code.
    """

    takes_absent = False

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options = settings.options
        assert isinstance(options, COrALOptions)  # noqa: S101 - RunSettings has checked it
        if len(modalities) < 2:
            raise InputError("coral needs at least two modalities")
        self.options = options
        self.encoder = nn.ModuleList(self.encoders())
        self.converter = nn.ModuleList(
            latent_converter(encoder, m, options.width)
            for encoder, m in zip(self.encoder, modalities, strict=True)
        )
        self.fusion = AttentionFusion(options.width, options.heads)
        self.head = self._head(options.width)
        self.unique_width = max(options.width // 2, 1)
        self.unique = nn.ModuleList(
            UniquePath(deepcopy(encoder), deepcopy(converter), options.width, self.unique_width)
            for encoder, converter in zip(self.encoder, self.converter, strict=True)
        )
        first = self._head(self.unique_width)
        self.unique_head = nn.ModuleList([first, *(deepcopy(first) for _ in modalities[1:])])
        self.tokens = tuple(
            token_count(encoder, m) for encoder, m in zip(self.encoder, modalities, strict=True)
        )
        """T, the number of tokens of each modality."""
        self.all = tuple(range(len(modalities)))

    def _head(self, width: int) -> ProjectionHead:
        options = self.options
        return ProjectionHead(
            width, options.hidden, options.embedding, batch_norm=options.head_norm
        )

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """Two views of each modality, then a uniform number for each of its tokens: [N, T]."""
        made = self.augment_all(batch, generator, copies=2)
        numbers = [self.uniform(len(batch[0]), (T,), generator) for T in self.tokens]
        return (*made, *numbers)

    def codes_of(self, views: Tensors) -> Tensors:
        """The fused embeddings [N, 2, D] and the unique ones [N, 2, U] of each modality."""
        M = len(self.modalities)
        made = views[:M]
        present = asymmetric_presence(views[M:], self.options.drop_probability)
        tokens = [
            self.shared_tokens(x, m) * kept[..., None]
            for m, (x, kept) in enumerate(zip(made, present, strict=True))
        ]
        unique = [path(x) for path, x in zip(self.unique, made, strict=True)]
        every = (self.fusion(tokens, [self.all])[0], *unique)
        return tuple(both.unflatten(0, (2, -1)).transpose(0, 1) for both in every)

    def loss_of(self, codes: Tensors) -> Loss:
        """The sum of the terms, with the orthogonality weighted."""
        shared, *unique = (z.transpose(0, 1) for z in codes)
        terms = coral_terms(
            self.head(shared),
            [head(u) for head, u in zip(self.unique_head, unique, strict=True)],
            self.options.temperature,
        )
        weighted = terms | {
            "orthogonality": self.options.orthogonality_weight * terms["orthogonality"]
        }
        return Loss(torch.stack(list(weighted.values())).sum(), terms)

    def shared_tokens(self, items: Tensor, modality: int) -> Tensor:
        """Tokens [N, T, D] of one modality's items on the shared path."""
        tokens: Tensor = self.converter[modality](self.encoder[modality](items))
        return tokens

    def encode(self, items: Tensor, modality: int) -> Tensor:
        """All tokens of the shared path and the unique embedding, in one vector: [N, T · D + U]."""
        shared, unique = self.shared_tokens(items, modality), self.unique[modality](items)
        return torch.cat([shared.flatten(1), unique], dim=1)

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """Fused and unique embeddings of each subset before the heads: [N, D + U · modalities]."""
        U, D = self.unique_width, self.options.width
        tokens = [code[:, :-U].unflatten(1, (-1, D)) for code in codes]
        unique = [code[:, -U:] for code in codes]
        fused = self.fusion(tokens, subsets)
        return [
            torch.cat([z, *(unique[m] for m in subset)], dim=1)
            for z, subset in zip(fused, subsets, strict=True)
        ]

    def embed(self, batch: Batch) -> Tensor:
        """The projected fused embedding of all modalities: [N, E]."""
        tokens = [self.shared_tokens(x, m) for m, x in enumerate(batch)]
        projected: Tensor = self.head(self.fusion(tokens, [self.all]))
        return projected[0]
