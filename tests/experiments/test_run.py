"""Plans, and what carrying one out leaves behind.

The probe is replaced by a digest of the network that it would have read: it costs nothing, and
equal digests mean equal bits.
"""

import contextlib
import functools
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from planned_runs import drawn
from tiny_runs import tiny_run
from torch import Tensor

import trifeature
from trifeature.comm import run_folder, training
from trifeature.comm.methods import Method
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.run_folder import CONFIG, METRICS, PROBES, WEIGHTS
from trifeature.comm.settings import RunSettings
from trifeature.comm.training import Progress, load_run
from trifeature.data.dataset import Dataset, build, preset
from trifeature.data.storage import generate
from trifeature.errors import InputError
from trifeature.experiments import run as runs
from trifeature.experiments.plan import Plan, Row, control_of, make_plan, missing, record, rows_of
from trifeature.experiments.run import carry_out, obtain_own
from trifeature.files import read_json, read_rows, write_json, write_rows
from trifeature.probes import authors, protocol
from trifeature.probes.names import Probing
from trifeature.probes.protocol import CleanCodes, probe
from trifeature.views.sets import ViewSet

pytestmark = pytest.mark.usefixtures("fitted_once")
DATA = preset(
    "tiny", copies=1, test_copies=1, train_pairs=16, probe_pairs=20, test_pairs=20, match_rate=1.0
)
RUN = tiny_run(seed=0)


rendered = functools.cache(build)


def make(*epochs: int, run: RunSettings = RUN, **rest: Any) -> Plan:
    return Plan("tiny", rest.pop("data", DATA), run, epochs, **rest)


def replace_probe(patch: pytest.MonkeyPatch) -> list[bool]:
    """Replace the probe by a digest and render once; a call notes if each image alone is probed."""
    calls: list[bool] = []

    def digest(
        method: Method,
        dataset: Dataset,
        *,
        probing: str,
        alone: bool = False,
        codes: CleanCodes | None = None,
    ) -> SimpleNamespace:
        del dataset, codes
        assert not method.training
        calls.append(alone)
        state = torch.cat([x.flatten().double() for x in method.state_dict().values()])
        text = hashlib.sha256(state.numpy().tobytes()).hexdigest()
        return SimpleNamespace(
            row=lambda: {"digest": text}, accuracies=lambda: {"probing": probing}, converged=dict
        )

    patch.setattr(runs, "probe", digest)
    patch.setattr(runs, "i_nce", lambda *_: 0.25)
    patch.setattr(runs, "build", rendered)
    return calls


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """See `replace_probe`: the calls."""
    return replace_probe(monkeypatch)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `make(0)`, carried out once; its probes are digests too."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    with pytest.MonkeyPatch.context() as patch:
        replace_probe(patch)
        carry_out(make(0), folder)
    return folder


@pytest.fixture(scope="module")
def digests(tmp_path_factory: pytest.TempPathFactory) -> dict[int, str]:
    """Of the same run at every epoch."""
    with pytest.MonkeyPatch.context() as patch:
        replace_probe(patch)
        return measured(carry_out(make(0, 1, 2), tmp_path_factory.mktemp("every")))


@pytest.fixture
def finished(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(whole, tmp_path / "finished"))


def measured(rows: list[Row]) -> dict[int, str]:
    return {row["epoch"]: row["digest"] for row in rows}


# --------------------------------------------------------------------------- plans


def test_the_last_epoch_is_always_probed_and_epochs_are_in_order() -> None:
    assert make(2, 0, 2).probe_epochs == (0, 2, 3)
    assert make().probe_epochs == (3,)


@pytest.mark.parametrize("epoch", [-1, 4])
def test_epochs_outside_the_run_cannot_be_probed(epoch: int) -> None:
    with pytest.raises(InputError, match="must be from 0 to 3"):
        make(epoch)


