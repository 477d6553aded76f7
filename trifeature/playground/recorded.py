"""The recorded runs as the page draws them: curves, sentences, and what models' codes tell.

Everything here is a function of rows: those that `comm-probe` writes, and those that
`scripts/codes.py` writes. An arm is a method, a loss and a setting. Arms without three seeds of
each training, on biased and on unbiased pairs, are left out and named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from trifeature.data.dataset import preset as data_preset
from trifeature.errors import InputError
from trifeature.experiments.experiment import Arm
from trifeature.experiments.leaderboard import KNOWN, arms
from trifeature.experiments.rows import is_number, preset_of
from trifeature.presets import PRESETS
from trifeature.probes.names import read_protocol
from trifeature.report import difference_of

Row = Mapping[str, Any]
Key: TypeAlias = tuple[str, str, str]
"""An arm: method, loss (of CoMM; the others have one) and setting."""

COLUMNS: Final = ("R", "U1", "U2", "S")
READINGS: Final = ("S_auc", "S_balanced")
"""S read in other ways; the page uses them where all of its rows have them."""
FEWEST_SEEDS: Final = 3
"""Fewest seeds, in both trainings, of an arm that is shown."""
OPENED: Final[tuple[Key, ...]] = (
    ("comm", "L_CoMM", ""),
    ("cross", "", ""),
    ("cross+self", "", ""),
)
"""The arms that the page opens with, the first of them in the lead."""
TASKS: Final = {"share": "shape", "unique1": "texture1", "unique2": "texture2", "synergy": "match"}
"""The page's name of each task of rows."""
KEY_LENGTH: Final = 8
"""Characters of a run's key that the page shows."""

CODES_WORDS: Final = (
    "Marks: what the codes of the two images, each alone through the trained network, tell about "
    "{n:,} test pairs; faint: the range over the seeds. Held-out readers find it (logistic "
    "regression or a network with a hidden layer; for both codes with their products), so each of "
    "the three informations is a lower bound. Atoms by the minimum, R = min(I1, I2): no definition "
    "without negative atoms has a larger R or S of them. R and U: trained on unbiased pairs; S: on "
    "pairs that match."
)
"""What the page says of codes."""


# --------------------------------------------------------------------------- curves


def learned(
    rows: Sequence[Row], source: str, codes: Sequence[Row] = (), codes_source: str = ""
) -> dict[str, Any] | None:
    """The recorded runs of one preset, grouped for the page; None where there are none.

    Rows of validation splits, of other ways to probe and of three modalities (the page shows pairs)
    are left out. Where a file holds several presets, the one with most rows is taken; where an arm
    was run with several configurations, the one with most rows.

    Args:
        rows: As `comm-probe` writes them.
        source: The name of their file.
        codes: As `scripts/codes.py` writes them.
        codes_source: The name of their file.

    Returns:
        `arms`, of which `default` marks those that are opened first; `few`, the labels of arms that
        are left out; `claim` and `epoch_sentences`, by epoch, made from the rows; `codes`, what
        `codes_of` gives; and what the page says about all of them.
    """
    fit = [row for row in rows if _usable(row)]
    if not fit:
        return None
    preset = Counter(map(preset_of, fit)).most_common(1)[0][0]
    fit = [row for row in fit if preset_of(row) == preset]
    groups: dict[Key, list[Row]] = {}
    for row in fit:
        groups.setdefault(_arm(row), []).append(row)
    named = _names(preset)
    kept = {key: _one_configuration(groups[key]) for key in _in_order(groups, named)}
    few = [key for key, own in kept.items() if _fewest_seeds(own) < FEWEST_SEEDS]
    for key in few:
        del kept[key]
    pairs = Counter(row.get("test_pairs") or 0 for row in fit).most_common(1)[0][0]
    every = [row for group in kept.values() for row in group]
    readings = [c for c in READINGS if all(is_number(row.get(c)) for row in every)]
    opened = _opened(list(kept))
    shown = [
        _arm_data(key, group, _label(key, named), (*COLUMNS, *readings), default=key in opened)
        for key, group in kept.items()
    ]
    first = [arm for key in opened for arm in shown if arm["id"] == _id(key)]
    return {
        "preset": PRESETS[preset].words if preset in PRESETS else f"{preset} preset",
        "classes": data_preset(preset).textures if preset in PRESETS else 10,
        "pairs": pairs or 4096,
        "source": source,
        "rows": len(every),
        "readings": readings,
        "arms": shown,
        "few": [_label(key, named) for key in few],
        "claim": claim(first),
        "epoch_sentences": epoch_sentences(first),
        **codes_of(codes, codes_source, {arm["id"]: arm["label"] for arm in shown}),
    }


