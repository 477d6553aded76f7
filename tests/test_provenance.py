"""Where a number comes from: device, versions, and a commit that admits to changed files."""

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import trifeature
from trifeature import provenance as module
from trifeature.provenance import commit, device_name, provenance

CPU = torch.device("cpu")
Git = Callable[..., str]


def test_everything_a_row_needs_is_there() -> None:
    origin = provenance(CPU)
    assert {"device", "versions", "commit"} <= origin.keys()
    assert origin["versions"]["trifeature"] == trifeature.__version__
    assert torch.__version__.startswith(origin["versions"]["torch"])
    assert origin["versions"]["python"] == platform.python_version()


def test_a_cpu_is_named_with_its_threads() -> None:
    name = device_name(CPU)
    assert name.endswith(f", {torch.get_num_threads()} threads")
    assert len(name.split(",")[0]) > 0


def test_a_gpu_is_named_as_its_driver_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert device_name(torch.device("cuda:1")) == "GPU 1"


# --------------------------------------------------------------------------- the commit


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks to the package like its checkout."""
    (tmp_path / "trifeature").mkdir()
    file = tmp_path / "trifeature" / "provenance.py"
    file.write_text("first\n")
    monkeypatch.setattr(module, "__file__", str(file))
    return tmp_path


@pytest.fixture
def git(checkout: Path) -> Git:
    """Git in that folder, which becomes a repository without a commit."""
    program = shutil.which("git")
    if program is None:
        pytest.skip("needs git")

    def run(*words: str) -> str:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        command = [program, "-C", str(checkout), *who, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
        return done.stdout.strip()

    run("init", "--quiet")
    return run


def test_a_clean_checkout_gives_its_commit_and_a_changed_one_a_plus(
    git: Git, checkout: Path
) -> None:
    git("add", "trifeature")
    git("commit", "--quiet", "--message", "first")
    head = git("rev-parse", "HEAD")[:12]
    assert commit() == head
    (checkout / "notes.txt").write_text("beside the package\n")
    assert commit() == head
    (checkout / "trifeature" / "provenance.py").write_text("second\n")
    assert commit() == f"{head}+"


@pytest.mark.usefixtures("git")
def test_a_repository_without_a_commit_gives_none() -> None:
    assert commit() is None


@pytest.mark.usefixtures("checkout")
def test_an_installed_package_has_no_commit() -> None:
    assert commit() is None


@pytest.mark.usefixtures("checkout")
def test_a_copy_without_a_repository_has_the_commit_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRIFEATURE_COMMIT", "0123456789ab")
    assert commit() == "0123456789ab"


@pytest.mark.usefixtures("git")
def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert commit() is None
