"""Ground truth: the exact PID atoms of every task, of the pairs as drawn.

A label is a function of a few attributes, so the images of a pair have exactly the information
about it that these attributes have. The sources of a task are its *own* attributes: those that its
label asks for, and those that are tied to them, see `trifeature.data.ties.sources_of`. The atoms
are those of the drawn pairs, and beside them those of the law that they were drawn from; in bits,
by the definition of Bertschinger et al. (2014), with the width of the certified interval.

Atoms are given twice: for the own attributes, and with the shared attribute added to both sources.
In the population, adding the shared attribute changes no atom. In a finite sample it can: among 200
combinations each shape occurs with some of the textures and colors only, so the shape of a pair
carries a little information about them. Full triples of attributes are not used as sources: with
1,000 values a source nearly every pair would be unique, and the atoms would measure the sample
size, not the task.

N images, P pairs, M modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.captions import named_values
from trifeature.data.dataset import SPLIT_OF, ImageTable, PairSet, Split, draw_items
from trifeature.data.law import DRAWN, facts, law_atoms
from trifeature.data.pairs import Pairs
from trifeature.data.rule import PairRule
from trifeature.data.settings import DatasetSettings
from trifeature.data.ties import NOTHING, Ties, sources_of, target_of
from trifeature.data.union import closed_forms
from trifeature.errors import InputError, check_name
from trifeature.pid import ATOM_NAMES, Atoms, atoms_of_columns
from trifeature.pid.sources.pointwise import PointwiseAtoms, pointwise_columns
from trifeature.threads import one_thread

IntArray = npt.NDArray[np.int64]

TOLERANCE: Final = 1e-6
"""Width of the certified intervals in bits, far below the variation between draws of pairs."""


LABEL: Final = "label"
"""The target's column: a noisy label is not the attribute of the same name."""


def atom_of(task: str) -> str:
    """The atom that a task measures.

    >>> [atom_of(task) for task in ("share", "unique2", "synergy")]
    ['redundancy', 'unique2', 'synergy']
    """
    return {"share": "redundancy"}.get(task, task)


def task_atoms(
    attributes: IntArray,
    pairs: Pairs,
    rule: PairRule | Ties,
    task: str,
    *,
    shared: bool = False,
    tolerance: float = TOLERANCE,
    seen: Sequence[IntArray] | None = None,
) -> Atoms:
    """The exact atoms of one task on given pairs.

    Args:
        attributes: int [N, 3], attributes of the images.
        pairs: P pairs of these images.
        rule: Rule by which the pairs were drawn, or all that ties their attributes.
        task: A task of the rule.
        shared: Add the shared attribute to both sources.
        tolerance: Width of the certified interval, in bits.
        seen: int [N, 3] for each modality, the attributes as it shows them; None for all of them.

    Returns:
        The atoms in bits, with the names of sources and target.

    Raises:
        InputError: more than two modalities, no such task, or a tolerance below 1e-9.
    """
    ties = rule if isinstance(rule, Ties) else Ties(rule)
    sources, target = sources_of(ties, task, shared=shared), target_of(ties.rule, task)
    columns = _columns(attributes, pairs, ties, task, seen)
    with one_thread():  # results do not depend on the number of cores
        atoms = atoms_of_columns(columns, *sources, LABEL, tolerance=tolerance)
    return replace(atoms, target=target)


def _columns(
    attributes: IntArray,
    pairs: Pairs,
    ties: Ties,
    task: str,
    seen: Sequence[IntArray] | None,
) -> dict[str, IntArray]:
    """The label of a task and the attributes of each modality, by name, [P] each."""
    columns = {LABEL: pairs.labels[task]}
    for m in range(ties.rule.modalities):
        shown = (attributes if seen is None else seen[m])[pairs.images[:, m]]  # [P, 3]
        columns |= {f"{name} {m + 1}": shown[:, i] for i, name in enumerate(ATTRIBUTES)}
        columns[f"{NOTHING} {m + 1}"] = np.zeros(len(pairs), dtype=np.int64)
    return columns


def pair_atoms(
    settings: DatasetSettings,
    table: ImageTable,
    pairs: Pairs,
    task: str,
    measure: str = "I_sx",
) -> PointwiseAtoms:
    """The atoms of each single pair about a task's label, in bits, for the task's own attributes.

    Args:
        settings: Settings of the data set.
        table: The images of the pairs' split.
        pairs: P of its pairs.
        task: A task of the rule.
        measure: See `trifeature.pid.sources.pointwise.pointwise`.

    Raises:
        InputError: more than two modalities, no such task, or no such measure.
    """
    if settings.rule.modalities != 2:
        raise InputError(f"atoms of pairs are of two modalities, not {settings.rule.modalities}")
    check_name("task", task, settings.rule.tasks)
    ties = Ties.of(settings)
    one, other = sources_of(ties, task)
    columns = _columns(table.attributes, pairs, ties, task, seen_by(settings, table))
    parts = [{name: columns[name] for name in names} for names in (one, other)]
    return pointwise_columns(
        parts[0],
        parts[1],
        columns[LABEL],
        measure,
        sources=("+".join(one), "+".join(other)),
        target_name=target_of(ties.rule, task),
    )


