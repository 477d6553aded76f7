"""Write trifeature/experiments/keys.json: what keys of rows are compared with, and earlier keys.

A key is a digest of the settings that differ from a reference, see `trifeature.experiments.plan`.
The reference holds every setting's default at the time when the setting was first written here, and
the old drawings, which were the only ones then; an entry that is there is never changed. The
aliases lead from the key that a revision of the package gave a plan to the key that it has now.

    python scripts/keys.py              adds new settings to the reference
    python scripts/keys.py REVISION     and aliases of all plans of that revision
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def plans() -> list[tuple[str, str]]:
    """Name and key of every plan of every experiment, in order, with the old drawings.

    Rows of the published drawings have a format of their own, and no earlier key.
    """
    from trifeature.experiments.catalog import EXPERIMENTS  # noqa: PLC0415 - of any revision

    setup: Any = str  # earlier revisions take a preset's name
    if find_spec("trifeature.experiments.experiment"):
        from trifeature.experiments.experiment import Setup  # noqa: PLC0415

        setup = Setup

    presets = ("quick", "fast", "paper")
    if find_spec("trifeature.presets"):
        from trifeature.presets import PRESETS  # noqa: PLC0415

        presets = tuple(f"{name}-old" if f"{name}-old" in PRESETS else name for name in presets)
    every = [p for e in EXPERIMENTS.values() for name in presets for p in e.plans(setup(name))]
    olden = [_with_old_drawings(plan) for plan in every]
    return [(plan.name.rpartition("-")[0].replace("-old-", "-", 1), plan.key) for plan in olden]


def _with_old_drawings(plan: Any) -> Any:
    """The same plan with old drawings; earlier revisions have no others."""
    render = plan.data.render
    if not hasattr(render, "drawings"):
        return plan
    return replace(plan, data=replace(plan.data, render=replace(render, drawings="old")))


def plans_at(revision: str) -> list[tuple[str, str]]:
    """The same with the code of another revision, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--detach", str(tree), revision], check=True)  # noqa: S603
        try:
            command = [sys.executable, __file__, "--print"]
            path = {**os.environ, "PYTHONPATH": str(tree)}
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=path)  # noqa: S603
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)  # noqa: S603
    return [(name, key) for name, key in json.loads(found.stdout)]


def merge(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Everything of both; where both have a value, the old one."""
    merged = {**new, **old}
    for name in new.keys() & old.keys():
        if isinstance(new[name], dict) and isinstance(old[name], dict):
            merged[name] = merge(new[name], old[name])
    return merged


def defaults() -> dict[str, Any]:
    """The present default of every setting."""
    from trifeature.comm.options import OPTIONS  # noqa: PLC0415
    from trifeature.comm.settings import RunSettings  # noqa: PLC0415
    from trifeature.data.dataset import DatasetSettings  # noqa: PLC0415
    from trifeature.real.catalog import SOURCES  # noqa: PLC0415
    from trifeature.views import VIEW_KINDS  # noqa: PLC0415

    run = RunSettings().to_json()
    for name in ("method", "options", "views"):  # by method, and by kind of views, below
        del run[name]
    return {
        "data": DatasetSettings().to_json(),
        "run": run,
        "options": {method: asdict(options()) for method, options in OPTIONS.items()},
        "views": {kind: views().to_json() for kind, views in VIEW_KINDS.items()},
        "real": {name: asdict(source.options_of()) for name, source in SOURCES.items()},
    }


def main() -> None:
    """Add to the file what it lacks."""
    from trifeature.experiments.plan import KEYS  # noqa: PLC0415

    content = json.loads(KEYS.read_text(encoding="utf-8")) if KEYS.exists() else {}
    content["reference"] = merge(defaults(), content.get("reference", {}))
    aliases = content.setdefault("aliases", {})
    KEYS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for revision in sys.argv[1:]:
        for (name, old), (same, new) in zip(plans_at(revision), plans(), strict=True):
            if name != same or aliases.setdefault(old, new) != new:
                raise SystemExit(f"{name}: {old} is not the key of {same}")
    content["aliases"] = dict(sorted(aliases.items()))
    KEYS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(json.dumps(plans()))
    else:
        main()
