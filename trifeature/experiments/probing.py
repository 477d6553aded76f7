"""Probe a finished run, beside both of its controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from trifeature.comm.methods import Method
from trifeature.comm.settings import RunSettings
from trifeature.comm.training import load_run, new_method, pick_device
from trifeature.errors import InputError
from trifeature.experiments.plan import Data, Plan, Row, control_of
from trifeature.experiments.run import obtain_own, read_settings
from trifeature.probes.names import Probing
from trifeature.probes.protocol import probe
from trifeature.probes.reading import Reading

TRAINED: Final = "trained"
UNBIASED: Final = "unbiased pairs (control)"
UNTRAINED: Final = "untrained (control)"


@dataclass(frozen=True)
class ProbedRun:
    """The readings of a run and of its controls.

    Attributes:
        folder: The run's folder.
        settings: Of the run.
        data: Settings of its data set.
        readings: By `TRAINED`, `UNBIASED` (where it was given) and `UNTRAINED`.
    """

    folder: Path
    settings: RunSettings
    data: Data
    readings: Mapping[str, Reading]

    def rows(self) -> dict[str, Row]:
        """The numbers of each reading, as rows hold them."""
        return {name: reading.row() for name, reading in self.readings.items()}


def probe_run(
    folder: Path | str,
    control: Path | str | None = None,
    *,
    data: Path | str | None = None,
    probing: Probing = "ours",
    alone: bool = True,
    hide: Sequence[str] = (),
    device: str | torch.device | None = None,
    **options: Any,
) -> ProbedRun:
    """Probe a finished run: every task, from each image alone too, beside both controls.

    Args:
        folder: The run's folder.
        control: Folder of the same run on unbiased pairs, to stand beside it.
        data: Folder of its data set, or of the files of real data; rendered again, or looked for,
            when not given.
        probing: See `trifeature.probes.protocol.probe`.
        alone: Probe each modality without the others too.
        hide: Modalities that the test samples lack, see `Samples.hide`. The probes are fitted on
            samples that have them.
        device: Where to probe; see `trifeature.device.pick_device`.
        options: Others of `trifeature.probes.protocol.probe`.

    Raises:
        InputError: no finished run is there, the data are not its own, or the control is not the
            same run.
    """
    place = Path(folder)
    settings, data_settings = read_settings(place)
    target = device if isinstance(device, torch.device) else pick_device(device)
    if control is not None:
        _require_twin(Path(control), settings, data_settings)
    dataset = obtain_own(place, data_settings, None if data is None else Path(data), target)
    methods: dict[str, Method] = {TRAINED: load_run(place, dataset, target)}
    if control is not None:
        methods[UNBIASED] = load_run(Path(control), dataset, target)
    methods[UNTRAINED] = new_method(settings, dataset, target)
    samples = dataset.samples()
    for modality in dict.fromkeys(hide):
        samples = samples.hide(modality)
    readings = {
        name: probe(method, samples, probing=probing, alone=alone, **options)
        for name, method in methods.items()
    }
    return ProbedRun(place, settings, data_settings, readings)


def _require_twin(control: Path, settings: RunSettings, data: Data) -> None:
    """Refuse a control that is not the same run on unbiased pairs."""
    plan = Plan("", data, settings, ())
    if not data.planted:
        raise InputError(f"--control is for planted pairs: {plan.source} is as it is")
    twin = control_of(plan)
    if read_settings(control) != (twin.run, twin.data):
        raise InputError(f"{control} is not the same run on unbiased pairs (key {twin.key})")
