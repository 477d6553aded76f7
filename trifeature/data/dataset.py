"""A Trifeature data set in memory: settings, images, and three sets of pairs.

Everything here is a pure function of `DatasetSettings`; `trifeature.data.storage` reads and writes
data sets on disk.

Every data set holds three sets of pairs and a synergy map:

- *train*: pairs that a model is trained on, biased or not, of training images;
- *probe*: unbiased pairs that a probe is fitted on, of training images;
- *test*: unbiased pairs that the probe is scored on, of test images.

Only *train* depends on the match rate. A biased data set and the unbiased one of the same seed
therefore have the same images, probe pairs and test pairs.

N images, S pixels along the canvas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.checks import as_array, require_settings
from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.captions import caption_tokens
from trifeature.data.pairs import Pairs, draw_pairs, label, noisy
from trifeature.data.render import nuisance_levels, render, require_image_memory
from trifeature.data.settings import DatasetSettings as DatasetSettings  # noqa: PLC0414 - re-exported
from trifeature.data.settings import preset as preset  # noqa: PLC0414 - re-exported
from trifeature.data.splits import all_combinations, split_combinations
from trifeature.errors import InputError, check_name
from trifeature.modality import Modality
from trifeature.pid import Atoms
from trifeature.samples import Samples, SampleSet, Task

IntArray = npt.NDArray[np.int64]
Split = Literal["train", "test"]
PairSet = Literal["train", "probe", "test"]

SPLITS: Final[tuple[Split, ...]] = get_args(Split)
PAIR_SETS: Final[tuple[PairSet, ...]] = get_args(PairSet)
SPLIT_OF: Final[Mapping[PairSet, Split]] = {"train": "train", "probe": "train", "test": "test"}
"""The split whose images each set of pairs uses."""

OWN_PAIRS: Final = "own_pairs"
"""Key of an origin: the sets of pairs that `with_pairs` replaced."""

SPLIT_STREAM, VALIDATION_STREAM, PAIR_STREAM = 0x73706C, 0x76616C, 0x706169
COPY_STREAM, NOISE_STREAM = 0x636F70, 0x6E6F69
"""First seeds of the random streams, which make them independent."""


@dataclass(frozen=True)
class ImageTable:
    """The attributes and the copy number of each image of a split.

    Attributes:
        attributes: int [N, 3], indices of shape, texture and color.
        copies: int [N], copy number of each image among the renders of its combination.
    """

    attributes: IntArray
    copies: IntArray

    @property
    def combinations(self) -> IntArray:
        """One integer for each combination of attributes: int [N]."""
        shape, texture, color = self.attributes.T
        return np.asarray((shape * 1000 + texture) * 1000 + color)  # of at most 1,000 values each

    def __len__(self) -> int:
        return len(self.copies)

    def select(self, rows: slice) -> ImageTable:
        """The images of some rows."""
        return ImageTable(self.attributes[rows], self.copies[rows])


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    Attributes:
        settings: The settings it was built from.
        tables: Attributes of the images of `train` and of `test`.
        pairs: The pairs and labels of `train`, `probe` and `test`.
        items: For `train` and `test` a table of items for each modality: images, uint8
            [N, 3, S, S], or tokens of captions, int64 [N, L]. Modalities of the same look share
            one tensor.
        own_pairs: SHA-256 digests of the sets of pairs that `with_pairs` replaced, by set.
    """

    settings: DatasetSettings
    tables: Mapping[Split, ImageTable]
    pairs: Mapping[PairSet, Pairs]
    items: Mapping[Split, tuple[Tensor, ...]]
    own_pairs: Mapping[PairSet, str] = field(default_factory=dict)

    @property
    def images(self) -> dict[Split, Tensor]:
        """The items of modality 1, of `train` and of `test`."""
        return {split: tables[0] for split, tables in self.items.items()}

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set with its items on another device; a shared table is moved once."""
        moved = {id(x): x.to(device) for tables in self.items.values() for x in tables}
        items = {name: tuple(moved[id(x)] for x in tables) for name, tables in self.items.items()}
        return replace(self, items=items)

    def combinations_of(self, pair_set: PairSet) -> IntArray:
        """The combination of attributes of each image of each pair: int [P, M]."""
        return self.tables[SPLIT_OF[pair_set]].combinations[self.pairs[pair_set].images]

    def samples(self) -> Samples:
        """The pairs as samples of modalities `image1`, `image2` and so on.

        Groups are the combinations of attributes, so a fold holds out whole combinations.

        Raises:
            InputError: a modality is a caption.
        """
        if "caption" in self.settings.looks_of:
            raise InputError(
                "training on captions needs an encoder of tokens, which this version lacks; "
                "the data set itself can be generated, loaded and exported"
            )
        return Samples(
            modalities_of(self.settings),
            {str(name): tables for name, tables in self.items.items()},
            {
                name: SampleSet(
                    SPLIT_OF[name], pairs.images, pairs.labels, self.combinations_of(name)
                )
                for name, pairs in self.pairs.items()
            },
            tasks_of(self.settings),
            self.settings.to_json() | ({OWN_PAIRS: dict(self.own_pairs)} if self.own_pairs else {}),
            self._truth,
        )

    def _truth(self) -> Mapping[str, Atoms]:
        from trifeature.data.truth import drawn_atoms  # noqa: PLC0415 - truth imports this module

        return drawn_atoms(self.settings, self.tables["test"], self.pairs["test"])


def modalities_of(settings: DatasetSettings) -> tuple[Modality, ...]:
    """The modalities of a pair: images `image1`, `image2`, … of three channels."""
    side = settings.render.canvas
    numbers = range(1, settings.rule.modalities + 1)
    return tuple(Modality(f"image{number}", "image", (3, side, side)) for number in numbers)


def tasks_of(settings: DatasetSettings) -> dict[str, Task]:
    """The tasks of a data set, by name.

    Column R is the shared attribute, U1, U2, … the unique attribute of each image, S the match.
    """
    tasks = {}
    for name, classes in settings.classes.items():
        if name == "share":
            tasks[name] = Task(classes, "R", atom="redundancy")
        elif name == "synergy":
            tasks[name] = Task(classes, "S", atom="synergy", biased=True)
        else:
            number = len(tasks)
            tasks[name] = Task(classes, f"U{number}", mean="U", atom=f"unique{number}")
    return tasks


def plan_images(settings: DatasetSettings) -> dict[Split, ImageTable]:
    """Choose the combinations and copies of the two splits.

    Raises:
        InputError: a split lacks a combination that the dependence of attributes needs.
    """
    kept, held_out = _split(all_combinations(settings.counts), settings, SPLIT_STREAM)
    if settings.validation:
        kept, held_out = _split(kept, settings, VALIDATION_STREAM)
    return {
        "train": with_copies(kept, settings, settings.copies),
        "test": with_copies(held_out, settings, settings.test_copies),
    }


def _split(
    combinations: IntArray, settings: DatasetSettings, stream: int
) -> tuple[IntArray, IntArray]:
    """Training and held-out combinations.

    With a dependence, combinations that follow it are split apart from the others and evenly, so
    that both splits have some of every shared value.
    """
    parts = [(combinations, settings.held_out, settings.balanced)]
    if settings.dependence:
        follows = _follows(combinations, settings)
        some = max(1, round(settings.held_out * follows.mean()))
        if some >= settings.held_out:
            raise InputError(f"dependence needs more combinations held out than {some}")
        parts = [
            (combinations[follows], some, True),
            (combinations[~follows], settings.held_out - some, settings.balanced),
        ]
    split = [
        split_combinations(part, held_out, seed=(stream, settings.seed), balanced=balanced)
        for part, held_out, balanced in parts
    ]
    kept, held = (np.concatenate(side) for side in zip(*split, strict=True))
    return kept, held


def _follows(combinations: IntArray, settings: DatasetSettings) -> npt.NDArray[np.bool_]:
    """Whether the unique value of each combination [N] is the one that its shared value gives."""
    rule = settings.rule
    shared, unique = (combinations[:, ATTRIBUTES.index(x)] for x in (rule.shared, rule.unique))
    return np.asarray(unique == settings.follower(shared))


def with_copies(combinations: IntArray, settings: DatasetSettings, copies: int) -> ImageTable:
    """The images: `copies` of each combination, or as many in the mean by the dependence."""
    counts = np.full(len(combinations), copies)
    if settings.dependence:
        counts = _dependent_copies(combinations, settings, copies)
    numbers = np.concatenate([np.arange(count) for count in counts.tolist()])
    return ImageTable(np.repeat(combinations, counts, axis=0), numbers)


def _dependent_copies(combinations: IntArray, settings: DatasetSettings, copies: int) -> IntArray:
    """Copies of each combination [N] so that the images have the dependence.

    Of the images with one shared value a fraction q = s + (1 − s) / K follows it, with s the
    dependence and K the number of unique values; within each part the images are spread evenly.
    """
    share = settings.dependence + (1 - settings.dependence) / settings.counts[settings.rule.unique]
    shared = combinations[:, ATTRIBUTES.index(settings.rule.shared)]
    follows = _follows(combinations, settings)
    rng = np.random.default_rng([COPY_STREAM, settings.seed, copies])
    counts = np.zeros(len(combinations), dtype=np.int64)
    for value in range(settings.counts[settings.rule.shared]):
        here = shared == value
        total = int(here.sum()) * copies
        following = round(share * total)
        for part, images in ((here & follows, following), (here & ~follows, total - following)):
            places = rng.permutation(np.flatnonzero(part))
            if images and not len(places):
                raise InputError(
                    f"dependence: of some {settings.rule.shared} no combination that follows it is "
                    f"in one of the splits: hold out another number than {settings.held_out}, "
                    f"such as {_enough_held_out(settings)}"
                )
            if len(places):
                counts[places] = images // len(places)
                counts[places[: images % len(places)]] += 1
    return counts


def _enough_held_out(settings: DatasetSettings) -> int:
    """A number of held-out combinations with two of every shared value that follow it."""
    return 2 * settings.counts[settings.rule.shared] * settings.counts[settings.rule.unique]


def plan_pairs(
    settings: DatasetSettings, tables: Mapping[Split, ImageTable]
) -> dict[PairSet, Pairs]:
    """Draw the three sets of pairs.

    `train` has the match rate of the settings; `probe` and `test` leave it to chance, unless the
    gate balances them. The other rates hold in all three.

    Raises:
        InputError: too few pairs exist for the rates of `train`; of the others there are then
            fewer.
    """
    counts = (settings.train_pairs, settings.probe_pairs, settings.test_pairs)
    drawn = {}
    for index, (name, count) in enumerate(zip(PAIR_SETS, counts, strict=True)):
        table = tables[SPLIT_OF[name]]
        pairs = draw_pairs(
            table.attributes,
            count,
            settings.rule,
            settings.partners,
            seed=(PAIR_STREAM, index, settings.seed),
            rates=settings.rates(biased=name == "train"),
            nuisance=None if settings.nuisance_rate is None else levels_of(settings, table),
            fewer=name != "train",
        )
        drawn[name] = _with_noise(pairs, settings, index)
    return drawn


def levels_of(settings: DatasetSettings, table: ImageTable) -> IntArray:
    """The nuisance level of each image: int [N]."""
    return nuisance_levels(
        table.attributes,
        table.copies,
        seed=settings.seed,
        settings=settings.render,
        values=settings.values,
    )


def _with_noise(pairs: Pairs, settings: DatasetSettings, index: int) -> Pairs:
    """The pairs of set number `index` with label noise."""
    if not settings.label_noise:
        return pairs
    seed = (NOISE_STREAM, index, settings.seed)
    labels = noisy(pairs.labels, settings.classes, settings.label_noise, seed=seed)
    return replace(pairs, labels=labels)


def image_looks(settings: DatasetSettings) -> tuple[str, ...]:
    """The different looks of the modalities that are images, in the order of the modalities."""
    return tuple(look for look in dict.fromkeys(settings.looks_of) if look != "caption")


def draw_items(
    settings: DatasetSettings,
    table: ImageTable,
    look: str,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] | None = None,
) -> Tensor:
    """The items that show the rows of a table in a look.

    Args:
        settings: Settings of the data set.
        table: Attributes and copy numbers of N items.
        look: One of `trifeature.data.settings.LOOKS`.
        device: Device that renders and holds the items.
        progress: Called with the number of images rendered so far.

    Returns:
        Images, uint8 [N, 3, S, S]; for the look `caption` tokens, int64 [N, L].
    """
    if look == "caption":
        tokens = caption_tokens(
            table.attributes,
            table.copies,
            seed=settings.seed,
            settings=settings.caption,
            values=settings.values,
        )
        return tokens.to(device)
    return render(
        table.attributes,
        table.copies,
        seed=settings.seed,
        settings=settings.render,
        device=device,
        progress=progress,
        look=look,
        values=settings.values,
    )


def build(
    settings: DatasetSettings,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Build a data set in memory; modalities of the same look share their images.

    Args:
        settings: Settings of the data set.
        device: Device that renders and holds the items.
        progress: Called with the number of images rendered so far and the total number.

    Raises:
        InputError: the images do not fit into memory.
    """
    require_settings("settings", settings, DatasetSettings)
    looks = image_looks(settings)
    total, before = settings.images * len(looks), 0
    require_image_memory(total, settings.render)
    tables = plan_images(settings)
    items: dict[Split, tuple[Tensor, ...]] = {}
    for split, table in tables.items():
        made: dict[str, Tensor] = {}
        for look in dict.fromkeys(settings.looks_of):

            def report(done: int, before: int = before) -> None:
                if progress is not None:
                    progress(before + done, total)

            made[look] = draw_items(settings, table, look, device, report)
            before += len(table.copies) if look in looks else 0
        items[split] = tuple(made[look] for look in settings.looks_of)
    return Dataset(settings, tables, plan_pairs(settings, tables), items)


