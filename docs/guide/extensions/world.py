"""What the playground says of itself: its examples, and whether it takes a link as it is.

Both come from its own source, `trifeature/playground/logic/`, by node. Where node is missing, the
examples are those of `presets.json` (written by `python docs/guide/extensions/world.py`, compared
with node in the tests), and of a link only the names of keys and presets are checked.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

GUIDE: Final = Path(__file__).resolve().parents[1]
SOURCES: Final = GUIDE.parents[1] / "trifeature" / "playground"
SAVED: Final = GUIDE / "presets.json"
ATOMS: Final = {"R", "U1", "U2", "S"}

EXAMPLES: Final = """
const beliefs = new Set(W.BELIEFS.map((preset) => preset.id));
const plain = ({ e, share = 1, gate = "match" }) => !e && share === 1 && gate === "match";
const named = (preset, state) => {
  if (state.mode === "table") return preset.gallery && { gallery: preset.gallery, rate: null };
  const gallery = { texture1: "MATCH-UNIQUE", match: "MATCH-LABEL" }[state.task];
  return gallery && plain(state) && { gallery, values: state.k, rate: state.rho };
};
const spelled = ({ N, M, K, p }) => ({ shape: [N, M, K], cells: Array.from(p), rate: null });
const described = (preset) => {
  const state = W.presetState(preset.id);
  const group = beliefs.has(preset.id) ? "beliefs" : state.mode === "images" ? "images" : "gates";
  const { id, belief = "", names, answer } = preset;
  const law = named(preset, state) || spelled(W.tableOf(state));
  return { id, group, belief, names, answer, ...law };
};
return { keys: ["preset", ...Object.keys(W.DEFAULTS).filter((key) => key !== "preset")
  .map((key) => (key === "base" ? "p" : key))], presets: Object.values(W.PRESETS).map(described) };
"""
NOTES: Final = """
return data.links.map((link) => W.fromHash(link, { parts: data.parts }))
  .map(({ state, notes }) => ({ notes, hide: state.hide }));
"""


def run_node(script: str, data: Any = None) -> Any:
    """What a script returns that has the page's world as W, or None where there is no node.

    Args:
        script: The body of a function.
        data: What it finds under this name.

    Raises:
        RuntimeError: node ran and failed; the message is its own.
    """
    program = shutil.which("node")
    if program is None:
        return None
    whole = (
        f"const W = require({json.dumps(str(SOURCES / 'logic' / 'world.js'))});"
        "const data = JSON.parse(require('fs').readFileSync(0));"
        f"console.log(JSON.stringify((() => {{ {script} }})()));"
    )
    done = subprocess.run(  # noqa: S603 - node, with our own sources
        [program, "-e", whole],
        input=json.dumps(data),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode:
        raise RuntimeError(f"node cannot run the playground's world.js: {done.stderr.strip()}")
    return json.loads(done.stdout)


def saved_examples() -> dict[str, Any]:
    """The examples and the keys of links as they were when `presets.json` was written."""
    found: dict[str, Any] = json.loads(SAVED.read_text(encoding="utf-8"))
    return found


def examples() -> dict[str, Any]:
    """`keys` that a link may have, and `presets` with name, sentence, group and law of each."""
    found: dict[str, Any] | None = run_node(EXAMPLES)
    return found if found is not None else saved_examples()


def page_parts() -> list[str]:
    """What `hide=` may name: the parts of the page and the four atoms."""
    page = (SOURCES / "page.html").read_text(encoding="utf-8")
    return sorted(ATOMS | set(re.findall(r'data-part="([\w-]+)"', page)))


def notes_on(links: Sequence[str]) -> list[list[str]]:
    """What the page would note about each link's fragment; an empty list where it takes it.

    Args:
        links: What follows the #, as it is written.
    """
    parts = page_parts()
    found = run_node(NOTES, {"links": list(links), "parts": parts})
    if found is None:
        return [spelling_notes(link, saved_examples()) for link in links]
    return [
        one["notes"]
        + [f"“{name}” is no part of the page." for name in set(one["hide"]) - set(parts)]
        for one in found
    ]


def spelling_notes(link: str, known: dict[str, Any]) -> list[str]:
    """What can be said of a fragment without running the page: unknown keys and presets.

    Args:
        link: What follows the #.
        known: Keys and presets, as `examples` gives them.
    """
    presets = {preset["id"] for preset in known["presets"]}
    given = [part.partition("=")[::2] for part in link.split("&") if part]
    notes = [f"“{key}” is no setting of this page." for key, _ in given if key not in known["keys"]]
    return notes + [
        f"There is no preset “{value}”."
        for key, value in given
        if key == "preset" and value not in presets
    ]


def main() -> None:
    """Write `presets.json` from the page's source."""
    found = run_node(EXAMPLES)
    if found is None:
        raise SystemExit("node is not installed: presets.json is as it was")
    SAVED.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
