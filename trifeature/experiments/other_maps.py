"""What of S is specific to the map of training: maps that never occurred, read in the same way.

A probe of S is fitted on labeled pairs. Where a network shows the texture of image 1 *and* the
color of image 2, and something multiplies them, such a probe can learn *any* map from its labels,
one that training never saw too. Unbiased training is no control for that, since it may not show
them. So the same features are probed for maps whose every value has another partner: what S has
beyond them is specific to the map that was trained on.

The similarity Σ_d a_d b_d of what the modalities show by themselves is read without any fit; its
control is the same after unbiased training.

N samples, K values of an attribute.
"""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import Final

import numpy as np
import numpy.typing as npt

from trifeature.comm.methods import Method
from trifeature.comm.products import product_of
from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.dataset import SPLIT_OF, Dataset, PairSet
from trifeature.probes.metrics import roc_auc
from trifeature.probes.protocol import CleanCodes, extract_aligned, probe
from trifeature.samples import Samples, Task

SETS: Final[tuple[PairSet, ...]] = ("probe", "test")


def has_other_maps(data: Dataset) -> bool:
    """True if pairs of two modalities are labeled by a map, of which there are others."""
    rule = data.settings.rule
    mapped = rule.parsed_gate.uses_map and rule.modalities == 2 and not data.settings.label_noise
    return mapped and len(data.settings.partners) > 2


def shifts_of(values: int) -> tuple[int, ...]:
    """The shifts of the probed maps: three, or fewer for few values.

    >>> shifts_of(10), shifts_of(5)
    ((1, 3, 5), (1, 2))
    """
    return tuple(sorted({1, max(values // 3, 1), values // 2}))


def match_of(data: Dataset, name: PairSet, shift: int) -> npt.NDArray[np.int64]:
    """Whether pairs keep the map whose partners are `shift` values further, int [N]."""
    attributes = data.tables[SPLIT_OF[name]].attributes[data.pairs[name].images]
    a, b = (ATTRIBUTES.index(each) for each in data.settings.rule.synergy)
    partners = np.asarray(data.settings.partners)
    wanted = (partners[attributes[:, 0, a]] + shift) % len(partners)
    return np.asarray(attributes[:, 1, b] == wanted, dtype=np.int64)


def other_maps(method: Method, data: Dataset, codes: CleanCodes | None = None) -> dict[str, float]:
    """What is read of other maps than the pairs', and of the pairs' own by similarity alone.

    Args:
        method: Trained or not; it is left in evaluation mode.
        data: Pairs that have other maps, see `has_other_maps`.
        codes: Of the method and these pairs, if they are kept from other probings.

    Returns:
        Means over the other maps, in [0, 1]: `S_auc` and `S` by our probe of the method's features,
        `products_S_auc` and `products_S` by the probe with products. And `similarity`, the AUC of
        the similarity for the pairs' own map.
    """
    samples = with_labels_of(data, shifts_of(len(data.settings.partners)))
    clean = CleanCodes() if codes is None else codes
    found: dict[str, float] = {}
    for prefix, probing in (("", "ours"), ("products_", "products")):
        results = probe(method, samples, probing=probing, codes=clean).results.values()
        found[f"{prefix}S_auc"] = fmean(one.roc_auc for one in results if one.roc_auc is not None)
        found[f"{prefix}S"] = fmean(one.macro_accuracy for one in results)
    device = next(method.parameters()).device
    aligned = extract_aligned(method.eval(), samples.to(device), "test", codes=clean)
    similarity = product_of(aligned).sum(1).cpu().numpy()
    return found | {"similarity": roc_auc(labels=match_of(data, "test", 0), scores=similarity)}


def with_labels_of(data: Dataset, shifts: tuple[int, ...]) -> Samples:
    """The samples of a data set with the match of other maps for tasks, one a shift."""
    samples = data.samples()
    labels = {name: {f"map {k}": match_of(data, name, k) for k in shifts} for name in SETS}
    sets = dict(samples.sets) | {
        name: replace(samples.sets[name], labels=labels[name]) for name in SETS
    }
    tasks = {f"map {k}": Task(2) for k in shifts}
    return replace(samples, sets=sets, tasks=tasks, truth=dict)
