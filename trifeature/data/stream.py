"""Endless pairs: drawn and rendered when they are asked for, in constant memory, without a folder.

Pair number i depends only on the settings, the split and i. Pairs are drawn in blocks, each as the
pairs of a data set of that size are, from the combinations of attributes of the data set's split;
and every pair has renders of its own, which no other pair and no data set has.

P pairs, M modalities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from trifeature.checks import require_settings, require_whole
from trifeature.data.dataset import SPLITS, ImageTable, IntArray, draw_items, plan_images
from trifeature.data.pairs import draw_pairs, noisy
from trifeature.data.settings import DatasetSettings
from trifeature.errors import InputError, check_name

BLOCK: Final = 1024
"""Pairs that are drawn at once: rates such as the match rate hold in each block."""

STREAM, STREAM_NOISE = 0x737472, 0x736E6F
"""First seeds of the random streams of blocks and of their label noise."""

FIRST_COPY: Final = 2**40
"""Copy number of the first image, larger than that of any image of a data set."""


@dataclass(frozen=True)
class PairBatch:
    """P pairs with their items.

    Attributes:
        items: For each modality images, uint8 [P, 3, S, S], or tokens of captions, int64 [P, L].
        labels: int64 [P] for every task.
        attributes: int64 [P, M, 3], shape, texture and color of each item.
    """

    items: tuple[Tensor, ...]
    labels: dict[str, IntArray]
    attributes: IntArray


class EndlessPairs:
    """The pairs of a split that can be drawn without an end.

    Args:
        settings: Settings of a data set; a block has at most as many pairs as its set.
        split: `train`, whose pairs may be biased, or `test`.

    Raises:
        InputError: there is no such split; pairs are drawn by a nuisance; or no pair is allowed.
    """

    def __init__(self, settings: DatasetSettings, split: str = "train") -> None:
        self.split = next(s for s in SPLITS if s == check_name("split", split, SPLITS))
        if settings.nuisance_rate is not None:
            raise InputError(
                "nuisance_rate is a choice among the images of a data set, and every image of a "
                "stream is new: leave it out"
            )
        self.settings = settings
        self.table = plan_images(settings)[self.split]
        drawn = settings.train_pairs if self.split == "train" else settings.test_pairs
        self.block_size = min(BLOCK, drawn)
        self._block: tuple[int, IntArray, dict[str, IntArray]] = (-1, np.empty(0, np.int64), {})
        self.block_size = len(self.block(0)[0])

    def block(self, number: int) -> tuple[IntArray, dict[str, IntArray]]:
        """The attributes [P, M, 3] and the labels of a block's pairs; the last one is kept."""
        if self._block[0] != number:
            settings, biased = self.settings, self.split == "train"
            seed = (int(biased), number, settings.seed)
            pairs = draw_pairs(
                self.table.attributes,
                self.block_size,
                settings.rule,
                settings.partners,
                seed=(STREAM, *seed),
                rates=settings.rates(biased=biased),
                fewer=not biased,
            )
            labels = dict(pairs.labels)
            if settings.label_noise:
                of_noise = (STREAM_NOISE, *seed)
                labels = noisy(labels, settings.classes, settings.label_noise, seed=of_noise)
            self._block = (number, self.table.attributes[pairs.images], labels)
        return self._block[1:]

    def batch(self, start: int, stop: int, device: torch.device | str = "cpu") -> PairBatch:
        """The pairs number `start` to `stop` − 1; the same whatever the batch."""
        numbers = np.arange(start, stop)
        blocks, attributes, labels = numbers // self.block_size, [], []
        for block in np.unique(blocks).tolist():
            places = numbers[blocks == block] % self.block_size
            shown, known = self.block(block)
            attributes.append(shown[places])
            labels.append({task: values[places] for task, values in known.items()})
        shown = np.concatenate(attributes)
        joined = {task: np.concatenate([some[task] for some in labels]) for task in labels[0]}
        return PairBatch(self._items(shown, numbers, device), joined, shown)

    def _items(
        self, attributes: IntArray, numbers: IntArray, device: torch.device | str
    ) -> tuple[Tensor, ...]:
        P, M = attributes.shape[:2]
        looks, tables = self.settings.looks_of, dict[int, Tensor]()
        for look in set(looks):  # those of one look together: the renderer is faster with many
            some = [m for m in range(M) if looks[m] == look]
            copies = FIRST_COPY + numbers[:, None] * M + some
            table = ImageTable(attributes[:, some].reshape(-1, 3), copies.ravel())
            drawn = draw_items(self.settings, table, look, device)
            tables |= zip(some, drawn.unflatten(0, (P, len(some))).unbind(1), strict=True)
        return tuple(tables[m] for m in range(M))


def stream(
    settings: DatasetSettings,
    count: int | None = None,
    batch: int = 256,
    *,
    split: str = "train",
    device: torch.device | str = "cpu",
) -> Iterator[PairBatch]:
    """Render pairs on the fly, in batches and in constant memory.

    Args:
        settings: Settings of a data set; its numbers of pairs do not matter.
        count: Number of pairs; None for no end.
        batch: Pairs in a batch; the last may have fewer.
        split: `train`, whose pairs may be biased, or `test`.
        device: Device that renders and holds the items.

    Raises:
        InputError: see `EndlessPairs`; or `batch` or `count` is below 1.
    """
    require_settings("settings", settings, DatasetSettings)
    batch = require_whole("batch", batch, 1)
    if count is not None:
        count = require_whole("count", count, 1)
    pairs, start = EndlessPairs(settings, split), 0
    while count is None or start < count:
        stop = start + batch if count is None else min(start + batch, count)
        yield pairs.batch(start, stop, device)
        start = stop
