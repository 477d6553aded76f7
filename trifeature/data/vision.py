"""Data sets on disk as torchvision `VisionDataset`s.

`trifeature.data.storage.load` is faster for training: it returns all images as one uint8 tensor.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from torchvision.datasets import VisionDataset

from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.dataset import PAIR_SETS, SPLIT_OF, SPLITS
from trifeature.data.storage import read_manifest
from trifeature.errors import check_name

Transform = Callable[[Any], Any]


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


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
        InputError: `root` is not a data set, or there is no such split.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        super().__init__(Path(root), transform=transform, target_transform=target_transform)
        read_manifest(root)
        self.folder = Path(root) / check_name("split", split, SPLITS)
        lines = (self.folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """The image at `index` and its target."""
        row = self.rows[index]
        image: Any = _open(self.folder / row["file_name"])
        target: Any = {name: VALUES[name].index(row[name]) for name in ATTRIBUTES}
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
        InputError: `root` is not a data set, or there is no such set of pairs.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        pair_set: str = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        super().__init__(Path(root), transform=transform, target_transform=target_transform)
        modalities = read_manifest(root)["settings"]["rule"]["modalities"]
        name = next(s for s in PAIR_SETS if s == check_name("set of pairs", pair_set, PAIR_SETS))
        self.folder = Path(root) / SPLIT_OF[name]
        text = (Path(root) / "pairs" / f"{name}.csv").read_text(encoding="utf-8")
        header, *rows = (line.split(",") for line in text.splitlines())
        self.tasks = header[modalities:]
        self.files = [row[:modalities] for row in rows]
        self.labels = [[int(label) for label in row[modalities:]] for row in rows]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[tuple[Any, ...], Any]:
        """The images and the target of the pair at `index`."""
        images: tuple[Any, ...] = tuple(_open(self.folder / name) for name in self.files[index])
        if self.transform is not None:
            images = tuple(self.transform(image) for image in images)
        target: Any = dict(zip(self.tasks, self.labels[index], strict=True))
        if self.target_transform is not None:
            target = self.target_transform(target)
        return images, target
