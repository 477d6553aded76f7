"""Bars of atoms and of their estimates; Matplotlib is loaded when something is drawn.

The colors are Okabe and Ito's, told apart also by hatches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from trifeature.errors import InputError
from trifeature.pid.atoms import ATOM_NAMES
from trifeature.pid.estimation.estimates import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ATOM_COLORS: Final = ("#0072B2", "#E69F00", "#56B4E9", "#CC79A7")
ATOM_HATCHES: Final = ("", "//", "\\\\", "xx")


def estimate_bars(estimates: Sequence[Estimate]) -> Figure:
    """Bars of the four estimated atoms with their intervals, one panel for each estimate.

    An atom that is not told from 0 is pale. Where the table is too large for the rows there is no
    bar but a sentence, and what permutations indicate is a hollow mark.

    Raises:
        InputError: Nothing to draw.
    """
    if not estimates:
        raise InputError("nothing to draw: there is no estimate")
    from matplotlib.figure import Figure  # noqa: PLC0415 - see the module

    figure = Figure(figsize=(1.0 + 3.4 * len(estimates), 3.4), layout="constrained")
    axes = figure.subplots(1, len(estimates), sharey=True, squeeze=False)[0]
    for axis, found in zip(axes, estimates, strict=True):
        _draw(axis, found)
    axes[0].set_ylabel("bits")
    return figure


def _draw(axis: Axes, found: Estimate) -> None:
    for place, name in enumerate(ATOM_NAMES):
        value, interval = found.corrected[name], found.intervals[name]
        if value is None:
            if found.indication is not None and name in found.indication.atoms:
                shuffled = found.indication.atoms[name]
                axis.plot([place], [shuffled], "o", color=ATOM_COLORS[place], fillstyle="none")
            continue
        open_ = interval is not None and interval.low <= 0
        axis.bar(
            place,
            value,
            0.7,
            color=ATOM_COLORS[place],
            hatch=ATOM_HATCHES[place],
            edgecolor="white",
            alpha=0.45 if open_ else 1.0,
        )
        if interval is not None:
            ends = [[max(value - interval.low, 0)], [max(interval.high - value, 0)]]
            axis.errorbar(place, value, yerr=ends, color="black", capsize=4, linewidth=1.2)
    axis.axhline(0.0, color="black", linewidth=0.8)
    labels = [name.replace("unique", "unique ") for name in ATOM_NAMES]
    axis.set_xticks(range(len(ATOM_NAMES)), labels, fontsize="small")
    axis.set_xlim(-0.6, len(ATOM_NAMES) - 0.4)
    one, other = found.plug_in.sources
    title = f"{one} and {other}\nabout {found.plug_in.target} ({found.plug_in.measure})"
    axis.set_title(title, fontsize="medium", parse_math=False)
    note = f"{found.samples} rows"
    if found.indication is not None:
        note = f"nothing is estimated: {found.samples} rows, {found.needed} needed"
        if found.indication.atoms:
            note += "\ncircles: less the mean of shuffled targets, no estimates"
    elif any(found.intervals.values()):
        note += f", {100 * found.level:g} % intervals; pale: not told from 0"
    axis.set_xlabel(note, fontsize="small")