def _usable(row: Row) -> bool:
    return (
        not row.get("validation")
        and "U3" not in row
        and read_protocol(row.get("probing", "ours")) == "ours"
        and all(is_number(row.get(column)) for column in COLUMNS)
        and {"preset", "method", "seed", "epoch", "biased"} <= row.keys()
    )


def _arm(row: Row) -> Key:
    loss = row.get("loss", "L_CoMM") if row["method"] == "comm" else ""
    return row["method"], loss, row.get("setting") or ""


def _id(key: Key) -> str:
    return re.sub(r"[^\w+.]+", "-", "-".join(part for part in key if part))


def _one_configuration(rows: Sequence[Row]) -> list[Row]:
    """The rows of the length and encoder that most rows share."""

    def configuration(row: Row) -> tuple[str, str]:
        return str(row.get("epochs")), str(row.get("encoder"))

    most = Counter(map(configuration, rows)).most_common(1)[0][0]
    return [row for row in rows if configuration(row) == most]


def _fewest_seeds(rows: Sequence[Row]) -> int:
    """Seeds that reach the last epoch, in the training that has fewer of them."""
    last = max(row["epoch"] for row in rows)
    return min(
        len({row["seed"] for row in rows if row["biased"] is kind and row["epoch"] == last})
        for kind in (True, False)
    )


def _arm_data(
    key: Key, rows: Sequence[Row], label: str, columns: Sequence[str], *, default: bool
) -> dict[str, Any]:
    method, loss, _ = key
    first = rows[0]
    words = [
        f"method {method}",
        *([f"loss {loss}"] if loss else []),
        *([f"encoder {first['encoder']}"] if "encoder" in first else []),
        *([f"{first['epochs']} epochs"] if "epochs" in first else []),
    ]
    return {
        "id": _id(key),
        "label": label,
        "words": ", ".join(words),
        **({"default": True} if default else {}),
        "biased": _runs([row for row in rows if row["biased"]], columns),
        "unbiased": _runs([row for row in rows if not row["biased"]], columns),
    }


def _runs(rows: Sequence[Row], columns: Sequence[str]) -> list[dict[str, Any]]:
    """One record a seed: its epochs in order and each of the columns beside them.

    A row repeated for the same seed and epoch replaces the one before it.
    """
    seeds: dict[int, dict[int, Row]] = {}
    for row in rows:
        seeds.setdefault(row["seed"], {})[row["epoch"]] = row
    return [
        {
            "seed": seed,
            "key": str(next(iter(found.values())).get("key", ""))[:KEY_LENGTH],
            "epochs": sorted(found),
            **{c: [round(found[epoch][c], 4) for epoch in sorted(found)] for c in columns},
        }
        for seed, found in sorted(seeds.items())
    ]


# --------------------------------------------------------------------------- names and order


def _names(preset: str) -> dict[Key, str]:
    """The leaderboard's label of each arm, in its order."""
    lines: Sequence[Arm] = arms(PRESETS[preset]) if preset in PRESETS else KNOWN
    found = {}
    for arm in lines:
        method = arm.changes.get("method", "comm")
        loss = arm.changes.get("loss", "L_CoMM") if method == "comm" else ""
        # The board calls a term of CoMM's loss by its sign alone.
        label = f"CoMM, {arm.label} alone" if loss not in {"", "L_CoMM"} else arm.label
        found[method, loss, arm.setting] = label
    return found


def _label(key: Key, named: Mapping[Key, str]) -> str:
    method, loss, setting = key
    name = named.get((method, loss, ""), " ".join(part for part in (method, loss) if part))
    return named.get(key, f"{name}, {setting}" if setting else name)


def _in_order(keys: Iterable[Key], named: Mapping[Key, str]) -> list[Key]:
    """Those that are opened first, then the leaderboard's lines, then all others."""
    places = {key: place for place, key in enumerate(dict.fromkeys((*OPENED, *named)))}
    return sorted(keys, key=lambda key: (places.get(key, len(places)), key[2] != "", key))


def _opened(keys: Sequence[Key]) -> list[Key]:
    """The arms that the page opens with: three, where there are so many."""
    wanted = [key for key in OPENED if key in keys]
    return [*wanted, *(key for key in keys if key not in wanted)][: len(OPENED)]


# --------------------------------------------------------------------------- sentences


