"""Plugins: files and modules that register methods, modalities, probes, measures, experiments.

A plugin is imported, and registers its parts as it is: with `register_method`, `register_kind`,
`register_encoder`, `register_measure` and their like. `--plugin FILE_OR_MODULE` loads one; a
package that is installed names its own under the entry-point group `trifeature.plugins`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from trifeature.errors import InputError

GROUP: Final = "trifeature.plugins"
"""The entry-point group: `[project.entry-points."trifeature.plugins"]` in a pyproject.toml."""

_loaded: Final[dict[str, Any]] = {}
"""The plugins loaded so far: absolute paths of files, names of modules and entry points."""


def load_plugin(place: str | Path) -> Any:
    """Import a plugin, once.

    The folder of a file is added to the end of `sys.path`, so that the plugin finds its neighbours
    and worker processes find the plugin.

    Args:
        place: A Python file, or the name of a module that can be imported.

    Returns:
        The module.

    Raises:
        InputError: there is no such file or module, or it cannot be imported; it is named.
    """
    text = str(place)
    if text.endswith(".py") or "/" in text or "\\" in text or Path(text).is_file():
        path = Path(text).expanduser().resolve()
        if not path.is_file():
            raise InputError(f"plugin {text}: there is no such file")
        return _once(str(path), lambda: _import_file(path))
    return _once(text, lambda: importlib.import_module(text))


def load_entry_points() -> list[str]:
    """Import the plugins of installed packages, once, and return their names.

    Raises:
        InputError: one cannot be imported; it is named.
    """
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    for point in found:
        _once(point.name, point.load)
    return [point.name for point in found]


def load_plugins(places: Iterable[str]) -> None:
    """Import the plugins of installed packages, then those named here."""
    load_entry_points()
    for place in places:
        load_plugin(place)


def loaded_plugins() -> tuple[str, ...]:
    """The plugins that a worker process must load too; an argument for `load_plugins`."""
    installed = {point.name for point in entry_points(group=GROUP)}
    return tuple(place for place in _loaded if place not in installed)


def _once(place: str, load: Callable[[], Any]) -> Any:
    if place not in _loaded:
        try:
            _loaded[place] = load()
        except InputError as problem:
            raise InputError(f"plugin {place}: {problem}") from problem
        except (Exception, SystemExit) as problem:
            words = " ".join(f"{type(problem).__name__}: {problem}".split())
            raise InputError(f"plugin {place}: {words}") from problem
    return _loaded[place]


def _import_file(path: Path) -> ModuleType:
    """Import a file under the name of its stem; a module of that name must not be there yet."""
    name = path.stem
    known = sys.modules.get(name)
    if known is not None:
        if Path(getattr(known, "__file__", None) or ".").resolve() == path:
            return known
        raise InputError(f"a module called {name!r} is loaded already: rename the file")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError("it is not a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    return module
