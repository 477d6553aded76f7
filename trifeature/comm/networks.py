"""The modules of CoMM's network after the encoders: latent converters, fusion, projection head.

N samples, M modalities, T tokens, D fusion width, H heads, G subsets of modalities.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trifeature.comm.options import Masking
from trifeature.errors import InputError

# --------------------------------------------------------------------------- latent converters


def sine_cosine_positions(rows: int, columns: int, width: int) -> Tensor:
    """Fixed two-dimensional position codes [rows · columns, width] (Dosovitskiy et al. 2021).

    sin(ω_k · column), cos(ω_k · column), sin(ω_k · row), cos(ω_k · row), each for the width / 4
    frequencies ω_k = 10,000^(−4k / width).

    Raises:
        InputError: the width is not a multiple of four.
    """
    if width % 4:
        raise InputError(f"the fusion width must be a multiple of 4, not {width}")
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.cat([waves(index, width // 4) for index in (column, row)], dim=1).float()


def waves(places: Tensor, count: int) -> Tensor:
    """sin(ω_k · place), then cos(ω_k · place): float64 [number of places, 2 · count].

    ω_k = 10,000^(−k / count) are `count` frequencies.
    """
    frequencies = 10_000.0 ** -(torch.arange(count, dtype=torch.float64) / count)
    angles = places.reshape(-1, 1) * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class PatchEmbedding(nn.Module):
    """Latent converter for a CNN: maps [N, C, h, w] to tokens [N, h·w, D] with position codes."""

    positions: Tensor

    def __init__(self, channels: int, rows: int, columns: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels, width)
        positions = sine_cosine_positions(rows, columns, width)
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Project each position of the maps to a token and add its position code."""
        tokens: Tensor = self.project(maps.flatten(2).transpose(1, 2))
        return tokens + self.positions


class FeatureTokenizer(nn.Module):
    """Latent converter for a vector: [N, C] to tokens [N, C, D] (Gorishniy et al. 2021).

    Feature c becomes the token x_c · w_c + b_c.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(features, width).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(features, width).uniform_(-bound, bound))

    def forward(self, vector: Tensor) -> Tensor:
        """Tokens [N, C, D] of vectors [N, C]."""
        return vector[:, :, None] * self.weight + self.bias


# --------------------------------------------------------------------------- absent tokens


def split_absent(tokens: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Tokens with zeros in place of absent ones, which are NaN, and which are present.

    Args:
        tokens: For each modality float [N, T_m, D].

    Returns:
        For each modality float [N, T_m, D], and bool [N, T_m].
    """
    present = [~one[..., 0].isnan() for one in tokens]
    # The gradient at a token that `where` leaves out is zero, not NaN.
    known = [torch.where(p[..., None], x, 0) for x, p in zip(tokens, present, strict=True)]
    return known, present


def mean_token(tokens: Tensor) -> Tensor:
    """The mean of the present tokens [N, T, D] of each item: [N, D]; zero if none is present."""
    (known,), (present,) = split_absent([tokens])
    return known.sum(1) / present.sum(1, keepdim=True).clamp(min=1)


# --------------------------------------------------------------------------- fusion


