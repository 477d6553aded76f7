"""What notebooks 3 and 4 count, read and draw beside their text.

K values of an attribute; P pairs, D numbers in a code; G grids of K × K pairs. Codes are NumPy
arrays here; networks want tensors, PyTorch's arrays, and get them inside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

import trained
from trifeature.comm.losses import info_nce
from trifeature.comm.methods import Method
from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.dataset import SPLIT_OF, Dataset, PairSet, plan_images, plan_pairs, preset
from trifeature.experiments.fig4 import FIG4
from trifeature.files import read_rows
from trifeature.pid import atoms_of_columns
from trifeature.plots import CURVE_COLORS, Bar, Curve, interaction_bars, interaction_curves
from trifeature.presets import QUICK
from trifeature.probes.protocol import probe_features
from trifeature.report import Row, Summary, paired, summarize

torch.set_num_threads(1)  # for images this small a second core mostly waits for the first
Numbers = npt.NDArray[Any]
RECORDED: Final = Path("../../figures/quick.jsonl")
"""As seen from the course's folder, in which notebooks run."""
COSTS: Final = tuple(10.0**power for power in range(-4, 5))
"""How strongly a probe's weights are held small: candidates for cross-validation."""
TASKS: Final = {
    "share": "shape",
    "unique1": "texture 1",
    "unique2": "texture 2",
    "synergy": "match",
}
"""The four questions, by the task's name, in words."""


# --------------------------------------------------------------------------- the game of alignment


def draw_game(pairs: Numbers, similarity: Numbers, chances: Numbers) -> None:
    """Three pairs around their table of similarities, and the chances that come of it.

    Args:
        pairs: uint8 [3, 2, 3, S, S].
        similarity: [3, 3], row: image 1, column: image 2.
        chances: [3, 3], rows sum to 1.
    """
    _, panels = plt.subplots(1, 2, figsize=(7.6, 3.9), layout="constrained")
    tables = {"similarity": similarity, "chance to be chosen": chances}
    for axes, (title, table) in zip(panels, tables.items(), strict=True):
        draw_table(axes, table, 0, 1)
        for k, (one, other) in enumerate(pairs):
            axes.add_patch(Rectangle((k - 0.5, k - 0.5), 1, 1, fill=False, lw=3, ec="#D55E00"))
            for image, (x, y) in ((one, (-1, k)), (other, (k, -1))):
                picture = np.moveaxis(np.asarray(image), 0, 2)
                axes.imshow(picture, extent=(x - 0.45, x + 0.45, y + 0.45, y - 0.45))
        axes.set(title=title, xlim=(-1.5, 2.5), ylim=(2.5, -1.5))
        axes.axis("off")
    plt.show()


def easy_pairs(dataset: Dataset, count: int = 3) -> Numbers:
    """Training pairs of as many shapes, without a texture: images uint8 [count, 2, 3, S, S]."""
    rows = shown(dataset, "train")
    plain = np.flatnonzero((rows[:, :, 1] == VALUES["texture"].index("solid")).all(1))
    _, first = np.unique(rows[plain, 0, 0], return_index=True)
    pairs = dataset.pairs["train"].images[plain[np.sort(first)[:count]]]
    return np.asarray(dataset.images["train"][torch.as_tensor(pairs)])


def thumbnail(axes: Axes, image: Numbers) -> None:
    """An image uint8 [3, S, S] without axes."""
    axes.imshow(np.moveaxis(np.asarray(image), 0, 2))
    axes.axis("off")


def draw_table(axes: Axes, table: Numbers, low: float, high: float) -> None:
    """A table [rows, columns] as squares with their numbers."""
    axes.imshow(table, cmap="cividis", vmin=low, vmax=high)
    for (row, column), value in np.ndenumerate(table):
        ink = "black" if value > (low + high) / 2 else "white"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink)
    axes.grid(visible=False)


def alignment_loss(a: Numbers, b: Numbers, temperature: float = 0.1) -> float:
    """The loss of alignment of codes [P, D], in nats: each finds its partner among all P."""
    one, other = (torch.as_tensor(x, dtype=torch.float32) for x in (a, b))
    return float(info_nce(one, other, temperature, "cross"))


