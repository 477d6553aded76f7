"""What a model's codes of each image alone tell about labels, as R, U1, U2 and S in bits.

The probes of `trifeature.probes.protocol` read the representation of both images. Here each image
goes through the trained model alone, and three readers predict a label from the code of image 1,
from that of image 2 and from both (`trifeature.studies.readers`). They are fitted on the probe
samples and scored on the test samples, so each of the three informations is a held-out lower bound.

The reader of both must see what only the two together tell: whether color 2 fits texture 1 stands
in no sum of what each code shows. It reads the codes side by side, or with their element-wise
products added (`trifeature.comm.products`), by logistic regression or by a network with a hidden
layer, or one of the codes alone: whatever predicts held-out probe samples best.

The atoms are those of the minimum, R = min(I1, I2), by
`trifeature.pid.estimation.predictions`. For the law of Trifeature's pairs it is no approximation:
of each of its tasks the minimum's atoms are the law's. Of codes it is one definition of several:
its R and S are the largest that any definition without negative atoms allows, and its U1 and U2
the smallest. Two noisy codes of one shape have S by it, since two looks tell more than one.

Two references say what the estimator reads of so many samples: codes of noise, which tell nothing,
and codes of the attributes themselves, which tell all.

P samples, D and F columns, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from scipy.stats import entropy

from trifeature.comm.methods import Method
from trifeature.comm.products import product_of
from trifeature.data.dataset import Dataset
from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Interval
from trifeature.pid.estimation.estimates import INFORMATIONS, Estimate
from trifeature.pid.estimation.predictions import Spread, atoms_of_predictions
from trifeature.probes.protocol import CleanCodes, extract, extract_aligned
from trifeature.samples import Samples
from trifeature.studies.readers import (
    FloatArray,
    IntArray,
    Parts,
    Predictions,
    ReaderSettings,
    read,
    several_groups,
)
from trifeature.studies.readings import information, surplus
from trifeature.threads import one_thread

Row = dict[str, Any]

SHORT: Final = dict(zip(ATOM_NAMES, ("R", "U1", "U2", "S"), strict=True))
"""Names of the atoms in rows."""

ESTIMATOR: Final = "minimum"

NOISE_COLUMNS: Final = 128
"""Columns of the codes of noise: as many as the models' codes have."""

SETS: Final = ("probe", "test")


class Codes(NamedTuple):
    """Codes of the samples of one set.

    Attributes:
        one: Of image 1, [P, D].
        two: Of image 2, [P, D].
        product: Element-wise products of what the two images show, [P, F].
    """

    one: FloatArray
    two: FloatArray
    product: FloatArray


CodesOfSets = Mapping[str, Codes]
"""Codes of the sets `probe` and `test`."""


# --------------------------------------------------------------------------- codes


def model_codes(method: Method, samples: Samples) -> CodesOfSets:
    """The codes of each image alone through a model.

    Args:
        method: Trained or not; it is left in evaluation mode.
        samples: Of two modalities.

    Raises:
        InputError: the samples have another number of modalities.
    """
    if len(samples.modalities) != 2:
        raise InputError(f"codes are of two modalities, not {len(samples.modalities)}")
    method.eval()
    found, codes = {}, CleanCodes()
    for name in SETS:
        one, two = extract(method, samples, name, [[0], [1]], codes=codes)
        product = product_of(extract_aligned(method, samples, name, codes=codes))
        found[name] = Codes(*(np.asarray(x.double().cpu().numpy()) for x in (one, two, product)))
    return found


def noise_codes(samples: Samples, seed: int) -> CodesOfSets:
    """Codes that tell nothing: for each image random numbers of its own, whatever it shows."""
    stream, found = np.random.default_rng(seed), {}
    for name in SETS:
        one = samples.sets[name]
        images = len(samples.items[one.table][0])
        numbers = stream.normal(size=(images, NOISE_COLUMNS))
        first, second = (numbers[one.rows[:, m]] for m in range(2))
        found[name] = Codes(first, second, first * second)
    return found


def attribute_codes(data: Dataset) -> CodesOfSets:
    """Codes that tell all: the attributes of each image, a column for each value.

    The texture of image 1 is written as the color that the map assigns to it, so that a match is a
    sum of products of columns, as it is in codes that are aligned.

    Raises:
        InputError: the data set has no map, or more than two modalities.
    """
    settings = data.settings
    if settings.rule.modalities != 2 or not settings.synergy_map:
        raise InputError("codes of attributes are of data sets of two modalities with a map")
    partners, columns = np.asarray(settings.partners), np.eye(max(settings.counts.values()))
    found = {}
    for name in SETS:
        table = data.tables["train" if name == "probe" else "test"]
        shown = table.attributes[data.pairs[name].images]  # [P, 2, 3]
        (shape1, texture1, _), (shape2, texture2, color2) = shown.transpose(1, 2, 0)
        values = ((shape1, partners[texture1]), (shape2, color2, texture2))
        one, two = (np.concatenate([columns[own] for own in part], axis=1) for part in values)
        shared = one.shape[1]
        found[name] = Codes(one, two, one * two[:, :shared])
    return found


