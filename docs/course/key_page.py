"""The lecturer's key as one Markdown page: questions, solutions, wrong answers and what to say.

Questions come from the notebooks' sources, code from `solutions/`, sentences from `checks/`, run
anew; minutes, reasons and wrong answers from `key/`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, Final

from checks import CHECKS
from key import KEY, Entry, Slip
from solutions import SOLUTIONS

HEAD: Final = """\
# Key for the lecturer

For each exercise: a solution, why it is right, typical wrong answers with what the check says to
the student and what you may say, and minutes to plan with (an estimate, not a measurement). Every
exercise has a hint beside its text and a check that names these wrong answers, so most students
need no help; the key is for the talk afterwards.

*This page is made of `solutions/`, `checks/` and `key/` by `python docs/course/build.py --key`.*
"""
QUESTION: Final = re.compile(r"^\*\*(\d\.\d)\*\* (.*)", re.DOTALL | re.MULTILINE)
HINT: Final = re.compile(r"<details><summary>Hint</summary>\s*(.*?)\s*</details>", re.DOTALL)


def page(notebooks: Mapping[str, Any]) -> str:
    """The page for these notebooks, read from their sources, by name."""
    parts = [HEAD]
    for notebook in notebooks.values():
        asked = questions(notebook)
        named = [name for name in asked if name in KEY]
        if not named:
            continue
        title = notebook["cells"][0]["source"].splitlines()[0].lstrip("# ")
        minutes = sum(KEY[name].minutes for name in named)
        parts.append(f"## {title}\n\nExercises: {minutes} minutes.\n")
        parts += [entry(name, *asked[name], KEY[name]) for name in named]
    return "\n".join(parts)


def questions(notebook: Any) -> dict[str, tuple[str, str]]:
    """Question and hint of every exercise, by the name of its check.

    A question begins with its number in bold, and may go on in further cells of text.
    """
    texts: dict[str, list[str]] = {}
    name = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown":
            name = name if "exercise" not in cell["metadata"].get("tags", []) else ""
        elif match := QUESTION.search(cell["source"]):
            name = "exercise_" + match[1].replace(".", "_")
            texts[name] = [match[2]]
        elif name:
            texts[name].append(cell["source"])
    found = {}
    for name, parts in texts.items():
        text = "\n\n".join(parts)
        hint = HINT.search(text)
        found[name] = (HINT.sub("", text).strip(), hint[1] if hint else "")
    return found


def entry(name: str, question: str, hint: str, known: Entry) -> str:
    """The part of the page about one exercise."""
    number = name.removeprefix("exercise_").replace("_", ".")
    rows = "\n".join(row(name, slip) for slip in known.slips)
    return f"""\
### Exercise {number}

{question}

*{known.minutes} minutes.* Hint: {hint}

```python
{inspect.getsource(SOLUTIONS[name]).strip()}
```

**Why.** {known.why}

| Typical wrong answer | The check says | You may say |
|---|---|---|
{rows}
"""


def row(name: str, slip: Slip) -> str:
    """One wrong answer as a line of the table."""
    cells = (slip.what, CHECKS[name](slip.answer).sentence, slip.say)
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"
