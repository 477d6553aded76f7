"""The report of a study as one HTML file: all that is in it is a function of the study's rows.

The file has its style in it and needs no script, no other file and no network. Names come from
users' files: each is escaped where it is put in. What the rows are is said in `trifeature.studies`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

import trifeature
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.studies.pictures import (
    Row,
    atom_picture,
    augmentation_picture,
    interval,
    number,
    reading_picture,
    significant,
    source_words,
    spelled,
)

GENERATOR: Final = "trifeature study"
"""Names the program in the page's head; `trifeature.studies.folder` knows a report by it."""

FEATURES: Final = {
    "raw": "the data as they are",
    "untrained": "untrained network",
    "supervised": "supervised network",
}
"""Words for the features that are no method's."""

METRICS: Final = {
    "accuracy": ("Accuracy", "%"),
    "macro_accuracy": ("Macro accuracy: every class counts alike", "%"),
    "auc": ("AUC", "%"),
    "macro_f1": ("Macro F1", "%"),
    "weighted_f1": ("Weighted F1", "%"),
    "r2": ("R²: share of the variance", ""),
    "mse": ("Mean squared error", ""),
    "bits": ("Information that is read from test samples", "bits"),
    "held_out": ("The same from held-out probe samples, by which readers are chosen", "bits"),
}
"""What a reading may hold, in the order of the tables: words and unit."""

KNOWN: Final = (
    *("kind", "label", "features", "from", "n", "majority", "low", "high", "reader", "columns"),
    "note",
)
"""Keys of a reading that are no metric."""

NOT: Final = {
    "Not the R, U and S of the data.": (
        "Each number says what a reader of the named features can read on held-out samples. "
        "Another reader or other features may read more, or share it out differently."
    ),
    "“Open” is not “no”.": (
        "It says that these samples cannot decide. “No” says that there is less than a small "
        "bound, for these readers."
    ),
    "Synergy may be an average.": (
        "Two noisy looks at one thing tell more together than the better one alone. That counts "
        "as synergy here, though there is nothing that only the two together could show."
    ),
    "Uniqueness may be noise.": (
        "If one modality shows the same thing more clearly, the minimum calls the difference "
        "unique to it."
    ),
    "No causes.": (
        "A modality that tells a label need not have to do with it: it may tell the place, the "
        "person or the device."
    ),
    "Many looks.": (
        "Intervals hold for one number at a time. Where many labels, pairs and atoms are looked "
        "at, some intervals miss."
    ),
}
"""What not to conclude: what it is called, and why."""

VERDICTS: Final = (
    "Yes: it is there, by its interval, by two estimators, and for synergy by the shuffle. No: "
    "there is less than a small bound. Open: these samples cannot decide."
)
"""What the words of a verdict mean."""

UNNAMED: Final = ("files", "arrays", "own data")
"""What data without a name are called in rows."""

UNGROUPED: Final = {
    "No groups were named.": (
        "If several samples come from one person, film or place, name what they share, and "
        "measure again."
    )
}
"""What not to conclude besides, where every sample was a group of its own."""


