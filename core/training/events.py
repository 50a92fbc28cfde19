"""Events of a training: small dictionaries, each also one line of log.jsonl."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..system.files import reason

Event = Mapping[str, Any]
Listener = Callable[[Event], None]

LOG = "log.jsonl"
EVERY_SECONDS = 1.0  # between two progress events


class Events:
    """Passes each event to the listener and appends it to the log in the work folder."""

    def __init__(self, work: Path, listener: Listener) -> None:
        self._log, self._listener = work / LOG, listener
        self._last = -math.inf
        self._logs = True

    def emit(self, event: str, **values: Any) -> None:
        line = {"event": event, **{k: _plain(v) for k, v in values.items()}}
        if self._logs:
            self._write(json.dumps(line, ensure_ascii=False) + "\n")
        self._listener(line)

    def _write(self, text: str) -> None:
        """If the log cannot be written, as on a full disk, one note says so and training
        continues."""
        try:
            with self._log.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError as error:
            self._logs = False
            text = f"{self._log} cannot be written ({reason(error)}); training continues without it"
            self._listener({"event": "note", "text": text})

    def progress(self, *, last: bool = False, **values: Any) -> None:
        """Emit "progress", at most once a second. last: the last one of a stage, always emitted."""
        now = time.monotonic()
        if last or now - self._last >= EVERY_SECONDS:
            self._last = now
            self.emit("progress", **values)


def _plain(value: Any) -> Any:
    """A value for JSON, which has no NaN; five decimal places are enough."""
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value
