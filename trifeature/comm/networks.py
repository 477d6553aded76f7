"""The parts of CoMM's network beside the encoders: latent converters, fusion, projection head.

N samples, M modalities, T tokens, D fusion width, H heads, G subsets of modalities.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trifeature.comm.settings import Masking
from trifeature.errors import InputError

# --------------------------------------------------------------------------- latent converters


def sine_cosine_positions(rows: int, columns: int, width: int) -> Tensor:
    """Fixed two-dimensional positions [rows · columns, width] (Dosovitskiy et al. 2021).

    A quarter of the width each for sine and cosine of the column and of the row, at width / 4
    frequencies that fall from 1 towards 1/10,000.

    Raises:
        InputError: the width is not a multiple of four.
    """
    if width % 4:
        raise InputError(f"the fusion width must be a multiple of 4, not {width}")
    quarter = width // 4
    frequencies = 10_000.0 ** -(torch.arange(quarter, dtype=torch.float64) / quarter)
    row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [place.reshape(-1, 1) * frequencies for place in (column, row)]
    return torch.cat([wave for a in angles for wave in (a.sin(), a.cos())], dim=1).float()


class PatchEmbedding(nn.Module):
    """Latent converter for a CNN: maps [N, C, h, w] to tokens [N, h·w, D] with fixed positions."""

    positions: Tensor

    def __init__(self, channels: int, rows: int, columns: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels, width)
        positions = sine_cosine_positions(rows, columns, width)
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """A 1 × 1 convolution of the maps, its pixels as tokens."""
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
        """One token for each feature."""
        return vector[:, :, None] * self.weight + self.bias


# --------------------------------------------------------------------------- fusion


class AttentionFusion(nn.Module):
    """One pre-LayerNorm Transformer block over [CLS] and the tokens of all modalities.

    Only CLS is read, so only its row of the attention is computed, and every subset of the
    modalities shares the work: the query is the same for every sample, so the key weights fold
    into one vector a head, and the values are projected after the tokens have been averaged.
    This is the same function as the whole block (tested against it) for a small part of its cost.

    No modality embedding, no dropout; QuickGELU in the feed-forward part; initial deviations as
    in the authors' code: D^-½ for the attention's input, (2D)^-½ for its output and for both
    layers of the feed-forward part.

    Args:
        width: D.
        heads: H, a divisor of D.
        masking: How a modality is left out: `remove` its tokens (the authors' code), or put a
            `learned` mask token in place of each (the paper's text).

    Raises:
        InputError: the heads do not divide the width.
    """

    def __init__(self, width: int, heads: int, masking: Masking = "remove") -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.cls = nn.Parameter(torch.randn(width))
        self.mask = nn.Parameter(torch.randn(width)) if masking == "learned" else None
        self.norm_attention = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        # A bias of the keys adds the same to every token's score, which softmax ignores.
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
            subsets: G lists of modalities to look at.
            present: For each modality bool [N, T_m], False where a sample's token is left out; all
                are present when None. A sample without any token attends to CLS alone.

        Returns:
            float [G, N, D], the CLS row after the block and the final LayerNorm.
        """
        sequence = self._sequence(tokens)
        counts = self._counts(tokens, subsets)
        if present is not None:
            counts = self._without_absent(counts, torch.cat(list(present), dim=1))
        weights = self._attention(sequence, counts.log())
        pooled = weights.flatten(1, 2) @ sequence
        return self._after_attention(pooled.unflatten(1, weights.shape[1:3]))

    def _sequence(self, tokens: Sequence[Tensor]) -> Tensor:
        """Normalized CLS, the mask token if there is one, and all tokens: [N, 1 (+1) + T, D]."""
        N = tokens[0].shape[0]
        extra: list[Tensor] = [self.cls] if self.mask is None else [self.cls, self.mask]
        head = torch.stack(extra).expand(N, -1, -1).to(tokens[0].dtype)
        normalized: Tensor = self.norm_attention(torch.cat([head, *tokens], dim=1))
        return normalized

    def _counts(self, tokens: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> Tensor:
        """How often each place of the sequence occurs in each subset: [1, G, 1 (+1) + T].

        Equal tokens attend alike, so n mask tokens are one whose score is raised by log n. Filled
        in place: a copy from the host would have to wait for it and break a CUDA graph.
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
        """Counts [N, G, places] in which the absent tokens [N, T] of each sample count zero.

        With a learned mask token each absent token adds one to the mask token's count instead.
        """
        head = 1 if self.mask is None else 2
        body = counts[..., head:] * present[:, None]
        if self.mask is None:
            return torch.cat([counts[..., :1].expand(*body.shape[:2], 1), body], dim=-1)
        hidden = (counts[..., head:] * ~present[:, None]).sum(-1, keepdim=True)
        cls = counts[..., :1].expand_as(hidden)
        return torch.cat([cls, counts[..., 1:2] + hidden, body], dim=-1)

    def _attention(self, sequence: Tensor, log_counts: Tensor) -> Tensor:
        """Weights of CLS's attention [N, G, H, places], by log counts [N or 1, G, places]."""
        D = self.cls.shape[0]
        query = self.query(self.norm_attention(self.cls)).view(self.heads, -1)
        folded = torch.einsum("hk,hkd->hd", query, self.key.weight.view(self.heads, -1, D))
        scores = F.linear(sequence, folded * (D / self.heads) ** -0.5).transpose(1, 2)
        return (scores[:, None] + log_counts[:, :, None].to(scores.dtype)).softmax(-1)

    def _after_attention(self, pooled: Tensor) -> Tensor:
        """Project the pooled tokens [N, G, H, D], add the residuals, feed forward: [G, N, D]."""
        N, G, H, D = pooled.shape
        values = torch.einsum("nghd,hkd->gnhk", pooled, self.value.weight.view(H, -1, D))
        attended = self.out(values.reshape(G, N, D) + self.value.bias)
        x = self.cls + attended
        hidden = self.expand(self.norm_mlp(x))
        x = x + self.contract(hidden * torch.sigmoid(1.702 * hidden))
        fused: Tensor = self.norm_final(x)
        return fused


class LinearFusion(nn.Module):
    """The shallow fusion of Table 4: one linear map a modality, one for all of them together.

    Args:
        inputs: Length of each modality's feature vector.
        width: D.
    """

    def __init__(self, inputs: Sequence[int], width: int) -> None:
        super().__init__()
        self.single = nn.ModuleList(nn.Linear(size, width) for size in inputs)
        self.joint = nn.Linear(sum(inputs), width)

    def forward(self, vectors: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> Tensor:
        """Project each subset: a single modality by its own map, all of them by the joint one.

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
                raise InputError("linear fusion has a map for one modality and for all, no other")
        return torch.stack(fused)


# --------------------------------------------------------------------------- projection head


class CallwiseBatchNorm(nn.BatchNorm1d):
    """BatchNorm over [G, N, D] with statistics of its own for each of the G calls.

    The authors' head is called once for each of six embeddings; normalizing each over its N rows
    alone is part of the published model. This does the G calls at once. The running statistics,
    used in evaluation, are the average over the calls.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each of the G batches."""
        G, N, D = x.shape
        if not self.training:
            return super().forward(x.reshape(G * N, D)).view(G, N, D)
        flat = x.transpose(0, 1).reshape(N, G * D)
        # With a momentum of 1 these come back as the statistics of each call.
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
        self._track(mean.view(G, D).mean(0), variance.view(G, D).mean(0))
        return out.view(N, G, D).transpose(0, 1)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        momentum = 0.1
        assert self.running_mean is not None  # noqa: S101 - it is unless tracking is off
        assert self.running_var is not None  # noqa: S101
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)


class ProjectionHead(nn.Module):
    """The critic's MLP: D → hidden → hidden → out, normalized and rectified after the first two.

    Args:
        width: D.
        hidden: Width of both hidden layers.
        out: Length of the embeddings compared.
        batch_norm: BatchNorm before each ReLU (the authors' code) or none (the paper's text).
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
    """Whether weight decay applies: to matrices and to CLS, not to biases and normalization.

    As in the authors' code, where every bias and every parameter of fewer than two dimensions is
    spared; their CLS token has three.
    """
    matrix = parameter.ndim >= 2 and not name.endswith("bias")
    return matrix or name.endswith("fusion.cls")


def count_parameters(module: nn.Module) -> int:
    """How many numbers a module learns."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
