"""Messages between an engine and its worker: 4 bytes of length, big-endian, then a JSON object.

client -> worker                              worker -> client
hello     id, version, backend, folder        hello      id, version, packages, backend, device
open      id, path, hash                      result     id, ...: the request is done
deform    id, avatar, track, out, moment      progress   id, done, number, note: a frame is written
bake      id, job (exchange.py)               superseded id: a newer deform came
cancel    id, target                          error      id, kind, message
shutdown  id                                  heartbeat  every second
live_devices id                               result     id, devices: core/live/source.py's Device
live_start   id, avatar, device, lookahead    result     id, device, rate
live_frame   id, avatar, out, moment          result     id, ...: core/live/session.py's Report
live_stop    id                               result     id

Tensors are not sent here: they are in files in the client's private folder (exchange.py), named by
plain file names. No message names a class: an error's kind is looked up in a fixed table, since the
same core is imported under different names on both sides.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, TypeVar

from .. import errors
from ..errors import EgsError, EngineError, ProtocolError
from ..system import memory

VERSION = 9
MAX_BYTES = 16 * 1024 * 1024
HEARTBEAT = 1.0  # seconds

LIVE = ("live_devices", "live_start", "live_frame", "live_stop")

Message = dict[str, Any]
T = TypeVar("T")

ERROR_KINDS: Mapping[str, type[EgsError]] = {
    kind.__name__: kind
    for kind in (
        errors.InputError,
        errors.ArgumentError,
        errors.AvatarFileError,
        errors.CheckpointError,
        errors.PlyError,
        errors.DatasetError,
        errors.AudioError,
        errors.FeatureMismatchError,
        errors.VideoError,
        errors.CameraError,
        errors.MissingPackageError,
        errors.EngineError,
        errors.WorkerError,
        errors.ProtocolError,
        errors.TrainingError,
        errors.OutputError,
        errors.CancelledError,
    )
}


def encode(message: Mapping[str, Any]) -> bytes:
    """Raises ProtocolError for values that JSON cannot express (such as NaN) and above 16 MiB."""
    try:
        body = json.dumps(message, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"a message cannot be written as JSON: {error}") from error
    if len(body) > MAX_BYTES:
        raise ProtocolError(f"a message of {len(body)} bytes is longer than {MAX_BYTES}")
    return struct.pack(">I", len(body)) + body


def read_message(stream: BinaryIO) -> Message | None:
    """The next message, None if the stream ends between two. Raises ProtocolError for anything
    that is not a message; the length is checked before a byte of the body is read."""
    head = _read(stream, 4)
    if not head:
        return None
    if len(head) < 4:
        raise ProtocolError("the stream ended inside a message's length")
    (length,) = struct.unpack(">I", head)
    if not 2 <= length <= MAX_BYTES:
        raise ProtocolError(f"a message claims {length} bytes; 2 to {MAX_BYTES} are allowed")
    body = _read(stream, length)
    if len(body) < length:
        raise ProtocolError(f"the stream ended after {len(body)} of {length} bytes of a message")
    try:
        message = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a message is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise ProtocolError("a message is not a JSON object")
    value(message, "type", str)
    return message


def value(message: Mapping[str, Any], key: str, kind: type[T]) -> T:
    """message[key], checked; an int passes for a float, a bool never for a number."""
    found = message.get(key)
    if kind is float and type(found) is int:
        found = float(found) if abs(found) < 2**53 else None
    if not isinstance(found, kind) or (isinstance(found, bool) and kind is not bool):
        shown = type(found).__name__ if key in message else "nothing"
        raise ProtocolError(f"a message's {key!r} must be {kind.__name__}, not {shown}")
    return found


def error_message(request: int, error: BaseException) -> Message:
    """The error as a message. A class outside the table is sent as its nearest base in it; a defect
    (no EgsError) becomes an EngineError whose traceback is in the worker's log."""
    if isinstance(error, Exception):
        error = memory.known(error) or error
    for kind in type(error).__mro__:
        if ERROR_KINDS.get(kind.__name__) is kind:
            return {"type": "error", "id": request, "kind": kind.__name__, "message": str(error)}
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return {"type": "error", "id": request, "kind": "EngineError", "message": text}


def error_from(message: Mapping[str, Any]) -> EgsError:
    """The error that a message of type "error" stands for, its text brought to one line."""
    text = " ".join(value(message, "message", str).split())
    return ERROR_KINDS.get(value(message, "kind", str), EngineError)(text)


def _read(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes, fewer only at the stream's end; memory grows with what arrives."""
    parts = []
    while count:
        part = stream.read(min(count, 65536))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a JSON number")
