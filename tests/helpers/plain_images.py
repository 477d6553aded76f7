"""Plain images whose pixels are their attributes, and methods that hand out any code of them.

The red, green and blue of an image are the indices of its shape, texture and color.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from fixed_methods import FixedMethod
from tiny_runs import image_pair
from torch import Tensor, nn

from trifeature.comm.settings import RunSettings
from trifeature.data.dataset import Dataset, plan_images, plan_pairs, preset
from trifeature.data.rule import PairRule
from trifeature.samples import Samples
from trifeature.views.sets import IMAGENET_MEAN, IMAGENET_STD

K, SIDE = 5, 4
Code = Callable[[Tensor, Sequence[int]], Tensor]
"""From attributes int [N, M, 3] and the modalities to look at, to features float [N, F]."""


def coded_dataset(modalities: int = 2, probe_pairs: int = 600, step: int = 1) -> Dataset:
    """Unbiased pairs of plain images whose red, green and blue are their attributes times step."""
    settings = preset(
        "tiny",
        copies=2,
        test_copies=2,
        train_pairs=10,
        probe_pairs=probe_pairs,
        test_pairs=300,
        rule=PairRule(modalities=modalities),
    )
    tables = plan_images(settings)
    images = {
        split: torch.from_numpy((step * table.attributes).astype(np.uint8))[:, :, None, None]
        .expand(-1, -1, SIDE, SIDE)
        .contiguous()
        for split, table in tables.items()
    }
    return Dataset(
        settings,
        tables,
        plan_pairs(settings, tables),
        {k: (x,) * modalities for k, x in images.items()},
    )


class Fake(FixedMethod):
    """Features by a formula of the attributes of the images looked at."""

    def __init__(self, code: Code, modalities: int = 2) -> None:
        super().__init__(RunSettings(), image_pair(modalities))
        self.code = code
        self.anchor = nn.Parameter(torch.zeros(1))  # tells the device

    def encode(self, images: Tensor, modality: int) -> Tensor:
        del modality
        pixel = images.mean((-1, -2)) * torch.tensor(IMAGENET_STD) + torch.tensor(IMAGENET_MEAN)
        return (pixel * 255).round().long()

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        attributes = torch.stack(list(codes), dim=1)
        return [self.code(attributes, subset).float() for subset in subsets]


class SideBySide(FixedMethod):
    """Features that are the items themselves side by side; 0 for what is absent."""

    def __init__(self, samples: Samples) -> None:
        super().__init__(RunSettings(), samples.modalities)
        self.anchor = nn.Parameter(torch.zeros(1))  # tells the device

    def encode(self, items: Tensor, modality: int) -> Tensor:
        del modality
        return items

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        flat = [code.flatten(1).nan_to_num(0) for code in codes]
        return [torch.cat([flat[m] for m in subset], dim=1) for subset in subsets]


def one_hot(attributes: Tensor, subset: Sequence[int]) -> Tensor:
    """Shape, texture and color of each image looked at."""
    return F.one_hot(attributes[:, list(subset)], K).flatten(1)


def partners_of(dataset: Dataset) -> Code:
    """The partner of image 1's texture, and image 2's color: side by side, never compared."""
    partners = torch.tensor(dataset.settings.partners)

    def code(attributes: Tensor, subset: Sequence[int]) -> Tensor:
        shown = {0: partners[attributes[:, 0, 1]], 1: attributes[:, 1, 2]}
        return torch.cat([F.one_hot(shown[m], K) for m in subset], dim=1)

    return code
