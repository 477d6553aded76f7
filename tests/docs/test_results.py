"""Every number of the pages of results comes from a row: tables are those that rows give."""

import runpy
from pathlib import Path

import pytest
from guide_tools import REPOSITORY

from trifeature.experiments.drawing import as_markdown
from trifeature.experiments.experiment import Setup
from trifeature.experiments.reproduction import recorded_results, rows_file

RESULTS = runpy.run_path(str(REPOSITORY / "scripts/results.py"))
FIGURES = REPOSITORY / "figures"
BOARDS = sorted(FIGURES.glob("*.md"))


@pytest.mark.parametrize("page", RESULTS["PAGES"])
def test_a_page_shows_the_tables_of_figures(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    assert RESULTS["SHOWN"].search(text)
    assert text.count("<!-- figures/") == len(RESULTS["SHOWN"].findall(text))
    assert RESULTS["filled"](text) == text, "python scripts/results.py"


@pytest.mark.parametrize("board", BOARDS, ids=lambda path: path.stem)
def test_a_table_of_figures_is_what_the_rows_give(board: Path) -> None:
    experiment, preset = board.stem.rsplit("-quick-old", 1)[0], "quick-old"
    if not board.stem.endswith(preset):
        experiment, preset = board.stem.rsplit("-", 1)
    rows = FIGURES / rows_file(preset, experiment).name
    found = recorded_results(experiment, Setup(preset), rows)
    for lines in found.tables().values():
        assert as_markdown(lines) in board.read_text(encoding="utf-8"), "comm-probe figure"


@pytest.mark.parametrize("preset", ["quick", "quick-old"])
def test_the_curves_of_figure_5_have_a_point_for_every_probed_epoch(preset: str) -> None:
    """A training repeated for another reading must not leave the earlier epochs behind."""
    for arm in recorded_results("fig5", Setup(preset), FIGURES / f"{preset}.jsonl"):
        points = {(row["seed"], row["biased"], row["epoch"]) for row in arm.curves}
        seeds, kinds, epochs = (set(values) for values in zip(*points, strict=True))
        assert len(seeds) == 5
        assert len(points) == len(seeds) * len(kinds) * len(epochs)
