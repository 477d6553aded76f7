"""What each figure and table runs, and that its published values are the paper's."""

from collections.abc import Mapping
from typing import Any

import pytest
from planned_runs import drawn

from trifeature.comm.methods import METHODS, make_method
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.data.dataset import modalities_of, preset
from trifeature.experiments.catalog import EXPERIMENTS, most_valuable_first
from trifeature.experiments.experiment import Arm, Experiment, Setup, curve_epochs
from trifeature.experiments.plan import Plan
from trifeature.presets import PAPER, PRESETS, QUICK, get_preset
from trifeature.views.sets import ViewSet

pytestmark = pytest.mark.usefixtures("planned_once")
Values = Mapping[str, tuple[float, float | None]]
FIGURES = ("fig4", "fig5", "fig7", "table4", "table5", "table7")
"""The figures and tables of the paper."""


def arm(experiment: str, label: str, name: str = "paper") -> Arm:
    (found,) = (a for a in EXPERIMENTS[experiment].arms(get_preset(name)) if a.label == label)
    return found


def keys(experiment: str, label: str, name: str, seed: int = 0) -> list[str]:
    """The keys of an arm's biased and unbiased training."""
    pair = EXPERIMENTS[experiment].pair(Setup(name), arm(experiment, label, name), seed)
    return [plan.key for plan in pair]


def views(plan: Plan) -> tuple[ViewSet, ViewSet]:
    first, second = (plan.run.views_of(m) for m in range(2))
    assert isinstance(first, ViewSet)
    assert isinstance(second, ViewSet)
    return first, second


# --------------------------------------------------------------------------- every experiment


def test_the_catalog_holds_each_figure_and_table_on_trifeature_by_its_own_name() -> None:
    assert list(EXPERIMENTS) == [*FIGURES, "leaderboard", "three-modalities", "front"]
    assert all(experiment.name == name for name, experiment in EXPERIMENTS.items())


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_every_arm_is_trained_on_biased_and_on_unbiased_pairs_with_every_seed(
    experiment: Experiment, name: str
) -> None:
    plans = experiment.plans(Setup(name, seeds=2))
    arms = len(experiment.arms(get_preset(name)))
    assert [plan.biased for plan in plans] == [True, False] * arms * 2
    assert [plan.run.seed for plan in plans] == [0] * 2 * arms + [1] * 2 * arms
    assert all(plan.data.seed == plan.run.seed for plan in plans)
    assert all(plan.data.match_rate in (None, 1.0) for plan in plans)
    assert all(not plan.data.validation for plan in plans)
    assert len({plan.key for plan in plans}) == len(plans)
    for biased, unbiased in zip(plans[::2], plans[1::2], strict=True):
        assert biased.run == unbiased.run
        assert drawn(biased).partners == drawn(unbiased).partners


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_five_seeds_are_run_as_in_the_paper(experiment: Experiment) -> None:
    assert len(experiment.plans(Setup("paper"))) == 5 * 2 * len(experiment.arms(PAPER))


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_the_untrained_network_and_the_last_epoch_are_always_probed(
    experiment: Experiment, name: str
) -> None:
    for arm, plan in experiment.runs(Setup(name, seeds=1)):
        assert {0, plan.run.epochs} <= set(plan.probe_epochs)
        curve = experiment.probe_epochs is curve_epochs and arm.curve
        assert (len(plan.probe_epochs) > 2) == curve


@pytest.mark.parametrize("experiment", EXPERIMENTS.values(), ids=EXPERIMENTS)
def test_epochs_and_probing_can_be_others_for_every_arm(experiment: Experiment) -> None:
    for plan in experiment.plans(Setup("paper", seeds=1, epochs=2, probing="authors")):
        assert plan.run.epochs == 2
        assert plan.probing == "authors"


def test_every_arm_of_the_quick_preset_fits_its_images() -> None:
    plans = [p for e in EXPERIMENTS.values() for p in e.plans(Setup("tiny", seeds=1)) if p.biased]
    for plan in {plan.key: plan for plan in plans}.values():
        method = make_method(plan.run, modalities_of(drawn(plan)))
        assert isinstance(method, METHODS[plan.run.method])


@pytest.mark.parametrize("epochs", [1, 4, 8, 9, 100, 150])
def test_curves_begin_untrained_end_with_the_run_and_are_dense_where_steep(epochs: int) -> None:
    chosen = curve_epochs(epochs)
    assert (chosen[0], chosen[-1]) == (0, epochs)
    assert list(chosen) == sorted(set(chosen))
    if epochs == 8:
        assert chosen == (0, 1, 2, 4, 8)  # a probing takes as long as an epoch
    else:
        assert min(epochs + 1, 7) <= len(chosen) <= 10


