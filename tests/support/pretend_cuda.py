"""A fake GPU: torch computes on the CPU and tracks every tensor that would be on the GPU. Calls
that a GPU rejects are rejected (tensors of two devices in one call, NumPy of its memory). Waits
are listed, and so are reads by one stream of data that another has not written yet. For machines
without a GPU; it does not test CUDA's own arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

GPU, HOST = torch.device("cuda", 0), torch.device("cpu")
MEMORY = 6e9  # bytes
READS = {
    "item", "tolist", "nonzero", "argwhere", "equal", "allclose", "masked_select", "unique",
    "__bool__", "__int__", "__float__", "__index__", "__contains__",
}  # fmt: skip
FREE = {"__set__", "_has_compatible_shallow_copy_type"}  # how a module moves its parameters
INDEXING = {"__getitem__", "__setitem__", "index_put_", "index_put"}
Clock = dict[int, int]
"""Stream -> how much of its work is done, as far as somebody knows."""


class Stream:
    """On the device as torch.cuda.Stream; its number is its identity."""

    def __init__(self, device: object = None, mode: PretendCuda | None = None) -> None:
        mode = mode or PretendCuda.present
        assert mode is not None
        self.device, self.clock, self._mode = GPU, Clock(), mode
        self._mode.streams.append(self)
        self.number = len(self._mode.streams)

    def wait_stream(self, other: Stream) -> None:
        merge(self.clock, other.clock)

    def synchronize(self) -> None:
        self._mode.wait("a stream", self)


class Event:
    def record(self, stream: Stream) -> None:
        self._clock = dict(stream.clock)

    def synchronize(self) -> None:
        assert PretendCuda.present is not None
        merge(PretendCuda.present.host, self._clock)


def merge(into: Clock, other: Clock) -> None:
    for stream, time in other.items():
        into[stream] = max(into.get(stream, 0), time)


class PretendCuda(TorchFunctionMode):
    """waits: what would have made the processor wait for the device, in order."""

    present: PretendCuda | None = None

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        self.streams: list[Stream] = []
        self.host = Clock()
        self._kept: list[object] = []  # so that no address comes twice
        self._there: set[int] = set()
        self._pinned: set[int] = set()
        self._written: dict[int, tuple[int, int]] = {}
        self.stream = Stream(mode=self)

    def __enter__(self) -> PretendCuda:
        PretendCuda.present = self
        super().__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        PretendCuda.present = None
        super().__exit__(*error)

    def is_there(self, tensor: Tensor) -> bool:
        return _storage(tensor) in self._there

    def wait(self, what: str, stream: Stream | None = None) -> None:
        self.waits.append(what)
        merge(self.host, (stream or self.stream).clock)

    def read(self, *tensors: Tensor) -> None:
        """Work on the present stream that reads them."""
        stream = self.stream
        merge(stream.clock, self.host)
        stream.clock[stream.number] = stream.clock.get(stream.number, 0) + 1
        for tensor in tensors:
            writer, time = self._written.get(_storage(tensor), (stream.number, 0))
            if stream.clock.get(writer, 0) < time:
                raise RuntimeError("a stream reads what another one has perhaps not written yet")

    def wrote(self, *tensors: Tensor) -> None:
        for tensor in tensors:
            self._written[_storage(tensor)] = (
                self.stream.number,
                self.stream.clock[self.stream.number],
            )

    def place(self, tensor: Tensor, there: bool, pinned: bool = False) -> Tensor:
        self._kept.append(tensor.untyped_storage())
        for wanted, known in ((there, self._there), (pinned, self._pinned)):
            (known.add if wanted else known.discard)(_storage(tensor))
        return tensor

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        options, name = dict(kwargs or {}), func.__name__
        owner = getattr(func, "__self__", None)
        if name == "__get__" and owner in (Tensor.device, Tensor.is_cuda):
            there = self.is_there(args[0])
            return there if owner is Tensor.is_cuda else GPU if there else HOST
        if name in FREE:
            return func(*args, **options)
        if name in ("to", "cpu", "cuda", "type_as"):
            return self._moved(func, name, args, options)
        if name in ("copy_", "pin_memory", "numpy", "__array__"):
            return self._special(name, args, options)
        tensors = [leaf for leaf in tree_leaves((args, options)) if isinstance(leaf, Tensor)]
        there = [tensor for tensor in tensors if self.is_there(tensor)]
        device, pinned = options.pop("device", None), bool(options.pop("pin_memory", False))
        if device is not None:
            options["device"] = "cpu"
        if name not in INDEXING:
            if there and any(t.dim() and not self.is_there(t) for t in tensors):
                raise RuntimeError(f"{name}: tensors on both cuda:0 and cpu")
        elif there and not self.is_there(tensors[0]):
            raise RuntimeError(f"{name}: indices on cuda:0, values on cpu")
        elif any(
            t.dtype == torch.bool or not self.is_there(t) for t in tensors[1:] if there and t.dim()
        ):
            self.wait(name)
        if there:
            self.read(*there)
            if name in READS:
                self.wait(name)
        result = func(*args, **options)
        on_gpu = bool(there) if device is None else torch.device(device).type == "cuda"
        if device is not None and on_gpu and name in ("tensor", "as_tensor"):
            self.wait(name)  # from memory that is not page-locked
        known = {_storage(tensor) for tensor in tensors}
        in_place = name.rstrip("_") + "_" == name or name == "__setitem__" or "out" in options
        changed = tensors[:1] if name == "__setitem__" else []
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                if _storage(leaf) not in known:
                    changed.append(self.place(leaf, on_gpu, pinned))
                elif in_place:
                    changed.append(leaf)
        if on_gpu:
            self.read()
            self.wrote(*changed)
        return result

    def _moved(self, func: Any, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        source, rest = args[0], []
        target = {"cpu": HOST, "cuda": GPU}.get(name, GPU if self.is_there(source) else HOST)
        dtype = options.get("dtype")
        for value in (*args[1:], options.get("device")):
            if isinstance(value, Tensor):
                target, dtype = GPU if self.is_there(value) else HOST, value.dtype
            elif isinstance(value, str | torch.device):
                target = torch.device(value)
            elif isinstance(value, torch.dtype):
                dtype = value
            else:
                rest.append(value)
        there, before = target.type == "cuda", self.is_there(source)
        if there == before and dtype in (None, source.dtype):
            return source
        result = source.to(dtype=dtype or source.dtype, copy=True)
        self._copied(source, self.place(result, there), bool(options.get("non_blocking")))
        return result

    def _copied(self, source: Tensor, target: Tensor, queued: bool) -> None:
        there = [tensor for tensor in (source, target) if self.is_there(tensor)]
        if not there:
            return
        self.read(*(tensor for tensor in there if tensor is source))
        self.wrote(target)
        if len(there) == 1:
            other = source if there[0] is target else target
            if not queued or _storage(other) not in self._pinned:
                self.wait("a copy")

    def _special(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        tensor = args[0]
        if name == "copy_":
            tensor.copy_(args[1])
            self._copied(args[1], tensor, bool(options.get("non_blocking")))
            return tensor
        if name == "pin_memory":
            return self.place(tensor.clone(), there=False, pinned=True)
        if self.is_there(tensor):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")
        writer, time = self._written.get(_storage(tensor), (0, 0))
        if self.host.get(writer, 0) < time:
            raise RuntimeError("the processor reads what the device has perhaps not written yet")
        return tensor.numpy() if name == "numpy" else tensor.__array__(*args[1:])


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def pretend(monkeypatch: Any) -> PretendCuda:
    """To be entered with `with`."""
    mode = PretendCuda()

    @contextmanager
    def stream(wanted: Stream | None) -> Iterator[None]:
        before = mode.stream
        mode.stream = wanted or before
        yield
        mode.stream = before

    stand_ins = {
        "Stream": Stream,
        "Event": Event,
        "stream": stream,
        "current_stream": lambda *_: mode.stream,
        "set_stream": lambda wanted: setattr(mode, "stream", wanted),
        "current_device": lambda: 0,
        "synchronize": lambda *_: [mode.wait("the device", each) for each in mode.streams],
        "get_device_properties": lambda _: SimpleNamespace(total_memory=MEMORY),
    }
    for name, value in stand_ins.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(Tensor, "record_stream", lambda tensor, _: mode.is_there(tensor))
    return mode