@pytest.mark.parametrize(
    "other",
    [
        make(data=replace(DATA, seed=1)),
        make(data=replace(DATA, match_rate=None)),
        make(data=replace(DATA, probe_pairs=21)),
        make(data=replace(DATA, validation=True)),
        make(run=replace(RUN, seed=1)),
        make(run=RUN.change(loss="L")),
        make(run=replace(RUN, learning_rate=1e-3)),
        make(run=RUN.change(masking="learned")),
        make(run=replace(RUN, views=(ViewSet(hue=0.2),))),
        make(probing="paper"),
        make(run=replace(RUN, precision="bfloat16")),
    ],
)
def test_the_key_changes_with_whatever_the_result_depends_on(other: Plan) -> None:
    assert other.key != make().key


@pytest.mark.parametrize(
    "other",
    [make(setting="crop of 8 %"), replace(make(), preset="mine"), make(0, 1), make(official=True)],
)
def test_the_key_does_not_change_with_words_or_with_when_one_looks(other: Plan) -> None:
    assert other.key == make().key


def test_a_key_is_the_same_in_every_process() -> None:
    assert make().key == make().key
    assert len(make().key) == 16


def test_a_name_can_be_read_and_is_unique() -> None:
    plan = make(setting="no crop")
    assert plan.name == f"tiny-comm-L_CoMM-no_crop-biased-seed0-{plan.key[:8]}"
    assert control_of(plan).name.startswith("tiny-comm-L_CoMM-no_crop-unbiased-seed0-")
    assert plan.describe() == "L_CoMM no crop biased seed 0"


def test_make_plan_gives_one_seed_to_data_and_run() -> None:
    plan = make_plan("tiny", seed=5, biased=True, epochs=2, probe_epochs=[0], validation=True)
    assert (plan.data.seed, plan.run.seed) == (5, 5)
    assert (plan.data.match_rate, plan.biased) == (1.0, True)
    assert plan.data.validation
    assert plan.probe_epochs == (0, 2)
    assert not make_plan("tiny", seed=5, biased=False).biased


def test_the_control_is_the_same_run_without_the_map() -> None:
    plan = make(0, setting="x")
    control = control_of(plan)
    assert not control.biased
    assert replace(control, data=plan.data) == plan
    assert drawn(control).partners == drawn(plan).partners


# --------------------------------------------------------------------------- rows


def test_carrying_out_gives_one_row_for_each_probed_epoch(
    probed: list[bool], tmp_path: Path
) -> None:
    rows = carry_out(make(0, 1), tmp_path)
    assert [row["epoch"] for row in rows] == [0, 1, 3]
    assert len(set(measured(rows).values())) == 3
    assert probed == [False, False, True]  # each image alone only at the end
    assert [row.get("i_nce") for row in rows] == [None, None, 0.25]


@pytest.mark.usefixtures("probed")
def test_every_row_says_where_it_comes_from(finished: Path) -> None:
    plan = make(0, setting="as it is")
    for row in carry_out(plan, finished):
        assert row["key"] == plan.key
        assert (row["preset"], row["setting"], row["biased"]) == ("tiny", "as it is", True)
        assert (row["method"], row["loss"], row["encoder"]) == ("comm", "L_CoMM", "small")
        assert (row["seed"], row["data_seed"], row["epochs"]) == (0, 0, 3)
        assert (row["probing"], row["validation"]) == ("ours", False)
        assert row["versions"]["trifeature"] == trifeature.__version__
        assert torch.__version__.startswith(row["versions"]["torch"])
        assert f"{torch.get_num_threads()} threads" in row["device"]
        assert row["seconds"] > 0
        assert row["probe_seconds"] >= 0
        assert row["commit"] is None or isinstance(row["commit"], str)


def test_an_untrained_network_is_a_run_too(probed: list[bool], tmp_path: Path) -> None:
    (row,) = carry_out(make(run=replace(RUN, epochs=0)), tmp_path)
    assert (row["epoch"], row["seconds"]) == (0, 0.0)
    assert probed == [True]


