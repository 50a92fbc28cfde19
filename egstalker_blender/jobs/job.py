"""A job: commands one after another, and the state that a panel shows. No bpy."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ...core.errors import EgsError, OutputError
from ...core.system.files import reason
from .command import Clock, Command, OnLine, Place, Step, exit_text, to_log

EXIT_PATIENCE = 8.0  # seconds to save and stop when Blender ends
QUIET = 30.0  # seconds without output after which the state reports it
STOPPED_CODE = 130  # exit code of a command that stopped because it was asked to
RUNNING, STOPPING, DONE, STOPPED, FAILED = "running", "stopping", "done", "stopped", "failed"


@dataclass(frozen=True)
class State:
    """kind: one of the five above. text: what runs now, or how it ended. seconds: since the start.
    factor: 0..1 of the whole job. quiet: seconds without output, 0 up to QUIET."""

    kind: str
    text: str
    seconds: float
    factor: float = 0.0
    quiet: float = 0.0

    @property
    def alive(self) -> bool:
        return self.kind in (RUNNING, STOPPING)


class Job:
    """Runs from construction on. Call `poll` until its state is no longer alive. A kind of job
    overrides the methods at the end of this class."""

    def __init__(
        self,
        steps: Sequence[Step],
        place: Place,
        patience: float = 0.0,
        clock: Clock = time.monotonic,
    ) -> None:
        """place: its log is overwritten. patience: seconds that a command has to save and stop when
        it is asked to; 0: it is not asked, but ended at once. OutputError for a log that cannot be
        written, EngineError if the first command cannot be started."""
        try:
            place.log.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"log {place.log} cannot be written: {reason(error)}") from None
        self.log = place.log
        self._steps, self._place = list(steps), place  # the steps that have not ended
        self._patience, self._clock = patience, clock
        self._started = clock()
        self._asked: float | None = None  # when it was asked to stop
        self._end: State | None = None
        self._done = 0.0  # share of the steps that have ended
        self._command = self._start()

    @property
    def pid(self) -> int:
        """Of the command that runs, or of the last one."""
        return self._command.pid

    def poll(self) -> State:
        """Check the process and start the next one. Never blocks for long."""
        if self._end is None:
            try:
                self._advance()
            except (EgsError, OSError) as error:
                self._finish(FAILED, str(error) if isinstance(error, EgsError) else reason(error))
        return self._end or self._now()

    def wait(self, seconds: float) -> None:
        """Return when the command that runs has ended, or after that time."""
        if self._end is None:
            self._command.wait(seconds)

    def stop(self) -> None:
        """Ask it to save its work and stop; the second time end it at once."""
        if self._end is not None:
            return
        if self._asked is not None or not self._patience:
            self._finish(STOPPED, f"Stopped at once; {self._kept(self._steps[0])}")
            return
        self._asked = self._clock()
        try:
            self._command.ask()
        except OSError as error:  # the disk is full, the folder is gone
            text = f"Stopped at once, because asking it to stop failed: {reason(error)}"
            self._finish(STOPPED, text)

    def close(self, patience: float = EXIT_PATIENCE) -> None:
        """For the end of Blender: ask it to stop, wait, then end it. May be called at any time."""
        if self._end is not None:
            return
        if self._patience:
            with contextlib.suppress(OSError):
                if self._asked is None:
                    self._command.ask()
                self._command.wait(patience)
        self._finish(STOPPED, f"Stopped with Blender; {self._kept(self._steps[0])}")

    def _start(self) -> Command:
        step = self._steps[0]
        return Command(step, self._place, self._begin(step), self._clock)

    def _advance(self) -> None:
        code = self._command.poll()
        if code is not None:
            self._command.end()
            self._after(self._steps[0], code)
        elif self._asked is not None and self._clock() - self._asked > self._patience:
            kept = self._kept(self._steps[0])
            self._finish(STOPPED, f"It did not stop when asked and was ended; {kept}")

    def _after(self, step: Step, code: int) -> None:
        """The command of that step has ended."""
        own, last = self._command.error_line(), self._command.last_line()
        if code == 0 and self._succeeded(step):
            self._next(step)
        elif self._asked is not None and (
            code in (0, STOPPED_CODE) or code < 0 or not (own or last)
        ):
            self._finish(STOPPED, f"Stopped; {self._kept(step)}")
        elif self._command.late:
            self._finish(FAILED, f"{step.label}: it took more than {step.limit / 60:g} minutes")
        elif code == STOPPED_CODE:
            self._finish(STOPPED, f"Stopped from outside; {self._kept(step)}")
        elif code == 0:
            self._finish(FAILED, f"{step.label}: it ended without a result; see the log")
        else:
            self._finish(FAILED, own or f"{step.label}: {last or exit_text(code)}")

    def _next(self, step: Step) -> None:
        if step.result is not None and not step.result.is_file():
            text = f"{step.label}: it is done, but {step.result} is not there; see the log"
            self._finish(FAILED, text)
            return
        self._steps.pop(0)
        self._done += step.share
        if not self._steps:
            self._finish(DONE, self._result(step))
        elif self._asked is not None:
            self._finish(STOPPED, f"Stopped; {self._kept(step)}")
        else:
            self._command = self._start()

    def _now(self) -> State:
        text, inside = self._progress(self._steps[0])
        quiet = self._clock() - self._command.last_output
        return State(
            RUNNING if self._asked is None else STOPPING,
            text,
            self._clock() - self._started,
            min(1.0, self._done + self._steps[0].share * inside),
            quiet if quiet > QUIET else 0.0,
        )

    def _finish(self, kind: str, text: str) -> None:
        self._command.end()
        seconds = self._clock() - self._started
        factor = 1.0 if kind == DONE else 0.0
        self._end = State(kind, " ".join(text.split()), seconds, factor)
        self._clean_up(kind)

    def _begin(self, step: Step) -> OnLine:
        """A function that receives the lines of that step, in a thread."""
        return to_log

    def _progress(self, step: Step) -> tuple[str, float]:
        """(text for the panel, 0..1 of that step)."""
        return step.label, 0.0

    def _succeeded(self, step: Step) -> bool:
        """True if the command, which ended with 0, has reported its result."""
        return True

    def _kept(self, step: Step) -> str:
        """What remains if the job stops in that step: the second half of a sentence."""
        return "nothing of it is kept"

    def _result(self, step: Step) -> str:
        """The text after the last step. EgsError, OSError."""
        return f"{step.label}: done"

    def _clean_up(self, kind: str) -> None:
        """Called once, after the last process has ended; kind: how the job ended."""