def seen_by(settings: DatasetSettings, table: ImageTable) -> list[IntArray]:
    """The attributes of the images as each modality shows them, int [N, 3]; -1 if it does not."""
    found = []
    for m, look in enumerate(settings.looks_of):
        if look == "caption":
            tokens = draw_items(settings, table, look)
            found.append(named_values(tokens, settings.values, settings.caption))
        else:
            hidden = [name not in settings.shown_by(m) for name in ATTRIBUTES]
            found.append(np.where(hidden, -1, table.attributes))
    return found


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


def drawn_atoms(settings: DatasetSettings, table: ImageTable, pairs: Pairs) -> dict[str, Atoms]:
    """The same of pairs of a data set, with all that its settings say of them.

    Args:
        settings: Settings of the data set.
        table: The images of the pairs' split.
        pairs: One of its sets of pairs.
    """
    if settings.rule.modalities != 2:
        return {}
    ties, seen = Ties.of(settings), seen_by(settings, table)
    return {
        task: task_atoms(table.attributes, pairs, ties, task, seen=seen)
        for task in settings.rule.tasks
    }


def ground_truth(
    settings: DatasetSettings,
    tables: Mapping[Split, ImageTable],
    pairs: Mapping[PairSet, Pairs],
) -> dict[str, Any]:
    """The exact atoms of every task on every set of pairs and under their law, as JSON data.

    Args:
        settings: Settings of the data set.
        tables: Attributes of the images of `train` and of `test`.
        pairs: The sets of pairs.

    Returns:
        `measure`, `unit`, `rows`, and `left_out`: the reason why there are no rows, or None. A row
        has `set`, `task`, `sources` (a list of attributes each), `target`, `shared` (True if the
        shared attribute was added), the four atoms, their `total`, and `gap`, the width of their
        certified interval. Task `share` has one row for each set, since its sources are the shared
        attribute; every other task has two. What `law` gives is added.
    """
    rule = settings.rule
    content: dict[str, Any] = {"measure": "BROJA", "unit": "bits", "left_out": None, "rows": []}
    content |= law(settings)
    if rule.modalities != 2:
        reason = f"these atoms are of two sources, and there are {rule.modalities} modalities"
        return {**content, "left_out": reason}
    ties, seen = Ties.of(settings), {split: seen_by(settings, x) for split, x in tables.items()}
    cases = [(task, shared) for task in rule.tasks for shared in (False, True)]
    cases.remove(("share", True))  # its sources are the shared attribute already
    for name, drawn in pairs.items():
        table = tables[SPLIT_OF[name]]
        for task, shared in cases:
            atoms = task_atoms(
                table.attributes, drawn, ties, task, shared=shared, seen=seen[SPLIT_OF[name]]
            )
            sources = [list(source) for source in sources_of(ties, task, shared=shared)]
            case = {"set": name, "task": task, "shared": shared, "sources": sources}
            content["rows"].append({**case, **_numbers(atoms)})
    return content


def law(settings: DatasetSettings) -> dict[str, Any]:
    """What a data set's pairs are drawn from, as JSON data.

    Returns:
        `law`: for two modalities the atoms of each task, for `train` and for `test` (probe and
        test pairs), as the rows of `ground_truth`; for more, rows of union information, unique
        parts and total synergy where they have closed forms, see `trifeature.data.union`. And
        `facts`: what the dials tie together beside the tasks, in bits by name.
    """
    rows: list[dict[str, Any]] = []
    for drawn in DRAWN:
        if settings.rule.modalities == 2:
            ties = Ties.of(settings)
            for task in settings.rule.tasks:
                atoms = law_atoms(settings, task, drawn)
                sources = [list(source) for source in sources_of(ties, task)]
                rows.append({"set": drawn, "task": task, "sources": sources, **_numbers(atoms)})
        else:
            rows += [{"set": drawn, **row} for row in closed_forms(settings, drawn)]
    return {"law": rows, "facts": facts(settings)}


def _numbers(atoms: Atoms) -> dict[str, Any]:
    """The target and the numbers of a row, in bits."""
    values = dict(zip(ATOM_NAMES, atoms.values, strict=True))
    return {"target": atoms.target, **values, "total": atoms.total, "gap": atoms.gap}
