"""Tensor files with JSON metadata and a digest by which changed bits are detected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from trifeature.errors import InputError
from trifeature.files import write_atomically


def write_tensors(path: Path, tensors: Mapping[str, Tensor], note: Mapping[str, Any]) -> None:
    """Write tensors as safetensors with a JSON object in the header, atomically.

    The header also has a digest of all names, types, shapes and values, by which `read_tensors`
    detects a single changed bit.

    Args:
        path: File to write.
        tensors: Tensors by name.
        note: Small JSON object to write with them.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {"note": json.dumps(note), "sha256": _digest(plain, note)}
    write_atomically(path, save(plain, metadata=metadata))


def _digest(tensors: Mapping[str, Tensor], note: Mapping[str, Any]) -> str:
    """SHA-256 of the names, types, shapes and values of tensors, and of the note."""
    digest = hashlib.sha256(json.dumps(note, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote: the tensors, on the CPU, and the note.

    Raises:
        InputError: the file is missing or damaged; the message names it.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
            note = json.loads(metadata["note"])
            if not isinstance(note, dict):
                raise ValueError("its note is not a JSON object")
            expected = metadata.get("sha256")
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except (SafetensorError, KeyError, ValueError, RecursionError, OverflowError) as problem:
        raise InputError(f"{path} is damaged: {problem}") from None
    if expected is not None and expected != _digest(tensors, note):
        raise InputError(
            f"{path} is damaged: its content does not match its digest; "
            "without this file `comm-probe train` trains again what it lacks"
        )
    return tensors, note
