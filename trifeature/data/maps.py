"""The synergy map: a one-to-one map from the values of one attribute to those of another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from trifeature.checks import require_text
from trifeature.data.rule import PairRule
from trifeature.errors import InputError, check_name

MAP_STREAM: Final = 0x6D6170
"""First seed of the map's random stream: makes it independent of the others of the same seed."""


def make_map(
    text: str, rule: PairRule, values: Mapping[str, Sequence[str]], seed: int
) -> tuple[int, ...]:
    """Make the synergy map.

    Args:
        text: `auto` (random, drawn from `seed`), `random:SEED`, `identity`, a list such as
            `stripes=red,dots=green,…`, or the path of a JSON file with such an object.
        rule: Rule whose `synergy` attributes the map links.
        values: Names of the values of each attribute in this data set.
        seed: Seed of the data set; used by `auto` only.

    Returns:
        For each value of the first attribute the index of its partner; no partner occurs twice.

    Raises:
        InputError: the text cannot be read, names are unknown or missing, or the map is not
            one-to-one.

    >>> names = {"texture": ("solid", "stripes"), "color": ("red", "green")}
    >>> make_map("identity", PairRule(), names, seed=0)
    (0, 1)
    >>> make_map("solid=green,stripes=red", PairRule(), names, seed=0)
    (1, 0)
    """
    sources, targets = (tuple(values[name]) for name in rule.synergy)
    if len(sources) > len(targets):
        raise InputError(
            f"no one-to-one map: {len(sources)} values of {rule.synergy[0]} but only "
            f"{len(targets)} of {rule.synergy[1]}"
        )
    if require_text("synergy_map", text) == "identity":
        return tuple(range(len(sources)))
    if text == "auto" or text.startswith("random:"):
        return _random_map(seed if text == "auto" else _read_seed(text), len(sources), len(targets))
    return _named_map(_read_names(text), rule, sources, targets)


def _read_seed(text: str) -> int:
    number = text.removeprefix("random:")
    if not number.isdecimal():
        raise InputError(f"synergy map {text!r}: random:SEED needs a whole number, as in random:7")
    return int(number)


def _random_map(seed: int, sources: int, targets: int) -> tuple[int, ...]:
    order = np.random.default_rng([MAP_STREAM, seed]).permutation(targets)
    return tuple(int(target) for target in order[:sources])


def _read_names(text: str) -> list[tuple[str, str]]:
    """The (source, target) names in the text or the JSON file, in their order."""
    path = Path(text)
    if path.suffix == ".json" or _is_file(path):
        try:
            # A dictionary would hide repeated keys: objects are read as tuples of entries.
            content = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=tuple)
        except (OSError, ValueError) as problem:
            raise InputError(f"cannot read the synergy map {text}: {problem}") from None
        if not isinstance(content, tuple):
            raise InputError(f'synergy map {text}: expected an object like {{"solid": "red", …}}')
        return [(str(key), str(value)) for key, value in content]
    entries = [entry.split("=") for entry in text.split(",") if entry]
    if not entries or any(len(entry) != 2 for entry in entries):
        raise InputError(
            f"cannot read the synergy map {text!r}: give identity, random:SEED, "
            "stripes=red,dots=green,… or the path of a JSON file"
        )
    return [(source.strip(), target.strip()) for source, target in entries]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the text is too long for the name of a file
        return False


def _named_map(
    names: list[tuple[str, str]], rule: PairRule, sources: Sequence[str], targets: Sequence[str]
) -> tuple[int, ...]:
    """Turn names into indices; raise InputError unless they are a complete one-to-one map."""
    chosen: dict[str, str] = {}
    for source, target in names:
        check_name(rule.synergy[0], source, sources)
        check_name(rule.synergy[1], target, targets)
        if source in chosen:
            raise InputError(f"the synergy map is not one-to-one: {source} occurs twice")
        if target in chosen.values():
            raise InputError(f"the synergy map is not one-to-one: {target} has two partners")
        chosen[source] = target
    missing = [source for source in sources if source not in chosen]
    if missing:
        raise InputError(f"the synergy map lacks {', '.join(missing)}")
    return tuple(targets.index(chosen[source]) for source in sources)
