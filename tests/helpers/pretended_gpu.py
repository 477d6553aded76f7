"""A GPU for machines without one: values are computed on the CPU, devices are kept track of.

Inside `pretended_gpu()` a program that is given the device `cuda` runs as it would on a GPU. What a
GPU refuses raises the same kind of error here: an operation on tensors of host and device, an array
made of a tensor on the device, a generator of the other device. Where the host would wait for the
device, or copy to it, the line of the package that asked for it is noted.

Every tensor lies on the CPU. Which device it is said to be on is a property of its memory, so a
view is where its base is. Two layers see every call:

- the *functions* of Python, where devices are named (`x.to("cuda")`, `torch.zeros(3, device=...)`)
  and asked for (`x.device`);
- the *operations* below them, those of the backward pass too, where results are made of tensors.

Memory made by an operation of no tensor, amid a function, is undecided: it belongs where it is
first used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Literal

import pytest
import torch
from recorded_graph import WAITS, name_of, tensors_in
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import trifeature
from trifeature.extra import fused_views

Place = Literal["device", "host", "undecided"]
PARSE: Final = torch._C._nn._parse_to
DEVICE: Final = torch.device("cuda", 0)
PACKAGE: Final = Path(trifeature.__file__).parent

MADE_OF_NUMBERS: Final = ("tensor", "as_tensor", "asarray", "new_tensor")
"""Functions that make a tensor on the host, and copy it to the device that they are given."""

REFUSES_SCALARS: Final = {"cat", "stack", "mm", "bmm", "addmm", "gather", "index_select", "scatter"}
"""Operations that take not even single numbers of the host beside tensors of the device."""


@dataclass(frozen=True)
class Wait:
    """The host waits until the device is done.

    Attributes:
        where: File and line of the package, or of the test, that asked for it.
        why: What it waits for; "upload" for a copy to the device, which waits too.
    """

    where: str
    why: str


@dataclass
class PretendedGpu:
    """What has happened on the device.

    Attributes:
        waits: In order.
        operations: How many operations the device was given.
    """

    waits: list[Wait] = field(default_factory=list)
    operations: int = 0
    _places: dict[int, tuple[StorageWeakRef, Place]] = field(default_factory=dict)
    _limit: int = 10_000

    @contextmanager
    def watch(self) -> Iterator[list[Wait]]:
        """The waits inside the block."""
        first, inside = len(self.waits), []  # type: ignore[var-annotated]
        yield inside
        inside += self.waits[first:]

    def place(self, tensor: Tensor) -> Place | None:
        """Where a tensor is said to be; None for memory that no operation has made."""
        found = self._places.get(tensor.untyped_storage()._cdata)
        return None if found is None else found[1]

    def on_device(self, tensor: Tensor) -> bool:
        return self.place(tensor) == "device"

    def put(self, tensor: Tensor, place: Place) -> None:
        """Say where a tensor's memory is."""
        # While a weak reference is kept, no other memory has its number.
        reference = StorageWeakRef(tensor.untyped_storage())
        self._places[reference.cdata] = (reference, place)
        if len(self._places) > self._limit:
            kept = {k: x for k, x in self._places.items() if not x[0].expired()}
            self._places, self._limit = kept, max(10_000, 2 * len(kept))

    def wait(self, why: str) -> None:
        self.waits.append(Wait(_asked_by(), why))


def _asked_by() -> str:
    """File and line of the innermost call of the package, else of a test."""
    frame, other = sys._getframe(1), ""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            return f"{path.relative_to(PACKAGE.parent)}:{frame.f_lineno}"
        if not other and path.name.startswith("test_"):
            other = f"{path.name}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return other or "unknown"


def _real(tree: Any) -> list[Tensor]:
    """The tensors that have values, that is all but those of the device `meta`."""
    return [x for x in tensors_in(tree) if not x.is_meta]


# --------------------------------------------------------------------------- operations


