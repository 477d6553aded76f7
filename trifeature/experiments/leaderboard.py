"""The leaderboard: every method under one protocol, S judged against its control.

`comm-probe reproduce leaderboard` trains what has no rows yet, `comm-probe leaderboard` draws. The
published numbers beside ours were measured under other protocols, which are named. A method that is
registered from outside has a line too.

What is judged, and how, is in `trifeature.experiments.standings`.

Beside the probe of a method's own features stands that of the protocol `products`, which also reads
element-wise products of the modalities' features: a linear probe of features that are only side by
side, as Cross's, sees nothing of what fits together (`trifeature.comm.products`).

A third control are maps that never occurred in training, read in the same way: where both
attributes are shown, a probe learns any map from its labels (`trifeature.experiments.other_maps`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch

from trifeature.comm.methods import METHODS, make_method
from trifeature.comm.networks import count_parameters
from trifeature.comm.settings import run_preset
from trifeature.data.dataset import modalities_of
from trifeature.data.rule import PairRule
from trifeature.experiments.drawing import NOT_MEASURED, published_words
from trifeature.experiments.experiment import Arm, Experiment, Lines, Priority, Result, Results
from trifeature.experiments.fig4 import RIVALS
from trifeature.experiments.standings import BALANCED, JUDGED, Lead, Standing, standings
from trifeature.experiments.tables import COMM
from trifeature.plots import CURVE_COLORS, drawing
from trifeature.presets import Preset
from trifeature.report import Difference, Summary, paired, summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

APART: Final = 0.3
"""How far below a method's own reading the picture shows that with products, in lines."""

CHOSEN_ON_TEST: Final = "epoch chosen on test pairs"


HRIL: Final[tuple[tuple[str, str, Mapping[str, tuple[float, float | None]]], ...]] = (
    ("InfoNCE", "nce", {"R": (99.9, None), "U": (87.2, None), "S": (50.0, None)}),
    ("+ synergy", "nce+syn", {"R": (99.9, None), "U": (86.6, None), "S": (72.4, None)}),
    ("+ alignment", "nce+align", {"R": (99.9, None), "U": (85.1, None), "S": (78.0, None)}),
    ("all terms", "all", {"R": (99.7, None), "U": (92.6, 3.0), "S": (82.3, 1.6)}),
    ("without InfoNCE", "align+syn", {"R": (28.5, None), "U": (12.5, None), "S": (50.0, None)}),
    ("alignment alone", "align", {}),
    ("synergy term alone", "syn", {}),
)
"""Labels, terms and published values (percent) of HRIL and its ablation; the last two are ours."""

KNOWN: Final[tuple[Arm, ...]] = (
    Arm("CoMM", published=COMM),
    Arm("ΣL_i", changes={"loss": "L_i"}, priority=Priority.TERMS),
    Arm("L", changes={"loss": "L"}, priority=Priority.TERMS),
    *RIVALS,
    Arm(
        "InfMasking",
        changes={"method": "infmasking"},
        published={"R": (99.9, None), "U": (90.6, None), "S": (77.0, 4.2)},
        priority=Priority.SUCCESSORS,
        protocol=CHOSEN_ON_TEST,
    ),
    Arm(
        "COrAL",
        changes={"method": "coral"},
        published={"R": (99.7, None), "U": (96.4, None), "S": (74.4, None)},
        priority=Priority.SUCCESSORS,
        protocol="probe fitted on test pairs too",
    ),
    Arm("Asymmetric dropping", changes={"method": "dropping"}, priority=Priority.SUCCESSORS),
    *(
        Arm(
            f"HRIL, {label}",
            terms,
            {"method": "hril", "terms": terms},
            published,
            priority=Priority.SUCCESSORS,
            protocol="validation split not described" if published else "",
        )
        for label, terms, published in HRIL
    ),
    Arm(
        "CoMM + HRIL's alignment",
        "nce+align fused",
        {"method": "hril", "terms": "nce+align", "fused": True},
        priority=Priority.SUCCESSORS,
    ),
    Arm("Masked autoencoder", changes={"method": "mae"}, priority=Priority.SUCCESSORS),
    Arm(
        "CoMM, two temperatures",
        changes={"method": "two-temperatures"},
        priority=Priority.SUCCESSORS,
    ),
    Arm(
        "CoMM, two temperatures, two fusions",
        "two fusions",
        {"method": "two-temperatures", "second_fusion": "own"},
        priority=Priority.SUCCESSORS,
    ),
    Arm("CoMM + Cross", changes={"method": "comm+cross"}, priority=Priority.SUCCESSORS),
)
"""The arms for two modalities whose changes are alike on every preset."""

