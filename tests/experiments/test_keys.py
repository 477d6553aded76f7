"""Keys of plans: rows recorded earlier are found, and go on being found as settings are added."""

import dataclasses
import functools
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from planned_runs import drawn
from tiny_runs import tiny_run

from trifeature.comm.options import OPTIONS
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.data import settings as data_settings
from trifeature.data.dataset import DatasetSettings, preset
from trifeature.data.render import RenderSettings
from trifeature.data.rule import PairRule
from trifeature.experiments import plan as plans
from trifeature.experiments.catalog import EXPERIMENTS
from trifeature.experiments.experiment import Setup
from trifeature.experiments.plan import Plan, missing, result_rows, rows_of
from trifeature.views import VIEW_KINDS, views_from_json
from trifeature.views.sets import ALL, LIGHT, ViewSet
from trifeature.views.vectors import VectorViews

FIGURES = Path(__file__).parents[2] / "figures"
RECORDED = 120
"""How many plans of the quick preset with old drawings have rows in `figures/`, by the code that
recorded them."""


@functools.cache
def every_plan(seeds: int | None = None) -> dict[str, Plan]:
    """The plans of every experiment on the quick preset with old drawings by key."""
    every = [p for e in EXPERIMENTS.values() for p in e.plans(Setup("quick-old", seeds=seeds))]
    return {plan.key: plan for plan in every}


def found() -> int:
    """How many plans find their last row."""
    rows = [row for name in ("quick-old", "demo") for row in result_rows(FIGURES / f"{name}.jsonl")]
    return sum(
        any(row["epoch"] == plan.run.epochs for row in rows_of(plan, rows))
        for plan in every_plan().values()
    )


def test_every_recorded_plan_finds_its_rows() -> None:
    assert found() == RECORDED
    rows = result_rows(FIGURES / "quick-old.jsonl")
    recorded = [plan for plan in every_plan().values() if rows_of(plan, rows)]
    assert missing(recorded, rows) == []
    for plan in recorded:
        for row in rows_of(plan, rows):
            assert (row["method"], row["seed"], row["biased"], row["setting"]) == (
                plan.run.method,
                plan.run.seed,
                plan.biased,
                plan.setting,
            )


def test_an_earlier_key_stands_for_one_plan() -> None:
    aliases = json.loads(plans.KEYS.read_text())["aliases"]
    assert all(re.fullmatch("[0-9a-f]{16}", key) for pair in aliases.items() for key in pair)
    assert len(set(aliases.values())) == len(aliases)
    assert not aliases.keys() & set(aliases.values())
    figures = [EXPERIMENTS[name] for name in ("fig4", "fig5", "fig7", "table4", "table5", "table7")]
    then = [old(p) for e in figures for name in ("fast", "quick-old") for p in e.plans(Setup(name))]
    assert {plan.key for plan in then} <= set(aliases.values())


def old(plan: Plan) -> Plan:
    """The same plan with old drawings."""
    render = replace(drawn(plan).render, drawings="old")
    return replace(plan, data=replace(drawn(plan), render=render))


def test_rows_of_the_published_drawings_have_a_format_and_keys_of_their_own() -> None:
    new = EXPERIMENTS["fig4"].plans(Setup("tiny", seeds=1))
    assert {plan.format for plan in new} == {2}
    assert {plan.format for plan in every_plan().values()} == {1}
    assert not {plan.key for plan in new} & every_plan().keys()
    comm = [plan for plan in new if plan.run.method != "factorcl"]
    assert {old(plan).key for plan in comm} < every_plan().keys()


def test_a_row_of_format_1_says_that_its_drawings_are_old(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"key": "k", "epoch": 1, "preset": name, "format": f} for name, f in NAMES]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    presets = [row["preset"] for row in result_rows(path)]
    assert presets == ["quick-old", "quick-old", "quick", "mine"]


NAMES = [("quick", 1), ("quick-old", 1), ("quick", 2), ("mine", 1)]


# --------------------------------------------------------------------------- settings that come


def grown(kind: type[Any]) -> type[Any]:
    """A class of settings with one more field."""

    @dataclass(frozen=True)
    class Grown(kind):  # type: ignore[misc]  # a class that is known at run time only
        added_later: float = 0.25

    Grown.__name__ = Grown.__qualname__ = kind.__name__
    return Grown


def forget_references(patch: pytest.MonkeyPatch) -> None:
    """The reference values are kept for each kind of run; a test changes the classes themselves."""
    patch.setattr(plans, "_reference_of", plans._reference_of.__wrapped__)