class _Operations(TorchDispatchMode):
    """Refuses operations on tensors of both devices, and says where results are."""

    def __init__(self, gpu: PretendedGpu) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch types it not
        self.gpu = gpu

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        named, gpu = kwargs or {}, self.gpu
        name = name_of(function)
        given = _real((args, named))
        places = [gpu.place(x) or "host" for x in given]
        device = "device" in places
        if device:
            gpu.operations += 1
            self._meet(name, args, given)
        result = function(*args, **named)
        place: Place = "device" if device else "host" if "host" in places else "undecided"
        if place == "device":
            for x, before in zip(given, places, strict=True):
                if before == "undecided":
                    gpu.put(x, place)
        for x in _real(result):
            if gpu.place(x) is None or (gpu.place(x) == "undecided" and place != "undecided"):
                gpu.put(x, place)
        return result

    def _meet(self, name: str, args: Any, given: list[Tensor]) -> None:
        """Note waits of an operation with a tensor of the device, and refuse those of the host."""
        gpu = self.gpu
        if name in WAITS:
            gpu.wait(WAITS[name])
        elif name == "repeat_interleave":
            gpu.wait("a size is read")
        elif name in ("copy_", "_foreach_copy_"):
            targets, sources = (_real(x) for x in args[:2])
            for target, source in zip(targets, sources, strict=True):
                found = [gpu.place(x) or "host" for x in (target, source)]
                if sorted(found) == ["device", "host"]:
                    gpu.wait("upload" if found[0] == "device" else "download")
            return
        elif name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            indices = [x for x in args[1] if x is not None]
            self._meet_indices(args, indices)
            given = [x for x in given if not any(x is one for one in indices)]
        strict = name in REFUSES_SCALARS
        for x in given:
            if gpu.place(x) in (None, "host") and (x.ndim or strict):
                raise RuntimeError(
                    "Expected all tensors to be on the same device, but found at least two "
                    f"devices, cuda:0 and cpu! ({name} of a tensor {list(x.shape)} of the host)"
                )

    def _meet_indices(self, args: Any, indices: list[Tensor]) -> None:
        """Indices of the host are copied; those true or false are counted, but to set one value."""
        value = args[2] if len(args) > 2 else None
        one_value = value is not None and value.numel() == 1 and not self.gpu.on_device(value)
        if one_value and len(indices) == 1 and indices[0].dtype == torch.bool:
            return
        for index in indices:
            if self.gpu.place(index) in (None, "host"):
                self.gpu.wait("upload")
            elif index.dtype in (torch.bool, torch.uint8):
                self.gpu.wait("places of true values are counted")


# --------------------------------------------------------------------------- functions


class _Move(torch.autograd.Function):
    """A copy on the other device; its gradient comes back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gpu: PretendedGpu, to: Place) -> Tensor:
        ctx.gpu, ctx.back = gpu, "host" if to == "device" else "device"
        return _copied(x, gpu, to)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Any:
        return _copied(slopes[0], ctx.gpu, ctx.back), None, None


def _copied(x: Tensor, gpu: PretendedGpu, to: Place) -> Tensor:
    gpu.wait("upload" if to == "device" else "download")
    copy = x.clone()
    gpu.put(copy, to)
    return copy


def _is_gpu(device: Any) -> bool:
    return device is not None and torch.device(device).type == "cuda"


class _Functions(TorchFunctionMode):
    """Reads and writes the names of devices, and follows copies between them."""

    def __init__(self, gpu: PretendedGpu) -> None:
        super().__init__()
        self.gpu = gpu
        self.getters: dict[Any, Callable[[bool, Tensor], Any]] = {
            torch.Tensor.device.__get__: lambda there, x: DEVICE if there else x.device,
            torch.Tensor.is_cuda.__get__: lambda there, _: there,  # type: ignore[attr-defined]
            torch.Tensor.is_cpu.__get__: lambda there, x: not there and x.is_cpu,  # type: ignore[attr-defined]
            torch.Tensor.get_device: lambda there, x: 0 if there else x.get_device(),
        }

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        gpu, named = self.gpu, dict(kwargs or {})
        name = getattr(function, "__name__", "")
        if isinstance(function, torch._ops.OpOverload) or function in (torch.device, PARSE):
            return function(*args, **named)  # an operation; or devices are named and nothing moves
        if name in ("__get__", "get_device") and (getter := self.getters.get(function)):
            return getter(gpu.on_device(args[0]), args[0])
        there = any(gpu.on_device(x) for x in _real((args, named)))
        if there and name in ("numpy", "__array__", "__dlpack__"):
            raise TypeError("can't convert cuda:0 device type tensor to numpy: use Tensor.cpu()")
        if there and name == "tolist":
            gpu.wait("values are read")
        wanted, args = self._wanted(name, args, named)
        if name == "new_tensor" and wanted is None and there:
            wanted = "device"
        self._check_generator(named.get("generator"), wanted or ("device" if there else "host"))
        if name in ("cuda", "cpu"):
            function, args, named = torch.Tensor.to, (*args[:1], "cpu"), {}
        result = function(*args, **named)
        if wanted is not None and isinstance(result, Tensor) and not result.is_meta:
            return self._moved(result, wanted, made=name in MADE_OF_NUMBERS)
        for x in _real(result):
            if gpu.place(x) in (None, "undecided"):
                gpu.put(x, "device" if there else "host")
        return result

    def _wanted(self, name: str, args: Any, named: dict[str, Any]) -> tuple[Place | None, Any]:
        """The device that a call names, and its arguments with the CPU in place of a GPU."""
        if name in ("cuda", "cpu"):
            return ("device" if name == "cuda" else "host"), args
        found, given = None, []
        for number, x in enumerate(args):
            if name == "to" and number == 1 and isinstance(x, Tensor):
                found = torch.device("cuda" if self.gpu.on_device(x) else "cpu")
                given += [found, x.dtype]
            elif isinstance(x, torch.device) or (name == "to" and isinstance(x, str)):
                found = torch.device(x)
                given.append(found)
            else:
                given.append(x)
        if (keyword := named.get("device")) is not None:
            found = torch.device(keyword)
            named["device"] = torch.device("cpu") if found.type == "cuda" else found
        given = [
            torch.device("cpu") if isinstance(x, torch.device) and _is_gpu(x) else x for x in given
        ]
        if found is None or found.type not in ("cuda", "cpu"):
            return None, tuple(given)
        return ("device" if found.type == "cuda" else "host"), tuple(given)

    def _moved(self, result: Tensor, wanted: Place, *, made: bool) -> Tensor:
        """A result where it was wanted, a copy if it is elsewhere.

        Args:
            result: Of the function.
            wanted: Where it is to be.
            made: It was made of numbers, on the host, by an operation of no tensor.
        """
        place = self.gpu.place(result)
        if place == wanted:
            return result
        if place != "undecided" or (made and wanted == "device"):
            moved: Tensor = _Move.apply(result, self.gpu, wanted)
            return moved
        self.gpu.put(result, wanted)
        return result

    @staticmethod
    def _check_generator(generator: Any, place: Place) -> None:
        if generator is not None and (generator.device.type == "cuda") != (place == "device"):
            raise RuntimeError(
                f"Expected a '{'cuda' if place == 'device' else 'cpu'}' device type for generator "
                f"but found '{generator.device.type}'"
            )


# --------------------------------------------------------------------------- the rest of torch


class _Generator(torch.Generator):
    """A generator that says that it is on the device; its numbers are those of the CPU's."""

    there: bool

    def __new__(cls, device: Any = "cpu") -> _Generator:
        made = super().__new__(cls)
        made.there = _is_gpu(device)
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return DEVICE if self.there else torch.device("cpu")

    def manual_seed(self, seed: int) -> _Generator:
        super().manual_seed(seed)
        return self