def test_the_last_epoch_is_probed_as_the_authors_do_where_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(protocol, "COSTS", (0.01,))
    monkeypatch.setattr(authors, "_coarse_to_fine", lambda accuracies: accuracies([1.0]))
    monkeypatch.setattr(runs, "build", rendered)
    many = replace(DATA, probe_pairs=200)  # the authors' split needs two pairs of every class
    plan = make(0, data=many, run=replace(RUN, epochs=1), official=True)
    untrained, last = carry_out(plan, tmp_path / "run")
    assert "official" not in untrained
    data = rendered(many)
    expected = probe(load_run(tmp_path / "run", data), data, probing="paper").row()
    columns = {"R", "U1", "U2", "U", "S"}
    assert set(last["official"]) == columns | {f"{column}_converged" for column in columns}
    assert last["official"] == {name: expected[name] for name in last["official"]}


@pytest.mark.parametrize(("probing", "calls"), [("ours", 3), ("authors", 2)])
def test_the_authors_protocol_is_carried_out_once(
    probing: Probing, calls: int, probed: list[bool], tmp_path: Path
) -> None:
    plan = make(0, run=replace(RUN, epochs=1), probing=probing, official=True)
    row = carry_out(plan, tmp_path / "run")[-1]
    assert row["official"] == {"probing": "authors"}
    assert len(probed) == calls


def test_the_last_epoch_is_probed_with_products_where_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(protocol, "COSTS", (0.01,))
    monkeypatch.setattr(runs, "build", rendered)
    once = replace(RUN, epochs=1)
    plan = make(0, run=once, products=True)
    assert plan.key == make(0, run=once).key
    untrained, last = carry_out(plan, tmp_path / "run")
    assert "products" not in untrained
    data = rendered(DATA)
    expected = probe(load_run(tmp_path / "run", data), data, probing="products").row()
    assert set(last["products"]) == {"R", "U1", "U2", "U", "S", "S_auc", "S_balanced"}
    assert last["products"] == {name: expected[name] for name in last["products"]}
    assert "products" not in carry_out(make(0, run=once), tmp_path / "other")[-1]


