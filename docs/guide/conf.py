"""How the guide is built: `make docs`, or `python -m sphinx -c docs/guide docs build/guide`.

The source folder is `docs/`, so that `docs/pid.md`, `docs/log.md` and the course are pages of the
site where they are. What would break quietly is made to break the build: see `extensions/`.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(HERE / "extensions"), str(REPOSITORY)]

import trifeature  # noqa: E402 - from this checkout, wherever Sphinx was started

project = "trifeature"
version = release = trifeature.__version__
copyright = "the trifeature authors, MIT license"  # noqa: A001 - Sphinx's name
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "accessibility",
    "apidoc",
    "command_line",
    "definitions",
    "docstrings",
    "files",
    "links",
    "mathml",
    "notebooks",
    "playground",
    "states",
]
exclude_patterns = ["course/source", "playground"]
nitpicky = True
nitpick_ignore_regex = [
    # Names of other packages and words in backticks; a name of ours must be found.
    (r"py:.*", r"(?!trifeature\.).*"),
    # Options of commands are annotated for Typer.
    (r"py:class", r"trifeature\.cli\..*Annotated.*"),
    # Type variables are no objects of the API.
    (r"py:class", r"trifeature\.(\w+\.)*[FPRT]"),
]

# Pages are Markdown, docstrings are Google's style; in them `x` is a name or, failing that, code.
default_role = "py:obj"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the notebooks hold the results they were built with
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"trifeature {version}"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["guide.css"]
html_js_files = ["definitions.js", "guide.js"]
html_copy_source = False
html_show_sphinx = False

guide_stateful = ["playground/index.html"]
guide_glossary_pages = ["guide/[!a]*", "index", "pid", "results", "leaderboard", "course/*"]
guide_terms_explicit = [
    # Words that mean something else as often as not.
    "atom",
    "bias",
    "bit",
    "control",
    "estimate",
    "gate",
    "interval",
    "map",
    "source",
    "target",
    "view",
]
guide_package = str(REPOSITORY / "trifeature")
guide_markdown = [
    str(REPOSITORY / name) for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
]
