"""`comm-probe` as it is typed, on presets of a second: train, probe, draw, stop and go on."""

import errno
import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import paper_files
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from tiny_runs import quick_preset, tiny_run
from torch import Tensor, nn

from trifeature import plots
from trifeature.cli import comm_probe_main, runs
from trifeature.cli.common import console, errors
from trifeature.cli.experiments import REAL_NAMES
from trifeature.comm import run_folder, training
from trifeature.comm.methods import METHODS, Loss, Method, Tensors
from trifeature.comm.options import OPTIONS, CoMMOptions, Options
from trifeature.comm.run_folder import CHECKPOINT, CONFIG, WEIGHTS
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.comm.training import Progress
from trifeature.data import storage
from trifeature.data.dataset import preset
from trifeature.experiments import execute as execution
from trifeature.experiments.catalog import EXPERIMENTS, REAL_EXPERIMENTS
from trifeature.experiments.experiment import Setup
from trifeature.experiments.plan import Plan, Row, control_of, missing
from trifeature.extra import accelerate
from trifeature.extra.accelerate import ExecutionError
from trifeature.files import read_json, read_rows, write_rows
from trifeature.modality import Modality
from trifeature.presets import PRESETS
from trifeature.probes import protocol
from trifeature.probes.classifiers import CLASSIFIERS
from trifeature.samples import Batch
from trifeature.views.sets import ALL, ALL_WITHOUT_CROP, LIGHT

pytestmark = pytest.mark.usefixtures("planned_once", "fitted_once")
DATA = preset(
    "tiny",
    **dict.fromkeys(("shapes", "textures", "colors"), 3),
    held_out=9,
    copies=1,
    test_copies=1,
    train_pairs=24,
    probe_pairs=150,
    test_pairs=64,
)
RUN = tiny_run(epochs=1, seed=0)
PICTURES = ("png", "svg")
BIASED = "data/quick-biased-seed0"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def cells(self) -> list[list[str]]:
        """The words of each line."""
        return [line.split() for line in self.out.splitlines()]

    @property
    def text(self) -> str:
        """What was printed, with single spaces."""
        return " ".join(self.out.split())


Command = Callable[..., Said]


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """A quick preset that is quicker still, one process, small pictures, no cost to choose."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "quick", quick_preset(DATA, RUN))
        patch.setattr(os, "cpu_count", lambda: 1)
        patch.setattr(protocol, "COSTS", (0.01,))
        patch.setitem(plots.STYLE, "savefig.dpi", 30.0)
        yield


def exit_code(*words: str) -> int:
    """`comm-probe` in this process, through its entry point."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["comm-probe", *words])
        with pytest.raises(SystemExit) as stop:
            comm_probe_main()
    return int(stop.value.code or 0)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Command:
    """`comm-probe` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def command(*words: str) -> Said:
        code = exit_code(*words)
        return Said(code, *capsys.readouterr())

    return command


@pytest.fixture(scope="module")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `comm-probe ablate --loss L_i` was typed; no test changes its runs."""
    folder = tmp_path_factory.mktemp("ablated")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert exit_code("ablate", "--loss", "L_i") == 0
    return folder