OF_REAL_DATA: Final = frozenset({"cmc", "simclr"})
"""Methods of the tables of real data, on no board: a line more would change what is established."""

OF_THREE: Final = "three modalities"
"""The setting of all arms for three modalities, whose rows stand in the file of those for two."""

KNOWN_OF_THREE: Final[tuple[Arm, ...]] = (
    Arm("CoMM", OF_THREE),
    *(
        Arm(label, OF_THREE, {"method": name}, priority=Priority.SUCCESSORS)
        for label, name in (
            ("CMC (every pair)", "cross"),
            ("Symile", "symile"),
            ("ConFu", "confu"),
            ("GRAM", "gram"),
            ("TRIANGLE", "triangle"),
        )
    ),
)
"""The arms for three modalities."""


def arms(preset: Preset) -> Sequence[Arm]:
    """The methods for two modalities, CoMM first; then those registered from outside.

    CoMM with twice the width is beside the method of two fusions, whose probe reads as many
    features.
    """
    wide = Arm(
        "CoMM, twice as wide",
        "twice as wide",
        {"width": 2 * run_preset(preset.name).option("width")},
        priority=Priority.SUCCESSORS,
    )
    return (*KNOWN, wide, *_registered(of_three=False))


def _registered(*, of_three: bool) -> list[Arm]:
    """An arm for each method on no board yet, of those that need three modalities or the others."""
    known = {arm.changes.get("method", "comm") for arm in (*KNOWN, *KNOWN_OF_THREE)}
    known |= OF_REAL_DATA
    labels = {arm.label for arm in (*KNOWN, *KNOWN_OF_THREE)}
    return [
        Arm(
            f"{name} (added)" if name in labels else name,
            OF_THREE if of_three else "",
            {"method": name},
            added=True,
        )
        for name, method in METHODS.items()
        if name not in known and (method.least_modalities > 2) == of_three
    ]


def three_arms(preset: Preset) -> Sequence[Arm]:  # noqa: ARG001 - alike on every preset
    """The methods for three modalities, CoMM first; then those registered from outside."""
    return (*KNOWN_OF_THREE, *_registered(of_three=True))


# --------------------------------------------------------------------------- how it is shown


def table(results: Results) -> Lines:
    """S by AUC of each method's own features, a line a method; R and U of unbiased trainings."""
    heading = ["method", "n", "R", "U", "S AUC", "control AUC", "untrained AUC"]
    heading += ["S AUC over control [95 %]", "minus CoMM's [95 %]", "established"]
    lines = [[*heading, "S macro", "published S"]]
    for one in standings(results):
        result = one.result
        untrained = result.mean_untrained(JUDGED)
        lines.append(
            [
                *_name_and_n(result),
                *(_text(result.summary(column)) for column in ("R", "U", JUDGED)),
                _text(result.control(JUDGED)),
                NOT_MEASURED if untrained is None else f"{untrained:.1f}",
                *_lead_texts(one.own, one),
                _text(result.summary("S")),
                published_words(result, "S"),
            ]
        )
    return lines


def more_tables(results: Results) -> dict[str, Lines]:
    """The other tables of the board, by their title."""
    board = standings(results)
    return {
        "the class-balanced probe and macro accuracy, %": accuracies(board),
        "other readings: maps that never occurred, products, similarity; %": readings(board),
        "cost; published values, %": costs(results, board),
    }


