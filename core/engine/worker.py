"""The worker engine: another Python computes; if it dies it is restarted, and after too many
failures replaced."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..errors import CancelledError, EgsError, InputError, MissingPackageError, WorkerError
from ..records.audio_track import AudioTrack
from ..records.avatar import Avatar
from ..records.gaussians import Splats
from ..records.job import BakeJob
from ..records.moment import Moment
from ..records.progress import Progress
from ..records.voice import AnyVoice, sound_files
from ..system.files import stamp
from ..system.leftovers import remove_parts
from ..system.steps import finished
from ..worker.exchange import copy_out, moment_fields, write_job
from ..worker.protocol import Message, value
from .builtin import BuiltinEngine
from .interface import Engine, EngineStatus
from .process import TICK, WorkerProcess, greet
from .shared_files import SharedFiles

T = TypeVar("T")

CANCEL_LIMIT = 5.0  # seconds for the current frame; a worker that takes longer is killed


class WorkerEngine:
    """Calls may come from several threads. After `tries` failures in a row without a result in
    between, the built-in engine takes over, and `status` says why."""

    def __init__(
        self,
        python: Path,
        log: Path,
        *,
        backend: str = "auto",
        start_limit: float = 60.0,
        silence: float = 30.0,
        tries: int = 3,
        back_off: float = 0.5,
    ) -> None:
        """log: the worker's stderr. start_limit, silence: seconds to the first message and between
        two. back_off: seconds before the first restart, doubled for each one after it."""
        self._python, self._log, self._backend = python, log, backend
        self._start_limit, self._silence = start_limit, silence
        self._tries, self._back_off = tries, back_off
        self._files = SharedFiles()
        self._guard = threading.Lock()
        self._run: Future[WorkerProcess] | None = None
        self._failures = 0
        self._fallback: Engine | None = None
        self._status = EngineStatus("worker", backend, "not started")
        self._closed = False
        atexit.register(self.close)

    def start(self) -> None:
        """Start now. WorkerError; MissingPackageError if the backend is not installed."""
        finished(_process_of(self._current()))

    def status(self) -> EngineStatus:
        return self._fallback.status() if self._fallback else self._status

    @property
    def pid(self) -> int | None:
        """The process that serves now, None if there is none."""
        process = _settled(self._run)
        return process.pid if process else None

    def serving(self) -> tuple[WorkerProcess, SharedFiles]:
        """A live process and its folder, for what only a worker can do."""
        process = self._with_process(_checked)
        if process is None:
            raise WorkerError(self.status().reason)
        return process, self._files

    def deform(self, avatar: Avatar, track: AudioTrack, moment: Moment) -> Splats:
        """Raises CancelledError if a newer moment of this avatar is requested meanwhile."""
        splats = self._with_process(lambda p: self._deform_with(p, avatar, track, moment))
        if splats is None and self._fallback is not None:
            return self._fallback.deform(avatar, track, moment)
        assert splats is not None
        self._failures = 0
        return splats

    def bake(self, job: BakeJob) -> Generator[Progress, None, None]:
        """A worker that dies is restarted and continues with the frames that are not written.
        InputError if the sound has changed by then: the next frames would not fit."""
        done, total, sounds = 0, len(job.frames), _stamps(job.voice)
        while self._fallback is None:
            start, run = done, self._current()
            rest = replace(job, frames=job.frames[start:])
            try:
                with contextlib.closing(self._bake_with(run, rest)) as counts:
                    for count in counts:
                        if not count or isinstance(count, str):
                            yield Progress(done, total, note=count or "")
                            continue
                        self._failures = 0
                        done = start + count
                        task = job.frames[done - 1]
                        yield Progress(done, total, task.number, job.path_of(task))
                return
            except WorkerError as error:
                self._lost(run, error, job.directory)
                yield Progress(done, total, note=str(error))
                if done:
                    _check_unchanged(job.voice, sounds)
        rest = replace(job, frames=job.frames[done:])
        yield Progress(done, total, note=self._fallback.status().reason)
        with contextlib.closing(self._fallback.bake(rest)) as frames:
            for progress in frames:
                yield replace(progress, done=done + progress.done, total=total)

    def close(self) -> None:
        atexit.unregister(self.close)
        with self._guard:
            self._closed, run = True, self._run
            self._run = None
        process = _settled(run)
        if process:
            process.close()
        self._files.close()

    # One run of the worker ------------------------------------------------------------------

    def _with_process(self, use: Callable[[WorkerProcess], T]) -> T | None:
        """The result of `use` for a running process; if that dies, `use` is called again with the
        next one. None once the built-in engine has taken over."""
        while self._fallback is None:
            run = self._current()
            try:
                return use(finished(_process_of(run)))
            except WorkerError as error:
                self._lost(run, error)
        return None

    def _current(self) -> Future[WorkerProcess]:
        """The run that serves or starts now; a thread starts it, so that callers can go on
        yielding."""
        with self._guard:
            if self._closed:
                raise WorkerError("the engine is closed; open another")
            if self._run is None:
                self._run = Future()
                threading.Thread(target=self._start, args=(self._run,), daemon=True).start()
            return self._run

    def _start(self, run: Future[WorkerProcess]) -> None:
        if self._failures:  # what ended the last one may need time to pass
            time.sleep(self._back_off * 2 ** (self._failures - 1))
        process = None
        try:
            process = WorkerProcess(self._python, self._files.folder, self._log, self._silence)
            hello = greet(process, self._backend, self._files.folder, self._start_limit)
            self._status = EngineStatus(
                "worker", value(hello, "backend", str), value(hello, "device", str)
            )
            with self._guard:  # so that `close` finds either a result or no process
                if self._closed:
                    raise WorkerError("the engine was closed while its worker started")
                run.set_result(process)
        except Exception as error:  # raised for whoever waits for this run
            if process:
                process.kill()
            run.set_exception(error)

    def _lost(
        self, run: Future[WorkerProcess], error: WorkerError, folder: Path | None = None
    ) -> None:
        """Count the failure of a run once, clean up after it, and give up after too many."""
        process = _settled(run)
        if process:
            process.kill()
            if folder:
                remove_parts(folder, process.pid)
        with self._guard:
            if self._run is not run:
                return
            self._run = None
            self._failures += 1
            if self._failures >= self._tries and self._fallback is None:
                reason = f"the worker failed {self._failures} times, last: {error}"
                self._fallback = _builtin(self._backend, reason)

    # Requests -------------------------------------------------------------------------------

    def _deform_with(
        self, process: WorkerProcess, avatar: Avatar, track: AudioTrack, moment: Moment
    ) -> Splats:
        path, digest = self._files.avatar(avatar)
        name = self._files.track(track)
        block = self._files.borrow(avatar.splats)
        try:
            finished(process.replies(process.request("open", path=str(path), hash=digest)))
            number = process.request(
                "deform", avatar=digest, track=name, out=block.name, moment=moment_fields(moment)
            )
            answer = finished(process.replies(number))
            if answer["type"] == "superseded":
                raise CancelledError("a newer moment was requested")
            self._status = replace(self._status, reason=str(answer.get("note") or ""))
            splats = copy_out(block.data, block.count)
        except EgsError:
            self._files.give_back(block)  # answered, or no longer alive
            raise
        self._files.give_back(block)
        return splats

    def _bake_with(
        self, run: Future[WorkerProcess], job: BakeJob
    ) -> Generator[int | str | None, None, None]:
        """Yields the count of written frames after each, None or 0 if there is nothing new, and the
        worker's notes."""
        process = yield from _process_of(run)
        name, sound = self._files.new_name("frames"), self._files.new_name("voice")
        voice = self._files.voice(job.voice, sound)
        fields = write_job(self._files.folder, name, job, voice)
        number = process.request("bake", job=fields)
        replies = process.replies(number)
        answered = False
        try:
            for message in replies:
                if message is None:
                    yield None
                elif message["type"] == "progress":
                    yield str(message.get("note") or "") or value(message, "done", int)
            answered = True
        except EgsError:
            answered = True
            raise
        finally:
            if not answered:
                _stop(process, number, replies)
            for used in (name, sound, str(fields["meshes"])):
                if used:
                    self._files.drop(used)


