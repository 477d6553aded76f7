"""Plans of runs, their keys, and the rows that belong to them.

A `Plan` holds everything that a result depends on. Its key names the run's folder and marks its
rows, so that rows are found again and rows of different settings are never mixed.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from trifeature.comm.options import Options
from trifeature.comm.settings import RunSettings, run_preset
from trifeature.data.dataset import DatasetSettings, preset
from trifeature.errors import InputError
from trifeature.experiments.rows import OLD_FORMAT, check_row, preset_of, require_drawable
from trifeature.files import append_row, locked, read_json, read_rows
from trifeature.probes.names import Probing, read_protocol
from trifeature.real.catalog import source_of
from trifeature.real.settings import RealSettings
from trifeature.views import Views

ROW_FORMAT: Final = 2
"""Format of rows of the published drawings; it changes when the numbers of a plan would."""
KEYS: Final = Path(__file__).with_name("keys.json")
"""Reference values of settings, and aliases of earlier keys; written by scripts/keys.py."""
RECORDED_PROBING: Final = {"ours": "fixed", "products": "products", "authors": "paper"}
"""Names of the protocols in keys, which do not change when a name does."""
Row = dict[str, Any]
Data = DatasetSettings | RealSettings
"""What a run is about: a Trifeature data set, or a set of real data."""


@dataclass(frozen=True)
class Plan:
    """One training run and when to probe it.

    Attributes:
        preset: The preset that data and settings started from, for people to read.
        data: The data set, of Trifeature or real; `match_rate` None makes it the unbiased control.
        run: Method, loss, network, views, optimization.
        probe_epochs: Epochs to probe at, 0 for the untrained network; the last one is always
            among them.
        probing: See `trifeature.probes.protocol.probe`.
        setting: What distinguishes this run in its experiment, in words; empty for nothing.
        official: Probe the last epoch by the authors' protocol too, to stand beside ours; the other
            numbers, and so the key, do not depend on it.
        products: Probe the last epoch by the protocol `products` too, and for other maps than the
            pairs' (`trifeature.experiments.other_maps`); the key does not depend on it either.
    """

    preset: str
    data: Data
    run: RunSettings
    probe_epochs: tuple[int, ...]
    probing: Probing = "ours"
    setting: str = ""
    official: bool = False
    products: bool = False

    def __post_init__(self) -> None:
        epochs = tuple(sorted({*self.probe_epochs, self.run.epochs}))
        if epochs[0] < 0 or epochs[-1] > self.run.epochs:
            raise InputError(f"epochs to probe at must be from 0 to {self.run.epochs}")
        object.__setattr__(self, "probe_epochs", epochs)
        object.__setattr__(self, "probing", read_protocol(self.probing))

    @property
    def biased(self) -> bool:
        """True if the training pairs keep the map more often than chance."""
        return self.data.match_rate is not None

    @property
    def format(self) -> int:
        """Format of its rows, which tells apart rows of the old and of the published drawings."""
        if isinstance(self.data, RealSettings):
            return ROW_FORMAT
        return OLD_FORMAT if self.data.render.drawings == "old" else ROW_FORMAT

    @property
    def pairs(self) -> str:
        """How the training pairs were made, in a word; empty for data that come as they are."""
        if not self.data.planted:
            return ""
        return "biased" if self.biased else "unbiased"

    @cached_property
    def key(self) -> str:
        """Digest of the settings of data, training and probing that are not at their reference.

        A setting that is added later, with a default, changes no key; see `differences`.
        """
        content = {
            "format": self.format,
            "method": self.run.method,
            "probing": RECORDED_PROBING[self.probing],
            **differences(self.data, self.run),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """A readable name, unique through its key: the run's folder."""
        parts = [
            self.source,
            self.preset,
            self.run.method,
            self.run.option("loss", "L_CoMM"),
            self.setting,
            self.pairs,
        ]
        text = "-".join(p.replace(" ", "_") for p in parts if p)
        return f"{text}-seed{self.run.seed}-{self.key[:8]}"

    @property
    def source(self) -> str:
        """The name of a set of real data; empty for Trifeature."""
        return self.data.source if isinstance(self.data, RealSettings) else ""

    def columns(self) -> Row:
        """Fields of a row that say which run it belongs to."""
        return {
            "key": self.key,
            "preset": self.preset,
            **({"data": self.source} if self.source else {}),
            "method": self.run.method,
            "loss": self.run.option("loss", "L_CoMM"),
            "encoder": self.run.encoder,
            "setting": self.setting,
            "biased": self.biased,
            "seed": self.run.seed,
            "validation": self.data.validation,
            "epochs": self.run.epochs,
            "probing": self.probing,
        }

    def describe(self) -> str:
        """One line for a progress display."""
        loss, what = self.run.option("loss", ""), self.run.method
        if what == "comm":
            what = loss
        elif loss not in ("", "L_CoMM"):
            what += f" {loss}"
        parts = (self.source, what, self.setting, self.pairs, f"seed {self.run.seed}")
        return " ".join(part for part in parts if part)


