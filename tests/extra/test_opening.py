"""The opening picture says what the law, the map and the rows say."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from typer.testing import CliRunner

from trifeature.cli import data
from trifeature.data.attributes import COLOR_RGB, COLORS, TEXTURES
from trifeature.errors import InputError
from trifeature.experiments.experiment import Setup
from trifeature.experiments.fig4 import FIG4
from trifeature.experiments.opening import PAIR, opening_figure, shown_map

READ = {("comm", True): 0.8, ("comm", False): 0.52, ("cross", True): 0.5, ("cross", False): 0.51}
"""AUC of S of the made-up rows at the last epoch, by method and whether pairs are biased."""


def made_up(methods: tuple[str, ...] = ("comm", "cross")) -> list[dict[str, Any]]:
    """Rows of two seeds: 0.5 untrained, then `READ` plus 0.02 a seed."""
    return [
        {
            "key": plan.key,
            "epoch": epoch,
            "seed": plan.run.seed,
            "biased": plan.biased,
            "S_auc": 0.5 if epoch == 0 else READ[kind] + 0.02 * plan.run.seed,
        }
        for plan in FIG4.plans(Setup("quick", seeds=2))
        if (kind := (plan.run.method, plan.biased)) in READ and kind[0] in methods
        for epoch in plan.probe_epochs
    ]


@pytest.fixture(scope="module")
def picture() -> Figure:
    return opening_figure(made_up())


def panel(figure: Figure, word: str) -> Axes:
    """The panel that says a word."""
    found = [
        axes
        for axes in figure.axes
        if any(word in text.get_text() for text in (*axes.texts, axes.xaxis.label))
    ]
    (axes,) = found
    return axes


def test_bars_and_braces_are_those_of_an_exclusive_or(picture: Figure) -> None:
    axes = panel(picture, "both")
    names = [str(container.get_label()) for container in axes.containers]
    heights = [container.patches[0].get_height() for container in axes.containers]  # type: ignore[attr-defined]
    # Texture and color are uniform and independent, and half of the pairs match: H(1/2) = 1.
    assert dict(zip(names, heights, strict=True)) == pytest.approx(
        {"U1": 0, "R": 0, "U2": 0, "S": 1}, abs=1e-5
    )
    words = {text.get_text() for text in axes.texts}
    assert {"image 1: 0", "image 2: 0", "both: 1 bit", "1 bit"} <= words


def test_the_pair_is_a_match_and_the_key_is_the_identity(picture: Figure) -> None:
    for texture, color in shown_map().items():
        assert TEXTURES.index(texture) == COLORS.index(color)
    (first, second) = PAIR
    assert first[0] == second[0]
    assert shown_map()[first[1]] == second[2]
    words = [text.get_text() for text in picture.texts]
    assert words[:2] == [first[1], second[2]]
    images = [np.asarray(axes.get_images()[0].get_array()) for axes in picture.axes[:2]]
    for image, (_, _, color) in zip(images, PAIR, strict=True):
        wanted = np.round(255 * np.array(COLOR_RGB[color]))
        assert (np.abs(image.astype(float) - wanted).max(axis=2) <= 1).mean() > 0.1


def test_curves_are_means_over_the_seeds(picture: Figure) -> None:
    axes = panel(picture, "epochs")
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    assert list(lines) == ["CoMM", "without\nthe map", "Cross"]
    for line, last in zip(lines.values(), (81.0, 53.0, 51.0), strict=True):
        assert np.asarray(line.get_ydata()).tolist() == pytest.approx([50.0, last])
        assert np.asarray(line.get_xdata()).tolist() == [0, 2]
    assert [text.get_text() for text in axes.texts] == list(lines)
    assert lines["without\nthe map"].get_linestyle() == "--"


def test_no_words_overlap_or_are_cut_off(picture: Figure) -> None:
    picture.draw_without_rendering()
    found = [*picture.texts, *(text for axes in picture.axes for text in axes.texts)]
    boxes = [(text.get_text(), text.get_window_extent()) for text in found if text.get_text()]
    for words, box in boxes:
        assert picture.bbox.x0 < box.x0 < box.x1 < picture.bbox.x1, words
    for (words, box), (others, other) in combinations(boxes, 2):
        assert not box.overlaps(other), (words, others)


def test_missing_rows_are_named() -> None:
    with pytest.raises(InputError, match=r"no row of Cross on biased pairs .* reproduce fig4"):
        opening_figure(made_up(("comm",)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--opening", "--dials"], "two pictures"),
        (["--opening", "--preset", "quick"], "--opening shows no data set's folder"),
        (["--rows", "rows.jsonl"], "--rows is for --opening"),
        (["--opening", "--rows", "none.jsonl"], "none.jsonl does not exist"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(data.app, ["gallery", *words])
    said = result.output + str(result.exception)
    assert result.exit_code != 0
    assert message in said
    assert list(tmp_path.iterdir()) == []