@pytest.fixture
def there(run: Command, ablated: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`comm-probe` in that folder, unable to train."""
    monkeypatch.chdir(ablated)
    monkeypatch.setattr(training, "step", None)
    return run


def folder_of(kind: str) -> Path:
    """The biased or the unbiased run in the current folder."""
    (found,) = Path("runs/ablate").glob(f"quick-comm-L_i-{kind}-*")
    return found


def measured(plan: Plan, epoch: int) -> Row:
    """A row as a run would write it, with values that tell biased from unbiased."""
    value = (0.6 if plan.biased else 0.5) + 0.1 * epoch / plan.run.epochs
    names = ("R", "U", "U1", "U2", "S", "S_auc", "S_balanced")
    return {
        **plan.columns(),
        "seconds": 40.0,
        "epoch": epoch,
        **dict.fromkeys(names, value),
        "bits": dict.fromkeys(("R", "U1", "U2", "S"), 1 - value),
        "i_nce": 2.0,
        "probe_seconds": 1.0,
    }


@dataclass(frozen=True)
class Carried:
    """A plan that was carried out, and how."""

    plan: Plan
    folder: Path
    rest: dict[str, Any]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are made but not painted: empty files stand for them."""

    def save(figure: Figure, path: Path) -> list[Path]:
        assert figure.axes
        path.parent.mkdir(parents=True, exist_ok=True)
        files = [path.with_suffix(f".{suffix}") for suffix in PICTURES]
        for file in files:
            file.touch()
        return files

    for module in (runs, plots):
        monkeypatch.setattr(module, "save", save)


@pytest.fixture
def carried(monkeypatch: pytest.MonkeyPatch, undrawn: None) -> list[Carried]:
    """Nothing is trained: plans end at once with the rows of `measured`."""
    del undrawn
    calls: list[Carried] = []

    def carry_out(plan: Plan, folder: Path, **rest: Any) -> list[Row]:
        calls.append(Carried(plan, folder, rest))
        rest["report"](Progress(1.0, 1, {"loss": 4.0}, 0.0))
        return [measured(plan, epoch) for epoch in plan.probe_epochs]

    monkeypatch.setattr(execution, "carry_out", carry_out)
    return calls


def write(path: str, plans: Sequence[Plan]) -> None:
    """A file of the rows of finished plans."""
    Path(path).parent.mkdir(exist_ok=True)
    write_rows(Path(path), [measured(plan, epoch) for plan in plans for epoch in plan.probe_epochs])


def assert_refused(said: Said, *words: str) -> None:
    """One line on standard error that begins with `error:`, and exit code 2."""
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err
    assert not [path for path in Path().rglob("*") if ".part-" in path.name]


# --------------------------------------------------------------------------- ablate


def test_ablate_trains_a_loss_and_its_control_and_leaves_rows_and_a_picture(ablated: Path) -> None:
    rows = read_rows(ablated / "runs/ablate/rows.jsonl")
    assert [(row["loss"], row["biased"], row["epoch"]) for row in rows] == [
        ("L_i", True, 0),
        ("L_i", True, 1),
        ("L_i", False, 0),
        ("L_i", False, 1),
    ]
    assert storage.load(ablated / BIASED).settings == preset("quick", match_rate=1.0)
    with Image.open(ablated / "runs/ablate/ablation.png") as picture:
        assert picture.format == "PNG"
    assert "<svg" in (ablated / "runs/ablate/ablation.svg").read_text(encoding="utf-8")


@pytest.mark.usefixtures("undrawn")
def test_a_second_call_trains_nothing_and_prints_the_same_table(there: Command) -> None:
    rows = Path("runs/ablate/rows.jsonl").read_bytes()
    said = there("ablate", "--loss", "L_i")
    assert (said.code, said.err) == (0, "")
    assert "2 finished before: their rows are kept" in said.out
    assert Path("runs/ablate/rows.jsonl").read_bytes() == rows
    last = read_rows(Path("runs/ablate/rows.jsonl"))[1]
    numbers = [f"{100 * last[c]:.1f}" for c in ("R", "U1", "U2", "S", "S_auc", "S_balanced")]
    assert ["ΣL_i", *numbers, "1"] in said.cells
    assert any(line[:4] == ["ΣL_i,", "unbiased", "pairs", "(control)"] for line in said.cells)
    assert any(line[:3] == ["untrained", "network", "(control)"] for line in said.cells)
    assert "S of ΣL_i against the same model on unbiased pairs: " in said.out
    assert "S of ΣL_i against the untrained network: " in said.out
    assert said.out.splitlines()[-1] == "picture: " + ", ".join(
        f"runs/ablate/ablation.{suffix}" for suffix in PICTURES
    )


def test_a_table_of_scores_has_a_column_for_each_modality(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = dict.fromkeys(("R", "U1", "U2", "U3", "U", "S", "S_auc", "S_balanced"), 0.5)
    runs.print_groups("three", {"epoch 4": [row]})
    heads = ["R", "U1", "U2", "U3", "S", "S_auc", "S_balanced", "n"]
    assert heads in [line.split()[3:] for line in capsys.readouterr().out.splitlines()]


def test_without_a_loss_the_three_of_figure_5_are_compared(
    run: Command, carried: list[Carried]
) -> None:
    said = run("ablate")
    losses = ["L_CoMM", "L", "L_i"]
    assert [(c.plan.run.option("loss"), c.plan.biased) for c in carried] == [
        (loss, biased) for loss in losses for biased in (True, False)
    ]
    assert ["L_CoMM", *["70.0"] * 6, "1"] in said.cells
    assert ["ΣL_i,", "unbiased", "pairs", "(control)", *["60.0"] * 6, "1"] in said.cells
    assert ["untrained", "network", "(control)", *["50.0"] * 6, "1"] in said.cells


def test_losses_are_compared_in_the_order_given_each_once(
    run: Command, carried: list[Carried]
) -> None:
    run("ablate", "--loss", "L_2", "--loss", "L", "--loss", "L_2", "--no-control")
    trained = [(c.plan.run.option("loss"), c.plan.biased) for c in carried]
    assert trained == [("L_2", True), ("L", True)]


def test_seeds_vary_data_and_training_together(run: Command, carried: list[Carried]) -> None:
    said = run("ablate", "--loss", "L", "--seed", "3", "--seeds", "2", "--epochs", "5")
    assert [(c.plan.run.seed, c.plan.data.seed) for c in carried] == [(3, 3)] * 2 + [(4, 4)] * 2
    assert {c.plan.probe_epochs for c in carried} == {(0, 1, 2, 4, 5)}
    assert all(c.rest["source"] is None for c in carried)
    (line,) = (line for line in said.out.splitlines() if line.startswith("  L  "))
    assert re.split(" {2,}", line.strip()) == ["L", *["70.0 ± 0.0"] * 6, "2"]
    assert "+10.0 points (95 % interval +10.0 to +10.0, paired by seed, n = 2)" in said.out


def test_a_data_set_of_ones_own_is_used_for_every_seed(
    run: Command, carried: list[Carried]
) -> None:
    storage.generate("mine", preset("quick", copies=2, match_rate=0.5, synergy_map="identity"))
    said = run("ablate", "--loss", "L", "--data", "mine", "--seeds", "2")
    assert "one data set for all seeds" in said.out
    assert [(c.plan.run.seed, c.plan.data.seed) for c in carried] == [(0, 0)] * 2 + [(1, 0)] * 2
    assert [c.plan.data.match_rate for c in carried] == [0.5, None, 0.5, None]
    assert all(c.rest["source"] == Path("mine") for c in carried)
    assert not Path("data").exists()


def test_unbiased_data_are_biased_for_the_ablation(run: Command, carried: list[Carried]) -> None:
    storage.generate("mine", DATA)
    run("ablate", "--loss", "L", "--data", "mine")
    assert [c.plan.data.match_rate for c in carried] == [1.0, None]


def test_the_untrained_control_is_there_whatever_epochs_are_asked_for(
    run: Command, carried: list[Carried]
) -> None:
    said = run("ablate", "--loss", "L", "--epochs", "3", "--probe-at", "2,3")
    assert {c.plan.probe_epochs for c in carried} == {(0, 2, 3)}
    assert ["untrained", "network", "(control)", *["50.0"] * 6, "1"] in said.cells


def test_three_modalities_have_a_term_more(run: Command, carried: list[Carried]) -> None:
    rule = replace(DATA.rule, modalities=3)
    storage.generate("triples", replace(DATA, rule=rule))
    assert run("ablate", "--loss", "L_3", "--data", "triples").code == 0
    assert carried[0].plan.run.option("loss") == "L_3"
    assert_refused(run("ablate", "--loss", "L_4", "--data", "triples"), "L_3")


# --------------------------------------------------------------------------- train


def test_train_with_every_variant_ends_as_a_run_with_its_rows(run: Command) -> None:
    variants = {
        "masking": "learned",
        "unimodal": "plain",
        "negatives": "algorithm1",
        "temperature": ".2",
        "batch-size": "12",
        "probe-at": "0",
    }
    words = [f"--{name}={value}" for name, value in variants.items()]
    said = run("train", *words, "--no-head-norm", "--views", "light", "--views", "all")
    assert said.code == 0
    assert all(" seed " in line and ": R " in line for line in said.err.splitlines())  # of runs
    folder = Path(said.out.rstrip().splitlines()[-1].removeprefix("run: "))
    assert (folder / WEIGHTS).is_file()
    kept = RunSettings.from_json(read_json(folder / CONFIG)["run"])
    options = kept.options
    assert isinstance(options, CoMMOptions)
    assert (options.masking, options.unimodal) == ("learned", "plain")
    assert (options.negatives, options.head_norm) == ("algorithm1", False)
    assert (options.temperature, kept.batch_size) == (0.2, 12)
    assert kept.views == (LIGHT, ALL)
    rows = read_rows(Path("runs/rows.jsonl"))
    assert [row["epoch"] for row in rows] == [0, 1]
    for row in rows:
        cells = [f"{100 * row[c]:.1f}" for c in ("R", "U1", "U2", "S", "S_auc", "S_balanced")]
        assert ["epoch", f"{row['epoch']}", *cells, "1"] in said.cells


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ([], {}),
        (["--method", "cross"], {"method": "cross"}),
        (["--loss", "L_1"], {"loss": "L_1"}),
        (["--fusion", "linear"], {"fusion": "linear"}),
        (["--width", "16"], {"width": 16}),
        (["--seed", "4"], {"seed": 4}),
        (["--masking", "learned"], {"masking": "learned"}),
        (
            ["--learning-rate", "0.01", "--weight-decay", "0"],
            {"learning_rate": 0.01, "weight_decay": 0.0},
        ),
        (["--epochs", "3"], {"epochs": 3}),
        (["--views", "all-without-crop"], {"views": (ALL_WITHOUT_CROP,)}),
        (["--head-norm"], {"head_norm": True}),
    ],
)
def test_every_setting_of_train_is_an_option(
    words: list[str],
    changes: dict[str, Any],
    run: Command,
    carried: list[Carried],
    ablated: Path,
) -> None:
    assert run("train", "--data", str(ablated / BIASED), *words).code == 0
    (one,) = carried
    assert one.plan.run == run_preset("quick", **changes)
    assert one.plan.data == preset("quick", match_rate=1.0)
    assert one.rest["keep_weights"]


