"""What there is to learn: the exact atoms of every task on a data set's pairs as they were drawn.

A label is a function of a few attributes, so two images hold exactly what their attributes hold.
Of those, a task's *own* ones are counted as sources: what its label asks about and what the rule
ties that to. A drawn set is never quite its law, and the atoms here are those of the drawn pairs,
in bits, by the definition of Bertschinger et al. (2014), with the width of the certified interval.

They are given twice: for the own attributes, and with the shared attribute added to both sources.
By the law that changes nothing. In a drawn set it does: 200 combinations leave each shape only
some of the textures and colors, and the shape of a pair then tells a little about all of them.
Whole triples are left out: a thousand values to a source make nearly every drawn pair the only
one of its kind, and the atoms would be those of the draw's size and not of the task.

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
"""Width of the certified intervals, in bits: far below what another draw of pairs would change."""


def atom_of(task: str) -> str:
    """The atom that a task is there to show.

    >>> [atom_of(task) for task in ("share", "unique2", "synergy")]
    ['redundancy', 'unique2', 'synergy']
    """
    return {"share": "redundancy"}.get(task, task)


def target_of(rule: PairRule, task: str) -> str:
    """What a task asks for, in words.

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
    """The attributes of image 1 and of image 2 that count as the sources of a task.

    For `share` the shared attribute of either; for `synergy` what the map links; for `unique1`
    and `unique2` that image's unique attribute and the attributes of the other image that the
    rule ties it to, through the map or because they must differ. Where it is tied to none, the
    other image's unique attribute stands in.

    Args:
        rule: Of two modalities.
        task: One of its tasks.
        shared: Add the shared attribute to both sources.

    Raises:
        InputError: more than two modalities, or no such task.

    >>> sources_of(PairRule(), "synergy", shared=True)
    (('shape 1', 'texture 1'), ('shape 2', 'color 2'))
    >>> sources_of(PairRule(), "unique2")
    (('texture 1',), ('texture 2',))
    """
    if rule.modalities != 2:
        raise InputError(f"the atoms are those of two sources, not of {rule.modalities} modalities")
    added = (rule.shared,) if shared else ()
    one, other = (dict.fromkeys((*added, *names)) for names in _own_attributes(rule, task))
    return tuple(f"{name} 1" for name in one), tuple(f"{name} 2" for name in other)


def _own_attributes(rule: PairRule, task: str) -> Sources:
    """The attributes of image 1 and of image 2 that a task is about."""
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
    """What the rule ties to an image's unique attribute, among the other image's attributes."""
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
        attributes: int [N, 3], what the images show.
        pairs: P pairs of them.
        rule: By which the pairs were made.
        task: One of its tasks.
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
        f"{name} {m + 1}": shown[:, m, place]
        for place, name in enumerate(ATTRIBUTES)
        for m in range(rule.modalities)
    }
    columns[target] = pairs.labels[task]
    with one_thread():  # the same last digit on any number of cores
        return atoms_of_columns(columns, *sources, target, tolerance=tolerance)


def own_atoms(attributes: IntArray, pairs: Pairs, rule: PairRule) -> dict[str, Atoms]:
    """The atoms of every task for its own attributes; none for more than two modalities.

    Args:
        attributes: int [N, 3], what the images show.
        pairs: P pairs of them.
        rule: By which the pairs were made.
    """
    if rule.modalities != 2:
        return {}
    return {task: task_atoms(attributes, pairs, rule, task) for task in rule.tasks}


def ground_truth(
    rule: PairRule, tables: Mapping[Split, ImageTable], pairs: Mapping[PairSet, Pairs]
) -> dict[str, Any]:
    """The exact atoms of every task on every set of pairs, as plain data.

    Args:
        rule: By which the pairs were made.
        tables: What the images of `train` and of `test` show.
        pairs: The sets of pairs.

    Returns:
        `measure` and `unit`; `left_out`, why there are no rows, or None; and `rows`. A row names
        its `set`, `task`, `sources` (one list of attributes each) and `target`, says in `shared`
        whether the shared attribute was added, and holds the four atoms, their `total` and the
        width of their certified interval, `gap`. `share`, whose sources are the shared attribute
        itself, has one row a set, every other task two.
    """
    content = {"measure": "BROJA", "unit": "bits", "left_out": None}
    if rule.modalities != 2:
        reason = f"these atoms are of two sources, and there are {rule.modalities} modalities"
        return {**content, "left_out": reason, "rows": []}
    asked = [(task, shared) for task in rule.tasks for shared in (False, True)]
    asked.remove(("share", True))  # nothing new: its sources are the shared attribute
    rows = []
    for name, drawn in pairs.items():
        attributes = tables[SPLIT_OF[name]].attributes
        for task, shared in asked:
            atoms = task_atoms(attributes, drawn, rule, task, shared=shared)
            sources = [list(source) for source in sources_of(rule, task, shared=shared)]
            named = {"set": name, "task": task, "shared": shared, "sources": sources}
            rows.append({**named, **_numbers(atoms)})
    return {**content, "rows": rows}


def _numbers(atoms: Atoms) -> dict[str, Any]:
    """The target and the numbers of a row, in bits."""
    values = dict(zip(ATOM_NAMES, atoms.values, strict=True))
    return {"target": atoms.target, **values, "total": atoms.total, "gap": atoms.gap}
