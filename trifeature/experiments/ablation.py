"""Comparison of the terms of CoMM's loss: `ablate` and `demo`.

Expected, from Figure 5 of Dufumier et al. (2025) on AlexNet at 224 px, 100 epochs: the sum of the
unimodal terms L_i learns R and U but not S; L alone learns all three slowly; L_CoMM all three.
The quick preset takes little more than a minute of one CPU core a run and need not agree: see the
README.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from trifeature.checks import require_names
from trifeature.comm.losses import loss_names
from trifeature.comm.settings import Precision
from trifeature.comm.training import pick_device
from trifeature.data.dataset import tasks_of
from trifeature.data.settings import DatasetSettings
from trifeature.data.settings import preset as data_preset
from trifeature.data.storage import read_manifest
from trifeature.errors import check_name
from trifeature.experiments.drawing import draw_curves
from trifeature.experiments.execute import (
    ROWS,
    BackendOf,
    Callback,
    Executor,
    Outcome,
    execute,
    plain_backend,
)
from trifeature.experiments.experiment import Arm, Experiment, Lines, Results, Setup
from trifeature.experiments.plan import Row, result_rows
from trifeature.presets import get_preset
from trifeature.probes.names import Probing
from trifeature.report import compare, table_row, with_converged

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEMO_LOSSES: Final = ("L_CoMM", "L", "L_i")
LOSS_TITLES: Final = {"L_CoMM": "L_CoMM", "L": "L", "L_i": "ΣL_i"}


@dataclass(frozen=True)
class Ablation(Results):
    """The results of an ablation, one arm for each loss.

    Attributes:
        outcome: What was trained now and what was found.
    """

    outcome: Outcome

    def differences(self) -> list[str]:
        """The lead of each loss's S over its two controls, in words."""
        return differences(self)


def few_epochs(epochs: int) -> tuple[int, ...]:
    """About five epochs spread over a run, the untrained network among them."""
    return tuple(sorted({0, min(1, epochs), *(round(epochs * part / 4) for part in range(1, 5))}))


def ablation(
    losses: Sequence[str] = DEMO_LOSSES,
    *,
    control: bool | Collection[str] = True,
    data: DatasetSettings | None = None,
    **changes: Any,
) -> Experiment:
    """The experiment that trains CoMM with each of some losses; all columns are of biased pairs.

    Args:
        losses: What to minimize, see `trifeature.comm.losses.loss_names`; each counts once.
        control: Train on unbiased pairs too, the control for S: all losses, none, or those named.
        data: The data set, whose tasks are the columns; of two images by default.
        changes: Other settings of the runs.

    Raises:
        InputError: there is no such loss.
    """
    tasks = tasks_of(data or data_preset("quick"))
    modalities = (data or data_preset("quick")).rule.modalities
    names = list(dict.fromkeys(require_names("losses", losses)))
    for loss in names:
        check_name("loss", loss, loss_names(modalities))
    controlled = names if control is True else control or ()
    arms = tuple(
        Arm(
            LOSS_TITLES.get(loss, loss),
            changes={**changes, "loss": loss},
            biased=None,
            control=loss in controlled,
        )
        for loss in names
    )
    return Experiment(
        "ablation",
        "terms of the loss",
        lambda _: arms,
        draw=draw,
        table=table,
        seeds=1,
        probe_epochs=few_epochs,
        columns=tuple(task.column for task in tasks.values()),
        authors_probe=False,
        products=False,
    )


def draw(results: Results) -> Figure:
    """R, U and S against epochs, solid on biased pairs and dashed on unbiased ones."""
    setup, seeds = results.setup, results.experiment.seeds_of(results.setup)
    data = setup.data_of(seeds[0])
    caption = (
        f"{get_preset(setup.preset).words}, {data.render.canvas} px, "
        f"{len(data.partners)} textures, {data.train_pairs:,} training pairs, n = {len(seeds)}; "
        "solid: pairs keep the map, dashed: unbiased"
    )
    return draw_curves(results, caption)


def table(results: Results) -> Lines:
    """The last epoch, each loss beside its control, and the untrained network."""
    columns = [*results.experiment.columns, *results.experiment.details]
    columns = with_converged(columns, results.rows)
    lines = [["macro accuracy, %", *columns, "n"]]
    for result in results:
        lines.append(table_row(result.arm.label, result.biased, columns))
        if result.arm.control:
            label = f"{result.arm.label}, unbiased pairs (control)"
            lines.append(table_row(label, result.unbiased, columns))
    return [*lines, table_row("untrained network (control)", _untrained(results), columns)]