def page(rows: Iterable[Row]) -> str:
    """The whole report.

    Args:
        rows: Rows of a study; kinds that are missing have no section.

    Returns:
        HTML that needs nothing but a browser.
    """
    study = list(rows)
    about = next((row for row in study if row["kind"] == "about"), {})
    title = f"What a probe reads: {_subject(about)}"
    labels = list(dict.fromkeys(row["label"] for row in study if "label" in row))
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    body = [
        f"<h1>{spelled(title)}</h1>",
        _introduction(),
        _contents(labels),
        _conclusions(study),
        _data(about),
        *(_label(place, name, study, about) for place, name in enumerate(labels, 1)),
        _computed(about),
        _warnings(about),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="{GENERATOR} {trifeature.__version__}">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{spelled(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


# --------------------------------------------------------------------------- sections


def _subject(about: Row) -> str:
    """The name of the data, or, where they have none, of their modalities."""
    data = about.get("data", "a study")
    names = [one["name"] for one in about.get("modalities", ())]
    return ", ".join(names) if data in UNNAMED and names else data


def _introduction() -> str:
    return (
        '<p class="lead">How much of each label can be read from each modality, from all of them, '
        "and what only several together tell. Information is in bits: one bit halves the cases "
        "that are left. Everything was measured on samples that neither a network nor a reader "
        "was fitted on.</p>"
    )


def _contents(labels: Sequence[str]) -> str:
    links = [
        ("conclusion", "Conclusion"),
        ("data", "The data"),
        *((f"label-{place}", name) for place, name in enumerate(labels, 1)),
        ("computed", "How it was computed"),
        ("not", "What not to conclude"),
    ]
    items = "".join(f'<li><a href="#{key}">{spelled(words)}</a></li>' for key, words in links)
    return f'<nav aria-label="Contents"><ol>{items}</ol></nav>'


def _conclusions(study: Sequence[Row]) -> str:
    found = [row for row in study if row["kind"] == "conclusion"]
    if not found:
        return ""
    head = ["label", "modalities", "redundancy", "unique to the first", "unique to the second"]
    lines = [
        [row["label"], " and ".join(row["sources"]), *(row.get(atom, "–") for atom in ATOM_NAMES)]
        for row in found
    ]
    table = _table("Is it there, for these readers?", [*head, "synergy"], lines, words=6)
    texts = "".join(
        f"<h3>{spelled(row['label'])}: {spelled(' and '.join(row['sources']))}</h3>"
        f"<p>{spelled(row['text'])}</p>"
        for row in found
        if row.get("text")
    )
    return _section("conclusion", "Conclusion", f'{table}<p class="note">{VERDICTS}</p>{texts}')


def _data(about: Row) -> str:
    if not about:
        return ""
    shapes = [
        [m["name"], m["kind"], " × ".join(map(str, m["shape"]))]
        for m in about.get("modalities", ())
    ]
    parts = [_table("Modalities", ["name", "kind", "shape of an item"], shapes, words=3)]
    labels = [
        [
            name,
            found.get("kind", "classes"),
            number(found.get("classes"), 0),
            _share(found.get("majority")),
            number(found.get("entropy")),
            ", ".join(map(str, found.get("names") or ())),
        ]
        for name, found in (about.get("labels") or {}).items()
    ]
    head = ["label", "kind", "classes", "most frequent class, %", "entropy, bits", "names"]
    parts.append(_table("Labels", head, labels, words=2, last_words=True))
    sets = [[name, number(count, 0)] for name, count in (about.get("sets") or {}).items()]
    groups = about.get("groups")
    said = (
        "Every sample counts as a group of its own: if several came from one person or one film, "
        "a reader may have recognized that, and intervals are too narrow."
        if groups is None
        else f"{number(groups, 0)} groups of samples to test on; none was learned from."
    )
    parts.append(_table("Samples", ["set", "samples"], sets) + f"<p>{said}</p>")
    if notes := about.get("notes") or (about.get("origin") or {}).get("notes"):
        items = "".join(f"<li>{spelled(note)}</li>" for note in notes)
        parts.append(f"<h3>How the files were read</h3><ul>{items}</ul>")
    return _section("data", "The data", "".join(parts))


def _label(place: int, name: str, study: Sequence[Row], about: Row) -> str:
    own = [row for row in study if row.get("label") == name]
    kinds = {kind: [row for row in own if row["kind"] == kind] for kind in {r["kind"] for r in own}}
    found = (about.get("labels") or {}).get(name, {})
    target = found.get("target", name)
    parts = [
        "" if target == name else f"<p>Asked about: {spelled(target)}.</p>",
        *_readings(name, kinds.get("reading", []), found),
        *_atoms(name, kinds.get("atoms", [])),
        _all(kinds.get("all", [])),
        _augmentations(name, kinds.get("augmentation", [])),
    ]
    return _section(f"label-{place}", f"Label: {name}", "".join(part for part in parts if part))


def _readings(name: str, rows: Sequence[Row], found: Row) -> list[str]:
    """A table for each metric, features downwards and modalities to the right."""
    if not rows:
        return []
    parts = ["<h3>What can be read, and from what</h3>", _majority(rows, found)]
    extra = sorted(
        {key for row in rows for key in row if _is_number(row[key])} - {*KNOWN, *METRICS}
    )
    metrics = METRICS | {key: (key, "") for key in extra}
    parts += [_metric(rows, key, *words) for key, words in metrics.items()]
    if any(row.get("bits") is not None for row in rows):
        picture = reading_picture(f"Information about {name} that is read", rows, FEATURES)
        parts.append(_figure(picture, "Bars with intervals over groups of test samples."))
    parts.append(_readers(rows))
    notes: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.get("note"):
            notes.setdefault(row["note"], {})[_feature(row)] = None
    said = [f"{', '.join(features)}: {note}." for note, features in notes.items()]
    return [*parts, *(f'<p class="note">{spelled(words)}</p>' for words in said)]


def _majority(rows: Sequence[Row], found: Row) -> str:
    shares = {row["majority"] for row in rows if row.get("majority") is not None}
    if not shares and found.get("majority") is not None:
        shares = {found["majority"]}
    counts = sorted({row["n"] for row in rows if row.get("n") is not None})
    parts = []
    if shares:
        most = ", ".join(_share(share) for share in sorted(shares))
        parts.append(f"Always naming the most frequent class is right in {most} % of the cases.")
    if counts:
        parts.append(f"Test samples: {', '.join(number(n, 0) for n in counts)}.")
    return f"<p>{' '.join(parts)}</p>" if parts else ""


def _metric(rows: Sequence[Row], key: str, words: str, unit: str) -> str:
    """A table of one number of all readings."""

    def cell(row: Row) -> str:
        rounded = number(row[key]) if key in METRICS and key != "mse" else significant(row[key])
        text = _share(row[key]) if unit == "%" else rounded
        ends = interval(row.get("low"), row.get("high")) if key == "bits" else ""
        return f"{text} {ends}".strip()

    shown = [row for row in rows if row.get(key) is not None]
    return _by_source(f"{words}{unit and ', ' + unit}", shown, cell)


def _readers(rows: Sequence[Row]) -> str:
    """A table of what read."""

    def cell(row: Row) -> str:
        columns = row.get("columns")
        return str(row["reader"]) + ("" if columns is None else f", {number(columns, 0)}")

    shown = [row for row in rows if row.get("reader")]
    return _by_source("What read: kind of reader, and how many columns it saw", shown, cell)


def _by_source(caption: str, rows: Sequence[Row], cell: Callable[[Row], str]) -> str:
    """A table of readings: features downwards, and what they are from to the right."""
    if not rows:
        return ""
    sources = list(dict.fromkeys(tuple(row["from"]) for row in rows))
    everything = max(sources, key=len)
    sources.sort(key=lambda one: (len(one) < len(everything), len(one)))
    cells = {(row["features"], tuple(row["from"])): cell(row) for row in rows}
    lines = [
        [FEATURES.get(one, one), *(cells.get((one, source), "–") for source in sources)]
        for one in dict.fromkeys(row["features"] for row in rows)
    ]
    head = ["features", *(source_words(source, everything) for source in sources)]
    return _table(caption, head, lines)


def _atoms(name: str, rows: Sequence[Row]) -> list[str]:
    """For each pair of modalities a picture for each kind of features, and a table of all."""
    parts = []
    for sources in dict.fromkeys(tuple(row["sources"]) for row in rows):
        own = [row for row in rows if tuple(row["sources"]) == sources]
        parts.append(f"<h3>{spelled(' and '.join(sources))}</h3>")
        pictures = []
        for features in dict.fromkeys(row["features"] for row in own):
            words = FEATURES.get(features, features)
            shown = [row for row in own if row["features"] == features and row.get("atoms")]
            title = f"{' and '.join(sources)} about {name}, read from: {words}"
            if picture := atom_picture(title, shown):
                pictures.append(_figure(picture, f"Read from: {words}."))
        parts.append(f'<div class="pictures">{"".join(pictures)}</div>')
        if any(row.get("partners", "as given") != "as given" for row in own):
            parts.append(
                '<p class="note">Diamonds and rows “shuffled within class”: partners were '
                "exchanged among samples of one class. That keeps what each modality tells and "
                "takes away what only the two items of one sample tell together.</p>"
            )
        parts += [_atom_table(own, sources), _informations(own, sources), _assumptions(own)]
        parts.append(_refusals(own))
    return parts


def _atom_table(rows: Sequence[Row], sources: Sequence[str]) -> str:
    one, other = sources
    names = ["redundancy", f"unique to {one}", f"unique to {other}", "synergy"]
    head = ["features", "estimator", "partners", *names]
    lines = []
    for row in rows:
        if not row.get("atoms"):
            continue
        cells = [_with_interval(row["atoms"].get(atom)) for atom in ATOM_NAMES]
        lines.append([_feature(row), row["estimator"], row.get("partners", "as given"), *cells])
    return _table("Redundancy, uniqueness and synergy, bits", head, lines, words=3)


def _informations(rows: Sequence[Row], sources: Sequence[str]) -> str:
    head = ["features", "estimator", "partners", *sources, "both", "lost by the shuffle"]
    lines = []
    for row in rows:
        told = row.get("informations")
        if not told:
            continue
        cells = [told.get(key) for key in ("source1", "source2", "both")]
        how = [_feature(row), row["estimator"], row.get("partners", "as given")]
        lines.append([*how, *map(_with_interval, [*cells, row.get("lost")])])
    if all(line[-1] == "–" for line in lines):
        head, lines = head[:-1], [line[:-1] for line in lines]
    caption = "What these are made of: information of each and of both, bits"
    return _table(caption, head, lines, words=3) + _scale(rows)


def _scale(rows: Sequence[Row]) -> str:
    """How much there is to tell, and what was read from held-out probe samples."""
    parts = []
    if entropies := {row["entropy"] for row in rows if row.get("entropy") is not None}:
        words = ", ".join(number(one) for one in sorted(entropies))
        parts.append(f"The label's entropy is {words} bits: no more can be told about it.")
    held = {_feature(row): row["held_out"] for row in rows if row.get("held_out") is not None}
    if held:
        words = ", ".join(f"{spelled(name)} {number(bits)}" for name, bits in held.items())
        parts.append(f"From both, of held-out probe samples, bits: {words}.")
    return f'<p class="note">{" ".join(parts)}</p>' if parts else ""


def _assumptions(rows: Sequence[Row]) -> str:
    said: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.get("assumes"):
            said.setdefault(row["estimator"], {})[row["assumes"]] = None
    items = "".join(
        f"<dt>{spelled(name)}</dt>" + "".join(f"<dd>{spelled(words)}</dd>" for words in texts)
        for name, texts in said.items()
    )
    return f"<h4>What each estimator assumes</h4><dl>{items}</dl>" if items else ""


def _refusals(rows: Sequence[Row]) -> str:
    refused = [
        f"{_feature(row)}, {row.get('estimator', 'all modalities')}"
        f"{_partners(row)}: {row['refused']}"
        for row in rows
        if row.get("refused")
    ]
    items = "".join(f"<li>{spelled(words)}</li>" for words in dict.fromkeys(refused))
    return f"<h4>What was not estimated, and why</h4><ul>{items}</ul>" if items else ""


def _partners(row: Row) -> str:
    partners = row.get("partners", "as given")
    return "" if partners == "as given" else f", {partners}"


def _all(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    modalities = list(dict.fromkeys(m for row in rows for m in (row.get("unique") or ())))
    head = ["features", "all tell", "union", "synergy", *(f"only {m}" for m in modalities)]
    lines = []
    for row in rows:
        if row.get("refused"):
            continue
        unique = row.get("unique") or {}
        cells = [row.get("total"), row.get("union"), row.get("synergy")]
        cells += [unique.get(m) for m in modalities]
        lines.append([_feature(row), *map(_with_interval, cells)])
    parts = ["<h3>All modalities together</h3>", _table("All modalities, bits", head, lines)]
    said = dict.fromkeys(row["assumes"] for row in rows if row.get("assumes"))
    parts += [f'<p class="note">{spelled(words)}</p>' for words in said]
    return "".join([*parts, _refusals(rows)])


def _augmentations(name: str, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    head = ["modality", "before", "after", "taken away", "views"]
    lines = [
        [
            row["modality"],
            *(_with_interval(row.get(key)) for key in ("before", "after", "taken")),
            row.get("views", ""),
        ]
        for row in rows
    ]
    picture = augmentation_picture(f"Information about {name} before and after a view", rows)
    return (
        "<h3>What augmentations take away</h3>"
        "<p>A contrastive method may forget what its augmentations remove. Bits that can be read "
        "from the items as they are, and from augmented ones:</p>"
        + _table("Before and after a view, bits", head, lines, last_words=True)
        + _figure(picture, "Before: the items as they are. After: one augmented view of each.")
    )


SHOWN: Final = ("kind", "data", "modalities", "sets", "groups", "labels", "notes")
"""Keys of the row about the data that have places of their own, or are too long for a page."""

LONG: Final = ("modalities", "tasks", "normalized", "notes", "words")
"""Keys of the data's origin that a page leaves to the rows."""

MOST: Final = 12
"""Most entries of a list that are shown one by one."""


def _computed(about: Row) -> str:
    lines = [
        [".".join(path), value]
        for path, value in _leaves({k: v for k, v in about.items() if k not in SHOWN})
        if not (path[0] == "origin" and path[1:2] and path[1] in LONG)
    ]
    if not lines:
        return ""
    return _section("computed", "How it was computed", _table("", ["what", "value"], lines, 2))


def _leaves(content: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """Every value of a JSON object with the keys that lead to it."""
    if isinstance(content, Mapping):
        return [leaf for key, own in content.items() for leaf in _leaves(own, (*path, str(key)))]
    if isinstance(content, list | tuple):
        if len(content) > MOST:
            return [(path, f"{len(content)} values, see the rows")]
        if any(isinstance(one, Mapping | list | tuple) for one in content):
            return [(path, json.dumps(content, ensure_ascii=False))]
        return [(path, ", ".join(map(str, content)))]
    return [(path, "–" if content is None else str(content))]


def _warnings(about: Row) -> str:
    said = NOT | (UNGROUPED if about and about.get("groups") is None else {})
    items = "".join(
        f"<li><strong>{spelled(what)}</strong> {spelled(why)}</li>" for what, why in said.items()
    )
    return _section("not", "What not to conclude", f"<ul>{items}</ul>")


# --------------------------------------------------------------------------- parts of a page


def _section(key: str, title: str, body: str) -> str:
    return (
        f'<section aria-labelledby="{key}">\n<h2 id="{key}">{spelled(title)}</h2>\n{body}\n'
        "</section>"
    )


def _figure(picture: str, caption: str) -> str:
    return f"<figure>{picture}<figcaption>{spelled(caption)}</figcaption></figure>"


def _table(
    caption: str,
    head: Sequence[str],
    lines: Sequence[Sequence[str]],
    words: int = 1,
    last_words: bool = False,
) -> str:
    """A table; the first `words` columns are words, the others numbers."""
    if not lines:
        return ""

    def style(place: int) -> str:
        is_words = place < words or (last_words and place == len(head) - 1)
        return "" if is_words else ' class="number"'

    top = "".join(f'<th scope="col"{style(i)}>{spelled(one)}</th>' for i, one in enumerate(head))
    body = "".join(
        "<tr>"
        f'<th scope="row">{spelled(line[0])}</th>'
        + "".join(f"<td{style(i)}>{_cell(c, style(i))}</td>" for i, c in enumerate(line[1:], 1))
        + "</tr>\n"
        for line in lines
    )
    title = f"<caption>{spelled(caption)}</caption>" if caption else ""
    return (
        f'<div class="table"><table>{title}<thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody>'
        "</table></div>"
    )


def _cell(text: str, style: str) -> str:
    """The text of a cell; the interval of a number goes below it."""
    return spelled(text).replace(" [", "<br>[", 1) if style else spelled(text)


def _feature(row: Row) -> str:
    features = str(row["features"])
    return FEATURES.get(features, features)


def _share(value: float | None) -> str:
    """A share in percent."""
    return number(None if value is None else 100 * value, 1)


def _with_interval(found: Any) -> str:
    """A number, or a value with its interval."""
    if isinstance(found, Mapping):
        ends = interval(found.get("low"), found.get("high"))
        return f"{number(found.get('value'))} {ends}".strip()
    return number(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
