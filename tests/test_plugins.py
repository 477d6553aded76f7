"""Plugins: loaded once, from a file, a module or an installed package; a broken one is one line."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from trifeature import plugins
from trifeature.cli import trifeature_main
from trifeature.cli.program import split_plugins
from trifeature.comm.encoders import register_encoder
from trifeature.comm.methods import METHODS, register_method
from trifeature.comm.methods.comm import CoMM
from trifeature.comm.options import Options
from trifeature.errors import InputError
from trifeature.pid import register_measure
from trifeature.plugins import load_entry_points, load_plugin, load_plugins, loaded_plugins
from trifeature.probes.classifiers import register_classifier


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules and paths are as before when a test ends."""
    monkeypatch.setattr(plugins, "_loaded", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("plugin_"):
            del sys.modules[name]


def test_a_file_is_imported_once_and_found_by_worker_processes(tmp_path: Path) -> None:
    file = tmp_path / "plugin_count.py"
    file.write_text("import plugin_neighbour\nplugin_neighbour.count += 1\n")
    (tmp_path / "plugin_neighbour.py").write_text("count = 0\n")
    sys.path.append(str(tmp_path))
    module = load_plugin(file)
    assert load_plugin(str(file)) is module
    assert module.plugin_neighbour.count == 1
    assert sys.modules["plugin_count"] is module
    assert str(tmp_path) in sys.path
    assert loaded_plugins() == (str(file),)
    load_plugins(loaded_plugins())
    assert module.plugin_neighbour.count == 1


def test_a_module_is_imported_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "plugin_named.py").write_text("")
    sys.path.append(str(tmp_path))
    assert load_plugin("plugin_named") is sys.modules["plugin_named"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("raise RuntimeError('one\\ntwo')", "RuntimeError: one two"),
        ("import plugin_that_is_missing", "ModuleNotFoundError: No module named"),
        ("def", "SyntaxError: "),
        ("\0", "source code string cannot contain null bytes"),
    ],
)
def test_a_broken_plugin_is_one_line_that_names_it(
    content: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "plugin_broken.py"
    file.write_text(content)
    with pytest.raises(InputError) as problem:
        load_plugin(file)
    assert str(problem.value).startswith(f"plugin {file}: ")
    assert words in str(problem.value)
    assert "\n" not in str(problem.value)
    assert "plugin_broken" not in sys.modules
    assert loaded_plugins() == ()


@pytest.mark.parametrize("place", ["no/such.py", "plugin_no_such", "folder.py"])
def test_a_plugin_that_is_not_there_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.py").mkdir()
    with pytest.raises(InputError, match=f"plugin {place}: "):
        load_plugin(place)


def test_a_file_that_is_not_python_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a,b")
    with pytest.raises(InputError, match=r"table.csv: it is not a Python file \(.py\)$"):
        load_plugin("table.csv")


def test_a_file_may_not_take_the_name_of_another_module(tmp_path: Path) -> None:
    file = tmp_path / "json.py"
    file.write_text("")
    with pytest.raises(InputError, match="a module called 'json' is loaded already"):
        load_plugin(file)


def test_installed_packages_name_their_plugins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugin_installed.py").write_text("")
    sys.path.append(str(tmp_path))
    points = [
        EntryPoint("b", "plugin_installed", plugins.GROUP),
        EntryPoint("a", "plugin_installed", plugins.GROUP),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    assert load_entry_points() == ["a", "b"]
    assert "plugin_installed" in sys.modules
    assert loaded_plugins() == ()  # a worker process finds them itself
    points.append(EntryPoint("c", "plugin_of_nobody", plugins.GROUP))
    with pytest.raises(InputError, match="plugin c: ModuleNotFoundError"):
        load_entry_points()
    assert not list(importlib.metadata.entry_points(group=plugins.GROUP))


@pytest.mark.parametrize(
    ("words", "rest", "places"),
    [
        (["--plugin", "a.py", "train"], ["train"], ["a.py"]),
        (
            ["train", "--plugin=a", "--seed", "1", "--plugin", "b"],
            ["train", "--seed", "1"],
            ["a", "b"],
        ),
        (["info", "--", "--plugin", "x"], ["info", "--", "--plugin", "x"], []),
    ],
)
def test_plugins_may_stand_before_or_after_the_command(
    words: list[str], rest: list[str], places: list[str]
) -> None:
    assert split_plugins(words) == (rest, places)


@pytest.mark.parametrize(
    "words", [["--plugin"], ["attributes", "--plugin", "no_such_x"], ["attributes", "--plugin="]]
)
def test_the_command_line_names_a_plugin_that_fails(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["trifeature", *words])
    with pytest.raises(SystemExit) as stop:
        trifeature_main()
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "plugin" in err


@pytest.mark.processes  # its options are made when the program is loaded: once a process
def test_options_of_a_plugins_method_are_options_of_train() -> None:
    masked = Path(__file__).parent / "extending" / "masked.py"
    code = "from trifeature.cli import comm_probe_main as main; main()"
    words = [sys.executable, "-c", code, "train", "--plugin", str(masked)]
    said = subprocess.run([*words, "--help"], capture_output=True, text=True, check=True)  # noqa: S603
    assert "--keep <float>" in said.stdout
    wrong = [*words, "--method", "masked", "--keep", "-1"]
    said = subprocess.run(wrong, capture_output=True, text=True, check=False)  # noqa: S603
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == "error: keep must be above 0, not -1\n"


def test_a_plugin_that_ends_the_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text("raise SystemExit(0)\n")
    with pytest.raises(InputError, match="SystemExit: 0"):
        load_plugin(tmp_path / "ends.py")


def test_what_is_no_part_is_refused_when_it_is_registered() -> None:
    @dataclass(frozen=True)
    class Clash(Options):
        epochs: int = 3

    wrong: list[tuple[str, Callable[[], None]]] = [
        ("must be a subclass of Method", lambda: register_method("x", int, Options)),  # type: ignore[arg-type]
        ("must be a subclass of Options", lambda: register_method("x", CoMM, dict)),  # type: ignore[arg-type]
        ("epochs is a setting of every run", lambda: register_method("x", CoMM, Clash)),
        ("encoder 'x' must be", lambda: register_encoder("x", 3, "vector")),  # type: ignore[arg-type]
        ("classifier 'x' must be", lambda: register_classifier("x", 3)),  # type: ignore[arg-type]
        ("measure 'x' must be", lambda: register_measure("x", 3)),  # type: ignore[arg-type]
    ]
    for words, register in wrong:
        with pytest.raises(InputError, match=words):
            register()
    assert "x" not in METHODS