# --------------------------------------------------------------------------- published values

COMM: Values = {"R": (99.9, None), "U": (87.8, 1.6), "S": (71.9, 2.0)}

PUBLISHED: dict[str, dict[str, Values]] = {
    "fig4": {
        "CoMM": COMM,
        "Cross": {"R": (100.0, None), "U": (11.6, 0.9), "S": (50.0, None)},
        "Cross+Self": {"R": (99.7, None), "U": (86.9, 0.8), "S": (50.0, None)},
        "FactorCL": {"R": (99.8, None), "U": (62.5, 2.6), "S": (46.5, 2.9)},
    },
    "fig5": {"L_CoMM": COMM, "L": {}, "ΣL_i": {}},
    "table4": {
        "Concat + Linear": {"R": (99.7, None), "U": (81.5, 2.9), "S": (50.0, None)},
        "CoMM": COMM,
    },
    "table5": {
        "All, ∅": {"R": (99.7, None), "U1": (79.9, None), "U2": (46.4, None), "S": (50.0, None)},
        "∅, All": {"R": (99.6, None), "U1": (53.9, None), "U2": (86.0, None), "S": (50.0, None)},
        "All∖crop, All": {
            "R": (88.8, None),
            "U1": (25.7, None),
            "U2": (84.0, None),
            "S": (50.0, None),
        },
        "All, All∖crop": {
            "R": (90.5, None),
            "U1": (83.2, None),
            "U2": (21.7, None),
            "S": (50.0, None),
        },
        "All, All (CoMM)": {**COMM, "U1": (84.4, None), "U2": (91.2, None)},
    },
    "table7": {
        "CoMM, AlexNet": COMM,
        "CoMM, ResNet-50": {"R": (99.9, None), "U": (96.3, 1.3), "S": (75.0, 1.7)},
        "Cross, ResNet-50": {"R": (100.0, None), "U": (6.5, None), "S": (50.0, None)},
        "Cross+Self, ResNet-50": {"R": (99.9, None), "U": (96.2, None), "S": (50.0, None)},
    },
}
"""Mean and, where it is known here, spread of five runs: Dufumier et al. (2025), to 0.1."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values_are_the_papers(name: str) -> None:
    stated = {a.label: a.published for a in EXPERIMENTS[name].arms(PAPER)}
    assert list(stated) == list(PUBLISHED[name])
    for label, expected in PUBLISHED[name].items():
        for column, (mean, spread) in expected.items():
            own_mean, own_spread = stated[label][column]
            assert own_mean == pytest.approx(mean, abs=0.0501), (label, column)
            if spread is not None:
                # The paper's figure rounds CoMM's 2.06 to 2.0.
                assert own_spread == pytest.approx(spread, abs=0.0601), (label, column)
        assert not set(stated[label]) - {"R", "U", "U1", "U2", "S"}
        if not expected:
            assert stated[label] == {}


def test_figure_7_has_no_published_numbers() -> None:
    assert all(a.published == {} for a in EXPERIMENTS["fig7"].arms(PAPER))


# --------------------------------------------------------------------------- shared arms


@pytest.mark.parametrize("name", PRESETS)
def test_comm_is_one_run_whatever_experiment_asks_for_it(name: str) -> None:
    own = keys("fig4", "CoMM", name)
    assert keys("fig5", "L_CoMM", name) == own
    assert keys("table4", "CoMM", name) == own
    assert keys("table5", "All, All (CoMM)", name) == own
    label = "CoMM, AlexNet" if name in ("paper", "fast") else "CoMM, small encoder"
    assert keys("table7", label, name) == own
    assert keys("fig4", "CoMM", name, seed=1) != own


@pytest.mark.parametrize("name", PRESETS)
def test_the_crop_of_all_in_figure_7_is_comm_too(name: str) -> None:
    low, high = PRESETS[name].augmentations.all.crop_scale or (0, 0)
    assert keys("fig7", f"({low:g}, {high:g})", name) == keys("fig4", "CoMM", name)


# --------------------------------------------------------------------------- single experiments


def test_figure_4_trains_each_method_and_factorcl_longer_as_its_authors_did() -> None:
    plans = EXPERIMENTS["fig4"].plans(Setup("paper", seeds=1))[::2]
    assert [plan.run.method for plan in plans] == ["comm", "cross", "cross+self", "factorcl"]
    assert [plan.run.epochs for plan in plans] == [100, 100, 100, 150]
    assert plans[3].run.learning_rate == 1e-4
    assert [plan.run.weight_decay for plan in plans] == [1e-4, 1e-4, 1e-4, 0.0]


def test_figure_4_of_the_old_drawings_trains_all_methods_equally_long() -> None:
    plans = EXPERIMENTS["fig4"].plans(Setup("quick-old", seeds=1))
    assert {plan.run.epochs for plan in plans} == {run_preset("quick-old").epochs}


def test_figure_5_differs_in_the_loss_alone() -> None:
    plans = EXPERIMENTS["fig5"].plans(Setup("fast", seeds=1))[::2]
    assert [plan.run.option("loss") for plan in plans] == ["L_CoMM", "L", "L_i"]
    assert len({plan.run.change(loss="L") for plan in plans}) == 1
    assert plans[0].probe_epochs == (0, 1, 2, 5, 10, 20, 35, 50, 75, 100)


@pytest.mark.parametrize("name", PRESETS)
def test_figure_7_sweeps_both_families_of_crops_of_modality_1_alone(name: str) -> None:
    sets = PRESETS[name].augmentations
    plans = EXPERIMENTS["fig7"].plans(Setup(name, seeds=1))[::2]
    crops = [views(plan)[0].crop_scale for plan in plans]
    assert crops == [*sets.crops_from_zero, *sets.crops_to_full]
    assert all(views(plan)[1] == sets.all for plan in plans)
    assert all(crop is not None and crop[1] < 1 for crop in crops[: len(sets.crops_from_zero)])
    assert all(crop is not None and crop[1] == 1 for crop in crops[len(sets.crops_from_zero) :])


@pytest.mark.parametrize("name", PRESETS)
def test_each_family_of_crops_goes_from_the_strongest_to_the_lightest(name: str) -> None:
    sets = PRESETS[name].augmentations
    for family in (sets.crops_from_zero, sets.crops_to_full):
        areas = [low + high for low, high in family]
        assert areas == sorted(set(areas))
        assert len(areas) >= 3


def test_table_4_differs_in_the_fusion_alone() -> None:
    linear, attention = EXPERIMENTS["table4"].plans(Setup("paper", seeds=1))[::2]
    assert (linear.run.option("fusion"), attention.run.option("fusion")) == ("linear", "attention")
    assert linear.run.views == attention.run.views


@pytest.mark.parametrize("name", PRESETS)
def test_table_5_puts_the_presets_own_sets_on_either_modality(name: str) -> None:
    sets = PRESETS[name].augmentations
    plans = EXPERIMENTS["table5"].plans(Setup(name, seeds=1))[::2]
    found = [views(plan) for plan in plans]
    assert found[0] == (sets.all, sets.light)
    assert found[1] == (sets.light, sets.all)
    assert [v.crop_scale is None for pair in found[2:4] for v in pair] == [True, False, False, True]
    assert found[4] == (sets.all, sets.all)


def test_table_7_changes_the_encoder_of_three_methods() -> None:
    plans = EXPERIMENTS["table7"].plans(Setup("paper", seeds=1))[::2]
    assert [(plan.run.method, plan.run.encoder) for plan in plans] == [
        ("comm", "alexnet"),
        ("comm", "resnet50"),
        ("cross", "resnet50"),
        ("cross+self", "resnet50"),
    ]


# --------------------------------------------------------------------------- presets


def test_each_preset_has_its_own_all_light_and_crop_grid() -> None:
    names = ["paper", "fast", "tiny"]
    assert PRESETS["quick-old"].augmentations == PRESETS["tiny"].augmentations
    assert len({PRESETS[name].augmentations.all for name in names}) == 3
    assert PRESETS["tiny"].augmentations.light != PRESETS["paper"].augmentations.light
    grids = [
        (PRESETS[n].augmentations.crops_from_zero, PRESETS[n].augmentations.crops_to_full)
        for n in names
    ]
    assert len(set(grids)) == 3


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_trains_with_its_own_sets(name: str) -> None:
    settings: RunSettings = run_preset(name)
    assert settings.views == (PRESETS[name].augmentations.all,)
    assert settings.light == PRESETS[name].augmentations.light


def test_only_the_paper_preset_has_the_papers_model() -> None:
    names = ["paper", "fast", "tiny"]
    encoders = {name: run_preset(name).encoder for name in names}
    assert encoders == {"paper": "alexnet", "fast": "alexnet-unpooled", "tiny": "small"}
    assert [preset(name).render.canvas for name in names] == [224, 112, 32]


# --------------------------------------------------------------------------- results


def rows_of(plan: Plan, **values: Any) -> list[dict[str, Any]]:
    return [
        {"key": plan.key, "epoch": epoch, "seed": plan.run.seed, "biased": plan.biased, **values}
        for epoch in plan.probe_epochs
    ]


def test_synergy_is_measured_on_biased_trainings_and_the_rest_on_unbiased() -> None:
    experiment = EXPERIMENTS["table4"]
    arms = experiment.arms(QUICK)
    rows = []
    for seed, (high, low) in enumerate([(0.8, 0.6), (0.7, 0.5)]):
        biased, unbiased = experiment.pair(Setup("tiny"), arms[0], seed)
        rows += rows_of(biased, R=0.2, S=high)
        rows += rows_of(unbiased, R=0.9, S=low)
    first, second = experiment.results(Setup("tiny", seeds=2), rows)
    assert str(first.summary("S")) == "75.0 ± 7.1"
    assert str(first.control("S")) == "55.0 ± 7.1"
    assert str(first.summary("R")) == "90.0 ± 0.0"
    assert [row["epoch"] for row in first.untrained] == [0, 0]
    assert {row["epoch"] for row in first.biased + first.unbiased} == {4}
    assert len(first.curves) == 8
    assert (second.biased, second.unbiased, second.untrained, second.curves) == ([], [], [], [])
    assert (second.summary("R"), second.summary("S"), second.control("S")) == (None, None, None)


@pytest.mark.parametrize("other", [{"epochs": 5}, {"probing": "paper"}, {"seeds": 0}])
def test_rows_of_another_configuration_are_never_mixed_in(other: dict[str, Any]) -> None:
    experiment = EXPERIMENTS["table4"]
    pair = experiment.pair(Setup("tiny"), experiment.arms(QUICK)[1], 0)
    rows = [row for plan in pair for row in rows_of(plan, R=0.5, S=0.5)]
    assert len(experiment.results(Setup("tiny", seeds=1), rows).arms[1].biased) == 1
    assert experiment.results(Setup("tiny", **({"seeds": 1} | other)), rows).arms[1].curves == []


def test_a_shared_arm_is_found_in_the_rows_of_another_experiment() -> None:
    plans = EXPERIMENTS["fig5"].pair(Setup("tiny"), arm("fig5", "L_CoMM", "tiny"), 0)
    rows = [row for plan in plans for row in rows_of(plan, R=0.5, S=0.5)]
    found = EXPERIMENTS["fig4"].results(Setup("tiny", seeds=1), rows).arms[0]
    assert (len(found.biased), len(found.unbiased), len(found.untrained)) == (1, 1, 1)


# --------------------------------------------------------------------------- what to run first


def test_all_seeds_of_comm_come_before_anything_else_and_the_longest_runs_last() -> None:
    setup = Setup("paper", seeds=2)
    figures = [EXPERIMENTS[name] for name in FIGURES]
    plans = [p for e in figures for p in e.plans(setup)]
    ordered = [p for _, p in most_valuable_first(run for e in figures for run in e.runs(setup))]
    assert sorted(p.key for p in ordered) == sorted(p.key for p in plans)
    kinds = [
        (p.run.method, p.run.option("loss", "L_CoMM"), p.setting.split(" ")[0]) for p in ordered
    ]
    firsts = list(dict.fromkeys(kinds))
    assert firsts == [
        ("comm", "L_CoMM", ""),
        ("cross", "L_CoMM", ""),
        ("cross+self", "L_CoMM", ""),
        ("comm", "L_CoMM", "linear"),
        ("comm", "L", ""),
        ("comm", "L_i", ""),
        ("factorcl", "L_CoMM", ""),
        ("comm", "L_CoMM", "views"),
        ("comm", "L_CoMM", "crop"),
        ("comm", "L_CoMM", "resnet50"),
        ("cross", "L_CoMM", "resnet50"),
        ("cross+self", "L_CoMM", "resnet50"),
    ]
    own = [
        p
        for p in ordered
        if not p.setting and p.run.method == "comm" and p.run.option("loss") == "L_CoMM"
    ]
    assert ordered[: len(own)] == own


def test_the_papers_presets_are_probed_as_the_authors_do_too() -> None:
    for name, expected in (("paper", True), ("fast", True), ("tiny", False)):
        assert {p.official for p in EXPERIMENTS["fig4"].plans(Setup(name, seeds=1))} == {expected}


def test_another_precision_is_another_run() -> None:
    experiment = EXPERIMENTS["fig4"]
    usual, exact = (
        experiment.plans(Setup("paper", seeds=1, precision=p)) for p in (None, "float32")
    )
    assert {plan.run.precision for plan in usual} == {"bfloat16"}
    assert {plan.run.precision for plan in exact} == {"float32"}
    assert not {plan.key for plan in usual} & {plan.key for plan in exact}