# --------------------------------------------------------------------------- ideal codes


def shown(dataset: Dataset, which: PairSet) -> Numbers:
    """The attributes of both images of every pair of a set, int [P, 2, 3]."""
    pairs: Numbers = dataset.tables[SPLIT_OF[which]].attributes[dataset.pairs[which].images]
    return pairs


def shared_bits(dataset: Dataset) -> Numbers:
    """I(attribute of image 1; attribute of image 2) on the training pairs, [3, 3]."""
    rows = shown(dataset, "train")
    nothing = np.zeros(len(rows), dtype=int)
    found = np.zeros((3, 3))
    for i, j in np.ndindex(3, 3):
        columns = {"one": rows[:, 0, i], "nothing": nothing, "other": rows[:, 1, j]}
        found[i, j] = atoms_of_columns(columns, "one", "nothing", "other").information1
    return found


def draw_shared_bits(datasets: Mapping[str, Dataset]) -> None:
    """The bits in common of every attribute of image 1 with every one of image 2, by set."""
    _, panels = plt.subplots(1, len(datasets), figsize=(7.4, 3.2), layout="constrained")
    for axes, (title, dataset) in zip(panels, datasets.items(), strict=True):
        draw_table(axes, shared_bits(dataset), 0, np.log2(len(dataset.settings.partners)))
        axes.set(title=f"{title}: bits in common")
        axes.set_xticks(range(3), [f"{name} 2" for name in ATTRIBUTES])
        axes.set_yticks(range(3), [f"{name} 1" for name in ATTRIBUTES])
    plt.show()


def one_hot(*columns: Numbers, values: int = 10) -> Numbers:
    """Each column [P] of numbers 0 to `values` - 1 as that many switches, side by side."""
    return np.concatenate([np.eye(values)[column] for column in columns], axis=1)


def draw_losses(losses: Mapping[str, Mapping[str, float]]) -> None:
    """Bars of losses, by pairs and code."""
    _, panels = plt.subplots(
        1, len(losses), figsize=(7.4, 1.9), layout="constrained", sharex=True, sharey=True
    )
    for axes, (title, values) in zip(panels, losses.items(), strict=True):
        bars = axes.barh(list(values), list(values.values()), color=CURVE_COLORS[: len(values)])
        axes.bar_label(bars, fmt="%.2f", padding=2)
        axes.set(title=title, xlabel="loss of alignment, nats (less is better)", xlim=(0, 8))
        axes.grid(visible=False, axis="y")
    panels[0].invert_yaxis()
    plt.show()


def read_by_probe(code: Callable[[PairSet], Numbers], dataset: Dataset) -> dict[str, Any]:
    """What a linear probe reads of a code.

    Args:
        code: From the name of a set of pairs to its codes [P, D].
        dataset: Whose pairs they are.

    Returns:
        A result for each task, with `macro_accuracy` and, of yes-or-no tasks, `roc_auc`.
    """
    fitted, scored = (
        torch.as_tensor(code(which), dtype=torch.float32) for which in ("probe", "test")
    )
    labels = (dataset.pairs[which].labels for which in ("probe", "test"))
    found = probe_features(
        fitted,
        next(labels),
        scored,
        next(labels),
        groups=dataset.combinations_of("probe"),
        costs=COSTS,
    )
    return dict(found.results)


def draw_readings(readings: Mapping[str, Mapping[str, Any]], chance: Mapping[str, float]) -> None:
    """Bars of what probes read of some codes, a panel for each, beside chance."""
    _, panels = plt.subplots(
        1, len(readings), figsize=(7.4, 2.5), layout="constrained", sharey=True
    )
    for axes, (title, found) in zip(panels, readings.items(), strict=True):
        heights = [100 * found[task].macro_accuracy for task in TASKS]
        axes.bar_label(axes.bar(list(TASKS.values()), heights, color="#0072B2"), fmt="%.0f")
        for place, task in enumerate(TASKS):
            axes.plot([place - 0.45, place + 0.45], [100 * chance[task]] * 2, ":", color="black")
        axes.set(title=title, ylim=(0, 112))
        axes.grid(visible=False, axis="x")
    panels[0].set_ylabel("macro accuracy (%)\ndotted: chance")
    plt.show()


