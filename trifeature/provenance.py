"""Provenance of measured numbers: device, versions, commit."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trifeature

if TYPE_CHECKING:
    import torch


def provenance(device: torch.device) -> dict[str, Any]:
    """The entries of a row that describe the origin of its numbers: device, versions, commit."""
    return {
        "device": device_name(device),
        "versions": {
            "trifeature": trifeature.__version__,
            "torch": version("torch"),
            "python": platform.python_version(),
        },
        "commit": commit(),
    }


def device_name(device: torch.device) -> str:
    """Name of a device: the GPU's name, or the processor and the number of threads."""
    import torch  # noqa: PLC0415 - what asks for the commit alone answers at once

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {torch.get_num_threads()} threads"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def commit() -> str | None:
    """The commit of the package's git checkout, followed by `+` if files of the package differ.

    Outside a checkout, the value of the environment variable TRIFEATURE_COMMIT, or None.
    """
    git = shutil.which("git")
    root = Path(__file__).parents[1]
    if git is None or not (root / ".git").exists():
        return os.environ.get("TRIFEATURE_COMMIT")

    def ask(*words: str) -> str:
        command = [git, "--no-optional-locks", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603

    changed = ask("status", "--porcelain", "--", "trifeature")
    head = ask("rev-parse", "--short=12", "HEAD")
    return head + ("+" if changed else "") if head else None
