"""What a Trifeature data set consists of: its settings, its images, its three sets of pairs.

Everything here is a pure function of `DatasetSettings`; `trifeature.data.storage` puts it on disk.

Every data set holds three sets of pairs and a synergy map, used or not: *train* (biased or not:
what a model learns from), *probe* (unbiased, training images: what a probe is fitted on) and
*test* (unbiased, test images). Only *train* depends on the match rate, so a biased data set and
the unbiased one of the same seed share all their images and everything that measures.

N images, S pixels along the canvas.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.pairs import (
    PairRule,
    Pairs,
    all_combinations,
    chance_match_rate,
    draw_pairs,
    make_map,
    split_combinations,
)
from trifeature.data.render import RenderSettings, render
from trifeature.errors import InputError
from trifeature.modality import Modality
from trifeature.pid import Atoms
from trifeature.presets import get_preset
from trifeature.samples import Samples, SampleSet, Task

IntArray = npt.NDArray[np.int64]
T = TypeVar("T")
Split = Literal["train", "test"]
PairSet = Literal["train", "probe", "test"]

SPLITS: Final[tuple[Split, ...]] = get_args(Split)
PAIR_SETS: Final[tuple[PairSet, ...]] = get_args(PairSet)
SPLIT_OF: Final[Mapping[PairSet, Split]] = {"train": "train", "probe": "train", "test": "test"}
"""Which images each set of pairs is made of."""

SPLIT_STREAM, VALIDATION_STREAM, PAIR_STREAM = 0x73706C, 0x76616C, 0x706169
"""Separate the random numbers of the split, of validation and of the pairs from one another."""


@dataclass(frozen=True)
class DatasetSettings:
    """Everything a data set depends on. The defaults are the paper's.

    Attributes:
        shapes, textures, colors: How many values of each attribute, the first ones of the list.
        held_out: Combinations of attributes kept for testing.
        balanced: Hold out every value of every attribute equally often.
        validation: Put the test combinations away altogether and hold out as many of the
            training ones instead: for choosing anything without a look at the test pairs.
        copies, test_copies: Renders of each training and of each test combination.
        train_pairs, probe_pairs, test_pairs: How many pairs to draw; where fewer exist, all.
        match_rate: Share of the training pairs that keep the map; None leaves it to chance.
        synergy_map: The map, see `trifeature.data.pairs.make_map`; stored as the list of its names.
        seed: Of everything random in the data set.
        rule: Which images pair up.
        render: How attributes become pixels.

    Raises:
        InputError: a setting is out of range; the message names it and what would be right.
    """

    shapes: int = 10
    textures: int = 10
    colors: int = 10
    held_out: int = 200
    balanced: bool = False
    validation: bool = False
    copies: int = 3
    test_copies: int = 1
    train_pairs: int = 10_000
    probe_pairs: int = 10_000
    test_pairs: int = 4_096
    match_rate: float | None = None
    synergy_map: str = "auto"
    seed: int = 0
    rule: PairRule = field(default_factory=PairRule)
    render: RenderSettings = field(default_factory=RenderSettings)

    def __post_init__(self) -> None:
        for attribute, count in self.counts.items():
            _require_whole(attribute + "s", count, 2, len(VALUES[attribute]))
        for name in ("copies", "test_copies", "train_pairs", "probe_pairs", "test_pairs"):
            _require_whole(name, getattr(self, name), 1, 10_000_000)
        _require_whole("seed", self.seed, 0, 2**63 - 1)
        _require_whole("held_out", self.held_out, 1, math.prod(self.counts.values()) - 1)
        reserved = self.held_out * (2 if self.validation else 1)
        if reserved >= math.prod(self.counts.values()):
            raise InputError(f"held_out {self.held_out} leaves no combination to train on")
        # Spelled out, two ways of asking for the same map are the same settings.
        partners = make_map(self.synergy_map, self.rule, self.counts, self.seed)
        object.__setattr__(self, "synergy_map", _spell(partners, self.rule))
        if self.match_rate is not None:
            chance = chance_match_rate(self.rule, self.counts)
            if not chance - 1e-9 <= self.match_rate <= 1:
                raise InputError(
                    f"match_rate must be from {chance:g} (chance) to 1, not {self.match_rate:g}"
                )

    @property
    def counts(self) -> dict[str, int]:
        """How many values each attribute has."""
        return dict(zip(ATTRIBUTES, (self.shapes, self.textures, self.colors), strict=True))

    @property
    def partners(self) -> tuple[int, ...]:
        """The synergy map as indices."""
        return make_map(self.synergy_map, self.rule, self.counts, self.seed)

    @property
    def classes(self) -> dict[str, int]:
        """How many classes each task has."""
        unique = self.counts[self.rule.unique]
        sizes = dict.fromkeys(self.rule.tasks, unique)
        return sizes | {"share": self.counts[self.rule.shared], "synergy": 2}

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> DatasetSettings:
        """Read what `to_json` wrote.

        Raises:
            InputError: a key is missing, unknown or of the wrong kind.
        """
        try:
            rule = {**content["rule"], "synergy": tuple(content["rule"]["synergy"])}
            nested = {
                "rule": _from_entries(PairRule, rule),
                "render": _from_entries(RenderSettings, content["render"]),
            }
            return _from_entries(cls, {**content, **nested})
        except (AttributeError, KeyError, TypeError) as problem:
            raise InputError(f"the data set's settings cannot be read: {problem}") from None


def _from_entries(kind: Callable[..., T], entries: Mapping[str, Any]) -> T:
    """Construct a dataclass of which no field is left to its default."""
    if missing := inspect.signature(kind).parameters.keys() - entries.keys():
        raise KeyError(*sorted(missing))
    return kind(**entries)


def _require_whole(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} must be a whole number from {low} to {high}, not {value}")


def _spell(partners: tuple[int, ...], rule: PairRule) -> str:
    sources, targets = (VALUES[name] for name in rule.synergy)
    return ",".join(f"{sources[i]}={targets[j]}" for i, j in enumerate(partners))


def preset(name: str, **changes: Any) -> DatasetSettings:
    """A preset's settings, with some of them changed.

    Raises:
        InputError: there is no such preset, or a change is out of range.

    >>> preset("quick", seed=3).seed
    3
    """
    chosen = get_preset(name)
    render = RenderSettings.for_canvas(chosen.canvas)
    return DatasetSettings(**{"render": render, **chosen.data, **changes})


@dataclass(frozen=True)
class ImageTable:
    """What each image of a split shows.

    Attributes:
        attributes: int [N, 3], indices of shape, texture and color.
        copies: int [N], which render of its combination each image is.
    """

    attributes: IntArray
    copies: IntArray

    @property
    def combinations(self) -> IntArray:
        """One integer for each combination of attributes: int [N]."""
        shape, texture, color = self.attributes.T
        return np.asarray((shape * 10 + texture) * 10 + color)


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    Attributes:
        settings: What it was made from.
        tables: What the images of `train` and of `test` show.
        pairs: The pairs and labels of `train`, `probe` and `test`.
        images: uint8 [N, 3, S, S] for `train` and `test`.
    """

    settings: DatasetSettings
    tables: Mapping[Split, ImageTable]
    pairs: Mapping[PairSet, Pairs]
    images: Mapping[Split, Tensor]

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set with its images on another device."""
        return replace(self, images={name: x.to(device) for name, x in self.images.items()})

    def combinations_of(self, pair_set: PairSet) -> IntArray:
        """The combination that each image of each pair shows: int [P, M]."""
        return self.tables[SPLIT_OF[pair_set]].combinations[self.pairs[pair_set].images]

    def samples(self) -> Samples:
        """The pairs as samples of modalities `image1`, `image2`, …, which share their images.

        Groups are the combinations of attributes, so that folds keep out whole combinations.
        """
        modalities = modalities_of(self.settings)
        return Samples(
            modalities,
            {name: (images,) * len(modalities) for name, images in self.images.items()},
            {
                name: SampleSet(
                    SPLIT_OF[name], pairs.images, pairs.labels, self.combinations_of(name)
                )
                for name, pairs in self.pairs.items()
            },
            tasks_of(self.settings),
            self.settings.to_json(),
            self._truth,
        )

    def _truth(self) -> Mapping[str, Atoms]:
        from trifeature.data.truth import own_atoms  # noqa: PLC0415 - it needs this module

        test, rule = self.tables["test"].attributes, self.settings.rule
        return own_atoms(test, self.pairs["test"], rule)


def modalities_of(settings: DatasetSettings) -> tuple[Modality, ...]:
    """The images of a pair: `image1`, `image2`, …, of three channels."""
    side = settings.render.canvas
    places = range(1, settings.rule.modalities + 1)
    return tuple(Modality(f"image{place}", "image", (3, side, side)) for place in places)


def tasks_of(settings: DatasetSettings) -> dict[str, Task]:
    """The tasks of pairs: R the shared attribute, U1, U2, … each image's own, S the match."""
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
    """Choose which combinations and copies the two splits show."""
    kept, held_out = split_combinations(
        all_combinations(settings.counts),
        settings.held_out,
        seed=(SPLIT_STREAM, settings.seed),
        balanced=settings.balanced,
    )
    if settings.validation:
        kept, held_out = split_combinations(
            kept,
            settings.held_out,
            seed=(VALIDATION_STREAM, settings.seed),
            balanced=settings.balanced,
        )
    return {
        "train": _with_copies(kept, settings.copies),
        "test": _with_copies(held_out, settings.test_copies),
    }