def claim(opened: Sequence[Mapping[str, Any]]) -> str:
    """What a probe reads of S at the last epoch, with each arm's control.

    An arm's S is told where its lead over its control, paired by seed, has a 95 % interval above 0.

    Args:
        opened: Data of the arms that the page opens with, the first in the lead.
    """
    if not opened:
        return ""
    seeds = len(opened[0]["biased"])
    groups: dict[bool, list[str]] = {True: [], False: []}
    for arm in opened:
        last = max(epoch for run in arm["biased"] for epoch in run["epochs"])
        own, control = (_mean(arm[kind], _synergy(arm), last) for kind in ("biased", "unbiased"))
        several = f", {_in_words(len(arm['biased']))} seeds"
        same = arm is not opened[0] and len(arm["biased"]) == seeds
        numbers = f"{own}, control {control}{'' if same else several}"
        groups[_leads(arm, last)].append(f"{arm['label']} ({numbers})")
    reading = "AUC in per cent" if _synergy(opened[0]) == "S_auc" else "macro accuracy"
    told, untold = (" or ".join(groups[kind]) for kind in (True, False))
    source = f"by {reading}, from the features of"
    if not told:
        return f"No linear probe is shown to tell matches, {source} {untold}."
    rest = f", not from those of {untold}" if untold else ""
    return f"A linear probe tells matches, {source} {told}{rest}."


def _leads(arm: Mapping[str, Any], epoch: int) -> bool:
    """Whether S is above its control, paired by seed."""
    values = [
        {
            run["seed"]: run[_synergy(arm)][run["epochs"].index(epoch)]
            for run in arm[kind]
            if epoch in run["epochs"]
        }
        for kind in ("biased", "unbiased")
    ]
    both = sorted(values[0].keys() & values[1].keys())
    lead = difference_of([values[0][seed] - values[1][seed] for seed in both])
    return lead is not None and lead.low is not None and lead.low > 0


