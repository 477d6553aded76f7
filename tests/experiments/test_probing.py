"""A finished run is probed beside its controls, as data."""

from pathlib import Path

import pytest
from planned_runs import make

from trifeature.errors import InputError
from trifeature.experiments.plan import Plan, control_of
from trifeature.experiments.probing import TRAINED, UNBIASED, UNTRAINED, probe_run
from trifeature.experiments.run import carry_out
from trifeature.probes import protocol


def run(plan: Plan, folder: Path) -> Path:
    carry_out(plan, folder)
    return folder


def test_a_run_is_read_beside_both_controls_and_a_wrong_control_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(protocol, "COSTS", (0.01,))
    plan = make(0)
    trained = run(plan, tmp_path / "biased")
    control = run(control_of(plan), tmp_path / "unbiased")
    found = probe_run(trained, control, device="cpu")
    assert list(found.readings) == [TRAINED, UNBIASED, UNTRAINED]
    assert (found.settings, found.data) == (plan.run, plan.data)
    rows = found.rows()
    assert all(0 <= row["S"] <= 1 and "R" in row["image1"] for row in rows.values())
    assert rows[TRAINED] != rows[UNTRAINED]
    assert list(probe_run(trained, device="cpu").readings) == [TRAINED, UNTRAINED]
    with pytest.raises(InputError, match="is not the same run on unbiased pairs"):
        probe_run(trained, trained, device="cpu")
    assert capsys.readouterr().out == ""