# --------------------------------------------------------------------------- recorded runs


def recorded(**wanted: Any) -> list[Row]:
    """The recorded rows of the quick preset with these values; none where the file is missing."""
    wanted = {"preset": "quick", "setting": "", "validation": False} | wanted
    return [row for row in read_rows(RECORDED) if all(row[k] == v for k, v in wanted.items())]


def pick(rows: Sequence[Row], *, epoch: int | str = "last", **wanted: Any) -> list[Row]:
    """The rows with these values, one a seed.

    Args:
        rows: Recorded rows.
        epoch: A number, "last", or "all".
        **wanted: Columns and their values, such as `method="cross"`, `biased=True`.
    """
    found = [row for row in rows if all(row[k] == v for k, v in wanted.items())]
    if epoch == "all":
        return found
    return [row for row in found if row["epoch"] == (row["epochs"] if epoch == "last" else epoch)]


def method_bars(methods: Mapping[str, str], rows: Sequence[Row], values: int) -> Any:
    """R, U and S of methods in bars, each S beside its control.

    Args:
        methods: Names in words, and in the rows.
        rows: Recorded rows.
        values: K; one in K is chance for R and U.
    """
    bars = []
    for label, method in methods.items():
        aligned, control = (pick(rows, method=method, biased=kind) for kind in (True, False))
        first = pick(rows, method=method, biased=False, epoch=0)
        measured: dict[str, Summary | None] = {n: summarize(control, n) for n in ("R", "U")}
        measured["S_auc"] = summarize(aligned, "S_auc")
        start = summarize(first, "S_auc")
        untrained = {"S_auc": start.mean if start else None}
        bars.append(Bar(label, measured, {"S_auc": summarize(control, "S_auc")}, untrained, {}))
    chance = {"R": 1 / values, "U": 1 / values, "S": 1 / 2}
    caption = "quick preset; R and U unbiased, S biased"
    figure = interaction_bars(bars, chance, caption, ("R", "U", "S_auc"))
    figure.set_dpi(70)
    return figure


def published(label: str, column: str) -> float:
    """The paper's mean of a method of its Figure 4, in percent."""
    return {arm.label: arm.published for arm in FIG4.arms(QUICK)}[label][column][0]


def draw_differences(
    titles: Mapping[str, str], groups: Mapping[str, tuple[Sequence[Row], Sequence[Row]]]
) -> None:
    """Biased less unbiased with 95 % intervals, paired by seed.

    Args:
        titles: A panel for each column of the rows: its title.
        groups: Biased and unbiased rows by the name in words.
    """
    _, panels = plt.subplots(
        1,
        len(titles),
        figsize=(7.4, 0.45 * len(groups) + 1.1),
        layout="constrained",
        sharex=True,
        sharey=True,
    )
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        for place, (treated, control) in enumerate(groups.values()):
            found = paired(treated, control, column)
            if found is None or found.low is None or found.high is None:
                axes.text(0, place, "missing", va="center")
                continue
            sure = found.low > 0 or found.high < 0
            axes.plot([found.low, found.high], [place] * 2, "-", color="black", lw=1.5)
            axes.plot(
                found.mean, place, "o", color="#D55E00", mfc="#D55E00" if sure else "white", ms=7
            )
        axes.axvline(0, color="0.5", lw=1)
        axes.set(title=title, xlabel="biased less unbiased, points")
        axes.set_yticks(range(len(groups)), list(groups))
        axes.grid(visible=False, axis="y")
    panels[0].set_ylim(len(groups) - 0.5, -0.5)
    plt.show()


# --------------------------------------------------------------------------- the terms of CoMM