def test_an_evaluation_encodes_every_item_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By our probe, of each image alone too, the one with products, and those of other maps."""
    monkeypatch.setattr(protocol, "COSTS", (0.01,))
    monkeypatch.setattr(runs, "build", rendered)
    monkeypatch.setattr(runs, "i_nce", lambda *_: None)  # of views, which it encodes itself
    encode, shown = CoMM.encode, [[], []]  # type: ignore[var-annotated]

    def spy(self: CoMM, items: Tensor, modality: int) -> Tensor:
        shown[modality] += [x.numpy().tobytes() for x in items]
        return encode(self, items, modality)

    monkeypatch.setattr(CoMM, "encode", spy)
    (row,) = carry_out(make(run=replace(RUN, epochs=0), products=True), tmp_path / "run")
    assert {"S", "image1", "products", "other_maps"} <= set(row)
    rows = [rendered(DATA).pairs[name].images for name in ("probe", "test")]
    for m, own in enumerate(shown):
        assert len(own) == len(set(own)) == sum(len(np.unique(images[:, m])) for images in rows)


def test_features_without_products_leave_a_row_without_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(protocol, "COSTS", (0.01,))
    monkeypatch.setattr(
        CoMM, "aligned", lambda _, codes, m: codes[m].flatten(1)[:, : m + 1].contiguous()
    )
    monkeypatch.setattr(runs, "build", rendered)
    last = carry_out(make(run=replace(RUN, epochs=1), products=True), tmp_path / "run")[-1]
    assert "products" not in last
    assert last["S"] >= 0


def test_what_is_finished_is_neither_trained_nor_probed_again(
    probed: list[bool], finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "step", None)
    rows = carry_out(make(0), finished)
    assert [row["epoch"] for row in rows] == [0, 3]
    assert carry_out(make(0), finished) == rows
    assert probed == []


def test_an_epoch_that_was_not_probed_is_announced_and_every_row_is_new(
    probed: list[bool], tmp_path: Path
) -> None:
    first = carry_out(make(1), tmp_path)
    said: list[str] = []
    second = carry_out(make(0, 2), tmp_path, notice=said.append)
    assert [row["epoch"] for row in second] == [0, 2, 3]
    (line,) = said
    assert "epoch 2 was not probed and its weights were not kept" in line
    assert f"kept in {tmp_path / 'previous-1'}" in line
    assert len({row["training"] for row in second}) == 1
    assert second[0]["training"] != first[0]["training"]
    assert len(probed) == 5  # nothing of the first training is used again
    kept = tmp_path / "previous-1"
    assert [row["epoch"] for row in read_rows(kept / PROBES)] == [1, 3]
    assert {CONFIG, METRICS, PROBES, WEIGHTS} <= {path.name for path in kept.iterdir()}
    assert [row["epoch"] for row in read_rows(tmp_path / METRICS)] == [1, 2, 3]
    assert carry_out(make(0), tmp_path, notice=said.append) == [second[0], second[2]]
    assert len(said) == 1


def test_weights_of_probed_epochs_can_be_kept_and_probed_later(
    probed: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = carry_out(make(1, 2), tmp_path, keep_epoch_weights=True)
    lines = read_rows(tmp_path / PROBES)
    write_rows(tmp_path / PROBES, [row for row in lines if row["epoch"] != 2])
    monkeypatch.setattr(training, "step", None)
    again = carry_out(make(0, 1, 2), tmp_path)
    assert [row["epoch"] for row in again] == [0, 1, 2, 3]
    assert len({row["training"] for row in again}) == 1
    assert measured(again)[2] == measured(rows)[2]
    assert len(probed) == 5


def test_a_run_without_weights_answers_what_was_probed_and_starts_over_for_the_rest(
    probed: list[bool], tmp_path: Path
) -> None:
    said: list[str] = []

    def carry(*epochs: int, keep: bool = False) -> list[Row]:
        return carry_out(make(*epochs), tmp_path, notice=said.append, keep_weights=keep)

    first = carry(0, 1)
    assert carry(0, 1) == first
    assert (len(probed), said) == (3, [])
    second = carry(0, 2)
    assert "epoch 2 was not probed and its weights were not kept" in said[0]
    assert {row["training"] for row in second}.isdisjoint(row["training"] for row in first)
    assert len({row["training"] for row in second}) == 1
    third = carry(0, 2, keep=True)
    assert "its weights were not kept, so the run is trained again" in said[1]
    assert len({row["training"] for row in third}) == 1
    assert (tmp_path / WEIGHTS).exists()
    kept = [read_rows(tmp_path / f"previous-{n}" / PROBES) for n in (1, 2)]
    assert [[row["epoch"] for row in rows] for rows in kept] == [[0, 1, 3], [0, 2, 3]]


@pytest.mark.slow  # trains twelve times; the drill kills whole processes besides
@pytest.mark.usefixtures("probed")
def test_a_kill_while_starting_over_mixes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each step of it in turn; the same command then goes on."""
    true, steps = os.rename, itertools.count()
    for moment in range(6):
        folder = tmp_path / str(moment)
        (old,) = carry_out(make(), folder)
        steps = itertools.count()

        def rename(*arguments: Any, steps: Any = steps, moment: int = moment, **rest: Any) -> None:
            if next(steps) == moment:
                raise KeyboardInterrupt
            true(*arguments, **rest)

        with monkeypatch.context() as patch:
            patch.setattr(os, "rename", rename)
            patch.setattr(os, "replace", rename)
            with contextlib.suppress(KeyboardInterrupt):
                carry_out(make(0, 1, 2), folder)
        rows = carry_out(make(0, 1, 2), folder)
        assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
        (training,) = {row["training"] for row in rows}
        assert training != old["training"]
        assert {row["training"] for row in read_rows(folder / PROBES)} == {training}
        before = [read_rows(path) for path in folder.glob(f"previous-*/{PROBES}")]
        assert {row["training"] for rows in before for row in rows} == {old["training"]}
        assert len(list(folder.glob(f"previous-*/{WEIGHTS}"))) == 1