# --------------------------------------------------------------------------- atoms


def code_rows(
    codes: CodesOfSets,
    samples: Samples,
    *,
    seed: int,
    tasks: Sequence[str] | None = None,
    level: float = 0.95,
) -> list[Row]:
    """Atoms of codes, a row a task.

    Args:
        codes: Of `probe` and `test`.
        samples: The same samples, with the labels.
        seed: Seed of the readers.
        tasks: Names of tasks of classes; None for all.
        level: Confidence level of intervals over test samples, with groups as the samples have.

    Returns:
        Rows with `task`, `estimator`, `n`, `level`, `readers`, `atoms` and `informations` in bits
        with their intervals, `entropy` of the label, and `law`, the exact atoms of the test pairs
        as drawn, where they are known; `both_from` is what the reader of both reads.
    """
    truth = samples.truth()
    with one_thread():
        readers = _Readers(codes, samples, ReaderSettings(seed=seed), level)
        rows = [readers.row(task) for task in (samples.tasks if tasks is None else tasks)]
    for row in rows:
        atoms = truth.get(row["task"])
        row["law"] = dict(zip(SHORT.values(), atoms.values, strict=True)) if atoms else None
    return rows


class _Readers:
    """Reads labels from codes."""

    def __init__(
        self, codes: CodesOfSets, samples: Samples, settings: ReaderSettings, level: float
    ) -> None:
        self.codes, self.samples, self.settings, self.level = codes, samples, settings, level
        self.parts = Parts.of(samples.sets["probe"].groups, settings)
        self.groups = several_groups(samples.sets["test"].groups)
        self.spread = Spread.of(len(samples.sets["test"]), self.groups, level)

    def row(self, task: str) -> Row:
        """The atoms of a task."""
        labels = self.labels(task, "test")
        read_by = self.readings(task)
        chosen = best_of_held_out(read_by, self.labels(task, "probe"))
        three = (read_by["code 1"], read_by["code 2"], read_by[chosen])
        tables = [self.table(one, task) for one in three]
        p1, p2, p12 = tables
        found = atoms_of_predictions(p1, p2, p12, labels, self.level, groups=self.groups)
        shares = np.bincount(labels) / len(labels)
        return {
            "task": task,
            "estimator": ESTIMATOR,
            "n": len(labels),
            "level": self.level,
            "atoms": _atoms(found.mmi),
            "informations": _informations(found.mmi, found.information_intervals),
            "readers": {name: one.family for name, one in zip(INFORMATIONS, three, strict=True)},
            "both_from": chosen,
            "entropy": float(entropy(shares, base=2)),
        }

    def labels(self, task: str, name: str) -> IntArray:
        """Classes of the samples of a set, [P]."""
        return np.asarray(self.samples.sets[name].labels[task], dtype=np.int64)

    def readings(self, task: str) -> dict[str, Predictions]:
        """What each reader predicts, by what it reads."""
        labels, classes = self.labels(task, "probe"), self.samples.tasks[task].classes

        def reading(columns: Sequence[int], parts: Parts) -> Predictions:
            fit, test = (
                np.concatenate([self.codes[name][column] for column in columns], axis=1)
                for name in SETS
            )
            return read(fit, labels, test, parts, self.settings, classes=classes)

        return {
            "code 1": reading([0], self.parts.select([0])),
            "code 2": reading([1], self.parts.select([1])),
            "codes": reading([0, 1], self.parts),
            "codes and products": reading([0, 1, 2], self.parts),
        }

    def table(self, found: Predictions, task: str) -> FloatArray:
        """Probabilities [n, K]: the reader's, or the class frequencies if these are not worse.

        An information is at least 0, so a reader below it is no bound.
        """
        own, labels = found.test[:, 0], self.labels(task, "test")
        if information(own, labels, self.spread)["value"] > 0:
            return own
        counts = np.bincount(self.labels(task, "probe"), minlength=own.shape[1]) + 0.5
        return np.tile(counts / counts.sum(), (len(own), 1))


def best_of_held_out(found: Mapping[str, Predictions], labels: IntArray) -> str:
    """The name of the predictions with the most information on held-out probe samples.

    They are compared on the samples that all of them predicted without having seen their images.

    Args:
        found: By name.
        labels: Classes of the probe samples [P].
    """
    known = ~np.any([np.isnan(one.held_out[:, 0, 0]) for one in found.values()], axis=0)
    return max(
        found,
        key=lambda name: float(surplus(found[name].held_out[known, 0], labels[known]).mean()),
    )


def _atoms(found: Estimate) -> Row:
    return {
        short: _shown(found.corrected[name], found.intervals[name]) for name, short in SHORT.items()
    }


def _informations(found: Estimate, intervals: Mapping[str, Interval]) -> Row:
    return {name: _shown(found.informations[name], intervals[name]) for name in INFORMATIONS}


def _shown(value: float | None, ends: Interval | None) -> dict[str, float | None]:
    low, high = (ends.low, ends.high) if ends else (None, None)
    return {"value": value, "low": low, "high": high}
