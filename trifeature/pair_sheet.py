"""The pairs of a data set that tell the most and the least about a label, drawn with their bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trifeature.checks import require_whole
from trifeature.data.attributes import ATTRIBUTES
from trifeature.data.dataset import SPLIT_OF, Dataset, PairSet
from trifeature.data.truth import pair_atoms
from trifeature.errors import check_name
from trifeature.pid.sources.pointwise import LOCAL_NAMES, PointwiseAtoms
from trifeature.plots import draw_item, drawing

if TYPE_CHECKING:  # Matplotlib is loaded where something is drawn
    from matplotlib.figure import Figure, SubFigure


def pair_sheet(
    dataset: Dataset,
    task: str = "synergy",
    atom: str = "synergy",
    *,
    measure: str = "I_sx",
    pairs: PairSet = "test",
    examples: int = 6,
) -> tuple[Figure, PointwiseAtoms]:
    """Draw the pairs with the most and those with the least of an atom.

    Args:
        dataset: A data set of two modalities.
        task: The task whose label the atoms are about.
        atom: "redundancy", "unique1", "unique2", "synergy" or "total".
        measure: See `trifeature.pid.sources.pointwise.pointwise`.
        pairs: A set of pairs.
        examples: Pairs in each row.

    Returns:
        The figure, and the atoms of all pairs.

    Raises:
        InputError: more than two modalities, or a name that does not exist.
    """
    check_name("atom", atom, LOCAL_NAMES)
    require_whole("examples", examples, 1, 20)
    drawn = dataset.pairs[pairs]
    found = pair_atoms(dataset.settings, dataset.tables[SPLIT_OF[pairs]], drawn, task, measure)
    with drawing(1.0 + 1.05 * examples, 6.2) as figure:
        rows = {"most": found.most(examples, atom), "least": found.least(examples, atom)}
        parts = figure.subfigures(2, 1, squeeze=False)[:, 0]
        for part, (words, chosen) in zip(parts, rows.items(), strict=True):
            part.suptitle(
                f"the {words} {atom} about {found.target}, of {len(drawn):,} {pairs} pairs "
                f"(bits, {measure})",
                fontsize="medium",
            )
            _draw_pairs(
                part, dataset, pairs, chosen.tolist(), found.value(atom).tolist(), task=task
            )
    return figure, found


def _draw_pairs(
    figure: SubFigure,
    dataset: Dataset,
    name: PairSet,
    chosen: list[int],
    values: list[float],
    *,
    task: str,
) -> None:
    drawn, items = dataset.pairs[name], dataset.items[SPLIT_OF[name]]
    table, words = dataset.tables[SPLIT_OF[name]].attributes, dataset.settings.values
    panels = figure.subplots(2, len(chosen), squeeze=False)
    for place, pair in enumerate(chosen):
        for m, row in enumerate(drawn.images[pair]):
            axes = panels[m, place]
            axes.axis("off")
            draw_item(axes, items[m][row], dataset)
            named = [words[n][v] for n, v in zip(ATTRIBUTES, table[row], strict=True)]
            axes.set_title(" ".join(named[1:]), fontsize=6.5)
        label = drawn.labels[task][pair]
        panels[1, place].text(
            0.5,
            -0.08,
            f"{values[pair]:+.2f}\nlabel {label}",
            transform=panels[1, place].transAxes,
            ha="center",
            va="top",
            fontsize=8,
        )
