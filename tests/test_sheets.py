"""The sheets say what laws and data sets say: drawn lengths, images, frames and words."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from trifeature.data.attributes import SHAPES, TEXTURES
from trifeature.data.captions import SYNONYMS
from trifeature.data.dataset import DatasetSettings, build, plan_images, plan_pairs, preset
from trifeature.data.dials import Dial, dials
from trifeature.data.law import equal_information
from trifeature.data.rule import PairRule
from trifeature.data.truth import ground_truth
from trifeature.errors import InputError
from trifeature.sheets import dial_sheet, law_figure, parts_of

ALL = {dial.name: dial for dial in dials(canvas=32)}
BITS = math.log2(10)
PARTS = ("R", "U1", "U2", "U3", "S")


def bars(axes: Axes) -> dict[str, dict[str, float]]:
    """The lengths of the parts of each task's bar, and that they are stacked without a gap."""
    found: dict[str, dict[str, float]] = {}
    tasks = [text.get_text() for text in axes.get_yticklabels()]
    for container in axes.containers:
        assert isinstance(container, BarContainer)
        (bar,) = container.patches
        drawn = found.setdefault(tasks[round(bar.get_y() + bar.get_height() / 2)], {})
        assert bar.get_x() == pytest.approx(sum(drawn.values()))
        drawn[str(container.get_label())] = bar.get_width()
    return {task: found.get(task, {}) for task in tasks}


def near(**bits: float) -> Any:
    return pytest.approx(bits, abs=1e-5)


def cell(figure: Figure, dial: Dial, setting: int, kind: str) -> Axes:
    label = f"{dial.name}, {dial.settings[setting].label}: {kind}"
    (found,) = (axes for axes in figure.axes if axes.get_label() == label)
    return found


def only(dial: Dial, *numbers: int) -> Dial:
    """A dial with some of its settings: each cell takes a tenth of a second to draw."""
    chosen: Any = tuple(dial.settings[number] for number in numbers)  # of three, says its type
    return replace(dial, settings=chosen)


def frames(axes: Axes) -> list[bool]:
    """Whether each item is framed, modality by modality."""
    return [p.get_gid() == "framed" for p in axes.patches if isinstance(p, Rectangle)]


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@pytest.fixture(scope="module")
def sheet() -> Figure:
    """Four dials."""
    chosen = ("Share rate", "Match rate of training pairs", "Captions", "Three modalities")
    return dial_sheet([ALL[name] for name in chosen])


# --------------------------------------------------------------------------- the dials


def test_every_dial_has_a_name_words_and_three_different_settings() -> None:
    assert len(ALL) == len(dials()) == 10
    for dial in ALL.values():
        assert len({one.label for one in dial.settings}) == 3
        assert len({one.settings for one in dial.settings}) == 3
        assert dial.words.endswith(".")
        assert all(one.settings.render.canvas == 32 for one in dial.settings)


def test_a_seed_is_that_of_every_setting() -> None:
    seeds = {one.settings.seed for dial in dials(seed=7) for one in dial.settings}
    assert seeds == {7}


# --------------------------------------------------------------------------- the sheet


def test_bars_of_a_share_rate_are_its_closed_forms(sheet: Figure) -> None:
    dial = ALL["Share rate"]
    known = equal_information(10, 0.5)
    half = bars(cell(sheet, dial, 1, "bits"))
    assert half["share"] == near(R=known, U1=BITS - known)
    assert half["unique1"] == near(U1=BITS)
    assert half["unique2"] == near(U2=BITS)
    assert bars(cell(sheet, dial, 0, "bits"))["share"] == near(U1=BITS)
    assert bars(cell(sheet, dial, 2, "bits"))["share"] == near(R=BITS)


def test_bars_of_the_match_rate_are_of_training_pairs(sheet: Figure) -> None:
    dial = ALL["Match rate of training pairs"]
    assert bars(cell(sheet, dial, 1, "bits"))["synergy"] == near(S=1)
    always = bars(cell(sheet, dial, 2, "bits"))
    assert always["synergy"] == {}
    assert always["unique1"] == near(R=BITS)


def test_bars_of_three_modalities_have_each_part_of_the_scenario(sheet: Figure) -> None:
    dial = ALL["Three modalities"]
    shared = bars(cell(sheet, dial, 0, "bits"))
    assert [*shared] == ["share", "unique1", "unique2", "unique3", "synergy"]
    for drawn, part in zip(shared.values(), PARTS, strict=True):
        assert drawn == near(**{part: BITS})
    assert bars(cell(sheet, dial, 1, "bits"))["share"] == near(U1=BITS)


