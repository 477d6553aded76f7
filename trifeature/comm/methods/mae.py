"""Masked autoencoding: the hidden patches of all modalities are predicted from one fused vector.

He, Chen, Xie, Li, Dollár & Girshick, "Masked autoencoders are scalable vision learners", CVPR 2022;
of several modalities Bachmann, Mizrahi, Atanov & Zamir, "MultiMAE: multi-modal multi-task masked
autoencoders", ECCV 2022, and Geng, Liu, Lee, Schuurmans, Levine & Abbeel, "Multimodal masked
autoencoders learn transferable representations", 2022. Here it is a rival of CoMM with the same
encoders, latent converters and fusion, so it departs from them in these points:

- *One vector.* Their decoders see all encoded tokens. Ours sees the fused CLS vector alone: it is
  what the probe reads, and nothing would make a CLS beside the tokens hold what they hold.
- *Zeros, not absence.* Their encoders are Transformers over the visible patches. A CNN needs the
  whole grid, so hidden pixels are set to zero, the mean of normalized pixels, before the encoder (a
  token removed behind a CNN would have been seen by its neighbours). BatchNorm in an encoder
  therefore learns statistics of masked items, while the probe reads whole ones.
- *The decoder* is an MLP. It predicts a patch of more than 64 numbers as a linear map, common to a
  modality's patches, of 64 numbers, which keeps it small.
- *The modalities* are masked independently, each at the same rate (MultiMAE draws the rates), and
  their losses have the same weight.

Items are augmented by the light views, a crop, as in He et al. The target is what was hidden of
this view. The loss is a mean squared error, not in nats.

N samples, M modalities, P patches of a modality, p numbers in a patch, D fusion width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from trifeature.comm.encoders import latent_converter
from trifeature.comm.methods.base import Loss, Method, Tensors
from trifeature.comm.networks import AttentionFusion
from trifeature.comm.options import MAEOptions
from trifeature.comm.settings import RunSettings
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.samples import Batch

PATCH_CODE: Final = 64
"""Most numbers from which the pixels of a patch are made."""

VARIANCE_FLOOR: Final = 1e-6
"""Added to a patch's variance (He et al.)."""


# --------------------------------------------------------------------------- patches and loss


def patches_of(items: Tensor, side: int) -> Tensor:
    """The patches of items: [N, P, p].

    Args:
        items: Images [N, C, H, W], cut into side × side patches of C · H · W / side² numbers. Of
            other items [N, …, P], each position of the last axis is a patch: one feature of a
            vector, one step of a series.
        side: Patches along each side of an image.
    """
    if items.ndim != 4:
        return items.reshape(len(items), -1, items.shape[-1]).transpose(1, 2)
    # [N, C, side, h, side, w]
    cut: Tensor = items.unflatten(3, (side, -1)).unflatten(2, (side, -1))
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def without_patches(items: Tensor, masked: Tensor, side: int) -> Tensor:
    """Items [N, …] with zeros in the patches where `masked`, bool [N, P], is True."""
    if items.ndim != 4:
        hidden = masked.view(len(items), *[1] * (items.ndim - 2), -1)
    else:
        height, width = (n // side for n in items.shape[2:])
        grid = masked.view(-1, 1, side, side)
        hidden = grid.repeat_interleave(height, dim=2).repeat_interleave(width, dim=3)
    return items.masked_fill(hidden, 0)


def masked_error(predicted: Tensor, target: Tensor, masked: Tensor) -> Tensor:
    """The mean squared error of each sample on its masked patches: [N].

    Args:
        predicted: Predicted patches, float [N, P, p].
        target: The patches, float [N, P, p].
        masked: bool [N, P], True at the patches that count, at least one of each sample.
    """
    full = torch.promote_types(predicted.dtype, torch.float32)
    errors = (predicted.to(full) - target.to(full)).square().mean(-1)
    return (errors * masked).sum(1) / masked.sum(1)


def normalized(patches: Tensor) -> Tensor:
    """Patches [N, P, p] less their mean, over √(variance + 1e-6); as they are if p is 1.

    The variance has Bessel's correction, as in the code of He et al.
    """
    if patches.shape[-1] == 1:
        return patches
    patches = patches.to(torch.promote_types(patches.dtype, torch.float32))
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) / (variance + VARIANCE_FLOOR).sqrt()


def masked_places(random: Tensor, mask_rate: float) -> Tensor:
    """Hide ⌊mask_rate · P⌋ of P patches, at least one: those with the smallest of the numbers.

    Args:
        random: Numbers in [0, 1), [N, P].
        mask_rate: Share of the patches.

    Returns:
        bool [N, P], True where a patch is hidden.
    """
    count = max(1, math.floor(mask_rate * random.shape[1]))
    ranks = random.argsort(dim=1).argsort(dim=1)
    return ranks < count


