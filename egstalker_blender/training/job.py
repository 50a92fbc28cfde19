"""A training as it runs: commands one after another, polled; its state on disk is kept. No bpy."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...core.engine.process import worker_environment
from ...core.errors import EngineError, OutputError
from ...core.system.files import reason
from .news import News, Progress
from .plan import LOG, Step
from .process import Child, child_environment, exit_text, make_folder

STOP_PATIENCE = 60.0  # seconds to end a step and save, before the process is ended
EXIT_PATIENCE = 8.0  # the same when Blender ends and waits
QUIET = 30.0  # seconds without a word after which the panel says so
STOPPED_CODE = 130  # of a command that stopped because it was asked to

NOTHING = News()
RUNNING, STOPPING, DONE, STOPPED, FAILED = "running", "stopping", "done", "stopped", "failed"


@dataclass(frozen=True)
class State:
    """kind: one of those above. text: what happens, or why it ended. seconds: since the start.
    quiet: seconds without a word, 0 while it talks."""

    kind: str
    text: str
    seconds: float
    news: News = NOTHING
    progress: Progress | None = None
    quiet: float = 0.0

    @property
    def alive(self) -> bool:
        return self.kind in (RUNNING, STOPPING)


class Job:
    """Call `poll` until its state is no longer alive."""

    def __init__(self, steps: Sequence[Step], work: Path, patience: float = STOP_PATIENCE) -> None:
        """work: the training's folder; it is made where its parent is there. OutputError,
        EngineError where the first command cannot be started."""
        try:
            make_folder(work)
            self.log = work / LOG
            self.log.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"folder {work} cannot be used: {reason(error)}") from None
        self._work, self._patience = work, patience
        self._waiting = list(steps)
        self._started = time.monotonic()
        self._asked: float | None = None
        self._news = News()
        self._end: State | None = None
        self._environment = child_environment(worker_environment())
        self._child = self._start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def poll(self) -> State:
        """Never blocks for long: looks at the process, starts the next one."""
        if self._end is not None:
            return self._end
        code = self._child.poll()
        self._hear()
        if code is not None:
            self._after(code)
        elif self._asked is not None and time.monotonic() - self._asked > self._patience:
            self._child.end()
            self._finish(STOPPED, "It did not stop when asked and was ended; the saved state stays")
        return self._end or self._now()

    def stop(self) -> None:
        """Ask it to save its state and end; the second time end it at once."""
        if self._end is not None:
            return
        if self._asked is not None:
            self._child.end()
            self._finish(STOPPED, "Ended; the state that was last saved stays")
            return
        self._asked = time.monotonic()
        try:
            self._child.ask()
        except OSError as error:  # the disk is full, the folder is gone
            self._child.end()
            self._finish(STOPPED, f"Ended, it could not be asked to stop: {reason(error)}")

    def close(self, patience: float = EXIT_PATIENCE) -> None:
        """Blender ends: ask, wait, end. Nothing runs on. May be called at any time."""
        if self._end is None:
            with contextlib.suppress(OSError):
                if self._asked is None:
                    self._child.ask()
                self._child.wait(patience)
        self._child.end()
        if self._end is None:
            self._finish(STOPPED, "Stopped with Blender; the saved state stays")

    def _start(self) -> Child:
        return Child(self._waiting[0], self.log, self._environment, self._work.parent)

    def _hear(self) -> None:
        news = self._child.news
        if news.preview is not None and not news.preview.is_absolute():
            news = replace(news, preview=self._work / news.preview)
        self._news = news

    def _after(self, code: int) -> None:
        """The process ended."""
        step = self._waiting[0]
        self._child.end()
        words = self._child.last_words()
        complete = code == 0 and self._news.done
        if complete and step.result is not None and not step.result.is_file():
            self._finish(FAILED, f"{step.label}: it is done, but {step.result} is not there")
        elif complete:
            self._next(step)
        elif self._asked is not None and (code in (0, STOPPED_CODE) or code < 0 or not words):
            self._finish(STOPPED, f"Stopped; {_kept(step)}")
        elif code == STOPPED_CODE:
            self._finish(STOPPED, f"Stopped from outside; {_kept(step)}")
        elif code == 0:
            self._finish(FAILED, f"{step.label}: it ended without a result; look at the log")
        else:
            self._finish(FAILED, words or f"{step.label}: {exit_text(code)}")

    def _next(self, step: Step) -> None:
        self._waiting.pop(0)
        if not self._waiting:
            psnr = self._news.psnr
            quality = f", PSNR {psnr:.1f} dB" if psnr is not None else ""
            self._finish(DONE, f"{step.result or step.label} is ready{quality}")
        elif self._asked is not None:
            self._finish(STOPPED, f"Stopped; {_kept(step)}")
        else:
            try:
                self._child = self._start()
                self._hear()
            except EngineError as error:
                self._finish(FAILED, str(error))

    def _now(self) -> State:
        quiet = time.monotonic() - self._child.heard
        kind = RUNNING if self._asked is None else STOPPING
        return State(
            kind,
            self._waiting[0].label,
            self._seconds(),
            self._news,
            self._news.progress,
            quiet if quiet > QUIET else 0.0,
        )

    def _finish(self, kind: str, text: str) -> None:
        self._end = State(kind, " ".join(text.split()), self._seconds(), self._news)

    def _seconds(self) -> float:
        return time.monotonic() - self._started


def _kept(step: Step) -> str:
    """What a stop of that step leaves; a training alone has a stop file, and a state."""
    if step.stop_file is None:
        return "what was prepared stays, the next training goes on from there"
    return "Resume goes on from the saved state"
