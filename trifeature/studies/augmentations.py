"""How much of a label a view of a modality still tells: rows of bits before and after."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from trifeature.modality import Modality
from trifeature.samples import Samples
from trifeature.studies.features import CHUNK, frequent, item_columns
from trifeature.studies.readers import FloatArray, IntArray
from trifeature.views import Views


def viewed_columns(
    samples: Samples, m: int, views: Views, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Plain columns of one view of every probe sample's item, and of every test sample's.

    Args:
        samples: The samples.
        m: Place of the modality.
        views: Its augmentation.
        seed: Seed of the views.
    """
    modality = samples.modalities[m]
    generator = torch.Generator().manual_seed(seed)
    counted = frequent(modality, _shown(samples, "probe", m))
    fit, test = (
        _columns(modality, _shown(samples, name, m), views, generator, counted)
        for name in ("probe", "test")
    )
    return fit, test


def _shown(samples: Samples, name: str, m: int) -> Tensor:
    """The item of modality m of every sample of a set."""
    one = samples.sets[name]
    return samples.items[one.table][m].cpu()[torch.from_numpy(one.rows[:, m])]


def _columns(
    modality: Modality,
    items: Tensor,
    views: Views,
    generator: torch.Generator,
    counted: IntArray | None,
) -> FloatArray:
    parts = []
    for part in items.split(CHUNK):
        drawn = views.draw(len(part), tuple(part.shape[1:]), generator)
        parts.append(item_columns(modality, views.apply(part, drawn), counted))
    return np.concatenate(parts)


def view_words(views: Views) -> str:
    """The settings of views as one line.

    >>> from trifeature.views.vectors import LIGHT_VECTOR
    >>> view_words(LIGHT_VECTOR)
    'noise 0.1, noise probability 1, drop 0–0.8, drop probability 0'
    """
    content = {k: v for k, v in views.to_json().items() if k not in ("kind", "mean", "std")}
    return ", ".join(f"{name.replace('_', ' ')} {_word(value)}" for name, value in content.items())


def _word(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) == 2:
        return "–".join(map(_word, value))
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int | float):
        return f"{value:g}"
    return str(value)