def test_all_bars_have_one_axis_of_bits(sheet: Figure) -> None:
    found = {axes.get_xlim() for axes in sheet.axes if str(axes.get_label()).endswith("bits")}
    ((low, high),) = found
    assert low == 0
    assert high > BITS


def test_numbers_beside_a_bar_are_its_parts(sheet: Figure) -> None:
    known = equal_information(10, 0.5)
    share = texts(cell(sheet, ALL["Share rate"], 1, "bits"))[0]
    assert share == f"R {known:.2f}  U1 {BITS - known:.2f}"
    assert texts(cell(sheet, ALL["Captions"], 2, "bits"))[2:] == ["0", "0"]


def test_images_are_those_of_consecutive_pairs_framed_where_they_share(sheet: Figure) -> None:
    dial = ALL["Share rate"]
    never, axes, always = (cell(sheet, dial, number, "pairs") for number in range(3))
    assert frames(never) == [False] * 6
    assert frames(always) == [True] * 6
    dataset = build(dial.settings[1].settings)
    shown = [np.asarray(image.get_array()).tobytes() for image in axes.get_images()]
    pairs = dataset.pairs["test"].images
    images = dataset.images["test"].permute(0, 2, 3, 1).numpy()
    wanted = [
        [images[i].tobytes() for i in pairs[first : first + 3].T.ravel()]
        for first in range(len(pairs) - 2)
    ]
    first = wanted.index(shown)
    shapes = dataset.tables["test"].attributes[pairs[first : first + 3], 0]
    same = (shapes[:, 0] == shapes[:, 1]).tolist()
    assert frames(axes) == same * 2
    assert sum(same) in (1, 2)


def test_pairs_that_keep_the_map_are_framed_and_their_words_bold(sheet: Figure) -> None:
    for number in range(3):
        axes = cell(sheet, ALL["Match rate of training pairs"], number, "pairs")
        kept = [text == "kept → 1" for text in texts(axes)]
        assert frames(axes) == kept * 2
        assert [text.get_fontweight() == "bold" for text in axes.texts] == kept


def test_captions_are_words_of_the_image_above_them(sheet: Figure) -> None:
    axes = cell(sheet, ALL["Captions"], 2, "pairs")
    assert len(axes.get_images()) == 3
    words = [text.split("\n") for text in texts(axes) if text]
    known = {word for some in SYNONYMS["shape"].values() for word in some}
    assert len(words) == 3
    assert all(len(pair) == 2 and pair[1] in known for pair in words)


def test_triples_show_three_images_and_frame_those_that_tell(sheet: Figure) -> None:
    dial = ALL["Three modalities"]
    telling = [[True, True, False], [False, True, False], [True, True, True]]
    for number, tell in enumerate(telling):
        axes = cell(sheet, dial, number, "pairs")
        assert len(axes.get_images()) == 9
        assert frames(axes) == [each for each in tell for _ in range(3)]
    assert all(word in SHAPES for word in texts(cell(sheet, dial, 0, "pairs")))
    assert all(word in TEXTURES for word in texts(cell(sheet, dial, 1, "pairs")))
    for words in texts(cell(sheet, dial, 2, "pairs")):
        numbers, _, value = words.partition(" → ")
        assert sum(map(int, numbers.split("+"))) % 10 == int(value)


def test_other_gates_say_numbers_and_label_below_a_pair() -> None:
    dials = [only(ALL["Gate, numbers"], 0, 2), only(ALL["Gate, two classes"], 2)]
    figure = dial_sheet(dials, pairs=4)
    cases: list[tuple[str, int, str, Callable[[int, int], int]]] = [
        ("Gate, numbers", 0, "+", lambda a, b: (a + b) % 5),
        ("Gate, numbers", 2, ", ", lambda a, b: a % 2 * (b % 2)),
        ("Gate, two classes", 2, ", ", lambda a, b: (a + b) % 2),
    ]
    for name, number, sign, gate in cases:
        found = texts(cell(figure, ALL[name], number, "pairs"))
        assert len(found) == 4
        for words in found:
            numbers, _, value = words.partition(" → ")
            a, b = map(int, numbers.split(sign))
            assert gate(a, b) == int(value)


def test_a_wrong_label_is_framed() -> None:
    dial = ALL["Label noise"]
    figure = dial_sheet([only(dial, 0, 2)])
    assert not any(frames(cell(figure, dial, 0, "pairs")))
    axes = cell(figure, dial, 2, "pairs")
    dataset = build(dial.settings[2].settings)
    shown = [np.asarray(image.get_array()).tobytes() for image in axes.get_images()[:3]]
    images = dataset.images["test"].permute(0, 2, 3, 1).numpy()
    by_bytes = {image.tobytes(): row for row, image in enumerate(images)}
    shapes = [SHAPES[dataset.tables["test"].attributes[by_bytes[one], 0]] for one in shown]
    wrong = [word != shape for word, shape in zip(texts(axes), shapes, strict=True)]
    assert frames(axes) == wrong * 2
    assert any(wrong)