def _stamps(voice: AnyVoice) -> list[tuple[int, int] | None]:
    return [stamp(path) for path in sound_files(voice)]


def _check_unchanged(voice: AnyVoice, before: list[tuple[int, int] | None]) -> None:
    for path, old, new in zip(sound_files(voice), before, _stamps(voice), strict=True):
        if old != new:
            raise InputError(
                f"{path} changed during the bake, after frames of the old sound were written; "
                "bake again"
            )


def _builtin(backend: str, reason: str) -> Engine:
    """The built-in engine on the requested backend, if this Python has it too."""
    try:
        return BuiltinEngine(backend, reason)
    except MissingPackageError:
        return BuiltinEngine("auto", reason)


def _process_of(run: Future[WorkerProcess]) -> Generator[None, None, WorkerProcess]:
    """Waits for the process in small steps. Raises what its start raised."""
    while not wait([run], TICK).done:
        yield None
    return run.result()


def _settled(run: Future[WorkerProcess] | None) -> WorkerProcess | None:
    """The process of a run that started, None for any other."""
    return run.result() if run and run.done() and not run.exception() else None


def _checked(process: WorkerProcess) -> WorkerProcess:
    process.check()
    return process


def _stop(process: WorkerProcess, number: int, replies: Iterator[Message | None]) -> None:
    """Cancel a request and wait for its end, so that no file appears afterwards."""
    process.cancel(number)
    limit = time.monotonic() + CANCEL_LIMIT
    with contextlib.suppress(EgsError):
        for _ in replies:
            if time.monotonic() > limit:
                process.kill()
