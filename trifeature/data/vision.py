"""Data sets on disk as classes of torchvision, see `VisionDataset`.

`trifeature.data.storage.load` is faster for training: it returns all images as one uint8 tensor.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torchvision.datasets import VisionDataset

from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.dataset import PAIR_SETS, SPLIT_OF, SPLITS
from trifeature.data.storage import file_names, open_stored
from trifeature.errors import check_name

Transform = Callable[[Any], Any]


class TrifeatureImages(VisionDataset):
    """The images of one split with their attributes.

    An item is (image, target): a PIL image, and a dictionary from `shape`, `texture` and `color`
    to their integer labels. The transforms are applied to both.

    Args:
        root: Folder made by `trifeature generate`.
        split: `train` or `test`.
        transform: Applied to the image.
        target_transform: Applied to the target.

    Raises:
        InputError: `root` is not a data set or damaged, or there is no such split. Images are
            checked when they are read.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        super().__init__(Path(root), transform=transform, target_transform=target_transform)
        self.stored = open_stored(root)
        self.split = next(s for s in SPLITS if s == check_name("split", split, SPLITS))
        self.table = self.stored.tables[self.split]
        self.files = file_names(self.stored.settings, self.table)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The image at `index` and its target."""
        image: Any = self.stored.image(self.split, self.files[index])
        target: Any = dict(zip(ATTRIBUTES, self.table.attributes[index].tolist(), strict=True))
        if self.transforms is not None:
            image, target = self.transforms(image, target)
        return image, target


class TrifeaturePairs(VisionDataset):
    """The pairs of one set with the label of every task.

    An item is (images, target): a tuple of PIL images, and a dictionary from task to integer label.
    `transform` is applied to each image separately, so random transforms are drawn independently.

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
        names = [self.files[row] for row in self.pairs.images[index]]
        images: tuple[Any, ...] = tuple(self.stored.image(self.split, name) for name in names)
        if self.transform is not None:
            images = tuple(self.transform(image) for image in images)
        target: Any = {task: int(labels[index]) for task, labels in self.pairs.labels.items()}
        if self.target_transform is not None:
            target = self.target_transform(target)
        return images, target
