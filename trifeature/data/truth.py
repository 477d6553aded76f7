"""Ground truth: the exact PID atoms of every task, of the pairs as drawn.

A label is a function of a few attributes, so the images of a pair have exactly the information
about it that these attributes have. The sources of a task are its *own* attributes: those that its
label asks for, and those that the rule ties them to. The atoms are those of the drawn pairs, not of
the distribution they were drawn from; in bits, by the definition of Bertschinger et al. (2014),
with the width of the certified interval.

Atoms are given twice: for the own attributes, and with the shared attribute added to both sources.
In the population, adding the shared attribute changes no atom. In a finite sample it can: among 200
combinations each shape occurs with some of the textures and colors only, so the shape of a pair
carries a little information about them. Full triples of attributes are not used as sources: with
1,000 values a source nearly every pair would be unique, and the atoms would measure the sample
size, not the task.

N images, P pairs, M modalities.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.dataset import SPLIT_OF, ImageTable, PairSet, Split
from trifeature.data.pairs import PairRule, Pairs
from trifeature.errors import InputError, check_name
from trifeature.pid import ATOM_NAMES, Atoms, atoms_of_columns
from trifeature.threads import one_thread

IntArray = npt.NDArray[np.int64]
Sources = tuple[tuple[str, ...], tuple[str, ...]]

TOLERANCE: Final = 1e-6
"""Width of the certified intervals in bits, far below the variation between draws of pairs."""


def atom_of(task: str) -> str:
    """The atom that a task measures.

    >>> [atom_of(task) for task in ("share", "unique2", "synergy")]
    ['redundancy', 'unique2', 'synergy']
    """
    return {"share": "redundancy"}.get(task, task)


def target_of(rule: PairRule, task: str) -> str:
    """The name of a task's target.

    >>> [target_of(PairRule(), task) for task in PairRule().tasks]
    ['shape', 'texture 1', 'texture 2', 'match']

    Raises:
        InputError: the rule has no such task.
    """
    check_name("task", task, rule.tasks)
    if task.startswith("unique"):
        return f"{rule.unique} {task.removeprefix('unique')}"
    return {"share": rule.shared, "synergy": "match"}[task]


def sources_of(rule: PairRule, task: str, *, shared: bool = False) -> Sources:
    """The attributes of image 1 and of image 2 that are the sources of a task.

    - `share`: the shared attribute of both.
    - `synergy`: the two attributes that the map links.
    - `unique1`, `unique2`: that image's unique attribute, and the attributes of the other image
      that the rule ties it to, by the map or because they must differ. If there are none, the
      other image's unique attribute.

    Args:
        rule: Pairing rule of two modalities.
        task: A task of the rule.
        shared: Add the shared attribute to both sources.

    Raises:
        InputError: there are more than two modalities, or no such task.

    >>> sources_of(PairRule(), "synergy", shared=True)
    (('shape 1', 'texture 1'), ('shape 2', 'color 2'))
    >>> sources_of(PairRule(), "unique2")
    (('texture 1',), ('texture 2',))
    """
    if rule.modalities != 2:
        raise InputError(f"atoms are defined for two sources, not of {rule.modalities} modalities")
    added = (rule.shared,) if shared else ()
    one, other = (dict.fromkeys((*added, *names)) for names in _own_attributes(rule, task))
    return tuple(f"{name} 1" for name in one), tuple(f"{name} 2" for name in other)


def _own_attributes(rule: PairRule, task: str) -> Sources:
    """The sources of a task without the shared attribute."""
    check_name("task", task, rule.tasks)
    first, second = rule.synergy
    if task == "share":
        return (rule.shared,), (rule.shared,)
    if task == "unique1":
        return (rule.unique,), _tied(rule, first, second)
    if task == "unique2":
        return _tied(rule, second, first), (rule.unique,)
    return (first,), (second,)


def _tied(rule: PairRule, own: str, partner: str) -> tuple[str, ...]:
    """The other image's attributes that the rule ties to an image's unique attribute.

    `own` is the image's attribute in the map, `partner` the other image's.
    """
    tied = [partner] if own == rule.unique else []
    if rule.distinct_unique or not tied:
        tied.append(rule.unique)
    return tuple(dict.fromkeys(tied))


def task_atoms(
    attributes: IntArray,
    pairs: Pairs,
    rule: PairRule,
    task: str,
    *,
    shared: bool = False,
    tolerance: float = TOLERANCE,
) -> Atoms:
    """The exact atoms of one task on given pairs.

    Args:
        attributes: int [N, 3], attributes of the images.
        pairs: P pairs of these images.
        rule: Rule by which the pairs were drawn.
        task: A task of the rule.
        shared: Add the shared attribute to both sources.
        tolerance: Width of the certified interval, in bits.

    Returns:
        The atoms in bits, with the names of sources and target.

    Raises:
        InputError: more than two modalities, no such task, or a tolerance below 1e-9.
    """
    sources, target = sources_of(rule, task, shared=shared), target_of(rule, task)
    shown = attributes[pairs.images]  # [P, M, 3]
    columns = {
        f"{name} {m + 1}": shown[:, m, column]
        for column, name in enumerate(ATTRIBUTES)
        for m in range(rule.modalities)
    }
    columns[target] = pairs.labels[task]
    with one_thread():  # results do not depend on the number of cores
        return atoms_of_columns(columns, *sources, target, tolerance=tolerance)


def own_atoms(attributes: IntArray, pairs: Pairs, rule: PairRule) -> dict[str, Atoms]:
    """The atoms of every task for its own attributes; empty for more than two modalities.

    Args:
        attributes: int [N, 3], attributes of the images.
        pairs: P pairs of these images.
        rule: Rule by which the pairs were drawn.
    """
    if rule.modalities != 2:
        return {}
    return {task: task_atoms(attributes, pairs, rule, task) for task in rule.tasks}


def ground_truth(
    rule: PairRule, tables: Mapping[Split, ImageTable], pairs: Mapping[PairSet, Pairs]
) -> dict[str, Any]:
    """The exact atoms of every task on every set of pairs, as JSON data.

    Args:
        rule: Rule by which the pairs were drawn.
        tables: Attributes of the images of `train` and of `test`.
        pairs: The sets of pairs.

    Returns:
        `measure`, `unit`, `rows`, and `left_out`: the reason why there are no rows, or None. A row
        has `set`, `task`, `sources` (a list of attributes each), `target`, `shared` (True if the
        shared attribute was added), the four atoms, their `total`, and `gap`, the width of their
        certified interval. Task `share` has one row for each set, since its sources are the shared
        attribute; every other task has two.
    """
    content = {"measure": "BROJA", "unit": "bits", "left_out": None}
    if rule.modalities != 2:
        reason = f"these atoms are of two sources, and there are {rule.modalities} modalities"
        return {**content, "left_out": reason, "rows": []}
    cases = [(task, shared) for task in rule.tasks for shared in (False, True)]
    cases.remove(("share", True))  # its sources are the shared attribute already
    rows = []
    for name, drawn in pairs.items():
        attributes = tables[SPLIT_OF[name]].attributes
        for task, shared in cases:
            atoms = task_atoms(attributes, drawn, rule, task, shared=shared)
            sources = [list(source) for source in sources_of(rule, task, shared=shared)]
            case = {"set": name, "task": task, "shared": shared, "sources": sources}
            rows.append({**case, **_numbers(atoms)})
    return {**content, "rows": rows}


def _numbers(atoms: Atoms) -> dict[str, Any]:
    """The target and the numbers of a row, in bits."""
    values = dict(zip(ATOM_NAMES, atoms.values, strict=True))
    return {"target": atoms.target, **values, "total": atoms.total, "gap": atoms.gap}