class AttentionFusion(nn.Module):
    """One pre-LayerNorm Transformer block over [CLS] and the tokens of all modalities.

    Only the output at CLS is used, so only its row of the attention is computed. Two identities
    make it cheap; x_t are the normalized tokens, q_h, K_h, V_h the query, key and value of head h:

    - The query comes from CLS alone and is the same for every sample, so the scores
      q_h · (K_h x_t) = (K_hᵀ q_h) · x_t need one vector K_hᵀ q_h a head.
    - Σ_t a_t (V_h x_t) = V_h (Σ_t a_t x_t): tokens are averaged before they are projected.

    All subsets of modalities use the same scores. The result equals that of the whole block (tested
    against it) at a small part of its cost.

    There is no modality embedding and no dropout. The feed-forward part uses QuickGELU. Initial
    standard deviations are those of the authors' code: D^-½ for query, key and value, (2D)^-½ for
    the attention's output and both feed-forward layers.

    Args:
        width: D.
        heads: H, a divisor of D.
        masking: Treatment of absent modalities: `remove` drops their tokens (the authors' code),
            `learned` replaces each of them by a learned mask token (the paper's text).
        partial: Whether tokens may be absent from single samples: NaN, see `split_absent`.

    Raises:
        InputError: the heads do not divide the width.
    """

    def __init__(
        self, width: int, heads: int, masking: Masking = "remove", *, partial: bool = False
    ) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"{heads} heads do not divide a width of {width}")
        self.heads, self.partial = heads, partial
        self.cls = nn.Parameter(torch.randn(width))
        self.mask = nn.Parameter(torch.randn(width)) if masking == "learned" else None
        self.norm_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        # A bias of the keys would add the same number to every score; softmax is invariant to it.
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.norm_mlp = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)
        self.norm_final = nn.LayerNorm(width)
        self._initialize(width)

    def _initialize(self, width: int) -> None:
        for layer in (self.query, self.key, self.value):
            nn.init.normal_(layer.weight, std=width**-0.5)
        for layer in (self.out, self.contract, self.expand):
            nn.init.normal_(layer.weight, std=(2 * width) ** -0.5)
        for layer in (self.query, self.value, self.out):
            nn.init.zeros_(layer.bias)

    def forward(
        self,
        tokens: Sequence[Tensor],
        subsets: Sequence[Sequence[int]],
        present: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Fuse each subset of the modalities.

        Args:
            tokens: For each modality float [N, T_m, D].
            subsets: G lists of modalities; the others are absent.
            present: For each modality bool [N, T_m], False where a sample's token is absent; None
                for those that are NaN, if `partial`, else for none. A sample without tokens attends
                to CLS alone.

        Returns:
            float [G, N, D], the output at CLS after the final LayerNorm.
        """
        if self.partial:
            tokens, known = split_absent(tokens)
            present = (
                known if present is None else [a & b for a, b in zip(known, present, strict=True)]
            )
        counts = self._counts(tokens, subsets)
        if present is not None:
            counts = self._without_absent(counts, torch.cat(list(present), dim=1))
        return self._fuse(self._sequence(tokens), counts)

    def _fuse(self, sequence: Tensor, counts: Tensor) -> Tensor:
        """Fuse a sequence once for each row of counts.

        Args:
            sequence: See `_sequence`, [N, L, D].
            counts: Multiplicity of each token in each of G passes, [N or 1, G, L].

        Returns:
            [G, N, D].
        """
        weights = self._attention(sequence, counts.log())
        pooled = weights.flatten(1, 2) @ sequence
        return self._after_attention(pooled.unflatten(1, weights.shape[1:3]))

    def _sequence(self, tokens: Sequence[Tensor]) -> Tensor:
        """Normalized CLS token, mask token if there is one, and all tokens: [N, 1 (+1) + T, D]."""
        N = tokens[0].shape[0]
        extra: list[Tensor] = [self.cls] if self.mask is None else [self.cls, self.mask]
        head = torch.stack(extra).expand(N, -1, -1).to(tokens[0].dtype)
        normalized: Tensor = self.norm_attention(torch.cat([head, *tokens], dim=1))
        return normalized

    def _counts(self, tokens: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> Tensor:
        """Multiplicity of each token of the sequence in each subset: [1, G, 1 (+1) + T].

        n equal tokens get the same weight in softmax as one whose score is increased by log n, so
        one mask token represents all of them. The tensor is filled on the device: a copy from the
        host would wait for it and break a CUDA graph.
        """
        sizes = [t.shape[1] for t in tokens]
        rows = []
        for subset in subsets:
            absent = sum(size for m, size in enumerate(sizes) if m not in subset)
            head = [(1, 1.0)] if self.mask is None else [(1, 1.0), (1, float(absent))]
            body = [(size, float(m in subset)) for m, size in enumerate(sizes)]
            rows.append(torch.cat([self.cls.new_full((n,), count) for n, count in head + body]))
        return torch.stack(rows)[None]

    def _without_absent(self, counts: Tensor, present: Tensor) -> Tensor:
        """Set the counts of each sample's absent tokens to zero: [N, G, 1 (+1) + T].

        With a learned mask token, each absent token adds one to the count of the mask token.

        Args:
            counts: See `_counts`.
            present: bool [N, T], False for absent tokens.
        """
        head = 1 if self.mask is None else 2
        body = counts[..., head:] * present[:, None]
        if self.mask is None:
            return torch.cat([counts[..., :1].expand(*body.shape[:2], 1), body], dim=-1)
        hidden = (counts[..., head:] * ~present[:, None]).sum(-1, keepdim=True)
        cls = counts[..., :1].expand_as(hidden)
        return torch.cat([cls, counts[..., 1:2] + hidden, body], dim=-1)

    def _attention(self, sequence: Tensor, log_counts: Tensor) -> Tensor:
        """Attention weights of CLS: softmax_t((K_hᵀ q_h) · x_t / √(D/H) + log n_t).

        Args:
            sequence: Normalized tokens x_t, [N, L, D], L the length of the sequence.
            log_counts: log n_t, [N or 1, G, L].

        Returns:
            [N, G, H, L].
        """
        D = self.cls.shape[0]
        query = self.query(self.norm_attention(self.cls)).view(self.heads, -1)
        folded = torch.einsum("hk,hkd->hd", query, self.key.weight.view(self.heads, -1, D))
        scores = F.linear(sequence, folded * (D / self.heads) ** -0.5).transpose(1, 2)
        return (scores[:, None] + log_counts[:, :, None].to(scores.dtype)).softmax(-1)

    def _after_attention(self, pooled: Tensor) -> Tensor:
        """The rest of the block, from the pooled tokens [N, G, H, D] to its output [G, N, D].

        y = cls + out(V pooled), then y + contract(QuickGELU(expand(norm(y)))), then LayerNorm, with
        QuickGELU(h) = h · sigmoid(1.702 h).
        """
        N, G, H, D = pooled.shape
        values = torch.einsum("nghd,hkd->gnhk", pooled, self.value.weight.view(H, -1, D))
        attended = self.out(values.reshape(G, N, D) + self.value.bias)
        x = self.cls + attended
        hidden = self.expand(self.norm_mlp(x))
        x = x + self.contract(hidden * torch.sigmoid(1.702 * hidden))
        fused: Tensor = self.norm_final(x)
        return fused


class MaskedFusion(AttentionFusion):
    """Attention fusion with further passes in which single tokens are hidden (InfMasking).

    Hidden tokens are replaced, positions included, by one learned mask token. Its initial values
    are those of the authors' code of InfMasking: a normal distribution of standard deviation 0.02,
    truncated at ±0.02.

    All hidden tokens of a pass are equal, so they are one token of the sequence with their number
    as its count. Thus all passes use the same sequence and the same scores, and no pass has a
    sequence of its own.

    Args:
        width: D.
        heads: H, a divisor of D.
        masking: Treatment of absent modalities, see `AttentionFusion`; `learned` replaces their
            tokens by the same mask token.

    Raises:
        InputError: the heads do not divide the width.
    """

    mask: nn.Parameter

    def __init__(self, width: int, heads: int, masking: Masking = "remove") -> None:
        super().__init__(width, heads, "learned")
        self.masking = masking
        nn.init.trunc_normal_(self.mask, std=0.02, a=-0.02, b=0.02)

    def with_hidden(
        self,
        tokens: Sequence[Tensor],
        subsets: Sequence[Sequence[int]],
        visible: Sequence[Tensor],
    ) -> Tensor:
        """Fuse all modalities K times with tokens hidden, then each subset of the modalities.

        Args:
            tokens: For each modality float [N, T_m, D].
            subsets: G lists of modalities; the others are absent.
            visible: For each modality bool [N, K, T_m], False where a token is hidden in a pass.

        Returns:
            float [K + G, N, D], the output at CLS after the final LayerNorm.
        """
        shown = torch.cat([x.to(self.cls.dtype) for x in visible], dim=2)
        hidden = shown.shape[2] - shown.sum(-1, keepdim=True)
        masked = torch.cat([torch.ones_like(hidden), hidden, shown], dim=-1)
        counts = self._counts(tokens, subsets).expand(len(masked), -1, -1)
        return self._fuse(self._sequence(tokens), torch.cat([masked, counts], dim=1))

    def _counts(self, tokens: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> Tensor:
        counts = super()._counts(tokens, subsets)
        if self.masking == "remove":
            counts[..., 1] = 0.0
        return counts


class LinearFusion(nn.Module):
    """The linear fusion of Table 4: one linear map for each modality, and one for all together.

    Args:
        inputs: Length of each modality's vector.
        width: D.
    """

    def __init__(self, inputs: Sequence[int], width: int) -> None:
        super().__init__()
        self.single = nn.ModuleList(nn.Linear(size, width) for size in inputs)
        self.joint = nn.Linear(sum(inputs), width)

    def forward(self, vectors: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> Tensor:
        """Project each subset: a single modality by its own map, all by the joint map.

        Args:
            vectors: For each modality float [N, F_m].
            subsets: G lists, each of one modality or of all.

        Returns:
            float [G, N, D].

        Raises:
            InputError: a subset is neither one modality nor all.
        """
        fused = []
        for subset in subsets:
            if len(subset) == len(vectors):
                fused.append(self.joint(torch.cat(list(vectors), dim=1)))
            elif len(subset) == 1:
                fused.append(self.single[subset[0]](vectors[subset[0]]))
            else:
                raise InputError(
                    "linear fusion has maps for one modality and for all, not for others"
                )
        return torch.stack(fused)


# --------------------------------------------------------------------------- projection head


class CallwiseBatchNorm(nn.BatchNorm1d):
    """BatchNorm of G batches [G, N, D] with separate statistics for each.

    The authors' code calls its head once for each of six embeddings, so each is normalized over its
    own N samples. This module computes the G calls at once. The running statistics, used in
    evaluation, are averages over the calls.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each of the G batches by its own statistics: [G, N, D]."""
        G, N, D = x.shape
        if not self.training:
            return super().forward(x.reshape(G * N, D)).view(G, N, D)
        flat = x.transpose(0, 1).reshape(N, G * D)
        # A momentum of 1 makes these the statistics of the batches themselves.
        mean, variance = torch.zeros(2, G * D, dtype=self.weight.dtype, device=x.device)
        out = F.batch_norm(
            flat,
            mean,
            variance,
            self.weight.repeat(G),
            self.bias.repeat(G),
            training=True,
            momentum=1.0,
            eps=self.eps,
        )
        self._update_running(mean.view(G, D).mean(0), variance.view(G, D).mean(0))
        return out.view(N, G, D).transpose(0, 1)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        momentum = 0.1
        assert self.running_mean is not None  # noqa: S101 - it is set unless tracking is off
        assert self.running_var is not None  # noqa: S101
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


class ProjectionHead(nn.Module):
    """Projection head: MLP D → hidden → hidden → out, BatchNorm and ReLU after the first two.

    Args:
        width: D.
        hidden: Width of both hidden layers.
        out: Length of the embeddings that the loss compares.
        batch_norm: BatchNorm before each ReLU (the authors' code), or none (the paper's text).
    """

    def __init__(self, width: int, hidden: int, out: int, *, batch_norm: bool = True) -> None:
        super().__init__()
        sizes = (width, hidden, hidden)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            norm = CallwiseBatchNorm(after) if batch_norm else nn.Identity()
            layers += [nn.Linear(before, after), norm, nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden, out))

    def forward(self, z: Tensor) -> Tensor:
        """Embeddings [G, N, D] to [G, N, out]."""
        projected: Tensor = self.layers(z)
        return projected


def decayed(name: str, parameter: Tensor) -> bool:
    """True if weight decay applies to a parameter: to matrices and to CLS.

    The authors' code exempts every bias and every parameter of fewer than two dimensions; their CLS
    token has three.
    """
    matrix = parameter.ndim >= 2 and not name.endswith("bias")
    return matrix or name.endswith("fusion.cls")


def count_parameters(module: nn.Module) -> int:
    """Number of trainable parameters of a module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