def test_a_seed_names_the_data_set_that_is_generated_for_it(
    run: Command, carried: list[Carried]
) -> None:
    run("train", "--seed", "4")
    (one,) = carried
    assert (one.plan.run.seed, one.plan.data.seed) == (4, 4)
    assert one.rest["source"] == Path("data/quick-biased-seed4")


def test_train_on_a_data_set_of_ones_own_takes_its_pairs_as_they_are(
    run: Command, carried: list[Carried]
) -> None:
    storage.generate("mine", DATA)
    assert run("train", "--data", "mine", "--probing", "paper").code == 0
    (one,) = carried
    assert (one.plan.data, one.plan.probing, one.rest["source"]) == (DATA, "authors", Path("mine"))


def test_train_unbiased_is_the_control_of_the_same_command(
    run: Command, carried: list[Carried]
) -> None:
    for words in ((), ("--unbiased",)):
        assert run("train", "--method", "cross", *words).code == 0
    biased, unbiased = (one.plan for one in carried)
    assert (biased.biased, unbiased.biased) == (True, False)
    assert unbiased.key == control_of(biased).key


class Mean(Method):
    """A method that is nothing but a file: one linear layer on the mean colors of the images."""

    def __init__(self, settings: RunSettings, modalities: Sequence[Modality]) -> None:
        super().__init__(settings, modalities)
        self.layer = nn.Linear(3, 4)

    def views(self, batch: Batch, generator: torch.Generator) -> Tensors:
        return self.light_views(batch, generator)

    def codes_of(self, views: Tensors) -> Tensors:
        return tuple(self.encode(x, m) for m, x in enumerate(views))

    def loss_of(self, codes: Tensors) -> Loss:
        total = torch.stack(codes).pow(2).mean()
        return Loss(total, {"mean": total})

    def encode(self, images: Tensor, modality: int) -> Tensor:
        del modality
        coded: Tensor = self.layer(images.mean((-1, -2)))
        return coded

    def combine(self, codes: Sequence[Tensor], subsets: Sequence[Sequence[int]]) -> list[Tensor]:
        return [torch.cat([codes[m] for m in subset], dim=1) for subset in subsets]


def test_a_method_is_one_class_and_one_line_of_the_table(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "mean", Mean)
    monkeypatch.setitem(OPTIONS, "mean", Options)
    said = run("train", "--method", "mean")
    assert said.code == 0
    rows = read_rows(Path("runs/rows.jsonl"))
    assert [(row["method"], row["epoch"]) for row in rows] == [("mean", 0), ("mean", 1)]
    assert rows[1]["i_nce"] is None
    assert "did you mean 'mean'" in run("train", "--method", "meann").err


# --------------------------------------------------------------------------- under torchrun