def test_rows_are_recorded_once_whoever_records_them(tmp_path: Path) -> None:
    file = tmp_path / "new" / "rows.jsonl"
    plan = make(0)
    first = [row(plan, epoch, training="a", R=0.5) for epoch in (0, 3)]
    record(file, first)
    record(file, first)  # as a second process does that waited for the run
    record(file, [*first, row(plan, 1, training="a", R=0.5)])
    assert [one["epoch"] for one in read_rows(file)] == [0, 3, 1]
    record(file, [row(plan, 3, training="b", R=0.6)])
    assert [one["R"] for one in rows_of(plan, read_rows(file))] == [0.6]
    assert [path.name for path in file.parent.iterdir()] == ["rows.jsonl"]  # no lock is left


def test_rows_of_two_trainings_are_never_one_result() -> None:
    plan = make(0, 1)
    row: Row = plan.columns()
    first = [row | {"epoch": epoch, "training": "a", "R": 0.1} for epoch in (0, 1, 3)]
    second = [row | {"epoch": epoch, "training": "b", "R": 0.2} for epoch in (0, 2, 3)]
    assert rows_of(plan, [*first, *second]) == second
    (lacking,) = missing([plan], [*first, *second])
    assert lacking.probe_epochs == (0, 1, 2, 3)  # so that no epoch that was recorded is lost


