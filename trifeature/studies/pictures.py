"""Pictures of a study as SVG that stands inside a page: bars with intervals, told by their words.

Nothing is said by color alone: every bar has its name before it and its value behind it. Text and
axes take the color of the page, so a picture is read on a light and on a dark one, and in print.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trifeature.pid.atoms import ATOM_NAMES

Row = Mapping[str, Any]

WIDTH: Final = 620
"""Width of a picture, in units of the drawing."""
NAMES: Final = 190
"""Room for the names of bars."""
VALUES: Final = 170
"""Room for the values of bars."""
LINE: Final = 18
"""Height of a bar's line."""
COLORS: Final = {
    "redundancy": "#0072b2",
    "unique1": "#e69f00",
    "unique2": "#56b4e9",
    "synergy": "#d55e00",
    "after": "#0072b2",
}
"""Okabe and Ito's colors by class, for what shows a picture without the page's style."""
LETTERS: Final = 30
"""Most letters of a name in a picture; the tables beside it have the whole name."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: What it is, before it.
        value: Its length; None for a bar that is not there.
        low: Lower end of its interval, or None.
        high: Upper end of its interval, or None.
        mark: A second value, drawn as a hollow diamond, or None.
        style: Class of its color, of the page's style.
        data: What it stands for, written as attributes of the drawing.
    """

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None
    mark: float | None = None
    style: str = "plain"
    data: Mapping[str, str] = field(default_factory=dict)

    @property
    def numbers(self) -> list[float]:
        """The numbers that have to fit into the picture."""
        found = (self.value, self.low, self.high, self.mark)
        return [one for one in found if one is not None and math.isfinite(one)]

    def words(self, unit: str = "") -> str:
        """The bar in words, for those who do not see it."""
        if self.value is None:
            return f"{self.name}: none"
        ends = f", from {number(self.low)} to {number(self.high)}" if self.has_interval else ""
        mark = "" if self.mark is None else f", shuffled {number(self.mark)}"
        return f"{self.name}: {number(self.value)}{unit and ' ' + unit}{ends}{mark}"

    @property
    def has_interval(self) -> bool:
        """Whether both ends are there."""
        return self.low is not None and self.high is not None


