"""Features that readers read: plain columns of the items, or what a method makes of them.

Plain ("raw") columns need no training, and stand for what any simple reader sees:

- vector: its numbers.
- image: its pixels, averaged to 16 × 16 at most.
- series: for each channel mean, deviation, least, largest, last less first, and the means of four
  quarters, over the steps that are present.
- tokens: how often each of the most frequent tokens occurs, the others counted in a few columns
  that they share.

A modality with items that may be absent has one more column that says whether it is there. A
modality of many columns is reduced to principal components of the probe samples.

P samples, N items, T steps, F channels, D columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import torch
from torch import Tensor

from trifeature.comm.methods import Method
from trifeature.modality import Modality
from trifeature.probes.protocol import extract
from trifeature.samples import Samples
from trifeature.studies.readers import FloatArray, IntArray, reduced, standardized

COLUMNS: Final = 256
"""Most columns of a modality."""

SIDE: Final = 16
"""Largest side of an image that is read."""

SHARED: Final = 64
"""Columns that the rarer tokens of a large vocabulary share."""

CHUNK: Final = 1024

Subset = tuple[int, ...]
"""Places of some modalities, in order."""


class Features(Protocol):
    """Features of any subset of the modalities."""

    name: str
    """"raw", "untrained", or the name of a method."""

    def of(self, samples: Samples, subset: Subset) -> tuple[FloatArray, FloatArray]:
        """The features [P, D] of the probe samples, and of the test samples.

        Columns are standardized by the probe samples. Principal components keep their relative
        deviations: were each standardized again, those of noise would count like the first.
        """


# --------------------------------------------------------------------------- plain columns


@dataclass(eq=False)
class RawFeatures:
    """Plain columns of the items.

    Attributes:
        name: "raw".
        columns: Of each table and modality, [N, D].
    """

    name: str = "raw"
    columns: dict[tuple[str, int], FloatArray] = field(default_factory=dict, repr=False)

    @classmethod
    def new(cls, samples: Samples) -> RawFeatures:
        """The columns of all items, reduced by those that the probe samples show."""
        made = cls()
        tables = [samples.sets[name].table for name in ("probe", "test")]
        for m, modality in enumerate(samples.modalities):
            shown = np.unique(samples.sets["probe"].rows[:, m])
            counted = frequent(modality, samples.items[tables[0]][m][shown])
            own = {name: item_columns(modality, samples.items[name][m], counted) for name in tables}
            fit = own[tables[0]][shown]
            for name, values in own.items():
                made.columns[name, m] = reduced(*standardized(fit, values), COLUMNS)[1]
        return made

    def of(self, samples: Samples, subset: Subset) -> tuple[FloatArray, FloatArray]:
        """See `Features`."""
        probe, test = (self._of(samples, name, subset) for name in ("probe", "test"))
        return probe, test

    def _of(self, samples: Samples, name: str, subset: Subset) -> FloatArray:
        one = samples.sets[name]
        parts = [self.columns[one.table, m][one.rows[:, m]] for m in subset]
        return np.concatenate(parts, axis=1)


def item_columns(modality: Modality, items: Tensor, counted: IntArray | None = None) -> FloatArray:
    """Plain columns [N, D] of items [N, *shape], finite.

    Args:
        modality: Of the items.
        items: NaN where absent.
        counted: Tokens with a column of their own, see `frequent`.
    """
    if modality.vocabulary is not None and counted is None:
        counted = frequent(modality, items)
    parts = []
    for part in items.cpu().split(CHUNK):
        values = np.nan_to_num(_plain(modality.kind, part, counted), posinf=0.0, neginf=0.0)
        if modality.partial:
            share = modality.present(part).double().mean(1, keepdim=True).numpy()
            values = np.concatenate([values, share], axis=1)
        parts.append(values)
    return np.concatenate(parts)


def _plain(kind: str, items: Tensor, counted: IntArray | None) -> FloatArray:
    """The columns of items of a kind; those of a kind that has no others are its numbers."""
    if counted is not None:
        return _counts(items, counted)
    if kind == "image":
        return _pixels(items)
    if kind == "series":
        return _summaries(items)
    return np.asarray(items.flatten(1).double().numpy())


def _pixels(items: Tensor) -> FloatArray:
    """Pixels [N, D] of images [N, C, H, W], averaged to 16 × 16 at most."""
    size = (min(SIDE, items.shape[2]), min(SIDE, items.shape[3]))
    small = torch.nn.functional.adaptive_avg_pool2d(items.float(), size)
    return np.asarray(small.flatten(1).double().numpy())


def _summaries(items: Tensor) -> FloatArray:
    """Nine numbers a channel [N, 9 · F] of series [N, T, F]; absent steps stand at the end."""
    x = items.double()
    here = ~x[..., :1].isnan()
    length = here.sum(1).clamp_min(1)
    filled = x.nan_to_num(0.0)
    mean = filled.sum(1) / length
    spread = ((filled - mean[:, None]).square() * here).sum(1).div(length).sqrt()
    low = torch.where(here, filled, torch.inf).amin(1)
    high = torch.where(here, filled, -torch.inf).amax(1)
    last = filled.gather(1, (length - 1)[..., None].expand(-1, 1, x.shape[2]))[:, 0]
    quarter = torch.arange(x.shape[1])[None, :, None] * 4 // length[:, None]
    parts = [mean, spread, low, high, last - filled[:, 0]]
    for place in range(4):
        own = here & (quarter == place)
        count = own.sum(1)
        parts.append(torch.where(count > 0, (filled * own).sum(1) / count.clamp_min(1), mean))
    return np.asarray(torch.cat(parts, 1).numpy())


def frequent(modality: Modality, items: Tensor) -> IntArray | None:
    """The tokens of most items, as many as have a column of their own; None for other kinds.

    Of a small vocabulary these are all of its tokens.
    """
    if modality.vocabulary is None:
        return None
    if modality.vocabulary <= COLUMNS:
        return np.arange(modality.vocabulary)
    rows, tokens = _tokens(items)
    pairs = np.unique(rows * modality.vocabulary + tokens)
    counts = np.bincount(pairs % modality.vocabulary, minlength=modality.vocabulary)
    return np.asarray(np.sort(np.argsort(-counts, kind="stable")[: COLUMNS - SHARED]))


def _tokens(items: Tensor) -> tuple[IntArray, IntArray]:
    """Item and token of every step that is present."""
    table = items.cpu().numpy()
    rows, steps = np.nonzero(~np.isnan(table))
    return rows, table[rows, steps].astype(np.int64)


def _counts(items: Tensor, counted: IntArray) -> FloatArray:
    """Logarithms of 1 + how often each counted token occurs, then those that share columns."""
    rows, tokens = _tokens(items)
    place = np.searchsorted(counted, tokens).clip(max=len(counted) - 1)
    known = counted[place] == tokens
    # A token of a shared column is there by its number times a prime, modulo the columns.
    place = np.where(known, place, len(counted) + tokens * 2654435761 % SHARED)
    counts = np.zeros((len(items), len(counted) + SHARED))
    np.add.at(counts, (rows, place), 1.0)
    return np.log1p(counts)


# --------------------------------------------------------------------------- features of a method


@dataclass(eq=False)
class MethodFeatures:
    """Features of a method, trained or not.

    Attributes:
        name: As in rows.
        method: In evaluation mode.
        subsets: Subsets that are extracted together from the samples as they are.
        known: What was extracted already.
    """

    name: str
    method: Method
    samples: Samples
    subsets: Sequence[Subset]
    known: dict[Subset, tuple[FloatArray, FloatArray]] = field(default_factory=dict, repr=False)

    def of(self, samples: Samples, subset: Subset) -> tuple[FloatArray, FloatArray]:
        """See `Features`; those of the samples as they are get extracted once."""
        if samples is not self.samples or subset not in self.subsets:
            return self._extract(samples, [subset])[0]
        if not self.known:
            made = self._extract(samples, self.subsets)
            self.known = dict(zip(self.subsets, made, strict=True))
        return self.known[subset]

    def _extract(
        self, samples: Samples, subsets: Sequence[Subset]
    ) -> list[tuple[FloatArray, FloatArray]]:
        asked = [list(subset) for subset in subsets]
        probe, test = (
            [np.asarray(x.double().cpu().numpy()) for x in self._features(samples, name, asked)]
            for name in ("probe", "test")
        )
        return [standardized(*pair) for pair in zip(probe, test, strict=True)]

    def _features(self, samples: Samples, name: str, subsets: list[list[int]]) -> Any:
        device = next(self.method.parameters()).device
        return extract(self.method, samples.to(device), name, subsets)