def with_pairs(dataset: Dataset, images: npt.ArrayLike, pair_set: PairSet = "train") -> Dataset:
    """Replace one set of pairs by given pairs of the same images.

    Args:
        dataset: The data set; it is left unchanged.
        images: int [P, M], indices of images of the set's split.
        pair_set: Name of the set to replace.

    Returns:
        A data set with these pairs and their labels.

    Raises:
        InputError: `images` is not [P, M] whole numbers, or an image does not exist.
    """
    require_settings("dataset", dataset, Dataset)
    name = next(s for s in PAIR_SETS if s == check_name("set of pairs", pair_set, PAIR_SETS))
    table, rule = dataset.tables[SPLIT_OF[pair_set]], dataset.settings.rule
    chosen = as_array(images)
    if chosen.ndim != 2 or chosen.shape[1] != rule.modalities or chosen.dtype.kind not in "iu":
        raise InputError(
            f"pairs must be whole numbers [P, {rule.modalities}], not {chosen.dtype} "
            f"{list(chosen.shape)}"
        )
    if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= len(table.copies):
        raise InputError(f"pairs must name images 0 to {len(table.copies) - 1}, at least one pair")
    chosen = chosen.astype(np.int64)
    labels = label(table.attributes, chosen, rule, dataset.settings.partners)
    own = _with_noise(Pairs(chosen, labels, len(chosen)), dataset.settings, PAIR_SETS.index(name))
    pairs = {**dataset.pairs, pair_set: own}
    digest = hashlib.sha256(chosen.tobytes()).hexdigest()
    return replace(dataset, pairs=pairs, own_pairs={**dataset.own_pairs, pair_set: digest})


def with_match_rate(dataset: Dataset, match_rate: float | None) -> Dataset:
    """Draw the training pairs anew for a match rate; images, probe and test pairs stay the same."""
    settings = replace(dataset.settings, match_rate=match_rate)
    if settings == dataset.settings:
        return dataset
    train = plan_pairs(settings, dataset.tables)["train"]
    own = dict(dataset.own_pairs)
    own.pop("train", None)
    pairs = {**dataset.pairs, "train": train}
    return replace(dataset, settings=settings, pairs=pairs, own_pairs=own)


def summarize(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """Size, number of candidates, match rate and label counts of each set of pairs."""
    classes = dataset.settings.classes
    return {
        name: {
            "pairs": len(pairs),
            "candidates": pairs.candidates,
            "match_rate": pairs.match_rate,
            "labels": {
                task: np.bincount(values, minlength=classes[task]).tolist()
                for task, values in pairs.labels.items()
            },
        }
        for name, pairs in dataset.pairs.items()
    }