def draw_comm() -> None:
    """What CoMM aligns: the fusions of two views (L), and each image alone with a fusion (L_i)."""
    _, axes = plt.subplots(figsize=(7.4, 3.1), layout="constrained")
    for x, view in ((0, "'"), (2, "''")):
        boxes = (f"image 2 alone: z_2{view}", f"both fused: z{view}", f"image 1 alone: z_1{view}")
        for y, words in enumerate(boxes):
            box = {"boxstyle": "round,pad=0.5", "fc": "#eef2f7", "ec": "0.4"}
            axes.text(x, y, words, ha="center", va="center", bbox=box)
        axes.text(x, 2.6, f"view {view} of both images", ha="center", style="italic")
    lines = [
        ("L", [(1, 1)], 1.12),
        ("L_1", [(2, 1), (1, 2)], 1.78),
        ("L_2", [(0, 1), (1, 0)], 0.22),
    ]
    for color, (name, arrows, height) in zip(CURVE_COLORS, lines, strict=False):
        for left, right in arrows:
            look = {"arrowstyle": "<->", "color": color, "lw": 2, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", (0.38, left), (1.62, right), arrowprops=look)
        axes.text(1, height, name, ha="center", va="center", color=color, fontsize=13)
    axes.set(xlim=(-0.7, 2.7), ylim=(-0.4, 2.9))
    axes.axis("off")
    plt.show()


def payments(bit: Numbers, one: Numbers, other: Numbers) -> dict[str, float]:
    """What both sources, source 1 and source 2 tell of a bit, by the term that sees so much."""
    columns = {"one": one, "other": other, "bit": bit}
    atoms = atoms_of_columns(columns, "one", "other", "bit", tolerance=1e-6)
    told = (abs(atoms.total), abs(atoms.information1), abs(atoms.information2))
    return dict(zip(("L", "L_1", "L_2"), told, strict=True))


def of_pairs(dataset: Dataset) -> tuple[dict[str, Numbers], Numbers, Numbers]:
    """What codes might keep, and what image 1 and image 2 show of it, on the training pairs."""
    rows, values = shown(dataset, "train"), len(dataset.settings.partners)
    kept = {
        "shape": rows[:, 0, 0],
        "texture 1": rows[:, 0, 1],
        "color 2": rows[:, 1, 2],
        "match": dataset.pairs["train"].labels["synergy"],
    }
    one, other = values * rows[:, 0, 0] + rows[:, 0, 1], values * rows[:, 1, 0] + rows[:, 1, 2]
    return kept, one, other


def draw_payments(tables: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """Bits that each term can pay for each thing that a code might keep, a panel for each table."""
    _, panels = plt.subplots(1, len(tables), figsize=(3.7 * len(tables), 2.6), layout="constrained")
    for axes, (title, table) in zip(np.atleast_1d(panels), tables.items(), strict=True):
        values = np.array([list(row.values()) for row in table.values()])
        draw_table(axes, values, 0, max(1.0, float(values.max())))
        axes.set_aspect("auto")
        axes.set_yticks(range(len(table)), list(table))
        axes.set_xticks(range(3), ["L", "L_1", "L_2"])
        axes.set_title(title)
    plt.show()


def loss_curves(losses: Mapping[str, str], rows: Sequence[Row], values: int) -> Any:
    """R, U and S of losses against epochs, each S beside its control."""
    # Without their bits, which would be drawn as a second row of panels.
    rows = [
        {name: row[name] for name in row if name not in ("bits", "information")} for row in rows
    ]
    curves: dict[str, list[Curve]] = {"R": [], "U": [], "S_auc": []}
    for color, (label, loss) in enumerate(losses.items()):
        treated, control = (pick(rows, loss=loss, biased=b, epoch="all") for b in (True, False))
        if control:
            for name in ("R", "U"):
                curves[name].append(Curve(label, control, color=color))
            words = f"{label}, unbiased pairs (control of S)"
            curves["S_auc"].append(Curve(words, control, control=True, color=color))
        if treated:
            curves["S_auc"].append(Curve(label, treated, color=color))
    chance = {"R": 1 / values, "U": 1 / values, "S": 1 / 2}
    figure = interaction_curves(curves, chance, "quick preset; R and U unbiased, S biased")
    figure.set_dpi(70)
    return figure


def read_without_match(seed: int, values: int = 10) -> tuple[float, float, float]:
    """What probes read as S from a code that cannot hold the match, on a newly drawn data set.

    Returns:
        Macro accuracy, that of a class-balanced probe, and the area under the curve.
    """
    settings = preset("quick", seed=seed)
    tables = plan_images(settings)
    pairs = plan_pairs(settings, tables)

    def code(which: PairSet) -> tuple[torch.Tensor, Numbers]:
        rows = tables[SPLIT_OF[which]].attributes[pairs[which].images]
        switches = one_hot(rows[:, 0, 0], rows[:, 0, 1], rows[:, 1, 2], values=values)
        return torch.tensor(switches, dtype=torch.float32), pairs[which].labels["synergy"]

    groups = tables["train"].combinations[pairs["probe"].images]
    found = probe_features(*code("probe"), *code("test"), groups=groups, costs=COSTS)
    read = found.results["label"]
    return read.macro_accuracy, read.balanced.macro_accuracy, read.roc_auc


def draw_without_match(read: Mapping[str, Numbers]) -> None:
    """What was read where nothing is, one dot a data set."""
    _, axes = plt.subplots(figsize=(7.4, 1.7), layout="constrained")
    for place, values in enumerate(read.values()):
        axes.plot(100 * values, [place] * len(values), "o", color="#D55E00", alpha=0.6, ms=7)
    axes.axvline(50, color="0.5", lw=1)
    axes.set_yticks(range(len(read)), list(read))
    axes.set(ylim=(len(read) - 0.5, -0.5), xlabel="read as S, percent, where there is none")
    axes.grid(visible=False, axis="y")
    plt.show()


def draw_directions(codes: Numbers, colored: Mapping[str, tuple[Numbers, Sequence[str]]]) -> None:
    """Codes [P, D] along the two directions in which they vary most, colored in several ways."""
    z = codes - codes.mean(0)
    places = z @ np.linalg.svd(z, full_matrices=False)[2][:2].T
    inks = [*CURVE_COLORS, "#999999", "#F0E442", "#882255"]
    _, panels = plt.subplots(
        1, len(colored), figsize=(9.5, 4), layout="constrained", sharey=True, dpi=75
    )
    for axes, (name, (value, words)) in zip(panels, colored.items(), strict=True):
        for k, word in enumerate(words):
            look = {"color": inks[k], "markersize": 4, "alpha": 0.7, "label": word}
            axes.plot(*places[value == k].T, "os^DvP*X<>"[k], **look)
        axes.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3)
        axes.set_title(f"colored by {name}", fontsize="medium")
        axes.grid(visible=False)
    plt.show()


# --------------------------------------------------------------------------- inside networks


def codes_of(network: Method, pairs: Any) -> Numbers:
    """The codes [P, D] that a network gives to pairs of images uint8 [P, 2, 3, S, S]."""
    return np.asarray(trained.look(network, pairs).numpy(), dtype=np.float64)


def exchanged(dataset: Dataset, pairs: int, seed: int = 0) -> dict[str, Any]:
    """New pairs of images, and each once more with one attribute exchanged.

    Returns:
        `as drawn`, `nothing` (the same in other poses), then one entry for each of
        `trained.SHOWN`; images uint8 [pairs, 2, 3, S, S].
    """
    rng, values = np.random.default_rng(seed), len(dataset.settings.partners)
    attributes, copies = rng.integers(0, values, size=(pairs, 5)), 1000 + np.arange(pairs)
    found = {
        "as drawn": trained.pictures(attributes, copies, dataset),
        "nothing": trained.pictures(attributes, copies + pairs, dataset),
    }
    for column, name in enumerate(trained.SHOWN):
        other = attributes.copy()
        other[:, column] = (other[:, column] + rng.integers(1, values, pairs)) % values
        found[name] = trained.pictures(other, copies + pairs, dataset)
    return found


def draw_exchanged(images: Mapping[str, Any], pair: int) -> None:
    """One pair as it was drawn, and with one thing exchanged."""
    _, panels = plt.subplots(1, len(images), figsize=(9, 1.2), layout="constrained")
    for axes, (name, both) in zip(panels, images.items(), strict=True):
        thumbnail(axes, np.concatenate([*np.asarray(both[pair])], axis=2))
        axes.set_title(name, fontsize="small")
    plt.show()


def turned(codes: Numbers, other: Numbers) -> float:
    """How far codes [P, D] turn: 1 less the mean cosine, around the codes' common center."""
    a, b = codes - codes.mean(0), other - codes.mean(0)
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(1 - ((a * b).sum(1) / lengths).mean())


def draw_turned(table: Mapping[str, Mapping[str, float]]) -> None:
    """How far codes turn, by network and by what was exchanged."""
    names = list(next(iter(table.values())))
    _, axes = plt.subplots(figsize=(7.4, 2.4), layout="constrained")
    draw_table(axes, np.array([[row[name] for name in names] for row in table.values()]), 0, 0.6)
    axes.set_aspect("auto")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(table)), list(table))
    axes.set(title="how far the code turns when one thing is exchanged")
    plt.show()