def test_a_lost_last_probe_is_made_from_the_weights(
    probed: list[bool], finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = read_rows(finished / PROBES)[-1]
    (finished / PROBES).unlink()
    monkeypatch.setattr(training, "step", None)
    assert measured(carry_out(make(), finished)) == {3: last["digest"]}
    assert len(probed) == 1


def interrupt_at(count: int) -> Callable[[Progress], None]:
    calls = itertools.count(1)

    def report(_: Progress) -> None:
        if next(calls) == count:
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_a_stopped_run_goes_on_and_gives_the_same_rows(
    seconds: float,
    probed: list[bool],
    digests: dict[int, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", seconds)
    folder = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        carry_out(
            make(0, 1, 2),
            folder,
            report=interrupt_at(3),
        )
    assert [row["epoch"] for row in read_rows(folder / PROBES)] == [0, 1, 2]
    resumed = carry_out(make(0, 1, 2), folder)
    assert measured(resumed) == digests
    # Without a checkpoint all but the untrained network is new: rows come from one training.
    assert len(probed) == (4 if seconds == 0 else 6)


@pytest.mark.usefixtures("probed")
def test_a_stopped_run_gives_epochs_asked_for_only_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        carry_out(
            make(),
            tmp_path,
            report=interrupt_at(3),
        )
    rows = carry_out(make(0, 1), tmp_path)
    assert set(measured(rows)) == {0, 1, 3}


@pytest.mark.usefixtures("probed")
def test_a_probe_cut_off_in_writing_is_made_again(finished: Path) -> None:
    path = finished / PROBES
    digests = measured(read_rows(path))
    path.write_text(path.read_text()[:-9])
    assert measured(carry_out(make(0), finished)) == digests
    assert measured(carry_out(make(0), finished)) == digests


@pytest.mark.usefixtures("probed")
def test_weights_can_be_thrown_away(whole: Path, tmp_path: Path) -> None:
    thrown = carry_out(make(0), tmp_path / "thrown", keep_weights=False)
    assert measured(read_rows(whole / PROBES)) == measured(thrown)
    assert (whole / WEIGHTS).exists()
    assert {path.name for path in (tmp_path / "thrown").iterdir()} == {
        "config.json",
        METRICS,
        PROBES,
    }


@pytest.mark.usefixtures("probed")
def test_a_data_set_on_disk_gives_the_rows_of_one_rendered(tmp_path: Path) -> None:
    generate(tmp_path / "data", replace(DATA, match_rate=None))
    one = replace(RUN, epochs=1)
    for plan in (make(run=one), control_of(make(run=one))):
        rendered_rows = carry_out(plan, tmp_path / "rendered" / plan.name)
        rows = carry_out(plan, tmp_path / "loaded" / plan.name, source=tmp_path / "data")
        assert measured(rows) == measured(rendered_rows)


def test_a_data_set_on_disk_that_is_another_is_refused(tmp_path: Path) -> None:
    generate(tmp_path / "data", replace(DATA, seed=1))
    with pytest.raises(InputError, match="is not the data set that this run is about"):
        carry_out(make(), tmp_path / "run", source=tmp_path / "data")
    assert not (tmp_path / "run").exists()


def test_data_of_the_same_settings_that_are_others_are_refused(finished: Path) -> None:
    obtain_own(finished, DATA, None, "cpu")
    config = read_json(finished / CONFIG)
    config["data"]["seed"] = 1
    write_json(finished / CONFIG, config)
    words = "what is found here is not the data set that .* was trained on: their seed differ"
    with pytest.raises(InputError, match=words):
        obtain_own(finished, DATA, None, "cpu")


@pytest.mark.usefixtures("probed")
def test_another_plans_folder_is_refused(finished: Path) -> None:
    with pytest.raises(InputError, match="other settings"):
        carry_out(make(run=replace(RUN, epochs=4)), finished)


@pytest.mark.usefixtures("probed")
def test_a_run_of_before_there_were_other_drawings_is_of_the_old_ones(finished: Path) -> None:
    config = finished / CONFIG
    content = json.loads(config.read_text(encoding="utf-8"))
    del content["data"]["render"]["drawings"]
    config.write_text(json.dumps(content), encoding="utf-8")
    run, data = runs.read_settings(finished)
    plan = Plan("quick-old", data, run, ())
    assert drawn(plan).render.drawings == "old"
    assert plan.format == 1
    assert make().format == 2


# --------------------------------------------------------------------------- finding rows


def row(plan: Plan, epoch: int, **values: Any) -> Row:
    return {**plan.columns(), "epoch": epoch, **values}


def test_a_plan_is_missing_until_every_epoch_asked_for_has_a_row() -> None:
    plan, other = make(0), make(run=replace(RUN, seed=1))
    assert missing([plan, other], []) == [plan, other]
    assert missing([plan, other], [row(plan, 3)]) == [plan, other]
    assert missing([plan, other], [row(plan, 3), row(plan, 0), row(plan, 1)]) == [other]
    assert missing([plan, other], [row(plan, 0), row(plan, 3), row(other, 3)]) == []


def test_a_plan_given_twice_is_missing_once() -> None:
    assert missing([make(), make()], []) == [make()]


def test_plans_that_differ_only_in_when_they_look_miss_what_either_asks_for() -> None:
    early, late = make(0), make(2)
    for plans in ([early, late], [late, early]):
        (merged,) = missing(plans, [])
        assert merged.probe_epochs == (0, 2, 3)
        assert missing(plans, [row(early, 0), row(early, 3)]) != []
        assert missing(plans, [row(early, epoch) for epoch in (0, 2, 3)]) == []


def test_the_rows_of_a_plan_are_the_latest_of_each_epoch_in_order() -> None:
    plan, other = make(), make(run=replace(RUN, seed=1))
    rows = [row(plan, 3, S=0.5), row(other, 3, S=0.1), row(plan, 0, S=0.4), row(plan, 3, S=0.6)]
    assert rows_of(plan, rows) == [rows[2], rows[3]]
    assert rows_of(make(run=replace(RUN, seed=2)), rows) == []
