"""Single pairs of a data set: their atoms, and the picture of those with the most and the least."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from trifeature.cli.pid import app
from trifeature.data.dataset import Dataset, build, preset
from trifeature.data.rule import PairRule
from trifeature.data.storage import generate
from trifeature.data.truth import pair_atoms
from trifeature.errors import InputError
from trifeature.pair_sheet import pair_sheet

pytestmark = pytest.mark.filterwarnings("ignore::trifeature.pid.samples.SampleSizeWarning")


def test_the_mean_over_pairs_is_the_information_of_their_attributes(tiny: Dataset) -> None:
    found = pair_atoms(tiny.settings, tiny.tables["test"], tiny.pairs["test"], "synergy")
    label = tiny.pairs["test"].labels["synergy"]
    share = label.mean()
    # Texture 1 and color 2 determine the match, so they tell all of its entropy.
    entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    assert found.total.mean() == pytest.approx(entropy, abs=1e-9)
    assert found.total[label == 1] == pytest.approx(-np.log2(share))
    assert found.sources == ("texture 1", "color 2")


def test_the_rarer_label_tells_more_and_is_drawn_first(tiny: Dataset) -> None:
    figure, found = pair_sheet(tiny, atom="total", examples=3)
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert [word.splitlines()[1] for word in words] == ["label 1"] * 3 + ["label 0"] * 3
    assert float(words[0].splitlines()[0]) == pytest.approx(found.total.max(), abs=0.005)
    assert len(figure.axes) == 12  # both images of six pairs


def test_three_modalities_and_wrong_names_are_refused(tiny: Dataset) -> None:
    with pytest.raises(InputError, match="did you mean 'synergy'"):
        pair_sheet(tiny, atom="sinergy")
    with pytest.raises(InputError, match="unknown task"):
        pair_sheet(tiny, task="shape")
    three = build(
        preset("tiny", copies=1, train_pairs=8, test_pairs=8, rule=PairRule(modalities=3))
    )
    with pytest.raises(InputError, match="two modalities, not 3"):
        pair_sheet(three)


def test_the_command_names_the_pairs_and_draws_them(tiny: Dataset, tmp_path: Path) -> None:
    folder, picture = tmp_path / "data", tmp_path / "pairs.png"
    generate(folder, tiny.settings)
    result = CliRunner().invoke(
        app, ["pairs", str(folder), "--top", "2", "--picture", str(picture)]
    )
    assert result.exit_code == 0, result.output
    assert "test pairs by their synergy about match" in result.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")