def grid_images(dataset: Dataset, grids: int, seed: int = 0) -> Any:
    """Grids of pairs, image 1 in all textures with image 2 in all colors, the rest drawn once.

    Returns:
        uint8 [G · K · K, 2, 3, S, S].
    """
    values, rng = len(dataset.settings.partners), np.random.default_rng(seed)
    grid, texture, color = np.indices((grids, values, values)).reshape(3, -1)
    shape, color1, texture2 = rng.integers(0, values, size=(3, grids))
    rows = np.stack([shape[grid], texture, color1[grid], texture2[grid], color], axis=1)
    return trained.pictures(rows, 2000 + grid, dataset)


def in_grids(codes: Numbers, grids: int, order: Sequence[int]) -> Numbers:
    """Codes [G · K · K, D] as [G, K, K, D], columns in the order of the map."""
    values = len(order)
    return codes.reshape(grids, values, values, -1)[:, :, list(order)]


def interaction_of(codes: Numbers) -> Numbers:
    """Codes [..., K, K, D] less what rows and what columns add on their own."""
    rows, columns = codes.mean(-2, keepdims=True), codes.mean(-3, keepdims=True)
    return np.asarray(codes - rows - columns + codes.mean((-3, -2), keepdims=True))


def interaction_share(codes: Numbers) -> float:
    """The interaction's share of how codes [G, K, K, D] vary within a grid."""
    moves = codes - codes.mean((1, 2), keepdims=True)
    return float((interaction_of(codes) ** 2).sum() / (moves**2).sum())


