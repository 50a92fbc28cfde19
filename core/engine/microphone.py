"""The client's side of a live voice: a worker records and deforms on the client's request."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from ..errors import EgsError, EngineError, ProtocolError, WorkerError
from ..live.session import LOOKAHEAD, Report
from ..live.source import Device
from ..records.avatar import Avatar
from ..records.gaussians import Splats, activate
from ..records.moment import Moment
from ..worker.exchange import copy_out, moment_fields
from ..worker.protocol import Message, value
from .interface import Engine
from .process import WorkerProcess
from .worker import WorkerEngine


@dataclass(frozen=True, eq=False)
class LiveFrame:
    splats: Splats
    report: Report


class Microphone(Protocol):
    """Calls block; one thread at a time. Each may raise MissingPackageError (the worker's Python
    cannot record) and EngineError (no device, the device or the worker is lost)."""

    def devices(self) -> list[Device]:
        """The connected devices, the preferred one first; ends a live session."""
        ...

    def start(self, avatar: Avatar, device: str = "", lookahead: int = LOOKAHEAD) -> str:
        """Let the device of that label (Device.label, "" for the preferred one) drive the avatar;
        returns the label of the opened device. lookahead: see core/live/session.py."""
        ...

    def frame(self, avatar: Avatar, moment: Moment) -> LiveFrame:
        """The head at the newest moment of the sound; `moment.seconds` is ignored."""
        ...

    def stop(self) -> None:
        """Close the device. Never raises; may be called twice."""
        ...


def microphone_of(engine: Engine) -> Microphone:
    """EngineError if the engine has no worker: only a worker can record."""
    if isinstance(engine, WorkerEngine):
        return WorkerMicrophone(engine)
    reason = engine.status().reason
    raise EngineError(
        f"live sound needs the worker{f', but {reason}' if reason else ''}; set the worker up in "
        "the preferences, and Engine to Auto or Worker"
    )


class WorkerMicrophone:
    """If the worker dies, the live session ends: sound that was not recorded is lost anyway."""

    def __init__(self, engine: WorkerEngine) -> None:
        self._engine = engine
        self._process: WorkerProcess | None = None  # the one that records

    def devices(self) -> list[Device]:
        process, _ = self._engine.serving()
        entries = value(_ask(process, "live_devices"), "devices", list)
        return [_record(Device, entry) for entry in entries]

    def start(self, avatar: Avatar, device: str = "", lookahead: int = LOOKAHEAD) -> str:
        process, files = self._engine.serving()
        path, digest = files.avatar(avatar)
        _ask(process, "open", path=str(path), hash=digest)
        answer = _ask(process, "live_start", avatar=digest, device=device, lookahead=lookahead)
        self._process = process
        return value(answer, "device", str)

    def frame(self, avatar: Avatar, moment: Moment) -> LiveFrame:
        process, files = self._engine.serving()
        if process is not self._process:
            raise WorkerError("the worker is not recording; start live again")
        digest = files.avatar(avatar)[1]
        block = files.borrow(avatar.splats)
        try:
            fields = {"out": block.name, "moment": moment_fields(moment)}
            answer = _ask(process, "live_frame", avatar=digest, **fields)
            began = time.monotonic()
            splats = copy_out(block.data, block.count)
        finally:
            files.give_back(block)  # answered, or no longer alive
        copying = 1000 * (time.monotonic() - began)
        answer["latency_ms"] = value(answer, "latency_ms", float) + copying
        answer["compute_ms"] = value(answer, "compute_ms", float) + copying
        return LiveFrame(splats, _record(Report, answer))

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        try:
            _ask(process, "live_stop")
        except EgsError:
            return  # it is dead, and its device closed with it


@dataclass
class FakeMicrophone:
    """For tests of the user interface. found: its devices. fail_at: the frame, counted from 1, at
    which the device is lost; 0 never."""

    found: list[Device] = field(
        default_factory=lambda: [Device("Fake", "Tests", 1, 16000, default=True)]
    )
    fail_at: int = 0
    live: str = ""
    moments: list[Moment] = field(default_factory=list)

    def devices(self) -> list[Device]:
        return self.found

    def start(self, avatar: Avatar, device: str = "", lookahead: int = LOOKAHEAD) -> str:
        if not self.found:
            raise EngineError("no input device; connect a microphone and refresh the list")
        self.live = device or self.found[0].label
        return self.live

    def frame(self, avatar: Avatar, moment: Moment) -> LiveFrame:
        self.moments.append(moment)
        if len(self.moments) == self.fail_at:
            raise EngineError(f"input device {self.live!r} was lost: it stopped; connect it")
        report = Report(0.5, 0.1, len(self.moments) / 25, 150.0, 10.0, 40.0, 0, False)
        return LiveFrame(activate(avatar.whole()), report)

    def stop(self) -> None:
        self.live = ""


def _ask(process: WorkerProcess, kind: str, **fields: object) -> Message:
    """The one answer to a request. Raises what the worker raised, WorkerError if it died."""
    for message in process.replies(process.request(kind, **fields)):
        if message is not None:
            return message
    raise ProtocolError(f"the worker did not answer {kind}")


def _record(kind: type[Any], entry: Mapping[str, Any]) -> Any:
    """The record in a message, made of plain values, each checked."""
    kinds = {"str": str, "int": int, "float": float, "bool": bool}
    if not isinstance(entry, dict):
        raise ProtocolError(f"a {kind.__name__.lower()} in a message is not an object")
    return kind(**{f.name: value(entry, f.name, kinds[str(f.type)]) for f in fields(kind)})