def make_plan(
    name: str,
    *,
    seed: int,
    biased: bool,
    probe_epochs: Sequence[int] = (),
    probing: Probing = "ours",
    setting: str = "",
    official: bool = False,
    validation: bool = False,
    **changes: Any,
) -> Plan:
    """A run of a preset on a data set of the same seed.

    Args:
        name: The preset of both data and run.
        seed: Of the data set (split, images, pairs, map), of initialization and of data order.
        biased: Train on pairs that keep the map, or on pairs that leave it to chance.
        probe_epochs: See `Plan`.
        probing: See `Plan`.
        setting: See `Plan`.
        official: See `Plan`.
        validation: Hold out training combinations instead of the test ones, for choosing.
        changes: Other values for the run's or the model's settings.
    """
    data = preset(name, seed=seed, match_rate=1.0 if biased else None, validation=validation)
    run = run_preset(name, seed=seed, **changes)
    return Plan(name, data, run, tuple(probe_epochs), probing, setting, official)


# --------------------------------------------------------------------------- keys


def differences(data: Data, run: RunSettings) -> dict[str, Any]:
    """The settings that are not at their reference value, by dotted name.

    Of real data these are the name of the set and its reader's options.

    The reference of a setting is the default that it had when it was written to keys.json. If a
    default changes later, keys stay the same, and rows of the old and the new default do not mix.
    A setting that is not in the file has its present default as reference.
    """
    reference = _reference(run)
    if isinstance(data, RealSettings):
        reference = reference | _reference_of_real(data.source)
    given = flat({"data": data.to_json(), "run": run.to_json()})
    return {name: value for name, value in given.items() if value != reference.get(name)}


def flat(content: Any, name: str = "") -> dict[str, Any]:
    """Settings, as JSON holds them, by dotted name; a list of objects also has its length.

    >>> flat({"epochs": 4.0, "views": [{"hue": 0.1, "crop": (0.4, 1)}]})
    {'epochs': 4, 'views': 1, 'views.0.hue': 0.1, 'views.0.crop': [0.4, 1]}
    """
    found: dict[str, Any] = {}
    if isinstance(content, Mapping):
        parts = dict(content)
    elif isinstance(content, list | tuple) and any(isinstance(x, Mapping) for x in content):
        found[name] = len(content)
        parts = dict(enumerate(content))
    else:
        return {name: _plain(content)}
    for key, part in parts.items():
        found |= flat(part, f"{name}.{key}" if name else str(key))
    return found