def _untrained(results: Results) -> list[Row]:
    """The untrained network's rows, one a seed: all losses start from it."""
    rows = [row for result in results for row in result.untrained]
    return list({row["seed"]: row for row in reversed(rows)}.values())[::-1]


def differences(results: Results) -> list[str]:
    """The lead of each loss over its two controls on the tasks measured on biased pairs.

    By AUC first: where few pairs keep the map, accuracy at chance can hide an AUC far above it.
    """
    untrained, data = _untrained(results), results.setup.data_of(0)
    found = []
    tasks = (task.column for task in tasks_of(data).values() if task.biased)
    for column in (name for task in tasks for name in (f"{task}_auc", task)):
        for result in results:
            for name, control in (
                ("the same model on unbiased pairs", result.unbiased),
                ("the untrained network", untrained),
            ):
                if words := compare(result.biased, control, column):
                    what = f"{column.replace('_auc', ' (AUC)')} of {result.arm.label}"
                    found.append(f"{what} against {name}: {words}")
    return found


def ablate(
    losses: Sequence[str] = DEMO_LOSSES,
    preset: str = "quick",
    *,
    seeds: int | Sequence[int] = 1,
    data: Path | str | DatasetSettings | None = None,
    control: bool | Collection[str] = True,
    epochs: int | None = None,
    precision: Precision | None = None,
    probe_at: Sequence[int] | None = None,
    probing: Probing = "ours",
    out: Path | str = Path("runs") / "ablate",
    device: str | None = None,
    executor: Executor | None = None,
    backend: BackendOf = plain_backend,
    callback: Callback | None = None,
    **changes: Any,
) -> Ablation:
    """Train CoMM with single terms of its loss, and measure R, U and S beside their controls.

    Runs whose rows are in `out` already are not run again.

    Args:
        losses: What to minimize, one after the other.
        preset: The preset of the training, and of the data where none is given.
        seeds: How many, from 0 on, or which.
        data: A data set's folder, or its settings; the same for all seeds, which then vary the
            training alone. None renders the preset's data set of each seed.
        control: Train on unbiased pairs too: all losses, none, or those named.
        epochs: Other than the preset's.
        precision: Other than the preset's.
        probe_at: Epochs to probe at; see `few_epochs`. The untrained network is always probed.
        probing: See `trifeature.probes.protocol.probe`.
        out: Folder for runs and rows.
        device: Where to train; see `trifeature.device.pick_device`.
        executor: Carries the runs out; one after the other by default.
        backend: Chooses how steps are taken.
        callback: Called with what happens to each run.
        changes: Other settings of the runs, see `trifeature.comm.settings.run_preset`.

    Returns:
        The results, with `draw`, `table`, `rows` and `differences`.

    Raises:
        InputError, TrainingError: a loss or setting does not exist, or a run failed.

    Example:
        >>> found = ablate(["L_CoMM", "L_i"], seeds=3)  # doctest: +SKIP
        >>> found.draw().savefig("ablation.png")  # doctest: +SKIP
    """
    settings = data if isinstance(data, DatasetSettings | None) else _settings_in(Path(data))
    experiment = ablation(losses, control=control, data=settings, **changes)
    setup = Setup(
        preset,
        seeds,
        epochs,
        precision,
        probing,
        None if probe_at is None else (0, *probe_at),
        settings,
    )
    target, folder = pick_device(device), Path(out)
    outcome = execute(
        experiment.plans(setup),
        runs=folder,
        rows=folder / ROWS,
        source=Path(data) if isinstance(data, Path | str) else None,
        device=target,
        executor=executor,
        backend=backend,
        callback=callback,
    )
    found = experiment.results(setup, result_rows(folder / ROWS))
    return Ablation(experiment, setup, found.arms, outcome)


def _settings_in(folder: Path) -> DatasetSettings:
    """The settings of the data set in a folder."""
    return DatasetSettings.from_json(read_manifest(folder)["settings"])


def demo(
    *,
    data: Path | str | DatasetSettings | None = None,
    out: Path | str = Path("runs") / "demo",
    device: str | None = None,
    executor: Executor | None = None,
    backend: BackendOf = plain_backend,
    callback: Callback | None = None,
) -> Ablation:
    """Train L_CoMM, L and ΣL_i on the quick preset, and L_CoMM on unbiased pairs too.

    Args:
        data: The preset's data set where it is in a folder already; rendered by default.
        out: See `ablate`.
        device: See `ablate`.
        executor: See `ablate`.
        backend: See `ablate`.
        callback: See `ablate`.
    """
    return ablate(
        DEMO_LOSSES,
        "quick",
        data=data,
        control=("L_CoMM",),
        out=out,
        device=device,
        executor=executor,
        backend=backend,
        callback=callback,
    )