def _with_copies(combinations: IntArray, copies: int) -> ImageTable:
    return ImageTable(
        np.repeat(combinations, copies, axis=0), np.tile(np.arange(copies), len(combinations))
    )


def plan_pairs(
    settings: DatasetSettings, tables: Mapping[Split, ImageTable]
) -> dict[PairSet, Pairs]:
    """Draw the three sets of pairs; only `train` is biased, and only if a match rate is set."""
    counts = (settings.train_pairs, settings.probe_pairs, settings.test_pairs)
    return {
        name: draw_pairs(
            tables[SPLIT_OF[name]].attributes,
            count,
            settings.rule,
            settings.partners,
            seed=(PAIR_STREAM, place, settings.seed),
            match_rate=settings.match_rate if name == "train" else None,
        )
        for place, (name, count) in enumerate(zip(PAIR_SETS, counts, strict=True))
    }


def build(
    settings: DatasetSettings,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Make a data set in memory.

    Args:
        settings: What to make.
        device: Where to render, and where the images stay.
        progress: Called with the number of images rendered so far and in all.
    """
    tables = plan_images(settings)
    total = sum(len(table.copies) for table in tables.values())
    images, before = {}, 0
    for name, table in tables.items():

        def report(done: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        images[name] = render(
            table.attributes,
            table.copies,
            seed=settings.seed,
            settings=settings.render,
            device=device,
            progress=report,
        )
        before += len(table.copies)
    return Dataset(settings, tables, plan_pairs(settings, tables), images)


def with_match_rate(dataset: Dataset, match_rate: float | None) -> Dataset:
    """The same images, probe and test pairs, with training pairs of another match rate."""
    settings = replace(dataset.settings, match_rate=match_rate)
    if settings == dataset.settings:
        return dataset
    train = plan_pairs(settings, dataset.tables)["train"]
    return replace(dataset, settings=settings, pairs={**dataset.pairs, "train": train})


def summarize(dataset: Dataset) -> dict[str, dict[str, Any]]:
    """What was drawn: for each set of pairs its size, match rate and label counts."""
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