def _plain(value: Any) -> Any:
    """A value in its canonical form: 1 for 1.0, lists for tuples."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _reference(run: RunSettings) -> dict[str, Any]:
    """The reference value of every setting, for a run of this method and these kinds of views."""
    views: Any = tuple(type(one) for one in run.views)  # mypy doubts that classes are hashable
    light: Any = type(run.light)
    options: Any = type(run.options)
    return _reference_of(run.method, views, light, options)


@functools.cache
def _reference_of(
    method: str, views: tuple[type[Views], ...], light: type[Views], options: type[Options]
) -> dict[str, Any]:
    kept = _keys()["reference"]

    def of(kind: type[Views]) -> dict[str, Any]:
        one = kind()
        usual = {**one.to_json(), **kept["views"].get(one.kind, {})}
        return {name: value for name, value in usual.items() if name != "kind"}

    default = RunSettings(method, options())
    now = default.to_json() | {"views": [of(kind) for kind in views]}
    then = kept["run"] | {"options": kept["options"].get(method, {})}
    if light is not type(default.light):
        now["light"] = then["light"] = of(light)
    earlier = flat({"data": kept["data"], "run": then})
    return flat({"data": DatasetSettings().to_json(), "run": now}) | earlier | {"run.views": 1}


def _reference_of_real(source: str) -> dict[str, Any]:
    """The reference value of every option of a reader of real data."""
    kept = _keys()["reference"].get("real", {}).get(source, {})
    return flat({"data": {"options": {**asdict(source_of(source).options_of()), **kept}}})


@functools.cache
def _keys() -> dict[str, Any]:
    return read_json(KEYS)


def current_key(key: str) -> str:
    """Today's key of a run, also for rows recorded before keys left defaults out."""
    return str(_keys()["aliases"].get(key, key))


# --------------------------------------------------------------------------- finding rows


def result_rows(path: Path) -> list[Row]:
    """The rows of a file, none if it does not exist.

    Raises:
        InputError: the file is damaged, or holds a row that no run wrote; file, line and key are
            named, also where a key that a row lacks is asked for later.
    """
    rows: list[Row] = []
    for number, row in enumerate(read_rows(path), start=1):
        checked = check_row(row, path, number)
        checked |= {"key": current_key(checked["key"])} | _today(checked)
        rows.append(checked)
    return rows


def _today(row: Row) -> Row:
    """The values of a row that are written in other words today."""
    found = {"probing": read_protocol(row["probing"])} if "probing" in row else {}
    return found | {"preset": preset_of(row)}


def missing(plans: Iterable[Plan], rows: Iterable[Row]) -> list[Plan]:
    """The plans whose last epoch, or another asked for, has no row yet.

    Plans of the same key are one, probed at every epoch that any of them asks for. A run that must
    be trained again for a missing epoch is probed at its recorded epochs too.

    Raises:
        InputError: a row of a file that belongs to a plan lacks what it is drawn by.
    """
    by_key: dict[str, list[Row]] = {}
    for row in rows:
        by_key.setdefault(row["key"], []).append(row)
    unique: dict[str, Plan] = {}
    for plan in plans:
        same = unique.setdefault(plan.key, plan)
        epochs = (*same.probe_epochs, *plan.probe_epochs)
        unique[plan.key] = replace(same, probe_epochs=epochs)
    lacking = []
    for key, plan in unique.items():
        own = rows_of(plan, by_key.get(key, []))
        require_drawable(own)
        have = {row["epoch"] for row in own}
        if not set(plan.probe_epochs) <= have:
            lacking.append(replace(plan, probe_epochs=(*plan.probe_epochs, *have)))
    return lacking


def rows_of(plan: Plan, rows: Iterable[Row]) -> list[Row]:
    """The rows of one plan by epoch, all of its latest training."""
    own = [row for row in rows if row["key"] == plan.key]
    latest = own[-1].get("training") if own else None
    by_epoch = {row["epoch"]: row for row in own if row.get("training") == latest}
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def record(path: Path, rows: Sequence[Row]) -> None:
    """Append the rows that a file does not hold yet; safe if two processes finish the same run."""

    def name(row: Row) -> tuple[Any, ...]:
        return row["key"], row["epoch"], row.get("training")

    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{path.name}.lock")):
        known = {name(row) for row in read_rows(path, {"key": str, "epoch": int})}
        for row in rows:
            if name(row) not in known:
                append_row(path, row)


def control_of(plan: Plan) -> Plan:
    """The same run on unbiased pairs, where the map is not there to learn."""
    return replace(plan, data=with_match_rate(plan.data, None))


def with_match_rate(data: Data, rate: float | None) -> Data:
    """The same data with another share of training pairs that keep the map."""
    if isinstance(data, RealSettings):
        return data.change(match_rate=rate)
    return replace(data, match_rate=rate)