def match_pattern(values: int) -> Numbers:
    """The match in a grid in the order of the map, less its mean, of length 1: [K, K]."""
    return np.asarray((np.eye(values) - 1 / values) / np.sqrt(values - 1))


def match_share(codes: Numbers) -> float | None:
    """The match's share of the mean interaction of codes [G, K, K, D]; None without any."""
    mean = interaction_of(codes).mean(0)
    if (mean**2).mean() < 1e-9 * (codes**2).mean():
        return None
    along = np.einsum("tc,tcd->d", match_pattern(codes.shape[1]), mean)
    return float((along**2).sum() / (mean**2).sum())


def along_the_match(codes: Numbers) -> Numbers:
    """The match [K, K] as the even grids fit it, in percent, in the interaction of the odd ones."""
    values = codes.shape[1]
    z = codes - codes.mean((0, 1, 2))
    z = z / np.linalg.norm(z, axis=-1).mean()
    fitted = z[::2].reshape(-1, z.shape[-1])
    wanted = np.tile((np.eye(values) - 1 / values).ravel(), len(z[::2]))
    spread = fitted.T @ fitted + 1e-3 * np.eye(fitted.shape[1])
    direction = np.linalg.solve(spread, fitted.T @ wanted)
    return np.asarray(100 * interaction_of(z[1::2].mean(0) @ direction[:, None])[..., 0])


def draw_matches(scores: Mapping[str, Numbers], order: Sequence[int]) -> None:
    """The match along the grid, a panel for each network; kept pairs lie on the diagonal."""
    figure, panels = plt.subplots(
        1, len(scores), figsize=(8, 2.7), layout="constrained", sharey=True
    )
    for axes, (name, score) in zip(panels, scores.items(), strict=True):
        image = axes.imshow(score, cmap="PuOr", vmin=-30, vmax=30)
        axes.set_title(name, fontsize="medium")
        axes.set_xticks(range(len(order)), [VALUES["color"][j] for j in order], rotation=90)
        axes.set_yticks(range(len(order)), VALUES["texture"][: len(order)])
        axes.grid(visible=False)
    figure.colorbar(image, ax=panels, label="match, percent")
    figure.supxlabel("color 2, in the order of the map", fontsize="medium")
    plt.show()
