"""The guide's sources: their links lead somewhere, their code runs, their commands exist.

None of this needs Sphinx.
"""

from __future__ import annotations

import doctest
import json
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from guide_tools import DOCS, GUIDE, REPOSITORY, blocks
from typer.testing import CliRunner

import trifeature
from trifeature.cli import data
from trifeature.cli.common import protect_bare_option
from trifeature.data.attributes import ATTRIBUTES, VALUES
from trifeature.data.dataset import DatasetSettings
from trifeature.data.rule import PairRule
from trifeature.data.settings import CaptionSettings, RenderSettings

PAGES = sorted(GUIDE.glob("*.md"))
NAMES = [page.stem for page in PAGES]
REFERENCE = sorted((GUIDE / "api").glob("*.md"))
EXAMPLES = [page for page in (*PAGES, *REFERENCE) if blocks(page, "pycon")]


# --------------------------------------------------------------------------- code


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the command at the top of the page on data was given."""
    folder = tmp_path_factory.mktemp("guide")
    command = blocks(GUIDE / "data.md", "console")[0]
    typed = shlex.split(command.replace("\\\n", " ").removeprefix("$ "))
    words = protect_bare_option(typed[1:], "--synergy-map", data.BARE)
    words[words.index("SMALL")] = str(folder / "SMALL")
    result = CliRunner().invoke(data.app, words)
    assert result.exit_code == 0, result.output
    (folder / "figures").symlink_to(REPOSITORY / "figures")  # recorded rows, as in a checkout
    return folder


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_the_examples_of_a_page_print_what_it_says(
    page: Path, small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = "\n".join(blocks(page, "pycon"))
    if "pandas" in examples:
        pytest.importorskip("pandas")
    monkeypatch.chdir(small)
    test = doctest.DocTestParser().get_doctest(examples, {}, page.name, str(page), 0)
    failed = doctest.DocTestRunner(verbose=False).run(test).failed
    assert not failed, capsys.readouterr().out


@pytest.mark.slow  # It needs Hugging Face's library, which nothing else does.
def test_the_folder_is_an_image_folder_of_hugging_face(
    small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    pytest.importorskip("datasets", reason="Hugging Face's library is not installed")
    monkeypatch.chdir(small)
    names: dict[str, Any] = {}
    exec(blocks(GUIDE / "data.md", "python")[0], names)  # noqa: S102 - our own page
    assert {"image", *ATTRIBUTES} <= set(names["images"]["train"].features)


@pytest.mark.parametrize("page", REFERENCE, ids=lambda page: page.stem)
def test_a_page_of_the_api_opens_with_one_short_example(page: Path) -> None:
    opening = page.read_text(encoding="utf-8").partition("{eval-rst}")[0]
    (example,) = blocks(page, "pycon")
    assert example in opening
    assert 5 <= len(example.splitlines()) <= 13


# --------------------------------------------------------------------------- tables


def test_the_table_of_attributes_is_the_vocabulary() -> None:
    text = (GUIDE / "data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d) \| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)
    expected = [(str(i), *(VALUES[name][i] for name in ATTRIBUTES)) for i in range(10)]
    assert rows == expected


def test_every_key_of_the_manifest_is_explained(small: Path) -> None:
    text = (GUIDE / "data.md").read_text(encoding="utf-8").partition("### Every key")[2]
    explained = set(re.findall(r"`([a-z_0-9.]+)`", text))
    manifest = json.loads((small / "SMALL" / "dataset.json").read_text(encoding="utf-8"))
    groups = {"rule": PairRule, "render": RenderSettings, "caption": CaptionSettings}
    own = {f.name for f in fields(DatasetSettings)} - groups.keys()
    nested = {f"{name}.{f.name}" for name, kind in groups.items() for f in fields(kind)}
    parts = [
        manifest,
        manifest["summary"]["train"],
        manifest["truth"],
        manifest["truth"]["rows"][0],
        next(iter(manifest["files"].values())),
    ]
    assert own | nested == set(manifest["settings"]) - groups.keys() | {
        f"{part}.{key}" for part in groups for key in manifest["settings"][part]
    }
    assert own | nested | {key for part in parts for key in part} <= explained


def test_the_extras_are_those_of_the_package() -> None:
    text = (GUIDE / "installation.md").read_text(encoding="utf-8").partition("<!-- extras -->")[2]
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", text, re.MULTILINE)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {
        name: {re.split(r"[<>=]", package)[0] for package in packages}
        for name, packages in project["optional-dependencies"].items()
    }
    assert {name: set(packages.split(", ")) for name, packages in rows} == extras


def test_the_citation_names_the_version_and_the_four_works() -> None:
    citation = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    page = re.sub(r"\s+", " ", (GUIDE / "cite.md").read_text(encoding="utf-8"))
    assert f"\nversion: {trifeature.__version__}\n" in citation
    assert f"version = {{{trifeature.__version__}}}" in page
    titles = re.findall(r'^ *title: "?([^"\n]+)', citation, re.MULTILINE)
    assert len(titles) == 4
    assert all(f"title = {{{title}}}" in page for title in titles)


def test_there_are_at_least_ten_questions() -> None:
    text = (GUIDE / "questions.md").read_text(encoding="utf-8")
    answers = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    assert len(answers) >= 10
    assert all(len(answer.split()) > 25 for answer in answers)


def test_the_pages_are_linked_from_the_front_page_and_the_readme() -> None:
    front = (DOCS / "index.md").read_text(encoding="utf-8")
    assert all(f"guide/{name}" in front for name in NAMES)
    assert "docs/index.md" in (REPOSITORY / "README.md").read_text(encoding="utf-8")


# --------------------------------------------------------------------------- modules


def test_every_module_has_a_place_on_a_page_of_the_api_and_no_other_is_named() -> None:
    package = REPOSITORY / "trifeature"
    modules = {
        ".".join(file.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        for file in package.rglob("*.py")
        if file.name != "__main__.py"
    }
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (GUIDE / "api").glob("*.md"))
    documented = re.findall(r"^\.\. automodule:: (\S+)$", pages, flags=re.MULTILINE)
    assert sorted(documented) == sorted(modules)