def spelled(text: Any) -> str:
    r"""Text of a user's, safe in HTML and in attributes: signs that hide or turn text are spelled.

    >>> spelled("<b>\x1b\u202e")
    '&lt;b&gt;\\x1b\\u202e'
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
    return html.escape(shown, quote=True)


def number(value: float | None, digits: int = 3) -> str:
    """A number as it is shown everywhere in a study, – for none.

    >>> number(0.12345), number(-0.0001), number(None)
    ('0.123', '0.000', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text[1:] if float(text) == 0 and text.startswith("-") else text.replace("-", "−")


def significant(value: float) -> str:
    """A number of any size to four digits.

    >>> significant(0.000123456), significant(12.5), significant(-3.0)
    ('0.0001235', '12.5', '−3')
    """
    return f"{value:.4g}".replace("-", "−")


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval in brackets, empty for none.

    >>> interval(0.1, 0.25)
    '[0.100, 0.250]'
    """
    if low is None or high is None:
        return ""
    return f"[{number(low, digits)}, {number(high, digits)}]"


def bars(title: str, groups: Sequence[tuple[str, Sequence[Bar]]], unit: str = "bits") -> str:
    """Groups of bars on one axis that shows 0.

    Args:
        title: What the picture is of; with all numbers it is the text for those who do not see it.
        groups: Heading (empty for none) and bars of each group.
        unit: Unit of the axis.

    Returns:
        An `svg` element.
    """
    every = [one for _, own in groups for bar in own for one in bar.numbers]
    low, high = min([0.0, *every]), max([0.0, *every])
    step = _step(high - low)
    low, high = math.floor(low / step) * step, math.ceil(high / step + 1e-9) * step
    if high <= low:
        high = low + step
    room = WIDTH - NAMES - VALUES
    scale = _Scale(low, high, room)
    parts: list[str] = []
    y = 4.0
    for heading, own in groups:
        if heading:
            parts.append(_text("heading", 0, y + 13, heading, letters=80))
            y += LINE + 2
        for bar in own:
            parts.append(_bar(bar, scale, y))
            y += LINE
        y += 6
    axis = _axis(scale, step, y, unit)
    words = "; ".join(
        f"{heading + ': ' if heading else ''}" + ", ".join(bar.words(unit) for bar in own)
        for heading, own in groups
    )
    height = y + 34
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" '
        'font-size="12" fill="currentColor" '
        f'aria-label="{spelled(title)}. {spelled(words)}"><title>{spelled(title)}</title>'
        f"{axis}{''.join(parts)}</svg>"
    )


@dataclass(frozen=True)
class _Scale:
    """From numbers to places along a picture."""

    low: float
    high: float
    room: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return NAMES + self.room * min(max(share, 0.0), 1.0)


def _step(span: float) -> float:
    """Distance of the marks of an axis: 1, 2 or 5 times a power of ten, three to six of them."""
    if span <= 0:
        return 0.1
    power = 10.0 ** math.floor(math.log10(span / 3))
    return next(f * power for f in (1, 2, 5, 10) if span / (f * power) <= 5)


def _axis(scale: _Scale, step: float, y: float, unit: str) -> str:
    parts = []
    for place in range(round((scale.high - scale.low) / step) + 1):
        value = scale.low + place * step
        x = scale(value)
        kind = "zero" if abs(value) < step / 2 else "tick"
        line = f'x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{y:g}"'
        parts.append(f'<line class="{kind}" {line} stroke="#999999"/>')
        digits = max(0, -math.floor(math.log10(step)))
        parts.append(_text("axis", x, y + 13, number(value, digits), "middle"))
    parts.append(_text("axis", NAMES + scale.room / 2, y + 29, unit, "middle"))
    return "".join(parts)


def _bar(bar: Bar, scale: _Scale, y: float) -> str:
    name = _text("name", NAMES - 8, y + 13, bar.name, "end")
    if bar.value is None or not math.isfinite(bar.value):
        return f"<g>{name}{_text('none', scale(0) + 4, y + 13, '–')}</g>"
    left, right = sorted((scale(0), scale(bar.value)))
    box = f'x="{left:.1f}" y="{y + 3:g}" width="{right - left:.1f}" height="{LINE - 6}"'
    data = "".join(f' data-{key}="{spelled(value)}"' for key, value in bar.data.items())
    color = COLORS.get(bar.style, "#6b7280")
    parts = [
        name,
        f'<rect class="{bar.style}" fill="{color}" {box} data-value="{bar.value:.6g}"{data}/>',
        _interval(bar, scale, y + LINE / 2),
        _mark(bar, scale, y + LINE / 2),
        _text("value", WIDTH - VALUES + 8, y + 13, _value(bar)),
    ]
    return f"<g>{''.join(parts)}</g>"


def _interval(bar: Bar, scale: _Scale, y: float) -> str:
    if bar.low is None or bar.high is None:
        return ""
    a, b = scale(bar.low), scale(bar.high)
    line = f"M{a:.1f} {y - 4:g}v8m0 -4H{b:.1f}m0 -4v8"
    return f'<path class="interval" d="{line}" fill="none" stroke="currentColor"/>'


def _mark(bar: Bar, scale: _Scale, y: float) -> str:
    if bar.mark is None or not math.isfinite(bar.mark):
        return ""
    line = f"M{scale(bar.mark) - 5:.1f} {y:g}l5 -5l5 5l-5 5z"
    return f'<path class="mark" d="{line}" fill="#ffffff" stroke="currentColor"/>'


def _value(bar: Bar) -> str:
    return f"{number(bar.value)} {interval(bar.low, bar.high)}".strip()


def _text(
    kind: str, x: float, y: float, text: str, anchor: str = "start", *, letters: int = LETTERS
) -> str:
    """A line of text, shortened to so many letters."""
    shown = text if len(text) <= letters else text[: letters - 1] + "…"
    place = f'x="{x:.1f}" y="{y:g}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {place}>{spelled(shown)}</text>'


# --------------------------------------------------------------------------- of a study's rows


def atom_words(sources: Sequence[str]) -> dict[str, str]:
    """What each atom of two sources is called.

    >>> atom_words(["sound", "video"])["unique1"]
    'only sound tells it'
    """
    one, other = sources
    return {
        "redundancy": "either tells it",
        "unique1": f"only {one} tells it",
        "unique2": f"only {other} tells it",
        "synergy": "only both together tell it",
    }


def atom_picture(title: str, rows: Iterable[Row]) -> str:
    """The atoms of one pair of modalities, from one kind of features, by each estimator.

    Args:
        title: What the picture is of.
        rows: Rows of kind "atoms"; where partners are shuffled they become the diamonds.
    """
    given: list[Row] = []
    shuffled: dict[str, Row] = {}
    for row in rows:
        if row.get("partners", "as given") == "as given":
            given.append(row)
        else:
            shuffled[row["estimator"]] = row
    if not given:
        return ""
    words = atom_words(given[0]["sources"])
    groups = []
    for atom in ATOM_NAMES:
        own = []
        for row in given:
            found = (row.get("atoms") or {}).get(atom) or {}
            other = (shuffled.get(row["estimator"], {}).get("atoms") or {}).get(atom) or {}
            data = {"atom": atom, "estimator": row["estimator"], "features": row["features"]}
            ends = found.get("low"), found.get("high")
            value, mark = found.get("value"), other.get("value")
            own.append(Bar(row["estimator"], value, *ends, mark, atom, data))
        groups.append((f"{atom.rstrip('12').capitalize()}: {words[atom]}", own))
    return bars(title, groups)


def source_words(source: Sequence[str], everything: Sequence[str]) -> str:
    """What modalities are called together.

    >>> source_words("ab", "abc"), source_words("abc", "abc"), source_words("a", "ab")
    ('all but c', 'all', 'a')
    """
    if len(source) == 1:
        return source[0]
    if len(source) == len(everything):
        return "both" if len(source) == 2 else "all"
    lacking = [one for one in everything if one not in source]
    return f"all but {lacking[0]}" if len(lacking) == 1 else " + ".join(source)


def reading_picture(title: str, rows: Sequence[Row], names: Mapping[str, str]) -> str:
    """Held-out information about a label by features, from all, each alone, all but each.

    Args:
        title: What the picture is of.
        rows: Rows of kind "reading" with `bits`.
        names: Words for the features.
    """
    everything = max((row["from"] for row in rows), key=len)
    groups: dict[str, list[Bar]] = {}
    for row in rows:
        features = names.get(row["features"], row["features"])
        name = source_words(row["from"], everything)
        ends = row.get("low"), row.get("high")
        data = {"features": row["features"], "from": " + ".join(row["from"])}
        groups.setdefault(features, []).append(Bar(name, row.get("bits"), *ends, data=data))
    return bars(title, list(groups.items()))


def augmentation_picture(title: str, rows: Sequence[Row]) -> str:
    """Bits about each label from each modality, before and after its view."""
    groups = []
    for row in rows:
        data = {"label": row["label"], "modality": row["modality"]}
        pair = [
            Bar(when, row.get(when), data=data | {"when": when}, style=when)
            for when in ("before", "after")
        ]
        groups.append((f"{row['label']} from {row['modality']}", pair))
    return bars(title, groups)