class Decoder(nn.Module):
    """Predicts the patches of one modality from hidden features [N, hidden]: [N, P, p]."""

    def __init__(self, hidden: int, patches: int, size: int) -> None:
        super().__init__()
        self.patches, code = patches, min(size, PATCH_CODE)
        self.codes = nn.Linear(hidden, patches * code)
        self.pixels = nn.Identity() if size == code else nn.Linear(code, size)

    def forward(self, hidden: Tensor) -> Tensor:
        """The predicted patches."""
        predicted: Tensor = self.pixels(self.codes(hidden).unflatten(1, (self.patches, -1)))
        return predicted


# --------------------------------------------------------------------------- the method


class MAE(Method):
    """Masked autoencoding: CoMM's encoders, latent converters and fusion, and a decoder of CLS."""

    takes_absent = False

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        options, M = settings.options, len(modalities)
        assert isinstance(options, MAEOptions)  # noqa: S101 - RunSettings has checked it
        if M < 2:
            raise InputError("mae needs at least two modalities")
        self.options = options
        self.all = tuple(range(M))
        for modality in modalities:
            _require_patches(modality, options.patches)
        self.encoder = nn.ModuleList(self.encoders())
        self.converter = nn.ModuleList(
            latent_converter(encoder, m, options.width)
            for encoder, m in zip(self.encoder, modalities, strict=True)
        )
        self.fusion = AttentionFusion(options.width, options.heads)
        self.hidden = nn.Sequential(
            nn.Linear(options.width, options.hidden),
            nn.GELU(),
            nn.Linear(options.hidden, options.hidden),
            nn.GELU(),
        )
        empty = [torch.empty(1, *m.shape, device="meta") for m in modalities]
        self.shapes = [tuple(patches_of(x, options.patches).shape[1:]) for x in empty]
        """P and p of each modality."""
        self.decoder = nn.ModuleList(Decoder(options.hidden, *shape) for shape in self.shapes)

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        """A light view of each item, then for each modality which of its patches are hidden."""
        light = self.light_views(batch, generator)
        numbers = [self.uniform(len(batch[0]), (count,), generator) for count, _ in self.shapes]
        return (*light, *(masked_places(one, self.options.mask_rate) for one in numbers))

    def codes_of(self, views: Tensors) -> Tensors:
        """The error of each sample's prediction of each modality: one tensor [N, M]."""
        M = len(self.modalities)
        items, masked = views[:M], [one.bool() for one in views[M:]]
        errors = []
        for x, predicted, hidden in zip(items, self.predict(items, masked), masked, strict=True):
            target = patches_of(x, self.options.patches)
            if self.options.normalize_patches:
                target = normalized(target)
            errors.append(masked_error(predicted, target, hidden))
        return (torch.stack(errors, dim=1),)

    def predict(self, items: Sequence[Tensor], masked: Sequence[Tensor]) -> list[Tensor]:
        """Predict all patches [N, P, p] of each modality from the patches that are not masked.

        Args:
            items: For each modality [N, *shape].
            masked: For each modality bool [N, P], True where a patch is hidden.
        """
        side = self.options.patches
        visible = [without_patches(x, one, side) for x, one in zip(items, masked, strict=True)]
        hidden = self.hidden(self.features(tuple(visible), [self.all])[0])
        return [decode(hidden) for decode in self.decoder]

    def loss_of(self, codes: Tensors) -> Loss:
        """The mean over samples and modalities of the error on hidden patches."""
        errors = codes[0].mean(0)
        return Loss(errors.mean(), {f"error_{m + 1}": errors[m] for m in self.all})

    def encode(self, items: Tensor, modality: int) -> Tensor:
        """Encode items of one modality to tokens [N, T, D]."""
        converted: Tensor = self.converter[modality](self.encoder[modality](items))
        return converted

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        """The fused vectors: [N, D] for each subset. Training fuses all modalities only."""
        return list(self.fusion(codes, subsets))


def _require_patches(modality: Modality, side: int) -> None:
    """Raise InputError if an image cannot be cut into side × side patches."""
    if len(modality.shape) != 3:
        return
    for length in modality.shape[1:]:
        if length % side:
            raise InputError(
                f"images of {modality.shape[1]} × {modality.shape[2]} pixels ({modality.name}) "
                f"cannot be cut into {side} × {side} patches: set patches to a divisor"
            )