def test_dependence_and_nuisance_frame_single_images_and_pairs() -> None:
    figure = dial_sheet([only(ALL["Dependence"], 2), ALL["Nuisance"], ALL["Looks"]], pairs=2)
    assert all(frames(cell(figure, ALL["Dependence"], 2, "pairs")))
    for number in range(3):
        assert frames(cell(figure, ALL["Nuisance"], number, "pairs")) == [True] * 4
        assert frames(cell(figure, ALL["Looks"], number, "pairs")) == [False] * 4
    facts = [text.get_text() for text in figure.texts if "of no task" in text.get_text()]
    assert facts[0] == "I(background 1; background 2) = 2.00 bits, of no task"


def assert_legible(figure: Figure) -> None:
    """All words lie on the sheet and none on others, nor the words below a pair on a line."""
    figure.draw_without_rendering()
    found = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    boxes = [(t.get_text(), t.get_window_extent()) for t in found if t.get_text()]
    for words, box in boxes:
        assert figure.bbox.x0 < box.x0 < box.x1 < figure.bbox.x1, words
        assert figure.bbox.y0 < box.y0 < box.y1 < figure.bbox.y1, words
    for (words, box), (others, other) in combinations(boxes, 2):
        assert not box.overlaps(other), (words, others)


def test_no_words_overlap_or_are_cut_off(sheet: Figure) -> None:
    assert_legible(sheet)


@pytest.mark.slow  # draws thirty cells
def test_ten_dials_are_one_legible_a3_page() -> None:
    figure = dial_sheet()
    width, height = figure.get_size_inches()
    assert (width, height) == pytest.approx((11.69, 16.54), abs=0.01)
    assert_legible(figure)


def test_a_sheet_without_dials_and_too_many_pairs_are_refused() -> None:
    with pytest.raises(InputError, match="name at least one dial"):
        dial_sheet([])
    with pytest.raises(InputError, match="pairs must be a whole number from 1 to 4"):
        dial_sheet([ALL["Looks"]], pairs=5)


# --------------------------------------------------------------------------- one data set


def truth_of(settings: DatasetSettings) -> dict[str, Any]:
    """The truth of a data set whose images nobody looks at."""
    tables = plan_images(settings)
    return ground_truth(settings, tables, plan_pairs(settings, tables))


SMALL = preset("tiny", train_pairs=60, probe_pairs=60, test_pairs=60, copies=1)


def test_the_law_of_a_data_set_is_drawn_beside_its_test_pairs() -> None:
    truth = truth_of(replace(SMALL, match_rate=1.0, share_rate=0.5))
    figure = law_figure(truth)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["law of training pairs", "law of probe and test pairs", "test pairs as drawn"]
    training, law, drawn = map(bars, figure.axes)
    assert training["synergy"] == {}
    known = equal_information(5, 0.5)
    assert law["share"] == near(R=known, U1=math.log2(5) - known)
    (row,) = (r for r in truth["rows"] if (r["set"], r["task"]) == ("test", "share"))
    assert drawn["share"]["R"] == pytest.approx(row["redundancy"])
    assert figure.get_suptitle() == f"I(shape 1; shape 2) = {known:.2f} bits"
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][-1] == "synergy (S)"


def test_three_modalities_have_laws_and_no_atoms_as_drawn() -> None:
    rule = PairRule(scenario="redundant12", gate="sum")
    figure = law_figure(truth_of(replace(SMALL, rule=rule, synergy_map="auto")))
    assert len(figure.axes) == 2
    for axes in figure.axes:
        for drawn, part in zip(bars(axes).values(), PARTS, strict=True):
            assert drawn == near(**{part: math.log2(5)})
    assert "of pairs as drawn no atoms" in figure.get_suptitle()


def test_parts_of_three_modalities_add_up_to_all_that_they_tell() -> None:
    row = {"union": 2.0, "unique": [0.5, 0.0, 0.25], "synergy": 0.75, "total": 2.75}
    parts = parts_of(row)
    assert parts == {"R": 1.25, "U1": 0.5, "U2": 0.0, "U3": 0.25, "S": 0.75}
    assert sum(parts.values()) == row["total"]


def test_a_truth_without_rows_is_refused_with_its_reason() -> None:
    with pytest.raises(InputError, match="nothing to draw: three is a crowd"):
        law_figure({"law": [], "rows": [], "left_out": "three is a crowd"})
