"""Data sets as classes of torchvision, see `VisionDataset`: on disk, or rendered on the fly.

`trifeature.data.storage.load` is faster for training: it returns all images as one uint8 tensor;
so is `trifeature.data.stream.stream`, which renders whole batches.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from torchvision.datasets import VisionDataset

from trifeature.checks import require_whole
from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.captions import caption_text
from trifeature.data.dataset import PAIR_SETS, SPLIT_OF, SPLITS, Split
from trifeature.data.settings import DatasetSettings
from trifeature.data.storage import Stored, captions_of, file_names, open_stored
from trifeature.data.stream import EndlessPairs
from trifeature.errors import check_name

Transform = Callable[[Any], Any]


class TrifeatureImages(VisionDataset):
    """The images of one split with their attributes.

    An item is (image, target): a PIL image, and a dictionary from `shape`, `texture` and `color`
    to their integer labels. The transforms are applied to both. In the look `caption`, the image is
    a string.

    Args:
        root: Folder made by `trifeature generate`.
        split: `train` or `test`.
        transform: Applied to the image.
        target_transform: Applied to the target.
        look: One of the data set's looks; None for that of its first modality.

    Raises:
        InputError: `root` is not a data set or damaged, or there is no such split or look. Images
            are checked when they are read.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        look: str | None = None,
    ) -> None:
        super().__init__(Path(root), transform=transform, target_transform=target_transform)
        self.stored = open_stored(root)
        self.split = next(s for s in SPLITS if s == check_name("split", split, SPLITS))
        self.table = self.stored.tables[self.split]
        self.files = file_names(self.stored.settings, self.table)
        looks = self.stored.settings.looks_of
        self.look = looks[0] if look is None else check_name("look", look, looks)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The image at `index` and its target."""
        row = range(len(self))[index]
        image = _item(self.stored, self.split, self.files, row, self.look)
        target: Any = dict(zip(ATTRIBUTES, self.table.attributes[row].tolist(), strict=True))
        if self.transforms is not None:
            image, target = self.transforms(image, target)
        return image, target


def _item(stored: Stored, split: Split, names: list[str], row: int, look: str) -> Any:
    """The image or the caption in a row of a split's table."""
    if look != "caption":
        return stored.image(split, names[row], look)
    return captions_of(stored.settings, stored.tables[split].select(slice(row, row + 1)))[0]


class _Pairs(VisionDataset):
    """Items that are pairs: a tuple of images, and a label for every task."""

    def _transformed(self, images: tuple[Any, ...], target: Any) -> tuple[tuple[Any, ...], Any]:
        if self.transform is not None:
            images = tuple(self.transform(image) for image in images)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return images, target


class TrifeaturePairs(_Pairs):
    """The pairs of one set with the label of every task.

    An item is (images, target): a tuple of PIL images (strings for captions), and a dictionary from
    task to integer label. `transform` is applied to each image separately, so random transforms
    are drawn independently.

    Args:
        root: Folder made by `trifeature generate`.
        pair_set: `train`, `probe` or `test`.
        transform: Applied to each image.
        target_transform: Applied to the target.

    Raises:
        InputError: `root` is not a data set or damaged, or there is no such set of pairs. Images
            are checked when they are read.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        pair_set: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        super().__init__(Path(root), transform=transform, target_transform=target_transform)
        self.stored = open_stored(root)
        name = next(s for s in PAIR_SETS if s == check_name("set of pairs", pair_set, PAIR_SETS))
        self.split = SPLIT_OF[name]
        self.files = file_names(self.stored.settings, self.stored.tables[self.split])
        self.pairs = self.stored.pairs[name]

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[tuple[Any, ...], Any]:
        """The images and the target of the pair at `index`."""
        rows = self.pairs.images[index].tolist()
        images = tuple(
            _item(self.stored, self.split, self.files, row, look)
            for row, look in zip(rows, self.stored.settings.looks_of, strict=True)
        )
        target = {task: int(labels[index]) for task, labels in self.pairs.labels.items()}
        return self._transformed(images, target)


class RenderedPairs(_Pairs):
    """Pairs that are rendered when they are asked for, of any number, without a folder.

    Items are as those of `TrifeaturePairs`. Pair `index` depends only on settings, split and index,
    so workers of a `DataLoader` need no seed. The pairs are in random order as they are; reading
    them in order is faster than shuffling, because they are drawn in blocks, see
    `trifeature.data.stream`.

    Args:
        settings: Settings of a data set, as `trifeature.data.settings.preset` gives them.
        size: Number of pairs.
        split: Whose combinations of attributes are shown: `train` or `test`.
        transform: Applied to each image.
        target_transform: Applied to the target.

    Raises:
        InputError: there is no such split, or `size` is below 1; or see
            `trifeature.data.stream.EndlessPairs`.

    >>> from trifeature import preset
    >>> images, target = RenderedPairs(preset("quick"), 1_000_000)[-1]
    >>> images[0].size, list(target)
    ((48, 48), ['share', 'unique1', 'unique2', 'synergy'])
    """

    def __init__(
        self,
        settings: DatasetSettings,
        size: int,
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        super().__init__("", transform=transform, target_transform=target_transform)
        self.pairs = EndlessPairs(settings, split)
        self.size = require_whole("size", size, 1, 2**40)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[tuple[Any, ...], Any]:
        """The images and the target of the pair at `index`."""
        number = range(self.size)[operator.index(index)]
        batch, settings = self.pairs.batch(number, number + 1), self.pairs.settings
        images = tuple(
            caption_text(items[0], settings.values, settings.caption)
            if look == "caption"
            else Image.fromarray(items[0].permute(1, 2, 0).numpy())
            for look, items in zip(settings.looks_of, batch.items, strict=True)
        )
        target = {task: int(labels[0]) for task, labels in batch.labels.items()}
        return self._transformed(images, target)

    def extra_repr(self) -> str:
        """The split and the canvas."""
        return f"Split: {self.pairs.split}, {self.pairs.settings.render.canvas} px, on the fly"
