"""Where a number was measured: device, versions, commit."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import trifeature


def provenance(device: torch.device) -> dict[str, Any]:
    """What every row says of where its numbers come from."""
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
    """What a device is called: the GPU's name, or the processor and its threads."""
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
    """The commit of the package's checkout, with `+` if files differ from it.

    Elsewhere, in a copy of it say, what TRIFEATURE_COMMIT in the environment tells, or None.
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