def epoch_sentences(opened: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """One sentence of result for each epoch at which an arm was probed, by epoch.

    Args:
        opened: As for `claim`.
    """
    epochs = sorted({e for arm in opened for run in arm["biased"] for e in run["epochs"]})
    found = {}
    for epoch in epochs:
        parts = [text for arm in opened if (text := _reading(arm, epoch))]
        start = f"Epoch {epoch}{', untrained' if epoch == 0 else ''}"
        found[str(epoch)] = f"{start}: {'; '.join(parts)}."
    return found


def _reading(arm: Mapping[str, Any], epoch: int) -> str:
    """What one arm reads at an epoch; nothing where it was not probed."""
    r, u1, u2 = (_mean_at(arm["unbiased"], column, epoch) for column in ("R", "U1", "U2"))
    own, control = (_mean_at(arm[kind], _synergy(arm), epoch) for kind in ("biased", "unbiased"))
    if r is None or u1 is None or u2 is None or own is None or control is None:
        return ""
    numbers = [f"{100 * value:.1f}" for value in (r, (u1 + u2) / 2, own, control)]
    return (
        f"{arm['label']} reads R {numbers[0]}, U {numbers[1]}, S {numbers[2]} over a control of "
        f"{numbers[3]}"
    )


def _synergy(arm: Mapping[str, Any]) -> str:
    """The column that S is read by: the AUC where there is one."""
    return "S_auc" if all("S_auc" in run for run in arm["biased"]) else "S"


def _mean_at(runs: Sequence[Mapping[str, Any]], column: str, epoch: int) -> float | None:
    """The mean over the seeds that were probed at an epoch."""
    values = [run[column][run["epochs"].index(epoch)] for run in runs if epoch in run["epochs"]]
    return sum(values) / len(values) if values else None


def _mean(runs: Sequence[Mapping[str, Any]], column: str, epoch: int) -> str:
    value = _mean_at(runs, column, epoch)
    return "not measured" if value is None else f"{100 * value:.1f}"


def _in_words(count: int) -> str:
    words = ("three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[count - 3] if 3 <= count <= 10 else str(count)


# --------------------------------------------------------------------------- codes


def check_codes(rows: Sequence[Row], path: Path) -> None:
    """Refuse rows that are not of codes.

    Raises:
        InputError: naming the file and the line.
    """
    if not rows:
        raise InputError(f"{path} holds no rows: scripts/codes.py writes them")
    for line, row in enumerate(rows, start=1):
        if not _is_of_codes(row):
            raise InputError(
                f"{path}, line {line} is no row of codes: name a file that scripts/codes.py wrote"
            )


def _is_of_codes(row: Row) -> bool:
    words = all(isinstance(row.get(name), str) for name in ("method", "codes", "setting"))
    numbers = all(is_number(row.get(name)) for name in ("seed", "n"))
    atoms, law = row.get("atoms"), row.get("law")
    return (
        row.get("kind") == "codes"
        and words
        and numbers
        and isinstance(row.get("biased"), bool)
        and row.get("task") in TASKS
        and isinstance(atoms, Mapping)
        and isinstance(law, Mapping)
        and all(is_number(law.get(name)) for name in COLUMNS)
        and all(
            isinstance(atoms.get(name), Mapping) and is_number(atoms[name].get("value"))
            for name in COLUMNS
        )
    )


def codes_of(rows: Sequence[Row], source: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """What codes of each image alone tell, means and ranges over the seeds, in bits.

    Args:
        rows: Of codes.
        source: The name of their file.
        labels: Of the arms that the page shows, by id; other arms are left out, and those with
            fewer than three seeds.

    Returns:
        `codes`: for each arm and task `atoms`, of the training that the page reads the task of, and
        beside it `control`, of the other training, and `untrained`. `codes_reference`: for each
        task `law`, the exact atoms of the test pairs as drawn, and what the same readers find in
        codes of noise (`nothing`) and of the attributes (`all`). `codes_claim`, a sentence of
        result, and `codes_words`, what this is. All are empty without rows.
    """
    cells: dict[tuple[str, str, bool | None, str], dict[int, Row]] = {}
    for row in rows:
        of_model = row["codes"] in {"trained", "untrained"}
        arm = _id(_arm(row)) if of_model else ""
        kind = row["biased"] if row["codes"] == "trained" else None
        cells.setdefault((arm, row["codes"], kind, row["task"]), {})[row["seed"]] = row
    told = []
    for arm in labels:
        for task, word in TASKS.items():
            main = task == "synergy"
            own = cells.get((arm, "trained", main, task), {})
            other = cells.get((arm, "trained", not main, task), {})
            if min(len(own), len(other)) < FEWEST_SEEDS:
                continue
            untrained = cells.get((arm, "untrained", None, task))
            told.append(
                {
                    "arm": arm,
                    "task": word,
                    "seeds": len(own),
                    "atoms": _over_seeds(own),
                    "control": _over_seeds(other),
                    "untrained": _over_seeds(untrained) if untrained else None,
                }
            )
    reference = _reference(cells) if told else {}
    return {
        "codes": told,
        "codes_reference": reference,
        "codes_claim": codes_claim(told, reference, labels),
        "codes_words": CODES_WORDS.format(n=rows[0]["n"]) if told else "",
        "codes_source": source if told else "",
    }


def codes_claim(
    told: Sequence[Mapping[str, Any]], reference: Mapping[str, Any], labels: Mapping[str, str]
) -> str:
    """What codes tell of the match only together, beside what there is to tell; "" without rows.

    Args:
        told: `codes` of `codes_of`.
        reference: `codes_reference` of `codes_of`.
        labels: Of arms, by id.
    """
    parts = []
    for one in told:
        if one["task"] == "match":
            own, control = (one[name]["S"]["mean"] for name in ("atoms", "control"))
            parts.append(f"{own:.2f} in the codes of {labels[one['arm']]} (control {control:.2f})")
    if not parts:
        return ""
    law = reference["match"]["law"]["S"]
    return f"Of {law:.2f} bits of S in the test pairs a reader of both codes finds " + (
        "; ".join(parts) + "."
    )


def _reference(
    cells: Mapping[tuple[str, str, bool | None, str], Mapping[int, Row]],
) -> dict[str, Any]:
    """For each task the law's atoms, and those of codes that tell nothing and all."""
    found: dict[str, Any] = {}
    for task, word in TASKS.items():
        laws = [row["law"] for key, own in cells.items() if key[3] == task for row in own.values()]
        mean = {name: sum(law[name] for law in laws) / len(laws) for name in COLUMNS}
        found[word] = {"law": {name: round(value, 4) for name, value in mean.items()}}
        for name, codes in (("nothing", "noise"), ("all", "attributes")):
            own = cells.get(("", codes, None, task))
            found[word][name] = _over_seeds(own) if own else None
    return found


def _over_seeds(rows: Mapping[int, Row]) -> dict[str, dict[str, float]]:
    """Mean, least and largest value of each atom."""
    found = {}
    for name in COLUMNS:
        values = [float(row["atoms"][name]["value"]) for row in rows.values()]
        numbers = {"mean": sum(values) / len(values), "low": min(values), "high": max(values)}
        found[name] = {key: round(value, 4) for key, value in numbers.items()}
    return found