def accuracies(board: Sequence[Standing]) -> Lines:
    """S by the class-balanced probe and by macro accuracy, each with its control."""
    heading = ["method", "n", "S balanced", "control", "over control [95 %]"]
    heading += ["minus CoMM's [95 %]", "established"]
    lines = [[*heading, "S macro", "control, macro", "over control, macro [95 %]"]]
    for one in board:
        result = one.result
        macro = paired(result.biased, result.unbiased, "S")
        lines.append(
            [
                *_name_and_n(result),
                _text(result.summary(BALANCED)),
                _text(result.control(BALANCED)),
                *_lead_texts(one.balanced, one),
                _text(result.summary("S")),
                _text(result.control("S")),
                _difference_text(macro, result),
            ]
        )
    return lines


def readings(board: Sequence[Standing]) -> Lines:
    """S read of maps that never occurred, with products, and by similarity: a line a method."""
    heading = ["method", "n", "S AUC", "other maps AUC", "S AUC over other maps [95 %]"]
    heading += ["S AUC, products", "S macro, products", "control AUC, products"]
    heading += ["over control, products [95 %]", "minus CoMM's, products [95 %]"]
    heading += ["established, products", "other maps AUC, products"]
    heading += ["over other maps, products [95 %]"]
    lines = [[*heading, "similarity AUC", "control AUC, similarity"]]
    for one in board:
        result = one.result
        biased, unbiased = (result.by_products(biased=kind) for kind in (True, False))
        other = {kind: result.of_other_maps(products=kind) for kind in (False, True)}
        lines.append(
            [
                result.arm.label,
                f"{len(biased)} + {len(unbiased)}",
                _text(result.summary(JUDGED)),
                _text(summarize(other[False], JUDGED)),
                _difference_text(one.own.over_others, result),
                *(_text(summarize(biased, column)) for column in (JUDGED, "S")),
                _text(summarize(unbiased, JUDGED)),
                *_lead_texts(one.products, one),
                _text(summarize(other[True], JUDGED)),
                _difference_text(one.products.over_others, result),
                *(_text(result.similarity(biased=kind)) for kind in (True, False)),
            ]
        )
    return lines


def costs(results: Results, board: Sequence[Standing]) -> Lines:
    """Seconds, parameters and the published values with their protocol, a line a method."""
    heading = ["method", "n", "least seconds", "parameters"]
    lines = [[*heading, "published R / U / S", "published protocol"]]
    for one in board:
        result, arm = one.result, one.result.arm
        # The least: a run that shared its core with others says nothing of the method.
        taken = [r["seconds"] for r in (*result.biased, *result.unbiased) if "seconds" in r]
        published = [published_words(result, column) or "–" for column in ("R", "U", "S")]
        size = parameters(results, arm)
        lines.append(
            [
                *_name_and_n(result),
                f"{min(taken):.0f}" if taken else NOT_MEASURED,
                NOT_MEASURED if size is None else f"{size:,}",
                " / ".join(published) if arm.published else "",
                arm.protocol,
            ]
        )
    return lines


def parameters(results: Results, arm: Arm) -> int | None:
    """Number of trainable parameters of an arm's network; None if it cannot be made."""
    data = results.experiment.data_of(results.setup, 0)
    try:
        run = run_preset(results.setup.preset, **arm.changes)
        with torch.device("meta"):
            return count_parameters(make_method(run, modalities_of(data)))
    except Exception:  # noqa: BLE001 - a method from outside that fails must not hide the others
        return None


def _name_and_n(result: Result) -> list[str]:
    return [result.arm.label, f"{len(result.biased)} + {len(result.unbiased)}"]


def _lead_texts(lead: Lead, one: Standing) -> list[str]:
    """A lead over the control, that less the reference's, and the verdict."""
    ours, theirs = (
        _difference_text(value, one.result) for value in (lead.over_control, lead.over_reference)
    )
    return [ours, "reference" if one.reference else theirs, lead.verdict]


def _text(value: Summary | None) -> str:
    return NOT_MEASURED if value is None else str(value)


def _difference_text(value: Difference | None, result: Result) -> str:
    """A difference with its interval, and with n where it has fewer seeds than the method."""
    if value is None:
        return NOT_MEASURED
    return str(value) + (f" (n = {value.n})" if value.n < len(result.biased) else "")


