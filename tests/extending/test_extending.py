"""Each kind of part is added from outside the package, by a file that registers it."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import TINY_MODEL, fitting, methods_of_pairs
from typer.testing import CliRunner

from trifeature.cli import probe as comm_probe
from trifeature.cli.data import app
from trifeature.comm.encoders import ENCODERS
from trifeature.comm.methods import METHODS
from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import ENCODER_NAMES, RunSettings, run_preset
from trifeature.comm.training import load_run, train
from trifeature.data import own_values
from trifeature.data.attributes import SHAPES
from trifeature.data.dataset import Dataset
from trifeature.data.storage import load
from trifeature.errors import InputError
from trifeature.experiments.catalog import EXPERIMENTS
from trifeature.experiments.reproduction import draw_figure
from trifeature.modality import KINDS
from trifeature.pid import MEASURES
from trifeature.probes.classifiers import CLASSIFIERS
from trifeature.probes.protocol import probe
from trifeature.samples import Samples
from trifeature.views import VIEW_KINDS

HERE = Path(__file__).parent
TABLES: list[dict[str, Any]] = [
    METHODS,
    OPTIONS,
    KINDS,
    ENCODERS,
    VIEW_KINDS,
    MEASURES,
    CLASSIFIERS,
    EXPERIMENTS,
    *own_values.TABLES,
]
"""Where parts are registered."""


@pytest.fixture(scope="module")
def plugin() -> Iterator[Callable[[str], ModuleType]]:
    """Runs a plugin's file once, as the command line does; in the end nothing is registered."""
    before = [dict(table) for table in TABLES]
    names = list(ENCODER_NAMES)

    def load(name: str) -> ModuleType:
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    yield load
    for table, old in zip(TABLES, before, strict=True):
        table.clear()
        table.update(old)
    ENCODER_NAMES[:] = names
    for path in HERE.glob("*.py"):
        if not path.stem.startswith("test_"):
            sys.modules.pop(path.stem, None)


def tiny(method: str, **changes: Any) -> RunSettings:
    sizes = fitting(method, TINY_MODEL)
    return run_preset("tiny", method=method, **sizes | {"epochs": 1, "batch_size": 32} | changes)


def test_a_method_is_at_most_forty_lines(
    plugin: Callable[[str], ModuleType], tiny_data: Dataset, tmp_path: Path
) -> None:
    plugin("masked")
    assert len((HERE / "masked.py").read_text().splitlines()) <= 40
    seen: list[dict[str, float]] = []
    run = tiny("masked", keep=0.5)
    train(tiny_data, run, tmp_path, report=lambda progress: seen.append(progress.terms))
    assert set(seen[-1]) == {"loss", "L", "L_1", "L_2", "masked"}
    assert load_run(tmp_path, tiny_data).settings == run
    assert RunSettings.from_json(run.to_json()) == run
    with pytest.raises(InputError, match="keep is an option of masked, not of comm"):
        run_preset("tiny", keep=0.5)


def test_the_mask_of_a_method_leaves_tokens_out(
    plugin: Callable[[str], ModuleType], tiny_data: Dataset
) -> None:
    plugin("masked")
    method = train(tiny_data, tiny("masked", epochs=0)).train()
    samples = tiny_data.samples()
    views = method.views(
        samples.batch("train", samples.rows_of("train")[:8]), torch.Generator().manual_seed(0)
    )
    everything = (*views[:-1], torch.zeros_like(views[-1]))
    nothing = (*views[:-1], torch.ones_like(views[-1]))
    some, every, none = (method.codes_of(v)[-1] for v in (views, everything, nothing))
    assert not torch.allclose(some, every)
    assert torch.allclose(none[0], none[1], atol=1e-5)  # CLS alone: the same for every sample


