"""Encoders of series and of tokens: Transformers, GRUs, convolutions, embeddings.

An item is a row of steps. Absent steps are NaN, stand at its end, and are never read: the output at
a present step depends neither on the other items of the batch nor on the length that a table is
padded to. Every encoder tells by `present` which of its tokens belong to present steps; the others
are finite and mean nothing.

Weights start as PyTorch's layers do. The published code calls Kaiming's initialization for its
robot encoders, but that touches two-dimensional convolutions alone, and they have none.

Published here stands for the code of Dufumier et al. (2025) on MultiBench; Liang et al. (2023)
wrote FactorCL.

N items, T steps, F features of a step, V tokens of a vocabulary, C channels.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trifeature.comm.networks import waves
from trifeature.errors import InputError
from trifeature.modality import Modality


def sine_positions(length: int, width: int) -> Tensor:
    """Fixed one-dimensional position codes [length, width] (Vaswani et al. 2017).

    sin(ω_k · t), then cos(ω_k · t), each for the width / 2 frequencies ω_k = 10,000^(−2k / width).

    Raises:
        InputError: the width is odd.
    """
    if width % 2:
        raise InputError(f"the width of position codes must be even, not {width}")
    return waves(torch.arange(length), width // 2).float()


class StepEncoder(nn.Module):
    """Base of the encoders of this file: items [N, T, F] or [N, T] to tokens, one for each step.

    Args:
        modality: The modality whose items it encodes. Only if that is partial does anything look
            for absent steps.
    """

    def __init__(self, modality: Modality) -> None:
        super().__init__()
        self.modality = modality

    def present(self, items: Tensor) -> Tensor:
        """Which tokens of the output stand for present steps: bool [N, T]."""
        return self.modality.present(items)

    def filled(self, items: Tensor) -> Tensor:
        """The items with zeros for absent steps."""
        return items.masked_fill(items.isnan(), 0.0) if self.modality.partial else items


class Frozen(StepEncoder):
    """No encoder: features that another model made earlier, from a file, are the tokens.

    A series [N, T, F] is T tokens, a vector [N, F] is one.
    """

    def forward(self, items: Tensor) -> Tensor:
        """Tokens [N, T, F] or [N, 1, F], zeros for absent ones."""
        tokens = self.filled(items)
        return tokens if tokens.ndim == 3 else tokens[:, None]


# --------------------------------------------------------------------------- Transformers


class Transformer(StepEncoder):
    """The published Transformer of video, audio and text: [N, T, F] to tokens [N, T, 40].

    A 1 × 1 convolution without bias, then five layers of five heads, a feed-forward part of 2,048
    and dropout 0.1; no position codes and no final LayerNorm. PyTorch copies one layer five times,
    so that all start equal, as published.

    The published code has no padding mask: absent steps are zeros that attend and are attended to,
    and an embedding depends on the length of the batch. `masked` says whether they are hidden.

    Args:
        modality: A series.
        masked: Whether absent steps are hidden; if not, all tokens of an item with any step count
            as present.
        norm_first: LayerNorm before each part (CoMM) or after it (FactorCL).
    """

    width = 40

    def __init__(self, modality: Modality, *, masked: bool = True, norm_first: bool = True) -> None:
        super().__init__(modality)
        self.masked = masked
        self.project = nn.Conv1d(modality.shape[1], self.width, kernel_size=1, bias=False)
        layer = nn.TransformerEncoderLayer(
            self.width, nhead=5, batch_first=True, norm_first=norm_first
        )
        self.layers = nn.TransformerEncoder(layer, num_layers=5, enable_nested_tensor=False)

    def forward(self, items: Tensor) -> Tensor:
        """Tokens [N, T, 40]."""
        x = self.project(self.filled(items).transpose(1, 2)).transpose(1, 2)
        tokens: Tensor = self.layers(x, src_key_padding_mask=self._hidden(items))
        return tokens

    def present(self, items: Tensor) -> Tensor:
        """Which tokens stand for present steps: bool [N, T]."""
        known = super().present(items)
        return known if self.masked else known.any(1, keepdim=True).expand_as(known)

    def _hidden(self, items: Tensor) -> Tensor | None:
        """The steps that nothing attends to; of an absent item none, to keep softmax finite."""
        if not (self.masked and self.modality.partial):
            return None
        absent = ~super().present(items)
        return absent & ~absent.all(1, keepdim=True)


class LastStepTransformer(Transformer):
    """FactorCL's Transformer: post-norm, and its last present step as a vector [N, 40].

    FactorCL's own code takes the last step of the padded batch, which for all but the longest item
    is padding.
    """

    def __init__(self, modality: Modality) -> None:
        super().__init__(modality, norm_first=False)

    def forward(self, items: Tensor) -> Tensor:
        """Vectors [N, 40]."""
        tokens = super().forward(items)
        if not self.modality.partial:
            return tokens[:, -1]
        last = (self.present(items).sum(1) - 1).clamp(min=0)
        return tokens.gather(1, last[:, None, None].expand(-1, 1, self.width))[:, 0]


# --------------------------------------------------------------------------- recurrence


class Recurrent(StepEncoder):
    """One GRU layer, all its outputs: [N, T, F] to tokens [N, T, hidden].

    A step is read after those before it, so absent steps at the end change no present one.

    Args:
        modality: A series.
        hidden: Width of the outputs; 512 is published, for the series of MIMIC.
    """

    def __init__(self, modality: Modality, hidden: int = 512) -> None:
        super().__init__(modality)
        self.recurrence = nn.GRU(modality.shape[1], hidden, batch_first=True)

    def forward(self, items: Tensor) -> Tensor:
        """Tokens [N, T, hidden]."""
        tokens: Tensor = self.recurrence(self.filled(items))[0]
        return tokens


# --------------------------------------------------------------------------- convolutions


class Force(StepEncoder):
    """Five strided convolutions: 32 readings of a force sensor [N, 32, F] to a vector [N, out].

    Kernel 2, stride 2, LeakyReLU 0.1 after each; 16, 32, 64, 128 and `out` channels (Lee et al.
    2019, MultiBench, Vision&Touch). The published convolutions are causal: one zero is put in front
    and the last output is cut. With a stride of 2, output i then reads steps 2i − 1 and 2i. The one
    output of the fifth reads step 0 of the fourth, and so on down: **the published encoder sees the
    first of the 32 readings and no other**. `whole` puts no zero in front, so that output i reads
    steps 2i and 2i + 1, and the vector all 32 readings, with the same weights.

    Args:
        modality: A series of 32 steps.
        out: Length of the vector; published are 128 (regression) and 512 (contact).
        whole: Whether all readings are seen.

    Raises:
        InputError: the series has not 32 steps.
    """

    def __init__(self, modality: Modality, out: int = 128, *, whole: bool = False) -> None:
        super().__init__(modality)
        T, features = modality.shape
        if T != 32:
            raise InputError(
                f"the force encoders read series of 32 steps, but modality {modality.name!r} has "
                f"{T}: cut it, or choose conv1d"
            )
        self.front = 0 if whole else 1
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=2, stride=2)
            for before, after in pairwise((features, 16, 32, 64, 128, out))
        )

    def forward(self, items: Tensor) -> Tensor:
        """Vectors [N, out]."""
        x = self.filled(items).transpose(1, 2)
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(F.pad(x, (self.front, 0))), 0.1)
        return x[..., 0]


class Convolutions(StepEncoder):
    """Three strided convolutions, fast on a CPU: [N, T, F] to tokens [N, ⌈T / 8⌉, 64].

    Kernel 5, stride 2, ReLU after each; the last has LayerNorm over its channels, the costliest
    part of the others. Output i of a layer is centered at its input 2i and is present if that is.
    Absent outputs are set to zero after each layer, as if the item ended where its steps do. Fixed
    position codes are added, as `PatchEmbedding` adds them to maps: a token reads 29 steps and
    would not know where.

    Args:
        modality: A series of any length.
    """

    width = 64
    positions: Tensor

    def __init__(self, modality: Modality) -> None:
        super().__init__(modality)
        T, features = modality.shape
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size=5, stride=2, padding=2)
            for before, after in pairwise((features, *[self.width] * 3))
        )
        self.norm = nn.LayerNorm(self.width)
        positions = sine_positions(-(-T // 8), self.width)
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, items: Tensor) -> Tensor:
        """Tokens [N, ⌈T / 8⌉, 64]."""
        present = super().present(items)[:, None] if self.modality.partial else None
        x = self.filled(items).transpose(1, 2)
        for convolution in self.convolutions[:-1]:
            x = convolution(x).relu()
            if present is not None:
                present = present[..., ::2]
                x = x.masked_fill(~present, 0.0)
        x = self.convolutions[-1](x).transpose(1, 2)
        tokens: Tensor = self.norm(x).relu() + self.positions
        return tokens

    def present(self, items: Tensor) -> Tensor:
        """Which tokens have a present center: bool [N, ⌈T / 8⌉]."""
        return super().present(items)[:, ::8]


# --------------------------------------------------------------------------- tokens


class Embedding(StepEncoder):
    """A learned vector for each token of a vocabulary, and its position: [N, T] to [N, T, 64].

    The table has one row more than the vocabulary: its last is for tokens that an augmentation
    hides (`trifeature.views.tokens`), whose identifier is negative. Position codes are fixed.

    Args:
        modality: Tokens.
    """

    width = 64
    positions: Tensor

    def __init__(self, modality: Modality) -> None:
        super().__init__(modality)
        self.vocabulary = modality.vocabulary or 0
        self.table = nn.Embedding(self.vocabulary + 1, self.width)
        positions = sine_positions(modality.shape[0], self.width)
        self.register_buffer("positions", positions, persistent=False)

    def forward(self, items: Tensor) -> Tensor:
        """Tokens [N, T, 64]."""
        ids = self.filled(items).long()
        rows = ids.where(ids >= 0, self.vocabulary)
        tokens: Tensor = self.table(rows) + self.positions
        return tokens


class Bag(StepEncoder):
    """One token, the mean of the learned vectors of an item's tokens: [N, T] to [N, 1, 64].

    Their order does not count, and hidden tokens are left out; of no tokens the mean is zero.

    Args:
        modality: Tokens.
    """

    width = 64

    def __init__(self, modality: Modality) -> None:
        super().__init__(modality)
        self.table = nn.Embedding(modality.vocabulary or 0, self.width)

    def forward(self, items: Tensor) -> Tensor:
        """One token [N, 1, 64]."""
        shown = items >= 0  # False for NaN too
        vectors = self.table(items.where(shown, 0.0).long())
        weights = shown / shown.sum(1, keepdim=True).clamp(min=1)
        token: Tensor = weights.to(vectors.dtype)[:, None] @ vectors
        return token

    def present(self, items: Tensor) -> Tensor:
        """Which items have any token: bool [N, 1]."""
        return super().present(items).any(1, keepdim=True)