def draw(results: Results) -> Figure:
    """S (AUC) of every method beside its control, its lead with the interval, and R and U."""
    shown = [one for one in standings(results) if one.result.biased or one.result.unbiased][::-1]
    with drawing(9.6, 1.6 + 0.26 * len(shown)) as figure:
        left, middle, right = figure.subplots(1, 3, sharey=True)
        for place, one in enumerate(shown):
            result = one.result
            _dot(left, place, result.control(JUDGED), "control", "0.5", hollow=True)
            _dot(left, place, result.summary(JUDGED), "biased pairs", CURVE_COLORS[0])
            for biased, label in ((False, "control, products"), (True, "biased, products")):
                value = summarize(result.by_products(biased=biased), JUDGED)
                color = CURVE_COLORS[0] if biased else "0.5"
                _dot(left, place - APART, value, label, color, marker="D", hollow=not biased)
            for products, below in ((False, 0.0), (True, APART)):
                other = summarize(result.of_other_maps(products=products), JUDGED)
                _dot(left, place - below, other, "other maps", "0.2", marker="x")
            _interval(middle, place, one.own)
            _interval(middle, place - APART, one.products, marker="D")
            for column, color in (("R", CURVE_COLORS[2]), ("U", CURVE_COLORS[1])):
                _dot(right, place, result.summary(column), column, color)
        left.axvline(50, color="0.4", linewidth=1, linestyle=":")
        middle.axvline(0, color="0.4", linewidth=1, linestyle=":")
        left.set_yticks(range(len(shown)), [one.result.arm.label for one in shown])
        left.set(title="S", xlabel="AUC of the match (%)", ylim=(-3.2, len(shown) - 0.4))
        middle.set(title="S over its control", xlabel="points of AUC, 95 % interval")
        right.set(title="R and U, unbiased pairs", xlabel="macro accuracy (%)", xlim=(0, 101))
        for axes in (left, middle, right):
            handles, labels = axes.get_legend_handles_labels()
            named = dict(zip(labels, handles, strict=True))
            if named:
                columns = 1 if axes is middle else 2
                axes.legend(
                    named.values(),
                    named,
                    fontsize=7,
                    loc="lower center",
                    ncols=columns,
                    columnspacing=1,
                    handletextpad=0.3,
                )
        words = f"{results.caption}\ncolored: the difference from CoMM is established"
        if any(one.result.by_products(biased=True) for one in shown):
            words += "; diamonds (and the crosses below): probes read products too"
        figure.suptitle(words, fontsize=8, color="0.3")
    return figure


_VERDICTS: Final = {
    "more": ("more than CoMM", CURVE_COLORS[4]),
    "less": ("less than CoMM", CURVE_COLORS[3]),
}
"""Label and color of the leads whose difference to the reference's is established."""


def _dot(
    axes: Axes,
    place: float,
    value: Summary | None,
    label: str,
    color: str,
    *,
    hollow: bool = False,
    marker: str = "o",
) -> None:
    """A mean with its spread; nothing where it was not measured."""
    if value is not None:
        face = "white" if hollow else color
        look: dict[str, Any] = {
            "color": color,
            "markerfacecolor": face,
            "markersize": 5,
            "capsize": 2,
        }
        axes.errorbar([value.mean], [place], xerr=value.spread, fmt=marker, label=label, **look)


def _interval(axes: Axes, place: float, lead: Lead, *, marker: str = "o") -> None:
    """A lead over the control with its interval, in the color of its verdict."""
    value = lead.over_control
    if value is None:
        return
    label, color = _VERDICTS.get(lead.verdict, ("", "0.2"))
    axes.plot([value.mean], [place], marker, color=color, markersize=5, label=label or None)
    if value.low is not None and value.high is not None:
        axes.plot([value.low, value.high], [place, place], color=color, linewidth=1.5)


def _experiment(name: str, title: str, **options: Any) -> Experiment:
    return Experiment(name, title, draw=draw, table=table, more_tables=more_tables, **options)


LEADERBOARD: Final = _experiment("leaderboard", "methods under one protocol", arms=arms)
THREE_MODALITIES: Final = _experiment(
    "three-modalities",
    "methods for three modalities under one protocol",
    arms=three_arms,
    data={"rule": PairRule(modalities=3, gate="balanced")},
)
