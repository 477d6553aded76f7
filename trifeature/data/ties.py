"""What ties the attributes of a pair together, and which of them are the sources of a task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.captions import erasure
from trifeature.data.rule import PairRule
from trifeature.data.settings import DatasetSettings
from trifeature.errors import InputError, check_name

Sources = tuple[tuple[str, ...], tuple[str, ...]]
Node = tuple[str, int]
"""An attribute of a modality, numbered from 0."""

NOTHING: Final = "nothing"
"""The source of a modality that shows nothing about the target."""


@dataclass(frozen=True)
class Ties:
    """What ties attributes together, and what of them the modalities show.

    Attributes:
        rule: The pairing rule of two modalities.
        dependent: The unique attribute depends on the shared one.
        shown: For each modality the attributes that it shows; None for all of them.
        partly: Those attributes of a modality that it shows in some items only.
    """

    rule: PairRule
    dependent: bool = False
    shown: tuple[tuple[str, ...], ...] | None = None
    partly: frozenset[Node] = frozenset()

    @classmethod
    def of(cls, settings: DatasetSettings) -> Ties:
        """The ties of a data set."""
        modalities = range(settings.rule.modalities)
        return cls(
            settings.rule,
            settings.dependence > 0,
            tuple(settings.shown_by(m) for m in modalities),
            frozenset(
                (name, m)
                for m in modalities
                for name in ATTRIBUTES
                if 0 < omission(settings, name, m) < 1
            ),
        )

    def shows(self, node: Node) -> bool:
        """True if a modality shows the attribute, always or in some items."""
        return self.shown is None or node[0] in self.shown[node[1]]

    def edges(self) -> list[tuple[Node, Node]]:
        """The pairs of attributes that the law ties directly."""
        rule = self.rule
        a, b = rule.synergy
        found = [((rule.shared, 0), (rule.shared, 1)), ((a, 0), (b, 1))]
        if rule.distinct_unique:
            found.append(((rule.unique, 0), (rule.unique, 1)))
        if self.dependent:
            found += [((rule.shared, m), (rule.unique, m)) for m in (0, 1)]
        return found


def omission(settings: DatasetSettings, attribute: str, modality: int) -> float:
    """Probability that an item of a modality does not show an attribute."""
    if settings.looks_of[modality] == "caption":
        return erasure(settings.caption, attribute)
    return 0.0 if attribute in settings.shown_by(modality) else 1.0


def asked(rule: PairRule, task: str) -> tuple[Node, ...]:
    """The attributes that a task's label is a function of.

    Raises:
        InputError: the rule has no such task.
    """
    check_name("task", task, rule.tasks)
    if task == "share":
        return ((rule.shared, 0),)
    if task == "synergy":
        return ((rule.synergy[0], 0), (rule.synergy[1], 1))
    return ((rule.unique, int(task.removeprefix("unique")) - 1),)


def sources_of(ties: Ties | PairRule, task: str, *, shared: bool = False) -> Sources:
    """The attributes of image 1 and of image 2 that are the sources of a task.

    A source has the shown attributes of its image that the task asks for, and those that are tied
    to one that it asks for, directly or through attributes that the source does not have itself:
    given those, all others say nothing more. If an image shows none, its unique attribute stands
    for it, or `NOTHING` where it does not show that either.

    Args:
        ties: Ties of two modalities, or a rule whose images show all.
        task: A task of the rule.
        shared: Add the shared attribute to both sources.

    Raises:
        InputError: there are more than two modalities, or no such task.

    >>> sources_of(PairRule(), "synergy", shared=True)
    (('shape 1', 'texture 1'), ('shape 2', 'color 2'))
    >>> sources_of(PairRule(), "unique2")
    (('texture 1',), ('texture 2',))
    """
    known = ties if isinstance(ties, Ties) else Ties(ties)
    if known.rule.modalities != 2:
        raise InputError(
            f"atoms are defined for two sources, not of {known.rule.modalities} modalities"
        )
    one, other = (
        tuple(f"{name} {m + 1}" for name in _source(known, task, m, shared=shared) or (NOTHING,))
        for m in (0, 1)
    )
    return one, other


def _source(ties: Ties, task: str, modality: int, *, shared: bool) -> tuple[str, ...]:
    """The attributes of one source, in the order in which the ties lead to them."""
    rule = ties.rule
    found: list[str] = []
    edges = ties.edges()
    queue: list[Node] = list(asked(rule, task))
    seen = set(queue)
    while queue:
        node = queue.pop(0)
        if node[1] == modality and ties.shows(node):
            found.append(node[0])
            if node not in ties.partly:
                continue  # what is behind it is told by it
        for one, other in edges:
            beyond = {one: other, other: one}.get(node, node)
            if beyond not in seen:
                seen.add(beyond)
                queue.append(beyond)
    if not found and ties.shows((rule.unique, modality)):
        found.append(rule.unique)
    added = (rule.shared,) if shared and ties.shows((rule.shared, modality)) else ()
    return tuple(dict.fromkeys((*added, *found)))


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
    gate = "match" if rule.parsed_gate.uses_map else rule.gate
    return {"share": rule.shared, "synergy": gate}[task]