@pytest.mark.usefixtures("one_cost")
def test_a_kind_of_modality_trains_with_every_method_and_is_probed(
    plugin: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    plugin("spectrum")
    random = np.random.default_rng(0)
    label = np.arange(96) % 3
    sound = random.normal(size=(96, 2, 24)) + 4 * label[:, None, None]
    data = Samples.from_arrays(
        {"sound": sound, "table": random.normal(size=(96, 5))},
        {"class": label},
        kinds={"sound": "spectrum"},
    )
    assert [m.kind for m in data.modalities] == ["spectrum", "vector"]
    for name in methods_of_pairs():
        run = tiny(name, views=(KINDS["spectrum"].strong, KINDS["vector"].strong))
        method = train(data, run, tmp_path / name)
        found = probe(method, data, alone=True)
        assert found.alone["sound"]["class"].macro_accuracy > 0.6
        assert RunSettings.from_json(run.to_json()) == run


def test_a_measure_of_redundancy_is_known_to_the_command_line(
    plugin: Callable[[str], ModuleType],
) -> None:
    plugin("common")
    for name, redundancy in (("RDN", 1.0), ("AND", 0.0), ("ALL4", 1.0)):
        line = ["pid", "show", name, "--measure", "common", "--format", "json"]
        rows = json.loads(CliRunner().invoke(app, line).stdout)
        assert [row["measure"] for row in rows] == ["common"] * 4
        assert rows[0]["bits"] == pytest.approx(redundancy)


def test_a_figure_is_planned_and_drawn_by_its_name(
    plugin: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    plugin("widths")
    rows = str(tmp_path / "rows.jsonl")
    line = ["reproduce", "widths", "--dry-run", "--verbose", "--rows", rows]
    said = CliRunner().invoke(comm_probe.app, line)
    assert said.exit_code == 0
    assert said.stdout.count("half width") == 6
    assert "12 of 12 runs" in said.stdout
    assert draw_figure("widths", []).get_suptitle() == "CoMM of two widths; quick preset, n = 0"


def test_a_part_is_registered_once(plugin: Callable[[str], ModuleType]) -> None:
    module = plugin("masked")
    from trifeature.comm.methods import register_method  # noqa: PLC0415

    with pytest.raises(InputError, match="a method called 'masked' exists already"):
        register_method("masked", module.Masked, module.MaskedOptions)
    assert OPTIONS["masked"] is module.MaskedOptions


def test_a_classifier_reads_what_the_linear_probe_reads(
    plugin: Callable[[str], ModuleType], tiny_data: Dataset
) -> None:
    plugin("neighbours")
    method = train(tiny_data, tiny("cross"))
    linear, near = (
        probe(method, tiny_data, classifier=name) for name in ("logistic", "neighbours")
    )
    assert (linear.classifier, near.classifier) == ("logistic", "neighbours")
    assert near.row().keys() >= {"R", "U1", "U2", "U", "S", "S_auc", "bits", "confusion"}
    assert near.row()["R"] > 0.25  # above chance, as the linear probe
    with pytest.raises(InputError, match="did you mean 'neighbours'"):
        probe(method, tiny_data, classifier="neighbors")


def test_an_eleventh_shape_is_generated_with_an_own_texture_and_color(
    plugin: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    plugin("drawings")
    own = f"--shapes {','.join(SHAPES)},ring --textures solid,checks --colors red,teal"
    sizes = "--held-out 8 --copies 1 --test-copies 1 --train-pairs 9 --probe-pairs 9 --test-pairs 9"
    line = f"generate {tmp_path}/own --preset tiny {own} {sizes}".split()
    said = CliRunner().invoke(app, line)
    assert said.exit_code == 0, said.output
    data = load(tmp_path / "own")
    assert data.settings.counts == {"shape": 11, "texture": 2, "color": 2}
    assert sum(len(table.copies) for table in data.tables.values()) == 11 * 2 * 2
    ring = [10, 0, 1]  # solid and teal
    split, row = next(
        (split, row)
        for split, table in data.tables.items()
        for row in np.flatnonzero((table.attributes == ring).all(axis=1))
    )
    # Red falls from the background's 127 to teal's 0 where the ring covers a pixel.
    covered = 1 - data.images[split][row, 0].double().mean() / 127
    area = np.pi * (0.5**2 - 0.3**2) * (data.settings.render.box / 32) ** 2
    assert float(covered) == pytest.approx(area, rel=0.01)