@pytest.fixture
def as_rank(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """This process as torchrun would have started it beside another."""

    def set_environment(rank: int) -> None:
        for name in ("RANK", "LOCAL_RANK"):
            monkeypatch.setenv(name, str(rank))
        for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
            monkeypatch.setenv(name, "2")
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")

    yield set_environment
    console.quiet = errors.quiet = False  # a process that is not rank 0 prints nothing


@pytest.mark.parametrize("words", [["ablate"], ["reproduce", "fig4"], ["demo"], ["figure"]])
def test_under_torchrun_all_but_train_is_refused_by_the_first_process(
    words: list[str], run: Command, as_rank: Callable[[int], None], carried: list[Carried]
) -> None:
    as_rank(0)
    said = run(*words)
    assert_refused(said, f"torchrun is for `comm-probe train`: start `{words[0]}` without it")
    as_rank(1)
    assert run(*words) == Said(2, "", "")
    assert carried == []


def test_under_torchrun_the_first_process_alone_names_a_mistake(
    run: Command, as_rank: Callable[[int], None]
) -> None:
    as_rank(0)
    assert_refused(run("train", "--method", "com"), "did you mean 'comm'")
    as_rank(1)
    assert run("train", "--method", "com") == Said(2, "", "")


# --------------------------------------------------------------------------- probe


def test_probe_stands_a_run_beside_both_its_controls_and_each_image_alone(there: Command) -> None:
    run, control = folder_of("biased"), folder_of("unbiased")
    said = there("probe", str(run), "--control", str(control), "--json")
    assert (said.code, said.err) == (0, "")
    found = json.loads(said.out)
    assert list(found) == ["trained", "unbiased pairs (control)", "untrained (control)"]
    rows = {(r["biased"], r["epoch"]): r for r in read_rows(Path("runs/ablate/rows.jsonl"))}
    for name, place in zip(found, [(True, 1), (False, 1), (True, 0)], strict=True):
        for column in ("R", "U1", "U2", "S", "S_auc", "S_balanced"):
            assert found[name][column] == pytest.approx(rows[place][column])
        assert {"image1", "image2"} <= found[name].keys()


def test_probe_reads_a_run_without_a_modality(there: Command) -> None:
    whole = ("probe", str(folder_of("biased")), "--json")
    full, hidden = (json.loads(there(*whole, *more).out) for more in ((), ("--hide", "image2")))
    # The texture of a hidden image cannot be told: its macro accuracy is chance of ten.
    chance = 1 / len(hidden["trained"]["confusion"]["U2"])
    assert hidden["trained"]["U2"] == pytest.approx(chance, abs=0.05)
    assert full["trained"]["image1"] == hidden["trained"]["image1"]
    said = there(*whole, "--hide", "image3")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "image3" in said.err


def test_probe_takes_a_classifier_that_a_plugin_registers(
    there: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Constant:
        """Always says the same."""

        def fit(self, features: Any, labels: Any) -> None:
            del features
            self.classes_ = np.unique(labels)

        def predict_proba(self, features: Any) -> Any:
            return np.eye(len(self.classes_))[np.zeros(len(features), int)]

    monkeypatch.setitem(CLASSIFIERS, "constant", Constant)
    said = there("probe", str(folder_of("biased")), "--classifier", "constant", "--json")
    assert said.code == 0
    assert json.loads(said.out)["trained"]["R"] == pytest.approx(1 / 3)


def test_probe_without_a_control_says_how_to_get_it(there: Command) -> None:
    said = there("probe", str(folder_of("biased")), "--data", BIASED)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    for place, name in enumerate(("trained", "untrained (control)")):
        row = read_rows(Path("runs/ablate/rows.jsonl"))[1 - place]
        cells = [f"{100 * row[c]:.1f}" for c in ("R", "U1", "U2", "S", "S_auc", "S_balanced")]
        assert [*name.split(), *cells, "1"] in said.cells
        for image in ("image1", "image2"):
            assert any(line.startswith(f"  {name}, {image} alone ") for line in lines)
    assert "`comm-probe train --unbiased`" in said.text
    assert "--control RUN shows it here" in said.text


def test_a_control_that_is_another_run_is_refused(there: Command) -> None:
    run = str(folder_of("biased"))
    said = there("probe", run, "--control", run)
    assert_refused(said, f"{run} is not the same run on unbiased pairs")


@pytest.fixture
def copied(ablated: Path, run: Command, tmp_path: Path) -> Path:
    """A copy of the biased run to damage, in an empty current folder."""
    del run
    (source,) = (ablated / "runs/ablate").glob("quick-comm-L_i-biased-*")
    shutil.copytree(source, tmp_path / "copy")
    return Path("copy")


def test_a_folder_without_a_run_is_named(run: Command) -> None:
    assert_refused(run("probe", "nowhere"), "nowhere/config.json is missing")


def test_a_run_that_is_not_finished_is_not_probed(run: Command, copied: Path) -> None:
    (copied / WEIGHTS).unlink()
    assert_refused(run("probe", "copy"), "copy is not finished", "`comm-probe train` continues")


def test_a_run_is_probed_on_its_own_data_set_only(run: Command, copied: Path) -> None:
    storage.generate("other", replace(DATA, seed=1))
    said = run("probe", str(copied), "--data", "other")
    assert_refused(said, "other is not the data set that this run is about")


@pytest.mark.parametrize("damage", [b"", b"garbage", b"\x02" + bytes(7) + b"{}"])
def test_damaged_weights_are_named(damage: bytes, run: Command, copied: Path) -> None:
    (copied / WEIGHTS).write_bytes(damage)
    assert_refused(run("probe", "copy"), f"copy/{WEIGHTS} is damaged")


def test_truncated_weights_are_named(run: Command, copied: Path) -> None:
    (copied / WEIGHTS).write_bytes((copied / WEIGHTS).read_bytes()[:-5])
    assert_refused(run("probe", "copy"), f"copy/{WEIGHTS} is damaged")


def test_weights_of_another_network_are_named(run: Command, copied: Path) -> None:
    content = read_json(copied / CONFIG)
    content["run"]["options"]["width"] = 16
    (copied / CONFIG).write_text(json.dumps(content))
    assert_refused(run("probe", "copy"), f"copy/{WEIGHTS} does not fit the run's settings")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ([], [1], "config.json is damaged"),
        (["run"], None, "config.json is damaged: it lacks 'run'"),
        (["run"], [1], "the settings of a run must be a JSON object"),
        (["run", "views"], "all", "views must be a list"),
        (["run", "views"], [1], "views must be a JSON object"),
        (["run", "light"], 1, "views must be a JSON object"),
        (["run", "options"], 3, "the options of comm must be a JSON object"),
        (["run", "batch_size"], "x", "batch_size must be a whole number"),
        (["run", "learning_rate"], "x", "learning_rate must be above 0, not 'x'"),
        (["run", "method"], "com", "unknown method 'com': did you mean 'comm'?"),
        (["run", "encoder"], "smal", "unknown encoder 'smal': did you mean 'small'?"),
        (["run", "epochs"], -1, "epochs must be a whole number"),
        (["run", "speed"], 3, "unknown setting of the run 'speed'"),
        (["data"], 3, "the settings of the data set must be"),
        (["data", "rule"], 3, "the pairing rule must be"),
        (["data", "seed"], "x", "seed must be a whole number"),
        (["data", "render", "canvas"], 31, "canvas must be a whole number from"),
    ],
)
def test_a_damaged_configuration_is_one_line(
    path: list[str], value: object, message: str, run: Command, copied: Path
) -> None:
    content: Any = read_json(copied / CONFIG)
    place = content
    for key in path[:-1]:
        place = place[key]
    if not path:
        content = value
    elif value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    (copied / CONFIG).write_text(json.dumps(content))
    assert_refused(run("probe", "copy"), message)


# --------------------------------------------------------------------------- reproduce


def test_a_dry_run_lists_what_would_run_and_starts_nothing(
    run: Command, carried: list[Carried]
) -> None:
    said = run("reproduce", "table4", "--seeds", "2", "--dry-run", "--verbose")
    plans = EXPERIMENTS["table4"].plans(Setup("quick", seeds=2))
    lines = said.out.splitlines()
    assert lines[:-1] == [plan.describe() for plan in plans]
    assert lines[-1] == "8 of 8 runs, 1 side by side: an unknown time; 0 have their rows"
    assert carried == []
    assert list(Path().iterdir()) == []


def test_some_arms_of_a_board_are_run_by_their_labels(run: Command) -> None:
    chosen = ("--only", "ΣL_i", "--only", "CoMM + HRIL's alignment")
    said = run("reproduce", "leaderboard", *chosen, "--seeds", "1", "--dry-run", "--verbose")
    kinds = ("L_i", "hril nce+align fused")
    expected = [f"{kind} {pairs} seed 0" for kind in kinds for pairs in ("biased", "unbiased")]
    assert said.out.splitlines()[:-1] == expected
    assert_refused(run("reproduce", "fig4", "--only", "COMM"), "unknown arm 'COMM'")


