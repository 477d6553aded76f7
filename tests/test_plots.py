"""Pictures say what the rows say: the drawn numbers are asserted, not the pixels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from trifeature.data.attributes import COLORS, SHAPES, TEXTURES
from trifeature.data.captions import caption_text
from trifeature.data.dataset import Dataset, build, preset
from trifeature.data.rule import PairRule
from trifeature.data.settings import CaptionSettings
from trifeature.errors import InputError
from trifeature.plots import (
    CURVE_COLORS,
    Bar,
    Curve,
    Row,
    curve_points,
    gallery,
    interaction_bars,
    interaction_curves,
    save,
    strength_panels,
)
from trifeature.report import Summary

CHANCE = {"R": 0.1, "U": 0.2, "S": 0.5}
PANELS = {"R": "Redundancy R", "U": "Uniqueness U", "S": "Synergy S"}


def row(epoch: int, value: float) -> Row:
    """A row whose R, U and S are all different."""
    bits = dict.fromkeys(("R", "U1", "U2", "S"), 1 - value)
    own = {"R": value, "U": value - 0.1, "U1": value - 0.15, "U2": value - 0.05, "S": value / 2}
    return {"epoch": epoch, **own, "S_auc": value, "S_balanced": value, "bits": bits}


def curve(label: str, *rows: Row, control: bool = False, color: int = 0) -> Curve:
    return Curve(label, rows, control, color)


def curves_figure(*curves: Curve, caption: str = "") -> Figure:
    return interaction_curves(dict.fromkeys(PANELS, curves), CHANCE, caption)


def panel(figure: Figure, title: str) -> Axes:
    """The first panel of a title."""
    return next(axes for axes in figure.axes if axes.get_title() == title)


def line(axes: Axes, label: str) -> Line2D:
    (found,) = (one for one in axes.get_lines() if one.get_label() == label)
    return found


def points(axes: Axes, label: str) -> list[tuple[float, float]]:
    xy = np.asarray(line(axes, label).get_xydata(), dtype=float)
    return [(float(x), round(float(y), 6)) for x, y in xy]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


def annotations(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def level(axes: Axes) -> float:
    """The height of the chance line."""
    (dotted,) = (
        one
        for one in axes.get_lines()
        if one.get_linestyle() == ":" and str(one.get_label()).startswith("_")
    )
    low, high = np.asarray(dotted.get_ydata(), dtype=float)
    assert low == high
    return float(low)


# --------------------------------------------------------------------------- curves


def test_the_points_of_a_curve_are_mean_and_spread_over_the_seeds_at_each_epoch() -> None:
    rows = [row(4, 0.9), row(0, 0.5), row(4, 0.7), row(0, 0.5), row(4, 0.8)]
    epochs, mean, spread = curve_points(rows, "R")
    assert epochs.tolist() == [0, 4]
    assert mean == pytest.approx([50, 80])
    assert spread == pytest.approx([0, 10])


def test_the_points_of_a_curve_are_of_the_same_seeds_at_every_epoch() -> None:
    rows = [{**row(epoch, 0.5), "seed": 0} for epoch in (0, 2, 4)]
    rows += [{**row(epoch, 0.9), "seed": 1} for epoch in (0, 4)]
    epochs, mean, _ = curve_points(rows, "R")
    assert epochs.tolist() == [0, 2, 4]
    assert mean == pytest.approx([50, 50, 50])


def test_one_seed_has_no_spread() -> None:
    assert curve_points([row(0, 0.5), row(1, 0.6)], "S")[2].tolist() == [0, 0]


def test_each_panel_draws_its_own_column_in_percent() -> None:
    figure = curves_figure(curve("L", row(0, 0.4), row(2, 0.8)))
    assert points(panel(figure, PANELS["R"]), "L") == [(0, 40), (2, 80)]
    assert points(panel(figure, PANELS["U"]), "L") == [(0, 30), (2, 70)]
    assert points(panel(figure, PANELS["S"]), "L") == [(0, 20), (2, 40)]


def test_every_panel_has_its_chance_line_and_names_it() -> None:
    figure = curves_figure(curve("L", row(0, 0.4)))
    for name, title in PANELS.items():
        assert level(panel(figure, title)) == pytest.approx(100 * CHANCE[name])
        assert "chance" in annotations(panel(figure, title))


def test_several_seeds_have_a_band_of_one_standard_deviation() -> None:
    figure = curves_figure(curve("L", row(0, 0.4), row(0, 0.6), row(1, 0.8), row(1, 0.8)))
    (band,) = panel(figure, PANELS["R"]).collections
    outline = band.get_paths()[0].vertices
    corners = {(round(x), round(y, 1)) for x, y in np.asarray(outline, dtype=float)}
    assert corners == {(0, 35.9), (0, 64.1), (1, 80.0)}


def test_one_seed_has_no_band() -> None:
    figure = curves_figure(curve("L", row(0, 0.4), row(1, 0.8)))
    assert len(panel(figure, PANELS["R"]).collections) == 0


def test_a_control_is_dashed_in_the_color_of_its_curve() -> None:
    figure = curves_figure(
        curve("L", row(0, 0.4), color=1),
        curve("L control", row(0, 0.3), control=True, color=1),
        curve("other", row(0, 0.3), color=2),
    )
    axes = panel(figure, PANELS["S"])
    solid, dashed, other = (line(axes, label) for label in ("L", "L control", "other"))
    assert (solid.get_linestyle(), dashed.get_linestyle()) == ("-", "--")
    assert to_hex(solid.get_color()) == to_hex(dashed.get_color()) == CURVE_COLORS[1].lower()
    assert to_hex(other.get_color()) == CURVE_COLORS[2].lower()
    assert solid.get_marker() == dashed.get_marker() != other.get_marker()


def test_more_curves_than_colors_can_be_drawn() -> None:
    many = [curve(f"{n}", row(0, 0.4), color=n) for n in range(len(CURVE_COLORS) + 1)]
    axes = panel(curves_figure(*many), PANELS["R"])
    assert line(axes, "0").get_color() == line(axes, f"{len(CURVE_COLORS)}").get_color()


def test_the_legend_names_each_curve_once() -> None:
    figure = curves_figure(curve("L_CoMM", row(0, 0.4)), curve("ΣL_i", row(0, 0.3)))
    assert legend(figure) == ["L_CoMM", "ΣL_i"]


def test_a_curve_that_stands_in_one_panel_only_is_in_the_legend_too() -> None:
    one, two = curve("L", row(0, 0.4)), curve("L control", row(0, 0.4), control=True)
    figure = interaction_curves({"R": [one], "U": [one], "S": [one, two]}, CHANCE)
    assert legend(figure) == ["L", "L control"]
    assert "L control" not in [one.get_label() for one in panel(figure, PANELS["R"]).get_lines()]


def test_axes_are_labelled_and_the_caption_is_printed() -> None:
    figure = curves_figure(curve("L", row(0, 0.4)), caption="quick preset, n = 1")
    assert figure.get_suptitle() == "quick preset, n = 1"
    assert "(%): macro accuracy" in panel(figure, PANELS["R"]).get_ylabel()
    assert any(axes.get_xlabel() == "epoch" for axes in figure.axes)


@pytest.mark.parametrize("name", PANELS)
def test_the_axis_holds_chance_and_a_perfect_score(name: str) -> None:
    low, high = panel(curves_figure(curve("L", row(0, 1.0))), PANELS[name]).get_ylim()
    assert low < 100 * CHANCE[name] < 100 < high


def test_without_any_curve_the_panels_stay_empty() -> None:
    figure = curves_figure()
    assert legend(figure) == []
    assert len(panel(figure, PANELS["R"]).get_lines()) == 1  # chance


# --------------------------------------------------------------------------- bars


def summary(mean: float, spread: float | None = None, n: int = 1) -> Summary:
    return Summary(mean, spread, n)


def bar(label: str, *, control: float | None = None, **values: Summary | None) -> Bar:
    whole = dict.fromkeys(PANELS) | values
    beside = None if control is None else summary(control, 1.5, 3)
    return Bar(label, whole, {"S": beside}, {"S": 51.0}, {})


def boxes(axes: Axes) -> dict[float, float]:
    """Where all bars end, by the middle of their foot."""
    return {
        round(patch.get_x() + patch.get_width() / 2, 6): patch.get_y() + patch.get_height()
        for container in axes.containers
        if isinstance(container, BarContainer)
        for patch in container.patches
    }


def errors(axes: Axes) -> list[tuple[float, float]]:
    """The ends of every error bar."""
    ends = []
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer):
            (stems,) = container.lines[2]
            ends += [
                (float(s[0, 1]), float(s[1, 1])) for s in map(np.asarray, stems.get_segments())
            ]
    return ends


def test_bars_of_synergy_stand_on_chance_and_others_on_zero() -> None:
    bars = [bar("CoMM", control=60.0, **dict.fromkeys(PANELS, summary(70.0))), bar("B", control=49)]
    figure = interaction_bars(bars, CHANCE)
    feet = {
        title: {p.get_y() for p in panel(figure, title).patches if isinstance(p, Rectangle)}
        for title in PANELS.values()
    }
    assert feet == {PANELS["R"]: {0.0}, PANELS["U"]: {0.0}, PANELS["S"]: {100 * CHANCE["S"]}}


def test_the_uniqueness_of_either_image_can_have_its_own_panel() -> None:
    one = Bar("A", {"U1": summary(70.0), "U2": summary(50.0)} | dict.fromkeys("RS"), {}, {}, {})
    chance = CHANCE | dict.fromkeys(("U1", "U2"), CHANCE["U"])
    figure = interaction_bars([one], chance, columns=("R", "U1", "U2", "S"))
    assert boxes(panel(figure, "Uniqueness U1")) == {0.0: 70.0}
    assert boxes(panel(figure, "Uniqueness U2")) == {0.0: 50.0}
    assert level(panel(figure, "Uniqueness U2")) == pytest.approx(100 * CHANCE["U"])


def test_each_bar_ends_at_its_mean() -> None:
    bars = [bar("CoMM", R=summary(99.9), U=summary(87.8)), bar("Cross", R=summary(100.0))]
    figure = interaction_bars(bars, CHANCE)
    assert boxes(panel(figure, PANELS["R"])) == {0.0: 99.9, 1.0: 100.0}
    assert boxes(panel(figure, PANELS["U"])) == {0.0: 87.8}
    labels = [text.get_text() for text in panel(figure, PANELS["R"]).get_xticklabels()]
    assert labels == ["CoMM", "Cross"]


def test_error_bars_are_one_standard_deviation_and_absent_for_one_seed() -> None:
    bars = [bar("CoMM", R=summary(90.0, 2.5, 5)), bar("Cross", R=summary(100.0))]
    axes = panel(interaction_bars(bars, CHANCE), PANELS["R"])
    assert errors(axes) == [(87.5, 92.5)]


def test_synergy_stands_beside_its_control_with_the_spread_of_both() -> None:
    bars = [bar("CoMM", control=60.0, R=summary(99.0), S=summary(72.0, 2.0, 5))]
    figure = interaction_bars(bars, CHANCE)
    axes = panel(figure, PANELS["S"])
    assert boxes(axes) == {-0.2: 72.0, 0.2: 60.0}
    assert sorted(errors(axes)) == [(58.5, 61.5), (70.0, 74.0)]
    assert boxes(panel(figure, PANELS["R"])) == {0.0: 99.0}  # R has no control
    assert "the same on unbiased pairs (control)" in legend(figure)


def test_the_untrained_network_is_a_line_across_its_bar_where_it_was_measured() -> None:
    figure = interaction_bars([bar("A"), bar("B", S=summary(70.0))], CHANCE)
    across = [
        np.asarray(one.get_xydata(), dtype=float).tolist()
        for one in panel(figure, PANELS["S"]).get_lines()
        if one.get_label() == "untrained network"
    ]
    assert across == [[[-0.4, 51.0], [0.4, 51.0]], [[0.6, 51.0], [1.4, 51.0]]]
    assert legend(figure).count("untrained network") == 1
    names = [one.get_label() for one in panel(figure, PANELS["R"]).get_lines()]
    assert "untrained network" not in names


def test_published_values_are_open_diamonds_where_the_paper_gives_them() -> None:
    one = Bar("CoMM", {"R": summary(90.0), "U": None, "S": None}, {}, {}, {"R": 99.9})
    figure = interaction_bars([one], CHANCE)
    label = "published (AlexNet, 224 px)"
    diamond = line(panel(figure, PANELS["R"]), label)
    assert points(panel(figure, PANELS["R"]), label) == [(0, 99.9)]
    assert (diamond.get_marker(), diamond.get_markerfacecolor()) == ("D", "none")
    assert label not in [one.get_label() for one in panel(figure, PANELS["S"]).get_lines()]


def test_a_missing_bar_says_so_in_its_place_of_every_panel() -> None:
    present = dict.fromkeys(PANELS, summary(80.0))
    figure = interaction_bars([Bar("A", present, {}, {}, {}), bar("B")], CHANCE)
    figure.draw_without_rendering()
    for title in PANELS.values():
        axes = panel(figure, title)
        (missing,) = (text for text in axes.texts if text.get_text() == "not measured")
        box = missing.get_window_extent()
        assert axes.bbox.y0 - box.width / 2 < box.y0 < box.y1 < axes.bbox.y1
        assert round(axes.transData.inverted().transform((box.x0 + box.width / 2, 0))[0]) == 1
        assert boxes(axes) == {0.0: 80.0}


def test_bars_have_chance_lines_too() -> None:
    figure = interaction_bars([bar("A", R=summary(80.0))], CHANCE, "three seeds")
    for name, title in PANELS.items():
        assert level(panel(figure, title)) == pytest.approx(100 * CHANCE[name])
    assert figure.get_suptitle() == "three seeds"


# --------------------------------------------------------------------------- strengths

CROPS = ("0.1–0.3", "0.1–0.5", "0.1–0.8")


def strengths(*values: float | None) -> list[tuple[str, Summary | None]]:
    return [
        (crop, None if v is None else summary(v)) for crop, v in zip(CROPS, values, strict=True)
    ]


def strength_figure(lines: dict[str, Sequence[tuple[str, Summary | None]]], **rest: Any) -> Figure:
    nats = rest.get("i_nce", (None, None, None))
    return strength_panels({"crops from 0": lines}, CHANCE, "n = 1", {"crops from 0": nats})


def test_strengths_are_drawn_from_the_strongest_crop_to_the_lightest() -> None:
    figure = strength_figure({"R": strengths(90.0, 95.0, 97.0), "S": strengths(50.0, 60.0, 55.0)})
    axes = panel(figure, "crops from 0")
    assert points(axes, "R") == [(0, 90), (1, 95), (2, 97)]
    assert points(axes, "S") == [(0, 50), (1, 60), (2, 55)]
    assert [text.get_text() for text in axes.get_xticklabels()] == list(CROPS)


def test_a_missing_strength_leaves_its_place_empty() -> None:
    figure = strength_figure({"R": strengths(90.0, None, 97.0), "S": strengths(50.0, 60.0, 55.0)})
    axes = panel(figure, "crops from 0")
    assert points(axes, "R") == [(0, 90), (2, 97)]
    assert len(axes.get_xticks()) == len(CROPS)


def test_only_accuracies_that_chance_applies_to_are_solid() -> None:
    figure = strength_figure({"S": strengths(50.0, 60.0, 55.0), "mean": strengths(1.0, 2.0, 3.0)})
    axes = panel(figure, "crops from 0")
    assert line(axes, "S").get_linestyle() == "-"
    assert line(axes, "mean").get_linestyle() == "--"
    assert legend(figure) == ["S", "mean"]


def test_i_nce_stands_beside_on_an_axis_in_nats() -> None:
    figure = strength_figure({"R": strengths(90.0, 95.0, 97.0)}, i_nce=(1.5, None, 3.0))
    (right,) = (axes for axes in figure.axes if "nats" in axes.get_ylabel())
    (crosses,) = right.get_lines()
    assert np.asarray(crosses.get_xydata()).tolist() == [[0, 1.5], [2, 3.0]]
    assert crosses.get_marker() == "x"


def test_i_nce_can_be_left_out() -> None:
    figure = strength_panels({"crops": {"R": strengths(90.0, 95.0, 97.0)}}, CHANCE)
    assert len(figure.axes) == 1


def test_strengths_have_the_caption_that_they_are_given() -> None:
    caption = strength_figure({"R": strengths(90.0, 95.0, 97.0)}).get_suptitle()
    assert caption == "n = 1"


# --------------------------------------------------------------------------- the gallery


FEW = preset(
    "tiny",
    **dict.fromkeys(("shapes", "textures", "colors", "held_out"), 2),
    **dict.fromkeys(("train_pairs", "probe_pairs", "test_pairs"), 4),
    test_copies=2,
)
"""Two values of each attribute."""


def pictures(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.get_axes() if axes.get_images()]


def pixels(axes: Axes) -> np.ndarray[Any, Any]:
    (image,) = axes.get_images()
    assert isinstance(image, AxesImage)
    return np.asarray(image.get_array())


@pytest.fixture(scope="module")
def sheet(tiny: Dataset) -> list[Axes]:
    """The pictures of the gallery of the tiny data set."""
    return pictures(gallery(tiny, examples=1))


def test_the_gallery_labels_every_value_of_every_attribute(sheet: list[Axes]) -> None:
    titles = [axes.get_title() for axes in sheet[:15]]
    assert titles == [*SHAPES[:5], *TEXTURES[:5], *COLORS[:5]]


def test_the_gallery_is_of_sensible_size(sheet: list[Axes]) -> None:
    root = sheet[0].get_figure(root=True)
    assert root is not None
    assert all(5 <= inches <= 25 for inches in root.get_size_inches())


def test_the_gallery_shows_each_value_in_its_own_picture(sheet: list[Axes]) -> None:
    shown = sheet[:15]
    # The solid red triangle stands for its shape and its color, the square for shape and texture.
    assert len({pixels(axes).tobytes() for axes in shown}) == 13
    assert all(pixels(axes).shape == (32, 32, 3) for axes in shown)


def test_example_pairs_show_their_images_labelled_and_in_bold_where_they_keep_the_map() -> None:
    dataset = build(replace(FEW, train_pairs=30, match_rate=0.5))
    shown = pictures(gallery(dataset, examples=4))[6:]
    assert len(shown) == 3 * 2 * 4  # train, probe and test, two images, four pairs
    pairs = dataset.pairs["train"]
    for place in range(4):
        for m, axes in enumerate((shown[place], shown[4 + place])):
            image = pairs.images[place, m]
            _, texture, color = dataset.tables["train"].attributes[image]
            assert axes.get_title() == f"{TEXTURES[texture]} {COLORS[color]}"
            own = dataset.images["train"][image].permute(1, 2, 0).numpy()
            assert np.array_equal(pixels(axes), own)
            bold = axes.title.get_fontweight() == "bold"
            assert bold == bool(pairs.labels["synergy"][place])


def test_a_gallery_shows_each_modality_in_its_own_look() -> None:
    dataset = build(replace(FEW, looks="gray,silhouette"))
    figure = gallery(dataset, examples=2)
    values, shown = pictures(figure)[:6], pictures(figure)[6:]
    titles = [axes.get_title() for axes in values]  # of gray, and the shapes of silhouettes
    assert titles == [*SHAPES[:2], *TEXTURES[:2], *SHAPES[:2]]
    pairs = dataset.pairs["train"].images
    for m in range(2):
        own = dataset.items["train"][m][pairs[0, m]].permute(1, 2, 0).numpy()
        assert np.array_equal(pixels(shown[2 * m]), own)


def test_a_gallery_of_captions_shows_words_and_own_values_by_their_names() -> None:
    changes: dict[str, Any] = {"colors": "blue,white", "looks": "color,caption"}
    words = CaptionSettings(caption_names="color", synonyms=2)
    dataset = build(replace(FEW, caption=words, synergy_map="auto", **changes))
    figure = gallery(dataset, examples=2)
    assert len(pictures(figure)) == 6 + 3 * 2  # values in color, and image 1 of each pair
    said = [(axes.get_title(), annotations(axes)) for axes in figure.get_axes() if axes.texts]
    assert said[:2] == [("blue", ["blue\ncobalt"]), ("white", ["white\nsnowy"])]
    pair = dataset.pairs["train"].images[0]
    caption = caption_text(dataset.items["train"][1][pair[1]], dataset.settings.values, words)
    assert said[2][1] == [caption.replace(" ", "\n")]
    assert len(said) == 2 + 3 * 2


def test_a_gallery_shows_images_of_the_data_set_where_a_value_has_no_drawing_here() -> None:
    dataset = build(FEW)
    elsewhere = replace(FEW, colors="red,neon", synergy_map="auto")
    shown = pictures(gallery(replace(dataset, settings=elsewhere), examples=1))[:6]
    assert [axes.get_title() for axes in shown[4:]] == ["red", "neon"]
    table = dataset.tables["train"].attributes
    for value, axes in enumerate(shown[4:]):
        first = int(np.argmax(table[:, 2] == value))
        own = dataset.images["train"][first].permute(1, 2, 0).numpy()
        assert np.array_equal(pixels(axes), own)


def test_a_gallery_of_triples_has_a_row_for_each_image() -> None:
    dataset = build(replace(FEW, rule=PairRule(modalities=3)))
    assert len(pictures(gallery(dataset, examples=1))) == 6 + 3 * 3


# --------------------------------------------------------------------------- saving


def test_a_figure_is_saved_as_png_and_svg_beside_it_in_a_new_folder(tmp_path: Path) -> None:
    written = save(curves_figure(curve("ΣL_i", row(0, 0.4))), tmp_path / "new" / "curves.png")
    assert written == [tmp_path / "new" / "curves.png", tmp_path / "new" / "curves.svg"]
    with Image.open(written[0]) as picture:
        assert (picture.format, picture.width >= 1000) == ("PNG", True)
    assert written[1].read_text(encoding="utf-8").startswith("<?xml")


def words() -> Figure:
    """A figure whose SVG names its parts."""
    figure = Figure(figsize=(1, 1))
    figure.text(0.1, 0.5, "ΣL_i", clip_on=True)
    return figure


def test_the_same_figure_is_saved_as_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        [file.read_bytes() for file in save(words(), tmp_path / name)]
        for name in ("a.png", "b.png")
    )
    assert first == second


def test_svg_can_be_left_out(tmp_path: Path) -> None:
    assert save(Figure(figsize=(1, 1)), tmp_path / "a.png", svg=False) == [tmp_path / "a.png"]
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


# --------------------------------------------------------------------------- any columns, any text


def test_columns_of_any_name_have_panels_and_controls() -> None:
    chance = {"speaker": 0.25, "mood": 0.5}
    values = {"speaker": summary(70.0), "mood": summary(60.0)}
    bars = [Bar("A", values, {"speaker": summary(40.0)}, {"speaker": 30.0}, {})]
    figure = interaction_bars(bars, chance, columns=tuple(chance))
    assert boxes(panel(figure, "speaker")) == {-0.2: 70.0, 0.2: 40.0}
    assert boxes(panel(figure, "mood")) == {0.0: 60.0}
    rows = [{"epoch": epoch, "speaker": 0.5, "mood": 0.6} for epoch in (0, 1)]
    drawn = interaction_curves({name: [Curve("A", rows)] for name in chance}, chance)
    assert points(panel(drawn, "mood"), "A") == [(0, 60.0), (1, 60.0)]
    assert level(panel(drawn, "speaker")) == pytest.approx(25.0)


def test_a_label_that_looks_like_a_broken_formula_is_plain_text(tmp_path: Path) -> None:
    labels = ["$x_$", "a $\\frac{1}{$ b", "^_{}$$"]
    rows = [row(0, 0.5), row(1, 0.6)]
    figure = curves_figure(*(curve(label, *rows) for label in labels), caption=labels[0])
    save(figure, tmp_path / "curves.png")
    bars = interaction_bars([replace(bar("A"), label=label) for label in labels], CHANCE, labels[1])
    save(bars, tmp_path / "bars.png")
    assert set(labels) <= set(legend(figure))


def test_a_picture_that_is_there_stays_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = words()
    save(figure, tmp_path / "a.png")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert before.keys() == {"a.png", "a.svg"}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        save(figure, tmp_path / "a.png")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_no_picture_is_written_into_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text("{}")
    figure = interaction_curves({"R": [], "U": [], "S": []}, {"R": 0.2, "U": 0.2, "S": 0.5})
    for place in (tmp_path / "a.png", tmp_path / "train" / "a.png"):
        with pytest.raises(InputError, match=r"a\.png is in a data set: name another folder"):
            save(figure, place)
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]


def test_a_folder_is_no_file_for_a_picture(tmp_path: Path) -> None:
    figure = interaction_curves({"R": [], "U": [], "S": []}, {"R": 0.2, "U": 0.2, "S": 0.5})
    with pytest.raises(InputError, match="is a folder: name a file in it"):
        save(figure, tmp_path)
    assert list(tmp_path.iterdir()) == []
