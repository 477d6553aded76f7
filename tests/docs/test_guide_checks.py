"""What makes a build of the guide fail, each shown to fail; and the page of commands.

Only formulas and whole builds need Sphinx and what `make docs` installs with it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer
from guide_tools import DOCS, GUIDE, NO_SPHINX, REPOSITORY, extension
from typer.testing import CliRunner

from trifeature.cli import data, probe


@pytest.fixture(scope="module")
def commands() -> ModuleType:
    return extension("commands")


@pytest.fixture(scope="module")
def docstrings() -> ModuleType:
    return extension("docstrings")


@pytest.fixture(scope="module")
def links() -> ModuleType:
    return extension("links")


# --------------------------------------------------------------------------- docstrings


def test_every_public_name_of_the_package_has_a_docstring(docstrings: ModuleType) -> None:
    assert docstrings.missing_docstrings(REPOSITORY / "trifeature") == []


SOURCE = '''"""A module."""

from dataclasses import dataclass
from typing import overload

def documented():
    """Yes."""
    def inner(): ...

def bare(): ...

def _private(): ...

@overload
def several(x: int) -> int: ...
@overload
def several(x: str) -> str: ...
def several(x):
    """Yes."""

@dataclass
class Record:
    x: int

    def method(self): ...

    def __len__(self): ...

    @property
    def size(self):
        """Yes."""

    @size.setter
    def size(self, value): ...

class _Hidden:
    def method(self): ...
'''


def test_a_missing_docstring_is_named(docstrings: ModuleType, tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text('"""A package."""', "utf-8")
    (package / "inner" / "__init__.py").write_text("", "utf-8")
    (package / "__main__.py").write_text("", "utf-8")
    (package / "_private.py").write_text("def bare(): ...", "utf-8")
    (package / "module.py").write_text(SOURCE, "utf-8")
    found = docstrings.missing_docstrings(package)
    names = [re.search(r": (\S+) has no docstring", line) for line in found]
    assert [name[1] for name in names if name] == [
        "package.inner",
        "package.module.bare",
        "package.module.Record",
        "package.module.Record.method",
    ]


# --------------------------------------------------------------------------- links


MARKDOWN = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])


@pytest.mark.parametrize("page", MARKDOWN, ids=[str(p.relative_to(REPOSITORY)) for p in MARKDOWN])
def test_the_links_of_a_markdown_file_lead_somewhere(page: Path, links: ModuleType) -> None:
    assert links.broken_markdown_links(page) == []


def test_a_broken_link_of_a_markdown_file_is_named(links: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Why R = S?\n", "utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n\n[a](#here) [b](#there) [c](other.md#why-r--s) [d](other.md#no)\n"
        "[e](none.md) ![f](none.png) [g](https://example.org/none) `[h](code.md)`\n\n"
        "| [i](cell.md) |\n|---|\n",
        "utf-8",
    )
    found = [line.removeprefix(f"{page}: ") for line in links.broken_markdown_links(page)]
    assert found == [
        "#there: no such heading",
        "other.md#no: no such heading",
        "none.md: no such file",
        "none.png: no such file",
        "cell.md: no such file",
    ]


def test_a_broken_link_of_a_built_page_is_named(links: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "index.html").write_text('<a id="x" href="../page.html#y">', "utf-8")
    (tmp_path / "page.html").write_text(
        '<p id="y"><a href="deep/#x"></a><a href="deep/#z"></a><a href="none.html"></a>'
        '<a href="../outside.html"></a><a href="https://example.org"></a>'
        '<img src="none.png"><link href="https://example.org/style.css">'
        '<script src="//example.org/script.js"></script>',
        "utf-8",
    )
    found = [line.removeprefix("page.html: ") for line in links.broken_links(tmp_path)]
    assert found == [
        "https://example.org/style.css: the page would load this from the network",
        "//example.org/script.js: the page would load this from the network",
        "deep/#z: no such anchor",
        "none.html: no such file",
        "../outside.html: no such file",
        "none.png: no such file",
    ]


def test_a_fragment_of_a_page_with_states_is_no_anchor(links: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "states.html").write_text('<a href="#k=3">', "utf-8")
    (tmp_path / "deck.html").write_text('<p id="s3"><a href="#3"></a><a href="#4"></a>', "utf-8")
    (tmp_path / "page.html").write_text('<a href="states.html#k=3"></a><a href="#k=3">', "utf-8")
    assert links.broken_links(tmp_path, ["states.html"]) == [
        "deck.html: #4: no such anchor",
        "page.html: #k=3: no such anchor",
    ]


def test_a_text_that_python_wrote_is_named(docstrings: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "page.html").write_text("<p>Alias for field number 1</p>", "utf-8")
    (tmp_path / "page.html").write_text("<p>An alias for a field</p>", "utf-8")
    assert docstrings.written_by_python(tmp_path) == ["deep/page.html: Alias for field number 1"]


def test_what_follows_a_files_name_is_taken_off() -> None:
    pytest.importorskip("myst_parser", reason=NO_SPHINX)
    divided = extension("files").divided
    assert divided("a/b.html?x=1&y=2#k=3?") == ("a/b.html", "?x=1&y=2#k=3?")
    assert divided("b.html#k") == ("b.html", "#k")
    assert divided("b.html") == ("b.html", "")


# --------------------------------------------------------------------------- glossary


def test_terms_are_found_as_whole_words_with_their_plural() -> None:
    pytest.importorskip("sphinx", reason=NO_SPHINX)
    definitions = extension("definitions")
    terms = definitions.glossary_terms(
        "```{glossary}\nAUC\nROC-AUC\n  A chance.\n\nmap\n  A rule.\n```\n"
    )
    assert terms == {"AUC": "AUC", "ROC-AUC": "AUC", "map": "map"}
    words = [word for term in terms for word in (term, definitions.plural(term))]
    pattern = definitions.term_pattern(words)
    assert pattern.findall("An ROC-AUC, maps, a mapping, heat-map, the auc.") == [
        "ROC-AUC",
        "maps",
        "auc",
    ]
    plurals = ["redundancies", "probes", "biases", "arrays"]
    assert [definitions.plural(w) for w in ("redundancy", "probe", "bias", "array")] == plurals
    assert definitions.first_sentence("I_min of\n.5 bits. It is\nless.") == "I_min of .5 bits."


def test_the_words_of_the_field_are_in_the_glossary() -> None:
    pytest.importorskip("sphinx", reason=NO_SPHINX)
    text = (GUIDE / "glossary.md").read_text("utf-8")
    terms = extension("definitions").glossary_terms(text)
    assert len(terms) >= 50
    asked = "redundancy synergy BROJA I_min MMI co-information map gate control probe AUC InfoNCE"
    assert set(asked.split()) <= set(terms)


# --------------------------------------------------------------------------- commands


def _paths(app: typer.Typer, path: list[str]) -> list[list[str]]:
    """Every command under an app by what was registered with it."""
    found = [path]
    for command in app.registered_commands:
        assert command.callback is not None
        found.append([*path, command.name or command.callback.__name__.replace("_", "-")])
    for group in app.registered_groups:
        assert group.typer_instance is not None
        found += _paths(group.typer_instance, [*path, str(group.name)])
    return found


APPS = {"trifeature": data.app, "comm-probe": probe.app}
PATHS = [path for name, app in APPS.items() for path in _paths(app, [name])]


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_the_page_has_all_that_a_commands_help_has(path: list[str], commands: ModuleType) -> None:
    app = APPS[path[0]]
    found = [c for c in commands.describe(app, path[0]) if c.path == " ".join(path)]
    assert len(found) == 1
    page = commands.markdown(found)
    shown = CliRunner().invoke(app, [*path[1:], "--help"], env={"COLUMNS": "400"}).output
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", shown))
    options -= set(re.findall(r"--[a-z-]*=", shown)) | {"--help"}
    spelled = " ".join(p.spelling for p in found[0].parameters)
    documented = set(re.findall(r"--[a-z-]+", spelled))
    # A sentence of the help may name another command's option: the page quotes the sentence.
    assert all(option in documented or option in page for option in options)
    assert documented <= options
    unwrapped = re.sub(r"[\s\\]", "", page)
    for default in re.findall(r"\[default: ([^\];]+)", shown):
        assert re.sub(r"\s", "", default) in unwrapped


def test_defaults_limits_and_signs_that_mean_something_in_markdown(commands: ModuleType) -> None:
    app = typer.Typer(add_completion=False)

    @app.command()
    def only(
        name: str,
        count: int = typer.Option(3, min=1, help="A | b, *c* [all]"),
        quiet: bool = False,
    ) -> None:
        """Do `it` for $5, not --quiet."""

    (found,) = commands.describe(app, "program")
    name, count, quiet = found.parameters
    assert (name.default, count.default, count.limits) == ("required", "3", "x>=1")
    assert (count.help, quiet.spelling) == ("A | b, *c* [all]", "--quiet / --no-quiet")
    page = commands.markdown([found])
    assert r"A \| b, \*c\* \[all\] (x>=1) | 3 |" in page
    assert r"Do \`it\` for \$5, not `--quiet`." in page


# --------------------------------------------------------------------------- formulas


def test_a_formula_becomes_mathml_and_an_unknown_command_is_refused() -> None:
    for package in ("sphinx", "latex2mathml"):
        pytest.importorskip(package, reason=NO_SPHINX)
    mathml = extension("mathml")
    assert "<mfrac>" in mathml.to_mathml(r"\frac{1}{2}", block=True)
    with pytest.raises(ValueError, match=r"\\unheard"):
        mathml.to_mathml(r"x \unheard{y}", block=False)


# --------------------------------------------------------------------------- whole builds


def _build(source: Path, configuration: Path, out: Path) -> subprocess.CompletedProcess[str]:
    for package in ("sphinx", "myst_nb", "furo", "latex2mathml"):
        pytest.importorskip(package, reason=NO_SPHINX)
    options = ["-q", "-E", "-W", "--keep-going", "-d", str(out / "doctrees")]
    places = ["-c", str(configuration), str(source), str(out / "site")]
    return subprocess.run(  # noqa: S603 - Sphinx on our own files
        [sys.executable, "-m", "sphinx", *options, *places],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


CONFIGURATION = """
import sys
sys.path[:0] = [{extensions!r}, {package!r}]
extensions = [
    "myst_nb", "sphinx.ext.autodoc", "definitions", "docstrings", "files", "links", "mathml",
    "states",
]
exclude_patterns = ["out", "playground"]
guide_glossary = "words"
guide_glossary_pages = ["index"]
guide_stateful = ["playground/index.html"]
nitpicky = True
html_theme = "basic"
html_math_renderer = "mathml"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
guide_package = {package!r} + "/tiny"
guide_markdown = [{package!r} + "/README.md"]
"""
GOOD = """# Title

