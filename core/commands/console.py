"""The only output of every command: JSON events for programs, or text for people.

With --json each event is one object on its own line on stdout. Without it, progress, notes and
errors go to stderr and the result goes to stdout. docs/formats.md describes the events.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from ..system.pace import Pace, count_text

EVENTS = ("start", "progress", "note", "saved", "done", "failed")
LINE_SECONDS = 15.0  # between two lines of progress, unless stderr is a terminal
STOPPED = 130  # exit code after Ctrl-C
# A file's name may hold them: a line end makes two lines of one, an escape recolours a terminal.
CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")
BUT_LINES = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]")


class Console:
    """One for each run of a command. `fields` are the event's further JSON keys; paths in them are
    written as text, numbers that are not finite as null. A closed stdout raises BrokenPipeError.
    """

    def __init__(self, as_json: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds."""
        self._as_json = as_json
        self._clock = clock
        self._pace = _Shown("", 0, 0.0)
        self._width = 0  # characters of the line on the terminal that is not ended yet

    def start(self, what: str, text: str = "", /, **fields: Any) -> None:
        """A command begins, or a part of it. text: for people."""
        self._event("start", what=what, **fields)
        self._line(text)

    def progress(
        self,
        what: str,
        done: int,
        total: int,
        text: str = "",
        /,
        *,
        every: float = 0.0,
        **fields: Any,
    ) -> None:
        """what: the step that is under way. total: 0 if unknown. text: for people, after the
        numbers. every: seconds before the next event of the same step; its first and its last
        event are always written. fields: may have `remaining`, seconds; otherwise people see an
        estimate."""
        now = self._clock()
        if what != self._pace.what:
            self._end_line()
            self._pace = _Shown(what, done, now)
        elif done != total and now - self._pace.event < every:
            return
        self._pace.event = now
        self._event("progress", what=what, done=done, total=total, **fields)
        if not self._as_json:
            self._show(done, total, text, now, fields.get("remaining"))

    def note(self, text: str, /, **fields: Any) -> None:
        """A message to the user that does not end the command."""
        self._event("note", text=text, **fields)
        self._line(f"note: {text}")

    def saved(self, what: str, path: Path | str, text: str = "", /, **fields: Any) -> None:
        """A file is complete before the command has ended. what: its kind, for example "state".
        text: for people, who do not need to see every file."""
        self._event("saved", what=what, path=path, **fields)
        self._line(text)

    def done(self, result: str, /, **fields: Any) -> None:
        """The command has ended well. result: for people."""
        self._event("done", **fields)
        self._result(result)

    def failed(self, message: str, code: int, result: str = "", /, **fields: Any) -> None:
        """The command has ended with exit code `code`. message: one line. result: for people, a
        partial result if there is one."""
        self._result(result)
        self._error(f"error: {message}")
        with contextlib.suppress(BrokenPipeError):  # the exit code says it too
            self._event("failed", message=message, code=code, **fields)

    def stopped(self, message: str = "stopped") -> None:
        """The user has interrupted the command."""
        self._error(message)
        with contextlib.suppress(BrokenPipeError):
            self._event("failed", message=message, code=STOPPED)

    def _event(self, event: str, /, **fields: Any) -> None:
        if self._as_json:
            print_line(json.dumps({"event": event, **plain(fields)}, allow_nan=False))

    def _result(self, text: str) -> None:
        if text and not self._as_json:
            self._end_line()
            print_line(text)

    def _line(self, text: str) -> None:
        if text and not self._as_json:
            self._error(text)

    def _error(self, text: str) -> None:
        self._end_line()
        print(shown(text, sys.stderr), file=sys.stderr, flush=True)

    def _show(self, done: int, total: int, text: str, now: float, remaining: Any) -> None:
        pace = self._pace
        if remaining is None:
            remaining = pace.remaining(done, total, now)
        line = shown(f"{pace.what} {count_text(done, total, remaining)}{text}", sys.stderr)
        if sys.stderr.isatty():
            line = line[: shutil.get_terminal_size().columns - 1]
            print(f"\r{line:<{self._width}}", end="", file=sys.stderr, flush=True)
            self._width = len(line)
        elif now >= pace.next_line or (done == total and not pace.ended):
            pace.next_line = now + LINE_SECONDS
            pace.ended = done == total
            print(line, file=sys.stderr, flush=True)

    def _end_line(self) -> None:
        if self._width:
            print(file=sys.stderr, flush=True)
            self._width = 0


class _Shown(Pace):
    """The current step, and when it was last shown."""

    def __init__(self, what: str, first: int, began: float) -> None:
        super().__init__(first, began)
        self.what = what
        self.event = began
        self.next_line = began + LINE_SECONDS
        self.ended = False


def print_line(text: str) -> None:
    """Print on stdout. BrokenPipeError if nobody reads it any more (`| head`); Python then reports
    no unwritten output when it ends."""
    try:
        sys.stdout.write(
            f"{shown(text, sys.stdout, BUT_LINES)}\n"
        )  # at once, so that an interrupt does not cut a line
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def shown(text: str, stream: TextIO, hidden: re.Pattern[str] = CONTROL) -> str:
    """`text` as the stream can show it: what its encoding (a code page, ASCII) does not have, parts
    of names that are no text, and the characters that `hidden` finds become escapes (\\u982d)."""
    text = hidden.sub(lambda found: ascii(found[0])[1:-1], text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def plain(value: Any) -> Any:
    """JSON has neither paths nor NaN."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