def test_a_dry_run_of_all_lists_kinds_and_ends_with_a_sum(run: Command) -> None:
    write("figures/quick.jsonl", EXPERIMENTS["fig5"].plans(Setup("quick", seeds=1)))
    assert len(EXPERIMENTS["fig5"].plans(Setup("quick", seeds=1))) == 6
    said = run("reproduce", "all", "--dry-run", "--seeds", "5", "--jobs", "2")
    lines = said.out.splitlines()
    runs = [int(n) for n in re.findall(r" (\d+) +(?:\d+ s|\d+ min|–) *$", said.out, re.MULTILINE)]
    match = re.fullmatch(
        r"(\d+) of (\d+) runs, 2 side by side: .+; (\d+) have their rows", lines[-1]
    )
    assert match is not None
    assert match[3] == "6"
    assert 1 < len(lines) < int(match[1]) / 3  # a line a kind, not a line a run
    assert sum(runs) == int(match[1]) == int(match[2]) - int(match[3])


def test_a_dry_run_expects_the_time_of_earlier_runs_of_the_kind(
    run: Command, carried: list[Carried]
) -> None:
    plans = EXPERIMENTS["fig5"].plans(Setup("quick", seeds=1))
    write("figures/quick.jsonl", plans[:2])
    said = run("reproduce", "fig5", "--seeds", "1", "--dry-run", "--jobs", "2")
    # Two rows of a run say 40 seconds of training and a second of each of its probes.
    assert said.out.splitlines()[-1] == "4 of 6 runs, 2 side by side: 84 s; 2 have their rows"
    assert carried == []


@pytest.mark.parametrize("name", [*EXPERIMENTS, "all"])
def test_every_experiment_can_be_planned(name: str, run: Command) -> None:
    said = run("reproduce", name, "--dry-run", "--preset", "paper")
    chosen = EXPERIMENTS.values() if name == "all" else [EXPERIMENTS[name]]
    keys = {plan.key for one in chosen for plan in one.plans(Setup("paper"))}
    assert f"{len(keys)} of {len(keys)} runs" in said.out


def test_without_time_nothing_is_started_and_nothing_drawn(
    run: Command, carried: list[Carried]
) -> None:
    said = run("reproduce", "table4", "--seeds", "1", "--time-budget", "0")
    assert (said.code, said.err) == (0, "")
    assert "0 runs done, 0 had their rows, 4 left for want of time" in said.out
    assert carried == []
    assert list(Path().rglob("*.*")) == []


def test_an_experiment_is_run_seed_by_seed_and_drawn_when_all_its_rows_are_there(
    run: Command, carried: list[Carried]
) -> None:
    said = run("reproduce", "table4", "--seeds", "2")
    assert said.code == 0
    assert all(" seed " in line and ": R " in line for line in said.err.splitlines())  # of runs
    plans = EXPERIMENTS["table4"].plans(Setup("quick", seeds=2))
    assert [c.plan for c in carried] == plans
    assert [c.folder for c in carried] == [Path("runs") / plan.name for plan in plans]
    assert not any(c.rest["keep_weights"] for c in carried)
    assert "8 runs done, 0 had their rows; rows: figures/quick.jsonl" in said.out
    names = {path.name for path in Path("figures").iterdir()}
    suffixes = (*PICTURES, "md", "tex")
    assert names == {"quick.jsonl", *(f"table4-quick.{suffix}" for suffix in suffixes)}


def test_finished_rows_are_skipped(run: Command, carried: list[Carried]) -> None:
    plans = EXPERIMENTS["table4"].plans(Setup("quick", seeds=1))
    write("mine.jsonl", plans[:3])
    said = run("reproduce", "table4", "--seeds", "1", "--rows", "mine.jsonl", "--keep-weights")
    assert [c.plan for c in carried] == plans[3:]
    assert carried[0].rest["keep_weights"]
    assert "1 runs done, 3 had their rows" in said.text
    again = run("reproduce", "table4", "--seeds", "1", "--rows", "mine.jsonl")
    assert "0 runs done, 4 had their rows" in again.text
    assert len(carried) == 1


def test_arms_that_experiments_share_are_run_once_for_all(
    run: Command, carried: list[Carried]
) -> None:
    assert run("reproduce", "all", "--seeds", "1").code == 0
    done = [c.plan.key for c in carried]
    assert len(done) == len(set(done))
    rows = read_rows(Path("figures/quick.jsonl"))
    for experiment in EXPERIMENTS.values():
        assert missing(experiment.plans(Setup("quick", seeds=1)), rows) == []


def test_other_epochs_and_probing_are_other_runs(run: Command, carried: list[Carried]) -> None:
    words = ("reproduce", "table4", "--seeds", "1")
    run(*words)
    run(*words, "--epochs", "2", "--probing", "paper")
    assert [(c.plan.run.epochs, c.plan.probing) for c in carried] == [
        *[(1, "ours")] * 4,
        *[(2, "authors")] * 4,
    ]


# --------------------------------------------------------------------------- real data


