"""Atoms as tidy rows, and rows as a table, JSON, CSV or a data frame; atoms as bars.

A row is one atom of one decomposition and always names the sources and the target.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.table import Table

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES, Atoms
from trifeature.pid.samples import Estimate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Value: TypeAlias = str | float | int | bool | None
Row: TypeAlias = dict[str, Value]

# Okabe and Ito's colors, with hatches for those who see or print without color.
COLORS = ("#0072B2", "#E69F00", "#56B4E9", "#D55E00")
HATCHES = ("", "//", "\\\\", "xx")


def atom_rows(results: Iterable[Atoms], **labels: str) -> list[Row]:
    """One row an atom: labels, sources, target, measure, atom, bits, low, high, converged.

    >>> row = atom_rows([Atoms(1.0, 0.0, 0.0, 0.0, 1.0)], name="RDN")[0]
    >>> row["name"], row["target"], row["atom"], row["bits"]
    ('RDN', 'Y', 'redundancy', 1.0)
    """
    rows: list[Row] = []
    for atoms in results:
        for name, interval in atoms.intervals.items():
            rows.append(
                {
                    **labels,
                    **_names(atoms),
                    "measure": atoms.measure,
                    "atom": name,
                    "bits": atoms.value(name),
                    "low": interval.low,
                    "high": interval.high,
                    "converged": atoms.converged,
                }
            )
    return rows


def wide_rows(results: Iterable[Atoms], **labels: str) -> list[Row]:
    """One row a decomposition: labels, sources, target, measure, R, U1, U2, S, total."""
    return [
        {
            **labels,
            **_names(atoms),
            "measure": atoms.measure,
            **dict(zip(("R", "U1", "U2", "S"), atoms.values, strict=True)),
            "total": atoms.total,
        }
        for atoms in results
    ]


def estimate_rows(estimate: Estimate, **labels: str) -> list[Row]:
    """One row an atom: names, bits (corrected), interval, plug-in, p-value, samples, needed."""
    return [
        {
            **labels,
            **_names(estimate.plug_in),
            "measure": estimate.plug_in.measure,
            "atom": name,
            "bits": estimate.corrected[name],
            "low": estimate.intervals[name].low,
            "high": estimate.intervals[name].high,
            "plug_in": estimate.plug_in.value(name),
            "p_value": estimate.p_values[name],
            "samples": estimate.samples,
            "needed": estimate.needed,
        }
        for name in ATOM_NAMES
    ]


def _names(atoms: Atoms) -> Row:
    return {"source1": atoms.sources[0], "source2": atoms.sources[1], "target": atoms.target}


def json_text(rows: Sequence[Row]) -> str:
    """The rows as a JSON array, numbers in full precision."""
    return json.dumps(rows, indent=2, allow_nan=False)


def csv_text(rows: Sequence[Row]) -> str:
    """The rows as CSV with a header line, numbers in full precision."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def data_frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as a pandas data frame.

    Raises:
        InputError: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - optional: only this function needs it
    except ImportError:
        raise InputError("a data frame needs pandas: pip install pandas") from None
    return pd.DataFrame(list(rows))


def rich_table(rows: Sequence[Row], title: str = "", digits: int | None = 6) -> Table:
    """The rows as a table for the terminal, numbers to `digits` decimals (None: 3 significant).

    Eighty characters are few: what is the same in every row stands once, below the table.
    """
    names = list(rows[0]) if rows else []
    shared = [name for name in names if len(rows) > 1 and len({row[name] for row in rows}) == 1]
    caption = " · ".join(f"{name} {_cell(rows[0][name], digits)}" for name in shared)
    table = Table(
        title=title or None,
        caption=caption or None,
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    varying = [name for name in names if name not in shared]
    for name in varying:
        number = isinstance(rows[0][name], float)
        table.add_column(name, justify="right" if number else "left", no_wrap=number)
    for row in rows:
        table.add_row(*(_cell(row[name], digits) for name in varying))
    return table


def _cell(value: Value, digits: int | None) -> str:
    if not isinstance(value, float):
        return "-" if value is None else str(value)
    if digits is None:
        return f"{value:.3g}"
    # Rounding of zero prints as -0.000000, which reads like a finding.
    return f"{value if abs(value) >= 0.5 * 10**-digits else 0.0:.{digits}f}"


def bar_figure(panels: Mapping[str, Sequence[Atoms]]) -> Figure:
    """Bars of the four atoms, a panel a key, a group of bars a decomposition.

    Args:
        panels: Title -> decompositions, told apart by their measure (or sources if those are
            what differs).

    Raises:
        InputError: Nothing to draw.
    """
    if not panels or not all(panels.values()):
        raise InputError("nothing to draw: a panel needs at least one decomposition")
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to load, and only to draw

    figure = Figure(figsize=(max(4.5, 1.0 + 2.3 * len(panels)), 3.3), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, (title, results) in zip(axes, panels.items(), strict=True):
        _draw_panel(axis, results)
        axis.set_title(f"{title}:\nbits about {results[0].target}", fontsize="medium")
    axes[0].set_ylabel("bits")
    # Below the panels: inside one it would hide a bar.
    drawn, names = axes[0].get_legend_handles_labels()
    figure.legend(drawn, names, loc="outside lower center", ncols=4, fontsize="small")
    return figure


def _draw_panel(axis: Axes, results: Sequence[Atoms]) -> None:
    width = 0.8 / len(ATOM_NAMES)
    for i, name in enumerate(ATOM_NAMES):
        places = [group + (i - 1.5) * width for group in range(len(results))]
        axis.bar(
            places,
            [atoms.value(name) for atoms in results],
            width,
            yerr=[atoms.gap / 2 for atoms in results],
            color=COLORS[i],
            hatch=HATCHES[i],
            edgecolor="white",
            label=name,
        )
    axis.axhline(0.0, color="black", linewidth=0.8)
    axis.set_xticks(range(len(results)), _group_names(results))


def _group_names(results: Sequence[Atoms]) -> list[str]:
    measures = [atoms.measure for atoms in results]
    if len(set(measures)) == len(results):
        return measures
    return [" + ".join(atoms.sources) for atoms in results]
