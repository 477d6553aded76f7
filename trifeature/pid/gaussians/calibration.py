"""Measured coverage, width, bias and false positives of `estimate_gaussian`.

Each law is a hard case of its own: ties of the two sources (a kink of U1 and U2), atoms that are
exactly 0 or nearly so, sources without information, more target dimensions than source
dimensions, many dimensions for few samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trifeature.checks import require_whole
from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.gaussians.covariances import Sizes
from trifeature.pid.gaussians.laws import Law, values_of
from trifeature.pid.gaussians.samples import GaussianEstimate, NotGaussianWarning, estimate_gaussian
from trifeature.pid.tables import Array

Row = dict[str, Any]

# A miss of the interval by more than this counts, in bits.
MISS = 1e-6
# Level of the tests whose rejections are counted.
ALPHA = 0.05


def calibration_laws() -> dict[str, Law]:
    """Thirteen laws by name; the sizes (d1, d2, dy) follow the name.

    >>> sorted(calibration_laws())[0]
    'copy 1, 1, 2'
    """
    one, zero = np.ones((1, 1)), np.zeros((1, 1))
    two, none2 = np.eye(2), np.zeros((2, 2))
    mixed = np.array([[1.0, 0.5], [0.0, 1.0]])
    laws = [
        ("equal looks", Law(one, one, zero)),
        ("equal weak looks", Law(0.3 * one, 0.3 * one, zero)),
        ("unequal looks", Law(1.5 * one, 0.7 * one, 0.3 * one)),
        ("suppressor", Law(one, zero, 0.8 * one)),
        ("copy", Law(two[:1], two[1:], zero)),
        ("independent", Law(np.zeros((2, 1)), np.zeros((2, 1)), none2)),
        ("equal looks", Law(two, two, none2)),
        ("degraded", Law(mixed, 0.5 * mixed, none2)),
        ("one tie", Law(np.eye(3, 2), np.diag([1.0, 0.2]), np.zeros((3, 2)))),
        ("dense", _dense((1, 1, 2), 1.0)),
        ("dense", _dense((3, 3, 3), 0.6)),
        ("dense", _dense((5, 5, 1), 0.5)),
        ("dense", _dense((10, 10, 5), 0.3)),
    ]
    return {f"{name} {', '.join(map(str, law.sizes))}": law for name, law in laws}


def _dense(sizes: Sizes, strength: float) -> Law:
    """Random signals, and a random cross-noise of norm 0.6."""
    rng = np.random.default_rng(5)
    d1, d2, dy = sizes
    C = rng.standard_normal((d1, d2))
    return Law(
        strength * rng.standard_normal((d1, dy)),
        strength * rng.standard_normal((d2, dy)),
        0.6 * C / np.linalg.norm(C, 2),
    )


def calibrate_gaussian(
    laws: Mapping[str, Law] | None = None,
    samples: Sequence[int] = (64, 256, 1024),
    *,
    repetitions: int = 300,
    seed: int = 0,
    **settings: Any,
) -> list[Row]:
    """Estimate the atoms of samples drawn from known laws, and count what holds.

    Args:
        laws: By name; `calibration_laws()` by default.
        samples: Numbers of samples.
        repetitions: Samples drawn of each law and number.
        seed: Seed of the samples.
        settings: Of `estimate_gaussian`, for example `copula=True` or `bootstraps=200`.

    Returns:
        Rows of law, n, atom, truth, bias, deviation (of the point over the repetitions), coverage,
        width (mean), width_ratio (to 3.92 deviations), rejected (share of p <= .05, None where the
        atom is not 0) and withheld (number of repetitions); values in bits. Coverage, width and
        rejections are None where all are withheld.

    Raises:
        InputError: No repetitions, or what `estimate_gaussian` raises.
    """
    count = require_whole("repetitions", repetitions, 2)
    rows: list[Row] = []
    for name, law in (laws or calibration_laws()).items():
        if not isinstance(law, Law):
            raise InputError(f"law {name!r} is a Law of trifeature.pid.gaussians.laws, not {law!r}")
        truth = values_of(law.covariance()[None], law.sizes).atoms[0]
        for n in samples:
            found = list(_estimates(law, n, count, seed, settings))
            rows += [
                {"law": name, "n": n, "atom": atom, **_row(found, atom, float(truth[j]))}
                for j, atom in enumerate(ATOM_NAMES)
            ]
    return rows


def _estimates(
    law: Law, n: int, count: int, seed: int, settings: Mapping[str, Any]
) -> Iterator[GaussianEstimate]:
    root, (d1, d2, _) = np.linalg.cholesky(law.covariance()), law.sizes
    for repetition in range(count):
        rng = np.random.default_rng((seed, n, repetition))
        data: Array = rng.standard_normal((n, len(root))) @ root.T
        x1, x2, y = np.split(data, [d1, d1 + d2], axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGaussianWarning)  # chance: the law is Gaussian
            found = estimate_gaussian(x1, x2, y, **{"seed": repetition, **settings})
        yield found


def _row(found: Sequence[GaussianEstimate], atom: str, truth: float) -> Row:
    points = np.array([one.atoms.value(atom) for one in found])
    intervals = [interval for one in found if (interval := one.intervals[atom]) is not None]
    p_values = [p for one in found if (p := one.p_values[atom]) is not None]
    held = [low - MISS <= truth <= high + MISS for low, high in intervals]
    width = float(np.mean([high - low for low, high in intervals])) if intervals else None
    deviation = float(points.std())
    return {
        "truth": truth,
        "bias": float(points.mean()) - truth,
        "deviation": deviation,
        "coverage": float(np.mean(held)) if held else None,
        "width": width,
        "width_ratio": None if width is None or deviation == 0 else width / (3.92 * deviation),
        "rejected": float(np.mean(np.array(p_values) <= ALPHA))
        if p_values and truth < MISS
        else None,
        "withheld": len(found) - len(intervals),
    }