@pytest.fixture
def digits(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Miniature digits, and no other real data."""
    home = tmp_path_factory.mktemp("home")
    paper_files.write_digits(home / "digits")
    paper_files.use(home, monkeypatch)
    return home


FEW = ("--data-option", "pairs=40", "--data-option", "probe_pairs=60", "--data-option")
PAIRS = ("--data", "digit-pairs", *FEW, "test_pairs=60", "--seed", "2")


@pytest.mark.usefixtures("digits")
def test_real_data_are_trained_on_and_probed_by_name(run: Command) -> None:
    views = ("--data-option", 'views=["fou", "pix"]')
    said = run("train", "--data", "digits", *views, "--seed", "3")
    assert (said.code, "data: digits, views fou pix, seed 3" in said.out) == (0, True)
    assert "digit, macro plain majority n" in said.text
    (folder,) = Path("runs").glob("digits-quick-comm-*")
    rows = read_rows(Path("runs/rows.jsonl"))
    assert [(row["data"], row["data_options"]["seed"], row["seed"]) for row in rows] == [
        ("digits", 3, 3)
    ] * 2
    probed = run("probe", str(folder))
    assert (probed.code, probed.err) == (0, "")
    assert "task kind measure chance all fou alone pix alone" in probed.text
    for title in ("trained", "untrained (control)"):
        assert title in probed.out.splitlines()
    one = json.loads(run("probe", str(folder), "--json").out)
    assert one["trained"]["digit"] == rows[-1]["digit"]
    assert f"{100 * rows[-1]['digit']:.1f}" in probed.text
    refused = run("probe", str(folder), "--control", str(folder))
    assert_refused(refused, "--control is for planted pairs: digits is as it is")


@pytest.mark.usefixtures("digits")
def test_planted_pairs_have_r_u_s_and_an_unbiased_twin(run: Command) -> None:
    for pairs in ("--biased", "--unbiased"):
        said = run("train", *PAIRS, pairs)
        assert said.code == 0
        assert "macro accuracy, % R U1 U2 S S_auc S_balanced n" in said.text
    biased, unbiased = (
        next(Path("runs").glob(f"digit-pairs-quick-comm-L_CoMM-{kind}-*"))
        for kind in ("biased", "unbiased")
    )
    said = run("probe", str(biased), "--control", str(unbiased))
    assert (said.code, said.err) == (0, "")
    assert "unbiased pairs (control), kar alone" in said.out
    assert "one modality at a time" in said.out
    assert_refused(run("probe", str(biased), "--control", str(biased)), "is not the same run")


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "digts"], "did you mean 'digits'"),
        (["--data", "mosi"], "or see `trifeature data how mosi`"),
        (["--data", "digits", "--unbiased"], "--unbiased is for planted pairs: digits is as it is"),
        (["--data", "digits", "--data-option", "vews=1"], "did you mean 'views'"),
        (["--data", "digits", "--data-option", "views"], "--data-option needs KEY=VALUE"),
        (["--data-option", "seed=1"], "--data-option goes with a set of real data by name"),
        (["--folder", "."], "--folder goes with a set of real data by name"),
        (["--data", "digits", "--method", "factorcl"], "factorcl is defined for two modalities"),
        (["--data", "digits", "--loss", "L_7"], "unknown loss 'L_7'"),
    ],
)
def test_real_data_that_cannot_be_are_refused(words: list[str], message: str, run: Command) -> None:
    assert_refused(run("train", *words), message)
    assert list(Path().iterdir()) == []


def test_the_help_names_every_experiment_on_real_data() -> None:
    assert REAL_NAMES.split(", ") == list(REAL_EXPERIMENTS)


@pytest.mark.usefixtures("digits")
@pytest.mark.parametrize("name", REAL_EXPERIMENTS)
def test_a_dry_run_names_what_is_missing(name: str, run: Command) -> None:
    said = run("reproduce", name, "--seeds", "1", "--dry-run")
    here = name.startswith("digit")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[-1].startswith("14 of 14 runs" if here else "0 of 0 runs")
    assert ("left out, needs " in said.out) != here
    if name == "table1":
        assert lines[2].startswith("left out, needs mosi_data.pkl: trifeature data how mosi: CoMM")


def test_a_table_of_the_paper_without_its_files_shows_published_values(run: Command) -> None:
    said = run("reproduce", "table3", "--seeds", "1")
    assert said.code == 0
    assert "88.1" in said.out
    assert "nothing was measured: no picture and no files are written" in said.out
    assert not Path("figures").exists()


@pytest.mark.usefixtures("digits")
def test_digits_are_reproduced_and_drawn_from_rows(run: Command, undrawn: None) -> None:
    del undrawn
    words = ("digits", "--seeds", "1", "--epochs", "1")
    assert run("reproduce", *words, "--only", "untrained, six or nine").code == 0
    files = {path.name for path in Path("figures").iterdir()}
    assert files >= {"real.jsonl", "digits-quick.md", "digits-quick.png"}
    said = run("figure", *words)
    assert (said.code, said.err) == (0, "")
    assert "untrained, six or nine" in said.out


# --------------------------------------------------------------------------- figure


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_each_figure_and_table_is_drawn_from_rows_alone(
    name: str, run: Command, carried: list[Carried]
) -> None:
    write("rows.jsonl", EXPERIMENTS[name].plans(Setup("quick", seeds=2)))
    said = run("figure", name, "--rows", "rows.jsonl", "--seeds", "2", "--out", "pictures")
    assert (said.code, said.err) == (0, "")
    assert carried == []
    stem = Path("pictures") / f"{name}-quick"
    assert {path.name for path in Path("pictures").iterdir()} == {
        f"{stem.name}.{suffix}" for suffix in (*PICTURES, "md", "tex")
    }
    text = stem.with_suffix(".md").read_text(encoding="utf-8")
    for arm in EXPERIMENTS[name].arms(PRESETS["quick"]):
        written, *_ = (one for one in text.splitlines() if one.startswith(f"| {arm.label} "))
        printed, *_ = (one for one in said.out.splitlines() if one.startswith(arm.label + "  "))
        assert "60.0 ± 0.0" in written  # R, of the unbiased trainings
        assert "70.0 ± 0.0" in written  # S, of the biased ones
        assert " 2 + 2" in written
        assert written.replace("|", " ").split() == printed.split()
    assert r"\begin{tabular}" in stem.with_suffix(".tex").read_text(encoding="utf-8")
    assert said.out.rstrip().endswith(f"picture: {stem}.png, {stem}.svg")


def first_table(text: str) -> list[str]:
    """The lines of the first table of a Markdown file, below its heading."""
    return text.split("\n\n")[1].splitlines()[2:]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_missing_rows_are_shown_as_missing(name: str, run: Command) -> None:
    write("rows.jsonl", EXPERIMENTS[name].plans(Setup("quick", seeds=1))[:1])
    said = run("figure", name, "--rows", "rows.jsonl")
    assert (said.code, said.err) == (0, "")
    lines = first_table(Path(f"{name}-quick.md").read_text(encoding="utf-8"))
    assert len(lines) == len(EXPERIMENTS[name].arms(PRESETS["quick"]))
    missing_ones = [line for line in lines if " 0 + 0" in line]
    assert len(missing_ones) == len(lines) - 1
    assert all(" – " in line for line in missing_ones)


@pytest.mark.usefixtures("undrawn")
def test_all_figures_with_rows_are_drawn_at_once(run: Command) -> None:
    write("figures/quick.jsonl", EXPERIMENTS["table4"].plans(Setup("quick", seeds=1)))
    said = run("figure", "all", "--seeds", "1")
    assert said.code == 0
    # The first arm of table 4 is CoMM, which all experiments of two modalities share.
    drawn = {path.stem.removesuffix("-quick") for path in Path("figures").glob("*.png")}
    assert drawn == {*EXPERIMENTS} - {"three-modalities"}
    assert said.out.endswith("no rows yet: three-modalities\n")


@pytest.mark.parametrize("name", ["all", "leaderboard"])
def test_a_file_without_rows_draws_nothing(name: str, run: Command) -> None:
    Path("rows.jsonl").touch()
    said = run("figure", name, "--rows", "rows.jsonl")
    assert_refused(said, "no row of rows.jsonl belongs to", f"`comm-probe reproduce {name}")
    assert [path.name for path in Path().iterdir()] == ["rows.jsonl"]


def test_figure_alone_draws_the_curves_of_the_last_ablation(there: Command) -> None:
    said = there("figure")
    assert (said.code, said.err) == (0, "")
    assert said.out == "picture: runs/ablate/curves.png, runs/ablate/curves.svg\n"
    # Matplotlib draws words as outlines and keeps them as comments.
    words = Path("runs/ablate/curves.svg").read_text(encoding="utf-8")
    assert "ΣL_i, unbiased pairs (control)" in words


@pytest.mark.parametrize("name", ["curves", "fig4"])
def test_a_figure_of_no_rows_names_the_file(name: str, run: Command) -> None:
    said = run("figure", name, "--rows", "nowhere.jsonl")
    writes = {"curves": "`comm-probe ablate`", "fig4": "`comm-probe reproduce fig4 --preset quick`"}
    assert_refused(said, "nowhere.jsonl does not exist", writes[name])


def test_a_figure_of_rows_that_are_all_of_something_else_is_refused(run: Command) -> None:
    (plan, *_) = EXPERIMENTS["fig7"].plans(Setup("quick", epochs=1, seeds=9))[-1:]
    write("rows.jsonl", [replace(plan, run=replace(plan.run, seed=99))])
    said = run("figure", "fig4", "--rows", "rows.jsonl")
    assert_refused(said, "no row of rows.jsonl belongs to fig4 of the quick preset")
    assert [path.name for path in Path().iterdir()] == ["rows.jsonl"]


def test_curves_of_an_empty_file_are_refused(run: Command) -> None:
    Path("rows.jsonl").touch()
    assert_refused(run("figure", "--rows", "rows.jsonl"), "rows.jsonl holds no rows")


@pytest.mark.parametrize(
    "words",
    [["figure"], ["figure", "fig4"], ["reproduce", "fig4"], ["reproduce", "fig4", "--dry-run"]],
)
@pytest.mark.parametrize("line", ['{"bench": "render", "ms": 2.0}', '["R"]', "R = 1"])
def test_a_file_of_something_else_is_no_rows_and_is_left_alone(
    words: list[str], line: str, run: Command, carried: list[Carried]
) -> None:
    Path("rows.jsonl").write_text(f"{line}\n")
    assert_refused(run(*words, "--rows", "rows.jsonl"), "rows.jsonl, line 1")
    assert Path("rows.jsonl").read_text() == f"{line}\n"
    assert carried == []


# --------------------------------------------------------------------------- demo


def test_the_demo_trains_four_runs_and_ends_by_naming_the_picture(
    run: Command, carried: list[Carried]
) -> None:
    said = run("demo", "--rows", "times.jsonl")
    assert said.code == 0
    assert all(" seed " in line and ": R " in line for line in said.err.splitlines())  # of runs
    assert [(c.plan.run.option("loss"), c.plan.biased) for c in carried] == [
        ("L_CoMM", True),
        ("L_CoMM", False),
        ("L", True),
        ("L_i", True),
    ]
    assert all(c.plan.run == run_preset("quick", loss=c.plan.run.option("loss")) for c in carried)
    assert all(c.rest["source"] == Path(BIASED) for c in carried)
    assert len(read_rows(Path("runs/demo/rows.jsonl"))) == 4 * 2
    assert ["L_CoMM", *["70.0"] * 6, "1"] in said.cells
    assert "S of L_CoMM against the same model on unbiased pairs: +10.0 points" in said.out
    *_, seconds, picture = said.out.splitlines()
    assert seconds.endswith(" seconds")
    assert picture == "picture: runs/demo/demo.png, runs/demo/demo.svg"
    (time,) = read_rows(Path("times.jsonl"))
    assert (time["bench"], time["seconds"] >= 0) == ("demo", True)


def test_the_time_of_a_demo_that_found_its_rows_is_not_recorded(
    run: Command, carried: list[Carried]
) -> None:
    assert run("demo").code == 0
    assert run("demo", "--rows", "times.jsonl").code == 0
    assert len(carried) == 4
    assert not Path("times.jsonl").exists()


# --------------------------------------------------------------------------- stopping


def failing(count: int, problem: BaseException) -> Callable[..., Any]:
    """A training step that fails at its `count`-th call."""
    step, calls = training.step, itertools.count(1)

    def fail(*words: Any) -> Any:
        if next(calls) == count:
            raise problem
        return step(*words)

    return fail


def values(path: str) -> list[tuple[Any, ...]]:
    return [tuple(row[c] for c in ("key", "epoch", "R", "U", "S")) for row in read_rows(Path(path))]


def test_ctrl_c_is_one_sentence_and_the_same_command_goes_on(
    run: Command, ablated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "--epochs", "2", "--data", str(ablated / BIASED))
    assert run(*words, "--out", "whole").code == 0
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(training, "step", failing(5, KeyboardInterrupt()))  # in the second epoch
        said = run(*words, "--out", "stopped")
    assert said.code == 130
    assert said.err.strip() == "stopped: nothing is half-written; the same command does the rest"
    assert not Path("stopped/rows.jsonl").exists()
    with monkeypatch.context() as patch:
        patch.setattr(training, "step", failing(4, AssertionError()))  # three steps are left
        assert run(*words, "--out", "stopped").code == 0
    assert values("stopped/rows.jsonl") == values("whole/rows.jsonl")


def test_a_full_disk_is_one_line_and_nothing_is_lost(
    run: Command, ablated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "--data", str(ablated / BIASED))
    write_bytes = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if CHECKPOINT in path.name:
            write_bytes(path, content[:9])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert_refused(run(*words), CHECKPOINT, "No space left on device")
    assert not list(Path("runs").rglob("*.safetensors"))
    assert run(*words).code == 0
    assert len(read_rows(Path("runs/rows.jsonl"))) == 2


def test_a_step_that_cannot_be_compiled_is_one_line_or_a_traceback_where_asked(
    run: Command, ablated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no compiler here")

    monkeypatch.setattr(accelerate, "step", fail)
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    words = ("train", "--data", str(ablated / BIASED), "--execution=compiled", "--device=cpu")
    assert_refused(run(*words), "no compiler here", "use --execution plain")
    monkeypatch.setenv("TRIFEATURE_TRACEBACK", "1")
    monkeypatch.setattr(sys, "argv", ["comm-probe", *words])
    with pytest.raises(ExecutionError):
        comm_probe_main()


def test_a_loss_that_explodes_is_one_line_that_names_the_step(run: Command, ablated: Path) -> None:
    said = run("train", "--data", str(ablated / BIASED), "--learning-rate", "1e30")
    assert_refused(
        said, "the loss is not finite at step", "the last good checkpoint, if there is one, is kept"
    )


def test_a_damaged_checkpoint_is_named(
    run: Command, ablated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "--epochs", "2", "--data", str(ablated / BIASED))
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(training, "step", failing(4, KeyboardInterrupt()))
        assert run(*words).code == 130
    (checkpoint,) = Path("runs").rglob(CHECKPOINT)
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    assert_refused(run(*words), f"{checkpoint} is damaged")


# --------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--method", "com"], "unknown method 'com': did you mean 'comm'?"),
        (["train", "--loss", "L_com"], "unknown loss 'L_com': did you mean 'L_CoMM'?"),
        (["train", "--loss", "L_3"], "unknown loss 'L_3'"),
        (
            ["train", "--method", "cross", "--loss", "L_com"],
            "loss is an option of comm, two-temperatures, comm+cross, infmasking, dropping, not of",
        ),
        (["train", "--preset", "quik"], "unknown preset 'quik': did you mean 'quick'?"),
        (["train", "--encoder", "smal"], "unknown encoder 'smal': did you mean 'small'?"),
        (["train", "--fusion", "atention"], "did you mean 'attention'?"),
        (["train", "--masking", "learnt"], "did you mean 'learned'?"),
        (["train", "--unimodal", "plane"], "did you mean 'plain'?"),
        (["train", "--negatives", "bot"], "did you mean 'both'?"),
        (["train", "--views", "lite"], "unknown set of views 'lite': did you mean 'light'?"),
        (
            ["train", "--batch-size", "1"],
            "batch_size must be a whole number from 2 to 10000000, not 1",
        ),
        (["train", "--width", "0"], "width must be a whole number of at least 1, not 0"),
        (["train", "--temperature", "-1"], "temperature must be above 0"),
        (["train", "--learning-rate", "nan"], "learning_rate must be above 0"),
        (["train", "--probing", "author"], "unknown probing 'author': did you mean 'authors'?"),
        (["train", "--probe-at", "one"], "--probe-at needs whole numbers such as 0,1,4"),
        (["train", "--probe-at", "2"], "--probe-at must be from 0 to the last epoch, 1"),
        (["train", "--device", "gpu"], "unknown device 'gpu'"),
        (["train", "--device", "cuda"], "no GPU for 'cuda' on this machine: use --device cpu"),
        (["train", "--data", "nowhere"], "nowhere is not a Trifeature data set"),
        (
            ["train", "--method", "cross", "--loss", "L_i"],
            (
                "loss is an option of comm, two-temperatures, comm+cross, infmasking, dropping, "
                "not of cross"
            ),
        ),
        (
            ["train", "--method", "factorcl", "--fusion", "linear"],
            "fusion is an option of comm",
        ),
        (["train", "--cross-self", "paper"], "cross_self is an option of cross+self, not of comm"),
        (["train", "--unbiased", "--data", "x"], "the pairs of --data are as they are"),
        (["ablate", "--loss", "L_I"], "unknown loss 'L_I': did you mean 'L_i'?"),
        (["ablate", "--preset", "papers"], "did you mean 'paper'?"),
        (["ablate", "--probing", "author"], "did you mean 'authors'?"),
        (["ablate", "--device", "cuda"], "no GPU for 'cuda' on this machine"),
        (["ablate", "--data", "nowhere"], "nowhere is not a Trifeature data set"),
        (["reproduce", "fig8"], "unknown experiment 'fig8': did you mean"),
        (["reproduce", "fig4", "--preset", "quik"], "did you mean 'quick'?"),
        (["reproduce", "fig4", "--device", "cuda"], "no GPU for 'cuda' on this machine"),
        (["reproduce", "fig4", "--time-budget", "-5"], "--time-budget must be 0 seconds or more"),
        (["reproduce", "fig4", "--time-budget", "nan"], "--time-budget must be 0 seconds or more"),
        (["figure", "tabel4"], "unknown experiment 'tabel4': did you mean 'table4'?"),
        (["figure", "fig4", "--preset", "quik"], "did you mean 'quick'?"),
        (["demo", "--device", "cuda"], "no GPU for 'cuda' on this machine"),
    ],
)
def test_bad_input_is_refused_in_one_line_before_any_work(
    words: list[str], message: str, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert_refused(run(*words), message)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--width", "6"], "the fusion width must be a multiple of 4, not 6"),
        (["--views", "all", "--views", "light", "--views", "all"], "each of 2 modalities, not 3"),
        (["--encoder", "alexnet"], "items of 3×32×32 (image1) do not fit the encoder"),
    ],
)
def test_settings_that_do_not_fit_the_data_are_refused_before_a_run_is_begun(
    words: list[str], message: str, run: Command, ablated: Path
) -> None:
    assert_refused(run("train", "--data", str(ablated / BIASED), *words), message)
    assert not Path("runs").exists()


def test_a_damaged_data_set_is_refused_and_its_file_named(run: Command) -> None:
    storage.generate("mine", replace(DATA, match_rate=1.0))
    image = sorted(Path("mine/train").glob("*.png"))[7]
    image.write_bytes(image.read_bytes()[:-1])
    assert_refused(run("ablate", "--loss", "L_i", "--data", "mine"), f"{image}: truncated")
    assert not Path("runs").exists()


@pytest.mark.parametrize("words", [["train"], ["ablate", "--loss", "L"]])
def test_a_folder_for_runs_that_is_a_file_is_left_alone(words: list[str], run: Command) -> None:
    Path("file").write_text("mine")
    assert_refused(run(*words, "--out", "file"), "file")
    assert Path("file").read_text() == "mine"


def test_a_runs_folder_that_is_something_else_is_left_alone(run: Command) -> None:
    plan = Plan("quick", preset("quick", match_rate=1.0), run_preset("quick"), ())
    folder = Path("runs") / plan.name
    folder.mkdir(parents=True)
    (folder / "letter.txt").write_text("dear")
    assert_refused(run("train"), f"{folder} exists and is not a run")
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


def test_a_run_whose_settings_were_changed_by_hand_is_refused(run: Command) -> None:
    plan = Plan("quick", preset("quick", match_rate=1.0), run_preset("quick"), ())
    folder = Path("runs") / plan.name
    folder.mkdir(parents=True)
    other = control_of(plan)
    content = {"run": other.run.to_json(), "data": other.data.to_json()}
    (folder / CONFIG).write_text(json.dumps(content))
    assert_refused(run("train"), f"{folder} holds a run with other settings")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ablate", "--los", "L"], "no such option: --los"),
        (["ablat"], "no such command 'ablat'"),
        (["ablate", "--seeds", "0"], "invalid value for '--seeds'"),
        (["train", "--epochs", "0"], "invalid value for '--epochs'"),
        (["reproduce"], "missing argument"),
        (["probe"], "missing argument"),
    ],
)
def test_a_command_line_that_cannot_be_read_exits_with_code_2_and_a_hint(
    words: list[str], message: str, run: Command
) -> None:
    said = run(*words)
    assert_refused(said, message, "--help")
    assert list(Path().iterdir()) == []
