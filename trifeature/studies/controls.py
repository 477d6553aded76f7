"""Controls: partners shuffled within class, and a supervised network.

Shuffling the partners of a pair of modalities within each class keeps what each tells alone, and
what two independent looks tell together; it removes what only the two of one sample tell (an
exclusive or). So S after the shuffle is evidence that adds up, and what the shuffle takes from the
information of both, the part that lives in single samples.

P samples, M modalities.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from trifeature.samples import Samples, SampleSet
from trifeature.studies.features import Features
from trifeature.studies.questions import Subject
from trifeature.studies.readers import (
    IntArray,
    Parts,
    Predictions,
    ReaderSettings,
    read,
)


def shuffled(
    samples: Samples, modality: int, labels: dict[str, IntArray], parts: Parts, seed: int
) -> tuple[Samples, dict[str, IntArray]]:
    """The samples with the items of one modality exchanged within each class.

    Among the probe samples they are exchanged within a part too, so that no group is on both sides
    of a fold.

    Args:
        samples: The samples.
        modality: Place of the modality.
        labels: Classes of the samples of `probe` and `test`.
        parts: Of the probe samples.
        seed: Decides the exchange.

    Returns:
        The samples, and for each of the two sets the place that each item comes from [P].
    """
    column = parts.parts[:, min(modality, parts.parts.shape[1] - 1)]
    kept = {"probe": column, "test": np.zeros(len(samples.sets["test"]), dtype=np.int64)}
    sets, places = dict(samples.sets), {}
    for name, within in kept.items():
        stream = np.random.default_rng([seed, modality, name == "test"])
        places[name] = exchanged(labels[name], within, stream)
        sets[name] = _with_partners(samples.sets[name], modality, places[name])
    return replace(samples, sets=sets), places


def exchanged(labels: IntArray, within: IntArray, stream: np.random.Generator) -> IntArray:
    """A random permutation of places [P] that stays in each class and part."""
    cells = np.unique(np.stack([labels, within]), axis=1, return_inverse=True)[1].reshape(-1)
    order = np.lexsort((stream.random(len(labels)), cells))
    places = np.empty(len(labels), dtype=np.int64)
    places[np.argsort(cells, kind="stable")] = order
    return places


def _with_partners(one: SampleSet, modality: int, places: IntArray) -> SampleSet:
    rows, groups = one.rows.copy(), own_groups(one.groups, one.rows.shape[1])
    rows[:, modality] = one.rows[places, modality]
    groups[:, modality] = groups[places, modality]
    return SampleSet(one.table, rows, one.labels, groups)


def own_groups(groups: IntArray, count: int) -> IntArray:
    """The group of each item, [P, M]; of groups [P] every item has its sample's."""
    if groups.ndim == 2:
        return groups.copy()
    return np.repeat(groups[:, None], count, axis=1)


def supervised(
    samples: Samples, features: Features, subject: Subject, settings: ReaderSettings
) -> tuple[Predictions, int]:
    """Predictions of a wider network on the plain columns of all modalities.

    It is fitted on the training samples too, where these have labels.

    Returns:
        The predictions, and how many samples they were fitted on.
    """
    every = tuple(range(len(samples.modalities)))
    probe, train = samples.sets["probe"], samples.sets["train"]
    fit, test = features.of(samples, every)
    labels, groups = subject.coded["probe"], probe.groups
    if "train" in subject.coded and len(train) and train.table == probe.table:
        more = ~_among(train.rows, probe.rows)
        added = replace(samples, sets={**samples.sets, "probe": train.select(more)})
        if more.any() and groups.ndim == train.groups.ndim:
            fit = np.concatenate([fit, features.of(added, every)[0]])
            labels = np.concatenate([labels, subject.coded["train"][more]])
            groups = np.concatenate([groups, train.groups[more]])
    plan = replace(settings, hidden=2 * settings.hidden)
    parts = Parts.of(groups, plan)
    found = read(fit, labels, test, parts, plan, classes=subject.classes, families=("network",))
    return found, len(fit)


def _among(rows: IntArray, others: IntArray) -> npt.NDArray[np.bool_]:
    """Which rows [P] are among others."""
    known = set(map(tuple, others.tolist()))
    return np.array([tuple(row) in known for row in rows.tolist()], dtype=bool)