class _Autocast(torch.autocast):
    """Autocast of the CPU for both."""

    def __init__(self, device_type: str, *args: Any, **named: Any) -> None:
        super().__init__("cpu" if device_type == "cuda" else device_type, *args, **named)


def _grouped(true: Callable[..., Any]) -> Callable[..., Any]:
    """Optimizers group by device below Python: tensors of the device are told to be there."""

    def group(lists: Any, *args: Any, **named: Any) -> Any:
        found = true(lists, *args, **named)
        there = any(x is not None and x.is_cuda for one in lists for x in one)
        return {(DEVICE if there else device, kind): x for (device, kind), x in found.items()}

    return group


@contextmanager
def pretended_gpu() -> Iterator[PretendedGpu]:
    """Inside the block there is one GPU; the block is given what happens on it."""
    gpu = PretendedGpu()
    cuda: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_name": lambda _=None: "pretended GPU",
        "get_device_capability": lambda _=None: (9, 0),
        "get_device_properties": lambda _=None: SimpleNamespace(
            name="pretended GPU", total_memory=2**37, multi_processor_count=132
        ),
        "mem_get_info": lambda _=None: (2**37, 2**37),
        "memory_allocated": lambda _=None: 0,
        "max_memory_allocated": lambda _=None: 2**20,
        "reset_peak_memory_stats": lambda _=None: None,
        "is_current_stream_capturing": lambda: False,
        "empty_cache": lambda: None,
        "synchronize": lambda _=None: gpu.wait("all is done"),
        "get_rng_state": lambda _=None: torch.zeros(16, dtype=torch.uint8),
        "set_rng_state": lambda *_: None,
        "manual_seed_all": lambda _: None,
    }
    grouping = torch._C._group_tensors_by_device_and_dtype
    with pytest.MonkeyPatch.context() as patch:
        for name, function in cuda.items():
            patch.setattr(torch.cuda, name, function)
        stream = SimpleNamespace(is_capturing=lambda: False)
        patch.setattr(torch.accelerator, "current_stream", lambda _=None: stream)
        patch.setattr(torch, "Generator", _Generator)
        patch.setattr(torch, "autocast", _Autocast)
        patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", _grouped(grouping))
        with _Operations(gpu), _Functions(gpu):
            yield gpu


@contextmanager
def eager_compiler() -> Iterator[None]:
    """What would be compiled runs as it is: the modes here see what a compiler would not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", lambda function=None, **_: function)
        patch.setattr(torch.compiler, "set_stance", lambda _: nullcontext())
        fused_views._compiled.cache_clear()  # what another test has compiled
        yield
        fused_views._compiled.cache_clear()


@pytest.fixture
def gpu() -> Iterator[PretendedGpu]:
    """A pretended GPU for a test."""
    with pretended_gpu() as found:
        yield found