class Future:
    """The package as it would be if every class of settings had one more field."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.views = {kind: grown(views) for kind, views in VIEW_KINDS.items()}
        self.run, self.data = grown(RunSettings), grown(DatasetSettings)
        self.rule, self.render = grown(PairRule), grown(RenderSettings)
        self.options = {name: grown(options) for name, options in OPTIONS.items()}
        for name in OPTIONS:
            patch.setitem(OPTIONS, name, self.options[name])
        for kind, views in self.views.items():
            patch.setitem(VIEW_KINDS, kind, views)
        patch.setattr(plans, "RunSettings", lambda *given: self.of_run(RunSettings(*given)))
        patch.setattr(plans, "DatasetSettings", lambda: self.of_data(DatasetSettings()))
        forget_references(patch)

    def of(self, plan: Plan, **added: float) -> Plan:
        """The same plan in that package."""
        return replace(plan, data=self.of_data(drawn(plan)), run=self.of_run(plan.run, **added))

    def of_data(self, data: DatasetSettings) -> Any:
        nested = {
            "rule": self.rule(**vars(data.rule)),
            "render": self.render(**vars(data.render)),
        }
        return self.data(**vars(data) | nested)

    def of_run(self, run: RunSettings, **added: float) -> Any:
        def of_views(views: Any) -> Any:
            return self.views[views.kind](**vars(views))

        nested = {
            "options": self.options[run.method](**vars(run.options)),
            "views": tuple(of_views(views) for views in run.views),
            "light": of_views(run.light),
        }
        return self.run(**vars(run) | nested | added)


def test_a_field_more_in_every_class_of_settings_loses_no_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = every_plan(seeds=1)
    future = Future(monkeypatch)
    after = [future.of(plan) for plan in before.values()]
    assert "added_later" in json.dumps([after[0].run.to_json(), after[0].data.to_json()])
    assert [plan.key for plan in after] == list(before)
    changed = future.of(next(iter(before.values())), added_later=0.5)
    assert changed.key not in before


def test_a_default_that_changes_later_changes_no_key_and_shares_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = every_plan(seeds=1)
    usual = Plan("tiny", preset("tiny"), RunSettings(), (0,)).key

    @dataclass(frozen=True)
    class Changed(RunSettings):
        weight_decay: float = 0.05

    monkeypatch.setattr(plans, "RunSettings", Changed)
    forget_references(monkeypatch)
    assert list(every_plan.__wrapped__(seeds=1)) == list(before)
    assert Plan("tiny", preset("tiny"), Changed(), (0,)).key != usual


# --------------------------------------------------------------------------- settings that came


def test_settings_written_before_a_field_existed_are_read_with_its_default() -> None:
    run = run_preset("tiny", epochs=2, seed=4).to_json()
    for name in ("precision", "warmup", "light"):
        content = {key: value for key, value in run.items() if key != name}
        read = RunSettings.from_json(content)
        assert getattr(read, name) == getattr(RunSettings(), name)
        assert (read.epochs, read.seed) == (2, 4)
    data = preset("tiny", seed=4).to_json()
    del data["validation"], data["rule"]["distinct_unique"], data["render"]["oversample"]
    settings = DatasetSettings.from_json(data)
    assert settings.validation is settings.rule.distinct_unique is False
    assert settings.render.oversample == 1
    assert settings.seed == 4
    assert views_from_json({"hue": 0.2}) == ViewSet(hue=0.2)


# --------------------------------------------------------------------------- what differs


def key(**changes: Any) -> str:
    run = tiny_run()
    return Plan("tiny", preset("tiny"), replace(run, **changes), ()).key


def test_views_count_by_their_number_and_by_what_each_is() -> None:
    one = replace(ALL, hue=0.2)
    views = [(ALL,), (ALL, ALL), (one,), (one, ALL), (ALL, one), (one, one), (VectorViews(),)]
    keys = [key(views=some) for some in views]
    keys += [key(light=ALL), key(light=VectorViews()), key(views=(ALL, VectorViews()))]
    assert len(set(keys)) == len(keys)


def test_equal_settings_have_equal_keys_however_their_numbers_are_written() -> None:
    assert key(weight_decay=0.0) == key(weight_decay=0)
    light = (LIGHT, replace(LIGHT, flip_probability=0.0))
    assert key(light=light[0]) == key(light=light[1])
    assert key(views=(replace(ALL, hue=0),)) == key(views=(replace(ALL, hue=0.0),))


def test_every_field_of_every_class_of_settings_has_a_reference() -> None:
    """The file is written anew when a setting is added: `python scripts/keys.py`."""
    reference = json.loads(plans.KEYS.read_text())["reference"]
    assert reference["options"].keys() >= OPTIONS.keys() & {"comm", "cross", "cross+self"}
    for name, kind in {"data": data_settings.DatasetSettings, "run": RunSettings}.items():
        names = {field.name for field in dataclasses.fields(kind)}
        assert names - {"method", "options", "views"} <= reference[name].keys()


@pytest.mark.parametrize(
    ("name", "today"), [("fixed", "ours"), ("paper", "authors"), ("official", "authors")]
)
def test_a_protocol_by_its_earlier_name_is_the_same_plan_and_the_same_row(
    name: str, today: str, tmp_path: Path
) -> None:
    given, known = (
        plans.make_plan("tiny", seed=0, biased=True, probing=probing)  # type: ignore[arg-type]
        for probing in (name, today)
    )
    assert (given.probing, given.key) == (today, known.key)
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"key": "k", "epoch": 1, "preset": "tiny", "probing": name}) + "\n")
    assert [row["probing"] for row in result_rows(path)] == [today]