[here](#title) [a file](extra.html) $x_1$ [a state](playground/index.html#preset=xor&guess=1)

Here synergies are told from more synergies.

```{toctree}
words
```

```{eval-rst}
.. automodule:: tiny
   :members:
```
"""
WORDS = """# Words

```{glossary}
synergy
  What both sources tell only *together*. It is in bits.
```
"""


@pytest.fixture
def tiny_site(tmp_path: Path) -> Path:
    """A package of one function and a site of one page, built with the guide's extensions."""
    package, source = tmp_path / "package", tmp_path / "source"
    (package / "tiny").mkdir(parents=True)
    source.mkdir()
    (package / "tiny" / "__init__.py").write_text(
        '"""A package."""\n\ndef f() -> None:\n    """Yes."""\n', "utf-8"
    )
    (package / "README.md").write_text("# Read me\n", "utf-8")
    (source / "conf.py").write_text(
        CONFIGURATION.format(extensions=str(GUIDE / "extensions"), package=str(package)), "utf-8"
    )
    (source / "index.md").write_text(GOOD, "utf-8")
    (source / "extra.html").write_text("<p>Extra", "utf-8")
    (source / "words.md").write_text(WORDS, "utf-8")
    (source / "playground").mkdir()
    (source / "playground" / "index.html").write_text("<p>States", "utf-8")
    return tmp_path


@pytest.mark.slow  # Each starts Sphinx in a process of its own: a few seconds.
@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("source/index.md", "Title\n", "Title \n", None),
        ("source/index.md", "(#title)", "(#titel)", "titel"),
        ("source/index.md", "(extra.html)", "(none.html)", "none.html"),
        ("source/index.md", "preset=xor", "preset=xnor", "no preset “xnor”"),
        ("source/conf.py", '"files", ', "", "the built page has lost the fragment"),
        ("source/index.md", "$x_1$", "{py:func}`tiny.g`", "tiny.g"),
        ("source/index.md", "$x_1$", r"$\unheard$", "unheard"),
        ("source/index.md", ".. automodule:: tiny\n   :members:", "Nothing.", "no page documents"),
        ("source/extra.html", "Extra", '<a href="none.html">', "broken link"),
        ("source/extra.html", "Extra", '<img src="https://example.org/x.png">', "from the network"),
        ("package/tiny/__init__.py", '    """Yes."""', "    pass", "tiny.f has no docstring"),
        ("package/README.md", "me\n", "me [gone](gone.md)\n", "gone.md: no such file"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_build_fails_on_what_is_broken_and_on_nothing_else(
    tiny_site: Path, file: str, before: str, after: str, message: str | None
) -> None:
    text = (tiny_site / file).read_text("utf-8")
    assert before in text
    (tiny_site / file).write_text(text.replace(before, after), "utf-8")
    result = _build(tiny_site / "source", tiny_site / "source", tiny_site / "out")
    if message is None:
        assert result.returncode == 0, result.stderr
        assert (tiny_site / "out" / "site" / "extra.html").is_file()
        assert not (tiny_site / "out" / "site" / "_downloads").exists()
        page = (tiny_site / "out" / "site" / "index.html").read_text("utf-8")
        assert 'href="playground/index.html#preset=xor&amp;guess=1"' in page
        assert re.findall(r'<a class="definition .*?std-term">(.+?)<', page) == ["synergies"]
        assert 'title="What both sources tell only together."' in page
    else:
        assert result.returncode != 0
        assert message in result.stderr


@pytest.mark.slow  # The whole guide: half a minute on a free core.
def test_the_guide_builds_without_a_warning_and_without_the_network(
    tmp_path: Path, links: ModuleType
) -> None:
    result = _build(DOCS, GUIDE, tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    site = tmp_path / "site"
    assert links.broken_links(site, ["playground/index.html"]) == []
    # What lies in the source folder is opened where it is, and copied once.
    downloads = {path.name for path in (site / "_downloads").rglob("*") if path.is_file()}
    assert downloads & {path.name for path in DOCS.rglob("*.html")} == set()
    for page in ("index", "pid", "log", "playground/index", "course/01-bits", "guide/api/data"):
        assert (site / f"{page}.html").is_file()
    methods = (site / "guide" / "methods.html").read_text("utf-8")
    assert methods.count("<math") > 50
    assert not re.search(r"<script[^>]*mathjax", methods, re.IGNORECASE)
    line = (site / "guide" / "command-line.html").read_text("utf-8")
    assert all(f">{' '.join(path)}<" in line for path in PATHS)
