"""Trifeature pairs with known redundancy, uniqueness and synergy, and models that learn them.

    import trifeature as tf

    data = tf.build(tf.preset("quick", match_rate=1.0))
    method = tf.train(data, tf.run_preset("quick"))
    print(tf.probe(method, data).row())

Every name is imported when it is first used, so `import trifeature` itself costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

__version__ = "0.1.0"

_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "errors": ("InputError", "TrainingError"),
    "samples": ("Samples", "Task"),
    "plugins": ("load_entry_points", "load_plugin"),
    "views": ("register_views",),
    "modality": ("Modality", "Kind", "register_kind"),
    "data.settings": ("DatasetSettings", "preset"),
    "data.dataset": ("Dataset", "build", "with_pairs"),
    "data.own_values": ("register_color", "register_shape", "register_texture"),
    "data.export": ("export",),
    "data.storage": ("generate", "load"),
    "data.stream": ("stream",),
    "comm.options": ("Options",),
    "comm.settings": ("RunSettings", "run_preset"),
    "comm.methods": ("Method", "register_method"),
    "comm.encoders": ("register_encoder",),
    "comm.training": ("load_run", "new_method", "train"),
    "probes.classifiers": ("register_classifier",),
    "probes.logistic": ("LogisticProbe",),
    "probes.protocol": ("probe", "probe_features"),
    "real.catalog": ("load_real", "register_source"),
    "real.own.files": ("OwnFiles", "read_own_files"),
    "studies.run": ("Study", "study"),
    "experiments.ablation": ("ablate", "demo"),
    "experiments.catalog": ("register_experiment",),
    "experiments.probing": ("probe_run",),
    "experiments.reproduction": ("draw_figure", "reproduce"),
    "extra.complexity": ("complexity",),
    "extra.finetuning": ("FineTuning", "finetune"),
    "pid": (
        *("PID", "atoms_of_columns", "broja", "dual_atoms", "estimate"),
        *("register_measure", "screen"),
    ),
}
"""The public names by the module that each is defined in."""

_PACKAGES: Final = (
    "comm",
    "data",
    "experiments",
    "extra",
    "pid",
    "plots",
    "probes",
    "real",
    "studies",
    "views",
)

_PLACES: Final = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *sorted(_PLACES)]  # noqa: PLE0604 - they are all strings

if TYPE_CHECKING:
    from trifeature.comm.encoders import register_encoder as register_encoder
    from trifeature.comm.methods import Method as Method
    from trifeature.comm.methods import register_method as register_method
    from trifeature.comm.options import Options as Options
    from trifeature.comm.settings import RunSettings as RunSettings
    from trifeature.comm.settings import run_preset as run_preset
    from trifeature.comm.training import load_run as load_run
    from trifeature.comm.training import new_method as new_method
    from trifeature.comm.training import train as train
    from trifeature.data.dataset import Dataset as Dataset
    from trifeature.data.dataset import build as build
    from trifeature.data.dataset import with_pairs as with_pairs
    from trifeature.data.export import export as export
    from trifeature.data.own_values import register_color as register_color
    from trifeature.data.own_values import register_shape as register_shape
    from trifeature.data.own_values import register_texture as register_texture
    from trifeature.data.settings import DatasetSettings as DatasetSettings
    from trifeature.data.settings import preset as preset
    from trifeature.data.storage import generate as generate
    from trifeature.data.storage import load as load
    from trifeature.data.stream import stream as stream
    from trifeature.errors import InputError as InputError
    from trifeature.errors import TrainingError as TrainingError
    from trifeature.experiments.ablation import ablate as ablate
    from trifeature.experiments.ablation import demo as demo
    from trifeature.experiments.catalog import register_experiment as register_experiment
    from trifeature.experiments.probing import probe_run as probe_run
    from trifeature.experiments.reproduction import draw_figure as draw_figure
    from trifeature.experiments.reproduction import reproduce as reproduce
    from trifeature.extra.complexity import complexity as complexity
    from trifeature.extra.finetuning import FineTuning as FineTuning
    from trifeature.extra.finetuning import finetune as finetune
    from trifeature.modality import Kind as Kind
    from trifeature.modality import Modality as Modality
    from trifeature.modality import register_kind as register_kind
    from trifeature.pid import PID as PID
    from trifeature.pid import atoms_of_columns as atoms_of_columns
    from trifeature.pid import broja as broja
    from trifeature.pid import dual_atoms as dual_atoms
    from trifeature.pid import estimate as estimate
    from trifeature.pid import register_measure as register_measure
    from trifeature.pid import screen as screen
    from trifeature.plugins import load_entry_points as load_entry_points
    from trifeature.plugins import load_plugin as load_plugin
    from trifeature.probes.classifiers import register_classifier as register_classifier
    from trifeature.probes.logistic import LogisticProbe as LogisticProbe
    from trifeature.probes.protocol import probe as probe
    from trifeature.probes.protocol import probe_features as probe_features
    from trifeature.real.catalog import load_real as load_real
    from trifeature.real.catalog import register_source as register_source
    from trifeature.real.own.files import OwnFiles as OwnFiles
    from trifeature.real.own.files import read_own_files as read_own_files
    from trifeature.samples import Samples as Samples
    from trifeature.samples import Task as Task
    from trifeature.studies.run import Study as Study
    from trifeature.studies.run import study as study
    from trifeature.views import register_views as register_views


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _PACKAGES:
        return import_module(f"trifeature.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module 'trifeature' has no attribute {name!r}")
    value = getattr(import_module(f"trifeature.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *_PLACES})
