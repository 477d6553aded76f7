"""A CUDA graph for machines without a GPU: it records operations and carries them out again.

As a real one it knows tensors by where they lie and numbers by their value, leaves memory and
generators as they were when it has recorded, refuses what the host would have to wait for, and
draws from registered generators alone. `Recorded.read` tells which memory from outside it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final, Self

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as trees
from torch.utils._python_dispatch import TorchDispatchMode

WAITS: Final = {
    "_local_scalar_dense": "a value is read",
    "nonzero": "places of true values are counted",
    "masked_select": "places of true values are counted",
    "_unique2": "distinct values are counted",
    "unique_dim": "distinct values are counted",
    "unique_consecutive": "distinct values are counted",
    "bincount": "the largest value is read",
    "equal": "a value is read",
    "_linalg_eigh": "success is read",
    "_linalg_svd": "success is read",
    "_linalg_check_errors": "success is read",
}
"""Operations for which the host waits, whatever they are given on the device."""


def name_of(operation: Any) -> str:
    """The name of an operation without library and overload: "add" of `aten.add.Tensor`."""
    name: str = operation._schema.name
    return name.partition("::")[2]


Layout = tuple[tuple[int, ...], tuple[int, ...], int]
"""Sizes and strides of a tensor, and where in its memory it begins."""


def tensors_in(tree: Any) -> list[Tensor]:
    return [x for x in trees.tree_leaves(tree) if isinstance(x, Tensor)]


def place_of(tensor: Tensor) -> int:
    """Where a tensor's memory begins."""
    return tensor.untyped_storage().data_ptr()


def layout_of(tensor: Tensor) -> Layout:
    return tensor.shape, tensor.stride(), int(tensor.storage_offset())


class Recorded:
    """What `torch.cuda.CUDAGraph` is, as far as a step needs it."""

    latest: list[Recorded] = []  # noqa: RUF012 - emptied by each test

    def __init__(self) -> None:
        self.generators: list[torch.Generator] = []
        self.calls: list[tuple[Any, Any, Any, list[tuple[Tensor, Layout]]]] = []
        self.read: dict[int, Tensor] = {}
        self.replays = 0
        self.latest.append(self)

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    def replay(self) -> None:
        self.replays += 1
        # Without autocast: what was to be rounded was recorded so.
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            for function, args, kwargs, made in self.calls:
                results = tensors_in(function(*args, **kwargs))
                for (old, layout), new in zip(made, results, strict=True):
                    old.as_strided_(*layout)  # it has been another since squeeze_ and the like
                    if place_of(old) != place_of(new):
                        old.copy_(new)


class Recorder(TorchDispatchMode):
    """Writes all operations of a block into a `Recorded`; at its end nothing has happened."""

    def __init__(self, graph: Recorded) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch types it not
        self.graph = graph
        self.made: set[int] = set()
        self.before: list[tuple[Tensor, Tensor]] = []

    def __enter__(self) -> Self:
        self.states = [generator.get_state() for generator in self.graph.generators]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *problem: object) -> None:
        super().__exit__(*problem)  # type: ignore[no-untyped-call]
        for generator, state in zip(self.graph.generators, self.states, strict=True):
            generator.set_state(state)
        with torch.no_grad():
            for tensor, old in self.before:
                tensor.copy_(old)

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        named = kwargs or {}
        if (name := name_of(function)) in WAITS or name == "lift_fresh":  # numbers of the host
            raise RuntimeError(f"operation not permitted when stream is capturing: {function}")
        if (generator := named.get("generator")) is not None:
            # The object is another at each call, what it stands for is not.
            known = {one._cdata for one in self.graph.generators}  # type: ignore[attr-defined]
            assert generator._cdata in known
        for tensor in tensors_in((args, named)):
            self._look_at(tensor)
        result = function(*args, **named)
        made = tensors_in(result)
        self.made |= {place_of(tensor) for tensor in made}
        self.graph.calls.append((function, args, named, [(x, layout_of(x)) for x in made]))
        return result

    def _look_at(self, tensor: Tensor) -> None:
        """Remember memory from outside, whole, as it is before the first operation on it."""
        place = place_of(tensor)
        if tensor.numel() and place not in self.made and place not in self.graph.read:
            whole = tensor.detach().new_empty(0).set_(tensor.detach().untyped_storage())
            self.graph.read[place] = whole
            self.before.append((whole, whole.clone()))


class Stream:
    """A stream of which nothing is asked but to wait."""

    def wait_stream(self, _: Stream) -> None: ...


@pytest.fixture
def recorded_graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Recorded]]:
    """CUDA graphs are recorded ones; those made in a test, in order."""

    @contextmanager
    def capture(graph: Recorded, stream: Stream) -> Iterator[None]:
        assert isinstance(stream, Stream)
        with Recorder(graph):
            yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recorded)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: Stream())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Stream())
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    Recorded.latest.clear()
    yield Recorded.latest
    Recorded.latest.clear()
