"""The worker's loop: one thread reads requests, one sends heartbeats, and this one computes, one
request at a time.

The newest deform wins: older ones that wait are answered "superseded". While a bake runs, a deform
is answered between two frames, so that the viewport keeps responding; so are the requests of a live
voice.
"""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..bake.backends import Backend, choose_backend, package_versions, remembering
from ..bake.loop import bake, load_checked
from ..errors import CancelledError, EgsError, ProtocolError
from ..network.deformer import splats_at
from ..records.arrays import Float32
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..system import memory
from ..system.lru import LRU
from .exchange import fill, inside, map_splats, moment_from, read_job, read_track
from .microphone import Live
from .protocol import HEARTBEAT, LIVE, VERSION, Message, encode, error_message, read_message, value

LOADING = 1.5  # seconds, enough to load code that is already compiled
COMPILING = "compiling for this processor, once; later starts reuse it"
KEPT = 4  # avatars and tracks in memory


class Server:
    """source and sink: binary streams to the client. beat: seconds between heartbeats. `ended` is
    set when the client has disconnected or sent shutdown; a computation then stops between frames.
    `folder` is the client's, known after hello."""

    def __init__(
        self,
        source: BinaryIO,
        sink: BinaryIO,
        choose: Callable[[str], Backend] = choose_backend,
        beat: float = HEARTBEAT,
    ) -> None:
        self._source, self._sink, self._choose, self._beat = source, sink, choose, beat
        self._sending = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._arrived = threading.Condition()
        self._cancelled: set[int] = set()
        self.ended = threading.Event()
        self._backend: Backend | None = None
        self._warming: threading.Thread | None = None
        self.folder = Path()
        self._avatars: LRU[str, Avatar] = LRU(KEPT)
        self._tracks: LRU[str, AudioTrack] = LRU(KEPT)
        self._live = Live()

    def run(self) -> None:
        """Serve until shutdown, or until the client's end of the pipe closes."""
        for target in (self._read_requests, self._send_heartbeats):
            threading.Thread(target=target, daemon=True).start()
        while (request := self._next()) is not None:
            self._answer(request)
        self.ended.set()
        self._live.stop()

    # Reading, heartbeats and sending --------------------------------------------------------

    def _read_requests(self) -> None:
        try:
            while (message := read_message(self._source)) is not None:
                with self._arrived:
                    if message["type"] == "cancel":
                        self._cancelled.add(value(message, "target", int))
                    elif message["type"] == "shutdown":
                        break
                    else:
                        value(message, "id", int)
                        self._waiting.append(message)
                    self._arrived.notify()
        except (ProtocolError, OSError, ValueError) as error:
            self._send(error_message(0, error))
        with self._arrived:
            self.ended.set()
            self._arrived.notify()

    def _send_heartbeats(self) -> None:
        while not self.ended.wait(self._beat):
            self._send({"type": "heartbeat"})

    def _send(self, message: Message) -> None:
        data = encode(message)
        with self._sending:
            try:
                self._sink.write(data)
                self._sink.flush()
            except (OSError, ValueError):
                self.ended.set()

    # Order of work --------------------------------------------------------------------------

    def _next(self) -> Message | None:
        with self._arrived:
            while not self._waiting and not self.ended.is_set():
                self._arrived.wait()
            if self.ended.is_set():
                return None
            request = self._waiting.popleft()
        return self._newest_deform(request) if request["type"] == "deform" else request

    def _newest_deform(self, request: Message) -> Message:
        """The newest of the waiting deforms of that avatar; the others are answered
        "superseded"."""
        key = ("deform", request.get("avatar"))
        with self._arrived:
            deforms = [request, *(m for m in self._waiting if (m["type"], m.get("avatar")) == key)]
            self._waiting = deque(m for m in self._waiting if m not in deforms)
        for older in deforms[:-1]:
            self._send({"type": "superseded", "id": older["id"]})
        return deforms[-1]

    def _stop_wanted(self, request: int) -> bool:
        return self.ended.is_set() or request in self._cancelled

    def _answer(self, request: Message) -> None:
        number = request["id"]
        try:
            if self._stop_wanted(number):
                raise CancelledError("stopped before it began")
            handlers = {
                "hello": self._hello,
                "open": self._open,
                "deform": self._deform,
                "bake": self._bake,
                **dict.fromkeys(LIVE, self._answer_live),
            }
            if request["type"] not in handlers:
                raise ProtocolError(f"request {request['type']!r} is not in the protocol")
            self._send(handlers[request["type"]](request))
        except EgsError as error:
            self._send(error_message(number, error))
        except Exception as error:  # a defect: the client gets its message, the log the traceback
            if memory.known(error) is None:
                traceback.print_exc()
            self._send(error_message(number, error))
        finally:
            with self._arrived:
                self._cancelled.discard(number)

    # The requests ---------------------------------------------------------------------------

    def _hello(self, request: Message) -> Message:
        theirs = value(request, "version", int)
        if theirs != VERSION:
            raise ProtocolError(
                f"the worker speaks protocol {VERSION}, the client {theirs}; update the older one"
            )
        self.folder = Path(value(request, "folder", str))
        self._backend = remembering(self._choose(value(request, "backend", str)))
        self._warming = threading.Thread(target=_warm_up, args=(self._backend,), daemon=True)
        self._warming.start()
        return {
            "type": "hello",
            "id": request["id"],
            "version": VERSION,
            "packages": package_versions(),
            "backend": self._backend.label,
            "device": self._backend.device,
        }

    def _ready(self) -> Backend:
        if self._backend is None:
            raise ProtocolError("the first request must be hello")
        return self._backend

    def _open(self, request: Message) -> Message:
        self._ready()
        digest = value(request, "hash", str)
        avatar = self._avatars.get(digest)
        if avatar is None:
            avatar = load_checked(Path(value(request, "path", str)), digest)
            self._avatars.put(digest, avatar)
        return {"type": "result", "id": request["id"], "splats": avatar.splats}

    def _deform(self, request: Message) -> Message:
        backend, avatar = self._ready(), self._opened(request)
        name = value(request, "track", str)
        track = self._tracks.get(name)
        if track is None:
            track = self._tracks.put(name, read_track(inside(self.folder, name)))
        moment = moment_from(value(request, "moment", dict))
        block = self._block(request, avatar)
        deformer = backend.prepare(avatar)
        fill(block, splats_at(deformer, track, moment))
        return {"type": "result", "id": request["id"], "note": "; ".join(deformer.notes)}

    def _opened(self, request: Message) -> Avatar:
        avatar = self._avatars.get(value(request, "avatar", str))
        if avatar is None:
            raise ProtocolError(f"{request['type']} names an avatar that is not open")
        return avatar

    def _block(self, request: Message, avatar: Avatar) -> Float32:
        out = inside(self.folder, value(request, "out", str))
        return map_splats(out, avatar.splats, create=False)

    def _answer_live(self, request: Message) -> Message:
        backend, kind = self._ready(), request["type"]
        answer: Message = {}
        if kind == "live_devices":
            answer = self._live.devices()
        elif kind == "live_start":
            avatar = self._opened(request)
            device, lookahead = value(request, "device", str), value(request, "lookahead", int)
            answer = self._live.start(avatar, backend.prepare(avatar), device, lookahead)
        elif kind == "live_frame":
            avatar = self._opened(request)
            block, moment = (
                self._block(request, avatar),
                moment_from(value(request, "moment", dict)),
            )
            fill(block, self._live.splats(avatar, backend.prepare(avatar), moment))
            answer = self._live.report()
        else:
            self._live.stop()
        return {"type": "result", "id": request["id"], **answer}

    def _bake(self, request: Message) -> Message:
        backend, number = self._ready(), request["id"]
        job = read_job(self.folder, value(request, "job", dict))
        avatar = self._avatars.get(job.avatar_hash)
        done = 0
        if self._warming:
            self._warming.join(LOADING)  # the first frame would wait for it, too
        if self._warming and self._warming.is_alive():
            self._send({"type": "progress", "id": number, "done": 0, "note": COMPILING})
        with contextlib.closing(bake(job, backend, avatar)) as frames:
            for progress in frames:
                done = progress.done
                message = {"type": "progress", "id": number, "done": done}
                if progress.note:
                    message["note"] = progress.note
                self._send({**message, "number": progress.number})
                if done < len(job.frames):
                    if self._stop_wanted(number):
                        raise CancelledError(f"stopped after {done} of {len(job.frames)} frames")
                    self._answer_deforms()
        return {"type": "result", "id": number, "done": done}

    def _answer_deforms(self) -> None:
        """Answer the viewport's requests during a bake: opening an avatar, then its deforms."""
        while True:
            with self._arrived:
                if not self._waiting or self._waiting[0]["type"] not in ("open", "deform", *LIVE):
                    return
                request = self._waiting.popleft()
            if request["type"] == "deform":
                request = self._newest_deform(request)
            self._answer(request)


def _warm_up(backend: Backend) -> None:
    """Compile while the client opens its avatar. A failure here is not reported: it happens again
    where the code is needed, and is reported there."""
    try:
        backend.warm_up()
    except Exception as error:
        if memory.known(error) is None:
            traceback.print_exc()
